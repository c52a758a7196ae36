//! Connections of tests: names from a table, addresses of this machine, and a note of each.
//!
//! The product's connector is in `casemate-runtime`; this one lets tests of `casemate-artifact` say who
//! is where.

use casemate_artifact::{
    ConnectError, Connected, Connector, CredentialError, Credentials, Login, Pending, Place,
};
use casemate_policy::{HttpHost, HttpScheme};
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where a name of the table leads.
#[derive(Clone, Copy, Debug)]
struct Known {
    address: SocketAddr,
    special: bool,
}

/// Connects to this machine, whatever the name.
#[derive(Clone)]
pub struct Direct {
    config: Arc<ClientConfig>,
    names: BTreeMap<String, Known>,
    places: Arc<Mutex<Vec<(Place, bool)>>>,
}

impl Direct {
    /// One that believes certificates of this authority; of none without one.
    #[must_use]
    pub fn new(root: Option<CertificateDer<'static>>) -> Self {
        Self::trusting(root.into_iter().collect())
    }

    /// One that believes certificates of these authorities.
    #[must_use]
    pub fn trusting(authorities: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            config: Arc::new(config),
            names: BTreeMap::new(),
            places: Arc::default(),
        }
    }

    /// Lets a name lead to a port of 127.0.0.1, and its address count as a special-use one or not.
    #[must_use]
    pub fn with_name(mut self, name: &str, port: u16, special: bool) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.names
            .insert(name.to_owned(), Known { address, special });
        self
    }

    /// Every place that somebody wanted to reach, and whether special-use addresses were allowed.
    #[must_use]
    pub fn places(&self) -> Vec<(Place, bool)> {
        self.places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, to: &Place, special: bool) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.push((to.clone(), special));
    }

    fn find(&self, to: &Place) -> Result<Known, ConnectError> {
        match &to.host {
            HttpHost::Address(address) => Ok(Known {
                address: SocketAddr::new(*address, to.port),
                special: is_special(*address),
            }),
            HttpHost::Name(name) if name == "localhost" => Ok(Known {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, to.port)),
                special: true,
            }),
            HttpHost::Name(name) => self
                .names
                .get(name)
                .copied()
                .ok_or_else(|| ConnectError::Name("no such name in this test".to_owned())),
        }
    }
}

fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(own) => own.is_loopback() || own.is_private() || own.is_link_local(),
        IpAddr::V6(own) => own.is_loopback() || own.is_unique_local(),
    }
}

impl Connector for Direct {
    fn connect<'a>(
        &'a self,
        to: &'a Place,
        special: bool,
    ) -> Pending<'a, Result<Connected, ConnectError>> {
        Box::pin(async move {
            self.note(to, special);
            let known = self.find(to)?;
            if known.special && !special {
                return Err(ConnectError::Special("a special-use address".to_owned()));
            }
            let failed = |error: std::io::Error| ConnectError::Failed(error.kind().to_string());
            let stream = TcpStream::connect(known.address).await.map_err(failed)?;
            let special = known.special;
            if to.scheme == HttpScheme::Http {
                let stream = Box::new(stream);
                return Ok(Connected { stream, special });
            }
            let name = match &to.host {
                HttpHost::Address(address) => ServerName::from(*address),
                HttpHost::Name(name) => {
                    ServerName::DnsName(DnsName::try_from(name.clone()).unwrap())
                }
            };
            let tls = TlsConnector::from(Arc::clone(&self.config));
            let stream = tls
                .connect(name, stream)
                .await
                .map_err(|error| ConnectError::Tls(error.to_string()))?;
            let stream = Box::new(stream);
            Ok(Connected { stream, special })
        })
    }
}

/// One login for every registry, and a note of who asked for it.
#[derive(Clone, Debug, Default)]
pub struct FixedLogin {
    login: Option<Login>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FixedLogin {
    /// No login.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A name and a password.
    #[must_use]
    pub fn basic(user: &str, secret: &str) -> Self {
        Self::of(Login::Basic {
            user: user.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Any login.
    #[must_use]
    pub fn of(login: Login) -> Self {
        Self {
            login: Some(login),
            asked: Arc::default(),
        }
    }

    /// The registries that it was asked for.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Credentials for FixedLogin {
    fn of(&self, registry: &str) -> Result<Option<Login>, CredentialError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(registry.to_owned());
        Ok(self.login.clone())
    }
}
