//! The limits hold whatever a reader or a file claims.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// Gives bytes for ever and counts what was taken.
struct Endless<'a>(&'a mut u64);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        *self.0 += u64::try_from(buffer.len()).unwrap();
        Ok(buffer.len())
    }
}

#[test]
fn s005_an_endless_reader_gives_at_most_one_byte_over_the_limit() {
    for (limit, claimed) in [
        (0, 0),
        (1, 0),
        (1000, 10),
        (100_000, 99_999),
        (1 << 20, 1 << 40),
    ] {
        let mut taken = 0;
        let result = read_capped(Endless(&mut taken), limit, claimed);
        assert!(
            matches!(result, Err(ReadError::TooLarge { size: None })),
            "{limit} {claimed}"
        );
        assert!(taken <= limit + 1, "{taken} bytes of at most {limit}");
    }
}

#[test]
fn exactly_the_limit_is_read() {
    let bytes = vec![3; 4096];
    assert_eq!(read_capped(bytes.as_slice(), 4096, 4096).unwrap(), bytes);
    assert_eq!(read_capped(bytes.as_slice(), 4096, 0).unwrap(), bytes);
    assert!(matches!(
        read_capped(bytes.as_slice(), 4095, 0),
        Err(ReadError::TooLarge { size: None })
    ));
}

#[test]
fn the_buffer_is_sized_by_the_limit_not_by_the_claim() {
    let bytes = read_capped([1_u8].as_slice(), 64, u64::MAX).unwrap();
    assert!(bytes.capacity() <= 128, "{}", bytes.capacity());
}

#[cfg(target_os = "linux")]
#[test]
fn s005_a_file_that_lies_about_its_size_meets_the_cap() {
    let path = Path::new("/proc/self/status");
    assert_eq!(std::fs::metadata(path).unwrap().len(), 0);
    assert!(matches!(
        read_regular(path, 64, Links::Follow),
        Err(ReadError::TooLarge { size: None })
    ));
}

#[test]
fn a_file_that_is_just_being_made_is_absent_or_whole() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..200 {
        let path = directory.path().join(number.to_string());
        std::thread::scope(|scope| {
            scope.spawn(|| crate::write_atomic(&path, b"whole", 0o600).unwrap());
            loop {
                match read_regular(&path, 100, Links::Follow) {
                    Ok(file) => break assert_eq!(file.bytes, b"whole"),
                    Err(error) => assert!(matches!(error, ReadError::Missing), "{error:?}"),
                }
            }
        });
    }
}
