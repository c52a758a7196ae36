//! What the process was started with. No other module reads the environment.
//!
//! Honoured variables: `CASEMATE_HOME`, `XDG_CONFIG_HOME`, `XDG_DATA_HOME`, `HOME`, `RUST_LOG`, and for colours
//! `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM`; `TMPDIR` for the throw-away homes of `demo` and `doctor`;
//! `CASEMATE_KEY_PASSWORD` and `COSIGN_PASSWORD` for signing keys. No other variable changes what Casemate does.

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
