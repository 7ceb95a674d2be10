//! Options of provisioners.

use super::fixer::{Fixer, of_kind};
use super::option::new_name;

pub(super) const POWERSHELL_ESCAPES: Fixer = Fixer {
    name: "powershell-escapes",
    doc: "the powershell provisioner escapes by itself: backticks in front of `$`, `\"`, `'` and backticks go",
    run: |template| {
        for step in of_kind(template, "provisioners", "powershell") {
            for option in ["environment_vars", "elevated_user", "elevated_password"] {
                if let Some(value) = step.get_mut(option) {
                    value.each_text(&unescape);
                }
            }
        }
    },
};

pub(super) const GALAXY_COMMAND: Fixer = Fixer {
    name: "galaxy-command",
    doc: "`galaxycommand` is `galaxy_command`",
    run: |template| {
        const OLD: &str = "galaxycommand";
        of_kind(template, "provisioners", "ansible-local")
            .for_each(|step| step.rename(OLD, new_name(OLD)));
    },
};

/// Removes PowerShell's escapes. Backticks within a Go template quote there, and stay.
fn unescape(text: &mut String) {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['`', '{']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        if from.starts_with("{{") {
            let end = from.find("}}").map_or(from.len(), |end| end + 2);
            let (action, behind) = from.split_at(end);
            plain.push_str(action);
            rest = behind;
            continue;
        }
        let mut characters = from.chars();
        let first = characters.next();
        let next = characters.as_str();
        match (first, next.chars().next()) {
            (Some('`'), Some(escaped @ ('$' | '"' | '\'' | '`'))) => {
                plain.push(escaped);
                rest = next.get(escaped.len_utf8()..).unwrap_or_default();
            }
            (first, _) => {
                plain.extend(first);
                rest = next;
            }
        }
    }
    plain.push_str(rest);
    *text = plain;
}
