//! Programs that official images build from their sources, so that no package manager knows of
//! them: known by the name of their file and by a text inside it that has their version.
//!
//! A program that has advisories under its own name in OSV's ecosystem Bitnami is judged by those;
//! any other is listed and has none. Nothing is concluded from a name alone.

use memchr::memmem;

use crate::path::split;
use crate::{Evidence, Package, PackageKind};

/// How a program is known.
struct Classifier {
    /// What it is called here.
    program: &'static str,
    /// The name of its advisories in the ecosystem Bitnami.
    judged_as: Option<&'static str>,
    /// The names of its files; `*` at the end stands for any rest.
    files: &'static [&'static str],
    text: Text,
}

/// Where in the file its version is.
#[derive(Clone, Copy)]
enum Text {
    /// After any of these.
    After(&'static [&'static [u8]]),
    /// Before these bytes.
    Before(&'static [u8]),
    /// Between these.
    Between(&'static [u8], &'static [u8]),
    /// A text of its own that begins with the two numbers in the name of the file.
    OfFileName,
    /// A text of its own, with which the identity of the build begins.
    OfBuild,
}

use Text::{After, Before, Between, OfBuild, OfFileName};

const CLASSIFIERS: [Classifier; 18] = [
    classifier("bash", None, &["bash"], After(&[b"@(#)Bash version "])),
    classifier("busybox", None, &["busybox"], After(&[b"BusyBox v"])),
    classifier("curl", None, &["curl", "libcurl.so*"], After(&[b"curl/"])),
    classifier(
        "haproxy",
        Some("haproxy"),
        &["haproxy"],
        Between(b" version ", b", released 20"),
    ),
    classifier(
        "httpd",
        Some("apache"),
        &["httpd", "apache2"],
        After(&[b"Apache/"]),
    ),
    classifier(
        "mariadb",
        Some("mariadb"),
        &["mariadb", "mariadbd", "mysqld", "mysql"],
        Before(b"-MariaDB"),
    ),
    classifier(
        "memcached",
        Some("memcached"),
        &["memcached"],
        After(&[b"memcached ", b"VERSION "]),
    ),
    classifier("mysql", None, &["mysqld", "mysql"], After(&[b"/mysql-"])),
    classifier(
        "nginx",
        Some("nginx"),
        &["nginx", "nginx-debug"],
        After(&[b"nginx version: nginx/"]),
    ),
    classifier(
        "node",
        Some("node"),
        &["node", "nodejs", "libnode.so*"],
        After(&[b"node.js/v"]),
    ),
    classifier(
        "openssl",
        None,
        &["openssl", "libcrypto.so*"],
        After(&[b"OpenSSL "]),
    ),
    classifier(
        "perl",
        None,
        &["perl", "perl5*", "libperl.so*"],
        After(&[b"/perl5/", b"/perl/"]),
    ),
    classifier(
        "php",
        Some("php"),
        &["php", "php-*", "php7*", "php8*", "libphp*"],
        After(&[b"X-Powered-By: PHP/"]),
    ),
    classifier(
        "postgresql",
        Some("postgresql"),
        &["postgres"],
        After(&[b"PostgreSQL "]),
    ),
    classifier(
        "python",
        Some("python"),
        &["python2*", "python3*", "libpython2*", "libpython3*"],
        OfFileName,
    ),
    classifier(
        "redis",
        Some("redis"),
        &["redis-server", "redis-check-rdb", "redis-check-aof"],
        OfBuild,
    ),
    classifier(
        "ruby",
        Some("ruby"),
        &["ruby", "ruby2*", "ruby3*", "libruby*"],
        After(&[b"ruby "]),
    ),
    classifier("valkey", Some("valkey"), &["valkey-server"], OfBuild),
];

const fn classifier(
    program: &'static str,
    judged_as: Option<&'static str>,
    files: &'static [&'static str],
    text: Text,
) -> Classifier {
    Classifier {
        program,
        judged_as,
        files,
        text,
    }
}

/// Whether a program has advisories of its own, by the name that it has here.
pub(crate) fn is_judged_program(name: &str) -> bool {
    let mut classifiers = CLASSIFIERS.iter();
    name == "liberica-jdk" || classifiers.any(|of| of.program == name && of.judged_as.is_some())
}

/// Words that begin the name of a version before the release.
const BEFORE_RELEASE: [&str; 6] = ["alpha", "beta", "dev", "preview", "rc", "pre"];

/// The search for the version of one program.
pub(super) struct Search {
    file: String,
    pending: Vec<&'static Classifier>,
    found: Vec<Package>,
}

impl Search {
    /// For the file at `path`.
    pub(super) fn new(path: &str) -> Self {
        let file = split(path).1;
        let is_named = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => file.starts_with(start),
            None => file == pattern,
        };
        Self {
            file: file.to_owned(),
            pending: CLASSIFIERS
                .iter()
                .filter(|of| of.files.iter().any(|pattern| is_named(pattern)))
                .collect(),
            found: Vec::new(),
        }
    }

    /// Whether there is nothing to look for any more.
    pub(super) fn is_over(&self) -> bool {
        self.pending.is_empty()
    }

    /// Looks at a part of the file.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        let (file, found) = (&self.file, &mut self.found);
        self.pending.retain(|of| {
            let Some(version) = version(of.text, file, bytes) else {
                return true;
            };
            found.push(Package {
                source_name: of.judged_as.unwrap_or(of.program).to_owned(),
                source_version: comparable(&version),
                evidence: Evidence::VersionString,
                ..Package::new(PackageKind::Program, of.program, &version)
            });
            false
        });
    }

    pub(super) fn packages(self) -> Vec<Package> {
        self.found
    }
}

fn version(text: Text, file: &str, bytes: &[u8]) -> Option<String> {
    match text {
        After(starts) => starts.iter().find_map(|start| {
            let mut places = memmem::find_iter(bytes, start);
            places.find_map(|at| number(&bytes[at + start.len()..]).map(|(version, _)| version))
        }),
        Before(end) => memmem::find_iter(bytes, end).find_map(|at| {
            let digits = bytes[..at].iter().rev().take(20);
            let length = digits.take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
            let (version, rest) = number(&bytes[at - length.count()..at])?;
            rest.is_empty().then_some(version)
        }),
        Between(start, end) => memmem::find_iter(bytes, start).find_map(|at| {
            let (version, rest) = number(&bytes[at + start.len()..])?;
            let near = rest.get(..60).unwrap_or(rest);
            memmem::find(near, end).map(|_| version)
        }),
        OfFileName => {
            let start = file.find(|first: char| first.is_ascii_digit())?;
            let mut numbers = file[start..].split(|other: char| !other.is_ascii_digit());
            let start = format!("\0{}.{}.", numbers.next()?, numbers.next()?);
            if start.ends_with("..") {
                return None;
            }
            memmem::find_iter(bytes, start.as_bytes()).find_map(|at| {
                let (version, rest) = number(&bytes[at + 1..])?;
                let rest = rest.strip_prefix(b"+").unwrap_or(rest);
                (rest.first() == Some(&0)).then_some(version)
            })
        }
        OfBuild => of_build(bytes),
    }
}

/// How many texts are looked at that may be the identity of a build: each costs a search of its own.
const BUILDS: usize = 64;

/// A version that is a text of its own, and with which another text begins: the identity of a build
/// from a release of Redis, which ends in nine zeros for "no commit, not changed".
fn of_build(bytes: &[u8]) -> Option<String> {
    let mut ends = memmem::find_iter(bytes, b"000000000\0").take(BUILDS);
    ends.find_map(|at| {
        let before = bytes[..at].iter().rev().take(200);
        let length = before.take_while(|byte| byte.is_ascii_graphic()).count();
        let build = std::str::from_utf8(&bytes[at - length..at]).ok()?;
        let (third, _) = build.match_indices('.').nth(1)?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (1..=3).rev().find_map(|digits| {
            let version = build.get(..=third + digits)?;
            let parts = version.split('.').collect::<Vec<_>>();
            let well_formed =
                parts.len() == 3 && parts.iter().all(|of| !of.is_empty() && is_number(of));
            let alone = format!("\0{version}\0");
            (well_formed && memmem::find(bytes, alone.as_bytes()).is_some())
                .then(|| version.to_owned())
        })
    })
}

/// The version that bytes begin with, `1.22.1`, `3.13.0rc1`, `1.1.1w`, and what follows it.
fn number(bytes: &[u8]) -> Option<(String, &[u8])> {
    let text = bytes.get(..60).unwrap_or(bytes);
    let text = text.split(|byte| !byte.is_ascii_graphic()).next()?;
    let text = std::str::from_utf8(text).ok()?;
    let mut length = 0;
    let mut parts = 0;
    loop {
        let digits = text[length..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        if digits == 0 || digits > 6 || parts == 4 {
            // Such as '1.2.'.
            length = length.checked_sub(1)?;
            break;
        }
        (length, parts) = (length + digits, parts + 1);
        match text[length..].starts_with('.') {
            true => length += 1,
            false => break,
        }
    }
    if parts < 2 {
        return None;
    }
    let rest = &text[length..];
    let word = rest.trim_start_matches(['-', '.']);
    let separator = rest.len() - word.len();
    let letters = word.bytes().take_while(u8::is_ascii_lowercase).count();
    let digits = word[letters..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    let is_alone = word[letters + digits..]
        .bytes()
        .next()
        .is_none_or(|next| !next.is_ascii_alphanumeric());
    let is_word = BEFORE_RELEASE.contains(&&word[..letters]);
    let is_letter = separator == 0 && letters == 1 && is_alone;
    if separator <= 1 && is_word && is_alone {
        length += separator + letters + digits;
    } else if is_letter && (digits == 0 || matches!(&word[..1], "a" | "b")) {
        length += letters + digits;
    }
    Some((text[..length].to_owned(), &bytes[length..]))
}

/// A version as advisories write it: three numbers, and what comes before a release after a hyphen.
fn comparable(version: &str) -> String {
    let end = version.find(|other: char| !other.is_ascii_digit() && other != '.');
    let (numbers, rest) = version.split_at(end.unwrap_or(version.len()));
    let mut parts: Vec<&str> = numbers.split('.').filter(|part| !part.is_empty()).collect();
    while parts.len() < 3 {
        parts.push("0");
    }
    let word = rest.trim_start_matches(['-', '.']);
    match word {
        "" => parts.join("."),
        // OpenSSL counted on with letters.
        word if word.len() == 1 => version.to_owned(),
        word => format!("{}-{word}", parts.join(".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files, texts in them, and what they say. The texts around versions are those of Debian's
    /// programs and of official images.
    const PROGRAMS: [(&str, &str, &str); 18] = [
        (
            "bash",
            "@(#)Bash version 5.2.15(1) release",
            "bash 5.2.15 bash 5.2.15",
        ),
        (
            "busybox",
            "BusyBox v1.35.0 (Debian 1:1.35.0)",
            "busybox 1.35.0 busybox 1.35.0",
        ),
        ("curl", "curl/%s\0curl/7.88.1\0", "curl 7.88.1 curl 7.88.1"),
        (
            "haproxy",
            " version 1\0 version 2.6.12-1+deb12u4, released 2026/10/17",
            "haproxy 2.6.12 haproxy 2.6.12",
        ),
        (
            "apache2",
            "Apache/2.4.71 (Debian)",
            "httpd 2.4.71 apache 2.4.71",
        ),
        (
            "mariadbd",
            "x\x0010.11.19-MariaDB\0",
            "mariadb 10.11.19 mariadb 10.11.19",
        ),
        (
            "memcached",
            "memcached 1.6.18\n\0",
            "memcached 1.6.18 memcached 1.6.18",
        ),
        (
            "nginx",
            "nginx version: nginx/1.22.1\n",
            "nginx 1.22.1 nginx 1.22.1",
        ),
        (
            "libnode.so.108",
            "node.js/v18.20.4\0",
            "node 18.20.4 node 18.20.4",
        ),
        (
            "libcrypto.so.1.1",
            "OpenSSL 1.1.1w  11 Sep 2023",
            "openssl 1.1.1w openssl 1.1.1w",
        ),
        (
            "perl",
            "/usr/local/lib/perl5/5.38.2/x",
            "perl 5.38.2 perl 5.38.2",
        ),
        (
            "php8.2",
            "X-Powered-By: PHP/8.2.36\0",
            "php 8.2.36 php 8.2.36",
        ),
        (
            "postgres",
            "postgres (PostgreSQL) 15.20\0PostgreSQL 15.20 (Debian",
            "postgresql 15.20 postgresql 15.20.0",
        ),
        (
            "python3.11",
            "\x003.11\x003.11.2\0",
            "python 3.11.2 python 3.11.2",
        ),
        (
            "libpython3.13.so.1.0",
            "\x003.13.0rc1+\0",
            "python 3.13.0rc1 python 3.13.0-rc1",
        ),
        (
            "redis-server",
            "\x007.0.15\0A7.0.15\x007.0.151790282056000000000\0",
            "redis 7.0.15 redis 7.0.15",
        ),
        (
            "redis-server",
            "\x007.2.4\x007.2.4buildkitsandbox-1704793523000000000\0",
            "redis 7.2.4 redis 7.2.4",
        ),
        (
            "libruby-3.1.so.3.1",
            "ruby 3.1.2p20 (2022-04-12",
            "ruby 3.1.2 ruby 3.1.2",
        ),
    ];

    #[test]
    fn programs_are_known_by_their_texts() {
        for (file, text, want) in PROGRAMS {
            let mut search = Search::new(&format!("usr/local/bin/{file}"));
            search.look(text.as_bytes());
            let found = search.packages();
            let shown: Vec<String> = found
                .iter()
                .map(|p| {
                    format!(
                        "{} {} {} {}",
                        p.name, p.version, p.source_name, p.source_version
                    )
                })
                .collect();
            assert_eq!(shown, [want], "{file}");
        }
    }

    #[test]
    fn no_program_is_known_by_its_name_alone() {
        for (file, text) in [
            ("python3.11", "3.11.2"),
            ("python3", "\x003.11.2\0"),
            ("python3.", "\x003.11.2\0"),
            ("nginx", "nginx version: openresty/1.25.3"),
            ("redis-server", "\x007.0.15\x007.0.16000000000\0"),
            ("redis-server", "7.000000000\0"),
            ("mariadb", "-MariaDB"),
            ("mysqld", "/mysql-files"),
            ("cat", "nginx version: nginx/1.22.1"),
            ("bash", ""),
        ] {
            let mut search = Search::new(file);
            search.look(text.as_bytes());
            assert_eq!(search.packages(), [], "{file}");
        }
    }

    #[test]
    fn what_is_judged_has_advisories_of_its_own() {
        assert!(is_judged_program("python") && is_judged_program("liberica-jdk"));
        assert!(!is_judged_program("openssl") && !is_judged_program("openjdk"));
    }
}
