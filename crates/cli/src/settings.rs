//! Where the home is and what its `config.toml` says.

use crate::arguments::Global;
use crate::environment;
use crate::error::CommandError;
use crate::shell;
use casemate_artifact::{Home, HomeError, PolicyText, Registry, read_config_file};
use casemate_policy::RootName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// What every command starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where things are kept.
    pub(crate) home: Home,
    /// The directory of `--home`, to be repeated in commands that a person is told to type.
    pub(crate) home_flag: Option<PathBuf>,
    /// The user's own home directory.
    pub(crate) user_home: Option<PathBuf>,
    /// What relative paths are relative to.
    pub(crate) base: PathBuf,
    /// What the configuration says.
    pub(crate) config: Config,
}

/// `config.toml`. A key that is not here is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// Widening commands do not ask: for machines without a person.
    pub(crate) grants_without_terminal: bool,
    /// No clock and no randomness where a policy does not say.
    pub(crate) strict: bool,
    /// Files that have more than one name (hard links) are refused to tools.
    pub(crate) strict_links: bool,
    /// Directories of named roots, absolute.
    pub(crate) roots: BTreeMap<RootName, PathBuf>,
    /// A file of certificates that are trusted beside the system's, absolute.
    pub(crate) certificates: Option<PathBuf>,
    /// Registries on this machine that are spoken to without TLS.
    pub(crate) plain_http: Vec<Registry>,
    /// A file of Sigstore's roots in place of the built-in ones, absolute.
    pub(crate) trust_root: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WireConfig {
    strict: bool,
    grants: WireGrants,
    roots: BTreeMap<String, PathBuf>,
    network: WireNetwork,
    storage: WireStorage,
    registries: WireRegistries,
    trust: WireTrust,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WireTrust {
    root: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct WireRegistries {
    plain_http: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct WireStorage {
    strict_links: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WireNetwork {
    certificates: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct WireGrants {
    without_terminal: bool,
}

impl Settings {
    /// Finds the home and reads its configuration.
    pub(crate) fn load(global: &Global) -> Result<Self, CommandError> {
        let settings = Self::locate(global)?;
        for directory in [settings.home.config_dir(), settings.home.data_dir()] {
            // Otherwise the first file below it would be called unreadable.
            if directory
                .metadata()
                .is_ok_and(|metadata| !metadata.is_dir())
            {
                return Err(HomeError::NotDirectory {
                    path: directory.to_owned(),
                }
                .into());
            }
        }
        let config = match read_config_file(&settings.home)? {
            None => Config::default(),
            Some(PolicyText { text, .. }) => Config::parse(&text, &settings.home.config_file())?,
        };
        Ok(Self { config, ..settings })
    }

    /// Finds the home without reading anything in it.
    pub(crate) fn locate(global: &Global) -> Result<Self, CommandError> {
        let base = environment::working_directory();
        let single = global
            .home
            .clone()
            .or_else(environment::casemate_home)
            .map(|directory| base.join(directory));
        let home = match single {
            Some(directory) => Home::single(directory),
            None => match (environment::config_home(), environment::data_home()) {
                (Some(config), Some(data)) => {
                    Home::new(config.join("casemate"), data.join("casemate"))
                }
                _ => {
                    return Err(CommandError::usage(
                        "there is no home directory to keep things in",
                    )
                    .hint("set HOME, or choose a place with --home DIR"));
                }
            },
        };
        let home_flag = if global.hide_home {
            None
        } else {
            global.home.as_ref()
        };
        Ok(Self {
            home_flag: home_flag.map(|directory| base.join(directory)),
            home,
            user_home: environment::user_home(),
            base,
            config: Config::default(),
        })
    }

    /// A command for the person to type, with the same home.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let flag = self
            .home_flag
            .as_ref()
            .map(|directory| directory.to_string_lossy().into_owned());
        let home = flag
            .iter()
            .flat_map(|directory| ["--home", directory.as_str()]);
        shell::line(
            std::iter::once("casemate")
                .chain(home)
                .chain(arguments.iter().copied()),
        )
    }

    /// A hint of another room, which knows nothing of `--home`.
    pub(crate) fn rehome(&self, hint: &str) -> String {
        rehome(hint, self.home_flag.as_deref())
    }
}

/// Puts `--home` into a command that a person is told to type.
pub(crate) fn rehome(hint: &str, home: Option<&Path>) -> String {
    match (hint.strip_prefix("casemate "), home) {
        (Some(rest), Some(home)) if !rest.starts_with("--home") => {
            let home = shell::word(&home.to_string_lossy());
            format!("casemate --home {home} {rest}")
        }
        _ => hint.to_owned(),
    }
}

impl Config {
    /// Reads the text of `path`.
    fn parse(text: &str, path: &Path) -> Result<Self, CommandError> {
        let refuse = |message: String| {
            CommandError::usage(format!("{}{message}", path.display())).hint(
                "known are strict = true, grants.without-terminal = true, network.certificates = \"FILE.pem\", registries.plain-http = [\"127.0.0.1:5000\"], storage.strict-links = true, trust.root = \"FILE.json\" and, under [roots], name = \"/directory\"",
            )
        };
        let wire: WireConfig = toml::from_str(text).map_err(|error| {
            let place = error
                .span()
                .map_or(String::new(), |span| place(text, span.start));
            refuse(format!("{place}: {}", error.message()))
        })?;
        let mut roots = BTreeMap::new();
        for (name, directory) in wire.roots {
            let name: RootName = name
                .parse()
                .map_err(|error| refuse(format!(": roots.{name:?}: {error}")))?;
            if !directory.is_absolute() {
                return Err(refuse(format!(
                    ": roots.{name}: {directory:?} is not an absolute path"
                )));
            }
            roots.insert(name, directory);
        }
        let mut plain_http = Vec::new();
        for registry in wire.registries.plain_http {
            let named = |why: &str| refuse(format!(": registries.plain-http: {registry:?}: {why}"));
            let parsed: Registry = registry.parse().map_err(|_| named("that is no registry"))?;
            if !parsed.is_loopback() {
                return Err(named(
                    "plain http is for registries on this machine: 127.0.0.1, [::1], localhost",
                ));
            }
            plain_http.push(parsed);
        }
        Ok(Self {
            plain_http,
            grants_without_terminal: wire.grants.without_terminal,
            strict: wire.strict,
            strict_links: wire.storage.strict_links,
            roots,
            trust_root: wire
                .trust
                .root
                .map(|file| path.with_file_name("").join(file)),
            // Beside this file, where a path does not say.
            certificates: wire
                .network
                .certificates
                .map(|file| path.with_file_name("").join(file)),
        })
    }
}

/// `, line 3, column 1` of a byte offset.
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!(", line {line}, column {column}")
}
