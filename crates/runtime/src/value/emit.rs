//! Component values → JSON results.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

use super::{INFINITY, MAX_SAFE_INTEGER, NAN, NEGATIVE_INFINITY};
use crate::wit::{FunctionType, WitType};

/// Why a result cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// Its JSON would be longer than allowed; the reason is `limit.output`.
    #[error("{bytes} bytes of JSON so far, {max_bytes} allowed")]
    TooLarge {
        /// What was counted when it stopped: the result is at least as long.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// It is not of the function's type, which Wasmtime rules out; the reason is `internal`.
    #[error("the result is not of the function's type")]
    Mismatch,
}

/// What a function gave back, as structured content.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// Success: `{"result": …}`.
    Ok(Value),
    /// The `err` of a `result<T, E>`: `{"error": …}`.
    Err(Value),
}

/// The structured content of a call, which validates against the function's output schema.
///
/// `max_bytes` bounds the whole as compact JSON.
///
/// # Errors
///
/// See [`EmitError`].
pub fn returned(
    function: &FunctionType,
    results: &[Val],
    max_bytes: u64,
) -> Result<Returned, EmitError> {
    let mut emitter = Emitter {
        left: max_bytes,
        max_bytes,
    };
    match (&function.result, results) {
        (None, []) => Ok(Returned::Ok(emitter.wrapped("result", None, None)?)),
        (Some(WitType::Result { ok, .. }), [Val::Result(Ok(value))]) => Ok(Returned::Ok(
            emitter.wrapped("result", ok.as_deref(), value.as_deref())?,
        )),
        (Some(WitType::Result { err, .. }), [Val::Result(Err(value))]) => Ok(Returned::Err(
            emitter.wrapped("error", err.as_deref(), value.as_deref())?,
        )),
        (Some(ty), [value]) => Ok(Returned::Ok(emitter.wrapped(
            "result",
            Some(ty),
            Some(value),
        )?)),
        _ => Err(EmitError::Mismatch),
    }
}

/// One value as JSON, at most `max_bytes` long as compact JSON.
///
/// # Errors
///
/// See [`EmitError`].
pub fn result_to_json(ty: &WitType, value: &Val, max_bytes: u64) -> Result<Value, EmitError> {
    Emitter {
        left: max_bytes,
        max_bytes,
    }
    .value(ty, value)
}

/// Converts and charges each byte of the JSON before it makes it.
struct Emitter {
    left: u64,
    max_bytes: u64,
}

impl Emitter {
    fn charge(&mut self, bytes: usize) -> Result<(), EmitError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(EmitError::TooLarge {
                bytes: (self.max_bytes - self.left).saturating_add(bytes),
                max_bytes: self.max_bytes,
            }),
        }
    }

    fn value(&mut self, ty: &WitType, value: &Val) -> Result<Value, EmitError> {
        match (ty, value) {
            (WitType::Bool, Val::Bool(value)) => {
                self.charge(if *value { 4 } else { 5 })?;
                Ok(Value::Bool(*value))
            }
            (WitType::S8, Val::S8(value)) => self.number(Number::from(*value)),
            (WitType::U8, Val::U8(value)) => self.number(Number::from(*value)),
            (WitType::S16, Val::S16(value)) => self.number(Number::from(*value)),
            (WitType::U16, Val::U16(value)) => self.number(Number::from(*value)),
            (WitType::S32, Val::S32(value)) => self.number(Number::from(*value)),
            (WitType::U32, Val::U32(value)) => self.number(Number::from(*value)),
            (WitType::S64, Val::S64(value)) if value.unsigned_abs() <= MAX_SAFE_INTEGER => {
                self.number(Number::from(*value))
            }
            (WitType::S64, Val::S64(value)) => self.text(&value.to_string()),
            (WitType::U64, Val::U64(value)) if *value <= MAX_SAFE_INTEGER => {
                self.number(Number::from(*value))
            }
            (WitType::U64, Val::U64(value)) => self.text(&value.to_string()),
            (WitType::F32, Val::Float32(value)) => self.float(shortest(*value)),
            (WitType::F64, Val::Float64(value)) => self.float(*value),
            (WitType::Char, Val::Char(value)) => self.text(value.encode_utf8(&mut [0; 4])),
            (WitType::String, Val::String(value)) => self.text(value),
            (WitType::List(element), Val::List(items)) if **element == WitType::U8 => {
                // Charged by its length before it is collected.
                self.charge(2 + items.len().div_ceil(3) * 4)?;
                let bytes = items.iter().map(|item| match item {
                    Val::U8(byte) => Ok(*byte),
                    _ => Err(EmitError::Mismatch),
                });
                Ok(Value::String(
                    STANDARD.encode(bytes.collect::<Result<Vec<u8>, _>>()?),
                ))
            }
            (WitType::List(element), Val::List(items)) => {
                self.array(items.iter().map(|item| (&**element, item)))
            }
            (WitType::FixedList(element, length), Val::FixedLengthList(items))
                if u32::try_from(items.len()) == Ok(*length) =>
            {
                self.array(items.iter().map(|item| (&**element, item)))
            }
            (WitType::Map(key, value), Val::Map(pairs)) => self.map(key, value, pairs),
            (WitType::Tuple(types), Val::Tuple(items)) if types.len() == items.len() => {
                self.array(types.iter().zip(items))
            }
            (WitType::Option(_), Val::Option(None)) => self.null(),
            (WitType::Option(inner), Val::Option(Some(value))) if inner.takes_null() => {
                self.wrapped("some", Some(inner), Some(value))
            }
            (WitType::Option(inner), Val::Option(Some(value))) => self.value(inner, value),
            (WitType::Result { ok, .. }, Val::Result(Ok(value))) => {
                self.wrapped("ok", ok.as_deref(), value.as_deref())
            }
            (WitType::Result { err, .. }, Val::Result(Err(value))) => {
                self.wrapped("err", err.as_deref(), value.as_deref())
            }
            (WitType::Record(record), Val::Record(fields))
                if record.fields.len() == fields.len() =>
            {
                self.charge(1)?;
                let mut object = Map::new();
                for (field, (name, value)) in record.fields.iter().zip(fields) {
                    if field.name != *name {
                        return Err(EmitError::Mismatch);
                    }
                    self.property(&mut object, name, |emitter| emitter.value(&field.ty, value))?;
                }
                self.charge(1)?;
                Ok(Value::Object(object))
            }
            (WitType::Variant(variant), Val::Variant(tag, value)) => {
                let case = variant.cases.iter().find(|case| case.name == *tag);
                let case = case.ok_or(EmitError::Mismatch)?;
                self.charge(1)?;
                let mut object = Map::new();
                self.property(&mut object, "tag", |emitter| emitter.text(tag))?;
                match (&case.ty, value) {
                    (Some(ty), Some(value)) => {
                        self.property(&mut object, "val", |emitter| emitter.value(ty, value))?;
                    }
                    (None, None) => {}
                    _ => return Err(EmitError::Mismatch),
                }
                self.charge(1)?;
                Ok(Value::Object(object))
            }
            (WitType::Enum(labels), Val::Enum(name))
                if labels.labels.iter().any(|label| label.name == *name) =>
            {
                self.text(name)
            }
            (WitType::Flags(labels), Val::Flags(names)) => {
                let known = |name: &String| labels.labels.iter().any(|label| label.name == *name);
                if !names.iter().all(known) {
                    return Err(EmitError::Mismatch);
                }
                self.array(names.iter().map(|name| (&WitType::String, name)))
            }
            _ => Err(EmitError::Mismatch),
        }
    }

    fn null(&mut self) -> Result<Value, EmitError> {
        self.charge(4)?;
        Ok(Value::Null)
    }

    fn number(&mut self, number: Number) -> Result<Value, EmitError> {
        self.charge(number.to_string().len())?;
        Ok(Value::Number(number))
    }

    fn float(&mut self, value: f64) -> Result<Value, EmitError> {
        match Number::from_f64(value) {
            Some(number) => self.number(number),
            None if value.is_nan() => self.text(NAN),
            None if value > 0.0 => self.text(INFINITY),
            None => self.text(NEGATIVE_INFINITY),
        }
    }

    fn text(&mut self, text: &str) -> Result<Value, EmitError> {
        self.charge(json_len(text))?;
        Ok(Value::String(text.to_owned()))
    }

    fn array<'v, V: Emit<'v>>(
        &mut self,
        items: impl Iterator<Item = (&'v WitType, V)>,
    ) -> Result<Value, EmitError> {
        self.charge(2)?;
        let mut array = Vec::new();
        for (ty, item) in items {
            if !array.is_empty() {
                self.charge(1)?;
            }
            array.push(item.emit(self, ty)?);
        }
        Ok(Value::Array(array))
    }

    fn map(
        &mut self,
        key: &WitType,
        value: &WitType,
        pairs: &[(Val, Val)],
    ) -> Result<Value, EmitError> {
        if *key != WitType::String {
            self.charge(2)?;
            let mut array = Vec::new();
            for (name, item) in pairs {
                if !array.is_empty() {
                    self.charge(1)?;
                }
                array.push(self.array([(key, name), (value, item)].into_iter())?);
            }
            return Ok(Value::Array(array));
        }
        self.charge(1)?;
        let mut object = Map::new();
        for (name, item) in pairs {
            let Val::String(name) = name else {
                return Err(EmitError::Mismatch);
            };
            // The component model lets keys repeat; the last one counts.
            self.property(&mut object, name, |emitter| emitter.value(value, item))?;
        }
        self.charge(1)?;
        Ok(Value::Object(object))
    }

    /// `{key: payload}`; `null` where there is no payload.
    fn wrapped(
        &mut self,
        key: &str,
        ty: Option<&WitType>,
        value: Option<&Val>,
    ) -> Result<Value, EmitError> {
        self.charge(2)?;
        let mut object = Map::new();
        self.property(&mut object, key, |emitter| match (ty, value) {
            (Some(ty), Some(value)) => emitter.value(ty, value),
            (None, None) => emitter.null(),
            _ => Err(EmitError::Mismatch),
        })?;
        Ok(Value::Object(object))
    }

    fn property(
        &mut self,
        object: &mut Map<String, Value>,
        name: &str,
        value: impl FnOnce(&mut Self) -> Result<Value, EmitError>,
    ) -> Result<(), EmitError> {
        let comma = usize::from(!object.is_empty());
        self.charge(json_len(name) + 1 + comma)?;
        let value = value(self)?;
        object.insert(name.to_owned(), value);
        Ok(())
    }
}

/// What stands in an array: a value, or the name of a flag.
trait Emit<'v> {
    fn emit(self, emitter: &mut Emitter, ty: &'v WitType) -> Result<Value, EmitError>;
}

impl<'v> Emit<'v> for &'v Val {
    fn emit(self, emitter: &mut Emitter, ty: &'v WitType) -> Result<Value, EmitError> {
        emitter.value(ty, self)
    }
}

impl<'v> Emit<'v> for &'v String {
    fn emit(self, emitter: &mut Emitter, _: &'v WitType) -> Result<Value, EmitError> {
        emitter.text(self)
    }
}

/// Bytes of `text` as a JSON string, quotes and escapes included.
fn json_len(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | 0x08 | b'\t' | b'\n' | 0x0c | b'\r' => 1,
        0x00..=0x1f => 5,
        _ => 0,
    });
    text.len() + 2 + escapes.sum::<usize>()
}

/// The double whose decimal form is the shortest that names `value`: 0.1 rather than
/// 0.10000000149011612.
fn shortest(value: f32) -> f64 {
    let exact = f64::from(value);
    let short = value.to_string().parse().unwrap_or(exact);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "compared: it must come back the same"
    )]
    let same = (short as f32).to_bits() == value.to_bits();
    // The shortest name of the largest value is a little larger than it, and than the schema says.
    let in_range = short.abs() <= f64::from(f32::MAX);
    if same && in_range { short } else { exact }
}
