//! Random policies and questions over a small alphabet, so that rules and questions meet; the same in every run.

use super::model::{NetworkRule, Policy, Request, StorageRule};

/// SplitMix64: enough for drawing, and the same everywhere.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(super) fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        let at = self.below(list.len());
        list[at].clone()
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn maybe<T>(&mut self, percent: usize, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| draw(self))
    }

    fn some<T>(&mut self, most: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| draw(self)).collect()
    }
}

/// Roots that are bound, one that is not, and what stands for an absolute directory.
pub(super) const BOUND: [&str; 2] = ["w", "c"];
const UNBOUND: &str = "u";

pub(super) const KEYS: [&str; 4] = ["A", "B", "C", "LONG_KEY"];

const NAMES: [&str; 3] = ["a", "b", "a-b"];
const HOSTS: [&str; 7] = [
    "a.b.example",
    "*.a.b.example",
    "**.b.example",
    "x.a.b.example",
    "10.0.0.5",
    "198.41.0.4",
    "2001:db8::1",
];
/// What requests name; see [`super::requests::leads`].
pub(super) const ASKED: [&str; 7] = [
    "a.b.example",
    "x.a.b.example",
    "y.x.a.b.example",
    "b.example",
    "10.0.0.5",
    "2001:db8::1",
    "z.a.b.example",
];
pub(super) const ADDRESSES: [&str; 7] = [
    "198.41.0.4",
    "10.0.0.5",
    "10.1.0.9",
    "64:ff9b::a00:5",
    "2001:db8::1",
    "169.254.169.254",
    "127.0.0.1",
];
const RANGES: [&str; 7] = [
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.5/32",
    "198.41.0.0/16",
    "2001:db8::/32",
    "64:ff9b::/96",
    "169.254.0.0/16",
];
pub(super) const PORTS: [u16; 3] = [80, 443, 8443];
/// The last ones are ambiguous, or encoded.
const PATHS: [&str; 7] = [
    "/",
    "/v1/a",
    "/v1/b/c",
    "/v1/",
    "/v1/a%20b",
    "/v1/%2e%2e/a",
    "/v1//a",
];

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A URI of storage; `absolute` is a directory such as `/srv/data`.
fn uri(dice: &mut Dice, absolute: &str) -> String {
    let place = match dice.below(8) {
        0..=3 => "fs://w".to_owned(),
        4 | 5 => "fs://c".to_owned(),
        6 => format!("fs://{UNBOUND}"),
        _ => format!("fs://{absolute}"),
    };
    if dice.chance(25) {
        return format!("{place}/**");
    }
    let words = ["a", "b", "a-b", "a", "b", "*", "a*", "**/b", "**/a*b"];
    let mut segments = vec![dice.pick(&words)];
    for _ in 0..dice.below(3) {
        segments.push(dice.pick(&words));
    }
    let end = if dice.chance(50) { "/**" } else { "" };
    format!("{place}/{}{end}", segments.join("/"))
}

fn storage(dice: &mut Dice, absolute: &str) -> StorageRule {
    let (read, write) = dice.pick(&[(true, false), (false, true), (true, true), (true, true)]);
    let uri = uri(dice, absolute);
    StorageRule { uri, read, write }
}

/// What raw connections are made to.
pub(super) const PEERS: [&str; 4] = ["a.b.example", "db.b.example", "10.0.0.5", "2001:db8::1"];
pub(super) const RAW_PORTS: [u16; 3] = [5432, 443, 6379];

fn tcp(dice: &mut Dice) -> NetworkRule {
    let host = dice.pick(&PEERS);
    let named = host.ends_with("example");
    NetworkRule {
        tcp: Some((host.to_owned(), dice.pick(&RAW_PORTS))),
        cidr: named
            .then(|| dice.maybe(50, |dice| dice.pick(&RANGES).to_owned()))
            .flatten(),
        ..NetworkRule::default()
    }
}

fn network(dice: &mut Dice) -> NetworkRule {
    if dice.chance(30) {
        return tcp(dice);
    }
    let host = dice.maybe(85, |dice| dice.pick(&HOSTS));
    let range = dice.maybe(35, |dice| dice.pick(&RANGES));
    let cidr = match host {
        None => Some(range.unwrap_or("10.0.0.0/8")),
        // An address says where it is.
        Some(host) if !host.ends_with("example") => None,
        Some(_) => range,
    };
    let schemes = [&["http"][..], &["https", "http"], &["https", "http"]];
    let methods = [&["GET"][..], &["POST", "GET"], &["DELETE"]];
    let paths = [
        &["/**"][..],
        &["/v1/**"],
        &["/v1/*", "/"],
        &["/v1/a"],
        &["/**/c", "/v1/b/**"],
    ];
    NetworkRule {
        tcp: None,
        host: host.map(str::to_owned),
        cidr: cidr.map(str::to_owned),
        schemes: dice.maybe(85, |dice| strings(dice.pick(&schemes))),
        ports: dice.maybe(60, |dice| {
            dice.pick(&[&[443][..], &[80], &[8443, 443, 80]]).to_vec()
        }),
        methods: dice.maybe(20, |dice| strings(dice.pick(&methods))),
        paths: dice.maybe(25, |dice| strings(dice.pick(&paths))),
    }
}

/// A policy whose text loads.
pub(super) fn policy(dice: &mut Dice, absolute: &str) -> Policy {
    // One key is given the same value everywhere, so that no two entries contradict each other.
    let variable = |dice: &mut Dice| {
        let key = dice.pick(&KEYS);
        (key.to_owned(), (key == "B").then(|| "own".to_owned()))
    };
    Policy {
        strict: dice.chance(10),
        storage_allow: dice.some(8, |dice| storage(dice, absolute)),
        storage_deny: dice.some(2, |dice| storage(dice, absolute)),
        network_allow: dice.some(8, network),
        network_deny: dice.some(1, network),
        variables: dice.some(4, variable),
        variables_deny: dice.some(1, |dice| dice.pick(&KEYS).to_owned()),
        clocks: dice.maybe(60, |dice| dice.pick(&["none", "frozen", "coarse", "full"])),
        random: dice.maybe(60, |dice| {
            dice.pick(&["none", "secure", "{ seed: 1 }", "{ seed: 2 }"])
        }),
    }
}

/// A ceiling: as a policy, with a little more in it; sometimes about another place of the same name.
pub(super) fn ceiling(dice: &mut Dice, absolute: &str) -> Policy {
    let mut ceiling = policy(dice, absolute);
    for _ in 0..2 {
        let root = dice.pick(&BOUND);
        ceiling.storage_allow.push(StorageRule {
            uri: format!("fs://{root}/**"),
            read: true,
            write: dice.chance(70),
        });
        ceiling.network_allow.push(NetworkRule {
            host: Some(dice.pick(&["**.b.example", "10.0.0.5"]).to_owned()),
            schemes: Some(strings(&["http", "https"])),
            ports: Some(PORTS.to_vec()),
            ..NetworkRule::default()
        });
        ceiling.network_allow.push(tcp(dice));
        ceiling
            .variables
            .push((dice.pick(&["A", "C"]).to_owned(), None));
    }
    if dice.chance(20) {
        for rule in ceiling
            .storage_allow
            .iter_mut()
            .chain(&mut ceiling.storage_deny)
        {
            rule.uri = rule.uri.replace("fs://c/", "fs:///c/");
        }
    }
    ceiling
}

/// A path of the guest: a place and up to three names.
pub(super) fn path(dice: &mut Dice, absolute: &str) -> String {
    let mut path = match dice.below(9) {
        0..=4 => "/w".to_owned(),
        5 | 6 => "/c".to_owned(),
        7 => format!("/{}", dice.pick(&[UNBOUND, "w-x"])),
        _ => absolute.to_owned(),
    };
    for _ in 0..dice.below(4) {
        path.push('/');
        path.push_str(dice.pick(&NAMES));
    }
    path
}

/// Another path, half of the time beside `path`.
pub(super) fn other(dice: &mut Dice, absolute: &str, path: &str) -> String {
    match path.rsplit_once('/') {
        Some((parent, _)) if dice.chance(50) && !parent.is_empty() => {
            format!("{parent}/{}", dice.pick(&NAMES))
        }
        _ => self::path(dice, absolute),
    }
}

pub(super) fn request(dice: &mut Dice) -> Request {
    Request {
        scheme: dice.pick(&["http", "http", "https"]).to_owned(),
        host: dice.pick(&ASKED).to_owned(),
        port: dice.pick(&PORTS),
        method: dice
            .pick(&["GET", "GET", "GET", "POST", "DELETE"])
            .to_owned(),
        path: dice.pick(&PATHS).to_owned(),
    }
}
