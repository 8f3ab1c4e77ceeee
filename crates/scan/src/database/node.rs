//! A package of Node.js: `package.json` of a directory in `node_modules`, however npm, pnpm or yarn
//! have laid that out.

use std::io::{BufRead, Read};

use serde::Deserialize;

use super::DatabaseError;
use crate::license::{InJson, all_stated};
use crate::{Package, PackageKind};

/// The most that is read of a `package.json`, in bytes: published ones stay far below.
const LIMIT: u64 = 4 << 20;

/// The fields that count.
#[derive(Deserialize)]
struct PackageJson {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    license: InJson,
    /// As old packages have it.
    #[serde(default)]
    licenses: InJson,
}

/// Whether a path is that of a package's own `package.json`: not one of the many that lie in a
/// package's subdirectories, its tests and its templates.
pub(super) fn is_package_json(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    if parts.next() != Some("package.json") {
        return false;
    }
    let Some(name) = parts.next().filter(|name| !name.starts_with('.')) else {
        return false;
    };
    match parts.next() {
        Some("node_modules") => !name.starts_with('@'),
        Some(scope) => scope.starts_with('@') && parts.next() == Some("node_modules"),
        None => false,
    }
}

/// Whether a path is that of a file in pnpm's store: `files/`, two digits of a checksum of 512 bits, and
/// the others.
pub(super) fn is_stored(folder: &str, file: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    folder.len() == 2 && file.len() == 126 && is_hex(folder) && is_hex(file)
}

/// The package that a file in pnpm's store describes, if it is a `package.json`.
///
/// # Errors
/// Those of [`parse_node`].
pub(crate) fn parse_stored_node(mut input: impl BufRead) -> Result<Option<Package>, DatabaseError> {
    match input.fill_buf()?.first() {
        Some(b'{' | 0xef) => parse_node(input),
        _ => Ok(None),
    }
}

/// The package that a `package.json` describes; `None` if it is none that can be installed: without
/// a name or version, or JSON that Node.js itself would refuse.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read or is too large.
pub(crate) fn parse_node(input: impl Read) -> Result<Option<Package>, DatabaseError> {
    let mut json = Vec::new();
    input.take(LIMIT + 1).read_to_end(&mut json)?;
    if json.len() as u64 > LIMIT {
        return Err(super::too_large("it", LIMIT));
    }
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&json);
    let Ok(PackageJson {
        name,
        version,
        license,
        licenses,
    }) = serde_json::from_slice(json)
    else {
        return Ok(None);
    };
    let version = version.trim().to_owned();
    if !is_token(&name) || !is_token(&version) {
        return Ok(None);
    }
    Ok(Some(Package {
        licenses: all_stated(license.0.iter().chain(&licenses.0)),
        ..Package::new(PackageKind::Npm, &name, &version)
    }))
}

/// Whether a text can be a name or version.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_own_files_count() {
        for (path, want) in [
            ("srv/node_modules/lodash/package.json", true),
            ("node_modules/@babel/core/package.json", true),
            ("node_modules/.pnpm/a@1/node_modules/a/package.json", true),
            ("node_modules/a/node_modules/b/package.json", true),
            ("node_modules/resolve/test/a/package.json", false),
            ("node_modules/@babel/package.json", false),
            ("node_modules/.bin/package.json", false),
            ("node_modules/package.json", false),
            ("srv/package.json", false),
            ("package.json", false),
        ] {
            assert_eq!(is_package_json(path), want, "{path}");
        }
    }

    #[test]
    fn what_can_be_installed_is_a_package() {
        let parse = |text: &str| parse_node(text.as_bytes()).unwrap();
        let package = parse("\u{feff}{\"name\":\"@a/b\",\"version\":\"1.0.0 \",\"x\":[]}").unwrap();
        assert_eq!((&*package.name, &*package.version), ("@a/b", "1.0.0"));
        let package = parse(
            r#"{"name":"a","version":"1","license":{"type":"mit"},"licenses":["MIT","BSD"]}"#,
        );
        assert_eq!(package.unwrap().licenses, ["MIT", "BSD"]);
        for text in [
            "",
            "{}",
            "[]",
            "{\"name\":\"a\"}",
            "{\"name\":7,\"version\":\"1\"}",
            "{",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(parse(&deep), None);
        assert!(parse_node(std::io::repeat(b' ')).is_err());
    }
}
