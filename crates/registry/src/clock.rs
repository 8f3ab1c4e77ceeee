//! Time, as an argument: the one place of the workspace that reads the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bonded_model::Timestamp;

/// Where use cases get the time from.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `time` until [`Clock::set`], for tests of expiry.
    #[must_use]
    pub fn standing(time: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(time.as_millis()))))
    }

    /// Moves a standing clock, and every clone of it, to `time`; the system's clock stays.
    pub fn set(&self, time: Timestamp) {
        if let Source::Set(millis) = &self.0 {
            millis.store(time.as_millis(), Ordering::SeqCst);
        }
    }

    /// The time now. A system clock before 1970 counts as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::from_millis(system_millis()),
            Source::Set(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the ban points to"
)]
fn system_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
