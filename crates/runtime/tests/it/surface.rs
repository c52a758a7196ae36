//! `docs/wasi.md` names every function that a guest can import, and no other can be imported.
//!
//! Wasmtime's linker does not tell what is in it. It is filled by generated code from WIT files, and only for the interfaces in
//! `wasi::link`; so the same files, read here, are what is linked. That each function of them really is, and that nothing
//! beyond them can be imported, is then tried with guests.

use crate::common::{hollow, wasi, wasi_component, wasi_component_in};
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::{InstallError, Outcome, inspect};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, Type, TypeDefKind};

const TABLE: &str = include_str!("../../../../docs/wasi.md");

/// The last WASI 0.2 that is linked.
const LAST: u32 = 12;

/// What can govern a function.
const GOVERNORS: [&str; 8] = [
    "storage",
    "network",
    "environment",
    "clocks",
    "random",
    "sockets",
    "limits",
    "nothing",
];

/// The test below that holds for all functions of handles.
const HANDLES: &str = "a_function_of_a_handle_does_nothing_without_one";

/// A function that a component can import.
struct Function {
    /// Without version: `wasi:io/poll`.
    interface: String,
    /// As in the table: `pollable.block`.
    name: String,
    /// As in core WebAssembly: `[method]pollable.block`.
    core: String,
    params: Vec<WasmType>,
    results: Vec<WasmType>,
    /// It begins with a handle or a list of handles.
    handle: bool,
}

impl Function {
    fn key(&self) -> (String, String) {
        (self.interface.clone(), self.name.clone())
    }
}

/// `[method]a.b` is `a.b`, `[constructor]a` is `a.constructor`, `[resource-drop]a` is `a.drop`.
fn plain_name(core: &str) -> String {
    match core.split_once(']') {
        Some(("[constructor", name)) => format!("{name}.constructor"),
        Some(("[resource-drop", name)) => format!("{name}.drop"),
        Some((_, name)) => name.to_owned(),
        None => core.to_owned(),
    }
}

fn is_handle(resolve: &Resolve, ty: &Type) -> bool {
    let Type::Id(id) = ty else {
        return false;
    };
    match &resolve.types[*id].kind {
        TypeDefKind::Handle(_) => true,
        TypeDefKind::Type(inner) | TypeDefKind::List(inner) => is_handle(resolve, inner),
        _ => false,
    }
}

/// All functions of all WASI packages, dropping a handle included.
fn functions(resolve: &Resolve) -> Vec<Function> {
    let mut functions = Vec::new();
    for (id, interface) in resolve.interfaces.iter() {
        let name = resolve.id_of(id).unwrap();
        let (name, _) = name.split_once('@').unwrap();
        for function in interface.functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            assert!(!signature.indirect_params, "{}", function.name);
            functions.push(Function {
                interface: name.to_owned(),
                name: plain_name(&function.name),
                core: function.name.clone(),
                params: signature.params,
                results: signature.results,
                handle: function
                    .params
                    .first()
                    .is_some_and(|param| is_handle(resolve, &param.ty)),
            });
        }
        for (resource, ty) in &interface.types {
            if matches!(resolve.types[*ty].kind, TypeDefKind::Resource) {
                let core = format!("[resource-drop]{resource}");
                functions.push(Function {
                    interface: name.to_owned(),
                    name: plain_name(&core),
                    core,
                    params: vec![WasmType::I32],
                    results: Vec::new(),
                    handle: true,
                });
            }
        }
    }
    functions
}

fn is_linked(function: &Function) -> bool {
    inspect::provided_interfaces().contains(&function.interface.as_str())
}

/// What `wasi::link` links.
fn linked() -> Vec<Function> {
    let mut functions = functions(&wasi(LAST, false));
    functions.retain(is_linked);
    functions
}

struct Row {
    interface: String,
    functions: Vec<String>,
    governor: String,
    shown: Vec<String>,
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn rows() -> Vec<Row> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| `wasi:"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [interface, functions, governor, default, shown] = cells[..] else {
            panic!("{line}");
        };
        assert!(!default.is_empty(), "{line}");
        Row {
            interface: interface.trim_matches('`').to_owned(),
            functions: quoted(functions),
            governor: governor.to_owned(),
            shown: quoted(shown),
        }
    })
    .collect()
}

#[test]
fn every_linked_function_is_in_the_table_and_no_other() {
    let mut told = BTreeMap::new();
    for row in rows() {
        assert!(
            GOVERNORS.contains(&row.governor.as_str()),
            "{}",
            row.governor
        );
        assert!(!row.functions.is_empty() && !row.shown.is_empty());
        for function in row.functions {
            let key = (row.interface.clone(), function);
            assert!(
                told.insert(key.clone(), row.shown.clone()).is_none(),
                "twice: {key:?}"
            );
        }
    }
    let linked: BTreeMap<_, _> = linked()
        .into_iter()
        .map(|one| (one.key(), one.handle))
        .collect();
    let missing: Vec<_> = linked
        .keys()
        .filter(|key| !told.contains_key(*key))
        .collect();
    assert!(
        missing.is_empty(),
        "linked and not in docs/wasi.md: {missing:#?}"
    );
    let extra: Vec<_> = told
        .keys()
        .filter(|key| !linked.contains_key(*key))
        .collect();
    assert!(
        extra.is_empty(),
        "in docs/wasi.md and not linked: {extra:#?}"
    );
    // Where it begins with no handle, what it does is shown by a test of its own.
    for (key, shown) in &told {
        assert!(
            linked[key] || shown.iter().any(|test| test != HANDLES),
            "{key:?}"
        );
    }
}

#[test]
fn the_interfaces_that_install_lets_in_are_those_that_are_linked() {
    let source = include_str!("../../src/wasi/mod.rs");
    let mut linked: Vec<String> = source
        .lines()
        .filter_map(|line| line.trim().split_once("::add_to_linker"))
        .map(|(path, _)| {
            let (package, interface) = path.split_once("::").unwrap();
            let package = package.trim_start_matches("wasi_");
            format!("wasi:{package}/{}", interface.replace('_', "-"))
        })
        .collect();
    assert_eq!(linked.len(), source.matches("add_to_linker").count());
    linked.sort();
    assert_eq!(linked, inspect::provided_interfaces());
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of all functions of the workspace that have `#[test]` or `#[tokio::test]`.
fn tests() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(&crates, &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let mut marked = false;
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let line = line.trim().trim_start_matches("async ");
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                marked = true;
            } else if let Some(rest) = line.strip_prefix("fn ") {
                if marked {
                    names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
                }
                marked = false;
            }
        }
    }
    names
}

#[test]
fn each_test_that_the_table_names_exists() {
    let tests = tests();
    assert!(tests.contains("each_test_that_the_table_names_exists"));
    for row in rows() {
        for name in row.shown {
            assert!(tests.contains(&name), "no test {name} ({})", row.interface);
        }
    }
}

#[test]
fn the_wit_that_is_read_here_is_that_of_the_linked_crates() {
    let lock = include_str!("../../../../Cargo.lock");
    for package in ["wasmtime-wasi-http", "wasmtime-wasi-io"] {
        assert!(
            lock.contains(&format!("name = \"{package}\"\nversion = \"48.0.8\"")),
            "{package} has another version: compare its wit/deps with wit/deps and tests/wit here, then change this test"
        );
    }
}

fn core_types(types: &[WasmType]) -> Vec<&'static str> {
    types
        .iter()
        .map(|ty| match ty {
            WasmType::I64 | WasmType::PointerOrI64 => "i64",
            WasmType::F32 => "f32",
            WasmType::F64 => "f64",
            WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        })
        .collect()
}

/// A guest that imports all of `functions`. Its tool calls one of those that begin with a handle, with that handle.
fn importing(resolve: Resolve, version: &str, functions: &[&Function]) -> Vec<u8> {
    let interfaces: BTreeSet<&str> = functions.iter().map(|one| one.interface.as_str()).collect();
    let mut wit = "package test:surface; world surface {".to_owned();
    for interface in interfaces {
        write!(wit, "import {interface}@{version};").unwrap();
    }
    wit.push_str("export touch: func(which: u32, handle: u32) -> u32; }");
    let (mut imports, mut calls) = (String::new(), String::new());
    for (number, function) in functions.iter().enumerate() {
        let params = core_types(&function.params);
        let results = core_types(&function.results);
        write!(
            imports,
            r#"(import "{}@{version}" "{}" (func $f{number} (param {}) (result {})))"#,
            function.interface,
            function.core,
            params.join(" "),
            results.join(" "),
        )
        .unwrap();
        if !function.handle {
            continue;
        }
        let mut arguments: Vec<String> = params
            .iter()
            .map(|param| format!("({param}.const 0)"))
            .collect();
        if function.name == "poll" {
            // A list of one.
            arguments = ["(i32.const 64)", "(i32.const 1)", "(i32.const 0)"]
                .map(str::to_owned)
                .into();
        } else {
            arguments[0] = "(local.get $handle)".to_owned();
        }
        write!(
            calls,
            "(if (i32.eq (local.get $which) (i32.const {number})) (then (call $f{number} {}) {}))",
            arguments.join(" "),
            "(drop)".repeat(results.len()),
        )
        .unwrap();
    }
    let wat = format!(
        r#"(module {imports} (memory (export "memory") 2)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
        (func (export "touch") (param $which i32) (param $handle i32) (result i32)
          (i32.store (i32.const 64) (local.get $handle)) {calls} (i32.const 42)))"#
    );
    wasi_component_in(resolve, &wit, "surface", &wat)
}

const NONE: u32 = u32::MAX;

#[test]
fn all_of_the_table_is_linked_in_every_version() {
    let fixture = Fixture::new();
    for patch in 0..=LAST {
        let version = format!("0.2.{patch}");
        let resolve = wasi(patch, false);
        let functions = functions(&resolve);
        let functions: Vec<&Function> = functions.iter().filter(|one| is_linked(one)).collect();
        assert_eq!(functions.len(), linked().len());
        let name = format!("all{patch}");
        fixture.install(&name, &importing(resolve, &version, &functions), "");
        let report = fixture.call(
            &format!("{name}_touch"),
            json!({"which": NONE, "handle": 0}),
        );
        assert_eq!(result(&report), json!(42), "{version}");
    }
}

#[test]
fn a_function_of_a_handle_does_nothing_without_one() {
    let fixture = Fixture::new();
    let linked = linked();
    let all: Vec<&Function> = linked.iter().collect();
    fixture.install("evil", &importing(wasi(LAST, false), "0.2.12", &all), "");
    for (number, function) in linked.iter().enumerate() {
        for handle in [0, 1, 2, 3, NONE] {
            if !function.handle {
                continue;
            }
            let report = fixture.call("evil_touch", json!({"which": number, "handle": handle}));
            let name = (&function.interface, &function.name);
            assert!(
                matches!(report.outcome, Outcome::Failed { .. }),
                "{name:?} {:?}",
                report.outcome
            );
            assert_eq!(report.denials, [], "{name:?}");
            let detail = report.detail.unwrap();
            assert!(detail.contains("handle index"), "{name:?}: {detail}");
        }
    }
    fixture.ping();
}

#[test]
fn data_of_requests_is_bounded_and_goes_nowhere() {
    let functions = [
        ("fields", "[constructor]fields", "(result i32)"),
        (
            "append",
            "[method]fields.append",
            "(param i32 i32 i32 i32 i32 i32)",
        ),
        ("list", "[static]fields.from-list", "(param i32 i32 i32)"),
        ("options", "[constructor]request-options", "(result i32)"),
    ];
    let imports = functions.map(|(short, name, ty)| {
        format!(r#"(import "wasi:http/types@0.2.12" "{name}" (func ${short} {ty}))"#)
    });
    let wat = format!(
        r#"(module {} (memory (export "memory") 2)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
        ;; Appends a name of one byte and a value of 1,000, again and again.
        (func (export "append") (param $times i32) (result i32) (local $fields i32)
          (memory.fill (i32.const 4096) (i32.const 97) (i32.const 1000))
          (local.set $fields (call $fields))
          (loop $l
            (call $append (local.get $fields) (i32.const 4096) (i32.const 1) (i32.const 4096) (i32.const 1000) (i32.const 16))
            (if (i32.load8_u (i32.const 16)) (then (unreachable)))
            (br_if $l (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
          (i32.const 42))
        ;; A list of one field with a value of that many bytes.
        (func (export "list") (param $bytes i32) (result i32)
          (memory.fill (i32.const 4096) (i32.const 97) (local.get $bytes))
          (i32.store (i32.const 64) (i32.const 4096)) (i32.store (i32.const 68) (i32.const 1))
          (i32.store (i32.const 72) (i32.const 4096)) (i32.store (i32.const 76) (local.get $bytes))
          (call $list (i32.const 64) (i32.const 1) (i32.const 16))
          (if (i32.load8_u (i32.const 16)) (then (unreachable)))
          (i32.const 42))
        (func (export "hoard") (param $what i32) (result i32)
          (loop $l
            (drop (if (result i32) (local.get $what) (then (call $fields)) (else (call $options))))
            (br $l))
          (i32.const 42)))"#,
        imports.concat()
    );
    let wit = "package test:evil; world evil {
        import wasi:http/types@0.2.12;
        export append: func(times: u32) -> u32;
        export %list: func(bytes: u32) -> u32;
        export hoard: func(what: u32) -> u32; }";
    let fixture = Fixture::new();
    fixture.install("evil", &wasi_component(wit, "evil", &wat), "");
    let call = |function: &str, arguments| {
        let report = fixture.call(&format!("evil_{function}"), arguments);
        assert_eq!(report.denials, []);
        report
    };
    assert_eq!(result(&call("append", json!({"times": 20}))), json!(42));
    assert_eq!(result(&call("list", json!({"bytes": 20_000}))), json!(42));
    for (function, arguments) in [
        ("append", json!({"times": 40})),
        ("list", json!({"bytes": 40_000})),
    ] {
        let report = call(function, arguments);
        assert!(reason(&report).starts_with("trap."), "{report:?}");
    }
    for what in [0, 1] {
        assert_eq!(
            reason(&call("hoard", json!({"what": what}))),
            "limit.handles"
        );
    }
    fixture.ping();
}

#[track_caller]
fn refused(fixture: &Fixture, component: &[u8], interface: &str) {
    match fixture.try_install("evil", component, None) {
        Err(InstallError::UnknownImports { interfaces }) => assert_eq!(interfaces, [interface]),
        other => panic!("{interface}: {other:?}"),
    }
}

#[test]
fn an_interface_that_is_not_in_the_table_is_refused() {
    let fixture = Fixture::new();
    // Whatever else is in the same packages.
    let resolve = wasi(LAST, true);
    let all = functions(&resolve);
    let beyond: BTreeSet<&str> = all
        .iter()
        .filter(|one| !is_linked(one))
        .map(|one| one.interface.as_str())
        .collect();
    assert_eq!(
        beyond,
        [
            "wasi:cli/run",
            "wasi:clocks/timezone",
            "wasi:http/incoming-handler"
        ]
        .into()
    );
    for interface in beyond {
        let theirs: Vec<&Function> = all
            .iter()
            .filter(|one| one.interface == interface)
            .collect();
        let component = importing(resolve.clone(), "0.2.12", &theirs);
        refused(&fixture, &component, &format!("{interface}@0.2.12"));
    }
    // Other packages and other versions; what is in them does not matter.
    for (package, interface, version) in [
        ("logging", "logging", ""),
        ("logging", "logging", "@0.1.0-draft"),
        ("keyvalue", "store", "@0.2.0-draft"),
        ("config", "store", "@0.2.0-rc.1"),
        ("blobstore", "blobstore", "@0.2.0-draft"),
        ("nn", "inference", "@0.2.0-rc-2024-10-28"),
        ("tls", "types", "@0.2.0-draft"),
        ("http", "client", "@0.3.0"),
        ("http", "types", "@0.3.0"),
        ("sockets", "types", "@0.3.0"),
        ("cli", "environment", "@0.3.0"),
        ("filesystem", "preopens", "@0.3.0-rc-2025-09-16"),
        ("random", "random", ""),
        ("random", "random", "@0.1.0"),
        ("random", "random", "@0.2.0-rc-2023-11-10"),
        ("random", "random", "@0.2.13"),
        ("random", "random", "@1.0.0"),
    ] {
        let wit = format!(
            "package test:evil;
             world evil {{ import wasi:{package}/{interface}{version}; export run: func(); }}
             package wasi:{package}{version} {{ interface {interface} {{ get: func() -> u64; }} }}"
        );
        let name = format!("wasi:{package}/{interface}{version}");
        refused(&fixture, &hollow(&wit, "evil"), &name);
    }
}

#[test]
fn a_function_that_is_still_unstable_is_not_linked() {
    let fixture = Fixture::new();
    let stable: BTreeSet<_> = linked().iter().map(Function::key).collect();
    let resolve = wasi(LAST, true);
    let all = functions(&resolve);
    let unstable: Vec<&Function> = all
        .iter()
        .filter(|one| is_linked(one) && !stable.contains(&one.key()))
        .collect();
    let names: Vec<&str> = unstable.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        ["network-error-code", "response-outparam.send-informational"]
    );
    for function in unstable {
        let component = importing(resolve.clone(), "0.2.12", &[function]);
        let refused = fixture.try_install("evil", &component, None);
        assert!(
            matches!(refused, Err(InstallError::Prepare(_))),
            "{}: {refused:?}",
            function.name
        );
    }
}
