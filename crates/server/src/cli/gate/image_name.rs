//! How people name an image: `NAME`, `NAME:TAG` or `NAME@DIGEST`, perhaps behind a host name.

use std::fmt;
use std::str::FromStr;

use bonded_model::{AccountId, Digest, RepositoryName, Tag};
use serde_json::{Value, json};

/// A repository: `NAME`, perhaps behind a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepositoryAddress {
    /// The account of the registry, if the host name says it.
    registry: Option<AccountId>,
    name: RepositoryName,
}

/// An image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    repository: RepositoryAddress,
    reference: Reference,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl FromStr for ImageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |error: &dyn fmt::Display| {
            let text = text.escape_debug();
            format!("'{text}' names no image, such as 'team/app:v1': {error}")
        };
        let (host, rest) = host_of(text);
        let (name, reference) = match (rest.split_once('@'), rest.rsplit_once(':')) {
            (Some((name, digest)), _) => {
                let digest = digest.parse().map_err(|e| wrong(&e))?;
                // A tag beside the digest is for people.
                let name = name.split(':').next().unwrap_or_default();
                (name, Reference::Digest(digest))
            }
            (None, Some((name, tag))) => {
                (name, Reference::Tag(tag.parse().map_err(|e| wrong(&e))?))
            }
            (None, None) => {
                let latest = "latest".parse().map_err(|e| wrong(&e))?;
                (rest, Reference::Tag(latest))
            }
        };
        let repository = RepositoryAddress::new(host, name).map_err(|e| wrong(&e))?;
        Ok(Self {
            repository,
            reference,
        })
    }
}

impl FromStr for RepositoryAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, name) = host_of(text);
        Self::new(host, name).map_err(|error| {
            let text = text.escape_debug();
            format!("'{text}' names no repository, such as 'team/app': {error}")
        })
    }
}

/// A host name before a name, if there is one, and the rest.
fn host_of(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((host, rest)) if is_host(host) => (Some(host), rest),
        _ => (None, text),
    }
}

/// Whether the part before the first `/` is a host, as docker decides it.
pub(crate) fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains('.') || text.contains(':')
}

impl RepositoryAddress {
    fn new(host: Option<&str>, name: &str) -> Result<Self, <RepositoryName as FromStr>::Err> {
        // `ACCOUNT.dkr.ecr.REGION.DOMAIN`
        let registry = host.and_then(|host| host.split_once(".dkr"));
        Ok(Self {
            registry: registry.and_then(|(account, _)| account.parse().ok()),
            name: name.parse()?,
        })
    }

    /// Adds to the input of an operation which repository it is about.
    pub(crate) fn address(&self, input: &mut Value) {
        input["repositoryName"] = self.name.as_str().into();
        if let Some(registry) = &self.registry {
            input["registryId"] = registry.as_str().into();
        }
    }
}

impl fmt::Display for RepositoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl ImageName {
    /// `ImageIdentifier`.
    pub(crate) fn image_id(&self) -> Value {
        match &self.reference {
            Reference::Tag(tag) => json!({ "imageTag": tag.as_str() }),
            Reference::Digest(digest) => json!({ "imageDigest": digest.as_str() }),
        }
    }

    /// Adds to the input of an operation which repository it is about.
    pub(crate) fn address(&self, input: &mut Value) {
        self.repository.address(input);
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Reference::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Reference::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_as_docker_names_it() {
        let digest = Digest::sha256(b"x");
        for (text, registry, want) in [
            ("app", None, "app:latest"),
            ("team/app:v1", None, "team/app:v1"),
            ("localhost/team/app", None, "team/app:latest"),
            ("127.0.0.1:5000/ml/digits:1.0", None, "ml/digits:1.0"),
            (
                "111122223333.dkr.ecr.us-east-1.example.org/a/b:c",
                Some("111122223333"),
                "a/b:c",
            ),
            (&format!("a/b@{digest}"), None, &format!("a/b@{digest}")),
            (
                &format!("h:1/ab:v1@{digest}"),
                None,
                &format!("ab@{digest}"),
            ),
        ] {
            let name: ImageName = text.parse().unwrap();
            assert_eq!(name.to_string(), want, "{text}");
            let mut input = json!({});
            name.address(&mut input);
            assert_eq!(input["registryId"].as_str(), registry, "{text}");
        }
        for text in ["", "UPPER", "a:b c", "a@sha256:1", "h:1/"] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }
}
