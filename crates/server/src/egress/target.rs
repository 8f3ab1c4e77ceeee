//! The URL of something to be fetched.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use super::EgressError;

/// A URL, taken apart.
pub(super) struct Target {
    scheme: Scheme,
    /// Host and port as a request names them.
    pub(super) authority: Authority,
    /// The host name in lower case, an IPv6 address without brackets.
    pub(super) host: String,
    /// Path and query.
    pub(super) path: String,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, EgressError> {
        let wrong = |problem| EgressError::Url {
            url: url.chars().take(256).flat_map(char::escape_debug).collect(),
            problem,
        };
        let parts = match url.parse::<Uri>() {
            Ok(uri) => uri.into_parts(),
            Err(_) => return Err(wrong("is not a URL")),
        };
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(wrong("is not a URL with a host name"));
        };
        if scheme != Scheme::HTTPS && scheme != Scheme::HTTP {
            return Err(wrong("does not begin with 'https://'"));
        }
        if authority.as_str().contains('@') {
            return Err(wrong("has a user name, which is not sent"));
        }
        if authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err(wrong("has a port that is none"));
        }
        let host = authority.host().trim_matches(['[', ']']);
        Ok(Self {
            host: host.to_ascii_lowercase(),
            path: parts
                .path_and_query
                .as_ref()
                .map_or("/", PathAndQuery::as_str)
                .to_owned(),
            scheme,
            authority,
        })
    }

    pub(super) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(super) fn port(&self) -> u16 {
        let default = if self.is_https() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(default)
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path)
    }

    /// Where a redirect to `location`, a URL or an absolute path, leads within the same origin.
    pub(super) fn within(&self, location: &str) -> Option<Self> {
        let absolute = location.starts_with('/') && !location.starts_with("//");
        let next = match absolute {
            true => Self::parse(&format!("{}://{}{location}", self.scheme, self.authority)),
            false => Self::parse(location),
        };
        let origin = |target: &Self| (target.scheme.clone(), target.host.clone(), target.port());
        next.ok().filter(|next| origin(next) == origin(self))
    }

    pub(super) fn talk(&self, problem: &dyn std::fmt::Display) -> EgressError {
        EgressError::Talk {
            host: self.host.clone(),
            problem: problem.to_string(),
        }
    }
}
