//! `-only` and `-except`.

use globset::{GlobBuilder, GlobMatcher};

use crate::diagnostic::{Diagnostic, Diagnostics};

/// Which builds are wanted.
#[derive(Debug, Default)]
pub struct Selection {
    only: Vec<Pattern>,
    except: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

impl Selection {
    /// From the patterns of the command line; `*` crosses dots (`packer-core.md` section 1.4).
    ///
    /// # Errors
    /// A pattern that is not a glob.
    pub fn new(only: &[String], except: &[String]) -> Result<Self, String> {
        let patterns = |all: &[String]| -> Result<Vec<_>, String> {
            all.iter().map(|text| pattern(text)).collect()
        };
        Ok(Self { only: patterns(only)?, except: patterns(except)? })
    }

    /// Whether a build of this name is wanted.
    pub fn takes(&self, name: &str) -> bool {
        let any = |all: &[Pattern]| all.iter().any(|one| one.matcher.is_match(name));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }

    /// Whether `-except` names a post-processor, by its name or, without one, its type.
    pub(super) fn excepts(&self, post_processor: &str) -> bool {
        self.except.iter().any(|one| one.matcher.is_match(post_processor))
    }

    /// A warning for each pattern that matches nothing.
    pub(super) fn unmatched(&self, names: &[String]) -> Diagnostics {
        self.only
            .iter()
            .chain(&self.except)
            .filter(|pattern| !names.iter().any(|name| pattern.matcher.is_match(name)))
            .map(|pattern| {
                Diagnostic::warning(
                    "unmatched-pattern",
                    format!("`{}` matches no build", pattern.text),
                )
                .note(format!("builds of this template: {}", names.join(", ")))
            })
            .collect()
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    GlobBuilder::new(text)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map(|glob| Pattern { text: text.to_owned(), matcher: glob.compile_matcher() })
        .map_err(|error| format!("`{text}` is not a pattern: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(only: &[&str], except: &[&str]) -> Selection {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(only), &owned(except)).expect("patterns")
    }

    #[test]
    fn patterns_match_whole_names_across_dots() {
        assert!(selection(&["*app"], &[]).takes("web.amazon-ebs.app"));
        assert!(!selection(&["app"], &[]).takes("amazon-ebs.app"));
        assert!(selection(&["amazon-ebs.{app,db}"], &[]).takes("amazon-ebs.db"));
        assert!(!selection(&[], &["*.db"]).takes("amazon-ebs.db"));
    }

    #[test]
    fn a_bad_pattern_is_an_error() {
        assert!(Selection::new(&["a[".to_owned()], &[]).is_err());
    }
}
