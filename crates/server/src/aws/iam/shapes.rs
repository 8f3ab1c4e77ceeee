//! Constraints and shapes that several of IAM's operations share.

use bonded_model::{AccountId, InvalidPolicyArn, PolicyArn, ResourceTag, ResourceTags, TAGS_LIMIT};
use bonded_registry::target::{OidcProviderNamed, UserNamed};
use bonded_registry::{Caller, Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::aws::query::List;

/// RFC 3986 unreserved characters stay as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The longest policy document a request may carry, in characters.
const DOCUMENT_LIMIT: usize = 131_072;

pub(super) fn constraint(at: &str, what: &str) -> Error {
    Error::Validation(format!(
        "1 validation error detected: Value at '{at}' failed to satisfy constraint: {what}"
    ))
}

/// Checks a name of `[\w+=,.@-]`, 1 to `max` characters.
pub(super) fn name(at: &str, text: &str, max: usize) -> Result<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if text.is_empty() {
        return Err(constraint(
            at,
            "Member must have length greater than or equal to 1",
        ));
    }
    if text.chars().count() > max {
        return Err(constraint(
            at,
            &format!("Member must have length less than or equal to {max}"),
        ));
    }
    if text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(Error::Validation(format!(
            "The specified value for {at} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )))
    }
}

/// Checks a path: `/`, or a text of visible ASCII that begins and ends with `/`; `None` is `/`.
pub(super) fn path(text: Option<&str>) -> Result<String> {
    let text = text.unwrap_or("/");
    let visible = text.bytes().all(|b| (b'!'..=b'~').contains(&b));
    let slashes = text.starts_with('/') && text.ends_with('/');
    // `:` and `*` would make an ARN that can be read in two ways.
    if (1..=512).contains(&text.len()) && visible && slashes && !text.contains([':', '*', '?']) {
        Ok(text.to_owned())
    } else {
        Err(Error::Validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.".to_owned(),
        ))
    }
}

/// Checks an access key id, 16 to 128 word characters.
pub(super) fn access_key_id(text: &str) -> Result<&str> {
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if (16..=128).contains(&text.len()) && word {
        Ok(text)
    } else {
        Err(constraint(
            "accessKeyId",
            "Member must satisfy regular expression pattern: [\\w]{16,128}",
        ))
    }
}

/// Checks the length of a policy document; what it says is judged when it is saved.
pub(super) fn document<'a>(at: &str, text: &'a str) -> Result<&'a str> {
    if text.is_empty() {
        return Err(constraint(
            at,
            "Member must have length greater than or equal to 1",
        ));
    }
    if text.chars().count() > DOCUMENT_LIMIT {
        return Err(constraint(
            at,
            "Member must have length less than or equal to 131072",
        ));
    }
    Ok(text)
}

/// A policy document as answers carry it: URL-encoded by RFC 3986.
pub(super) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

/// The user an operation names, or the caller if it names none.
pub(super) fn user(caller: &Caller, user_name: Option<&str>) -> Result<UserNamed> {
    let named = match user_name {
        Some(text) => name("userName", text, 128)?,
        None => caller.user_name().map(str::to_owned).ok_or_else(|| {
            Error::Validation(
                "Must specify userName when calling with non-User credentials".to_owned(),
            )
        })?,
    };
    Ok(UserNamed {
        account: caller.account().clone(),
        name: named,
        path: "/".to_owned(),
    })
}

/// The ARN of a managed policy.
///
/// # Errors
/// It is none; the text is IAM's.
pub(super) fn policy_arn(text: &str) -> Result<PolicyArn> {
    text.parse()
        .map_err(|e: InvalidPolicyArn| Error::Validation(e.to_string()))
}

/// What the paths of a list begin with; everything if the request does not say.
///
/// # Errors
/// It does not begin with `/`, is too long, or has other characters than paths have.
pub(super) fn path_prefix(text: Option<&str>) -> Result<&str> {
    let text = text.unwrap_or("/");
    let visible = text.bytes().all(|b| (b'!'..=b'~').contains(&b));
    if (1..=512).contains(&text.len()) && visible && text.starts_with('/') {
        Ok(text)
    } else {
        Err(constraint(
            "pathPrefix",
            "Member must satisfy regular expression pattern: \\u002F[\\u0021-\\u007F]*",
        ))
    }
}

/// The provider in `arn:aws:iam::ACCOUNT:oidc-provider/URL`; of another account it is none.
///
/// # Errors
/// It is not such an ARN.
pub(super) fn oidc_provider(caller: &Caller, arn: &str) -> Result<OidcProviderNamed> {
    let invalid = || Error::InvalidInput(format!("Invalid ARN: {}", arn.escape_debug()));
    let rest = arn.strip_prefix("arn:aws:iam::").ok_or_else(invalid)?;
    let (account, url) = rest.split_once(":oidc-provider/").ok_or_else(invalid)?;
    let account: AccountId = account.parse().map_err(|_| invalid())?;
    let visible = url.bytes().all(|b| (b'!'..=b'~').contains(&b));
    if account != *caller.account() || !visible || !(1..=255).contains(&url.len()) {
        return Err(invalid());
    }
    Ok(OidcProviderNamed {
        account,
        url: url.to_owned(),
    })
}

/// A description, at most 1,000 characters of Latin-1.
///
/// # Errors
/// It is longer or has others.
pub(super) fn description(text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let printable = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    if !text.chars().all(printable) {
        return Err(constraint(
            "description",
            "Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*",
        ));
    }
    if text.chars().count() > 1000 {
        return Err(constraint(
            "description",
            "Member must have length less than or equal to 1000",
        ));
    }
    Ok(Some(text.to_owned()))
}

/// How long sessions of a role may be, in seconds.
///
/// # Errors
/// It is out of range.
pub(super) fn session_duration(seconds: u32) -> Result<u32> {
    if (3600..=43_200).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Error::Validation(format!(
            "1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200"
        )))
    }
}

/// Checks the keys of tags that a request names.
///
/// # Errors
/// There are too many, or one is too long.
pub(super) fn tag_keys(keys: &[String]) -> Result<()> {
    if keys.len() > TAGS_LIMIT {
        return Err(constraint(
            "tagKeys",
            "Member must have length less than or equal to 50",
        ));
    }
    match keys
        .iter()
        .find(|key| !(1..=128).contains(&key.chars().count()))
    {
        Some(_) => Err(constraint(
            "tagKeys",
            "Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]",
        )),
        None => Ok(()),
    }
}

/// `Tag`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

impl Tag {
    /// Its key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

/// Checks the tags of a request.
pub(super) fn tags(list: &[Tag]) -> Result<ResourceTags> {
    let mut tags = ResourceTags::new();
    for Tag { key, value } in list {
        let tag = ResourceTag::new(key.clone(), value.clone())
            .map_err(|e| Error::Validation(e.to_string()))?;
        if tags
            .keys()
            .any(|other| other.to_lowercase() == key.to_lowercase())
        {
            return Err(Error::Validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                    .to_owned(),
            ));
        }
        tags.insert(tag.key().to_owned(), tag.value().to_owned());
    }
    if tags.len() > TAGS_LIMIT {
        return Err(Error::LimitExceeded(format!(
            "Cannot exceed quota for TagsPerResource: {TAGS_LIMIT}"
        )));
    }
    Ok(tags)
}

/// The tags of a user or role as a list.
pub(super) fn tag_list(tags: &ResourceTags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

/// The tags of something as answers show them that leave out what is empty.
pub(super) fn some_tags(tags: &ResourceTags) -> Option<List<Tag>> {
    (!tags.is_empty()).then(|| tag_list(tags).into())
}

/// The answer of operations that have none.
#[derive(Debug, Serialize)]
pub(super) struct NoAnswer {}

/// The answer of operations that have a result without members. Not an empty type: those have no
/// result either.
#[derive(Debug, Default, Serialize)]
pub(super) struct EmptyAnswer {
    #[serde(rename = "$text")]
    nothing: &'static str,
}
