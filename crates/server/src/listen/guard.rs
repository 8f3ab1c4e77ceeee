//! A stream that gives hyper no HTTP/1 head before it was judged by [`framing`](super::framing).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::framing::{Body, HEAD_LIMIT, head_end};

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Stands in for a head we refuse: hyper answers it with 400 and closes the connection.
const REFUSED: &[u8] = b"refused\r\n\r\n";

/// How long the first head may take; hyper limits the others.
const OPENING_LIMIT: Duration = Duration::from_secs(30);

/// How long a body may stand still, on its way to us or from us.
const STALL_LIMIT: Duration = Duration::from_mins(1);

/// A connection as hyper sees it. HTTP/2 passes through (its frames leave no doubt about
/// lengths); an ambiguous HTTP/1 head is replaced by one that hyper refuses, and nothing follows.
pub(super) struct Guarded<S> {
    stream: S,
    state: State,
    /// Received, not judged: the begin of a head, or what came after a body.
    held: BytesMut,
    /// How many bytes of `held` cannot hold the end of the head.
    scanned: usize,
    /// Judged, to be read next.
    ready: BytesMut,
    /// Whether `timer` runs.
    waiting: bool,
    timer: Pin<Box<Sleep>>,
    /// How long a body may stand still.
    stall_limit: Duration,
    /// Since when the peer has taken nothing of what is sent.
    unsent_since: Option<Instant>,
    /// Looks at that; it is set anew only when it has rung, not at every pause of the peer.
    unsent_timer: Option<Pin<Box<Sleep>>>,
}

enum State {
    /// HTTP/2's preface or the first head is coming.
    Opening,
    /// A later head is coming.
    Head,
    /// So much of a body is coming.
    Body(Body),
    /// Frames.
    Http2,
    /// No more bytes.
    Closed,
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Guards `stream`, of which nothing has been read.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            state: State::Opening,
            held: BytesMut::new(),
            scanned: 0,
            ready: BytesMut::new(),
            waiting: true,
            timer: Box::pin(tokio::time::sleep(OPENING_LIMIT)),
            stall_limit: STALL_LIMIT,
            unsent_since: None,
            unsent_timer: None,
        }
    }

    /// Judges what is held; `false` if more is needed to do so.
    fn judge(&mut self) -> bool {
        let common = self.held.len().min(PREFACE.len());
        if matches!(self.state, State::Opening) && self.held[..common] == PREFACE[..common] {
            if common < PREFACE.len() {
                return false;
            }
            self.ready = std::mem::take(&mut self.held);
            self.state = State::Http2;
            return true;
        }
        // RFC 9112 §2.2: empty lines before a request line are to be ignored.
        while let [b'\n', ..] | [b'\r', b'\n', ..] = self.held[..] {
            self.held.advance(if self.held[0] == b'\n' { 1 } else { 2 });
            self.scanned = 0;
        }
        let Some(end) = head_end(&self.held, self.scanned) else {
            self.scanned = self.held.len();
            // hyper has the same limit and refuses what has reached it.
            return self.held.len() >= HEAD_LIMIT && self.give_up();
        };
        match Body::after(&self.held[..end]) {
            Ok(body) => {
                self.ready = self.held.split_to(end);
                self.enter(body);
            }
            Err(_) => {
                self.ready = REFUSED.into();
                self.state = State::Closed;
            }
        }
        true
    }

    /// Hands over what is held, as the last there is.
    fn give_up(&mut self) -> bool {
        self.ready = std::mem::take(&mut self.held);
        self.state = State::Closed;
        true
    }

    fn enter(&mut self, body: Body) {
        self.scanned = 0;
        self.waiting = false;
        self.state = match body {
            Body::Done => State::Head,
            body => State::Body(body),
        };
    }

    /// Reads into `out`; the opening and a body that stands still have a limit.
    fn receive(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, out);
        match (&result, &self.state) {
            (Poll::Ready(_), State::Body(_)) => self.waiting = false,
            (Poll::Pending, State::Opening | State::Body(_)) => {
                if !self.waiting {
                    self.waiting = true;
                    self.timer.as_mut().reset(Instant::now() + self.stall_limit);
                }
                ready!(self.timer.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ => {}
        }
        result
    }

    /// Reads some of the body, holding back what follows it.
    fn read_body(
        &mut self,
        mut body: Body,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let begin = out.filled().len();
        if self.held.is_empty() {
            ready!(self.receive(cx, out))?;
        } else {
            let n = self.held.len().min(out.remaining());
            out.put_slice(&self.held.split_to(n));
        }
        let received = &out.filled()[begin..];
        let taken = body
            .follow(received)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if taken < received.len() {
            let mut rest = BytesMut::from(&received[taken..]);
            rest.unsplit(std::mem::take(&mut self.held));
            self.held = rest;
            out.set_filled(begin + taken);
        }
        self.enter(body);
        Poll::Ready(Ok(()))
    }
}

impl<S> Guarded<S> {
    /// Passes on what a write came to; a peer that takes nothing for [`STALL_LIMIT`] ends it.
    fn sent<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.unsent_since = None;
            return result;
        }
        let since = *self.unsent_since.get_or_insert_with(Instant::now);
        let ends = since + self.stall_limit;
        let new = || Box::pin(tokio::time::sleep_until(ends));
        let timer = self.unsent_timer.get_or_insert_with(new);
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= ends {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(ends);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let n = this.ready.len().min(out.remaining());
                out.put_slice(&this.ready.split_to(n));
                return Poll::Ready(Ok(()));
            }
            match this.state {
                State::Closed => return Poll::Ready(Ok(())),
                State::Http2 => return this.receive(cx, out),
                State::Body(body) => return this.read_body(body, cx, out),
                State::Opening | State::Head => {}
            }
            if !this.held.is_empty() && this.judge() {
                continue;
            }
            let mut space = [0; 8 * 1024];
            let mut buffer = ReadBuf::new(&mut space);
            ready!(this.receive(cx, &mut buffer))?;
            this.held.extend_from_slice(buffer.filled());
            if buffer.filled().is_empty() {
                this.give_up();
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.sent(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.sent(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.sent(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    fn guarded() -> (Guarded<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024);
        let mut guarded = Guarded::new(ours);
        guarded.stall_limit = Duration::from_millis(20);
        (guarded, theirs)
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_cut_off() {
        let (mut guarded, mut theirs) = guarded();
        let sending = tokio::spawn(async move { guarded.write_all(&[0; 4096]).await });
        theirs.read_exact(&mut [0; 512]).await.unwrap();
        let error = sending.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_body_that_stands_still_is_given_up() {
        let (mut guarded, mut theirs) = guarded();
        let head = b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n";
        theirs.write_all(head).await.unwrap();
        theirs.write_all(b"12345").await.unwrap();
        let mut received = vec![0; head.len() + 5];
        guarded.read_exact(&mut received).await.unwrap();
        let error = guarded.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
