//! Asks what is not pinned, and takes the rest from `bake.lock`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use super::Resolver;
use super::rounds::LookUp;
use super::versions::at_version;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::Digest;
use crate::plan::lock::{Found, LOCK_FILE, Pin, Pinned, Pins, Place, Scope};
use crate::template::lookup::{Answer, Lookup, Question, Refusal};
use crate::value::{Value, from_json, to_json};

/// Bytes of the largest download that is kept in a lock.
const LARGEST_KEPT: usize = 16 << 10;

/// Headers of an answer that say nothing about what is downloaded, or only to whom.
const NOT_KEPT: [&str; 7] =
    ["Age", "Connection", "Date", "Expires", "Keep-Alive", "Set-Cookie", "Transfer-Encoding"];

/// Who asks the network, where a lock does not say what is to be found.
pub struct PinnedLookUp<'a> {
    resolver: &'a Resolver,
    pins: &'a Pins,
    again: Scope,
    met: Mutex<Vec<Met>>,
}

/// A look-up that was met, and where its answer came from.
#[derive(Clone, Debug)]
pub struct Met {
    /// What asks.
    pub lookup: Lookup,
    /// Where it was asked.
    pub place: Option<Place>,
    /// The pin that it was taken from.
    pub pin: Option<Pin>,
    /// Whether something else is pinned by that name.
    pub stale: bool,
    /// What it came to.
    pub answer: Answer,
}

impl<'a> PinnedLookUp<'a> {
    /// Goes by `pins`, but for what is to be asked again.
    pub fn new(resolver: &'a Resolver, pins: &'a Pins, again: Scope) -> Self {
        Self { resolver, pins, again, met: Mutex::default() }
    }

    /// All that was looked up, in no particular order.
    pub fn met(&self) -> Vec<Met> {
        self.lock().clone()
    }

    /// Warnings about what was found although it is not pinned, where there is a lock.
    pub fn notices(&self) -> Diagnostics {
        if !self.pins.exist() {
            return Diagnostics::new();
        }
        let all = self.lock();
        let unpinned = all.iter().filter(|met| met.pin.is_none());
        unpinned.filter(|met| matches!(met.answer, Answer::Found { .. })).map(notice).collect()
    }

    /// Errors about all that was not looked up because it is not pinned.
    pub fn refusals(&self) -> Diagnostics {
        let all = self.lock();
        let refused = all.iter().filter(|met| met.pin.is_none() && self.pins.are_strict());
        let errors = refused.filter_map(|met| {
            let Answer::Refused(refusal) = &met.answer else { return None };
            let summary = format!("`{}`: {}", met.lookup.name(), refusal.message);
            let finding = Diagnostic::error("not-pinned", summary).at(&met.lookup.span, "");
            Some(refusal.hints.iter().cloned().fold(finding, Diagnostic::help))
        });
        errors.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Met>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, question: &Question, askers: &[Lookup]) -> Answer {
        if question.refusal().is_some() {
            return self.resolver.look_up(question).await;
        }
        let place = match self.resolver.region(question).await {
            Ok(region) => region.map(|region| self.pins.place(region)),
            Err(refusal) => return Answer::Refused(refusal),
        };
        // One answer for all who ask, so one of them is enough to ask again.
        let again = askers.iter().any(|one| self.again.holds(&one.name()));
        let find = |one| if again { Found::Nothing } else { self.find(one, place.as_ref()) };
        let found: Vec<_> = askers.iter().map(find).collect();
        let pin = found.iter().find_map(|found| match found {
            Found::Pin(pin) => Some(*pin),
            Found::Stale(_) | Found::Nothing => None,
        });
        let answer = match pin {
            Some(pin) => self.by_pin(question, pin).await,
            None if self.pins.are_strict() => {
                Answer::Refused(refused(askers, &found, place.as_ref()))
            }
            None => self.resolver.look_up(question).await,
        };
        let met = askers.iter().zip(found).map(|(lookup, found)| Met {
            lookup: lookup.clone(),
            place: place.clone(),
            pin: pin.cloned(),
            stale: matches!(found, Found::Stale(_)),
            answer: answer.clone(),
        });
        self.lock().extend(met);
        answer
    }

    fn find(&self, lookup: &Lookup, place: Option<&Place>) -> Found<'_> {
        let Some(asked) = &lookup.published else { return Found::Nothing };
        self.pins.find(&lookup.name(), place, asked)
    }

    /// The answer that a pin leads to.
    async fn by_pin(&self, question: &Question, pin: &Pin) -> Answer {
        match &pin.answer {
            Pinned::Value { value, identity } => {
                Answer::Found { value: from_json(value), identity: identity.clone() }
            }
            Pinned::Download { value: Some(value), .. } => {
                Answer::found(from_json(&whole_download(value.clone(), question)))
            }
            Pinned::Download { sha256, value: None } => {
                same_download(self.resolver.look_up(question).await, pin, sha256)
            }
            Pinned::Version(identity) => match at_version(question, identity) {
                Some(versioned) => {
                    same_version(self.resolver.look_up(&versioned).await, pin, identity)
                }
                None => Answer::Refused(again(
                    format!("{LOCK_FILE} has `{identity}` for it, which is no version of it"),
                    pin,
                )),
            },
            Pinned::Image(_) => {
                Answer::Refused(again(format!("{LOCK_FILE} has an image for it"), pin))
            }
        }
    }
}

impl LookUp for PinnedLookUp<'_> {
    fn look_up<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.resolver.look_up(question)
    }

    fn look_up_for<'a>(
        &'a self,
        question: &'a Question,
        askers: &'a [Lookup],
    ) -> BoxFuture<'a, Answer> {
        self.answer(question, askers).boxed()
    }
}

impl Met {
    /// The pin that makes it come to the same another day.
    ///
    /// # Errors
    /// Why there is none.
    pub fn to_pin(&self, template: &str) -> Result<Pin, &'static str> {
        let asked = self.lookup.published.clone().ok_or("what is asked depends on a secret")?;
        let answer = match (&self.pin, &self.answer) {
            (Some(pin), _) => pin.answer.clone(),
            (None, Answer::Found { value, identity }) => {
                pinned(&self.lookup.question, value, identity.as_deref())?
            }
            (None, Answer::Refused(_)) => return Err("it was not found"),
        };
        let (name, place) = (self.lookup.name(), self.place.clone());
        Ok(Pin { template: template.to_owned(), name, place, asked, answer })
    }
}

/// What of an answer is kept.
fn pinned(
    question: &Question,
    value: &Value,
    identity: Option<&str>,
) -> Result<Pinned, &'static str> {
    let json = |value: &Value| to_json(value).ok_or("it is not known");
    match (question.kind(), identity) {
        ("http", _) => {
            let whole = json(value)?;
            let body = body(&whole).ok_or("it has no body")?;
            let value = (body.len() <= LARGEST_KEPT).then(|| kept_download(&whole, body));
            Ok(Pinned::Download { sha256: Digest::of(body.as_bytes()), value })
        }
        // Versions of these cannot be asked for, and they are no secrets.
        ("amazon-parameterstore", Some(identity)) if is_public(identity) => {
            Ok(Pinned::Value { value: json(value)?, identity: Some(identity.to_owned()) })
        }
        (_, Some(identity)) => Ok(Pinned::Version(identity.to_owned())),
        ("vault", None) => Err("its engine keeps no versions"),
        (_, None) => Ok(Pinned::Value { value: json(value)?, identity: None }),
    }
}

/// Whether an ARN has no account: a parameter that AWS publishes.
fn is_public(arn: &str) -> bool {
    arn.contains("::parameter/")
}

fn body(answer: &Json) -> Option<&str> {
    answer.get("body").and_then(Json::as_str)
}

/// What is kept of an answer of a server: the body, and the headers that are no others each time.
fn kept_download(answer: &Json, body: &str) -> Json {
    let mut headers = answer.get("response_headers").cloned().unwrap_or_default();
    if let Json::Object(headers) = &mut headers {
        headers.retain(|name, _| !NOT_KEPT.contains(&name.as_str()));
    }
    json!({ "body": body, "response_headers": headers })
}

/// The answer that was kept, as data sources give it.
fn whole_download(mut kept: Json, question: &Question) -> Json {
    let url = question.request().ok().and_then(|asked: Json| asked.get("url").cloned());
    let headers = kept.get("response_headers").cloned();
    if let Json::Object(kept) = &mut kept {
        kept.extend(url.map(|url| ("url".to_owned(), url)));
        kept.extend(headers.map(|headers| ("request_headers".to_owned(), headers)));
    }
    kept
}

fn same_download(answer: Answer, pin: &Pin, sha256: &Digest) -> Answer {
    let Answer::Found { value, .. } = &answer else { return answer };
    let digest = to_json(value).as_ref().and_then(body).map(|body| Digest::of(body.as_bytes()));
    match digest {
        Some(digest) if digest == *sha256 => answer,
        Some(digest) => Answer::Refused(again(
            format!(
                "it has changed since it was pinned: its sha256 is {digest}, and {LOCK_FILE} has \
                 {sha256}"
            ),
            pin,
        )),
        None => Answer::Refused(again("it has no body".to_owned(), pin)),
    }
}

fn same_version(answer: Answer, pin: &Pin, pinned: &str) -> Answer {
    match answer {
        Answer::Found { identity: Some(identity), .. } if identity != pinned => {
            let text = format!("it is `{identity}`, and {LOCK_FILE} has `{pinned}`");
            Answer::Refused(again(text, pin))
        }
        Answer::Found { .. } => answer,
        Answer::Refused(refusal) => {
            let hint = format!("{LOCK_FILE} has `{pinned}`; {}", update(pin));
            Answer::Refused(refusal.hint(hint))
        }
    }
}

/// A refusal that another look would help.
fn again(message: String, pin: &Pin) -> Refusal {
    Refusal::new(message).hint(update(pin))
}

fn update(pin: &Pin) -> String {
    format!("`bake lock -update '{}'` looks again", pin.name)
}

/// Why a look-up without a pin is not made.
fn refused(askers: &[Lookup], found: &[Found<'_>], place: Option<&Place>) -> Refusal {
    let here = place.map(|place| format!(" in {place}")).unwrap_or_default();
    if askers.iter().all(|one| one.published.is_none()) {
        return Refusal::new("what it asks depends on a secret, so it is in no lock")
            .hint("leave out -locked, or ask for something that is no secret");
    }
    let message = match found.iter().any(|found| matches!(found, Found::Stale(_))) {
        true => format!("{LOCK_FILE} has a pin{here}, but it was asked something else then"),
        false => format!("{LOCK_FILE} has no pin for it{here}"),
    };
    Refusal::new(message).hint("`bake lock` looks it up and pins it; -locked looks nothing up")
}

fn notice(met: &Met) -> Diagnostic {
    let name = met.lookup.name();
    let (summary, help) = match met.to_pin("") {
        Err(why) => (format!("`{name}` cannot be pinned: {why}"), None),
        Ok(_) if met.stale => (
            format!("something else was asked when `{name}` was pinned in {LOCK_FILE}"),
            Some("`bake lock` pins what is asked now"),
        ),
        Ok(_) => (format!("`{name}` is not pinned in {LOCK_FILE}"), Some("`bake lock` pins it")),
    };
    Diagnostic::warning("not-pinned", summary)
        .at(&met.lookup.span, "looked up now")
        .maybe_help(help.map(str::to_owned))
}
