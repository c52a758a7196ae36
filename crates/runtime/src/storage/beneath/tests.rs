use super::*;
use rustix::fs::FileType;

fn kind(handle: &OwnedFd) -> FileType {
    FileType::from_raw_mode(rustix::fs::fstat(handle).unwrap().st_mode)
}

#[test]
fn only_a_missing_or_filtered_call_means_the_fallback() {
    assert!(!means_there(Some(Errno::NOSYS)));
    assert!(!means_there(Some(Errno::PERM)));
    assert!(means_there(Some(Errno::BADF)));
    assert!(means_there(None));
}

#[test]
fn the_kernel_of_this_test_is_noticed() {
    let here = rustix::fs::openat2(
        rustix::fs::CWD,
        ".",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH,
    );
    assert_eq!(has_openat2(), here.is_ok());
}

#[test]
fn a_symlink_is_opened_itself_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("file", directory.path().join("link")).unwrap();
    let parent = rustix::fs::open(
        directory.path(),
        OFlags::PATH | OFlags::DIRECTORY,
        Mode::empty(),
    )
    .unwrap();
    let look = |name| open(&parent, name, OFlags::PATH, Mode::empty());
    assert_eq!(kind(&look("file").unwrap()), FileType::RegularFile);
    assert_eq!(kind(&look("link").unwrap()), FileType::Symlink);
    assert_eq!(look("missing").unwrap_err(), Errno::NOENT);
    let real = open(&parent, "link", OFlags::RDONLY, Mode::empty());
    assert_eq!(real.unwrap_err(), Errno::LOOP);
}
