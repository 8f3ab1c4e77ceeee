//! Whom we trust when we are the client.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::TlsError;

/// Where systems keep the authorities that everybody trusts.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A client that trusts the certificates in the PEM files `authorities` alone.
///
/// # Errors
/// One cannot be read or holds what is no authority.
pub(crate) fn client_of(authorities: &[PathBuf]) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    for path in authorities {
        add(&mut roots, path)?;
    }
    client(roots)
}

/// A client that trusts what this system trusts, which may be nobody, and the certificates in the
/// PEM file `more`.
///
/// # Errors
/// As [`client_of`], for `more`.
pub(crate) fn client_beside_system(
    more: Option<&Path>,
) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = system_authorities() {
        // One old certificate among those of a system must not spoil the others.
        let found = CertificateDer::pem_file_iter(path).map_err(|e| untrusted(path, &e))?;
        roots.add_parsable_certificates(found.filter_map(Result::ok));
    }
    if let Some(path) = more {
        add(&mut roots, path)?;
    }
    client(roots)
}

/// The PEM file of the authorities that this system trusts, if it has one.
pub(crate) fn system_authorities() -> Option<&'static Path> {
    let mut paths = SYSTEM_AUTHORITIES.iter().map(Path::new);
    paths.find(|path| path.exists())
}

fn add(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), TlsError> {
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| untrusted(path, &e))? {
        let certificate = certificate.map_err(|e| untrusted(path, &e))?;
        roots.add(certificate).map_err(|e| untrusted(path, &e))?;
        count += 1;
    }
    match count {
        0 => Err(untrusted(path, &"it holds no certificate in PEM form")),
        _ => Ok(()),
    }
}

fn client(roots: rustls::RootCertStore) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn untrusted(path: &Path, problem: &dyn Display) -> TlsError {
    TlsError::Trust {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}
