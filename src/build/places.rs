//! Where in the template an error of a run comes from.

use std::collections::BTreeMap;

use super::BuildError;
use crate::diagnostic::Span;

/// Where a builder's options stand.
#[derive(Clone, Debug, Default)]
pub struct Places {
    owner: Option<Span>,
    options: BTreeMap<String, Span>,
}

impl Places {
    /// The places of the options that are given, and of the builder as a whole.
    pub fn new(owner: Span, options: BTreeMap<String, Span>) -> Self {
        Self { owner: Some(owner), options }
    }

    /// Where the template asks for what failed: the provisioner, the option, or the builder that
    /// lacks the option.
    pub fn of<'a>(&'a self, error: &'a BuildError) -> Option<&'a Span> {
        error.step_place().or_else(|| self.of_option(error.option_name()?))
    }

    /// Where an option stands, or the builder that lacks it.
    pub(super) fn of_option(&self, option: &str) -> Option<&Span> {
        self.options.get(option).or(self.owner.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    #[test]
    fn an_error_about_an_option_has_the_place_of_the_option() {
        let source =
            Source::new("web.pkr.hcl", "source \"x\" \"y\" {\n  ami_name = \"taken\"\n}\n");
        let at = source.text().find("\"taken\"").expect("is there");
        let options = BTreeMap::from([("ami_name".to_owned(), Span::new(&source, at..at + 7))]);
        let places = Places::new(Span::new(&source, 0..14), options);
        let place = |error| places.of(&error).map(ToString::to_string);
        assert_eq!(place(BuildError::option("ami_name", "")), Some("web.pkr.hcl:2:14".to_owned()));
        assert_eq!(place(BuildError::option("region", "")), Some("web.pkr.hcl:1:1".to_owned()));
        assert_eq!(place(BuildError::Cancelled), None);
    }
}
