//! The build log without what changes from run to run.

use regex::Regex;

/// Replaces ids, digests and durations, leaves out states that a poll may or may not see, and
/// brings lines of independent calls into one order.
pub(crate) fn readable(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, replacement) in [
        (r"(?m)^.* is (pending|running|stopping|shutting-down)\n", ""),
        (r"--> /\S*/\.tmp\w+/", "--> [directory]/"),
        (r"packer_[0-9a-f-]{36}", "packer_[uuid]"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[uuid]"),
        (r"\b(ami|i|sg|vol|snap)-[0-9a-f]{8,17}\b", "$1-[id]"),
        (r"\b[0-9a-f]{64}\b", "[hash]"),
        (r"\b(quickstart|t)-[0-9a-f]{12}\b", "$1-[hash]"),
        (r"host \(.*\)", "host ([system])"),
        (r"127(\.\d+){3}:\d+", "[address]"),
        (
            r"(in|prepare|launch|connect|provision|stop|image|publish|teardown) [0-9.]+m?s",
            "$1 [time]",
        ),
        (r"after \d+ (milli)?seconds?( \d+ milliseconds?)?", "after [time]"),
    ] {
        let pattern = Regex::new(pattern).expect("a pattern");
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    let mut lines: Vec<_> = text.lines().collect();
    for run in lines.chunk_by_mut(|a, b| resource(a).is_some() && resource(b).is_some()) {
        run.sort_by_key(|line| resource(line));
    }
    lines.join("\n") + "\n"
}

/// Which of the resources that are made and removed side by side a line is about.
fn resource(line: &str) -> Option<usize> {
    let resources = [
        &["temporary keypair", "Keypair: ", "Deleted keypair"][..],
        &["Terminating the source", "Terminated instance"],
        &["temporary security group", "Security group: ", "Deleted security group"],
    ];
    resources.iter().position(|words| words.iter().any(|word| line.contains(word)))
}
