use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::*;

const ISSUER: &str = "https://issuer.example.org";
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1",
    "x":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "y":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#;

/// An issuer that counts the looks at its keys, and fails while it is told to.
#[derive(Default)]
struct Counted {
    looks: AtomicUsize,
    fails: Mutex<bool>,
    slow: bool,
}

impl Fetch for Counted {
    fn fetch<'a>(&'a self, url: &'a str, _: usize) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async move {
            if self.slow {
                tokio::task::yield_now().await;
            }
            if url.ends_with("/keys") {
                return Ok(KEYS.as_bytes().to_vec());
            }
            self.looks.fetch_add(1, Ordering::SeqCst);
            match *lock(&self.fails) {
                true => Err("down".to_owned()),
                false => {
                    Ok(format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{ISSUER}/keys"}}"#).into())
                }
            }
        })
    }
}

impl Counted {
    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn fails(&self, fails: bool) {
        *lock(&self.fails) = fails;
    }
}

fn clock() -> (Clock, impl Fn(u64)) {
    let start = Timestamp::from_millis(1_800_000_000_000);
    let clock = Clock::standing(start);
    let moved = clock.clone();
    (clock, move |seconds| {
        moved.set(start.after(Duration::from_secs(seconds)));
    })
}

#[tokio::test]
async fn keys_are_kept_for_an_hour_and_asked_for_anew_at_most_every_ten_seconds() {
    let (issuer, cache) = (Counted::default(), IssuerKeys::default());
    let (clock, at) = clock();
    let get = |anew| cache.get(&issuer, &clock, ISSUER, anew);
    for (seconds, anew, looks) in [
        (0, false, 1),
        (0, true, 1),
        (9, true, 1),
        (10, false, 1),
        (10, true, 2),
        (11, true, 2),
        (3609, false, 2),
        (3610, false, 3),
    ] {
        at(seconds);
        assert!(get(anew).await.is_ok(), "at {seconds}");
        assert_eq!(issuer.looks(), looks, "at {seconds}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_is_asked_now_and_then_and_known_keys_serve_for_a_day() {
    let (issuer, cache) = (Counted::default(), IssuerKeys::default());
    let (clock, at) = clock();
    let get = || cache.get(&issuer, &clock, ISSUER, false);
    issuer.fails(true);
    for (seconds, looks) in [(0, 1), (9, 1), (10, 2)] {
        at(seconds);
        assert_eq!(get().await, Err(NoKeys));
        assert_eq!(issuer.looks(), looks, "at {seconds}");
    }
    issuer.fails(false);
    at(20);
    assert!(get().await.is_ok());
    issuer.fails(true);
    at(20 + 86_399);
    assert!(get().await.is_ok());
    at(20 + 86_399 + 10);
    assert_eq!(get().await, Err(NoKeys));
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_look() {
    let issuer = Counted {
        slow: true,
        ..Counted::default()
    };
    let cache = IssuerKeys::default();
    let (clock, _) = clock();
    let all = (0..WAITERS_LIMIT).map(|_| cache.get(&issuer, &clock, ISSUER, false));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.looks(), 1);
}

#[tokio::test]
async fn more_than_may_wait_are_refused_at_once() {
    let issuer = Counted {
        slow: true,
        ..Counted::default()
    };
    let cache = IssuerKeys::default();
    let (clock, _) = clock();
    let all = (0..=WAITERS_LIMIT).map(|_| cache.get(&issuer, &clock, ISSUER, false));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|got| got.is_err()).count(), 1);
}
