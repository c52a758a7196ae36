//! Names to addresses, by asking name servers and nothing else.

use super::network::{MAX_LOOKUP_TIME, Pending, ResolveError, Resolver};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long one server is waited for, once.
const TRY_TIME: Duration = Duration::from_secs(2);
/// Repetitions after a try that failed.
const REPETITIONS: usize = 1;
/// Name servers that are asked, as many as the C library reads.
const MAX_SERVERS: usize = 3;
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Asks name servers for A and AAAA records of a whole name.
///
/// No search list, no hosts file, no cache: whoever listens in on the lookups of one call learns
/// nothing of another's, and a server that answers differently the second time is judged again.
pub struct Dns {
    source: Source,
    current: Mutex<Option<Current>>,
}

enum Source {
    /// A file like `/etc/resolv.conf`, of which only the name servers count.
    File(PathBuf),
    Servers(Vec<NameServerConfig>),
}

struct Current {
    changed: Option<SystemTime>,
    resolver: Arc<TokioResolver>,
}

impl Dns {
    /// The name servers of `/etc/resolv.conf`.
    #[must_use]
    pub fn system() -> Self {
        Self::from(Source::File(PathBuf::from(RESOLV_CONF)))
    }

    /// These name servers and ports, by UDP and, for an answer too long for it, TCP.
    #[must_use]
    pub fn servers(servers: &[std::net::SocketAddr]) -> Self {
        let servers = servers.iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        });
        Self::from(Source::Servers(servers.collect()))
    }

    fn from(source: Source) -> Self {
        Self {
            source,
            current: Mutex::new(None),
        }
    }

    /// The resolver in force; made anew when the file it comes from has changed.
    fn current(&self) -> Result<Arc<TokioResolver>, ResolveError> {
        let changed = match &self.source {
            Source::File(path) => std::fs::metadata(path)
                .and_then(|data| data.modified())
                .ok(),
            Source::Servers(_) => None,
        };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = &*current
            && current.changed == changed
        {
            return Ok(Arc::clone(&current.resolver));
        }
        let servers = match &self.source {
            Source::File(path) => from_file(path)?,
            Source::Servers(servers) => servers.clone(),
        };
        let resolver = Arc::new(build(servers)?);
        *current = Some(Current {
            changed,
            resolver: Arc::clone(&resolver),
        });
        Ok(resolver)
    }
}

fn from_file(path: &Path) -> Result<Vec<NameServerConfig>, ResolveError> {
    let failed = |error: &dyn std::fmt::Display| {
        ResolveError::Failed(format!("{}: {error}", path.display()))
    };
    let text = std::fs::read(path).map_err(|error| failed(&error))?;
    let (config, _) =
        hickory_resolver::system_conf::parse_resolv_conf(text).map_err(|error| failed(&error))?;
    let (_, _, mut servers) = config.into_parts();
    servers.truncate(MAX_SERVERS);
    Ok(servers)
}

fn build(servers: Vec<NameServerConfig>) -> Result<TokioResolver, ResolveError> {
    let config = ResolverConfig::from_name_servers(servers);
    let mut options = ResolverOpts::default();
    options.timeout = TRY_TIME;
    options.attempts = REPETITIONS;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| ResolveError::Failed(error.to_string()))
}

impl Resolver for Dns {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(async move {
            let resolver = self.current()?;
            let mut name =
                Name::from_ascii(name).map_err(|error| ResolveError::Failed(error.to_string()))?;
            name.set_fqdn(true);
            let both = async {
                tokio::join!(
                    resolver.lookup(name.clone(), RecordType::A),
                    resolver.lookup(name.clone(), RecordType::AAAA)
                )
            };
            let (v4, v6) = tokio::time::timeout(MAX_LOOKUP_TIME, both)
                .await
                .map_err(|_elapsed| ResolveError::Timeout)?;
            let mut addresses = Vec::new();
            let mut failure = None;
            for answer in [v4, v6] {
                match answer {
                    Ok(lookup) => {
                        let found = lookup
                            .answers()
                            .iter()
                            .filter_map(|record| address(&record.data));
                        addresses.extend(found);
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            match failure {
                _ if !addresses.is_empty() => Ok(addresses),
                Some(error) => Err(because(&error)),
                None => Err(ResolveError::Answer("NOERROR".to_owned())),
            }
        })
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

fn because(error: &NetError) -> ResolveError {
    match error {
        NetError::Timeout => ResolveError::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            ResolveError::Answer(word(none.response_code))
        }
        NetError::Dns(DnsError::ResponseCode(code)) => ResolveError::Answer(word(*code)),
        other => ResolveError::Failed(other.to_string()),
    }
}

/// The word of RFC 1035 and its successors for a response code.
fn word(code: hickory_resolver::proto::op::ResponseCode) -> String {
    format!("{code:?}").to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
