//! Lists in JSON of what was installed: Composer's `vendor/composer/installed.json` (PHP) and the
//! `*.deps.json` beside a program of .NET.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::node::is_token;
use super::{DatabaseError, PACKAGE_LIMIT, too_large};
use crate::license::{InJson, all_stated};
use crate::{Package, PackageKind};

/// The most that is read of a list, in bytes.
const LIMIT: u64 = 32 << 20;

#[derive(Deserialize)]
struct ComposerPackage {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    license: InJson,
}

/// Composer 2 has the list in an object, Composer 1 has it bare.
#[derive(Deserialize)]
#[serde(untagged)]
enum Composer {
    Two { packages: Vec<ComposerPackage> },
    One(Vec<ComposerPackage>),
}

#[derive(Deserialize)]
struct Deps {
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

#[derive(Deserialize)]
struct Library {
    #[serde(rename = "type", default)]
    kind: String,
}

/// The packages of Composer's list.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large or is no such list.
pub(crate) fn parse_composer(input: impl Read) -> Result<Vec<Package>, DatabaseError> {
    let list: Composer = json(input)?;
    let (Composer::Two { packages } | Composer::One(packages)) = list;
    let packages = packages.into_iter().filter_map(|of| {
        // A branch, such as 'dev-main', is no version that advisories are about.
        let comparable = of
            .version
            .strip_prefix('v')
            .unwrap_or(&of.version)
            .to_owned();
        let is_branch = comparable.starts_with("dev-") || comparable.ends_with("-dev");
        let package = package(PackageKind::Composer, &of.name, &of.version, &comparable);
        let package = package.filter(|_| !is_branch)?;
        // Of several, whoever uses it may choose.
        let InJson(choices) = of.license;
        Some(Package {
            licenses: all_stated((!choices.is_empty()).then(|| choices.join(" OR "))),
            ..package
        })
    });
    bounded(packages)
}

/// The packages of NuGet in the list of a program of .NET.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large or is no such list.
pub(crate) fn parse_deps_json(input: impl Read) -> Result<Vec<Package>, DatabaseError> {
    let list: Deps = json(input)?;
    let libraries = list
        .libraries
        .iter()
        .filter(|(_, library)| library.kind == "package");
    let packages = libraries.filter_map(|(name, _)| {
        let (name, version) = name.split_once('/')?;
        package(PackageKind::Nuget, name, version, version)
    });
    bounded(packages)
}

fn json<T: for<'de> Deserialize<'de>>(input: impl Read) -> Result<T, DatabaseError> {
    let mut bytes = Vec::new();
    input.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(too_large("it", LIMIT));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(bytes)
        .map_err(|_| DatabaseError::Damaged("it is not a list of packages in JSON"))
}

fn package(kind: PackageKind, name: &str, version: &str, comparable: &str) -> Option<Package> {
    (is_token(name) && is_token(version) && is_token(comparable)).then(|| Package {
        source_version: comparable.to_owned(),
        ..Package::new(kind, name, version)
    })
}

fn bounded(packages: impl Iterator<Item = Package>) -> Result<Vec<Package>, DatabaseError> {
    let packages: Vec<Package> = packages.take(PACKAGE_LIMIT + 1).collect();
    match packages.len() > PACKAGE_LIMIT {
        true => Err(too_large("its list of packages", PACKAGE_LIMIT as u64)),
        false => Ok(packages),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(packages: &[Package]) -> Vec<String> {
        packages
            .iter()
            .map(|p| format!("{} {} {}", p.name, p.version, p.source_version))
            .collect()
    }

    #[test]
    fn both_forms_of_composers_list_are_read() {
        let list = r#"[{"name":"symfony/http-kernel","version":"v4.4.0","dist":{},"license":["MIT","gpl-2.0+"]},
                       {"name":"a/b","version":"dev-main"},{"name":"c/d"}]"#;
        for text in [
            list.to_owned(),
            format!(r#"{{"packages":{list},"dev":true}}"#),
        ] {
            let packages = parse_composer(text.as_bytes()).unwrap();
            assert_eq!(shown(&packages), ["symfony/http-kernel v4.4.0 4.4.0"]);
            assert_eq!(packages[0].licenses, ["MIT OR GPL-2.0-or-later"]);
        }
        assert!(parse_composer(&b"{\"packages\":"[..]).is_err());
        assert!(parse_composer(std::io::repeat(b' ')).is_err());
    }

    #[test]
    fn a_program_of_dotnet_names_its_packages() {
        let text = "\u{feff}{\"runtimeTarget\":{},\"libraries\":{\
                    \"App/1.0.0\":{\"type\":\"project\"},\
                    \"Newtonsoft.Json/12.0.1\":{\"type\":\"package\",\"sha512\":\"x\"}}}";
        let packages = parse_deps_json(text.as_bytes()).unwrap();
        assert_eq!(shown(&packages), ["Newtonsoft.Json 12.0.1 12.0.1"]);
        assert!(parse_deps_json(&b"{"[..]).is_err());
    }
}
