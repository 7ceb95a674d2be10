//! Finds secrets in a text and in its readings.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::encoded::{base64, hexadecimal};
use super::patterns::{PIECE, tails, texts};
use super::view::{READERS, View};

/// How often a text is decoded: `jq -n --arg k "$key" '{$k}' | base64` needs two.
const DEPTH: usize = 2;

/// Finds a set of secrets.
pub(super) struct Searcher {
    texts: AhoCorasick,
    /// Bytes of the shortest thing to find in what was encoded.
    shortest: usize,
    /// Bytes of the longest text.
    longest: usize,
    pieces: Pieces,
}

impl Searcher {
    /// Prepares the search; `None` when there is nothing to look for, or too much of it.
    pub(super) fn new(secrets: &BTreeSet<String>) -> Option<Self> {
        let all: BTreeSet<String> = secrets.iter().flat_map(|secret| texts(secret)).collect();
        let lengths = || all.iter().map(String::len);
        let pieces = Pieces::new(secrets)?;
        Some(Self {
            shortest: lengths().chain(pieces.shortest()).min()?,
            longest: lengths().max()?,
            // Secrets may overlap, so all that are found count, not only the first or longest.
            texts: automaton(&all)?,
            pieces,
        })
    }

    /// Bytes of the longest text, by itself.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Where in the text secrets are: in order, and apart from each other.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.search(text.as_bytes(), &mut |range| found.push(range));
        self.decode(text.as_bytes(), None, DEPTH, &mut found);
        merged(found)
    }

    fn search(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        self.texts.find_overlapping_iter(text).for_each(|one| found(one.range()));
    }

    /// Searches all readings of a text, which may itself be one.
    fn decode(
        &self,
        text: &[u8],
        outer: Option<&View>,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) {
        if text.len() < self.shortest {
            return;
        }
        let read = READERS.iter().filter_map(|reader| reader(text));
        let runs = [base64(text, self.shortest), hexadecimal(text, self.shortest)];
        for view in read.chain(runs.into_iter().flatten()) {
            let view = match outer {
                Some(outer) => view.within(outer),
                None => view,
            };
            self.search(&view.bytes, &mut |range| found.push(view.place(range)));
            for segment in &view.segments {
                self.pieces.search(&view, segment.clone(), found);
            }
            if depth > 1 && view.segments.is_empty() {
                self.decode(&view.bytes, Some(&view), depth - 1, found);
            } else if depth > 1 {
                let texts = view.text_only();
                self.decode(&texts.bytes, Some(&texts), depth - 1, found);
            }
        }
    }
}

/// Recognises parts of encoded secrets: encoders wrap long lines.
struct Pieces {
    /// Every [`PIECE`] bytes of every secret.
    automaton: Option<AhoCorasick>,
    /// Which secret each piece is of, and where it begins there.
    origins: Vec<(usize, usize)>,
    secrets: Vec<Vec<u8>>,
    /// What can only be recognised when a whole run says it.
    tails: HashSet<Vec<u8>>,
}

impl Pieces {
    fn new(secrets: &BTreeSet<String>) -> Option<Self> {
        let secrets: Vec<Vec<u8>> = secrets
            .iter()
            .filter(|secret| !texts(secret).is_empty())
            .map(|secret| secret.as_bytes().to_vec())
            .collect();
        let mut origins = Vec::new();
        let mut pieces: Vec<&[u8]> = Vec::new();
        for (number, secret) in secrets.iter().enumerate() {
            for (index, piece) in secret.chunks_exact(PIECE).enumerate() {
                origins.push((number, index * PIECE));
                pieces.push(piece);
            }
        }
        let automaton = if pieces.is_empty() { None } else { Some(automaton(&pieces)?) };
        let tails = secrets
            .iter()
            .filter_map(|secret| std::str::from_utf8(secret).ok())
            .flat_map(tails)
            .collect();
        Some(Self { automaton, origins, secrets, tails })
    }

    /// Bytes of the shortest of them, if there are any.
    fn shortest(&self) -> Option<usize> {
        let piece = self.automaton.as_ref().map(|_| PIECE);
        self.tails.iter().map(Vec::len).chain(piece).min()
    }

    fn search(&self, view: &View, segment: Range<usize>, found: &mut Vec<Range<usize>>) {
        let Some(bytes) = view.bytes.get(segment.clone()) else { return };
        let mut add = |part: Range<usize>| {
            found.push(view.place(part.start + segment.start..part.end + segment.start));
        };
        if self.tails.contains(bytes.strip_suffix(b"\n").unwrap_or(bytes)) {
            add(0..bytes.len());
        }
        let mut covered = 0;
        for piece in self.automaton.iter().flat_map(|all| all.find_overlapping_iter(bytes)) {
            if piece.end() <= covered {
                continue;
            }
            let origin = self.origins.get(piece.pattern().as_usize());
            let Some((secret, at)) =
                origin.and_then(|(number, at)| Some((self.secrets.get(*number)?.as_slice(), *at)))
            else {
                continue;
            };
            let before = same(bytes.iter().take(piece.start()).rev(), secret.iter().take(at).rev());
            let after = same(bytes.iter().skip(piece.end()), secret.iter().skip(at + PIECE));
            covered = piece.end() + after;
            add(piece.start() - before..covered);
        }
    }
}

/// How many bytes two sequences have in common at their start.
fn same<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> usize {
    one.zip(other).take_while(|(one, other)| one == other).count()
}

fn automaton<P: AsRef<[u8]>>(patterns: impl IntoIterator<Item = P>) -> Option<AhoCorasick> {
    // It only fails on more patterns than fit into memory.
    AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns).ok()
}

/// Ranges in order; those that overlap as one.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut all: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match all.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => all.push(range),
        }
    }
    all
}
