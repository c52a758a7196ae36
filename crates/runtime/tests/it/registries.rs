//! The way to registries over the product's own network: who is looked up, judged and connected to.

use crate::egress::world::{GENEROUS, World};
use crate::fixture::Fixture;
use casemate_artifact::{
    Anonymous, ConnectError, FetchDeadlines, FetchError, FetchRequest, Phase, Reference,
    RemoteError, Silent, Sources, fetch,
};
use casemate_runtime::{
    InstallError, InstallRequest, Network, RegistryConnector, ResolveError, TrustRoots,
};
use casemate_test_registry::{Registry, Reply, Step, digest};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WASM: &[u8] = b"\0asm\x0d\0\x01\0";

/// Pulls over a network in a table that trusts the registry's authority.
fn pull(world: &Arc<World>, registry: &Registry, text: &str) -> Result<Vec<u8>, RemoteError> {
    let roots = registry.root().into_iter().collect::<Vec<_>>();
    pull_trusting(
        world,
        registry,
        text,
        TrustRoots::lazy(move || roots.clone()),
    )
}

fn pull_trusting(
    world: &Arc<World>,
    registry: &Registry,
    text: &str,
    roots: TrustRoots,
) -> Result<Vec<u8>, RemoteError> {
    let network = Network::new(world.clone(), world.clone(), roots, GENEROUS);
    let connector = Arc::new(RegistryConnector::new(network));
    let mut sources = Sources::new(connector, Arc::new(Anonymous));
    if registry.root().is_none() {
        sources = sources.with_plain_http_on_loopback();
    }
    let reference = Reference::parse(text, "/".as_ref()).unwrap();
    match fetch(&sources, FetchRequest::new(&reference)) {
        Ok(fetched) => Ok(fetched.artifact.bytes().to_vec()),
        Err(FetchError::Remote { error, .. }) => Err(*error),
        Err(other) => panic!("{other}"),
    }
}

fn refused(error: &RemoteError) -> &ConnectError {
    match error {
        RemoteError::Connect { error, .. } => error,
        other => panic!("{other}"),
    }
}

/// A registry that TLS is spoken to under this name, with a tool.
fn named(name: &str) -> Registry {
    let registry = Registry::tls(&[name]);
    registry.put_component("acme/tool", "1", WASM);
    registry
}

#[test]
fn s184_a_registry_is_reached_under_a_name_that_its_certificate_bears() {
    let registry = named("registry.example");
    let here = registry.host().parse().unwrap();
    let world = Arc::new(
        World::default()
            .name("registry.example", &["93.184.216.34"])
            .name("other.example", &["93.184.216.34"])
            .place("93.184.216.34:443", here),
    );
    let text = "oci://registry.example/acme/tool:1";
    assert_eq!(pull(&world, &registry, text).unwrap(), WASM);
    assert_eq!(world.dials()[0], "93.184.216.34:443");
    // Another name, an authority that nobody knows, none at all: no request is sent.
    let before = registry.seen().len();
    let error = pull(&world, &registry, "oci://other.example/acme/tool:1").unwrap_err();
    assert!(matches!(refused(&error), ConnectError::Tls(_)), "{error}");
    let other = Registry::tls(&["registry.example"]).root().unwrap();
    for roots in [vec![other], vec![]] {
        let roots = TrustRoots::lazy(move || roots.clone());
        let error = pull_trusting(&world, &registry, text, roots).unwrap_err();
        assert!(matches!(refused(&error), ConnectError::Tls(_)), "{error}");
    }
    assert_eq!(registry.seen().len(), before);
}

#[test]
fn s181_addresses_inside_are_for_registries_that_a_person_named_there() {
    let registry = named("registry.example");
    let inside = named("inside.example");
    let here = registry.host().parse().unwrap();
    let world = Arc::new(
        World::default()
            .name("registry.example", &["93.184.216.34"])
            .name("inside.example", &["10.1.2.3"])
            .name("both.example", &["93.184.216.34", "10.1.2.3"])
            .name("metadata.example", &["169.254.169.254"])
            .place("93.184.216.34:443", here)
            .place("10.1.2.3:443", inside.host().parse().unwrap()),
    );
    // Named by the person, a private address is fine.
    let text = "oci://inside.example/acme/tool:1";
    assert_eq!(pull(&world, &inside, text).unwrap(), WASM);
    // Named by a public registry it is not, nor is a name that leads there as well.
    let dials = world.dials().len();
    for location in [
        "https://inside.example/blob",
        "https://both.example/blob",
        "https://10.1.2.3/blob",
        "https://[fd00::1]/blob",
        "https://localhost/blob",
        "https://169.254.169.254/blob",
    ] {
        registry.answer_at(digest(WASM), Reply::redirect(307, location));
        let error = pull(&world, &registry, "oci://registry.example/acme/tool:1").unwrap_err();
        assert!(
            matches!(refused(&error), ConnectError::Special(_)),
            "{location}: {error}"
        );
    }
    assert!(
        world.dials()[dials..]
            .iter()
            .all(|dialled| dialled == "93.184.216.34:443")
    );
}

#[test]
fn s181_metadata_services_are_no_registries() {
    let registry = named("metadata.example");
    let world = Arc::new(World::default().name("metadata.example", &["169.254.169.254"]));
    for text in [
        "oci://metadata.example/acme/tool:1",
        "oci://169.254.169.254/acme/tool:1",
        "oci://metadata.google.internal/acme/tool:1",
        "oci://[fd00:ec2::254]/acme/tool:1",
        "https://169.254.169.254/latest/meta-data/",
        "oci://0.0.0.0:5000/acme/tool:1",
    ] {
        let error = pull(&world, &registry, text).unwrap_err();
        assert!(
            matches!(refused(&error), ConnectError::Special(_)),
            "{text}: {error}"
        );
    }
    assert_eq!(world.dials(), [] as [&str; 0]);
    assert_eq!(world.lookups(), ["metadata.example"]);
}

#[test]
fn localhost_is_this_machine_whatever_a_name_server_says() {
    let registry = Registry::plain();
    registry.put_component("acme/tool", "1", WASM);
    let world = Arc::new(
        World::default()
            .name("localhost", &["93.184.216.34"])
            .place(&registry.host(), registry.host().parse().unwrap()),
    );
    let text = format!("oci://localhost:{}/acme/tool:1", registry.port());
    assert_eq!(pull(&world, &registry, &text).unwrap(), WASM);
    assert_eq!(world.lookups(), [] as [&str; 0]);
}

#[test]
fn names_and_addresses_that_lead_nowhere_are_said() {
    let registry = named("registry.example");
    // A port that somebody had a moment ago.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let world = Arc::new(
        World::default()
            .place("93.184.216.34:443", closed)
            .failing("gone.example", ResolveError::Answer("NXDOMAIN".to_owned()))
            .name("dead.example", &["93.184.216.34"]),
    );
    let error = pull(&world, &registry, "oci://gone.example/acme/tool:1").unwrap_err();
    assert_eq!(refused(&error), &ConnectError::Name("NXDOMAIN".to_owned()));
    let error = pull(&world, &registry, "oci://dead.example/acme/tool:1").unwrap_err();
    assert!(
        matches!(refused(&error), ConnectError::Failed(_)),
        "{error}"
    );
    assert!(error.hint().is_some());
}

#[test]
fn s183_fifty_pulls_that_stall_hold_up_no_call() {
    let registry = Registry::plain();
    registry.put_component("acme/tool", "1", WASM);
    let half = vec![Step::Send(WASM[..3].to_vec()), Step::Hang];
    registry.answer_at(digest(WASM), Reply::announcing(8, half));
    let network = Network::system(TrustRoots::lazy(Vec::new));
    let deadlines = FetchDeadlines {
        idle: Duration::from_secs(2),
        ..FetchDeadlines::default()
    };
    let connector = Arc::new(RegistryConnector::new(network));
    let sources = Sources::with_deadlines(connector, Arc::new(Anonymous), deadlines)
        .with_plain_http_on_loopback();
    let fixture = Fixture::with(|builder| builder.sources(sources));
    fixture.ping();
    let reference = Reference::parse(&registry.reference("acme/tool:1"), "/".as_ref()).unwrap();
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..50)
            .map(|_| {
                let (runtime, reference) = (&fixture.runtime, reference.clone());
                scope.spawn(move || {
                    let planned = runtime.plan_install(InstallRequest::new(reference), &Silent);
                    planned.map(drop).unwrap_err()
                })
            })
            .collect();
        let at_layer = || {
            let seen = registry.seen();
            let layers = seen.iter().filter(|asked| asked.path().contains("/blobs/"));
            layers.count()
        };
        let start = Instant::now();
        while at_layer() < 50 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{} are there",
                at_layer()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        for _ in 0..5 {
            fixture.ping();
        }
        assert!(pulls.iter().any(|pull| !pull.is_finished()));
        for pull in pulls {
            let InstallError::Fetch(FetchError::Remote { error, .. }) = pull.join().unwrap() else {
                panic!("another error");
            };
            let stalled = matches!(
                *error,
                RemoteError::Timeout {
                    phase: Phase::Idle,
                    ..
                }
            );
            assert!(stalled, "{error}");
        }
    });
    assert_eq!(fixture.runtime.catalog().problems(), []);
}
