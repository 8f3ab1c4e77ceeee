//! The files inside an image that say which packages it has.
//!
//! Each parser reads from a reader that the caller hands over, line by line, and keeps only what it
//! returns. A file that cannot be understood is an error, never a shorter list: an image whose
//! database is broken has not been scanned.

mod apk;
mod conda;
mod copyright;
mod dpkg;
mod executable;
mod java;
mod manifests;
mod node;
mod python;
mod rpm;
mod ruby;
mod sbom;
mod yarn;

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

pub(crate) use apk::parse_apk;
pub(crate) use conda::parse_conda;
pub(crate) use copyright::parse_copyright;
pub(crate) use dpkg::{parse_dpkg, parse_dpkg_files};
pub(crate) use executable::{is_judged_program, parse_executable};
pub(crate) use java::{parse_java, parse_java_release};
pub(crate) use manifests::{parse_composer, parse_deps_json};
pub(crate) use node::{parse_node, parse_stored_node};
pub(crate) use python::{parse_python, parse_python_egg};
pub(crate) use rpm::parse_rpm;
pub(crate) use ruby::parse_gemspec;
pub(crate) use sbom::{Document as SbomDocument, Listed, OfSystem, decoded, parse_sbom};
pub(crate) use yarn::{parse_pnp, parse_yarn_cache};

use serde::{Deserialize, Serialize};

use crate::path::split;

/// The most that is read of one file, in bytes: ten times the database of a desktop with
/// everything installed.
pub(crate) const DATABASE_LIMIT: u64 = 64 * 1024 * 1024;

/// The most packages that one file may have.
pub(crate) const PACKAGE_LIMIT: usize = 100_000;

/// The most objects, lists and members that JSON in a file may have: each takes some tens of bytes once
/// it is read, of two in the file.
const VALUE_COUNT_LIMIT: usize = 1_000_000;

/// The longest line, in bytes: lists of dependencies reach some tens of thousands.
const LINE_LIMIT: u64 = 1024 * 1024;

/// The longest name or version, in bytes.
const VALUE_LIMIT: usize = 1024;

/// A kind of file that is read for packages, or to know the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum DatabaseFile {
    /// dpkg's `status`, or a file of `status.d`: [`parse_dpkg`].
    Dpkg,
    /// dpkg's list of the files of a package: [`parse_dpkg_files`].
    DpkgFiles,
    /// What a package of dpkg says of its licences: [`parse_copyright`].
    Copyright,
    /// apk's `installed`: [`parse_apk`].
    Apk,
    /// rpm's database, in any of its forms: [`parse_rpm`].
    Rpm,
    /// Changes that SQLite has not put into rpm's database yet.
    RpmLog,
    /// Metadata of an installed Python package: [`parse_python`].
    Python,
    /// A Python package in an archive: [`parse_python_egg`].
    PythonEgg,
    /// `package.json` of a package in `node_modules`: [`parse_node`].
    Node,
    /// A file in pnpm's store, of which that `package.json` may be a second name:
    /// [`parse_stored_node`].
    StoredNode,
    /// An archive of Java: [`parse_java`].
    Java,
    /// A program: [`parse_executable`].
    Executable,
    /// What RubyGems writes of a gem: [`parse_gemspec`].
    Gemspec,
    /// Composer's list: [`parse_composer`].
    Composer,
    /// The list beside a program of .NET: [`parse_deps_json`].
    DepsJson,
    /// conda's record of a package: [`parse_conda`].
    Conda,
    /// The list of Yarn's Plug'n'Play: [`parse_pnp`].
    Pnp,
    /// An archive of Yarn's cache: [`parse_yarn_cache`].
    YarnCache,
    /// A list of packages that was put into the image: [`parse_sbom`].
    Sbom,
    /// The description of a Java runtime: [`parse_java_release`].
    JavaRelease,
    /// [`OsRelease::parse`](crate::OsRelease::parse).
    OsRelease,
}

/// Whose some files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileOwner {
    /// A package of the operating system.
    pub(crate) package: String,
    /// Those of its files that are metadata of language packages.
    pub(crate) paths: Vec<String>,
}

impl DatabaseFile {
    /// What a file may be by its path, which is relative to the root of the image and has no leading
    /// `/` or `./`; `None` if it is not read. A database counts only where the system has it, but
    /// links of other layers decide where that is: so it is read in any directory of its name.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let (folder, file) = split(path);
        let (above, folder) = split(folder);
        let (_, above) = split(above);
        let lists = [".list", ".md5sums"]
            .iter()
            .any(|ending| file.ends_with(ending));
        match (above, folder, file) {
            (_, "dpkg", "status") => Some(Self::Dpkg),
            ("dpkg", "info", _) if lists => Some(Self::DpkgFiles),
            (_, "status.d", _) if file.ends_with(".md5sums") => Some(Self::DpkgFiles),
            (_, "status.d", _) => Some(Self::Dpkg),
            ("doc", _, "copyright") => Some(Self::Copyright),
            ("apk", "db", "installed") => Some(Self::Apk),
            (_, _, "rpmdb.sqlite" | "Packages.db") | (_, "rpm", "Packages") => Some(Self::Rpm),
            (_, _, "rpmdb.sqlite-wal") => Some(Self::RpmLog),
            (_, _, "METADATA") if folder.ends_with(".dist-info") => Some(Self::Python),
            (_, _, "PKG-INFO") if folder.ends_with(".egg-info") || folder == "EGG-INFO" => {
                Some(Self::Python)
            }
            _ if file.ends_with(".egg-info") => Some(Self::Python),
            _ if file.ends_with(".egg") => Some(Self::PythonEgg),
            _ if java::is_archive(file) => Some(Self::Java),
            (_, "specifications", _) | ("specifications", "default", _)
                if file.ends_with(".gemspec") =>
            {
                Some(Self::Gemspec)
            }
            (_, "composer", "installed.json") => Some(Self::Composer),
            _ if file.ends_with(".deps.json") => Some(Self::DepsJson),
            (_, _, "package.json") if node::is_package_json(path) => Some(Self::Node),
            ("files", _, _) if node::is_stored(folder, file) => Some(Self::StoredNode),
            (_, "conda-meta", _) if file.ends_with(".json") => Some(Self::Conda),
            (_, _, ".pnp.cjs" | ".pnp.js" | ".pnp.data.json") => Some(Self::Pnp),
            _ if yarn::is_cached(folder, file) => Some(Self::YarnCache),
            _ if sbom::is_one(file) => Some(Self::Sbom),
            (_, _, "release") => Some(Self::JavaRelease),
            _ if file.ends_with("os-release") || file.starts_with("os-release") => {
                Some(Self::OsRelease)
            }
            _ => None,
        }
    }

    /// Whether [`of_content`](Self::of_content) may say something of a file that begins so.
    pub(crate) fn may_begin_with(four: &[u8]) -> bool {
        matches!(four, b"Pack" | b"C:Q1" | b"C:Q2") || executable::is_one(four)
    }

    /// What a file is by its first bytes, wherever it is: a link may make a database of it.
    pub(crate) fn of_content(head: &[u8]) -> Option<Self> {
        let status = b"\nStatus: ";
        if head.starts_with(b"Package: ") && head.windows(status.len()).any(|part| part == status) {
            Some(Self::Dpkg)
        } else if head.starts_with(b"C:Q") {
            Some(Self::Apk)
        } else if executable::is_one(head.get(..4)?) {
            Some(Self::Executable)
        } else {
            None
        }
    }

    /// Whether it is the metadata of a package of a language, which a package of the operating
    /// system may own.
    pub(crate) fn is_language(self) -> bool {
        matches!(
            self,
            Self::Python
                | Self::PythonEgg
                | Self::Node
                | Self::Java
                | Self::Executable
                | Self::Gemspec
                | Self::Composer
                | Self::DepsJson
                | Self::Conda
                | Self::Pnp
                | Self::YarnCache
                | Self::Sbom
                | Self::JavaRelease
        )
    }

    /// Whether packages of a language are there if it is at `path`: what is in a store is not installed
    /// by that.
    pub(crate) fn is_installed_at(self, path: &str) -> bool {
        match self {
            Self::StoredNode => Self::of_path(path) == Some(Self::Node),
            file => file.is_language(),
        }
    }

    /// Whether it lists packages that others also say are there: of one that they name too, only they
    /// count.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Pnp | Self::Sbom)
    }
}

/// Whether a package of the operating system may own something that is read: the metadata of a
/// language, or a program. `path` has no leading `/`.
pub(crate) fn may_be_read(path: &str) -> bool {
    const NO_PROGRAMS: [&str; 7] = [
        "boot/",
        "etc/",
        "usr/include/",
        "usr/lib/modules/",
        "usr/share/",
        "usr/src/",
        "var/",
    ];
    let path = path.trim_start_matches("./");
    let (_, name) = split(path);
    let has_no_ending = || {
        let ending = memchr::memrchr(b'.', name.as_bytes()).map(|at| &name[at + 1..]);
        ending.is_none_or(|of| of.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_library = || name.starts_with("lib") && name.contains(".so");
    let may_be_program = !name.is_empty()
        && !NO_PROGRAMS.iter().any(|start| path.starts_with(start))
        && (has_no_ending() || is_library());
    may_be_program || DatabaseFile::of_path(path).is_some_and(DatabaseFile::is_language)
}

/// A package database that was not understood, and so has not been read.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Reading failed.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It is too large, or one of its parts is.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// What is accepted, in bytes or packages.
        limit: u64,
    },
    /// It is not text, and not what it should be.
    #[error("{0}")]
    Damaged(&'static str),
    /// It does not have the form that it should have.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Counted from 1: the last line that was read.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The lines of a file, within the limits.
pub(crate) struct Lines<R> {
    input: io::Take<R>,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            // One more byte than accepted, to know that there is more.
            input: input.take(DATABASE_LIMIT + 1),
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line without its end; bytes that are not UTF-8 are replaced.
    pub(crate) fn next(&mut self) -> Result<Option<String>, DatabaseError> {
        Ok(self.advance()?.then(|| self.line().into_owned()))
    }

    /// Goes to the next line: whether there is one.
    fn advance(&mut self) -> Result<bool, DatabaseError> {
        self.line.clear();
        let mut line = (&mut self.input).take(LINE_LIMIT + 1);
        line.read_until(b'\n', &mut self.line)?;
        if self.input.limit() == 0 {
            return Err(too_large("it", DATABASE_LIMIT));
        }
        if self.line.len() as u64 > LINE_LIMIT {
            return Err(too_large("a line", LINE_LIMIT));
        }
        if self.line.is_empty() {
            return Ok(false);
        }
        self.number += 1;
        while let Some(b'\n' | b'\r') = self.line.last() {
            self.line.pop();
        }
        Ok(true)
    }

    /// The line that was gone to.
    fn line(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.line)
    }

    /// An error at the line that was read last.
    fn malformed(&self, reason: &'static str) -> DatabaseError {
        DatabaseError::Malformed {
            line: self.number,
            reason,
        }
    }

    /// The value of a field as a name or version: printable ASCII without spaces, and not too long.
    fn token(&self, value: &str) -> Result<String, DatabaseError> {
        let value = value.trim();
        if value.is_empty() || value.len() > VALUE_LIMIT {
            return Err(self.malformed("a name or version is empty or longer than 1024 bytes"));
        }
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.malformed("a name or version has a space or is not ASCII"));
        }
        Ok(value.to_owned())
    }
}

/// Refuses JSON that would take many times its own length once it is read.
pub(crate) fn bound_values(json: &[u8]) -> Result<(), DatabaseError> {
    let (mut count, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'{' | b'[' if !in_text => count += 1,
            _ => {}
        }
    }
    match count > VALUE_COUNT_LIMIT {
        true => Err(too_large("its number of values", VALUE_COUNT_LIMIT as u64)),
        false => Ok(()),
    }
}

fn too_large(what: &'static str, limit: u64) -> DatabaseError {
    DatabaseError::TooLarge { what, limit }
}

/// Adds a package within the limit.
fn push<T>(packages: &mut Vec<T>, package: T) -> Result<(), DatabaseError> {
    if packages.len() >= PACKAGE_LIMIT {
        return Err(too_large("its list of packages", PACKAGE_LIMIT as u64));
    }
    packages.push(package);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_of_very_many_values_is_not_read() {
        let many = "{},".repeat(VALUE_COUNT_LIMIT);
        for (path, text) in [
            ("composer/installed.json", format!("[{many}{{}}]")),
            ("a.deps.json", format!("{{\"libraries\":[{many}{{}}]}}")),
            (
                "bom.json",
                format!("{{\"bomFormat\":\"CycloneDX\",\"components\":[{many}{{}}]}}"),
            ),
            (
                ".pnp.data.json",
                format!("{{\"packageRegistryData\":[{many}{{}}]}}"),
            ),
        ] {
            let text = text.as_bytes();
            let error = match DatabaseFile::of_path(path) {
                Some(DatabaseFile::Composer) => parse_composer(text).unwrap_err(),
                Some(DatabaseFile::DepsJson) => parse_deps_json(text).unwrap_err(),
                Some(DatabaseFile::Sbom) => parse_sbom(text).unwrap_err(),
                _ => parse_pnp(text).unwrap_err(),
            };
            assert!(
                matches!(error, DatabaseError::TooLarge { .. }),
                "{path}: {error}"
            );
        }
        // What is in a text is no value.
        let text = format!("[\"{}\\\"{}\"]", many.replace(',', ""), many);
        assert!(bound_values(text.as_bytes()).is_ok());
    }

    #[test]
    fn files_are_known_by_their_paths() {
        for (path, want) in [
            ("var/lib/dpkg/status", Some(DatabaseFile::Dpkg)),
            ("var/lib/dpkg/status-old", None),
            ("var/lib/dpkg/status.d/base", Some(DatabaseFile::Dpkg)),
            (
                "var/lib/dpkg/status.d/base.md5sums",
                Some(DatabaseFile::DpkgFiles),
            ),
            ("usr/share/dpkg/status", Some(DatabaseFile::Dpkg)),
            (
                "usr/share/doc/bash/copyright",
                Some(DatabaseFile::Copyright),
            ),
            ("usr/share/doc/copyright", None),
            ("var/lib/dpkg/info/bash.list", Some(DatabaseFile::DpkgFiles)),
            ("var/lib/dpkg/info/bash.postinst", None),
            ("lib/apk/db/installed", Some(DatabaseFile::Apk)),
            ("usr/lib/apk/db/installed", Some(DatabaseFile::Apk)),
            ("var/lib/rpm/rpmdb.sqlite", Some(DatabaseFile::Rpm)),
            ("usr/lib/sysimage/rpm/Packages.db", Some(DatabaseFile::Rpm)),
            ("var/lib/rpm/Packages", Some(DatabaseFile::Rpm)),
            ("srv/apt/Packages", None),
            ("var/lib/rpm/rpmdb.sqlite-wal", Some(DatabaseFile::RpmLog)),
            ("etc/os-release", Some(DatabaseFile::OsRelease)),
            ("usr/lib/os-release", Some(DatabaseFile::OsRelease)),
            (
                "opt/a/flask-3.0.dist-info/METADATA",
                Some(DatabaseFile::Python),
            ),
            ("opt/a/flask-3.0.dist-info/RECORD", None),
            ("opt/a/six-1.egg-info/PKG-INFO", Some(DatabaseFile::Python)),
            ("opt/a/six-1.egg-info", Some(DatabaseFile::Python)),
            ("opt/six.egg/EGG-INFO/PKG-INFO", Some(DatabaseFile::Python)),
            ("opt/six-1.16-py3.egg", Some(DatabaseFile::PythonEgg)),
            ("srv/node_modules/a/package.json", Some(DatabaseFile::Node)),
            ("srv/package.json", None),
            ("srv/app.WAR", Some(DatabaseFile::Java)),
            (
                "usr/lib/ruby/gems/3.1.0/specifications/default/json-2.gemspec",
                Some(DatabaseFile::Gemspec),
            ),
            ("srv/rack/rack.gemspec", None),
            (
                "srv/vendor/composer/installed.json",
                Some(DatabaseFile::Composer),
            ),
            ("srv/App.deps.json", Some(DatabaseFile::DepsJson)),
            (
                "opt/conda/conda-meta/xz-5.2.6-h166bdaf_0.json",
                Some(DatabaseFile::Conda),
            ),
            ("srv/.pnp.cjs", Some(DatabaseFile::Pnp)),
            (
                "srv/.yarn/cache/a-npm-1.0.0-1a2b.zip",
                Some(DatabaseFile::YarnCache),
            ),
            (
                "opt/bitnami/redis/.spdx-redis.spdx",
                Some(DatabaseFile::Sbom),
            ),
            ("opt/java/openjdk/release", Some(DatabaseFile::JavaRelease)),
            ("METADATA", None),
            ("", None),
        ] {
            assert_eq!(DatabaseFile::of_path(path), want, "{path}");
        }
    }

    #[test]
    fn a_system_may_own_metadata_and_programs() {
        for (path, want) in [
            ("usr/bin/bash", true),
            ("usr/bin/python3.11", true),
            ("usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1", true),
            (
                "usr/lib/python3/dist-packages/six-1.dist-info/METADATA",
                true,
            ),
            ("usr/share/doc/bash/copyright", false),
            ("usr/lib/python3/six.py", false),
            ("etc/passwd", false),
        ] {
            assert_eq!(may_be_read(path), want, "{path}");
        }
    }

    #[test]
    fn an_endless_file_is_refused_within_bounds() {
        let endless = || io::BufReader::new(io::repeat(b'x'));
        assert!(matches!(
            parse_dpkg(endless()),
            Err(DatabaseError::TooLarge { .. })
        ));
        assert!(matches!(
            parse_apk(endless()),
            Err(DatabaseError::TooLarge { .. })
        ));
        let mut lines = Lines::new(io::BufReader::new(io::repeat(b'\n')));
        lines.input.set_limit(1000);
        let mut count = 0;
        let end = loop {
            match lines.next() {
                Ok(Some(_)) => count += 1,
                end => break end,
            }
        };
        assert!(matches!(
            end,
            Err(DatabaseError::TooLarge { what: "it", .. })
        ));
        assert_eq!(count, 999);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse_dpkg(bytes.as_slice());
            let _ = parse_apk(bytes.as_slice());
            let _ = parse_python(bytes.as_slice(), "");
        }

        #[test]
        fn no_lines_make_a_parser_panic(
            text in "((Package|Version|Status|Source|Name|P|V|o|\\PC{0,5}):[ -~]{0,12}\r?\n|\n| x\n){0,20}",
        ) {
            let _ = parse_dpkg(text.as_bytes());
            let _ = parse_apk(text.as_bytes());
            let _ = parse_python(text.as_bytes(), "");
        }
    }
}
