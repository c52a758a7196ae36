//! Installing exactly what the lock says, where something of it is not in the store.

use crate::apply::in_order;
use crate::compile::Compiled;
use crate::inspect::{InspectError, IntakeLimits, inspect};
use crate::install::{InstallError, Origin};
use crate::names::{NameCollision, tool_names, tools_hash};
use crate::provenance::LockedError;
use crate::runtime::{OpenError, Runtime};
use casemate_artifact::{
    ContentStore, Evidence, EvidenceError, FetchError, Fetched, LockEntry, LockError, LockFile,
    Progress, Reference, ReferenceError, RemoteError, StoreError, VerifiedArtifact, sha256,
};
use casemate_policy::{ComponentName, Digest};
use std::path::Path;

/// Signatures that may have come to those in the lock since; more are not told apart from other ones.
const MOST_NEW_SIGNATURES: usize = 2;

/// Something that an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockedPart {
    /// The component's bytes.
    Bytes,
    /// The manifest that names them.
    Manifest,
    /// The signatures of the manifest.
    Signatures,
    /// The WIT docs.
    Docs,
    /// The policy that the author asks for.
    Request,
}

impl LockedPart {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Manifest => "manifest",
            Self::Signatures => "signatures",
            Self::Docs => "docs",
            Self::Request => "request",
        }
    }
}

/// What [`Runtime::sync`] would fetch.
#[derive(Clone, Debug, Default)]
pub struct SyncPlan {
    entries: Vec<SyncEntry>,
}

/// One entry of the lock, and what of it is not in the store as the lock says.
#[derive(Clone, Debug)]
pub struct SyncEntry {
    /// Its name.
    pub name: ComponentName,
    /// Where it comes from.
    pub source: String,
    /// What is missing or altered; nothing where it is up to date.
    pub missing: Vec<LockedPart>,
    entry: LockEntry,
}

impl SyncPlan {
    /// Every entry of the lock, in the order of their names.
    #[must_use]
    pub fn entries(&self) -> &[SyncEntry] {
        &self.entries
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.entries.iter().all(|entry| entry.missing.is_empty())
    }
}

/// What became of an entry.
#[derive(Debug)]
pub enum SyncOutcome {
    /// Everything was there.
    UpToDate,
    /// It was fetched; and what compiling took, unless its native code was in the cache.
    Installed(Option<Compiled>),
    /// Nothing of it was changed.
    Failed(SyncError),
}

/// Why an entry could not be installed as the lock says. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The source has no longer what the lock names.
    #[error("{origin} no longer has {digest}, which casemate.lock names: {error}")]
    Absent {
        /// The source in the lock.
        origin: String,
        /// What is not there.
        digest: Digest,
        /// What was answered.
        error: Box<FetchError>,
    },
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The source in the lock is no reference.
    #[error("its source in the lock is no reference: {0}")]
    Source(ReferenceError),
    /// What was fetched is not what the lock names.
    #[error("its {what} should be {locked} as casemate.lock says, and {}", found.as_ref().map_or_else(|| "there is none".to_owned(), |found| format!("is {found}")))]
    Differs {
        /// Which part: `digest`, `manifest`, `signatures`, `tools`, `docs` or `request`.
        what: &'static str,
        /// What the lock says; `none` for nothing.
        locked: String,
        /// What was found.
        found: Option<String>,
    },
    /// What was fetched is not signed as it was, or as the rules ask.
    #[error(transparent)]
    Locked(#[from] LockedError),
    /// The bytes are no component that Casemate takes in.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Two of its functions would have one name.
    #[error(transparent)]
    Names(#[from] NameCollision),
    /// It does not compile.
    #[error("{0}")]
    Compile(Box<InstallError>),
    /// The signatures cannot be compared.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The bytes could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SyncError {
    /// Whether what was found is not what was locked, or not signed as it has to be: exit status 3.
    #[must_use]
    pub fn is_verification(&self) -> bool {
        match self {
            Self::Differs { .. } | Self::Locked(_) => true,
            Self::Fetch(error) => error.is_verification(),
            Self::Store(error) => error.reason().is_some(),
            Self::Absent { .. }
            | Self::Source(_)
            | Self::Inspect(_)
            | Self::Names(_)
            | Self::Compile(_)
            | Self::Evidence(_) => false,
        }
    }

    /// What the person can do about it for the component of this name.
    #[must_use]
    pub fn hint(&self, name: &ComponentName) -> Option<String> {
        match self {
            Self::Absent { .. } | Self::Differs { .. } => Some(format!(
                "see what the source has now: casemate update --check {name}"
            )),
            Self::Fetch(error) => error.hint(),
            Self::Locked(error) => Some(error.hint(name)),
            Self::Store(error) => error.hint(),
            Self::Source(_) => Some("restore casemate.lock from version control".to_owned()),
            Self::Inspect(_) | Self::Names(_) | Self::Compile(_) | Self::Evidence(_) => None,
        }
    }
}

/// Why nothing at all was compared or fetched.
#[derive(Debug, thiserror::Error)]
pub enum SyncFailed {
    /// The lock could not be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The catalog could not be rebuilt.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Runtime {
    /// Compares the lock with the store, hashing everything that an entry names. Changes nothing.
    ///
    /// # Errors
    ///
    /// Fails when the lock cannot be read.
    pub fn plan_sync(&self) -> Result<SyncPlan, SyncFailed> {
        let lock = LockFile::load(&self.home)?;
        let store = self.home.store();
        let entries = lock.components.into_iter();
        let entries = entries
            .filter(|(_, entry)| entry.tenant == self.tenant)
            .map(|(name, entry)| SyncEntry {
                name,
                source: entry.source.clone(),
                missing: missing(&store, &entry),
                entry,
            });
        Ok(SyncPlan {
            entries: entries.collect(),
        })
    }

    /// Fetches what is missing, each entry from its source and by its digests, and installs it if it is in every part
    /// what the lock says. The lock and the policies are not changed. Blocks.
    ///
    /// # Errors
    ///
    /// Fails when the catalog cannot be rebuilt; an entry that failed is one of the outcomes.
    pub fn sync(
        &self,
        plan: SyncPlan,
        progress: &dyn Progress,
    ) -> Result<Vec<(ComponentName, SyncOutcome)>, SyncFailed> {
        let mut outcomes = Vec::new();
        for SyncEntry {
            name,
            missing,
            entry,
            ..
        } in plan.entries
        {
            let outcome = if missing.is_empty() {
                match self.trust().check(&entry) {
                    Ok(_) => SyncOutcome::UpToDate,
                    Err(error) => SyncOutcome::Failed(error.into()),
                }
            } else {
                match self.install_locked(&name, &entry, progress) {
                    Ok(compiled) => SyncOutcome::Installed(compiled),
                    Err(error) => SyncOutcome::Failed(error),
                }
            };
            outcomes.push((name, outcome));
        }
        self.reload()?;
        Ok(outcomes)
    }

    /// Sees to it that everything an entry names is in the store.
    pub(crate) fn complete(
        &self,
        name: &ComponentName,
        entry: &LockEntry,
        progress: &dyn Progress,
    ) -> Result<(), InstallError> {
        if missing(&self.home.store(), entry).is_empty() {
            return Ok(());
        }
        self.install_locked(name, entry, progress)
            .map(drop)
            .map_err(|error| InstallError::Missing {
                name: name.clone(),
                error: Box::new(error),
            })
    }

    fn install_locked(
        &self,
        name: &ComponentName,
        entry: &LockEntry,
        progress: &dyn Progress,
    ) -> Result<Option<Compiled>, SyncError> {
        let Fetched { artifact, package } = self.fetch_locked(entry, progress)?;
        differs("digest", Some(entry.digest), Some(*artifact.digest()))?;
        let wit = package.as_ref().and_then(|package| package.wit());
        let wit = wit.map(str::to_owned);
        let origin = Origin::of(package);
        let manifest = origin.manifest.as_ref();
        differs(
            "manifest",
            entry.manifest,
            manifest.map(|(digest, _)| *digest),
        )?;
        let found = origin.request.as_ref().map(|text| sha256(text.as_bytes()));
        differs("request", entry.request, found)?;
        let evidence = evidence(entry, origin.evidence.as_ref())?;
        self.trust().judge(entry, &evidence)?;
        let store = self.home.store();
        // Docs that a person gave are on no registry; what is in the store is as good.
        let docs = match entry.docs {
            Some(docs) => store.get_docs(&docs).ok().or(wit),
            None => None,
        };
        let found = docs.as_ref().map(|text| sha256(text.as_bytes()));
        differs("docs", entry.docs, found)?;
        let inspected = inspect(artifact.bytes(), docs.as_deref(), &IntakeLimits::default())?;
        let names = tool_names(name, inspected.tools())?;
        let tools = tools_hash(&names, inspected.tools());
        differs("tools", Some(entry.tools), Some(tools))?;
        let compiled = self
            .compiled(&inspected, artifact.bytes())
            .map_err(|error| SyncError::Compile(Box::new(error)))?;
        keep(
            &store,
            &artifact,
            &origin,
            entry,
            &evidence,
            docs.as_deref(),
        )?;
        Ok(compiled)
    }

    fn fetch_locked(
        &self,
        entry: &LockEntry,
        progress: &dyn Progress,
    ) -> Result<Fetched, SyncError> {
        let reference =
            Reference::parse(&entry.source, Path::new("/")).map_err(SyncError::Source)?;
        let manifest = match &reference {
            Reference::Oci(_) => entry.manifest,
            _ => None,
        };
        let fetched = self.fetched(&reference, manifest, progress);
        fetched.map_err(|error| {
            let absent = match &error {
                FetchError::Missing { .. } => true,
                FetchError::Remote { error, .. } => matches!(**error, RemoteError::NotFound { .. }),
                _ => false,
            };
            if absent {
                SyncError::Absent {
                    origin: entry.source.clone(),
                    digest: entry.manifest.unwrap_or(entry.digest),
                    error: Box::new(error),
                }
            } else {
                error.into()
            }
        })
    }
}

/// What of an entry is not in the store, or not as it was stored.
fn missing(store: &ContentStore, entry: &LockEntry) -> Vec<LockedPart> {
    let manifest = entry.manifest.as_ref();
    let evidence = entry.evidence.as_ref();
    let docs = entry.docs.as_ref();
    let request = entry.request.as_ref();
    [
        (LockedPart::Bytes, store.load(entry).is_err()),
        (
            LockedPart::Manifest,
            manifest.is_some_and(|digest| store.get_manifest(digest).is_err()),
        ),
        (
            LockedPart::Signatures,
            evidence.is_some_and(|digest| store.get_evidence(digest).is_err()),
        ),
        (
            LockedPart::Docs,
            docs.is_some_and(|digest| store.get_docs(digest).is_err()),
        ),
        (
            LockedPart::Request,
            request.is_some_and(|digest| store.get_policy(digest).is_err()),
        ),
    ]
    .into_iter()
    .filter_map(|(part, missing)| missing.then_some(part))
    .collect()
}

fn differs(
    what: &'static str,
    locked: Option<Digest>,
    found: Option<Digest>,
) -> Result<(), SyncError> {
    if locked == found {
        return Ok(());
    }
    Err(SyncError::Differs {
        what,
        locked: locked.map_or_else(|| "none".to_owned(), |digest| digest.to_string()),
        found: found.map(|digest| digest.to_string()),
    })
}

/// The signatures that the lock names, among those that were found: others may have signed since.
fn evidence(entry: &LockEntry, found: Option<&Evidence>) -> Result<Evidence, SyncError> {
    let none = Evidence::default();
    let found = found.unwrap_or(&none);
    let Some(locked) = entry.evidence else {
        return Ok(none);
    };
    let without = |left_out: &[usize]| {
        let items = found.items().iter().enumerate();
        let items = items.filter(|(index, _)| !left_out.contains(index));
        in_order(&Evidence::new(
            items.map(|(_, item)| item.clone()).collect(),
        ))
    };
    let mut left_out: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..=MOST_NEW_SIGNATURES {
        for left_out in &left_out {
            let json = without(left_out)?;
            if sha256(&json) == locked {
                return Ok(Evidence::from_json(&json)?);
            }
        }
        let more = |already: &Vec<usize>| {
            let from = already.last().map_or(0, |last| last + 1);
            let already = already.clone();
            (from..found.items().len()).map(move |next| {
                let mut more = already.clone();
                more.push(next);
                more
            })
        };
        left_out = left_out.iter().flat_map(more).collect();
    }
    differs("signatures", Some(locked), Some(sha256(&without(&[])?)))?;
    Ok(none)
}

/// Puts what was compared into the store, the bytes last: without them the entry is not run.
fn keep(
    store: &ContentStore,
    artifact: &VerifiedArtifact,
    origin: &Origin,
    entry: &LockEntry,
    evidence: &Evidence,
    docs: Option<&str>,
) -> Result<(), SyncError> {
    if let Some((_, bytes)) = &origin.manifest {
        store.put_manifest(bytes)?;
    }
    if entry.evidence.is_some() {
        store.put_evidence(&in_order(evidence)?)?;
    }
    if let Some(text) = &origin.request {
        store.put_policy(text)?;
    }
    if let Some(text) = docs {
        store.put_docs(text)?;
    }
    store.put(artifact)?;
    Ok(())
}
