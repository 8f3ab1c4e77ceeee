//! What comes back from another machine, within its limits.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{EgressError, Limits};

/// A body that is being read. Dropping it ends its connection.
pub struct Body {
    pub(super) url: String,
    pub(super) begins_at: u64,
    pub(super) headers: HeaderMap,
    pub(super) incoming: Incoming,
    pub(super) deadline: Instant,
    pub(super) limits: Limits,
    pub(super) seen: u64,
    pub(super) _connection: JoinSet<()>,
}

impl Body {
    /// Which byte its first one is: 0, or that from which on it was asked for.
    #[must_use]
    pub fn begins_at(&self) -> u64 {
        self.begins_at
    }

    /// The value of a header of the answer, such as `etag`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`EgressError::TooLarge`], [`EgressError::TooSlow`], [`EgressError::Talk`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        loop {
            let frame = match timeout_at(self.deadline, self.incoming.frame()).await {
                Err(_) => {
                    return Err(EgressError::TooSlow {
                        url: self.url.clone(),
                        limit: self.limits.time,
                    });
                }
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => frame.map_err(|error| EgressError::Talk {
                    host: self.url.clone(),
                    problem: error.to_string(),
                })?,
            };
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            self.seen = self.seen.saturating_add(piece.len() as u64);
            if self.seen > self.limits.bytes {
                return Err(self.too_large());
            }
            return Ok(Some(piece));
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Body::next`].
    pub async fn read(mut self) -> Result<Vec<u8>, EgressError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    pub(super) fn too_large(&self) -> EgressError {
        EgressError::TooLarge {
            url: self.url.clone(),
            limit: self.limits.bytes,
        }
    }
}
