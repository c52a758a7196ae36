#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use wasmtime::component::Val;

use super::*;
use crate::schema::{byte_len, input_schema, output_schema};
use crate::wit::{
    Case, Enum, Field, Flags, FunctionType, Label, Parameter, Record, Variant, WitType,
};

use WitType as T;

fn label(name: &str) -> Label {
    Label {
        name: name.to_owned(),
        docs: None,
    }
}

fn list(inner: T) -> T {
    T::List(Arc::new(inner))
}

fn option(inner: T) -> T {
    T::Option(Arc::new(inner))
}

fn result(ok: Option<T>, err: Option<T>) -> T {
    T::Result {
        ok: ok.map(Arc::new),
        err: err.map(Arc::new),
    }
}

fn record(fields: &[(&str, T)]) -> T {
    let fields = fields
        .iter()
        .map(|(name, ty)| Field {
            name: (*name).to_owned(),
            ty: ty.clone(),
            docs: None,
        })
        .collect();
    T::Record(Arc::new(Record {
        name: "point".to_owned(),
        docs: None,
        fields,
    }))
}

fn enumeration(names: &[&str]) -> T {
    let labels = names.iter().map(|name| label(name)).collect();
    T::Enum(Arc::new(Enum {
        name: "colour".to_owned(),
        docs: None,
        labels,
    }))
}

fn flags(names: &[&str]) -> T {
    let labels = names.iter().map(|name| label(name)).collect();
    T::Flags(Arc::new(Flags {
        name: "style".to_owned(),
        docs: None,
        labels,
    }))
}

fn variant(cases: &[(&str, Option<T>)]) -> T {
    let cases = cases
        .iter()
        .map(|(name, ty)| Case {
            name: (*name).to_owned(),
            ty: ty.clone(),
            docs: None,
        })
        .collect();
    T::Variant(Arc::new(Variant {
        name: "shape".to_owned(),
        docs: None,
        cases,
    }))
}

fn function(params: &[(&str, T)], result: Option<T>) -> FunctionType {
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

/// The value of one parameter `x`.
fn parse(ty: &T, json: Value) -> Result<Val, InvalidArguments> {
    let function = function(&[("x", ty.clone())], None);
    parse_args(&function, json!({"x": json})).map(|mut values| values.remove(0))
}

fn emit(ty: &T, value: &Val) -> Value {
    result_to_json(ty, value, 1 << 20).unwrap()
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

#[test]
fn each_type_both_ways() {
    let text = |text: &str| Val::String(text.to_owned());
    let table = [
        (T::Bool, json!(true), Val::Bool(true)),
        (T::S8, json!(-128), Val::S8(-128)),
        (T::U8, json!(255), Val::U8(255)),
        (T::S16, json!(-32_768), Val::S16(-32_768)),
        (T::U16, json!(65_535), Val::U16(65_535)),
        (T::S32, json!(i32::MIN), Val::S32(i32::MIN)),
        (T::U32, json!(u32::MAX), Val::U32(u32::MAX)),
        (
            T::S64,
            json!(-9_007_199_254_740_991_i64),
            Val::S64(-9_007_199_254_740_991),
        ),
        (T::S64, json!("-9223372036854775808"), Val::S64(i64::MIN)),
        (
            T::U64,
            json!(9_007_199_254_740_991_u64),
            Val::U64(9_007_199_254_740_991),
        ),
        (T::U64, json!("9007199254740992"), Val::U64(1 << 53)),
        (T::U64, json!("18446744073709551615"), Val::U64(u64::MAX)),
        (T::F32, json!(0.1), Val::Float32(0.1)),
        (T::F32, json!("NaN"), Val::Float32(f32::NAN)),
        (T::F64, json!(-1.5e300), Val::Float64(-1.5e300)),
        (T::F64, json!("Infinity"), Val::Float64(f64::INFINITY)),
        (T::F64, json!("-Infinity"), Val::Float64(f64::NEG_INFINITY)),
        (T::Char, json!("é"), Val::Char('é')),
        (T::String, json!("a\n\"\u{1}"), text("a\n\"\u{1}")),
        (
            list(T::Bool),
            json!([true, false]),
            Val::List(vec![Val::Bool(true), Val::Bool(false)]),
        ),
        (
            list(T::U8),
            json!("AP8="),
            Val::List(vec![Val::U8(0), Val::U8(255)]),
        ),
        (
            T::FixedList(Arc::new(T::U8), 2),
            json!([1, 2]),
            Val::FixedLengthList(vec![Val::U8(1), Val::U8(2)]),
        ),
        (
            record(&[("x", T::S32), ("label", option(T::String))]),
            json!({"x": 1, "label": null}),
            Val::Record(vec![
                ("x".into(), Val::S32(1)),
                ("label".into(), Val::Option(None)),
            ]),
        ),
        (
            T::Tuple([T::Bool, T::String].into()),
            json!([true, "a"]),
            Val::Tuple(vec![Val::Bool(true), text("a")]),
        ),
        (
            enumeration(&["red", "green"]),
            json!("green"),
            Val::Enum("green".into()),
        ),
        (
            flags(&["a", "b", "c"]),
            json!(["a", "c"]),
            Val::Flags(vec!["a".into(), "c".into()]),
        ),
        (flags(&["a"]), json!([]), Val::Flags(vec![])),
        (
            variant(&[("dot", None)]),
            json!({"tag": "dot"}),
            Val::Variant("dot".into(), None),
        ),
        (
            variant(&[("circle", Some(T::F64))]),
            json!({"tag": "circle", "val": 2.0}),
            Val::Variant("circle".into(), Some(Box::new(Val::Float64(2.0)))),
        ),
        (option(T::Bool), json!(null), Val::Option(None)),
        (option(T::Bool), json!(true), some(Val::Bool(true))),
        (option(option(T::Bool)), json!(null), Val::Option(None)),
        (
            option(option(T::Bool)),
            json!({"some": null}),
            some(Val::Option(None)),
        ),
        (
            option(option(T::Bool)),
            json!({"some": true}),
            some(some(Val::Bool(true))),
        ),
        (
            option(option(option(T::Bool))),
            json!({"some": {"some": null}}),
            some(some(Val::Option(None))),
        ),
        (
            result(Some(T::Bool), Some(T::String)),
            json!({"ok": true}),
            Val::Result(Ok(Some(Box::new(Val::Bool(true))))),
        ),
        (
            result(Some(T::Bool), Some(T::String)),
            json!({"err": "no"}),
            Val::Result(Err(Some(Box::new(text("no"))))),
        ),
        (
            result(None, None),
            json!({"ok": null}),
            Val::Result(Ok(None)),
        ),
        (
            result(None, None),
            json!({"err": null}),
            Val::Result(Err(None)),
        ),
        (
            T::Map(Arc::new(T::String), Arc::new(T::U8)),
            json!({"__proto__": 1, "b": 2}),
            Val::Map(vec![
                (text("__proto__"), Val::U8(1)),
                (text("b"), Val::U8(2)),
            ]),
        ),
        (
            T::Map(Arc::new(T::U8), Arc::new(T::Bool)),
            json!([[1, true], [2, false]]),
            Val::Map(vec![
                (Val::U8(1), Val::Bool(true)),
                (Val::U8(2), Val::Bool(false)),
            ]),
        ),
    ];
    for (ty, json, value) in table {
        assert_eq!(parse(&ty, json.clone()).unwrap(), value, "{ty:?}");
        assert_eq!(emit(&ty, &value), json, "{ty:?}");
        assert_round_trip(&ty, &value);
    }
}

#[test]
fn s210_numbers_are_exact_or_refused() {
    // Parsed from text, as arguments are.
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let taken = [
        (T::U64, "18446744073709551615", Val::U64(u64::MAX)),
        (T::U64, "9007199254740993", Val::U64((1 << 53) + 1)),
        (T::U64, "\"9007199254740993\"", Val::U64((1 << 53) + 1)),
        (T::S64, "-9223372036854775808", Val::S64(i64::MIN)),
        (T::S64, "9007199254740993", Val::S64((1 << 53) + 1)),
        (T::S32, "-0", Val::S32(0)),
        (T::U8, "-0", Val::U8(0)),
        (T::S32, "1.0", Val::S32(1)),
        (T::S32, "1e3", Val::S32(1_000)),
        (T::F64, "-0.0", Val::Float64(-0.0)),
        (
            T::F64,
            "9007199254740992",
            Val::Float64(9_007_199_254_740_992.0),
        ),
        (T::F32, "16777216", Val::Float32(16_777_216.0)),
        (T::F32, "1e-45", Val::Float32(1e-45)),
    ];
    for (ty, text, value) in taken {
        assert_eq!(parse(&ty, number(text)).unwrap(), value, "{ty:?} {text}");
    }
    let refused = [
        (T::U64, "18446744073709551616", "expected integer"),
        (
            T::U64,
            "\"18446744073709551616\"",
            "expected integer from 0 to 18446744073709551615",
        ),
        (
            T::U64,
            "-1",
            "expected integer from 0 to 18446744073709551615",
        ),
        (T::U64, "\"1.0\"", "expected integer"),
        (T::U64, "\"01\"", "expected integer"),
        (T::U64, "\"+1\"", "expected integer"),
        (T::U64, "\"\"", "expected integer"),
        (T::S64, "\"-0\"", "expected integer"),
        (T::S64, "\"1\\n\"", "expected integer"),
        (
            T::S64,
            "9223372036854775808",
            "expected integer from -9223372036854775808 to 9223372036854775807",
        ),
        (T::S64, "9007199254740993.0", "expected integer"),
        (T::S64, "1e300", "expected integer"),
        (T::U8, "256", "expected integer from 0 to 255"),
        (T::U8, "1.5", "expected integer"),
        (T::U8, "\"1\"", "expected integer"),
        (T::U8, "true", "expected integer"),
        (
            T::F64,
            "9007199254740993",
            "expected number that 64 bits of floating point hold exactly",
        ),
        (
            T::F64,
            "18446744073709551615",
            "expected number that 64 bits of floating point hold exactly",
        ),
        (T::F64, "\"nan\"", "expected number"),
        (T::F64, "\"1.5\"", "expected number"),
        (T::F64, "null", "expected number"),
        (
            T::F32,
            "1e39",
            "expected number in the range of 32-bit floating point",
        ),
        (
            T::F32,
            "16777217",
            "expected number that 32 bits of floating point hold exactly",
        ),
        (
            T::F32,
            "1e-60",
            "expected number that 32 bits of floating point hold exactly",
        ),
        (T::Char, "\"\"", "expected string of one character"),
        (T::Char, "\"ab\"", "expected string of one character"),
        (T::Char, "7", "expected string of one character"),
        (T::Bool, "0", "expected boolean"),
        (T::String, "null", "expected string"),
    ];
    for (ty, text, problem) in refused {
        let error = parse(&ty, number(text)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("arguments.x: {problem}"),
            "{ty:?} {text}"
        );
    }
    // A lone surrogate is no JSON string to the parser.
    assert!(serde_json::from_str::<Value>(r#""\ud800""#).is_err());
}

#[test]
fn errors_name_the_field() {
    let point = record(&[("x", T::S32), ("label", option(T::String))]);
    let shape = variant(&[
        ("dot", None),
        ("circle", Some(T::F64)),
        ("maybe", Some(option(T::Bool))),
    ]);
    let function = function(
        &[
            ("point", point.clone()),
            ("points", option(list(point))),
            ("shape", option(shape)),
            ("style", option(flags(&["a", "b"]))),
            ("colour", option(enumeration(&["red", "green"]))),
            ("deep", option(option(option(T::Bool)))),
            ("outcome", option(result(None, Some(T::String)))),
            ("pair", option(T::Tuple([T::Bool, T::Bool].into()))),
            ("four", option(T::FixedList(Arc::new(T::Bool), 4))),
            (
                "by-name",
                option(T::Map(Arc::new(T::String), Arc::new(T::Bool))),
            ),
            (
                "by-number",
                option(T::Map(Arc::new(T::U64), Arc::new(T::Bool))),
            ),
            ("data", option(list(T::U8))),
        ],
        None,
    );
    let table = [
        (json!([]), "arguments: expected object"),
        (json!(null), "arguments.point: missing"),
        (json!({}), "arguments.point: missing"),
        (json!({"point": {}}), "arguments.point.x: missing"),
        (json!({"point": null}), "arguments.point: expected object"),
        (
            json!({"point": {"x": "1"}}),
            "arguments.point.x: expected integer",
        ),
        (
            json!({"point": {"x": 1, "y": 2}}),
            "arguments.point: unknown key \"y\", known: x, label",
        ),
        (
            json!({"point": {"x": 1, "a\u{1b}[2J\nb": 2}}),
            "arguments.point: unknown key \"a\\nb\", known: x, label",
        ),
        (
            json!({"points": [{"x": 1}, {"x": true}]}),
            "arguments.points[1].x: expected integer",
        ),
        (
            json!({"shape": "dot"}),
            "arguments.shape: expected object {tag: …, val: …}",
        ),
        (json!({"shape": {}}), "arguments.shape.tag: missing"),
        (
            json!({"shape": {"tag": "Dot"}}),
            "arguments.shape.tag: expected one of dot, circle, maybe",
        ),
        (
            json!({"shape": {"tag": 1}}),
            "arguments.shape.tag: expected one of dot, circle, maybe",
        ),
        (
            json!({"shape": {"tag": "circle"}}),
            "arguments.shape.val: missing",
        ),
        (
            json!({"shape": {"tag": "dot", "val": null}}),
            "arguments.shape.val: this case has no value",
        ),
        (
            json!({"shape": {"tag": "dot", "value": 1}}),
            "arguments.shape: unknown key \"value\", known: tag, val",
        ),
        (
            json!({"style": ["a", "a"]}),
            "arguments.style[1]: the flag is there twice",
        ),
        (
            json!({"style": ["c"]}),
            "arguments.style[0]: expected one of a, b",
        ),
        (
            json!({"style": {"a": true}}),
            "arguments.style: expected array",
        ),
        (
            json!({"colour": "Red"}),
            "arguments.colour: expected one of red, green",
        ),
        (
            json!({"deep": true}),
            "arguments.deep: expected null or an object {some: …}",
        ),
        (
            json!({"deep": {"some": null, "x": 1}}),
            "arguments.deep: expected null or an object {some: …}",
        ),
        (
            json!({"deep": {"some": {"some": 1}}}),
            "arguments.deep.some.some: expected boolean",
        ),
        (
            json!({"outcome": {"ok": 1}}),
            "arguments.outcome.ok: expected null",
        ),
        (
            json!({"outcome": {}}),
            "arguments.outcome: expected object {ok: …} or {err: …}",
        ),
        (
            json!({"outcome": {"ok": null, "err": "x"}}),
            "arguments.outcome: expected object {ok: …} or {err: …}",
        ),
        (
            json!({"pair": [true]}),
            "arguments.pair: expected array of exactly 2 items",
        ),
        (
            json!({"four": [true]}),
            "arguments.four: expected array of exactly 4 items",
        ),
        (
            json!({"by-name": {"k": 1}}),
            "arguments.by-name[\"k\"]: expected boolean",
        ),
        (
            json!({"by-number": [[1, true], ["1", false]]}),
            "arguments.by-number[1]: the key is there twice",
        ),
        (
            json!({"by-number": [[1]]}),
            "arguments.by-number[0]: expected array [key, value]",
        ),
        (json!({"data": "A*=="}), "arguments.data: expected base64"),
        (
            json!({"data": [256]}),
            "arguments.data[0]: expected integer from 0 to 255",
        ),
        (json!({"data": 1}), "arguments.data: expected base64 string"),
    ];
    for (mut arguments, message) in table {
        if let Some(object) = arguments.as_object_mut()
            && object.keys().any(|key| key != "point")
        {
            object.insert("point".to_owned(), json!({"x": 1}));
        }
        let error = parse_args(&function, arguments.clone()).unwrap_err();
        assert_eq!(error.to_string(), message, "{arguments}");
    }
    let error = parse_args(&function, json!({"point": {"x": 1}, "Point": 1})).unwrap_err();
    assert!(
        error
            .problem()
            .starts_with("unknown key \"Point\", known: point, points,"),
        "{error}"
    );
    // A value is never in the message.
    let error = parse(&T::U8, json!("hunter2")).unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn absent_options_and_spellings_of_bytes() {
    let function = function(
        &[("a", option(T::Bool)), ("b", option(option(T::Bool)))],
        None,
    );
    for arguments in [json!({}), json!(null), json!({"a": null, "b": null})] {
        let values = parse_args(&function, arguments).unwrap();
        assert_eq!(values, [Val::Option(None), Val::Option(None)]);
    }
    let maybe = variant(&[("maybe", Some(option(T::Bool)))]);
    let none = Val::Variant("maybe".into(), Some(Box::new(Val::Option(None))));
    assert_eq!(parse(&maybe, json!({"tag": "maybe"})).unwrap(), none);
    let bytes = Val::List(vec![Val::U8(1), Val::U8(2)]);
    for spelling in [json!("AQI="), json!("AQI"), json!([1, 2])] {
        assert_eq!(parse(&list(T::U8), spelling).unwrap(), bytes);
    }
    // Flags come in any order and go in the declared one.
    let declared = Val::Flags(vec!["a".into(), "b".into()]);
    assert_eq!(
        parse(&flags(&["a", "b"]), json!(["b", "a"])).unwrap(),
        declared
    );
}

#[test]
fn s210_large_arguments() {
    let many = Value::Array(vec![json!(1); 1_000_000]);
    let Val::List(items) = parse(&list(T::U8), many).unwrap() else {
        panic!()
    };
    assert_eq!(items.len(), 1_000_000);
    let base64 = json!("A".repeat(30 << 20));
    let error = parse(&list(T::U8), base64).unwrap_err();
    assert!(error.problem().starts_with("too large"), "{error}");
    let text = "x".repeat(100 << 20);
    let Val::String(kept) = parse(&T::String, json!(text)).unwrap() else {
        panic!()
    };
    assert_eq!(kept.len(), 100 << 20);
}

#[test]
fn functions_return_result_or_error() {
    let fallible = function(&[], Some(result(Some(T::U8), Some(T::String))));
    let ok = [Val::Result(Ok(Some(Box::new(Val::U8(1)))))];
    assert_eq!(
        returned(&fallible, &ok, 100),
        Ok(Returned::Ok(json!({"result": 1})))
    );
    let err = [Val::Result(Err(Some(Box::new(Val::String("no".into())))))];
    assert_eq!(
        returned(&fallible, &err, 100),
        Ok(Returned::Err(json!({"error": "no"})))
    );

    let unit = function(&[], Some(result(None, None)));
    let null = returned(&unit, &[Val::Result(Ok(None))], 100);
    assert_eq!(null, Ok(Returned::Ok(json!({"result": null}))));
    let null = returned(&unit, &[Val::Result(Err(None))], 100);
    assert_eq!(null, Ok(Returned::Err(json!({"error": null}))));

    let nothing = function(&[], None);
    assert_eq!(
        returned(&nothing, &[], 100),
        Ok(Returned::Ok(json!({"result": null})))
    );
    assert_eq!(
        returned(&nothing, &[Val::U8(1)], 100),
        Err(EmitError::Mismatch)
    );
    let nested = function(&[], Some(option(result(None, None))));
    let inner = [some(Val::Result(Err(None)))];
    assert_eq!(
        returned(&nested, &inner, 100),
        Ok(Returned::Ok(json!({"result": {"err": null}})))
    );
}

#[test]
fn s230_results_are_bounded_and_never_break_the_schema() {
    let long = Val::String("\u{1}".repeat(1_000));
    assert_eq!(
        result_to_json(&T::String, &long, 6_001),
        Err(EmitError::TooLarge {
            bytes: 6_002,
            max_bytes: 6_001
        })
    );
    assert!(result_to_json(&T::String, &long, 6_002).is_ok());
    for (ty, value) in [
        (T::U8, Val::U16(1)),
        (enumeration(&["a"]), Val::Enum("b".into())),
        (flags(&["a"]), Val::Flags(vec!["b".into()])),
        (
            T::FixedList(Arc::new(T::Bool), 2),
            Val::FixedLengthList(vec![]),
        ),
        (
            record(&[("a", T::Bool)]),
            Val::Record(vec![("b".into(), Val::Bool(true))]),
        ),
        (record(&[("a", T::Bool)]), Val::Record(vec![])),
        (
            variant(&[("a", None)]),
            Val::Variant("a".into(), Some(Box::new(Val::U8(1)))),
        ),
        (T::Tuple([T::Bool].into()), Val::Tuple(vec![])),
    ] {
        assert_eq!(
            result_to_json(&ty, &value, 1_000),
            Err(EmitError::Mismatch),
            "{ty:?}"
        );
    }
    // Of repeated keys the last one counts, as the component model says.
    let key = |value| (Val::String("k".into()), Val::U8(value));
    let map = T::Map(Arc::new(T::String), Arc::new(T::U8));
    assert_eq!(emit(&map, &Val::Map(vec![key(1), key(2)])), json!({"k": 2}));
}

/// value → JSON → text → JSON → value, and both schemas agree with it.
fn assert_round_trip(ty: &T, value: &Val) {
    let function = function(&[("x", ty.clone())], Some(T::Tuple([ty.clone()].into())));
    let json = emit(ty, value);
    let text = json.to_string();
    let exact = u64::try_from(text.len()).unwrap();
    assert!(result_to_json(ty, value, exact).is_ok(), "{text}");
    assert_eq!(
        result_to_json(ty, value, exact - 1),
        Err(EmitError::TooLarge {
            bytes: exact,
            max_bytes: exact - 1
        }),
        "{text}"
    );
    let output = Value::Object(output_schema(&function).unwrap());
    let structured = returned(&function, &[Val::Tuple(vec![value.clone()])], 1 << 20).unwrap();
    let Returned::Ok(structured) = structured else {
        panic!("{structured:?}")
    };
    assert_valid(&output, &structured);

    let arguments: Value = serde_json::from_str(&json!({"x": json}).to_string()).unwrap();
    assert_valid(&Value::Object(input_schema(&function).unwrap()), &arguments);
    assert_eq!(
        parse_args(&function, arguments).unwrap(),
        std::slice::from_ref(value),
        "{text}"
    );
}

fn assert_valid(schema: &Value, instance: &Value) {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    if let Err(error) = validator.validate(instance) {
        panic!("{error}\n{schema}\n{instance}");
    }
}

fn any_type() -> impl Strategy<Value = T> {
    let leaf = prop_oneof![
        Just(T::Bool),
        Just(T::S8),
        Just(T::U8),
        Just(T::S16),
        Just(T::U16),
        Just(T::S32),
        Just(T::U32),
        Just(T::S64),
        Just(T::U64),
        Just(T::F32),
        Just(T::F64),
        Just(T::Char),
        Just(T::String),
        Just(enumeration(&["red", "green", "blue"])),
        Just(flags(&["a", "b", "c"])),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let maybe = proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(list),
            (inner.clone(), 0..4_u32).prop_map(|(ty, length)| T::FixedList(Arc::new(ty), length)),
            (inner.clone(), inner.clone()).prop_map(|(k, v)| T::Map(Arc::new(k), Arc::new(v))),
            inner
                .clone()
                .prop_map(|v| T::Map(Arc::new(T::String), Arc::new(v))),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|items| T::Tuple(items.into())),
            inner.clone().prop_map(option),
            (maybe.clone(), maybe.clone()).prop_map(|(ok, err)| result(ok, err)),
            (inner.clone(), inner).prop_map(|(a, b)| record(&[
                ("a", a.clone()),
                ("b-c", b),
                ("again", a)
            ])),
            (maybe.clone(), maybe).prop_map(|(a, b)| variant(&[
                ("none", None),
                ("some", a),
                ("val", b)
            ])),
        ]
    })
}

fn any_value(ty: &T) -> BoxedStrategy<Val> {
    let payload = |ty: Option<&T>| match ty {
        None => Just(None).boxed(),
        Some(ty) => any_value(ty)
            .prop_map(|value| Some(Box::new(value)))
            .boxed(),
    };
    match ty {
        T::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        T::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        T::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        T::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        T::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        T::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        T::U32 => any::<u32>().prop_map(Val::U32).boxed(),
        T::S64 => prop_oneof![any::<i64>(), -9..9_i64]
            .prop_map(Val::S64)
            .boxed(),
        T::U64 => prop_oneof![any::<u64>(), 0..9_u64]
            .prop_map(Val::U64)
            .boxed(),
        T::F32 => proptest::num::f32::ANY.prop_map(Val::Float32).boxed(),
        T::F64 => proptest::num::f64::ANY.prop_map(Val::Float64).boxed(),
        T::Char => any::<char>().prop_map(Val::Char).boxed(),
        T::String => any::<String>().prop_map(Val::String).boxed(),
        T::List(inner) => proptest::collection::vec(any_value(inner), 0..4)
            .prop_map(Val::List)
            .boxed(),
        T::FixedList(inner, length) => {
            let length = usize::try_from(*length).unwrap();
            proptest::collection::vec(any_value(inner), length)
                .prop_map(Val::FixedLengthList)
                .boxed()
        }
        T::Map(key, value) => proptest::collection::vec((any_value(key), any_value(value)), 0..4)
            .prop_map(|pairs| {
                let mut distinct: Vec<(Val, Val)> = Vec::new();
                for (key, value) in pairs {
                    if distinct
                        .iter()
                        .all(|(other, _)| format!("{other:?}") != format!("{key:?}"))
                    {
                        distinct.push((key, value));
                    }
                }
                Val::Map(distinct)
            })
            .boxed(),
        T::Tuple(items) => items
            .iter()
            .map(any_value)
            .collect::<Vec<_>>()
            .prop_map(Val::Tuple)
            .boxed(),
        T::Option(inner) => payload(Some(inner))
            .prop_flat_map(|value| prop_oneof![Just(None), Just(value)])
            .prop_map(Val::Option)
            .boxed(),
        T::Result { ok, err } => prop_oneof![
            payload(ok.as_deref()).prop_map(|value| Val::Result(Ok(value))),
            payload(err.as_deref()).prop_map(|value| Val::Result(Err(value))),
        ]
        .boxed(),
        T::Record(record) => {
            let names: Vec<String> = record
                .fields
                .iter()
                .map(|field| field.name.clone())
                .collect();
            let values: Vec<_> = record
                .fields
                .iter()
                .map(|field| any_value(&field.ty))
                .collect();
            values
                .prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect()))
                .boxed()
        }
        T::Variant(variant) => {
            let cases: Vec<_> = variant
                .cases
                .iter()
                .map(|case| {
                    let name = case.name.clone();
                    payload(case.ty.as_ref())
                        .prop_map(move |value| Val::Variant(name.clone(), value))
                        .boxed()
                })
                .collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        T::Enum(labels) => {
            let names: Vec<String> = labels
                .labels
                .iter()
                .map(|label| label.name.clone())
                .collect();
            proptest::sample::select(names).prop_map(Val::Enum).boxed()
        }
        T::Flags(labels) => {
            let names: Vec<String> = labels
                .labels
                .iter()
                .map(|label| label.name.clone())
                .collect();
            proptest::sample::subsequence(names, 0..=labels.labels.len())
                .prop_map(Val::Flags)
                .boxed()
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-d]{0,3}".prop_map(Value::from),
        Just(json!("NaN")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("a"),
            Just("b-c"),
            Just("again"),
            Just("tag"),
            Just("val"),
            Just("some"),
            Just("ok"),
            Just("err")
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key, inner), 0..4).prop_map(|entries| {
                Value::Object(
                    entries
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_back_the_same(
        (ty, value) in any_type().prop_flat_map(|ty| { let value = any_value(&ty); (Just(ty), value) })
    ) {
        assert_round_trip(&ty, &value);
    }

    /// What is taken satisfies the schema, and says the same when given back.
    #[test]
    fn s210_what_is_taken_is_what_the_schema_allows(ty in any_type(), json in any_json()) {
        if let Ok(value) = parse(&ty, json.clone()) {
            let schema = input_schema(&function(&[("x", ty.clone())], None)).unwrap();
            prop_assert!(byte_len(&schema) > 0);
            assert_valid(&Value::Object(schema), &json!({"x": json}));
            assert_round_trip(&ty, &value);
        }
    }
}
