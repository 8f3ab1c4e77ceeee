//! Sessions: what STS gives to someone who assumes a role.

use bonded_model::{AccountId, ResourceTags, Secret, Timestamp};

use crate::Store;
use crate::access_key::secret_place;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::meta::{Row, Value};
use crate::repository::json;

/// A role session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The access key id, `ASIA…`.
    pub id: String,
    /// The role's account.
    pub account: AccountId,
    /// The unique id of the role.
    pub role_id: String,
    /// The session's name.
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
}

impl Session {
    /// Reads the columns `id` to `source_identity`.
    pub(crate) fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            role_id: row.text()?,
            name: row.text()?,
            issued_at: row.time()?,
            expires_at: row.time()?,
            policies: row.json()?,
            tags: row.json()?,
            transitive_keys: row.json()?,
            source_identity: row.opt_text()?,
        })
    }
}

impl Store {
    /// Writes a session down. `token_sha256` is the digest of the session token, which is not
    /// kept.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the role does not exist any more or the id is taken.
    pub async fn create_session(
        &self,
        session: &Session,
        secret: &Secret,
        token_sha256: &[u8; 32],
        change: &Change,
    ) -> Result<()> {
        const ROLE: &str = "SELECT id FROM roles WHERE id = $1";
        const SQL: &str = "INSERT INTO sessions (id, account, role, name, issued_at, expires_at, \
             policies, tags, transitive_keys, source_identity, sealed_secret, token_sha256) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let place = secret_place("sessions", &session.id);
        let sealed = self
            .keys()
            .seal_secret(&place, secret.expose().as_bytes())?;
        let values: [Value; 12] = [
            (&session.id).into(),
            session.account.as_str().into(),
            (&session.role_id).into(),
            (&session.name).into(),
            session.issued_at.into(),
            session.expires_at.into(),
            json(&session.policies)?.into(),
            json(&session.tags)?.into(),
            json(&session.transitive_keys)?.into(),
            session.source_identity.as_deref().into(),
            sealed.into(),
            token_sha256.as_slice().into(),
        ];
        self.meta()
            .transact((values, session.clone(), change.clone()), |tx, input| {
                Box::pin(async move {
                    let (values, session, change) = &*input;
                    let role = tx.optional(ROLE, &[(&session.role_id).into()]).await?;
                    role.ok_or(StoreError::Conflict)?;
                    tx.execute(SQL, values).await?;
                    next_epoch(tx, &session.account).await?;
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
        self.meta()
            .transact(values, |tx, values| {
                Box::pin(async move { tx.execute(SQL, &values[..]).await })
            })
            .await
    }
}
