//! Of which line of packages an rpm package is: one name has several in a distribution, and what is
//! said of one says nothing of the others.

use crate::advisories::Affected;
use crate::{Package, PackageKind};

/// The builds of a package that Oracle keeps beside each other, each with updates of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Build {
    #[default]
    Plain,
    /// Validated cryptography: `1:1.1.1k-12.el8_9_fips`.
    Fips,
    /// Patched while it runs: `2:2.28-151.0.1.ksplice2.el8`.
    Ksplice,
}

impl Build {
    /// By a version with its release, as Trivy tells them.
    pub(crate) fn of(version: &str) -> Self {
        let version = version.to_ascii_lowercase();
        if version.ends_with("_fips") {
            return Self::Fips;
        }
        match version.split('.').any(|part| part.starts_with("ksplice")) {
            true => Self::Ksplice,
            false => Self::Plain,
        }
    }
}

/// Whether an advisory is about another stream of a module than the package is of. The packages of
/// a stream have `.module` in their releases, and its advisories name it: `Important: nodejs:18
/// security update`. What cannot be told apart is compared.
pub(crate) fn is_of_other_stream(package: &Package, affected: Affected<'_>) -> bool {
    if package.kind != PackageKind::Rpm {
        return false;
    }
    let mut has_fixed = false;
    let of_module = affected.ranges().any(|range| {
        has_fixed |= range.fixed().is_some();
        range.fixed().is_some_and(|fixed| fixed.contains(".module"))
    });
    let is_modular = !package.module.is_empty() || package.version.contains(".module");
    if of_module != is_modular {
        // Without a version that repairs it nothing tells of which stream it is.
        return has_fixed;
    }
    if package.module.is_empty() {
        return false;
    }
    let mut streams = streams(affected.advisory().title).peekable();
    streams.peek().is_some() && streams.all(|stream| stream != package.module)
}

/// The streams of modules that a title names: `nodejs:18`; of `Red Hat Security Advisory: virt:rhel
/// and virt-devel:rhel security update` both.
fn streams(title: &str) -> impl Iterator<Item = &str> {
    let words = title
        .split_ascii_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    words.filter(|word| {
        let named = |text: &str| {
            let mut bytes = text.bytes();
            bytes.all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b)) && !text.is_empty()
        };
        // Names of modules are in lower case, those of advisories (`RHSA-2024:1`) are not.
        word.split_once(':').is_some_and(|(module, stream)| {
            named(module) && named(stream) && !module.bytes().any(|b| b.is_ascii_uppercase())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_told_by_their_versions() {
        for (version, want) in [
            ("2:2.28-151.0.1.ksplice2.el8", Build::Ksplice),
            ("1:1.0.2k-24.0.3.ksplice1.el7_9", Build::Ksplice),
            ("10:3.6.16-4.0.1.el8_fips", Build::Fips),
            ("3.6.16-4.0.1.el8_FIPS", Build::Fips),
            ("3.6.16-4.el8", Build::Plain),
            ("1.2-3.noksplice.el8", Build::Plain),
            ("1_fips.2-3.el8", Build::Plain),
        ] {
            assert_eq!(Build::of(version), want, "{version}");
        }
    }

    #[test]
    fn titles_name_streams() {
        for (title, want) in [
            ("Important: nodejs:18 security update", &["nodejs:18"][..]),
            (
                "Red Hat Security Advisory: virt:rhel and virt-devel:rhel security update",
                &["virt:rhel", "virt-devel:rhel"],
            ),
            (
                "ELSA-2023-1583:  nodejs:18, (php:7.4) update",
                &["nodejs:18", "php:7.4"],
            ),
            (
                "container-tools:ol8: ELSA-2022-1 (MODERATE)",
                &["container-tools:ol8"],
            ),
            ("RHSA-2024:1 https://a.example/b:c CVE: x :y z: update", &[]),
            ("", &[]),
        ] {
            assert_eq!(streams(title).collect::<Vec<_>>(), want, "{title}");
        }
    }
}
