//! Templates that refer to themselves in all ways, in both spellings.

use bake::value::quote;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

/// A value, with references to variables and to locals by number.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Text(String),
    Variable(usize),
    Local(usize),
    Upper(Box<Term>),
    Template(Box<Term>, String, Box<Term>),
    Choice(Box<Term>, Box<Term>, Box<Term>),
    Joined(Vec<Term>),
    Key(String, Box<Term>),
}

impl Term {
    /// HCL native syntax.
    fn hcl(&self) -> String {
        match self {
            Term::Text(text) => quote(text),
            Term::Variable(number) => format!("var.v{number}"),
            Term::Local(number) => format!("local.l{number}"),
            Term::Upper(inner) => format!("upper({})", inner.hcl()),
            Term::Template(before, text, after) => {
                let text = quote(text);
                let text = text.get(1..text.len() - 1).unwrap_or_default();
                format!("\"${{{}}}{text}${{{}}}\"", before.hcl(), after.hcl())
            }
            Term::Choice(condition, then, otherwise) => {
                format!("{} == \"a\" ? {} : {}", condition.hcl(), then.hcl(), otherwise.hcl())
            }
            Term::Joined(all) => {
                let all: Vec<_> = all.iter().map(Term::hcl).collect();
                format!("join(\"-\", [for x in [{}] : \"<${{x}}>\" if x != \"\"])", all.join(", "))
            }
            Term::Key(key, value) => {
                format!("{{ {key} = {}, (\"other\") = 1 }}[{}]", value.hcl(), quote(key))
            }
        }
    }

    /// HCL in JSON: text by itself, everything else as one sequence.
    fn json(&self) -> Json {
        match self {
            Term::Text(text) => {
                json!(text.replace("${", "$${").replace("%{", "%%{"))
            }
            other => json!(format!("${{{}}}", other.hcl())),
        }
    }
}

/// A template with one build.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Defaults of `v0`, `v1`, …
    variables: Vec<String>,
    /// `l0`, `l1`, …: each refers to lower ones only.
    locals: Vec<Term>,
    /// User data of each source.
    sources: Vec<Term>,
    /// Lines of each shell step.
    steps: Vec<Vec<Term>>,
}

/// Text with what has a meaning in templates now and then; no Go templates, which would be one.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,4}",
        "[ -z|~é日\n\t]{0,8}",
        Just("a".to_owned()),
        Just("${x}".to_owned()),
        Just("%{ if \"\\".to_owned()),
        Just("$${ %%{".to_owned()),
    ]
    // One `$` or `%` in front of a `{` that follows in JSON only.
    .prop_filter("ends in a mark", |text| !text.ends_with(['$', '%']))
    .prop_filter("is one mark too many", |text| !text.contains("$${") && !text.contains("%%{"))
}

fn term(locals: usize) -> BoxedStrategy<Term> {
    let mut leaves =
        vec![text().prop_map(Term::Text).boxed(), (0usize..3).prop_map(Term::Variable).boxed()];
    if locals > 0 {
        leaves.push((0..locals).prop_map(Term::Local).boxed());
    }
    prop::strategy::Union::new(leaves)
        .prop_recursive(2, 8, 3, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            prop_oneof![
                boxed.clone().prop_map(Term::Upper),
                (boxed.clone(), text(), boxed.clone())
                    .prop_map(|(one, text, other)| Term::Template(one, text, other)),
                (boxed.clone(), boxed.clone(), boxed.clone())
                    .prop_map(|(one, two, three)| Term::Choice(one, two, three)),
                prop::collection::vec(inner, 0..3).prop_map(Term::Joined),
                ("[a-z]{1,4}".prop_filter("is taken", |key| key != "other" && key != "for"), boxed)
                    .prop_map(|(key, value)| Term::Key(key, value)),
            ]
        })
        .boxed()
}

/// A recipe.
pub(super) fn recipe() -> impl Strategy<Value = Recipe> {
    (
        prop::collection::vec(text(), 3),
        (term(0), term(1), term(2), term(3)),
        prop::collection::vec(term(4), 1..3),
        prop::collection::vec(prop::collection::vec(term(4), 1..3), 0..3),
    )
        .prop_map(|(variables, (one, two, three, four), sources, steps)| Recipe {
            variables,
            locals: vec![one, two, three, four],
            sources,
            steps,
        })
}

const PLAIN: &[(&str, &str)] = &[
    ("instance_type", "t3.micro"),
    ("region", "eu-central-1"),
    ("source_ami", "ami-12345678"),
    ("ssh_username", "admin"),
    ("ami_name", "generated"),
];

impl Recipe {
    /// The blocks of the outermost body, in HCL; `turn` puts the arguments of each in another
    /// order, and decides which spelling of locals is used.
    pub(super) fn blocks(&self, turn: usize) -> Vec<String> {
        let body = |mut lines: Vec<String>| {
            let by = turn % lines.len().max(1);
            lines.rotate_left(by);
            lines.iter().map(|line| format!("  {line}\n")).collect::<String>()
        };
        let mut blocks = Vec::new();
        for (number, default) in self.variables.iter().enumerate() {
            let lines = vec!["type = string".to_owned(), format!("default = {}", quote(default))];
            blocks.push(format!("variable \"v{number}\" {{\n{}}}\n", body(lines)));
        }
        for (number, term) in self.locals.iter().enumerate() {
            let term = term.hcl();
            blocks.push(if (number + turn).is_multiple_of(2) {
                format!("local \"l{number}\" {{\n  expression = {term}\n}}\n")
            } else {
                format!("locals {{\n  l{number} = {term}\n}}\n")
            });
        }
        for (number, user_data) in self.sources.iter().enumerate() {
            let mut lines: Vec<_> =
                PLAIN.iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
            lines.push(format!("user_data = {}", user_data.hcl()));
            blocks.push(format!("source \"amazon-ebs\" \"s{number}\" {{\n{}}}\n", body(lines)));
        }
        let sources: Vec<_> = (0..self.sources.len())
            .map(|number| format!("\"source.amazon-ebs.s{number}\""))
            .collect();
        let mut build = format!("build {{\n  sources = [{}]\n", sources.join(", "));
        for step in &self.steps {
            let inline: Vec<_> = step.iter().map(Term::hcl).collect();
            let lines = vec![
                format!("inline = [{}]", inline.join(", ")),
                "environment_vars = [\"A=1\"]".to_owned(),
            ];
            build += &format!("provisioner \"shell\" {{\n{}}}\n", body(lines));
        }
        blocks.push(build + "}\n");
        blocks
    }

    /// The same in JSON.
    pub(super) fn json(&self) -> String {
        let number =
            |(number, value): (usize, Json), letter: char| (format!("{letter}{number}"), value);
        let variables: Map<_, _> = self
            .variables
            .iter()
            .map(|default| json!({"type": "string", "default": Term::Text(default.clone()).json()}))
            .enumerate()
            .map(|one| number(one, 'v'))
            .collect();
        let locals: Map<_, _> =
            self.locals.iter().map(Term::json).enumerate().map(|one| number(one, 'l')).collect();
        let source = |user_data: &Term| {
            let mut options: Map<_, _> =
                PLAIN.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            options.insert("user_data".to_owned(), user_data.json());
            Json::Object(options)
        };
        let sources: Map<_, _> =
            self.sources.iter().map(source).enumerate().map(|one| number(one, 's')).collect();
        let names: Vec<_> =
            sources.keys().map(|name| format!("source.amazon-ebs.{name}")).collect();
        let steps: Vec<_> = self
            .steps
            .iter()
            .map(|step| {
                let inline: Vec<_> = step.iter().map(Term::json).collect();
                json!({"shell": {"inline": inline, "environment_vars": ["A=1"]}})
            })
            .collect();
        let template = json!({
            "variable": variables,
            "locals": locals,
            "source": {"amazon-ebs": sources},
            "build": {"sources": names, "provisioner": steps},
        });
        serde_json::to_string_pretty(&template).expect("JSON")
    }
}
