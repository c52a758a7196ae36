use super::*;
use std::os::fd::AsFd as _;

#[test]
fn another_spelling_is_another_name() {
    for (name, other) in [
        ("secret", "SECRET"),
        ("Read.Me", "rEAD.mE"),
        ("1", "1\u{200d}"),
        ("é", "é\u{200d}"),
        ("éa", "éA"),
    ] {
        assert_eq!(respell(name), other);
    }
}

#[test]
fn hard_links_that_differ_in_case_are_two_exact_names() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "").unwrap();
    std::fs::hard_link(directory.path().join("a"), directory.path().join("A")).unwrap();
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let parent = rustix::fs::open(directory.path(), flags, Mode::empty()).unwrap();
    for name in ["a", "A"] {
        let found = rustix::fs::statat(&parent, name, AtFlags::empty()).unwrap();
        assert!(is_exact(parent.as_fd(), name, &found).unwrap());
    }
    assert!(!has_entry(parent.as_fd(), "b").unwrap());
}
