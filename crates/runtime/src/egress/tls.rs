//! TLS to the host that the policy names.

use super::network::Deadlines;
use casemate_policy::HttpHost;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_http::Error;

type Load = dyn Fn() -> Vec<CertificateDer<'static>> + Send + Sync;

/// The certificates that a server's certificate has to lead to. None at all trusts no server.
pub struct TrustRoots {
    load: Arc<Load>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl TrustRoots {
    /// Certificates that are asked for when the first TLS connection is made, on a thread that may
    /// block, and then kept. Those that are no trust anchors are left out.
    #[must_use]
    pub fn lazy(load: impl Fn() -> Vec<CertificateDer<'static>> + Send + Sync + 'static) -> Self {
        Self {
            load: Arc::new(load),
            config: OnceCell::new(),
        }
    }

    /// Whether a certificate can be one of them: readable, and of a form that others can lead to.
    #[must_use]
    pub fn takes(certificate: &CertificateDer<'static>) -> bool {
        RootCertStore::empty().add(certificate.clone()).is_ok()
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        let make = || async {
            let load = Arc::clone(&self.load);
            let certificates =
                tokio::task::spawn_blocking(move || load())
                    .await
                    .map_err(|error| {
                        tracing::error!(%error, "the trusted certificates could not be loaded");
                        Error::ConfigurationError
                    })?;
            config(certificates).map(Arc::new)
        };
        self.config.get_or_try_init(make).await.cloned()
    }

    /// Shakes hands with `host` over `stream`: its name is what is asked for (SNI) and what the
    /// certificate has to bear; an address has to be one of the certificate's own.
    ///
    /// # Errors
    ///
    /// WASI's code for a handshake that failed, or did not end within its deadline.
    pub(super) async fn connect(
        &self,
        host: &HttpHost,
        stream: TcpStream,
        deadlines: &Deadlines,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let name = match host {
            HttpHost::Name(name) => DnsName::try_from(name.clone())
                .map(ServerName::DnsName)
                // A name that no certificate can bear.
                .map_err(|_| Error::TlsCertificateError)?,
            HttpHost::Address(address) => ServerName::from(*address),
        };
        let handshake = async {
            let connector = TlsConnector::from(self.config().await?);
            connector.connect(name, stream).await.map_err(|error| {
                tracing::debug!(%host, %error, "TLS handshake failed");
                failure(&error)
            })
        };
        tokio::time::timeout(deadlines.tls, handshake)
            .await
            .unwrap_or(Err(Error::ConnectionTimeout))
    }
}

fn config(certificates: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let (known, ignored) = roots.add_parsable_certificates(certificates);
    tracing::debug!(known, ignored, "trusted certificates");
    if known == 0 {
        tracing::warn!("there is no trusted certificate, so no TLS server can be reached");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            tracing::error!(%error, "TLS cannot be configured");
            Error::ConfigurationError
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A session resumed would tell a server that two components, or two policies, are one place.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What a failed handshake, or a failure of TLS later on, is in WASI's terms.
pub(super) fn failure(error: &std::io::Error) -> Error {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        Some(_) => Error::TlsProtocolError,
        None => match error.kind() {
            std::io::ErrorKind::InvalidData => Error::TlsProtocolError,
            _ => Error::ConnectionTerminated,
        },
    }
}
