//! What a text is made of.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Kind {
    /// A line end.
    Newline,
    /// `#` or `//` up to the line end, or `/* … */`; only in what [`layout_tokens`] gives.
    ///
    /// [`layout_tokens`]: super::lexer::layout_tokens
    Comment,
    Name,
    Number,
    /// Text of a string, heredoc or bare template: up to the next sequence or its end.
    Text,
    Open(Bracket),
    /// What closes a bracket; of no length where the text does not close it.
    Close(Bracket),
    Dot,
    Comma,
    Ellipsis,
    Colon,
    /// `::`
    DoubleColon,
    Question,
    /// `=`
    Equal,
    /// `=>`
    Arrow,
    Minus,
    Bang,
    /// `*`: an operator, or the star of a splat.
    Star,
    /// Any other operator of two operands.
    Operator,
    /// A character that is part of nothing.
    Stray,
    /// Something that was meant as a value; why it is none has been told.
    Mistake,
    /// The end of the text.
    End,
}

/// What opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Bracket {
    Brace,
    Square,
    Round,
    /// `${` or `%{` up to `}`, each with its strip mark.
    Sequence,
    /// `"` to `"`.
    Quote,
    /// `<<MARKER` with its line end, to the marker with the blanks before it.
    Heredoc,
}

/// A piece of the text.
#[derive(Clone, Debug)]
pub(in crate::template) struct Token {
    pub(in crate::template) kind: Kind,
    pub(in crate::template) range: Range<usize>,
    /// How many brackets are open around it; an opening and its closing are on the same level.
    pub(super) level: usize,
}
