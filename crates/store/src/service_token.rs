//! Service tokens: long-lived passwords of users for `/v2`, each within bounds of its own.

use bonded_model::{AccountId, Timestamp};

use crate::Store;
use crate::access_key::LastUsed;
use crate::change::{Change, next_epoch};
use crate::error::{LimitExceeded, Result};
use crate::meta::{FromRow, Row, Value, json};
use crate::page::page;
use crate::user::User;

/// A service token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// The id, `ACCA…`, which is part of the password.
    pub id: String,
    /// The unique id of the user it belongs to.
    pub user_id: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// What it is for, as its maker said.
    pub description: String,
    /// What it is bound to.
    pub bounds: TokenBounds,
    /// When and where it was used last, to the minute.
    pub last_used: Option<LastUsed>,
}

/// What a service token is bound to, beside what its user may do. An empty list does not bind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBounds {
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// Patterns of ARNs of repositories.
    pub repositories: Vec<String>,
    /// Networks that requests may come from.
    pub networks: Vec<String>,
}

/// A service token as a request finds it, of one moment.
#[derive(Debug, Clone)]
pub struct FoundToken {
    /// The token.
    pub token: ServiceToken,
    /// The digest of its password.
    pub secret_sha256: [u8; 32],
    /// Its user.
    pub user: User,
    /// The epoch of the user's account.
    pub epoch: i64,
}

impl FromRow for ServiceToken {
    /// Reads the columns `id` to `last_used_region`.
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            user_id: row.text()?,
            active: row.boolean()?,
            created_at: row.time()?,
            expires_at: row.opt_int()?.map(Timestamp::from_millis),
            description: row.text()?,
            bounds: TokenBounds {
                actions: row.json()?,
                repositories: row.json()?,
                networks: row.json()?,
            },
            last_used: LastUsed::from_row(row, false)?,
        })
    }
}

impl Store {
    /// Adds a token whose password has the digest `secret_sha256` to a user that has less than
    /// `limit`.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the user does not exist any more or the id is taken.
    pub async fn create_service_token(
        &self,
        account: &AccountId,
        token: &ServiceToken,
        secret_sha256: [u8; 32],
        limit: u32,
        change: &Change,
    ) -> Result<Result<(), LimitExceeded>> {
        const COUNT: &str = "SELECT COUNT(*) FROM service_tokens WHERE user_id = $1";
        const SQL: &str = "INSERT INTO service_tokens (id, user_id, secret_sha256, active, \
             created_at, expires_at, description, actions, repositories, networks) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let values: [Value; 10] = [
            (&token.id).into(),
            (&token.user_id).into(),
            (&secret_sha256[..]).into(),
            token.active.into(),
            token.created_at.into(),
            token.expires_at.map(Timestamp::as_millis).into(),
            (&token.description).into(),
            json(&token.bounds.actions)?.into(),
            json(&token.bounds.repositories)?.into(),
            json(&token.bounds.networks)?.into(),
        ];
        let input = (
            account.clone(),
            token.user_id.clone(),
            values,
            limit,
            change.clone(),
        );
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (account, user_id, values, limit, change) = &*input;
                    let held = tx.one(COUNT, &[user_id.into()]).await?.int()?;
                    if held >= i64::from(*limit) {
                        return Ok(Err(LimitExceeded(*limit)));
                    }
                    tx.execute(SQL, values).await?;
                    next_epoch(tx, account).await?;
                    change.insert(tx).await?;
                    Ok(Ok(()))
                })
            })
            .await
    }

    /// The token `id` with its user and the epoch of the user's account. What belongs to a closed
    /// account is not found; an expired token is.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_service_token(&self, id: &str) -> Result<Option<FoundToken>> {
        const SQL: &str = "SELECT t.secret_sha256, COALESCE(e.epoch, 0), t.id, t.user_id, \
             t.active, t.created_at, t.expires_at, t.description, t.actions, t.repositories, \
             t.networks, t.last_used_at, t.last_used_region, \
             u.id, u.account, u.name, u.path, u.created_at, u.tags, u.boundary \
             FROM service_tokens t JOIN users u ON u.id = t.user_id \
             JOIN accounts a ON a.id = u.account AND a.closed_at IS NULL \
             LEFT JOIN epochs e ON e.account = u.account WHERE t.id = $1";
        let row = self.meta().optional(SQL, &[id.into()]).await?;
        row.map(|mut row| {
            Ok(FoundToken {
                secret_sha256: row.array()?,
                epoch: row.int()?,
                token: ServiceToken::from_row(&mut row)?,
                user: User::from_row(&mut row)?,
            })
        })
        .transpose()
    }

    /// A page of an account's tokens with the names of their users, by id: those behind the id
    /// `after`, at most `limit` and never more than 1,000; of one user, or of all.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_service_tokens(
        &self,
        account: &AccountId,
        user_id: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, ServiceToken)>> {
        const SQL: &str = "SELECT u.name, t.id, t.user_id, t.active, t.created_at, t.expires_at, \
             t.description, t.actions, t.repositories, t.networks, t.last_used_at, \
             t.last_used_region FROM service_tokens t JOIN users u ON u.id = t.user_id \
             WHERE u.account = $1 AND (CAST($2 AS TEXT) IS NULL OR t.user_id = $2) AND t.id > $3 \
             ORDER BY t.id LIMIT $4";
        let values = [
            account.as_str().into(),
            user_id.into(),
            after.into(),
            page(limit),
        ];
        self.meta().list(SQL, &values).await
    }

    /// Enables or disables a token of a user; `false` if it has none of that id.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_service_token_active(
        &self,
        user_id: &str,
        id: &str,
        active: bool,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE service_tokens SET active = $1 WHERE user_id = $2 AND id = $3";
        let values = vec![active.into(), user_id.into(), id.into()];
        self.change_row(SQL, values, change).await
    }

    /// Gives a token of a user another password, whose digest is `secret_sha256`; `false` if the
    /// user has none of that id.
    ///
    /// # Errors
    /// As every write.
    pub async fn reset_service_token(
        &self,
        user_id: &str,
        id: &str,
        secret_sha256: [u8; 32],
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str =
            "UPDATE service_tokens SET secret_sha256 = $1 WHERE user_id = $2 AND id = $3";
        let values = vec![(&secret_sha256[..]).into(), user_id.into(), id.into()];
        self.change_row(SQL, values, change).await
    }

    /// Deletes a token of a user; `false` if it has none of that id.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_service_token(
        &self,
        user_id: &str,
        id: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "DELETE FROM service_tokens WHERE user_id = $1 AND id = $2";
        let values = vec![user_id.into(), id.into()];
        self.change_row(SQL, values, change).await
    }

    /// Notes that the token `id` was used, unless that was noted after `not_since`. Durable with
    /// the next change.
    ///
    /// # Errors
    /// As every write.
    pub async fn note_service_token_use(
        &self,
        id: &str,
        last_used: &LastUsed,
        not_since: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE service_tokens SET last_used_at = $1, last_used_region = $2 \
             WHERE id = $3 AND (last_used_at IS NULL OR last_used_at < $4)";
        let values: [Value; 4] = [
            last_used.at.into(),
            (&last_used.region).into(),
            id.into(),
            not_since.into(),
        ];
        self.meta().execute_soon(SQL, values).await.map(drop)
    }
}
