#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::inspect::guests::{hollow, with_custom_section};
use crate::inspect::{IntakeLimits, inspect};
use wasm_encoder as we;

const WIT: &str = "package a:b; world w { export f: func(); }";
const REQUEST: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: fs://workspace/**\n        access: [read]\n";

fn look(bytes: &[u8]) -> InspectedComponent {
    inspect(bytes, None, &IntakeLimits::default()).unwrap()
}

fn with(text: &[u8]) -> Vec<u8> {
    with_custom_section(&hollow(WIT, "w"), SECTION, text)
}

/// A component that holds another one.
fn around(inner: &[u8]) -> Vec<u8> {
    let mut outer = we::Component::new();
    outer.section(&we::RawSection {
        id: we::ComponentSectionId::Component.into(),
        data: inner,
    });
    outer.finish()
}

#[test]
fn a_request_in_the_component_is_read_and_grants_nothing() {
    let looked = look(&with(REQUEST.as_bytes()));
    assert_eq!(looked.permission_section(), Some(REQUEST));
    assert_eq!(looked.warnings(), [""; 0]);
    let asked = of(&looked, None);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].origin, RequestOrigin::Section);
    assert_eq!(asked[0].policy, Policy::parse(REQUEST));
    assert!(asked[0].policy.is_ok());
    assert_eq!(of(&look(&hollow(WIT, "w")), None).len(), 0);
}

#[test]
fn the_layer_comes_first_and_both_are_shown() {
    let both = of(&look(&with(REQUEST.as_bytes())), Some("version: \"1.0\"\n"));
    let origins: Vec<_> = both.iter().map(|one| one.origin.as_str()).collect();
    assert_eq!(origins, ["layer", "section"]);
    assert_ne!(both[0].policy, both[1].policy);
    let broken = of(&look(&hollow(WIT, "w")), Some("permissions: 7"));
    assert!(broken[0].policy.is_err());
}

#[test]
fn a_section_that_cannot_be_read_is_a_warning_and_no_request() {
    let twice = with_custom_section(&with(REQUEST.as_bytes()), SECTION, REQUEST.as_bytes());
    let inner = around(&with(REQUEST.as_bytes()));
    let table: [(&[u8], &str); 4] = [
        (&twice, "2 times"),
        (&with(&vec![b'#'; MAX_REQUEST_BYTES + 1]), "65537 bytes"),
        (&with(b"version: \xff"), "not UTF-8"),
        (&inner, "inside"),
    ];
    for (bytes, why) in table {
        let looked = look(bytes);
        assert_eq!(looked.permission_section(), None, "{why}");
        assert!(of(&looked, None).is_empty());
        let warnings = looked.warnings().join("\n");
        assert!(
            warnings.contains(why) && warnings.contains(SECTION),
            "{warnings}"
        );
    }
    let full = with(&vec![b'#'; MAX_REQUEST_BYTES]);
    assert_eq!(
        look(&full).permission_section().unwrap().len(),
        MAX_REQUEST_BYTES
    );
}
