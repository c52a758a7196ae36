//! What the guest learns of time and chance.

use std::fmt;

/// What the guest's clocks show, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockMode {
    /// No clock at all: every use is denied.
    None,
    /// Time stands still while the guest computes and moves on only when it waits.
    Frozen,
    /// Time in steps of 10 ms.
    Coarse,
    /// Time as the machine knows it.
    Full,
}

impl ClockMode {
    pub(crate) const NAMES: [&str; 4] = ["none", "frozen", "coarse", "full"];

    /// Returns the mode where a policy says nothing: `none` if `strict`, otherwise `frozen`.
    pub(crate) fn unsaid(strict: bool) -> Self {
        if strict { Self::None } else { Self::Frozen }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "frozen" => Some(Self::Frozen),
            "coarse" => Some(Self::Coarse),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// Returns the word that policies use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Frozen => "frozen",
            Self::Coarse => "coarse",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for ClockMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What the guest's random numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RandomMode {
    /// No random numbers: every use is denied.
    None,
    /// From the operating system's secure source.
    Secure,
    /// The same numbers in every call, from this seed.
    Seed(u64),
}

impl RandomMode {
    /// Returns the mode where a policy says nothing: `none` if `strict`, otherwise `secure`.
    pub(crate) fn unsaid(strict: bool) -> Self {
        if strict { Self::None } else { Self::Secure }
    }

    /// Returns what both allow: none before a seed before secure. Of two seeds the ceiling's stands.
    pub(crate) fn lesser(own: Self, ceiling: Self) -> Self {
        match (own, ceiling) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (_, Self::Seed(seed)) | (Self::Seed(seed), Self::Secure) => Self::Seed(seed),
            (Self::Secure, Self::Secure) => Self::Secure,
        }
    }
}

impl fmt::Display for RandomMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            Self::Secure => formatter.write_str("secure"),
            Self::Seed(seed) => write!(formatter, "{{ seed: {seed} }}"),
        }
    }
}
