//! What a mirror of OSV's bucket says that it has, and what is in its archives: which records are
//! newer than those that are kept.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use bonded_model::Timestamp;
use serde::Deserialize;

use super::import::ImportError;

/// The longest record, in bytes.
const RECORD_LIMIT: u64 = 32 << 20;

/// The longest id, in bytes: with what is added it is the name of a file.
const ID_LIMIT: usize = 200;

/// When each record was modified last, by id.
pub type RecordTimes = BTreeMap<String, Timestamp>;

/// Reads `ECOSYSTEM/modified_id.csv`: lines of a time (RFC 3339), a comma and an id.
///
/// # Errors
/// The line that is neither, with its number. An id that is not one, such as `../a`, is an error too:
/// files are named by it.
pub fn modified_list(csv: &str) -> Result<RecordTimes, String> {
    let lines = csv.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let wrong = || format!("line {} is no time and id", index + 1);
            let (time, id) = line.trim().split_once(',').ok_or_else(wrong)?;
            let time = Timestamp::parse_rfc3339(time).ok_or_else(wrong)?;
            match is_id(id) {
                true => Ok((id.to_owned(), time)),
                false => Err(wrong()),
            }
        })
        .collect()
}

/// The id of a record and when it was modified last; `None` if it is no record, or its id is none
/// that a mirror may have.
#[must_use]
pub fn record_time(json: &[u8]) -> Option<(String, Timestamp)> {
    #[derive(Deserialize)]
    struct Record {
        id: String,
        modified: String,
    }
    let record: Record = serde_json::from_slice(json).ok()?;
    let modified = Timestamp::parse_rfc3339(&record.modified)?;
    is_id(&record.id).then_some((record.id, modified))
}

/// The records of an `all.zip`, every one of which is read and its checksum compared. What is no
/// record is left out here, as by an import.
///
/// # Errors
/// [`ImportError::Zip`] if it cannot be read to its end.
pub fn record_times(zip: impl Read + Seek) -> Result<RecordTimes, ImportError> {
    let mut archive = zip::ZipArchive::new(zip)?;
    let mut times = RecordTimes::new();
    let mut json = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        json.clear();
        let read = entry.take(RECORD_LIMIT + 1).read_to_end(&mut json);
        read.map_err(zip::result::ZipError::Io)?;
        let is_short = json.len() as u64 <= RECORD_LIMIT;
        times.extend(is_short.then(|| record_time(&json)).flatten());
    }
    Ok(times)
}

/// Whether a text may be an id, and so the name of a file: `GHSA-…`, `openSUSE-SU-2024:0001-1`.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    !text.is_empty() && text.len() <= ID_LIMIT && !text.starts_with('.') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_times_and_names_of_files() {
        let list = modified_list(
            "2026-01-02T03:04:05.123456Z,ALSA-2026:1\r\n\n2025-01-01T00:00:00Z,GHSA-a\n",
        );
        let list = list.unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list["ALSA-2026:1"].as_millis(), 1_767_323_045_123);
        for wrong in [
            "x",
            "2026-01-02,A",
            "2026-01-02T03:04:05Z,",
            "2026-01-02T03:04:05Z,../a",
            "2026-01-02T03:04:05Z,a/b",
            "2026-01-02T03:04:05Z,.hidden",
            "<html>,b",
        ] {
            assert!(
                modified_list(wrong).unwrap_err().contains("line 1"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_record_says_its_id_and_time() {
        let time = |json: &str| record_time(json.as_bytes()).map(|(id, _)| id);
        let record = r#"{"id":"OSV-1","modified":"2026-01-02T03:04:05Z","affected":[]}"#;
        assert_eq!(time(record).as_deref(), Some("OSV-1"));
        for wrong in [
            "",
            "{}",
            r#"{"id":"a/b","modified":"2026-01-02T03:04:05Z"}"#,
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
