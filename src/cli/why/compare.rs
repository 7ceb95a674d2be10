//! The builds of two sides, matched by name.

use super::side::Side;
use crate::plan::Record;
use crate::plan::difference::{Difference, difference, of_templates};

/// A build of one side with that of the other.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Its name.
    pub(super) build: String,
    /// As it was.
    pub(super) old: Option<Record>,
    /// As it is.
    pub(super) new: Option<Record>,
    /// What differs.
    pub(super) differences: Vec<Difference>,
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The hashes are equal.
    Same,
    /// The image hashes are equal, and the template hashes are not.
    SameImage,
    /// The hashes differ.
    Different,
    /// The second side has no such build.
    OnlyOld,
    /// The first side has no such build.
    OnlyNew,
}

impl Comparison {
    fn of(old: Option<Record>, new: Option<Record>) -> Self {
        let named = new.as_ref().or(old.as_ref());
        let mut one = Self {
            build: named.map(Record::build).unwrap_or_default().to_owned(),
            old,
            new,
            differences: Vec::new(),
        };
        let verdict = one.verdict();
        if let (Some(old), Some(new)) = (&one.old, &one.new) {
            one.differences = match verdict {
                Verdict::SameImage => of_templates(old, new),
                Verdict::Different => difference(old, new),
                Verdict::Same | Verdict::OnlyOld | Verdict::OnlyNew => Vec::new(),
            };
        }
        one
    }

    pub(super) fn verdict(&self) -> Verdict {
        let (old, new) = match (&self.old, &self.new) {
            (Some(old), Some(new)) => (old, new),
            (Some(_), None) => return Verdict::OnlyOld,
            (None, _) => return Verdict::OnlyNew,
        };
        let same_template = old.template_hash() == new.template_hash();
        match (old.image_hash(), new.image_hash()) {
            (Some(one), Some(other)) if one != other => Verdict::Different,
            (Some(_), Some(_)) if !same_template => Verdict::SameImage,
            (Some(_), Some(_)) => Verdict::Same,
            _ if same_template => Verdict::Same,
            _ => Verdict::Different,
        }
    }

    /// Whether both sides say which source image they have.
    pub(super) fn knows_source_images(&self) -> bool {
        let knows =
            |one: &Option<Record>| one.as_ref().is_none_or(|one| one.image_hash().is_some());
        knows(&self.old) && knows(&self.new)
    }
}

/// Matches builds by name; where each side has just one, whatever it is called.
pub(super) fn compare(old: Side, new: Side) -> Result<Vec<Comparison>, String> {
    let (whole_old, whole_new) = (old.is_template, new.is_template);
    let mut olds = old.records;
    let mut found = Vec::new();
    if let ([_], [_]) = (olds.as_slice(), new.records.as_slice()) {
        found.push(Comparison::of(olds.pop(), new.records.into_iter().next()));
        return Ok(found);
    }
    for record in new.records {
        let same = olds.iter().position(|one| one.build() == record.build());
        match same.map(|at| olds.remove(at)) {
            Some(old) => found.push(Comparison::of(Some(old), Some(record))),
            // A hash stands for one build, and says nothing of others.
            None if whole_old && whole_new => found.push(Comparison::of(None, Some(record))),
            None => {}
        }
    }
    if whole_old && whole_new {
        found.extend(olds.into_iter().map(|old| Comparison::of(Some(old), None)));
    }
    if found.is_empty() {
        return Err(format!("`{}` and `{}` have no build in common", old.title, new.title));
    }
    Ok(found)
}
