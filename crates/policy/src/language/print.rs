//! Writes the language as YAML that reads back as the same.

use std::fmt::Write as _;

use super::{
    Document, EnvironmentRule, EnvironmentSource, Header, HeaderPart, LimitRules, NetworkRule,
    Permissions, Rules, Share, StorageRule,
};
use crate::error::Located;

/// Lines with their indentation; a section that turns out empty leaves nothing.
#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn line(&mut self, indent: usize, text: &str) {
        for _ in 0..indent {
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Writes `key:` and what `content` writes below it, or nothing if that is nothing.
    fn section(&mut self, indent: usize, key: &str, content: impl FnOnce(&mut Self)) {
        let before = self.text.len();
        self.line(indent, &format!("{key}:"));
        let after = self.text.len();
        content(self);
        if self.text.len() == after {
            self.text.truncate(before);
        }
    }

    /// Writes one entry of a list from its `key: value` lines.
    fn entry(&mut self, indent: usize, pairs: &[String]) {
        for (index, pair) in pairs.iter().enumerate() {
            let lead = if index == 0 { "- " } else { "  " };
            self.line(indent, &format!("{lead}{pair}"));
        }
    }
}

pub(super) fn document(document: &Document) -> String {
    let mut lines = Lines::default();
    let Some(version) = &document.version else {
        return String::new();
    };
    lines.line(0, &format!("version: {}", quoted(&version.value)));
    if let Some(description) = &document.description {
        lines.line(0, &format!("description: {}", quoted(description)));
    }
    if let Some(strict) = &document.strict {
        lines.line(0, &format!("strict: {}", strict.value));
    }
    lines.section(0, "permissions", |lines| {
        permissions(lines, 1, &document.permissions)
    });
    lines.text
}

fn permissions(lines: &mut Lines, indent: usize, permissions: &Permissions) {
    let lists = [Share::All; 3];
    kinds(lines, indent, permissions, lists);
    if !permissions.tools.is_empty() {
        lines.line(indent, "tools:");
        for tool in &permissions.tools {
            lines.line(indent + 1, &format!("{}:", quoted(&tool.name.value)));
            let lists = [tool.storage, tool.network, tool.environment];
            kinds(lines, indent + 2, &tool.permissions, lists);
        }
    }
}

fn kinds(
    lines: &mut Lines,
    indent: usize,
    permissions: &Permissions,
    [own_storage, own_network, own_environment]: [Share; 3],
) {
    lines.section(indent, "storage", |lines| {
        let own = &permissions.storage;
        rules(lines, indent + 1, own, own_storage, storage, storage)
    });
    lines.section(indent, "network", |lines| {
        let own = &permissions.network;
        rules(lines, indent + 1, own, own_network, network, network)
    });
    lines.section(indent, "environment", |lines| {
        let own = &permissions.environment;
        let deny = |key: &String| vec![format!("key: {}", quoted(key))];
        rules(lines, indent + 1, own, own_environment, environment, deny);
    });
    if let Some(clocks) = &permissions.clocks {
        lines.line(indent, &format!("clocks: {}", clocks.value));
    }
    if let Some(random) = &permissions.random {
        lines.line(indent, &format!("random: {}", random.value));
    }
    lines.section(indent, "resources", |lines| {
        lines.section(indent + 1, "limits", |lines| {
            limits(lines, indent + 2, &permissions.limits)
        });
    });
}

fn rules<A, D>(
    lines: &mut Lines,
    indent: usize,
    rules: &Rules<A, D>,
    share: Share,
    allow: impl Fn(&A) -> Vec<String>,
    deny: impl Fn(&D) -> Vec<String>,
) {
    // A list without entries says something only where it stands in the place of a component's.
    if share == Share::Listed && rules.allow.is_empty() {
        lines.line(indent, "allow: []");
    }
    lines.section(indent, "allow", |lines| {
        entries(lines, indent + 1, &rules.allow, allow)
    });
    // So does one that is all there is.
    if share == Share::Rest && rules.deny.is_empty() {
        lines.line(indent, "deny: []");
    }
    lines.section(indent, "deny", |lines| {
        entries(lines, indent + 1, &rules.deny, deny)
    });
}

fn entries<T>(
    lines: &mut Lines,
    indent: usize,
    rules: &[Located<T>],
    pairs: impl Fn(&T) -> Vec<String>,
) {
    for rule in rules {
        lines.entry(indent, &pairs(&rule.value));
    }
}

/// Returns the lines of a storage entry.
pub(super) fn storage(rule: &StorageRule) -> Vec<String> {
    let words: Vec<String> = rule.access.words().map(quoted).collect();
    vec![
        format!("uri: {}", quoted(&rule.uri.to_string())),
        format!("access: [{}]", words.join(", ")),
    ]
}

/// Returns the lines of a network entry.
pub(super) fn network(rule: &NetworkRule) -> Vec<String> {
    let mut pairs = Vec::new();
    if let Some(host) = &rule.host {
        pairs.push(format!("host: {}", quoted(&host.value.to_string())));
    }
    if let Some(cidr) = &rule.cidr {
        pairs.push(format!("cidr: {}", quoted(&cidr.value.to_string())));
    }
    if let Some(tcp) = &rule.tcp {
        pairs.push(format!("tcp: {}", quoted(&tcp.value.to_string())));
    }
    if let Some(schemes) = &rule.schemes {
        pairs.push(format!(
            "schemes: {}",
            list(
                schemes
                    .value
                    .iter()
                    .map(|scheme| scheme.as_str().to_owned())
            )
        ));
    }
    if let Some(ports) = &rule.ports {
        pairs.push(format!(
            "ports: {}",
            list(ports.value.iter().map(u16::to_string))
        ));
    }
    if let Some(methods) = &rule.methods {
        pairs.push(format!(
            "methods: {}",
            list(methods.value.iter().map(|method| quoted(method)))
        ));
    }
    if let Some(paths) = &rule.paths {
        pairs.push(format!(
            "paths: {}",
            list(paths.value.iter().map(|path| quoted(&path.to_string())))
        ));
    }
    if let Some(headers) = &rule.headers {
        pairs.push(format!(
            "headers: {{ {} }}",
            headers
                .value
                .iter()
                .map(header)
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    pairs
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn header(header: &Header) -> String {
    let mut value = String::new();
    for part in &header.value {
        match part {
            HeaderPart::Text(text) => value.push_str(text),
            HeaderPart::Secret(name) => {
                value.push_str("{secret:");
                value.push_str(name);
                value.push('}');
            }
        }
    }
    format!("{}: {}", quoted(&header.name), quoted(&value))
}

/// Returns the lines of an entry about a variable.
pub(super) fn environment(rule: &EnvironmentRule) -> Vec<String> {
    let key = format!("key: {}", quoted(&rule.key));
    match &rule.source {
        EnvironmentSource::Server => vec![key],
        EnvironmentSource::Literal(value) => vec![key, format!("value: {}", quoted(value))],
        EnvironmentSource::Secret(name) => vec![key, format!("secret: {}", quoted(&name.value))],
    }
}

fn limits(lines: &mut Lines, indent: usize, limits: &LimitRules) {
    for limit in limits.written() {
        let amount = LimitRules::yaml(&limit.amount);
        lines.line(indent, &format!("{}: {amount}", limit.key));
    }
}

/// Writes a text in double quotes; everything that YAML could take for something else is escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            ' '..='~' => quoted.push(character),
            // Control characters, line separators, byte-order marks and what no YAML reader must accept.
            '\0'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'.. => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
