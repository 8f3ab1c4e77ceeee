//! Whether a tag may move: ECR's `imageTagMutability` with its exclusion filters.

use crate::Tag;

/// The setting of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TagMutability {
    /// Every tag may move.
    #[default]
    Mutable,
    /// No tag may move.
    Immutable,
    /// No tag may move but those that match one of the filters.
    ImmutableWithExclusion(Vec<String>),
    /// Every tag may move but those that match one of the filters.
    MutableWithExclusion(Vec<String>),
}

/// The setting and its filters do not fit together, or one is malformed.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTagMutability {
    /// Not one of the four words.
    #[error(
        "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'"
    )]
    Word,
    /// Filters are missing for `*_WITH_EXCLUSION`.
    #[error(
        "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {0}'"
    )]
    FiltersMissing(&'static str),
    /// Filters are given for a setting that has none.
    #[error(
        "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as {0}'"
    )]
    FiltersUnexpected(&'static str),
    /// A filter is not 1 to 128 of `[0-9a-zA-Z._*-]`, or there are more than 5.
    #[error(
        "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: '1 to 5 filters that satisfy regular expression '[0-9a-zA-Z._*-]{{1,128}}''"
    )]
    Filter,
}

impl TagMutability {
    /// From ECR's word (`None` is its default, `MUTABLE`) and its wildcard filters.
    ///
    /// # Errors
    /// See [`InvalidTagMutability`]; the texts are ECR's.
    pub fn parse(
        word: Option<&str>,
        filters: Option<Vec<String>>,
    ) -> Result<Self, InvalidTagMutability> {
        let setting = match word.unwrap_or("MUTABLE") {
            "MUTABLE" => Self::Mutable,
            "IMMUTABLE" => Self::Immutable,
            "IMMUTABLE_WITH_EXCLUSION" => Self::ImmutableWithExclusion(Vec::new()),
            "MUTABLE_WITH_EXCLUSION" => Self::MutableWithExclusion(Vec::new()),
            _ => return Err(InvalidTagMutability::Word),
        };
        let word = setting.as_str();
        match (setting, filters) {
            (plain @ (Self::Mutable | Self::Immutable), None) => Ok(plain),
            (Self::Mutable | Self::Immutable, Some(_)) => {
                Err(InvalidTagMutability::FiltersUnexpected(word))
            }
            (_, None) => Err(InvalidTagMutability::FiltersMissing(word)),
            (_, Some(filters)) if filters.is_empty() => {
                Err(InvalidTagMutability::FiltersMissing(word))
            }
            (_, Some(filters)) if filters.len() > 5 || !filters.iter().all(|f| is_filter(f)) => {
                Err(InvalidTagMutability::Filter)
            }
            (Self::ImmutableWithExclusion(_), Some(filters)) => {
                Ok(Self::ImmutableWithExclusion(filters))
            }
            (Self::MutableWithExclusion(_), Some(filters)) => {
                Ok(Self::MutableWithExclusion(filters))
            }
        }
    }

    /// ECR's word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::ImmutableWithExclusion(_) => "IMMUTABLE_WITH_EXCLUSION",
            Self::MutableWithExclusion(_) => "MUTABLE_WITH_EXCLUSION",
        }
    }

    /// The filters, in the order they were given; empty for a setting that has none.
    #[must_use]
    pub fn filters(&self) -> &[String] {
        match self {
            Self::Mutable | Self::Immutable => &[],
            Self::ImmutableWithExclusion(filters) | Self::MutableWithExclusion(filters) => filters,
        }
    }

    /// Whether `tag`, once set, may be moved to another image.
    #[must_use]
    pub fn may_move(&self, tag: &Tag) -> bool {
        let excluded = self
            .filters()
            .iter()
            .any(|filter| matches(filter, tag.as_str()));
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::ImmutableWithExclusion(_) => excluded,
            Self::MutableWithExclusion(_) => !excluded,
        }
    }
}

fn is_filter(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._*-".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether `text` is `filter` with each `*` replaced by some run of characters. The parts between
/// stars are found from left to right, the last one at the end: linear for each part.
pub(crate) fn matches(filter: &str, text: &str) -> bool {
    let Some((first, rest)) = filter.split_once('*') else {
        return filter == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_turn_the_setting_around_for_the_tags_they_match() {
        let parse = |word, filters: &[&str]| {
            let filters = filters.iter().map(|f| (*f).to_owned()).collect();
            TagMutability::parse(Some(word), Some(filters)).unwrap()
        };
        let immutable = parse("IMMUTABLE_WITH_EXCLUSION", &["latest", "dev-*", "*.rc*x"]);
        for (tag, may_move) in [
            ("latest", true),
            ("dev-", true),
            ("dev-1", true),
            ("v1.rc2x", true),
            ("v1", false),
            ("latest1", false),
        ] {
            assert_eq!(immutable.may_move(&tag.parse().unwrap()), may_move, "{tag}");
        }
        let mutable = parse("MUTABLE_WITH_EXCLUSION", &["v*"]);
        assert!(!mutable.may_move(&"v1".parse().unwrap()));
        assert!(mutable.may_move(&"x".parse().unwrap()));
    }

    #[test]
    fn setting_and_filters_must_fit() {
        let some = || Some(vec!["a".to_owned()]);
        assert!(TagMutability::parse(None, None).is_ok());
        assert!(TagMutability::parse(Some("MUTABLE"), some()).is_err());
        assert!(TagMutability::parse(Some("IMMUTABLE_WITH_EXCLUSION"), None).is_err());
        assert!(TagMutability::parse(Some("immutable"), None).is_err());
        assert!(
            TagMutability::parse(Some("MUTABLE_WITH_EXCLUSION"), Some(vec!["a b".into()])).is_err()
        );
        assert!(
            TagMutability::parse(Some("MUTABLE_WITH_EXCLUSION"), Some(vec!["a".into(); 6]))
                .is_err()
        );
    }
}
