//! Answers as a tree of named fields, and the one place that writes XML.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// What is in an element: fields in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(Cow<'static, str>, Node)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Fields(Fields),
}

impl Fields {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A field with a text, a number or a boolean.
    pub(super) fn text(mut self, name: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.0.push((name.into(), Node::Text(value.to_string())));
        self
    }

    /// A field that is left out when there is nothing to say.
    pub(super) fn maybe(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A field with fields.
    pub(super) fn group(mut self, name: impl Into<Cow<'static, str>>, fields: Fields) -> Self {
        self.0.push((name.into(), Node::Fields(fields)));
        self
    }

    /// A list; its members are called `item`.
    pub(super) fn list(
        self,
        name: &'static str,
        members: impl IntoIterator<Item = Fields>,
    ) -> Self {
        let items =
            members.into_iter().fold(Fields::new(), |list, fields| list.group("item", fields));
        self.group(name, items)
    }

    /// A list as IAM has it; its members are called `member`.
    pub(super) fn members(
        self,
        name: &'static str,
        members: impl IntoIterator<Item = Fields>,
    ) -> Self {
        let items =
            members.into_iter().fold(Fields::new(), |list, fields| list.group("member", fields));
        self.group(name, items)
    }

    /// A list of texts as IAM has it.
    pub(super) fn member_texts<T: ToString>(
        self,
        name: &'static str,
        members: impl IntoIterator<Item = T>,
    ) -> Self {
        let items = members.into_iter().fold(Fields::new(), |list, text| list.text("member", text));
        self.group(name, items)
    }

    /// A list of texts.
    pub(super) fn texts<T: ToString>(
        self,
        name: &'static str,
        members: impl IntoIterator<Item = T>,
    ) -> Self {
        let items = members.into_iter().fold(Fields::new(), |list, text| list.text("item", text));
        self.group(name, items)
    }

    /// `value` below a name, as attributes have it.
    pub(super) fn attribute(self, name: &'static str, value: impl ToString) -> Self {
        self.group(name, Fields::new().text("value", value))
    }

    /// More fields at the end.
    pub(super) fn extend(mut self, other: Fields) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The document whose root is `name`.
    pub(super) fn document(&self, name: &str, namespace: Option<&str>) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        // Writing to memory does not fail, and the tree has nothing that is not well formed.
        let declaration = Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None));
        let mut root = BytesStart::new(name);
        if let Some(namespace) = namespace {
            root.push_attribute(("xmlns", namespace));
        }
        let written = writer
            .write_event(declaration)
            .and_then(|()| writer.write_event(Event::Start(root)))
            .and_then(|()| self.write(&mut writer))
            .and_then(|()| writer.write_event(Event::End(BytesEnd::new(name))));
        if let Err(error) = written {
            tracing::error!("an answer could not be written: {error}");
        }
        writer.into_inner()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        for (name, node) in &self.0 {
            writer.write_event(Event::Start(BytesStart::new(name.as_ref())))?;
            match node {
                Node::Text(text) => {
                    writer.write_event(Event::Text(BytesText::new(&printable(text))))?;
                }
                Node::Fields(fields) => fields.write(writer)?,
            }
            writer.write_event(Event::End(BytesEnd::new(name.as_ref())))?;
        }
        Ok(())
    }
}

/// XML 1.0 has no way to write most control characters.
fn printable(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(forbidden) {
        Cow::Owned(text.replace(forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document() {
        let fields = Fields::new()
            .text("name", "a<b>&\"c\"\u{1}é")
            .maybe("left", None::<String>)
            .list("set", [Fields::new().text("n", 1), Fields::new()])
            .texts("texts", ["x"]);
        let document = fields.document("Answer", Some("urn:x"));
        insta::assert_snapshot!(String::from_utf8_lossy(&document), @r#"<?xml version="1.0" encoding="UTF-8"?><Answer xmlns="urn:x"><name>a&lt;b&gt;&amp;&quot;c&quot;�é</name><set><item><n>1</n></item><item></item></set><texts><item>x</item></texts></Answer>"#);
    }
}
