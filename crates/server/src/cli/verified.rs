//! Bytes that must be those of a digest.

use std::io::{self, Read};

use bonded_model::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use crate::cli::Failure;

enum Hash {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// A blob being read, and hashed on the way.
pub(super) struct Verified<'a> {
    input: Box<dyn Read + 'a>,
    hash: Hash,
    digest: Digest,
}

impl<'a> Verified<'a> {
    pub(super) fn new(input: Box<dyn Read + 'a>, digest: &Digest) -> Self {
        Self {
            input,
            hash: match digest.algorithm() {
                Algorithm::Sha256 => Hash::Sha256(Sha256::new()),
                Algorithm::Sha512 => Hash::Sha512(Sha512::new()),
            },
            digest: digest.clone(),
        }
    }

    /// Reads what is left, and says whether the bytes are those of the digest.
    pub(super) fn check(mut self) -> Result<bool, Failure> {
        io::copy(&mut self, &mut io::sink())
            .map_err(|error| Failure::failed(format!("cannot read '{}': {error}", self.digest)))?;
        let found = match self.hash {
            Hash::Sha256(hash) => Digest::from_hash(Algorithm::Sha256, &hash.finalize()),
            Hash::Sha512(hash) => Digest::from_hash(Algorithm::Sha512, &hash.finalize()),
        };
        Ok(found == self.digest)
    }

    /// Reads what is left; fails if the bytes are not those of the digest.
    pub(super) fn verify(self) -> Result<(), Failure> {
        let digest = self.digest.clone();
        match self.check()? {
            true => Ok(()),
            false => Err(other_bytes(&digest)),
        }
    }
}

impl Read for Verified<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        match &mut self.hash {
            Hash::Sha256(hash) => hash.update(&buffer[..read]),
            Hash::Sha512(hash) => hash.update(&buffer[..read]),
        }
        Ok(read)
    }
}

/// `bytes`, if they are those of `digest`.
pub(super) fn verified(bytes: Vec<u8>, digest: &Digest) -> Result<Vec<u8>, Failure> {
    match Digest::of(digest.algorithm(), &bytes) == *digest {
        true => Ok(bytes),
        false => Err(other_bytes(digest)),
    }
}

fn other_bytes(digest: &Digest) -> Failure {
    Failure::failed(format!("'{digest}' has other bytes than its digest says"))
}
