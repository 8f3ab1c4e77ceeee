//! The bytes of a request on their way into an upload.
//!
//! What comes is gathered, and a batch of it is hashed, encrypted and written on a blocking thread
//! while the next is gathered. So a body has a thread only while there is something to write, however
//! slowly it comes; memory is independent of its length; and no async file API stands in between.

use std::pin::pin;
use std::time::Duration;

use bonded_store::{StoreError, UploadWriter};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{Error, Result};
use crate::upload_limit::Allowance;

/// How many bytes are written at a time.
const BATCH_BYTES: usize = 256 * 1024;

/// The most pieces that they come in.
const BATCH_PIECES: usize = 256;

/// Who has the writer.
enum Turn {
    Ours(Box<UploadWriter>),
    Writing(JoinHandle<std::result::Result<UploadWriter, StoreError>>),
}

impl Turn {
    /// The writer, when what it had to write is written.
    async fn over(self) -> Result<UploadWriter> {
        match self {
            Self::Ours(writer) => Ok(*writer),
            Self::Writing(thread) => {
                let joined = thread.await;
                Ok(joined.map_err(|e| Error::Unwritable(e.to_string()))??)
            }
        }
    }

    /// Has `batch` written, after what is being written.
    async fn write(self, batch: Batch) -> Result<Self> {
        let mut writer = self.over().await?;
        Ok(Self::Writing(spawn_blocking(move || {
            for piece in &batch.pieces {
                writer.write(piece)?;
            }
            Ok(writer)
        })))
    }
}

/// What was gathered.
#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.pieces.len() >= BATCH_PIECES
    }
}

/// Writes `body`, of which nothing may stay away for longer than `stall`. The inner result says
/// whether it came whole; the writer comes back in both cases.
///
/// # Errors
/// [`UploadWriter::write`]'s.
pub(crate) async fn write_body(
    writer: UploadWriter,
    body: impl Stream<Item = std::result::Result<Bytes, String>> + Send,
    allowance: &mut Allowance,
    stall: Duration,
) -> Result<(UploadWriter, Result<()>)> {
    let mut body = pin!(body);
    let (mut turn, mut batch) = (Turn::Ours(Box::new(writer)), Batch::default());
    let received = loop {
        match tokio::time::timeout(stall, body.next()).await {
            Ok(None) => break Ok(()),
            Ok(Some(Ok(piece))) => {
                if let Err(no_room) = allowance.take(piece.len()) {
                    break Err(no_room);
                }
                batch.push(piece);
                if batch.is_full() {
                    turn = turn.write(std::mem::take(&mut batch)).await?;
                }
            }
            Ok(Some(Err(e))) => break Err(Error::BodyIncomplete(e)),
            Err(_) => {
                break Err(Error::BodyIncomplete(format!(
                    "nothing came for {} s",
                    stall.as_secs()
                )));
            }
        }
    };
    let writer = turn.write(batch).await?.over().await?;
    Ok((writer, received))
}
