//! Bodies that are held in memory, and the room they may take there.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bonded_registry::Error;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::header;
use http_body_util::BodyStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Head, Incoming, RequestBody};
use crate::per_address::PerAddress;

/// How many bytes of bodies are held in memory at once, for all requests together. Those that would
/// need more wait, and are refused at [`DEADLINE`].
const BUDGET: usize = 256 * 1024 * 1024;

/// How many of them are those of one address: a call of the AWS APIs is held before anybody knows
/// who signed it.
const BUDGET_PER_ADDRESS: usize = BUDGET / 4;

/// How long a body that is held in memory may take to come.
const DEADLINE: Duration = Duration::from_mins(1);

/// The room for the bodies of all requests.
pub(super) struct BodyBudget {
    all: Arc<Semaphore>,
    each: PerAddress,
}

/// The room for the bodies of one address.
pub(crate) struct BodyRoom {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// Room that is taken.
type Taken = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// A body in memory, and the room it takes.
pub(crate) struct Held {
    bytes: Bytes,
    _taken: Option<Taken>,
}

impl Deref for Held {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl BodyBudget {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(BUDGET)),
            each: PerAddress::new(BUDGET_PER_ADDRESS),
        }
    }

    /// The room for the bodies that come from `address`.
    pub(super) fn of(&self, address: IpAddr) -> BodyRoom {
        BodyRoom {
            all: Arc::clone(&self.all),
            own: self.each.of(address),
        }
    }
}

impl BodyRoom {
    /// Waits for room for `size` bytes, first of its own address. The semaphores are never closed,
    /// so there is always an answer.
    async fn take(&self, size: u32) -> Option<Taken> {
        let own = Arc::clone(&self.own).acquire_many_owned(size).await.ok()?;
        let all = Arc::clone(&self.all).acquire_many_owned(size).await.ok()?;
        Some((own, all))
    }
}

impl Incoming {
    /// The whole body, held in memory within the budget of all requests.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] as soon as it is longer than `limit` or says it will be;
    /// [`Error::BodyIncomplete`], also after [`DEADLINE`].
    pub(crate) async fn read(self, limit: usize) -> Result<(Head, Held), Error> {
        let Self { head, body, .. } = self;
        let stated = head
            .header(header::CONTENT_LENGTH)
            .and_then(|length| length.parse::<usize>().ok());
        if stated.is_some_and(|length| length > limit) {
            return Err(Error::BodyTooLarge(limit));
        }
        let reading = collect(body, limit, &head.room);
        let held = tokio::time::timeout(DEADLINE, reading)
            .await
            .map_err(|_| {
                Error::BodyIncomplete(format!("it took longer than {} s", DEADLINE.as_secs()))
            })??;
        Ok((head, held))
    }
}

async fn collect(body: RequestBody, limit: usize, room: &BodyRoom) -> Result<Held, Error> {
    let mut bytes = BytesMut::new();
    let mut taken: Option<Taken> = None;
    let mut stream = std::pin::pin!(data(body));
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(Error::BodyIncomplete)?;
        if bytes.len() + piece.len() > limit {
            return Err(Error::BodyTooLarge(limit));
        }
        let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        if let Some((own, all)) = room.take(size).await {
            match &mut taken {
                Some(taken) => {
                    taken.0.merge(own);
                    taken.1.merge(all);
                }
                None => taken = Some((own, all)),
            }
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Held {
        bytes: bytes.freeze(),
        _taken: taken,
    })
}

/// The data of a body, without trailers.
pub(crate) fn data(body: RequestBody) -> impl Stream<Item = Result<Bytes, String>> + Send {
    BodyStream::new(body).filter_map(|frame| async {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(e) => Some(Err(e)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::Frame;

    fn body(pieces: usize, of: usize) -> RequestBody {
        let frame = move |_| Ok::<_, String>(Frame::data(Bytes::from(vec![0; of])));
        BodyExt::boxed(StreamBody::new(stream::iter(0..pieces).map(frame)))
    }

    #[tokio::test]
    async fn one_address_does_not_take_the_room_of_the_others() {
        let budget = BodyBudget::new();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mib = 1024 * 1024;
        let full = collect(body(64, mib), BUDGET, &budget.of(one)).await;
        let held = full.map_err(|e| e.to_string()).unwrap();
        assert_eq!(held.len(), BUDGET_PER_ADDRESS);
        let more = budget.of(one);
        let waits = collect(body(1, 1), BUDGET, &more);
        assert!(futures_util::poll!(std::pin::pin!(waits)).is_pending());
        let theirs = collect(body(2, mib), BUDGET, &budget.of(other)).await;
        assert_eq!(theirs.map_err(|e| e.to_string()).unwrap().len(), 2 * mib);
        drop(held);
        assert!(collect(body(1, 1), BUDGET, &more).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_its_limit_at_most() {
        let room = BodyBudget::new().of("192.0.2.1".parse().unwrap());
        assert!(collect(body(2, 5), 10, &room).await.is_ok());
        let refused = collect(body(2, 6), 10, &room).await;
        assert!(matches!(refused, Err(Error::BodyTooLarge(10))));
        assert_eq!(room.own.available_permits(), BUDGET_PER_ADDRESS);
    }
}
