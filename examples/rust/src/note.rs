//! Reading and writing single notes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use crate::bindings::exports::casemate_examples::notes::files::{Excerpt, FileError, Written};
use crate::problem::explain;

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 8 << 20;
/// The largest text that is written at once, in bytes.
const MAX_WRITE: usize = 1 << 20;
/// The most lines, and the most bytes of them, in one answer.
const MAX_LINES: usize = 2000;
const MAX_EXCERPT: usize = 256 << 10;

/// Reads a whole text file. Bytes that are no UTF-8 become `?`; a zero byte means that the file is binary.
pub fn read_text(path: &str) -> Result<String, FileError> {
    let failed = |error| explain("read", path, &error);
    // Asked before opening: merely opening a named pipe or a device can wait or have effects.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile(format!("{path} is not a file")));
    }
    let mut bytes = Vec::new();
    // A host may give little memory: one buffer of the right size, and an error where even that is too much.
    let size = metadata.len().min(MAX_FILE) as usize + 1;
    bytes
        .try_reserve_exact(size)
        .map_err(|error| failed(error.into()))?;
    File::open(path)
        .map_err(failed)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge(format!(
            "{path} is larger than {} MiB",
            MAX_FILE >> 20
        )));
    }
    if bytes.contains(&0) {
        return Err(FileError::NotText(format!("{path} is a binary file")));
    }
    Ok(into_text(bytes))
}

/// Makes text of bytes in place: the usual replacement character is three bytes long, so it could triple the size.
fn into_text(mut bytes: Vec<u8>) -> String {
    let mut checked = 0;
    while let Some(rest) = bytes.get_mut(checked..) {
        let Err(error) = std::str::from_utf8(rest) else {
            break;
        };
        let invalid = error.valid_up_to()..error.valid_up_to() + error.error_len().unwrap_or(1);
        checked += invalid.end;
        rest.get_mut(invalid).unwrap_or_default().fill(b'?');
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Reads the lines `first..=last`, as many of them as an answer holds.
pub fn read_lines(path: &str, first: u32, last: Option<u32>) -> Result<Excerpt, FileError> {
    let last = last.unwrap_or(u32::MAX);
    if first == 0 || last < first {
        return Err(FileError::InvalidArgument(
            "lines are counted from 1, and `last` is not before `first`".into(),
        ));
    }
    let content = read_text(path)?;
    let total = u32::try_from(content.lines().count()).unwrap_or(u32::MAX);
    if first > total.max(1) {
        return Err(FileError::InvalidArgument(format!(
            "{path} has only {total} lines"
        )));
    }
    let wanted = usize::try_from(last - first)
        .map_or(MAX_LINES, |more| more.saturating_add(1).min(MAX_LINES));
    let mut text = String::new();
    let mut read = 0;
    for line in content.lines().skip(first as usize - 1).take(wanted) {
        if text.len() + line.len() >= MAX_EXCERPT {
            if read == 0 {
                return Err(FileError::TooLarge(format!(
                    "line {first} of {path} alone is larger than 256 KiB"
                )));
            }
            break;
        }
        if read > 0 {
            text.push('\n');
        }
        text.push_str(line);
        read += 1;
    }
    Ok(Excerpt {
        text,
        first,
        last: first + read - 1,
        total,
    })
}

/// Writes a whole note; without `replace` only where there is none.
pub fn save_note(path: String, text: &str, replace: bool) -> Result<Written, FileError> {
    check_size(text)?;
    let mut options = OpenOptions::new();
    options.write(true);
    if replace {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let failed = |error| explain("write", &path, &error);
    options
        .open(&path)
        .map_err(failed)?
        .write_all(text.as_bytes())
        .map_err(failed)?;
    Ok(Written {
        path,
        bytes: text.len() as u64,
    })
}

/// Adds a line; first ends the last line of the note where it has no line break.
pub fn append_line(path: String, line: &str) -> Result<Written, FileError> {
    check_size(line)?;
    if line.contains(['\n', '\r']) {
        return Err(FileError::InvalidArgument(
            "`line` has a line break in it: append the lines one by one".into(),
        ));
    }
    let failed = |error| explain("write", &path, &error);
    // One handle for both: what is looked at is what is written to.
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&path)
        .map_err(failed)?;
    let mut added = String::with_capacity(line.len() + 2);
    if file.seek(SeekFrom::End(0)).map_err(failed)? > 0 {
        let mut end = [0];
        file.seek(SeekFrom::End(-1)).map_err(failed)?;
        file.read_exact(&mut end).map_err(failed)?;
        if end != *b"\n" {
            added.push('\n');
        }
    }
    added.push_str(line);
    added.push('\n');
    file.write_all(added.as_bytes()).map_err(failed)?;
    Ok(Written {
        path,
        bytes: added.len() as u64,
    })
}

fn check_size(text: &str) -> Result<(), FileError> {
    if text.len() > MAX_WRITE {
        return Err(FileError::TooLarge(format!(
            "the text is larger than {} MiB",
            MAX_WRITE >> 20
        )));
    }
    Ok(())
}
