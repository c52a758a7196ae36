//! What does the component ask of its host, and what of that does Casemate have?

/// What kind of reach an imported interface is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Files and directories.
    Files,
    /// HTTP requests to other machines.
    Http,
    /// TCP and UDP.
    Sockets,
    /// Looking up the addresses of names.
    Names,
    /// Environment variables and arguments.
    Environment,
    /// The time, and waiting.
    Clocks,
    /// Random numbers.
    Random,
    /// Standard input, output and error.
    Stdio,
    /// Whether a stream is a terminal.
    Terminal,
    /// Ending the guest.
    Exit,
    /// Streams and polling: plumbing of the others.
    Io,
    /// Log records (`wasi:logging`), which Casemate does not offer yet.
    Logging,
    /// Anything else.
    Unknown,
}

impl Capability {
    /// A word for lists and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Http => "http",
            Self::Sockets => "sockets",
            Self::Names => "names",
            Self::Environment => "environment",
            Self::Clocks => "clocks",
            Self::Random => "random",
            Self::Stdio => "stdio",
            Self::Terminal => "terminal",
            Self::Exit => "exit",
            Self::Io => "io",
            Self::Logging => "logging",
            Self::Unknown => "unknown",
        }
    }

    /// The capability that an import of this name is about.
    pub(super) fn of(import: &str) -> Self {
        let name = import.split_once('@').map_or(import, |(name, _)| name);
        let Some(("wasi", rest)) = name.split_once(':') else {
            return Self::Unknown;
        };
        match rest.split_once('/') {
            Some(("filesystem", _)) => Self::Files,
            Some(("http", _)) => Self::Http,
            Some(("sockets", "ip-name-lookup")) => Self::Names,
            Some(("sockets", _)) => Self::Sockets,
            Some(("cli", "environment")) => Self::Environment,
            Some(("cli", "exit")) => Self::Exit,
            Some(("cli", "stdin" | "stdout" | "stderr")) => Self::Stdio,
            Some(("cli", interface)) if interface.starts_with("terminal-") => Self::Terminal,
            Some(("clocks", _)) => Self::Clocks,
            Some(("random", _)) => Self::Random,
            Some(("io", _)) => Self::Io,
            Some(("logging", _)) => Self::Logging,
            _ => Self::Unknown,
        }
    }
}

/// An import of the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The name as in the binary, such as `wasi:filesystem/types@0.2.6`.
    pub interface: String,
    /// The functions it takes from there; for a function imported by itself, its name.
    pub functions: Vec<String>,
    /// What it is about.
    pub capability: Capability,
    /// Whether Casemate links it; types alone need no host.
    pub provided: bool,
}

/// Every interface that Casemate links, without version.
const PROVIDED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// The last release of WASI 0.2 whose interfaces Casemate has: 0.2.0 to this patch.
const LAST_PATCH: u32 = 12;

/// Whether Casemate links the interface `name`, such as `wasi:io/streams@0.2.4`.
#[must_use]
pub fn is_provided(name: &str) -> bool {
    let Some((interface, version)) = name.split_once('@') else {
        return false;
    };
    let patch = version
        .strip_prefix("0.2.")
        .and_then(|patch| patch.parse::<u32>().ok());
    // The canonical form of a compatible version has no patch.
    (version == "0.2" || patch.is_some_and(|patch| patch <= LAST_PATCH))
        && PROVIDED.binary_search(&interface).is_ok()
}

/// The interfaces that Casemate links, without version, in order of their names.
#[must_use]
pub fn provided_interfaces() -> &'static [&'static str] {
    PROVIDED
}
