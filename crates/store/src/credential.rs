//! Who signs: the one look-up of every request, by access key id.

use bonded_model::{AccountId, Secret, Timestamp};

use crate::Store;
use crate::access_key::{open_secret, secret_place};
use crate::error::Result;
use crate::keys::KeyBytes;
use crate::meta::FromRow as _;
use crate::role::Role;
use crate::service_token::ServiceToken;
use crate::session::Session;
use crate::user::User;

/// A credential with its secret and its holder, as they are now.
#[derive(Clone)]
pub struct Credential {
    /// The id that requests name.
    pub key_id: String,
    /// The secret access key.
    pub secret: Secret,
    /// Whether it may be used. A session always is, until it expires.
    pub active: bool,
    /// When its use was noted last.
    pub last_used_at: Option<Timestamp>,
    /// The epoch of the holder's account, of the same moment as the rest.
    pub epoch: i64,
    /// Who uses it.
    pub holder: Holder,
}

impl Credential {
    /// The account it belongs to.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        match &self.holder {
            Holder::User(user)
            | Holder::UserSession { user, .. }
            | Holder::ServiceToken { user, .. } => &user.account,
            Holder::Session { role, .. } => &role.account,
        }
    }
}

/// Whose credential it is.
#[derive(Debug, Clone)]
pub enum Holder {
    /// A user, by an access key `AKIA…`.
    User(User),
    /// Someone who assumed a role, by a session `ASIA…`.
    Session {
        /// The session.
        session: Session,
        /// The role, as it is now.
        role: Role,
        /// The digest of the session token that must come with the key.
        token_sha256: [u8; 32],
    },
    /// A user, or someone it vouches for, by a session `ASIA…`.
    UserSession {
        /// The session.
        session: Session,
        /// The user, as it is now.
        user: User,
        /// The digest of the session token that must come with the key.
        token_sha256: [u8; 32],
    },
    /// A user, by a service token `ACCA…`, which signs nothing.
    ServiceToken {
        /// The user.
        user: User,
        /// The token.
        token: ServiceToken,
    },
}

/// A key for the MAC of tokens.
pub struct TokenKey {
    /// Names the key in a token.
    pub id: String,
    key: KeyBytes,
}

impl TokenKey {
    /// The 32 bytes of the key, for the MAC and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }
}

impl Store {
    /// The credential with the access key id `key_id`, its holder and the epoch of the holder's
    /// account, of one moment. A session of a deleted principal and whatever belongs to a closed
    /// account is not found; an expired session is.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_credential(&self, key_id: &str) -> Result<Option<Credential>> {
        if key_id.starts_with("ASIA") {
            match self.find_role_session(key_id).await? {
                Some(found) => Ok(Some(found)),
                None => self.find_user_session(key_id).await,
            }
        } else {
            self.find_access_key(key_id).await
        }
    }

    async fn find_access_key(&self, key_id: &str) -> Result<Option<Credential>> {
        const SQL: &str = "SELECT k.sealed_secret, k.active, k.last_used_at, \
             COALESCE(e.epoch, 0), \
             u.id, u.account, u.name, u.path, u.created_at, u.tags, u.boundary \
             FROM access_keys k JOIN users u ON u.id = k.user_id \
             JOIN accounts a ON a.id = u.account AND a.closed_at IS NULL \
             LEFT JOIN epochs e ON e.account = u.account WHERE k.id = $1";
        let Some(mut row) = self.meta().optional(SQL, &[key_id.into()]).await? else {
            return Ok(None);
        };
        let place = secret_place("access_keys", key_id);
        Ok(Some(Credential {
            key_id: key_id.to_owned(),
            secret: open_secret(self, &place, &row.bytes()?)?,
            active: row.boolean()?,
            last_used_at: row.opt_int()?.map(Timestamp::from_millis),
            epoch: row.int()?,
            holder: Holder::User(User::from_row(&mut row)?),
        }))
    }

    async fn find_role_session(&self, key_id: &str) -> Result<Option<Credential>> {
        const SQL: &str = "SELECT s.sealed_secret, COALESCE(e.epoch, 0), s.token_sha256, \
             s.id, s.account, s.principal, s.kind, s.name, s.issued_at, s.expires_at, s.policies, \
             s.tags, s.transitive_keys, s.source_identity, s.context, \
             r.id, r.account, r.name, r.path, r.created_at, r.description, \
             r.max_session_seconds, p.id, p.text, r.tags, \
             r.boundary, r.last_used_at, r.last_used_region \
             FROM sessions s JOIN roles r ON r.id = s.principal \
             JOIN accounts a ON a.id = r.account AND a.closed_at IS NULL \
             JOIN policy_versions p ON p.id = r.trust_policy \
             LEFT JOIN epochs e ON e.account = r.account WHERE s.id = $1";
        let Some(mut row) = self.meta().optional(SQL, &[key_id.into()]).await? else {
            return Ok(None);
        };
        let place = secret_place("sessions", key_id);
        let secret = open_secret(self, &place, &row.bytes()?)?;
        let epoch = row.int()?;
        let token_sha256 = row.array()?;
        let session = Session::from_row(&mut row)?;
        let role = Role::from_row(&mut row)?;
        Ok(Some(Credential {
            key_id: key_id.to_owned(),
            secret,
            active: true,
            last_used_at: role.last_used.as_ref().map(|used| used.at),
            epoch,
            holder: Holder::Session {
                session,
                role,
                token_sha256,
            },
        }))
    }

    async fn find_user_session(&self, key_id: &str) -> Result<Option<Credential>> {
        const SQL: &str = "SELECT s.sealed_secret, COALESCE(e.epoch, 0), s.token_sha256, \
             s.id, s.account, s.principal, s.kind, s.name, s.issued_at, s.expires_at, s.policies, \
             s.tags, s.transitive_keys, s.source_identity, s.context, \
             u.id, u.account, u.name, u.path, u.created_at, u.tags, u.boundary \
             FROM sessions s JOIN users u ON u.id = s.principal \
             JOIN accounts a ON a.id = u.account AND a.closed_at IS NULL \
             LEFT JOIN epochs e ON e.account = u.account WHERE s.id = $1";
        let Some(mut row) = self.meta().optional(SQL, &[key_id.into()]).await? else {
            return Ok(None);
        };
        let place = secret_place("sessions", key_id);
        let secret = open_secret(self, &place, &row.bytes()?)?;
        let epoch = row.int()?;
        let token_sha256 = row.array()?;
        let session = Session::from_row(&mut row)?;
        let user = User::from_row(&mut row)?;
        Ok(Some(Credential {
            key_id: key_id.to_owned(),
            secret,
            active: true,
            last_used_at: None,
            epoch,
            holder: Holder::UserSession {
                session,
                user,
                token_sha256,
            },
        }))
    }

    /// The keys that tokens may be signed with, newest first: one or two. New tokens are signed
    /// with the first.
    ///
    /// # Errors
    /// As every read.
    pub async fn token_keys(&self) -> Result<Vec<TokenKey>> {
        let keys = self.keys().tokens(self.meta()).await?;
        Ok(keys
            .into_iter()
            .map(|(id, key)| TokenKey { id, key })
            .collect())
    }

    /// Adds a token key if the newest was made before `made_before`; says whether it did. Tokens
    /// of the one before stay valid, those of older ones do not. Of several nodes that ask at
    /// once, one adds it.
    ///
    /// # Errors
    /// As every write.
    pub async fn rotate_token_key(&self, made_before: Timestamp, now: Timestamp) -> Result<bool> {
        self.keys()
            .rotate_tokens(self.meta(), made_before, now)
            .await
    }
}
