//! Sessions: what STS gives to someone who assumes a role, and to users.

use std::collections::BTreeMap;

use bonded_model::{AccountId, ResourceTags, Secret, Timestamp};

use crate::Store;
use crate::access_key::secret_place;
use crate::change::Change;
use crate::error::{Result, StoreError};
use crate::meta::{FromRow, Row, Value, json, malformed};
use crate::policy::principal_exists;

/// How a session came about, and with it who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// Of a role: `AssumeRole` and its kin.
    Role,
    /// Of a user as itself: `GetSessionToken`.
    User,
    /// Of a user for someone it vouches for: `GetFederationToken`.
    Federated,
}

impl SessionKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
            Self::Federated => "federated",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        match text {
            "role" => Ok(Self::Role),
            "user" => Ok(Self::User),
            "federated" => Ok(Self::Federated),
            _ => Err(malformed("a session of an unknown kind")),
        }
    }
}

/// A session of a role or of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The access key id, `ASIA…`.
    pub id: String,
    /// The account of the role or user.
    pub account: AccountId,
    /// The unique id of the role or user.
    pub principal: String,
    /// What it is a session of.
    pub kind: SessionKind,
    /// The session's name; that of a user's own session is empty.
    pub name: String,
    /// When it began.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The texts of its session policies.
    pub policies: Vec<String>,
    /// Its session tags.
    pub tags: ResourceTags,
    /// The keys of those tags that go over to the next role of a chain.
    pub transitive_keys: Vec<String>,
    /// Who is behind it, if the caller said so.
    pub source_identity: Option<String>,
    /// Context keys that every request of the session has: what a web identity token said.
    pub context: BTreeMap<String, String>,
}

impl FromRow for Session {
    /// Reads the columns `id` to `context`.
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            principal: row.text()?,
            kind: SessionKind::parse(&row.text()?)?,
            name: row.text()?,
            issued_at: row.time()?,
            expires_at: row.time()?,
            policies: row.json()?,
            tags: row.json()?,
            transitive_keys: row.json()?,
            source_identity: row.opt_text()?,
            context: row.json()?,
        })
    }
}

impl Store {
    /// Writes a session down. `token_sha256` is the digest of the session token, which is not
    /// kept.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the role or user does not exist any more or the id is taken.
    pub async fn create_session(
        &self,
        session: &Session,
        secret: &Secret,
        token_sha256: &[u8; 32],
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO sessions (id, account, principal, kind, name, issued_at, \
             expires_at, policies, tags, transitive_keys, source_identity, context, \
             sealed_secret, token_sha256) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let place = secret_place("sessions", &session.id);
        let sealed = self
            .keys()
            .seal_secret(&place, secret.expose().as_bytes())?;
        let values: [Value; 14] = [
            (&session.id).into(),
            session.account.as_str().into(),
            (&session.principal).into(),
            session.kind.as_str().into(),
            (&session.name).into(),
            session.issued_at.into(),
            session.expires_at.into(),
            json(&session.policies)?.into(),
            json(&session.tags)?.into(),
            json(&session.transitive_keys)?.into(),
            session.source_identity.as_deref().into(),
            json(&session.context)?.into(),
            sealed.into(),
            token_sha256.as_slice().into(),
        ];
        self.meta()
            .transact((values, session.clone(), change.clone()), |tx, input| {
                Box::pin(async move {
                    let (values, session, change) = &*input;
                    if !principal_exists(tx, &session.principal).await? {
                        return Err(StoreError::Conflict);
                    }
                    // What others may do does not depend on it: no new epoch.
                    tx.execute(SQL, values).await?;
                    change.insert(tx).await
                })
            })
            .await
    }

    /// Deletes up to 1,000 sessions that ended before `now`; says how many. For a periodic task.
    ///
    /// # Errors
    /// As every write.
    pub async fn collect_sessions(&self, now: Timestamp) -> Result<u64> {
        const SQL: &str = "DELETE FROM sessions WHERE id IN \
             (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT 1000)";
        let values: [Value; 1] = [now.into()];
        self.meta().execute(SQL, values).await
    }
}
