//! Policy texts: immutable versions, and the named policies of a principal.

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::Result;
use crate::meta::{FromRow, Row, Tx};
use crate::random;

/// A policy document as it was saved. The text of an id never changes, so what is compiled from it
/// may be kept by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Unique over all policies of the deployment.
    pub id: String,
    /// The document.
    pub text: String,
}

/// A policy of a principal, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPolicy {
    /// The policy's name, unique for the principal.
    pub name: String,
    /// Its current text.
    pub version: PolicyVersion,
}

impl FromRow for NamedPolicy {
    /// Reads the columns of the name and of the version.
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            name: row.text()?,
            version: PolicyVersion::from_row(row)?,
        })
    }
}

impl PolicyVersion {
    /// A new version of `text`.
    pub(crate) fn new(text: &str) -> Result<Self> {
        Ok(Self {
            id: random::uuid()?,
            text: text.to_owned(),
        })
    }

    /// Reads the columns `id` and `text`, which an outer join may leave NULL.
    pub(crate) fn opt_from_row(row: &mut Row) -> Result<Option<Self>> {
        let (id, text) = (row.opt_text()?, row.opt_text()?);
        Ok(id.zip(text).map(|(id, text)| Self { id, text }))
    }
}

impl FromRow for PolicyVersion {
    /// Reads the columns `id` and `text`.
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            text: row.text()?,
        })
    }
}

/// Adds a version. Versions stay for ever: decisions name them.
pub(crate) async fn insert_policy_version(tx: &mut Tx<'_>, version: &PolicyVersion) -> Result<()> {
    const SQL: &str = "INSERT INTO policy_versions (id, text) VALUES ($1, $2)";
    tx.execute(SQL, &[(&version.id).into(), (&version.text).into()])
        .await?;
    Ok(())
}

/// Gives a principal the policy `name`, in place of one of the same name.
pub(crate) async fn put_policy(
    tx: &mut Tx<'_>,
    principal: &str,
    name: &str,
    version: &PolicyVersion,
) -> Result<()> {
    const SQL: &str = "INSERT INTO principal_policies (principal, name, policy) \
         VALUES ($1, $2, $3) \
         ON CONFLICT (principal, name) DO UPDATE SET policy = excluded.policy";
    insert_policy_version(tx, version).await?;
    let values = [principal.into(), name.into(), (&version.id).into()];
    tx.execute(SQL, &values).await?;
    Ok(())
}

/// The texts of the inline policies of `principal` but the one called `name`.
async fn other_policies(tx: &mut Tx<'_>, principal: &str, name: &str) -> Result<Vec<String>> {
    const SQL: &str = "SELECT v.text FROM principal_policies p \
         JOIN policy_versions v ON v.id = p.policy WHERE p.principal = $1 AND p.name <> $2";
    tx.list(SQL, &[principal.into(), name.into()]).await
}

/// Whether the user, group or role `principal` exists, locked against deletion by the transaction.
pub(crate) async fn principal_exists(tx: &mut Tx<'_>, principal: &str) -> Result<bool> {
    const SQL: &str = "SELECT id FROM users WHERE id = $1 UNION ALL SELECT id FROM roles WHERE id = $1 \
         UNION ALL SELECT id FROM user_groups WHERE id = $1";
    Ok(tx.optional(SQL, &[principal.into()]).await?.is_some())
}

/// All inline policies of a user or role together would be longer than they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the inline policies are too long together; delete or shorten one first")]
pub struct PoliciesTooLong;

impl Store {
    /// Gives the user or role with the unique id `principal_id` the inline policy `name`, in place
    /// of one of the same name, if `fits` says so of the texts of all its inline policies then.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the principal does not exist any more. The inner error
    /// changes nothing.
    pub async fn put_principal_policy(
        &self,
        principal_id: &str,
        (name, text): (&str, &str),
        fits: fn(&[String]) -> bool,
        change: &Change,
    ) -> Result<Result<(), PoliciesTooLong>> {
        let names = [principal_id.to_owned(), name.to_owned()];
        let input = (names, PolicyVersion::new(text)?, fits, change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let ([principal, name], version, fits, change) = &*input;
                    if !principal_exists(tx, principal).await? {
                        return Err(crate::StoreError::Conflict);
                    }
                    let mut texts = other_policies(tx, principal, name).await?;
                    texts.push(version.text.clone());
                    if !fits(&texts) {
                        return Ok(Err(PoliciesTooLong));
                    }
                    put_policy(tx, principal, name, version).await?;
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await?;
                    Ok(Ok(()))
                })
            })
            .await
    }

    /// The inline policy `name` of a principal.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_principal_policy(
        &self,
        principal_id: &str,
        name: &str,
    ) -> Result<Option<PolicyVersion>> {
        const SQL: &str = "SELECT v.id, v.text FROM principal_policies p \
             JOIN policy_versions v ON v.id = p.policy WHERE p.principal = $1 AND p.name = $2";
        let values = [principal_id.into(), name.into()];
        self.meta().find(SQL, &values).await
    }

    /// Takes the inline policy `name` from a principal; `false` if it has none of that name.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_principal_policy(
        &self,
        principal_id: &str,
        name: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "DELETE FROM principal_policies WHERE principal = $1 AND name = $2";
        self.change_row(SQL, vec![principal_id.into(), name.into()], change)
            .await
    }

    /// All inline policies of a principal, by name.
    ///
    /// # Errors
    /// As every read.
    pub async fn principal_policies(&self, principal_id: &str) -> Result<Vec<NamedPolicy>> {
        const SQL: &str = "SELECT p.name, v.id, v.text FROM principal_policies p \
             JOIN policy_versions v ON v.id = p.policy WHERE p.principal = $1 ORDER BY p.name";
        self.meta().list(SQL, &[principal_id.into()]).await
    }

    /// The names of a principal's inline policies, in byte order.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_principal_policies(&self, principal_id: &str) -> Result<Vec<String>> {
        const SQL: &str = "SELECT name FROM principal_policies WHERE principal = $1 ORDER BY name";
        self.meta().list(SQL, &[principal_id.into()]).await
    }

    /// The policy version `id`, for explaining a decision that named it.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_policy_version(&self, id: &str) -> Result<Option<PolicyVersion>> {
        const SQL: &str = "SELECT id, text FROM policy_versions WHERE id = $1";
        self.meta().find(SQL, &[id.into()]).await
    }
}
