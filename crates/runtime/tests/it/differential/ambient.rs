//! A guest reads its variables, its clock and random numbers, and what it got is what the rules say.

use super::draw::{self, Dice, KEYS};
use super::model::World;
use super::{SEED, Tally};
use crate::common::wasi_component;
use crate::fixture::{Fixture, reason, result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CEILINGS: u64 = 3;
const POLICIES: u64 = 16;
const TICK: u64 = 10_000_000;

fn guest() -> Vec<u8> {
    wasi_component(
        "package test:evil; world evil {
           import wasi:cli/environment@0.2.12; import wasi:clocks/monotonic-clock@0.2.12; import wasi:random/random@0.2.12;
           export variables: func() -> list<tuple<string, string>>;
           export clock: func(turns: u32) -> tuple<u64, u64>;
           export number: func() -> u64; }",
        "evil",
        r#"(module
          (import "wasi:cli/environment@0.2.12" "get-environment" (func $variables (param i32)))
          (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))
          (import "wasi:random/random@0.2.12" "get-random-u64" (func $number (result i64)))
          (memory (export "memory") 2)
          (global $next (mut i32) (i32.const 4096))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (global.get $next))
            (global.set $next (i32.and (i32.const -8) (i32.add (i32.const 7) (i32.add (global.get $next) (local.get 3)))))
            (local.get $at))
          (func (export "variables") (result i32) (call $variables (i32.const 64)) (i32.const 64))
          (func (export "clock") (param $turns i32) (result i32)
            (i64.store (i32.const 64) (call $now))
            (loop $l (br_if $l (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
            (i64.store (i32.const 72) (call $now))
            (i32.const 64))
          (func (export "number") (result i64) (call $number)))"#,
    )
}

struct Site<'f> {
    fixture: &'f Fixture,
    world: &'f World,
    server: &'f BTreeMap<String, String>,
    tool: String,
    tally: &'f mut Tally,
}

impl Site<'_> {
    fn variables(&mut self) {
        let report = self
            .fixture
            .call(&format!("{}_variables", self.tool), Value::Null);
        let seen: BTreeMap<String, String> = serde_json::from_value(json!(
            result(&report)
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone()))
                .collect::<serde_json::Map<_, _>>()
        ))
        .unwrap();
        for key in KEYS {
            let granted = self.world.variable(key);
            let value = granted.and_then(|value| {
                value
                    .map(str::to_owned)
                    .or_else(|| self.server.get(key).cloned())
            });
            assert_eq!(
                seen.get(key),
                value.as_ref(),
                "{key} {}",
                self.world.policy.yaml()
            );
            self.tally.count("variable", granted.is_some());
        }
        assert!(
            seen.keys().all(|key| KEYS.contains(&key.as_str())),
            "{seen:?}"
        );
    }

    fn clock(&mut self) {
        let report = self
            .fixture
            .call(&format!("{}_clock", self.tool), json!({"turns": 2_000_000}));
        let mode = self.world.clocks();
        self.tally.count("clock", mode != "none");
        if mode == "none" {
            assert_eq!(reason(&report), "denied.clock");
            return;
        }
        let times = result(&report);
        let number = |value: &Value| {
            value
                .as_u64()
                .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
        };
        let (before, after) = (number(&times[0]), number(&times[1]));
        match mode {
            "frozen" => assert_eq!(before, after),
            "coarse" => assert_eq!((after - before) % TICK, 0, "{before} {after}"),
            _ => assert!(
                after > before && (after - before) % TICK != 0,
                "{before} {after}"
            ),
        }
    }

    fn random(&mut self) {
        let draw = || {
            self.fixture
                .call(&format!("{}_number", self.tool), Value::Null)
        };
        let (one, other) = (draw(), draw());
        let mode = self.world.random();
        self.tally.count("random", mode != "none");
        match mode {
            "none" => assert_eq!(
                (reason(&one), reason(&other)),
                ("denied.random", "denied.random")
            ),
            "secure" => assert_ne!(result(&one), result(&other)),
            _ => assert_eq!(result(&one), result(&other), "{mode}"),
        }
    }
}

#[test]
fn s160_what_a_guest_finds_around_it_is_what_is_explained() {
    let server = BTreeMap::from(
        [("A", "a"), ("B", "server's"), ("LONG_KEY", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    let mut tally = Tally::default();
    for group in 0..CEILINGS {
        let mut dice = Dice(SEED << 42 | group);
        let ceiling = (group > 0).then(|| draw::ceiling(&mut dice, super::ABSOLUTE));
        let fixture = Fixture::with(|builder| {
            let builder = builder.environment(server.clone());
            match &ceiling {
                Some(ceiling) => builder.ceiling(super::read(ceiling)),
                None => builder,
            }
        });
        for number in 0..POLICIES {
            let policy = draw::policy(&mut dice, super::ABSOLUTE);
            let world = World {
                policy,
                ceiling: ceiling.clone(),
                bound: Vec::new(),
            };
            let tool = format!("t{number}");
            fixture
                .try_install(&tool, &guest(), Some(&world.policy.yaml()))
                .unwrap();
            let mut site = Site {
                fixture: &fixture,
                world: &world,
                server: &server,
                tool,
                tally: &mut tally,
            };
            site.variables();
            site.clock();
            site.random();
        }
    }
    println!("{tally:?}");
    assert!(tally.total() >= 200, "{tally:?}");
    tally.is_mixed(3);
}
