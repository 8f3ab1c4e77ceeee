//! What Debian's packages say of their licences: `usr/share/doc/PACKAGE/copyright`, where it has the
//! form that programs read.
//!
//! <https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>

use std::collections::BTreeSet;
use std::io::{self, Read};

use memchr::memmem;

use crate::license::all_stated;

/// How much is read of one, in bytes: the largest of Debian 12 have some hundred thousand.
const LIMIT: u64 = 1 << 20;

/// How much of one is read to find out whether it has the form, in bytes.
const FIRST: u64 = 512;

/// The most different statements that are looked at.
const STATEMENTS_LIMIT: usize = 1000;

/// The licences that are stated, each once: those of the files in the package and of the texts below.
/// None of a file of another form: prose is not taken for what it may mean. What is behind the first
/// MiB is not read.
///
/// # Errors
/// The reader's.
pub(crate) fn parse_copyright(input: impl Read) -> io::Result<Vec<String>> {
    const FIELD: &[u8] = b"\nLicense:";
    let mut bytes = Vec::new();
    let mut input = input.take(LIMIT);
    // Most are prose, of which nothing else is read.
    (&mut input).take(FIRST).read_to_end(&mut bytes)?;
    let has_first = bytes.trim_ascii_start().contains(&b'\n');
    if !has_first || has_form(&bytes) {
        input.read_to_end(&mut bytes)?;
    }
    if !has_form(&bytes) {
        return Ok(Vec::new());
    }
    let mut seen = BTreeSet::new();
    let mut statements = Vec::new();
    for at in memmem::find_iter(&bytes, FIELD) {
        let rest = &bytes[at + FIELD.len()..];
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.trim_ascii();
        if seen.len() < STATEMENTS_LIMIT && seen.insert(line) {
            statements.push(String::from_utf8_lossy(line));
        }
    }
    Ok(all_stated(statements))
}

/// Whether the first line says that a file has the form.
fn has_form(bytes: &[u8]) -> bool {
    let mut lines = bytes.trim_ascii_start().split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    first.starts_with(b"Format") && memmem::find(first, b"copyright-format").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<String> {
        parse_copyright(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_licences_of_all_files_are_stated_once() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
                    Upstream-Name: a\n\nFiles: *\nCopyright: b\nLicense: GPL-2+ or Artistic\n\n\
                    Files: c\nLicense: Expat\n License: of the text\n\nFiles: debian/*\n\
                    License:  GPL-2+\n\nLicense: Expat\n Permission is hereby\n\nLicense:\n";
        let want = ["GPL-2+ or Artistic", "MIT", "GPL-2.0-or-later"];
        assert_eq!(parse(text), want);
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(parse(&crlf), want);
    }

    #[test]
    fn prose_states_nothing() {
        for text in [
            "",
            "This is GNU bash.\nLicense: GPL-3\n",
            "Format: something else\nLicense: GPL-3\n",
            "\n\u{0}\u{1}",
        ] {
            assert_eq!(parse(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn an_endless_file_states_a_bounded_number() {
        let head = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";
        let many: String = (0..100_000).map(|n| format!("License: l{n}\n")).collect();
        let found = parse(&(head.to_owned() + &many));
        assert_eq!(found.len(), crate::license::STATEMENTS_LIMIT);
        let endless = io::Read::chain(head.as_bytes(), io::repeat(b'\n'));
        assert_eq!(parse_copyright(endless).unwrap(), [""; 0]);
    }
}
