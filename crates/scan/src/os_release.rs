//! What operating system an image holds: os-release(5).

use std::io::BufRead;

use serde::{Deserialize, Serialize};

use crate::database::{DatabaseError, Lines};

/// The fields of an os-release file by which advisories are chosen. A field that is missing is
/// empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// The distribution: `debian`.
    pub id: String,
    /// Its release: `12`, `3.18.4`, `24.04`.
    pub version_id: String,
    /// The release as a word: `bookworm`.
    pub version_codename: String,
    /// For people: `Debian GNU/Linux 12 (bookworm)`.
    pub pretty_name: String,
    /// The release with more words: `24.04.1 LTS (Noble Numbat)`.
    pub version: String,
}

impl OsRelease {
    /// The files that hold it, in the order in which they are looked for. Either may be a symbolic
    /// link to the other.
    pub const PATHS: [&'static str; 2] = ["etc/os-release", "usr/lib/os-release"];

    /// Reads an os-release file: assignments of the shell, one a line, later ones winning. Lines
    /// that are none are skipped, as os-release(5) asks.
    ///
    /// # Errors
    /// [`DatabaseError`] if the file cannot be read or is too large.
    pub fn parse(input: impl BufRead) -> Result<Self, DatabaseError> {
        let mut os = Self::default();
        let mut lines = Lines::new(input);
        while let Some(line) = lines.next()? {
            let Some((name, value)) = line.trim().split_once('=') else {
                continue;
            };
            let field = match name {
                "ID" => &mut os.id,
                "VERSION_ID" => &mut os.version_id,
                "VERSION_CODENAME" => &mut os.version_codename,
                "PRETTY_NAME" => &mut os.pretty_name,
                "VERSION" => &mut os.version,
                _ => continue,
            };
            *field = unquoted(value);
        }
        Ok(os)
    }

    /// The system for people: `debian 12`.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = format!("{} {}", self.id, self.version_id);
        text.trim().chars().take(100).collect()
    }
}

/// The value of an assignment of the shell: in double quotes, single quotes or none; a backslash
/// takes the next character as it is, but not in single quotes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.split('\'').next().unwrap_or_default().to_owned();
    }
    let (mut rest, quoted) = match value.strip_prefix('"') {
        Some(rest) => (rest.chars(), true),
        None => (value.chars(), false),
    };
    let mut text = String::new();
    while let Some(next) = rest.next() {
        match next {
            '\\' => text.extend(rest.next()),
            '"' if quoted => break,
            next => text.push(next),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PackageKind;

    #[test]
    fn values_are_unquoted_as_a_shell_does() {
        for (value, want) in [
            ("plain", "plain"),
            ("\"a \\\"b\\\" \\$c\"", "a \"b\" $c"),
            ("'a \\b'", "a \\b"),
            ("\"unclosed", "unclosed"),
            ("\\", ""),
        ] {
            assert_eq!(unquoted(value), want, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = OsRelease::parse(bytes.as_slice()).map(|os| os.ecosystem(PackageKind::Deb));
        }
    }
}
