//! What to look for when a secret is to be hidden.

use std::collections::{BTreeSet, HashSet};

/// Characters of the shortest secret that is masked. To replace every `1` or `eu` would make the
/// log unreadable and give the value away all the same.
const SHORTEST: usize = 3;

/// Characters of the shortest line of a longer secret that is masked by itself, without the
/// white space around it. Lines without a letter or a digit (`},`, `---`) are no secret either.
const SHORTEST_LINE: usize = 4;

/// Bytes of the pieces by which parts of an encoded secret are recognised. A part of at least
/// twice that holds a whole piece wherever it was cut.
pub(super) const PIECE: usize = 12;

/// Bytes in a line of wrapped base64 (76 and 64 columns) and hexadecimal (60 columns): what is
/// left of a secret in the last line may be shorter than a piece.
const WRAPPED: [usize; 3] = [57, 48, 30];

/// Whether a text is masked at all. Truth values are not, even when they come as text: they are
/// everywhere, and what stands in for them tells which they were.
pub(super) fn is_masked(secret: &str) -> bool {
    let secret = secret.trim();
    secret.chars().nth(SHORTEST - 1).is_some() && !matches!(secret, "true" | "false")
}

/// The texts that are searched for: the secret and its lines, without the white space around
/// them, which programs add and cut as they like.
pub(super) fn texts(secret: &str) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    if !is_masked(secret) {
        return texts;
    }
    let whole = secret.trim();
    texts.insert(whole.to_owned());
    // `environment_vars` have the name of a variable in front of what a script prints.
    if let Some((name, value)) = whole.split_once('=')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && value.trim().chars().nth(SHORTEST_LINE - 1).is_some()
        && is_masked(value)
    {
        texts.insert(value.trim().to_owned());
    }
    if whole.contains(['\n', '\r']) {
        let unix = whole.replace("\r\n", "\n");
        texts.insert(unix.replace('\n', "\r\n"));
        texts.insert(unix);
        texts.extend(lines(whole).map(str::to_owned));
    }
    texts
}

fn lines(secret: &str) -> impl Iterator<Item = &str> {
    secret.split(['\n', '\r']).map(str::trim).filter(|line| {
        line.chars().nth(SHORTEST_LINE - 1).is_some() && line.contains(char::is_alphanumeric)
    })
}

/// What remains of a secret in the last line of its wrapped encoding.
pub(super) fn tails(secret: &str) -> HashSet<Vec<u8>> {
    let bytes = secret.as_bytes();
    let tail = |width: &usize| bytes.chunks(*width).skip(1).last();
    WRAPPED.iter().filter_map(tail).filter(|tail| tail.len() > 2).map(<[u8]>::to_vec).collect()
}
