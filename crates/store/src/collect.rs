//! Collection: what nothing refers to goes, while the registry serves.
//! ```text
//! image deleted → layer row unreferenced → (its time passes) → layer row deleted
//!   → object without layers → marked → (an hour passes) → object row deleted → bytes deleted
//! ```
//! Each arrow is a transaction that checks again what it relies on, so it does not matter what
//! happens in between: a push that refers to a layer, a mount, a HEAD that prolongs its time, an
//! upload of the same bytes. On PostgreSQL all of them are SERIALIZABLE. Rows go before bytes, so
//! whoever finds a row finds its bytes; bytes that lost their row to a crash are strays.
//!
//! Long lists are walked by key, a bounded number of rows at a time, with reads that block nobody;
//! only what is found goes into a transaction. Any number of nodes may do this at once.

use bonded_model::Timestamp;

use crate::Store;
use crate::error::Result;
use crate::meta::Value;

/// How many rows a step of a walk looks at.
pub(crate) const STEP: i64 = 1000;

/// How many rows one transaction of the collector deletes.
pub(crate) const BATCH: usize = 100;

/// How many there are, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// How many bytes they have in clear.
    pub bytes: u64,
}

impl Amount {
    /// One more, of `bytes`.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Whether a step of collection does its work or only counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It deletes.
    Collect,
    /// It changes nothing and says what it would delete.
    DryRun,
}

/// One of the collector's walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Through all layers, for those that nothing refers to.
    Layers,
    /// Through all objects, for those without a layer.
    Objects,
    /// Through all stored bytes, for those without a row.
    Strays,
}

impl Walk {
    /// What it goes through, in a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Objects => "objects",
            Self::Strays => "strays",
        }
    }
}

/// How far a walk has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What was looked at last; empty before the first and after the last.
    pub position: String,
    /// When the walk was begun that this is part of, or was the last.
    pub begun_at: Timestamp,
}

/// What a step of a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// What was deleted or, in a dry run, would be.
    pub amount: Amount,
    /// Where the next step begins; `None` at the end.
    pub next: Option<String>,
}

impl Store {
    /// The amount that the statement `sql` gives as a count and a sum, of what is older than `before`.
    pub(crate) async fn count(&self, sql: &'static str, before: Timestamp) -> Result<Amount> {
        let row = self.meta().optional(sql, &[before.into()]).await?;
        row.map_or(Ok(Amount::default()), |mut row| {
            Ok(Amount {
                count: row.size()?,
                bytes: row.size()?,
            })
        })
    }

    /// How far a walk has come; `None` if it was never begun.
    ///
    /// # Errors
    /// As every read.
    pub async fn walk_progress(&self, walk: Walk) -> Result<Option<Progress>> {
        const SQL: &str = "SELECT position, begun_at FROM walks WHERE name = $1";
        let row = self.meta().optional(SQL, &[walk.name().into()]).await?;
        row.map(|mut row| {
            Ok(Progress {
                position: row.text()?,
                begun_at: row.time()?,
            })
        })
        .transpose()
    }

    /// Records how far a walk has come. Of two nodes that record at once the later is believed: what
    /// is walked twice is found clean.
    ///
    /// # Errors
    /// As every write.
    pub async fn record_progress(&self, walk: Walk, progress: &Progress) -> Result<()> {
        const SQL: &str = "INSERT INTO walks (name, position, begun_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE \
             SET position = excluded.position, begun_at = excluded.begun_at";
        let values: [Value; 3] = [
            walk.name().into(),
            (&progress.position).into(),
            progress.begun_at.into(),
        ];
        self.meta().execute_soon(SQL, values).await?;
        Ok(())
    }
}
