//! What may a client send and what does it get? JSON Schema (2020-12) of a function's two sides.
//!
//! The schema of a type says exactly what [`value`](crate::value) takes and gives. A declaration that
//! is used more than once stands in `$defs`, so that a schema is as large as the component's types
//! are, not as large as they would be unfolded.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::docs::{MAX_DOCS_BYTES, plain_text};
use crate::wit::{Case, Enum, Flags, FunctionType, Identity, Label, Record, Variant, WitType};

/// Most nodes in one schema.
pub const MAX_SCHEMA_NODES: usize = 4_000;

/// Most bytes of one schema as JSON.
pub const MAX_SCHEMA_BYTES: u64 = 64 * 1024;

/// A schema would be larger than a client could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs a JSON Schema of more than {MAX_SCHEMA_NODES} nodes or {MAX_SCHEMA_BYTES} bytes")]
pub struct SchemaTooLarge;

/// Which way values of a schema travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// To the guest: every spelling that is accepted.
    In,
    /// From the guest: the one spelling that is given.
    Out,
}

/// The schema of a function's arguments: an object with one property per parameter.
///
/// # Errors
///
/// When it exceeds [`MAX_SCHEMA_NODES`] or [`MAX_SCHEMA_BYTES`].
pub fn input_schema(function: &FunctionType) -> Result<Map<String, Value>, SchemaTooLarge> {
    let roots = function.params.iter().map(|param| &param.ty);
    let mut writer = Writer::new(Direction::In, roots);
    let fields = function
        .params
        .iter()
        .map(|param| (param.name.as_str(), &param.ty, param.docs.as_deref()));
    let schema = writer.object(fields)?;
    writer.finish(schema)
}

/// The schema of a function's structured result.
///
/// `{result: …}`; with `result<T, E>` either that or `{error: …}`. A function without result, and an
/// `_` in one, is `null` there.
///
/// # Errors
///
/// When it exceeds [`MAX_SCHEMA_NODES`] or [`MAX_SCHEMA_BYTES`].
pub fn output_schema(function: &FunctionType) -> Result<Map<String, Value>, SchemaTooLarge> {
    let mut writer = Writer::new(Direction::Out, function.result.iter());
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    let mut properties = Map::new();
    match &function.result {
        Some(WitType::Result { ok, err }) => {
            properties.insert("result".to_owned(), writer.payload(ok.as_deref())?);
            properties.insert("error".to_owned(), writer.payload(err.as_deref())?);
            schema.insert("properties".to_owned(), Value::Object(properties));
            let either = json!([{"required": ["result"]}, {"required": ["error"]}]);
            schema.insert("oneOf".to_owned(), either);
        }
        plain => {
            properties.insert("result".to_owned(), writer.payload(plain.as_ref())?);
            schema.insert("properties".to_owned(), Value::Object(properties));
            schema.insert("required".to_owned(), json!(["result"]));
        }
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    writer.finish(schema)
}

/// Bytes of a schema or a value as compact JSON, counted without making the text.
pub(crate) fn byte_len(json: &impl serde::Serialize) -> u64 {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, json) {
        Ok(()) => count.0,
        Err(_) => u64::MAX,
    }
}

/// Anonymous types up to this many nodes are repeated rather than named.
const SMALL: usize = 4;

/// What the writer knows about a declaration.
struct Node {
    /// How often it is used.
    uses: usize,
    /// How many nodes its schema has, where larger shared ones inside count as one.
    size: usize,
}

struct Writer {
    direction: Direction,
    nodes: HashMap<Identity, Node>,
    names: HashMap<Identity, String>,
    taken: HashSet<String>,
    definitions: Map<String, Value>,
    written: usize,
}

impl Writer {
    fn new<'t>(direction: Direction, roots: impl Iterator<Item = &'t WitType>) -> Self {
        let mut nodes = HashMap::new();
        for root in roots {
            // What stands directly in `result` of a function is unfolded by `output_schema`.
            match root {
                WitType::Result { .. } if direction == Direction::Out => {
                    root.for_each_child(|inner| {
                        measure(inner, &mut nodes);
                    });
                }
                _ => {
                    measure(root, &mut nodes);
                }
            }
        }
        Self {
            direction,
            nodes,
            names: HashMap::new(),
            taken: HashSet::new(),
            definitions: Map::new(),
            written: 0,
        }
    }

    fn finish(self, mut schema: Map<String, Value>) -> Result<Map<String, Value>, SchemaTooLarge> {
        if !self.definitions.is_empty() {
            schema.insert("$defs".to_owned(), Value::Object(self.definitions));
        }
        if byte_len(&schema) > MAX_SCHEMA_BYTES {
            return Err(SchemaTooLarge);
        }
        Ok(schema)
    }

    /// The schema of a payload that may be missing (`_`): then `null`.
    fn payload(&mut self, ty: Option<&WitType>) -> Result<Value, SchemaTooLarge> {
        ty.map_or_else(|| Ok(json!({"type": "null"})), |ty| self.schema(ty))
    }

    /// A type where it is used: a reference if it is shared, else the type itself.
    fn schema(&mut self, ty: &WitType) -> Result<Value, SchemaTooLarge> {
        self.written += 1;
        if self.written > MAX_SCHEMA_NODES {
            return Err(SchemaTooLarge);
        }
        let Some(identity) = ty.identity() else {
            return self.body(ty);
        };
        if !self
            .nodes
            .get(&identity)
            .is_some_and(|node| is_shared(ty, node))
        {
            return self.body(ty);
        }
        let name = match self.names.get(&identity) {
            Some(name) => name.clone(),
            None => {
                let name = self.free_name(ty);
                self.names.insert(identity, name.clone());
                // Its place first, so that the order is that of first use.
                self.definitions.insert(name.clone(), Value::Null);
                let body = self.body(ty)?;
                self.definitions.insert(name.clone(), body);
                name
            }
        };
        Ok(json!({"$ref": format!("#/$defs/{name}")}))
    }

    fn free_name(&mut self, ty: &WitType) -> String {
        let wanted = match ty {
            WitType::Record(record) => record.name.as_str(),
            WitType::Variant(variant) => variant.name.as_str(),
            WitType::Enum(labels) => labels.name.as_str(),
            WitType::Flags(labels) => labels.name.as_str(),
            WitType::Tuple(_) => "tuple",
            WitType::Map(..) => "map",
            WitType::Option(_) => "option",
            WitType::Result { .. } => "result",
            _ => "list",
        };
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}-{number}");
            number += 1;
        }
        name
    }

    /// A type in full. Each kind has its own function: this one recurses, so its frame is small.
    fn body(&mut self, ty: &WitType) -> Result<Value, SchemaTooLarge> {
        match ty {
            WitType::List(element) if **element == WitType::U8 => Ok(bytes(self.direction)),
            WitType::List(element) => self.schema(element).map(list),
            WitType::FixedList(element, length) => {
                self.schema(element).map(|items| fixed_list(items, *length))
            }
            WitType::Map(key, value) => self.map(key, value),
            WitType::Tuple(items) => self.tuple(items),
            WitType::Option(inner) if inner.takes_null() => {
                self.wrapper("some", Some(inner)).map(nullable)
            }
            WitType::Option(inner) => self.schema(inner).map(nullable),
            WitType::Result { ok, err } => {
                let ok = self.wrapper("ok", ok.as_deref())?;
                let err = self.wrapper("err", err.as_deref())?;
                Ok(one_of(vec![ok, err]))
            }
            WitType::Record(record) => self.record(record),
            WitType::Variant(variant) => self.variant(variant),
            WitType::Enum(labels) => self.enumeration(labels),
            WitType::Flags(labels) => self.flags(labels),
            primitive => Ok(primitive_schema(primitive)),
        }
    }

    fn map(&mut self, key: &WitType, value: &WitType) -> Result<Value, SchemaTooLarge> {
        if *key == WitType::String {
            return self.schema(value).map(object_of);
        }
        let pair = vec![self.schema(key)?, self.schema(value)?];
        Ok(list(tuple(pair)))
    }

    fn tuple(&mut self, types: &[WitType]) -> Result<Value, SchemaTooLarge> {
        let mut items = Vec::with_capacity(types.len());
        for ty in types {
            items.push(self.schema(ty)?);
        }
        Ok(tuple(items))
    }

    fn record(&mut self, record: &Record) -> Result<Value, SchemaTooLarge> {
        let fields = record.fields.iter();
        let fields = fields.map(|field| (field.name.as_str(), &field.ty, field.docs.as_deref()));
        let mut schema = self.object(fields)?;
        describe(&mut schema, record.docs.as_deref());
        Ok(Value::Object(schema))
    }

    fn variant(&mut self, variant: &Variant) -> Result<Value, SchemaTooLarge> {
        let mut branches = Vec::with_capacity(variant.cases.len());
        for case in &variant.cases {
            branches.push(self.case(case)?);
        }
        let mut schema = Map::new();
        schema.insert("oneOf".to_owned(), Value::Array(branches));
        describe(&mut schema, variant.docs.as_deref());
        Ok(Value::Object(schema))
    }

    fn enumeration(&mut self, labels: &Enum) -> Result<Value, SchemaTooLarge> {
        self.count(labels.labels.len())?;
        let mut schema = choices(&labels.labels);
        describe(
            &mut schema,
            labels_docs(labels.docs.as_deref(), &labels.labels).as_deref(),
        );
        Ok(Value::Object(schema))
    }

    fn flags(&mut self, labels: &Flags) -> Result<Value, SchemaTooLarge> {
        self.count(labels.labels.len())?;
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("array"));
        schema.insert("items".to_owned(), Value::Object(choices(&labels.labels)));
        schema.insert("uniqueItems".to_owned(), json!(true));
        describe(
            &mut schema,
            labels_docs(labels.docs.as_deref(), &labels.labels).as_deref(),
        );
        Ok(Value::Object(schema))
    }

    /// Counts nodes that have no type of their own.
    fn count(&mut self, more: usize) -> Result<(), SchemaTooLarge> {
        self.written += more;
        if self.written > MAX_SCHEMA_NODES {
            Err(SchemaTooLarge)
        } else {
            Ok(())
        }
    }

    fn case(&mut self, case: &Case) -> Result<Value, SchemaTooLarge> {
        self.count(1)?;
        let mut properties = Map::new();
        properties.insert("tag".to_owned(), json!({"const": case.name}));
        let mut required = vec![json!("tag")];
        if let Some(ty) = &case.ty {
            properties.insert("val".to_owned(), self.schema(ty)?);
            if !ty.may_be_absent() {
                required.push(json!("val"));
            }
        }
        let mut schema = closed(properties, required);
        describe(&mut schema, case.docs.as_deref());
        Ok(Value::Object(schema))
    }

    /// `{key: payload}` and nothing else.
    fn wrapper(&mut self, key: &str, payload: Option<&WitType>) -> Result<Value, SchemaTooLarge> {
        self.count(1)?;
        let mut properties = Map::new();
        properties.insert(key.to_owned(), self.payload(payload)?);
        Ok(Value::Object(closed(properties, vec![json!(key)])))
    }

    /// An object with these fields and no others.
    fn object<'t>(
        &mut self,
        fields: impl Iterator<Item = (&'t str, &'t WitType, Option<&'t str>)>,
    ) -> Result<Map<String, Value>, SchemaTooLarge> {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, ty, docs) in fields {
            let mut schema = self.schema(ty)?;
            if let Value::Object(schema) = &mut schema {
                // Nearer to the use than the words about the type.
                describe(schema, docs);
            }
            properties.insert(name.to_owned(), schema);
            if !ty.may_be_absent() {
                required.push(json!(name));
            }
        }
        Ok(closed(properties, required))
    }
}

/// Whether a declaration goes to `$defs`.
fn is_shared(ty: &WitType, node: &Node) -> bool {
    let named = matches!(
        ty,
        WitType::Record(_) | WitType::Variant(_) | WitType::Enum(_) | WitType::Flags(_)
    );
    node.uses > 1 && (named || node.size > SMALL)
}

/// Counts uses and sizes below `ty`, each declaration once; returns the size where it is used.
fn measure(ty: &WitType, nodes: &mut HashMap<Identity, Node>) -> usize {
    let Some(identity) = ty.identity() else {
        return 1;
    };
    if let Some(node) = nodes.get_mut(&identity) {
        node.uses += 1;
        return if is_shared(ty, node) { 1 } else { node.size };
    }
    let mut size = 1_usize;
    ty.for_each_child(|inner| size = size.saturating_add(measure(inner, nodes)));
    nodes.insert(identity, Node { uses: 1, size });
    size
}

/// The schema of a type that has no types inside.
fn primitive_schema(ty: &WitType) -> Value {
    match ty {
        WitType::Bool => json!({"type": "boolean"}),
        WitType::S8 => integer(i8::MIN.into(), i8::MAX.into()),
        WitType::U8 => integer(0, u8::MAX.into()),
        WitType::S16 => integer(i16::MIN.into(), i16::MAX.into()),
        WitType::U16 => integer(0, u16::MAX.into()),
        WitType::S32 => integer(i32::MIN.into(), i32::MAX.into()),
        WitType::U32 => integer(0, u32::MAX.into()),
        WitType::S64 => json!({
            "type": ["integer", "string"],
            "minimum": i64::MIN,
            "maximum": i64::MAX,
            "pattern": "^(0|-?[1-9][0-9]{0,18})$",
        }),
        WitType::U64 => json!({
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": u64::MAX,
            "pattern": "^(0|[1-9][0-9]{0,19})$",
        }),
        WitType::F32 => json!({
            "type": ["number", "string"],
            "minimum": f64::from(f32::MIN),
            "maximum": f64::from(f32::MAX),
            "pattern": "^(NaN|-?Infinity)$",
        }),
        WitType::F64 => json!({"type": ["number", "string"], "pattern": "^(NaN|-?Infinity)$"}),
        WitType::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        WitType::String => json!({"type": "string"}),
        // Not reached: they have schemas of their own. `false` allows nothing.
        WitType::List(_)
        | WitType::FixedList(..)
        | WitType::Map(..)
        | WitType::Tuple(_)
        | WitType::Option(_)
        | WitType::Result { .. }
        | WitType::Record(_)
        | WitType::Variant(_)
        | WitType::Enum(_)
        | WitType::Flags(_) => json!(false),
    }
}

fn bytes(direction: Direction) -> Value {
    match direction {
        Direction::In => json!({
            "type": ["string", "array"],
            "contentEncoding": "base64",
            "items": integer(0, u8::MAX.into()),
        }),
        Direction::Out => json!({"type": "string", "contentEncoding": "base64"}),
    }
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn fixed_list(items: Value, length: u32) -> Value {
    json!({"type": "array", "items": items, "minItems": length, "maxItems": length})
}

fn object_of(values: Value) -> Value {
    json!({"type": "object", "additionalProperties": values})
}

fn one_of(branches: Vec<Value>) -> Value {
    json!({"oneOf": branches})
}

fn integer(minimum: i64, maximum: i64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

fn tuple(items: Vec<Value>) -> Value {
    let length = items.len();
    json!({
        "type": "array",
        "prefixItems": items,
        "items": false,
        "minItems": length,
        "maxItems": length,
    })
}

fn closed(properties: Map<String, Value>, required: Vec<Value>) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn choices(labels: &[Label]) -> Map<String, Value> {
    let names: Vec<&str> = labels.iter().map(|label| label.name.as_str()).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), json!(names));
    schema
}

/// Words about an enumeration with those about its labels, which a schema has no place for.
fn labels_docs(docs: Option<&str>, labels: &[Label]) -> Option<String> {
    let lines = labels.iter().filter_map(|label| {
        label
            .docs
            .as_ref()
            .map(|docs| format!("- {}: {}", label.name, docs.replace('\n', " ")))
    });
    let lines: Vec<String> = docs.map(str::to_owned).into_iter().chain(lines).collect();
    (!lines.is_empty()).then(|| plain_text(&lines.join("\n"), MAX_DOCS_BYTES))
}

fn describe(schema: &mut Map<String, Value>, docs: Option<&str>) {
    if let Some(docs) = docs {
        schema.insert("description".to_owned(), json!(docs));
    }
}

/// `schema` or null.
fn nullable(schema: Value) -> Value {
    match schema {
        Value::Object(mut schema) if schema.contains_key("type") => {
            let types = match schema.shift_remove("type") {
                Some(Value::Array(types)) => types.into_iter().chain([json!("null")]).collect(),
                Some(single) => vec![single, json!("null")],
                None => vec![json!("null")],
            };
            // `type` stays first.
            let mut out = Map::new();
            out.insert("type".to_owned(), Value::Array(types));
            if let Some(Value::Array(choices)) = schema.get_mut("enum") {
                choices.push(Value::Null);
            }
            out.append(&mut schema);
            Value::Object(out)
        }
        other => json!({"anyOf": [other, {"type": "null"}]}),
    }
}

#[cfg(test)]
mod tests;
