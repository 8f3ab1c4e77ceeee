//! Lists in JSON of what was installed: Composer's `vendor/composer/installed.json` (PHP) and the
//! `*.deps.json` beside a program of .NET.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::node::is_token;
use super::{DatabaseError, PACKAGE_LIMIT, bound_values, too_large};
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
#[serde(rename_all = "camelCase")]
struct Deps {
    #[serde(default)]
    runtime_target: RuntimeTarget,
    #[serde(default)]
    targets: BTreeMap<String, BTreeMap<String, Assets>>,
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

/// What the program runs on. Long ago it was a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum RuntimeTarget {
    Named { name: String },
    Other(IgnoredAny),
}

impl Default for RuntimeTarget {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

/// What of a package is beside the program.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assets {
    runtime: Option<IgnoredAny>,
    runtime_targets: Option<IgnoredAny>,
    native: Option<IgnoredAny>,
}

impl Deps {
    /// Whether something of a package runs: not if it was only compiled with, or if the framework has a
    /// newer one of its own.
    fn runs(&self, library: &str) -> bool {
        let target = match &self.runtime_target {
            RuntimeTarget::Named { name } => self.targets.get(name),
            RuntimeTarget::Other(_) => None,
        };
        let assets = target.and_then(|target| target.get(library));
        assets.is_none_or(|of| {
            [&of.runtime, &of.runtime_targets, &of.native]
                .iter()
                .any(|of| of.is_some())
        })
    }
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
        let comparable = of.version.strip_prefix('v').unwrap_or(&of.version);
        let package = package(PackageKind::Composer, &of.name, &of.version, comparable)?;
        // Of several, whoever uses it may choose.
        let InJson(choices) = of.license;
        Some(Package {
            licenses: all_stated((!choices.is_empty()).then(|| choices.join(" OR "))),
            ..package
        })
    });
    bounded(packages)
}

/// The packages of NuGet in the list of a program of .NET, of which something runs.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large or is no such list.
pub(crate) fn parse_deps_json(input: impl Read) -> Result<Vec<Package>, DatabaseError> {
    let list: Deps = json(input)?;
    let libraries = list
        .libraries
        .iter()
        .filter(|(name, library)| library.kind.eq_ignore_ascii_case("package") && list.runs(name));
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
    bound_values(&bytes)?;
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
            let want = ["symfony/http-kernel v4.4.0 4.4.0", "a/b dev-main dev-main"];
            assert_eq!(shown(&packages), want);
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
        // What was compiled with, and what the framework has, does not run.
        let text = r#"{"runtimeTarget":{"name":"net6"},"targets":{"net6":{
            "A/1":{"runtime":{"a.dll":{}}},"B/1":{},"C/1":{"native":{"c.so":{}}},
            "D/1":{"dependencies":{"A":"1"}}},"net8":{"E/1":{}}},
            "libraries":{"A/1":{"type":"package"},"B/1":{"type":"package"},"C/1":{"type":"Package"},
            "D/1":{"type":"package"},"E/1":{"type":"package"}}}"#;
        let packages = parse_deps_json(text.as_bytes()).unwrap();
        assert_eq!(shown(&packages), ["A 1 1", "C 1 1", "E 1 1"]);
    }
}
