//! The media type of a manifest or of what it points to.

use std::fmt;
use std::str::FromStr;

/// A media type by RFC 6838 §4.2, of at most 255 characters, parameters allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaType(String);

/// The text is not a media type.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a media type: 'type/subtype' by RFC 6838 is expected")]
pub struct InvalidMediaType(String);

impl MediaType {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &'static str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &'static str = "application/vnd.oci.image.index.v1+json";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &'static str =
        "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_LIST: &'static str =
        "application/vnd.docker.distribution.manifest.list.v2+json";

    /// The media type as it was written, with its parameters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The media type without its parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.0.split(';').next().unwrap_or_default().trim_end()
    }
}

/// RFC 6838 §4.2 `restricted-name`: a letter or digit, then up to 126 of a small alphabet.
fn is_restricted_name(text: &str) -> bool {
    let begins = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    begins && rest && text.len() <= 127
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let essence = text.split(';').next().unwrap_or_default().trim_end();
        let names = essence.split_once('/');
        let valid = names.is_some_and(|(a, b)| is_restricted_name(a) && is_restricted_name(b))
            && text.len() <= 255
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/=;\" ".contains(&b));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidMediaType(crate::shown(text)))
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_kept_apart() {
        let media_type: MediaType = "application/x+json; version=0.2".parse().unwrap();
        assert_eq!(media_type.essence(), "application/x+json");
        for text in [
            "",
            "application",
            "/x",
            "a/",
            "text/<script>",
            "a/b\r\nX: y",
            "ä/b",
        ] {
            assert!(text.parse::<MediaType>().is_err(), "{text}");
        }
    }
}
