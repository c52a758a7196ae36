//! Why something could not be had from a registry or a server.
//!
//! Every message is made of what the person typed, of hosts in their one spelling, of numbers and of
//! known words. What a server sent is never repeated.

use std::time::Duration;

use casemate_policy::Digest;

use crate::sources::{ConnectError, CredentialError};

/// Why nothing was fetched from, or brought to, a registry or a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The program was given no network for this.
    #[error("this program takes components from files only")]
    NoNetwork,
    /// No connection.
    #[error("{place}: {error}")]
    Connect {
        /// Scheme, host and port.
        place: String,
        /// Why.
        error: ConnectError,
    },
    /// A phase took longer than it may.
    #[error("{place} {}", phase.sentence(*limit))]
    Timeout {
        /// Scheme, host and port.
        place: String,
        /// What was waited for.
        phase: Phase,
        /// How long it may take.
        limit: Duration,
    },
    /// What came is not HTTP, or it ended too early.
    #[error("{place}: {why}")]
    Http {
        /// Scheme, host and port.
        place: String,
        /// What broke.
        why: &'static str,
    },
    /// An answer that says no, other than those below.
    #[error(
        "{place} answered {status}{}",
        code.map_or_else(String::new, |code| format!(" {code}"))
    )]
    Status {
        /// Scheme, host and port.
        place: String,
        /// The status code of HTTP.
        status: u16,
        /// The registry's error code (OCI distribution spec, "Error codes"), if it is a known one.
        code: Option<&'static str>,
    },
    /// There is no such thing.
    #[error("{place} has no {what}")]
    NotFound {
        /// Scheme, host and port.
        place: String,
        /// What was asked for.
        what: String,
    },
    /// The registry wants a login, or another one.
    #[error(
        "{place} {}",
        if *logged_in { "does not accept the login for it" } else { "asks for a login, or there is no such repository" }
    )]
    Unauthorized {
        /// Scheme, host and port.
        place: String,
        /// The registry as a person writes it.
        registry: String,
        /// Whether a login was given.
        logged_in: bool,
    },
    /// A redirect that is not followed.
    #[error("{place} redirects, and that is not followed: {why}")]
    Redirect {
        /// Scheme, host and port of who redirects.
        place: String,
        /// Why not.
        why: String,
    },
    /// The registry names a token server that is not asked.
    #[error("{place} sends to a token server that is not asked: {why}")]
    Realm {
        /// Scheme, host and port of the registry.
        place: String,
        /// Why not.
        why: String,
    },
    /// A login was wanted by a token server that gets none.
    #[error(
        "{place} has its token server at {realm}, which is not given the login of another host"
    )]
    ForeignRealm {
        /// Scheme, host and port of the registry.
        place: String,
        /// Scheme, host and port of the token server.
        realm: String,
    },
    /// The token server's answer is none.
    #[error("{place} gave no token: {why}")]
    Token {
        /// Scheme, host and port.
        place: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The person's credentials could not be read.
    #[error("{0}")]
    Credentials(CredentialError),
    /// More bytes than there may be.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// Which thing.
        what: String,
        /// The most there may be.
        limit: u64,
    },
    /// More or fewer bytes than the manifest says.
    #[error("{what} should have {stated} bytes, and {found} came")]
    Size {
        /// Which thing.
        what: String,
        /// What the manifest says.
        stated: u64,
        /// What came, or was announced; one more than stated where the rest was not read.
        found: u64,
    },
    /// Bytes that hash to something else than was asked for.
    #[error("{what} hashes to {found}, not to {expected}")]
    Digest {
        /// Which thing.
        what: String,
        /// What was asked for.
        expected: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
    /// The registry's header names another digest than that of the bytes.
    #[error("{place} says that {what} is {stated}, and its bytes hash to {found}")]
    LyingHeader {
        /// Scheme, host and port.
        place: String,
        /// Which thing.
        what: String,
        /// What `Docker-Content-Digest` says.
        stated: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
    /// The manifest is not one that a component can be had from.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is no memory for so much.
    #[error("there is no memory for {0} bytes")]
    Memory(u64),
    /// The network could not be started in this process.
    #[error("cannot start the event loop: {0}")]
    EventLoop(String),
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// A connection.
    Connect,
    /// The head of a response.
    Head,
    /// The next byte of a body.
    Idle,
    /// The whole of a small body.
    Small,
    /// As many bytes as there have to be in a window of time.
    Rate,
    /// Everything.
    Total,
}

impl Phase {
    fn sentence(self, limit: Duration) -> String {
        let seconds = limit.as_secs_f32();
        match self {
            Self::Connect => format!("could not be connected to within {seconds} s"),
            Self::Head => format!("did not answer within {seconds} s"),
            Self::Idle => format!("sent nothing for {seconds} s"),
            Self::Small => format!("did not finish its answer within {seconds} s"),
            Self::Rate => format!("sent too little in {seconds} s"),
            Self::Total => format!("had not given everything after {seconds} s"),
        }
    }
}

/// Why a manifest is not one that a component can be had from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the JSON of a manifest, nested too deeply, or with more of something than there may be.
    #[error(
        "the manifest cannot be read: line {line}, column {column} is not what it may be there, or more than there may be"
    )]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Lists and objects within each other, more than any manifest has.
    #[error("the manifest is nested too deeply")]
    TooDeep,
    /// It is of another kind than its media type or the answer's says.
    #[error("the manifest is ambiguous: {0}")]
    Ambiguous(&'static str),
    /// Not an OCI image manifest or index, nor Docker's of version 2.
    #[error("it is not a manifest of version 2 of OCI or Docker")]
    Kind,
    /// It has no configuration, which every image manifest has.
    #[error("the manifest has no config")]
    NoConfig,
    /// No layer is WebAssembly.
    #[error("the manifest has no WebAssembly layer among its {0}: it is no component")]
    NoWasm(usize),
    /// More than one layer is WebAssembly.
    #[error("the manifest has {0} WebAssembly layers; which one is meant cannot be told")]
    SeveralWasm(usize),
    /// A layer that there may be one of is there more than once.
    #[error("the manifest has more than one {0} layer")]
    Several(&'static str),
    /// The layer has no bytes.
    #[error("the WebAssembly layer is empty")]
    Empty,
    /// A text layer is not UTF-8.
    #[error("the {0} layer is not UTF-8")]
    NotText(&'static str),
    /// Its digest is none of SHA-256.
    #[error("the {0} has no sha256 digest")]
    Digest(&'static str),
    /// An index leads to an index.
    #[error("the index leads to another index, which is not followed")]
    NestedIndex,
    /// A referrer that refers to something else.
    #[error("it refers to something else than the manifest")]
    OtherSubject,
    /// An index without an entry for WebAssembly.
    #[error("none of the {0} entries of the index is for WebAssembly")]
    NoPlatform(usize),
    /// An index with several entries of the same fitness.
    #[error("{0} entries of the index are for WebAssembly; which one is meant cannot be told")]
    SeveralPlatforms(usize),
}

impl RemoteError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoNetwork => Some("give the path of a component, such as ./tool.wasm".to_owned()),
            Self::Connect { error, place } => connect_hint(error, place),
            Self::Unauthorized { registry, .. } => Some(format!("casemate login {registry}")),
            Self::ForeignRealm { .. } => Some(
                "a login goes to the registry's own host only; a public artifact needs none"
                    .to_owned(),
            ),
            Self::Digest { .. } | Self::LyingHeader { .. } => Some(
                "do not use it; ask whoever runs the registry, or pin what you know with @sha256:…"
                    .to_owned(),
            ),
            Self::Credentials(error) => error.hint.clone(),
            Self::Timeout { .. } | Self::Http { .. } => Some("try again later".to_owned()),
            Self::NotFound { .. } => {
                Some("check the name and the tag; a private one needs casemate login".to_owned())
            }
            Self::Manifest(ManifestError::NoWasm(_) | ManifestError::NoPlatform(_)) => {
                Some("only WebAssembly components can be added, not container images".to_owned())
            }
            Self::Manifest(ManifestError::SeveralWasm(_) | ManifestError::SeveralPlatforms(_)) => {
                Some("pin one manifest: oci://REGISTRY/REPOSITORY@sha256:…".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the bytes are not those that were named: a verification said no.
    pub fn is_verification(&self) -> bool {
        matches!(self, Self::Digest { .. } | Self::LyingHeader { .. })
    }
}

fn connect_hint(error: &ConnectError, place: &str) -> Option<String> {
    match error {
        ConnectError::Tls(_)
            if place.starts_with("https://127.")
                || place.starts_with("https://localhost")
                || place.starts_with("https://[::1]") =>
        {
            Some("a registry on this machine without TLS needs --plain-http".to_owned())
        }
        ConnectError::Tls(_) => Some(
            "an own authority is trusted by network.certificates = \"FILE.pem\" in config.toml"
                .to_owned(),
        ),
        ConnectError::Name(_) => Some("check the spelling of the host".to_owned()),
        ConnectError::Special(_) => None,
        ConnectError::Failed(_) | ConnectError::Timeout(_) => {
            Some("check that it runs and that this machine reaches it".to_owned())
        }
    }
}
