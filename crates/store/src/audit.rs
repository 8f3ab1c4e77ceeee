//! The audit log: one append-only file of JSON lines per UTC day, for decisions that changed
//! nothing (changes commit with their record, see `change`).
//! ```text
//! DATA/audit/2026-11-22.jsonl
//! ```
//! Lines go through a bounded queue to a thread of their own, which writes them in batches and
//! syncs at most every second and when it is closed. When the queue is full, or the disk, callers
//! wait: nothing is decided without a record.

mod find;
mod thread;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bonded_model::Timestamp;
use tokio::sync::{Semaphore, oneshot};

use crate::error::{Result, StoreError};

/// The longest record, in bytes.
pub const LINE_LIMIT: usize = 256 * 1024;

/// Records that may wait to be written.
const QUEUE: usize = 4096;

/// The log of this node. Clones share it.
#[derive(Clone)]
pub struct AuditLog {
    directory: PathBuf,
    queue: mpsc::Sender<Message>,
    /// A permit for each record that may still be queued; the thread gives them back.
    free: Arc<Semaphore>,
}

/// How long a request waits for a place in the queue.
const WAIT: Duration = Duration::from_secs(10);

enum Message {
    Record(Timestamp, String),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
    /// Answered when everything before it is synced; the thread ends.
    Close(oneshot::Sender<()>),
}

impl AuditLog {
    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the log in `directory`, which is created if need be, and starts its thread.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(StoreError::io(format!(
                "cannot create '{}'",
                directory.display()
            )))?;
        let (queue, messages) = mpsc::channel();
        let free = Arc::new(Semaphore::new(QUEUE));
        let writer = thread::Writer::new(directory.to_owned(), Arc::clone(&free));
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(StoreError::io("cannot start the audit log's thread"))?;
        Ok(Self {
            directory: directory.to_owned(),
            queue,
            free,
        })
    }

    /// Queues the record of a decision made at `at`: one line of JSON, with the decision's id as
    /// its member `id` or `eventID`. Waits while the queue is full, up to ten seconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it stays full, because the disk is; if the log is closed, or the record is longer than [`LINE_LIMIT`] or not one line.
    pub async fn record(&self, at: Timestamp, line: String) -> Result<()> {
        if line.len() > LINE_LIMIT || line.contains('\n') {
            return Err(StoreError::Io {
                what: "cannot record a decision".to_owned(),
                source: io::Error::new(io::ErrorKind::InvalidInput, "not one short line"),
            });
        }
        let Ok(permit) = tokio::time::timeout(WAIT, self.free.acquire()).await else {
            let what = "the audit log cannot be written, and nothing goes on without a record";
            return Err(StoreError::Unavailable(what.to_owned()));
        };
        let permit = permit.map_err(|_| StoreError::Closed)?;
        self.queue
            .send(Message::Record(at, line))
            .map_err(|_| StoreError::Closed)?;
        permit.forget();
        Ok(())
    }

    /// The record of the decision `id`, made at `at`, if it is in this node's log. Reads that day's
    /// file from its beginning, in constant memory.
    ///
    /// # Errors
    /// As reading a file.
    pub async fn find(&self, id: &str, at: Timestamp) -> Result<Option<String>> {
        let (done, flushed) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).is_ok() {
            // An error means that the thread has ended, and with it all writing.
            let _ = flushed.await;
        }
        let path = day_file(&self.directory, at);
        let id = id.to_owned();
        let found = tokio::task::spawn_blocking(move || find::find(&path, &id)).await;
        found
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(StoreError::io("cannot read the audit log"))
    }

    /// Writes and syncs what is queued, and ends. Later records are refused.
    pub(crate) async fn close(&self) {
        // With all permits in hand no record is queued or about to be, and none comes any more.
        let all = u32::try_from(QUEUE).unwrap_or(u32::MAX);
        let Ok(permits) = self.free.acquire_many(all).await else {
            return;
        };
        self.free.close();
        drop(permits);
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).is_ok() {
            // An error means that the thread has ended.
            let _ = closed.await;
        }
    }
}

/// The file of the UTC day of `at`.
fn day_file(directory: &Path, at: Timestamp) -> PathBuf {
    let time = at.to_string();
    let day = time.split('T').next().unwrap_or_default();
    directory.join(format!("{day}.jsonl"))
}
