//! A package of conda: what it records of an installed one, `conda-meta/NAME-VERSION-BUILD.json`.

use std::io::Read;

use serde::Deserialize;

use super::node::is_token;
use super::{DatabaseError, too_large};
use crate::license::InJson;
use crate::{Package, PackageKind};

/// The most that is read of a record, in bytes: it lists the package's files.
const LIMIT: u64 = 32 << 20;

#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    /// The platform: `linux-64`.
    #[serde(default)]
    subdir: String,
    #[serde(default)]
    license: InJson,
}

/// The package that a record is of.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large or is no record of conda's.
pub(crate) fn parse_conda(input: impl Read) -> Result<Package, DatabaseError> {
    let mut json = Vec::new();
    input.take(LIMIT + 1).read_to_end(&mut json)?;
    if json.len() as u64 > LIMIT {
        return Err(too_large("it", LIMIT));
    }
    let record: Record = serde_json::from_slice(&json)
        .map_err(|_| DatabaseError::Damaged("it is not conda's record of a package"))?;
    if !is_token(&record.name) || !is_token(&record.version) {
        return Err(DatabaseError::Damaged("it names no package and version"));
    }
    Ok(Package {
        architecture: Some(record.subdir)
            .filter(|of| is_token(of))
            .unwrap_or_default(),
        licenses: record.license.0,
        ..Package::new(PackageKind::Conda, &record.name, &record.version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_package() {
        let text = r#"{"build":"h166bdaf_0","depends":["libgcc-ng >=12"],"files":["bin/xz"],
            "name":"xz","version":"5.2.6","license":"LGPL-2.1 and GPL-2.0","subdir":"linux-64","paths_data":{"paths":[]}}"#;
        let package = parse_conda(text.as_bytes()).unwrap();
        assert_eq!((&*package.name, &*package.version), ("xz", "5.2.6"));
        assert_eq!(package.architecture, "linux-64");
        assert_eq!(package.licenses, ["LGPL-2.1-only AND GPL-2.0-only"]);
        for text in [
            "",
            "[]",
            "{\"name\":\"xz\"}",
            "{\"name\":\"x z\",\"version\":\"1\"}",
        ] {
            assert!(parse_conda(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse_conda(std::io::repeat(b' ')).is_err());
    }
}
