//! `-only` and `-except`.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::syntax::Dialect;

/// Which builds are wanted.
#[derive(Debug, Default)]
pub struct Selection {
    only: Vec<Pattern>,
    except: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    /// `None` where only the text itself is meant.
    glob: Option<GlobMatcher>,
}

impl Pattern {
    fn exact(text: &str) -> Self {
        Self { text: text.to_owned(), glob: None }
    }

    fn glob(text: &str) -> Result<Self, String> {
        GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map(|glob| Self { text: text.to_owned(), glob: Some(glob.compile_matcher()) })
            .map_err(|error| {
                // `a.{b,c}` comes as two patterns, neither of which is one.
                let torn = text.contains(['{', '}']);
                let hint =
                    if torn { "; a comma separates patterns, also inside of braces" } else { "" };
                format!("`{text}` is not a pattern: {}{hint}", error.kind())
            })
    }

    fn matches(&self, name: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(name),
            None => self.text == name,
        }
    }
}

impl Selection {
    /// From what the command line says of a template in this language: in legacy JSON names, else
    /// patterns (`packer-core.md` section 1.4).
    ///
    /// # Errors
    /// A pattern that is not a glob.
    pub fn of(dialect: Dialect, only: &[String], except: &[String]) -> Result<Self, String> {
        if dialect != Dialect::Legacy {
            return Self::new(only, except);
        }
        let exact = |all: &[String]| all.iter().map(|text| Pattern::exact(text)).collect();
        Ok(Self { only: exact(only), except: exact(except) })
    }

    /// From patterns; `*` crosses dots.
    ///
    /// # Errors
    /// A pattern that is not a glob.
    pub fn new(only: &[String], except: &[String]) -> Result<Self, String> {
        let patterns = |all: &[String]| -> Result<Vec<_>, String> {
            all.iter().map(|text| Pattern::glob(text)).collect()
        };
        Ok(Self { only: patterns(only)?, except: patterns(except)? })
    }

    /// Whether a build of this name is wanted.
    pub fn takes(&self, name: &str) -> bool {
        let any = |all: &[Pattern]| all.iter().any(|one| one.matches(name));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }

    /// Whether `-except` names a post-processor, by its name or, without one, its type.
    pub(super) fn excepts(&self, post_processor: &str) -> bool {
        self.except.iter().any(|one| one.matches(post_processor))
    }

    /// A warning for each pattern that matches nothing. Names of a legacy template that match
    /// nothing are nobody's business, as in Packer: many scripts pass one list to all templates.
    pub(super) fn unmatched(
        &self,
        builds: &[String],
        post_processors: &BTreeSet<String>,
    ) -> Diagnostics {
        let matches = |pattern: &Pattern| builds.iter().any(|name| pattern.matches(name));
        let drops = |pattern: &Pattern| post_processors.iter().any(|name| pattern.matches(name));
        let only = self.only.iter().filter(|pattern| !matches(pattern));
        let except = self.except.iter().filter(|pattern| !matches(pattern) && !drops(pattern));
        only.chain(except)
            .filter(|pattern| pattern.glob.is_some())
            .map(|pattern| {
                Diagnostic::warning(
                    "unmatched-pattern",
                    format!("`{}` matches no build", pattern.text),
                )
                .note(format!("builds of this template: {}", builds.join(", ")))
            })
            .collect()
    }
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
        let refused = Selection::new(&["vm.{a".to_owned(), "b}".to_owned()], &[]);
        insta::assert_snapshot!(refused.expect_err("no pattern"), @"`vm.{a` is not a pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?); a comma separates patterns, also inside of braces");
    }
}
