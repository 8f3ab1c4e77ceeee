//! A body as it comes in.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::client::Streamed;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_mins(1);

/// The body of an answer, to be read where nothing else waits.
pub(super) struct Body<'a> {
    streamed: Streamed,
    chunk: Bytes,
    runtime: &'a Runtime,
}

impl<'a> Body<'a> {
    pub(super) fn new(streamed: Streamed, runtime: &'a Runtime) -> Self {
        Self {
            streamed,
            chunk: Bytes::new(),
            runtime,
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let next = async { timeout(SILENCE, self.streamed.body.frame()).await };
            let frame = match self.runtime.block_on(next) {
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(None) => return Ok(0),
                Ok(Some(frame)) => frame.map_err(io::Error::other)?,
            };
            self.chunk = frame.into_data().unwrap_or_default();
        }
        let read = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
