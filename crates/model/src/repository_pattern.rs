//! Which repositories a setting is about.

use std::fmt;
use std::str::FromStr;

use crate::RepositoryName;
use crate::tag_mutability::matches;

/// Repository names with `*` for any run of characters, slashes included: `ci/*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPattern(String);

/// The text is not a pattern that a repository's name could match.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{0}' is not a pattern of repository names: at most 256 lower-case letters, digits, '.', '_', '-', '/' and '*' are expected, such as 'ci/*'"
)]
pub struct InvalidRepositoryPattern(String);

impl RepositoryPattern {
    /// Whether the pattern stands for `name`.
    #[must_use]
    pub fn matches(&self, name: &RepositoryName) -> bool {
        matches(&self.0, name.as_str())
    }
}

impl FromStr for RepositoryPattern {
    type Err = InvalidRepositoryPattern;

    fn from_str(text: &str) -> Result<Self, InvalidRepositoryPattern> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*".contains(&b);
        if (1..=256).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRepositoryPattern(crate::shown(text)))
        }
    }
}

impl fmt::Display for RepositoryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("ci/*", "ci/app", true),
            ("ci/*", "ci/team/app", true),
            ("ci/*", "ci", false),
            ("ci/*", "xci/app", false),
            ("*/cache", "team/cache", true),
            ("*/cache", "team/cache/x", false),
            ("*", "anything", true),
            ("team/app", "team/app", true),
            ("team/app", "team/app2", false),
        ] {
            let pattern: RepositoryPattern = pattern.parse().unwrap();
            assert_eq!(
                pattern.matches(&name.parse().unwrap()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn what_no_name_could_match_is_refused() {
        let long = "a".repeat(257);
        for text in ["", "CI/*", "a b", "a?", "ä*", &long] {
            assert!(text.parse::<RepositoryPattern>().is_err(), "{text}");
        }
    }
}
