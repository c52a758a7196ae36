use super::{BoundRoots, danger, parse_binding};
use crate::arguments::Bindings;
use crate::settings::{Config, Settings};
use casemate_artifact::Home;
use std::path::{Path, PathBuf};

fn settings(directory: &Path) -> Settings {
    for name in ["user/.config", "user/work", "data"] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    Settings {
        home: Home::new(
            directory.join("user/.config/casemate"),
            directory.join("data/casemate"),
        ),
        home_flag: None,
        user_home: Some(directory.join("user")),
        base: directory.to_owned(),
        config: Config::default(),
    }
}

#[test]
fn what_contains_or_belongs_to_casemate_or_is_a_home_is_dangerous() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let settings = settings(&directory);
    for (path, dangerous) in [
        ("/", true),
        ("user", true),
        ("", true),
        ("user/.config", true),
        ("user/.config/casemate", true),
        ("user/.config/casemate/policies", true),
        ("data", true),
        ("data/casemate/components", true),
        ("user/work", false),
        ("data/casemate-notes", false),
        ("elsewhere", false),
    ] {
        let real = directory.join(path);
        let real = if path.is_empty() {
            directory.clone()
        } else {
            real
        };
        assert_eq!(danger(&settings, &real).is_some(), dangerous, "{path:?}");
    }
}

#[test]
fn links_are_resolved_before_comparing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let settings = settings(&directory);
    std::os::unix::fs::symlink(directory.join("user"), directory.join("innocent")).unwrap();
    let mut bindings = Bindings {
        workspace: Some(PathBuf::from("innocent")),
        ..Bindings::default()
    };
    let error = BoundRoots::resolve(&settings, &bindings).unwrap_err();
    assert!(
        error.to_string().contains("home directory")
            || error.to_string().contains("Casemate's own"),
        "{error}"
    );
    bindings.allow_dangerous_root = true;
    let roots = BoundRoots::resolve(&settings, &bindings).unwrap();
    assert_eq!(roots.dangerous.len(), 1);
}

#[test]
fn a_root_of_the_configuration_may_be_missing_and_one_that_was_typed_may_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings
        .config
        .roots
        .insert("gone".parse().unwrap(), directory.path().join("gone"));
    let roots = BoundRoots::resolve(&settings, &Bindings::default()).unwrap();
    assert!(roots.bound.is_empty() && roots.missing.len() == 1);
    let typed = Bindings {
        roots: vec!["gone=gone".to_owned()],
        ..Bindings::default()
    };
    assert!(BoundRoots::resolve(&settings, &typed).is_err());
}

#[test]
fn s157_names_of_roots_are_names() {
    for binding in ["=x", "x=", "x", "../x=/tmp", "A=/tmp", "a/b=/tmp", ".=/tmp"] {
        assert!(parse_binding(binding).is_err(), "{binding}");
    }
    assert_eq!(parse_binding("docs=/a=b").unwrap().1, "/a=b");
}
