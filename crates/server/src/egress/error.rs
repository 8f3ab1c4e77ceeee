//! Why a document could not be fetched.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;

use crate::tls::TlsError;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The URL is not one that is fetched.
    #[error("'{url}' {problem}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The address is not public and nobody allowed it.
    #[error(
        "'{host}' is at {address}, which is not a public address; list it in the setting 'egress.allow' if it is meant"
    )]
    NotPublic {
        /// The host name.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// The host cannot be found or does not accept a connection.
    #[error("cannot reach '{host}': {source}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("'{host}' did not answer as expected: {problem}")]
    Talk {
        /// The host.
        host: String,
        /// What happened.
        problem: String,
    },
    /// It answers with another status than 200.
    #[error("'{url}' is answered with {status}")]
    Status {
        /// The URL.
        url: String,
        /// The status.
        status: StatusCode,
    },
    /// It leads elsewhere.
    #[error("'{url}' redirects to another origin or too often, which is not followed")]
    Redirect {
        /// The URL.
        url: String,
    },
    /// The body is longer than the caller takes.
    #[error("'{url}' has more than {limit} bytes")]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It takes longer than the caller waits.
    #[error("'{url}' took longer than {} s", .limit.as_secs())]
    TooSlow {
        /// The URL.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The authorities cannot be used.
    #[error("{0}")]
    Authorities(String),
}

impl From<TlsError> for EgressError {
    fn from(error: TlsError) -> Self {
        Self::Authorities(error.to_string())
    }
}
