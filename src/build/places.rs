//! Where in the template an error of a run comes from.

use std::collections::BTreeMap;

use super::BuildError;
use crate::diagnostic::{Diagnostic, Span, Style, render};

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

    /// The whole error, one cause a line, with the piece of the template that asks for it.
    pub fn show(&self, error: &BuildError) -> String {
        let report = error.report();
        let Some(span) = self.place(error) else { return report };
        let finding = Diagnostic::error("option", "").at(span, "");
        let text = render(&finding.into(), Style::default());
        // The first line is the summary, which the caller puts into a line of its own.
        let snippet = text.split_once('\n').map_or("", |(_, snippet)| snippet).trim_end();
        format!("{report}\n{snippet}")
    }

    /// The provisioner, the option, or the builder that lacks the option.
    fn place<'a>(&'a self, error: &'a BuildError) -> Option<&'a Span> {
        error.step_place().or_else(|| {
            let option = error.option_name()?;
            self.options.get(option).or(self.owner.as_ref())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    #[test]
    fn an_error_about_an_option_shows_its_place() {
        let source =
            Source::new("web.pkr.hcl", "source \"x\" \"y\" {\n  ami_name = \"taken\"\n}\n");
        let at = source.text().find("\"taken\"").expect("is there");
        let options = BTreeMap::from([("ami_name".to_owned(), Span::new(&source, at..at + 7))]);
        let places = Places::new(Span::new(&source, 0..14), options);
        let error = BuildError::option("ami_name", "the name `taken` is taken by ami-1");
        insta::assert_snapshot!(places.show(&error), @r#"
        the name `taken` is taken by ami-1
         --> web.pkr.hcl:2:14
          |
        2 |   ami_name = "taken"
          |              ^^^^^^^
        "#);
    }
}
