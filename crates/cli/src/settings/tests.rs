use super::Config;
use std::path::Path;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/c/config.toml")).map_err(|error| error.to_string())
}

#[test]
fn everything_that_it_knows_is_read() {
    let config = parse(
        "strict = true\n[grants]\nwithout-terminal = true\n[roots]\nworkspace = \"/srv/w\"\n[network]\ncertificates = \"own.pem\"\n[storage]\nstrict-links = true\n",
    )
    .unwrap();
    assert!(config.strict && config.grants_without_terminal && config.strict_links);
    assert_eq!(config.roots.len(), 1);
    assert_eq!(
        config.certificates.as_deref(),
        Some(Path::new("/c/own.pem"))
    );
    let absolute = parse("network.certificates = \"/etc/own.pem\"\n").unwrap();
    assert_eq!(
        absolute.certificates.as_deref(),
        Some(Path::new("/etc/own.pem"))
    );
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn what_it_does_not_know_is_refused_with_its_place() {
    for (text, place) in [
        (
            "strikt = true\n",
            "/c/config.toml, line 1, column 1: unknown field `strikt`",
        ),
        (
            "\n[grants]\nwithout_terminal = true\n",
            "line 3, column 1: unknown field `without_terminal`",
        ),
        ("strict = \"yes\"\n", "line 1, column 10: invalid type"),
        ("strict = \n", "line 1"),
        (
            "[network]\nproxy = \"x\"\n",
            "line 2, column 1: unknown field `proxy`",
        ),
        (
            "[roots]\nw = \"relative\"\n",
            "roots.w: \"relative\" is not an absolute path",
        ),
        (
            "[roots]\n\"../w\" = \"/w\"\n",
            "a name starts with a letter",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(place), "{error}");
    }
}
