//! Names that reach an entry of another name.
//!
//! Some directories take `SECRET` for `secret`: on FAT, NTFS, exFAT and HFS+, on network shares, and
//! where ext4, F2FS or tmpfs fold case. A rule about a name would miss the other spellings, so in such
//! a directory only the name that stands there is a name.

use super::beneath;
use super::standing::identity;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Stat};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

/// A character that file systems which fold case pass over, and all others take as it is.
const IGNORED: char = '\u{200d}';

/// Whether `name`, by which the object `found` was opened below `parent`, is the name of an entry there
/// byte by byte. Elsewhere than in a directory that folds, one look answers that.
pub(super) fn is_exact(
    parent: BorrowedFd<'_>,
    name: &str,
    found: &Stat,
) -> rustix::io::Result<bool> {
    let respelled = respell(name);
    match rustix::fs::statat(parent, respelled.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
        // Two spellings, one object: the directory folds, or has both as hard links.
        Ok(other) if identity(&other) == identity(found) => has_entry(parent, name),
        _ => Ok(true),
    }
}

/// Another spelling of `name`, which only a directory that folds takes for the same.
fn respell(name: &str) -> String {
    let swapped: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' => character.to_ascii_uppercase(),
            'A'..='Z' => character.to_ascii_lowercase(),
            other => other,
        })
        .collect();
    if swapped != name {
        return swapped;
    }
    format!("{name}{IGNORED}")
}

/// Whether a directory has an entry of exactly this name.
fn has_entry(parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<bool> {
    let directory = beneath::open(
        parent,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY,
        Mode::empty(),
    )?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8_192];
    let mut entries = RawDir::new(&directory, &mut buffer);
    while let Some(entry) = entries.next() {
        if entry?.file_name().to_bytes() == name.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
