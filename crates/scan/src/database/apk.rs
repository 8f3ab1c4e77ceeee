//! apk's database: `lib/apk/db/installed`, of apk-tools 2 and 3.

use std::io::BufRead;

use super::{DatabaseError, FileOwner, Lines, may_be_read, push};
use crate::license::all_stated;
use crate::path::join;
use crate::{Package, PackageKind};

/// The fields of a paragraph that count.
#[derive(Default)]
struct Paragraph {
    name: Option<String>,
    version: Option<String>,
    origin: Option<String>,
    architecture: Option<String>,
    license: Option<String>,
    /// The directory of the files that are listed next.
    directory: String,
    /// Its files that are metadata of language packages.
    files: Vec<String>,
    begun: bool,
}

impl Paragraph {
    fn owner(&mut self) -> Option<FileOwner> {
        let paths = std::mem::take(&mut self.files);
        let package = self.name.clone()?;
        (!paths.is_empty()).then_some(FileOwner { package, paths })
    }
}

/// The packages of an `installed` database. The source package is the origin, whose version is the
/// package's own. With them, whose the metadata of language packages is.
///
/// # Errors
/// [`DatabaseError`] if the file is too large or a paragraph is not apk's.
pub(crate) fn parse_apk(
    input: impl BufRead,
) -> Result<(Vec<Package>, Vec<FileOwner>), DatabaseError> {
    let mut lines = Lines::new(input);
    let mut packages = Vec::new();
    let mut owners = Vec::new();
    let mut paragraph = Paragraph::default();
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            owners.extend(paragraph.owner());
            finish(std::mem::take(&mut paragraph), &lines, &mut packages)?;
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| name.len() == 1)
            .ok_or_else(|| lines.malformed("a field is not a letter and ':'"))?;
        paragraph.begun = true;
        let field = match name {
            "P" => &mut paragraph.name,
            "V" => &mut paragraph.version,
            "o" => &mut paragraph.origin,
            "A" => &mut paragraph.architecture,
            "L" => &mut paragraph.license,
            "F" => {
                paragraph.directory = value.to_owned();
                continue;
            }
            "R" => {
                let path = join(&paragraph.directory, value);
                if may_be_read(&path) {
                    push(&mut paragraph.files, path)?;
                }
                continue;
            }
            _ => continue,
        };
        if field.replace(value.to_owned()).is_some() {
            return Err(lines.malformed("a field is there twice"));
        }
    }
    owners.extend(paragraph.owner());
    finish(paragraph, &lines, &mut packages)?;
    Ok((packages, owners))
}

fn finish(
    paragraph: Paragraph,
    lines: &Lines<impl BufRead>,
    packages: &mut Vec<Package>,
) -> Result<(), DatabaseError> {
    if !paragraph.begun {
        return Ok(());
    }
    let (Some(name), Some(version)) = (paragraph.name, paragraph.version) else {
        return Err(lines.malformed("a package has no name (P) or no version (V)"));
    };
    let name = lines.token(&name)?;
    let version = lines.token(&version)?;
    let source_name = match paragraph.origin {
        Some(origin) => lines.token(&origin)?,
        None => name.clone(),
    };
    let package = Package {
        source_name,
        architecture: paragraph.architecture.unwrap_or_default(),
        licenses: all_stated(paragraph.license),
        ..Package::new(PackageKind::Apk, &name, &version)
    };
    push(packages, package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Package>, DatabaseError> {
        parse_apk(text.as_bytes()).map(|(packages, _)| packages)
    }

    #[test]
    fn packages_are_listed_with_their_origins() {
        let found = parse(
            "C:Q1abc=\nP:libssl3\nV:3.1.4-r1\nA:x86_64\nL:Apache-2.0 or MIT\no:openssl\nF:lib\nR:libssl.so.3\n\n\
             P:musl\nV:1.2.4-r2\n",
        )
        .unwrap();
        let rows: Vec<[&str; 4]> = found
            .iter()
            .map(|p| [&*p.name, &*p.version, &*p.source_name, &*p.source_version])
            .collect();
        assert_eq!(
            rows,
            [
                ["libssl3", "3.1.4-r1", "openssl", "3.1.4-r1"],
                ["musl", "1.2.4-r2", "musl", "1.2.4-r2"],
            ]
        );
        assert_eq!(found[0].licenses, ["Apache-2.0 OR MIT"]);
    }

    #[test]
    fn metadata_of_languages_has_an_owner() {
        let database = "P:py3-six\nV:1.16.0-r0\nF:usr/lib/python3.10/site-packages\nR:six.py\n\
                        F:usr/lib/python3.10/site-packages/six-1.16.0.egg-info\nR:PKG-INFO\n\n\
                        P:musl\nV:1\nF:etc\nR:passwd\n";
        let (_, owners) = parse_apk(database.as_bytes()).unwrap();
        let path = "usr/lib/python3.10/site-packages/six-1.16.0.egg-info/PKG-INFO";
        assert_eq!(
            owners,
            [FileOwner {
                package: "py3-six".to_owned(),
                paths: vec![path.to_owned()],
            }]
        );
    }

    #[test]
    fn what_is_not_apks_is_an_error() {
        for text in [
            "P:a\n",
            "V:1\n",
            "P:a\nV:\n",
            "P:a\nV:1\nP:b\n",
            "P:a b\nV:1\n",
            "Package: a\nVersion: 1\n",
            "garbage",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
