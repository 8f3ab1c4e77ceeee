//! Work on what strangers made, on a thread of its own: it may take long, and it may panic.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// The stack of such a thread.
const STACK: usize = 4 * 1024 * 1024;

/// Why work on a thread has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// It panicked: a mistake of ours.
    #[error("the scanner failed on it; please report this")]
    Panicked,
    /// It took too long.
    #[error("it took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// There is no thread to be had.
    #[error("cannot start a thread")]
    NoThread,
}

/// Tells work that nobody waits for it any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// `input`, which cannot be read any more once the work is interrupted.
    pub(crate) fn watch<R: Read>(&self, input: R) -> Interruptible<R> {
        let interrupt = self.clone();
        Interruptible { input, interrupt }
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Interrupts when it is dropped.
struct OnDrop(Interrupt);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// See [`Interrupt::watch`].
pub(crate) struct Interruptible<R> {
    input: R,
    interrupt: Interrupt,
}

impl<R: Read> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.is_set() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        self.input.read(buffer)
    }
}

/// Runs `work` on a thread of its own, at most for `limit`. When the limit is reached, or the
/// future dropped, the work's [`Interrupt`] is set and its result not waited for.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(Interrupt) -> T + Send + 'static,
) -> Result<T, Broken> {
    let interrupt = Interrupt::default();
    let _interrupt = OnDrop(interrupt.clone());
    let (sender, receiver) = oneshot::channel();
    let body = move || {
        let done = catch_unwind(AssertUnwindSafe(|| work(interrupt)));
        // Nobody may wait any more.
        let _ = sender.send(done);
    };
    let thread = thread::Builder::new().name("scan".to_owned());
    thread
        .stack_size(STACK)
        .spawn(body)
        .map_err(|_| Broken::NoThread)?;
    match tokio::time::timeout(limit, receiver).await {
        Ok(Ok(Ok(done))) => Ok(done),
        Ok(_) => Err(Broken::Panicked),
        Err(_) => Err(Broken::TimedOut(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert_eq!(on_a_thread(MINUTE, |_| 7).await, Ok(7));
        let broken = on_a_thread(MINUTE, |_| -> u8 { panic!("on purpose") }).await;
        assert_eq!(broken, Err(Broken::Panicked));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_ends_at_its_next_read() {
        let (ended, end) = std::sync::mpsc::channel();
        let limit = Duration::from_millis(10);
        let broken = on_a_thread(limit, move |interrupt| {
            let copied = io::copy(&mut interrupt.watch(io::repeat(0)), &mut io::sink());
            ended.send(copied.is_err()).unwrap();
        });
        assert_eq!(broken.await, Err(Broken::TimedOut(limit)));
        assert!(end.recv().unwrap());
    }
}
