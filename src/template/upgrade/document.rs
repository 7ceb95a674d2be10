//! HCL as it is put together, and its text.

use super::text::key;

/// The right side of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// An expression.
    Plain(String),
    /// `[ … ]`.
    List(Vec<Out>),
    /// `{ … }`.
    Object(Vec<(String, Out)>),
}

/// Characters of the longest list that stands on one line.
const LONGEST_LINE: usize = 80;

impl Out {
    /// As text, on several lines where that is easier to read.
    pub(super) fn spell(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::List(all) => {
                let items: Vec<_> = all.iter().map(Self::spell).collect();
                let line = format!("[{}]", items.join(", "));
                let short = line.chars().count() <= LONGEST_LINE && !line.contains('\n');
                if short && (all.len() < 2 || all.iter().all(Self::is_simple)) {
                    return line;
                }
                let lines: String = items.iter().map(|item| format!("{item},\n")).collect();
                format!("[\n{lines}]")
            }
            Self::Object(all) if all.is_empty() => "{}".to_owned(),
            Self::Object(all) => {
                let lines: String = all
                    .iter()
                    .map(|(name, value)| format!("{} = {}\n", key(name), value.spell()))
                    .collect();
                format!("{{\n{lines}}}")
            }
        }
    }

    /// Whether it may share a line with others: a word rather than a command.
    fn is_simple(&self) -> bool {
        matches!(self, Self::Plain(text) if !text.contains(' '))
    }
}

/// What stands in a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) arguments: Vec<(String, Out)>,
    pub(super) blocks: Vec<Block>,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Lines in front of it.
    pub(super) comments: Vec<String>,
    /// `source "amazon-ebs" "app"`.
    pub(super) header: String,
    pub(super) contents: Contents,
}

impl Block {
    pub(super) fn new(header: impl Into<String>) -> Self {
        Self { comments: Vec::new(), header: header.into(), contents: Contents::default() }
    }

    pub(super) fn set(&mut self, name: &str, value: Out) {
        self.contents.arguments.push((name.to_owned(), value));
    }

    /// As text, not laid out yet.
    pub(super) fn spell(&self) -> String {
        let mut text = comment(&self.comments);
        text.push_str(&self.header);
        if self.contents == Contents::default() {
            return text + " {}\n";
        }
        text.push_str(" {\n");
        for (name, value) in &self.contents.arguments {
            text.push_str(&format!("{name} = {}\n", value.spell()));
        }
        for (at, block) in self.contents.blocks.iter().enumerate() {
            if at > 0 || !self.contents.arguments.is_empty() {
                text.push('\n');
            }
            text.push_str(&block.spell());
        }
        text + "}\n"
    }
}

/// Lines as comments.
pub(super) fn comment(lines: &[String]) -> String {
    lines
        .iter()
        .flat_map(|text| text.split('\n'))
        .map(|line| {
            // Characters that would end the line or hide what follows.
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            format!("{}\n", format!("# {line}").trim_end())
        })
        .collect()
}
