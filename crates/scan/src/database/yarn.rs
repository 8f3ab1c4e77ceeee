//! Packages of Node.js as Yarn keeps them without `node_modules`: the archives of its cache
//! (`.yarn/cache/NAME-npm-VERSION-HASH.zip`), and the list of Plug'n'Play that says where each is
//! (`.pnp.cjs`, `.pnp.data.json`).

use std::io::{Cursor, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::node::{is_package_json, is_token, parse_node};
use super::{DATABASE_LIMIT, DatabaseError, PACKAGE_LIMIT, bound_values, too_large};
use crate::{Package, PackageKind};

/// The most that is read of the list, in bytes.
const LIST_LIMIT: u64 = 32 << 20;

/// The most files of an archive.
const FILES_LIMIT: usize = 200_000;

/// What begins the list in `.pnp.cjs`, as a text that is parsed (Yarn 3 and 4) or as an object.
const AS_TEXT: &str = "RAW_RUNTIME_STATE";
const AS_OBJECT: &str = "hydrateRuntimeState({";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    /// Each name with its references, and what is known of each.
    package_registry_data: Vec<(Option<String>, Vec<Reference>)>,
}

/// A reference to a package, and what is known of it.
type Reference = (Option<String>, IgnoredAny);

/// Whether a path is that of an archive of Yarn's cache.
pub(super) fn is_cached(folder: &str, file: &str) -> bool {
    folder == "cache" && file.ends_with(".zip") && file.contains("-npm-")
}

/// The packages on a list of Plug'n'Play.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large or is no such list.
pub(crate) fn parse_pnp(input: impl Read) -> Result<Vec<Package>, DatabaseError> {
    const NO_LIST: DatabaseError = DatabaseError::Damaged("it is not a list of Plug'n'Play");
    let mut text = String::new();
    let mut input = input.take(LIST_LIMIT + 1);
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIST_LIMIT {
        return Err(too_large("it", LIST_LIMIT));
    }
    text.push_str(&String::from_utf8_lossy(&bytes));
    let json = if text.trim_start().starts_with('{') {
        text
    } else if let Some(literal) = text.split_once(AS_TEXT).and_then(|(_, rest)| literal(rest)) {
        literal
    } else if let Some((_, rest)) = text.split_once(AS_OBJECT) {
        format!("{{{rest}")
    } else {
        return Err(NO_LIST);
    };
    bound_values(json.as_bytes())?;
    let mut lists = serde_json::Deserializer::from_str(&json).into_iter::<List>();
    let list = lists.next().and_then(Result::ok).ok_or(NO_LIST)?;
    let mut packages = Vec::new();
    for (name, references) in &list.package_registry_data {
        let versions = references
            .iter()
            .filter_map(|(reference, _)| version(reference.as_deref()?));
        let name = name.as_deref().filter(|name| is_token(name));
        packages.extend(
            versions.filter_map(|version| Some(Package::new(PackageKind::Npm, name?, &version))),
        );
    }
    packages.sort();
    packages.dedup();
    match packages.len() > PACKAGE_LIMIT {
        true => Err(too_large("its list of packages", PACKAGE_LIMIT as u64)),
        false => Ok(packages),
    }
}

/// What the text of JavaScript in single quotes says that follows a `=`.
fn literal(text: &str) -> Option<String> {
    let mut rest = text
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .strip_prefix('\'')?
        .chars();
    let mut value = String::new();
    while let Some(next) = rest.next() {
        match next {
            '\'' => return Some(value),
            // The end of a line that is escaped is left out.
            '\\' => match rest.next()? {
                '\n' => {}
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            next => value.push(next),
        }
    }
    None
}

/// The version in a reference: `npm:1.2.3`, `virtual:6a…#npm:1.2.3`,
/// `patch:typescript@npm%3A5.1.3#…::version=5.1.3&hash=…`. `None` of what is not from a registry.
fn version(reference: &str) -> Option<String> {
    let stated = match reference.split_once("::version=") {
        Some((_, stated)) => stated.split('&').next()?,
        None => {
            let (_, version) = reference.rsplit_once("npm:")?;
            version.split("::").next()?
        }
    };
    let starts = stated.starts_with(|first: char| first.is_ascii_digit());
    (starts && is_token(stated)).then(|| stated.to_owned())
}

/// The packages in an archive of the cache, and where in it each is.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large or damaged.
pub(crate) fn parse_yarn_cache(input: impl Read) -> Result<Vec<(Package, String)>, DatabaseError> {
    const DAMAGED: DatabaseError = DatabaseError::Damaged("the archive is damaged");
    let mut bytes = Vec::new();
    input.take(DATABASE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > DATABASE_LIMIT {
        return Err(too_large("it", DATABASE_LIMIT));
    }
    let files = bytes.windows(4).filter(|window| *window == b"PK\x01\x02");
    if files.count() > FILES_LIMIT {
        return Err(too_large("its list of files", FILES_LIMIT as u64));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| DAMAGED)?;
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| DAMAGED)?;
        let name = entry.name().map_err(|_| DAMAGED)?.into_owned();
        if is_package_json(&name) {
            let package = parse_node(entry)?;
            found.extend(package.map(|package| (package, name)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;

    const REGISTRY: &str = r#"{"__info":["x"],"packageRegistryData":[
        [null,[[null,{"packageLocation":"./"}]]],
        ["@babel/core",[["npm:7.12.3",{}],["virtual:0a1b#npm:7.12.3",{"packageLocation":"./x/"}]]],
        ["app",[["workspace:.",{}]]],
        ["it's",[["npm:1.0.0",{}]]],
        ["typescript",[["patch:typescript@npm%3A5.1.3#~builtin<compat/typescript>::version=5.1.3&hash=7aa",{}]]]]}"#;

    #[test]
    fn every_form_of_the_list_is_read() {
        let lines = REGISTRY.replace('\'', "\\'").replace('\n', "\\\n");
        let text = format!("#!/usr/bin/env node\nconst RAW_RUNTIME_STATE =\n'{lines}';\nx('y');");
        let object = format!("return hydrateRuntimeState({REGISTRY}, {{basePath: __dirname}});");
        for form in [REGISTRY, &text, &object] {
            let packages = parse_pnp(form.as_bytes()).unwrap();
            let shown: Vec<_> = packages
                .iter()
                .map(|p| format!("{} {}", p.name, p.version))
                .collect();
            assert_eq!(
                shown,
                ["@babel/core 7.12.3", "it's 1.0.0", "typescript 5.1.3"]
            );
        }
        for broken in [
            "",
            "x",
            "const RAW_RUNTIME_STATE = '{",
            "hydrateRuntimeState({",
            "{}",
        ] {
            assert!(parse_pnp(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(parse_pnp(std::io::repeat(b' ')).is_err());
    }

    #[test]
    fn an_archive_of_the_cache_holds_its_package() {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in [
            (
                "node_modules/lodash/package.json",
                "{\"name\":\"lodash\",\"version\":\"4.17.20\"}",
            ),
            (
                "node_modules/lodash/test/package.json",
                "{\"name\":\"x\",\"version\":\"1\"}",
            ),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let bytes = zip.finish().unwrap().into_inner();
        let found = parse_yarn_cache(bytes.as_slice()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].0,
            Package::new(PackageKind::Npm, "lodash", "4.17.20")
        );
        assert_eq!(found[0].1, "node_modules/lodash/package.json");
        assert!(parse_yarn_cache(&bytes[..bytes.len() - 5]).is_err());
        assert!(is_cached("cache", "lodash-npm-4.17.20-1a2b3c.zip"));
        assert!(!is_cached("other", "lodash-npm-4.17.20-1a2b3c.zip"));
    }
}
