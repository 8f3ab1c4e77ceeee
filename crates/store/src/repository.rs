//! Repositories: creating, finding and listing them.

use std::sync::Arc;

use bonded_model::{
    AccountId, Region, RepositoryArn, RepositoryName, ResourceTags, TagMutability, Timestamp,
};

use crate::Store;
use crate::change::Change;
use crate::error::{Result, StoreError};
use crate::meta::{Body, FromRow, Row, Value, json, malformed};
use crate::page::page;
use crate::policy::PolicyVersion;
use crate::random;

/// Names one repository for ever: a repository deleted and created again has another id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryId(pub(crate) String);

impl RepositoryId {
    /// An id that no repository has: what is looked up in it is not found, by the same statement.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(String::new())
    }

    /// The id as text, for logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Its id, which rows refer to.
    pub id: RepositoryId,
    /// Its name.
    pub arn: RepositoryArn,
    /// When it was created.
    pub created_at: Timestamp,
    /// Which tags may move.
    pub tag_mutability: TagMutability,
    /// Whether an image is scanned when it is pushed.
    pub scan_on_push: bool,
    /// Its resource tags.
    pub tags: ResourceTags,
    /// Its resource policy.
    pub policy: Option<PolicyVersion>,
}

/// What a repository is created from.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Its name.
    pub arn: RepositoryArn,
    /// Which tags may move.
    pub tag_mutability: TagMutability,
    /// Whether an image is scanned when it is pushed.
    pub scan_on_push: bool,
    /// Its resource tags.
    pub tags: ResourceTags,
}

/// What became of [`Store::delete_repository`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteRepository {
    /// It is gone, with its images and layers.
    Deleted,
    /// It holds images, and `force` was not given.
    NotEmpty,
    /// There is none with this id (any more).
    NotFound,
}

impl FromRow for Repository {
    /// Reads the columns `r.id` to `p.text` of the statements below.
    fn from_row(row: &mut Row) -> Result<Self> {
        let id = RepositoryId(row.text()?);
        let arn = RepositoryArn {
            account: row.parse()?,
            region: row.parse()?,
            name: row.parse()?,
        };
        Ok(Self {
            id,
            arn,
            created_at: row.time()?,
            tag_mutability: tag_mutability(row)?,
            scan_on_push: row.boolean()?,
            tags: row.json()?,
            policy: PolicyVersion::opt_from_row(row)?,
        })
    }
}

/// Reads the columns `tag_mutability` and `tag_filters`.
pub(crate) fn tag_mutability(row: &mut Row) -> Result<TagMutability> {
    let (word, filters): (String, Vec<String>) = (row.text()?, row.json()?);
    let filters = (!filters.is_empty()).then_some(filters);
    TagMutability::parse(Some(&word), filters).map_err(|e| malformed(&e.to_string()))
}

/// A repository of an account that is not closed: with its account it is gone for everybody.
const FIND: &str = "SELECT r.id, r.account, r.region, r.name, r.created_at, \
     r.tag_mutability, r.tag_filters, r.scan_on_push, r.tags, p.id, p.text \
     FROM repositories r JOIN accounts a ON a.id = r.account AND a.closed_at IS NULL \
     LEFT JOIN policy_versions p ON p.id = r.policy \
     WHERE r.account = $1 AND r.region = $2 AND r.name = $3";

/// As [`FIND`], of the repository with an id.
const FIND_BY_ID: &str = "SELECT r.id, r.account, r.region, r.name, r.created_at, \
     r.tag_mutability, r.tag_filters, r.scan_on_push, r.tags, p.id, p.text \
     FROM repositories r JOIN accounts a ON a.id = r.account AND a.closed_at IS NULL \
     LEFT JOIN policy_versions p ON p.id = r.policy WHERE r.id = $1";

/// The parameters of [`FIND`].
fn key(account: &AccountId, region: &Region, name: &RepositoryName) -> [Value; 3] {
    [account.as_str(), region.as_str(), name.as_str()].map(Value::from)
}

impl Store {
    /// Creates a repository without policy.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name is taken or the account does not exist.
    pub async fn create_repository(
        &self,
        new: &NewRepository,
        change: &Change,
    ) -> Result<Repository> {
        const SQL: &str = "INSERT INTO repositories \
             (id, account, region, name, created_at, tag_mutability, tag_filters, scan_on_push, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let repository = Repository {
            id: RepositoryId(random::uuid()?),
            arn: new.arn.clone(),
            created_at: change.at,
            tag_mutability: new.tag_mutability.clone(),
            scan_on_push: new.scan_on_push,
            tags: new.tags.clone(),
            policy: None,
        };
        let values: [Value; 9] = [
            (&repository.id.0).into(),
            new.arn.account.as_str().into(),
            new.arn.region.as_str().into(),
            new.arn.name.as_str().into(),
            change.at.into(),
            new.tag_mutability.as_str().into(),
            json(&new.tag_mutability.filters())?.into(),
            new.scan_on_push.into(),
            json(&new.tags)?.into(),
        ];
        self.meta()
            .transact((values, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (values, change) = &*input;
                    tx.execute(SQL, values).await?;
                    change.insert(tx).await
                })
            })
            .await?;
        Ok(repository)
    }

    /// The repository named `arn`, with its policy, by one statement.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_repository(&self, arn: &RepositoryArn) -> Result<Option<Repository>> {
        let key = key(&arn.account, &arn.region, &arn.name);
        self.meta().find(FIND, &key).await
    }

    /// The repository that a job is about, if it is still there.
    ///
    /// # Errors
    /// As every read.
    pub async fn repository_by_id(&self, id: &RepositoryId) -> Result<Option<Repository>> {
        self.meta().find(FIND_BY_ID, &[(&id.0).into()]).await
    }

    /// The repositories with these names, one for each in order, on one snapshot.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_repositories(
        &self,
        account: &AccountId,
        region: &Region,
        names: &[RepositoryName],
    ) -> Result<Vec<Option<Repository>>> {
        let keys = names.iter().map(|name| key(account, region, name));
        let keys: Vec<[Value; 3]> = keys.collect();
        let keys = Arc::new(keys);
        let body: Body<Vec<Option<Repository>>> = Box::new(move |tx| {
            let keys = Arc::clone(&keys);
            Box::pin(async move {
                let mut found = Vec::with_capacity(keys.len());
                for key in &*keys {
                    found.push(tx.find(FIND, key).await?);
                }
                Ok(found)
            })
        });
        self.meta().read(body).await
    }

    /// A page of a registry's repositories in byte order of their names: those behind `after`, at
    /// most `limit` and never more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_repositories(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<&RepositoryName>,
        limit: u32,
    ) -> Result<Vec<Repository>> {
        const SQL: &str = "SELECT r.id, r.account, r.region, r.name, r.created_at, \
             r.tag_mutability, r.tag_filters, r.scan_on_push, r.tags, p.id, p.text \
             FROM repositories r LEFT JOIN policy_versions p ON p.id = r.policy \
             WHERE r.account = $1 AND r.region = $2 AND r.name > $3 ORDER BY r.name LIMIT $4";
        let values = [
            account.as_str().into(),
            region.as_str().into(),
            after.map_or("", RepositoryName::as_str).into(),
            page(limit),
        ];
        self.meta().list(SQL, &values).await
    }

    /// The names of a registry's repositories in byte order: those behind `after`, which need not
    /// be a name, at most `limit` and never more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_repository_names(
        &self,
        account: &AccountId,
        region: &Region,
        after: &str,
        limit: u32,
    ) -> Result<Vec<RepositoryName>> {
        const SQL: &str = "SELECT name FROM repositories \
             WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4";
        let values = [
            account.as_str().into(),
            region.as_str().into(),
            after.into(),
            page(limit),
        ];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter().map(|mut row| row.parse()).collect()
    }
}

/// The error of an update by id that met no row.
pub(crate) fn found(changed: u64) -> Result<()> {
    if changed == 0 {
        return Err(StoreError::Conflict);
    }
    Ok(())
}
