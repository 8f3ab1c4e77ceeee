//! The server's certificate: made under an authority of its own, or given by the operator; and whom
//! we trust when we are the client (`trust`).
//!
//! The own authority lives in one directory: `ca.crt` (what clients are told to trust), `ca.key`,
//! `server.crt` and `server.key`. A key is written before its certificate, so that a crash between
//! the two leaves a pair that does not match and is made again.

mod pair;
mod trust;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bonded_model::{Region, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::files;
use pair::Pair;
pub(crate) use trust::{client_beside_system, client_of, system_authorities};

/// How large a certificate or key file may be, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use the file '{}': {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file given by the operator, or found, is not what it should be.
    #[error("the file '{}' {problem}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file of authorities to trust cannot be used.
    #[error("cannot trust the file '{}': {problem}", path.display())]
    Trust {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// rustls refuses certificate and key.
    #[error("cannot serve with this certificate and key: {0}")]
    Serving(#[from] rustls::Error),
}

/// The names a server certificate is made for: loopback, the host's own name, the configured
/// names and addresses, and the ECR names under the domain, without repetition.
pub(crate) fn names(
    host_name: Option<&str>,
    hosts: &[String],
    domain: Option<&str>,
    regions: &[Region],
) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(host_name.map(str::to_lowercase));
    names.extend(hosts.iter().cloned());
    if let Some(domain) = domain {
        names.push(domain.to_owned());
        for region in regions {
            names.push(format!("*.dkr.ecr.{region}.{domain}"));
            names.push(format!("api.ecr.{region}.{domain}"));
        }
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// The configuration to serve with under the own authority in `directory`, valid for `names`
/// (DNS names, with a `*` as first label if wanted, and IP addresses) at `now`. Makes what is
/// missing; makes the server's certificate anew when it ends within 30 days, does not match its
/// key or authority, or has other names.
///
/// # Errors
/// A file cannot be read or written, or the authority's files do not belong together.
pub(crate) fn own(
    directory: &Path,
    names: &[String],
    now: Timestamp,
) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    files::private_directory(directory).map_err(|source| TlsError::File {
        path: directory.to_owned(),
        source,
    })?;
    let (ca_key_path, ca_path) = (directory.join("ca.key"), directory.join("ca.crt"));
    let (key_path, path) = (directory.join("server.key"), directory.join("server.crt"));
    let authority = match Pair::load(&ca_path, &ca_key_path)? {
        None => Pair::make_authority(&ca_path, &ca_key_path, now)?,
        Some(pair) if !pair.matches()? => {
            let problem = "does not match 'ca.key' beside it; restore both from a backup, or \
                           remove both to make a new authority for all clients";
            return Err(content(&ca_path, problem));
        }
        Some(pair) if pair.lasts(now)? => pair,
        Some(_) => {
            let path = ca_path.display();
            tracing::warn!(%path, "the authority ends soon, a new one was made for all clients");
            Pair::make_authority(&ca_path, &ca_key_path, now)?
        }
    };
    let server = match Pair::load(&path, &key_path)? {
        Some(pair) if pair.serves(&authority, names, now)? => pair,
        _ => Pair::make_server(&authority, names, &path, &key_path, now)?,
    };
    server_config(vec![server.certificate().clone()], server.key())
}

/// The configuration to serve with a certificate (a PEM file, the server's own first) and its key
/// (a PEM file).
///
/// # Errors
/// A file cannot be read or is not PEM, or the two do not match.
pub(crate) fn configured(
    certificate: &Path,
    key: &Path,
) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let text = read(certificate)?.ok_or_else(|| missing(certificate))?;
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| content(certificate, &format!("is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(content(certificate, "holds no certificate in PEM form"));
    }
    let text = read(key)?.ok_or_else(|| missing(key))?;
    let key_der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| content(key, "holds no private key in PEM form"))?;
    server_config(chain, key_der)
}

/// TLS 1.2 and 1.3 with the certificate `chain`, HTTP/2 preferred to HTTP/1.1.
///
/// # Errors
/// `key` is not the key of the first certificate, or of no known kind.
pub(crate) fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Option<String>, TlsError> {
    files::read(path, FILE_LIMIT).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    files::write(path, bytes, mode).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

fn missing(path: &Path) -> TlsError {
    content(path, "is missing; restore it from a backup")
}

fn content(path: &Path, problem: &str) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests;
