//! Files that differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::line::lines;
use super::{Change, FileChange, Line};
use crate::plan::record::{Places, Record};

/// A component's trees, with what tells people about them.
pub(super) struct Trees<'a> {
    pub(super) record: &'a Record,
    pub(super) trees: Option<&'a Map<String, Json>>,
    pub(super) places: Option<&'a Places>,
}

impl<'a> Trees<'a> {
    fn tree(&self, name: &str) -> Option<&'a Map<String, Json>> {
        self.trees?.get(name)?.as_object()
    }

    fn names(&self) -> BTreeSet<&'a str> {
        self.trees.into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }

    /// A path for people.
    fn path(&self, tree: &str, inside: &str) -> String {
        let known = self.places.and_then(|places| places.files.get(tree));
        let base = known.map_or(tree, String::as_str);
        match (base.trim_end_matches('/'), inside) {
            (_, "") => base.to_owned(),
            ("", inside) => inside.to_owned(),
            (base, inside) => format!("{base}/{inside}"),
        }
    }
}

/// The files that differ between two components.
pub(super) fn files(old: &Trees<'_>, new: &Trees<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let pairs = pairs(old, new);
    for (before, after) in &pairs {
        if before != after {
            changes.push(Change::File {
                file: new.path(after, ""),
                what: FileChange::Placed { old: (*before).to_owned(), new: (*after).to_owned() },
                lines: Vec::new(),
            });
        }
        inside(old, before, new, after, &mut changes);
    }
    let alone = |name: &&str, of_old: bool| {
        !pairs.iter().any(|(before, after)| *name == if of_old { *before } else { *after })
    };
    let whole = |trees: &Trees<'_>, name: &str, what| Change::File {
        file: trees.path(name, ""),
        what,
        lines: Vec::new(),
    };
    for name in old.names().into_iter().filter(|name| alone(name, true)) {
        changes.push(whole(old, name, FileChange::Removed));
    }
    for name in new.names().into_iter().filter(|name| alone(name, false)) {
        changes.push(whole(new, name, FileChange::Added));
    }
    changes
}

/// Which trees belong together: those of one name, then those with the same files, then those that
/// are the same input (`source.0`) under another name.
fn pairs<'a>(old: &Trees<'a>, new: &Trees<'a>) -> Vec<(&'a str, &'a str)> {
    let (mut before, mut after) = (old.names(), new.names());
    let mut pairs: Vec<_> = before.intersection(&after).map(|name| (*name, *name)).collect();
    let input = |name: &str| name.split([':', '/']).next().unwrap_or(name).to_owned();
    for rule in [true, false] {
        before.retain(|name| !pairs.iter().any(|(one, _)| one == name));
        after.retain(|name| !pairs.iter().any(|(_, other)| other == name));
        for name in &before {
            let belongs = |other: &&&str| match rule {
                true => old.tree(name) == new.tree(other),
                false => input(name) == input(other),
            };
            if let Some(other) = after.iter().find(belongs).copied() {
                after.remove(other);
                pairs.push((*name, other));
            }
        }
    }
    pairs
}

fn inside(old: &Trees<'_>, before: &str, new: &Trees<'_>, after: &str, changes: &mut Vec<Change>) {
    let empty = Map::new();
    let (olds, news) = (old.tree(before).unwrap_or(&empty), new.tree(after).unwrap_or(&empty));
    let mut change = |file, what, lines| changes.push(Change::File { file, what, lines });
    let renamed = renamed(olds, news);
    for (path, form) in olds {
        let Some(now) = news.get(path) else {
            if !renamed.iter().any(|(from, _)| *from == path) {
                change(old.path(before, path), FileChange::Removed, Vec::new());
            }
            continue;
        };
        let file = || new.path(after, path);
        let (was, is) = (Kind::of(form), Kind::of(now));
        match (was, is) {
            _ if form == now => {}
            (
                Kind::File { digest: was, executable: ran },
                Kind::File { digest: is, executable },
            ) => {
                if was != is {
                    let texts = old.record.text(was).zip(new.record.text(is));
                    let lines = texts.map_or_else(Vec::<Line>::new, |(was, is)| lines(was, is));
                    change(file(), FileChange::Changed, lines);
                }
                match (ran, executable) {
                    (false, true) => change(file(), FileChange::MadeExecutable, Vec::new()),
                    (true, false) => change(file(), FileChange::MadeNotExecutable, Vec::new()),
                    _ => {}
                }
            }
            (Kind::Link(was), Kind::Link(is)) => {
                let target = FileChange::Target { old: was.to_owned(), new: is.to_owned() };
                change(file(), target, Vec::new());
            }
            (was, is) => {
                let kind = FileChange::Kind { old: was.name(), new: is.name() };
                change(file(), kind, Vec::new());
            }
        }
    }
    for path in news.keys().filter(|path| !olds.contains_key(*path)) {
        let file = new.path(after, path);
        match renamed.iter().find(|(_, to)| *to == path) {
            Some((from, _)) => {
                change(file, FileChange::Renamed { from: old.path(before, from) }, Vec::new());
            }
            None => change(file, FileChange::Added, Vec::new()),
        }
    }
}

/// Files that are gone, with the one file that came with the same bytes.
fn renamed<'a>(
    olds: &'a Map<String, Json>,
    news: &'a Map<String, Json>,
) -> Vec<(&'a String, &'a String)> {
    let mut came: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for (path, form) in news.iter().filter(|(path, _)| !olds.contains_key(*path)) {
        if matches!(Kind::of(form), Kind::File { .. }) {
            came.entry(form.to_string()).or_default().push(path);
        }
    }
    let mut pairs = Vec::new();
    for (path, form) in olds.iter().filter(|(path, _)| !news.contains_key(*path)) {
        if let Some(to) = came.get_mut(&form.to_string()).filter(|all| !all.is_empty()) {
            pairs.push((path, to.remove(0)));
        }
    }
    pairs
}

/// What an entry of a tree is.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Directory,
    File { digest: &'a str, executable: bool },
    Link(&'a str),
    Unknown,
}

impl<'a> Kind<'a> {
    fn of(form: &'a Json) -> Self {
        let text = |name: &str| form.get(name).and_then(Json::as_str);
        if form.as_str() == Some("directory") {
            Self::Directory
        } else if let Some(digest) = text("file") {
            Self::File { digest, executable: false }
        } else if let Some(digest) = text("executable") {
            Self::File { digest, executable: true }
        } else if let Some(target) = text("symlink") {
            Self::Link(target)
        } else {
            Self::Unknown
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::File { .. } => "a file",
            Self::Link(_) => "a symbolic link",
            Self::Unknown => "something else",
        }
    }
}
