//! What may a tool do?
//!
//! A person writes a policy; admitted for one artifact it becomes a [`Grant`]; every request of the guest is an
//! [`Operation`] that [`Grant::decide`] answers with a [`Permit`] or a [`Denial`]. The crate is pure: no clock, no disk, no
//! network. Facts such as which roots are bound come in through [`Admission`].
//!
//! ```
//! use std::collections::BTreeSet;
//! use casemate_policy::{
//!     Admission, ArtifactIdentity, Digest, Operation, Policy, StorageAccess, Tenant, VirtualPath,
//! };
//!
//! let policy = Policy::parse(r#"
//! version: "1.0"
//! permissions:
//!   storage:
//!     allow:
//!       - uri: "fs://workspace/**"
//!         access: ["read"]
//! "#)?;
//! let identity = ArtifactIdentity::new(Digest::from_bytes([0; 32]), "./tool.wasm".to_owned(), None);
//! let bound_roots = BTreeSet::from(["workspace".parse()?]);
//! let admission = Admission { ceiling: None, strict: false, bound_roots: &bound_roots, tenant: Tenant::local() };
//! let grant = policy.admit(&identity, &admission);
//!
//! let path = VirtualPath::parse("/workspace/notes.txt")?;
//! assert!(grant.decide(&Operation::Storage { path: &path, access: StorageAccess::Read, own: false }).is_ok());
//! let denial = grant.decide(&Operation::Storage { path: &path, access: StorageAccess::Write, own: false }).unwrap_err();
//! assert_eq!(denial.reason().as_str(), "denied.storage.write");
//! assert_eq!(denial.remedy().unwrap().to_string(), "casemate grant NAME write fs://workspace/notes.txt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A guest that asks for what nothing allows is denied; nothing is allowed by default but a clock that stands still while it
//! computes, and secure random numbers.

#![forbid(unsafe_code)]

mod address;
mod allowance;
pub mod consent;
mod denial;
mod document;
mod edit;
mod environment;
mod error;
mod grant;
mod http;
mod identity;
mod language;
mod limits;
mod mode;
mod name;
mod operation;
mod path;
mod pattern;
mod policy;
mod quantity;
mod reason;
mod scope;
mod storage;
mod trust;

pub use address::{AddressUse, fetch_by_name, fetch_from};
pub use allowance::{
    Allowance, Allowed, AllowedFiles, AllowedHeader, AllowedPeer, AllowedRequests, AllowedVariable,
    HiddenText, HostBreadth, VariableValue, asked,
};
pub use denial::{Denial, Explanation, Origin, Permit, Permitted, Remedy, RuleRef};
pub use edit::{EditError, Edited, Permission, PolicyEdit, adopt, edit};
pub use environment::EnvironmentValue;
pub use error::{PolicyError, PolicyErrorKind, Warning};
pub use grant::{Admission, Grant, Reach};
pub use http::{HttpHost, HttpScheme, HttpTarget, lookup_name};
pub use identity::{ArtifactIdentity, Digest, DigestError};
pub use limits::{Limits, WrittenLimits};
pub use mode::{ClockMode, RandomMode};
pub use name::{ComponentName, NameError, RootName, Tenant};
pub use operation::{Clock, LinkKind, Operation, RandomSource, SocketAction, StorageAccess};
pub use path::{PathError, VirtualPath};
pub use policy::{Policy, widens};
pub use quantity::Rate;
pub use reason::{Reason, TrapKind, UnknownReason};
pub use storage::{Mount, MountPlace};
pub use trust::{
    KeySource, Signature, Signer, SignerError, SubjectName, TrustJudgement, TrustPolicy, TrustRules,
};
