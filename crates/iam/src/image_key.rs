//! Our own condition keys: facts of images (docs/reference/condition-keys.md).
//!
//! The engine treats them as any other key. What is known of them here is for those who save
//! policies: which keys there are, how many values each has, and of what type.

use crate::condition::{Base, Clause, Operator};

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    /// Compared by `String…`.
    Text,
    /// Compared by `Numeric…`.
    Number,
}

/// The key that has several values.
pub(crate) const CURRENT_IMAGE_TAGS: &str = "bonded:CurrentImageTags";

/// The tag that a request names.
pub(crate) const IMAGE_TAG: &str = "bonded:ImageTag";

const KEYS: [(&str, ValueType); 11] = [
    (IMAGE_TAG, ValueType::Text),
    (CURRENT_IMAGE_TAGS, ValueType::Text),
    ("bonded:ImageDigest", ValueType::Text),
    ("bonded:ImageMediaType", ValueType::Text),
    ("bonded:ScanStatus", ValueType::Text),
    ("bonded:MaxSeverity", ValueType::Text),
    ("bonded:CriticalFindings", ValueType::Number),
    ("bonded:HighFindings", ValueType::Number),
    ("bonded:FixableCriticalFindings", ValueType::Number),
    ("bonded:UnratedFindings", ValueType::Number),
    ("bonded:ScanAgeHours", ValueType::Number),
];

/// Whether a key is in our namespace, one of ours or not.
pub(crate) fn is_own(key: &str) -> bool {
    let vendor = key.split(':').next().unwrap_or_default();
    vendor.eq_ignore_ascii_case("bonded")
}

/// The type of one of our keys; `None` if there is no such key.
pub(crate) fn value_type(key: &str) -> Option<ValueType> {
    let found = KEYS.iter().find(|(own, _)| own.eq_ignore_ascii_case(key));
    found.map(|(_, value_type)| *value_type)
}

/// What is wrong with a clause on one of our keys, if anything.
pub(crate) fn defect(clause: &Clause, operator: Operator) -> Option<String> {
    let key = &clause.key;
    let Some(value_type) = value_type(key) else {
        return Some(no_such_key(key));
    };
    let (fits, wanted) = match (value_type, operator.base) {
        (_, Base::Null) => return None,
        (ValueType::Text, base) => (matches!(base, Base::String { .. }), "a String"),
        (ValueType::Number, base) => (matches!(base, Base::Numeric(_)), "a Numeric"),
    };
    (!fits).then(|| {
        format!(
            "The condition key {key} cannot be compared by {}: use {wanted} operator, or Null",
            clause.operator
        )
    })
}

/// The text for a key of our namespace that does not exist.
pub(crate) fn no_such_key(key: &str) -> String {
    let names = KEYS.map(|(name, _)| name).join(", ");
    format!(
        "The condition key {} does not exist; those of images are {names}",
        bonded_model::shown(key)
    )
}
