#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use super::*;
use crate::inspect::guests::hollow;
use crate::inspect::{IntakeLimits, inspect};

fn tools(wit: &str) -> Vec<InspectedTool> {
    inspect(&hollow(wit, "w"), None, &IntakeLimits::default())
        .unwrap()
        .tools()
        .to_vec()
}

fn names(component: &str, wit: &str) -> Result<Vec<String>, NameCollision> {
    tool_names(&component.parse().unwrap(), &tools(wit))
}

#[test]
fn the_interface_stands_between_only_where_functions_collide() {
    let wit = "package a:b@1.0.0;
        interface first { search: func(); list-all: func(); }
        interface second-one { search: func(); HTTP-get: func(); }
        world w { export first; export second-one; export search: func(); }";
    assert_eq!(
        names("git-hub", wit).unwrap(),
        [
            "git_hub_search",
            "git_hub_first_search",
            "git_hub_list_all",
            "git_hub_second_one_search",
            "git_hub_http_get",
        ]
    );
}

#[test]
fn s223_two_components_never_share_a_name_by_their_functions_alone() {
    let wit = "package a:b; world w { export search: func(); export list-components: func(); }";
    let first = names("one", wit).unwrap();
    let second = names("two", wit).unwrap();
    assert_eq!(first, ["one_search", "one_list_components"]);
    assert!(first.iter().all(|name| !second.contains(name)));
}

#[test]
fn s223_what_would_still_collide_is_refused_with_both() {
    let wit = "package a:b@1.0.0; world w { export same; export x:y/same; }
        interface same { search: func(); }
        package x:y { interface same { search: func(); } }";
    let error = names("one", wit).unwrap_err();
    assert_eq!(error.name, "one_same_search");
    let text = error.to_string();
    assert!(
        text.contains("a:b/same@1.0.0#search") && text.contains("x:y/same#search"),
        "{text}"
    );

    // A function named like another's interface and function together.
    let wit = "package a:b; interface i { search: func(); } interface j { search: func(); }
        world w { export i; export j; export i-search: func(); }";
    assert_eq!(names("one", wit).unwrap_err().name, "one_i_search");
}

#[test]
fn s223_no_letter_outside_the_alphabet_gets_into_a_name() {
    // The component model takes ASCII names only; the Cyrillic a of this one is refused on load.
    let text =
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
        (func (export \"se\u{430}rch\") (canon lift (core func $i \"f\"))))";
    let bytes = wat::parse_str(text).unwrap();
    assert!(inspect(&bytes, None, &IntakeLimits::default()).is_err());
    assert_eq!(joined(["A-b", "c.d", "e\u{430}"]), "a_b_c_d_e_");
}

#[test]
fn long_names_end_in_a_hash() {
    let long = "a-very-long-name-of-a-function-indeed";
    let wit = format!(
        "package a:b; world w {{ export {long}-one: func(); export {long}-two: func(); export short: func(); }}"
    );
    let names = names("component", &wit).unwrap();
    for name in &names {
        assert!(
            name.len() <= MAX_TOOL_NAME && name.starts_with("component_"),
            "{name}"
        );
        assert!(
            name.chars()
                .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_')),
            "{name}"
        );
    }
    let [one, two, short] = names.as_slice() else {
        panic!("{names:?}")
    };
    assert_eq!(one.len(), MAX_TOOL_NAME);
    assert_ne!(one, two);
    assert_eq!(short, "component_short");
    assert_eq!(shortened("x".repeat(40)), "x".repeat(40));
    assert_eq!(shortened("x".repeat(41)).len(), 40);
}

#[test]
fn the_hash_changes_with_what_a_model_sees() {
    let hash = |wit: &str, name: &str| {
        let tools = tools(wit);
        tools_hash(&tool_names(&name.parse().unwrap(), &tools).unwrap(), &tools)
    };
    let one = "package a:b; world w { export f: func(x: u8); }";
    let base = hash(one, "c");
    assert_eq!(base, hash(one, "c"));
    assert_ne!(base, hash(one, "d"));
    assert_ne!(
        base,
        hash("package a:b; world w { export f: func(x: u16); }", "c")
    );
    assert_ne!(
        base,
        hash("package a:b; world w { export f: func(x: u8) -> u8; }", "c")
    );
    let mut documented = tools(one);
    documented[0].docs = Some("Does it.".to_owned());
    assert_ne!(base, tools_hash(&["c_f".to_owned()], &documented));
    let mut text = String::new();
    canonical(
        &json!({"b": [1, {"d": null, "c": "\""}], "a": 1.5}),
        &mut text,
    );
    assert_eq!(text, r#"{"a":1.5,"b":[1,{"c":"\"","d":null}]}"#);
}
