//! Collection: what nothing refers to any more is deleted, while the registry serves. How that is
//! safe stands in `bonded_store`'s `collect`; here are the times and the rounds.

use std::time::Duration;

use bonded_model::Timestamp;
use bonded_store::{Amount, Mode, Progress, Unit, Walk, Watcher};

use crate::Registry;
use crate::error::Result;

/// How long an upload may rest before it is given up.
const UPLOAD_REST: Duration = Duration::from_hours(24);

/// How long bytes stay after their last layer went: a pull that found it may still read them.
const OBJECT_GRACE: Duration = Duration::from_hours(1);

/// How often the stored bytes are listed in search of strays, which only a crash makes; and how old a
/// stray is at least.
const STRAY_INTERVAL: Duration = Duration::from_hours(24);

/// How many steps of each kind a periodic round makes; the next one goes on.
const STEPS: u32 = 100;

/// After how many steps a whole collection says in the log how far it is.
const STEPS_PER_LINE: u32 = 100;

/// What is collected, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// Says what would be deleted and changes nothing.
    pub dry_run: bool,
    /// Waits for nobody: layers that no image refers to go although they were pushed or asked for
    /// just now, uploads that no request is writing to, and bytes at once. A push or a pull in
    /// progress may have to begin again.
    pub no_grace: bool,
}

/// What was deleted or, in a dry run, would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Unfinished uploads that rested for a day, with the bytes they had.
    pub uploads: Amount,
    /// Deleted repositories of which rows were left.
    pub repositories: u64,
    /// Layers that no image of their repository refers to and whose time has passed. Their bytes
    /// may be shared and are not freed by this.
    pub layers: Amount,
    /// Objects that have no layer any more: their bytes go an hour later.
    pub unlinked: Amount,
    /// Objects whose bytes went.
    pub objects: Amount,
    /// Stored bytes without a row: left by a process that was killed.
    pub strays: u64,
}

impl Collected {
    /// How many bytes are free now, in clear: on the disk each 64 KiB have 28 bytes more.
    #[must_use]
    pub fn freed(&self) -> u64 {
        self.uploads.bytes.saturating_add(self.objects.bytes)
    }
}

/// The times of one round.
struct Round {
    now: Timestamp,
    mode: Mode,
    /// Layers that are kept until this or earlier may go.
    layers: Timestamp,
    /// Objects unlinked at this time or earlier go.
    objects: Timestamp,
    /// Uploads untouched since go.
    uploads: Timestamp,
    /// Strays of this time or earlier go.
    strays: Timestamp,
}

impl Registry {
    fn round(&self, collection: Collection) -> Round {
        let now = self.clock().now();
        let (layers, objects, strays) = match collection.no_grace {
            true => (Timestamp::from_millis(i64::MAX), now, now),
            false => (now, now.before(OBJECT_GRACE), now.before(STRAY_INTERVAL)),
        };
        Round {
            now,
            mode: match collection.dry_run {
                true => Mode::DryRun,
                false => Mode::Collect,
            },
            layers,
            objects,
            uploads: now.before(UPLOAD_REST),
            strays,
        }
    }

    /// Collects everything that can be, from beginning to end, and tells `watcher` how much it has
    /// found. For the operator of the host.
    ///
    /// # Errors
    /// Rows or bytes cannot be read or deleted; what is left goes the next time.
    pub async fn collect(&self, collection: Collection, watcher: &Watcher) -> Result<Collected> {
        let round = self.round(collection);
        let mut watched = watcher.begin("uploads", None, Unit::Count);
        let mut collected = self.collect_bounded(&round, u32::MAX).await?;
        if collection.no_grace {
            let idle = self.collect_idle_uploads(&round).await?;
            match round.mode {
                Mode::Collect => collected.uploads += idle,
                // Those that rested are among them.
                Mode::DryRun => collected.uploads = idle,
            }
        }
        watched.add(collected.uploads.count);
        watched.end();
        for walk in [Walk::Layers, Walk::Objects, Walk::Strays] {
            let mut watched = watcher.begin(walk.name(), None, Unit::Count);
            let mut position = Some(String::new());
            let (mut steps, mut found) = (0, 0);
            while let Some(from) = position {
                position = self.step(walk, &from, &round, &mut collected).await?;
                watched.add(collected.of(walk) - found);
                found = collected.of(walk);
                steps += 1;
                if steps % STEPS_PER_LINE == 0 {
                    tracing::info!(?walk, steps, ?collected, "collecting");
                }
            }
            watched.end();
        }
        let mut watched = watcher.begin("bytes", None, Unit::Bytes);
        collected.objects = self.collect_objects(&round, u32::MAX).await?;
        watched.add(collected.objects.bytes);
        watched.end();
        if collection.dry_run && collection.no_grace {
            // What would be unlinked would go at once.
            collected.objects += collected.unlinked;
        }
        if !collection.dry_run {
            collected.log();
        }
        Ok(collected)
    }

    /// The collection of one periodic round: a bounded piece of everything.
    pub(crate) async fn collect_round(&self) -> Result<()> {
        let round = self.round(Collection {
            dry_run: false,
            no_grace: false,
        });
        let mut collected = self.collect_bounded(&round, STEPS).await?;
        for walk in [Walk::Layers, Walk::Objects, Walk::Strays] {
            self.walk_on(walk, &round, &mut collected).await?;
        }
        collected.objects = self.collect_objects(&round, STEPS).await?;
        collected.log();
        Ok(())
    }

    /// Uploads and deleted repositories: what is found by an index.
    async fn collect_bounded(&self, round: &Round, steps: u32) -> Result<Collected> {
        let store = self.store();
        let mut collected = Collected::default();
        for _ in 0..steps {
            let uploads = store.collect_uploads(round.uploads, round.mode).await?;
            collected.uploads += uploads;
            if uploads.count == 0 || round.mode == Mode::DryRun {
                break;
            }
        }
        collected.repositories = store.collect_deleted_repositories(round.mode).await?;
        Ok(collected)
    }

    /// Uploads of any age that no request is writing to.
    async fn collect_idle_uploads(&self, round: &Round) -> Result<Amount> {
        let mut collected = Amount::default();
        let mut position = Some(String::new());
        while let Some(from) = position {
            let step = self
                .store()
                .collect_idle_uploads(&from, round.now, round.mode)
                .await?;
            collected += step.amount;
            position = step.next;
        }
        Ok(collected)
    }

    async fn collect_objects(&self, round: &Round, steps: u32) -> Result<Amount> {
        let mut collected = Amount::default();
        for _ in 0..steps {
            let objects = self
                .store()
                .collect_objects(round.objects, round.mode)
                .await?;
            collected += objects;
            if objects.count == 0 || round.mode == Mode::DryRun {
                break;
            }
        }
        Ok(collected)
    }

    /// Goes on with a walk where the last round, of whichever node, stopped.
    async fn walk_on(&self, walk: Walk, round: &Round, collected: &mut Collected) -> Result<()> {
        let interval = match walk {
            Walk::Layers | Walk::Objects => Duration::ZERO,
            Walk::Strays => STRAY_INTERVAL,
        };
        let mut progress = match self.store().walk_progress(walk).await? {
            Some(progress) if !progress.position.is_empty() => progress,
            Some(ended) if round.now < ended.begun_at.after(interval) => return Ok(()),
            _ => Progress {
                position: String::new(),
                begun_at: round.now,
            },
        };
        for _ in 0..STEPS {
            let next = self.step(walk, &progress.position, round, collected);
            progress.position = next.await?.unwrap_or_default();
            self.store().record_progress(walk, &progress).await?;
            if progress.position.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// One step of a walk after `from`; gives where the next begins.
    async fn step(
        &self,
        walk: Walk,
        from: &str,
        round: &Round,
        collected: &mut Collected,
    ) -> Result<Option<String>> {
        let (store, mode) = (self.store(), round.mode);
        Ok(match walk {
            Walk::Layers => {
                let step = store.collect_layers(from, round.layers, mode).await?;
                collected.layers += step.amount;
                step.next
            }
            Walk::Objects => {
                let (passed, now) = (round.layers, round.now);
                let step = store.mark_objects(from, passed, now, mode).await?;
                collected.unlinked += step.amount;
                step.next
            }
            Walk::Strays => {
                let step = store.collect_strays(from, round.strays, mode).await?;
                collected.strays += step.count;
                step.next
            }
        })
    }
}

impl Collected {
    /// How many a walk has found.
    fn of(&self, walk: Walk) -> u64 {
        match walk {
            Walk::Layers => self.layers.count,
            Walk::Objects => self.unlinked.count,
            Walk::Strays => self.strays,
        }
    }

    /// One line for what was collected; none if that is nothing.
    fn log(&self) {
        if *self == Self::default() {
            return;
        }
        tracing::info!(
            uploads = self.uploads.count,
            repositories = self.repositories,
            layers = self.layers.count,
            unlinked = self.unlinked.count,
            objects = self.objects.count,
            strays = self.strays,
            freed_bytes = self.freed(),
            "collected"
        );
    }
}
