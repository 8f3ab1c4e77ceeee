//! Accounts and their first administrator.

use bonded_model::{AccountId, Secret, Timestamp};

use crate::Store;
use crate::access_key::{AccessKey, secret_place};
use crate::change::{Change, next_epoch};
use crate::error::Result;
use crate::meta::{Tx, Value};
use crate::policy::{PolicyVersion, put_policy};
use crate::user::User;

/// The first user of an account, with a policy and an access key.
#[derive(Clone)]
pub struct NewAdministrator {
    /// The user.
    pub user: User,
    /// The name of its inline policy.
    pub policy_name: String,
    /// The text of its inline policy.
    pub policy_text: String,
    /// The id of its access key.
    pub key_id: String,
    /// The secret of its access key.
    pub secret: Secret,
}

/// What [`Store::create_account`] writes, sealed.
struct NewAccount {
    id: AccountId,
    now: Timestamp,
    only_if_first: bool,
    administrator: Option<Administrator>,
    change: Option<Change>,
}

struct Administrator {
    user: User,
    policy_name: String,
    policy: PolicyVersion,
    key: AccessKey,
    sealed_secret: Vec<u8>,
}

impl Store {
    /// Creates an account, with its administrator if one is given; `false`, and nothing is
    /// changed, if it exists.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if an id of the administrator is taken.
    pub async fn create_account(
        &self,
        id: &AccountId,
        now: Timestamp,
        administrator: Option<&NewAdministrator>,
        change: Option<&Change>,
    ) -> Result<bool> {
        let account = self.new_account(id, now, administrator, change)?;
        self.insert_account(account).await
    }

    /// [`Store::create_account`], but `false` if there is any account at all. When several nodes
    /// start at once, one gets `true`.
    ///
    /// # Errors
    /// As [`Store::create_account`].
    pub async fn bootstrap(
        &self,
        id: &AccountId,
        now: Timestamp,
        administrator: Option<&NewAdministrator>,
        change: Option<&Change>,
    ) -> Result<bool> {
        let mut account = self.new_account(id, now, administrator, change)?;
        account.only_if_first = true;
        self.insert_account(account).await
    }

    fn new_account(
        &self,
        id: &AccountId,
        now: Timestamp,
        administrator: Option<&NewAdministrator>,
        change: Option<&Change>,
    ) -> Result<NewAccount> {
        let seal = |new: &NewAdministrator| {
            let place = secret_place("access_keys", &new.key_id);
            Ok(Administrator {
                user: new.user.clone(),
                policy_name: new.policy_name.clone(),
                policy: PolicyVersion::new(&new.policy_text)?,
                key: AccessKey {
                    id: new.key_id.clone(),
                    user_id: new.user.id.clone(),
                    active: true,
                    created_at: now,
                },
                sealed_secret: self
                    .keys()
                    .seal_secret(&place, new.secret.expose().as_bytes())?,
            })
        };
        Ok(NewAccount {
            id: id.clone(),
            now,
            only_if_first: false,
            administrator: administrator.map(seal).transpose()?,
            change: change.cloned(),
        })
    }

    async fn insert_account(&self, account: NewAccount) -> Result<bool> {
        self.meta()
            .transact(account, |tx, account| {
                Box::pin(async move { insert_account(tx, &account).await })
            })
            .await
    }

    /// All accounts, in order.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_accounts(&self) -> Result<Vec<AccountId>> {
        const SQL: &str = "SELECT id FROM accounts ORDER BY id";
        let rows = self.meta().all(SQL, &[]).await?;
        rows.into_iter().map(|mut row| row.parse()).collect()
    }
}

async fn insert_account(tx: &mut Tx<'_>, account: &NewAccount) -> Result<bool> {
    const ANY: &str = "SELECT id FROM accounts LIMIT 1";
    const INSERT: &str = "INSERT INTO accounts (id, created_at) VALUES ($1, $2) \
         ON CONFLICT (id) DO NOTHING";
    if account.only_if_first && tx.optional(ANY, &[]).await?.is_some() {
        return Ok(false);
    }
    let values: [Value; 2] = [account.id.as_str().into(), account.now.into()];
    if tx.execute(INSERT, &values).await? == 0 {
        return Ok(false);
    }
    if let Some(administrator) = &account.administrator {
        administrator.user.insert(tx).await?;
        let user = &administrator.user.id;
        put_policy(tx, user, &administrator.policy_name, &administrator.policy).await?;
        let sealed = &administrator.sealed_secret;
        administrator.key.insert(tx, sealed).await?;
    }
    next_epoch(tx, &account.id).await?;
    if let Some(change) = &account.change {
        change.insert(tx).await?;
    }
    Ok(true)
}
