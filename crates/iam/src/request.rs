//! What is asked: who wants to do what to which resource, and the facts around it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Who asks. ARNs and accounts are plain text so that odd values can be judged too; the caller of
/// the engine guarantees that they are true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An IAM user with its own keys, or with a `GetSessionToken` session (then the context has
    /// `aws:TokenIssueTime`).
    User {
        /// `arn:aws:iam::A:user/path/name`
        arn: String,
        /// The user's account.
        account: String,
        /// `AIDA…`, if known: how saved resource policies name the user.
        unique_id: Option<String>,
    },
    /// A session of a role.
    RoleSession {
        /// `arn:aws:sts::A:assumed-role/name/session`
        arn: String,
        /// `arn:aws:iam::A:role/path/name`
        role_arn: String,
        /// The role's account.
        account: String,
        /// The role's `AROA…`, if known.
        unique_id: Option<String>,
    },
    /// A session from `GetFederationToken`.
    FederatedUser {
        /// `arn:aws:sts::A:federated-user/name`
        arn: String,
        /// The ARN of the user who asked for the session.
        user_arn: String,
        /// The user's account.
        account: String,
        /// The user's `AIDA…`, if known.
        unique_id: Option<String>,
    },
    /// The root user of an account.
    Root {
        /// `arn:aws:iam::A:root`
        arn: String,
        /// The account.
        account: String,
    },
    /// A service, such as `replication.ecr.amazonaws.com`.
    Service {
        /// Its name.
        service: String,
    },
    /// A caller of `AssumeRoleWithWebIdentity` or `AssumeRoleWithSAML` with a verified token.
    FederatedIdentity {
        /// The ARN of the identity provider.
        provider: String,
        /// The provider's account.
        account: String,
    },
    /// Nobody known.
    Anonymous,
}

impl Principal {
    /// The account a signed caller belongs to; `None` for services, web identities and anonymous
    /// callers, who have no identity side.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::User { account, .. }
            | Self::RoleSession { account, .. }
            | Self::FederatedUser { account, .. }
            | Self::Root { account, .. } => Some(account),
            Self::Service { .. } | Self::FederatedIdentity { .. } | Self::Anonymous => None,
        }
    }

    /// The name AWS's messages use: the ARN, the service, the provider, or `anonymous`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User { arn, .. }
            | Self::RoleSession { arn, .. }
            | Self::FederatedUser { arn, .. }
            | Self::Root { arn, .. } => arn,
            Self::Service { service } => service,
            Self::FederatedIdentity { provider, .. } => provider,
            Self::Anonymous => "anonymous",
        }
    }
}

/// One check. An operation that needs several permissions makes several requests, and all must be
/// allowed.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// `service:Action`
    pub action: String,
    /// The ARN of the resource, or `*` for an action that has none.
    pub resource: String,
    /// The account that owns the resource.
    pub resource_account: String,
    /// The facts that conditions and variables may use. Complete: nothing is derived.
    pub context: Context,
}

impl Request {
    /// The part of the action before the colon equals `service`, ignoring case.
    pub(crate) fn is_of_service(&self, service: &str) -> bool {
        self.action
            .split_once(':')
            .is_some_and(|(prefix, _)| prefix.eq_ignore_ascii_case(service))
    }

    /// Whether it is this action, ignoring case.
    pub(crate) fn is_action(&self, action: &str) -> bool {
        self.action.eq_ignore_ascii_case(action)
    }

    /// Whether it is `sts:AssumeRole`, `…WithWebIdentity` or `…WithSAML`.
    pub(crate) fn is_assume_role(&self) -> bool {
        const BEGINNING: &str = "sts:AssumeRole";
        let beginning = self.action.get(..BEGINNING.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(BEGINNING))
    }

    /// Whether caller and resource are of one account.
    pub(crate) fn is_same_account(&self) -> bool {
        self.principal.account() == Some(self.resource_account.as_str())
    }
}

/// The value of a context key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextValue {
    /// A key with one value.
    One(String),
    /// A key that may have several values. An empty list is the same as no key.
    Many(Vec<String>),
    /// A key that applies but whose value cannot be known now (condition-keys.md): it denies in
    /// an Allow and in a Deny.
    Unknown,
}

/// The context keys of a request. Names are case-insensitive, tag keys included.
#[derive(Debug, Clone, Default)]
pub struct Context(BTreeMap<String, ContextValue>);

impl Context {
    /// Adds a key. An empty list adds nothing. The same name a second time, in whatever case, with
    /// another value makes the key [`ContextValue::Unknown`]: nobody can say which one is meant.
    pub fn insert(&mut self, key: &str, value: ContextValue) {
        if value == ContextValue::Many(Vec::new()) {
            return;
        }
        match self.0.entry(fold_key(key)) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) if *entry.get() != value => {
                entry.insert(ContextValue::Unknown);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Adds a key with one value; see [`Context::insert`].
    pub fn insert_one(&mut self, key: &str, value: impl Into<String>) {
        self.insert(key, ContextValue::One(value.into()));
    }

    /// Takes a key away, so that it is absent or can be given another value.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(&fold_key(key));
    }

    /// The value of a key; `None` if it is absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&ContextValue> {
        self.get_folded(&fold_key(key))
    }

    /// The value of a key whose name went through [`fold_key`] already.
    pub(crate) fn get_folded(&self, key: &str) -> Option<&ContextValue> {
        self.0.get(key)
    }
}

/// The form in which names of context keys are compared.
pub(crate) fn fold_key(key: &str) -> String {
    key.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_under_one_name_are_unknown() {
        let mut context = Context::default();
        context.insert_one("aws:ResourceTag/Env", "dev");
        context.insert_one("AWS:resourcetag/env", "dev");
        let one = ContextValue::One("dev".to_owned());
        assert_eq!(context.get("aws:resourcetag/ENV"), Some(&one));
        context.insert_one("aws:ResourceTag/env", "prod");
        assert_eq!(
            context.get("aws:ResourceTag/Env"),
            Some(&ContextValue::Unknown)
        );
    }

    #[test]
    fn an_empty_list_is_an_absent_key() {
        let mut context = Context::default();
        context.insert("aws:TagKeys", ContextValue::Many(Vec::new()));
        assert_eq!(context.get("aws:TagKeys"), None);
    }
}
