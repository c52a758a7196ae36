use super::*;

#[test]
fn s157_names_that_are_refused() {
    let long = "a".repeat(33);
    let refused = [
        "",
        ".",
        "..",
        "-",
        "-a",
        "../../x",
        "a/../b",
        "a/b",
        "a\\b",
        "a\0b",
        "x.policy.yaml",
        "A",
        "aB",
        "a_b",
        "a b",
        " a",
        "a ",
        "a\n",
        "1a",
        "ａ",
        "а",
        "a\u{301}",
        "a\u{200b}",
        "~",
        "$HOME",
        "con.",
        &long,
        &"a".repeat(300),
    ];
    for text in refused {
        assert!(text.parse::<ComponentName>().is_err(), "{text:?}");
        assert!(text.parse::<RootName>().is_err(), "{text:?}");
        assert!(text.parse::<Tenant>().is_err(), "{text:?}");
    }
}

#[test]
fn names_that_are_accepted() {
    for text in ["a", "search-text", "a1", "a-", "z9-z", &"a".repeat(32)] {
        let name: ComponentName = text.parse().unwrap();
        assert_eq!(name.as_str(), text);
        assert_eq!(name.to_string(), text);
    }
    assert_eq!(Tenant::default(), "local".parse().unwrap());
}

#[test]
fn errors_name_the_character() {
    let error = "a_b".parse::<ComponentName>().unwrap_err();
    assert_eq!(error, NameError::Character('_'));
    assert_eq!(
        error.to_string(),
        "a name holds only a to z, 0 to 9 and '-', not '_'"
    );
}
