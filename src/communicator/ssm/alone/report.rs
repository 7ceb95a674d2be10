//! What a job's instance answers through Run Command.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::seal::Seal;

/// Begins each line of ours.
const MARK: &str = "bake-job ";

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It runs.
    Running,
    /// It has ended with this code.
    Ended(u32),
    /// It will never say how it ended.
    Vanished(&'static str),
    /// It was not started: a part of it did not arrive whole.
    Incomplete,
}

/// One look at a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) progress: Progress,
    /// Bytes of output that there are in all.
    pub(super) out_size: u64,
    pub(super) err_size: u64,
    /// The output from where it was asked for, as much of it as there was room for.
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// The fields of the last line that begins with our mark, and what follows it without blanks.
fn answer(stdout: &str) -> Option<(&str, String)> {
    let at = match stdout.rfind(&format!("\n{MARK}")) {
        Some(at) => at + 1,
        None => stdout.starts_with(MARK).then_some(0)?,
    };
    let text = stdout.get(at + MARK.len()..)?;
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((line.trim_end(), rest.chars().filter(|c| !c.is_ascii_whitespace()).collect()))
}

/// A field of such a line.
pub(super) fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}

/// The line of ours in what a script said, without its mark.
pub(super) fn line(stdout: &str) -> Option<String> {
    answer(stdout).map(|(line, _)| line.to_owned())
}

/// Bytes that came as base64, sealed or not.
fn bytes(text: &str, seal: Option<&Seal>) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    match seal {
        // Of nothing, the instance sends nothing.
        Some(seal) if !bytes.is_empty() => seal.open(&bytes),
        _ => Some(bytes),
    }
}

impl Look {
    /// Reads what a look printed: a line such as `bake-job exit=- out=5 err=3 got=2,1`, which says
    /// how long both streams are, and how much of each follows.
    pub(super) fn parse(stdout: &str, seal: Option<&Seal>) -> Option<Self> {
        let (line, rest) = answer(stdout)?;
        let number = |name: &str| field(line, name)?.parse::<u64>().ok();
        let progress = match field(line, "exit")? {
            "-" => Progress::Running,
            "gone" => Progress::Vanished("nothing is left of the command on the instance"),
            "restarted" => Progress::Vanished("the machine was restarted while the command ran"),
            "killed" => Progress::Vanished("the process that ran the command was killed"),
            "incomplete" => Progress::Incomplete,
            // Windows has codes below zero, which are the large ones.
            code => Progress::Ended(code.parse::<i64>().ok().map(|code| code as u32)?),
        };
        let (out, err) = field(line, "got").unwrap_or("0,0").split_once(',')?;
        let (out, err): (usize, usize) = (out.parse().ok()?, err.parse().ok()?);
        let got = bytes(&rest, seal)?;
        if got.len() != out.checked_add(err)? {
            return None;
        }
        let (out, err) = got.split_at_checked(out)?;
        Some(Self {
            progress,
            out_size: number("out").unwrap_or_default(),
            err_size: number("err").unwrap_or_default(),
            out: out.to_vec(),
            err: err.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read() {
        let said = "noise\nbake-job exit=- out=12 err=1 got=2,1\naGVs\n";
        let look = Look::parse(said, None).unwrap();
        assert_eq!(look.progress, Progress::Running);
        assert_eq!((look.out_size, look.err_size), (12, 1));
        assert_eq!((look.out.as_slice(), look.err.as_slice()), (&b"he"[..], &b"l"[..]));
        let ended = |code: &str| {
            let said = format!("bake-job exit={code} out=0 err=0 got=0,0\n");
            Look::parse(&said, None).map(|look| look.progress)
        };
        assert_eq!(ended("194"), Some(Progress::Ended(194)));
        assert_eq!(ended("-1073741510"), Some(Progress::Ended(0xC000_013A)));
        assert_eq!(ended("incomplete"), Some(Progress::Incomplete));
        assert!(matches!(ended("restarted"), Some(Progress::Vanished(_))));
        assert_eq!(ended("x"), None);
    }

    #[test]
    fn what_is_cut_off_or_sealed_by_somebody_else_is_no_look() {
        let seal = Seal::new();
        let sealed = STANDARD.encode(seal.close(b"hello"));
        let said = format!("bake-job exit=- out=5 err=0 got=5,0\n{sealed}\n");
        assert_eq!(Look::parse(&said, Some(&seal)).unwrap().out, b"hello");
        assert_eq!(Look::parse(&said, Some(&Seal::new())), None);
        assert_eq!(Look::parse(&said, None), None);
        let cut = said.get(..said.len() - 9).unwrap();
        assert_eq!(Look::parse(cut, Some(&seal)), None);
        for wrong in ["", "sh: not found\n", "bake-job ", "bake-job exit=- got=9,9\n"] {
            assert_eq!(Look::parse(wrong, None), None, "{wrong}");
        }
    }
}
