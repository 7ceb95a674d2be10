//! Did-you-mean.

/// The candidate that `name` was most probably meant to be.
///
/// The distance is Damerau-Levenshtein (a swap counts once) and must be small
/// against the length of the name, so that `a` never suggests `b`.
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 3 && *distance * 2 < name.chars().count().max(candidate.chars().count())
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The help line for a misspelt name: `did you mean …`.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    similar(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_and_a_missing_letter_are_near() {
        assert_eq!(similar("regoin", ["region", "reason"]), Some("region"));
        assert_eq!(similar("instance_typ", ["instance_type", "ami_name"]), Some("instance_type"));
    }

    #[test]
    fn short_and_far_names_suggest_nothing() {
        assert_eq!(similar("a", ["b"]), None);
        assert_eq!(similar("colour", ["ami_name"]), None);
    }
}
