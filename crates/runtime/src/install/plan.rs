//! What an installation would do, and what it would replace.

use crate::difference::Difference;
use crate::inspect::{Capability, InspectedComponent};
use crate::requested::Requested;
use crate::update::Rollback;
use casemate_artifact::{Evidence, LockEntry, Package, Verification, VerifiedArtifact};
use casemate_policy::{ComponentName, Digest, Policy, Signer, widens};
use std::sync::Arc;

/// The annotation that says what the author calls a version (OCI image spec, "Pre-Defined Annotation Keys").
const VERSION: &str = "org.opencontainers.image.version";

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

    /// The bytes themselves.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.artifact.bytes()
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
