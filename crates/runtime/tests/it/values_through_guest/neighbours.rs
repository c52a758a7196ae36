//! Exports that cannot be tools, beside ones that are.

use super::{MEMORY, call};
use crate::common::component;
use crate::fixture::Fixture;
use casemate_runtime::Outcome;
use serde_json::{Value, json};

/// Export and reason of everything in `name` that is no tool, and the names of its tools.
fn listed(fixture: &Fixture, name: &str) -> (Vec<String>, Vec<String>) {
    let catalog = fixture.runtime.catalog();
    let inspected = catalog.inspected(&name.parse().unwrap()).unwrap();
    let unsupported = inspected.unsupported().iter();
    let unsupported = unsupported.map(|export| format!("{} {}", export.export, export.why));
    let tools = catalog.tools().map(|tool| tool.spec().name.clone());
    (unsupported.collect(), tools.collect())
}

#[test]
fn a_component_with_a_resource_offers_its_functions() {
    let bytes = component(
        "package test:shop;
        interface api {
            resource basket { constructor(); add: func(item: string); size: static func() -> u32; }
            empty: func(basket: borrow<basket>) -> bool;
            double: func(x: u32) -> u32;
        }
        world shop { export api; export triple: func(x: u32) -> u32; }",
        "shop",
        &format!(
            r#"(module {MEMORY}
            (func (export "test:shop/api#[constructor]basket") (result i32) unreachable)
            (func (export "test:shop/api#[method]basket.add") (param i32 i32 i32) unreachable)
            (func (export "test:shop/api#[static]basket.size") (result i32) unreachable)
            (func (export "test:shop/api#empty") (param i32) (result i32) unreachable)
            (func (export "test:shop/api#double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
            (func (export "triple") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))"#
        ),
    );
    let fixture = Fixture::new();
    fixture.install("shop", &bytes, "");
    let (unsupported, tools) = listed(&fixture, "shop");
    assert_eq!(
        unsupported,
        [
            "test:shop/api#[constructor]basket is the constructor of a resource",
            "test:shop/api#[method]basket.add is a method of a resource",
            "test:shop/api#[static]basket.size is a static function of a resource",
            "test:shop/api#empty uses a resource handle",
        ]
    );
    assert_eq!(tools, ["shop_double", "shop_triple"]);
    for (tool, product) in [("shop_double", 42), ("shop_triple", 63)] {
        let report = call(&fixture, tool, &json!({"x": 21}));
        assert_eq!(
            report.outcome,
            Outcome::Returned(json!({"result": product}))
        );
    }
}

#[test]
fn a_component_with_an_async_function_offers_its_other_functions() {
    let bytes = component(
        "package test:later;
        world later {
            export wait: async func(x: u32) -> u32;
            export double: func(x: u32) -> u32;
            export greet: func(name: string) -> string;
        }",
        "later",
        &format!(
            r#"(module {MEMORY}
            (func (export "[async-lift]wait") (param i32) (result i32) unreachable)
            (func (export "[callback][async-lift]wait") (param i32 i32 i32) (result i32) unreachable)
            (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
            (func (export "greet") (param i32 i32) (result i32)
              (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)))"#
        ),
    );
    let fixture = Fixture::new();
    fixture.install("later", &bytes, "");
    let (unsupported, tools) = listed(&fixture, "later");
    assert_eq!(unsupported, ["wait is an async function"]);
    assert_eq!(tools, ["later_double", "later_greet"]);
    for _ in 0..3 {
        let report = call(&fixture, "later_double", &json!({"x": 21}));
        assert_eq!(report.outcome, Outcome::Returned(json!({"result": 42})));
        let report = call(&fixture, "later_greet", &json!({"name": "Ada"}));
        assert_eq!(report.outcome, Outcome::Returned(json!({"result": "Ada"})));
    }
    fixture.ping();
}

#[test]
fn more_flags_than_wasmtime_knows_are_refused_and_nothing_panics() {
    let labels: String = (0..33).map(|number| format!(" \"b{number}\"")).collect();
    let wat = format!(
        r#"(component
          (core module $m (func (export "run") (param i32 i32)))
          (core instance $i (instantiate $m))
          (type $f (flags{labels}))
          (export $e "all" (type $f))
          (func (export "run") (param "all" $e) (canon lift (core func $i "run"))))"#
    );
    let fixture = Fixture::new();
    let bytes = wat::parse_str(&wat).unwrap();
    let error = fixture.try_install("evil", &bytes, None).unwrap_err();
    assert!(error.to_string().lines().count() == 1, "{error}");
    assert_eq!(fixture.runtime.catalog().tools().count(), 0);
    fixture.ping();
}

#[test]
fn a_function_without_parameters_or_result_has_schemas_too() {
    let bytes = component(
        "package test:quiet; world quiet { export run: func(); }",
        "quiet",
        r#"(module (func (export "run")))"#,
    );
    let fixture = Fixture::new();
    fixture.install("quiet", &bytes, "");
    let report = call(&fixture, "quiet_run", &json!({}));
    assert_eq!(report.outcome, Outcome::Returned(json!({"result": null})));
    assert_eq!(
        fixture.call("quiet_run", Value::Null).outcome,
        report.outcome
    );
}
