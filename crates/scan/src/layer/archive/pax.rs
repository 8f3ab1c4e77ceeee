//! Extended headers: records of the form `LENGTH KEY=VALUE\n` (POSIX, pax(1)).

use super::ArchiveError;

/// What an extended header says that matters. An empty text says nothing.
#[derive(Default)]
pub(super) struct Pax {
    pub(super) path: String,
    pub(super) target: String,
    pub(super) size: Option<u64>,
    /// GNU's forms of files with holes.
    pub(super) sparse: bool,
    /// The name that those have beside a made-up one in the header.
    pub(super) sparse_name: String,
}

impl Pax {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mut pax = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(ArchiveError::Malformed(
                "an extended header is not of the form 'LENGTH KEY=VALUE'",
            ))?;
            bytes = rest;
            let named = matches!(key, b"path" | b"linkpath");
            if key.contains(&0) || (named && value.contains(&0)) {
                return Err(ArchiveError::Malformed(
                    "an extended header has a NUL in a name",
                ));
            }
            let text = || String::from_utf8_lossy(value).into_owned();
            match key {
                b"path" => pax.path = text(),
                b"linkpath" => pax.target = text(),
                b"size" if value.is_empty() => pax.size = None,
                b"size" => pax.size = Some(size(value)?),
                b"GNU.sparse.name" => pax.sparse_name = text(),
                _ => {}
            }
            pax.sparse |= key.starts_with(b"GNU.sparse.");
        }
        Ok(pax)
    }
}

/// The first record: its key, its value, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&bytes[..space]).ok()?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let length: usize = plain.then(|| digits.parse().ok())??;
    // The length is of the whole record, itself and the line's end included.
    if length <= space + 1 || length > bytes.len() {
        return None;
    }
    let (record, rest) = bytes.split_at(length);
    let record = record[space + 1..].strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    (!key.is_empty()).then_some((key, value, rest))
}

fn size(value: &[u8]) -> Result<u64, ArchiveError> {
    let text = std::str::from_utf8(value).ok();
    let size = text.and_then(|text| text.parse::<i64>().ok());
    size.and_then(|size| u64::try_from(size).ok())
        .ok_or(ArchiveError::Malformed(
            "an extended header has an impossible size",
        ))
}
