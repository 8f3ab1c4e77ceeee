//! The bucket for objects: the table `s3` as it is written, and what it means with AWS's variables
//! for what is not in it.

use std::ffi::OsString;

use bonded_model::Secret;
use bonded_store::{BucketSettings, Objects};

use super::setting::{About, Reading, Setting, Value, optional, switch, text};
use super::{ConfigError, DEFAULT_REGION, HIDDEN, invalid};

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 8] = [
    &BUCKET.about,
    &PREFIX.about,
    &ENDPOINT.about,
    &REGION.about,
    &ACCESS_KEY_ID.about,
    &SECRET_ACCESS_KEY.about,
    &PATH_STYLE.about,
    &ALLOW_HTTP.about,
];

static BUCKET: Setting<Option<String>> = Setting {
    about: About::text("s3.bucket", "BUCKET")
        .unset("none, they are in the data directory")
        .doc("The bucket for the encrypted objects; it must exist"),
    read: |value| optional(value, bucket_name),
    show: |name| name.as_ref().and_then(text),
};

static PREFIX: Setting<Option<String>> = Setting {
    about: About::text("s3.prefix", "PREFIX")
        .unset("nothing")
        .doc("What stands before the keys of all objects, such as 'bonded/'"),
    read: |value| optional(value, prefix),
    show: |prefix| prefix.as_ref().and_then(text),
};

static ENDPOINT: Setting<Option<String>> = Setting {
    about: About::text("s3.endpoint", "URL")
        .unset("AWS's for the region")
        .doc("The URL of the server, such as 'https://minio.example.org:9000'"),
    read: |value| optional(value, endpoint),
    show: |url| url.as_ref().and_then(text),
};

static REGION: Setting<Option<String>> = Setting {
    about: About::text("s3.region", "REGION")
        .unset("$AWS_REGION, $AWS_DEFAULT_REGION or us-east-1")
        .doc("The region that requests to the bucket are signed for"),
    read: |value| optional(value, |text| Ok(text.to_owned())),
    show: |region| region.as_ref().and_then(text),
};

static ACCESS_KEY_ID: Setting<Option<String>> = Setting {
    about: About::text("s3.access_key_id", "ID")
        .unset("$AWS_ACCESS_KEY_ID, with $AWS_SECRET_ACCESS_KEY and $AWS_SESSION_TOKEN")
        .doc("The access key id for the bucket"),
    read: |value| optional(value, |text| Ok(text.to_owned())),
    show: |id| id.as_ref().and_then(text),
};

static SECRET_ACCESS_KEY: Setting<Option<Secret>> = Setting {
    about: About::text("s3.secret_access_key", "SECRET").secret().doc(
        "The secret of that access key, better not given as a flag because other users see flags",
    ),
    read: |value| optional(value, |text| Ok(Secret::new(text.to_owned()))),
    show: |secret| secret.as_ref().and_then(|_| text(&HIDDEN)),
};

pub(super) static PATH_STYLE: Setting<Option<bool>> = Setting {
    about: About::switch("s3.path_style")
        .unset("true with an endpoint, false without")
        .doc("Whether the bucket stands in the path of URLs, not in the host name"),
    read: |value| Ok(switch(value)),
    show: |on| on.map(Value::Switch),
};

static ALLOW_HTTP: Setting<bool> = Setting {
    about: About::switch("s3.allow_http").default("false").doc(
        "Whether an endpoint that begins with 'http://' is taken, where nobody listens in between",
    ),
    read: |value| Ok(switch(value).unwrap_or(false)),
    show: |on| Some(Value::Switch(*on)),
};

/// Where objects are; `variable` gives AWS's variables.
pub(super) fn objects(
    settings: &mut Reading,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Objects, ConfigError> {
    let Some(name) = settings.get(&BUCKET)? else {
        let set = |about: &&&About| settings.raw().value(about).is_some();
        return match TABLE.iter().find(set) {
            None => Ok(Objects::Disk),
            Some(about) => Err(both(about, &BUCKET.about)),
        };
    };
    let text = |name: &str| variable(name).and_then(|text| text.into_string().ok());
    let allow_http = settings.get(&ALLOW_HTTP)?;
    let endpoint = settings.get(&ENDPOINT)?;
    if let Some(url) = endpoint
        .as_ref()
        .filter(|url| url.starts_with("http://") && !allow_http)
    {
        let problem = format!(
            "'{}' is not encrypted on its way; use https, or set 's3.allow_http' where nobody listens in between",
            url.escape_debug()
        );
        return Err(invalid(ENDPOINT.about.key, problem));
    }
    let region = settings.get(&REGION)?.or_else(|| text("AWS_REGION"));
    let region = region.or_else(|| text("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let key = (
        settings.get(&ACCESS_KEY_ID)?,
        settings.get(&SECRET_ACCESS_KEY)?,
    );
    let (access_key_id, secret_access_key, session_token) = match key {
        (Some(id), Some(secret)) => (id, secret, None),
        (Some(_), None) => return Err(both(&ACCESS_KEY_ID.about, &SECRET_ACCESS_KEY.about)),
        (None, Some(_)) => return Err(both(&SECRET_ACCESS_KEY.about, &ACCESS_KEY_ID.about)),
        (None, None) => match (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => (id, Secret::new(secret), text("AWS_SESSION_TOKEN")),
            _ => {
                let problem = "no access key for the bucket: set it and 's3.secret_access_key', or \
                     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
                return Err(invalid(ACCESS_KEY_ID.about.key, problem.to_owned()));
            }
        },
    };
    let path_style = settings.get(&PATH_STYLE)?.unwrap_or(endpoint.is_some());
    settings.show(&REGION, &Some(region.clone()));
    settings.show(&ACCESS_KEY_ID, &Some(access_key_id.clone()));
    settings.show(&SECRET_ACCESS_KEY, &Some(Secret::new(String::new())));
    settings.show(&PATH_STYLE, &Some(path_style));
    Ok(Objects::Bucket(BucketSettings {
        name,
        prefix: settings.get(&PREFIX)?.unwrap_or_default(),
        region,
        path_style,
        endpoint,
        allow_http,
        access_key_id,
        secret_access_key,
        session_token: session_token.map(Secret::new),
    }))
}

fn bucket_name(name: &str) -> Result<String, String> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    if (3..=63).contains(&name.len()) && name.bytes().all(letter) {
        return Ok(name.to_owned());
    }
    let name = name.escape_debug();
    Err(format!(
        "'{name}' is not the name of a bucket: 3 to 63 lower-case letters, digits, '-' and '.'"
    ))
}

fn both(about: &About, other: &About) -> ConfigError {
    invalid(about.key, format!("'{}' must be set too", other.key))
}

fn endpoint(url: &str) -> Result<String, String> {
    let rest = match url.split_once("://") {
        Some(("https" | "http", rest)) => rest,
        _ => "",
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let outside = |c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c);
    if host.is_empty() || host.contains(outside) {
        let shown = url.escape_debug();
        return Err(format!(
            "'{shown}' is not the URL of a server, such as 'https://minio.example.org:9000'"
        ));
    }
    Ok(url.to_owned())
}

/// The prefix, which ends with `/` unless it is empty.
fn prefix(text: &str) -> Result<String, String> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let path = text.strip_suffix('/').unwrap_or(text);
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(letter);
    if text.is_empty() {
        return Ok(String::new());
    }
    if !path.split('/').all(part) || path.len() > 512 {
        let text = text.escape_debug();
        return Err(format!(
            "'{text}' is not a prefix: names of letters, digits, '-', '_' and '.' with '/' between them, such as 'bonded/'"
        ));
    }
    Ok(format!("{path}/"))
}
