//! How far long work is, told to whoever watches it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What amounts of a step are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things: objects, keys, rows.
    Count,
    /// Seconds.
    Seconds,
}

/// How far a step of some work is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Advance {
    /// The step, in a word: `blobs`.
    pub step: Cow<'static, str>,
    /// How much of it is done;
    pub done: u64,
    /// of how much, if that is known.
    pub of: Option<u64>,
    /// What the two count.
    pub unit: Unit,
    /// Whether the step has ended.
    pub ended: bool,
}

impl Advance {
    /// How many of `parts` are done; `None` if that is not known.
    #[must_use]
    pub fn parts(&self, parts: u64) -> Option<u64> {
        let of = self.of.filter(|of| *of > 0)?;
        let done = u128::from(self.done) * u128::from(parts) / u128::from(of);
        Some(u64::try_from(done).unwrap_or(parts).min(parts))
    }
}

/// Whom work tells how far it is.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Fn(Advance) + Send + Sync>>);

impl Watcher {
    /// Nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self(None)
    }

    /// What is called at the beginning of each step, about a hundred times on its way, and at its end.
    /// It must not wait.
    pub fn new(told: impl Fn(Advance) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Begins a step of `of` in `unit`, if that is known.
    #[must_use]
    pub fn begin(
        &self,
        step: impl Into<Cow<'static, str>>,
        of: Option<u64>,
        unit: Unit,
    ) -> Watched<'_> {
        let watched = Watched {
            watcher: self,
            advance: Advance {
                step: step.into(),
                done: 0,
                of,
                unit,
                ended: false,
            },
        };
        watched.tell();
        watched
    }
}

/// A step on its way. One that is dropped before its end has failed, of which nothing is told.
pub struct Watched<'w> {
    watcher: &'w Watcher,
    advance: Advance,
}

impl Watched<'_> {
    /// So much more is done.
    pub fn add(&mut self, done: u64) {
        let before = self.advance.parts(100);
        self.advance.done = self.advance.done.saturating_add(done);
        if before.is_none() || before != self.advance.parts(100) {
            self.tell();
        }
    }

    /// It is done.
    pub fn end(mut self) {
        self.advance.ended = true;
        self.tell();
    }

    fn tell(&self) {
        if let Some(told) = &self.watcher.0 {
            told(self.advance.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_long_step_is_told_of_a_hundred_times_and_one_without_an_end_each_time() {
        for (of, adds, told) in [(Some(10_000), 10_000, 102), (Some(3), 3, 5), (None, 7, 9)] {
            let heard = Arc::new(Mutex::new(Vec::new()));
            let watcher = {
                let heard = Arc::clone(&heard);
                Watcher::new(move |advance| heard.lock().unwrap().push(advance))
            };
            let mut step = watcher.begin("blobs", of, Unit::Count);
            for _ in 0..adds {
                step.add(1);
            }
            step.end();
            let heard = heard.lock().unwrap();
            assert_eq!(heard.len(), told);
            let last = heard.last().unwrap();
            assert!(last.ended && last.done == adds);
        }
    }

    #[test]
    fn a_part_is_never_more_than_all() {
        let parts = |done, of| {
            Advance {
                step: "x".into(),
                done,
                of,
                unit: Unit::Bytes,
                ended: false,
            }
            .parts(10)
        };
        for (done, of, want) in [
            (0, Some(10), Some(0)),
            (9, Some(10), Some(9)),
            (11, Some(10), Some(10)),
            (u64::MAX, Some(u64::MAX), Some(10)),
            (5, Some(0), None),
            (5, None, None),
        ] {
            assert_eq!(parts(done, of), want);
        }
    }
}
