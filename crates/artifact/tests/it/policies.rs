//! Files that decide: absent means absent, everything doubtful is an error.

use std::os::unix::fs::symlink;

use casemate_artifact::{
    FileKind, LockError, LockFile, PolicyFileError, PolicyText, group_writable, read_config_file,
    read_policy_file, read_policy_path, sha256, update_policy_file, write_policy_file,
};
use casemate_policy::ComponentName;

use crate::{home, mode, names, set_mode};

fn tool() -> ComponentName {
    "tool".parse().unwrap()
}

const TEXT: &str = "version: \"1.0\" # größer\n";

#[test]
fn absent_is_none_and_what_was_written_reads_back() {
    let (_directory, home) = home();
    assert_eq!(read_policy_file(&home, &tool()).unwrap(), None);
    assert_eq!(read_config_file(&home).unwrap(), None);
    write_policy_file(&home, &tool(), TEXT).unwrap();
    let read = read_policy_file(&home, &tool()).unwrap().unwrap();
    assert_eq!(
        read,
        PolicyText {
            text: TEXT.to_owned(),
            hash: sha256(TEXT.as_bytes())
        }
    );
    assert_eq!(mode(&home.policy_file(&tool())), 0o600);
    assert_eq!(names(&home.policies_dir()), ["tool.yaml"]);
}

#[test]
fn absent_also_without_any_home() {
    let directory = tempfile::tempdir().unwrap();
    let home = casemate_artifact::Home::single(directory.path().join("not/yet"));
    assert_eq!(read_policy_file(&home, &tool()).unwrap(), None);
    write_policy_file(&home, &tool(), TEXT).unwrap();
    assert!(read_policy_file(&home, &tool()).unwrap().is_some());
}

#[test]
fn what_cannot_be_read_is_never_absent() {
    let (directory, home) = home();
    let path = home.policy_file(&tool());
    std::fs::create_dir(&path).unwrap();
    let error = read_policy_file(&home, &tool()).unwrap_err();
    assert!(
        matches!(
            error,
            PolicyFileError::NotRegular {
                kind: FileKind::Directory,
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(
        write_policy_file(&home, &tool(), TEXT),
        Err(PolicyFileError::NotRegular { .. })
    ));
    std::fs::remove_dir(&path).unwrap();

    symlink(directory.path().join("nowhere"), &path).unwrap();
    let error = read_policy_file(&home, &tool()).unwrap_err();
    assert!(
        matches!(
            error,
            PolicyFileError::NotRegular {
                kind: FileKind::DanglingLink,
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(
        write_policy_file(&home, &tool(), TEXT),
        Err(PolicyFileError::NotRegular { .. })
    ));
    std::fs::remove_file(&path).unwrap();

    symlink(&path, &path).unwrap();
    assert!(matches!(
        read_policy_file(&home, &tool()),
        Err(PolicyFileError::Io { .. })
    ));
    std::fs::remove_file(&path).unwrap();

    std::fs::write(&path, b"version: \"1.0\"\n# \xff\n").unwrap();
    let error = read_policy_file(&home, &tool()).unwrap_err();
    assert!(
        matches!(error, PolicyFileError::NotText { line: 2, .. }),
        "{error}"
    );

    std::fs::write(&path, " ".repeat(256 * 1024)).unwrap();
    read_policy_file(&home, &tool()).unwrap();
    std::fs::write(&path, " ".repeat(256 * 1024 + 1)).unwrap();
    assert!(matches!(
        read_policy_file(&home, &tool()),
        Err(PolicyFileError::TooLarge { .. })
    ));
    std::fs::File::create(&path)
        .unwrap()
        .set_len(8 << 30)
        .unwrap();
    assert!(matches!(
        read_policy_file(&home, &tool()),
        Err(PolicyFileError::TooLarge { .. })
    ));
    std::fs::remove_file(&path).unwrap();

    // The directory itself is a file.
    std::fs::remove_dir(home.policies_dir()).unwrap();
    std::fs::write(home.policies_dir(), "").unwrap();
    assert!(matches!(
        read_policy_file(&home, &tool()),
        Err(PolicyFileError::Io { .. })
    ));
    assert!(matches!(
        write_policy_file(&home, &tool(), TEXT),
        Err(PolicyFileError::Io { .. })
    ));
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_refused_at_once() {
    let (_directory, home) = home();
    crate::make_fifo(&home.policy_file(&tool()));
    let start = std::time::Instant::now();
    assert!(matches!(
        read_policy_file(&home, &tool()),
        Err(PolicyFileError::NotRegular {
            kind: FileKind::Fifo,
            ..
        })
    ));
    assert!(start.elapsed() < std::time::Duration::from_secs(1));
}

#[test]
fn what_everybody_may_write_is_not_trusted() {
    let (_directory, home) = home();
    write_policy_file(&home, &tool(), TEXT).unwrap();
    let path = home.policy_file(&tool());
    set_mode(&path, 0o646);
    for error in [
        read_policy_file(&home, &tool()).unwrap_err(),
        write_policy_file(&home, &tool(), "x: 1").unwrap_err(),
    ] {
        assert!(
            matches!(error, PolicyFileError::WorldWritable { mode: 0o646, .. }),
            "{error}"
        );
        assert_eq!(error.hint(), Some(format!("chmod o-w {}", path.display())));
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), TEXT);
    set_mode(&path, 0o600);
    set_mode(&home.policies_dir(), 0o777);
    assert!(matches!(
        read_policy_file(&home, &tool()),
        Err(PolicyFileError::WorldWritable { .. })
    ));
    assert!(matches!(
        write_policy_file(&home, &tool(), TEXT),
        Err(PolicyFileError::WorldWritable { .. })
    ));
    // As in /tmp, where nobody renames another's file.
    set_mode(&home.policies_dir(), 0o1777);
    read_policy_file(&home, &tool()).unwrap();

    std::fs::write(home.config_file(), "grants.without-terminal = true\n").unwrap();
    set_mode(&home.config_file(), 0o666);
    assert!(matches!(
        read_config_file(&home),
        Err(PolicyFileError::WorldWritable { .. })
    ));
}

/// Somebody else on the machine.
const STRANGER: u32 = 12_345;

fn give_away(path: &std::path::Path) {
    std::os::unix::fs::lchown(path, Some(STRANGER), None).unwrap();
}

/// Only root can give files away; elsewhere this part of a test has nothing to look at.
fn can_give_away() -> bool {
    rustix::process::geteuid().is_root()
}

fn foreign(error: &PolicyFileError, whose: &std::path::Path) {
    assert!(
        matches!(error, PolicyFileError::ForeignOwner { owner: STRANGER, path } if path == whose),
        "{error}"
    );
    let hint = error.hint().unwrap();
    assert_eq!(hint, format!("chown \"$(id -u)\" {}", whose.display()));
}

#[test]
fn s149_what_somebody_else_owns_is_not_trusted() {
    if !can_give_away() {
        return;
    }
    let (_directory, home) = home();
    write_policy_file(&home, &tool(), TEXT).unwrap();
    let path = home.policy_file(&tool());
    give_away(&path);
    foreign(&read_policy_file(&home, &tool()).unwrap_err(), &path);
    let refused = write_policy_file(&home, &tool(), "x: 1").unwrap_err();
    foreign(&refused, &path);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), TEXT);
    // Who owns the directory puts another file in place.
    std::fs::remove_file(&path).unwrap();
    write_policy_file(&home, &tool(), TEXT).unwrap();
    give_away(&home.policies_dir());
    let refused = read_policy_file(&home, &tool()).unwrap_err();
    foreign(&refused, &home.policies_dir());
    // What decides which bytes run is held to the same.
    crate::install(&home, "tool", "1");
    give_away(&home.lock_file());
    assert!(matches!(
        LockFile::load(&home),
        Err(LockError::ForeignOwner {
            owner: STRANGER,
            ..
        })
    ));
}

#[test]
fn s149_a_link_is_as_good_as_what_it_leads_through() {
    let (directory, home) = home();
    let path = home.policy_file(&tool());
    let place = |name: &str, mode: u32| {
        let place = directory.path().join(name);
        std::fs::create_dir(&place).unwrap();
        set_mode(&place, mode);
        place
    };
    // As /tmp is, and a directory where everybody renames everything.
    let (sticky, open, own) = (
        place("sticky", 0o1777),
        place("open", 0o777),
        place("own", 0o755),
    );
    for place in [&sticky, &open, &own] {
        std::fs::write(place.join("tool.yaml"), TEXT).unwrap();
    }
    // Two links: the second lies in the directory of the name.
    symlink(own.join("tool.yaml"), open.join("link.yaml")).unwrap();
    symlink("../own/tool.yaml", sticky.join("link.yaml")).unwrap();
    let led = |to: &std::path::Path| {
        let _ = std::fs::remove_file(&path);
        symlink(to, &path).unwrap();
        read_policy_file(&home, &tool())
    };
    for trusted in ["sticky/tool.yaml", "own/tool.yaml", "sticky/link.yaml"] {
        led(&directory.path().join(trusted)).unwrap();
    }
    for way in ["open/tool.yaml", "open/link.yaml"] {
        let error = led(&directory.path().join(way)).unwrap_err();
        assert!(
            matches!(&error, PolicyFileError::WorldWritable { mode: 0o777, path } if path == &open),
            "{error}"
        );
        assert!(write_policy_file(&home, &tool(), "x: 1").is_err());
    }
    set_mode(&own.join("tool.yaml"), 0o602);
    let error = led(&own.join("tool.yaml")).unwrap_err();
    assert!(
        matches!(error, PolicyFileError::WorldWritable { mode: 0o602, .. }),
        "{error}"
    );
    set_mode(&own.join("tool.yaml"), 0o600);
    if can_give_away() {
        // Everybody can put a link into /tmp; this one leads to what is trusted.
        give_away(&sticky.join("link.yaml"));
        foreign(
            &led(&sticky.join("link.yaml")).unwrap_err(),
            &sticky.join("link.yaml"),
        );
        give_away(&sticky.join("tool.yaml"));
        foreign(&led(&sticky.join("tool.yaml")).unwrap_err(), &path);
    }
}

#[test]
fn s149_what_its_group_may_write_is_read_and_told() {
    let (_directory, home) = home();
    write_policy_file(&home, &tool(), TEXT).unwrap();
    let path = home.policy_file(&tool());
    assert_eq!(group_writable(&path), None);
    set_mode(&path, 0o664);
    assert_eq!(group_writable(&path), Some(0o664));
    read_policy_file(&home, &tool()).unwrap().unwrap();
    let told: Vec<String> = home
        .check()
        .iter()
        .filter(|finding| !finding.is_error())
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [format!(
            "{} can be written by everybody in its group (mode 0664)",
            path.display()
        )]
    );
    assert_eq!(group_writable(&home.policies_dir().join("none.yaml")), None);
}

#[test]
fn a_write_keeps_the_mode_and_the_link() {
    let (directory, home) = home();
    let shared = directory.path().join("shared.yaml");
    std::fs::write(&shared, TEXT).unwrap();
    set_mode(&shared, 0o640);
    symlink(&shared, home.policy_file(&tool())).unwrap();
    write_policy_file(&home, &tool(), "new: text\n").unwrap();
    assert_eq!(std::fs::read_to_string(&shared).unwrap(), "new: text\n");
    assert_eq!(mode(&shared), 0o640);
    assert!(
        std::fs::symlink_metadata(home.policy_file(&tool()))
            .unwrap()
            .is_symlink()
    );
    let large = "x".repeat(300_000);
    assert!(matches!(
        write_policy_file(&home, &tool(), &large),
        Err(PolicyFileError::TooLarge { .. })
    ));
    assert_eq!(
        read_policy_path(&shared).unwrap().unwrap().text,
        "new: text\n"
    );
}

#[test]
fn edits_of_two_commands_do_not_lose_each_other() {
    let (_directory, home) = home();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || {
                for number in 0..6 {
                    update_policy_file(home, &tool(), |before| {
                        let before = before.map_or("", |policy| policy.text.as_str());
                        Ok::<_, PolicyFileError>(Some(format!("{before}# {writer}.{number}\n")))
                    })
                    .unwrap();
                }
            });
        }
    });
    let text = read_policy_file(&home, &tool()).unwrap().unwrap().text;
    assert_eq!(text.lines().count(), 24);
}

#[test]
fn an_edit_by_hand_in_between_is_not_overwritten() {
    let (_directory, home) = home();
    let path = home.policy_file(&tool());
    let error = update_policy_file(&home, &tool(), |_| {
        std::fs::write(&path, "by: hand\n").unwrap();
        Ok::<_, PolicyFileError>(Some("by: casemate\n".to_owned()))
    })
    .unwrap_err();
    assert!(matches!(error, PolicyFileError::Changed { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "by: hand\n");
    let unchanged = update_policy_file(&home, &tool(), |_| Ok::<_, PolicyFileError>(None))
        .unwrap()
        .unwrap();
    assert_eq!(unchanged.text, "by: hand\n");
}

#[test]
fn a_policy_is_taken_away_only_while_it_is_what_was_meant() {
    let (_directory, home) = home();
    let name: casemate_policy::ComponentName = "tool".parse().unwrap();
    let hash = casemate_artifact::sha256(b"version: \"1.0\"\n");
    let remove = || casemate_artifact::remove_policy_file(&home, &name, &hash).unwrap();
    assert!(!remove());
    casemate_artifact::write_policy_file(&home, &name, "version: \"1.0\"\n# by hand\n").unwrap();
    assert!(!remove());
    assert!(home.policy_file(&name).exists());
    casemate_artifact::write_policy_file(&home, &name, "version: \"1.0\"\n").unwrap();
    assert!(remove());
    assert!(!home.policy_file(&name).exists());
}
