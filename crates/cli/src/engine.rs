//! From settings to a running library: ceiling, roots, environment.

use crate::arguments::{Believed, Bindings, Remote};
use crate::environment;
use crate::error::CommandError;
use crate::print::inert;
use crate::roots::BoundRoots;
use crate::settings::{Config, Settings};
use crate::trail;
use crate::trust;
use casemate_artifact::{CredentialSources, Credentials, Helpers, Sources, read_policy_path};
use casemate_policy::{ComponentName, Policy, PolicyError, widens};
use casemate_runtime::{Network, RegistryConnector, Runtime};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The organisation's ceiling.
pub(crate) const SYSTEM_CEILING: &str = "/etc/casemate/ceiling.yaml";

/// A runtime and what it was opened with.
pub(crate) struct Opened {
    pub(crate) runtime: Runtime,
    pub(crate) roots: BoundRoots,
    /// The file of the ceiling in force.
    pub(crate) ceiling: Option<PathBuf>,
}

impl Opened {
    /// The ceiling in force, read again.
    pub(crate) fn ceiling_policy(&self) -> Result<Option<Policy>, CommandError> {
        self.ceiling.as_deref().map(ceiling_of).transpose()
    }

    /// Refuses a policy of an installed component that names a tool under `tools` which the component does not have.
    pub(crate) fn knows_tools(
        &self,
        component: &ComponentName,
        policy: &Policy,
        path: &Path,
    ) -> Result<(), CommandError> {
        match self.runtime.unknown_tool(component, policy) {
            Some(error) => Err(CommandError::Policy {
                path: path.to_owned(),
                error,
            }),
            None => Ok(()),
        }
    }
}

/// Opens the home for work, with the roots and the ceiling of this run.
///
/// `parallel` compiles on all cores, for a person who waits.
pub(crate) fn open(
    settings: &Settings,
    bindings: &Bindings,
    command: &'static str,
    parallel: bool,
) -> Result<Opened, CommandError> {
    opened(settings, bindings, command, parallel, Reach::default())
}

/// Opens the home for a command that fetches and installs. No root is bound: nothing runs.
pub(crate) fn open_to_install(
    settings: &Settings,
    remote: &Remote,
    believed: &Believed,
    command: &'static str,
) -> Result<Opened, CommandError> {
    let sources = Some(sources(settings, remote)?);
    let own = believed.trust_root.as_ref();
    let trust_root = own.map(|file| settings.base.join(file));
    let settings = Settings {
        config: Config {
            trust_root: trust_root.or_else(|| settings.config.trust_root.clone()),
            ..Config::default()
        },
        ..settings.clone()
    };
    let reach = Reach {
        sources,
        ..Reach::default()
    };
    opened(&settings, &Bindings::default(), command, true, reach)
}

/// Where components are fetched from: files, servers and registries, with the person's own logins.
///
/// # Errors
///
/// Fails where the certificates of the configuration cannot be read.
pub(crate) fn sources(settings: &Settings, remote: &Remote) -> Result<Sources, CommandError> {
    let programs = Helpers::new(environment::path(), environment::for_login_programs());
    let logins = CredentialSources::new(&settings.home)
        .with_files(environment::login_files())
        .with_helpers(programs);
    sources_as(settings, remote, Arc::new(logins))
}

/// As [`sources`], with these logins in the place of the person's own.
///
/// # Errors
///
/// As [`sources`].
pub(crate) fn sources_as(
    settings: &Settings,
    remote: &Remote,
    logins: Arc<dyn Credentials>,
) -> Result<Sources, CommandError> {
    let network = Network::system(trust::roots(settings)?);
    let connector = RegistryConnector::new(network);
    let sources = Sources::new(Arc::new(connector), logins)
        .with_plain_http(settings.config.plain_http.clone());
    Ok(match remote.plain_http {
        true => sources.with_plain_http_on_loopback(),
        false => sources,
    })
}

/// As [`open`], for commands that run tools: the requests that a policy allows go out.
pub(crate) fn open_to_run(
    settings: &Settings,
    bindings: &Bindings,
    command: &'static str,
    parallel: bool,
) -> Result<Opened, CommandError> {
    let network = Network::system(trust::roots(settings)?);
    let reach = Reach {
        network: Some(network),
        ..Reach::default()
    };
    opened(settings, bindings, command, parallel, reach)
}

/// As [`open_to_run`], for a server: `frozen`, only if everything is exactly as locked.
pub(crate) fn open_to_serve(
    settings: &Settings,
    bindings: &Bindings,
    frozen: bool,
) -> Result<Opened, CommandError> {
    let network = Network::system(trust::roots(settings)?);
    let reach = Reach {
        network: Some(network),
        frozen,
        ..Reach::default()
    };
    opened(settings, bindings, "serve", false, reach)
}

/// What a runtime is given of the network: nothing, unless a command needs it.
#[derive(Default)]
struct Reach {
    /// For tools.
    network: Option<Network>,
    /// For what is installed.
    sources: Option<Sources>,
    /// Nothing that is not as locked is run.
    frozen: bool,
}

fn opened(
    settings: &Settings,
    bindings: &Bindings,
    command: &'static str,
    parallel: bool,
    reach: Reach,
) -> Result<Opened, CommandError> {
    let roots = BoundRoots::resolve(settings, bindings)?;
    let ceiling = ceiling(settings, bindings)?;
    tell(&roots, ceiling.as_ref());
    let mut builder = Runtime::builder(settings.home.clone())
        .strict(settings.config.strict)
        .strict_links(settings.config.strict_links)
        .environment(environment::all())
        .trust_root(settings.config.trust_root.clone())
        .parallel_compilation(parallel)
        .frozen(reach.frozen);
    // With another home than the user's own, that one is out of reach as well.
    let places = [environment::config_home(), environment::data_home()];
    for place in places.into_iter().flatten() {
        builder = builder.own_directory(place.join("casemate"));
    }
    for (name, directory) in &roots.bound {
        builder = builder.root(name.clone(), directory);
    }
    let ceiling = match ceiling {
        Some(Ceiling { policy, file }) => {
            builder = builder.ceiling(policy);
            Some(file)
        }
        None => None,
    };
    if let Some(network) = reach.network {
        builder = builder.network(network);
    }
    if let Some(sources) = reach.sources {
        builder = builder.sources(sources);
    }
    let runtime = builder.open()?;
    record_dangerous(settings, &roots, command)?;
    Ok(Opened {
        runtime,
        roots,
        ceiling,
    })
}

/// Reads a policy from a file that must exist.
pub(crate) fn policy_of(path: &Path) -> Result<Policy, CommandError> {
    parsed(path, Policy::parse)
}

/// Reads a ceiling from a file that must exist.
pub(crate) fn ceiling_of(path: &Path) -> Result<Policy, CommandError> {
    parsed(path, Policy::parse_ceiling)
}

fn parsed(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<Policy, PolicyError>,
) -> Result<Policy, CommandError> {
    match read_policy_path(path)? {
        Some(file) => parse(&file.text).map_err(|error| CommandError::Policy {
            path: path.to_owned(),
            error,
        }),
        None => Err(CommandError::usage(format!(
            "there is no file {}",
            path.display()
        ))),
    }
}

/// A ceiling and where it is written.
#[derive(Clone, Debug, PartialEq)]
struct Ceiling {
    policy: Policy,
    file: PathBuf,
}

impl Ceiling {
    fn read(file: &Path) -> Result<Self, CommandError> {
        Ok(Self {
            policy: ceiling_of(file)?,
            file: file.to_owned(),
        })
    }
}

/// The ceiling in force, without opening the home.
pub(crate) fn ceiling_in_force(
    settings: &Settings,
    bindings: &Bindings,
) -> Result<Option<Policy>, CommandError> {
    Ok(ceiling(settings, bindings)?.map(|ceiling| ceiling.policy))
}

fn ceiling(settings: &Settings, bindings: &Bindings) -> Result<Option<Ceiling>, CommandError> {
    let system = Path::new(SYSTEM_CEILING);
    let organisation = match read_policy_path(system)? {
        Some(_) => Some(Ceiling::read(system)?),
        None => None,
    };
    let own = match &bindings.ceiling {
        Some(file) => Some(Ceiling::read(&settings.base.join(file))?),
        None => None,
    };
    lower(organisation, own)
}

/// The ceiling in force. Who types the command cannot lift the organisation's: another one is taken in its place only if
/// it allows nothing more.
fn lower(
    organisation: Option<Ceiling>,
    own: Option<Ceiling>,
) -> Result<Option<Ceiling>, CommandError> {
    match (organisation, own) {
        (Some(organisation), Some(own)) if widens(&organisation.policy, &own.policy) => {
            Err(CommandError::usage(format!(
                "--ceiling allows more than {SYSTEM_CEILING}, which cannot be lifted"
            ))
            .hint("leave --ceiling out, or make it narrower"))
        }
        (_, Some(own)) => Ok(Some(own)),
        (organisation, None) => Ok(organisation),
    }
}

/// Logs what this run is bound to, before anything else: whoever reads the log of a server sees first which directories
/// are meant by what stands in its policies.
fn tell(roots: &BoundRoots, ceiling: Option<&Ceiling>) {
    let bound: Vec<String> = roots
        .bound
        .iter()
        .map(|(name, directory)| format!("fs://{name} is {}", inert(&directory.to_string_lossy())))
        .collect();
    let bound = if bound.is_empty() {
        "no root is bound".to_owned()
    } else {
        bound.join(", ")
    };
    tracing::info!("{bound}");
    for (root, why) in &roots.missing {
        tracing::warn!("the root {root} of the configuration is not bound, {why}");
    }
    if let Some(ceiling) = ceiling {
        tracing::info!("the ceiling is {}", inert(&ceiling.file.to_string_lossy()));
    }
}

/// Writes into the audit trail that a dangerous root was bound on purpose.
fn record_dangerous(
    settings: &Settings,
    roots: &BoundRoots,
    command: &str,
) -> Result<(), CommandError> {
    for (root, why) in &roots.dangerous {
        let directory = roots.bound.get(root);
        tracing::warn!(%root, directory = ?directory, why, "dangerous root bound on request");
        trail::record(
            settings,
            "dangerous-root",
            json!({ "command": command, "root": root.as_str(), "directory": directory, "why": why }),
        )?;
    }
    Ok(())
}

/// A tokio runtime on the calling thread: guests that do not end in their first slice have threads of their own.
pub(crate) fn on_this_thread() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed(format!("cannot start the event loop: {error}")))
}
