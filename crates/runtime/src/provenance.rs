//! Who signed it, and is that still so? What is asked of new bytes, and again of installed ones at every load.

use crate::component::chain;
use crate::install::{InstallError, Origin, SignerChange, UpdateOptions};
use crate::version;
use casemate_artifact::{
    ContentStore, Evidence, EvidenceError, Home, LockEntry, Reference, ReferenceError, StoreError,
    TrustError, Verdict, Verification, Verifier, manifest_names,
};
use casemate_policy::{ComponentName, Digest, Reason, Signer, SubjectName};
use std::cell::OnceCell;
use std::path::Path;

/// What separates a workflow from the version it ran for in the certificates of hosted builds.
const TAGS: &str = "@refs/tags/";

/// What the rules of `trust.yaml` match of a source: the registry and repository, or host and path of a URL. `None` for
/// files of this machine, which no rule is about.
pub(crate) fn place_of(source: &str) -> Result<Option<String>, ReferenceError> {
    // No parse: the longest paths are no reference that a person could type.
    if ["file:", "memory:"]
        .iter()
        .any(|local| source.starts_with(local))
    {
        return Ok(None);
    }
    match Reference::parse(source, Path::new("/"))? {
        Reference::File(_) => Ok(None),
        Reference::Oci(reference) => Ok(Some(reference.repository_name())),
        Reference::Https(reference) => Ok(Some(reference.place())),
        other => Ok(Some(other.to_string())),
    }
}

/// Whether both came from the same file, repository or URL, whatever the tag or digest.
pub(crate) fn same_place(one: &str, other: &str) -> bool {
    match (place_of(one), place_of(other)) {
        (Ok(Some(one)), Ok(Some(other))) => one == other,
        (Ok(None), Ok(None)) => one == other,
        _ => false,
    }
}

/// Whether both are the same person or workflow: hosted builds put the tag that they ran for behind their name.
fn same_signer(one: &Signer, other: &Signer) -> bool {
    let workflow = |signer: &Signer| match signer {
        Signer::Identity {
            san: SubjectName::Uri(name),
            issuer,
        } => {
            let (workflow, _tag) = name.split_once(TAGS)?;
            Some((workflow.to_owned(), issuer.clone()))
        }
        Signer::Identity { .. } | Signer::Key { .. } => None,
    };
    one == other || workflow(one).is_some_and(|known| workflow(other) == Some(known))
}

/// What is established about new bytes before anything is read out of them.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verification: Verification,
    pub(crate) signer: Option<Signer>,
    pub(crate) skipped: bool,
    pub(crate) signer_change: Option<SignerChange>,
    pub(crate) downgrade: Option<String>,
}

/// Verifies new bytes, and compares their signer and age with what has the name.
pub(crate) fn judge(
    trust: &Trust,
    source: &str,
    digest: &Digest,
    origin: &Origin,
    old: Option<&LockEntry>,
    options: UpdateOptions,
    name: &ComponentName,
) -> Result<Judged, InstallError> {
    let place = place_of(source).map_err(|error| InstallError::Source {
        name: name.clone(),
        error,
    })?;
    let Some(place) = place else {
        return Ok(Judged {
            verification: Verification::nothing(),
            signer: None,
            skipped: false,
            signer_change: None,
            downgrade: None,
        });
    };
    let verifier = trust.load()?;
    let manifest = origin
        .manifest
        .as_ref()
        .map_or(digest, |(digest, _)| digest);
    let none = Evidence::default();
    let evidence = origin.evidence.as_ref().unwrap_or(&none);
    let verification = verifier.verify(&place, manifest, evidence);
    let mut skipped = false;
    if let Verdict::Refused {
        reason,
        expected,
        why,
    } = verification.verdict()
    {
        if !options.skip_verification {
            return Err(InstallError::Verification {
                reason: *reason,
                origin: source.to_owned(),
                expected: expected.clone(),
                why: why.clone(),
            });
        }
        skipped = true;
    }
    let old = old.filter(|old| same_place(&old.source, source));
    let locked = old.and_then(|old| old.signer.as_ref());
    let signer = signer(&verification, locked);
    let signer_change = locked
        .filter(|before| !signer.as_ref().is_some_and(|now| same_signer(before, now)))
        .map(|before| SignerChange {
            before: before.clone(),
            now: signer.clone(),
        });
    if let Some(change) = &signer_change
        && !options.allow_signer_change
        // Whom a rule names is whom the person trusts.
        && !matches!(verification.verdict(), Verdict::Trusted { .. })
    {
        return Err(InstallError::SignerChanged {
            name: name.clone(),
            change: Box::new(change.clone()),
        });
    }
    let downgrade = old.and_then(|old| {
        let signed = signer.as_ref();
        let signed = signed.and_then(|signer| verification.signed_at(signer));
        older(&trust.home.store(), &verifier, old, digest, origin, signed)
    });
    if let Some(why) = &downgrade
        && !options.allow_downgrade
    {
        return Err(InstallError::Downgrade {
            name: name.clone(),
            origin: source.to_owned(),
            why: why.clone(),
        });
    }
    Ok(Judged {
        verification,
        signer,
        skipped,
        signer_change,
        downgrade,
    })
}

/// Whoever signed what has the name now, where he signed this too; a registry chooses the order of signatures.
fn signer(verification: &Verification, locked: Option<&Signer>) -> Option<Signer> {
    let known = locked.filter(|signer| verification.is_signed_by(signer));
    let same = || {
        let mut signers = verification.verified().iter().map(|one| &one.signer);
        signers.find(|signer| locked.is_some_and(|locked| same_signer(locked, signer)))
    };
    known
        .or_else(same)
        .or_else(|| verification.signer())
        .cloned()
}

/// What tells that new bytes are older than those of an entry from the same place; `None` where nothing does.
fn older(
    store: &ContentStore,
    verifier: &Verifier,
    old: &LockEntry,
    digest: &Digest,
    origin: &Origin,
    signed: Option<u64>,
) -> Option<String> {
    let manifest = origin.manifest.as_ref().map(|(digest, _)| *digest);
    let same = |entry: &LockEntry| (entry.digest, entry.manifest) == (*digest, manifest);
    if same(old) {
        return None;
    }
    let mut replaced = old.previous.iter();
    if let Some(replaced) = replaced.find(|replaced| same(&replaced.entry)) {
        // A person went back from it, so that it is the newer one.
        return (!replaced.rolled_back)
            .then(|| "it had the name before and was replaced".to_owned());
    }
    if let (Some(before), Some(now)) = (&old.version, &origin.version)
        && version::is_lower(now, before)
    {
        return Some(format!("it is version {now}, and {before} is installed"));
    }
    let before = old.signer.as_ref().and_then(|signer| {
        let evidence = store.get_evidence(old.evidence.as_ref()?).ok()?;
        let evidence = Evidence::from_json(&evidence).ok()?;
        let place = place_of(&old.source).ok()??;
        let verification = verifier.verify(&place, old.manifest.as_ref()?, &evidence);
        verification.signed_at(signer)
    });
    match (before, signed) {
        (Some(before), Some(now)) if now < before => {
            let seconds = before.saturating_sub(now);
            Some(format!(
                "it was signed {seconds} s before the installed one"
            ))
        }
        _ => None,
    }
}

/// Why an entry of the lock does not hold, so that what it names is not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockedError {
    /// Its source is no reference, so nobody knows which rules are for it.
    #[error("its source in the lock is no reference: {0}")]
    Source(ReferenceError),
    /// Its manifest or its signatures are not in the store, or not what was stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its manifest names another component.
    #[error("its manifest {manifest} does not name {digest} as its component")]
    Binding {
        /// The manifest.
        manifest: Digest,
        /// The component in the lock.
        digest: Digest,
    },
    /// What is stored as its signatures cannot be read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// `trust.yaml` cannot be used, so nothing from a registry or server is run.
    #[error("{0}")]
    Trust(String),
    /// A rule of `trust.yaml` is not met.
    #[error("it is not signed as trust.yaml asks: {why}; expected {}", expected.join(" or "))]
    Refused {
        /// The stable reason.
        reason: Reason,
        /// Whose signature was expected.
        expected: Vec<String>,
        /// What was found instead.
        why: String,
    },
    /// Whom the lock names as its signer did not sign it, as far as can be verified now.
    #[error("no signature of {signer}, who the lock says signed it, holds")]
    Signer {
        /// Whom the lock names.
        signer: Signer,
    },
}

impl LockedError {
    /// The stable reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Store(error) => error.reason().unwrap_or(Reason::VerifySignature),
            Self::Binding { .. } => Reason::VerifyDigest,
            Self::Refused { reason, .. } => *reason,
            Self::Signer { .. } => Reason::VerifyIdentity,
            Self::Source(_) | Self::Evidence(_) | Self::Trust(_) => Reason::VerifySignature,
        }
    }

    /// What the person can do about it for the component of this name.
    #[must_use]
    pub fn hint(&self, name: &ComponentName) -> String {
        match self {
            Self::Store(_) => "casemate sync".to_owned(),
            Self::Trust(_) => "correct trust.yaml, or the keys that it names".to_owned(),
            Self::Refused { .. } => {
                format!("casemate update {name}, or change the rule in trust.yaml")
            }
            Self::Source(_) | Self::Binding { .. } | Self::Evidence(_) | Self::Signer { .. } => {
                format!("restore casemate.lock, or: casemate remove {name}, then add it again")
            }
        }
    }
}

/// The trust policy of a home, read once when it is first needed, which it is not while everything is a local file.
pub(crate) struct Trust {
    home: Home,
    root: Option<std::path::PathBuf>,
    loaded: OnceCell<Result<Verifier, String>>,
}

impl Trust {
    pub(crate) fn new(home: &Home, root: Option<&Path>) -> Self {
        Self {
            home: home.clone(),
            root: root.map(Path::to_owned),
            loaded: OnceCell::new(),
        }
    }

    /// Reads the trust policy now.
    pub(crate) fn load(&self) -> Result<Verifier, TrustError> {
        Verifier::load(&self.home, self.root.as_deref())
    }

    fn verifier(&self) -> Result<&Verifier, LockedError> {
        let loaded = self
            .loaded
            .get_or_init(|| self.load().map_err(|error| chain(&error)));
        loaded
            .as_ref()
            .map_err(|error| LockedError::Trust(error.clone()))
    }

    /// Asks of an installed entry what was asked when it was added, under the rules of now: its manifest names its
    /// bytes, and its signatures, as they were kept, meet every rule. Gives the signer of the lock where his signature
    /// was verified.
    ///
    /// What was added without verification, by the choice of a person, stays so until it is replaced.
    pub(crate) fn check(&self, entry: &LockEntry) -> Result<Option<Signer>, LockedError> {
        let evidence = bound(&self.home.store(), entry)?;
        self.judge(entry, &evidence)
    }

    /// As [`Trust::check`], with these signatures.
    pub(crate) fn judge(
        &self,
        entry: &LockEntry,
        evidence: &Evidence,
    ) -> Result<Option<Signer>, LockedError> {
        if entry.verification_skipped {
            return Ok(None);
        }
        let Some(place) = place_of(&entry.source).map_err(LockedError::Source)? else {
            return Ok(None);
        };
        let manifest = entry.manifest.as_ref().unwrap_or(&entry.digest);
        let verification = self.verifier()?.verify(&place, manifest, evidence);
        if let Verdict::Refused {
            reason,
            expected,
            why,
        } = verification.verdict()
        {
            return Err(LockedError::Refused {
                reason: *reason,
                expected: expected.clone(),
                why: why.clone(),
            });
        }
        match &entry.signer {
            Some(signer) if verification.is_signed_by(signer) => Ok(Some(signer.clone())),
            // The rule that named the key is gone, and with it what it could be verified with.
            Some(Signer::Key { .. }) | None => Ok(None),
            Some(signer @ Signer::Identity { .. }) => Err(LockedError::Signer {
                signer: signer.clone(),
            }),
        }
    }
}

/// Reads what the store has of an entry beside its bytes: its manifest, which must name them, and its signatures.
pub(crate) fn bound(store: &ContentStore, entry: &LockEntry) -> Result<Evidence, LockedError> {
    if let Some(manifest) = &entry.manifest {
        let bytes = store.get_manifest(manifest)?;
        if !manifest_names(&bytes, &entry.digest) {
            return Err(LockedError::Binding {
                manifest: *manifest,
                digest: entry.digest,
            });
        }
    }
    match &entry.evidence {
        Some(evidence) => Ok(Evidence::from_json(&store.get_evidence(evidence)?)?),
        None => Ok(Evidence::default()),
    }
}
