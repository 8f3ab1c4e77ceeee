//! The images that each credential was allowed to pull on this node lately.
//!
//! A pull asks for an image and then for its layers. A layer may be read if one image that refers
//! to it may be pulled, so that one is looked at first. Only an order of looking: what is found
//! here is judged anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bonded_model::Digest;
use bonded_store::RepositoryId;

/// How many credentials are remembered before all are forgotten.
const CREDENTIALS: usize = 4096;

/// How many images of each.
const IMAGES: usize = 16;

/// The memory of one node.
#[derive(Default)]
pub(crate) struct PulledLately(Mutex<HashMap<String, VecDeque<Pulled>>>);

type Pulled = (RepositoryId, Digest);

impl PulledLately {
    /// Remembers that the credential `key_id` may pull an image.
    pub(crate) fn remember(&self, key_id: &str, repository: &RepositoryId, image: &Digest) {
        let pulled = (repository.clone(), image.clone());
        // The maps hold whole values only, so one left by a panicking thread is still right.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CREDENTIALS && !all.contains_key(key_id) {
            all.clear();
        }
        let images = all.entry(key_id.to_owned()).or_default();
        images.retain(|other| *other != pulled);
        images.push_front(pulled);
        images.truncate(IMAGES);
    }

    /// The images of a repository that the credential may have pulled, the last first.
    pub(crate) fn of(&self, key_id: &str, repository: &RepositoryId) -> Vec<Digest> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let images = all.get(key_id).into_iter().flatten();
        let here = images.filter(|(at, _)| at == repository);
        here.map(|(_, digest)| digest.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_images_of_a_credential_and_repository_come_first() {
        let lately = PulledLately::default();
        let here = RepositoryId::nowhere();
        let digest = |n: usize| Digest::sha256(n.to_string().as_bytes());
        for n in 0..IMAGES + 2 {
            lately.remember("AKIA1", &here, &digest(n));
        }
        lately.remember("AKIA1", &here, &digest(5));
        let images = lately.of("AKIA1", &here);
        assert_eq!(images.len(), IMAGES);
        assert_eq!(images[..2], [digest(5), digest(IMAGES + 1)]);
        assert!(lately.of("AKIA2", &here).is_empty());
    }
}
