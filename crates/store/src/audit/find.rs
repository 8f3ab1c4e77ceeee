//! Looking for one record in a day's file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use super::LINE_LIMIT;

/// The members of a record that may hold its id.
#[derive(Deserialize)]
struct Identified {
    id: Option<String>,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
}

/// The first line of the file at `path` that is a record with the id `id`. Lines that are too long
/// or not JSON are passed over.
pub(super) fn find(path: &Path, id: &str) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_LIMIT as u64 + 1;
        if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            reader.skip_until(b'\n')?;
            continue;
        }
        if let Ok(text) = std::str::from_utf8(&line)
            && text.contains(id)
            && is(text, id)
        {
            return Ok(Some(text.to_owned()));
        }
    }
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
}
