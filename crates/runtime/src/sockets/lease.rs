//! Which names lead where, for one call and for a while.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The addresses that the lookups of one call found, each under its name until its lease ends.
///
/// A lease lasts from the answer on, whatever time to live its records have: long enough for a
/// client that looks up and connects, too short to keep an address that the name has left. The
/// lookups of a call and the addresses of an answer are bounded, and so are its leases.
#[derive(Debug)]
pub(super) struct Leases {
    time: Duration,
    granted: Mutex<Vec<Lease>>,
}

#[derive(Debug)]
struct Lease {
    name: String,
    addresses: Vec<IpAddr>,
    begun: Instant,
}

impl Leases {
    pub(super) fn lasting(time: Duration) -> Self {
        Self {
            time,
            granted: Mutex::default(),
        }
    }

    pub(super) fn add(&self, name: &str, addresses: &[IpAddr]) {
        self.add_at(name, addresses, Instant::now());
    }

    /// The names under which there is a lease on this address, the last one first.
    pub(super) fn names(&self, address: IpAddr) -> Vec<String> {
        self.names_at(address, Instant::now())
    }

    fn add_at(&self, name: &str, addresses: &[IpAddr], now: Instant) {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.retain(|lease| lease.holds(self.time, now));
        granted.push(Lease {
            name: name.to_owned(),
            addresses: addresses.to_vec(),
            begun: now,
        });
    }

    fn names_at(&self, address: IpAddr, now: Instant) -> Vec<String> {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = Vec::new();
        for lease in granted.iter().rev() {
            if lease.holds(self.time, now)
                && lease.addresses.contains(&address)
                && !names.contains(&lease.name)
            {
                names.push(lease.name.clone());
            }
        }
        names
    }
}

impl Lease {
    fn holds(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) < time
    }
}

#[cfg(test)]
mod tests {
    use super::Leases;
    use std::net::IpAddr;
    use std::time::{Duration, Instant};

    const MINUTE: Duration = Duration::from_secs(60);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn s119_an_address_is_leased_from_the_answer_until_its_time_is_over() {
        let leases = Leases::lasting(MINUTE);
        let begun = Instant::now();
        assert_eq!(leases.names_at(ip("9.9.9.1"), begun), [] as [&str; 0]);
        leases.add_at("db.example.com", &[ip("9.9.9.1"), ip("9.9.9.2")], begun);
        let last = begun + MINUTE.checked_sub(Duration::from_nanos(1)).unwrap();
        for address in ["9.9.9.1", "9.9.9.2"] {
            assert_eq!(leases.names_at(ip(address), begun), ["db.example.com"]);
            assert_eq!(leases.names_at(ip(address), last), ["db.example.com"]);
            assert_eq!(
                leases.names_at(ip(address), begun + MINUTE),
                [] as [&str; 0]
            );
        }
        assert_eq!(leases.names_at(ip("9.9.9.3"), begun), [] as [&str; 0]);
        assert_eq!(
            leases.names_at(ip("::ffff:9.9.9.1"), begun),
            [] as [&str; 0]
        );
    }

    #[test]
    fn s119_each_name_has_its_own_lease_and_a_new_answer_a_new_one() {
        let leases = Leases::lasting(MINUTE);
        let begun = Instant::now();
        let half = begun + MINUTE / 2;
        leases.add_at("a.example.com", &[ip("9.9.9.1")], begun);
        leases.add_at("b.example.com", &[ip("9.9.9.1")], half);
        let both = ["b.example.com", "a.example.com"];
        assert_eq!(leases.names_at(ip("9.9.9.1"), half), both);
        assert_eq!(
            leases.names_at(ip("9.9.9.1"), begun + MINUTE),
            ["b.example.com"]
        );
        // The same name again, elsewhere: both places for as long as each was answered.
        leases.add_at("b.example.com", &[ip("9.9.9.2")], begun + MINUTE);
        assert_eq!(
            leases.names_at(ip("9.9.9.2"), half + MINUTE),
            ["b.example.com"]
        );
        assert_eq!(
            leases.names_at(ip("9.9.9.1"), half + MINUTE),
            [] as [&str; 0]
        );
        // What has ended is not kept.
        assert_eq!(leases.granted.lock().unwrap().len(), 2);
    }

    #[test]
    fn no_time_is_no_lease() {
        let leases = Leases::lasting(Duration::ZERO);
        let now = Instant::now();
        leases.add_at("a.example.com", &[ip("9.9.9.1")], now);
        assert_eq!(leases.names_at(ip("9.9.9.1"), now), [] as [&str; 0]);
    }
}
