//! The bytes of a layer: exactly those that the manifest names, also over a line that breaks.

use std::sync::Mutex;

use casemate_artifact::{FetchLimits, FetchRequest, Progress, RemoteError, fetch, sha256};
use casemate_test_registry::{Registry, Reply, Step, WASM as WASM_TYPE, digest};
use serde_json::json;

use super::{WASM, pull_tool, reference, with_tool};

/// A layer that does not fit into one packet.
fn large() -> Vec<u8> {
    let mut bytes = WASM.to_vec();
    bytes.extend((0..3_000_000_u32).map(|index| (index % 251) as u8));
    bytes
}

fn with_large() -> (Registry, Vec<u8>) {
    let registry = Registry::plain();
    let bytes = large();
    registry.put_component("acme/tool", "1", &bytes);
    (registry, bytes)
}

#[test]
fn s176_a_layer_is_exactly_the_stated_bytes() {
    type Case = (&'static str, Reply, fn(&RemoteError) -> bool);
    let cases: [Case; 7] = [
        (
            "other bytes",
            Reply::new(200, &b"\0asm\x0d\0\x01\x01"[..]),
            |error| matches!(error, RemoteError::Digest { found, .. } if *found == sha256(b"\0asm\x0d\0\x01\x01")),
        ),
        ("fewer", Reply::new(200, &WASM[..7]), |error| {
            matches!(
                error,
                RemoteError::Size {
                    stated: 8,
                    found: 7,
                    ..
                }
            )
        }),
        ("none", Reply::new(200, ""), |error| {
            matches!(
                error,
                RemoteError::Size {
                    stated: 8,
                    found: 0,
                    ..
                }
            )
        }),
        ("more", Reply::new(200, [WASM, b"x"].concat()), |error| {
            matches!(
                error,
                RemoteError::Size {
                    stated: 8,
                    found: 9,
                    ..
                }
            )
        }),
        (
            "more without a length",
            Reply::Raw(vec![
                Step::Send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()),
                Step::Send(WASM.to_vec()),
                Step::Repeat(vec![b'x'; 1 << 16], 1 << 12),
            ]),
            |error| {
                matches!(
                    error,
                    RemoteError::Size {
                        stated: 8,
                        found: 9,
                        ..
                    }
                )
            },
        ),
        (
            "fewer without a length",
            Reply::Raw(vec![Step::Send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\0as\r\n0\r\n\r\n"
                    .to_vec(),
            )]),
            |error| {
                matches!(
                    error,
                    RemoteError::Size {
                        stated: 8,
                        found: 3,
                        ..
                    }
                )
            },
        ),
        (
            "fewer than announced, each time",
            Reply::announcing(8, vec![Step::Send(WASM[..3].to_vec())]),
            |error| matches!(error, RemoteError::Http { .. } | RemoteError::Size { .. }),
        ),
    ];
    for (what, reply, expected) in cases {
        let registry = with_tool();
        registry.answer_at(digest(WASM), reply);
        let error = pull_tool(&registry).unwrap_err();
        assert!(expected(&error), "{what}: {error:?}");
    }
}

#[test]
fn s176_a_size_that_lies_is_refused_before_anything_is_kept() {
    let registry = Registry::plain();
    for (size, expected) in [
        (7, "Size"),
        (9, "Size"),
        (1_u64 << 40, "TooLarge"),
        (u64::MAX, "TooLarge"),
    ] {
        let mut layer = registry.layer("acme/tool", WASM_TYPE, WASM);
        layer["size"] = json!(size);
        let image = registry.image("acme/tool", vec![layer]);
        registry.put_json("acme/tool", Some("1"), &image);
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{size}: {error:?}"
        );
    }
    // The limit is the caller's.
    registry.put_component("acme/tool", "1", WASM);
    let tool = reference(&registry.reference("acme/tool:1"));
    for (max_bytes, fits) in [(7, false), (8, true)] {
        let request = FetchRequest {
            limits: &FetchLimits { max_bytes },
            ..FetchRequest::new(&tool)
        };
        assert_eq!(
            fetch(&registry.sources(), request).is_ok(),
            fits,
            "{max_bytes}"
        );
    }
}

/// What was told of how it goes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Progress for Notes {
    fn started(&self, total: u64) {
        self.note(format!("started {total}"));
    }

    fn advanced(&self, bytes: u64) {
        self.note(format!("advanced {bytes}"));
    }

    fn resumed(&self, at: u64) {
        self.note(format!("resumed {at}"));
    }

    fn finished(&self) {
        self.note("finished".to_owned());
    }
}

#[test]
fn s176_a_broken_line_is_taken_up_where_it_broke() {
    let (registry, bytes) = with_large();
    let own = digest(&bytes);
    let half = bytes[..1_500_000].to_vec();
    let length = bytes.len() as u64;
    let mut broken = false;
    registry.answer_with(move |request| {
        if !request.path().ends_with(&own) || std::mem::replace(&mut broken, true) {
            return None;
        }
        Some(Reply::announcing(length, vec![Step::Send(half.clone())]))
    });
    let tool = reference(&registry.reference("acme/tool:1"));
    let notes = Notes::default();
    let request = FetchRequest {
        progress: &notes,
        ..FetchRequest::new(&tool)
    };
    let fetched = fetch(&registry.sources(), request).unwrap();
    assert_eq!(*fetched.artifact.digest(), sha256(&bytes));
    let seen = registry.seen();
    let ranges: Vec<_> = seen
        .iter()
        .filter_map(|request| request.header("range"))
        .collect();
    let notes = notes.0.into_inner().unwrap();
    assert_eq!(notes.first(), Some(&format!("started {length}")));
    assert_eq!(notes.last(), Some(&"finished".to_owned()));
    let resumed: Vec<_> = notes
        .iter()
        .filter_map(|note| note.strip_prefix("resumed "))
        .collect();
    assert_eq!(ranges, [format!("bytes={}-", resumed[0])]);
    let advanced = notes
        .iter()
        .filter_map(|note| note.strip_prefix("advanced "));
    let advanced: u64 = advanced.map(|bytes| bytes.parse::<u64>().unwrap()).sum();
    assert_eq!(advanced, length);
}

#[test]
fn s176_a_server_that_begins_anew_is_understood_and_one_that_lies_about_it_found_out() {
    for lies in [false, true] {
        let (registry, bytes) = with_large();
        let own = digest(&bytes);
        let all = bytes.clone();
        let mut times = 0;
        registry.answer_with(move |request| {
            if !request.path().ends_with(&own) {
                return None;
            }
            times += 1;
            let length = all.len() as u64;
            if times == 1 {
                return Some(Reply::announcing(
                    length,
                    vec![Step::Send(all[..1000].to_vec())],
                ));
            }
            let mut again = all.clone();
            if lies {
                again[2_000_000] ^= 1;
            }
            Some(Reply::new(200, again))
        });
        match pull_tool(&registry) {
            Ok(fetched) => assert!(!lies && fetched.artifact.bytes() == bytes),
            Err(error) => assert!(
                lies && matches!(error, RemoteError::Digest { .. }),
                "{error}"
            ),
        }
    }
}

#[test]
fn s176_a_rest_that_begins_elsewhere_is_refused_and_nobody_asks_for_ever() {
    let (registry, bytes) = with_large();
    let own = digest(&bytes);
    let all = bytes.clone();
    registry.answer_with(move |request| {
        if !request.path().ends_with(&own) {
            return None;
        }
        let length = all.len() as u64;
        if request.header("range").is_none() {
            return Some(Reply::announcing(
                length,
                vec![Step::Send(all[..1000].to_vec())],
            ));
        }
        Some(Reply::new(206, "x").with("Content-Range", &format!("bytes 5-5/{length}")))
    });
    let error = pull_tool(&registry).unwrap_err();
    assert!(
        matches!(error, RemoteError::Status { status: 206, .. }),
        "{error}"
    );

    let (registry, bytes) = with_large();
    registry.answer_at(
        digest(&bytes),
        Reply::announcing(bytes.len() as u64, vec![Step::Send(bytes[..1000].to_vec())]),
    );
    let error = pull_tool(&registry).unwrap_err();
    assert!(matches!(error, RemoteError::Http { .. }), "{error}");
    let own = digest(&bytes);
    let asked = registry
        .seen()
        .iter()
        .filter(|request| request.path().ends_with(&own))
        .count();
    assert!((2..=6).contains(&asked), "{asked}");
}
