//! The types, and values of them.

use casemate_runtime::Outcome;
use serde_json::{Value, json};

/// How the function for a type is made.
pub(super) enum Passing {
    /// One core value of this type, in and out.
    Flat(&'static str),
    /// Through memory, with a pointer to all parameters.
    Pointer,
    /// As the canonical ABI passes a few core values, with this parameter list and body.
    Own(&'static str),
}

/// A type, and what comes back for what goes in.
pub(super) struct Case {
    pub(super) ty: &'static str,
    pub(super) passing: Passing,
    pub(super) values: Vec<(Value, Outcome)>,
}

/// The named types.
pub(super) const DECLARATIONS: &str = "
    record point { x: s32, y: s32 }
    record one { only: u32 }
    record person { name: string, age: option<u8>, tags: list<string>, home: option<point> }
    enum side { left, right, upside-down }
    flags few { read, write, run }
    flags many { a0, a1, a2, a3, a4, a5, a6, a7, a8 }
    flags most { b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17,
      b18, b19, b20, b21, b22, b23, b24, b25, b26, b27, b28, b29, b30, b31 }
    variant shape { nothing, circle(f64), label(string), corner(point) }
    variant plain { yes, no }
    variant mixed { small(u32), real(f64), words(string) }
    record deep { shapes: list<shape>, by-name: list<tuple<string, option<list<point>>>>,
      outcome: result<shape, list<side>> }
";

fn same(values: &[Value]) -> Vec<(Value, Outcome)> {
    values
        .iter()
        .map(|value| (value.clone(), returned(value)))
        .collect()
}

fn returned(value: &Value) -> Outcome {
    Outcome::Returned(json!({"result": value}))
}

fn failed(value: &Value) -> Outcome {
    Outcome::ToolError(json!({"error": value}))
}

fn flat(ty: &'static str, core: &'static str, values: &[Value]) -> Case {
    Case {
        ty,
        passing: Passing::Flat(core),
        values: same(values),
    }
}

fn spilled(ty: &'static str, values: &[Value]) -> Case {
    Case {
        ty,
        passing: Passing::Pointer,
        values: same(values),
    }
}

fn own(ty: &'static str, body: &'static str, values: &[Value]) -> Case {
    Case {
        ty,
        passing: Passing::Own(body),
        values: same(values),
    }
}

impl Case {
    /// One more value, which comes back in another spelling.
    fn spelt(mut self, given: Value, back: &Value) -> Self {
        self.values.push((given, returned(back)));
        self
    }

    fn ends(mut self, given: Value, outcome: Outcome) -> Self {
        self.values.push((given, outcome));
        self
    }
}

/// All types of the contract.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = scalars();
    cases.extend(compounds());
    cases.extend(own_cases());
    cases.extend(outcomes());
    cases
}

fn scalars() -> Vec<Case> {
    let safe = 9_007_199_254_740_991_i64;
    vec![
        flat("bool", "i32", &[json!(true), json!(false)]),
        flat("u8", "i32", &[json!(0), json!(255)]),
        flat("s8", "i32", &[json!(-128), json!(127)]),
        flat("u16", "i32", &[json!(0), json!(65_535)]),
        flat("s16", "i32", &[json!(-32_768), json!(32_767)]),
        flat("u32", "i32", &[json!(0), json!(4_294_967_295_u32)]),
        flat(
            "s32",
            "i32",
            &[json!(-2_147_483_648_i64), json!(2_147_483_647)],
        ),
        flat(
            "u64",
            "i64",
            &[
                json!(0),
                json!(safe),
                json!("9007199254740992"),
                json!("18446744073709551615"),
            ],
        )
        .spelt(json!(u64::MAX), &json!("18446744073709551615"))
        .spelt(json!("7"), &json!(7)),
        flat(
            "s64",
            "i64",
            &[
                json!(safe),
                json!(-safe),
                json!("-9007199254740992"),
                json!("9223372036854775807"),
                json!("-9223372036854775808"),
            ],
        )
        .spelt(json!(i64::MIN), &json!("-9223372036854775808"))
        .spelt(json!("-7"), &json!(-7)),
        flat(
            "f32",
            "f32",
            &[
                json!(0.5),
                json!(-1.25),
                json!(0.1),
                json!("NaN"),
                json!("Infinity"),
                json!("-Infinity"),
                json!(1.0e-45),
            ],
        )
        .spelt(json!(f64::from(f32::MAX)), &json!(f64::from(f32::MAX)))
        .spelt(json!(f64::from(f32::MIN)), &json!(f64::from(f32::MIN)))
        .spelt(json!(3), &json!(3.0)),
        flat(
            "f64",
            "f64",
            &[
                json!(0.1),
                json!(-0.0),
                json!(f64::MAX),
                json!(5e-324),
                json!("NaN"),
                json!("Infinity"),
                json!("-Infinity"),
            ],
        )
        .spelt(json!(3), &json!(3.0)),
        flat(
            "char",
            "i32",
            &[
                json!("a"),
                json!("\u{0}"),
                json!("é"),
                json!("🦀"),
                json!("\u{10ffff}"),
            ],
        ),
        flat(
            "side",
            "i32",
            &[json!("left"), json!("right"), json!("upside-down")],
        ),
        flat(
            "plain",
            "i32",
            &[json!({"tag": "yes"}), json!({"tag": "no"})],
        ),
        flat(
            "few",
            "i32",
            &[json!([]), json!(["read"]), json!(["read", "write", "run"])],
        )
        .spelt(json!(["run", "read"]), &json!(["read", "run"])),
        flat("many", "i32", &[json!([]), json!(["a0", "a8"])]),
        flat(
            "most",
            "i32",
            &[json!([]), json!(["b0", "b7", "b8", "b15", "b16", "b31"])],
        ),
        flat("one", "i32", &[json!({"only": 7})]),
        flat("tuple<bool>", "i32", &[json!([true])]),
    ]
}

fn compounds() -> Vec<Case> {
    vec![
        spilled(
            "string",
            &[
                json!(""),
                json!("hello"),
                json!("grüße 🦀 \u{0} \"\\\n"),
                json!("x".repeat(100_000)),
            ],
        ),
        spilled("point", &[json!({"x": -1, "y": 2})]),
        spilled(
            "person",
            &[
                json!({"name": "Ada", "age": 36, "tags": ["a", "b"], "home": {"x": 1, "y": 2}}),
                json!({"name": "", "age": null, "tags": [], "home": null}),
            ],
        )
        .spelt(
            json!({"name": "B", "tags": []}),
            &json!({"name": "B", "age": null, "tags": [], "home": null}),
        ),
        spilled("tuple<u8, string, f64>", &[json!([1, "two", 3.5])]),
        spilled(
            "tuple<many, most, few, u8>",
            &[json!([["a8"], ["b31"], ["run"], 255])],
        ),
        spilled("list<u32>", &[json!([]), json!([1, 2, 3])]),
        spilled("list<bool>", &[json!([true, false, true])]),
        spilled("list<char>", &[json!(["a", "🦀"])]),
        spilled(
            "list<s64>",
            &[json!([1, "9223372036854775807", "-9223372036854775808"])],
        ),
        spilled("list<f64>", &[json!([1.5, "NaN", "-Infinity"])]),
        spilled(
            "list<list<string>>",
            &[json!([]), json!([[]]), json!([["a"], [], ["b", "c"]])],
        ),
        spilled(
            "list<point>",
            &[json!([{"x": 1, "y": 2}, {"x": 3, "y": 4}])],
        ),
        spilled("list<side>", &[json!(["left", "right", "left"])]),
        spilled("list<most>", &[json!([["b0"], [], ["b31",]])]),
        spilled(
            "list<u8>",
            &[json!(""), json!("AAEC/w=="), json!("aGVsbG8=")],
        )
        .spelt(json!([0, 1, 2, 255]), &json!("AAEC/w=="))
        .spelt(json!("aGVsbG8"), &json!("aGVsbG8="))
        .spelt(json!([]), &json!("")),
        spilled("list<list<u8>>", &[json!(["", "AAEC/w=="])]),
        spilled("option<u32>", &[json!(5), json!(null)]),
        spilled("option<string>", &[json!("x"), json!(""), json!(null)]),
        spilled("option<list<u8>>", &[json!("AAE="), json!(null)]),
        spilled("option<point>", &[json!({"x": 1, "y": 2}), json!(null)]),
        spilled(
            "option<option<u32>>",
            &[json!(null), json!({"some": null}), json!({"some": 5})],
        ),
        spilled(
            "option<option<option<string>>>",
            &[
                json!(null),
                json!({"some": null}),
                json!({"some": {"some": null}}),
                json!({"some": {"some": "x"}}),
            ],
        ),
        spilled(
            "list<option<option<bool>>>",
            &[json!([null, {"some": null}, {"some": true}])],
        ),
        spilled(
            "shape",
            &[
                json!({"tag": "nothing"}),
                json!({"tag": "circle", "val": 1.5}),
                json!({"tag": "circle", "val": "NaN"}),
                json!({"tag": "label", "val": "x"}),
                json!({"tag": "corner", "val": {"x": 1, "y": 2}}),
            ],
        ),
        spilled(
            "list<shape>",
            &[json!([{"tag": "nothing"}, {"tag": "label", "val": "x"}])],
        ),
        spilled(
            "tuple<result<u32, string>>",
            &[json!([{"ok": 7}]), json!([{"err": "no"}])],
        ),
        spilled("list<result>", &[json!([{"ok": null}, {"err": null}])]),
        spilled(
            "option<result<_, side>>",
            &[json!({"ok": null}), json!({"err": "left"}), json!(null)],
        ),
        spilled(
            "tuple<result<result<u8, u8>, result<u8, u8>>>",
            &[json!([{"ok": {"err": 1}}]), json!([{"err": {"ok": 2}}])],
        ),
        spilled(
            "map<string, u32>",
            &[json!({}), json!({"a": 1, "": 2, "ü": 3})],
        ),
        spilled(
            "map<string, list<point>>",
            &[json!({"a": [{"x": 1, "y": 2}], "b": []})],
        ),
        spilled(
            "map<u32, string>",
            &[json!([]), json!([[1, "a"], [2, "b"]])],
        ),
        spilled("map<char, option<u8>>", &[json!([["a", 1], ["b", null]])]),
        spilled("list<u32, 3>", &[json!([1, 2, 3])]),
        spilled("list<u8, 4>", &[json!([1, 2, 3, 255])]),
        spilled(
            "list<list<string, 2>, 2>",
            &[json!([["a", "b"], ["c", "d"]])],
        ),
        spilled(
            "deep",
            &[
                json!({
                    "shapes": [{"tag": "corner", "val": {"x": 0, "y": 0}}, {"tag": "nothing"}],
                    "by-name": [["a", [{"x": 1, "y": 2}]], ["b", null], ["c", []]],
                    "outcome": {"ok": {"tag": "label", "val": "x"}},
                }),
                json!({"shapes": [], "by-name": [], "outcome": {"err": ["left", "upside-down"]}}),
            ],
        ),
    ]
}

/// A few core values: the parameters come as such, the result goes through memory.
fn own_cases() -> Vec<Case> {
    vec![
        own(
            "tuple<s32, s32>",
            "(param i32 i32) (result i32)
             (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)",
            &[json!([-1, 2_147_483_647])],
        ),
        own(
            "tuple<string>",
            "(param i32 i32) (result i32)
             (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)",
            &[json!([""]), json!(["hello 🦀"])],
        ),
        own(
            "tuple<option<f64>>",
            "(param i32 f64) (result i32)
             (i32.store8 (i32.const 16) (local.get 0)) (f64.store (i32.const 24) (local.get 1)) (i32.const 16)",
            &[json!([null]), json!([1.5]), json!(["-Infinity"])],
        ),
        // The payloads share core values: an integer of 64 bits and one of 32.
        own(
            "mixed",
            "(param i32 i64 i32) (result i32)
             (i32.store8 (i32.const 16) (local.get 0)) (i64.store (i32.const 24) (local.get 1))
             (if (i32.eq (local.get 0) (i32.const 2)) (then (i32.store (i32.const 28) (local.get 2))))
             (i32.const 16)",
            &[
                json!({"tag": "small", "val": 4_294_967_295_u32}),
                json!({"tag": "real", "val": 0.1}),
                json!({"tag": "real", "val": "NaN"}),
                json!({"tag": "words", "val": "many words"}),
            ],
        ),
    ]
}

/// Results of functions: `ok` is the result, `err` an error of the tool.
fn outcomes() -> Vec<Case> {
    let case = |ty, passing| Case {
        ty,
        passing,
        values: Vec::new(),
    };
    vec![
        case("result<u32, string>", Passing::Pointer)
            .ends(json!({"ok": 7}), returned(&json!(7)))
            .ends(
                json!({"err": "no such thing"}),
                failed(&json!("no such thing")),
            ),
        case("result<list<point>, shape>", Passing::Pointer)
            .ends(
                json!({"ok": [{"x": 1, "y": 2}]}),
                returned(&json!([{"x": 1, "y": 2}])),
            )
            .ends(
                json!({"err": {"tag": "nothing"}}),
                failed(&json!({"tag": "nothing"})),
            ),
        case("result<_, string>", Passing::Pointer)
            .ends(json!({"ok": null}), returned(&json!(null)))
            .ends(json!({"err": "no"}), failed(&json!("no"))),
        case("result<option<string>>", Passing::Pointer)
            .ends(json!({"ok": null}), returned(&json!(null)))
            .ends(json!({"ok": "x"}), returned(&json!("x")))
            .ends(json!({"err": null}), failed(&json!(null))),
        case("result<result<u8, u8>, u8>", Passing::Pointer)
            .ends(json!({"ok": {"ok": 1}}), returned(&json!({"ok": 1})))
            .ends(json!({"ok": {"err": 2}}), returned(&json!({"err": 2})))
            .ends(json!({"err": 3}), failed(&json!(3))),
        case("result", Passing::Flat("i32"))
            .ends(json!({"ok": null}), returned(&json!(null)))
            .ends(json!({"err": null}), failed(&json!(null))),
    ]
}

/// Type, JSON that is not of it, and how the error begins.
pub(super) const FAILING: &[(&str, &str, &str)] = &[
    ("bool", "1", "arguments.value: expected boolean"),
    ("u8", "256", "arguments.value: expected integer"),
    ("u8", "-1", "arguments.value: expected integer"),
    ("u8", "1.5", "arguments.value: expected integer"),
    ("s8", "128", "arguments.value: expected integer"),
    ("u32", "\"7\"", "arguments.value: expected integer"),
    ("u64", "-1", "arguments.value: expected integer"),
    (
        "u64",
        "\"18446744073709551616\"",
        "arguments.value: expected integer",
    ),
    ("s64", "1e300", "arguments.value: expected integer"),
    ("f64", "\"nan\"", "arguments.value: expected number"),
    ("f32", "3.4028235e38", "arguments.value: expected number"),
    ("f32", "1e39", "arguments.value: expected number"),
    ("char", "\"ab\"", "arguments.value: expected"),
    ("char", "\"\"", "arguments.value: expected"),
    ("string", "null", "arguments.value: expected string"),
    ("point", r#"{"x": 1}"#, "arguments.value.y: missing"),
    (
        "point",
        r#"{"x": 1, "y": 2, "z": 3}"#,
        "arguments.value: unknown key",
    ),
    (
        "point",
        r#"{"x": 1, "y": "2"}"#,
        "arguments.value.y: expected integer",
    ),
    (
        "list<point>",
        r#"[{"x": 1, "y": 2}, {"x": 1}]"#,
        "arguments.value[1].y: missing",
    ),
    (
        "tuple<u8, string, f64>",
        r#"[1, "two"]"#,
        "arguments.value: expected",
    ),
    ("side", "\"up\"", "arguments.value: expected"),
    ("few", r#"["read", "read"]"#, "arguments.value"),
    ("few", r#"["fly"]"#, "arguments.value[0]: expected"),
    (
        "shape",
        r#"{"tag": "square"}"#,
        "arguments.value.tag: expected",
    ),
    (
        "shape",
        r#"{"tag": "nothing", "val": 1}"#,
        "arguments.value",
    ),
    (
        "shape",
        r#"{"tag": "circle"}"#,
        "arguments.value.val: missing",
    ),
    ("option<option<u32>>", "5", "arguments.value: expected"),
    ("list<u32, 3>", "[1, 2]", "arguments.value: expected"),
    ("list<u8>", "\"?\"", "arguments.value: expected"),
    (
        "map<string, u32>",
        r#"{"a": "b"}"#,
        "arguments.value[\"a\"]: expected integer",
    ),
    (
        "map<u32, string>",
        r#"[[1]]"#,
        "arguments.value[0]: expected",
    ),
    (
        "result<u32, string>",
        r#"{"ok": 1, "err": "x"}"#,
        "arguments.value: expected",
    ),
];
