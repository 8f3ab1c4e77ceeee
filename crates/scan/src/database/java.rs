//! Java archives: the `pom.properties` that Maven puts into what it builds, of the archive itself, of
//! what was shaded into it, and of archives inside it.

use std::io::{Cursor, Read};

use super::{DATABASE_LIMIT, DatabaseError, PACKAGE_LIMIT, too_large};
use crate::path::join;
use crate::{Package, PackageKind};

/// How deep archives may lie in each other: a program for application servers needs three.
const DEPTH: usize = 5;

/// The most that the archives in an archive may come to, in bytes.
const EXPANDED_LIMIT: u64 = 512 << 20;

/// The most files of one archive; the whole of Java's class library has 30,000.
const FILES_LIMIT: usize = 200_000;

/// The most that is read of a `pom.properties`, in bytes.
const PROPERTIES_LIMIT: u64 = 64 << 10;

/// A package, and the archives inside the file that it is in: empty if it is the file's own.
pub(crate) type Found = (Package, String);

/// Whether a name is that of a Java archive.
pub(super) fn is_archive(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| {
        ["jar", "war", "ear"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// The packages in an archive that say which they are. One that Java could not open has none.
///
/// # Errors
/// [`DatabaseError`] if it is too large, damaged, or has archives too deep inside each other.
pub(crate) fn parse_java(input: impl Read) -> Result<Vec<Found>, DatabaseError> {
    let mut bytes = Vec::new();
    input.take(DATABASE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > DATABASE_LIMIT {
        return Err(too_large("it", DATABASE_LIMIT));
    }
    let mut walk = Walk {
        found: Vec::new(),
        left: EXPANDED_LIMIT,
    };
    if holds_files(&bytes) {
        walk.archive(&bytes, "", 0)?;
    }
    walk.found.sort();
    walk.found.dedup();
    Ok(walk.found)
}

/// Whether the bytes may be an archive, with a program before it or not.
fn holds_files(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|window| window == b"PK\x01\x02")
}

struct Walk {
    found: Vec<Found>,
    /// How much may still be expanded.
    left: u64,
}

const DAMAGED: DatabaseError = DatabaseError::Damaged("the archive is damaged");

impl Walk {
    fn archive(&mut self, bytes: &[u8], within: &str, depth: usize) -> Result<(), DatabaseError> {
        if depth > DEPTH {
            return Err(DatabaseError::Damaged(
                "archives lie in each other more than five deep",
            ));
        }
        // The reader keeps something for each file, so they are counted before.
        let files = bytes
            .windows(4)
            .filter(|window| *window == b"PK\x01\x02")
            .count();
        if files > FILES_LIMIT {
            return Err(too_large("its list of files", FILES_LIMIT as u64));
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| DAMAGED)?;
        for index in 0..archive.len() {
            let file = archive.by_index(index).map_err(|_| DAMAGED)?;
            let name = file.name().map_err(|_| DAMAGED)?.into_owned();
            if is_properties(&name) {
                let text = self.read(file, PROPERTIES_LIMIT)?;
                self.found
                    .extend(package(&text).map(|package| (package, within.to_owned())));
                if self.found.len() > PACKAGE_LIMIT {
                    return Err(too_large("its list of packages", PACKAGE_LIMIT as u64));
                }
            } else if is_archive(&name) && file.is_file() {
                let inner = self.read(file, DATABASE_LIMIT)?;
                if holds_files(&inner) {
                    self.archive(&inner, &join(within, &name), depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// The content of a file inside the archive.
    fn read(&mut self, file: impl Read, limit: u64) -> Result<Vec<u8>, DatabaseError> {
        let mut bytes = Vec::new();
        let most = limit.min(self.left);
        let read = file.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|_| DAMAGED)?;
        if bytes.len() as u64 > most {
            return Err(too_large("a file inside it", most));
        }
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }
}

fn is_properties(name: &str) -> bool {
    let inside = name
        .find("META-INF/maven/")
        .is_some_and(|at| at == 0 || name[..at].ends_with('/'));
    inside && name.ends_with("/pom.properties")
}

/// The package that a `pom.properties` names.
fn package(text: &[u8]) -> Option<Package> {
    let text = String::from_utf8_lossy(text);
    let value = |name: &str| {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        let value = lines.find_map(|line| {
            let (key, value) = line.split_once(['=', ':'])?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })?;
        super::node::is_token(&value).then_some(value)
    };
    let name = format!("{}:{}", value("groupId")?, value("artifactId")?);
    let version = value("version")?;
    Some(Package {
        kind: PackageKind::Maven,
        source_name: name.clone(),
        source_version: version.clone(),
        architecture: String::new(),
        name,
        version,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;
    use zip::write::SimpleFileOptions;

    use super::*;

    const LOG4J: &str = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties";

    fn properties(version: &str) -> Vec<u8> {
        format!(
            "#Generated by Maven\nversion={version}\r\ngroupId = org.apache.logging.log4j\n\
             artifactId=log4j-core\n"
        )
        .into_bytes()
    }

    fn jar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn found(bytes: &[u8]) -> Vec<String> {
        let found = parse_java(bytes).unwrap();
        let found = found.iter();
        found
            .map(|(package, within)| format!("{} {} {within}", package.name, package.version))
            .collect()
    }

    #[test]
    fn every_pom_of_an_archive_and_of_those_inside_is_reported() {
        let inner = jar(&[(LOG4J, &properties("2.14.1"))]);
        let shaded = "META-INF/maven/com.google.guava/guava/pom.properties";
        let guava = b"groupId=com.google.guava\nartifactId=guava\nversion=31.0-jre\n";
        let outer = jar(&[
            ("BOOT-INF/lib/log4j-core-2.14.1.jar", &inner),
            (shaded, guava),
            ("not/META-INF/maven/pom.properties.txt", b""),
            ("broken.jar", b"no archive"),
        ]);
        let want = [
            "com.google.guava:guava 31.0-jre ",
            "org.apache.logging.log4j:log4j-core 2.14.1 BOOT-INF/lib/log4j-core-2.14.1.jar",
        ];
        assert_eq!(found(&outer), want);
        let executable = [b"#!/bin/sh\nexec java\n".to_vec(), outer].concat();
        assert_eq!(found(&executable), want);
        assert_eq!(found(b""), [""; 0]);
        assert_eq!(found(b"no archive"), [""; 0]);
        assert_eq!(found(&jar(&[(LOG4J, b"version=1\n")])), [""; 0]);
    }

    #[test]
    fn archives_inside_each_other_without_end_are_refused() {
        let mut nested = jar(&[(LOG4J, &properties("1"))]);
        for _ in 0..DEPTH {
            nested = jar(&[("a.jar", &nested)]);
        }
        assert_eq!(found(&nested).len(), 1);
        for _ in 0..50 {
            nested = jar(&[("a.jar", &nested)]);
        }
        assert!(matches!(
            parse_java(nested.as_slice()),
            Err(DatabaseError::Damaged(_))
        ));
        let bomb = jar(&[("a.jar", &vec![0; (DATABASE_LIMIT + 1) as usize])]);
        assert!(matches!(
            parse_java(bomb.as_slice()),
            Err(DatabaseError::TooLarge { .. })
        ));
        let cut = &nested[..nested.len() - 30];
        assert!(parse_java(cut).is_err());
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(at in 0.0..1.0_f64, byte: u8) {
            let inner = jar(&[(LOG4J, &properties("2.14.1"))]);
            let mut bytes = jar(&[("a.jar", &inner), (LOG4J, &properties("1"))]);
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
            let _ = parse_java(bytes.as_slice());
        }
    }
}
