//! Lists of packages that whoever built an image has put into it: CycloneDX and SPDX in JSON, and
//! the `.spdx-NAME.spdx` of Bitnami's images. They add packages; none is taken away by them.
//!
//! Those that are attached to an image have the same forms: [`Listed`].

use std::collections::BTreeSet;
use std::io::Read;

use serde::Deserialize;

use super::node::is_token;
use super::{DatabaseError, PACKAGE_LIMIT, bound_values, too_large};
use crate::package::normalize_python_name;
use crate::package_url::PackageUrl;
use crate::{Evidence, Package, PackageKind};

/// The most that is read of a list, in bytes.
const LIMIT: u64 = 32 << 20;

/// A list as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    #[serde(default)]
    bom_format: String,
    #[serde(default)]
    spdx_version: String,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    packages: Vec<SpdxPackage>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    purl: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(default)]
    external_refs: Vec<ExternalRef>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    #[serde(default)]
    reference_type: String,
    #[serde(default)]
    reference_locator: String,
}

/// Whether a file is a list by its name.
pub(super) fn is_one(file: &str) -> bool {
    let bitnami = file.starts_with(".spdx-") && file.ends_with(".spdx");
    let named = [".spdx.json", ".cdx.json", ".cyclonedx.json", "-bom.json"];
    bitnami
        || matches!(file, "bom.json" | "sbom.json")
        || named.iter().any(|ending| file.ends_with(ending))
}

/// The packages of languages and of Bitnami on a list; those of operating systems are in databases.
/// What is of neither form has none.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large, or says that it is such a list and is not.
pub(crate) fn parse_sbom(input: impl Read) -> Result<Vec<Package>, DatabaseError> {
    let mut bytes = Vec::new();
    input.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(too_large("it", LIMIT));
    }
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let says_so = [&b"\"spdxVersion\""[..], b"\"bomFormat\""];
    if !says_so
        .iter()
        .any(|name| json.windows(name.len()).any(|part| part == *name))
    {
        return Ok(Vec::new());
    }
    bound_values(json)?;
    let document: Document = serde_json::from_slice(json)
        .map_err(|_| DatabaseError::Damaged("it is neither CycloneDX nor SPDX in JSON"))?;
    let urls = document.package_urls();
    let mut packages: Vec<Package> = urls.into_iter().filter_map(of_purl).collect();
    packages.sort();
    packages.dedup();
    match packages.len() > PACKAGE_LIMIT {
        true => Err(too_large("its list of packages", PACKAGE_LIMIT as u64)),
        false => Ok(packages),
    }
}

impl Document {
    /// Whether it is of a form that is read.
    pub(crate) fn is_one(&self) -> bool {
        self.bom_format == "CycloneDX" || self.spdx_version.starts_with("SPDX-2")
    }

    /// The package URLs on it, those that are empty included.
    fn package_urls(&self) -> Vec<&str> {
        let mut urls = Vec::new();
        if self.bom_format == "CycloneDX" {
            let mut pending: Vec<&Component> = self.components.iter().collect();
            while let Some(component) = pending.pop() {
                urls.push(component.purl.as_str());
                pending.extend(&component.components);
            }
        }
        if self.spdx_version.starts_with("SPDX-") {
            let references = self.packages.iter().flat_map(|of| &of.external_refs);
            let purls = references.filter(|of| of.reference_type == "purl");
            urls.extend(purls.map(|of| of.reference_locator.as_str()));
        }
        urls
    }
}

/// The packages on a list that is attached to an image.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Those of languages and of Bitnami.
    pub(crate) packages: Vec<Package>,
    /// Those of operating systems.
    pub(crate) of_system: Vec<OfSystem>,
    /// The package URLs of which nothing can be known.
    pub(crate) unknown: BTreeSet<String>,
}

/// A package of an operating system on a list.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OfSystem {
    pub(crate) package: Package,
    /// Who makes the system: `debian`.
    pub(crate) vendor: String,
    /// Its release, if the list says which: `debian-12`.
    pub(crate) distro: Option<String>,
    /// The package URL.
    pub(crate) url: String,
}

impl Listed {
    /// Those on a list.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn of(document: &Document) -> Result<Self, DatabaseError> {
        let mut listed = Self::default();
        for url in document.package_urls() {
            if let Some(package) = of_purl(url) {
                listed.packages.push(package);
            } else if let Some(package) = of_system(url) {
                listed.of_system.push(package);
            } else if !url.is_empty() && !names_an_image(url) {
                listed.unknown.insert(bonded_model::shown(url));
            }
            let count = listed.packages.len() + listed.of_system.len() + listed.unknown.len();
            if count > PACKAGE_LIMIT {
                return Err(too_large("its list of packages", PACKAGE_LIMIT as u64));
            }
        }
        listed.packages.sort();
        listed.packages.dedup();
        listed.of_system.sort();
        listed.of_system.dedup();
        Ok(listed)
    }
}

/// Whether a package URL is that of an image, which a list has for what it is about.
fn names_an_image(url: &str) -> bool {
    let kind = url
        .strip_prefix("pkg:")
        .and_then(|rest| rest.split('/').next());
    kind.is_some_and(|kind| matches!(kind, "oci" | "docker"))
}

/// The package of an operating system that a package URL names. What it was built from is in
/// `upstream`, as Syft writes it: `openssl` or `openssl@3.0.11-1`.
fn of_system(url: &str) -> Option<OfSystem> {
    let parsed = PackageUrl::parse(url)?;
    let kind = match parsed.kind.as_str() {
        "deb" => PackageKind::Deb,
        "apk" => PackageKind::Apk,
        "rpm" => PackageKind::Rpm,
        _ => return None,
    };
    let (vendor, name) = parsed.path.split_once('/')?;
    let qualifier = |key: &str| parsed.qualifiers.get(key).map(String::as_str);
    let version = match qualifier("epoch") {
        Some(epoch) if kind == PackageKind::Rpm => format!("{epoch}:{}", parsed.version),
        _ => parsed.version.clone(),
    };
    let mut package = Package {
        evidence: Evidence::Sbom,
        architecture: qualifier("arch").unwrap_or_default().to_owned(),
        ..Package::new(kind, name, &version)
    };
    // Of rpm that is the name of a file.
    if let Some(upstream) = qualifier("upstream").filter(|_| kind != PackageKind::Rpm) {
        let (name, version) = upstream.split_once('@').unwrap_or((upstream, &version));
        name.clone_into(&mut package.source_name);
        version.clone_into(&mut package.source_version);
    }
    Some(OfSystem {
        package: of_tokens(package)?,
        vendor: vendor.to_owned(),
        distro: qualifier("distro").map(str::to_owned),
        url: bonded_model::shown(url),
    })
}

/// The package, if its names and versions are such that a package can have.
fn of_tokens(package: Package) -> Option<Package> {
    let texts = [
        &package.name,
        &package.version,
        &package.source_name,
        &package.source_version,
    ];
    let are_tokens = texts.into_iter().all(|text| is_token(text));
    are_tokens.then_some(package)
}

/// The package that a package URL names (ECMA-427): `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
fn of_purl(purl: &str) -> Option<Package> {
    let rest = purl.trim().strip_prefix("pkg:")?.trim_start_matches('/');
    let rest = rest.split(['?', '#']).next()?;
    let (kind, path) = rest.split_once('/')?;
    let (path, version) = path.rsplit_once('@')?;
    let version = decoded(version)?;
    let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (namespace, name) = (decoded(namespace)?, decoded(name)?);
    let whole = match namespace.as_str() {
        "" => name.clone(),
        namespace => format!("{namespace}/{name}"),
    };
    let (kind, name) = match kind.to_ascii_lowercase().as_str() {
        "pypi" => (PackageKind::Python, name),
        "npm" => (PackageKind::Npm, whole),
        "maven" => (PackageKind::Maven, format!("{namespace}:{name}")),
        "golang" => (PackageKind::Go, whole),
        "cargo" => (PackageKind::Cargo, name),
        "gem" => (PackageKind::Gem, name),
        "composer" => (PackageKind::Composer, whole),
        "nuget" => (PackageKind::Nuget, name),
        "bitnami" => (PackageKind::Bitnami, name),
        _ => return None,
    };
    let mut package = Package {
        evidence: Evidence::Sbom,
        ..Package::new(kind, &name, &version)
    };
    match kind {
        PackageKind::Python => package.source_name = normalize_python_name(&name).into_owned(),
        PackageKind::Go => {
            let comparable = version.strip_prefix('v').unwrap_or(&version);
            comparable
                .split('+')
                .next()?
                .clone_into(&mut package.source_version);
        }
        PackageKind::Composer => {
            version
                .strip_prefix('v')
                .unwrap_or(&version)
                .clone_into(&mut package.source_version);
        }
        // What follows is how often Bitnami has built it: '7.0.11-3' is not before 7.0.11.
        PackageKind::Bitnami => {
            if let Some((release, revision)) = version.rsplit_once('-')
                && revision.bytes().all(|byte| byte.is_ascii_digit())
            {
                release.clone_into(&mut package.source_version);
            }
        }
        _ => {}
    }
    of_tokens(package)
}

/// A text with its `%XX` decoded; `None` if that is not UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || (rest.next()? as char).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let packages = parse_sbom(text.as_bytes()).unwrap();
        let packages = packages.iter();
        packages
            .map(|p| {
                format!(
                    "{} {} {} {}",
                    p.kind.name(),
                    p.name,
                    p.version,
                    p.source_version
                )
            })
            .collect()
    }

    #[test]
    fn both_forms_name_packages_by_their_urls() {
        let cyclonedx = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
            {"type":"library","name":"x","purl":"pkg:npm/%40babel/core@7.12.3"},
            {"type":"application","components":[{"purl":"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar"}]},
            {"purl":"pkg:deb/debian/bash@5.2"},{"purl":"pkg:generic/x@1"},{"name":"none"}]}"#;
        assert_eq!(
            shown(cyclonedx),
            [
                "npm @babel/core 7.12.3 7.12.3",
                "maven org.apache.logging.log4j:log4j-core 2.14.1 2.14.1"
            ]
        );
        let spdx = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"redis","externalRefs":[
            {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl",
             "referenceLocator":"pkg:bitnami/redis@7.0.11-3?arch=amd64&distro=debian-11"},
            {"referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a:redis:redis:7.0.11"}]},
            {"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:golang/golang.org/x/net@v0.1.0"}]},
            {"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:pypi/Zope.Interface@5"}]}]}"#;
        assert_eq!(
            shown(spdx),
            [
                "python Zope.Interface 5 5",
                "go golang.org/x/net v0.1.0 0.1.0",
                "bitnami redis 7.0.11-3 7.0.11"
            ]
        );
    }

    #[test]
    fn what_is_no_list_has_no_packages_and_a_broken_one_is_said() {
        for text in ["", "{}", "SPDXID: SPDXRef-DOCUMENT\n", "\u{0}"] {
            assert_eq!(shown(text), [""; 0], "{text}");
        }
        let deep = format!(
            "{{\"bomFormat\":\"CycloneDX\",\"components\":{}",
            "[{\"components\":".repeat(10_000)
        );
        for text in ["{\"bomFormat\":", "{\"spdxVersion\":7}", &deep] {
            assert!(parse_sbom(text.as_bytes()).is_err());
        }
        assert!(parse_sbom(std::io::repeat(b' ')).is_err());
        for purl in [
            "",
            "pkg:",
            "pkg:npm",
            "pkg:npm/a",
            "pkg:npm/@",
            "pkg:npm/a%2@1",
            "pkg:npm/a@%ff",
            "npm/a@1",
        ] {
            assert_eq!(of_purl(purl), None, "{purl}");
        }
    }

    #[test]
    fn lists_are_known_by_their_names() {
        for (file, want) in [
            (".spdx-redis.spdx", true),
            ("app.cdx.json", true),
            ("app.spdx.json", true),
            ("bom.json", true),
            ("license.spdx", false),
            ("package.json", false),
        ] {
            assert_eq!(is_one(file), want, "{file}");
        }
    }
}
