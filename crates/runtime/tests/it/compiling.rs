//! Compiling beside calls: who waits, and for what.

use crate::common::component;
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::compile::{CompileError, Compiler, InProcess};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

/// Compiles once it is opened, and counts how many wait in it at once.
#[derive(Default)]
struct Gated {
    open: Mutex<bool>,
    opened: Condvar,
    begun: Notify,
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Gated {
    fn set(&self, open: bool) {
        *self.open.lock().unwrap() = open;
        self.opened.notify_all();
    }
}

impl Compiler for Gated {
    fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.begun.notify_one();
        let open = self.open.lock().unwrap();
        // A test that fails ends all the same.
        let waited = self
            .opened
            .wait_timeout_while(open, Duration::from_secs(20), |open| !*open);
        drop(waited);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        InProcess.compile(engine, component)
    }
}

fn answers(number: u32) -> Vec<u8> {
    component(
        "package test:slow; world slow { export answer: func() -> u32; }",
        "slow",
        &format!(r#"(module (func (export "answer") (result i32) i32.const {number}))"#),
    )
}

#[test]
fn wassette_10_calls_of_what_is_being_compiled_hold_up_nobody() {
    let compiler = Arc::new(Gated::default());
    let fixture = Fixture::with(|builder| builder.compiler(Arc::clone(&compiler) as _));
    compiler.set(true);
    fixture.install("one", &answers(1), "");
    fixture.install("two", &answers(2), "");
    fixture.ping();
    forget_native_code(&fixture);
    compiler.set(false);
    fixture.block_on(async {
        let call = |tool| fixture.calling(tool, Value::Null, CancellationToken::new());
        let calls = async {
            tokio::join!(
                call("one_answer"),
                call("one_answer"),
                call("two_answer"),
                call("two_answer")
            )
        };
        let mut calls = std::pin::pin!(calls);
        let ping = async {
            compiler.begun.notified().await;
            for _ in 0..10 {
                assert_eq!(result(&call("ping_ping").await), json!(42));
                assert!(!*compiler.open.lock().unwrap());
                // The waiting calls are looked at in between.
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = &mut calls => panic!("called before it was compiled"),
            () = ping => {}
        }
        compiler.set(true);
        let (one, again, two, second) = calls.await;
        for (report, answer) in [(one, 1), (again, 1), (two, 2), (second, 2)] {
            assert_eq!(result(&report), json!(answer));
        }
    });
    // A large component takes hundreds of megabytes while it compiles.
    assert_eq!(compiler.most.load(Ordering::SeqCst), 1);
}

/// Compiles while it is sound, and panics after.
#[derive(Default)]
struct Broken(AtomicUsize);

impl Compiler for Broken {
    fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        assert_eq!(self.0.load(Ordering::SeqCst), 0, "broken");
        InProcess.compile(engine, component)
    }
}

#[test]
fn a_compiler_that_panics_fails_the_calls_that_wait_for_it_at_once() {
    let compiler = Arc::new(Broken::default());
    let fixture = Fixture::with(|builder| builder.compiler(Arc::clone(&compiler) as _));
    fixture.install("one", &answers(1), "");
    fixture.ping();
    forget_native_code(&fixture);
    compiler.0.store(1, Ordering::SeqCst);
    for _ in 0..2 {
        let started = std::time::Instant::now();
        let report = fixture.call("one_answer", Value::Null);
        assert_eq!(reason(&report), "invalid.component", "{report:?}");
        // Not the wall limit of the call.
        assert!(started.elapsed() < Duration::from_secs(15));
    }
    fixture.ping();
}

fn forget_native_code(fixture: &Fixture) {
    for file in std::fs::read_dir(fixture.home.cache_dir()).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "native")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
}
