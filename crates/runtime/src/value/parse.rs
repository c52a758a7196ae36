//! JSON arguments → component values.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

use super::{INFINITY, MAX_SAFE_INTEGER, NAN, NEGATIVE_INFINITY};
use crate::docs::plain_text;
use crate::wit::{FunctionType, Label, WitType};

/// Most values in the arguments of one call, counting every element of every list.
///
/// A value takes 40 bytes in this process, so a byte of a `list<u8>` costs as much: this bounds the
/// arguments of a call to some 80 MiB, whatever they look like as JSON.
pub const MAX_ARGUMENT_VALUES: usize = 2 << 20;

/// Arguments that do not match the parameters; the message names the field.
///
/// Never quotes a value: arguments may be secret, and the message travels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct InvalidArguments {
    path: String,
    problem: String,
}

impl InvalidArguments {
    /// Where: `arguments.point.x`, `arguments.points[3]`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there: `expected integer`.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

/// Standard alphabet; padding may be missing, as many encoders leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The values of a call from its JSON arguments, in the order of the parameters.
///
/// `arguments` is an object with a property per parameter; `null` stands for an empty one.
///
/// # Errors
///
/// For anything that the input schema does not allow, and for more than [`MAX_ARGUMENT_VALUES`]
/// values.
pub fn parse_args(function: &FunctionType, arguments: Value) -> Result<Vec<Val>, InvalidArguments> {
    let mut parser = Parser { values: 0 };
    let path = Path {
        parent: None,
        step: Step::Root,
    };
    let object = match arguments {
        Value::Object(object) => object,
        Value::Null => Map::new(),
        _ => return Err(path.expected("object")),
    };
    let fields = function
        .params
        .iter()
        .map(|param| (param.name.as_str(), &param.ty));
    let values = parser.fields(fields, object, &path)?;
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

/// Where the parser is; a linked list on the stack, rendered only for an error.
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

enum Step<'p> {
    Root,
    Field(&'p str),
    /// A key that the client chose.
    Key(&'p str),
    Item(usize),
}

impl<'p> Path<'p> {
    fn field(&'p self, name: &'p str) -> Path<'p> {
        Path {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    fn key(&'p self, name: &'p str) -> Path<'p> {
        Path {
            parent: Some(self),
            step: Step::Key(name),
        }
    }

    fn item(&'p self, index: usize) -> Path<'p> {
        Path {
            parent: Some(self),
            step: Step::Item(index),
        }
    }

    fn invalid(&self, problem: impl Into<String>) -> InvalidArguments {
        InvalidArguments {
            path: self.to_string(),
            problem: problem.into(),
        }
    }

    fn expected(&self, what: impl fmt::Display) -> InvalidArguments {
        self.invalid(format!("expected {what}"))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => f.write_str("arguments"),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Key(name) => write!(f, "[{}]", quoted(name)),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}

/// A client's key, short and on one line.
fn quoted(key: &str) -> String {
    format!("{:?}", plain_text(key, 64))
}

struct Parser {
    values: usize,
}

impl Parser {
    fn value(
        &mut self,
        ty: &WitType,
        json: Value,
        path: &Path<'_>,
    ) -> Result<Val, InvalidArguments> {
        self.count(1, path)?;
        Ok(match ty {
            WitType::Bool => match json {
                Value::Bool(value) => Val::Bool(value),
                _ => return Err(path.expected("boolean")),
            },
            WitType::S8 => Val::S8(small(&json, path, i8::MIN, i8::MAX)?),
            WitType::U8 => Val::U8(small(&json, path, u8::MIN, u8::MAX)?),
            WitType::S16 => Val::S16(small(&json, path, i16::MIN, i16::MAX)?),
            WitType::U16 => Val::U16(small(&json, path, u16::MIN, u16::MAX)?),
            WitType::S32 => Val::S32(small(&json, path, i32::MIN, i32::MAX)?),
            WitType::U32 => Val::U32(small(&json, path, u32::MIN, u32::MAX)?),
            WitType::S64 => Val::S64(large(&json, path, i64::MIN, i64::MAX)?),
            WitType::U64 => Val::U64(large(&json, path, u64::MIN, u64::MAX)?),
            WitType::F32 => Val::Float32(f32_value(&json, path)?),
            WitType::F64 => Val::Float64(f64_value(&json, path)?),
            WitType::Char => {
                let text = string(json, path, "string of one character")?;
                let mut characters = text.chars();
                match (characters.next(), characters.next()) {
                    (Some(character), None) => Val::Char(character),
                    _ => return Err(path.expected("string of one character")),
                }
            }
            WitType::String => Val::String(string(json, path, "string")?),
            WitType::List(element) if **element == WitType::U8 => {
                Val::List(self.bytes(json, path)?)
            }
            WitType::List(element) => Val::List(self.list(element, json, path)?),
            WitType::FixedList(element, length) => {
                let items = array(json, path)?;
                if u32::try_from(items.len()) != Ok(*length) {
                    return Err(path.expected(format_args!("array of exactly {length} items")));
                }
                Val::FixedLengthList(self.items(element, items, path)?)
            }
            WitType::Map(key, value) => Val::Map(self.map(key, value, json, path)?),
            WitType::Tuple(types) => {
                let items = array(json, path)?;
                if items.len() != types.len() {
                    return Err(
                        path.expected(format_args!("array of exactly {} items", types.len()))
                    );
                }
                let items = types.iter().zip(items).enumerate();
                let items =
                    items.map(|(index, (ty, item))| self.value(ty, item, &path.item(index)));
                Val::Tuple(items.collect::<Result<_, _>>()?)
            }
            WitType::Option(inner) => Val::Option(match json {
                Value::Null => None,
                json if inner.takes_null() => {
                    let mut wrapper = object(json, path, "null or an object {some: …}")?;
                    let some = wrapper.remove("some");
                    let (Some(some), true) = (some, wrapper.is_empty()) else {
                        return Err(path.expected("null or an object {some: …}"));
                    };
                    Some(Box::new(self.value(inner, some, &path.field("some"))?))
                }
                json => Some(Box::new(self.value(inner, json, path)?)),
            }),
            WitType::Result { ok, err } => {
                self.result(ok.as_deref(), err.as_deref(), json, path)?
            }
            WitType::Record(record) => {
                let object = object(json, path, "object")?;
                let fields = record
                    .fields
                    .iter()
                    .map(|field| (field.name.as_str(), &field.ty));
                Val::Record(self.fields(fields, object, path)?)
            }
            WitType::Variant(variant) => self.variant(variant, json, path)?,
            WitType::Enum(labels) => {
                let text = string(json, path, one_of(&labels.labels))?;
                if !labels.labels.iter().any(|label| label.name == text) {
                    return Err(path.expected(one_of(&labels.labels)));
                }
                Val::Enum(text)
            }
            WitType::Flags(labels) => {
                let items = array(json, path)?;
                self.count(items.len(), path)?;
                let mut set = HashSet::new();
                for (index, item) in items.into_iter().enumerate() {
                    let path = path.item(index);
                    let text = string(item, &path, one_of(&labels.labels))?;
                    if !labels.labels.iter().any(|label| label.name == text) {
                        return Err(path.expected(one_of(&labels.labels)));
                    }
                    if !set.insert(text) {
                        return Err(path.invalid("the flag is there twice"));
                    }
                }
                let names = labels.labels.iter().map(|label| &label.name);
                Val::Flags(names.filter(|name| set.contains(*name)).cloned().collect())
            }
        })
    }

    /// Counts before anything is allocated for the values.
    fn count(&mut self, more: usize, path: &Path<'_>) -> Result<(), InvalidArguments> {
        self.values = self.values.saturating_add(more);
        if self.values > MAX_ARGUMENT_VALUES {
            return Err(path.invalid(format!(
                "too large: more than {MAX_ARGUMENT_VALUES} values in all"
            )));
        }
        Ok(())
    }

    /// The fields of a record, or the parameters of a function.
    fn fields<'t>(
        &mut self,
        types: impl ExactSizeIterator<Item = (&'t str, &'t WitType)> + Clone,
        mut object: Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<Vec<(String, Val)>, InvalidArguments> {
        let mut values = Vec::with_capacity(types.len());
        for (name, ty) in types.clone() {
            let path = path.field(name);
            let value = match object.swap_remove(name) {
                Some(json) => self.value(ty, json, &path)?,
                None if ty.may_be_absent() => Val::Option(None),
                None => return Err(path.invalid("missing")),
            };
            values.push((name.to_owned(), value));
        }
        if let Some(unknown) = object.keys().next() {
            let names: Vec<&str> = types.map(|(name, _)| name).take(16).collect();
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(path.invalid(format!("unknown key {}, known: {known}", quoted(unknown))));
        }
        Ok(values)
    }

    fn list(
        &mut self,
        element: &WitType,
        json: Value,
        path: &Path<'_>,
    ) -> Result<Vec<Val>, InvalidArguments> {
        let items = array(json, path)?;
        self.items(element, items, path)
    }

    fn items(
        &mut self,
        element: &WitType,
        items: Vec<Value>,
        path: &Path<'_>,
    ) -> Result<Vec<Val>, InvalidArguments> {
        let items = items.into_iter().enumerate();
        items
            .map(|(index, item)| self.value(element, item, &path.item(index)))
            .collect()
    }

    /// A `list<u8>`: base64, or an array of numbers.
    fn bytes(&mut self, json: Value, path: &Path<'_>) -> Result<Vec<Val>, InvalidArguments> {
        match json {
            Value::String(text) => {
                self.count(text.len() / 4 * 3, path)?;
                let bytes = BASE64.decode(text).map_err(|_| path.expected("base64"))?;
                Ok(bytes.into_iter().map(Val::U8).collect())
            }
            Value::Array(items) => self.items(&WitType::U8, items, path),
            _ => Err(path.expected("base64 string")),
        }
    }

    fn map(
        &mut self,
        key: &WitType,
        value: &WitType,
        json: Value,
        path: &Path<'_>,
    ) -> Result<Vec<(Val, Val)>, InvalidArguments> {
        if *key == WitType::String {
            let object = object(json, path, "object")?;
            self.count(object.len(), path)?;
            let mut pairs = Vec::with_capacity(object.len());
            for (name, json) in object {
                let value = self.value(value, json, &path.key(&name))?;
                pairs.push((Val::String(name), value));
            }
            return Ok(pairs);
        }
        let mut pairs = Vec::new();
        // Two spellings of one key are one key, so what is compared is what was parsed.
        let mut seen = HashSet::new();
        for (index, item) in array(json, path)?.into_iter().enumerate() {
            let path = path.item(index);
            let [name, json]: [Value; 2] = array(item, &path)?
                .try_into()
                .map_err(|_| path.expected("array [key, value]"))?;
            let name = self.value(key, name, &path.item(0))?;
            let value = self.value(value, json, &path.item(1))?;
            if !seen.insert(format!("{name:?}")) {
                return Err(path.invalid("the key is there twice"));
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }

    fn result(
        &mut self,
        ok: Option<&WitType>,
        err: Option<&WitType>,
        json: Value,
        path: &Path<'_>,
    ) -> Result<Val, InvalidArguments> {
        const SHAPE: &str = "object {ok: …} or {err: …}";
        let mut wrapper = object(json, path, SHAPE)?;
        let (ok_json, err_json) = (wrapper.remove("ok"), wrapper.remove("err"));
        match (ok_json, err_json, wrapper.is_empty()) {
            (Some(json), None, true) => Ok(Val::Result(Ok(self.payload(
                ok,
                json,
                &path.field("ok"),
            )?))),
            (None, Some(json), true) => Ok(Val::Result(Err(self.payload(
                err,
                json,
                &path.field("err"),
            )?))),
            _ => Err(path.expected(SHAPE)),
        }
    }

    fn payload(
        &mut self,
        ty: Option<&WitType>,
        json: Value,
        path: &Path<'_>,
    ) -> Result<Option<Box<Val>>, InvalidArguments> {
        match (ty, json) {
            (Some(ty), json) => Ok(Some(Box::new(self.value(ty, json, path)?))),
            (None, Value::Null) => Ok(None),
            (None, _) => Err(path.expected("null")),
        }
    }

    fn variant(
        &mut self,
        variant: &crate::wit::Variant,
        json: Value,
        path: &Path<'_>,
    ) -> Result<Val, InvalidArguments> {
        let mut object = object(json, path, "object {tag: …, val: …}")?;
        let known = || {
            let names: Vec<&str> = variant
                .cases
                .iter()
                .map(|case| case.name.as_str())
                .take(16)
                .collect();
            format!("one of {}", names.join(", "))
        };
        let tag_path = path.field("tag");
        let tag = match object.remove("tag") {
            Some(Value::String(tag)) => tag,
            Some(_) => return Err(tag_path.expected(known())),
            None => return Err(tag_path.invalid("missing")),
        };
        let Some(case) = variant.cases.iter().find(|case| case.name == tag) else {
            return Err(tag_path.expected(known()));
        };
        let val_path = path.field("val");
        let payload = match (&case.ty, object.remove("val")) {
            (Some(ty), Some(json)) => Some(Box::new(self.value(ty, json, &val_path)?)),
            (Some(ty), None) if ty.may_be_absent() => Some(Box::new(Val::Option(None))),
            (Some(_), None) => return Err(val_path.invalid("missing")),
            (None, Some(_)) => return Err(val_path.invalid("this case has no value")),
            (None, None) => None,
        };
        if let Some(unknown) = object.keys().next() {
            return Err(path.invalid(format!("unknown key {}, known: tag, val", quoted(unknown))));
        }
        Ok(Val::Variant(tag, payload))
    }
}

fn string(
    json: Value,
    path: &Path<'_>,
    what: impl fmt::Display,
) -> Result<String, InvalidArguments> {
    match json {
        Value::String(text) => Ok(text),
        _ => Err(path.expected(what)),
    }
}

fn array(json: Value, path: &Path<'_>) -> Result<Vec<Value>, InvalidArguments> {
    match json {
        Value::Array(items) => Ok(items),
        _ => Err(path.expected("array")),
    }
}

fn object(
    json: Value,
    path: &Path<'_>,
    what: &str,
) -> Result<Map<String, Value>, InvalidArguments> {
    match json {
        Value::Object(object) => Ok(object),
        _ => Err(path.expected(what)),
    }
}

fn one_of(labels: &[Label]) -> String {
    let names: Vec<&str> = labels
        .iter()
        .map(|label| label.name.as_str())
        .take(16)
        .collect();
    format!("one of {}", names.join(", "))
}

/// The integer that a JSON number is, if it is one that JSON clients agree on.
///
/// `1.0` and `-0` are integers to JSON Schema. Beyond 2^53 a number with a fraction part was rounded
/// by whoever parsed it, so it is none.
fn whole(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = number.as_f64()?;
    #[expect(clippy::cast_precision_loss, reason = "exact: 2^53 - 1")]
    let exact = value.fract() == 0.0 && value.abs() <= MAX_SAFE_INTEGER as f64;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    exact.then_some(value as i128)
}

/// An integer of at most 32 bits.
fn small<T: TryFrom<i128> + fmt::Display>(
    json: &Value,
    path: &Path<'_>,
    min: T,
    max: T,
) -> Result<T, InvalidArguments> {
    let Value::Number(number) = json else {
        return Err(path.expected("integer"));
    };
    let Some(value) = whole(number) else {
        return Err(path.expected("integer"));
    };
    T::try_from(value).map_err(|_| path.expected(format_args!("integer from {min} to {max}")))
}

/// A 64-bit integer: a number or a string of decimal digits.
fn large<T: TryFrom<i128> + fmt::Display>(
    json: &Value,
    path: &Path<'_>,
    min: T,
    max: T,
) -> Result<T, InvalidArguments> {
    let value = match json {
        Value::Number(number) => whole(number),
        Value::String(text) if is_decimal(text) => text.parse().ok(),
        _ => None,
    };
    let Some(value) = value else {
        return Err(path.expected("integer"));
    };
    T::try_from(value).map_err(|_| path.expected(format_args!("integer from {min} to {max}")))
}

/// Whether `text` is the one decimal spelling of an integer of at most 20 digits.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => text == "0",
        [first, ..] => *first != b'0',
        [] => false,
    };
    canonical && digits.len() <= 20 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn f64_value(json: &Value, path: &Path<'_>) -> Result<f64, InvalidArguments> {
    let number = match json {
        Value::Number(number) => number,
        Value::String(text) => {
            return special(text).ok_or_else(|| path.expected("number"));
        }
        _ => return Err(path.expected("number")),
    };
    let value = number.as_f64().ok_or_else(|| path.expected("number"))?;
    #[expect(clippy::cast_possible_truncation, reason = "compared for exactness")]
    let rounded = !number.is_f64() && whole(number) != Some(value as i128);
    if rounded {
        return Err(path.expected("number that 64 bits of floating point hold exactly"));
    }
    Ok(value)
}

fn f32_value(json: &Value, path: &Path<'_>) -> Result<f32, InvalidArguments> {
    let value = f64_value(json, path)?;
    #[expect(clippy::cast_possible_truncation, reason = "checked below")]
    let narrow = value as f32;
    // The range that the schema gives: a little beyond it would still round to the largest value.
    if value.is_finite() && value.abs() > f64::from(f32::MAX) {
        return Err(path.expected("number in the range of 32-bit floating point"));
    }
    // A fraction is rounded by its nature; an integer, or what vanishes, would be another value.
    let integer = json.as_number().is_some_and(|number| !number.is_f64());
    let changed = f64::from(narrow) != value;
    if changed && !value.is_nan() && (integer || narrow == 0.0) {
        return Err(path.expected("number that 32 bits of floating point hold exactly"));
    }
    Ok(narrow)
}

fn special(text: &str) -> Option<f64> {
    match text {
        NAN => Some(f64::NAN),
        INFINITY => Some(f64::INFINITY),
        NEGATIVE_INFINITY => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
