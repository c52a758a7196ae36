//! Directories, findings for `doctor`, and the stamp that a server polls.

use casemate_artifact::{
    FileStamp, Finding, Home, HomeError, LockFile, Problem, write_policy_file,
};
use casemate_policy::ComponentName;

use crate::{home, install, mode, set_mode};

#[test]
fn the_directories_are_for_their_owner_only() {
    let (_directory, home) = home();
    for directory in [
        home.config_dir(),
        &home.policies_dir(),
        &home.components_dir(),
        &home.cache_dir(),
        &home.audit_dir(),
        &home.requests_dir(),
    ] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    home.create().unwrap();
    assert_eq!(home.check(), []);
}

#[test]
fn a_home_that_cannot_be_is_a_typed_error() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let error = Home::single(directory.path().join("file"))
        .create()
        .unwrap_err();
    assert!(matches!(error, HomeError::NotDirectory { .. }), "{error}");
    let below = Home::single(directory.path().join("file/home"));
    let error = below.create().unwrap_err();
    assert!(matches!(error, HomeError::Create { .. }), "{error}");
    assert!(
        error.to_string().contains("file/home") && error.hint().unwrap().contains("--home"),
        "{error}"
    );
    let error = below.store().put(&crate::artifact("x")).unwrap_err();
    assert!(
        matches!(error, casemate_artifact::StoreError::Io { .. }),
        "{error}"
    );
    let error =
        LockFile::update(&below, |_| Ok::<_, casemate_artifact::LockError>(())).unwrap_err();
    assert!(
        matches!(error, casemate_artifact::LockError::Io { .. }),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_that_nobody_can_write_is_a_typed_error() {
    // Also for root, who may write everywhere else.
    let error = Home::single("/sys/casemate-home").create().unwrap_err();
    assert!(matches!(error, HomeError::Create { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--home"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn nothing_to_find_before_anything_exists() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Home::single(directory.path().join("none")).check(), []);
}

#[test]
fn findings_name_the_file_and_the_remedy() {
    let (directory, home) = home();
    install(&home, "tool", "1");
    let tool: ComponentName = "tool".parse().unwrap();
    write_policy_file(&home, &tool, "version: \"1.0\"\n").unwrap();
    assert_eq!(home.check(), []);

    set_mode(&home.policy_file(&tool), 0o666);
    set_mode(&home.policies_dir(), 0o777);
    set_mode(&home.components_dir(), 0o755);
    std::fs::write(home.config_file(), "").unwrap();
    set_mode(&home.config_file(), 0o602);
    std::fs::remove_dir(home.cache_dir()).unwrap();
    std::fs::write(home.cache_dir(), "").unwrap();
    std::fs::write(home.policies_dir().join("Tool.yaml"), "").unwrap();
    std::fs::write(home.policies_dir().join("tool.yml"), "").unwrap();
    std::fs::write(home.policies_dir().join("README.md"), "").unwrap();
    std::fs::create_dir(home.policies_dir().join("folder.yaml")).unwrap();
    let dangling = home.policies_dir().join("gone.yaml");
    std::os::unix::fs::symlink(directory.path().join("nowhere"), &dangling).unwrap();

    let findings = home.check();
    let has = |path: &std::path::Path, wanted: fn(&Problem) -> bool| {
        assert!(
            findings
                .iter()
                .any(|finding| finding.path == path && wanted(&finding.problem)),
            "{} in {findings:#?}",
            path.display()
        );
    };
    has(&home.policy_file(&tool), |problem| {
        matches!(problem, Problem::WorldWritable { mode: 0o666 })
    });
    has(&home.policies_dir(), |problem| {
        matches!(problem, Problem::WorldWritable { .. })
    });
    has(&home.components_dir(), |problem| {
        matches!(problem, Problem::OpenToOthers { .. })
    });
    has(&home.config_file(), |problem| {
        matches!(problem, Problem::WorldWritable { .. })
    });
    has(&home.cache_dir(), |problem| {
        matches!(problem, Problem::WrongKind { found: None })
    });
    has(&home.policies_dir().join("Tool.yaml"), |problem| {
        matches!(problem, Problem::NeverRead)
    });
    has(&home.policies_dir().join("tool.yml"), |problem| {
        matches!(problem, Problem::NeverRead)
    });
    has(&home.policies_dir().join("folder.yaml"), |problem| {
        matches!(problem, Problem::WrongKind { .. })
    });
    has(&dangling, |problem| {
        matches!(problem, Problem::WrongKind { .. })
    });
    assert_eq!(findings.len(), 9, "{findings:#?}");
    for finding in &findings {
        let Finding { path, .. } = finding;
        assert!(
            finding.to_string().starts_with(&path.display().to_string()),
            "{finding}"
        );
        assert!(finding.hint().is_some());
    }
    assert_eq!(home.check(), findings);
}

#[test]
fn somebody_elses_file_is_found() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give a file away; the owner check itself is one comparison.
        return;
    }
    let (_directory, home) = home();
    std::fs::write(home.config_file(), "").unwrap();
    std::os::unix::fs::chown(home.config_file(), Some(12_345), None).unwrap();
    let problems: Vec<Problem> = home
        .check()
        .into_iter()
        .map(|finding| finding.problem)
        .collect();
    assert_eq!(problems, [Problem::ForeignOwner { owner: 12_345 }]);
}

#[test]
fn the_stamp_changes_with_what_decides_and_only_then() {
    let (directory, home) = home();
    let tool: ComponentName = "tool".parse().unwrap();
    let mut last = home.stamp();
    let mut step = |what: &str, change: &dyn Fn(), changes: bool| {
        assert_eq!(home.stamp(), last, "before {what}");
        change();
        assert_eq!(home.stamp() != last, changes, "{what}");
        last = home.stamp();
    };
    let path = home.policy_file(&tool);
    step("bind", &|| drop(install(&home, "tool", "1")), true);
    step(
        "store only",
        &|| home.store().put(&crate::artifact("2")).unwrap(),
        false,
    );
    step(
        "new policy",
        &|| write_policy_file(&home, &tool, "a: 1\n").unwrap(),
        true,
    );
    step(
        "same text again",
        &|| write_policy_file(&home, &tool, "a: 1\n").unwrap(),
        true,
    );
    step(
        "hand edit in place",
        &|| std::fs::write(&path, "a: 12\n").unwrap(),
        true,
    );
    step("mode", &|| set_mode(&path, 0o666), true);
    step(
        "swap file",
        &|| std::fs::write(home.policies_dir().join(".tool.yaml.swp"), "").unwrap(),
        false,
    );
    step(
        "config",
        &|| std::fs::write(home.config_file(), "x = 1\n").unwrap(),
        true,
    );
    step(
        "directory mode",
        &|| set_mode(&home.policies_dir(), 0o755),
        true,
    );
    let target = directory.path().join("target.yaml");
    step(
        "link to nothing",
        &|| std::os::unix::fs::symlink(&target, home.policies_dir().join("l.yaml")).unwrap(),
        true,
    );
    step(
        "its target",
        &|| std::fs::write(&target, "a: 1\n").unwrap(),
        true,
    );
    step(
        "policy removed",
        &|| std::fs::remove_file(&path).unwrap(),
        true,
    );
    step(
        "lock removed",
        &|| std::fs::remove_file(home.lock_file()).unwrap(),
        true,
    );
    assert_eq!(FileStamp::of(&path), FileStamp::of(&home.lock_file()));
}
