//! A runtime over a throw-away home, and calls that check their audit record.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use casemate_artifact::{Home, Reference, Silent};
use casemate_policy::{ComponentName, RootName};
use casemate_runtime::audit::AuditUnavailable;
use casemate_runtime::{
    AuditRecord, AuditSink, CallReport, InstallRequest, Outcome, Runtime, RuntimeBuilder,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Keeps records in memory.
#[derive(Default)]
pub struct Records(Mutex<Vec<AuditRecord>>);

impl AuditSink for Records {
    fn ready(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    fn write(&self, record: &AuditRecord) {
        self.0.lock().unwrap().push(record.clone());
    }
}

impl Records {
    pub fn all(&self) -> Vec<AuditRecord> {
        self.0.lock().unwrap().clone()
    }
}

pub struct Fixture {
    pub runtime: Arc<Runtime>,
    pub records: Arc<Records>,
    pub home: Home,
    directory: tempfile::TempDir,
    worker: tokio::runtime::Runtime,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// A workspace in the fixture's directory, bound to the root `workspace`.
    pub fn with_workspace() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let workspace = directory.path().join("ws");
        std::fs::create_dir(&workspace).unwrap();
        let root: RootName = "workspace".parse().unwrap();
        Self::in_directory(directory, |builder| builder.root(root, workspace))
    }

    pub fn with(configure: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder) -> Self {
        Self::in_directory(tempfile::tempdir().unwrap(), configure)
    }

    pub fn in_directory(
        directory: tempfile::TempDir,
        configure: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Self {
        let home = Home::single(directory.path().join("home"));
        let records = Arc::new(Records::default());
        let builder = Runtime::builder(home.clone()).audit(Arc::clone(&records) as _);
        let runtime = Arc::new(configure(builder).open().unwrap());
        let worker = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            runtime,
            records,
            home,
            directory,
            worker,
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn workspace(&self) -> PathBuf {
        self.directory.path().join("ws")
    }

    pub fn try_install(
        &self,
        name: &str,
        component: &[u8],
        policy: Option<&str>,
    ) -> Result<(), casemate_runtime::InstallError> {
        let file = self.directory.path().join(format!("{name}.wasm"));
        std::fs::write(&file, component).unwrap();
        let name: ComponentName = name.parse().unwrap();
        let plan = self.runtime.plan_install(
            InstallRequest::new(Reference::File(file)).named(name),
            &Silent,
        )?;
        self.runtime.install(plan, policy).map(drop)
    }

    /// Installs a component with a policy (the text under `permissions:`, if any).
    pub fn install(&self, name: &str, component: &[u8], policy: &str) {
        let policy = (!policy.is_empty()).then(|| format!("version: \"1.0\"\n{policy}"));
        self.try_install(name, component, policy.as_deref())
            .unwrap();
        assert_eq!(self.runtime.catalog().problems(), []);
    }

    /// One call, after which there is exactly one more audit record, and it agrees.
    pub fn call(&self, tool: &str, arguments: Value) -> CallReport {
        self.worker
            .block_on(self.calling(tool, arguments, CancellationToken::new()))
    }

    pub async fn calling(
        &self,
        tool: &str,
        arguments: Value,
        cancel: CancellationToken,
    ) -> CallReport {
        let catalog = self.runtime.catalog();
        let tool = catalog
            .tool(tool)
            .unwrap_or_else(|| panic!("no tool {tool} in {catalog:?}"));
        let arguments = tool.parse_args(arguments).unwrap();
        let report = tool.call("test", arguments, cancel).await.unwrap();
        let records: Vec<AuditRecord> = self
            .records
            .all()
            .into_iter()
            .filter(|record| record.call == report.id)
            .collect();
        let [record] = records.as_slice() else {
            panic!("{} audit records for one call", records.len());
        };
        assert_eq!(record.outcome, report.outcome.label());
        assert_eq!(
            record.reason.as_deref(),
            report.outcome.reason().map(|reason| reason.as_str())
        );
        assert_eq!(record.denials.len(), report.denials.len());
        report
    }

    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.worker.block_on(future)
    }

    /// The server still answers: a small component runs to its end.
    pub fn ping(&self) {
        if self.runtime.catalog().tool("ping_ping").is_none() {
            self.install("ping", &super::ping(), "");
        }
        let started = std::time::Instant::now();
        assert_eq!(
            self.call("ping_ping", Value::Null).outcome,
            Outcome::Returned(serde_json::json!({"result": 42}))
        );
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
    }
}

/// The stable reason of a call that did not return.
pub fn reason(report: &CallReport) -> &'static str {
    report
        .outcome
        .reason()
        .map_or("none", |reason| reason.as_str())
}

pub fn result(report: &CallReport) -> Value {
    match &report.outcome {
        Outcome::Returned(value) => value.get("result").cloned().unwrap_or(Value::Null),
        other => panic!("{other:?} {:?} {}", report.detail, report.stderr.text),
    }
}
