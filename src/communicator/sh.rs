//! Scripts for `sh`, whatever the login shell is.

use super::quote;

/// The line that runs a script in `sh`, with its arguments as `$1` and on.
///
/// It is made for the login user's own shell, which may be any: one line of plain and of quoted
/// words, in which nothing is special to csh or fish. So the lines of the script become one, and
/// each must end where the next may follow a blank: after a `;`, an operator or a bracket.
pub(crate) fn sh(script: &str, arguments: &[&str]) -> String {
    let words: String = arguments.iter().map(|word| format!(" {}", quote(word))).collect();
    format!("exec sh -c {} sh{words}", quote(&one_line(script)))
}

/// A script's lines as one.
pub(crate) fn one_line(script: &str) -> String {
    script.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_shell_sees_one_line_of_words() {
        let line = sh("\n  for a in \"$@\"; do\n    echo \"$a\";\n  done\n", &["it's", "$HOME"]);
        assert_eq!(line, r#"exec sh -c 'for a in "$@"; do echo "$a"; done' sh 'it'\''s' '$HOME'"#);
        let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(output.stdout, b"it's\n$HOME\n");
        assert_eq!(sh("true", &[]), "exec sh -c true sh");
    }
}
