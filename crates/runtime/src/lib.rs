//! Run them: what does a component offer, what may it do, and what did it do?
//!
//! Casemate as a library. A component is fetched, inspected from its bytes, compiled once and
//! installed under a name; a policy file of that name says what it may reach; each call of one of
//! its functions runs in a fresh store and leaves exactly one audit record.
//!
//! ```no_run
//! use casemate_artifact::{Home, Reference, Silent};
//! use casemate_runtime::{InstallRequest, Runtime};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::builder(Home::single("/tmp/home")).open()?;
//! let reference = Reference::parse("notes.wasm", &std::env::current_dir()?)?;
//! let plan = runtime.plan_install(InstallRequest::new(reference), &Silent)?;
//! runtime.install(plan, None)?;
//! let catalog = runtime.catalog();
//! let tool = catalog.tool("notes_current_time").ok_or("no such tool")?;
//! let arguments = tool.parse_args(serde_json::json!({ "zone": "Europe/Oslo" }))?;
//! let report = tool.call("nightly", arguments, CancellationToken::new()).await?;
//! println!("{:?}", report.outcome);
//! # Ok(())
//! # }
//! ```
//!
//! This crate reads no environment and no home directory, prints nothing and installs no
//! subscriber; it emits `tracing` events.

mod apply;
pub mod audit;
mod cache;
mod call;
mod catalog;
mod change;
pub mod compile;
mod component;
pub mod difference;
pub mod docs;
mod egress;
mod enforce;
mod engine;
mod frozen;
pub mod inspect;
mod install;
mod installed;
mod limits;
mod load;
pub mod names;
mod native;
mod output;
#[cfg(any(test, feature = "fuzz"))]
pub mod probe;
mod provenance;
pub mod report;
pub mod requested;
mod runtime;
pub mod schema;
mod sockets;
mod storage;
mod sync;
pub mod text;
mod update;
pub mod value;
mod version;
mod wasi;
pub mod wit;

pub use audit::{AuditRecord, AuditSink, JsonLines, Usage};
pub use cache::CacheError;
pub use call::{CallReport, Outcome};
pub use catalog::{Annotations, Args, Catalog, Problem, StartError, Tool, ToolSpec};
pub use change::{ChangeError, PolicyLocked};
pub use component::{PrepareError, chain};
pub use egress::{
    Deadlines, Dialer, Dns, LEASE, MAX_ADDRESSES, MAX_CONNECTIONS, MAX_KEPT, MAX_KEPT_TIME,
    MAX_LOOKUP_TIME, MAX_LOOKUPS, MAX_REQUESTS_OF_CALL, MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS,
    Network, Pending, RegistryConnector, ResolveError, Resolver, TrustRoots,
};
pub use enforce::DenialRecord;
pub use engine::EngineError;
pub use frozen::{FrozenDifference, FrozenPart};
pub use install::{
    InstallError, InstallPlan, InstallRequest, Previous, SignerChange, UpdateOptions,
};
pub use limits::{LimitReached, Unit};
pub use output::Captured;
pub use provenance::LockedError;
pub use runtime::{OpenError, Runtime, RuntimeBuilder, audit_file};
/// A certificate in DER, as [`TrustRoots`] takes it.
pub use rustls::pki_types::CertificateDer;
pub use sockets::{MAX_CALL_LOOKUPS, MAX_LOOKUPS_PER_CALL};
pub use storage::{Roots, has_openat2};
pub use sync::{LockedPart, SyncEntry, SyncError, SyncFailed, SyncOutcome, SyncPlan};
pub use update::{PolicyReturn, Rollback};
pub use wasi::heads::MAX_HTTP_MEMORY;
