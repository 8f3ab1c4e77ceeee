//! The thread that writes the audit log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use super::{Message, day_file};

/// How long a record may be written but not synced.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The bytes of a batch, more or less.
const BATCH: usize = 256 * 1024;

/// How long to wait before a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    directory: PathBuf,
    free: Arc<Semaphore>,
    /// The file of the day of the last record.
    file: Option<(PathBuf, File)>,
    /// Lines for that file, not written yet.
    batch: Vec<u8>,
    /// How many lines those are.
    lines: usize,
    /// When the first record after the last sync was written.
    unsynced: Option<Instant>,
}

impl Writer {
    pub(super) fn new(directory: PathBuf, free: Arc<Semaphore>) -> Self {
        Self {
            directory,
            free,
            file: None,
            batch: Vec::new(),
            lines: 0,
            unsynced: None,
        }
    }

    /// Writes what comes until it is told to close or nobody can send any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match self.unsynced {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => messages.recv_timeout(SYNC_EVERY),
            };
            let mut next = match message {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.sync(),
            };
            let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
            while let Some(message) = next {
                match message {
                    Message::Record(at, line) => {
                        self.choose_file(day_file(&self.directory, at));
                        self.batch.extend(line.as_bytes());
                        self.batch.push(b'\n');
                        self.lines += 1;
                    }
                    Message::Flush(done) => waiting.push(done),
                    Message::Close(done) => {
                        self.write();
                        self.sync();
                        // Nobody waits any more if the sender is gone.
                        let _ = done.send(());
                        return;
                    }
                }
                next = (self.batch.len() < BATCH)
                    .then(|| messages.try_recv().ok())
                    .flatten();
            }
            self.write();
            for done in waiting {
                let _ = done.send(());
            }
            if self
                .unsynced
                .is_none_or(|since| since.elapsed() >= SYNC_EVERY)
            {
                self.sync();
            }
        }
    }

    /// Makes `path` the file that lines go to; what is there for another one is written first.
    fn choose_file(&mut self, path: PathBuf) {
        if self.file.as_ref().is_some_and(|(now, _)| *now == path) {
            return;
        }
        self.write();
        self.sync();
        let file = retry("open the audit log", || {
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o600).open(&path)
        });
        self.file = Some((path, file));
    }

    fn write(&mut self) {
        let Some((_, file)) = &mut self.file else {
            return;
        };
        if self.lines == 0 {
            return;
        }
        // A write may fail in the middle of a line, so what was written of it is taken back.
        let length = retry("read the audit log", || file.metadata()).len();
        retry("write the audit log", || {
            let written = file.write_all(&self.batch);
            if written.is_err() {
                file.set_len(length)?;
            }
            written
        });
        self.batch.clear();
        self.free.add_permits(std::mem::take(&mut self.lines));
        self.unsynced.get_or_insert_with(now);
    }

    fn sync(&mut self) {
        if let (Some((_, file)), Some(_)) = (&self.file, self.unsynced.take()) {
            retry("sync the audit log", || file.sync_data());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounds how long a record stays unsynced; nothing is decided by it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Does `action` until it succeeds: without a record nothing may go on, so callers wait.
fn retry<T>(what: &str, mut action: impl FnMut() -> io::Result<T>) -> T {
    loop {
        match action() {
            Ok(value) => return value,
            Err(e) => {
                tracing::error!("cannot {what}: {e}; requests wait until it is possible");
                thread::sleep(RETRY);
            }
        }
    }
}
