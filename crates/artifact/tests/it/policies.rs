//! Files that decide: absent means absent, everything doubtful is an error.

use std::os::unix::fs::symlink;

use casemate_artifact::{
    FileKind, PolicyFileError, PolicyText, read_config_file, read_policy_file, read_policy_path,
    sha256, update_policy_file, write_policy_file,
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
