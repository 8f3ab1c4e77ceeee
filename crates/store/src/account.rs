//! Accounts and their first administrator.

use bonded_model::{AccountId, Secret, Timestamp};

use crate::Store;
use crate::access_key::{AccessKey, secret_place};
use crate::change::{Change, next_epoch};
use crate::error::Result;
use crate::meta::{FromRow, Row, Tx, Value};
use crate::policy::{PolicyVersion, put_policy};
use crate::user::User;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: AccountId,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was closed: none of its credentials is known since.
    pub closed_at: Option<Timestamp>,
    /// The name it goes by.
    pub alias: Option<String>,
}

impl FromRow for Account {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.parse()?,
            created_at: row.time()?,
            closed_at: row.opt_int()?.map(Timestamp::from_millis),
            alias: row.opt_text()?,
        })
    }
}

/// How many there are of each thing of IAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityCounts {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Roles.
    pub roles: u64,
    /// The account's own managed policies.
    pub policies: u64,
    /// All their versions.
    pub policy_versions: u64,
    /// Instance profiles.
    pub instance_profiles: u64,
    /// OpenID Connect providers.
    pub oidc_providers: u64,
}

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
                    last_used: None,
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
    pub async fn list_accounts(&self) -> Result<Vec<Account>> {
        const SQL: &str = "SELECT id, created_at, closed_at, alias FROM accounts ORDER BY id";
        self.meta().list(SQL, &[]).await
    }

    /// One account.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_account(&self, id: &AccountId) -> Result<Option<Account>> {
        const SQL: &str = "SELECT id, created_at, closed_at, alias FROM accounts WHERE id = $1";
        self.meta().find(SQL, &[id.as_str().into()]).await
    }

    /// Gives the account of `change` the alias, in place of the one it has.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if another account has it.
    pub async fn set_account_alias(&self, alias: &str, change: &Change) -> Result<()> {
        const SQL: &str = "UPDATE accounts SET alias = $1 WHERE id = $2";
        let values = vec![alias.into(), change.account.as_str().into()];
        self.change_row(SQL, values, change).await.map(drop)
    }

    /// Takes the alias from the account of `change`; `false` if it has another one or none.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_account_alias(&self, alias: &str, change: &Change) -> Result<bool> {
        const SQL: &str = "UPDATE accounts SET alias = NULL WHERE id = $1 AND alias = $2";
        let values = vec![change.account.as_str().into(), alias.into()];
        self.change_row(SQL, values, change).await
    }

    /// How many there are of each thing of IAM in an account.
    ///
    /// # Errors
    /// As every read.
    pub async fn identity_counts(&self, account: &AccountId) -> Result<IdentityCounts> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM users WHERE account = $1), \
             (SELECT COUNT(*) FROM user_groups WHERE account = $1), \
             (SELECT COUNT(*) FROM roles WHERE account = $1), \
             (SELECT COUNT(*) FROM managed_policies WHERE account = $1), \
             (SELECT COUNT(*) FROM managed_policy_versions v \
              JOIN managed_policies p ON p.id = v.managed_policy WHERE p.account = $1), \
             (SELECT COUNT(*) FROM instance_profiles WHERE account = $1), \
             (SELECT COUNT(*) FROM oidc_providers WHERE account = $1)";
        let row = self
            .meta()
            .optional(SQL, &[account.as_str().into()])
            .await?;
        let mut row =
            row.ok_or_else(|| crate::StoreError::Corrupt("a count gave no row".to_owned()))?;
        Ok(IdentityCounts {
            users: row.size()?,
            groups: row.size()?,
            roles: row.size()?,
            policies: row.size()?,
            policy_versions: row.size()?,
            instance_profiles: row.size()?,
            oidc_providers: row.size()?,
        })
    }
}

async fn insert_account(tx: &mut Tx<'_>, account: &NewAccount) -> Result<bool> {
    const ANY: &str = "SELECT id FROM accounts LIMIT 1";
    const INSERT: &str = "INSERT INTO accounts (id, created_at) VALUES ($1, $2) \
         ON CONFLICT (id) DO NOTHING";
    const FULL_ACCESS: &str = "INSERT INTO service_control_policies (account, name, policy) \
         VALUES ($1, 'FullAWSAccess', 'aws-FullAWSAccess')";
    if account.only_if_first && tx.optional(ANY, &[]).await?.is_some() {
        return Ok(false);
    }
    let values: [Value; 2] = [account.id.as_str().into(), account.now.into()];
    if tx.execute(INSERT, &values).await? == 0 {
        return Ok(false);
    }
    tx.execute(FULL_ACCESS, &values[..1]).await?;
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
