//! Under which keys a file may keep what belongs to a registry.

/// Names of Docker Hub. Docker itself logs in at none of them but under [`HUB_KEY`].
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// The key of Docker Hub in Docker's `config.json`, and what its helpers are asked.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Longest name of a registry with a repository, in bytes.
const MAX_NAME: usize = 512;

/// A registry, and perhaps a repository in it, as keys and helpers know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RegistryKey<'a> {
    host: &'a str,
    path: &'a str,
}

impl<'a> RegistryKey<'a> {
    /// Reads `host[:port][/path]`; `None` where the text could be something else.
    pub(super) fn parse(text: &'a str) -> Option<RegistryKey<'a>> {
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let plain = |text: &str, more: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
        };
        let whole = !text.ends_with('/') && !text.contains("//");
        let fits = text.len() <= MAX_NAME && whole && !host.is_empty() && !host.starts_with('-');
        (fits && plain(host, ".-:[]") && plain(path, "._-/")).then_some(RegistryKey { host, path })
    }

    fn is_hub(&self) -> bool {
        HUB.contains(&self.host)
    }

    /// The one name under which Casemate keeps it.
    pub(super) fn own_key(&self) -> String {
        if self.is_hub() {
            "docker.io".to_owned()
        } else {
            self.host.to_ascii_lowercase()
        }
    }

    /// What a helper is asked for.
    pub(super) fn server(&self) -> &'a str {
        if self.is_hub() { HUB_KEY } else { self.host }
    }

    /// Names that a key may have, in the order of preference: the longest repository first.
    fn names(&self) -> Vec<String> {
        let mut hosts = vec![self.host];
        if self.is_hub() {
            hosts.extend(HUB.iter().filter(|name| **name != self.host));
        }
        let mut names = Vec::new();
        let mut path = self.path;
        loop {
            for host in &hosts {
                names.push(if path.is_empty() {
                    (*host).to_owned()
                } else {
                    format!("{host}/{path}")
                });
            }
            if path.is_empty() {
                return names;
            }
            path = path.rsplit_once('/').map_or("", |(rest, _)| rest);
        }
    }

    /// The entry that speaks of this place most precisely.
    ///
    /// Keys are `host[:port][/path]` (containers-auth.json(5)) or, in old files, a URL of the
    /// registry, whose path says nothing. Of keys that mean the same the plain one is taken, then
    /// the first in the order of their bytes.
    pub(super) fn find<'m, V>(
        &self,
        entries: &'m std::collections::BTreeMap<String, V>,
    ) -> Option<(&'m str, &'m V)> {
        self.names().iter().find_map(|name| {
            entries
                .get_key_value(name)
                .or_else(|| entries.iter().find(|(key, _)| normal(key) == *name))
                .map(|(key, value)| (key.as_str(), value))
        })
    }
}

/// A key without scheme, version path and trailing slash.
fn normal(key: &str) -> String {
    let url = ["https://", "http://"]
        .iter()
        .find_map(|scheme| key.strip_prefix(scheme));
    let name = match url {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None => {
            let key = key.trim_end_matches('/');
            ["/v1", "/v2"]
                .iter()
                .find_map(|version| key.strip_suffix(version))
                .unwrap_or(key)
        }
    };
    match name.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.to_ascii_lowercase()),
        None => name.to_ascii_lowercase(),
    }
}
