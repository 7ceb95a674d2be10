//! The pure rooms of bake as a library of its own, and what the targets check of every text.

#![allow(unused_imports, reason = "rooms that are not here use them")]

#[path = "../../src/content/mod.rs"]
pub mod content;
#[path = "../../src/diagnostic/mod.rs"]
pub mod diagnostic;
#[path = "../../src/directories.rs"]
pub mod directories;
// The vocabulary of events, without what sends them.
#[path = "../../src/event/fact.rs"]
pub mod event;
// The codecs of Session Manager, without the room that they are in.
#[path = "../../src/communicator/ssm/frame.rs"]
pub mod frame;
#[path = "../../src/communicator/ssm/message.rs"]
pub mod message;
#[path = "../../src/plan/mod.rs"]
pub mod plan;
#[path = "../../src/communicator/ssm/smux.rs"]
pub mod smux;
// The reader of ledgers, without the room that it is in.
#[path = "../../src/build/ledger/process.rs"]
pub mod process;
#[path = "../../src/build/ledger/reader.rs"]
pub mod reader;
#[path = "../../src/build/ledger/record.rs"]
pub mod record;
#[path = "../../src/template/mod.rs"]
pub mod template;
#[path = "../../src/value/mod.rs"]
pub mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

// Where the reader of ledgers looks for them.
pub use process::{Life, Process};

use diagnostic::{Diagnostics, Source, Style, render};
use template::evaluate::{FunctionContext, Scope};
use value::{Marks, Type, Value};

/// All spans of findings lie on character borders of their source, their rendering ends, and there
/// are not more of them than anybody reads.
pub fn check(found: &Diagnostics) {
    for one in found.iter() {
        for label in one.primary.iter().chain(&one.secondary) {
            let range = label.span.range();
            assert!(label.span.source().text().get(range).is_some(), "{one:?}");
        }
        assert!(!one.summary.is_empty());
    }
    assert!(found.len() <= 300, "{} findings", found.len());
    // Rendering takes longer than all else, so that a few stand for all.
    let few: Diagnostics = found.iter().take(4).cloned().collect();
    let text = render(&few, Style::default());
    assert_eq!(text.is_empty(), found.is_empty());
}

/// The text of an input; inputs that are not UTF-8 are those of no target.
pub fn source(data: &[u8]) -> Option<Arc<Source>> {
    std::str::from_utf8(data).ok().map(|text| Source::new("fuzz", text))
}

/// What expressions see: a few values of each kind, a fixed moment, an empty directory.
pub fn scope() -> &'static Scope<'static> {
    static SCOPE: OnceLock<Scope<'static>> = OnceLock::new();
    SCOPE.get_or_init(|| {
        let directory = PathBuf::from("/nonexistent");
        let now = "2026-11-21T07:08:09Z".parse().expect("a timestamp");
        let context = FunctionContext::new(&directory, &directory, now, |_| [7; 16], |_| None);
        let object = |attributes: &[(&str, Value)]| {
            let attributes =
                attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Value::object(attributes.collect::<BTreeMap<_, _>>())
        };
        let text = Value::string("text é");
        let variables = object(&[
            ("s", text.clone()),
            ("n", Value::number(8)),
            ("b", Value::bool(true)),
            ("z", Value::null()),
            ("l", Value::tuple(vec![text.clone(), Value::number(2)])),
            ("o", object(&[("a", text.clone()), ("b", Value::tuple(Vec::new()))])),
            ("secret", Value::string("hunter2").marked(Marks::SENSITIVE)),
            ("later", Value::unknown(Type::Any)),
            ("later_list", Value::unknown(Type::List(Box::new(Type::String)))),
        ]);
        Scope::new(Arc::new(context)).with("var", variables).allow_env()
    })
}
