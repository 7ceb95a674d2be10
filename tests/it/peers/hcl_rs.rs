//! bake's HCL parser against hcl-rs: in every valid fixture both find the same blocks, labels,
//! arguments and plain values, in the same order.

use std::path::{Path, PathBuf};

use bake::diagnostic::Source;
use bake::template::syntax::{Attribute, Body, ExpressionKind, parse_hcl};
use bake::value::Kind;

use crate::support::repository;

/// What hcl-rs does not read, though Packer does.
const NOT_READ: [&str; 3] = ["heredoc-empty", "empty-heredoc", "files/line-endings"];

#[test]
fn fixtures_have_the_same_structure() {
    let mut files = Vec::new();
    for directory in ["fixtures", "templates"] {
        collect(&repository().join(directory), &mut files);
    }
    let (mut read, mut values, mut refused) = (0, 0, Vec::new());
    for path in files {
        // One is not UTF-8.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let name = path.display().to_string();
        // Those that are wrong on purpose are compared only where both read them.
        let (ours, found) = parse_hcl(&Source::new(name.as_str(), text.as_str()));
        if found.has_errors() {
            continue;
        }
        let theirs = match hcl::parse(&text) {
            Ok(theirs) => theirs,
            Err(_) if NOT_READ.iter().any(|one| name.contains(one)) => continue,
            Err(error) => {
                refused.push(format!("{name}: {error}"));
                continue;
            }
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        outline(&ours, 0, &mut one);
        their_outline(&theirs, 0, &mut other);
        assert_eq!(titles(&one), titles(&other), "{name}");
        for ((title, ours), (_, theirs)) in one.iter().zip(&other) {
            // Where only one of them keeps a template's text as a value.
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                assert_eq!(ours, theirs, "{name}: {title}");
                values += 1;
            }
        }
        read += 1;
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(read > 150 && values > 1000, "{read} files, {values} values");
}

/// An argument or a block, and the argument's value when it is plain.
type Line = (String, Option<String>);

fn titles(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|(title, _)| title.as_str()).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "hcl") {
            files.push(path);
        }
    }
}

/// A line for each argument and block. bake keeps the two apart, so arguments come first.
fn outline(body: &Body, depth: usize, lines: &mut Vec<Line>) {
    for Attribute { name, expression, .. } in &body.attributes {
        let plain = match &expression.kind {
            ExpressionKind::Literal(value) => match &value.kind {
                Kind::Bool(value) => Some(value.to_string()),
                Kind::String(text) => Some(format!("{text:?}")),
                Kind::Null(_) => Some("null".to_owned()),
                _ => None,
            },
            _ => None,
        };
        lines.push((format!("{depth} {} =", name.text), plain));
    }
    for block in &body.blocks {
        let labels: Vec<_> = block.labels.iter().map(|label| label.text.as_str()).collect();
        lines.push((format!("{depth} {} {labels:?}", block.kind.text), None));
        outline(&block.body, depth + 1, lines);
    }
}

fn their_outline(body: &hcl::Body, depth: usize, lines: &mut Vec<Line>) {
    for attribute in body.attributes() {
        let plain = match attribute.expr() {
            hcl::Expression::Bool(value) => Some(value.to_string()),
            hcl::Expression::String(text) => Some(format!("{text:?}")),
            hcl::Expression::Null => Some("null".to_owned()),
            _ => None,
        };
        lines.push((format!("{depth} {} =", attribute.key()), plain));
    }
    for block in body.blocks() {
        let labels: Vec<_> = block.labels().iter().map(hcl::BlockLabel::as_str).collect();
        lines.push((format!("{depth} {} {labels:?}", block.identifier()), None));
        their_outline(block.body(), depth + 1, lines);
    }
}
