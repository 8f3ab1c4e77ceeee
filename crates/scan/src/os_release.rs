//! What operating system an image holds: os-release(5).

use std::io::BufRead;

use serde::{Deserialize, Serialize};

use crate::PackageKind;
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

    /// What manages the packages of this system; `None` if it is not one that is known.
    pub(crate) fn package_kind(&self) -> Option<PackageKind> {
        match self.id.as_str() {
            "debian" | "ubuntu" | "raspbian" | "linuxmint" | "pop" | "kali" | "devuan"
            | "pureos" | "parrot" | "neon" | "elementary" | "deepin" | "echo" | "distroless" => {
                Some(PackageKind::Deb)
            }
            "alpine" | "wolfi" | "chainguard" | "minimos" | "alpaquita" | "postmarketos"
            | "adelie" => Some(PackageKind::Apk),
            "rhel"
            | "centos"
            | "almalinux"
            | "rocky"
            | "fedora"
            | "ol"
            | "amzn"
            | "sles"
            | "sled"
            | "suse"
            | "opensuse"
            | "opensuse-leap"
            | "opensuse-tumbleweed"
            | "photon"
            | "azurelinux"
            | "mariner"
            | "openEuler"
            | "mageia"
            | "scientific"
            | "virtuozzo"
            | "anolis"
            | "cloudlinux"
            | "eurolinux" => Some(PackageKind::Rpm),
            _ => None,
        }
    }

    /// The system for people: `debian 12`.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = format!("{} {}", self.id, self.version_id);
        text.trim().chars().take(100).collect()
    }

    /// The OSV ecosystem, with its release, of packages of a kind on this system; `None` if there
    /// are no advisories that we know of: another distribution, a development release without a
    /// version, or another distribution's package manager.
    #[must_use]
    pub fn ecosystem(&self, kind: PackageKind) -> Option<String> {
        let numbers = |count: usize| {
            let numbers: Vec<&str> = self.version_id.split('.').take(count).collect();
            let complete = numbers.len() == count
                && numbers.iter().all(|number| {
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
                });
            complete.then(|| numbers.join("."))
        };
        match (kind, self.id.as_str()) {
            (PackageKind::Deb, "debian") => Some(format!("Debian:{}", numbers(1)?)),
            (PackageKind::Deb, "ubuntu") => {
                let long = if self.version.contains("LTS") {
                    ":LTS"
                } else {
                    ""
                };
                Some(format!("Ubuntu:{}{long}", numbers(2)?))
            }
            (PackageKind::Apk, "alpine") => Some(format!("Alpine:v{}", numbers(2)?)),
            (PackageKind::Apk, "wolfi") => Some("Wolfi".to_owned()),
            (PackageKind::Apk, "chainguard") => Some("Chainguard".to_owned()),
            (PackageKind::Rpm, "almalinux") => Some(format!("AlmaLinux:{}", numbers(1)?)),
            (PackageKind::Rpm, "rocky") => Some(format!("Rocky Linux:{}", numbers(1)?)),
            (PackageKind::Rpm, "ol") => Some(format!("Oracle Linux:{}", numbers(1)?)),
            (PackageKind::Rpm, "amzn") => Some(format!("Amazon Linux:{}", numbers(1)?)),
            (PackageKind::Rpm, "mageia") => Some(format!("Mageia:{}", numbers(1)?)),
            (PackageKind::Rpm, "azurelinux" | "mariner") => {
                Some(format!("Azure Linux:{}", numbers(1)?))
            }
            (PackageKind::Rpm, "photon") => Some(format!("Photon OS:{}", numbers(2)?)),
            (PackageKind::Rpm, "opensuse-leap") => Some(format!("openSUSE:Leap {}", numbers(2)?)),
            _ => None,
        }
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

    #[test]
    fn the_ecosystem_is_the_distribution_with_its_release() {
        for (text, kind, want) in [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
                PackageKind::Deb,
                Some("Debian:12"),
            ),
            (
                "ID=alpine\nVERSION_ID=3.18.4\n",
                PackageKind::Apk,
                Some("Alpine:v3.18"),
            ),
            ("ID=alpine\nVERSION_ID=3.18.4\n", PackageKind::Deb, None),
            (
                "ID='ubuntu'\nVERSION_ID=\"24.04\"\nVERSION=\"24.04.1 LTS (Noble Numbat)\"",
                PackageKind::Deb,
                Some("Ubuntu:24.04:LTS"),
            ),
            (
                "ID=ubuntu\nVERSION_ID=23.10",
                PackageKind::Deb,
                Some("Ubuntu:23.10"),
            ),
            (
                "ID=wolfi\nVERSION_ID=20230201",
                PackageKind::Apk,
                Some("Wolfi"),
            ),
            ("# sid has no version\nID=debian\n", PackageKind::Deb, None),
            ("ID=debian\nVERSION_ID=../12", PackageKind::Deb, None),
            (
                "ID=\"almalinux\"\nVERSION_ID=\"9.4\"",
                PackageKind::Rpm,
                Some("AlmaLinux:9"),
            ),
            ("ID=rhel\nVERSION_ID=9.4", PackageKind::Rpm, None),
            ("ID=plan9\nVERSION_ID=4", PackageKind::Deb, None),
            ("", PackageKind::Deb, None),
        ] {
            let os = OsRelease::parse(text.as_bytes()).unwrap();
            assert_eq!(os.ecosystem(kind).as_deref(), want, "{text}");
        }
    }

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
