//! The key ring, for the operator of the host.

use bonded_store::{KeyRing, Watcher};

use crate::Registry;
use crate::error::Result;

impl Registry {
    /// The root keys of the ring, without the keys.
    ///
    /// # Errors
    /// The ring file or the rows cannot be read.
    pub async fn key_ring(&self) -> Result<KeyRing> {
        Ok(self.store().key_ring().await?)
    }

    /// Makes another root key the current one and wraps every key by it, while the registry serves.
    /// With `prepare` it is only added to the file, for every node to get that first. `watcher` is told
    /// how far it is.
    ///
    /// # Errors
    /// The ring file or the rows cannot be written; a rotation that was cut off is ended by the next
    /// or by the next start.
    pub async fn rotate_key_ring(&self, prepare: bool, watcher: &Watcher) -> Result<KeyRing> {
        self.store().rotate_key_ring(prepare, watcher).await?;
        self.key_ring().await
    }

    /// Takes the root key `id` out of the ring.
    ///
    /// # Errors
    /// It wraps something, is the current one, or is not there.
    pub async fn retire_root_key(&self, id: &str) -> Result<KeyRing> {
        self.store().retire_root_key(id).await?;
        self.key_ring().await
    }
}
