//! A runtime over a throw-away home with one component of many uses.

use crate::client::Client;
use crate::common::wasi_component;
use crate::http::client::Server;
use casemate_artifact::{Home, Reference, Silent};
use casemate_mcp::{ServeOptions, ToolFilter, serve_on};
use casemate_policy::ComponentName;
use casemate_runtime::audit::AuditUnavailable;
use casemate_runtime::{AuditRecord, AuditSink, InstallRequest, Runtime};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Memory, a bump allocator and functions that each show one behaviour.
const KIT: &str = r#"
(module
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))
  (import "wasi:cli/stdin@0.2.12" "get-stdin" (func $stdin (result i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read"
    (func $read (param i32 i64 i32)))
  (import "wasi:sockets/tcp-create-socket@0.2.12" "create-tcp-socket"
    (func $socket (param i32 i32)))
  (import "wasi:clocks/wall-clock@0.2.12" "now" (func $now (param i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next
      (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8)))
    (block $done
      (loop $grow
        (br_if $done (i32.lt_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        br $grow))
    local.get $at)
  (func $pair (param i32 i32) (result i32)
    (i32.store (i32.const 16) (local.get 0))
    (i32.store (i32.const 20) (local.get 1))
    i32.const 16)
  (func (export "echo") (param i32 i32) (result i32) (call $pair (local.get 0) (local.get 1)))
  (func (export "bytes") (param i32 i32) (result i32) (call $pair (local.get 0) (local.get 1)))
  (func (export "numbers") (param i32 i32) (result i32) (call $pair (local.get 0) (local.get 1)))
  (func (export "letter") (param i32) (result i32) local.get 0)
  (func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "large") (param i64) (result i64) local.get 0)
  (func (export "float") (param f64) (result f64) local.get 0)
  (func (export "check") (param i32) (result i32)
    (i32.store (i32.const 32) (i32.eqz (local.get 0)))
    (if (local.get 0)
      (then (i32.store (i32.const 36) (i32.const 7)))
      (else
        (i32.store (i32.const 48) (i32.const 0x2d6f6e21))
        (i32.store (i32.const 36) (i32.const 48))
        (i32.store (i32.const 40) (i32.const 4))))
    i32.const 32)
  (func (export "spin") (loop $l br $l))
  (func (export "crash") unreachable)
  (func (export "print") (param i32 i32)
    (call $write (call $stdout) (local.get 0) (local.get 1) (i32.const 64))
    (call $write (call $stderr) (local.get 0) (local.get 1) (i32.const 64)))
  (func (export "read") (result i32)
    (call $read (call $stdin) (i64.const 64) (i32.const 80))
    (i32.load8_u (i32.const 80)))
  (func (export "dial") (result i32)
    (call $socket (i32.const 0) (i32.const 96))
    (i32.load8_u (i32.const 96)))
  (func (export "now") (result i64) (call $now (i32.const 112)) (i64.load (i32.const 112))))
"#;

const WORLD: &str = "
package test:kit;
world kit {
  import wasi:cli/stdout@0.2.12;
  import wasi:cli/stderr@0.2.12;
  import wasi:cli/stdin@0.2.12;
  import wasi:sockets/tcp-create-socket@0.2.12;
  import wasi:clocks/wall-clock@0.2.12;
  record point { x: s32, y: s32 }
  export echo: func(text: string) -> string;
  export bytes: func(data: list<u8>) -> list<u8>;
  export numbers: func(items: list<u32>) -> list<u32>;
  export letter: func(it: char) -> char;
  export sum: func(point: point) -> s32;
  export large: func(n: u64) -> u64;
  export float: func(n: f64) -> f64;
  export check: func(ok: bool) -> result<u32, string>;
  export spin: func();
  export crash: func();
  export print: func(text: string);
  export read: func() -> u32;
  export dial: func() -> u32;
  export now: func() -> u64;
}";

fn kit() -> &'static [u8] {
    static KIT_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    KIT_BYTES.get_or_init(|| wasi_component(WORLD, "kit", KIT))
}

/// Keeps records in memory.
#[derive(Default)]
struct Records(Mutex<Vec<AuditRecord>>);

impl AuditSink for Records {
    fn ready(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    fn write(&self, record: &AuditRecord) {
        self.0.lock().unwrap().push(record.clone());
    }
}

/// A home with the component `kit`.
pub(crate) struct Fixture {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) home: Home,
    records: Arc<Records>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    /// Nothing is granted, and calls may take ten seconds.
    pub(crate) fn new() -> Self {
        Self::with_policy("")
    }

    /// `policy` is the text of the policy below its version.
    pub(crate) fn with_policy(policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::single(directory.path().join("home"));
        let records = Arc::new(Records::default());
        let runtime = Runtime::builder(home.clone())
            .audit(Arc::clone(&records) as _)
            .open()
            .unwrap();
        let file = directory.path().join("kit.wasm");
        std::fs::write(&file, kit()).unwrap();
        let plan = runtime
            .plan_install(InstallRequest::new(Reference::File(file)), &Silent)
            .unwrap();
        let policy = format!("version: \"1.0\"\n{policy}");
        runtime.install(plan, Some(&policy)).unwrap();
        assert_eq!(runtime.catalog().problems(), []);
        Self {
            runtime: Arc::new(runtime),
            home,
            records,
            _directory: directory,
        }
    }

    /// A client of a new server.
    pub(crate) fn client(&self) -> Client {
        self.client_of(None)
    }

    /// A client of a new server of what `tools` lets through.
    pub(crate) fn client_of(&self, tools: Option<ToolFilter>) -> Client {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let (reader, writer) = tokio::io::split(ours);
        let stop = CancellationToken::new();
        let options = ServeOptions {
            version: "9.9.9".to_owned(),
            tools,
            ..ServeOptions::default()
        };
        let serving = serve_on(
            reader,
            writer,
            self.runtime.catalogs(),
            options,
            stop.clone(),
        );
        Client::new(theirs, stop, tokio::spawn(serving))
    }

    /// A server on a port of loopback.
    pub(crate) fn server(&self) -> Server {
        self.server_of(None)
    }

    /// A server on a port of loopback, of what `tools` lets through.
    pub(crate) fn server_of(&self, tools: Option<ToolFilter>) -> Server {
        let options = ServeOptions {
            version: "9.9.9".to_owned(),
            tools,
            ..ServeOptions::default()
        };
        Server::new(self.runtime.catalogs(), options)
    }

    pub(crate) fn write_policy(&self, text: &str) {
        let name: ComponentName = "kit".parse().unwrap();
        std::fs::write(
            self.home.policy_file(&name),
            format!("version: \"1.0\"\n{text}"),
        )
        .unwrap();
        self.runtime.reload().unwrap();
    }

    pub(crate) fn records(&self) -> Vec<AuditRecord> {
        self.records.0.lock().unwrap().clone()
    }

    /// The records, once there are `count`.
    pub(crate) async fn records_after(&self, count: usize) -> Vec<AuditRecord> {
        for _ in 0..200 {
            if self.records().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let records = self.records();
        assert_eq!(records.len(), count);
        records
    }
}
