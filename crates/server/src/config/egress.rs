//! The table `egress`: what the server fetches from other machines.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::value::list;
use super::{ConfigError, invalid};
use crate::egress::Reachable;

/// The table `egress`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawEgress {
    /// From where the server may fetch beyond the public internet, such as the keys of an identity
    /// provider: networks, host names, and with 'http://' origins that have no TLS [default: none]
    #[arg(long = "egress-allow", id = "egress.allow", value_name = "NET|HOST,…")]
    #[arg(env = "BONDED_EGRESS_ALLOW", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow: Option<Vec<String>>,

    /// A PEM file of authorities that the server trusts when it fetches, beside the system's
    #[arg(long = "egress-authorities", id = "egress.authorities")]
    #[arg(value_name = "FILE", env = "BONDED_EGRESS_AUTHORITIES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorities: Option<PathBuf>,
}

impl RawEgress {
    /// These settings, and for what is not set here those of `base`.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            allow: self.allow.or(base.allow),
            authorities: self.authorities.or(base.authorities),
        }
    }
}

/// What may be fetched beyond the public internet.
pub(super) fn allow(texts: Option<Vec<String>>) -> Result<Vec<Reachable>, ConfigError> {
    list(texts, |text| {
        Reachable::parse(text).ok_or_else(|| {
            let text = text.escape_debug();
            let problem = format!(
                "'{text}' is neither a network ('10.0.0.0/8'), nor a host name ('gitlab.example.org'), nor an origin without TLS ('http://mirror.example.org:8080')"
            );
            invalid("egress.allow", problem)
        })
    })
}

/// The same as it is written.
pub(super) fn shown(allow: &[Reachable], authorities: Option<&PathBuf>) -> RawEgress {
    RawEgress {
        allow: Some(allow.iter().map(Reachable::to_string).collect()),
        authorities: authorities.cloned(),
    }
}
