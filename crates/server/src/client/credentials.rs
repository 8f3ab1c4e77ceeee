//! The access key a client signs with, and where it is found.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bonded_model::Secret;

use super::profile::Profiles;
use super::server::Endpoint;
use super::{ClientError, DEFAULT_ENDPOINT};
use crate::administrator::AdministratorKey;

/// How many profiles may lead to one another.
const CHAIN_LIMIT: usize = 5;

/// Where the credentials of an ECS task are, and of an EKS pod (AWS SDK reference, "Container
/// credential provider").
const CONTAINER_HOST: &str = "http://169.254.170.2";
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// Where an instance of EC2 is told its key (EC2 user guide, "Instance metadata service").
const METADATA_ADDRESS: &str = "http://169.254.169.254";

/// What is said if there is no key anywhere.
pub(super) const NO_KEY: &str =
    "no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";

/// An access key.
pub(super) struct Credentials {
    /// `AKIA…` or `ASIA…`
    pub(super) access_key_id: String,
    /// The secret.
    pub(super) secret_access_key: Secret,
    /// The token of a temporary key.
    pub(super) session_token: Option<Secret>,
}

/// What gives an access key.
pub(crate) enum Source {
    /// It is known.
    Key(Credentials),
    /// A role that the key of another source may assume.
    Role {
        /// Its ARN.
        role_arn: String,
        /// The name of the session.
        session_name: String,
        /// What its trust policy may ask for.
        external_id: Option<String>,
        /// Whose key.
        with: Box<Source>,
    },
    /// A role that whoever holds a token of an identity provider may assume.
    WebIdentity {
        /// Its ARN.
        role_arn: String,
        /// The name of the session.
        session_name: String,
        /// The token.
        token: Token,
    },
    /// An address that gives a container its key.
    Container {
        /// Where.
        endpoint: Endpoint,
        /// The path there.
        path: String,
        /// The value of `Authorization`.
        authorization: Option<Token>,
    },
    /// The metadata service of the machine, which gives it the key of its role.
    Instance {
        /// Where.
        endpoint: Endpoint,
    },
}

/// What proves who asks.
pub(super) enum Token {
    /// This text.
    Given(Secret),
    /// The text in this file, which is read anew at each use.
    File(PathBuf),
}

impl Source {
    /// The key of `AWS_ACCESS_KEY_ID` and its companions, unless the profile `is_named` by the command
    /// and not by the environment; else what `profile` says; else the role
    /// of `AWS_ROLE_ARN` by `AWS_WEB_IDENTITY_TOKEN_FILE`; else what `AWS_CONTAINER_CREDENTIALS_…`
    /// names; else the administrator of the server on `data`; else the profile `default`; else the
    /// role of the machine, unless `AWS_EC2_METADATA_DISABLED` is `true`.
    pub(super) fn find(
        data: &Path,
        profiles: &Profiles,
        (profile, is_named): (Option<&str>, bool),
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ClientError> {
        if !is_named && let Some(key) = of_environment(variable)? {
            return Ok(Self::Key(key));
        }
        if let Some(profile) = profile {
            let found = Self::of_profile(profiles, profile, variable, CHAIN_LIMIT)?;
            return found.ok_or_else(|| {
                let profile = profile.escape_debug();
                ClientError::Settings(format!(
                    "the profile '{profile}' has neither a key nor a role; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name another"
                ))
            });
        }
        if let Some(source) = web_identity(variable)? {
            return Ok(source);
        }
        if let Some(source) = container(variable)? {
            return Ok(source);
        }
        let path = AdministratorKey::path(data);
        match AdministratorKey::read(&path) {
            Ok(Some(key)) => {
                return Ok(Self::Key(Credentials {
                    access_key_id: key.access_key_id,
                    secret_access_key: key.secret_access_key,
                    session_token: None,
                }));
            }
            Ok(None) => {}
            Err(error) => {
                let path = path.display();
                return Err(ClientError::Settings(format!(
                    "cannot read the key in '{path}': {error}"
                )));
            }
        }
        let default = Self::of_profile(profiles, "default", variable, CHAIN_LIMIT)?;
        let found = match default {
            None => instance(variable)?,
            found => found,
        };
        found.ok_or_else(|| ClientError::Settings(NO_KEY.to_owned()))
    }

    fn of_profile(
        profiles: &Profiles,
        name: &str,
        variable: &dyn Fn(&str) -> Option<OsString>,
        chain: usize,
    ) -> Result<Option<Self>, ClientError> {
        let value = |key: &str| profiles.value(name, key);
        let wrong = |problem: String| {
            let name = name.escape_debug();
            ClientError::Settings(format!("the profile '{name}' {problem}"))
        };
        if let Some(role_arn) = value("role_arn") {
            let session_name = value("role_session_name").unwrap_or_else(|| "bonded".to_owned());
            if let Some(token_file) = value("web_identity_token_file") {
                return Ok(Some(Self::WebIdentity {
                    role_arn,
                    session_name,
                    token: Token::File(token_file.into()),
                }));
            }
            let with = match (value("source_profile"), value("credential_source")) {
                (Some(source), None) if source == name => profile_key(profiles, name),
                (Some(source), None) if chain > 0 => {
                    Self::of_profile(profiles, &source, variable, chain - 1)?
                }
                (Some(_), None) => {
                    return Err(wrong("leads through too many others".to_owned()));
                }
                (None, Some(source)) if source == "Environment" => {
                    of_environment(variable)?.map(Self::Key)
                }
                (None, Some(source)) if source == "EcsContainer" => container(variable)?,
                (None, Some(source)) if source == "Ec2InstanceMetadata" => instance(variable)?,
                _ => None,
            };
            let with = with.ok_or_else(|| {
                wrong(
                    "has a role and no key to assume it with; give it 'source_profile', \
                     'credential_source' or 'web_identity_token_file'"
                        .to_owned(),
                )
            })?;
            return Ok(Some(Self::Role {
                role_arn,
                session_name,
                external_id: value("external_id"),
                with: Box::new(with),
            }));
        }
        Ok(profile_key(profiles, name))
    }
}

fn profile_key(profiles: &Profiles, name: &str) -> Option<Source> {
    let value = |key: &str| profiles.value(name, key);
    Some(Source::Key(Credentials {
        access_key_id: value("aws_access_key_id")?,
        secret_access_key: Secret::new(value("aws_secret_access_key")?),
        session_token: value("aws_session_token").map(Secret::new),
    }))
}

fn of_environment(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Credentials>, ClientError> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let secret = |name: &str| text(name).map(Secret::new);
    match (text("AWS_ACCESS_KEY_ID"), secret("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key_id), Some(secret_access_key)) => Ok(Some(Credentials {
            access_key_id,
            secret_access_key,
            session_token: secret("AWS_SESSION_TOKEN"),
        })),
        (None, None) => Ok(None),
        _ => {
            let problem = "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither";
            Err(ClientError::Settings(problem.to_owned()))
        }
    }
}

fn web_identity(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Source>, ClientError> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    match (
        text("AWS_ROLE_ARN"),
        variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
    ) {
        (Some(role_arn), Some(token_file)) => Ok(Some(Source::WebIdentity {
            role_arn,
            session_name: text("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "bonded".to_owned()),
            token: Token::File(token_file.into()),
        })),
        (None, Some(_)) => {
            let problem = "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not";
            Err(ClientError::Settings(problem.to_owned()))
        }
        _ => Ok(None),
    }
}

fn container(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Source>, ClientError> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    if let Some(path) = text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return Ok(Some(Source::Container {
            endpoint: Endpoint::parse(CONTAINER_HOST)?,
            path,
            authorization: None,
        }));
    }
    let Some(address) = text("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
        return Ok(None);
    };
    let wrong = |problem: &str| {
        let address = address.escape_debug();
        ClientError::Settings(format!(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI '{address}' {problem}"
        ))
    };
    let uri: http::Uri = address.parse().map_err(|_| wrong("is not a URL"))?;
    let path = uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let base = address.strip_suffix(path).unwrap_or(&address);
    let endpoint = Endpoint::parse(base).map_err(|_| {
        let example = DEFAULT_ENDPOINT;
        wrong(&format!(
            "does not begin with an endpoint, such as '{example}'"
        ))
    })?;
    // As the SDKs do: a key in clear is read from this machine or its container agent only.
    let trusted = endpoint.is_local() || CONTAINER_HOSTS.contains(&endpoint.host());
    if uri.scheme_str() == Some("http") && !trusted {
        return Err(wrong("is plain HTTP to another machine; use https"));
    }
    let file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let token = text("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new);
    let file = file.map(|path| Token::File(path.into()));
    Ok(Some(Source::Container {
        path: path.to_owned(),
        endpoint,
        authorization: file.or_else(|| token.map(Token::Given)),
    }))
}

/// The metadata service, which `AWS_EC2_METADATA_SERVICE_ENDPOINT` may say to be elsewhere.
fn instance(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Source>, ClientError> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    if text("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let address = text("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let address = address.as_deref().unwrap_or(METADATA_ADDRESS);
    let endpoint = Endpoint::parse(address.trim_end_matches('/'))?;
    Ok(Some(Source::Instance { endpoint }))
}

#[cfg(test)]
mod tests;
