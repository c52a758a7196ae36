//! One writer at a time.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::home::{Home, create_directory};
use crate::read::FileKind;

/// How long a writer waits for another one; changes take milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// The exclusive right to change the lock and the policies of a home. It ends with the value, and
/// with the process however that ends.
#[derive(Debug)]
pub(crate) struct WriteGuard {
    _file: File,
}

/// Why the right was not given.
#[derive(Debug)]
pub(crate) enum GuardError {
    Busy {
        path: PathBuf,
        waited: Duration,
    },
    NotRegular {
        path: PathBuf,
        kind: FileKind,
    },
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl WriteGuard {
    /// Waits for the right, [`PATIENCE`] at most. It is not reentrant.
    pub(crate) fn acquire(home: &Home) -> Result<WriteGuard, GuardError> {
        create_directory(home.config_dir()).map_err(|error| {
            let (path, source) = error.into_parts();
            GuardError::Io {
                action: "create",
                path,
                source,
            }
        })?;
        let path = home.write_lock_file();
        // A file of its own: the lock file itself is replaced by rename, and a lock on it would be
        // a lock on the old one.
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened =
            rustix::io::retry_on_intr(|| rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR));
        let file = match opened {
            Ok(descriptor) => File::from(descriptor),
            Err(errno) => {
                return Err(GuardError::Io {
                    action: "open",
                    path,
                    source: errno.into(),
                });
            }
        };
        let kind = file
            .metadata()
            .map(|metadata| FileKind::of(metadata.file_type()));
        match kind {
            Ok(None) => {}
            Ok(Some(kind)) => return Err(GuardError::NotRegular { path, kind }),
            Err(source) => {
                return Err(GuardError::Io {
                    action: "open",
                    path,
                    source,
                });
            }
        }
        let start = Instant::now();
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(WriteGuard { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    let waited = start.elapsed();
                    if waited >= PATIENCE {
                        return Err(GuardError::Busy { path, waited });
                    }
                    std::thread::sleep(PAUSE);
                }
                Err(errno) => {
                    return Err(GuardError::Io {
                        action: "lock",
                        path,
                        source: errno.into(),
                    });
                }
            }
        }
    }
}
