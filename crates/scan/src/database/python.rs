//! Metadata of an installed Python package: `METADATA` of a `dist-info` directory, `PKG-INFO` of an
//! `egg-info` directory, or an `egg-info` file.

use std::io::BufRead;

use super::{DatabaseError, Lines};
use crate::package::normalize_python_name;
use crate::{Package, PackageKind};

/// The package that a metadata file describes: the `Name` and `Version` of its header, which ends
/// at the first empty line. Its name is kept as it is written, and normalized (PEP 503) as the name
/// for advisories.
///
/// `path` is noted in the package.
///
/// # Errors
/// [`DatabaseError`] if the header is too large, or does not state one name and one version.
pub fn parse_python(input: impl BufRead, path: &str) -> Result<Package, DatabaseError> {
    let mut lines = Lines::new(input);
    let (mut name, mut version) = (None, None);
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            break;
        }
        // Descriptions of old packages continue in odd ways: what is no field is left alone.
        let Some((field, value)) = line.split_once(':') else {
            continue;
        };
        let field = match field.to_ascii_lowercase().as_str() {
            "name" => &mut name,
            "version" => &mut version,
            _ => continue,
        };
        if field.replace(lines.token(value)?).is_some() {
            return Err(lines.malformed("the header states a Name or Version twice"));
        }
    }
    let (Some(name), Some(version)) = (name, version) else {
        return Err(lines.malformed("the header states no Name or no Version"));
    };
    let source_name = normalize_python_name(&name);
    if source_name.is_empty() {
        return Err(lines.malformed("the Name has neither a letter nor a digit"));
    }
    Ok(Package {
        kind: PackageKind::Python,
        name,
        source_name,
        source_version: version.clone(),
        version,
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Package, DatabaseError> {
        parse_python(text.as_bytes(), "a.dist-info/METADATA")
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
