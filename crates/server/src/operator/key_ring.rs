//! The key ring: listed, rotated, and rid of root keys that wrap nothing. No key goes through the socket.

use std::path::PathBuf;
use std::time::Duration;

use bonded_registry::{Error, KeyRing};
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;

/// How long a rotation may take: a row for each registry and some more are written.
const TIME_LIMIT: Duration = Duration::from_mins(10);

/// The root keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetKeyRing {}

/// Another root key becomes the current one, or is prepared to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateKeyRing {
    /// Only adds it to the file.
    pub(crate) prepare: bool,
}

/// A root key leaves the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetireRootKey {
    /// Which.
    pub(crate) id: String,
}

/// The ring; the names are those of `bonded keyring list -o json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyRingKeys {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its root keys, the current one first.
    pub(crate) roots: Vec<RootKeyUse>,
}

/// A root key and what it is used for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootKeyUse {
    /// Its id.
    pub(crate) id: String,
    /// `current`, `next` or `old`.
    pub(crate) state: String,
    /// How many keys it wraps.
    pub(crate) wraps: u64,
}

impl From<KeyRing> for KeyRingKeys {
    fn from(ring: KeyRing) -> Self {
        let state = |current: bool, next: bool| match (current, next) {
            (true, _) => "current",
            (false, true) => "next",
            (false, false) => "old",
        };
        let roots = ring.roots.into_iter().map(|root| RootKeyUse {
            state: state(root.current, root.next).to_owned(),
            id: root.id,
            wraps: root.wraps,
        });
        Self {
            path: ring.path,
            roots: roots.collect(),
        }
    }
}

/// The answer, or why not.
fn answer(ring: Result<KeyRing, Error>) -> Result<KeyRingKeys, String> {
    ring.map(KeyRingKeys::from)
        .map_err(|error| with_sources(&error))
}

impl Operation for GetKeyRing {
    const NAME: &'static str = "GetKeyRing";
    const TIME_LIMIT: Duration = TIME_LIMIT;
    type Output = KeyRingKeys;

    async fn run(self, host: &Host) -> Result<KeyRingKeys, String> {
        answer(host.registry.key_ring().await)
    }
}

impl Operation for RotateKeyRing {
    const NAME: &'static str = "RotateKeyRing";
    const TIME_LIMIT: Duration = TIME_LIMIT;
    type Output = KeyRingKeys;

    async fn run(self, host: &Host) -> Result<KeyRingKeys, String> {
        let (registry, watcher) = (&host.registry, &host.watcher);
        answer(registry.rotate_key_ring(self.prepare, watcher).await)
    }
}

impl Operation for RetireRootKey {
    const NAME: &'static str = "RetireRootKey";
    const TIME_LIMIT: Duration = TIME_LIMIT;
    type Output = KeyRingKeys;

    async fn run(self, host: &Host) -> Result<KeyRingKeys, String> {
        answer(host.registry.retire_root_key(&self.id).await)
    }
}
