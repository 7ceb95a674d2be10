//! Documents from a peer as small trees.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// How deep elements may lie in each other.
const DEPTH: usize = 32;
/// How many elements there may be: more than output fills an answer with, in which each write of a
/// command may have an element of some hundred bytes.
const COUNT: usize = 1 << 14;

/// An element; namespaces are left out, as the protocol has no two elements of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name without a prefix.
    pub(super) name: String,
    /// The text directly in it.
    pub(super) text: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open: Vec<Self> = Vec::new();
        let mut count = 0;
        loop {
            let event = reader.read_event().map_err(|error| error.to_string())?;
            let closed = match event {
                Event::Start(tag) => {
                    open.push(Self::new(&tag)?);
                    count += 1;
                    if open.len() > DEPTH || count > COUNT {
                        return Err("it has too many elements".to_owned());
                    }
                    continue;
                }
                Event::Empty(tag) => {
                    count += 1;
                    if count > COUNT {
                        return Err("it has too many elements".to_owned());
                    }
                    Self::new(&tag)?
                }
                Event::End(_) => open.pop().ok_or("an element ends that did not begin")?,
                Event::Text(text) => {
                    push(&mut open, &text.xml10_content());
                    continue;
                }
                Event::CData(text) => {
                    push(&mut open, &text.xml10_content());
                    continue;
                }
                Event::GeneralRef(reference) => {
                    let character =
                        reference.resolve_char_ref().map_err(|error| error.to_string())?;
                    match character {
                        Some(character) => push(&mut open, character.encode_utf8(&mut [0; 4])),
                        None => {
                            let known = quick_xml::escape::resolve_predefined_entity(
                                &reference.xml10_content(),
                            );
                            push(&mut open, known.ok_or("it uses an unknown entity")?);
                        }
                    }
                    continue;
                }
                Event::Eof => return Err("it ends too early".to_owned()),
                // A document type could define entities; SOAP forbids it.
                Event::DocType(_) => return Err("it has a document type".to_owned()),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None => return Ok(closed),
            }
        }
    }

    fn new(tag: &BytesStart<'_>) -> Result<Self, String> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
        }
        Ok(Self { name: tag.local_name().as_ref().to_owned(), attributes, ..Self::default() })
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// This element and all below it, in the order of the document.
    pub(super) fn all(&self) -> Vec<&Self> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(one) = open.pop() {
            found.push(one);
            open.extend(one.children.iter().rev());
        }
        found
    }

    /// The first element of a name, anywhere.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        self.all().into_iter().find(|one| one.name == name)
    }

    /// All text in it, in one line.
    pub(super) fn words(&self) -> String {
        let all = self.all();
        let texts = all.iter().flat_map(|one| one.text.split_whitespace());
        texts.collect::<Vec<_>>().join(" ")
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_their_prefixes_and_texts_their_escapes() {
        let text = "\u{feff}<?xml version=\"1.0\"?><s:a xmlns:s=\"u\" s:n=\"1 &amp; 2\">x\
                    <t:b/><b>&lt;&#233;<![CDATA[<&>]]></b></s:a>";
        let root = Element::parse(text.as_bytes()).unwrap();
        assert_eq!((root.name.as_str(), root.text.as_str()), ("a", "x"));
        assert_eq!(root.attribute("n"), Some("1 & 2"));
        let all: Vec<_> = root.all().iter().map(|one| one.text.as_str()).collect();
        assert_eq!(all, ["x", "", "<é<&>"]);
        assert_eq!(root.words(), "x <é<&>");
    }

    #[test]
    fn what_is_no_sound_document_is_refused() {
        let deep = "<a>".repeat(DEPTH + 1);
        let wide = format!("<a>{}</a>", "<b/>".repeat(COUNT));
        for text in ["", "a", "<a>", "</a>", "<a>&b;</a>", "<!DOCTYPE a><a/>", &deep, &wide] {
            let short: String = text.chars().take(20).collect();
            assert!(Element::parse(text.as_bytes()).is_err(), "{short}");
        }
        assert!(Element::parse(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_at_most(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Element::parse(&bytes));
        }

        #[test]
        fn almost_documents_are_an_error_at_most(text in "(<[a-c:]{0,3}( [a-c]=\"[&;a-c]{0,4}\")?/?>|</[a-c]>|&[a-z#0-9]{0,4};|<!|\\]\\]>| ){0,12}") {
            drop(Element::parse(text.as_bytes()));
        }
    }
}
