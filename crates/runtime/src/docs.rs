//! What did the author write about it? Documentation, read leniently and made safe to show.
//!
//! Two sources: the author's WIT text, given by the person at install, and the `package-docs`
//! custom section, which few toolchains keep. The first wins. Neither can make loading fail: what
//! cannot be read becomes a warning. The text is a third party's, so everything that could act on a
//! terminal, hide from a reader or reorder what he sees is dropped before it is stored.

use std::collections::HashMap;

use serde_json::{Map, Value};
use wit_parser::{SourceMap, TypeDefKind, TypeOwner, UnresolvedPackage, WorldItem, WorldKey};

/// Longest documentation of one item, in bytes; more is cut, with an ellipsis.
pub const MAX_DOCS_BYTES: usize = 2 * 1024;

/// Longest WIT text that is read for documentation, in bytes.
pub const MAX_WIT_BYTES: usize = 1024 * 1024;

/// Marks the beginning of a file in a text made by [`bundle_wit`]; the file's name follows.
const FILE_MARK: &str = "//casemate:file ";

/// Joins the WIT files of a directory into one text for [`inspect`](crate::inspect::inspect).
///
/// A person gives a directory, the store keeps one text beside the component.
pub fn bundle_wit<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    let mut text = String::new();
    for (name, contents) in files {
        text.push_str(FILE_MARK);
        text.push_str(&plain_text(name, 256).replace('\n', " "));
        text.push('\n');
        text.push_str(contents);
        text.push('\n');
    }
    text
}

/// `text` without what acts on a terminal or deceives a reader, at most `max_bytes` long.
///
/// Dropped: escape sequences, C0 and C1 controls except line feed (tabs become spaces, CR LF a line
/// feed), bidirectional controls, zero-width and other invisible characters, variation selectors
/// beyond the ordinary, tag characters and noncharacters. What is cut ends in `…`.
#[must_use]
pub fn plain_text(text: &str, max_bytes: usize) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_control_string(&mut characters),
            '\t' => out.push(' '),
            '\n' => out.push('\n'),
            shown if is_plain(shown) => out.push(shown),
            _ => {}
        }
        if out.len() > max_bytes {
            let ellipsis = '…';
            while out.len() + ellipsis.len_utf8() > max_bytes && out.pop().is_some() {}
            out.truncate(out.trim_end().len());
            if ellipsis.len_utf8() <= max_bytes {
                out.push(ellipsis);
            }
            return out;
        }
    }
    out.trim().to_owned()
}

/// Whether `character` shows as itself, in its place, on every terminal.
pub(crate) fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
        && (u32::from(character) & 0xfffe) != 0xfffe
}

type Characters<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// Skips what follows ESC: a control sequence, a control string, or one or two characters.
fn skip_escape(characters: &mut Characters<'_>) {
    match characters.peek() {
        Some('[') => {
            characters.next();
            skip_control_sequence(characters);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            characters.next();
            skip_control_string(characters);
        }
        Some(' '..='/') => {
            characters.next();
            characters.next_if(|last| last.is_ascii_graphic());
        }
        Some('0'..='~') => {
            characters.next();
        }
        _ => {}
    }
}

/// Skips parameters and the final byte of a control sequence.
fn skip_control_sequence(characters: &mut Characters<'_>) {
    while characters
        .next_if(|inner| matches!(inner, ' '..='?'))
        .is_some()
    {}
    characters.next_if(|last| matches!(last, '@'..='~'));
}

/// Skips an operating system command or the like up to its terminator or the end of the line.
///
/// Ending at the line keeps an unterminated one from swallowing the rest of the text.
fn skip_control_string(characters: &mut Characters<'_>) {
    while let Some(inner) = characters.next_if(|inner| *inner != '\n') {
        match inner {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                characters.next_if(|last| *last == '\\');
                return;
            }
            _ => {}
        }
    }
}

/// Documentation of a component's items.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    /// By scope and function name.
    functions: HashMap<(String, String), Written>,
    /// By scope and type name.
    types: HashMap<(String, String), TypeDocs>,
    /// By scope.
    interfaces: HashMap<String, Written>,
    warnings: Vec<String>,
    cleaned: bool,
}

/// Documentation of a type and of its fields, cases or labels.
#[derive(Debug, Default)]
pub(crate) struct TypeDocs {
    pub(crate) docs: Option<Written>,
    pub(crate) items: HashMap<String, Written>,
}

/// What somebody wrote about an item.
#[derive(Debug)]
pub(crate) struct Written {
    clean: String,
    /// As it was written, where that is not what is shown.
    original: Option<String>,
}

impl Written {
    /// The text made safe to show; `None` when nothing readable is left.
    pub(crate) fn clean(&self) -> Option<&str> {
        (!self.clean.is_empty()).then_some(self.clean.as_str())
    }

    fn nothing() -> Self {
        Self {
            clean: String::new(),
            original: None,
        }
    }

    /// The text as it was written, but for its margins: to be judged, never to be shown.
    pub(crate) fn original(&self) -> &str {
        self.original.as_deref().unwrap_or(&self.clean)
    }
}

/// The scope of what stands directly in a world.
const WORLD: &str = "";

impl Docs {
    /// Documentation from the author's WIT and the `package-docs` sections of a component.
    pub(crate) fn read(author_wit: Option<&str>, sections: &[&[u8]]) -> Self {
        let mut docs = Self::default();
        if let Some(text) = author_wit {
            docs.read_wit(text);
        }
        for section in sections {
            docs.read_package_docs(section);
        }
        if docs.cleaned {
            docs.warnings.push(
                "the documentation has control or invisible characters, or is very long; it was cleaned".to_owned(),
            );
        }
        docs
    }

    /// What could not be read, in sentences for the person who installs.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Documentation of a function of `interface`, or of the world.
    pub(crate) fn function(&self, interface: Option<&str>, name: &str) -> Option<&Written> {
        scopes(interface).find_map(|scope| self.functions.get(&(scope.to_owned(), name.to_owned())))
    }

    /// Documentation of a type of `interface`, or of the world.
    pub(crate) fn ty(&self, interface: Option<&str>, name: &str) -> Option<&TypeDocs> {
        scopes(interface).find_map(|scope| self.types.get(&(scope.to_owned(), name.to_owned())))
    }

    /// Documentation of an interface, or of the world.
    pub(crate) fn interface(&self, interface: Option<&str>) -> Option<&Written> {
        scopes(interface).find_map(|scope| self.interfaces.get(scope))
    }

    /// The text as it is stored; `None` when there is none.
    fn written(&mut self, text: &str) -> Option<Written> {
        let clean = plain_text(text, MAX_DOCS_BYTES);
        // Ends of lines and margins are no reason to warn.
        let kept = clean.chars().filter(|c| !c.is_whitespace()).count();
        let given = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(kept + 1)
            .count();
        self.cleaned |= kept != given || clean.ends_with('…') && !text.trim_end().ends_with('…');
        let text = text.trim();
        (!text.is_empty()).then(|| Written {
            original: (clean != text).then(|| text.to_owned()),
            clean,
        })
    }

    fn add_function(&mut self, scope: &str, name: &str, text: &str) {
        if let Some(written) = self.written(text) {
            let entry = self.functions.entry((scope.to_owned(), name.to_owned()));
            keep(entry.or_insert_with(Written::nothing), written);
        }
    }

    fn add_interface(&mut self, scope: &str, text: &str) {
        if let Some(written) = self.written(text) {
            let entry = self.interfaces.entry(scope.to_owned());
            keep(entry.or_insert_with(Written::nothing), written);
        }
    }

    fn add_type(&mut self, scope: &str, name: &str, text: Option<&str>) {
        // No entry for silence: the type may be documented where it is used from.
        if let Some(written) = text.and_then(|text| self.written(text)) {
            let entry = self
                .types
                .entry((scope.to_owned(), name.to_owned()))
                .or_default();
            keep(entry.docs.get_or_insert_with(Written::nothing), written);
        }
    }

    fn add_item(&mut self, scope: &str, ty: &str, name: &str, text: &str) {
        if let Some(written) = self.written(text) {
            let entry = self
                .types
                .entry((scope.to_owned(), ty.to_owned()))
                .or_default();
            let item = entry.items.entry(name.to_owned());
            keep(item.or_insert_with(Written::nothing), written);
        }
    }

    // === package-docs ===

    /// Reads the section of a component: a version byte, then JSON.
    ///
    /// Versions 0 and 1 are known; a function's documentation is a string in the first and an
    /// object in the second, and both are taken anywhere. `wit_parser` refuses a whole section for
    /// one name it does not find, so its reader is of no use here.
    fn read_package_docs(&mut self, section: &[u8]) {
        let json = match section.split_first() {
            Some((0 | 1, json)) => json,
            Some((b'{', _)) => section,
            Some((version, _)) => {
                self.warnings.push(format!(
                    "package-docs has the unknown version {version}; ignored"
                ));
                return;
            }
            None => return,
        };
        let package = match is_flat(json).then(|| serde_json::from_slice(json)) {
            Some(Ok(Value::Object(package))) => package,
            _ => {
                self.warnings
                    .push("package-docs is not readable; ignored".to_owned());
                return;
            }
        };
        for (name, interface) in objects(&package, "interfaces") {
            self.read_interface(name, interface);
        }
        for (_, world) in objects(&package, "worlds") {
            if let Some(text) = world.get("docs").and_then(Value::as_str) {
                self.add_interface(WORLD, text);
            }
            for key in ["func_exports", "funcs"] {
                self.read_functions(WORLD, world.get(key));
            }
            self.read_types(WORLD, world.get("types"));
            for key in ["interface_exports", "interfaces"] {
                for (name, interface) in objects(world, key) {
                    self.read_interface(name, interface);
                }
            }
        }
    }

    fn read_interface(&mut self, name: &str, interface: &Map<String, Value>) {
        let scope = without_version(name);
        if let Some(text) = interface.get("docs").and_then(Value::as_str) {
            self.add_interface(scope, text);
        }
        self.read_functions(scope, interface.get("funcs"));
        self.read_types(scope, interface.get("types"));
    }

    fn read_functions(&mut self, scope: &str, functions: Option<&Value>) {
        for (name, function) in functions.and_then(Value::as_object).into_iter().flatten() {
            let text = function
                .as_str()
                .or_else(|| function.get("docs").and_then(Value::as_str));
            if let Some(text) = text {
                self.add_function(scope, name, text);
            }
        }
    }

    fn read_types(&mut self, scope: &str, types: Option<&Value>) {
        for (name, ty) in types.and_then(Value::as_object).into_iter().flatten() {
            self.add_type(scope, name, ty.get("docs").and_then(Value::as_str));
            for (item, text) in ty
                .get("items")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                if let Some(text) = text.as_str() {
                    self.add_item(scope, name, item, text);
                }
            }
        }
    }

    // === the author's WIT ===

    /// Reads WIT text, one file or several made one by [`bundle_wit`].
    ///
    /// Only the syntax matters: dependencies need not be there.
    fn read_wit(&mut self, text: &str) {
        if text.len() > MAX_WIT_BYTES {
            self.warnings.push(format!(
                "the WIT text is longer than {MAX_WIT_BYTES} bytes; ignored"
            ));
            return;
        }
        let files = split_files(text);
        let mut together = SourceMap::new();
        for (name, contents) in &files {
            together.push_str(name, *contents);
        }
        if let Ok(group) = together.parse() {
            self.read_packages(group.nested.iter().chain([&group.main]));
            return;
        }
        // Files of several packages, or one broken among good ones.
        for (name, contents) in files {
            let mut alone = SourceMap::new();
            alone.push_str(name, contents);
            match alone.parse() {
                Ok(group) => self.read_packages(group.nested.iter().chain([&group.main])),
                Err(_) => self.warnings.push(format!(
                    "no documentation from {}: it does not parse as WIT on its own",
                    plain_text(name, 256)
                )),
            }
        }
    }

    fn read_packages<'p>(&mut self, packages: impl Iterator<Item = &'p UnresolvedPackage>) {
        for package in packages {
            self.read_package(package);
        }
    }

    fn read_package(&mut self, package: &UnresolvedPackage) {
        let prefix = format!("{}:{}/", package.name.namespace, package.name.name);
        for (_, interface) in package.interfaces.iter() {
            let Some(name) = &interface.name else {
                continue;
            };
            let scope = format!("{prefix}{name}");
            self.read_wit_interface(&scope, interface);
        }
        for (_, world) in package.worlds.iter() {
            if let Some(text) = &world.docs.contents {
                self.add_interface(WORLD, text);
            }
            for (key, item) in &world.exports {
                match (key, item) {
                    (WorldKey::Name(name), WorldItem::Interface { id, .. }) => {
                        if let Some(interface) = package.interfaces.get(*id) {
                            self.read_wit_interface(name, interface);
                        }
                    }
                    (WorldKey::Name(name), WorldItem::Function(function)) => {
                        if let Some(text) = &function.docs.contents {
                            self.add_function(WORLD, name, text);
                        }
                    }
                    _ => {}
                }
            }
        }
        for (_, ty) in package.types.iter() {
            let Some(name) = &ty.name else { continue };
            let scopes = match ty.owner {
                TypeOwner::World(_) => vec![WORLD.to_owned()],
                TypeOwner::Interface(id) => {
                    match package
                        .interfaces
                        .get(id)
                        .and_then(|owner| owner.name.as_ref())
                    {
                        Some(owner) => vec![format!("{prefix}{owner}")],
                        None => inline_scopes(package, id),
                    }
                }
                TypeOwner::None => continue,
            };
            for scope in scopes {
                self.add_type(&scope, name, ty.docs.contents.as_deref());
                for (item, text) in documented_items(&ty.kind) {
                    self.add_item(&scope, name, item, text);
                }
            }
        }
    }

    fn read_wit_interface(&mut self, scope: &str, interface: &wit_parser::Interface) {
        if let Some(text) = &interface.docs.contents {
            self.add_interface(scope, text);
        }
        for (name, function) in &interface.functions {
            if let Some(text) = &function.docs.contents {
                self.add_function(scope, name, text);
            }
        }
    }
}

/// Keeps the first text that can be read.
fn keep(known: &mut Written, written: Written) {
    if known.clean.is_empty() && (known.original.is_none() || !written.clean.is_empty()) {
        *known = written;
    }
}

/// The names under which worlds export an interface that is written inside them.
fn inline_scopes(package: &UnresolvedPackage, interface: wit_parser::InterfaceId) -> Vec<String> {
    let exports = package.worlds.iter().flat_map(|(_, world)| &world.exports);
    exports
        .filter_map(|(key, item)| match (key, item) {
            (WorldKey::Name(name), WorldItem::Interface { id, .. }) if *id == interface => {
                Some(name.clone())
            }
            _ => None,
        })
        .collect()
}

/// The documented fields, cases or labels of a type.
fn documented_items(kind: &TypeDefKind) -> Vec<(&str, &str)> {
    fn pair<'k>(name: &'k str, docs: &'k wit_parser::Docs) -> Option<(&'k str, &'k str)> {
        docs.contents.as_deref().map(|text| (name, text))
    }
    match kind {
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .filter_map(|field| pair(&field.name, &field.docs))
            .collect(),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .filter_map(|case| pair(&case.name, &case.docs))
            .collect(),
        TypeDefKind::Enum(labels) => labels
            .cases
            .iter()
            .filter_map(|case| pair(&case.name, &case.docs))
            .collect(),
        TypeDefKind::Flags(flags) => flags
            .flags
            .iter()
            .filter_map(|flag| pair(&flag.name, &flag.docs))
            .collect(),
        _ => Vec::new(),
    }
}

/// The files of a bundle; a text without marks is one file.
fn split_files(text: &str) -> Vec<(&str, &str)> {
    let Some(first) = text.strip_prefix(FILE_MARK) else {
        return vec![("component.wit", text)];
    };
    let separator = format!("\n{FILE_MARK}");
    first
        .split(separator.as_str())
        .map(|file| file.split_once('\n').unwrap_or((file, "")))
        .collect()
}

/// Whether JSON nests less than the parser's stack allows; real documentation nests seven levels.
///
/// Only counts brackets outside strings: whether it is JSON at all is the parser's business.
fn is_flat(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    json.iter().all(|byte| {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth <= 32
    })
}

/// The object-valued entries of the object `map[key]`.
fn objects<'m>(
    map: &'m Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = (&'m str, &'m Map<String, Value>)> {
    let entries = map
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    entries.filter_map(|(name, value)| Some((name.as_str(), value.as_object()?)))
}

fn without_version(interface: &str) -> &str {
    interface
        .split_once('@')
        .map_or(interface, |(name, _)| name)
}

/// The scopes under which an interface may be documented, the more precise first.
fn scopes(interface: Option<&str>) -> impl Iterator<Item = &str> {
    let qualified = interface.map_or(WORLD, without_version);
    let short = qualified.rsplit_once('/').map(|(_, short)| short);
    std::iter::once(qualified).chain(short)
}

/// What `docs` of a function say about its parameter `name`.
///
/// WIT has no place for it, so authors write lists: `- name: text`, `* ``name`` - text`,
/// `@param name text`.
pub(crate) fn parameter_docs(docs: &str, name: &str) -> Option<String> {
    docs.lines().find_map(|line| {
        let line = line.trim_start();
        let (rest, tagged) = match line.strip_prefix("@param ") {
            Some(rest) => (rest, true),
            None => (
                line.strip_prefix("- ")
                    .or_else(|| line.strip_prefix("* "))?,
                false,
            ),
        };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('`') {
            Some(quoted) => quoted.strip_prefix(name)?.strip_prefix('`')?,
            None => rest.strip_prefix(name)?,
        };
        let text = rest.trim_start();
        let text = match text.strip_prefix(':').or_else(|| text.strip_prefix("- ")) {
            Some(text) => text,
            None => text
                .strip_prefix("— ")
                .or((tagged && text != rest).then_some(text))?,
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests;
