//! The name of a repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A repository name by ECR's pattern, which is the OCI pattern with 2 to 256 characters:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

/// The text is not a repository name. The message is ECR's.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRepositoryName {
    /// Fewer than 2 or more than 256 characters.
    #[error(
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must have length between 2 and 256'"
    )]
    Length,
    /// Another form than the pattern's.
    #[error(
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '{}''",
        RepositoryName::PATTERN
    )]
    Pattern,
}

impl RepositoryName {
    /// The pattern, as ECR's error text shows it.
    pub const PATTERN: &'static str =
        r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

    /// The name, without account or host.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One `/`-separated part: runs of letters and digits joined by `.`, `_`, `__` or any run of `-`.
fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = text.split(word).filter(|run| !run.is_empty());
    text.starts_with(word)
        && text.ends_with(word)
        && separators
            .into_iter()
            .all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|b| b == b'-'))
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, InvalidRepositoryName> {
        if !(2..=256).contains(&text.len()) {
            Err(InvalidRepositoryName::Length)
        } else if text.split('/').all(is_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRepositoryName::Pattern)
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidRepositoryName;

    fn try_from(text: String) -> Result<Self, InvalidRepositoryName> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_pattern_are_accepted() {
        let long = "a".repeat(256);
        for text in [
            "ab",
            "1a",
            "team/app",
            "a/b/c",
            "a.b_c__d-e---f",
            "blobs/uploads",
            &long,
        ] {
            assert_eq!(text.parse::<RepositoryName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "a".repeat(257);
        for text in [
            "", "a", "A/b", "/ab", "ab/", "a//b", "a..b", "a___b", "a._b", "-a", "a-", "a b",
            "ä/b", "../etc", "a/../b", "a\0b", &long,
        ] {
            assert!(text.parse::<RepositoryName>().is_err(), "{text}");
        }
    }
}
