//! What only a defect in the host can show (case S135, and the host side of S244).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::InstallRequest;
use crate::audit::{AuditRecord, AuditSink, AuditUnavailable};
use crate::wasi::cli::HOST_PANIC;
use crate::{Outcome, Runtime};
use casemate_artifact::{Home, Reference, Silent};
use casemate_policy::Reason;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Records {
    records: Mutex<Vec<AuditRecord>>,
    broken: AtomicBool,
}

impl AuditSink for Records {
    fn ready(&self) -> Result<(), AuditUnavailable> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(AuditUnavailable);
        }
        Ok(())
    }

    fn write(&self, record: &AuditRecord) {
        self.records.lock().unwrap().push(record.clone());
    }
}

fn exits_with(code: u8) -> Vec<u8> {
    crate::inspect::guests::wasi_component(
        "package test:exit; world exit { import wasi:cli/exit@0.2.12; export run: func() -> u32; }",
        "exit",
        &format!(
            r#"(module
            (import "wasi:cli/exit@0.2.12" "exit-with-code" (func $exit (param i32)))
            (func (export "run") (result i32) (call $exit (i32.const {code})) i32.const 0))"#
        ),
    )
}

fn open(directory: &std::path::Path, code: u8) -> (Runtime, Arc<Records>) {
    let file = directory.join("exit.wasm");
    std::fs::write(&file, exits_with(code)).unwrap();
    let records = Arc::new(Records::default());
    let runtime = Runtime::builder(Home::single(directory.join("home")))
        .audit(Arc::clone(&records) as _)
        .open()
        .unwrap();
    let plan = runtime
        .plan_install(InstallRequest::new(Reference::File(file)), &Silent)
        .unwrap();
    runtime.install(plan, None).unwrap();
    (runtime, records)
}

async fn call(runtime: &Runtime) -> crate::CallReport {
    let catalog = runtime.catalog();
    let tool = catalog.tool("exit_run").unwrap();
    let arguments = tool.parse_args(Value::Null).unwrap();
    tool.call("test", arguments, CancellationToken::new())
        .await
        .unwrap()
}

#[tokio::test]
async fn s135_a_panic_in_a_host_function_answers_that_call_and_harms_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (runtime, records) = open(directory.path(), HOST_PANIC);
    for _ in 0..3 {
        let report = call(&runtime).await;
        assert_eq!(report.outcome.reason(), Some(Reason::Internal));
        assert!(
            matches!(&report.outcome, Outcome::Failed { message, .. } if !message.contains("panic"))
        );
    }
    assert_eq!(records.records.lock().unwrap().len(), 3);
    let other = tempfile::tempdir().unwrap();
    let (runtime, _) = open(other.path(), 3);
    let report = call(&runtime).await;
    assert_eq!(report.outcome.label(), "failed");
    assert_ne!(report.outcome.reason(), Some(Reason::Internal));
}

#[tokio::test]
async fn no_audit_no_call() {
    let directory = tempfile::tempdir().unwrap();
    let (runtime, records) = open(directory.path(), 3);
    records.broken.store(true, Ordering::Relaxed);
    let report = call(&runtime).await;
    assert_eq!(report.outcome.reason(), Some(Reason::Internal));
    assert!(records.records.lock().unwrap().is_empty());
    records.broken.store(false, Ordering::Relaxed);
    call(&runtime).await;
    assert_eq!(records.records.lock().unwrap()[0].outcome, "failed");
}
