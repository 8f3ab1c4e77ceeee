//! Pages of lists: what they go by, and how long they are.
//!
//! Names of users, groups, roles and the like are listed and compared without regard to case, and
//! found by the beginning of their path.

use bonded_model::AccountId;

use crate::meta::Value;

/// The longest page.
const LIMIT: u32 = 1000;

/// A `LIMIT` of at most one more than the longest page: that one tells whether another follows.
pub(crate) fn page(limit: u32) -> Value {
    limit.min(LIMIT + 1).into()
}

/// What two names that are equal but for case have in common.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The first text behind all that begin with `prefix`, in byte order.
pub(crate) fn prefix_end(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// The parameters of a page of what an account has, by name behind `after`, whose path begins with
/// `path_prefix`: `account = $1 AND folded_name > $2 AND path >= $3 AND path < $4`, `LIMIT $5`.
pub(crate) fn by_path(
    account: &AccountId,
    path_prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> [Value; 5] {
    [
        account.as_str().into(),
        folded(after.unwrap_or_default()).into(),
        path_prefix.into(),
        prefix_end(path_prefix).into(),
        page(limit),
    ]
}

/// The parameters of a page of what belongs to `owner`, by name behind `after`:
/// `owner = $1 AND folded_name > $2`, `LIMIT $3`.
pub(crate) fn by_name(owner: &str, after: Option<&str>, limit: u32) -> [Value; 3] {
    let after = folded(after.unwrap_or_default());
    [owner.into(), after.into(), page(limit)]
}
