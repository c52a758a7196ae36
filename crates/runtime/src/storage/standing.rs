//! What an object is, whatever path leads to it.
//!
//! Some objects are out of reach of every guest: Casemate's own home, and what the kernel shows of
//! itself (`/proc`, `/sys`, `/dev`). A rule about paths cannot keep them so, since a symlink, a
//! bind mount, a hard link or a rename gives them another path. So each handle of a walk is
//! compared with them by device and inode, and by the kind of its file system.

use casemate_policy::VirtualPath;
use rustix::fs::{FileType, Mode, OFlags, RawDir, Stat};
use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Objects of a home that are remembered at the most.
const MAX_OWN: usize = 100_000;
/// Directories above a home that are looked at.
const MAX_WAY: usize = 4_096;
const PEEK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Whose an object is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A file or directory like any other.
    #[default]
    Ordinary,
    /// Casemate's own home, or something in it.
    Own,
    /// In a file system in which the kernel shows itself and its devices.
    Kernel,
}

/// An object as it is judged: where the walk found it, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) path: VirtualPath,
    pub(crate) standing: Standing,
}

impl Object {
    /// Something that is not there, or whose standing is established: like any other.
    pub(crate) fn ordinary(path: VirtualPath) -> Self {
        Self {
            path,
            standing: Standing::Ordinary,
        }
    }
}

/// Device and inode.
pub(crate) type Identity = (u64, u64);

/// The identity of what `stat` describes.
pub(crate) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// Everything in Casemate's own home, by identity.
#[derive(Debug, Default)]
struct Own {
    objects: HashSet<Identity>,
    inodes: HashSet<u64>,
    /// Directories and links that lead to it: who moved one away could put another home in its place.
    ways: HashSet<Identity>,
}

impl Own {
    fn add(&mut self, stat: &Stat) {
        self.objects.insert(identity(stat));
        self.inodes.insert(stat.st_ino);
    }

    /// Adds a directory and everything below it. What cannot be read is passed over: a guest has no more
    /// rights than this process.
    fn collect(&mut self, directory: impl AsFd) -> rustix::io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::openat(&directory, ".", flags, Mode::empty())?;
        self.add(&rustix::fs::fstat(&top)?);
        let mut pending = vec![top];
        while let Some(directory) = pending.pop() {
            self.collect_entries(&directory, &mut pending);
        }
        self.collect_parents(directory)
    }

    /// Adds the directories above one, up to the root.
    fn collect_parents(&mut self, directory: impl AsFd) -> rustix::io::Result<()> {
        let mut below = identity(&rustix::fs::fstat(&directory)?);
        let mut current = rustix::fs::openat(directory, "..", PEEK, Mode::empty())?;
        for _ in 0..MAX_WAY {
            let here = identity(&rustix::fs::fstat(&current)?);
            if here == below || !self.ways.insert(here) {
                break;
            }
            below = here;
            current = rustix::fs::openat(current, "..", PEEK, Mode::empty())?;
        }
        Ok(())
    }

    /// Adds what the names of a path are, a link as the link that it is.
    fn collect_way(&mut self, path: &Path) {
        for prefix in path.ancestors() {
            if let Ok(stat) = rustix::fs::lstat(prefix) {
                self.ways.insert(identity(&stat));
            }
        }
    }

    fn collect_entries(&mut self, directory: &OwnedFd, pending: &mut Vec<OwnedFd>) {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 8_192];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.objects.len() >= MAX_OWN {
                tracing::warn!(
                    most = MAX_OWN,
                    "Casemate's home holds more than is known one by one"
                );
                return;
            }
            let Ok(stat) =
                rustix::fs::statat(directory, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            else {
                continue;
            };
            self.add(&stat);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = rustix::fs::openat(directory, name, flags, Mode::empty());
                pending.extend(below);
            }
        }
    }
}

/// Casemate's own directories, looked through when a guest first uses a file, and again after
/// something in them has changed.
#[derive(Debug)]
pub(crate) struct OwnHome {
    directories: Vec<OwnDirectory>,
    known: Mutex<Option<Arc<Own>>>,
}

/// A directory by its path and, so that it stays known if it is moved, by the handle that was had at the start.
#[derive(Debug)]
struct OwnDirectory {
    path: PathBuf,
    handle: Option<OwnedFd>,
}

impl OwnHome {
    /// The home in these directories.
    pub(crate) fn new(directories: Vec<PathBuf>) -> Self {
        let directories = directories.into_iter().map(|path| OwnDirectory {
            handle: rustix::fs::open(&path, PEEK, Mode::empty()).ok(),
            path,
        });
        Self {
            directories: directories.collect(),
            known: Mutex::new(None),
        }
    }

    /// Something in the home is new.
    pub(crate) fn changed(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known(&self) -> Arc<Own> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let own = known.get_or_insert_with(|| {
            let mut own = Own::default();
            for directory in &self.directories {
                let now = rustix::fs::open(&directory.path, PEEK, Mode::empty()).ok();
                for handle in [&directory.handle, &now].into_iter().flatten() {
                    if let Err(error) = own.collect(handle) {
                        tracing::debug!(%error, "a directory of Casemate's cannot be looked through");
                    }
                }
                own.collect_way(&directory.path);
            }
            Arc::new(own)
        });
        Arc::clone(own)
    }

    /// Whether something with this inode number may be in the home, on whatever device.
    pub(super) fn may_have(&self, inode: u64) -> bool {
        self.known().inodes.contains(&inode)
    }

    /// Whether a directory or link is one that leads to the home, which is not moved or removed.
    pub(super) fn is_reached_by(&self, identity: Identity) -> bool {
        self.known().ways.contains(&identity)
    }

    /// Whether this is in the home now: what was in it before may have been removed since, and its
    /// inode be another file's.
    fn has(&self, identity: Identity) -> bool {
        if !self.known().objects.contains(&identity) {
            return false;
        }
        self.changed();
        self.known().objects.contains(&identity)
    }

    /// The standing of what `handle` is open for. `parent` is the device of the directory that it was
    /// found in; `None` for a directory that was opened by a path. Blocks.
    ///
    /// # Errors
    ///
    /// Fails when the file system does not say what kind it is.
    pub(super) fn standing(
        &self,
        handle: impl AsFd,
        stat: &Stat,
        parent: Option<u64>,
    ) -> rustix::io::Result<Standing> {
        if self.has(identity(stat)) {
            return Ok(Standing::Own);
        }
        if KERNEL.shows(stat) {
            return Ok(Standing::Kernel);
        }
        // Within one device the kind of file system stays what it is.
        if parent == Some(stat.st_dev) {
            return Ok(Standing::Ordinary);
        }
        let kind = rustix::fs::fstatfs(handle)?.f_type & 0xffff_ffff;
        Ok(if KERNEL_KINDS.contains(&kind) {
            Standing::Kernel
        } else {
            Standing::Ordinary
        })
    }
}

/// `/proc`, `/sys` and `/dev` of this process.
struct KernelPlaces {
    objects: HashSet<Identity>,
    devices: HashSet<u64>,
}

/// Looked at once: these mounts stay as long as a system runs. A `/dev` has no kind of file system of
/// its own, so it is known by its device.
static KERNEL: LazyLock<KernelPlaces> = LazyLock::new(|| {
    let root = rustix::fs::stat("/").ok();
    let found = ["/proc", "/sys", "/dev"].map(|path| rustix::fs::stat(path).ok());
    let found: Vec<Stat> = found.into_iter().flatten().collect();
    KernelPlaces {
        objects: found.iter().map(identity).collect(),
        devices: found
            .iter()
            .map(|stat| stat.st_dev)
            .filter(|device| root.as_ref().is_some_and(|root| root.st_dev != *device))
            .collect(),
    }
});

impl KernelPlaces {
    fn shows(&self, stat: &Stat) -> bool {
        self.devices.contains(&stat.st_dev) || self.objects.contains(&identity(stat))
    }
}

/// File systems in which the kernel shows itself, by the numbers of `linux/magic.h` and of the file
/// systems' own headers.
const KERNEL_KINDS: [i64; 27] = [
    0x9fa0,      // proc
    0x9fa1,      // openpromfs
    0x9fa2,      // usbfs
    0x6265_6572, // sysfs
    0x1cd1,      // devpts
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x0765_5821, // resctrl
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x5a3c_69f0, // apparmorfs
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0x6165_676c, // pstore
    0x6265_6570, // configfs
    0x4249_4e4d, // binfmt_misc
    0x9584_58f6, // hugetlbfs
    0x1980_0202, // mqueue
    0x6e73_6673, // nsfs
    0x6573_5543, // fusectl
    0x6c6f_6f70, // binderfs
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
    0xabba_1974, // xenfs
];
