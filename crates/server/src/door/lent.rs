//! A request's body, lent to whoever answers the request.
//!
//! A connection that is closed while its peer still sends is reset, and the peer may never see the
//! answer that was sent before. So what an early answer has left unread is read here, within
//! bounds, before the answer goes out.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

/// How much of a body is read for nothing, in bytes: more than the longest manifest.
const BYTES_LIMIT: usize = 16 * 1024 * 1024;

/// How long that may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// A body that goes back to its lender when it is dropped.
pub(super) struct Lent<B> {
    body: Option<B>,
    back: Option<oneshot::Sender<B>>,
}

/// Where a lent body comes back.
pub(super) struct Lender<B>(oneshot::Receiver<B>);

/// Lends `body`.
pub(super) fn lend<B>(body: B) -> (Lent<B>, Lender<B>) {
    let (back, returned) = oneshot::channel();
    (
        Lent {
            body: Some(body),
            back: Some(back),
        },
        Lender(returned),
    )
}

impl<B: Body + Unpin> Lender<B> {
    /// Reads what is left of the body, if it is back, within the bounds. Errors end it: then the
    /// peer is gone, and nobody waits for the answer.
    pub(super) async fn read_rest(mut self) {
        let Ok(mut body) = self.0.try_recv() else {
            return;
        };
        let reading = async {
            let mut left = BYTES_LIMIT;
            while !body.is_end_stream() && left > 0 {
                let Some(Ok(frame)) = body.frame().await else {
                    return;
                };
                let length = frame.data_ref().map_or(0, bytes::Buf::remaining);
                left = left.saturating_sub(length);
            }
        };
        // Whether it was all or the time was up, the answer goes out now.
        let _ = tokio::time::timeout(TIME_LIMIT, reading).await;
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it if the request was given up.
            let _ = back.send(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn what_was_left_unread_is_read_within_bounds() {
        let read = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&read);
        let endless = stream::repeat_with(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; 1024 * 1024])))
        });
        let (lent, lender) = lend(StreamBody::new(endless));
        drop(lent);
        lender.read_rest().await;
        assert_eq!(read.load(Ordering::SeqCst), BYTES_LIMIT / (1024 * 1024));
    }
}
