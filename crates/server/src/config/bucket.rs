//! The bucket for objects: the table `s3` as it is written, and what it means with AWS's variables
//! for what is not in it.

use std::ffi::OsString;

use bonded_model::Secret;
use bonded_store::{BucketSettings, Objects};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{ConfigError, DEFAULT_REGION, HIDDEN, invalid};

/// The table `s3`: the bucket of an S3-compatible server that holds the encrypted objects instead of
/// the data directory.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawS3 {
    /// The bucket for the encrypted objects; it must exist [default: none, they are in the data
    /// directory]
    #[arg(long = "s3-bucket", id = "s3.bucket", value_name = "BUCKET")]
    #[arg(env = "BONDED_S3_BUCKET")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bucket: Option<String>,

    /// What stands before the keys of all objects, such as 'bonded/' [default: nothing]
    #[arg(long = "s3-prefix", id = "s3.prefix", value_name = "PREFIX")]
    #[arg(env = "BONDED_S3_PREFIX")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,

    /// The URL of the server, such as 'https://minio.example.org:9000' [default: AWS's for the
    /// region]
    #[arg(long = "s3-endpoint", id = "s3.endpoint", value_name = "URL")]
    #[arg(env = "BONDED_S3_ENDPOINT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,

    /// The region that requests to the bucket are signed for [default: $AWS_REGION,
    /// $AWS_DEFAULT_REGION or us-east-1]
    #[arg(long = "s3-region", id = "s3.region", value_name = "REGION")]
    #[arg(env = "BONDED_S3_REGION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,

    /// The access key id for the bucket [default: $AWS_ACCESS_KEY_ID, with $AWS_SECRET_ACCESS_KEY
    /// and $AWS_SESSION_TOKEN]
    #[arg(long = "s3-access-key-id", id = "s3.access_key_id", value_name = "ID")]
    #[arg(env = "BONDED_S3_ACCESS_KEY_ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key_id: Option<String>,

    /// The secret of that access key, better not given as a flag because other users see flags
    #[arg(long = "s3-secret-access-key", id = "s3.secret_access_key")]
    #[arg(value_name = "SECRET", env = "BONDED_S3_SECRET_ACCESS_KEY")]
    #[arg(hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_access_key: Option<String>,

    /// Whether the bucket stands in the path of URLs, not in the host name [default: true with an
    /// endpoint, false without]
    #[arg(
        long = "s3-path-style",
        id = "s3.path_style",
        value_name = "true|false"
    )]
    #[arg(env = "BONDED_S3_PATH_STYLE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_style: Option<bool>,

    /// Whether an endpoint that begins with 'http://' is taken, where nobody listens in between
    /// [default: false]
    #[arg(
        long = "s3-allow-http",
        id = "s3.allow_http",
        value_name = "true|false"
    )]
    #[arg(env = "BONDED_S3_ALLOW_HTTP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_http: Option<bool>,
}

impl RawS3 {
    /// These settings, and for what is not set here those of `base`.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            bucket: self.bucket.or(base.bucket),
            prefix: self.prefix.or(base.prefix),
            endpoint: self.endpoint.or(base.endpoint),
            region: self.region.or(base.region),
            access_key_id: self.access_key_id.or(base.access_key_id),
            secret_access_key: self.secret_access_key.or(base.secret_access_key),
            path_style: self.path_style.or(base.path_style),
            allow_http: self.allow_http.or(base.allow_http),
        }
    }
}

/// Where objects are; `variable` gives AWS's variables.
pub(super) fn objects(
    raw: RawS3,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Objects, ConfigError> {
    let Some(name) = raw.bucket else {
        return match set_without_bucket(&raw) {
            None => Ok(Objects::Disk),
            Some(key) => Err(invalid(key, "'s3.bucket' must be set too".to_owned())),
        };
    };
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    if !(3..=63).contains(&name.len()) || !name.bytes().all(letter) {
        let name = name.escape_debug();
        let problem = format!(
            "'{name}' is not the name of a bucket: 3 to 63 lower-case letters, digits, '-' and '.'"
        );
        return Err(invalid("s3.bucket", problem));
    }
    let text = |name: &str| variable(name).and_then(|text| text.into_string().ok());
    let allow_http = raw.allow_http.unwrap_or(false);
    let endpoint = raw
        .endpoint
        .map(|url| endpoint(url, allow_http))
        .transpose()?;
    let region = raw.region.or_else(|| text("AWS_REGION"));
    let region = region.or_else(|| text("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let key = (raw.access_key_id, raw.secret_access_key);
    let (access_key_id, secret, session_token) = match key {
        (Some(id), Some(secret)) => (id, secret, None),
        (Some(_), None) => return Err(both("s3.access_key_id", "s3.secret_access_key")),
        (None, Some(_)) => return Err(both("s3.secret_access_key", "s3.access_key_id")),
        (None, None) => match (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => (id, secret, text("AWS_SESSION_TOKEN")),
            _ => {
                let problem = "no access key for the bucket: set it and 's3.secret_access_key', or \
                     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
                return Err(invalid("s3.access_key_id", problem.to_owned()));
            }
        },
    };
    Ok(Objects::Bucket(BucketSettings {
        name,
        prefix: prefix(raw.prefix.unwrap_or_default())?,
        region,
        path_style: raw.path_style.unwrap_or(endpoint.is_some()),
        endpoint,
        allow_http,
        access_key_id,
        secret_access_key: Secret::new(secret),
        session_token: session_token.map(Secret::new),
    }))
}

/// The table that means `objects`, with the secret hidden.
pub(super) fn shown(objects: &Objects) -> RawS3 {
    match objects {
        Objects::Disk => RawS3::default(),
        Objects::Bucket(bucket) => RawS3 {
            bucket: Some(bucket.name.clone()),
            prefix: Some(bucket.prefix.clone()),
            endpoint: bucket.endpoint.clone(),
            region: Some(bucket.region.clone()),
            access_key_id: Some(bucket.access_key_id.clone()),
            secret_access_key: Some(HIDDEN.to_owned()),
            path_style: Some(bucket.path_style),
            allow_http: Some(bucket.allow_http),
        },
    }
}

fn set_without_bucket(raw: &RawS3) -> Option<&'static str> {
    [
        ("s3.prefix", raw.prefix.is_some()),
        ("s3.endpoint", raw.endpoint.is_some()),
        ("s3.region", raw.region.is_some()),
        ("s3.access_key_id", raw.access_key_id.is_some()),
        ("s3.secret_access_key", raw.secret_access_key.is_some()),
        ("s3.path_style", raw.path_style.is_some()),
        ("s3.allow_http", raw.allow_http.is_some()),
    ]
    .into_iter()
    .find_map(|(key, set)| set.then_some(key))
}

fn both(key: &'static str, other: &str) -> ConfigError {
    invalid(key, format!("'{other}' must be set too"))
}

fn endpoint(url: String, allow_http: bool) -> Result<String, ConfigError> {
    let shown = url.escape_debug().to_string();
    let rest = match url.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", rest)) if allow_http => rest,
        Some(("http", _)) => {
            let problem = format!(
                "'{shown}' is not encrypted on its way; use https, or set 's3.allow_http' where nobody listens in between"
            );
            return Err(invalid("s3.endpoint", problem));
        }
        _ => "",
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let outside = |c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c);
    if host.is_empty() || host.contains(outside) {
        let problem = format!(
            "'{shown}' is not the URL of a server, such as 'https://minio.example.org:9000'"
        );
        return Err(invalid("s3.endpoint", problem));
    }
    Ok(url)
}

/// The prefix, which ends with `/` unless it is empty.
fn prefix(text: String) -> Result<String, ConfigError> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let path = text.strip_suffix('/').unwrap_or(&text);
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(letter);
    if path.is_empty() && text.is_empty() {
        return Ok(text);
    }
    if !path.split('/').all(part) || path.len() > 512 {
        let text = text.escape_debug();
        let problem = format!(
            "'{text}' is not a prefix: names of letters, digits, '-', '_' and '.' with '/' between them, such as 'bonded/'"
        );
        return Err(invalid("s3.prefix", problem));
    }
    Ok(format!("{path}/"))
}
