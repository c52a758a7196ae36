//! The stable words for why something did not happen.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Says that a text is none of the stable reasons.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a reason")]
pub struct UnknownReason(String);

macro_rules! words {
    (
        $(#[$documentation:meta])* $name:ident, $all:ident
        $( $(#[$variant_documentation:meta])* $variant:ident = $word:literal )*
        ; $( $(#[$nested_documentation:meta])* $nested:ident ( $inner:ident ) )*
    ) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_documentation])* $variant, )*
            $( $(#[$nested_documentation])* $nested($inner), )*
        }

        impl $name {
            const $all: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the stable word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )*
                    $( Self::$nested(inner) => inner.as_str(), )*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Why something was refused, stopped or failed.
    ///
    /// Errors, denials and audit records share this vocabulary; a word once published keeps its meaning.
    Reason, PLAIN
    /// A path may not be read or seen.
    StorageRead = "denied.storage.read"
    /// A path may not be written.
    StorageWrite = "denied.storage.write"
    /// A link or a move between rules.
    StorageLink = "denied.storage.link"
    /// No rule allows the host.
    NetworkHost = "denied.network.host"
    /// The host is allowed, the port is not.
    NetworkPort = "denied.network.port"
    /// The host is allowed, the scheme is not.
    NetworkScheme = "denied.network.scheme"
    /// The host is allowed, the method is not.
    NetworkMethod = "denied.network.method"
    /// The host is allowed, the path is not.
    NetworkPath = "denied.network.path"
    /// The name is allowed, the address it resolves to is not.
    NetworkAddress = "denied.network.address"
    /// A name may not be looked up.
    Dns = "denied.dns"
    /// A raw socket.
    Socket = "denied.socket"
    /// An environment variable.
    Environment = "denied.env"
    /// A clock.
    Clock = "denied.clock"
    /// Random numbers.
    Random = "denied.random"
    /// More memory than allowed.
    LimitMemory = "limit.memory"
    /// More processor time than allowed.
    LimitCpu = "limit.cpu"
    /// The call took longer than allowed.
    LimitTime = "limit.time"
    /// More output or a larger result than allowed.
    LimitOutput = "limit.output"
    /// More calls at the same time than allowed.
    LimitConcurrency = "limit.concurrency"
    /// More calls per period than allowed.
    LimitRate = "limit.rate"
    /// More open handles than allowed.
    LimitHandles = "limit.handles"
    /// A larger request or response body than allowed.
    LimitBody = "limit.body"
    /// More written to files, or more files created, than allowed.
    LimitStorage = "limit.storage"
    /// The caller gave up.
    Cancelled = "cancelled"
    /// The arguments do not fit the tool.
    InvalidArguments = "invalid.arguments"
    /// The bytes are not a component that can run here.
    InvalidComponent = "invalid.component"
    /// The policy cannot be used.
    InvalidPolicy = "invalid.policy"
    /// The bytes are not those that were locked.
    VerifyDigest = "verify.digest"
    /// A signature is missing or wrong.
    VerifySignature = "verify.signature"
    /// Signed by someone else.
    VerifyIdentity = "verify.identity"
    /// A signature or record is out of date.
    VerifyExpired = "verify.expired"
    /// A mistake in Casemate itself.
    Internal = "internal"
    ;
    /// The guest did something that ends it.
    Trap(TrapKind)
}

words! {
    /// What ended a guest, in WebAssembly's terms.
    TrapKind, ALL
    /// The guest reached code that it declares unreachable: usually a panic or an assertion.
    Unreachable = "trap.unreachable"
    /// The guest's stack is used up.
    StackOverflow = "trap.stack-overflow"
    /// Memory beyond its end.
    MemoryOutOfBounds = "trap.memory-out-of-bounds"
    /// A table beyond its end.
    TableOutOfBounds = "trap.table-out-of-bounds"
    /// A call through a null or wrongly typed table entry.
    IndirectCall = "trap.indirect-call"
    /// An integer operation whose result does not fit.
    IntegerOverflow = "trap.integer-overflow"
    /// A division by zero.
    DivisionByZero = "trap.division-by-zero"
    /// A float that is no integer.
    BadConversion = "trap.bad-conversion"
    /// An atomic access that is not aligned.
    HeapMisaligned = "trap.heap-misaligned"
    /// Use of a null reference.
    NullReference = "trap.null-reference"
    /// An array beyond its end.
    ArrayOutOfBounds = "trap.array-out-of-bounds"
    /// A failed cast.
    CastFailure = "trap.cast-failure"
    /// A component that cannot be entered, or left, at this point.
    CannotEnter = "trap.cannot-enter"
    /// Values that break the canonical ABI: a bad pointer, character, string or handle.
    CanonicalAbi = "trap.canonical-abi"
    /// The guest ended itself with `wasi:cli/exit`.
    Exit = "trap.exit"
    /// Anything else.
    Other = "trap.other"
    ;
}

impl Reason {
    /// Tells whether a policy or its absence is the reason, so that a grant could change it.
    pub fn is_denial(self) -> bool {
        self.as_str().starts_with("denied.")
    }

    /// Returns every reason there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let traps = TrapKind::ALL.iter().copied().map(Self::Trap);
        Self::PLAIN.iter().copied().chain(traps)
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::all()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
