//! Which tokens of a line stand apart.

use super::token::{Bracket, Kind, Token};

/// Whether a blank stands between `left` and `right`, of one line. `before` is the token before
/// `left` on that line.
pub(super) fn apart(text: &str, before: Option<&Token>, left: &Token, right: &Token) -> bool {
    use Kind::{
        Bang, Close, CloseHeredoc, CloseQuote, Comma, Dot, Ellipsis, Minus, Name, Newline, Number,
        Open, OpenHeredoc, OpenQuote, Text,
    };
    let earlier = before.map(|token| token.kind);
    match (left.kind, right.kind) {
        (_, Newline) => false,
        // A call.
        (Name, Open(Bracket::Round)) => false,
        // `1 .5` is an index, `1.5` a number.
        (Number, Dot) => earlier != Some(Dot),
        (Dot, _) | (_, Dot | Comma | Ellipsis) => false,
        (Comma, _) => true,
        // Every blank in a template is part of it.
        (Text | OpenQuote | OpenHeredoc, _) | (_, Text | CloseQuote | CloseHeredoc) => false,
        // `in` of a `for`, before a list: not an index.
        (Name, Open(Bracket::Square)) => {
            text.get(left.range.clone()) == Some("in") && matches!(earlier, Some(Name) | None)
        }
        (Number | Close(_), Open(Bracket::Square)) => false,
        (Bang, _) => false,
        (Minus, _) => subtracts(earlier),
        (Open(Bracket::Brace), Close(Bracket::Brace)) => false,
        (Open(Bracket::Brace), _) | (_, Close(Bracket::Brace)) => true,
        // `${ {` and `} }`: two braces of different meaning.
        (Open(Bracket::Sequence), Open(Bracket::Brace))
        | (Close(Bracket::Brace), Close(Bracket::Sequence)) => true,
        (Close(Bracket::Sequence), Open(Bracket::Sequence)) => false,
        (Open(_), _) | (_, Close(_)) => false,
        _ => true,
    }
}

/// Whether a minus after a token of this kind subtracts, rather than negates.
fn subtracts(earlier: Option<Kind>) -> bool {
    use Kind::{Bang, Colon, Comma, Equal, Minus, Open, Operator, Question};
    !matches!(
        earlier,
        None | Some(
            Open(Bracket::Round | Bracket::Brace | Bracket::Square)
                | Equal
                | Colon
                | Comma
                | Question
                | Minus
                | Operator
                | Bang
        )
    )
}
