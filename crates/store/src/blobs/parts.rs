//! An object that is being written to a bucket: parts that were sent, and a buffer for the next.
//!
//! A small object is one PUT. A longer one is a multipart upload of parts of at least [`PART_MIN`]
//! bytes; it is *announced*, so that a row knows of it, before its first part is sent: what no row
//! knows of has no parts. What is less than a part when a request ends goes into the state, so that
//! any node can go on. In memory are the buffer and at most [`PARTS_AHEAD`] parts on their way.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::ObjectId;
use super::bucket::Bucket;
use crate::error::{Result, StoreError};

/// The least bytes of a part that another follows: S3's. Also what a state may hold, so that the
/// row of an upload stays short.
const PART_MIN: usize = 5 * 1024 * 1024;

/// How long parts are, and how long those are that begin behind the first [`LONG_AFTER`] bytes:
/// S3 takes [`PARTS_LIMIT`].
const PART: usize = 8 * 1024 * 1024;
const LONG_PART: usize = 32 * 1024 * 1024;
const LONG_AFTER: u64 = 16 * 1024 * 1024 * 1024;

/// The most parts of an object: S3's.
const PARTS_LIMIT: usize = 10_000;

/// How many parts may be on their way while the next one fills.
const PARTS_AHEAD: usize = 2;

/// Records that a multipart upload of this name exists; an error forbids it.
pub(crate) type Announce = Arc<dyn Fn(String) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// What it takes to go on with an object on any node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PartsState {
    /// The name of the multipart upload, if one was begun.
    upload: Option<String>,
    /// What completing it takes, of each part in order.
    parts: Vec<String>,
    /// Bytes in the parts.
    position: u64,
    /// Bytes that are in no part yet: sealed frames.
    buffer: Vec<u8>,
}

impl PartsState {
    /// Appends the state to `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut text = |text: &str| {
            out.extend((text.len() as u32).to_le_bytes());
            out.extend(text.as_bytes());
        };
        text(self.upload.as_deref().unwrap_or_default());
        self.parts.iter().for_each(|part| text(part));
        text("");
        out.extend(self.position.to_le_bytes());
        out.extend(&self.buffer);
    }

    /// Reads what [`PartsState::encode`] wrote; `None` if it cannot be that.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut text = || {
            let (length, rest) = bytes.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (text, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            String::from_utf8(text.to_owned()).ok()
        };
        let upload = Some(text()?).filter(|upload| !upload.is_empty());
        let mut parts = Vec::new();
        loop {
            match text()? {
                part if part.is_empty() => break,
                part => parts.push(part),
            }
        }
        let (position, buffer) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            upload,
            parts,
            position: u64::from_le_bytes(*position),
            buffer: buffer.to_owned(),
        })
    }

    /// Where the next bytes go in the object.
    pub(super) fn end(&self) -> u64 {
        self.position + self.buffer.len() as u64
    }
}

/// An object that is being written to a bucket.
pub(crate) struct StagedParts {
    bucket: Bucket,
    object: ObjectId,
    runtime: Handle,
    announce: Announce,
    state: PartsState,
    on_their_way: VecDeque<JoinHandle<Result<String>>>,
}

impl StagedParts {
    /// An object of which `state` was written. Call it, and what may block, within the runtime.
    pub(crate) fn new(
        bucket: &Bucket,
        object: ObjectId,
        announce: Announce,
        state: PartsState,
    ) -> Self {
        Self {
            bucket: bucket.clone(),
            object,
            runtime: Handle::current(),
            announce,
            state,
            on_their_way: VecDeque::new(),
        }
    }

    /// The name of the multipart upload, if one was begun.
    pub(super) fn multipart(&self) -> Option<&str> {
        self.state.upload.as_deref()
    }

    /// Takes the next bytes; blocks while too many parts are on their way.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.state.buffer.extend_from_slice(bytes);
        loop {
            let part = if self.state.position < LONG_AFTER {
                PART
            } else {
                LONG_PART
            };
            if self.state.buffer.len() < part {
                return Ok(());
            }
            let rest = self.state.buffer.split_off(part);
            let part = std::mem::replace(&mut self.state.buffer, rest);
            self.send(part)?;
        }
    }

    /// Waits until every part has arrived; gives what it takes to go on.
    pub(super) fn suspend(&mut self) -> Result<PartsState> {
        if self.state.buffer.len() >= PART_MIN {
            let part = std::mem::take(&mut self.state.buffer);
            self.send(part)?;
        }
        self.wait_for(0)?;
        Ok(self.state.clone())
    }

    /// Makes the object of what was written; durable when this gives `Ok`. `false` if the bucket
    /// has an object of this length already, from an attempt whose answer was lost: the bytes are
    /// to be verified then.
    pub(super) fn finish(&mut self) -> Result<bool> {
        let length = self.state.end();
        let rest = std::mem::take(&mut self.state.buffer);
        let Some(upload) = self.state.upload.clone() else {
            let put = self.bucket.put(self.object, rest.into());
            wait(&self.runtime, put)?;
            return Ok(true);
        };
        let sent = self.send(rest).and_then(|()| self.wait_for(0));
        let completed = sent.and_then(|()| {
            let parts = &self.state.parts;
            wait(
                &self.runtime,
                self.bucket.complete(self.object, &upload, parts),
            )
        });
        match completed {
            Ok(true) => Ok(true),
            // Servers differ in how they say that an upload was completed before.
            _ if wait(&self.runtime, self.bucket.size(self.object))? == Some(length) => Ok(false),
            Ok(false) => Err(StoreError::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Puts a part on its way, and begins the multipart upload if it is the first.
    fn send(&mut self, part: Vec<u8>) -> Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        let index = self.state.parts.len() + self.on_their_way.len();
        if index >= PARTS_LIMIT {
            return Err(StoreError::Bucket(format!(
                "an object in a bucket has at most {PARTS_LIMIT} parts, which are used up; push smaller layers"
            )));
        }
        let upload = match &self.state.upload {
            Some(upload) => upload.clone(),
            None => self.begin()?,
        };
        self.wait_for(PARTS_AHEAD - 1)?;
        self.state.position += part.len() as u64;
        let (bucket, object) = (self.bucket.clone(), self.object);
        self.on_their_way.push_back(self.runtime.spawn(async move {
            let part = bucket
                .put_part(object, &upload, index, Bytes::from(part))
                .await?;
            // Cancelled, or ended by a writer that took over.
            part.ok_or(StoreError::Conflict)
        }));
        Ok(())
    }

    fn begin(&mut self) -> Result<String> {
        let (bucket, object, announce) =
            (self.bucket.clone(), self.object, Arc::clone(&self.announce));
        let begun = wait(&self.runtime, async move {
            let upload = bucket.begin(object).await?;
            if let Err(refused) = announce(upload.clone()).await {
                bucket.abort(object, &upload).await?;
                return Err(refused);
            }
            Ok(upload)
        })?;
        self.state.upload = Some(begun.clone());
        Ok(begun)
    }

    /// Waits until at most `ahead` parts are on their way.
    fn wait_for(&mut self, ahead: usize) -> Result<()> {
        while self.on_their_way.len() > ahead {
            let Some(part) = self.on_their_way.pop_front() else {
                break;
            };
            let arrived = wait(&self.runtime, part).unwrap_or_else(|ended| {
                Err(StoreError::Bucket(format!("a part was not sent: {ended}")))
            });
            self.state.parts.push(arrived?);
        }
        Ok(())
    }
}

impl Drop for StagedParts {
    fn drop(&mut self) {
        for part in &self.on_their_way {
            part.abort();
        }
    }
}

/// Waits for `future` on a thread that may block, which a worker of the runtime becomes.
fn wait<F: Future>(runtime: &Handle, future: F) -> F::Output {
    tokio::task::block_in_place(|| runtime.block_on(future))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let state = PartsState {
            upload: Some("2~upload".to_owned()),
            parts: vec!["\"a\"".to_owned(), "b".to_owned()],
            position: 16_777_216,
            buffer: vec![0, 1, 2, 0, 0, 0, 0, 9],
        };
        for state in [state, PartsState::default()] {
            let mut bytes = Vec::new();
            state.encode(&mut bytes);
            assert_eq!(PartsState::decode(&bytes).as_ref(), Some(&state));
            for length in 0..bytes.len() - state.buffer.len() {
                assert_eq!(PartsState::decode(&bytes[..length]), None);
            }
        }
    }
}
