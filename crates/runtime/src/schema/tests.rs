#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use super::*;
use crate::wit::{Field, Parameter};

fn label(name: &str) -> Label {
    Label {
        name: name.to_owned(),
        docs: None,
    }
}

fn record(name: &str, fields: &[(&str, WitType)]) -> WitType {
    let fields = fields
        .iter()
        .map(|(name, ty)| Field {
            name: (*name).to_owned(),
            ty: ty.clone(),
            docs: None,
        })
        .collect();
    WitType::Record(Arc::new(Record {
        name: name.to_owned(),
        docs: None,
        fields,
    }))
}

fn option(inner: WitType) -> WitType {
    WitType::Option(Arc::new(inner))
}

fn list_of(inner: WitType) -> WitType {
    WitType::List(Arc::new(inner))
}

fn function(params: &[(&str, WitType)], result: Option<WitType>) -> FunctionType {
    let params = params
        .iter()
        .map(|(name, ty)| Parameter {
            name: (*name).to_owned(),
            ty: ty.clone(),
            docs: None,
        })
        .collect();
    FunctionType { params, result }
}

/// The schema of one parameter `x`.
fn of(ty: WitType) -> Value {
    let mut schema = input_schema(&function(&[("x", ty)], None)).unwrap();
    schema
        .get_mut("properties")
        .unwrap()
        .get_mut("x")
        .unwrap()
        .take()
}

#[test]
fn each_type_has_the_schema_of_the_contract() {
    use WitType as T;
    let table = [
        (T::Bool, json!({"type": "boolean"})),
        (
            T::S8,
            json!({"type": "integer", "minimum": -128, "maximum": 127}),
        ),
        (
            T::U32,
            json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32}),
        ),
        (
            T::U64,
            json!({"type": ["integer", "string"], "minimum": 0, "maximum": u64::MAX,
                "pattern": "^(0|[1-9][0-9]{0,19})$"}),
        ),
        (
            T::F64,
            json!({"type": ["number", "string"], "pattern": "^(NaN|-?Infinity)$"}),
        ),
        (
            T::Char,
            json!({"type": "string", "minLength": 1, "maxLength": 1}),
        ),
        (
            list_of(T::String),
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        (
            T::FixedList(Arc::new(T::Bool), 3),
            json!({"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3}),
        ),
        (
            T::Map(Arc::new(T::String), Arc::new(T::Bool)),
            json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
        ),
        (
            T::Map(Arc::new(T::Char), Arc::new(T::Bool)),
            json!({"type": "array", "items": {"type": "array", "prefixItems": [
                {"type": "string", "minLength": 1, "maxLength": 1}, {"type": "boolean"}],
                "items": false, "minItems": 2, "maxItems": 2}}),
        ),
        (
            T::Tuple([T::Bool, T::String].into()),
            json!({"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "string"}],
                "items": false, "minItems": 2, "maxItems": 2}),
        ),
        (option(T::String), json!({"type": ["string", "null"]})),
        (
            option(option(T::String)),
            json!({"type": ["object", "null"], "properties": {"some": {"type": ["string", "null"]}},
                "required": ["some"], "additionalProperties": false}),
        ),
        (
            T::Result {
                ok: Some(Arc::new(T::Bool)),
                err: None,
            },
            json!({"oneOf": [
                {"type": "object", "properties": {"ok": {"type": "boolean"}},
                    "required": ["ok"], "additionalProperties": false},
                {"type": "object", "properties": {"err": {"type": "null"}},
                    "required": ["err"], "additionalProperties": false}]}),
        ),
        (
            record("r", &[("a", T::Bool), ("b", option(T::Bool))]),
            json!({"type": "object", "properties": {"a": {"type": "boolean"},
                "b": {"type": ["boolean", "null"]}}, "required": ["a"], "additionalProperties": false}),
        ),
        (
            T::Enum(Arc::new(Enum {
                name: "e".into(),
                docs: None,
                labels: vec![label("a"), label("b")],
            })),
            json!({"type": "string", "enum": ["a", "b"]}),
        ),
        (
            T::Flags(Arc::new(Flags {
                name: "f".into(),
                docs: None,
                labels: vec![label("a"), label("b")],
            })),
            json!({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "uniqueItems": true}),
        ),
        (
            T::Variant(Arc::new(Variant {
                name: "v".into(),
                docs: None,
                cases: vec![
                    Case {
                        name: "a".into(),
                        ty: None,
                        docs: None,
                    },
                    Case {
                        name: "b".into(),
                        ty: Some(T::Bool),
                        docs: None,
                    },
                ],
            })),
            json!({"oneOf": [
                {"type": "object", "properties": {"tag": {"const": "a"}},
                    "required": ["tag"], "additionalProperties": false},
                {"type": "object", "properties": {"tag": {"const": "b"}, "val": {"type": "boolean"}},
                    "required": ["tag", "val"], "additionalProperties": false}]}),
        ),
    ];
    for (ty, schema) in table {
        assert_eq!(of(ty.clone()), schema, "{ty:?}");
    }
}

#[test]
fn bytes_are_base64_and_arrays_are_taken_too() {
    let ty = list_of(WitType::U8);
    let input = of(ty.clone());
    assert_eq!(input["type"], json!(["string", "array"]));
    assert_eq!(input["contentEncoding"], "base64");
    let output = output_schema(&function(&[], Some(ty))).unwrap();
    let result = json!({"type": "string", "contentEncoding": "base64"});
    assert_eq!(output["properties"]["result"], result);
}

#[test]
fn a_function_result_is_either_result_or_error() {
    let plain = output_schema(&function(&[], Some(WitType::Bool))).unwrap();
    assert_eq!(
        Value::Object(plain),
        json!({"type": "object", "properties": {"result": {"type": "boolean"}},
            "required": ["result"], "additionalProperties": false})
    );
    let nothing = output_schema(&function(&[], None)).unwrap();
    assert_eq!(nothing["properties"], json!({"result": {"type": "null"}}));
    let ty = WitType::Result {
        ok: None,
        err: Some(Arc::new(WitType::String)),
    };
    let fallible = output_schema(&function(&[], Some(ty))).unwrap();
    assert_eq!(
        Value::Object(fallible),
        json!({"type": "object", "properties": {"result": {"type": "null"}, "error": {"type": "string"}},
            "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
            "additionalProperties": false})
    );
}

#[test]
fn shared_types_are_definitions_and_others_are_not() {
    let point = record("point", &[("x", WitType::S32)]);
    let once = input_schema(&function(&[("a", point.clone())], None)).unwrap();
    assert!(!once.contains_key("$defs"));

    let other = record("point", &[("y", WitType::S32)]);
    let params = [
        ("a", point.clone()),
        ("b", list_of(point)),
        ("c", option(other.clone())),
        ("d", other),
    ];
    let schema = Value::Object(input_schema(&function(&params, None)).unwrap());
    assert_eq!(schema["properties"]["a"], json!({"$ref": "#/$defs/point"}));
    assert_eq!(
        schema["properties"]["b"]["items"],
        json!({"$ref": "#/$defs/point"})
    );
    assert_eq!(
        schema["properties"]["c"],
        json!({"anyOf": [{"$ref": "#/$defs/point-2"}, {"type": "null"}]})
    );
    assert_eq!(
        schema["$defs"]["point"]["properties"],
        json!({"x": of(WitType::S32)})
    );
    assert_eq!(
        schema["$defs"]["point-2"]["properties"],
        json!({"y": of(WitType::S32)})
    );
    assert_eq!(schema["required"], json!(["a", "b", "d"]));
    assert_eq!(
        byte_len(schema.as_object().unwrap()),
        schema.to_string().len() as u64
    );
}

#[test]
fn s010_the_schema_is_as_small_as_the_types() {
    let mut ty = WitType::Tuple([WitType::U8, WitType::U8].into());
    for _ in 0..20 {
        ty = WitType::Tuple([ty.clone(), ty].into());
    }
    let schema = input_schema(&function(&[("x", ty)], None)).unwrap();
    assert!(byte_len(&schema) < 4_096);

    let label = |index| label(&format!("label-{index}"));
    let labels = (0..5_000).map(label).collect();
    let many = WitType::Enum(Arc::new(Enum {
        name: "e".into(),
        docs: None,
        labels,
    }));
    assert_eq!(
        input_schema(&function(&[("x", many)], None)),
        Err(SchemaTooLarge)
    );
}
