#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use crate::inspect::inspect;

fn reached(bytes: &[u8]) -> Reached {
    let limits = IntakeLimits::default();
    let inspected = inspect(bytes, None, &limits).unwrap();
    Reached::of(bytes, &inspected, &limits)
}

/// `one yes, two no, three cannot-tell`.
fn words(reached: &Reached) -> String {
    let functions = reached.functions().iter();
    let words = functions.map(|one| format!("{} {}", one.function, one.reach.as_str()));
    words.collect::<Vec<_>>().join(", ")
}

/// A component that imports `one`, `two` and `three` and whose tool `go` is a core function of that name; `core` is what
/// stands in its module, where the imports are `$one`, `$two` and `$three`.
fn with_module(core: &str) -> Vec<u8> {
    component(&format!(
        "{HOST}
        (core module $m
          (import \"host\" \"one\" (func $one))
          (import \"host\" \"two\" (func $two))
          (import \"host\" \"three\" (func $three))
          {core})
        (core instance $i (instantiate $m (with \"host\" (instance $lowered))))
        (func (export \"go\") (canon lift (core func $i \"go\")))"
    ))
}

/// The imports of every component here, lowered.
const HOST: &str = "
    (import \"a:b/host\" (instance $host
      (export \"one\" (func)) (export \"two\" (func)) (export \"three\" (func))))
    (core func $one (canon lower (func $host \"one\")))
    (core func $two (canon lower (func $host \"two\")))
    (core func $three (canon lower (func $host \"three\")))
    (core instance $lowered
      (export \"one\" (func $one)) (export \"two\" (func $two)) (export \"three\" (func $three)))";

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

#[test]
fn calls_inside_a_module_are_followed() {
    let table = [
        (
            "direct, and through others",
            "(func $a call $two) (func (export \"go\") call $one call $a) (func (export \"other\") call $three)",
            "one yes, two yes, three no",
        ),
        (
            "a tail call",
            "(func (export \"go\") return_call $two)",
            "one no, two yes, three no",
        ),
        (
            "the start function",
            "(func $s call $three) (start $s) (func (export \"go\"))",
            "one no, two no, three yes",
        ),
        (
            "a table, by type",
            "(type $t (func)) (type $u (func (param i32)))
             (table funcref (elem $one $f)) (func $f (param i32) call $two)
             (func (export \"go\") (call_indirect (type $u) (i32.const 0) (i32.load8_u (i32.const 0)))) (memory 1)",
            "one no, two yes, three no",
        ),
        (
            "a table that nobody calls through",
            "(table funcref (elem $one $two)) (func (export \"go\") call $three)",
            "one no, two no, three yes",
        ),
        (
            "a slot that is a constant",
            "(type $t (func)) (table funcref (elem $one $two $three))
             (func (export \"go\") (call_indirect (type $t) (i32.const 1)))",
            "one no, two yes, three no",
        ),
        (
            "a slot behind an offset in a global",
            "(type $t (func)) (global $base i32 (i32.const 2)) (table 9 funcref)
             (elem (offset (global.get $base)) func $one $two)
             (func (export \"go\") (call_indirect (type $t) (i32.const 3)))",
            "one no, two yes, three no",
        ),
        (
            "a slot behind an offset that is computed",
            "(type $t (func)) (table 9 funcref)
             (elem (offset (i32.add (i32.const 1) (i32.const 1))) func $one $two)
             (func (export \"go\") (call_indirect (type $t) (i32.const 7)))",
            "one yes, two yes, three no",
        ),
        (
            "any slot",
            "(type $t (func)) (table funcref (elem $one $two)) (memory 1)
             (func (export \"go\") (call_indirect (type $t) (i32.load8_u (i32.const 0))))",
            "one yes, two yes, three no",
        ),
        (
            "a number that another instruction put there",
            "(type $t (func)) (table funcref (elem $one $two)) (memory 1)
             (func (export \"go\") (call_indirect (type $t)
               (block (result i32) (br_if 0 (i32.const 0) (i32.load8_u (i32.const 0))) drop (i32.const 1))))",
            "one yes, two yes, three no",
        ),
        (
            "a passive segment that reachable code uses",
            "(type $t (func)) (table 9 funcref) (elem $e func $two)
             (func (export \"go\") (table.init $e (i32.const 0) (i32.const 0) (i32.const 1))
               (call_indirect (type $t) (i32.const 5)))",
            "one no, two yes, three no",
        ),
        (
            "a passive segment that only unreachable code uses",
            "(type $t (func)) (table 9 funcref) (elem $e func $two)
             (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))
             (func (export \"go\") (call_indirect (type $t) (i32.const 0)))",
            "one no, two no, three no",
        ),
        (
            "references written into a table",
            "(type $t (func)) (table $x 9 funcref) (elem declare func $three)
             (func $put (param funcref) (table.set $x (i32.const 4) (local.get 0)))
             (func (export \"go\") (call $put (ref.func $three)) (call_indirect $x (type $t) (i32.const 8)))",
            "one no, two no, three yes",
        ),
        (
            "references moved between tables",
            "(type $t (func)) (table $x funcref (elem $one)) (table $y 3 funcref) (table $z 3 funcref)
             (func $late (table.set $z (i32.const 0) (table.get $y (i32.const 0))))
             (func (export \"go\") (call_indirect $z (type $t) (i32.const 2))
               (table.copy $y $x (i32.const 0) (i32.const 0) (i32.const 1)) call $late)",
            "one yes, two no, three no",
        ),
        (
            "references moved inside of a table",
            "(type $t (func)) (table $x funcref (elem $one $two))
             (func (export \"go\") (call_indirect $x (type $t) (i32.const 0))
               (table.copy $x $x (i32.const 0) (i32.const 1) (i32.const 1)))",
            "one yes, two yes, three no",
        ),
        (
            "a table that grows by a reference from a global",
            "(type $t (func)) (table $x 0 funcref) (global $g (mut funcref) (ref.func $two))
             (func (export \"go\") (drop (table.grow $x (global.get $g) (i32.const 1)))
               (call_indirect $x (type $t) (i32.const 0)))",
            "one no, two yes, three no",
        ),
        (
            "a global in a segment",
            "(type $t (func)) (global $g funcref (ref.func $three))
             (table $x 1 funcref) (elem (table $x) (i32.const 0) funcref (global.get $g))
             (func (export \"go\") (call_indirect $x (type $t) (i32.const 0)))",
            "one no, two no, three yes",
        ),
    ];
    for (what, core, expected) in table {
        assert_eq!(words(&reached(&with_module(core))), expected, "{what}");
    }
}

#[test]
fn what_is_not_followed_is_not_decided() {
    let found = reached(&with_module(
        "(type $t (func)) (elem declare func $one)
         (func (export \"go\") call $two (call_ref $t (ref.func $one)) call $three)",
    ));
    assert_eq!(words(&found), "one cannot-tell, two yes, three cannot-tell");
    let why = "its code uses the proposal function-references".to_owned();
    assert_eq!(found.functions()[0].reach, Reachability::CannotTell { why });
    // Where nothing runs there is nothing to follow.
    let unused = "(type $t (func)) (elem declare func $one) (func (call_ref $t (ref.func $one)))
         (func (export \"go\") call $two)";
    assert_eq!(
        words(&reached(&with_module(unused))),
        "one no, two yes, three no"
    );
    let many = IntakeLimits {
        code_bytes: 4,
        ..IntakeLimits::default()
    };
    let bytes = with_module("(func $a nop nop nop nop call $one) (func (export \"go\") call $a)");
    let inspected = inspect(&bytes, None, &IntakeLimits::default()).unwrap();
    let found = Reached::of(&bytes, &inspected, &many);
    assert_eq!(
        words(&found),
        "one cannot-tell, two cannot-tell, three cannot-tell"
    );
}

#[test]
fn options_of_a_lift_and_destructors_count() {
    let bytes = component(&format!(
        "{HOST}
        (core module $m
          (import \"host\" \"one\" (func $one)) (import \"host\" \"two\" (func $two)) (import \"host\" \"three\" (func $three))
          (memory (export \"memory\") 1)
          (func (export \"go\") (param i32 i32) (result i32) i32.const 0)
          (func (export \"post\") (param i32) call $one)
          (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) call $two i32.const 0)
          (func (export \"unused\") (param i32) (result i32) call $three i32.const 0))
        (core instance $i (instantiate $m (with \"host\" (instance $lowered))))
        (func (export \"go\") (param \"text\" string) (result string)
          (canon lift (core func $i \"go\") (memory $i \"memory\") (realloc (func $i \"realloc\")) (post-return (func $i \"post\"))))"
    ));
    assert_eq!(words(&reached(&bytes)), "one yes, two yes, three no");

    let bytes = component(&format!(
        "{HOST}
        (core module $d (import \"host\" \"three\" (func $three)) (func (export \"drop\") (param i32) call $three))
        (core instance $d (instantiate $d (with \"host\" (instance $lowered))))
        (type $r (resource (rep i32) (dtor (func $d \"drop\"))))
        (core func $new (canon resource.new $r))
        (core func $drop (canon resource.drop $r))
        (core module $m (import \"\" \"new\" (func $new (param i32) (result i32))) (import \"\" \"drop\" (func $drop (param i32)))
          (func (export \"go\") (call $drop (call $new (i32.const 1)))))
        (core instance $i (instantiate $m (with \"\" (instance (export \"new\" (func $new)) (export \"drop\" (func $drop))))))
        (func (export \"go\") (canon lift (core func $i \"go\")))"
    ));
    assert_eq!(words(&reached(&bytes)), "one no, two no, three yes");
}

/// The shape that `wit-component` gives to imports that need memory: a module of trampolines through a table, which
/// another module fills once the imports can be lowered.
#[test]
fn a_table_between_modules_keeps_its_slots_apart() {
    let bytes = component(&format!(
        "{HOST}
        (core module $shim (type $t (func))
          (table (export \"$imports\") 3 3 funcref)
          (func (export \"0\") (call_indirect (type $t) (i32.const 0)))
          (func (export \"1\") (call_indirect (type $t) (i32.const 1)))
          (func (export \"2\") (call_indirect (type $t) (i32.const 2))))
        (core module $fixup
          (import \"\" \"0\" (func $zero)) (import \"\" \"1\" (func $one)) (import \"\" \"2\" (func $two))
          (import \"\" \"$imports\" (table 3 3 funcref))
          (elem (i32.const 0) func $zero $one $two))
        (core module $m
          (import \"shim\" \"0\" (func $zero)) (import \"shim\" \"2\" (func $two))
          (func (export \"go\") call $two)
          (func (export \"cabi_realloc\") call $zero))
        (core instance $s (instantiate $shim))
        (core instance $i (instantiate $m (with \"shim\" (instance $s))))
        (alias core export $s \"$imports\" (core table $imports))
        (core instance (instantiate $fixup (with \"\" (instance
          (export \"0\" (func $one)) (export \"1\" (func $two)) (export \"2\" (func $three))
          (export \"$imports\" (table $imports))))))
        (func (export \"go\") (canon lift (core func $i \"go\")))"
    ));
    assert_eq!(words(&reached(&bytes)), "one no, two no, three yes");
}

#[test]
fn components_inside_and_passed_around_are_followed() {
    // The inner component gets `two` as `f` and exports `run`, which the outer one lowers; a second one gets `three` and is
    // made, but nobody calls it. A third is passed as a component, and aliases a module from outside.
    let bytes = component(&format!(
        "{HOST}
        (core module $shared (import \"\" \"f\" (func $f)) (func (export \"run\") call $f))
        (component $inner
          (import \"f\" (func $f))
          (core func $f (canon lower (func $f)))
          (alias outer 1 $shared (core module $local))
          (core instance $i (instantiate $local (with \"\" (instance (export \"f\" (func $f))))))
          (func $run (canon lift (core func $i \"run\")))
          (export $again \"run\" (func $run))
          (export \"twice\" (func $again)))
        (component $maker
          (import \"what\" (component $what (import \"f\" (func)) (export \"run\" (func)) (export \"twice\" (func))))
          (import \"g\" (func $g))
          (instance $made (instantiate $what (with \"f\" (func $g))))
          (export \"made\" (func $made \"twice\")))
        (alias export $host \"two\" (func $htwo))
        (alias export $host \"three\" (func $hthree))
        (instance $a (instantiate $maker (with \"what\" (component $inner)) (with \"g\" (func $htwo))))
        (instance $b (instantiate $inner (with \"f\" (func $hthree))))
        (core func $a (canon lower (func $a \"made\")))
        (core module $m (import \"\" \"a\" (func $a)) (func (export \"go\") call $a))
        (core instance $i (instantiate $m (with \"\" (instance (export \"a\" (func $a))))))
        (func (export \"go\") (canon lift (core func $i \"go\")))"
    ));
    assert_eq!(words(&reached(&bytes)), "one no, two yes, three no");
    // An import passed on as a tool.
    let bytes = component(&format!(
        "{HOST} (export \"a:b/same\" (instance $host)) (export \"three-again\" (func $host \"three\"))"
    ));
    assert_eq!(words(&reached(&bytes)), "one yes, two yes, three yes");
}

#[test]
fn instantiations_are_bounded() {
    // Each level instantiates the one below twice: 2^40 instances.
    let mut text =
        String::from("(component $c0 (core module $m) (core instance (instantiate $m)))");
    for level in 1..=40 {
        text += &format!(
            "(component $c{level} (alias outer 1 $c{} (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))",
            level - 1
        );
    }
    let bytes = component(&format!(
        "{HOST} {text} (instance (instantiate $c40)) (export \"go\" (func $host \"one\"))"
    ));
    let started = std::time::Instant::now();
    let found = reached(&bytes);
    assert!(
        matches!(&found.functions()[0].reach, Reachability::CannotTell { why } if why.contains("instantiates more"))
    );
    assert!(started.elapsed() < std::time::Duration::from_secs(30));
}

#[test]
fn capabilities_are_what_their_functions_do() {
    let import = |interface: &str, function: &str, reach: Reachability| ReachedFunction {
        interface: interface.to_owned(),
        function: function.to_owned(),
        capability: Capability::of(interface),
        reach,
    };
    let unknown = || Reachability::CannotTell {
        why: "x".to_owned(),
    };
    let found = Reached {
        functions: vec![
            import(
                "wasi:http/types@0.2.6",
                "[constructor]fields",
                Reachability::Reachable,
            ),
            import(
                "wasi:http/outgoing-handler@0.2.6",
                "handle",
                Reachability::Unreachable,
            ),
            import(
                "wasi:filesystem/preopens@0.2.6",
                "get-directories",
                Reachability::Reachable,
            ),
            import(
                "wasi:filesystem/types@0.2.6",
                "[method]descriptor.read",
                unknown(),
            ),
            import("wasi:random/random@0.2.6", "get-random-u64", unknown()),
            import(
                "wasi:random/random@0.2.6",
                "get-random-bytes",
                Reachability::Reachable,
            ),
        ],
    };
    assert_eq!(
        found.capability(Capability::Http),
        Some(Reachability::Unreachable)
    );
    assert_eq!(found.capability(Capability::Files), Some(unknown()));
    assert_eq!(
        found.capability(Capability::Random),
        Some(Reachability::Reachable)
    );
    assert_eq!(found.capability(Capability::Sockets), None);
    let http = &found.capabilities()[1];
    assert_eq!(
        (http.capability, http.imported, http.reachable),
        (Capability::Http, 2, 1)
    );
}

mod random {
    //! Programs made at random are run by a stock engine; whatever they call must have been found reachable.

    use super::{HOST, component, reached};
    use crate::inspect::reached::Reachability;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Config, Engine, Store};

    const FUNCTIONS: usize = 5;

    /// One instruction or two, which leave nothing on the stack.
    #[derive(Clone, Debug)]
    enum Step {
        Call(usize),
        CallSlot(usize, usize),
        CallComputed(usize, usize),
        Put(usize, usize, usize),
        Move(usize, usize, usize, usize),
        Copy(usize, usize),
        Init(usize, usize),
        Keep(usize),
        PutKept(usize, usize),
        Fill(usize, usize),
        Other,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (function, table, slot) = (0..FUNCTIONS + 3, 0..3_usize, 0..4_usize);
        prop_oneof![
            4 => function.clone().prop_map(Step::Call),
            4 => (table.clone(), slot.clone()).prop_map(|(t, s)| Step::CallSlot(t, s)),
            2 => (table.clone(), slot.clone()).prop_map(|(t, s)| Step::CallComputed(t, s)),
            2 => (table.clone(), slot.clone(), function.clone()).prop_map(|(t, s, f)| Step::Put(t, s, f)),
            2 => (table.clone(), slot.clone(), table.clone(), slot.clone()).prop_map(|(t, s, u, v)| Step::Move(t, s, u, v)),
            1 => (table.clone(), table.clone()).prop_map(|(t, u)| Step::Copy(t, u)),
            1 => (table.clone(), 0..2_usize).prop_map(|(t, e)| Step::Init(t, e)),
            1 => function.clone().prop_map(Step::Keep),
            1 => (table.clone(), slot.clone()).prop_map(|(t, s)| Step::PutKept(t, s)),
            1 => (table, function).prop_map(|(t, f)| Step::Fill(t, f)),
            1 => Just(Step::Other),
        ]
    }

    /// What an imported or own function is called in the text: imports first.
    fn name(function: usize) -> String {
        match function {
            0 => "$one".to_owned(),
            1 => "$two".to_owned(),
            2 => "$three".to_owned(),
            own => format!("$f{}", own - 3),
        }
    }

    fn text(step: &Step) -> String {
        match step {
            Step::Call(function) => format!("call {}", name(*function)),
            Step::CallSlot(table, slot) => {
                format!("(call_indirect $t{table} (type $t) (i32.const {slot}))")
            }
            Step::CallComputed(table, slot) => {
                format!(
                    "(call_indirect $t{table} (type $t) (i32.add (i32.const {slot}) (i32.const 0)))"
                )
            }
            Step::Put(table, slot, function) => {
                format!(
                    "(table.set $t{table} (i32.const {slot}) (ref.func {}))",
                    name(*function)
                )
            }
            Step::Move(to, slot, from, other) => format!(
                "(table.set $t{to} (i32.const {slot}) (table.get $t{from} (i32.const {other})))"
            ),
            Step::Copy(to, from) => {
                format!("(table.copy $t{to} $t{from} (i32.const 0) (i32.const 1) (i32.const 3))")
            }
            Step::Init(table, segment) => {
                format!(
                    "(table.init $t{table} $e{segment} (i32.const 1) (i32.const 0) (i32.const 2))"
                )
            }
            Step::Keep(function) => format!("(global.set $g (ref.func {}))", name(*function)),
            Step::PutKept(table, slot) => {
                format!("(table.set $t{table} (i32.const {slot}) (global.get $g))")
            }
            Step::Fill(table, function) => {
                format!(
                    "(table.fill $t{table} (i32.const 0) (ref.func {}) (i32.const 2))",
                    name(*function)
                )
            }
            Step::Other => "call $other".to_owned(),
        }
    }

    /// Two modules that share table 2; each step first pays from `$fuel`, so that every program ends.
    fn program(bodies: &[Vec<Step>], segments: &[Vec<usize>], start: bool) -> String {
        let mut functions = String::new();
        for (index, body) in bodies.iter().enumerate() {
            let _ = write!(functions, "(func $f{index} (export \"f{index}\")");
            for step in body {
                let _ = write!(
                    functions,
                    " (if (i32.eqz (global.get $fuel)) (then return)) (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))) {}",
                    text(step)
                );
            }
            functions.push_str(")\n");
        }
        let names = |segment: &Vec<usize>| {
            let names: Vec<_> = segment.iter().map(|function| name(*function)).collect();
            names.join(" ")
        };
        let start = if start { "(start $f1)" } else { "" };
        format!(
            "{HOST}
            (core module $n
              (type $t (func)) (import \"\" \"two\" (func $two)) (table (export \"table\") 4 4 funcref)
              (elem declare func $two)
              (func (export \"other\") (table.set (i32.const 3) (ref.func $two))))
            (core instance $n (instantiate $n (with \"\" (instance $lowered))))
            (core module $m
              (type $t (func))
              (import \"host\" \"one\" (func $one)) (import \"host\" \"two\" (func $two)) (import \"host\" \"three\" (func $three))
              (import \"n\" \"other\" (func $other)) (import \"n\" \"table\" (table $t2 4 4 funcref))
              (global $fuel (mut i32) (i32.const 200)) (global $g (mut funcref) (ref.null func))
              (table $t0 4 4 funcref) (table $t1 4 4 funcref)
              (elem (table $t0) (i32.const 0) func {})
              (elem (table $t1) (i32.const 0) func {})
              (elem (table $t2) (i32.const 0) func {})
              (elem $e0 func {}) (elem $e1 func {})
              (elem declare func $one $two $three $f0 $f1 $f2 $f3 $f4)
              {functions} {start})
            (core instance $m (instantiate $m (with \"host\" (instance $lowered)) (with \"n\" (instance $n))))
            (func (export \"go\") (canon lift (core func $m \"f0\")))",
            names(&segments[0]),
            names(&segments[1]),
            names(&segments[2]),
            names(&segments[3]),
            names(&segments[4]),
        )
    }

    /// Runs `go` and says which imports were called, whether it ended or trapped.
    #[expect(
        clippy::disallowed_methods,
        reason = "the stock engine is what ours is compared with; nothing of a host is linked"
    )]
    fn run(engine: &Engine, bytes: &[u8]) -> BTreeSet<&'static str> {
        let component = Component::from_binary(engine, bytes).unwrap();
        let mut linker: Linker<BTreeSet<&'static str>> = Linker::new(engine);
        let mut host = linker.instance("a:b/host").unwrap();
        for name in ["one", "two", "three"] {
            host.func_wrap(name, move |mut store, (): ()| {
                store.data_mut().insert(name);
                Ok(())
            })
            .unwrap();
        }
        let mut store = Store::new(engine, BTreeSet::new());
        if let Ok(instance) = linker.instantiate(&mut store, &component) {
            let go = instance.get_typed_func::<(), ()>(&mut store, "go").unwrap();
            let _ = go.call(&mut store, ());
        }
        store.into_data()
    }

    #[test]
    fn what_runs_was_found_reachable() {
        let engine = Engine::new(&Config::new()).unwrap();
        let body = proptest::collection::vec(step(), 1..5);
        let bodies = proptest::collection::vec(body, FUNCTIONS..=FUNCTIONS);
        let segment = proptest::collection::vec(0..FUNCTIONS + 3, 4..=4);
        let segments = proptest::collection::vec(segment, 5..=5);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 200,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let mut called = 0;
        let mut unreachable = 0;
        let seen = std::cell::RefCell::new((&mut called, &mut unreachable));
        runner
            .run(
                &(bodies, segments, any::<bool>()),
                |(bodies, segments, start)| {
                    let text = program(&bodies, &segments, start);
                    let bytes = component(&text);
                    let found = reached(&bytes);
                    let ran = run(&engine, &bytes);
                    let mut seen = seen.borrow_mut();
                    *seen.0 += ran.len();
                    for function in found.functions() {
                        let name = function.function.as_str();
                        match &function.reach {
                            Reachability::Reachable => {}
                            Reachability::Unreachable => {
                                *seen.1 += 1;
                                prop_assert!(!ran.contains(name), "{name} was called in {text}");
                            }
                            Reachability::CannotTell { why } => prop_assert!(false, "{why}"),
                        }
                    }
                    Ok(())
                },
            )
            .unwrap();
        // Both happen, or nothing was compared.
        assert!(called > 50 && unreachable > 50, "{called} {unreachable}");
    }
}
