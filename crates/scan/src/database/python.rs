//! Metadata of an installed Python package: `METADATA` of a `dist-info` directory, `PKG-INFO` of an
//! `egg-info` directory, an `egg-info` file, or an `egg` with one inside.

use std::io::{BufRead, BufReader, Cursor, Read};

use super::{DATABASE_LIMIT, DatabaseError, Lines, too_large};
use crate::license::{STATEMENTS_LIMIT, Statement, all_stated, stated};
use crate::package::normalize_python_name;
use crate::{Package, PackageKind};

/// The most files of an archive.
const EGG_FILES_LIMIT: usize = 200_000;

/// The package that a metadata file describes: the `Name` and `Version` of its header, which ends
/// at the first empty line. Its name is kept as it is written, and normalized (PEP 503) as the name
/// for advisories.
///
/// A header that states only one of the two, or neither, as some installers leave behind, is made up
/// for by the name of its directory or file at `path`: `NAME-VERSION.dist-info`.
///
/// # Errors
/// [`DatabaseError`] if the header is too large, states two names or versions, or neither it nor
/// the path states one.
pub(crate) fn parse_python(input: impl BufRead, path: &str) -> Result<Package, DatabaseError> {
    let mut lines = Lines::new(input);
    let (mut name, mut version) = (None, None);
    let mut licenses = Licenses::default();
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            licenses.goes_on();
        }
        // Descriptions of old packages continue in odd ways: what is no field is left alone.
        let Some((field, value)) = line.split_once(':') else {
            continue;
        };
        let field = match field.to_ascii_lowercase().as_str() {
            "name" => &mut name,
            "version" => &mut version,
            other => {
                licenses.field(other, value.trim());
                continue;
            }
        };
        if field.replace(lines.token(value)?).is_some() {
            return Err(lines.malformed("the header states a Name or Version twice"));
        }
    }
    let stated = stated_by_path(path);
    let name = name.or(stated.map(|(name, _)| name.to_owned()));
    let version = version.or(stated.map(|(_, version)| version.to_owned()));
    let (Some(name), Some(version)) = (name, version) else {
        return Err(lines.malformed("the header states no Name or no Version"));
    };
    let source_name = normalize_python_name(&name).into_owned();
    if source_name.is_empty() {
        return Err(lines.malformed("the Name has neither a letter nor a digit"));
    }
    Ok(Package {
        source_name,
        licenses: licenses.stated(),
        ..Package::new(PackageKind::Python, &name, &version)
    })
}

/// The package in an archive that setuptools installed as it is, `NAME-VERSION-pyX.Y.egg` at `path`, whose
/// `EGG-INFO/PKG-INFO` describes it; `None` if it is no archive.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large, damaged or does not describe a package.
pub(crate) fn parse_python_egg(
    input: impl Read,
    path: &str,
) -> Result<Option<Package>, DatabaseError> {
    const DAMAGED: DatabaseError = DatabaseError::Damaged("the archive is damaged");
    let mut bytes = Vec::new();
    input.take(DATABASE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > DATABASE_LIMIT {
        return Err(too_large("it", DATABASE_LIMIT));
    }
    // The reader keeps something for each file, so they are counted before.
    let listed = memchr::memmem::find_iter(&bytes, b"PK\x01\x02").count();
    if listed == 0 {
        return Ok(None);
    }
    if listed > EGG_FILES_LIMIT {
        return Err(too_large("its list of files", EGG_FILES_LIMIT as u64));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| DAMAGED)?;
    let described = archive.by_name("EGG-INFO/PKG-INFO");
    let described = described.map_err(|_| DatabaseError::Damaged("it has no EGG-INFO/PKG-INFO"))?;
    let package = parse_python(BufReader::new(described), path);
    // What cannot be expanded is no fault of what the layer is read from.
    package.map(Some).map_err(|error| match error {
        DatabaseError::Io(_) => DAMAGED,
        error => error,
    })
}

/// What the header says of licences, by the specification's successive ways to say it.
#[derive(Default)]
struct Licenses {
    expression: Option<String>,
    license: Option<String>,
    /// Whether the field before is `License`.
    is_license: bool,
    classifiers: Vec<String>,
}

impl Licenses {
    /// Takes a field, whose name is in lower case.
    fn field(&mut self, name: &str, value: &str) {
        self.is_license = name == "license";
        match name {
            "license-expression" => self.expression = Some(value.to_owned()),
            "license" => self.license = Some(value.to_owned()),
            "classifier" if self.classifiers.len() < STATEMENTS_LIMIT => {
                let license = value.strip_prefix("License :: ");
                let last = license.and_then(|of| of.rsplit(" :: ").next());
                let is_one = |last: &&str| *last != "OSI Approved";
                self.classifiers
                    .extend(last.filter(is_one).map(str::to_owned));
            }
            _ => {}
        }
    }

    /// The field before goes on in another line: some have the whole text of their licence there,
    /// which begins with its title or with somebody's name.
    fn goes_on(&mut self) {
        if self.is_license {
            let title = self.license.take().and_then(|first| stated(&first));
            self.license = title.filter(|title| Statement::of(title) == Statement::License);
        }
    }

    /// The most exact statement that there is.
    fn stated(self) -> Vec<String> {
        let exact = all_stated(self.expression.or(self.license));
        match exact.is_empty() {
            true => all_stated(self.classifiers),
            false => exact,
        }
    }
}

/// The name and version in `NAME-VERSION.dist-info` or `NAME-VERSION[-pyX.Y].egg-info`, or `.egg`.
fn stated_by_path(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.rsplit('/');
    let endings = [".dist-info", ".egg-info", ".egg"];
    let stem = parts.find_map(|part| {
        let mut endings = endings.iter();
        endings.find_map(|ending| part.strip_suffix(ending))
    })?;
    let (name, version) = stem.split_once('-')?;
    let version = version.split("-py").next()?;
    let graphic = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    (graphic(name) && graphic(version)).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Package, DatabaseError> {
        parse_python(text.as_bytes(), "lib/METADATA")
    }

    #[test]
    fn the_path_makes_up_for_a_header_that_is_cut() {
        for (path, text, want) in [
            ("lib/six-1.16.0.dist-info/METADATA", "", ("six", "1.16.0")),
            (
                "six-1.16.0-py3.11.egg-info",
                "Name: Six\n",
                ("Six", "1.16.0"),
            ),
            ("a-2.egg-info/PKG-INFO", "Version: 3\n", ("a", "3")),
        ] {
            let package = parse_python(text.as_bytes(), path).unwrap();
            assert_eq!((&*package.name, &*package.version), want, "{path}");
        }
        assert!(parse_python(&b""[..], "six.egg-info/PKG-INFO").is_err());
    }

    #[test]
    fn an_egg_is_described_inside() {
        let egg = |name: &str, text: &str| {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
            zip.finish().unwrap().into_inner()
        };
        let path = "lib/six-1.16.0-py3.11.egg";
        let whole = egg("EGG-INFO/PKG-INFO", "Metadata-Version: 1.2\nName: Six\n");
        let package = parse_python_egg(&whole[..], path).unwrap().unwrap();
        assert_eq!((&*package.name, &*package.version), ("Six", "1.16.0"));
        assert_eq!(parse_python_egg(&b"a text"[..], path).unwrap(), None);
        assert!(parse_python_egg(&egg("six.py", "")[..], path).is_err());
        // What is cut or changed is damaged, whatever the fault is.
        for at in 0..whole.len() {
            let changed = [&whole[..at], &[whole[at] ^ 0x55], &whole[at + 1..]].concat();
            for bytes in [&whole[at..], &changed] {
                let found = parse_python_egg(bytes, path);
                assert!(!matches!(found, Err(DatabaseError::Io(_))), "{found:?}");
            }
        }
        assert!(parse_python_egg(std::io::repeat(0), path).is_err());
    }

    #[test]
    fn the_header_names_the_package() {
        let package = parse(
            "Metadata-Version: 2.1\r\nName: Zope.Interface\r\nVersion: 5.4.0\r\n\
             Summary: x\r\n\r\nName: in the description\r\nVersion: 0\r\n",
        )
        .unwrap();
        assert_eq!(package.name, "Zope.Interface");
        assert_eq!(package.source_name, "zope-interface");
        assert_eq!(package.version, "5.4.0");
    }

    #[test]
    fn the_most_exact_statement_of_licences_counts() {
        let of = |fields: &str| {
            let text = format!("Name: a\nVersion: 1\n{fields}\nLicense: of the description\n");
            parse(&text).unwrap().licenses
        };
        let classifiers = "Classifier: License :: OSI Approved\n\
                           Classifier: License :: OSI Approved :: MIT License\n\
                           Classifier: License :: OSI Approved :: BSD License\n\
                           Classifier: Topic :: Software\n";
        for (fields, want) in [
            ("", vec![]),
            ("License: UNKNOWN\n", vec![]),
            ("License: Apache 2.0\n", vec!["Apache-2.0"]),
            (
                "License: mine\nLicense-Expression: MIT or ISC\n",
                vec!["MIT OR ISC"],
            ),
            (
                "License: MIT License\n\t\n  Permission: granted\n",
                vec!["MIT"],
            ),
            (
                "License: Copyright (c) somebody\n        All rights\n",
                vec![],
            ),
            ("License: mine\nSummary: a\n  b\n", vec!["mine"]),
        ] {
            assert_eq!(of(fields), want, "{fields}");
            let exact = match want.is_empty() {
                true => vec!["MIT", "BSD License"],
                false => want,
            };
            assert_eq!(of(&(classifiers.to_owned() + fields)), exact, "{fields}");
        }
    }

    #[test]
    fn a_header_without_one_name_and_version_is_an_error() {
        for text in [
            "",
            "Name: a\n",
            "Version: 1\n",
            "\nName: a\nVersion: 1\n",
            "Name: a\nName: b\nVersion: 1\n",
            "Name: a\nVersion: 1 2\n",
            "Name: ._-\nVersion: 1\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
