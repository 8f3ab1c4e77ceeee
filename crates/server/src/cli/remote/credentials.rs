//! By which credentials a registry is asked.

use std::path::{Path, PathBuf};

use bonded_model::Secret;
use bonded_registry::Clock;
use tokio::runtime::Runtime;

use crate::cli::Failure;
use crate::cli::login::{Host, Hosts, fetch, password_in, stored_password};
use crate::client::{Endpoint, Server};
use crate::config::variable;
use crate::tls::system_authorities;

/// How a registry is asked.
pub(in crate::cli) struct Login {
    pub(super) server: Server,
    /// The authorities in PEM files that are trusted; none for those of the system.
    pub(super) authorities: Vec<PathBuf>,
    /// User and password, if somebody is logged in.
    pub(super) pair: Option<(String, Secret)>,
}

impl Login {
    /// How `host` is asked: as `bonded login` or the environment says, else as docker would.
    pub(super) fn of_user(
        host: &str,
        plain_http: bool,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        let bundle = variable("AWS_CA_BUNDLE").map(PathBuf::from);
        if let Some(known) = Hosts::find_without_home(host)? {
            let of_registry = Host {
                endpoint: endpoint(host, plain_http || known.endpoint.starts_with("http://")),
                ..known.clone()
            };
            let asked = known.client(None)?;
            let password = runtime.block_on(fetch(&asked, Clock::system().now()))?;
            return Ok(Self {
                server: of_registry.client(None)?.into_server(),
                authorities: known.authority.or(bundle).into_iter().collect(),
                pair: Some((password.user, password.secret)),
            });
        }
        let authorities: Vec<PathBuf> = bundle.into_iter().collect();
        let pair = stored_password(host)?;
        Self::new(host, plain_http, authorities, pair)
    }

    /// How the server asks `host` itself: nothing of a user's counts, but the credentials in a file
    /// of docker's form, and the authorities in one beside the system's.
    pub(in crate::cli) fn of_server(
        host: &str,
        plain_http: bool,
        authorities: Option<&Path>,
        docker_config: Option<&Path>,
    ) -> Result<Self, Failure> {
        let host = host.to_ascii_lowercase();
        let pair = match docker_config {
            Some(file) => password_in(file, &host)?,
            None => None,
        };
        let trusted = authorities.map(|more| {
            let system = system_authorities().into_iter();
            system.chain([more]).map(Path::to_owned).collect()
        });
        Self::new(&host, plain_http, trusted.unwrap_or_default(), pair)
    }

    fn new(
        host: &str,
        plain_http: bool,
        authorities: Vec<PathBuf>,
        pair: Option<(String, Secret)>,
    ) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse(&endpoint(host, plain_http))?;
        Ok(Self {
            server: Server::new(endpoint, &authorities)?,
            authorities,
            pair,
        })
    }
}

fn endpoint(host: &str, is_plain: bool) -> String {
    match is_plain {
        true => format!("http://{host}"),
        false => format!("https://{host}"),
    }
}
