//! The canonical request: one spelling of what was signed.

use bonded_model::{Timestamp, shown};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::{SigV4Error, bad_date, is_signed_query};

/// Everything except RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request as far as a signature covers it.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// `GET`
    pub method: &'a str,
    /// The path as on the wire, without the query.
    pub path: &'a str,
    /// The query as on the wire, without `?`; may be empty.
    pub query: &'a str,
    /// All headers in order, repeated ones too. HTTP/2's `:authority` is given as `host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body, lower-case hex.
    pub body_sha256_hex: &'a str,
}

impl SignedRequest<'_> {
    /// The values of a header.
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_it = move |(key, _): &&(&str, &str)| key.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is_it).map(|(_, value)| *value)
    }

    /// Refuses a request that is signed in its query too: nobody could say which one counts.
    pub(super) fn check_one_signature(&self) -> Result<(), SigV4Error> {
        if is_signed_query(self.query) {
            let text = "Only one of the Authorization header and query parameters may sign.";
            return Err(SigV4Error::Incomplete(text.to_owned()));
        }
        Ok(())
    }

    /// `host` and every `x-amz-*` header must be signed. The session token may be added after
    /// signing; it must belong to the key anyway.
    pub(super) fn check_signed(&self, names: &[String]) -> Result<(), SigV4Error> {
        let signed = |name: &str| names.iter().any(|n| n == name);
        if !signed("host") {
            let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(SigV4Error::NotSigned(text.to_owned()));
        }
        for (name, _) in self.headers {
            let name = name.to_ascii_lowercase();
            if name.starts_with("x-amz-") && name != "x-amz-security-token" && !signed(&name) {
                return Err(SigV4Error::NotSigned(format!(
                    "There were headers present in the request which were not signed: {}",
                    shown(&name)
                )));
            }
        }
        Ok(())
    }

    /// The date of the request: `x-amz-date`, or `Date` if there is none.
    pub(super) fn date(&self) -> Result<Timestamp, SigV4Error> {
        let text =
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        let missing = || SigV4Error::Incomplete(text.to_owned());
        let mut amz = self.values("x-amz-date");
        if let Some(text) = amz.next() {
            let one = amz.next().is_none();
            let date = Timestamp::parse_amz_date(text.trim()).filter(|_| one);
            return date.ok_or_else(|| bad_date(text));
        }
        let text = self.values("date").next().ok_or_else(missing)?.trim();
        let http_date = || {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            Some(Timestamp::from_millis(date.timestamp().as_millisecond()))
        };
        Timestamp::parse_amz_date(text)
            .or_else(http_date)
            .ok_or_else(missing)
    }

    /// The canonical request over the headers `names`, which are lower case and sorted, and over
    /// the query without the parameters `unsigned`.
    pub(super) fn canonical(
        &self,
        names: &[String],
        unsigned: &[&str],
    ) -> Result<String, SigV4Error> {
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.method,
            path(self.path),
            query(self.query, unsigned)
        );
        for name in names {
            let values: Vec<String> = self.values(name).map(header_value).collect();
            if values.is_empty() {
                return Err(SigV4Error::SignatureMismatch);
            }
            text.push_str(name);
            text.push(':');
            text.push_str(&values.join(","));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&names.join(";"));
        text.push('\n');
        text.push_str(self.body_sha256_hex);
        Ok(text)
    }
}

/// Trimmed, inner runs of spaces as one.
fn header_value(value: &str) -> String {
    let words: Vec<&str> = value
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// Without empty and dot segments, and encoded once more.
fn path(raw: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let ends_in_directory = matches!(raw.rsplit('/').next(), Some("" | "." | ".."));
    let mut text = String::from("/");
    let encoded: Vec<String> = segments.into_iter().map(|s| encode(s.as_bytes())).collect();
    text.push_str(&encoded.join("/"));
    if ends_in_directory && text.len() > 1 {
        text.push('/');
    }
    text
}

/// Decoded, encoded again, sorted by name, then value.
fn query(raw: &str, without: &[&str]) -> String {
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let again = |text: &str| encode(&percent_decode_str(text).collect::<Vec<u8>>());
            (again(name), again(value))
        })
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, ENCODED).to_string()
}
