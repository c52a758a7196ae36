use super::*;

#[test]
fn only_canonical_spellings_parse() {
    for text in ["/", "/a", "/a/b", "/ä/[x]*?{}\\", "/-x", "/...", "/a b\n"] {
        assert_eq!(VirtualPath::parse(text).unwrap().as_str(), text);
    }
    let long = format!("/{}", "a".repeat(4096));
    let cases = [
        ("", PathError::Relative),
        ("a", PathError::Relative),
        ("//", PathError::Empty),
        ("/a/", PathError::Empty),
        ("/a//b", PathError::Empty),
        ("/.", PathError::Dots(".")),
        ("/a/../b", PathError::Dots("..")),
        ("/a\0", PathError::Nul),
        (long.as_str(), PathError::TooLong(4097)),
    ];
    for (text, error) in cases {
        assert_eq!(VirtualPath::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn s062_prefixes_are_whole_components() {
    let path = |text: &str| VirtualPath::parse(text).unwrap();
    assert!(path("/ws/x").starts_with(&path("/ws")));
    assert!(path("/ws").starts_with(&path("/ws")));
    assert!(!path("/ws").is_below(&path("/ws")));
    assert!(!path("/ws-evil/x").starts_with(&path("/ws")));
    assert!(!path("/wsx").starts_with(&path("/ws")));
    assert!(path("/wsx").starts_with(&VirtualPath::root()));
    assert!(!VirtualPath::root().is_below(&VirtualPath::root()));
    assert!(!path("/ws").starts_with(&path("/ws/x")));
}

#[test]
fn parts() {
    let path = VirtualPath::parse("/a/b").unwrap();
    assert_eq!(path.parent().unwrap().as_str(), "/a");
    assert_eq!(
        path.parent().unwrap().parent().unwrap(),
        VirtualPath::root()
    );
    assert_eq!(VirtualPath::root().parent(), None);
    assert_eq!(path.file_name(), Some("b"));
    assert_eq!(VirtualPath::root().file_name(), None);
    assert_eq!(path.components().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(VirtualPath::root().components().count(), 0);
    assert_eq!(VirtualPath::root().join("a").unwrap().as_str(), "/a");
    for component in ["", ".", "..", "a/b", "a\0"] {
        assert!(path.join(component).is_err(), "{component:?}");
    }
    assert_eq!(
        VirtualPath::root().join(&"a".repeat(4096)),
        Err(PathError::TooLong(4097))
    );
}
