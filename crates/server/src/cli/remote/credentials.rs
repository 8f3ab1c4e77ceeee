//! By which credentials a registry is asked.

use std::path::PathBuf;

use bonded_model::Secret;
use bonded_registry::Clock;
use tokio::runtime::Runtime;

use crate::cli::Failure;
use crate::cli::login::{Host, Hosts, fetch, stored_password};
use crate::client::{Endpoint, Server};
use crate::config::variable;

/// How a registry is asked.
pub(super) struct Login {
    pub(super) server: Server,
    /// The authorities in PEM files that are trusted; none for those of the system.
    pub(super) authorities: Vec<PathBuf>,
    /// User and password, if somebody is logged in.
    pub(super) pair: Option<(String, Secret)>,
}

/// How `host` is asked: as `bonded login` or the environment says, else as docker would.
pub(super) fn find(host: &str, plain_http: bool, runtime: &Runtime) -> Result<Login, Failure> {
    let endpoint = |is_plain: bool| match is_plain {
        true => format!("http://{host}"),
        false => format!("https://{host}"),
    };
    let bundle = variable("AWS_CA_BUNDLE").map(PathBuf::from);
    if let Some(known) = Hosts::find_without_home(host)? {
        let of_registry = Host {
            endpoint: endpoint(plain_http || known.endpoint.starts_with("http://")),
            ..known.clone()
        };
        let asked = known.client(None)?;
        let password = runtime.block_on(fetch(&asked, Clock::system().now()))?;
        return Ok(Login {
            server: of_registry.client(None)?.into_server(),
            authorities: known.authority.or(bundle).into_iter().collect(),
            pair: Some((password.user, password.secret)),
        });
    }
    let authorities: Vec<PathBuf> = bundle.into_iter().collect();
    let endpoint = Endpoint::parse(&endpoint(plain_http))?;
    Ok(Login {
        server: Server::new(endpoint, &authorities)?,
        authorities,
        pair: stored_password(host)?,
    })
}
