//! What the process was started with. No other module reads the environment.
//!
//! Honoured variables: `CASEMATE_HOME`, `XDG_CONFIG_HOME`, `XDG_DATA_HOME`, `HOME`, `RUST_LOG`, and for colours
//! `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM`; `TMPDIR` for the throw-away homes of `demo` and `doctor`; for logins at
//! registries `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`, and `PATH` and what else the programs need that those
//! files name; for `push` `SOURCE_DATE_EPOCH`; `CASEMATE_KEY_PASSWORD` and `COSIGN_PASSWORD` for signing keys. No other
//! variable changes what Casemate does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is where the environment is read"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `CASEMATE_HOME`.
pub(crate) fn casemate_home() -> Option<PathBuf> {
    variable("CASEMATE_HOME").map(PathBuf::from)
}

/// A directory of the XDG specification, which says to ignore what is not absolute.
fn xdg(name: &str, below_home: &str) -> Option<PathBuf> {
    variable(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(user_home()?.join(below_home)))
}

/// Where configuration is kept for this user.
pub(crate) fn config_home() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// Where data is kept for this user.
pub(crate) fn data_home() -> Option<PathBuf> {
    xdg("XDG_DATA_HOME", ".local/share")
}

/// The user's home directory.
pub(crate) fn user_home() -> Option<PathBuf> {
    variable("HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// The password of a signing key: `CASEMATE_KEY_PASSWORD`, else `COSIGN_PASSWORD`. One that is set and empty is a password.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is where the environment is read"
)]
pub(crate) fn key_password() -> Option<String> {
    std::env::var_os("CASEMATE_KEY_PASSWORD")
        .or_else(|| std::env::var_os("COSIGN_PASSWORD"))
        .and_then(|value| value.into_string().ok())
}

/// `RUST_LOG`.
pub(crate) fn log_filter() -> Option<String> {
    variable("RUST_LOG").and_then(|value| value.into_string().ok())
}

/// Files in which Docker and Podman keep logins, in the order in which they are asked.
pub(crate) fn login_files() -> Vec<PathBuf> {
    let base = working_directory();
    let docker = variable("DOCKER_CONFIG")
        .map(|directory| base.join(directory))
        .or_else(|| Some(user_home()?.join(".docker")))
        .map(|directory| directory.join("config.json"));
    let mut files: Vec<PathBuf> = docker.into_iter().collect();
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        // As Podman does: this one, and no other of its files.
        files.push(base.join(file));
        return files;
    }
    let runtime = variable("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let podman = [runtime, config_home()].into_iter().flatten();
    files.extend(podman.map(|directory| directory.join("containers/auth.json")));
    files
}

/// Where programs are looked for.
pub(crate) fn path() -> OsString {
    variable("PATH").unwrap_or_default()
}

/// What programs that keep logins need to find their store: the home, the session of the desktop, `pass` and GnuPG, the
/// configuration of a cloud. Nothing else is handed to them.
pub(crate) fn for_login_programs() -> Vec<(OsString, OsString)> {
    const NAMES: [&str; 18] = [
        "HOME",
        "PATH",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "DBUS_SESSION_BUS_ADDRESS",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "GNUPGHOME",
        "GPG_TTY",
        "PASSWORD_STORE_DIR",
        "DOCKER_CONFIG",
    ];
    const PREFIXES: [&str; 4] = ["AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_"];
    let mut handed: Vec<(OsString, OsString)> = NAMES
        .iter()
        .filter_map(|name| Some(((*name).into(), variable(name)?)))
        .collect();
    handed.extend(
        all()
            .into_iter()
            .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            .map(|(name, value)| (name.into(), value.into())),
    );
    handed
}

/// `SOURCE_DATE_EPOCH`, as it is written.
pub(crate) fn source_date_epoch() -> Option<String> {
    variable("SOURCE_DATE_EPOCH").map(|value| value.to_string_lossy().into_owned())
}

/// Every variable whose key and value are text. Policies decide which a guest sees; never printed.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is where the environment is read"
)]
pub(crate) fn all() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The working directory; `/` when it is gone.
pub(crate) fn working_directory() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned())
}

/// The absolute path of this program.
pub(crate) fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}
