//! Java archives: which package of Maven each is, what was shaded into it, and the archives inside it.
//!
//! What Maven builds says so itself, in a `pom.properties`. Of an archive without one the name
//! (`spring-beans-5.3.17.jar`) or the manifest tells artifact and version, and the packages of its
//! classes tell of which groups it may be: `org.springframework`. There is no database of checksums.

mod manifest;
mod release;
mod streamed;

use std::collections::BTreeMap;
use std::io::{BufRead, Cursor, Read};

use super::{DATABASE_LIMIT, DatabaseError, PACKAGE_LIMIT, too_large};
use crate::path::{join, split};
use crate::{Evidence, Package, PackageKind};
use manifest::Manifest;
pub(crate) use release::parse_java_release;

/// How deep archives may lie in each other: a program for application servers needs three.
const DEPTH: usize = 5;

/// The most that the archives in an archive may come to, in bytes.
const EXPANDED_LIMIT: u64 = 512 << 20;

/// The most files of one archive; the whole of Java's class library has 30,000.
const FILES_LIMIT: usize = 200_000;

/// The most that is read of a `pom.properties` or a manifest, in bytes.
const PROPERTIES_LIMIT: u64 = 1 << 20;

/// The most groups that an archive may be of.
const GROUPS_LIMIT: usize = 8;

/// A package, and the archives inside the file that it is in: empty if it is the file's own.
pub(crate) type Found = (Package, String);

/// Whether a name is that of a Java archive.
pub(super) fn is_archive(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| {
        ["jar", "war", "ear", "par"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// The packages in an archive of `size` bytes at `path`. One that Java could not open has none. One
/// of more than 64 MiB is never in memory as a whole: it is read from its front to its end.
///
/// # Errors
/// [`DatabaseError`] if it is damaged, or has archives too large or too deep inside it.
pub(crate) fn parse_java(
    input: impl BufRead,
    path: &str,
    size: u64,
) -> Result<Vec<Found>, DatabaseError> {
    let mut walk = Walk {
        found: Vec::new(),
        left: EXPANDED_LIMIT,
    };
    let file = split(path).1;
    if size > DATABASE_LIMIT {
        walk.streamed(input, file)?;
    } else {
        let mut bytes = Vec::new();
        input.take(DATABASE_LIMIT).read_to_end(&mut bytes)?;
        if holds_files(&bytes) {
            walk.archive(&bytes, file, "", 0)?;
        }
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

/// What one archive, without those inside it, says about itself.
#[derive(Default)]
struct Level {
    /// By `pom.properties`: itself, or what was shaded into it.
    poms: Vec<Package>,
    manifest: Manifest,
    /// How many classes are in the first two, three and four directories that they are in.
    classes: BTreeMap<String, u32>,
}

impl Walk {
    /// Looks at an archive whose file has a name.
    fn archive(
        &mut self,
        bytes: &[u8],
        file: &str,
        within: &str,
        depth: usize,
    ) -> Result<(), DatabaseError> {
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
        let mut level = Level::default();
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(|_| DAMAGED)?;
            let name = entry.name().map_err(|_| DAMAGED)?.into_owned();
            self.file(&mut level, &name, entry, within, depth)?;
        }
        self.end(level, file, within)
    }

    /// Looks at a file of an archive.
    fn file(
        &mut self,
        level: &mut Level,
        name: &str,
        content: impl Read,
        within: &str,
        depth: usize,
    ) -> Result<(), DatabaseError> {
        if is_properties(name) {
            let text = self.read(content, PROPERTIES_LIMIT)?;
            level.poms.extend(package(&text));
        } else if name == "META-INF/MANIFEST.MF" {
            level.manifest = Manifest::parse(&self.read(content, PROPERTIES_LIMIT)?);
        } else if is_archive(name) {
            let inner = self.read(content, DATABASE_LIMIT)?;
            if holds_files(&inner) {
                self.archive(&inner, split(name).1, &join(within, name), depth + 1)?;
            }
        } else {
            level.class(name);
        }
        Ok(())
    }

    /// Takes what an archive, whose file has a name, says about itself.
    fn end(&mut self, level: Level, file: &str, within: &str) -> Result<(), DatabaseError> {
        let packages = level.packages(file).into_iter();
        self.found
            .extend(packages.map(|package| (package, within.to_owned())));
        if self.found.len() > PACKAGE_LIMIT {
            return Err(too_large("its list of packages", PACKAGE_LIMIT as u64));
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

impl Level {
    /// Counts a class by the directories that it is in.
    fn class(&mut self, name: &str) {
        let Some((directory, _)) = name
            .rsplit_once('/')
            .filter(|_| name.ends_with(".class") && !name.starts_with("META-INF/"))
        else {
            return;
        };
        let parts: Vec<&str> = directory.split('/').take(4).collect();
        for count in 2..=parts.len() {
            *self.classes.entry(parts[..count].join(".")).or_default() += 1;
        }
    }

    /// The packages that are in the archive, whose file has a name.
    fn packages(self, file: &str) -> Vec<Package> {
        let by_name = of_file_name(file);
        let (artifact, version, evidence) = match (by_name, self.manifest.names()) {
            (Some((artifact, version)), _) => (artifact, version, Evidence::FileName),
            // What was shaded into an archive says nothing about it, but one's own `pom.properties` does.
            (None, Some((artifact, version))) if self.poms.is_empty() => {
                (artifact, version, Evidence::Manifest)
            }
            _ => return self.poms,
        };
        let is_it = |pom: &Package| {
            pom.name
                .rsplit_once(':')
                .is_some_and(|(_, of)| of == artifact)
        };
        if self.poms.iter().any(is_it) || !super::node::is_token(artifact) {
            return self.poms;
        }
        let own = Package {
            groups: self.groups(),
            evidence,
            ..Package::new(PackageKind::Maven, artifact, version)
        };
        let mut packages = self.poms;
        packages.push(own);
        packages
    }

    /// The groups that the archive may be of: what its manifest hints at, and the directories that most
    /// of its classes are in.
    fn groups(&self) -> Vec<String> {
        let mut groups = self.manifest.groups();
        let mut inside = String::new();
        for parts in 2..=4 {
            let of_length = self
                .classes
                .iter()
                .filter(|(name, _)| name.split('.').count() == parts && name.starts_with(&inside));
            let Some((most, _)) = of_length.max_by_key(|(_, count)| **count) else {
                break;
            };
            groups.push(most.clone());
            inside = format!("{most}.");
        }
        let mut seen = Vec::new();
        for group in groups {
            if !seen.contains(&group) && super::node::is_token(&group) {
                seen.push(group);
            }
        }
        seen.truncate(GROUPS_LIMIT);
        seen
    }
}

/// Artifact and version in the name that Maven gives a file: `log4j-1.2-api-2.14.1.jar`.
fn of_file_name(file: &str) -> Option<(&str, &str)> {
    let (stem, _) = file.rsplit_once('.')?;
    let digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let at = stem
        .rmatch_indices('-')
        .find(|(at, _)| digit(&stem[at + 1..]))?
        .0;
    let (artifact, version) = (&stem[..at], &stem[at + 1..]);
    let is_token = super::node::is_token;
    (is_token(artifact) && is_token(version)).then_some((artifact, version))
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
    Some(Package::new(PackageKind::Maven, &name, &version))
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

    fn parse(bytes: &[u8]) -> Result<Vec<Found>, DatabaseError> {
        parse_java(bytes, "a.jar", bytes.len() as u64)
    }

    fn found(bytes: &[u8]) -> Vec<String> {
        found_in(bytes, "app.jar")
    }

    fn found_in(bytes: &[u8], file: &str) -> Vec<String> {
        let found = parse_java(bytes, &format!("srv/{file}"), bytes.len() as u64).unwrap();
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
    fn an_archive_without_a_pom_is_known_by_its_name_or_its_manifest() {
        let class = "org/springframework/beans/factory/config/Scope.class";
        let title = b"Manifest-Version: 1.0\r\nImplementation-Title: spring-be\r\n ans\r\n\
                      Implementation-Version: 5.3.17\r\n\r\nName: x\r\nImplementation-Title: y\r\n";
        let gradle = jar(&[("META-INF/MANIFEST.MF", title), (class, b"")]);
        let outer = jar(&[("WEB-INF/lib/spring-beans-5.3.17.jar", &gradle)]);
        for (bytes, file, want) in [
            (
                &gradle,
                "spring-beans-5.3.16.RELEASE.jar",
                "spring-beans 5.3.16.RELEASE ",
            ),
            (&gradle, "app.jar", "spring-beans 5.3.17 "),
            (
                &outer,
                "app.war",
                "spring-beans 5.3.17 WEB-INF/lib/spring-beans-5.3.17.jar",
            ),
        ] {
            assert_eq!(found_in(bytes, file), [want], "{file}");
        }
        let (package, _) = &parse(&gradle).unwrap()[0];
        assert_eq!(package.evidence, Evidence::Manifest);
        let groups = [
            "org.springframework",
            "org.springframework.beans",
            "org.springframework.beans.factory",
        ];
        assert_eq!(package.groups, groups);
        // A pom of its own is better; one of what was shaded into it is not its own.
        let pom = jar(&[
            (LOG4J, &properties("2.14.1")),
            ("META-INF/MANIFEST.MF", title),
        ]);
        let log4j = "org.apache.logging.log4j:log4j-core 2.14.1 ";
        assert_eq!(found_in(&pom, "log4j-core-2.14.1.jar"), [log4j]);
        assert_eq!(found_in(&pom, "app.jar"), [log4j]);
        assert_eq!(found_in(&pom, "app-1.0.jar"), ["app 1.0 ", log4j]);
        // Nothing says what it is.
        let words = jar(&[(
            "META-INF/MANIFEST.MF",
            b"Implementation-Title: A Title\nImplementation-Version: 1\n",
        )]);
        assert_eq!(found_in(&words, "app.jar"), [""; 0]);
    }

    #[test]
    fn names_of_files_tell_artifact_and_version() {
        for (file, want) in [
            (
                "log4j-1.2-api-2.14.1.jar",
                Some(("log4j-1.2-api", "2.14.1")),
            ),
            ("guava-31.0.1-jre.jar", Some(("guava", "31.0.1-jre"))),
            ("guava.jar", None),
            ("-1.jar", None),
            ("a-.jar", None),
        ] {
            assert_eq!(of_file_name(file), want, "{file}");
        }
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
        assert!(matches!(parse(&nested), Err(DatabaseError::Damaged(_))));
        let bomb = jar(&[("a.jar", &vec![0; (DATABASE_LIMIT + 1) as usize])]);
        assert!(matches!(parse(&bomb), Err(DatabaseError::TooLarge { .. })));
        let cut = &nested[..nested.len() - 30];
        assert!(parse(cut).is_err());
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(at in 0.0..1.0_f64, byte: u8) {
            let inner = jar(&[(LOG4J, &properties("2.14.1"))]);
            let mut bytes = jar(&[("a.jar", &inner), (LOG4J, &properties("1"))]);
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}
