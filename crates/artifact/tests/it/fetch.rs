//! Fetching what is a file, and refusing what only looks like one.

use std::fs::File;
use std::time::{Duration, Instant};

use casemate_artifact::{
    FetchError, FetchLimits, FetchRequest, FileKind, Reference, Sources, VerifiedArtifact, sha256,
};

/// Files only, within `limits`.
fn fetch(reference: &Reference, limits: &FetchLimits) -> Result<VerifiedArtifact, FetchError> {
    let request = FetchRequest {
        limits,
        ..FetchRequest::new(reference)
    };
    let fetched = casemate_artifact::fetch(&Sources::files_only(), request)?;
    assert_eq!(fetched.package, None);
    Ok(fetched.artifact)
}

fn limits(max_bytes: u64) -> FetchLimits {
    FetchLimits { max_bytes }
}

#[test]
fn the_digest_is_of_the_bytes_and_the_source_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("build")).unwrap();
    std::fs::write(directory.path().join("build/my tool.wasm"), b"some bytes").unwrap();
    let reference = Reference::parse("build/../build/./my tool.wasm", directory.path()).unwrap();
    let artifact = fetch(&reference, &FetchLimits::default()).unwrap();
    assert_eq!(artifact.bytes(), b"some bytes");
    assert_eq!(artifact.digest(), &sha256(b"some bytes"));
    let resolved = directory.path().canonicalize().unwrap();
    assert_eq!(
        artifact.identity().source(),
        format!("file://{}/build/my%20tool.wasm", resolved.display())
    );
    assert_eq!(artifact.identity().signer(), None);
    // The known value of SHA-256 for "abc".
    let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256(b"abc").to_string(), known);
}

#[test]
fn s005_a_byte_too_many_and_a_sparse_giant_are_refused_by_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("big.wasm");
    std::fs::write(&path, vec![0; 1001]).unwrap();
    let reference = Reference::File(path.clone());
    assert!(matches!(
        fetch(&reference, &limits(1000)),
        Err(FetchError::TooLarge {
            limit: 1000,
            size: Some(1001),
            ..
        })
    ));
    assert!(fetch(&reference, &limits(1001)).is_ok());

    File::create(&path).unwrap().set_len(8 << 30).unwrap();
    let start = Instant::now();
    let error = fetch(&reference, &FetchLimits::default()).unwrap_err();
    assert!(
        matches!(error, FetchError::TooLarge { size: Some(size), .. } if size == 8 << 30),
        "{error}"
    );
    assert!(error.to_string().contains("8589934592"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[cfg(target_os = "linux")]
#[test]
fn s005_pipes_devices_sockets_and_directories_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo.wasm");
    super::make_fifo(&fifo);
    let silent = directory.path().join("silent.wasm");
    super::make_fifo(&silent);
    // A writer that never ends.
    let end = File::options().read(true).write(true).open(&fifo).unwrap();
    rustix::io::ioctl_fionbio(&end, true).unwrap();
    while std::io::Write::write(&mut &end, &[0; 4096]).is_ok() {}
    let socket = directory.path().join("socket.wasm");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();

    let start = Instant::now();
    for (path, expected) in [
        (fifo.as_path(), FileKind::Fifo),
        (silent.as_path(), FileKind::Fifo),
        (socket.as_path(), FileKind::Socket),
        (directory.path(), FileKind::Directory),
        ("/dev/zero".as_ref(), FileKind::Device),
        ("/dev/stdin".as_ref(), FileKind::Other),
    ] {
        match fetch(&Reference::File(path.to_owned()), &FetchLimits::default()) {
            Err(FetchError::NotRegular { kind, .. }) => {
                // What the tests' standard input is depends on who runs them.
                assert!(
                    kind == expected || path.ends_with("stdin"),
                    "{}: {kind}",
                    path.display()
                );
            }
            Err(_) | Ok(_) if path.ends_with("stdin") => {}
            other => assert!(
                matches!(other, Err(FetchError::NotRegular { .. })),
                "{}: {other:?}",
                path.display()
            ),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn errors_say_what_and_where() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Reference::parse("nothing.wasm", directory.path()).unwrap();
    let error = fetch(&missing, &FetchLimits::default()).unwrap_err();
    assert!(matches!(error, FetchError::Missing { .. }));
    assert!(
        error.to_string().contains("nothing.wasm") && error.hint().is_some(),
        "{error}"
    );

    let error = fetch(
        &Reference::File(directory.path().to_owned()),
        &FetchLimits::default(),
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("is a directory") && error.hint().is_some(),
        "{error}"
    );

    std::fs::write(directory.path().join("file"), "").unwrap();
    let below = Reference::parse("file/tool.wasm", directory.path()).unwrap();
    let error = fetch(&below, &FetchLimits::default()).unwrap_err();
    assert!(matches!(&error, FetchError::Io { .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn s156_files_of_the_same_name_are_different_artifacts() {
    let directory = tempfile::tempdir().unwrap();
    let mut identities = Vec::new();
    for place in ["a/b_c", "a_b/c", "a%2Fb_c"] {
        let place = directory.path().join(place);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("tool.wasm"), "the same bytes").unwrap();
        let reference = Reference::File(place.join("tool.wasm"));
        identities.push(
            fetch(&reference, &FetchLimits::default())
                .unwrap()
                .identity()
                .clone(),
        );
    }
    for (index, left) in identities.iter().enumerate() {
        for right in identities.iter().skip(index + 1) {
            assert_eq!(left.digest(), right.digest());
            assert_ne!(left.source(), right.source());
            assert_ne!(left, right);
        }
    }
}
