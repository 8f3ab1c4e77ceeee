//! How often wrong credentials may be tried, passwords and signatures: by each address, and by each
//! address for one credential.
//!
//! Every credential is looked at before this is asked, and only what is wrong counts. So nobody is
//! locked out: who has the right one is served at once, whatever others tried from the same address
//! or in the same name. Secrets are too long to be guessed (at least 238 random bits), so what the
//! bound keeps small is work, answers and lines in the log; `429` with `Retry-After` has honest
//! clients that hold an old credential come back later.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::per_address::subscriber;

/// Failures in the name of one credential from one address: so many at once, then one each.
const OF_CREDENTIAL: Bound = Bound {
    burst: 30,
    every: Duration::from_secs(2),
};

/// All failures from one address.
const OF_ADDRESS: Bound = Bound {
    burst: 300,
    every: Duration::from_millis(100),
};

/// How many addresses and credentials are remembered in each of two generations, of 40 bytes each.
/// Who comes from more addresses than that is forgotten sooner.
const REMEMBERED: usize = 16 * 1024;

struct Bound {
    burst: u32,
    every: Duration,
}

/// What was tried lately.
pub(crate) struct FailedAttempts {
    hasher: RandomState,
    recent: Mutex<Recent>,
}

/// When the failures of an address, or of a credential there, will have been forgotten. The new
/// generation becomes the old one when it is full.
#[derive(Default)]
struct Recent {
    new: HashMap<u64, Instant>,
    old: HashMap<u64, Instant>,
}

impl FailedAttempts {
    /// Nothing was tried.
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            recent: Mutex::default(),
        }
    }

    /// Counts a failure from `address` in the name of `claimed`, now. If there were too many, the
    /// seconds after which another may be tried.
    pub(crate) fn count(&self, address: IpAddr, claimed: &str) -> Option<u64> {
        self.count_at(address, claimed, Instant::now())
    }

    fn count_at(&self, address: IpAddr, claimed: &str, now: Instant) -> Option<u64> {
        let network = subscriber(address);
        let keys = [
            (self.hasher.hash_one((network, claimed)), OF_CREDENTIAL),
            (self.hasher.hash_one(network), OF_ADDRESS),
        ];
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = keys.map(|(key, bound)| recent.count(key, &bound, now));
        let wait = waits.into_iter().flatten().max()?;
        Some(wait.as_secs() + 1)
    }
}

impl Recent {
    /// Counts one; how long to wait if that was one too many, which then does not count itself.
    fn count(&mut self, key: u64, bound: &Bound, now: Instant) -> Option<Duration> {
        let known = self.new.get(&key).or_else(|| self.old.get(&key));
        let forgotten = known.map_or(now, |at| (*at).max(now)) + bound.every;
        let over = forgotten.duration_since(now + bound.every * bound.burst);
        if !over.is_zero() {
            return Some(over);
        }
        if self.new.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, forgotten);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_credential_at_one_address_is_tried_thirty_times_and_then_slowly() {
        let attempts = FailedAttempts::new();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let one = address("192.0.2.1");
        for n in 0..30 {
            assert_eq!(attempts.count_at(one, "a", now), None, "{n}");
        }
        assert_eq!(attempts.count_at(one, "a", now), Some(3));
        assert_eq!(attempts.count_at(one, "a", at(1)), Some(2));
        assert_eq!(attempts.count_at(one, "b", now), None, "another credential");
        let other = address("192.0.2.2");
        assert_eq!(attempts.count_at(other, "a", now), None, "another address");
        assert_eq!(attempts.count_at(one, "a", at(2)), None, "one each 2 s");
        assert!(attempts.count_at(one, "a", at(2)).is_some());
        for _ in 0..30 {
            assert_eq!(attempts.count_at(one, "a", at(100)), None, "all forgotten");
        }
    }

    #[test]
    fn an_address_is_bounded_whatever_it_claims() {
        let attempts = FailedAttempts::new();
        let now = Instant::now();
        let count = |from: &str, n: u32| attempts.count_at(address(from), &n.to_string(), now);
        let refused = |from| (0..1000).filter(|n| count(from, *n).is_some()).count();
        assert_eq!(refused("192.0.2.1"), 700);
        assert_eq!(refused("2001:db8::1"), 700);
        assert_eq!(count("2001:db8::ffff:1", 1000), Some(1), "the same network");
        assert_eq!(count("2001:db8:0:1::1", 1000), None);
        assert_eq!(count("::ffff:192.0.2.1", 1000), Some(1), "the same address");
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = FailedAttempts::new();
        let now = Instant::now();
        for n in 0..100_000_u32 {
            attempts.count_at(IpAddr::V4(n.into()), "a", now);
        }
        let recent = attempts.recent.lock().unwrap();
        assert!(recent.new.len() <= REMEMBERED && recent.old.len() <= REMEMBERED);
    }
}
