//! Addresses that are not ordinary hosts of the public internet.
//!
//! The ranges are those of IANA's special-purpose address registries (RFC 6890 and its updates, iana-ipv4-special-registry and
//! iana-ipv6-special-registry), with multicast, what was deprecated since, and the addresses at which clouds hand out
//! credentials. An IPv6 address that carries an IPv4 one is judged by both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What a special address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpecialUse {
    /// As part of a sentence: "which is a loopback address".
    pub(crate) name: &'static str,
    /// Whether no rule can make it reachable.
    pub(crate) never: bool,
}

const METADATA: SpecialUse = never("a metadata service of a cloud");

/// Where clouds hand out credentials to whoever is on the machine.
const METADATA_V4: [Ipv4Addr; 7] = [
    Ipv4Addr::new(169, 254, 169, 254), // AWS, Google, Azure, DigitalOcean and others
    Ipv4Addr::new(169, 254, 170, 2),   // AWS, containers
    Ipv4Addr::new(169, 254, 170, 23),  // AWS, pods
    Ipv4Addr::new(169, 254, 42, 42),   // Scaleway
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(168, 63, 129, 16),   // Azure
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
];

const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),  // AWS, pods
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),   // Scaleway
];

/// The name that a cloud gives its metadata service.
const METADATA_NAME: &str = "metadata.google.internal";

/// The first range that holds an address counts.
const RANGES_V4: [(Ipv4Net, SpecialUse); 16] = [
    (v4(0, 0, 0, 0, 8), never("an unspecified address")),
    (v4(10, 0, 0, 0, 8), special("a private address")),
    (
        v4(100, 64, 0, 0, 10),
        special("an address of a provider's own network"),
    ),
    (v4(127, 0, 0, 0, 8), special("a loopback address")),
    (v4(169, 254, 0, 0, 16), special("a link-local address")),
    (v4(172, 16, 0, 0, 12), special("a private address")),
    (v4(192, 0, 0, 0, 24), special("an address for protocols")),
    (
        v4(192, 0, 2, 0, 24),
        special("an address for documentation"),
    ),
    (
        v4(192, 88, 99, 0, 24),
        special("an address of a former 6to4 relay"),
    ),
    (v4(192, 168, 0, 0, 16), special("a private address")),
    (v4(198, 18, 0, 0, 15), special("an address for benchmarks")),
    (
        v4(198, 51, 100, 0, 24),
        special("an address for documentation"),
    ),
    (
        v4(203, 0, 113, 0, 24),
        special("an address for documentation"),
    ),
    (v4(224, 0, 0, 0, 4), never("a multicast address")),
    (v4(255, 255, 255, 255, 32), never("the broadcast address")),
    (v4(240, 0, 0, 0, 4), special("a reserved address")),
];

const RANGES_V6: [(Ipv6Net, SpecialUse); 17] = [
    (v6([0; 8], 128), never("an unspecified address")),
    (
        v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
        special("a loopback address"),
    ),
    (
        v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
        never("an IPv4-mapped address"),
    ),
    (v6([0; 8], 96), special("an IPv4-compatible address")),
    (
        v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
        special("an address of an IPv4 translator"),
    ),
    (
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        special("an address of a local IPv4 translator"),
    ),
    (
        v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
        special("an address that discards"),
    ),
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
        special("a Teredo address"),
    ),
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        special("an address for protocols"),
    ),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        special("an address for documentation"),
    ),
    (
        v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
        special("a 6to4 address"),
    ),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        special("an address for documentation"),
    ),
    (
        v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
        special("an address of segment routing"),
    ),
    (
        v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        special("a private address"),
    ),
    (
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
        special("a link-local address"),
    ),
    (
        v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
        special("a site-local address"),
    ),
    (
        v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
        never("a multicast address"),
    ),
];

/// All that is given out as public unicast so far (RFC 4291, iana-ipv6-unicast-address-assignments).
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn special(name: &'static str) -> SpecialUse {
    SpecialUse { name, never: false }
}

const fn never(name: &'static str) -> SpecialUse {
    SpecialUse { name, never: true }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(groups: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = groups;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// Returns what an address is for, if it is not an ordinary one.
pub(crate) fn special_use(address: IpAddr) -> Option<SpecialUse> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// Returns the range of the registries that makes an address a special one; metadata services are in none.
pub(crate) fn special_range(address: IpAddr) -> Option<IpNet> {
    match address {
        IpAddr::V4(address) => {
            let range = RANGES_V4.iter().find(|(range, _)| range.contains(&address));
            range.map(|(range, _)| IpNet::V4(*range))
        }
        IpAddr::V6(address) => {
            let range = RANGES_V6.iter().find(|(range, _)| range.contains(&address));
            range.map(|(range, _)| IpNet::V6(*range))
        }
    }
}

/// Returns what a whole range is for if no rule can make anything in it reachable.
pub(crate) fn never_range(range: IpNet) -> Option<SpecialUse> {
    if range.prefix_len() == range.max_prefix_len() {
        return special_use(range.addr()).filter(|special| special.never);
    }
    let special = match range {
        IpNet::V4(range) => RANGES_V4.iter().find(|(own, _)| own.contains(&range))?.1,
        IpNet::V6(range) => RANGES_V6.iter().find(|(own, _)| own.contains(&range))?.1,
    };
    special.never.then_some(special)
}

/// Returns what the first special range is for that a range touches, if it touches one.
pub(crate) fn special_within(range: IpNet) -> Option<SpecialUse> {
    match range {
        IpNet::V4(range) => {
            let mut own = RANGES_V4.iter();
            own.find(|(own, _)| own.contains(&range) || range.contains(own))
                .map(|(_, special)| *special)
        }
        IpNet::V6(range) => {
            let mut own = RANGES_V6.iter();
            own.find(|(own, _)| own.contains(&range) || range.contains(own))
                .map(|(_, special)| *special)
        }
    }
}

/// What kind of address an artifact is fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressUse {
    /// An ordinary host of the public internet.
    Public,
    /// A special-use address, such as a loopback or a private one.
    Special,
}

/// Decides whether an artifact may be fetched from an address; a special-use one only where `special` allows that.
///
/// # Errors
/// What the address is for, as part of a sentence ("a loopback address"), if nothing may be fetched from it. Nothing ever
/// may from a metadata service of a cloud, nor from what is no address of one host.
pub fn fetch_from(address: IpAddr, special: bool) -> Result<AddressUse, &'static str> {
    match special_use(address) {
        None => Ok(AddressUse::Public),
        Some(own) if special && !own.never => Ok(AddressUse::Special),
        Some(own) => Err(own.name),
    }
}

/// Decides whether the addresses of a name may be fetched from, before it is looked up.
///
/// # Errors
/// What the name stands for, if that is a metadata service.
pub fn fetch_by_name(name: &str) -> Result<(), &'static str> {
    metadata_name(name).map_or(Ok(()), |own| Err(own.name))
}

/// Tells whether a name stands for a metadata service.
pub(crate) fn metadata_name(name: &str) -> Option<SpecialUse> {
    (name == METADATA_NAME).then_some(METADATA)
}

fn special_v4(address: Ipv4Addr) -> Option<SpecialUse> {
    if METADATA_V4.contains(&address) {
        return Some(METADATA);
    }
    let range = RANGES_V4.iter().find(|(range, _)| range.contains(&address));
    range.map(|(_, special)| *special)
}

fn special_v6(address: Ipv6Addr) -> Option<SpecialUse> {
    if METADATA_V6.contains(&address) {
        return Some(METADATA);
    }
    // `::` and `::1` carry no IPv4 address, although they are in the range of those that do.
    let own = RANGES_V6.iter().find(|(range, _)| range.contains(&address));
    if let Some((range, special)) = own
        && range.prefix_len() == 128
    {
        return Some(*special);
    }
    if let Some(inner) = embedded_v4(address).and_then(special_v4)
        && inner.never
    {
        return Some(inner);
    }
    match own {
        Some((_, special)) => Some(*special),
        None if PUBLIC_V6.contains(&address) => None,
        None => Some(special("an address that nobody was given")),
    }
}

/// Returns the IPv4 address to which packets for this one are handed on, or that it stands for.
pub(crate) fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // IPv4-compatible, IPv4-mapped, and both forms of translation (RFC 4291, 6052, 8215, 2765).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, _, _, _, _, high, low] => Some(join(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(join(high, low)),
        // Teredo (RFC 4380) writes the client's address with its bits turned.
        [0x2001, 0, _, _, _, _, high, low] => Some(join(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
