//! Functions of Go templates as expressions of HCL, where both mean exactly the same.

use super::super::go_template::{Action, Argument, Call, Data};
use super::rewrite::Rewrite;
use crate::value::{is_identifier, quote};

/// Where a text stands: which functions it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The default of a variable: `env` and secrets.
    Default,
    /// The default of a variable that has become a local.
    Local,
    /// An option of a builder.
    Builder,
    /// An option of a provisioner or post-processor.
    Step,
}

impl Place {
    /// Whether the text is a variable's: it must be whole before other functions use it.
    pub(super) fn is_variable(self) -> bool {
        matches!(self, Self::Default | Self::Local)
    }
}

/// Whether a function does not work in HCL's strings, so that a Go template there cannot call it.
pub(super) fn is_go_only(function: &str) -> bool {
    matches!(
        function,
        "user"
            | "env"
            | "build"
            | "template_dir"
            | "vault"
            | "consul_key"
            | "aws_secretsmanager"
            | "aws_secretsmanager_raw"
    )
}

/// The call that is all of an action.
pub(super) fn call_of(action: &Action) -> Option<&Call> {
    match &action.value {
        Some(Argument::Call(call)) => Some(call),
        _ => None,
    }
}

impl Rewrite<'_> {
    /// What an argument is in HCL.
    pub(super) fn argument(&self, argument: &Argument, place: Place) -> Option<String> {
        match argument {
            Argument::Literal(Data::String(text)) => Some(quote(text)),
            Argument::Literal(Data::Integer(number)) => Some(number.to_string()),
            Argument::Literal(_) => None,
            Argument::Call(call) => self.call(call, place),
        }
    }

    /// What a call is in HCL; `None` when there is nothing that means exactly the same.
    pub(super) fn call(&self, call: &Call, place: Place) -> Option<String> {
        let texts: Vec<Option<&str>> = call
            .arguments
            .iter()
            .map(|argument| match argument {
                Argument::Literal(Data::String(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let in_build = matches!(place, Place::Builder | Place::Step);
        match (call.name.as_str(), texts.as_slice()) {
            ("user", [Some(name)]) => Some(self.user(name)),
            ("env", [Some(name)]) => match place {
                Place::Default => Some(format!("env({})", quote(name))),
                Place::Local => Some(self.environment_variable(name)),
                Place::Builder | Place::Step => None,
            },
            ("build", [Some(key)]) if place == Place::Step => Some(if is_identifier(key) {
                format!("build.{key}")
            } else {
                format!("build[{}]", quote(key))
            }),
            ("build_name", []) if in_build => Some("source.name".to_owned()),
            ("build_type", []) if in_build => Some("source.type".to_owned()),
            ("template_dir", []) => Some(self.template_directory.clone()),
            ("pwd", []) => Some("path.cwd".to_owned()),
            ("packer_version", []) => Some("packer.version".to_owned()),
            // Packer's own `timestamp()` is a date.
            ("timestamp", []) => Some("rfc3339_parse(legacy_isotime()).unix".to_owned()),
            ("uuid", []) if place.is_variable() => Some("uuidv4()".to_owned()),
            ("isotime", []) => Some("legacy_isotime()".to_owned()),
            ("isotime", [Some(layout)]) => Some(format!("legacy_isotime({})", quote(layout))),
            ("strftime", [Some(layout)]) => Some(format!("legacy_strftime({})", quote(layout))),
            ("consul_key" | "aws_secretsmanager_raw", [Some(name)]) => {
                Some(format!("{}({})", call.name, quote(name)))
            }
            ("aws_secretsmanager", [Some(name)]) => {
                Some(format!("aws_secretsmanager({}, null)", quote(name)))
            }
            ("aws_secretsmanager" | "vault", [Some(name), Some(part)]) => {
                Some(format!("{}({}, {})", call.name, quote(name), quote(part)))
            }
            _ => self.text_function(call, place),
        }
    }

    /// Functions that make a text of a text; HCL's evaluate earlier than a Go template that stays
    /// one, so all that goes in must be HCL's too.
    fn text_function(&self, call: &Call, place: Place) -> Option<String> {
        let argument = |at: usize| self.argument(call.arguments.get(at)?, place);
        let literal = |at: usize| match call.arguments.get(at) {
            Some(Argument::Literal(value)) => Some(value),
            _ => None,
        };
        let is_text =
            |at: usize| matches!(literal(at), Some(Data::String(text)) if !text.is_empty());
        match (call.name.as_str(), call.arguments.len()) {
            (name @ ("upper" | "lower"), 1) => Some(format!("{name}({})", argument(0)?)),
            ("replace_all", 3) if is_text(0) => {
                Some(format!("replace({}, {}, {})", argument(2)?, argument(0)?, argument(1)?))
            }
            // Without a limit it replaces all.
            ("replace", 4)
                if is_text(0) && matches!(literal(2), Some(Data::Integer(count)) if *count < 0) =>
            {
                Some(format!("replace({}, {}, {})", argument(3)?, argument(0)?, argument(1)?))
            }
            ("split", 3) if is_text(1) => match literal(2) {
                Some(Data::Integer(index)) if *index >= 0 => {
                    Some(format!("split({}, {})[{index}]", argument(1)?, argument(0)?))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn user(&self, name: &str) -> String {
        if self.names.get(name).is_none() {
            self.undeclared(name);
        }
        self.names.reference(name)
    }
}
