//! An OCI image layout: `index.json` and `blobs`, in a directory or a tar archive (image-spec,
//! image-layout.md).

use bonded_model::{Descriptor, Digest, MANIFEST_LIMIT, MediaType};

use super::files::Files;
use super::images::{self, Image, Manifests, Selection};
use crate::cli::verified::{Verified, verified};
use crate::cli::{Failure, Status};

pub(super) struct Layout {
    files: Files,
}

impl Layout {
    pub(super) fn open(files: Files) -> Result<Self, Failure> {
        match files.has("index.json") {
            true => Ok(Self { files }),
            false => Err(Failure::new(
                Status::NotFound,
                format!(
                    "'{}' is no OCI layout: it has no 'index.json'",
                    files.shown()
                ),
            )),
        }
    }

    /// The images that are meant.
    pub(super) fn images(&self, selection: &Selection) -> Result<Vec<Image>, Failure> {
        let bytes = self.files.read("index.json", MANIFEST_LIMIT as u64)?;
        let index = images::parse("index.json", &bytes, MediaType::OCI_INDEX)?;
        images::select(self, &images::entries(&index, &bytes), selection)
    }

    /// The bytes of a layer, to be read to their end and verified.
    pub(super) fn layer(&self, digest: &Digest) -> Result<Verified<'_>, Failure> {
        let (reader, _) = self.files.open(&blob_path(digest))?;
        Ok(Verified::new(reader, digest))
    }
}

impl Manifests for Layout {
    fn shown(&self) -> String {
        self.files.shown()
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Failure> {
        let digest = &descriptor.digest;
        let bytes = self.files.read(&blob_path(digest), MANIFEST_LIMIT as u64)?;
        verified(bytes, digest)
    }
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}", digest.as_str().replacen(':', "/", 1))
}
