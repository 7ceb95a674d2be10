//! Secrets that are known before anything is evaluated: what is given for sensitive variables.
//!
//! A value that does not parse, or not fit, never becomes a value of a variable; an error about it
//! shows it all the same. So texts are looked at here, not values.

use std::path::Path;

use crate::diagnostic::similar;

use super::variable::VariableInputs;
use crate::template::declaration::Template;
use crate::template::json;
use crate::template::load::read_source;
use crate::template::syntax::{Dialect, parse_hcl, parse_hcl_json};

/// All that is given for sensitive variables: defaults, environment, variable files and command
/// line, also where another of them counts. Files that cannot be read are left out.
pub fn given_secrets(template: &Template, inputs: &VariableInputs) -> Vec<String> {
    let names: Vec<&str> =
        template.variables.iter().map(|variable| variable.name.text.as_str()).collect();
    let sensitive: Vec<&str> = template
        .variables
        .iter()
        .filter(|variable| variable.sensitive)
        .map(|variable| variable.name.text.as_str())
        .collect();
    let mut secrets = Vec::new();
    if sensitive.is_empty() {
        return secrets;
    }
    for variable in template.variables.iter().filter(|variable| variable.sensitive) {
        if let Some(default) = &variable.default {
            literals(default.span.text(), &mut secrets);
        }
    }
    let environment = inputs.environment.iter();
    let command_line = inputs.command_line.iter().map(|(name, text)| (name, text));
    for (name, text) in environment.chain(command_line) {
        if sensitive.contains(&name.as_str()) {
            secrets.push(text.clone());
            literals(text, &mut secrets);
        }
    }
    for file in &inputs.files {
        of_file(file, template.dialect, &names, &sensitive, &mut secrets);
    }
    secrets
}

fn of_file(
    path: &Path,
    dialect: Dialect,
    names: &[&str],
    sensitive: &[&str],
    secrets: &mut Vec<String>,
) {
    let Ok(source) = read_source(path) else { return };
    // An error shows the line of a misspelt name, too.
    let is_sensitive = |name: &str| {
        sensitive.contains(&name)
            || !names.contains(&name)
                && similar(name, names.iter().copied()).is_some_and(|one| sensitive.contains(&one))
    };
    if dialect == Dialect::Legacy {
        let options = json::ParseOptions { duplicates: json::Duplicates::Refuse };
        match json::parse(&source, options) {
            Ok(json::Node { kind: json::Kind::Object(members), .. }) => {
                for member in members.iter().filter(|member| is_sensitive(&member.key)) {
                    literals(member.value.span.text(), secrets);
                }
            }
            Ok(_) => {}
            Err(_) => of_broken(source.text(), names, &is_sensitive, secrets),
        }
        return;
    }
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let (body, errors) = if is_json { parse_hcl_json(&source) } else { parse_hcl(&source) };
    for attribute in body.attributes.iter().filter(|one| is_sensitive(&one.name.text)) {
        literals(attribute.expression.span.text(), secrets);
    }
    if errors.has_errors() {
        of_broken(source.text(), names, &is_sensitive, secrets);
    }
}

/// What seems to be given for sensitive variables in a text that cannot be parsed: everything from
/// such a name to the next one.
fn of_broken(
    text: &str,
    names: &[&str],
    is_sensitive: &dyn Fn(&str) -> bool,
    secrets: &mut Vec<String>,
) {
    let mut keys: Vec<(usize, &str, &str)> = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut at = 0;
    for word in text.split_inclusive(|c| !is_word(c)) {
        let name = word.trim_end_matches(|c| !is_word(c));
        let after = text.get(at + name.len()..).unwrap_or_default();
        let after = after.strip_prefix('"').unwrap_or(after).trim_start_matches([' ', '\t']);
        if let Some(value) = after.strip_prefix(['=', ':'])
            && !name.is_empty()
            && (names.contains(&name) || is_sensitive(name))
        {
            keys.push((at, name, value));
        }
        at += word.len();
    }
    let ends = keys.iter().skip(1).map(|(at, ..)| *at).chain([text.len()]);
    for ((_, name, value), end) in keys.iter().zip(ends) {
        if !is_sensitive(name) {
            continue;
        }
        let start = text.len() - value.len();
        let value = text.get(start..end).unwrap_or_default();
        literals(value, secrets);
        let marks = |c: char| c.is_whitespace() || "\"',[]{}".contains(c);
        secrets.extend(value.lines().map(|line| line.trim_matches(marks).to_owned()));
    }
}

/// The texts and numbers in an expression of HCL or JSON, without the keys of objects.
fn literals(expression: &str, literals: &mut Vec<String>) {
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let (quoted, after) = rest.split_at(end_of_text(rest));
            if !after.trim_start().starts_with([':', '=']) {
                texts(quoted, literals);
            }
            rest = after;
        } else if let Some(body) = rest.strip_prefix("<<") {
            let body = body.trim_start_matches('-');
            let (delimiter, body) = body.split_once('\n').unwrap_or((body, ""));
            let end = body
                .match_indices(delimiter.trim())
                .map(|(at, _)| at)
                .find(|at| {
                    body.get(..*at)
                        .is_some_and(|line| line.trim_end_matches([' ', '\t']).ends_with('\n'))
                })
                .unwrap_or(body.len());
            let (body, after) = body.split_at(end);
            literals.push(body.to_owned());
            rest = after.strip_prefix(delimiter.trim()).unwrap_or(after);
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || "._-+".contains(c)))
                .unwrap_or(rest.len())
                .max(c.len_utf8());
            let (word, after) = rest.split_at(end);
            if c.is_ascii_digit() || c == '-' {
                literals.push(word.trim_start_matches('-').to_owned());
            }
            rest = after;
        }
    }
}

/// Where a text in quotes ends, or its line when it never does.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\n' => return at,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// What a text in quotes means, in HCL and in JSON.
fn texts(quoted: &str, texts: &mut Vec<String>) {
    let text = serde_json::from_str::<String>(quoted)
        .unwrap_or_else(|_| quoted.trim_matches('"').to_owned());
    let hcl = text.replace("$${", "${").replace("%%{", "%{");
    if hcl != text {
        texts.push(hcl);
    }
    texts.push(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(expression: &str) -> Vec<String> {
        let mut all = Vec::new();
        literals(expression, &mut all);
        all
    }

    #[test]
    fn literals_are_found_in_expressions() {
        assert_eq!(all(r#""a\"b\u00e9""#), ["a\"bé"]);
        assert_eq!(
            all(r#"["a", { key = "b", "k" = 4711, x = -1.50 }]"#),
            ["a", "b", "4711", "1.50"]
        );
        assert_eq!(all(r#"{"k": "v", "n": true}"#), ["v"]);
        assert_eq!(all("\"$${x}\""), ["${x}", "$${x}"]);
        assert_eq!(all("<<-EOF\n  one\n  EOFx\n  EOF\n"), ["  one\n  "]);
        assert_eq!(all("\"never closed\nnext"), ["never closed"]);
        assert_eq!(all("<<"), [""]);
    }

    #[test]
    fn broken_files_are_searched_by_name() {
        let names = ["open", "pw", "key"];
        let mut secrets = Vec::new();
        let text = "open = \"seen\"\npw = \"hunter2\nopen = 1\nkey = [\n  \"a1\",\n  \"b2\"\n";
        of_broken(text, &names, &|name| name != "open", &mut secrets);
        assert!(!secrets.iter().any(|one| one.contains("seen") || one == "1"), "{secrets:?}");
        for one in ["hunter2", "a1", "b2"] {
            assert!(secrets.iter().any(|secret| secret == one), "{one} in {secrets:?}");
        }
        secrets.clear();
        let json = r#"{"open":"seen","pw":"hun\"ter","open":"x","#;
        of_broken(json, &names, &|name| name != "open", &mut secrets);
        assert!(secrets.contains(&"hun\"ter".to_owned()), "{secrets:?}");
    }
}
