#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::fmt::Write as _;

use wasm_encoder as we;

use super::guests::{component, hollow, with_custom_section};
use super::*;

/// A world with most of what a tool can have.
const SHAPES: &str = r#"
package acme:shapes@1.2.0;
interface types {
  record point { x: s32, y: s32 }
  enum colour { red, green }
}
interface draw {
  use types.{point, colour};
  variant shape { dot, circle(tuple<point, f64>), path(list<point>) }
  flags style { filled, dashed }
  area: func(shape: shape) -> result<f64, string>;
  paint: func(at: point, colour: option<colour>, style: style) -> list<point>;
}
world shapes {
  export draw;
  export version: func() -> string;
}
"#;

fn look(bytes: &[u8]) -> InspectedComponent {
    inspect(bytes, None, &IntakeLimits::default()).unwrap()
}

fn refused(bytes: &[u8]) -> InspectError {
    inspect(bytes, None, &IntakeLimits::default()).unwrap_err()
}

fn wit_names(component: &InspectedComponent) -> Vec<String> {
    component
        .tools()
        .iter()
        .map(InspectedTool::wit_name)
        .collect()
}

fn refused_tools(component: &InspectedComponent) -> Vec<String> {
    component
        .unsupported()
        .iter()
        .map(|one| format!("{} {}", one.export, one.why))
        .collect()
}

#[test]
fn lists_tools_with_their_types() {
    let bytes = hollow(SHAPES, "shapes");
    let found = look(&bytes);
    assert_eq!(
        wit_names(&found),
        [
            "version",
            "acme:shapes/draw@1.2.0#area",
            "acme:shapes/draw@1.2.0#paint"
        ]
    );
    assert_eq!(found.unsupported(), []);
    assert_eq!(found.bytes_len(), bytes.len() as u64);
    let paint = &found.tools()[2].ty;
    assert_eq!(paint.params.len(), 3);
    assert_eq!(paint.params[0].name, "at");
    let WitType::Record(point) = &paint.params[0].ty else {
        panic!("{:?}", paint.params[0])
    };
    assert_eq!(point.name, "point");
    assert_eq!(point.fields[1].name, "y");
    let Some(WitType::List(element)) = &paint.result else {
        panic!("{:?}", paint.result)
    };
    assert_eq!(
        element.identity(),
        paint.params[0].ty.identity(),
        "one declaration, one node"
    );
    assert_eq!(found.missing_features(), [""; 0]);
    assert!(found.code().modules >= 1);
    assert!(found.code().functions >= 3);
}

#[test]
fn s001_mutations_end_in_an_error_or_a_component_never_in_a_panic() {
    let seeds = [
        hollow(SHAPES, "shapes"),
        with_docs(&hollow(SHAPES, "shapes"), DOCS),
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut mutants: Vec<Vec<u8>> = Vec::new();
    for seed in &seeds {
        for payload in wasmparser::Parser::new(0).parse_all(seed) {
            if let Some((_, range)) = payload.unwrap().as_section() {
                mutants.push(seed[..range.start].to_vec());
                mutants.push(seed[..range.end.min(seed.len() - 1)].to_vec());
            }
        }
    }
    while mutants.len() < 1_200 {
        let mut mutant = seeds[next(2)].clone();
        for _ in 0..=next(3) {
            let at = next(mutant.len());
            mutant[at] ^= 1 << next(8);
        }
        mutants.push(mutant);
    }
    let mut refusals = 0;
    for mutant in mutants {
        if let Err(error) = inspect(&mutant, None, &IntakeLimits::default()) {
            assert_eq!(error.reason(), "invalid.component");
            assert!(
                error.offset().is_some_and(|at| at <= mutant.len()),
                "{error}"
            );
            assert!(!error.to_string().contains('\n'), "{error}");
            refusals += 1;
        }
    }
    assert!(refusals > 300, "{refusals}");
}

#[test]
fn s002_core_module() {
    let error = refused(&wat::parse_str("(module)").unwrap());
    assert_eq!(error, InspectError::CoreModule);
    assert_eq!(error.to_string(), "core module, not a component");
    assert!(error.hint().unwrap().contains("component new"));
}

#[test]
fn s003_text() {
    for text in [
        "(component)",
        "  \n(component)",
        ";; a comment\n(component)",
        "(; a ;) (module)",
    ] {
        assert_eq!(refused(text.as_bytes()), InspectError::Text);
    }
}

#[test]
fn s004_native_code() {
    let engine = wasmtime::Engine::default();
    let native = engine
        .precompile_component(&hollow(SHAPES, "shapes"))
        .unwrap();
    assert_eq!(refused(&native), InspectError::Precompiled);
    let mut elf = native;
    elf[7] = 0;
    assert_eq!(refused(&elf), InspectError::Native);
    assert_eq!(refused(b""), InspectError::Empty);
    assert_eq!(
        refused(b"GIF89a").to_string(),
        "not WebAssembly: the file begins with 47494638"
    );
    assert!(matches!(
        refused(b"\0asm"),
        InspectError::Malformed { offset: 4, .. }
    ));
}

fn limit(error: InspectError) -> &'static str {
    match error {
        InspectError::Limit {
            what, found, limit, ..
        } if found > limit => what,
        other => panic!("{other:?}"),
    }
}

/// A core module of `functions` empty functions.
fn module(functions: u32) -> we::Module {
    let mut module = we::Module::new();
    let mut types = we::TypeSection::new();
    types.ty().function([], []);
    module.section(&types);
    let mut section = we::FunctionSection::new();
    let mut code = we::CodeSection::new();
    for _ in 0..functions {
        section.function(0);
        let mut body = we::Function::new([]);
        body.instructions().end();
        code.function(&body);
    }
    module.section(&section).section(&code);
    module
}

#[test]
fn s007_too_many_functions_or_modules() {
    let mut outer = we::Component::new();
    let large = module(10_000);
    for _ in 0..60 {
        outer.section(&we::ModuleSection(&large));
    }
    assert_eq!(limit(refused(outer.as_slice())), "functions");

    let mut outer = we::Component::new();
    let small = module(1);
    for _ in 0..65 {
        outer.section(&we::ModuleSection(&small));
    }
    assert_eq!(limit(refused(outer.as_slice())), "core modules");
}

#[test]
fn s007_one_large_function_or_many_locals() {
    let one = |locals: u32, instructions: usize| {
        let mut module = we::Module::new();
        let mut types = we::TypeSection::new();
        types.ty().function([], []);
        let mut functions = we::FunctionSection::new();
        functions.function(0);
        let mut code = we::CodeSection::new();
        let mut body = we::Function::new([(locals, we::ValType::I32)]);
        for _ in 0..instructions {
            body.instructions().nop();
        }
        body.instructions().end();
        code.function(&body);
        module.section(&types).section(&functions).section(&code);
        let mut outer = we::Component::new();
        outer.section(&we::ModuleSection(&module));
        outer.finish()
    };
    assert_eq!(limit(refused(&one(5_001, 0))), "locals in one function");
    assert_eq!(limit(refused(&one(0, 600_000))), "bytes in one function");
    look(&one(5_000, 500_000));
}

/// A component inside a component, `depth` times.
fn nested(depth: usize) -> Vec<u8> {
    let mut component = we::Component::new();
    for _ in 0..depth {
        let mut outer = we::Component::new();
        outer.section(&we::NestedComponentSection(&component));
        component = outer;
    }
    component.finish()
}

/// `bytes` looked at on a small stack.
fn look_on_small_stack(bytes: Vec<u8>) -> Result<InspectedComponent, InspectError> {
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    let handle = thread
        .spawn(move || inspect(&bytes, None, &IntakeLimits::default()))
        .unwrap();
    handle.join().unwrap()
}

#[test]
fn s009_deep_components_and_many_instances() {
    assert_eq!(
        limit(look_on_small_stack(nested(100)).unwrap_err()),
        "levels of components"
    );
    look_on_small_stack(nested(14)).unwrap();

    let text = format!(
        "(component (component $c) {})",
        "(instance (instantiate $c))".repeat(1_001)
    );
    let many = wat::parse_str(text).unwrap();
    assert!(matches!(
        look_on_small_stack(many),
        Err(InspectError::Malformed { .. })
    ));

    let mut aliases = String::from(
        "(component (component $c (type (export \"t\") u8)) (instance $i0 (instantiate $c))",
    );
    for step in 0..30_000 {
        write!(aliases, "(alias export $i0 \"t\" (type $t{step}))").unwrap();
    }
    aliases.push(')');
    let many = wat::parse_str(aliases).unwrap();
    assert_eq!(
        limit(look_on_small_stack(many).unwrap_err()),
        "instances and aliases"
    );
}

/// The readers of wasmparser recurse once per level of these few bytes.
#[test]
fn s009_deep_instance_types() {
    for opener in [0x41, 0x42] {
        let mut types = vec![1];
        for _ in 0..200_000 {
            types.extend([opener, 1, 1]);
        }
        types.extend([opener, 0]);
        let mut outer = we::Component::new();
        outer.section(&we::RawSection {
            id: 7,
            data: &types,
        });
        assert_eq!(
            limit(look_on_small_stack(outer.finish()).unwrap_err()),
            "levels of types"
        );
    }
}

/// `tN = tuple<tN-1, tN-1>`: few bytes, many leaves.
fn doubling(depth: usize) -> String {
    let mut wit = String::from("package a:b; interface i { type t0 = tuple<u8, u8>;\n");
    for level in 1..depth {
        let below = level - 1;
        writeln!(wit, "type t{level} = tuple<t{below}, t{below}>;").unwrap();
    }
    write!(
        wit,
        "f: func(x: t{}) -> u8; g: func() -> t{}; }} world w {{ export i; }}",
        depth - 1,
        depth - 1
    )
    .unwrap();
    wit
}

#[test]
fn s010_doubling_types_stay_small() {
    let bytes = hollow(&doubling(15), "w");
    assert!(bytes.len() < 6_000, "{}", bytes.len());
    let found = look_on_small_stack(bytes).unwrap();
    assert_eq!(found.tools().len(), 2);
    for tool in found.tools() {
        assert!(crate::schema::byte_len(tool.input_schema()) < 4_096);
        assert!(crate::schema::byte_len(tool.output_schema()) < 4_096);
    }
}

#[test]
fn s011_many_functions_cases_and_fields() {
    let functions = (0..300).fold(String::new(), |mut text, index| {
        write!(text, "fn{index}: func();").unwrap();
        text
    });
    let many = format!("package a:b; interface i {{ {functions} }} world w {{ export i; }}");
    assert_eq!(limit(refused(&hollow(&many, "w"))), "exported functions");

    let list = |count: u32, item: &str| {
        (0..count)
            .map(|index| format!("a{index}{item},"))
            .collect::<String>()
    };
    for large in [
        format!("variant v {{ {} }}", list(4_500, "")),
        format!("record v {{ {} }}", list(4_500, ": u8")),
    ] {
        let wit = format!(
            "package a:b; interface i {{ {large} f: func(x: v); g: func(x: u8); }} world w {{ export i; }}"
        );
        let found = look(&hollow(&wit, "w"));
        assert_eq!(wit_names(&found), ["a:b/i#g"]);
        assert!(refused_tools(&found)[0].contains("a:b/i#f needs a JSON Schema of more than"));
    }
    let larger = format!(
        "package a:b; interface i {{ record v {{ {} }} record w {{ {} }} f: func(x: v, y: w); }} world w {{ export i; }}",
        list(10_000, ": u8"),
        list(10_000, ": u8")
    );
    assert_eq!(limit(refused(&hollow(&larger, "w"))), "type nodes");
}

#[test]
fn s012_custom_sections() {
    let bytes = hollow(SHAPES, "shapes");
    let large = vec![0; 3 << 20];
    for name in ["producers", "package-docs", "component-type:x", "anything"] {
        let error = refused(&with_custom_section(&bytes, name, &large));
        assert_eq!(limit(error), "bytes of custom sections");
    }
    // What nobody reads is bounded by the size of the file.
    for name in ["name", ".debug_info"] {
        look(&with_custom_section(&bytes, name, &large));
    }
    let huge = vec![0; 33 << 20];
    assert_eq!(
        limit(refused(&with_custom_section(&bytes, "name", &huge))),
        "bytes"
    );

    let deep = format!(
        "{}{}",
        "{\"interfaces\":".repeat(10_000),
        "}".repeat(10_000)
    );
    let found = look_on_small_stack(with_docs(&bytes, &deep)).unwrap();
    assert_eq!(found.tools().len(), 3);
    assert!(
        found.warnings()[0].contains("package-docs"),
        "{:?}",
        found.warnings()
    );
    for broken in [&b""[..], b"\x07{}", b"\x01[]", b"\x01\xff\xff"] {
        look(&with_custom_section(&bytes, "package-docs", broken));
        look(&with_custom_section(&bytes, "producers", broken));
    }
}

#[test]
fn s015_names_the_proposal_that_is_missing() {
    let modules = [
        ("(memory 1 1 shared)", "threads"),
        ("(memory i64 1)", "memory64"),
        ("(type (struct))", "gc"),
        ("(memory 1) (memory 1)", "multi-memory"),
        ("(tag)", "exceptions"),
    ];
    for (module, feature) in modules {
        let bytes = wat::parse_str(format!("(component (core module {module}))")).unwrap();
        let found = look(&bytes);
        assert_eq!(found.missing_features(), [feature], "{module}");
    }
    let asynchronous = "package a:b; world w { export f: async func(); export g: func(); }";
    let found = look(&hollow_async(asynchronous));
    assert_eq!(wit_names(&found), ["g"]);
    assert_eq!(refused_tools(&found), ["f is an async function"]);
    assert_eq!(found.missing_features(), [""; 0]);
    assert!(found.needs_concurrency());
}

/// A component whose async functions are lifted with a callback.
fn hollow_async(wit: &str) -> Vec<u8> {
    use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = wit_component::dummy_module(&resolve, world, mangling);
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .unwrap();
    wit_component::ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

#[test]
fn unsupported_exports_leave_the_others() {
    let wit = r"
package a:b;
interface i {
  resource thing { constructor(); size: func() -> u32; make: static func() -> thing; }
  ordinary: func(x: u8) -> u8;
  take: func(it: borrow<thing>);
  inside: func() -> result<list<thing>, string>;
}
world w { export i; }";
    let found = look(&hollow(wit, "w"));
    assert_eq!(wit_names(&found), ["a:b/i#ordinary"]);
    assert_eq!(
        refused_tools(&found),
        [
            "a:b/i#[constructor]thing is the constructor of a resource",
            "a:b/i#[method]thing.size is a method of a resource",
            "a:b/i#[static]thing.make is a static function of a resource",
            "a:b/i#take uses a resource handle",
            "a:b/i#inside uses a resource handle",
        ]
    );
    assert_eq!(found.missing_features(), [""; 0]);

    let wit = "package a:b; world w { export ordinary: func();
        export s: func(x: stream<u8>); export f: func() -> future<string>; }";
    let found = look(&hollow_async(wit));
    assert_eq!(wit_names(&found), ["ordinary"]);
    assert_eq!(
        refused_tools(&found),
        ["s uses a stream", "f uses a future"]
    );
    assert_eq!(found.missing_features(), [""; 0]);

    // Their texts would be memory of the host's that nothing counts.
    let wit = "package a:b; world w { export ordinary: func(); export e: func(x: error-context); }";
    let found = look(&hollow_async(wit));
    assert_eq!(wit_names(&found), ["ordinary"]);
    assert_eq!(refused_tools(&found), ["e uses an error-context"]);
    assert_eq!(found.missing_features(), ["component-model-error-context"]);

    let deep = format!(
        "package a:b; world w {{ export f: func(x: {}u8{}); export g: func(); }}",
        "list<".repeat(30),
        ">".repeat(30)
    );
    let found = look(&hollow(&deep, "w"));
    assert_eq!(
        refused_tools(&found),
        ["f nests types deeper than 24 levels"]
    );
    assert_eq!(wit_names(&found), ["g"]);
}

#[test]
fn s016_lists_every_import_that_is_not_there() {
    let wit = r"
package a:b;
interface local { now: func() -> u64; }
world w {
  import evil:host/root@1.0.0;
  import wasi:clocks/wall-clock@0.2.3;
  import wasi:clocks/timezone@0.2.3;
  import wasi:filesystem/types@0.3.0;
  import wasi:logging/logging;
  import only:types/only;
  import local;
  import bare: func();
  export f: func();
}
package evil:host@1.0.0 { interface root { take: func(); give: func(); } }
package wasi:clocks@0.2.3 {
  interface wall-clock { now: func() -> u64; }
  interface timezone { zone: func() -> u64; }
}
package wasi:filesystem@0.3.0 { interface types { open: func(); } }
package wasi:logging { interface logging { log: func(); } }
package only:types { interface only { record r { x: u8 } } }
";
    let found = look(&hollow(wit, "w"));
    let unknown: Vec<&str> = found
        .unknown_imports()
        .map(|import| import.interface.as_str())
        .collect();
    let mut sorted = unknown.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "a:b/local",
            "bare",
            "evil:host/root@1.0.0",
            "wasi:clocks/timezone@0.2.3",
            "wasi:filesystem/types@0.3.0",
            "wasi:logging/logging",
        ]
    );
    let of = |name: &str| {
        found
            .imports()
            .iter()
            .find(|import| import.interface.starts_with(name))
            .unwrap()
    };
    assert_eq!(of("evil:").functions, ["take", "give"]);
    assert_eq!(of("evil:").capability, Capability::Unknown);
    assert_eq!(of("wasi:clocks/wall-clock").capability, Capability::Clocks);
    assert!(of("wasi:clocks/wall-clock").provided);
    assert_eq!(of("wasi:filesystem").capability, Capability::Files);
    assert_eq!(of("wasi:logging").capability, Capability::Logging);
}

#[test]
fn provided_interfaces_are_those_of_wasi_0_2() {
    assert!(provided_interfaces().is_sorted());
    for name in [
        "wasi:io/streams@0.2.0",
        "wasi:io/streams@0.2.12",
        "wasi:sockets/ip-name-lookup@0.2.6",
    ] {
        assert!(is_provided(name), "{name}");
    }
    for name in [
        "wasi:io/streams",
        "wasi:io/streams@0.2.13",
        "wasi:io/streams@0.3.0",
        "wasi:io/streams@0.2.0-rc-1",
        "wasi:io/streams@0.20.1",
        "wasi:io/stream@0.2.0",
        "evil:io/streams@0.2.0",
        "wasi:http/incoming-handler@0.2.0",
    ] {
        assert!(!is_provided(name), "{name}");
    }
    assert_eq!(
        Capability::of("wasi:sockets/ip-name-lookup@0.2.0"),
        Capability::Names
    );
    assert_eq!(
        Capability::of("wasi:sockets/tcp@0.2.0"),
        Capability::Sockets
    );
    assert_eq!(
        Capability::of("wasi:cli/terminal-stdin@0.2.0"),
        Capability::Terminal
    );
    assert_eq!(Capability::of("wasi:cli/stdin@0.2.0"), Capability::Stdio);
    assert_eq!(Capability::of("wasi:nn/tensor"), Capability::Unknown);
    assert_eq!(
        Capability::of("not-wasi:io/poll@0.2.0"),
        Capability::Unknown
    );
}

#[test]
fn initialisers_and_wasi_exports_are_no_tools() {
    let python = r"
package a:b;
world w {
  export exports: interface { init: func(app-name: string, symbols: list<string>, stub-wasi: bool) -> result<_, string>; other: func(); }
  export wasi:cli/run@0.2.0;
  export tool: func();
}
package wasi:cli@0.2.0 { interface run { run: func() -> result; } }";
    let found = look(&hollow(python, "w"));
    assert_eq!(wit_names(&found), ["tool", "exports#other"]);
    assert_eq!(found.initialisers(), ["exports#init"]);
    assert_eq!(found.unsupported().len(), 1);
    assert_eq!(found.unsupported()[0].export, "wasi:cli/run@0.2.0");

    let quickjs = "package a:b; world w { export init: func(shim: string, script: string, entry-path: option<string>) -> result<_, string>; export tool: func(); }";
    let found = look(&hollow(quickjs, "w"));
    assert_eq!(wit_names(&found), ["tool"]);
    assert_eq!(found.initialisers(), ["init"]);

    // An author's own `init` is a tool.
    let own = "package a:b; world w { export init: func(project: string) -> result<_, string>; }";
    assert_eq!(wit_names(&look(&hollow(own, "w"))), ["init"]);
}

/// `bytes` with the JSON `docs` as `package-docs`.
fn with_docs(bytes: &[u8], docs: &str) -> Vec<u8> {
    let mut data = vec![1];
    data.extend(docs.as_bytes());
    with_custom_section(bytes, "package-docs", &data)
}

/// As wit-docs-inject writes it, with names that the component does not have.
const DOCS: &str = r#"{
  "worlds": {"gone": {"docs": "Draws shapes.", "func_exports": {"version": {"docs": "Which version it is.", "stability": {"unknown": null}}}}},
  "interfaces": {
    "missing": {"docs": "x"},
    "draw": {
      "funcs": {"area": "The area of a shape.\n\n- `shape`: what to measure", "paint": {"docs": 7}},
      "types": {"style": {"items": {"filled": "With colour inside"}}, "shape": {"docs": "A shape.", "items": {"dot": "No extent"}}}
    },
    "types": {"types": {"point": {"docs": "Where.", "items": {"x": "To the \u001b[31mright\u202e"}}}}
  }
}"#;

#[test]
fn documentation_from_the_component() {
    let found = look(&with_docs(&hollow(SHAPES, "shapes"), DOCS));
    assert_eq!(found.docs(), Some("Draws shapes."));
    let [version, area, paint] = found.tools() else {
        panic!()
    };
    assert_eq!(version.docs.as_deref(), Some("Which version it is."));
    assert!(
        area.docs
            .as_deref()
            .unwrap()
            .starts_with("The area of a shape.")
    );
    assert_eq!(area.ty.params[0].docs.as_deref(), Some("what to measure"));
    assert_eq!(paint.docs, None);
    let schema = serde_json::to_string(paint.input_schema()).unwrap();
    assert!(schema.contains("- filled: With colour inside"), "{schema}");
    let schema = serde_json::to_string(area.input_schema()).unwrap();
    assert!(
        schema.contains("No extent") && schema.contains("what to measure"),
        "{schema}"
    );
    assert_eq!(found.warnings().len(), 1, "{:?}", found.warnings());
}

#[test]
fn documentation_from_the_author_wins() {
    let wit = r"
package acme:shapes@1.2.0;
/// Measures.
interface draw {
  use types.{point};
  use elsewhere:missing/dependency.{thing};
  /// From the author.
  area: func(shape: u8) -> result<f64, string>;
}
interface types {
  /// A place.
  record point {
    /// To the right
    x: s32,
    y: s32
  }
}
world shapes {
  export draw;
  /// Says so.
  export version: func() -> string;
}";
    let bytes = with_docs(&hollow(SHAPES, "shapes"), DOCS);
    let limits = IntakeLimits::default();
    let found = inspect(&bytes, Some(wit), &limits).unwrap();
    let [version, area, paint] = found.tools() else {
        panic!()
    };
    assert_eq!(version.docs.as_deref(), Some("Says so."));
    assert_eq!(area.docs.as_deref(), Some("From the author."));
    let WitType::Record(point) = &paint.ty.params[0].ty else {
        panic!()
    };
    assert_eq!(point.fields[0].docs.as_deref(), Some("To the right"));

    for broken in [
        "interface {",
        "\u{0}",
        "package a:b; world w { export f: func(x: list<",
        "package",
    ] {
        let found = inspect(&bytes, Some(broken), &limits).unwrap();
        assert_eq!(found.tools().len(), 3);
        assert!(
            found.warnings().iter().any(|one| one.contains("WIT")),
            "{:?}",
            found.warnings()
        );
    }
}

#[test]
fn s233_names_are_kept_or_refused() {
    // The component model takes neither underscores nor dollars; what it takes is kept as it is.
    for name in ["__proto__", "$ref", "foo_bar", ""] {
        let text = format!(
            r#"(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
               (func (export "f") (param "{name}" u32) (canon lift (core func $i "f"))))"#
        );
        let bytes = wat::parse_str(text).unwrap();
        assert!(
            matches!(refused(&bytes), InspectError::Malformed { .. }),
            "{name}"
        );
    }
    let wit =
        "package a:b; world w { export f: func(%constructor: u8, to-string: u8, %record: u8); }";
    let found = look(&hollow(wit, "w"));
    let properties = found.tools()[0].input_schema()["properties"]
        .as_object()
        .unwrap();
    assert_eq!(
        properties.keys().collect::<Vec<_>>(),
        ["constructor", "to-string", "record"]
    );
    // Names that differ in case only are one name.
    let wit = "(component (type (func (param \"a\" u8) (param \"A\" u8))))";
    assert!(matches!(
        refused(&wat::parse_str(wit).unwrap()),
        InspectError::Malformed { .. }
    ));
    let long = format!(
        "package a:b; world w {{ export f: func({}: u8); }}",
        "a".repeat(90_000)
    );
    assert_eq!(limit(refused(&hollow(&long, "w"))), "bytes in one name");
}

#[test]
fn imports_and_statistics_of_a_real_guest() {
    let wit = r"
package a:b;
world w { import wasi:random/random@0.2.0; export f: func() -> u64; }
package wasi:random@0.2.0 { interface random { get-random-u64: func() -> u64; } }";
    let bytes = component(
        wit,
        "w",
        r#"(module
            (import "wasi:random/random@0.2.0" "get-random-u64" (func $r (result i64)))
            (memory (export "memory") 2 4)
            (func (export "f") (result i64) call $r))"#,
    );
    let found = look(&bytes);
    assert_eq!(found.unknown_imports().count(), 0);
    assert_eq!(found.imports()[0].functions, ["get-random-u64"]);
    assert!(found.code().memories.contains(&Memory {
        min_bytes: 2 << 16,
        max_bytes: Some(4 << 16)
    }));
    assert!(
        found
            .producers()
            .iter()
            .any(|one| one.name == "wit-component"),
        "{:?}",
        found.producers()
    );
    assert_eq!(found.digest().as_bytes()[..], Sha256::digest(&bytes)[..]);
}
