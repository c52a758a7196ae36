//! From nodes to the typed language.

use super::fields::{Fields, join, list, text, unknown_word};
use super::network::network_rule;
use super::{
    Access, Document, EnvironmentRule, EnvironmentSource, LimitRules, Permissions, Rules, Share,
    StorageRule, Tool,
};
use crate::document::{Entry, Node, Value};
use crate::error::{Located, PolicyError, Refusal};
use crate::mode::{ClockMode, RandomMode};
use crate::pattern::StorageUri;

/// The longest key of an environment variable in bytes.
const MAX_KEY: usize = 256;
/// The longest name of a tool or secret in bytes.
const MAX_NAME: usize = 128;

pub(super) fn document(node: &Node) -> Result<Document, PolicyError> {
    if matches!(node.value, Value::Null) {
        return Ok(Document::empty());
    }
    let fields = Fields::of(
        node,
        "",
        &["version", "description", "strict", "permissions"],
    )?;
    let Some(version) = fields.parsed("version", version)? else {
        return Err(PolicyError::language(node.place, "the version is missing")
            .hint("start the file with version: \"1.0\""));
    };
    let permissions = match fields.get("permissions") {
        Some(node) => permissions(node, "permissions", true)?,
        None => Permissions::default(),
    };
    Ok(Document {
        version: Some(version),
        description: fields
            .get("description")
            .filter(|node| !matches!(node.value, Value::Null))
            .map(|node| text(node, "description").map(str::to_owned))
            .transpose()?,
        strict: fields.parsed("strict", boolean)?,
        permissions,
    })
}

fn version(text: &str) -> Result<String, Refusal> {
    let minor = text.strip_prefix("1.").filter(|minor| {
        (1..=4).contains(&minor.len()) && minor.bytes().all(|byte| byte.is_ascii_digit())
    });
    match minor {
        Some(_) => Ok(text.to_owned()),
        None => Err(Refusal::new(format!("unknown version {text:?}"))
            .hint("this release reads version: \"1.0\"")),
    }
}

fn boolean(text: &str) -> Result<bool, Refusal> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::new(format!(
            "expected true or false, found {text:?}"
        ))),
    }
}

fn permissions(node: &Node, path: &str, with_tools: bool) -> Result<Permissions, PolicyError> {
    let all = [
        "storage",
        "network",
        "environment",
        "clocks",
        "random",
        "resources",
        "tools",
    ];
    let known = if with_tools {
        &all[..]
    } else {
        all.split_last().map_or(&all[..], |(_, rest)| rest)
    };
    let fields = Fields::of(node, path, known)?;
    let mut permissions = Permissions {
        clocks: fields.parsed("clocks", clocks)?,
        random: fields
            .get("random")
            .map(|node| random(node, &fields.path_of("random")))
            .transpose()?,
        ..Permissions::default()
    };
    if let Some(node) = fields.get("storage") {
        permissions.storage = rules(
            node,
            &fields.path_of("storage"),
            storage_allow,
            storage_deny,
        )?;
    }
    if let Some(node) = fields.get("network") {
        permissions.network = rules(node, &fields.path_of("network"), network_rule, network_rule)?;
    }
    if let Some(node) = fields.get("environment") {
        permissions.environment = rules(
            node,
            &fields.path_of("environment"),
            environment_allow,
            environment_deny,
        )?;
    }
    if let Some(node) = fields.get("resources") {
        let resources = Fields::of(node, &fields.path_of("resources"), &["limits"])?;
        if let Some(node) = resources.get("limits") {
            permissions.limits = limits(node, &resources.path_of("limits"))?;
        }
    }
    if let Some(node) = fields.get("tools") {
        let path = fields.path_of("tools");
        for entry in Fields::open(node, &path)? {
            permissions.tools.push(tool(entry, &path)?);
        }
    }
    Ok(permissions)
}

fn tool(entry: &Entry, path: &str) -> Result<Tool, PolicyError> {
    let name = entry.key.as_str();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(PolicyError::language(
            entry.place,
            format!("{path}: {name:?} is not the name of a tool"),
        ));
    }
    let path = join(path, name);
    Ok(Tool {
        name: Located::new(entry.key.clone(), entry.place),
        permissions: permissions(&entry.node, &path, false)?,
        storage: share(&entry.node, &path, "storage")?,
        network: share(&entry.node, &path, "network")?,
        environment: share(&entry.node, &path, "environment")?,
    })
}

/// Tells how much of a kind a tool has. Nothing between the two lists could mean all as well as nothing, so it is refused.
fn share(tool: &Node, path: &str, kind: &str) -> Result<Share, PolicyError> {
    let Some(entry) = tool.entry(kind) else {
        return Ok(Share::All);
    };
    if entry.node.entry("allow").is_some() {
        Ok(Share::Listed)
    } else if entry.node.entry("deny").is_some() {
        Ok(Share::Rest)
    } else {
        Err(PolicyError::language(
            entry.place,
            format!("{path}.{kind}: names neither allow nor deny"),
        )
        .hint("write allow: [] if the tool is to have none of it, or remove the key"))
    }
}

/// Reads a section's `allow` and `deny` lists.
fn rules<A, D>(
    node: &Node,
    path: &str,
    allow: impl Fn(&Node, &str) -> Result<A, PolicyError>,
    deny: impl Fn(&Node, &str) -> Result<D, PolicyError>,
) -> Result<Rules<A, D>, PolicyError> {
    let fields = Fields::of(node, path, &["allow", "deny"])?;
    Ok(Rules {
        allow: entries(&fields, "allow", allow)?,
        deny: entries(&fields, "deny", deny)?,
    })
}

fn entries<T>(
    fields: &Fields<'_>,
    key: &str,
    read: impl Fn(&Node, &str) -> Result<T, PolicyError>,
) -> Result<Vec<Located<T>>, PolicyError> {
    let Some(node) = fields.get(key) else {
        return Ok(Vec::new());
    };
    let path = fields.path_of(key);
    list(node, &path)?
        .iter()
        .enumerate()
        .map(|(index, item)| {
            Ok(Located::new(
                read(item, &format!("{path}[{index}]"))?,
                item.place,
            ))
        })
        .collect()
}

fn storage(node: &Node, path: &str) -> Result<(StorageUri, Option<Access>), PolicyError> {
    let fields = Fields::of(node, path, &["uri", "access"])?;
    let Some(uri) = fields.parsed("uri", StorageUri::parse)? else {
        return Err(PolicyError::language(
            fields.place,
            format!("{path}: the uri is missing"),
        ));
    };
    let words = fields.parsed_list("access", |word| {
        let known = Access::WORDS.iter().find(|(own, _)| *own == word);
        known
            .map(|(_, access)| *access)
            .ok_or_else(|| unknown_word(word, &Access::WORDS.map(|(own, _)| own)))
    })?;
    let access = words.map(|words| {
        words
            .value
            .into_iter()
            .fold(Access::default(), Access::union)
    });
    Ok((uri.value, access))
}

fn storage_allow(node: &Node, path: &str) -> Result<StorageRule, PolicyError> {
    match storage(node, path)? {
        (uri, Some(access)) => Ok(StorageRule { uri, access }),
        (_, None) => Err(PolicyError::language(
            node.place,
            format!("{path}: the access is missing"),
        )
        .hint("add access: [\"read\"], [\"write\"] or [\"read\", \"write\"]")),
    }
}

fn storage_deny(node: &Node, path: &str) -> Result<StorageRule, PolicyError> {
    let (uri, access) = storage(node, path)?;
    let access = access.unwrap_or(Access::ALL);
    Ok(StorageRule { uri, access })
}

/// Checks the key of an environment variable; keys are compared byte by byte.
pub(crate) fn environment_key(text: &str) -> Result<String, Refusal> {
    if text.contains(['*', '?']) {
        return Err(Refusal::new(format!(
            "{text:?} is a pattern, and keys of variables are written out in full"
        ))
        .hint("a pattern would also allow variables that are set later; name each key"));
    }
    let wrong =
        |character: char| character == '=' || character.is_whitespace() || character.is_control();
    if text.is_empty() || text.len() > MAX_KEY || text.contains(wrong) {
        return Err(Refusal::new(format!(
            "{text:?} is not the key of an environment variable"
        )));
    }
    Ok(text.to_owned())
}

fn environment_allow(node: &Node, path: &str) -> Result<EnvironmentRule, PolicyError> {
    let fields = Fields::of(node, path, &["key", "value", "secret"])?;
    let Some(key) = fields.parsed("key", environment_key)? else {
        return Err(PolicyError::language(
            fields.place,
            format!("{path}: the key is missing"),
        ));
    };
    let value = fields.parsed("value", |text| match text.contains('\0') {
        true => Err(Refusal::new("a value cannot hold a NUL character")),
        false => Ok(text.to_owned()),
    })?;
    let source = match (value, fields.parsed("secret", secret_name)?) {
        (None, None) => EnvironmentSource::Server,
        (Some(value), None) => EnvironmentSource::Literal(value.value),
        (None, Some(secret)) => EnvironmentSource::Secret(secret),
        (Some(_), Some(secret)) => {
            return Err(PolicyError::language(
                secret.place,
                format!("{path}: has a value and a secret; only one can be given"),
            ));
        }
    };
    Ok(EnvironmentRule {
        key: key.value,
        source,
    })
}

fn environment_deny(node: &Node, path: &str) -> Result<String, PolicyError> {
    let fields = Fields::of(node, path, &["key"])?;
    match fields.parsed("key", environment_key)? {
        Some(key) => Ok(key.value),
        None => Err(PolicyError::language(
            fields.place,
            format!("{path}: the key is missing"),
        )),
    }
}

/// Checks the name of a secret.
pub(super) fn secret_name(text: &str) -> Result<String, Refusal> {
    let fits = text.starts_with(|character: char| character.is_ascii_alphanumeric())
        && text.len() <= MAX_NAME
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(
            Refusal::new(format!("{text:?} is not the name of a secret"))
                .hint("letters, digits, '-', '_' and '.', starting with a letter or digit"),
        )
    }
}

fn clocks(text: &str) -> Result<ClockMode, Refusal> {
    ClockMode::named(text).ok_or_else(|| unknown_word(text, &ClockMode::NAMES))
}

fn random(node: &Node, path: &str) -> Result<Located<RandomMode>, PolicyError> {
    if matches!(node.value, Value::Map(_)) {
        let fields = Fields::of(node, path, &["seed"])?;
        let seed = fields.parsed("seed", |text| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| text.parse().ok()).flatten();
            number.ok_or_else(|| {
                Refusal::new(format!(
                    "{text:?} is not a whole number from 0 to {}",
                    u64::MAX
                ))
            })
        })?;
        return match seed {
            Some(seed) => Ok(Located::new(RandomMode::Seed(seed.value), node.place)),
            None => Err(PolicyError::language(
                node.place,
                format!("{path}: the seed is missing"),
            )),
        };
    }
    super::fields::parsed(node, path, |text| match text {
        "none" => Ok(RandomMode::None),
        "secure" => Ok(RandomMode::Secure),
        _ => Err(unknown_word(text, &["none", "secure", "{ seed: NUMBER }"])),
    })
}

fn limits(node: &Node, path: &str) -> Result<LimitRules, PolicyError> {
    let fields = Fields::of(node, path, LimitRules::KEYS)?;
    let mut rules = LimitRules::default();
    for key in LimitRules::KEYS {
        if let Some(node) = fields.get(key) {
            super::fields::parsed(node, &fields.path_of(key), |text| {
                rules.read(key, text, node.place)
            })?;
        }
    }
    Ok(rules)
}
