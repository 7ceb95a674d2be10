//! What the console answers to a line.

use crate::cli::explore::Explored;
use crate::cli::inspect;
use crate::cli::outcome::report;
use crate::cli::values::{SENSITIVE, UNKNOWN, display};
use crate::diagnostic::{Diagnostics, Source, Span};
use crate::template::schema::Resolve;
use crate::template::syntax::{Dialect, parse_expression};

const HELP: &str = "\
Type an expression and press Enter to see its value: it may use the variables,
locals and functions that the template may use.

  upper(var.name)   an expression
  variables         all variables and locals with their values
  help              this text
  exit              leaves, as Ctrl-D does, and Ctrl-C on an empty line

Template text such as {{timestamp}} has no meaning here but in a string of the
template itself; for a console of such texts use -config-type=json.";

const LEGACY_HELP: &str = "\
Type a text and press Enter to see what the template makes of it.

  {{user `name`}}   a text with template actions
  variables         the variables of the template with their defaults
  help              this text
  exit              leaves, as Ctrl-D does, and Ctrl-C on an empty line

For a console of HCL expressions use an HCL template, or -config-type=hcl2.";

/// What follows from a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The line was empty.
    Nothing,
    /// A value, with no secrets in it.
    Text(String),
    /// What is wrong with it was said.
    Failed,
    /// The user leaves.
    End,
}

/// A template that is asked about.
pub(super) struct Session {
    explored: Explored,
}

impl Session {
    pub(super) fn new(explored: Explored) -> Self {
        Self { explored }
    }

    /// Answers a line; says what is wrong with it.
    pub(super) fn answer(&self, line: &str) -> Answer {
        let legacy = self.explored.template.dialect == Dialect::Legacy;
        let text = match line.trim() {
            "" => return Answer::Nothing,
            "exit" => return Answer::End,
            "help" => return Answer::Text(if legacy { LEGACY_HELP } else { HELP }.to_owned()),
            "variables" => Some(self.variables()),
            line => {
                let mut found = Diagnostics::new();
                let text = if legacy {
                    self.rendered(line, &mut found)
                } else {
                    found.take(self.evaluated(line))
                };
                report(&found, &self.explored.mask);
                text.filter(|_| !found.has_errors())
            }
        };
        text.map_or(Answer::Failed, |text| Answer::Text(self.explored.mask.apply(&text)))
    }

    fn variables(&self) -> String {
        let text = match self.explored.template.dialect {
            Dialect::Legacy => inspect::legacy_variables(&self.explored.template),
            _ => inspect::variables(&self.explored),
        };
        text.trim_end().to_owned()
    }

    fn evaluated(&self, line: &str) -> Result<String, Diagnostics> {
        let expression = parse_expression(&Source::new("<console>", line), None)?;
        self.explored.environment.evaluate(&expression).map(|value| display(&value))
    }

    fn rendered(&self, line: &str, found: &mut Diagnostics) -> Option<String> {
        let span = Span::whole(&Source::new("<console>", line));
        let text = self.explored.environment.plain().render(line, &span, false, found)?;
        Some(match text.as_str() {
            _ if text.marks.sensitive => SENSITIVE.to_owned(),
            Some(text) => text.to_owned(),
            None => UNKNOWN.to_owned(),
        })
    }
}
