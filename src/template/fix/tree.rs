//! JSON that can be changed, with its keys in order.

use super::super::json::{Kind, Node};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    Array(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

impl From<&Node> for Json {
    fn from(node: &Node) -> Self {
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(truth) => Self::Bool(*truth),
            Kind::Number(digits) => Self::Number(digits.clone()),
            Kind::String(text) => Self::Text(text.value().to_owned()),
            Kind::Array(all) => Self::Array(all.iter().map(Self::from).collect()),
            Kind::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|member| (member.key.clone(), Self::from(&member.value)))
                    .collect(),
            ),
        }
    }
}

impl Json {
    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// A member of an object, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(members) => {
                members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; of anything else there are none.
    pub fn elements_mut(&mut self) -> &mut [Self] {
        match self {
            Self::Array(all) => all,
            _ => &mut [],
        }
    }

    /// Gives a member another name, in its place. Where the new name is there already, the old
    /// member goes: what was written for the new one counts.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        if self.get(new).is_some() {
            self.remove(old);
        } else if let Self::Object(members) = self {
            members
                .iter_mut()
                .filter(|(key, _)| key == old)
                .for_each(|(key, _)| new.clone_into(key));
        }
    }

    /// Removes a member; what it was.
    pub(super) fn remove(&mut self, name: &str) -> Option<Self> {
        let Self::Object(members) = self else { return None };
        let at = members.iter().position(|(key, _)| key == name)?;
        Some(members.remove(at).1)
    }

    /// Puts a member in the place of another one, which goes.
    pub(super) fn replace(&mut self, old: &str, new: &str, value: Self) {
        self.rename(old, new);
        if let Some(member) = self.get_mut(new) {
            *member = value;
        }
    }

    /// Changes all texts in it; keys stay.
    pub(super) fn each_text(&mut self, change: &dyn Fn(&mut String)) {
        match self {
            Self::Text(text) => change(text),
            Self::Array(all) => all.iter_mut().for_each(|one| one.each_text(change)),
            Self::Object(members) => {
                members.iter_mut().for_each(|(_, value)| value.each_text(change));
            }
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }

    /// As text with two blanks for each level.
    pub fn spell(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    fn write(&self, level: usize, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Self::Number(digits) => text.push_str(digits),
            Self::Text(content) => quote(content, text),
            Self::Array(all) => {
                let items = all.iter().map(|one| (None, one));
                write_items(['[', ']'], items, level, text);
            }
            Self::Object(members) => {
                let items = members.iter().map(|(key, one)| (Some(key.as_str()), one));
                write_items(['{', '}'], items, level, text);
            }
        }
    }
}

fn write_items<'a>(
    [open, close]: [char; 2],
    items: impl Iterator<Item = (Option<&'a str>, &'a Json)>,
    level: usize,
    text: &mut String,
) {
    let indent = |level: usize| format!("\n{}", "  ".repeat(level));
    text.push(open);
    let mut is_empty = true;
    for (key, value) in items {
        if !is_empty {
            text.push(',');
        }
        is_empty = false;
        text.push_str(&indent(level + 1));
        if let Some(key) = key {
            quote(key, text);
            text.push_str(": ");
        }
        value.write(level + 1, text);
    }
    if !is_empty {
        text.push_str(&indent(level));
    }
    text.push(close);
}

fn quote(content: &str, text: &mut String) {
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
