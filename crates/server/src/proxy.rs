//! Proxies, through which what is not near is reached: as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
//! `NO_PROXY` say, in capitals or not, as curl and programs in Go understand them.
//!
//! A host with TLS is asked through a tunnel (`CONNECT`), which the proxy sees nothing of; one without by
//! its whole URL. This machine itself (`localhost`, loopback addresses) is never asked through one.

use std::io;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::variable;

/// How long a proxy may take to accept a connection, and to make one to the host.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// How long the head of its answer may be, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

/// The variables, each under both its names, of which the first counts.
const HTTPS: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const HTTP: [&str; 2] = ["http_proxy", "HTTP_PROXY"];
const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
const NONE: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// A proxy that a host is to be asked through.
pub(crate) struct Proxy(Intercept);

impl Proxy {
    /// The one that the environment of this process names for a host.
    pub(crate) fn of(is_https: bool, host: &str, port: u16) -> Option<Self> {
        static OF_ENVIRONMENT: OnceLock<Matcher> = OnceLock::new();
        let matcher = OF_ENVIRONMENT.get_or_init(|| {
            matcher(|name| variable(name).and_then(|value| value.into_string().ok()))
        });
        Self::among(matcher, is_https, host, port)
    }

    fn among(matcher: &Matcher, is_https: bool, host: &str, port: u16) -> Option<Self> {
        let address = host.parse::<IpAddr>();
        let is_near = address.is_ok_and(|address| address.to_canonical().is_loopback());
        if is_near || host == "localhost" || host.ends_with(".localhost") {
            return None;
        }
        let scheme = if is_https { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{}/", authority(host, port))
            .parse()
            .ok()?;
        matcher.intercept(&uri).map(Self)
    }

    /// What it wants to know of whoever asks, if the environment has a user name.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.0.basic_auth()
    }

    /// A connection to it.
    ///
    /// # Errors
    /// It cannot be reached, or is of a kind that we do not speak to.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let uri = self.0.uri();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        if uri.scheme_str() != Some("http") {
            let scheme = uri.scheme_str().unwrap_or_default();
            return Err(io::Error::other(format!(
                "the environment names the proxy '{scheme}://{host}', and only those are known that begin with 'http://'"
            )));
        }
        let port = uri.port_u16().unwrap_or(80);
        let failed = |problem: &dyn std::fmt::Display| {
            io::Error::other(format!(
                "the proxy '{}' of the environment: {problem}",
                authority(host, port)
            ))
        };
        match timeout(TIME_LIMIT, TcpStream::connect((host, port))).await {
            Ok(connected) => connected.map_err(|error| failed(&error)),
            Err(_) => Err(failed(&"it does not answer")),
        }
    }

    /// A connection through it to a host, as if there were none in between.
    ///
    /// # Errors
    /// As [`Proxy::connect`]; it refuses, or does not speak HTTP.
    pub(crate) async fn tunnel(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut stream = self.connect().await?;
        let asked = timeout(TIME_LIMIT, self.ask(&mut stream, host, port)).await;
        let problem = match asked {
            Ok(Ok(200)) => return Ok(stream),
            Ok(Ok(407)) => {
                "it asks for a user name and a password (407); set them in the variable, 'http://USER:PASSWORD@HOST:PORT'"
                    .to_owned()
            }
            Ok(Ok(status)) => format!("it refuses with {status}"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        let to = authority(host, port);
        Err(io::Error::other(format!(
            "the proxy of the environment makes no connection to '{to}': {problem}"
        )))
    }

    /// The status of the answer to `CONNECT`.
    async fn ask(&self, stream: &mut TcpStream, host: &str, port: u16) -> io::Result<u16> {
        let to = authority(host, port);
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(authorization) = self.authorization() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await?;
        // Byte by byte, so that nothing of the host is taken for its head.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD_LIMIT {
                return Err(io::Error::other("its answer has no end"));
            }
            head.push(stream.read_u8().await?);
        }
        status(&head).ok_or_else(|| io::Error::other("it does not speak HTTP"))
    }
}

/// The rules of an environment.
fn matcher(variable: impl Fn(&str) -> Option<String>) -> Matcher {
    let of = |names: [&str; 2]| names.into_iter().find_map(&variable).unwrap_or_default();
    Matcher::builder()
        .https(of(HTTPS))
        .http(of(HTTP))
        .all(of(ALL))
        .no(of(NONE))
        .build()
}

/// The status in the first line of an answer.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Host and port as a request names them.
fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_who_is_asked_through_a_proxy() {
        let environment = [
            ("HTTPS_PROXY", "http://u:p%40@secure.test:3128"),
            ("https_proxy", ""),
            ("http_proxy", "plain.test:8080"),
            ("HTTP_PROXY", "http://other.test"),
            (
                "NO_PROXY",
                "inside.test, .corp.test,10.0.0.0/8,192.0.2.7,::1",
            ),
        ];
        let matcher = matcher(|name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, value)| (*value).to_owned())
                .filter(|value| !value.is_empty())
        });
        let through = |is_https, host: &str| {
            let proxy = Proxy::among(&matcher, is_https, host, 443)?;
            proxy.0.uri().host().map(str::to_owned)
        };
        for (is_https, host, want) in [
            (true, "mirror.test", Some("secure.test")),
            (false, "mirror.test", Some("plain.test")),
            (true, "inside.test", None),
            (true, "a.inside.test", None),
            (true, "notinside.test", Some("secure.test")),
            (true, "a.corp.test", None),
            (true, "10.1.2.3", None),
            (true, "11.1.2.3", Some("secure.test")),
            (false, "192.0.2.7", None),
            (true, "2001:db8::1", Some("secure.test")),
            (true, "localhost", None),
            (true, "127.0.0.1", None),
            (false, "::1", None),
            (false, "::ffff:127.0.0.1", None),
        ] {
            assert_eq!(through(is_https, host).as_deref(), want, "{host}");
        }
        let proxy = Proxy::among(&matcher, true, "mirror.test", 443).unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic dTpwQA==");
        let proxy = Proxy::among(&matcher, false, "mirror.test", 80).unwrap();
        assert!(proxy.authorization().is_none());
    }

    #[test]
    fn an_answer_has_a_status() {
        for (head, want) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407\r\nA: b\r\n\r\n", Some(407)),
            ("HTTP/2 200\r\n\r\n", None),
            ("HTTP/1.1 2\r\n\r\n", None),
            ("\r\n\r\n", None),
            ("SSH-2.0-x\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), want, "{head}");
        }
    }
}
