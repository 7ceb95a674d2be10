//! `required_version` and `required_plugins`.

use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};

use super::declaration::Template;
use super::syntax::{Body, Dialect, Expression, ExpressionKind, Name};

/// Checks that `version` satisfies all constraints of a template.
pub(super) fn check(constraints: &[Expression], version: &str, found: &mut Diagnostics) {
    for expression in constraints {
        let Some(text) = constant_text(expression) else {
            found.push(
                Diagnostic::error("not-constant", "`required_version` must be a constant string")
                    .at(&expression.span, ""),
            );
            continue;
        };
        match satisfies(version, text) {
            Ok(true) => {}
            Ok(false) => found.push(
                Diagnostic::error(
                    "required-version",
                    format!("the template asks for Packer `{text}`"),
                )
                .at(&expression.span, format!("bake reads templates as Packer {version} does")),
            ),
            Err(message) => found.push(
                Diagnostic::error("wrong-constraint", message)
                    .at(&expression.span, "")
                    .help("a constraint is `>= 1.7.0`, `~> 1.2`, `!= 1.3`, joined by commas"),
            ),
        }
    }
}

/// A plugin that a template asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRequirement {
    /// What the template calls it.
    pub name: String,
    /// Its address, such as `github.com/hashicorp/amazon`.
    pub source: String,
    /// Which versions will do.
    pub version: String,
}

/// The plugins that a template asks for.
///
/// # Errors
/// What is wrong with the requirements.
pub fn plugin_requirements(template: &Template) -> Result<Vec<PluginRequirement>, Diagnostics> {
    let mut found = Diagnostics::new();
    check_plugins(&template.required_plugins, &mut found);
    let required = template.required_plugins.iter().map(|(name, expression)| {
        let body = Body::of_object(expression, Dialect::Hcl);
        let text = |argument: &str| {
            let all = &body.as_ref()?.attributes;
            let attribute = all.iter().find(|one| one.name.text == argument)?;
            constant_text(&attribute.expression).map(str::to_owned)
        };
        PluginRequirement {
            name: name.text.clone(),
            source: text("source").unwrap_or_default(),
            version: text("version").unwrap_or_default(),
        }
    });
    let required = required.collect();
    found.into_result(required)
}

/// Checks the form of what is asked of plugins. Which of them are built in only matters once their
/// components are used.
pub(super) fn check_plugins(plugins: &[(Name, Expression)], found: &mut Diagnostics) {
    for (index, (name, expression)) in plugins.iter().enumerate() {
        if let Some((first, _)) = plugins[..index].iter().find(|(one, _)| one.text == name.text) {
            found.push(
                Diagnostic::error("duplicate", format!("plugin `{}` is required twice", name.text))
                    .at(&name.span, "again here")
                    .also(&first.span, "first here"),
            );
        }
        let Some(body) = Body::of_object(expression, Dialect::Hcl) else {
            found.push(
                Diagnostic::error("wrong-type", "a required plugin is an object")
                    .at(&expression.span, "")
                    .help(
                        "write `{ source = \"github.com/hashicorp/amazon\", version = \">= 1\" }`",
                    ),
            );
            continue;
        };
        for attribute in &body.attributes {
            let (name, value) = (&attribute.name, &attribute.expression);
            let (place, finding) = match (name.text.as_str(), constant_text(value)) {
                ("version", Some(text)) => (&value.span, plugin_version(text)),
                ("source", Some(text)) => (&value.span, plugin_source(text)),
                (known @ ("source" | "version"), None) => {
                    let message = format!("`{known}` must be a constant text");
                    (&value.span, Some(Diagnostic::error("wrong-plugin", message)))
                }
                (other, _) => {
                    let message = format!("unknown argument `{other}`");
                    let help = did_you_mean(other, ["source", "version"]);
                    let finding = Diagnostic::error("wrong-plugin", message).maybe_help(help);
                    (&name.span, Some(finding))
                }
            };
            if let Some(finding) = finding {
                found.push(finding.at(place, ""));
            }
        }
    }
}

/// What is wrong with the versions that are asked of a plugin.
fn plugin_version(text: &str) -> Option<Diagnostic> {
    if let Err(message) = satisfies("0.0.0", text) {
        return Some(
            Diagnostic::error("wrong-plugin", message)
                .help("a constraint is `>= 1.7.0`, `~> 1.2`, `!= 1.3`, joined by commas"),
        );
    }
    text.contains('-').then(|| {
        let message = format!("`{text}` asks for a pre-release, which plugins are not taken from");
        Diagnostic::error("wrong-plugin", message).help("ask for a release, such as `>= 1.3.0`")
    })
}

/// What is wrong with a plugin's source (`packer-core.md` section 2.2).
fn plugin_source(text: &str) -> Option<Diagnostic> {
    let parts: Vec<_> = text.split('/').collect();
    let plugin = parts.last().copied().unwrap_or_default();
    let problem = if text.contains("://") {
        "it has no scheme"
    } else if text.contains(['?', '#']) {
        "it has no query and no fragment"
    } else if text.starts_with('/') || text.ends_with('/') {
        "it neither begins nor ends with `/`"
    } else if !(3..=16).contains(&parts.len()) {
        "it has a host, a namespace and a name"
    } else if plugin.starts_with("packer-") {
        "its last part is the name alone, without `packer-plugin-`"
    } else {
        return None;
    };
    Some(
        Diagnostic::error("wrong-plugin", format!("`{text}` is no plugin source: {problem}"))
            .help("write it as `github.com/hashicorp/amazon`"),
    )
}

fn constant_text(expression: &Expression) -> Option<&str> {
    match &expression.kind {
        ExpressionKind::Literal(value) => value.as_str(),
        _ => None,
    }
}

/// Whether a version satisfies constraints joined by commas, as go-version reads them.
fn satisfies(version: &str, constraints: &str) -> Result<bool, String> {
    let have = segments(version).ok_or_else(|| format!("`{version}` is not a version"))?;
    let mut all = true;
    for constraint in constraints.split(',') {
        let constraint = constraint.trim();
        let digits = constraint.find(|c: char| c.is_ascii_digit() || c == 'v');
        let (operator, wanted) = constraint.split_at(digits.unwrap_or(constraint.len()));
        let wrong = || format!("`{constraint}` is not a version constraint");
        let segments = segments(wanted.trim()).ok_or_else(wrong)?;
        let full = padded(&segments);
        let have = padded(&have);
        all &= match operator.trim() {
            "" | "=" => have == full,
            "!=" => have != full,
            ">" => have > full,
            ">=" => have >= full,
            "<" => have < full,
            "<=" => have <= full,
            "~>" => {
                let kept = segments.len().saturating_sub(1).max(1);
                have >= full && have.iter().zip(&full).take(kept).all(|(a, b)| a == b)
            }
            _ => return Err(wrong()),
        };
    }
    Ok(all)
}

/// Whether a text is a version.
pub(super) fn is_version(text: &str) -> bool {
    segments(text).is_some()
}

fn segments(version: &str) -> Option<Vec<u64>> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let core = version.split(['-', '+']).next()?;
    let parts: Option<Vec<u64>> = core.split('.').map(|part| part.parse().ok()).collect();
    parts.filter(|parts| parts.len() <= 3)
}

fn padded(segments: &[u64]) -> [u64; 3] {
    let mut full = [0; 3];
    for (to, from) in full.iter_mut().zip(segments) {
        *to = *from;
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_read_as_go_version_does() {
        for (constraint, holds) in [
            (">= 1.7.0", true),
            ("~> 1.7", true),
            ("~> 1.7.0", false),
            (">= 1.7, < 2", true),
            ("= 1.16.0", true),
            ("1.16", true),
            ("!= 1.16.0", false),
            ("> 1.16", false),
        ] {
            assert_eq!(satisfies("1.16.0", constraint), Ok(holds), "{constraint}");
        }
        for wrong in ["", ">=", "latest", "=> 1", "1.x"] {
            assert!(satisfies("1.16.0", wrong).is_err(), "{wrong}");
        }
    }
}
