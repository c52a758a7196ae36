use super::{Kind, parse};
use crate::settings::{Config, Settings};
use casemate_artifact::Home;
use casemate_policy::Permission;
use std::path::Path;

fn settings(directory: &Path) -> Settings {
    for name in ["user/notes/deep", "home", "other"] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    std::fs::write(directory.join("user/notes/a.txt"), "a").unwrap();
    std::fs::write(directory.join("other/b.txt"), "b").unwrap();
    let roots = [
        ("notes".parse().unwrap(), directory.join("user/notes")),
        ("deep".parse().unwrap(), directory.join("user/notes/deep")),
    ];
    Settings {
        home: Home::single(directory.join("home")),
        home_flag: None,
        user_home: Some(directory.join("user")),
        base: directory.join("user"),
        config: Config {
            roots: roots.into(),
            ..Config::default()
        },
    }
}

fn read(settings: &Settings, target: &str) -> Result<String, String> {
    match parse(settings, Kind::Read, target, false) {
        Ok(Permission::Read(uri)) => Ok(uri),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_path_becomes_the_uri_of_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let settings = settings(&root);
    let other = format!("fs://{}/other", root.display());
    for (target, uri) in [
        ("notes", "fs://notes/**"),
        ("./notes/", "fs://notes/**"),
        ("notes/a.txt", "fs://notes/a.txt"),
        ("notes/deep", "fs://deep/**"),
        ("../other", &format!("{other}/**")),
        ("../other/b.txt", &format!("{other}/b.txt")),
        ("fs://workspace/**", "fs://workspace/**"),
        ("fs:///srv/data/**", "fs:///srv/data/**"),
    ] {
        assert_eq!(read(&settings, target).as_deref(), Ok(uri), "{target}");
    }
    std::os::unix::fs::symlink(root.join("other"), root.join("user/link")).unwrap();
    assert_eq!(read(&settings, "link"), Ok(format!("{other}/**")));
    let new = parse(&settings, Kind::Write, "notes/new.txt", false).unwrap();
    assert_eq!(new, Permission::Write("fs://notes/new.txt".to_owned()));
}

#[test]
fn what_is_dangerous_absent_or_a_pattern_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let settings = settings(&root);
    std::fs::create_dir(root.join("user/**")).unwrap();
    std::os::unix::fs::symlink(root.join("user"), root.join("other/me")).unwrap();
    let own = format!("fs://{}/home/policies/**", root.display());
    let home = format!("fs://{}/other/me/**", root.display());
    for target in [
        "/",
        ".",
        "..",
        "../home",
        "../other/me",
        "nothing",
        "notes/new.txt",
        "",
        "**",
        "fs:///**",
        &own,
        &home,
        "https://x/y",
        "/dev/null",
    ] {
        assert!(read(&settings, target).is_err(), "{target}");
    }
    assert!(parse(&settings, Kind::Read, "..", true).is_ok());
}
