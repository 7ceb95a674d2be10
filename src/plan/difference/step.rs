//! Which steps of two recipes are the same ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::sequence::{best, common};
use crate::plan::canonical_json;

/// A step of one recipe with the one of the other that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Index in the old recipe.
    pub(super) old: Option<usize>,
    /// Index in the new recipe.
    pub(super) new: Option<usize>,
    /// Whether it changed places with others that both have.
    pub(super) moved: bool,
}

/// How alike two steps are at most.
const SAME: u32 = 1000;

/// How many pairs of changed steps are looked at; where there are more, order and type alone count.
const PAIRS: usize = 1 << 16;

/// Pairs steps: equal ones first, then those of one type between the same neighbours, then those
/// that are alike wherever they are. In the order of the new recipe, with the removed ones where
/// they were.
pub(super) fn pairs(old: &[Json], new: &[Json]) -> Vec<Pair> {
    let olds: Vec<_> = old.iter().map(canonical_json).collect();
    let news: Vec<_> = new.iter().map(canonical_json).collect();
    let mut partners = Partners { old: vec![None; old.len()], new: vec![None; new.len()] };
    let anchors = common(&olds, &news);
    for (one, other) in &anchors {
        partners.join(*one, *other);
    }
    let mut moved = BTreeSet::new();
    // Equal ones elsewhere.
    let mut elsewhere: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for other in partners.free_new(0..new.len()) {
        elsewhere.entry(&news[other]).or_default().push(other);
    }
    for one in partners.free_old(0..old.len()) {
        if let Some(others) = elsewhere.get_mut(olds[one].as_str()).filter(|all| !all.is_empty()) {
            let other = others.remove(0);
            partners.join(one, other);
            moved.insert(other);
        }
    }
    // Changed ones between the same neighbours.
    let leaves_of = |all: &[Json]| -> Vec<BTreeSet<String>> { all.iter().map(leaves).collect() };
    let (old_leaves, new_leaves) = (leaves_of(old), leaves_of(new));
    let alike = |one: usize, other: usize| -> u32 {
        if old[one].get("type") != new[other].get("type") {
            return 0;
        }
        let same = old_leaves[one].intersection(&new_leaves[other]).count();
        let all = old_leaves[one].union(&new_leaves[other]).count().max(1);
        1 + u32::try_from(same * (SAME as usize - 1) / all).unwrap_or(SAME)
    };
    let (mut one, mut other) = (0, 0);
    for (old_anchor, new_anchor) in anchors.iter().copied().chain([(old.len(), new.len())]) {
        let (olds, news) =
            (partners.free_old(one..old_anchor), partners.free_new(other..new_anchor));
        let found = match olds.len().saturating_mul(news.len()) {
            0..=PAIRS => best(olds.len(), news.len(), |at, to| alike(olds[at], news[to])),
            _ => in_order(olds.len().min(news.len()), |at| alike(olds[at], news[at]) > 0),
        };
        for (at, to) in found {
            partners.join(olds[at], news[to]);
        }
        (one, other) = (old_anchor + 1, new_anchor + 1);
    }
    // Changed ones that moved.
    let left = partners.free_old(0..old.len());
    let others = partners.free_new(0..new.len()).len();
    let few = left.len().saturating_mul(others) <= PAIRS;
    for one in left.into_iter().filter(|_| few) {
        let others = partners.free_new(0..new.len());
        let likeness = |other: &usize| alike(one, *other);
        if let Some(other) =
            others.into_iter().max_by_key(|other| (likeness(other), std::cmp::Reverse(*other)))
            && likeness(&other) > SAME / 2
        {
            partners.join(one, other);
            moved.insert(other);
        }
    }
    partners.in_order(&moved)
}

/// Each with the other at its place, if the two may be one.
fn in_order(count: usize, may: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    (0..count).filter(|at| may(*at)).map(|at| (at, at)).collect()
}

struct Partners {
    old: Vec<Option<usize>>,
    new: Vec<Option<usize>>,
}

impl Partners {
    fn join(&mut self, one: usize, other: usize) {
        self.old[one] = Some(other);
        self.new[other] = Some(one);
    }

    fn free_old(&self, range: std::ops::Range<usize>) -> Vec<usize> {
        range.filter(|at| self.old[*at].is_none()).collect()
    }

    fn free_new(&self, range: std::ops::Range<usize>) -> Vec<usize> {
        range.filter(|at| self.new[*at].is_none()).collect()
    }

    fn in_order(&self, moved: &BTreeSet<usize>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let mut removed = self.free_old(0..self.old.len()).into_iter().peekable();
        for (other, partner) in self.new.iter().enumerate() {
            while let Some(one) = removed.next_if(|one| partner.is_some_and(|at| *one < at)) {
                pairs.push(Pair { old: Some(one), new: None, moved: false });
            }
            pairs.push(Pair { old: *partner, new: Some(other), moved: moved.contains(&other) });
        }
        pairs.extend(removed.map(|one| Pair { old: Some(one), new: None, moved: false }));
        pairs
    }
}

/// Everything that a step is made of, one text each.
fn leaves(step: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(step, &mut String::new(), &mut found);
    found
}

fn collect(form: &Json, path: &mut String, found: &mut BTreeSet<String>) {
    let length = path.len();
    match form {
        Json::Object(all) => {
            for (name, one) in all {
                path.push('.');
                path.push_str(name);
                collect(one, path, found);
                path.truncate(length);
            }
        }
        // By content, not by position.
        Json::Array(all) => all.iter().for_each(|one| collect(one, path, found)),
        other => {
            found.insert(format!("{path}={other}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Steps of letters: the first is the type, the others are options.
    fn steps(texts: &[&str]) -> Vec<Json> {
        let step = |text: &&str| {
            let options: Vec<_> = text.chars().skip(1).map(String::from).collect();
            json!({ "type": text.get(..1), "options": { "inline": options } })
        };
        texts.iter().map(step).collect()
    }

    fn shown(old: &[&str], new: &[&str]) -> String {
        let name = |all: &[&str], at: Option<usize>| at.map_or("", |at| all[at]).to_owned();
        let pairs = pairs(&steps(old), &steps(new));
        let shown = pairs.into_iter().map(|pair| {
            let mark = if pair.moved { "*" } else { "" };
            format!("{}>{}{mark}", name(old, pair.old), name(new, pair.new))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn steps_are_matched_by_content() {
        assert_eq!(shown(&["sa", "sb"], &["sa", "sx", "sb"]), "sa>sa >sx sb>sb");
        assert_eq!(shown(&["sa", "sb", "sc"], &["sa", "sc"]), "sa>sa sb> sc>sc");
        assert_eq!(shown(&["sa", "sb", "sc"], &["sb", "sc", "sa"]), "sb>sb sc>sc sa>sa*");
        assert_eq!(shown(&["sa"], &["sb"]), "sa>sb");
        assert_eq!(shown(&["sa"], &["fa"]), ">fa sa>");
        assert_eq!(shown(&["sab", "sc"], &["sxy", "sad", "sc"]), ">sxy sab>sad sc>sc");
        assert_eq!(shown(&["sa", "sa"], &["sa", "sa", "sa"]).matches(">sa").count(), 3);
        let moved = shown(&["sabcdefgh", "fb", "fc"], &["fb", "fc", "sabcdefgx"]);
        assert_eq!(moved, "fb>fb fc>fc sabcdefgh>sabcdefgx*");
    }
}
