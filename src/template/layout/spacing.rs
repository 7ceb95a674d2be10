//! Which tokens of a line stand apart.

use crate::template::syntax::token::{Bracket, Kind, Token};

/// Whether a blank stands between `left` and `right`, of one line. `before` is the token before
/// `left` on that line.
pub(super) fn apart(text: &str, before: Option<&Token>, left: &Token, right: &Token) -> bool {
    use Bracket::{Brace, Heredoc, Quote, Round, Sequence, Square};
    use Kind::{Bang, Close, Comma, Dot, DoubleColon, Ellipsis, Minus, Name, Number, Open, Text};
    let earlier = before.map(|token| token.kind);
    match (left.kind, right.kind) {
        // A call.
        (Name, Open(Round)) => false,
        // `1 .5` is an index, `1.5` a number.
        (Number, Dot) => earlier != Some(Dot),
        (Dot | DoubleColon, _) | (_, Dot | DoubleColon | Comma | Ellipsis) => false,
        (Comma, _) => true,
        // Every blank in a template is part of it.
        (Text | Open(Quote | Heredoc), _) | (_, Text | Close(Quote | Heredoc)) => false,
        // `in` of a `for`, before a list: not an index.
        (Name, Open(Square)) => {
            text.get(left.range.clone()) == Some("in") && matches!(earlier, Some(Name) | None)
        }
        (Number | Close(Brace | Square | Round), Open(Square)) => false,
        (Bang, _) => false,
        (Minus, _) => subtracts(earlier),
        (Open(Brace), Close(Brace)) => false,
        (Open(Brace), _) | (_, Close(Brace)) => true,
        // `${ {` and `} }`: two braces of different meaning.
        (Open(Sequence), Open(Brace)) | (Close(Brace), Close(Sequence)) => true,
        (Close(Sequence), Open(Sequence)) => false,
        (Open(_), _) | (_, Close(_)) => false,
        _ => true,
    }
}

/// Whether a minus after a token of this kind subtracts, rather than negates.
fn subtracts(earlier: Option<Kind>) -> bool {
    use Kind::{Bang, Colon, Comma, Equal, Minus, Open, Operator, Question, Star};
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
                | Star
                | Bang
        )
    )
}
