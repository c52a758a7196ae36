//! What an installation would do: fetched, verified, inspected and compared, and nothing changed yet.

mod error;
mod plan;

use crate::difference::Difference;
use crate::inspect::{Capability, InspectedComponent, IntakeLimits, inspect};
use crate::names::{component_name, tool_names};
use crate::provenance;
use crate::requested;
use crate::runtime::Runtime;
use casemate_artifact::{
    FetchError, FetchLimits, FetchRequest, Fetched, LockEntry, LockFile, Progress, Reference,
    VerifiedArtifact, fetch,
};
use casemate_policy::{ComponentName, Digest};
use std::collections::BTreeSet;
use std::sync::Arc;

pub use error::InstallError;
pub(crate) use plan::Origin;
pub use plan::{InstallPlan, Previous, SignerChange};

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
