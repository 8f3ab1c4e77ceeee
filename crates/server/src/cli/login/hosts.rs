//! The registries this user has logged in to: `hosts.toml` in the directory of its settings.
//!
//! The credential helper answers for these alone, so that nobody else is ever sent a signature or
//! the token of an identity provider.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bonded_model::Secret;
use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::client::{Client, ClientError, ClientSettings, Endpoint};
use crate::config::{user_directory, variable};
use crate::files;

/// How large the file may be, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// How one registry is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Host {
    /// Where its AWS APIs are.
    pub(crate) endpoint: String,
    /// A PEM file with the authority of its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<PathBuf>,
    /// The profile in `~/.aws`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// The data directory of the server, if it is on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<PathBuf>,
}

impl Host {
    /// A client of it; `web_identity` is a role and the token that it is assumed with.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn client(
        &self,
        web_identity: Option<(String, Secret)>,
    ) -> Result<Client, ClientError> {
        let settings = ClientSettings {
            endpoint: Some(&self.endpoint),
            data: self.data.as_deref().unwrap_or(Path::new("")),
            authority: self.authority.clone(),
            profile: self.profile.clone(),
            web_identity,
            region: self.region.clone(),
        };
        Client::with(settings, &variable)
    }
}

/// All of them, by host name and port.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hosts(BTreeMap<String, Host>);

impl Hosts {
    /// How `name` is asked: as it was logged in to, or as the environment says if its
    /// `AWS_ENDPOINT_URL_ECR` or `AWS_ENDPOINT_URL` is that host.
    pub(crate) fn find(name: &str) -> Result<Option<Host>, Failure> {
        Self::find_in(&Self::path()?, name)
    }

    /// The same where there may be no home, as for a service of the system: nobody logged in then.
    pub(crate) fn find_without_home(name: &str) -> Result<Option<Host>, Failure> {
        match Self::path() {
            Ok(path) => Self::find_in(&path, name),
            Err(_) => Ok(None),
        }
    }

    fn find_in(path: &Path, name: &str) -> Result<Option<Host>, Failure> {
        if let Some(host) = Self::read(path)?.0.remove(name) {
            return Ok(Some(host));
        }
        let endpoint = variable("AWS_ENDPOINT_URL_ECR").or_else(|| variable("AWS_ENDPOINT_URL"));
        let Some(endpoint) = endpoint.and_then(|url| url.into_string().ok()) else {
            return Ok(None);
        };
        let same = Endpoint::parse(&endpoint).is_ok_and(|parsed| parsed.authority() == name);
        Ok(same.then_some(Host {
            endpoint,
            authority: None,
            profile: None,
            region: None,
            data: None,
        }))
    }

    /// The names.
    pub(crate) fn names() -> Result<Vec<String>, Failure> {
        Ok(Self::read(&Self::path()?)?.0.into_keys().collect())
    }

    /// Changes the file; says whether `change` met an entry.
    pub(crate) fn update(
        change: impl FnOnce(&mut BTreeMap<String, Host>) -> Option<Host>,
    ) -> Result<bool, Failure> {
        let path = Self::path()?;
        let mut hosts = Self::read(&path)?;
        let before = hosts.0.clone();
        let met = change(&mut hosts.0).is_some();
        if hosts.0 != before {
            let failed = |error: &dyn std::fmt::Display| {
                Failure::failed(format!("cannot write '{}': {error}", path.display()))
            };
            let text = toml::to_string(&hosts).map_err(|e| failed(&e))?;
            if let Some(directory) = path.parent() {
                files::private_directory(directory).map_err(|e| failed(&e))?;
            }
            files::write(&path, text.as_bytes(), files::PRIVATE).map_err(|e| failed(&e))?;
        }
        Ok(met)
    }

    fn path() -> Result<PathBuf, Failure> {
        let directory = user_directory("hosts.toml", variable).map_err(Failure::usage)?;
        Ok(directory.join("hosts.toml"))
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let unusable = |error: &dyn std::fmt::Display| {
            let path = path.display();
            Failure::failed(format!("cannot use '{path}': {error}; mend or remove it"))
        };
        match files::read(path, FILE_LIMIT) {
            Ok(Some(text)) => toml::from_str(&text).map_err(|error| unusable(&error.message())),
            Ok(None) => Ok(Self::default()),
            Err(error) => Err(unusable(&error)),
        }
    }
}
