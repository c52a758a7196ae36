#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use casemate_runtime::requested::{RequestOrigin, Requested};

fn policy(rules: &str) -> Policy {
    Policy::parse(&text(rules)).unwrap()
}

fn text(rules: &str) -> String {
    format!("version: \"1.0\"\npermissions:\n{rules}")
}

const READ: &str =
    "  storage:\n    allow:\n      - uri: fs://workspace/**\n        access: [read]\n";
const READ_AND_SEND: &str = "  storage:\n    allow:\n      - uri: fs://workspace/**\n        access: [read]\n  network:\n    allow:\n      - host: example.org\n";
const SEND: &str = "  network:\n    allow:\n      - host: example.org\n";

fn request(rules: &str) -> Requested {
    Requested {
        origin: RequestOrigin::Section,
        text: text(rules),
        policy: Policy::parse(&text(rules)),
    }
}

#[test]
fn each_rule_stands_once_with_who_has_it() {
    let requests = [request(READ_AND_SEND)];
    let permissions = Permissions {
        requests: &requests,
        granted: Some(policy(READ)),
        ceiling: Some(policy(SEND)),
        before: Some((Digest::from_bytes([1; 32]), policy(SEND))),
    };
    let json = permissions.json();
    let rows = json["rules"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{json:#}");
    let row = |part: &str| {
        let found = rows
            .iter()
            .find(|row| row["may"].as_str().unwrap().contains(part));
        let row = found.unwrap();
        ["requested", "granted", "before", "narrowed_by_ceiling"]
            .map(|key| row[key].as_bool().unwrap())
    };
    assert_eq!(row("fs://workspace"), [true, true, false, true]);
    assert_eq!(row("example.org"), [true, false, true, false]);
    let mut page = Page::default();
    permissions.page(&mut page);
    let shown = format!("{page:?}");
    for part in [
        "it asks in its section; that grants nothing",
        "REQUESTED",
        "GRANTED",
        "BEFORE",
        "less: the ceiling",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_request_that_does_not_parse_is_told_and_asks_for_nothing() {
    let requests = [request("  storage: 7\n")];
    let permissions = Permissions {
        requests: &requests,
        granted: None,
        ceiling: None,
        before: None,
    };
    let json = permissions.json();
    assert_eq!(json["rules"].as_array().unwrap().len(), 0);
    assert!(
        json["requests"][0]["error"]
            .as_str()
            .unwrap()
            .contains("line 3")
    );
    let mut page = Page::default();
    permissions.page(&mut page);
    assert!(format!("{page:?}").contains("cannot be read"));
}
