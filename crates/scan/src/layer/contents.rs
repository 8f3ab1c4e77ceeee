//! Tables of contents inside a layer: zstd:chunked (containers/storage) and eStargz (containerd's
//! stargz snapshotter). A lazy runtime takes a layer's files from there and never reads the archive,
//! so a table that names other files than the archive hides what runs.

use std::fmt;
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

use crate::path;

/// The entry of an archive that is eStargz's table of contents.
pub(super) const ESTARGZ: &str = "stargz.index.json";

/// The most that is read of a table, expanded, in bytes: some 300 for each of two million files.
const TABLE_LIMIT: u64 = 768 << 20;

/// The first bytes of what zstd:chunked keeps in a frame that decoders skip: a frame again.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A set of names, each by half of its SHA-256: 16 bytes, whatever the name's length.
#[derive(Default)]
pub(super) struct Names(Vec<[u8; 16]>);

impl Names {
    /// Adds the name of an entry, cleaned.
    pub(super) fn add(&mut self, name: &str) {
        // Not every writer names the root.
        if name.is_empty() {
            return;
        }
        let hash = Sha256::digest(name.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        self.0.push(half);
    }

    /// Whether both hold the same names.
    pub(super) fn is_same(&mut self, other: &mut Self) -> bool {
        for set in [&mut *self, other] {
            set.0.sort_unstable();
            set.0.dedup();
        }
        self.0 == other.0
    }
}

/// The names in eStargz's table, read as far as it goes.
pub(super) fn estargz(input: impl Read, most: u64) -> Result<Names, String> {
    table(input, most)
}

/// The names in zstd:chunked's table, if a skipped frame is one.
pub(super) fn zstd_chunked(frame: &[u8], most: u64) -> Option<Result<Names, String>> {
    if !frame.starts_with(&ZSTD) {
        return None;
    }
    let input = match zstd::stream::read::Decoder::with_buffer(frame) {
        Ok(input) => input,
        Err(error) => return Some(Err(error.to_string())),
    };
    // The same form holds the headers of the archive, to make it anew: no JSON, and no table.
    let mut input = io::BufReader::new(input);
    match io::BufRead::fill_buf(&mut input) {
        Ok(bytes) if !bytes.trim_ascii_start().starts_with(b"{\"version\"") => {
            let is_object = bytes.trim_ascii_start().starts_with(b"{");
            // Lines of JSON (tar-split) begin with an object too, but have no entries.
            is_object
                .then(|| table(input, most))
                .filter(|table| table.as_ref().is_ok_and(|names| !names.0.is_empty()))
        }
        Ok(_) => Some(table(input, most)),
        Err(error) => Some(Err(error.to_string())),
    }
}

fn table(input: impl Read, most: u64) -> Result<Names, String> {
    let input = io::BufReader::new(input.take(TABLE_LIMIT));
    let mut names = Names::default();
    let mut reader = serde_json::Deserializer::from_reader(input);
    let seed = Table {
        names: &mut names,
        most,
    };
    seed.deserialize(&mut reader)
        .map_err(|error| bonded_model::shown(&error.to_string()))?;
    Ok(names)
}

/// An object with `entries`; the rest is passed over.
struct Table<'n> {
    names: &'n mut Names,
    most: u64,
}

/// What an entry of a table says that matters.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

impl<'de> DeserializeSeed<'de> for Table<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Table<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of contents")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            // Go takes members in any case.
            if key.eq_ignore_ascii_case("entries") {
                map.next_value_seed(Rows {
                    names: self.names,
                    most: self.most,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Rows<'n> {
    names: &'n mut Names,
    most: u64,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Row>()? {
            // A large file goes on in chunks, which bear its name.
            if row.kind == "chunk" {
                continue;
            }
            if self.names.0.len() as u64 >= self.most {
                return Err(serde::de::Error::custom("it has too many entries"));
            }
            self.names.add(&path::clean(&row.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Names {
        let mut names = Names::default();
        for name in of {
            names.add(name);
        }
        names
    }

    #[test]
    fn a_table_gives_the_names_of_its_files() {
        let json = br#"{"version":1,"entries":[{"name":"./a/","type":"dir"},{"type":"reg",
            "name":"a/b","size":3},{"name":"a/b","type":"chunk"}],"more":[1,{"name":"x"}]}"#;
        let mut table = estargz(&json[..], 10).unwrap();
        assert!(table.is_same(&mut names(&["a/b", "a"])));
        assert!(!table.is_same(&mut names(&["a/b"])));
        let frame = zstd::encode_all(&json[..], 3).unwrap();
        let mut table = zstd_chunked(&frame, 10).unwrap().unwrap();
        assert!(table.is_same(&mut names(&["a", "a/b"])));
        assert!(estargz(&json[..], 1).is_err());
        assert!(estargz(&json[..40], 10).is_err());
    }

    #[test]
    fn other_frames_are_no_tables() {
        let split = b"{\"type\":2,\"payload\":\"AAAA\"}\n{\"type\":1}\n";
        let split = zstd::encode_all(&split[..], 3).unwrap();
        for frame in [&b"GNUlInUx"[..], b"", &split] {
            assert!(zstd_chunked(frame, 10).is_none());
        }
    }
}
