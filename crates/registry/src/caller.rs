//! Who calls, and from where: what authentication has established about one request.

use std::net::IpAddr;
use std::sync::Arc;

use crate::reach::Reach;
use bonded_iam::Principal;
use bonded_model::{AccountId, Region, Timestamp};
use bonded_store::{Holder, Role, ServiceToken, Session, SessionKind, User};

use crate::web_identity::WebIdentity;

/// What the front door saw of a request, beside its credential.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The client's address, by the connection or by a trusted proxy.
    pub source_ip: IpAddr,
    /// The name that the operator gave the network of that address.
    pub network: Option<String>,
    /// Which accounts may be reached from there.
    pub reach: Reach,
    /// The `User-Agent` header, as sent.
    pub user_agent: Option<String>,
    /// Whether the request came over TLS.
    pub secure_transport: bool,
    /// The region the request addresses, by SigV4 scope or host name.
    pub region: Region,
    /// The host name and port the client used, such as `localhost:5000`.
    pub authority: String,
}

/// An authenticated caller. Only this crate's authentication can make one.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    facts: Facts,
    time: Timestamp,
    key_id: String,
    epoch: i64,
    identity: Identity,
}

/// Whose credential it is.
pub(crate) enum Identity {
    /// A user with a long-term access key.
    User(User),
    /// A session of a role.
    Session {
        /// The session.
        session: Box<Session>,
        /// Its role.
        role: Box<Role>,
    },
    /// A session of a user: as itself, or federated under a name of its own.
    UserSession {
        /// The session.
        session: Box<Session>,
        /// The user behind it.
        user: Box<User>,
    },
    /// A user by a service token, within the token's bounds.
    ServiceToken {
        /// The user.
        user: User,
        /// The token.
        token: Box<ServiceToken>,
    },
    /// Whoever holds a token of an identity provider.
    Web(Box<WebIdentity>),
}

impl Caller {
    pub(crate) fn new(
        holder: Holder,
        key_id: String,
        epoch: i64,
        time: Timestamp,
        facts: Facts,
    ) -> Self {
        let identity = match holder {
            Holder::User(user) => Identity::User(user),
            Holder::Session { session, role, .. } => Identity::Session {
                session: Box::new(session),
                role: Box::new(role),
            },
            Holder::UserSession { session, user, .. } => Identity::UserSession {
                session: Box::new(session),
                user: Box::new(user),
            },
            Holder::ServiceToken { user, token } => Identity::ServiceToken {
                user,
                token: Box::new(token),
            },
        };
        Self(Arc::new(Inner {
            facts,
            time,
            key_id,
            epoch,
            identity,
        }))
    }

    /// Whoever holds the token; it has no access key and no policies.
    pub(crate) fn of_web_identity(identity: WebIdentity, time: Timestamp, facts: Facts) -> Self {
        Self(Arc::new(Inner {
            facts,
            time,
            key_id: String::new(),
            epoch: 0,
            identity: Identity::Web(Box::new(identity)),
        }))
    }

    /// The caller's account: the user's, or that of the session's role; for a web identity the one
    /// that has registered its provider.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        match &self.0.identity {
            Identity::User(user) => &user.account,
            Identity::Session { role, .. } => &role.account,
            Identity::UserSession { user, .. } => &user.account,
            Identity::ServiceToken { user, .. } => &user.account,
            Identity::Web(identity) => identity.account(),
        }
    }

    /// The user's ARN, or that of the session of a role or federated user: what AWS's texts call
    /// the user; the provider's for a web identity.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.0.identity {
            Identity::User(user) => user.arn(),
            Identity::ServiceToken { user, .. } => user.arn(),
            Identity::Session { session, role } => {
                format!(
                    "arn:aws:sts::{}:assumed-role/{}/{}",
                    role.account, role.name, session.name
                )
            }
            Identity::UserSession { session, user } => match session.kind {
                SessionKind::Federated => {
                    format!(
                        "arn:aws:sts::{}:federated-user/{}",
                        user.account, session.name
                    )
                }
                SessionKind::Role | SessionKind::User => user.arn(),
            },
            Identity::Web(identity) => identity.provider(),
        }
    }

    /// `aws:userid`: `AIDA…`, `AROA…:session-name`, or `ACCOUNT:name` of a federated user. The subject
    /// of a web identity, which has no such key.
    #[must_use]
    pub fn user_id(&self) -> String {
        match &self.0.identity {
            Identity::User(user) => user.id.clone(),
            Identity::ServiceToken { user, .. } => user.id.clone(),
            Identity::Session { session, role } => format!("{}:{}", role.id, session.name),
            Identity::UserSession { session, user } => match session.kind {
                SessionKind::Federated => format!("{}:{}", user.account, session.name),
                SessionKind::Role | SessionKind::User => user.id.clone(),
            },
            Identity::Web(identity) => identity.subject().to_owned(),
        }
    }

    /// The web identity, if the caller is one.
    #[must_use]
    pub fn web_identity(&self) -> Option<&WebIdentity> {
        match &self.0.identity {
            Identity::Web(identity) => Some(identity),
            _ => None,
        }
    }

    /// The name of the user; `None` for sessions of roles and of federated users.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        match &self.0.identity {
            Identity::User(user) => Some(&user.name),
            Identity::ServiceToken { user, .. } => Some(&user.name),
            Identity::Session { .. } | Identity::Web(_) => None,
            Identity::UserSession { session, user } => {
                (session.kind == SessionKind::User).then_some(&*user.name)
            }
        }
    }

    /// The session, if the caller has one.
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.0.identity {
            Identity::User(_) | Identity::ServiceToken { .. } | Identity::Web(_) => None,
            Identity::Session { session, .. } | Identity::UserSession { session, .. } => {
                Some(session)
            }
        }
    }

    /// The id of the credential: of an access key, long-term or of a session, or of a service token.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.0.key_id
    }

    /// When the request was authenticated.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.0.time
    }

    /// The region the request addresses.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.0.facts.region
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The unique id that identity policies are attached to: the user's or the role's. A web
    /// identity has none.
    pub(crate) fn policy_holder(&self) -> Option<(&AccountId, &str, i64)> {
        match &self.0.identity {
            Identity::User(user) => Some((&user.account, &user.id, self.0.epoch)),
            Identity::Session { role, .. } => Some((&role.account, &role.id, self.0.epoch)),
            Identity::UserSession { user, .. } => Some((&user.account, &user.id, self.0.epoch)),
            Identity::ServiceToken { user, .. } => Some((&user.account, &user.id, self.0.epoch)),
            Identity::Web(_) => None,
        }
    }

    /// The caller as the policy engine sees it.
    pub(crate) fn principal(&self) -> Principal {
        let account = self.account().to_string();
        match &self.0.identity {
            Identity::User(user) => user_principal(user, account),
            Identity::ServiceToken { user, .. } => user_principal(user, account),
            Identity::Session { role, .. } => Principal::RoleSession {
                arn: self.arn(),
                role_arn: role.arn(),
                account,
                unique_id: Some(role.id.clone()),
            },
            Identity::UserSession { session, user } => match session.kind {
                SessionKind::Federated => Principal::FederatedUser {
                    arn: self.arn(),
                    user_arn: user.arn(),
                    account,
                    unique_id: Some(user.id.clone()),
                },
                SessionKind::Role | SessionKind::User => user_principal(user, account),
            },
            Identity::Web(identity) => Principal::FederatedIdentity {
                provider: identity.provider(),
                account,
            },
        }
    }
}

fn user_principal(user: &User, account: String) -> Principal {
    Principal::User {
        arn: user.arn(),
        account,
        unique_id: Some(user.id.clone()),
    }
}
