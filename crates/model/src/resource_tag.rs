//! Key-value tags on a resource, which conditions read as `aws:ResourceTag/KEY`.

use std::collections::BTreeMap;

/// How many tags a resource may have.
pub const TAGS_LIMIT: usize = 50;

/// The tags of one resource by key; keys are case-sensitive.
pub type ResourceTags = BTreeMap<String, String>;

/// One tag: a key of 1 to 128 characters that does not begin with `aws:`, a value of 0 to 256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceTag {
    key: String,
    value: String,
}

/// Key or value is out of bounds, or holds a character that tags may not have.
#[derive(Debug, thiserror::Error)]
pub enum InvalidResourceTag {
    /// The key is empty or longer than 128 characters.
    #[error("the tag key '{0}' must have 1 to 128 characters")]
    KeyLength(String),
    /// The value is longer than 256 characters.
    #[error("the value of the tag '{0}' must have at most 256 characters")]
    ValueLength(String),
    /// The prefix `aws:` is AWS's.
    #[error("the tag key '{0}' begins with the reserved prefix 'aws:'")]
    Reserved(String),
    /// Only letters, digits, white space and `_.:/=+-@` may stand in a tag.
    #[error(
        "the tag '{0}' holds a character that is not a letter, digit, space or one of _.:/=+-@"
    )]
    Character(String),
}

impl ResourceTag {
    /// Checks `key` and `value`.
    ///
    /// # Errors
    /// See [`InvalidResourceTag`].
    pub fn new(key: String, value: String) -> Result<Self, InvalidResourceTag> {
        let shown = || crate::shown(&key);
        let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
        if !(1..=128).contains(&key.chars().count()) {
            Err(InvalidResourceTag::KeyLength(shown()))
        } else if value.chars().count() > 256 {
            Err(InvalidResourceTag::ValueLength(shown()))
        } else if key.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("aws:")) {
            Err(InvalidResourceTag::Reserved(shown()))
        } else if !key.chars().all(allowed) || !value.chars().all(allowed) {
            Err(InvalidResourceTag::Character(shown()))
        } else {
            Ok(Self { key, value })
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_reserved_prefix() {
        let new = |k: &str, v: &str| ResourceTag::new(k.to_owned(), v.to_owned());
        let tag = new("env", "").unwrap();
        assert_eq!((tag.key(), tag.value()), ("env", ""));
        let long = "a".repeat(257);
        for (key, value) in [
            ("", "x"),
            (&long[..129], "x"),
            ("k", &long),
            ("AWS:x", "x"),
            ("k<", "x"),
            ("k", "\n"),
        ] {
            assert!(new(key, value).is_err(), "{key} {value}");
        }
    }
}
