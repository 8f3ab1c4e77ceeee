//! An image of a registry: read over `/v2`, with the credentials by which this user or docker is logged in.
//!
//! Layers stream by and are never kept; a manifest is at most 64 MiB.

use bonded_model::{Descriptor, Digest, Manifest};

use super::images::{self, Entry, Image, Manifests, Selection};
use crate::cli::Failure;
use crate::cli::remote::{MANIFESTS, Remote, not_logged_in};
use crate::cli::verified::{Verified, verified};

/// A repository of a registry.
pub(super) struct Repository(Remote);

impl Repository {
    /// The repository `name` of the registry that images name `host`.
    pub(super) fn open(host: &str, name: &str) -> Result<Self, Failure> {
        let remote = Remote::open(host, name, false)?;
        match remote.is_anonymous() {
            true => Err(Failure::usage(not_logged_in(host))),
            false => Ok(Self(remote)),
        }
    }

    /// The images that are meant: what a tag or digest names.
    pub(super) fn images(
        &self,
        reference: &str,
        selection: &Selection,
    ) -> Result<Vec<Image>, Failure> {
        let (bytes, media_type) = self.0.manifest(reference)?;
        let digest = match reference.parse::<Digest>() {
            Ok(digest) => digest,
            Err(_) => Digest::sha256(&bytes),
        };
        let bytes = verified(bytes, &digest)?;
        let manifest: Manifest = images::parse(reference, &bytes, &media_type)?;
        let separator = if reference.contains(':') { '@' } else { ':' };
        let named = Entry {
            names: vec![format!("{}{separator}{reference}", self.0.shown())],
            platform: None,
            descriptor: Descriptor {
                media_type: manifest.media_type,
                digest,
                size: bytes.len() as u64,
            },
        };
        images::select(self, &[named], selection)
    }

    /// The bytes of a layer, to be read to their end and verified.
    pub(super) fn layer(&self, digest: &Digest) -> Result<Verified<'_>, Failure> {
        self.0.blob(digest)
    }
}

impl Manifests for Repository {
    fn shown(&self) -> String {
        self.0.shown()
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Failure> {
        let digest = &descriptor.digest;
        let is_manifest = MANIFESTS.contains(&descriptor.media_type.essence());
        let bytes = match is_manifest {
            true => self.0.manifest(digest.as_str())?.0,
            false => self.0.document(digest)?,
        };
        verified(bytes, digest)
    }
}
