//! The keys of identity providers: fetched as OpenID Connect Discovery 1.0 says, and kept for a
//! while.
//!
//! Whoever sends a token causes a look-up, so look-ups are bounded: one at a time for an issuer, and
//! none within [`PAUSE`] of the one before, whatever came of it. Keys that are known serve meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bonded_iam::jwt::{KEY_SET_LIMIT, KeySet};
use bonded_model::{Timestamp, json};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::fetch::Fetch;

/// How long keys serve before they are fetched again, in seconds.
const FRESH: i64 = 3600;

/// How long they serve while the issuer cannot be asked, in seconds: a day.
const USABLE: i64 = 24 * 3600;

/// The least time between two look-ups at one issuer, in seconds.
const PAUSE: i64 = 10;

/// How long a discovery document may be, in bytes.
const DISCOVERY_LIMIT: usize = 64 * 1024;

/// How many issuers are remembered before the cache starts anew.
const ISSUERS_LIMIT: usize = 1024;

/// How many requests may wait for keys at once.
const WAITERS_LIMIT: usize = 64;

/// There are no keys, because the issuer could not be asked; the log says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoKeys;

/// The cache.
pub(crate) struct IssuerKeys {
    issuers: Mutex<HashMap<String, Arc<Issuer>>>,
    waiters: Semaphore,
}

#[derive(Default)]
struct Issuer {
    known: Mutex<Known>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl Default for IssuerKeys {
    fn default() -> Self {
        Self {
            issuers: Mutex::default(),
            waiters: Semaphore::new(WAITERS_LIMIT),
        }
    }
}

impl Known {
    /// The keys, if they were fetched within the last `seconds`.
    fn within(&self, seconds: i64, now: Timestamp) -> Option<Arc<KeySet>> {
        let (keys, at) = self.keys.as_ref()?;
        (age(*at, now) < seconds).then(|| Arc::clone(keys))
    }
}

fn age(since: Timestamp, now: Timestamp) -> i64 {
    now.as_seconds().saturating_sub(since.as_seconds())
}

impl IssuerKeys {
    /// The keys of `issuer`, a URL. With `anew` those that are known were not enough for a token,
    /// so the issuer is asked again, unless that was done just now.
    pub(crate) async fn get(
        &self,
        fetch: &dyn Fetch,
        clock: &Clock,
        issuer: &str,
        anew: bool,
    ) -> Result<Arc<KeySet>, NoKeys> {
        let entry = self.issuer(issuer);
        let fresh = |known: &Known| known.within(FRESH, clock.now()).filter(|_| !anew);
        if let Some(keys) = fresh(&lock(&entry.known)) {
            return Ok(keys);
        }
        let _waiter = self.waiters.try_acquire().map_err(|_| NoKeys)?;
        let _asking = entry.asking.lock().await;
        let now = clock.now();
        {
            let mut known = lock(&entry.known);
            if let Some(keys) = fresh(&known) {
                return Ok(keys);
            }
            let just_asked = |at| (0..PAUSE).contains(&age(at, now));
            if known.asked_at.is_some_and(just_asked) {
                return known.within(USABLE, now).ok_or(NoKeys);
            }
            // Before the look-up, so that one that is given up counts as well.
            known.asked_at = Some(now);
        }
        let fetched = discover(fetch, issuer).await;
        let mut known = lock(&entry.known);
        match fetched {
            Ok(keys) => known.keys = Some((Arc::new(keys), now)),
            Err(problem) => {
                tracing::warn!(
                    issuer,
                    problem,
                    "the keys of an identity provider cannot be had"
                );
            }
        }
        known.within(USABLE, now).ok_or(NoKeys)
    }

    fn issuer(&self, issuer: &str) -> Arc<Issuer> {
        let mut issuers = lock(&self.issuers);
        if issuers.len() >= ISSUERS_LIMIT && !issuers.contains_key(issuer) {
            issuers.clear();
        }
        Arc::clone(issuers.entry(issuer.to_owned()).or_default())
    }
}

/// Asks the issuer where its keys are, and reads them there.
pub(crate) async fn discover(fetch: &dyn Fetch, issuer: &str) -> Result<KeySet, String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let url = format!("{base}/.well-known/openid-configuration");
    let document = fetch.fetch(&url, DISCOVERY_LIMIT).await?;
    let document =
        json::parse(&document).map_err(|error| format!("'{url}' is not JSON: {error}"))?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    // Otherwise one issuer could speak for another.
    if text("issuer") != Some(issuer) {
        let named = text("issuer").unwrap_or("nobody");
        return Err(format!(
            "'{url}' is the document of the issuer '{}'",
            named.escape_debug()
        ));
    }
    let keys_url = text("jwks_uri").ok_or_else(|| format!("'{url}' names no 'jwks_uri'"))?;
    let keys = fetch.fetch(keys_url, KEY_SET_LIMIT).await?;
    KeySet::parse(&keys).map_err(|error| format!("'{}': {error}", keys_url.escape_debug()))
}

/// What is inside is whole at any time, so a lock left by a panicking thread is still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
