//! What an installation would do: fetched, verified, inspected and compared, and nothing changed yet.

use crate::component::{PrepareError, chain};
use crate::difference::Difference;
use crate::engine::EngineError;
use crate::inspect::{Capability, InspectError, InspectedComponent, IntakeLimits, inspect};
use crate::names::{NameCollision, component_name, tool_names};
use crate::provenance::{self, LockedError};
use crate::requested::{self, Requested};
use crate::runtime::{OpenError, Runtime};
use crate::sync::SyncError;
use crate::update::Rollback;
use casemate_artifact::{
    Evidence, EvidenceError, FetchError, FetchLimits, FetchRequest, Fetched, LockEntry, LockError,
    LockFile, Package, PolicyFileError, Progress, Reference, ReferenceError, StoreError,
    TrustError, Verification, VerifiedArtifact, fetch,
};
use casemate_policy::{ComponentName, Digest, Policy, PolicyError, Reason, Signer, widens};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The annotation that says what the author calls a version (OCI image spec, "Pre-Defined Annotation Keys").
const VERSION: &str = "org.opencontainers.image.version";

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

/// What is to be installed, and what may be overlooked.
#[derive(Clone, Debug)]
pub struct InstallRequest {
    /// Where it is.
    pub reference: Reference,
    /// The name it gets; without one it is called after its file or repository.
    pub name: Option<ComponentName>,
    /// WIT text that describes the tools; types come from the binary. Without it the artifact's own is taken, if it
    /// brings one.
    pub author_wit: Option<String>,
    /// Take it though the rules of `trust.yaml` refuse it. Where they do not, this changes nothing.
    pub skip_verification: bool,
    /// Take it though somebody else signed it than what has the name now, or nobody.
    pub allow_signer_change: bool,
    /// Take it though it is older than what has the name now.
    pub allow_downgrade: bool,
}

impl InstallRequest {
    /// What `reference` names, with nothing overlooked.
    #[must_use]
    pub fn new(reference: Reference) -> Self {
        Self {
            reference,
            name: None,
            author_wit: None,
            skip_verification: false,
            allow_signer_change: false,
            allow_downgrade: false,
        }
    }

    /// The same under this name.
    #[must_use]
    pub fn named(mut self, name: ComponentName) -> Self {
        self.name = Some(name);
        self
    }

    fn options(&self) -> UpdateOptions {
        UpdateOptions {
            skip_verification: self.skip_verification,
            allow_signer_change: self.allow_signer_change,
            allow_downgrade: self.allow_downgrade,
        }
    }
}

/// What may be overlooked when a component is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdateOptions {
    /// See [`InstallRequest::skip_verification`].
    pub skip_verification: bool,
    /// See [`InstallRequest::allow_signer_change`].
    pub allow_signer_change: bool,
    /// See [`InstallRequest::allow_downgrade`].
    pub allow_downgrade: bool,
}

/// What an installation would do: looked at, not yet done.
pub struct InstallPlan {
    pub(crate) name: ComponentName,
    pub(crate) artifact: VerifiedArtifact,
    pub(crate) origin: Origin,
    pub(crate) inspected: Arc<InspectedComponent>,
    pub(crate) author_wit: Option<String>,
    pub(crate) tool_names: Vec<String>,
    pub(crate) verification: Verification,
    pub(crate) signer: Option<Signer>,
    pub(crate) verification_skipped: bool,
    pub(crate) signer_change: Option<SignerChange>,
    pub(crate) downgrade: Option<String>,
    pub(crate) requests: Vec<Requested>,
    pub(crate) difference: Option<Difference>,
    pub(crate) previous: Option<Previous>,
    pub(crate) rollback: Option<Rollback>,
}

/// What came with the bytes: from a registry, or from the store where it is kept since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) package: Option<Package>,
    pub(crate) manifest: Option<(Digest, Vec<u8>)>,
    pub(crate) evidence: Option<Evidence>,
    pub(crate) request: Option<String>,
    pub(crate) version: Option<String>,
}

impl Origin {
    pub(crate) fn of(package: Option<Package>) -> Self {
        let Some(package) = package else {
            return Self::default();
        };
        Self {
            manifest: Some((*package.manifest(), package.manifest_bytes().to_vec())),
            evidence: Some(package.evidence().clone()),
            request: package.policy().map(str::to_owned),
            version: package.annotations().get(VERSION).cloned(),
            package: Some(package),
        }
    }
}

/// Another signer than before. A rule of `trust.yaml` that is met allows it, or the caller did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerChange {
    /// Who signed what has the name now.
    pub before: Signer,
    /// Who signed the new bytes, as far as that was verified.
    pub now: Option<Signer>,
}

impl std::fmt::Display for SignerChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "was signed by {} and is now signed by ",
            self.before
        )?;
        match &self.now {
            Some(now) => write!(formatter, "{now}"),
            None => formatter.write_str("nobody who can be verified"),
        }
    }
}

/// The component that a plan would replace.
#[derive(Clone, Debug)]
pub struct Previous {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Where it came from.
    pub source: String,
    /// What its author calls this version.
    pub version: Option<String>,
    /// Who was verified to have signed it.
    pub signer: Option<Signer>,
    /// What the new bytes can ask for and the old ones cannot.
    pub grown: Vec<Capability>,
    /// It came from the same file, repository or URL.
    pub same_source: bool,
    /// What was found in its bytes; `None` where they cannot be read any more.
    pub inspected: Option<Arc<InspectedComponent>>,
    /// Exposed names of its tools.
    pub tool_names: Vec<String>,
    /// What its author asked for.
    pub requests: Vec<Requested>,
    /// The entry in the lock.
    pub(crate) entry: LockEntry,
}

impl InstallPlan {
    /// The name it would get.
    #[must_use]
    pub fn name(&self) -> &ComponentName {
        &self.name
    }

    /// What was found in the bytes.
    #[must_use]
    pub fn inspected(&self) -> &InspectedComponent {
        &self.inspected
    }

    /// Exposed names of its tools, in the order of [`InspectedComponent::tools`].
    #[must_use]
    pub fn tool_names(&self) -> &[String] {
        &self.tool_names
    }

    /// Where the bytes came from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.artifact.identity().source()
    }

    /// What came with the bytes; `None` for files, URLs and what is taken from the store again.
    #[must_use]
    pub fn package(&self) -> Option<&Package> {
        self.origin.package.as_ref()
    }

    /// Digest of the manifest that named the bytes; for what came from a registry.
    #[must_use]
    pub fn manifest(&self) -> Option<&Digest> {
        self.origin.manifest.as_ref().map(|(digest, _)| digest)
    }

    /// What the author calls this version; a third party's text.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.origin.version.as_deref()
    }

    /// What the rules of `trust.yaml` say of its signatures.
    #[must_use]
    pub fn verification(&self) -> &Verification {
        &self.verification
    }

    /// Who signed it, as the lock will say; whoever signed what has the name now, where he signed this too.
    #[must_use]
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }

    /// The rules refuse it, and it is taken because the caller said so. The lock will say that.
    #[must_use]
    pub fn verification_skipped(&self) -> bool {
        self.verification_skipped
    }

    /// Somebody else signed it than what has the name now.
    #[must_use]
    pub fn signer_change(&self) -> Option<&SignerChange> {
        self.signer_change.as_ref()
    }

    /// Why it counts as older than what has the name now, if it does.
    #[must_use]
    pub fn downgrade(&self) -> Option<&str> {
        self.downgrade.as_deref()
    }

    /// What its author asks for; nothing of it is granted by itself.
    #[must_use]
    pub fn requests(&self) -> &[Requested] {
        &self.requests
    }

    /// What is different from what has the name now; `None` where nothing has, or where that cannot be read any more.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// What has the name now.
    #[must_use]
    pub fn previous(&self) -> Option<&Previous> {
        self.previous.as_ref()
    }

    /// What returning to the entry before would do to the policy; only of [`Runtime::plan_rollback`].
    #[must_use]
    pub fn rollback(&self) -> Option<&Rollback> {
        self.rollback.as_ref()
    }

    /// Whether the policy that is in force for the name would be applied to bytes that can do, or ask for, more than
    /// those that it was granted to. Without anything of that name there is nothing to carry over: `false`.
    ///
    /// It is true for other bytes from another place; and where the new bytes can ask the host for something that the
    /// old ones could not, or the author requests something that he did not.
    #[must_use]
    pub fn carries_over_to_more(&self) -> bool {
        self.previous.as_ref().is_some_and(|previous| {
            previous.digest != *self.artifact.digest()
                && (!previous.same_source
                    || self.difference.as_ref().is_none_or(Difference::grew)
                    || self.requests_more())
        })
    }

    /// Whether the author requests something that he did not request of what has the name now. A request that does
    /// not parse could ask for anything.
    #[must_use]
    pub fn requests_more(&self) -> bool {
        let before = self.previous.as_ref();
        let before = before.map_or(&[][..], |previous| &previous.requests);
        self.requests.iter().any(|request| {
            if before.iter().any(|old| old.text == request.text) {
                return false;
            }
            let Ok(new) = &request.policy else {
                return true;
            };
            let parsed = |old: &&Requested| old.origin == request.origin;
            let old = before.iter().find(parsed);
            match old.map(|old| &old.policy) {
                Some(Ok(old)) => widens(old, new),
                Some(Err(_)) | None => widens(&Policy::empty(), new),
            }
        })
    }

    /// Whether it is the same file of the person's own as what has the name now.
    #[must_use]
    pub fn is_own_file(&self) -> bool {
        let same = self.previous.as_ref().is_some_and(|old| old.same_source);
        same && self.source().starts_with("file:")
    }
}

/// Bytes that are to be looked at, with what came with them.
pub(crate) struct Obtained {
    pub(crate) artifact: VerifiedArtifact,
    pub(crate) origin: Origin,
    /// WIT text that describes the tools, and whether the person gave it; what an author gave is left out where it is wrong.
    pub(crate) author_wit: Option<(String, bool)>,
}

impl Runtime {
    /// Fetches, verifies and inspects, and changes nothing. `progress` is told how the bytes arrive. Blocks.
    ///
    /// # Errors
    ///
    /// Fails for whatever makes the component unfit to be installed under that name; for bytes that the rules of
    /// `trust.yaml` refuse before anything is read out of them.
    pub fn plan_install(
        &self,
        request: InstallRequest,
        progress: &dyn Progress,
    ) -> Result<InstallPlan, InstallError> {
        let name = match &request.name {
            Some(name) => name.clone(),
            None => name_of(&request.reference)?,
        };
        let fetched = self.fetched(&request.reference, None, progress)?;
        let lock = LockFile::load(&self.home)?;
        let old = lock.components.get(&name);
        let options = request.options();
        let author_wit = request.author_wit;
        let obtained = obtained(fetched, author_wit.map(|text| (text, true)));
        self.consider(name, obtained, options, old)
    }

    pub(crate) fn fetched(
        &self,
        reference: &Reference,
        manifest: Option<Digest>,
        progress: &dyn Progress,
    ) -> Result<Fetched, FetchError> {
        let request = FetchRequest {
            reference,
            limits: &FetchLimits::STANDARD,
            manifest,
            progress,
        };
        fetch(&self.sources, request)
    }

    /// Judges and inspects what was obtained, and compares it with what has the name.
    pub(crate) fn consider(
        &self,
        name: ComponentName,
        obtained: Obtained,
        options: UpdateOptions,
        old: Option<&LockEntry>,
    ) -> Result<InstallPlan, InstallError> {
        let Obtained {
            artifact,
            origin,
            author_wit,
        } = obtained;
        let source = artifact.identity().source();
        let judged = provenance::judge(
            &self.trust(),
            source,
            artifact.digest(),
            &origin,
            old,
            options,
            &name,
        )?;
        let (inspected, author_wit) = taken_in(&artifact, author_wit)?;
        let tool_names = tool_names(&name, inspected.tools())?;
        let catalog = self.catalog();
        for tool in &tool_names {
            if let Some(taken) = catalog.tool(tool)
                && taken.spec().component != name
            {
                return Err(InstallError::Taken {
                    tool: tool.clone(),
                    owner: taken.spec().component.clone(),
                });
            }
        }
        let previous = old.map(|old| self.previous(&name, old, source, &inspected));
        let difference = previous.as_ref().and_then(|previous| {
            let old = previous.inspected.as_deref()?;
            let names = &previous.tool_names;
            Some(Difference::between(old, &inspected, names, &tool_names))
        });
        let requests = requested::of(&inspected, origin.request.as_deref());
        Ok(InstallPlan {
            name,
            inspected: Arc::new(inspected),
            author_wit,
            tool_names,
            verification: judged.verification,
            signer: judged.signer,
            verification_skipped: judged.skipped,
            signer_change: judged.signer_change,
            downgrade: judged.downgrade,
            requests,
            difference,
            previous,
            rollback: None,
            artifact,
            origin,
        })
    }

    fn previous(
        &self,
        name: &ComponentName,
        entry: &LockEntry,
        source: &str,
        new: &InspectedComponent,
    ) -> Previous {
        let capabilities = |component: &InspectedComponent| {
            component
                .imports()
                .iter()
                .map(|import| import.capability)
                .collect::<BTreeSet<Capability>>()
        };
        let store = self.home.store();
        let docs = entry.docs.and_then(|docs| store.get_docs(&docs).ok());
        let limits = IntakeLimits::default();
        let before = store
            .load(entry)
            .ok()
            .and_then(|artifact| inspect(artifact.bytes(), docs.as_deref(), &limits).ok());
        // What cannot be read any more could ask for nothing: everything counts as grown.
        let could = before.as_ref().map(capabilities).unwrap_or_default();
        let request = entry.request.and_then(|text| store.get_policy(&text).ok());
        let before = before.map(Arc::new);
        let component = before.as_deref();
        Previous {
            digest: entry.digest,
            source: entry.source.clone(),
            version: entry.version.clone(),
            signer: entry.signer.clone(),
            grown: capabilities(new).difference(&could).copied().collect(),
            same_source: provenance::same_place(&entry.source, source),
            tool_names: component
                .and_then(|old| tool_names(name, old.tools()).ok())
                .unwrap_or_default(),
            requests: component
                .map(|old| requested::of(old, request.as_deref()))
                .unwrap_or_default(),
            inspected: before,
            entry: entry.clone(),
        }
    }
}

pub(crate) fn obtained(fetched: Fetched, author_wit: Option<(String, bool)>) -> Obtained {
    let Fetched { artifact, package } = fetched;
    let brought = package.as_ref().and_then(|package| package.wit());
    let brought = brought.map(|text| (text.to_owned(), false));
    Obtained {
        artifact,
        author_wit: author_wit.or(brought),
        origin: Origin::of(package),
    }
}

/// Inspects bytes and refuses what cannot be run here. Gives the WIT text that was of use, too.
fn taken_in(
    artifact: &VerifiedArtifact,
    author_wit: Option<(String, bool)>,
) -> Result<(InspectedComponent, Option<String>), InstallError> {
    let limits = IntakeLimits::default();
    let look = |wit: Option<&str>| inspect(artifact.bytes(), wit, &limits);
    let (inspected, author_wit) = match author_wit {
        Some((text, by_person)) => match look(Some(&text)) {
            Ok(inspected) => (inspected, Some(text)),
            Err(_) if !by_person => (look(None)?, None),
            Err(error) => return Err(error.into()),
        },
        None => (look(None)?, None),
    };
    let interfaces: Vec<String> = inspected
        .unknown_imports()
        .map(|import| import.interface.clone())
        .collect();
    if !interfaces.is_empty() {
        return Err(InstallError::UnknownImports { interfaces });
    }
    if inspected.tools().is_empty() {
        return Err(InstallError::NoTools {
            unsupported: inspected
                .unsupported()
                .iter()
                .map(|export| format!("{} {}", export.export, export.why))
                .collect(),
        });
    }
    if !inspected.missing_features().is_empty() {
        return Err(InstallError::MissingFeatures {
            features: inspected.missing_features().to_vec(),
        });
    }
    Ok((inspected, author_wit))
}

fn name_of(reference: &Reference) -> Result<ComponentName, InstallError> {
    let name = match reference {
        Reference::File(path) => component_name(path),
        Reference::Oci(reference) => reference.component_name(),
        Reference::Https(reference) => reference.component_name(),
        _ => None,
    };
    name.ok_or_else(|| InstallError::NoName {
        path: match reference {
            Reference::File(path) => path.clone(),
            other => other.to_string().into(),
        },
    })
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
