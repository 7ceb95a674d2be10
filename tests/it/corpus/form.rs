//! A value with its type as one line.

use bake::value::{Kind, Value, format_number};

/// `string "text"`, `list(number) [1, 2]`: what is secret, unknown or volatile is marked as such.
pub(super) fn of_value(value: &Value) -> String {
    format!("{} {}", value.type_of(), bare(value))
}

fn bare(value: &Value) -> String {
    let text = match &value.kind {
        Kind::Unknown(_) if value.marks.sensitive => "<unknown, sensitive>".to_owned(),
        Kind::Unknown(_) => "<unknown>".to_owned(),
        _ if value.marks.sensitive => "<sensitive>".to_owned(),
        Kind::Null(_) => "null".to_owned(),
        Kind::Bool(truth) => truth.to_string(),
        Kind::Number(number) => format_number(number),
        Kind::String(text) => format!("{text:?}"),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            let all: Vec<_> = all.iter().map(bare).collect();
            format!("[{}]", all.join(", "))
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            let all: Vec<_> =
                all.iter().map(|(name, one)| format!("{name:?} = {}", bare(one))).collect();
            format!("{{{}}}", all.join(", "))
        }
    };
    if value.marks.volatile { format!("{text} (volatile)") } else { text }
}
