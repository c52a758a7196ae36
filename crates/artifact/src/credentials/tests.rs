use std::collections::BTreeMap;

use super::Secret;
use super::key::RegistryKey;

/// The key under which `place` is found among `keys`.
fn found(keys: &[&str], place: &str) -> Option<String> {
    let entries: BTreeMap<String, ()> = keys.iter().map(|key| ((*key).to_owned(), ())).collect();
    RegistryKey::parse(place)
        .unwrap()
        .find(&entries)
        .map(|(key, ())| key.to_owned())
}

#[test]
fn the_longest_repository_counts_and_never_a_part_of_a_name() {
    let keys = [
        "ghcr.io",
        "ghcr.io/acme",
        "ghcr.io/acme/tools",
        "ghcr.io:443",
    ];
    for (place, key) in [
        ("ghcr.io/acme/tools/search", Some("ghcr.io/acme/tools")),
        ("ghcr.io/acme/tools", Some("ghcr.io/acme/tools")),
        ("ghcr.io/acme/toolsets", Some("ghcr.io/acme")),
        ("ghcr.io/acme-evil/tools", Some("ghcr.io")),
        ("ghcr.io", Some("ghcr.io")),
        ("ghcr.io:443/acme/tools", Some("ghcr.io:443")),
        ("ghcr.io:5000/acme/tools", None),
        ("evil-ghcr.io/acme/tools", None),
        ("ghcr.io.evil.example/acme", None),
    ] {
        assert_eq!(found(&keys, place).as_deref(), key, "{place}");
    }
}

#[test]
fn keys_of_old_files_are_urls_of_the_registry() {
    for (key, place) in [
        ("https://registry.example.com", "registry.example.com/a/b"),
        ("https://registry.example.com/v1/", "registry.example.com"),
        ("http://127.0.0.1:5000/", "127.0.0.1:5000/a"),
        ("registry.example.com/v2/", "registry.example.com/a"),
        ("Registry.Example.com", "registry.example.com/a"),
        ("https://index.docker.io/v1/", "docker.io/library/alpine"),
        ("docker.io", "registry-1.docker.io"),
        ("[::1]:5000", "[::1]:5000/a"),
    ] {
        assert_eq!(found(&[key], place).as_deref(), Some(key), "{place}");
    }
    // The path of a URL says nothing of a repository, and no scheme is cut out of the middle.
    assert_eq!(found(&["x/https://ghcr.io"], "ghcr.io"), None);
    let both = ["https://ghcr.io", "ghcr.io"];
    assert_eq!(found(&both, "ghcr.io").as_deref(), Some("ghcr.io"));
}

#[test]
fn what_could_be_something_else_is_no_registry() {
    for text in [
        "",
        "/",
        "-x",
        "a b",
        "a\n",
        "a\0",
        "https://ghcr.io",
        "ghcr.io/a@b",
        "../x y",
        "ä.example",
    ] {
        assert_eq!(RegistryKey::parse(text), None, "{text:?}");
    }
    assert_eq!(RegistryKey::parse(&"a".repeat(513)), None);
    for name in ["docker.io/a", "index.docker.io", "registry-1.docker.io/b/c"] {
        let key = RegistryKey::parse(name).unwrap();
        assert_eq!(key.server(), "https://index.docker.io/v1/");
        assert_eq!(key.own_key(), "docker.io");
    }
}

#[test]
fn a_secret_shows_nothing() {
    assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret");
}
