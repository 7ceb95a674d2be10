//! Conversion to a type, by HCL's rules.

use std::collections::BTreeMap;
use std::fmt;

use super::{Attribute, Kind, Marks, Type, Value, format_number, make_set, parse_number, unify};

/// Why a value cannot become what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionError {
    /// The way from the whole value to the part that does not fit.
    pub path: Vec<PathStep>,
    /// What is wrong with that part; never shows a sensitive value.
    pub message: String,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Into an attribute of an object.
    Attribute(String),
    /// To an element of a map.
    Key(String),
    /// To an element of a list or tuple.
    Index(usize),
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathStep::Attribute(name) if super::is_identifier(name) => write!(f, ".{name}"),
            PathStep::Attribute(key) | PathStep::Key(key) => write!(f, "[{}]", super::quote(key)),
            PathStep::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// ``at `.tags["a"][0]`: a string is required, …``
impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("at `")?;
            for step in &self.path {
                write!(f, "{step}")?;
            }
            f.write_str("`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConversionError {}

type Result<T> = std::result::Result<T, ConversionError>;

fn failed<T>(message: impl Into<String>) -> Result<T> {
    Err(ConversionError { path: Vec::new(), message: message.into() })
}

fn within<T>(step: impl FnOnce() -> PathStep, result: Result<T>) -> Result<T> {
    result.map_err(|mut error| {
        error.path.insert(0, step());
        error
    })
}

impl Value {
    /// Its type.
    pub fn type_of(&self) -> Type {
        match &self.kind {
            Kind::Unknown(of) | Kind::Null(of) => of.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(of, _) => Type::List(Box::new(of.clone())),
            Kind::Set(of, _) => Type::Set(Box::new(of.clone())),
            Kind::Map(of, _) => Type::Map(Box::new(of.clone())),
            Kind::Tuple(all) => Type::Tuple(all.iter().map(Value::type_of).collect()),
            Kind::Object(all) => Type::Object(
                all.iter()
                    .map(|(name, one)| (name.clone(), Attribute::required(one.type_of())))
                    .collect(),
            ),
        }
    }
}

/// `value` as an `of`: numbers and truth values become text and back, tuples become lists or
/// sets, objects become maps; missing optional attributes get their defaults. What is unknown
/// stays so, what is null stays so; marks stay where they are.
pub fn convert(value: &Value, of: &Type) -> Result<Value> {
    let marks = value.marks;
    let kind = match (&value.kind, of) {
        (_, Type::Any) => return Ok(value.clone()),
        (Kind::Unknown(from), _) => {
            if !may_convert(from, of) {
                return mismatch(value, of);
            }
            return Ok(Value::unknown(without_optionals(of)).marked(marks));
        }
        (Kind::Null(from), _) => {
            if !may_convert(from, of) {
                return mismatch(value, of);
            }
            Kind::Null(without_optionals(of))
        }
        (Kind::Bool(_), Type::Bool)
        | (Kind::Number(_), Type::Number)
        | (Kind::String(_), Type::String) => return Ok(value.clone()),
        (Kind::Bool(value), Type::String) => Kind::String(value.to_string().into()),
        (Kind::Number(number), Type::String) => Kind::String(format_number(number).into()),
        (Kind::String(text), Type::Number) => match parse_number(text) {
            Some(number) => Kind::Number(number),
            None => return failed(format!("{} is not a number", shown(value))),
        },
        (Kind::String(text), Type::Bool) => match &**text {
            "true" | "1" => Kind::Bool(true),
            "false" | "0" => Kind::Bool(false),
            _ => return failed(format!("{} is neither `true` nor `false`", shown(value))),
        },
        (Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all), Type::List(element)) => {
            let (element, all) = convert_elements(all, element)?;
            Kind::List(element, all)
        }
        (Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all), Type::Set(element)) => {
            let (element, all) = convert_elements(all, element)?;
            return Ok(make_set(element, all).marked(marks));
        }
        (Kind::Map(_, all), Type::Map(element)) => {
            convert_named(all, element, |name| PathStep::Key(name.to_owned()))?
        }
        (Kind::Object(all), Type::Map(element)) => {
            convert_named(all, element, |name| PathStep::Attribute(name.to_owned()))?
        }
        (Kind::Map(_, all) | Kind::Object(all), Type::Object(attributes)) => {
            convert_object(all, attributes)?
        }
        (Kind::Tuple(all), Type::Tuple(types)) => {
            if all.len() != types.len() {
                return failed(format!(
                    "a tuple of {} is required, but this has {}",
                    count(types.len(), "element"),
                    all.len()
                ));
            }
            let mut converted = Vec::with_capacity(all.len());
            for (at, (one, of)) in all.iter().zip(types).enumerate() {
                converted.push(within(|| PathStep::Index(at), convert(one, of))?);
            }
            Kind::Tuple(converted)
        }
        _ => return mismatch(value, of),
    };
    Ok(Value { kind, marks })
}

fn convert_elements(all: &[Value], element: &Type) -> Result<(Type, Vec<Value>)> {
    let mut converted = Vec::with_capacity(all.len());
    for (at, one) in all.iter().enumerate() {
        converted.push(within(|| PathStep::Index(at), convert(one, element))?);
    }
    if !holds_any(element) {
        return Ok((without_optionals(element), converted));
    }
    // `any` inside a collection stands for one type that all elements share.
    let element = shared_type(&converted)?;
    let mut unified = Vec::with_capacity(converted.len());
    for (at, one) in converted.iter().enumerate() {
        unified.push(within(|| PathStep::Index(at), convert(one, &element))?);
    }
    Ok((element, unified))
}

fn convert_named(
    all: &BTreeMap<String, Value>,
    element: &Type,
    step: impl Fn(&str) -> PathStep,
) -> Result<Kind> {
    let (names, values): (Vec<&String>, Vec<Value>) =
        all.iter().map(|(name, one)| (name, one.clone())).unzip();
    let (element, values) = convert_elements(&values, element).map_err(|mut error| {
        if let Some(first) = error.path.first_mut()
            && let PathStep::Index(at) = *first
            && let Some(name) = names.get(at)
        {
            *first = step(name);
        }
        error
    })?;
    Ok(Kind::Map(element, names.into_iter().cloned().zip(values).collect()))
}

fn convert_object(
    all: &BTreeMap<String, Value>,
    attributes: &BTreeMap<String, Attribute>,
) -> Result<Kind> {
    let mut converted = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, attribute) in attributes {
        let step = || PathStep::Attribute(name.clone());
        let value = match all.get(name) {
            Some(given) if attribute.optional && given.is_null() => {
                let default = attribute.default.clone().map(|default| default.marked(given.marks));
                default.unwrap_or_else(|| given.clone())
            }
            Some(given) => given.clone(),
            None if attribute.optional => attribute.default.clone().unwrap_or_else(Value::null),
            None => {
                missing.push(name.as_str());
                continue;
            }
        };
        converted.insert(name.clone(), within(step, convert(&value, &attribute.of))?);
    }
    match missing.as_slice() {
        [] => Ok(Kind::Object(converted)),
        [one] => failed(format!("attribute `{one}` is required")),
        all => failed(format!("attributes `{}` are required", all.join("`, `"))),
    }
}

/// The one type that the elements of a list literal have to share.
fn shared_type(elements: &[Value]) -> Result<Type> {
    let types: Vec<Type> = elements.iter().filter_map(Value::own_type).collect();
    match unify(&types) {
        Some(of) => Ok(of),
        None => {
            let mut nouns: Vec<String> = types.iter().map(Type::a_noun).collect();
            nouns.sort();
            nouns.dedup();
            failed(format!(
                "all elements must be of one type, but here are {}",
                nouns.join(" and ")
            ))
        }
    }
}

impl Value {
    /// Its type; `None` for a null or unknown that could still be of any type.
    pub(crate) fn own_type(&self) -> Option<Type> {
        match &self.kind {
            Kind::Null(Type::Any) => None,
            _ => Some(self.type_of()),
        }
    }

    /// The same value without any mark, inside or out.
    #[must_use]
    pub fn without_marks(self) -> Self {
        let kind = match self.kind {
            Kind::List(of, all) => Kind::List(of, strip(all)),
            Kind::Set(of, all) => Kind::Set(of, strip(all)),
            Kind::Tuple(all) => Kind::Tuple(strip(all)),
            Kind::Map(of, all) => Kind::Map(of, strip_named(all)),
            Kind::Object(all) => Kind::Object(strip_named(all)),
            kind => kind,
        };
        Self { kind, marks: Marks::NONE }
    }
}

fn strip(all: Vec<Value>) -> Vec<Value> {
    all.into_iter().map(Value::without_marks).collect()
}

fn strip_named(all: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    all.into_iter().map(|(name, one)| (name, one.without_marks())).collect()
}

/// Whether some value of type `from` can become an `of`.
fn may_convert(from: &Type, of: &Type) -> bool {
    match (from, of) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::Bool | Type::Number, Type::String) | (Type::String, Type::Bool | Type::Number) => {
            true
        }
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b))
        | (Type::Map(a), Type::Map(b)) => may_convert(a, b),
        (Type::Tuple(all), Type::List(b) | Type::Set(b)) => all.iter().all(|a| may_convert(a, b)),
        (Type::Object(all), Type::Map(b)) => all.values().all(|a| may_convert(&a.of, b)),
        (Type::Tuple(a), Type::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| may_convert(a, b))
        }
        (Type::Object(a), Type::Object(b)) => b.iter().all(|(name, b)| match a.get(name) {
            Some(a) => may_convert(&a.of, &b.of),
            None => b.optional,
        }),
        (Type::Map(a), Type::Object(b)) => b.values().all(|b| may_convert(a, &b.of)),
        (a, b) => a == b,
    }
}

/// The type of a value that was converted: its optional attributes are all there.
fn without_optionals(of: &Type) -> Type {
    let boxed = |of: &Type| Box::new(without_optionals(of));
    match of {
        Type::List(of) => Type::List(boxed(of)),
        Type::Set(of) => Type::Set(boxed(of)),
        Type::Map(of) => Type::Map(boxed(of)),
        Type::Tuple(all) => Type::Tuple(all.iter().map(without_optionals).collect()),
        Type::Object(all) => Type::Object(
            all.iter()
                .map(|(name, one)| (name.clone(), Attribute::required(without_optionals(&one.of))))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn holds_any(of: &Type) -> bool {
    match of {
        Type::Any => true,
        Type::Bool | Type::Number | Type::String => false,
        Type::List(of) | Type::Set(of) | Type::Map(of) => holds_any(of),
        Type::Tuple(all) => all.iter().any(holds_any),
        Type::Object(all) => all.values().any(|one| holds_any(&one.of)),
    }
}

fn mismatch<T>(value: &Value, of: &Type) -> Result<T> {
    failed(format!("{} is required, but this is {}", of.a_noun(), value.type_of().a_noun()))
}

fn shown(value: &Value) -> String {
    if value.marks.sensitive { "this sensitive value".into() } else { value.excerpt(60) }
}

pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("{number} {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    fn object(attributes: impl IntoIterator<Item = (&'static str, Attribute)>) -> Type {
        Type::Object(attributes.into_iter().map(|(name, one)| (name.to_owned(), one)).collect())
    }

    fn optional(of: Type, default: Option<Value>) -> Attribute {
        Attribute { of, optional: true, default }
    }

    #[test]
    fn primitives_convert_through_text() {
        for (value, of, result) in [
            (Value::number(12), Type::String, "\"12\""),
            (Value::bool(true), Type::String, "\"true\""),
            (Value::string("1.50"), Type::Number, "1.5"),
            (Value::string("false"), Type::Bool, "false"),
            (Value::string("1"), Type::Bool, "true"),
            (Value::null(), Type::String, "null"),
        ] {
            assert_eq!(convert(&value, &of).expect("converts").to_string(), result);
        }
        for (value, of, message) in [
            (Value::bool(true), Type::Number, "a number is required, but this is a bool"),
            (Value::string("x"), Type::Number, "\"x\" is not a number"),
            (Value::string("True"), Type::Bool, "\"True\" is neither `true` nor `false`"),
            (
                Value::string("x").marked(Marks::SENSITIVE),
                Type::Number,
                "this sensitive value is not a number",
            ),
            (Value::tuple(vec![]), Type::String, "a string is required, but this is a tuple"),
        ] {
            assert_eq!(convert(&value, &of).expect_err("fails").to_string(), message);
        }
    }

    #[test]
    fn errors_name_the_way_to_the_part() {
        let value = Value::object(BTreeMap::from([(
            "tags".to_owned(),
            Value::object(BTreeMap::from([(
                "a b".to_owned(),
                Value::tuple(vec![Value::number(1), Value::tuple(vec![])]),
            )])),
        )]));
        let of = object([("tags", Attribute::required(Type::Map(Box::new(list(Type::String)))))]);
        assert_eq!(
            convert(&value, &of).expect_err("fails").to_string(),
            "at `.tags[\"a b\"][1]`: a string is required, but this is a tuple"
        );
    }

    #[test]
    fn missing_optional_attributes_get_their_defaults() {
        let of = object([
            ("name", Attribute::required(Type::String)),
            ("size", optional(Type::Number, Some(Value::string("8")))),
            ("note", optional(Type::String, None)),
        ]);
        let value = Value::object(BTreeMap::from([
            ("name".to_owned(), Value::number(1)),
            ("extra".to_owned(), Value::bool(true)),
        ]));
        let converted = convert(&value, &of).expect("converts");
        assert_eq!(converted.to_string(), "{ name = \"1\", note = null, size = 8 }");
        let empty = Value::object(BTreeMap::new());
        assert_eq!(
            convert(&empty, &of).expect_err("fails").message,
            "attribute `name` is required"
        );
    }

    #[test]
    fn any_inside_a_collection_is_one_shared_type() {
        let value = Value::tuple(vec![Value::number(1), Value::string("a"), Value::null()]);
        let converted = convert(&value, &list(Type::Any)).expect("converts");
        assert_eq!(converted.type_of(), list(Type::String));
        assert_eq!(converted.to_string(), "[\"1\", \"a\", null]");
        let value = Value::tuple(vec![Value::number(1), Value::tuple(vec![])]);
        assert_eq!(
            convert(&value, &list(Type::Any)).expect_err("fails").message,
            "all elements must be of one type, but here are a number and a tuple"
        );
    }

    #[test]
    fn unknown_and_marked_values_stay_so() {
        let unknown = Value::unknown(Type::Number).marked(Marks::VOLATILE);
        let converted = convert(&unknown, &Type::String).expect("may convert");
        assert_eq!(converted, Value::unknown(Type::String).marked(Marks::VOLATILE));
        assert!(convert(&unknown, &list(Type::String)).is_err());
    }
}
