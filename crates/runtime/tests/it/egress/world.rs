//! A network in a table: names, addresses and where on the loopback each of them really is.

use super::guest::guest;
use crate::fixture::Fixture;
use casemate_runtime::{
    CertificateDer, Deadlines, Dialer, Network, Pending, ResolveError, Resolver, TrustRoots,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;

/// Longer than any test waits.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// How soon a phase that stalls is given up.
pub(crate) const SOON: Duration = Duration::from_millis(300);

/// Deadlines that no busy machine reaches.
pub(crate) const GENEROUS: Deadlines = Deadlines {
    connect: LONG,
    tls: LONG,
    first_byte: LONG,
    idle: LONG,
};

/// The names and places that there are, and what was asked of them.
#[derive(Default)]
pub(crate) struct World {
    /// For each lookup of a name the next answer; the last one stays.
    names: Mutex<BTreeMap<String, Vec<Answer>>>,
    places: Mutex<BTreeMap<SocketAddr, SocketAddr>>,
    lookups: Mutex<Vec<String>>,
    dials: Mutex<Vec<SocketAddr>>,
}

#[derive(Clone)]
enum Answer {
    Addresses(Vec<IpAddr>),
    Failure(ResolveError),
    Never,
}

impl World {
    pub(crate) fn name(self, name: &str, addresses: &[&str]) -> Self {
        self.answers(name, &[addresses])
    }

    pub(crate) fn answers(self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |text: &&str| text.parse().unwrap();
        let answers = answers
            .iter()
            .map(|addresses| Answer::Addresses(addresses.iter().map(parse).collect()));
        let answers = answers.collect();
        self.names.lock().unwrap().insert(name.to_owned(), answers);
        self
    }

    pub(crate) fn failing(self, name: &str, failure: ResolveError) -> Self {
        let answers = vec![Answer::Failure(failure)];
        self.names.lock().unwrap().insert(name.to_owned(), answers);
        self
    }

    pub(crate) fn silent(self, name: &str) -> Self {
        let answers = vec![Answer::Never];
        self.names.lock().unwrap().insert(name.to_owned(), answers);
        self
    }

    /// What listens at `address` is really at `place`.
    pub(crate) fn place(self, address: &str, place: SocketAddr) -> Self {
        let address = address.parse().unwrap();
        self.places.lock().unwrap().insert(address, place);
        self
    }

    pub(crate) fn lookups(&self) -> Vec<String> {
        self.lookups.lock().unwrap().clone()
    }

    pub(crate) fn dials(&self) -> Vec<String> {
        let dials = self.dials.lock().unwrap();
        dials.iter().map(ToString::to_string).collect()
    }

    /// Nothing was looked up, nothing was connected to.
    pub(crate) fn is_untouched(&self) {
        assert_eq!(self.lookups(), [] as [&str; 0]);
        assert_eq!(self.dials(), [] as [&str; 0]);
    }
}

impl Resolver for World {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Vec<IpAddr>, ResolveError>> {
        self.lookups.lock().unwrap().push(name.to_owned());
        let answer = {
            let mut names = self.names.lock().unwrap();
            match names.get_mut(name) {
                Some(answers) if answers.len() > 1 => answers.remove(0),
                Some(answers) => answers[0].clone(),
                None => Answer::Failure(ResolveError::Answer("NXDOMAIN".to_owned())),
            }
        };
        Box::pin(async move {
            match answer {
                Answer::Addresses(addresses) => Ok(addresses),
                Answer::Failure(failure) => Err(failure),
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

impl Dialer for World {
    fn dial(&self, address: SocketAddr) -> Pending<'_, std::io::Result<TcpStream>> {
        self.dials.lock().unwrap().push(address);
        let place = self.places.lock().unwrap().get(&address).copied();
        Box::pin(async move {
            match place {
                Some(place) => TcpStream::connect(place).await,
                // Nobody answers there, ever.
                None => std::future::pending().await,
            }
        })
    }
}

/// A home whose guest may do what the network rules say, in this world.
pub(crate) fn home(world: &Arc<World>, rules: &str) -> Fixture {
    with_deadlines(world, rules, GENEROUS)
}

pub(crate) fn with_deadlines(world: &Arc<World>, rules: &str, deadlines: Deadlines) -> Fixture {
    with_roots(world, rules, deadlines, Vec::new())
}

pub(crate) fn with_roots(
    world: &Arc<World>,
    rules: &str,
    deadlines: Deadlines,
    roots: Vec<CertificateDer<'static>>,
) -> Fixture {
    let roots = TrustRoots::lazy(move || roots.clone());
    let network = Network::new(
        Arc::clone(world) as _,
        Arc::clone(world) as _,
        roots,
        deadlines,
    );
    installed(Fixture::with(|builder| builder.network(network)), rules)
}

/// The guest of these tests under the name `evil`, with these rules below `network.allow`.
pub(crate) fn installed(fixture: Fixture, rules: &str) -> Fixture {
    let policy = match rules {
        "" => String::new(),
        rules => format!("permissions:\n  network:\n    allow:\n{rules}\n"),
    };
    fixture.install("evil", &guest(), &policy);
    fixture
}

/// A rule that allows plain requests to a host, on port 80.
pub(crate) fn plain(host: &str) -> String {
    format!("      - {{ host: \"{host}\", schemes: [http] }}")
}

/// A rule that allows what a rule allows by default: https on port 443.
pub(crate) fn host(host: &str) -> String {
    format!("      - host: \"{host}\"")
}
