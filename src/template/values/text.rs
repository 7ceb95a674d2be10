//! Go templates in option texts: which functions and fields they have where.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::value::{Kind, Marks, Type, Value, format_number, to_integer};

use super::build_scope::BUILD_KEYS;
use super::environment::PACKER_VERSION;
use crate::template::go_template::{
    Available, BUILD_OUTSIDE_STEPS, Data, ENV_IN_OPTION, GoTemplate, Moment, PackerFunctions,
    RenderError, Rendered, Request, SECRET_IN_OPTION,
};
use crate::template::schema::UnknownField;
use crate::template::syntax::Dialect;

/// The value of a legacy variable.
#[derive(Clone, Debug)]
pub(in crate::template) struct UserVariable {
    /// Empty when it is not known.
    pub(in crate::template) text: String,
    /// What its text is made of: secrets, clocks.
    pub(in crate::template) marks: Marks,
    /// Whether everything in it that is looked up has been.
    pub(in crate::template) is_known: bool,
    /// The text as it is written and its place, when something in it is looked up.
    pub(in crate::template) looked_up: Option<(String, Span)>,
}

/// What texts may refer to.
pub(in crate::template) struct Texts<'a> {
    pub(in crate::template) dialect: Dialect,
    pub(in crate::template) moment: Moment,
    pub(in crate::template) entropy: &'a dyn Fn() -> [u8; 12],
    pub(in crate::template) working_directory: &'a str,
    pub(in crate::template) template_directory: &'a str,
    /// `build_name` and `build_type`, within a build.
    pub(in crate::template) build: Option<(&'a str, &'a str)>,
    /// Legacy variables.
    pub(in crate::template) user: &'a BTreeMap<String, UserVariable>,
    /// What the build knows; `None` before it runs.
    pub(in crate::template) data: Option<&'a BTreeMap<String, Value>>,
}

impl Texts<'_> {
    /// Renders a text of an option. What is only known while the build runs stays as it is.
    pub(in crate::template) fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        let template = match GoTemplate::parse(text) {
            Ok(template) => template,
            Err(error) => {
                diagnostics.push(
                    Diagnostic::error("template-syntax", error.message)
                        .at(&narrowed(at, text, error.range), "in this template text")
                        .maybe_help(error.help),
                );
                return None;
            }
        };
        match self.rendered(&template, &BTreeMap::new()) {
            Ok(rendered) => {
                // The fields of a deferred text are yet to come.
                for kept in rendered.kept.iter().filter(|_| !deferred) {
                    diagnostics.push(
                        Diagnostic::warning(
                            "unknown-field",
                            format!("`{}` is not known here and stays as it is", kept.name),
                        )
                        .at(&narrowed(at, text, kept.field.clone()), "")
                        .maybe_help(
                            kept.similar.as_ref().map(|name| format!("did you mean `{name}`?")),
                        ),
                    );
                }
                self.warn_of_unknown_users(&rendered, text, at, diagnostics);
                let marks = self.marks(&rendered);
                let mut users = rendered.looked_up("user");
                let is_known =
                    users.all(|name| self.user.get(name).is_none_or(|known| known.is_known));
                let value = match is_known {
                    true => Value::string(&rendered.text),
                    false => Value::unknown(Type::String),
                };
                Some(value.marked(marks))
            }
            Err(error) => {
                diagnostics.push(
                    Diagnostic::error("template-error", error.message)
                        .at(&narrowed(at, text, error.range), "in this template text")
                        .maybe_help(error.help),
                );
                None
            }
        }
    }

    /// Renders a deferred text with its documented fields and all that the build knows.
    pub(in crate::template) fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
        unknown: UnknownField,
    ) -> Result<(String, Marks), String> {
        let template = GoTemplate::parse(text).map_err(|error| error.message)?;
        let rendered = self.rendered(&template, fields).map_err(|error| error.message)?;
        if let (UnknownField::Refuse, Some(kept)) = (unknown, rendered.kept.first()) {
            let similar = kept.similar.as_ref();
            let hint =
                similar.map_or_else(String::new, |name| format!("; did you mean `.{name}`?"));
            return Err(format!("`{}` is not known here{hint}", kept.name));
        }
        let marks = self.marks(&rendered);
        Ok((rendered.text, marks))
    }

    fn rendered(
        &self,
        template: &GoTemplate,
        fields: &BTreeMap<String, Value>,
    ) -> Result<Rendered, RenderError> {
        let mut known: BTreeMap<String, Data> = BTreeMap::new();
        for (name, value) in self.data.into_iter().flatten().chain(fields) {
            known.insert(name.clone(), data_of(value));
        }
        let user = |request: &Request<'_>| {
            Ok(self.user.get(request.key).map_or_else(String::new, |known| known.text.clone()))
        };
        let build = |request: &Request<'_>| match self.data {
            // Filled in when the options are read again in the running build.
            None if BUILD_KEYS.contains(&request.key) => {
                Ok(format!("{{{{build `{}`}}}}", request.key))
            }
            None => {
                let hint = did_you_mean(request.key, BUILD_KEYS.iter().copied());
                let hint = hint.unwrap_or_else(|| format!("it knows {}", BUILD_KEYS.join(", ")));
                Err(format!("the build knows no `{}`; {hint}", request.key))
            }
            Some(data) => data
                .get(request.key)
                .map(text_of)
                .ok_or_else(|| format!("the build knows no `{}`", request.key)),
        };
        let mut functions = PackerFunctions::new(self.moment, self.entropy, PACKER_VERSION);
        functions.working_directory = Some(self.working_directory);
        functions.has_clean_resource_name = true;
        if let Some((name, kind)) = self.build {
            functions.build_name = Some(name);
            functions.build_type = Some(kind);
        }
        if self.dialect == Dialect::Legacy {
            functions.template_directory = Some(self.template_directory);
            functions.user = Available::Yes(&user);
            functions.env = Available::No(ENV_IN_OPTION);
            functions.secret = Available::No(SECRET_IN_OPTION);
            functions.build = if self.build.is_some() {
                Available::Yes(&build)
            } else {
                Available::No(BUILD_OUTSIDE_STEPS)
            };
        }
        template.render(&Data::Map(known), &functions)
    }

    /// Packer takes a variable that does not exist for an empty one; a typo deserves a word.
    fn warn_of_unknown_users(
        &self,
        rendered: &Rendered,
        text: &str,
        at: &Span,
        diagnostics: &mut Diagnostics,
    ) {
        for lookup in rendered.lookups.iter().filter(|lookup| lookup.function == "user") {
            if !self.user.contains_key(&lookup.key) {
                let names = self.user.keys().map(String::as_str);
                diagnostics.push(
                    Diagnostic::warning(
                        "unknown-variable",
                        format!("variable `{}` is not declared and counts as empty", lookup.key),
                    )
                    .at(&narrowed(at, text, lookup.range.clone()), "")
                    .maybe_help(did_you_mean(&lookup.key, names)),
                );
            }
        }
    }

    fn marks(&self, rendered: &Rendered) -> Marks {
        let used = rendered.looked_up("user").filter_map(|name| self.user.get(name));
        let own = Marks { volatile: !rendered.volatile.is_empty(), sensitive: false };
        used.fold(own, |marks, known| marks | known.marks)
    }
}

/// The place of a part of a text: exact where the text stands in the file as it is.
fn narrowed(at: &Span, text: &str, part: std::ops::Range<usize>) -> Span {
    match at.text().find(text) {
        Some(start) => at.slice(start + part.start..start + part.end),
        None => at.clone(),
    }
}

fn text_of(value: &Value) -> String {
    match &value.kind {
        Kind::String(text) => text.as_ref().to_owned(),
        Kind::Number(number) => format_number(number),
        Kind::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

fn data_of(value: &Value) -> Data {
    match &value.kind {
        Kind::Unknown(_) | Kind::Null(_) => Data::Nil,
        Kind::Bool(truth) => Data::Bool(*truth),
        Kind::Number(number) => {
            to_integer(number).map_or_else(|| Data::String(format_number(number)), Data::Integer)
        }
        Kind::String(text) => Data::String(text.as_ref().to_owned()),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            Data::List(all.iter().map(data_of).collect())
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            Data::Map(all.iter().map(|(name, value)| (name.clone(), data_of(value))).collect())
        }
    }
}
