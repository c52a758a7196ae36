//! Whose certificates prove that a server is the one it is called: those of the system, and those that a person adds.

use crate::error::CommandError;
use crate::settings::Settings;
use casemate_artifact::read_policy_path;
use casemate_runtime::{CertificateDer, TrustRoots};
use rustls_native_certs::load_certs_from_paths;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Where the distributions of Linux keep the certificates that a person trusts; the first that is there counts. No variable has a
/// say in it, since whoever starts a server could set one.
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];

/// Certificates and where they are from.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The file; `None` for those that are built in.
    pub(crate) file: Option<PathBuf>,
}

/// What is trusted in a run: the configuration's file, read now, and the system's, read with the first connection that needs them.
///
/// # Errors
///
/// Fails when the configuration names a file that holds no certificates or could be changed by others.
pub(crate) fn roots(settings: &Settings) -> Result<TrustRoots, CommandError> {
    let own = own(settings)?.map_or_else(Vec::new, |own| own.certificates);
    Ok(TrustRoots::lazy(move || {
        let mut certificates = system(&SYSTEM).certificates;
        certificates.extend(own.iter().cloned());
        certificates
    }))
}

/// What the configuration adds.
///
/// # Errors
///
/// As [`roots`].
pub(crate) fn own(settings: &Settings) -> Result<Option<Certificates>, CommandError> {
    let Some(file) = &settings.config.certificates else {
        return Ok(None);
    };
    let hint = || {
        format!(
            "network.certificates of {} names a file of certificates in PEM",
            settings.home.config_file().display()
        )
    };
    // What it holds decides whom tools believe, so it is held to what holds for a policy.
    if read_policy_path(file)?.is_none() {
        let message = format!("there is no file {}", file.display());
        return Err(CommandError::usage(message).hint(hint()));
    }
    let read = load_certs_from_paths(Some(file), None);
    let refused = |why: &str| {
        let message = format!("{}: {why}", file.display());
        CommandError::usage(message).hint(hint())
    };
    if let Some(error) = read.errors.first() {
        return Err(refused(&error.to_string()));
    }
    if read.certs.is_empty() {
        return Err(refused("there is no certificate in it"));
    }
    if !read.certs.iter().all(TrustRoots::takes) {
        return Err(refused("one of its certificates cannot be read"));
    }
    Ok(Some(Certificates {
        certificates: read.certs,
        file: Some(file.clone()),
    }))
}

/// The system's certificates; where it has none, those of Mozilla that are built in.
pub(crate) fn system_certificates() -> Certificates {
    system(&SYSTEM)
}

fn system(files: &[&str]) -> Certificates {
    let mut present = files.iter().map(Path::new).filter(|file| file.exists());
    let found = present.find_map(|file| {
        let read = load_certs_from_paths(Some(file), None);
        for error in &read.errors {
            tracing::warn!(%error, "a trusted certificate could not be read");
        }
        (!read.certs.is_empty()).then(|| Certificates {
            certificates: read.certs,
            file: Some(file.to_owned()),
        })
    });
    found.unwrap_or_else(|| Certificates {
        certificates: webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec(),
        file: None,
    })
}
