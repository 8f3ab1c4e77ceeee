//! What one layer brings and takes away.

use std::io::{self, Read as _};

use serde::{Deserialize, Serialize};

use super::LayerProblem;
use crate::database::{DatabaseFile, FileOwner};
use crate::{OsRelease, Package};

/// The version of what [`inspect_layer`](crate::inspect_layer) finds. It grows with every change of
/// what is found in a layer or of how it is written down; an inventory of another version is made
/// anew, when an image with the layer is judged the next time. Version 2 knows conda, Yarn, SBOMs,
/// programs by their versions, archives of Java without a `pom.properties`, vendors and modules;
/// version 3 knows licences, version 4 zipped eggs, pnpm's store, and programs of 32 bits and of either
/// order of bytes.
pub const INVENTORY_VERSION: u32 = 4;

/// The most bytes that an encoded inventory expands to: some times what
/// [`LayerLimits::kept`](super::LayerLimits::kept) lets in.
const DECODED_LIMIT: u64 = 512 << 20;

/// What was found in one layer: a function of its bytes and [`INVENTORY_VERSION`]. It is made once
/// for a layer, however many images share it, and says nothing about what is below or above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInventory {
    /// The changes to files that matter, in the order of the archive.
    pub(crate) changes: Vec<Change>,
    /// What package databases and their like hold; [`Change::File`] refers to it.
    pub(crate) contents: Vec<Content>,
    pub(crate) problems: Vec<LayerProblem>,
    entries: u64,
    expanded: u64,
}

/// A change to the file tree. Paths are clean, and lead through whatever links are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// A directory, which replaces a link.
    #[serde(rename = "d")]
    Directory(String),
    #[serde(rename = "s")]
    Symlink(String, String),
    /// A second name of a file.
    #[serde(rename = "h")]
    HardLink(String, String),
    /// A file whose content matters: the index of it.
    #[serde(rename = "f")]
    File(String, u32),
    /// Any other file that might stand where a directory was.
    #[serde(rename = "o")]
    Other(String),
    /// What is below this layer is gone.
    #[serde(rename = "w")]
    Whiteout(String),
    /// What is below this layer in a directory is gone.
    #[serde(rename = "q")]
    Opaque(String),
}

/// What a file says about packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) file: DatabaseFile,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) packages: Vec<Package>,
    /// Where inside the file each package is; empty if the file is no archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) within: Vec<String>,
    /// Whose the metadata of language packages is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) owners: Vec<FileOwner>,
    /// The licences of the package that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) licenses: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) os: Option<OsRelease>,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

impl Content {
    pub(crate) fn new(file: DatabaseFile) -> Self {
        Self {
            file,
            packages: Vec::new(),
            within: Vec::new(),
            owners: Vec::new(),
            licenses: Vec::new(),
            os: None,
            problem: None,
        }
    }
}

/// An encoded inventory with its version.
#[derive(Serialize, Deserialize)]
struct Encoded<T> {
    version: u32,
    inventory: T,
}

/// The bytes are no inventory of this version; the layer is to be inspected anew.
#[derive(Debug, thiserror::Error)]
#[error("the inventory of the layer is not one of version {INVENTORY_VERSION}: {0}")]
pub struct InvalidInventory(String);

impl LayerInventory {
    /// Of a layer that is not inspected at all, for a reason that its descriptor tells.
    #[must_use]
    pub fn of_problem(problem: LayerProblem) -> Self {
        Self {
            problems: vec![problem],
            ..Self::default()
        }
    }

    pub(super) fn count(&mut self, entries: u64, expanded: u64) {
        (self.entries, self.expanded) = (entries, expanded);
    }

    /// Why the layer is not known as a whole; empty if it is.
    #[must_use]
    pub fn problems(&self) -> &[LayerProblem] {
        &self.problems
    }

    /// How many headers its archive has, as far as it was read.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many bytes it expands to, as far as it was read.
    #[must_use]
    pub fn expanded(&self) -> u64 {
        self.expanded
    }

    /// How many packages its databases name. Those of the image can be more or fewer.
    #[must_use]
    pub fn package_count(&self) -> usize {
        self.contents
            .iter()
            .map(|content| content.packages.len())
            .sum()
    }

    /// To be stored: versioned and compressed. Names of files are in it, so it is to be protected
    /// as the layer is.
    ///
    /// # Errors
    /// Only if memory is short.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let encoded = Encoded {
            version: INVENTORY_VERSION,
            inventory: self,
        };
        let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
        serde_json::to_writer(&mut encoder, &encoded)?;
        encoder.finish()
    }

    /// From what [`encode`](Self::encode) gave.
    ///
    /// # Errors
    /// [`InvalidInventory`] for another version and for anything else. Memory is bounded whatever
    /// the bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidInventory> {
        let invalid = |error: &dyn std::fmt::Display| {
            InvalidInventory(bonded_model::shown(&error.to_string()))
        };
        let decoder = zstd::Decoder::with_buffer(bytes).map_err(|error| invalid(&error))?;
        let mut json = Vec::new();
        let read = decoder.take(DECODED_LIMIT).read_to_end(&mut json);
        read.map_err(|error| invalid(&error))?;
        let version: Encoded<serde::de::IgnoredAny> =
            serde_json::from_slice(&json).map_err(|error| invalid(&error))?;
        if version.version != INVENTORY_VERSION {
            return Err(invalid(&format_args!(
                "it is of version {}",
                version.version
            )));
        }
        let decoded: Encoded<Self> =
            serde_json::from_slice(&json).map_err(|error| invalid(&error))?;
        Ok(decoded.inventory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_is_read_back_as_it_was_and_no_other_version_is() {
        let mut inventory = LayerInventory::of_problem(LayerProblem::TrailingBytes);
        inventory.changes = vec![
            Change::Directory("usr/lib".to_owned()),
            Change::Symlink("lib".to_owned(), "usr/lib".to_owned()),
            Change::File("etc/os-release".to_owned(), 0),
        ];
        inventory.contents = vec![Content::new(DatabaseFile::OsRelease)];
        let bytes = inventory.encode().unwrap();
        assert_eq!(LayerInventory::decode(&bytes).unwrap(), inventory);
        let next = Encoded {
            version: INVENTORY_VERSION + 1,
            inventory: "of another form",
        };
        let json = serde_json::to_vec(&next).unwrap();
        let next = zstd::encode_all(json.as_slice(), 3).unwrap();
        let error = LayerInventory::decode(&next).unwrap_err().to_string();
        let want = format!("it is of version {}", INVENTORY_VERSION + 1);
        assert!(error.ends_with(&want), "{error}");
        for bytes in [&b""[..], b"x", &bytes[..bytes.len() - 1]] {
            assert!(LayerInventory::decode(bytes).is_err());
        }
    }
}
