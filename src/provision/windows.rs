//! What steps on Windows have in common: files in their places, words for its shells.
//!
//! Nothing here asks which shell the far side logs in with: `cmd.exe` over WinRM and OpenSSH's
//! default, or PowerShell. The commands that bake makes itself are read alike by both: no `$`
//! that PowerShell would fill in, no `%` for `cmd.exe`.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::output::execute;
use super::run::RETRY_PAUSE;
use super::{ProvisionError, StepRun};
use crate::communicator::{Command, Exit, Upload};
use crate::plan::Tree;

/// Where files go unless the template says otherwise.
pub(super) const FOLDER: &str = "c:/Windows/Temp";

/// Permission bits that files are sent with; Windows has none.
const MODE: u32 = 0o644;

/// Puts bytes into a file of the instance.
pub(super) async fn put(
    step: &StepRun<'_>,
    path: &str,
    bytes: Vec<u8>,
) -> Result<(), ProvisionError> {
    let upload = Upload {
        tree: Tree::of_bytes(bytes, MODE),
        name: path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned(),
        destination: path.to_owned(),
        contents_only: false,
    };
    step.context.communicator.upload(&upload, &|_| ()).await?;
    Ok(())
}

/// Puts files in their places and runs a command, again and again for as long as the connection
/// does not let it start; then it runs once.
pub(super) async fn start(
    step: &StepRun<'_>,
    files: &[(String, Vec<u8>)],
    command: &str,
    limit: Duration,
) -> Result<Exit, ProvisionError> {
    let deadline = Instant::now() + limit;
    loop {
        let attempt = async {
            for (path, bytes) in files {
                put(step, path, bytes.clone()).await?;
            }
            Ok(execute(step, Command::new(command)).await?)
        };
        match attempt.await {
            Err(ProvisionError::Communicator(error))
                if error.may_pass() && Instant::now() + RETRY_PAUSE < deadline =>
            {
                step.say(format!("Cannot start the script, trying again: {error}")).await;
                sleep(RETRY_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// A text as PowerShell's own word in single quotes, in which nothing but a quote means
/// anything. PowerShell takes typographic quotes for quotes, too.
pub(super) fn literal(text: &str) -> String {
    let mut word = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            word.push(c);
        }
        word.push(c);
    }
    word.push('\'');
    word
}

/// A value between the double quotes of PowerShell: what would mean something there, typographic
/// quotes among it, gets a backtick.
pub(super) fn with_backticks(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        if matches!(c, '$' | '"' | '`' | '\'' | '\u{201c}' | '\u{201d}' | '\u{201e}') {
            text.push('`');
        }
        text.push(c);
    }
    text
}

/// The byte order mark of UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// A PowerShell script so that Windows PowerShell 5 reads it, too: it takes a file for one of the
/// machine's old code page unless it begins with a byte order mark.
pub(super) fn readable(mut script: Vec<u8>) -> Vec<u8> {
    let plain = script.is_ascii() || script.starts_with(MARK);
    if !plain && std::str::from_utf8(&script).is_ok() {
        script.splice(0..0, MARK.iter().copied());
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_nothing_to_powershell() {
        assert_eq!(literal("c:/it's"), "'c:/it''s'");
        assert_eq!(literal("a\u{2019}b $x `n"), "'a\u{2019}\u{2019}b $x `n'");
        assert_eq!(with_backticks("a$b \"c\" `d` 'e'"), "a`$b `\"c`\" ``d`` `'e`'");
        assert_eq!(with_backticks("\u{201c}x"), "`\u{201c}x");
    }

    #[test]
    fn only_texts_that_need_it_get_a_byte_order_mark() {
        let same = ["exit 0".as_bytes(), b"\xef\xbb\xbf'gr\xc3\xbcn'", b"gr\xfcn", b"\xff\xfeg\0"];
        for bytes in same {
            assert_eq!(readable(bytes.to_vec()), bytes);
        }
        assert_eq!(readable("'gr\u{fc}n'".into()), b"\xef\xbb\xbf'gr\xc3\xbcn'");
    }
}
