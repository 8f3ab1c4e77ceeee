//! The schema's history: numbered SQL files, each applied once, in one transaction, under a lock.

use bonded_model::Timestamp;
use sha2::Digest as _;

use super::{Body, Durability, Meta, Tx, Value};
use crate::error::{Result, StoreError};

/// A step of the schema. Steps are never changed once released; a change is a new step.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_initial",
        sql: include_str!("../../migrations/0001_initial.sql"),
    },
    Migration {
        name: "0002_subjects_and_mounts",
        sql: include_str!("../../migrations/0002_subjects_and_mounts.sql"),
    },
    Migration {
        name: "0003_image_lists_and_layer_parts",
        sql: include_str!("../../migrations/0003_image_lists_and_layer_parts.sql"),
    },
    Migration {
        name: "0004_buckets",
        sql: include_str!("../../migrations/0004_buckets.sql"),
    },
    Migration {
        name: "0005_collection",
        sql: include_str!("../../migrations/0005_collection.sql"),
    },
    Migration {
        name: "0006_jobs_and_scans",
        sql: include_str!("../../migrations/0006_jobs_and_scans.sql"),
    },
    Migration {
        name: "0007_image_facts",
        sql: include_str!("../../migrations/0007_image_facts.sql"),
    },
    Migration {
        name: "0008_identities",
        sql: include_str!("../../migrations/0008_identities.sql"),
    },
    Migration {
        name: "0009_oidc_keys",
        sql: include_str!("../../migrations/0009_oidc_keys.sql"),
    },
    Migration {
        name: "0010_service_tokens",
        sql: include_str!("../../migrations/0010_service_tokens.sql"),
    },
    Migration {
        name: "0011_rematching_events_and_allow_list",
        sql: include_str!("../../migrations/0011_rematching_events_and_allow_list.sql"),
    },
    Migration {
        name: "0012_generated_referrers",
        sql: include_str!("../../migrations/0012_generated_referrers.sql"),
    },
    Migration {
        name: "0013_attached_documents",
        sql: include_str!("../../migrations/0013_attached_documents.sql"),
    },
    Migration {
        name: "0015_advisory_updates",
        sql: include_str!("../../migrations/0015_advisory_updates.sql"),
    },
];

/// Held by the transaction that migrates. The number means nothing but must never change.
const LOCK: &str = "SELECT CAST(pg_advisory_xact_lock(4711052637) AS TEXT)";

/// The table that the steps are recorded in, which no step makes.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (\
     name TEXT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/// Applies the steps that are missing; gives their names. Several processes may do this at once.
pub(super) async fn run(meta: &Meta, now: Timestamp) -> Result<Vec<String>> {
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        let body: Body<bool> = Box::new(move |tx| Box::pin(apply(tx, migration, now)));
        let fresh = match meta {
            Meta::Sqlite(sqlite) => sqlite.write(Durability::Now, body).await?,
            Meta::Postgres(postgres) => postgres.write_once(body).await?,
        };
        if fresh {
            applied.push(migration.name.to_owned());
        }
    }
    Ok(applied)
}

/// Applies `migration` unless it is there; says whether it was not.
async fn apply(tx: &mut Tx<'_>, migration: &Migration, now: Timestamp) -> Result<bool> {
    const INSERT: &str =
        "INSERT INTO schema_migrations (name, sha256, applied_at) VALUES ($1, $2, $3)";
    // On SQLite the transaction, begun IMMEDIATE, is the lock.
    if matches!(tx, Tx::Postgres(_)) {
        tx.all(LOCK, &[]).await?;
    }
    tx.batch(TABLE).await?;
    if check(tx, migration).await? {
        return Ok(false);
    }
    tx.batch(migration.sql).await?;
    let values: [Value; 3] = [migration.name.into(), sha256(migration).into(), now.into()];
    tx.execute(INSERT, &values).await?;
    Ok(true)
}

/// Whether `migration` is applied; refuses a schema that holds anything we do not know.
async fn check(tx: &mut Tx<'_>, migration: &Migration) -> Result<bool> {
    const SELECT: &str = "SELECT name, sha256 FROM schema_migrations ORDER BY name";
    let mut found = false;
    for mut row in tx.all(SELECT, &[]).await? {
        let (name, recorded) = (row.text()?, row.text()?);
        let Some(known) = MIGRATIONS.iter().find(|m| m.name == name) else {
            return Err(StoreError::Schema(format!(
                "the database has the schema step '{name}', which this version does not know; \
                 start the version that wrote it, or a later one"
            )));
        };
        if recorded != sha256(known) {
            return Err(StoreError::Schema(format!(
                "the schema step '{name}' in the database is not the one of this version; \
                 use a released version, or restore the database from a backup"
            )));
        }
        found |= name == migration.name;
    }
    Ok(found)
}

fn sha256(migration: &Migration) -> String {
    hex::encode(sha2::Sha256::digest(migration.sql))
}
