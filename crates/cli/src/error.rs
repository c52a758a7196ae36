//! What went wrong, and the one function that says how that is told: message, hint, exit status.

use casemate_artifact::{
    CredentialFileError, FetchError, HomeError, LockError, PolicyFileError, PushError,
    ReferenceError, RemoteError, StoreError, TrustError,
};
use casemate_policy::{EditError, PolicyError};
use casemate_runtime::inspect::InspectError;
use casemate_runtime::value::InvalidArguments;
use casemate_runtime::{ChangeError, InstallError, OpenError, StartError, SyncFailed};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// How the process ends. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: done.
    Ok,
    /// 1: it was tried and failed.
    Failed,
    /// 2: it was asked wrongly, or the configuration is wrong.
    Usage,
    /// 3: a policy, a verification or the person said no.
    Denied,
}

impl ExitStatus {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
        })
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// Something in the arguments means nothing.
    #[error("{message}")]
    Usage {
        message: String,
        hint: Option<String>,
    },
    /// A person has to decide and did not, or decided against it.
    #[error("{message}")]
    Denied {
        message: String,
        hint: Option<String>,
    },
    /// It was tried and did not work.
    #[error("{message}")]
    Failed {
        message: String,
        hint: Option<String>,
    },
    /// A policy that does not load.
    #[error("{}: {error}", path.display())]
    Policy { path: PathBuf, error: PolicyError },
    /// The reader of the output has gone.
    #[error("the output was closed")]
    BrokenPipe,
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    #[error("cannot write the output")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Login(#[from] CredentialFileError),
    #[error(transparent)]
    Remote(Box<RemoteError>),
    #[error(transparent)]
    Push(Box<PushError>),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Install(Box<InstallError>),
    #[error(transparent)]
    Change(Box<ChangeError>),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Open(Box<OpenError>),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Arguments(#[from] InvalidArguments),
    #[error(transparent)]
    Serve(#[from] casemate_mcp::ServeError),
    #[error(transparent)]
    Sync(#[from] SyncFailed),
}

impl CommandError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::Denied {
            message: message.into(),
            hint: None,
        }
    }

    /// Adds a hint where the message has none of its own.
    pub(crate) fn hint(self, new: impl Into<String>) -> Self {
        let hint = Some(new.into());
        match self {
            Self::Usage { message, .. } => Self::Usage { message, hint },
            Self::Failed { message, .. } => Self::Failed { message, hint },
            Self::Denied { message, .. } => Self::Denied { message, hint },
            other => other,
        }
    }

    /// An error of the operating system at a path.
    pub(crate) fn io(action: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::failed(format!("cannot {action} {}: {error}", path.display()))
    }

    /// What the person is told, and how the process ends.
    pub(crate) fn shown(&self) -> Shown {
        use ExitStatus::{Failed, Usage};
        let (status, hint) = match self {
            Self::Usage { hint, .. } => (Usage, hint.clone()),
            Self::Denied { hint, .. } => (ExitStatus::Denied, hint.clone()),
            Self::Failed { hint, .. } => (Failed, hint.clone()),
            Self::Policy { error, .. } => (Usage, error.hint.clone()),
            Self::BrokenPipe => (ExitStatus::Ok, None),
            Self::Output(_) | Self::Json(_) | Self::Start(_) | Self::Serve(_) => (Failed, None),
            Self::Reference(error) => (Usage, error.hint()),
            Self::Fetch(error) => fetch(error),
            Self::Login(error) => login(error),
            Self::Remote(error) => remote(error),
            Self::Push(error) => push(error),
            Self::Trust(error) => (Usage, error.hint()),
            Self::Inspect(error) => (Failed, error.hint().map(str::to_owned)),
            Self::Install(error) => install(error),
            Self::Change(error) => change(error),
            Self::Edit(error) => edit(error),
            Self::Open(error) => open(error),
            Self::Home(error) => (Usage, error.hint()),
            Self::Lock(error) => lock(error),
            Self::PolicyFile(error) => policy_file(error),
            Self::Store(error) => store(error),
            Self::Arguments(_) => (Usage, None),
            Self::Sync(SyncFailed::Lock(error)) => lock(error),
            Self::Sync(SyncFailed::Open(error)) => open(error),
        };
        let message = match self {
            // What the compiler said is for the author to know.
            Self::Install(error) if matches!(**error, InstallError::Prepare(_)) => {
                format!("{error}: {}", error.detail())
            }
            other => chain(other),
        };
        Shown {
            message,
            hint,
            status,
        }
    }
}

/// An error as a person sees it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) status: ExitStatus,
}

/// The message and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

type Told = (ExitStatus, Option<String>);

fn fetch(error: &FetchError) -> Told {
    let status = match error.is_verification() {
        true => ExitStatus::Denied,
        false => ExitStatus::Failed,
    };
    (status, error.hint())
}

/// What a registry said, or the way to it.
fn remote(error: &RemoteError) -> Told {
    let status = match error.is_verification() {
        true => ExitStatus::Denied,
        false => ExitStatus::Failed,
    };
    (status, error.hint())
}

fn push(error: &PushError) -> Told {
    match error {
        PushError::Remote(error) => remote(error),
        error => (ExitStatus::Failed, error.hint()),
    }
}

fn login(error: &CredentialFileError) -> Told {
    let status = match error {
        CredentialFileError::Busy { .. } | CredentialFileError::Io { .. } => ExitStatus::Failed,
        _ => ExitStatus::Usage,
    };
    (status, error.hint())
}

fn install(error: &InstallError) -> Told {
    use ExitStatus::{Denied, Failed, Usage};
    match error {
        InstallError::Fetch(error) => fetch(error),
        InstallError::Inspect(error) => (Failed, error.hint().map(str::to_owned)),
        InstallError::UnknownImports { .. } => (
            Failed,
            Some(
                "casemate runs components for WASI 0.2; see what it needs with casemate inspect"
                    .to_owned(),
            ),
        ),
        InstallError::NoTools { .. } => (
            Failed,
            Some("a tool is an ordinary exported function; see casemate inspect".to_owned()),
        ),
        InstallError::MissingFeatures { .. } | InstallError::Names(_) => (Failed, None),
        InstallError::Taken { owner, .. } => (
            Failed,
            Some(format!("casemate remove {owner}, or choose another --name")),
        ),
        InstallError::NoName { .. } => (Usage, Some("give it a name with --name NAME".to_owned())),
        InstallError::Prepare(_) | InstallError::Engine(_) => (Failed, None),
        InstallError::Store(error) => store(error),
        InstallError::Lock(error) => lock(error),
        InstallError::Policy(error) => (Usage, error.hint.clone()),
        InstallError::PolicyFile(error) => policy_file(error),
        InstallError::Open(error) => open(error),
        InstallError::Verification { .. } => (
            Denied,
            Some(
                "see what its signatures are: casemate verify REF; who is trusted is in trust.yaml"
                    .to_owned(),
            ),
        ),
        InstallError::SignerChanged { .. } => (
            Denied,
            Some("if you know why, add --allow-signer-change".to_owned()),
        ),
        InstallError::Downgrade { .. } => (
            Denied,
            Some("if it is meant to be older, add --allow-downgrade".to_owned()),
        ),
        InstallError::Trust(error) => (Usage, error.hint()),
        InstallError::Unknown(_) => (Usage, Some("casemate list".to_owned())),
        InstallError::NoPrevious(name) => (Failed, Some(format!("casemate remove {name}"))),
        InstallError::Source { name, .. } => (
            Usage,
            Some(format!(
                "casemate remove {name}, then add it again from its source"
            )),
        ),
        InstallError::Locked(_) => (
            Denied,
            Some("see what is not as locked: casemate list".to_owned()),
        ),
        InstallError::Missing { name, error } => (
            if error.is_verification() {
                Denied
            } else {
                Failed
            },
            error.hint(name),
        ),
        InstallError::Outdated(_) => (Failed, Some("run the command again".to_owned())),
        InstallError::Evidence(_) => (Failed, None),
    }
}

fn change(error: &ChangeError) -> Told {
    match error {
        ChangeError::Unknown(_) => (ExitStatus::Usage, Some("casemate list".to_owned())),
        ChangeError::Policy { error, .. } => (ExitStatus::Usage, error.hint.clone()),
        ChangeError::Edit(error) => edit(error),
        ChangeError::PolicyFile(error) => policy_file(error),
        ChangeError::Lock(error) => lock(error),
        ChangeError::Open(error) => open(error),
    }
}

fn edit(error: &EditError) -> Told {
    (ExitStatus::Usage, error.hint().map(str::to_owned))
}

fn open(error: &OpenError) -> Told {
    match error {
        OpenError::Home(error) => (ExitStatus::Usage, error.hint()),
        OpenError::Lock(error) => lock(error),
        // Each difference was told with what helps.
        OpenError::Frozen(_) => (ExitStatus::Denied, None),
        OpenError::Audit(_) | OpenError::Cache(_) => {
            (ExitStatus::Failed, Some("casemate doctor".to_owned()))
        }
    }
}

fn lock(error: &LockError) -> Told {
    let status = match error {
        LockError::Malformed { .. }
        | LockError::FutureVersion { .. }
        | LockError::WorldWritable { .. }
        | LockError::ForeignOwner { .. }
        | LockError::NotRegular { .. }
        | LockError::TooLarge { .. } => ExitStatus::Usage,
        _ => ExitStatus::Failed,
    };
    (status, error.hint())
}

fn policy_file(error: &PolicyFileError) -> Told {
    let status = match error {
        PolicyFileError::NotRegular { .. }
        | PolicyFileError::WorldWritable { .. }
        | PolicyFileError::ForeignOwner { .. }
        | PolicyFileError::TooLarge { .. }
        | PolicyFileError::NotText { .. } => ExitStatus::Usage,
        _ => ExitStatus::Failed,
    };
    (status, error.hint())
}

fn store(error: &StoreError) -> Told {
    // A reason of its own means that the bytes are not those that were locked.
    let status = match error.reason() {
        Some(_) => ExitStatus::Denied,
        None => ExitStatus::Failed,
    };
    (status, error.hint())
}

impl From<std::io::Error> for CommandError {
    /// Only writing output is converted without a path.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Output(error)
        }
    }
}

impl From<InstallError> for CommandError {
    fn from(error: InstallError) -> Self {
        Self::Install(Box::new(error))
    }
}

impl From<ChangeError> for CommandError {
    fn from(error: ChangeError) -> Self {
        Self::Change(Box::new(error))
    }
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

impl From<RemoteError> for CommandError {
    fn from(error: RemoteError) -> Self {
        Self::Remote(Box::new(error))
    }
}

impl From<PushError> for CommandError {
    fn from(error: PushError) -> Self {
        Self::Push(Box::new(error))
    }
}
