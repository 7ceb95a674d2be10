//! The command that puts a script in its place, runs and removes it.
//!
//! The script comes on standard input, so the script's own standard input is at its end. It is
//! counted: a connection that breaks in the middle must not run half a script. `execute_command`
//! is run by the login shell, as if it had been sent by itself.

use std::sync::Arc;

use crate::communicator::{Command, Stdin, quote, sh};

/// Takes path, size, mark, command, path and size of the variables, and whether to keep the files.
/// `dd` says first what is wrong, and in any case how much it has copied.
/// `f` fails so that it can be told from a script that fails: nothing else knows the mark.
const PUT: &str = r#"
p=$1;
case $p in "~/"*) p=$HOME/${p#??} ;; esac;
f() { rm -f -- "$p" ${5:+"$5"} 2>/dev/null; echo "$3" >&2; exit 125; };
if [ -n "$5" ]; then
  e=$( (umask 077; dd bs=1 count="$6" of="$5") 2>&1 ) || {
    echo "$e" | { read -r e; echo "$e" >&2; };
    f "$@";
  };
  chmod -- 0600 "$5" || f "$@";
fi;
cat > "$p" || f "$@";
c=$(wc -c < "$p") && [ "$c" -eq "$2" ] || f "$@";
chmod -- 0755 "$p";
"#;

/// Runs what [`PUT`] has put there. `dd` and `cat` took all of the input.
///
/// bash, where sshd started it, reads `~/.bashrc` when `SHLVL` says that no other shell is above
/// it. The login shell has done that already.
const RUN: &str = r#"
p=$1;
case $p in "~/"*) p=$HOME/${p#??} ;; esac;
if [ -z "$7" ]; then trap 'rm -f -- "$p" ${5:+"$5"}; exit 143' HUP INT TERM; fi;
SHLVL=1 "${SHELL:-/bin/sh}" -c "$4";
r=$?;
if [ -z "$7" ]; then rm -f -- "$p" ${5:+"$5"}; fi;
exit $r
"#;

/// A script that is ready to run.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    /// Where it goes.
    pub(super) path: String,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// `execute_command`, rendered.
    pub(super) command: String,
    /// A file with variables: where it goes and what it holds.
    pub(super) variables: Option<(String, String)>,
    /// Whether the files stay.
    pub(super) keep: bool,
    /// What is said on standard error when the files cannot be put in their place.
    pub(super) mark: String,
}

impl Ready {
    /// What to run, one after the other while each succeeds. With a terminal these are two
    /// commands, for a terminal would change the bytes of the script.
    pub(super) fn commands(&self, pty: bool) -> Vec<Command> {
        let mut input = Vec::new();
        if let Some((_, text)) = &self.variables {
            input.extend_from_slice(text.as_bytes());
        }
        input.extend_from_slice(&self.bytes);
        let stdin = Stdin::Bytes(Arc::from(input));
        if pty {
            let put = Command { stdin, ..Command::new(self.line(PUT)) };
            vec![put, Command { pty: true, ..Command::new(self.line(RUN)) }]
        } else {
            vec![Command { stdin, ..Command::new(self.line(&format!("{PUT}{RUN}"))) }]
        }
    }

    /// Removes what a lost connection has left.
    pub(super) fn cleaning(&self) -> Command {
        let variables = self.variables.iter().map(|(path, _)| quote(path));
        let paths: Vec<_> = std::iter::once(home(&self.path)).chain(variables).collect();
        Command::new(format!("rm -f {}", paths.join(" ")))
    }

    fn line(&self, script: &str) -> String {
        let (path, size) = match &self.variables {
            Some((path, text)) => (path.as_str(), text.len().to_string()),
            None => ("", String::new()),
        };
        let keep = if self.keep { "keep" } else { "" };
        let own_size = self.bytes.len().to_string();
        sh(script, &[&self.path, &own_size, &self.mark, &self.command, path, &size, keep])
    }
}

/// A path as a word, with `~` for the home directory.
fn home(path: &str) -> String {
    match path.strip_prefix("~/") {
        Some(rest) => format!("~/{}", quote(rest)),
        None => quote(path),
    }
}
