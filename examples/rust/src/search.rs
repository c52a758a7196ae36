//! Searching the files of a folder and of all folders in it.

use std::fs;
use std::ops::ControlFlow::{self, Break, Continue};

use crate::bindings::exports::casemate_examples::notes::files::{
    FileError, FoundLine, SearchBound, SearchOptions, SearchReport,
};
use crate::note::{MAX_FILE, read_text};
use crate::problem::explain;

const DEFAULT_MATCHES: u32 = 100;
const MAX_MATCHES: u32 = 1000;
/// The longest text to look for, in bytes.
const MAX_PATTERN: usize = 1000;
/// The most files and folders that one search looks at.
const MAX_ENTRIES: usize = 20_000;
/// How many folders deep a search goes.
const MAX_DEPTH: usize = 32;
/// The most bytes that one search reads.
const MAX_BYTES: u64 = 256 << 20;
/// How much of a line is shown, and how much of that before the match, in characters.
const SHOWN: usize = 400;
const SHOWN_BEFORE: usize = 100;

/// Searches `folder` for lines that contain `pattern`.
pub fn search_text(
    folder: &str,
    pattern: &str,
    options: Option<SearchOptions>,
) -> Result<SearchReport, FileError> {
    if pattern.is_empty() || pattern.len() > MAX_PATTERN || pattern.contains(['\n', '\r']) {
        return Err(FileError::InvalidArgument(format!(
            "`pattern` must be 1 to {MAX_PATTERN} bytes of text without line breaks"
        )));
    }
    let options = options.unwrap_or(SearchOptions {
        case_sensitive: None,
        max_matches: None,
        suffixes: None,
        hidden: None,
    });
    let max_matches = options.max_matches.unwrap_or(DEFAULT_MATCHES);
    if !(1..=MAX_MATCHES).contains(&max_matches) {
        return Err(FileError::InvalidArgument(format!(
            "`max-matches` must be 1 to {MAX_MATCHES}"
        )));
    }
    let failed = |error| explain("search", folder, &error);
    if !fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(FileError::NotAFolder(format!("{folder} is not a folder")));
    }
    let mut search = Search {
        needle: Needle::new(pattern, options.case_sensitive.unwrap_or(false)),
        suffixes: options.suffixes.unwrap_or_default(),
        hidden: options.hidden.unwrap_or(false),
        max_matches: max_matches as usize,
        entries: 0,
        bytes: 0,
        report: SearchReport {
            matches: Vec::new(),
            files_searched: 0,
            skipped: 0,
            incomplete: None,
        },
    };
    let entries = search.list(folder).map_err(failed)?;
    // Whether it ended early is in the report.
    let _ended = search.visit(folder, entries, 1);
    Ok(search.report)
}

/// A file or folder to look into; other kinds, such as symbolic links, are none.
struct Entry {
    name: String,
    is_folder: bool,
}

struct Search {
    needle: Needle,
    suffixes: Vec<String>,
    hidden: bool,
    max_matches: usize,
    entries: usize,
    bytes: u64,
    report: SearchReport,
}

impl Search {
    /// Lists what is to be searched in a folder, in the order of names.
    fn list(&mut self, folder: &str) -> std::io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            if self.entries == MAX_ENTRIES {
                self.bound(SearchBound::MaxEntries);
                break;
            }
            self.entries += 1;
            let entry = entry?;
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                self.report.skipped += 1;
                continue;
            };
            let wanted = kind.is_dir() || (kind.is_file() && self.has_suffix(&name));
            if wanted && (self.hidden || !name.starts_with('.')) {
                entries.push(Entry {
                    name,
                    is_folder: kind.is_dir(),
                });
            }
        }
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn has_suffix(&self, name: &str) -> bool {
        self.suffixes.is_empty() || self.suffixes.iter().any(|suffix| name.ends_with(suffix))
    }

    fn visit(&mut self, folder: &str, entries: Vec<Entry>, depth: usize) -> ControlFlow<()> {
        for entry in entries {
            let path = format!("{}/{}", folder.trim_end_matches('/'), entry.name);
            if !entry.is_folder {
                self.search_file(&path)?;
            } else if depth == MAX_DEPTH {
                self.bound(SearchBound::MaxDepth);
            } else {
                match self.list(&path) {
                    Ok(entries) => self.visit(&path, entries, depth + 1)?,
                    Err(_) => self.report.skipped += 1,
                }
            }
        }
        Continue(())
    }

    fn search_file(&mut self, path: &str) -> ControlFlow<()> {
        let size = fs::metadata(path)
            .map_or(0, |metadata| metadata.len())
            .min(MAX_FILE);
        if self.bytes + size > MAX_BYTES {
            self.bound(SearchBound::MaxBytes);
            return Break(());
        }
        self.bytes += size;
        let Ok(content) = read_text(path) else {
            self.report.skipped += 1;
            return Continue(());
        };
        self.report.files_searched += 1;
        for (number, line) in (1..).zip(content.lines()) {
            let Some(column) = self.needle.find(line) else {
                continue;
            };
            if self.report.matches.len() == self.max_matches {
                self.bound(SearchBound::MaxMatches);
                return Break(());
            }
            self.report.matches.push(FoundLine {
                path: path.to_owned(),
                line: number,
                column: u32::try_from(column + 1).unwrap_or(u32::MAX),
                text: show(line, column),
            });
        }
        Continue(())
    }

    fn bound(&mut self, bound: SearchBound) {
        self.report.incomplete.get_or_insert(bound);
    }
}

/// The text to look for, made ready for many lines.
enum Needle {
    Exact(String),
    /// ASCII text in any case: by far the most frequent, and fast on bytes.
    AnyCaseAscii(Vec<u8>),
    /// Any other text, in lower case.
    AnyCase(Vec<char>),
}

impl Needle {
    fn new(pattern: &str, case_sensitive: bool) -> Self {
        if case_sensitive {
            Self::Exact(pattern.to_owned())
        } else if pattern.is_ascii() {
            Self::AnyCaseAscii(pattern.as_bytes().to_owned())
        } else {
            Self::AnyCase(pattern.chars().flat_map(char::to_lowercase).collect())
        }
    }

    /// Tells before which character of the line, from 0, the text begins first.
    fn find(&self, line: &str) -> Option<usize> {
        match self {
            Self::Exact(pattern) => line
                .split_once(pattern.as_str())
                .map(|(before, _)| before.chars().count()),
            Self::AnyCaseAscii(pattern) => {
                let at = line
                    .as_bytes()
                    .windows(pattern.len())
                    .position(|part| part.eq_ignore_ascii_case(pattern))?;
                line.get(..at).map(|before| before.chars().count())
            }
            Self::AnyCase(pattern) => line.char_indices().position(|(at, _)| {
                let mut rest = line
                    .get(at..)
                    .unwrap_or_default()
                    .chars()
                    .flat_map(char::to_lowercase);
                pattern.iter().all(|wanted| rest.next() == Some(*wanted))
            }),
        }
    }
}

/// Cuts a long line to what is around `column`.
fn show(line: &str, column: usize) -> String {
    let start = if line.chars().nth(SHOWN).is_some() {
        column.saturating_sub(SHOWN_BEFORE)
    } else {
        0
    };
    let mut rest = line.chars().skip(start);
    let mut text = String::new();
    if start > 0 {
        text.push('…');
    }
    text.extend(rest.by_ref().take(SHOWN));
    if rest.next().is_some() {
        text.push('…');
    }
    text
}
