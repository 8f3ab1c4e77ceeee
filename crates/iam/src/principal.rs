//! `Principal` and `NotPrincipal`: whom a resource policy names, and how strongly it names the
//! caller (iam.md §4).

use serde::Serialize;
use serde_json::Value;

use crate::pattern::arn_segments;
use crate::policy::list;
use crate::request::Principal;

/// How strongly the Allow statements of the resource policies name the caller; the best counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantLevel {
    /// Not at all.
    None,
    /// By the account: it may pass the permission on by its identity policies.
    Account,
    /// The user, while a federated session of it calls.
    User,
    /// The role, while a session of it calls.
    Role,
    /// Everyone, `*`.
    Wildcard,
    /// Exactly this caller.
    Direct,
}

/// One principal a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `"*"`
    Everyone,
    /// `{"AWS": "*"}`
    AwsEveryone,
    /// 12 digits, or the ARN of the root user, then with its partition.
    Account {
        partition: Option<String>,
        id: String,
    },
    /// The ARN of a user, role, role session or federated user.
    Arn(String),
    /// `AIDA…` or `AROA…`: what the ARN of a user or role becomes when a policy is saved.
    UniqueId(String),
    /// The name of a service.
    Service(String),
    /// The ARN or host of an identity provider.
    Federated(String),
    /// Anything else, with its kind: `"AWS":"…"`.
    NotUnderstood(String),
}

/// Reads the value of `Principal` or `NotPrincipal`.
pub(crate) fn entries(value: &Value) -> Vec<Entry> {
    let Some(map) = value.as_object() else {
        return match value.as_str() {
            Some("*") => vec![Entry::Everyone],
            _ => vec![not_understood("AWS", value)],
        };
    };
    let of_kind = |(kind, values): (&String, &Value)| -> Vec<Entry> {
        list(values)
            .map(|value| match (kind.as_str(), value.as_str()) {
                ("AWS", Some(text)) => {
                    aws_entry(text).unwrap_or_else(|| not_understood(kind, value))
                }
                ("Service", Some(text)) if is_plain(text) => Entry::Service(text.to_owned()),
                ("Federated", Some(text)) if is_plain(text) => Entry::Federated(text.to_owned()),
                _ => not_understood(kind, value),
            })
            .collect()
    };
    let entries: Vec<Entry> = map.iter().flat_map(of_kind).collect();
    if entries.is_empty() {
        return vec![not_understood("AWS", value)];
    }
    entries
}

fn not_understood(kind: &str, value: &Value) -> Entry {
    Entry::NotUnderstood(format!("\"{}\":{value}", kind.to_ascii_uppercase()))
}

fn aws_entry(text: &str) -> Option<Entry> {
    if text == "*" {
        return Some(Entry::AwsEveryone);
    }
    if is_account(text) {
        return Some(Entry::Account {
            partition: None,
            id: text.to_owned(),
        });
    }
    let id = |prefix| text.starts_with(prefix) && text.len() >= 16;
    let upper = text
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if upper && (id("AIDA") || id("AROA")) {
        return Some(Entry::UniqueId(text.to_owned()));
    }
    let [_, partition, service, region, account, name] = arn_segments(text)?;
    if !region.is_empty() || !is_account(account) || !is_plain(text) {
        return None;
    }
    if (service, name) == ("iam", "root") {
        return Some(Entry::Account {
            partition: Some(partition.to_owned()),
            id: account.to_owned(),
        });
    }
    let (kind, rest) = name.split_once('/')?;
    let parts = rest.split('/').filter(|part| !part.is_empty()).count();
    let valid = match (service, kind) {
        ("iam", "user" | "role") => parts > 0 && !rest.ends_with('/'),
        ("sts", "assumed-role") => parts == 2,
        ("sts", "federated-user") => parts == 1,
        _ => false,
    };
    valid.then(|| Entry::Arn(text.to_owned()))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Not empty, without wildcards and variables: neither has a meaning in a principal.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(['*', '?', '$'])
}

/// The ARN of the role or user behind a session, and the unique id of the role or user.
fn behind(caller: &Principal) -> (Option<&str>, Option<&str>) {
    match caller {
        Principal::User { unique_id, .. } => (None, unique_id.as_deref()),
        Principal::RoleSession {
            role_arn,
            unique_id,
            ..
        } => (Some(role_arn), unique_id.as_deref()),
        Principal::FederatedUser {
            user_arn,
            unique_id,
            ..
        } => (Some(user_arn), unique_id.as_deref()),
        _ => (None, None),
    }
}

/// The level at which naming what is behind a session names the session.
fn level_behind(caller: &Principal) -> GrantLevel {
    match caller {
        Principal::User { .. } => GrantLevel::Direct,
        Principal::RoleSession { .. } => GrantLevel::Role,
        Principal::FederatedUser { .. } => GrantLevel::User,
        _ => GrantLevel::None,
    }
}

impl Entry {
    /// The level at which an Allow with this entry grants.
    pub(crate) fn grants(&self, caller: &Principal) -> GrantLevel {
        let signed = caller.account().is_some();
        let when = |holds: bool, level| if holds { level } else { GrantLevel::None };
        match self {
            Self::Everyone | Self::AwsEveryone => match caller {
                Principal::FederatedUser { .. } => GrantLevel::User,
                Principal::FederatedIdentity { .. } => GrantLevel::None,
                // Whether {"AWS": "*"} means services too is not documented: no.
                Principal::Service { .. } => when(*self == Self::Everyone, GrantLevel::Wildcard),
                _ => GrantLevel::Wildcard,
            },
            Self::Account { partition, id } => {
                let same_partition = partition
                    .as_deref()
                    .is_none_or(|partition| caller.name().split(':').nth(1) == Some(partition));
                let same = same_partition && caller.account() == Some(id);
                when(same, GrantLevel::Account)
            }
            Self::Arn(arn) if signed && arn == caller.name() => GrantLevel::Direct,
            Self::Arn(arn) => when(behind(caller).0 == Some(arn), level_behind(caller)),
            Self::UniqueId(id) => when(behind(caller).1 == Some(id), level_behind(caller)),
            Self::Service(name) => match caller {
                Principal::Service { service } => when(service == name, GrantLevel::Direct),
                _ => GrantLevel::None,
            },
            Self::Federated(name) => match caller {
                Principal::FederatedIdentity { provider, .. } => {
                    when(provider == name, GrantLevel::Direct)
                }
                _ => GrantLevel::None,
            },
            Self::NotUnderstood(_) => GrantLevel::None,
        }
    }

    /// Whether a Deny with this entry hits: at any level, and where it is not clear.
    pub(crate) fn denies(&self, caller: &Principal) -> bool {
        match self {
            Self::Everyone | Self::AwsEveryone | Self::NotUnderstood(_) => true,
            Self::Account { id, .. } => match caller {
                // Whether a web identity belongs to its provider's account is not documented: yes.
                Principal::FederatedIdentity { account, .. } => account == id,
                _ => caller.account() == Some(id),
            },
            _ => self.grants(caller) != GrantLevel::None,
        }
    }
}

/// Whether a Deny with `NotPrincipal` spares the caller: the whole chain of account, user or role,
/// and session must be listed.
pub(crate) fn spares(entries: &[Entry], caller: &Principal) -> bool {
    let named = |level| entries.iter().any(|entry| entry.grants(caller) == level);
    // "*" in NotPrincipal stands for no link of the chain.
    let exactly = |wanted: GrantLevel| {
        wanted != GrantLevel::None
            && entries.iter().any(|entry| {
                !matches!(entry, Entry::Everyone | Entry::AwsEveryone)
                    && entry.grants(caller) == wanted
            })
    };
    match caller {
        Principal::User { .. } => named(GrantLevel::Account) && exactly(GrantLevel::Direct),
        Principal::RoleSession { .. } | Principal::FederatedUser { .. } => {
            named(GrantLevel::Account)
                && exactly(level_behind(caller))
                && exactly(GrantLevel::Direct)
        }
        Principal::Root { .. } => named(GrantLevel::Account),
        Principal::Service { .. } | Principal::FederatedIdentity { .. } => {
            exactly(GrantLevel::Direct)
        }
        Principal::Anonymous => false,
    }
}
