//! A certificate with its key, in two PEM files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{TlsError, content, missing, read, write};
use crate::files;

const DAY: Duration = Duration::from_hours(24);

/// How long an authority is valid.
const AUTHORITY_DAYS: u32 = 3650;

/// How long a server's certificate is valid. Some clients accept no more than 398 days.
const SERVER_DAYS: u32 = 397;

/// A certificate with less time left than this is to be made anew.
const RENEW_DAYS: u32 = 30;

/// A certificate begins this long before it is made, for clients whose clock is behind ours.
const SKEW: Duration = DAY;

/// A certificate and a key, which may have come apart.
pub(super) struct Pair {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    path: PathBuf,
}

impl Pair {
    /// Reads both files; `None` if there is no certificate.
    pub(super) fn load(path: &Path, key_path: &Path) -> Result<Option<Self>, TlsError> {
        let Some(text) = read(path)? else {
            return Ok(None);
        };
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| {
            content(
                path,
                "holds no certificate in PEM form; restore or remove it",
            )
        })?;
        let text = read(key_path)?.ok_or_else(|| missing(key_path))?;
        let key = KeyPair::from_pem(&text)
            .map_err(|_| content(key_path, "holds no private key in PEM form; restore it"))?;
        let path = path.to_owned();
        Ok(Some(Self {
            certificate,
            key,
            path,
        }))
    }

    /// Makes an authority that may sign servers' certificates, valid from `now`, and writes it.
    pub(super) fn make_authority(
        path: &Path,
        key_path: &Path,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        // Two authorities of one name would be told apart by few clients only.
        let id = hex::encode(params.key_identifier(&key));
        params.distinguished_name = common_name(&format!("Bonded CA {}", &id[..8]));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, AUTHORITY_DAYS);
        let certificate = params.self_signed(&key)?;
        Self::save(&certificate, key, path, key_path)
    }

    /// Makes a certificate for `names` under `authority`, valid from `now`, and writes it.
    pub(super) fn make_server(
        authority: &Self,
        names: &[String],
        path: &Path,
        key_path: &Path,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let issuer = Issuer::from_ca_cert_der(&authority.certificate, &authority.key)?;
        // A new key each time: the serial number is made from it, and must not come twice.
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name("Bonded server");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, SERVER_DAYS);
        let certificate = params.signed_by(&key, &issuer)?;
        Self::save(&certificate, key, path, key_path)
    }

    /// Writes both, the key first.
    fn save(
        certificate: &rcgen::Certificate,
        key: KeyPair,
        path: &Path,
        key_path: &Path,
    ) -> Result<Self, TlsError> {
        let text = zeroize::Zeroizing::new(key.serialize_pem());
        write(key_path, text.as_bytes(), files::PRIVATE)?;
        write(path, certificate.pem().as_bytes(), files::PUBLIC)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            key,
            path: path.to_owned(),
        })
    }

    /// The certificate.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The private key.
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Whether the key is the certificate's.
    pub(super) fn matches(&self) -> Result<bool, TlsError> {
        Ok(self.parsed()?.public_key().raw == self.key.subject_public_key_info())
    }

    /// Whether it is valid at `now` and for a while.
    pub(super) fn lasts(&self, now: Timestamp) -> Result<bool, TlsError> {
        let validity = self.parsed()?.validity().clone();
        let end = now.after(DAY * RENEW_DAYS).as_seconds();
        Ok(validity.not_before.timestamp() <= now.as_seconds()
            && validity.not_after.timestamp() > end)
    }

    /// Whether it can go on to serve exactly `names` under `authority`, whose name has its key's
    /// identifier in it.
    pub(super) fn serves(
        &self,
        authority: &Self,
        names: &[String],
        now: Timestamp,
    ) -> Result<bool, TlsError> {
        let certificate = self.parsed()?;
        let issuer = authority.parsed()?;
        let found = certificate.subject_alternative_name().ok().flatten();
        let found = found.map_or(&[][..], |names| &names.value.general_names);
        let mut found: Vec<String> = found.iter().map(name).collect();
        let mut wanted = names.to_vec();
        found.sort();
        wanted.sort();
        Ok(found == wanted
            && certificate.issuer().as_raw() == issuer.subject().as_raw()
            && self.matches()?
            && self.lasts(now)?)
    }

    fn parsed(&self) -> Result<X509Certificate<'_>, TlsError> {
        let parsed = X509Certificate::from_der(&self.certificate);
        parsed.map(|(_, certificate)| certificate).map_err(|_| {
            content(
                &self.path,
                "holds no X.509 certificate; restore or remove it",
            )
        })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, days: u32) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(u64::try_from(now.as_seconds()).unwrap_or(0));
    params.not_before = epoch + now.saturating_sub(SKEW);
    params.not_after = epoch + now.saturating_sub(SKEW) + DAY * days;
}

/// A name as it was asked for.
fn name(name: &GeneralName<'_>) -> String {
    let address = |bytes: &[u8]| -> Option<std::net::IpAddr> {
        let v4 = <[u8; 4]>::try_from(bytes).map(Into::into);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(Into::into))
            .ok()
    };
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => address(bytes).map_or_else(String::new, |a| a.to_string()),
        other => other.to_string(),
    }
}
