use super::*;

fn id_of(text: &str) -> Option<RequestId> {
    let mut whole = Scan::default();
    whole.feed(text.as_bytes());
    let mut bytewise = Scan::default();
    for byte in text.as_bytes() {
        bytewise.feed(std::slice::from_ref(byte));
    }
    let id = whole.id();
    assert_eq!(id, bytewise.id());
    id
}

#[test]
fn the_id_is_found_wherever_it_stands() {
    let seven = Some(RequestId::Number(7));
    assert_eq!(id_of(r#"{"id":7,"method":"x"}"#), seven);
    assert_eq!(
        id_of(r#"{"method":"x","params":{"id":1,"a":[{"id":2}]},"id" : 7 }"#),
        seven
    );
    assert_eq!(
        id_of(r#"{"id":"a\"},{\u00e9","method":"id"}"#),
        Some(RequestId::String("a\"},{é".into()))
    );
}

#[test]
fn what_is_no_id_is_none() {
    for text in [
        r#"{"method":"x","params":{"id":1}}"#,
        r#"{"id":null}"#,
        r#"{"id":1.5}"#,
        r#"{"id":{"id":7}}"#,
        r#"{"id":[7]}"#,
        r#"["id",7]"#,
        r#"{"a":"id","b":7}"#,
        r#"{"id":7"#,
        r#"{"id":7,"a":"never ends}"#,
        "",
        "}}}}",
    ] {
        assert_eq!(id_of(text), None, "{text}");
    }
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(id_of(&long), None);
}

#[test]
fn values_are_counted_outside_of_strings() {
    let mut scan = Scan::default();
    scan.feed(br#"{"a":[1,2,3],"b":",,,,[[[[{{{{"}"#);
    assert_eq!(scan.values(), 5);
}
