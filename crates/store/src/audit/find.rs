//! Looking for one record in a day's file.
//!
//! Ids begin with their time and records are written in the order of their decisions, but for the
//! moments between a decision and the queue. So the place is found by halving, and only the
//! records within [`SLACK`] of it are read: a question costs the same however long the day was.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::LINE_LIMIT;

/// How many bytes of records before the place are read, at least: more than the queue holds of
/// records of ordinary length.
const SLACK: u64 = 16 * 1024 * 1024;

/// The members of a record that may hold its id.
#[derive(Deserialize)]
struct Identified {
    id: Option<String>,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
}

/// The line of the file at `path` that is a record with the id `id`, among those within [`SLACK`]
/// of the id's place. Lines that are too long or not JSON are passed over.
pub(super) fn find(path: &Path, id: &str) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let place = place_of(&mut reader, id)?;
    let start = place.saturating_sub(SLACK);
    reader.seek(SeekFrom::Start(start))?;
    if start > 0 {
        reader.skip_until(b'\n')?;
    }
    let mut line = Vec::new();
    while reader.stream_position()? < place.saturating_add(SLACK) {
        line.clear();
        if !read_line(&mut reader, &mut line)? {
            return Ok(None);
        }
        if let Ok(text) = std::str::from_utf8(&line)
            && text.contains(id)
            && is(text, id)
        {
            return Ok(Some(text.to_owned()));
        }
    }
    Ok(None)
}

/// Reads a line without its end; empty if it is too long or cut off. `false` at the file's end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    let limit = LINE_LIMIT as u64 + 1;
    if reader.by_ref().take(limit).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.pop() != Some(b'\n') {
        line.clear();
        reader.skip_until(b'\n')?;
    }
    Ok(true)
}

/// Where in the file the records from `id` on begin, as far as they are in order.
fn place_of(reader: &mut (impl BufRead + Seek), id: &str) -> io::Result<u64> {
    let (mut low, mut high) = (0, reader.seek(SeekFrom::End(0))?);
    let mut line = Vec::new();
    while low < high {
        let middle = low + (high - low) / 2;
        reader.seek(SeekFrom::Start(middle))?;
        reader.skip_until(b'\n')?;
        line.clear();
        let more = read_line(reader, &mut line)?;
        let before = more && id_of(&line).is_some_and(|found| found.as_str() < id);
        if before {
            low = reader.stream_position()?.min(high);
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn id_of(line: &[u8]) -> Option<String> {
    let found: Identified = serde_json::from_slice(line).ok()?;
    found.id.or(found.event_id)
}

fn is(line: &str, id: &str) -> bool {
    serde_json::from_str::<Identified>(line)
        .is_ok_and(|found| [found.id, found.event_id].contains(&Some(id.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_its_own_id_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.jsonl");
        assert_eq!(find(&path, "a1").unwrap(), None);
        let long = "x".repeat(3 * LINE_LIMIT);
        let text = format!(
            "{{\"id\":\"a0\",\"agent\":\"a1\"}}\nnot json a1\n{long}\n\
             {{\"id\":\"a1\"}}\n{{\"eventID\":\"a2\"}}\n{{\"id\":\"cut"
        );
        std::fs::write(&path, text).unwrap();
        for (id, line) in [("a1", r#"{"id":"a1"}"#), ("a2", r#"{"eventID":"a2"}"#)] {
            assert_eq!(find(&path, id).unwrap().as_deref(), Some(line));
        }
        assert_eq!(find(&path, "cut").unwrap(), None);
    }

    #[test]
    fn a_record_of_a_long_day_is_found_by_halving() {
        use std::io::Write as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.jsonl");
        let mut file = io::BufWriter::new(File::create(&path).unwrap());
        let agent = "x".repeat(40_000);
        for number in 0..2000 {
            writeln!(file, "{{\"id\":\"{number:08}\",\"agent\":\"{agent}\"}}").unwrap();
        }
        file.flush().unwrap();
        for number in [0, 1, 999, 1998, 1999] {
            let id = format!("{number:08}");
            assert!(
                find(&path, &id)
                    .unwrap()
                    .is_some_and(|line| line.contains(&id)),
                "{id}"
            );
        }
        assert_eq!(find(&path, "00002000").unwrap(), None);
    }
}
