//! The image that another was built upon.

use bonded_model::Digest;
use serde::{Deserialize, Serialize};

/// The image that another was built upon: the lowest layers of that one are all of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImage {
    /// How people name it: `base/debian:12`, or by its digest if no tag names it.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// How many layers it has.
    pub layers: u32,
    /// Whether a tag names it; else another image has taken its place.
    pub tagged: bool,
}

impl BaseImage {
    /// Whether that layer of the image built upon it is one of its own.
    #[must_use]
    pub fn has_layer(&self, layer: u32) -> bool {
        layer < self.layers
    }
}
