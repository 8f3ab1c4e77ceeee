//! `bonded login` and `bonded logout`: docker, podman and their relatives get their passwords from
//! us, at each pull and push.

mod docker_config;
mod hosts;
mod password;

use std::path::{Path, PathBuf};

use bonded_model::Secret;
use bonded_registry::{Clock, Registry};
use clap::Args;
use serde_json::json;

use super::print::Output;
use super::{DataDirectory, Failure, block_on};
use crate::config::variable;
use docker_config::DockerConfig;
pub(super) use hosts::{Host, Hosts};
pub(super) use password::{Password, fetch, identity};

/// The name under which docker looks for us.
pub(super) const HELPER: &str = "docker-credential-bonded";

/// Log docker, podman and their relatives in to a registry
///
/// With 'docker-credential-bonded' on the PATH they ask it for a password at each pull and push,
/// made with your own access key, profile or role, so that the login never ends; --install-helper
/// puts it there. Without it the password is stored and holds for 12 hours.
#[derive(Args)]
pub(super) struct Login {
    /// The registry as images name it: 'localhost:5000'
    #[arg(value_name = "HOST")]
    host: String,

    /// Where its AWS APIs are [default: https://HOST]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    /// A PEM file with the authority of its certificate
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,

    /// The profile in ~/.aws that has the key or the role, now and later
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The region of the registry [default: the one in HOST, or AWS_REGION]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Put 'docker-credential-bonded', a link to this program, into a directory that is on the PATH
    #[arg(long, value_name = "DIRECTORY")]
    install_helper: Option<PathBuf>,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    data: DataDirectory,
}

/// Log docker, podman and their relatives out of a registry
#[derive(Args)]
pub(super) struct Logout {
    /// The registry as images name it: 'localhost:5000'
    #[arg(value_name = "HOST")]
    host: String,

    #[command(flatten)]
    output: Output,
}

impl Login {
    pub(super) fn run(self) -> Result<(), Failure> {
        let name = host_name(&self.host)?;
        let data = self.data.path()?;
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).map_err(|error| {
                Failure::usage(format!("cannot use '{}': {error}", path.display()))
            })
        };
        let of_name = Registry::named_by(&name).map(|(_, region)| region.to_string());
        let host = Host {
            endpoint: self
                .endpoint_url
                .unwrap_or_else(|| format!("https://{name}")),
            authority: self.ca_bundle.map(absolute).transpose()?,
            profile: self.profile,
            region: self.region.or(of_name),
            data: data.exists().then_some(data),
        };
        let client = host.client(None)?;
        let now = Clock::system().now();
        let (password, identity) = block_on(async {
            let password = fetch(&client, now).await?;
            Ok((password, identity(&client, now).await?))
        })?;
        if let Some(directory) = &self.install_helper {
            install(directory)?;
        }
        let mut config = DockerConfig::load(variable)?;
        let expires_at = if helper_is_on_the_path() {
            Hosts::update(|hosts| hosts.insert(name.clone(), host))?;
            config.ask_helper(&name)?;
            None
        } else {
            config.store(&name, &password)?;
            Some(password.expires_at.to_string())
        };
        let answer = json!({
            "host": name, "identity": identity, "expiresAt": expires_at, "config": config.path(),
        });
        let lines = |_: &_| {
            let until = expires_at.as_ref().map_or_else(
                || ", for as long as you may be".to_owned(),
                |time| format!(" until {time}"),
            );
            let mut lines = vec![format!("logged in to {name} as {identity}{until}")];
            lines.extend(expires_at.is_some().then(|| {
                format!("to stay logged in, log in with --install-helper DIRECTORY, which puts '{HELPER}' on the PATH")
            }));
            lines.push(format!("written to {}", config.path().display()));
            lines
        };
        self.output.print(&answer, lines, |_| Vec::new())
    }
}

impl Logout {
    pub(super) fn run(self) -> Result<(), Failure> {
        let name = host_name(&self.host)?;
        let mut config = DockerConfig::load(variable)?;
        let known = Hosts::update(|hosts| hosts.remove(&name))?;
        let was_in = config.forget(&name)? || known;
        let sentence = match was_in {
            true => format!("logged out of {name}"),
            false => format!("you were not logged in to {name}"),
        };
        self.output
            .done(&json!({ "host": name, "loggedOut": was_in }), sentence)
    }
}

/// Host name and port, of which docker's users often make a URL.
fn host_name(text: &str) -> Result<String, Failure> {
    let host = text.strip_prefix("https://").unwrap_or(text);
    let host = host.strip_suffix('/').unwrap_or(host).to_ascii_lowercase();
    let authority: Result<http::uri::Authority, _> = host.parse();
    match authority {
        Ok(authority) if authority == host && !host.contains('@') => Ok(host),
        _ => Err(Failure::usage(format!(
            "'{}' is not the host of a registry, such as 'localhost:5000'",
            text.escape_debug()
        ))),
    }
}

/// User and password that docker's configuration has for `host`; `None` where it has none.
pub(super) fn stored_password(host: &str) -> Result<Option<(String, Secret)>, Failure> {
    if variable("DOCKER_CONFIG").is_none() && variable("HOME").is_none() {
        return Ok(None);
    }
    DockerConfig::load(variable)?.password(host)
}

/// User and password of `host` in a file of docker's form.
pub(super) fn password_in(file: &Path, host: &str) -> Result<Option<(String, Secret)>, Failure> {
    if !file.is_file() {
        return Err(Failure::usage(format!(
            "there is no file '{}' with credentials",
            file.display()
        )));
    }
    DockerConfig::read(file.to_owned())?.password(host)
}

pub(super) fn helper_is_on_the_path() -> bool {
    let path = variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(HELPER).is_file())
}

/// Links the helper's name to this program.
fn install(directory: &Path) -> Result<(), Failure> {
    let link = directory.join(HELPER);
    let failed = |error: std::io::Error| {
        Failure::failed(format!("cannot make '{}': {error}", link.display()))
    };
    let program = std::env::current_exe().map_err(failed)?;
    match std::fs::read_link(&link) {
        Ok(target) if target == program => return Ok(()),
        Ok(_) => std::fs::remove_file(&link).map_err(failed)?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(program, &link).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_written_as_a_url() {
        for (text, want) in [
            ("localhost:5000", Some("localhost:5000")),
            ("https://Registry.Example/", Some("registry.example")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("http://localhost", None),
            ("localhost:5000/team", None),
            ("u@localhost", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(host_name(text).ok().as_deref(), want, "{text}");
        }
    }
}
