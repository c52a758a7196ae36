//! Why a component is not installed.

use super::SignerChange;
use crate::component::{PrepareError, chain};
use crate::engine::EngineError;
use crate::inspect::InspectError;
use crate::names::NameCollision;
use crate::provenance::LockedError;
use crate::runtime::OpenError;
use crate::sync::SyncError;
use casemate_artifact::{
    EvidenceError, FetchError, LockError, PolicyFileError, ReferenceError, StoreError, TrustError,
};
use casemate_policy::{ComponentName, PolicyError, Reason};
use std::path::PathBuf;

/// Why a component was not installed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The bytes could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The bytes are no component that Casemate takes in.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// A rule of `trust.yaml` asks for another signature than it has, or for one.
    #[error(
        "{origin} is not signed as trust.yaml asks: {why}; expected {}",
        or_nobody(expected)
    )]
    Verification {
        /// The stable reason: `verify.signature`, `verify.identity` or `verify.expired`.
        reason: Reason,
        /// Where the bytes came from.
        origin: String,
        /// Whose signature was expected.
        expected: Vec<String>,
        /// What was found instead.
        why: String,
    },
    /// `trust.yaml` cannot be used, so nothing from a registry or server is taken.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Somebody else signed it than what has the name now, or nobody did.
    #[error("{name} {change}")]
    SignerChanged {
        /// The name.
        name: ComponentName,
        /// Who signed it before and now.
        change: Box<SignerChange>,
    },
    /// It is older than what has the name now.
    #[error("{origin} is older than the {name} that is installed: {why}")]
    Downgrade {
        /// The name.
        name: ComponentName,
        /// Where the bytes came from.
        origin: String,
        /// What tells so.
        why: String,
    },
    /// No component has that name.
    #[error("no component is called {0}")]
    Unknown(ComponentName),
    /// Nothing had the name before, so there is nothing to go back to.
    #[error("nothing had the name {0} before")]
    NoPrevious(ComponentName),
    /// The lock names a source that is no reference.
    #[error("the source of {name} in the lock is no reference: {error}")]
    Source {
        /// The name.
        name: ComponentName,
        /// What is wrong with it.
        error: ReferenceError,
    },
    /// Something that the lock names is not what it says.
    #[error(transparent)]
    Locked(#[from] LockedError),
    /// Something that the lock names is not in the store and could not be fetched.
    #[error("what the lock names for {name} is not here and cannot be had: {error}")]
    Missing {
        /// The name.
        name: ComponentName,
        /// Why it cannot.
        error: Box<SyncError>,
    },
    /// What has the name is not what it was when the plan was made.
    #[error("{0} was changed by another program meanwhile; nothing was installed")]
    Outdated(ComponentName),
    /// The signatures are too many to be kept.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It imports what no host has.
    #[error("the component imports what Casemate does not have: {}", interfaces.join(", "))]
    UnknownImports {
        /// The interfaces.
        interfaces: Vec<String>,
    },
    /// It needs a WebAssembly proposal that is switched off.
    #[error("the component needs {}, which Casemate does not run", features.join(", "))]
    MissingFeatures {
        /// The proposals.
        features: Vec<String>,
    },
    /// It has nothing to call.
    #[error(
        "the component exports no function that can be a tool{}",
        because(unsupported)
    )]
    NoTools {
        /// What it exports instead, and why that cannot be called.
        unsupported: Vec<String>,
    },
    /// Two of its functions would have one name.
    #[error(transparent)]
    Names(#[from] NameCollision),
    /// Another component has a tool of that name.
    #[error("its tool {tool} would have the name of a tool of {owner}")]
    Taken {
        /// The exposed name.
        tool: String,
        /// The component that has it.
        owner: ComponentName,
    },
    /// No name could be made from the file's.
    #[error("no component can be called after {}", path.display())]
    NoName {
        /// The file.
        path: PathBuf,
    },
    /// It does not compile.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The bytes could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock could not be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The policy does not hold.
    #[error("the policy is not valid: {0}")]
    Policy(#[from] PolicyError),
    /// The policy could not be written.
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
    /// The catalog could not be rebuilt.
    #[error(transparent)]
    Open(#[from] OpenError),
}

fn because(unsupported: &[String]) -> String {
    if unsupported.is_empty() {
        String::new()
    } else {
        format!(": {}", unsupported.join("; "))
    }
}

fn or_nobody(expected: &[String]) -> String {
    if expected.is_empty() {
        "a signature".to_owned()
    } else {
        expected.join(" or ")
    }
}

/// The full chain of an installation error, for logs.
impl InstallError {
    /// Everything that is known of the cause, for the log and the author.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Prepare(error) => error.detail.clone(),
            other => chain(other),
        }
    }
}
