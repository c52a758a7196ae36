//! Why a file was not taken as a component.

/// Why bytes were refused as a component; the stable reason is always `invalid.component`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// There are no bytes.
    #[error("empty file, not a component")]
    Empty,
    /// A core WebAssembly module.
    #[error("core module, not a component")]
    CoreModule,
    /// The text format; only the binary format is read.
    #[error("WebAssembly text, not a binary component")]
    Text,
    /// Native code that Wasmtime compiled; it is never loaded from outside.
    #[error("native code compiled by Wasmtime (.cwasm), not a component")]
    Precompiled,
    /// A native executable or library.
    #[error("native executable, not a component")]
    Native,
    /// Something else.
    #[error("not WebAssembly: the file begins with {start}")]
    NotWasm {
        /// The first bytes, in hexadecimal.
        start: String,
    },
    /// WebAssembly that breaks the rules of the binary format or of validation.
    #[error("malformed component: {message} (at byte {offset})")]
    Malformed {
        /// What is wrong, made safe to show.
        message: String,
        /// Where, in bytes from the beginning of the file.
        offset: usize,
    },
    /// More of something than Casemate takes.
    #[error("too large a component: {found} {what}, the limit is {limit}")]
    Limit {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How much was found before counting stopped.
        found: u64,
        /// The bound of [`IntakeLimits`](super::IntakeLimits).
        limit: u64,
        /// Where it was exceeded, in bytes from the beginning of the file, if that is one place.
        offset: Option<usize>,
    },
}

impl InspectError {
    /// The stable reason of design.md 5.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "invalid.component"
    }

    /// Where in the file the problem is, in bytes, where that is known.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Malformed { offset, .. } => Some(*offset),
            Self::Limit { offset, .. } => *offset,
            Self::Empty
            | Self::CoreModule
            | Self::Text
            | Self::Precompiled
            | Self::Native
            | Self::NotWasm { .. } => Some(0),
        }
    }

    /// What the person could do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CoreModule => Some("make a component of it with `wasm-tools component new`"),
            Self::Text => Some("encode it first: `wasm-tools parse FILE -o FILE.wasm`"),
            Self::Precompiled => Some("give the .wasm component that it was compiled from"),
            Self::Native | Self::NotWasm { .. } => {
                Some("give the .wasm file that a component toolchain wrote")
            }
            Self::Empty => Some("was the download or the build cut short?"),
            Self::Malformed { .. } => {
                Some("was the file cut short or changed? compare its digest, or build it again")
            }
            Self::Limit { .. } => None,
        }
    }

    pub(super) fn malformed(error: &wasmparser::BinaryReaderError) -> Self {
        Self::Malformed {
            // The message may quote names of the component.
            message: crate::docs::plain_text(error.message(), 200).replace('\n', " "),
            offset: error.offset(),
        }
    }
}
