//! Registries that wait: each phase ends, and everything does.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use casemate_artifact::{
    Anonymous, ConnectError, Connected, Connector, FetchDeadlines, Pending, Phase, Place,
    RemoteError, Sources,
};
use casemate_test_registry::{Direct, FixedLogin, Registry, Reply, Step, digest};

use super::{WASM, pull, soon, with_tool};

/// What nothing here takes longer than, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

fn sources(registry: &Registry, deadlines: FetchDeadlines) -> Sources {
    registry.sources_with(registry.connector(), FixedLogin::none(), deadlines)
}

/// The phase that ends a pull of `acme/tool:1`.
fn phase(sources: &Sources, text: &str) -> Phase {
    let start = Instant::now();
    let error = pull(sources, text).unwrap_err();
    assert!(
        start.elapsed() < LONG,
        "{error} after {:?}",
        start.elapsed()
    );
    match error {
        RemoteError::Timeout { phase, .. } => phase,
        other => panic!("{other}"),
    }
}

/// Never connects.
struct Never;

impl Connector for Never {
    fn connect<'a>(
        &'a self,
        _to: &'a Place,
        _special: bool,
    ) -> Pending<'a, Result<Connected, ConnectError>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn s183_connecting_ends() {
    let sources = Sources::with_deadlines(Arc::new(Never), Arc::new(Anonymous), soon());
    assert_eq!(
        phase(&sources, "oci://registry.example/acme/tool:1"),
        Phase::Connect
    );
    // A server that takes the connection and says nothing of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let connector = Arc::new(Direct::new(None));
    let sources = Sources::with_deadlines(connector, Arc::new(Anonymous), soon());
    let text = format!("oci://{}/acme/tool:1", silent.local_addr().unwrap());
    assert_eq!(phase(&sources, &text), Phase::Connect);
    let text = format!("https://{}/tool.wasm", silent.local_addr().unwrap());
    assert_eq!(phase(&sources, &text), Phase::Connect);
}

#[test]
fn s183_waiting_for_a_head_or_a_body_ends() {
    let half = Step::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec());
    let json = Step::Send(b"{\"schema".to_vec());
    let byte = Duration::from_millis(50);
    let head = format!("HTTP/1.1 200 OK\r\nX-Field: {}", "x".repeat(4000));
    let slow_head = Step::Drip(head.into_bytes(), byte);
    let layer = digest(WASM);
    let cases = [
        (
            "no head",
            "/manifests/1",
            Reply::Raw(vec![Step::Hang]),
            Phase::Head,
        ),
        (
            "half a head",
            "/manifests/1",
            Reply::Raw(vec![half, Step::Hang]),
            Phase::Head,
        ),
        (
            "a slow head",
            "/manifests/1",
            Reply::Raw(vec![slow_head]),
            Phase::Head,
        ),
        (
            "no body",
            "/manifests/1",
            Reply::announcing(100, vec![Step::Hang]),
            Phase::Idle,
        ),
        (
            "half a body",
            "/manifests/1",
            Reply::announcing(100, vec![json, Step::Hang]),
            Phase::Idle,
        ),
        (
            "a slow body",
            "/manifests/1",
            Reply::announcing(4000, vec![Step::Drip(vec![b' '; 4000], byte)]),
            Phase::Small,
        ),
        (
            "no signatures",
            ".sig",
            Reply::Raw(vec![Step::Hang]),
            Phase::Head,
        ),
        (
            "no layer",
            &layer,
            Reply::Raw(vec![Step::Hang]),
            Phase::Head,
        ),
        (
            "half a layer",
            &layer,
            Reply::announcing(8, vec![Step::Send(WASM[..3].to_vec()), Step::Hang]),
            Phase::Idle,
        ),
    ];
    // Side by side: waiting is all that they do.
    std::thread::scope(|scope| {
        for (what, at, reply, expected) in cases {
            scope.spawn(move || {
                let registry = with_tool();
                registry.answer_at(at, reply);
                let text = registry.reference("acme/tool:1");
                let found = phase(&sources(&registry, soon()), &text);
                assert_eq!(found, expected, "{what}");
            });
        }
    });
}

#[test]
fn s183_a_byte_now_and_then_is_not_enough() {
    let registry = Registry::plain();
    let bytes = vec![0; 100_000];
    registry.put_component("acme/tool", "1", &bytes);
    registry.answer_at(
        digest(&bytes),
        Reply::announcing(100_000, vec![Step::Drip(bytes, Duration::from_millis(20))]),
    );
    let text = registry.reference("acme/tool:1");
    assert_eq!(phase(&sources(&registry, soon()), &text), Phase::Rate);
    // Enough for the rate is still bounded as a whole.
    let deadlines = FetchDeadlines {
        least: 1,
        total: Duration::from_secs(2),
        ..soon()
    };
    assert_eq!(phase(&sources(&registry, deadlines), &text), Phase::Total);
}

#[test]
fn s183_fifty_pulls_that_stall_hold_up_no_other() {
    let stalled = with_tool();
    stalled.answer_at(
        digest(WASM),
        Reply::announcing(8, vec![Step::Send(WASM[..3].to_vec()), Step::Hang]),
    );
    let honest = with_tool();
    let deadlines = FetchDeadlines {
        idle: Duration::from_secs(4),
        ..soon()
    };
    let text = stalled.reference("acme/tool:1");
    let waiting = sources(&stalled, deadlines);
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| pull(&waiting, &text).unwrap_err()))
            .collect();
        // All of them have come to where nothing more comes.
        let at_layer = || {
            let seen = stalled.seen();
            let layers = seen
                .iter()
                .filter(|request| request.path().contains("/blobs/"));
            layers.count()
        };
        let start = Instant::now();
        while at_layer() < 50 {
            assert!(start.elapsed() < LONG, "only {} are there", at_layer());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(pull(&honest.sources(), &honest.reference("acme/tool:1")).is_ok());
        assert!(pulls.iter().any(|pull| !pull.is_finished()));
        for pull in pulls {
            let error = pull.join().unwrap();
            assert!(
                matches!(
                    error,
                    RemoteError::Timeout {
                        phase: Phase::Idle,
                        ..
                    }
                ),
                "{error}"
            );
        }
    });
}

#[tokio::test]
async fn fetching_is_possible_from_within_an_event_loop() {
    let registry = with_tool();
    let fetched = super::pull_tool(&registry).unwrap();
    assert_eq!(fetched.artifact.bytes(), WASM);
}
