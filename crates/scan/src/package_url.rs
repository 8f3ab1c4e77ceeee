//! Package URLs (ECMA-427), taken apart to be compared exactly.

use std::collections::BTreeMap;

use crate::database::decoded;

/// The types whose names are compared without regard to case.
const CASELESS: [&str; 8] = [
    "apk", "composer", "deb", "github", "golang", "npm", "oci", "pypi",
];

/// A package URL: `pkg:KIND/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageUrl {
    pub(crate) kind: String,
    /// Namespace and name, decoded, in lower case where its type has no other.
    pub(crate) path: String,
    /// Decoded; empty if none is named.
    pub(crate) version: String,
    /// Decoded.
    pub(crate) qualifiers: BTreeMap<String, String>,
    subpath: String,
}

impl PackageUrl {
    /// `None` if the text is no package URL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
        let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        let (path, version) = match rest.rsplit_once('@') {
            // The `@` of a scope of npm's is not that of a version.
            Some((path, version)) if !path.is_empty() && !version.contains('/') => (path, version),
            _ => (rest, ""),
        };
        let kind = kind.to_ascii_lowercase();
        let mut path = decoded(path.trim_matches('/'))?;
        if CASELESS.contains(&kind.as_str()) {
            path = path.to_lowercase();
        }
        if kind == "pypi" {
            path = path.replace('_', "-");
        }
        let mut qualifiers = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=')?;
            qualifiers.insert(key.to_ascii_lowercase(), decoded(value)?);
        }
        qualifiers.retain(|_, value| !value.is_empty());
        let is_whole = !kind.is_empty() && !path.is_empty();
        is_whole.then_some(Self {
            kind,
            path,
            version: decoded(version)?,
            qualifiers,
            subpath: decoded(subpath.trim_matches('/'))?,
        })
    }

    /// Whether what it names is `package`, or `package` is one of what it names: everything that it
    /// says is said of that too.
    pub(crate) fn covers(&self, package: &Self) -> bool {
        // A version of Go has a `v`, which not everybody writes.
        let plain = |url: &Self| match url.kind.as_str() {
            "golang" => url
                .version
                .strip_prefix('v')
                .unwrap_or(&url.version)
                .to_owned(),
            _ => url.version.clone(),
        };
        self.kind == package.kind
            && self.path == package.path
            && (self.version.is_empty() || plain(self) == plain(package))
            && (self.subpath.is_empty() || self.subpath == package.subpath)
            && self
                .qualifiers
                .iter()
                .all(|(key, value)| package.qualifiers.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_covers_what_all_of_it_is_true_of() {
        let own = "pkg:deb/debian/libstdc%2B%2B6@1:12.2-1?arch=amd64&distro=debian-12";
        for (url, package, want) in [
            ("pkg:deb/debian/libstdc++6", own, true),
            ("pkg:DEB/Debian/libstdc%2b%2b6@1%3A12.2-1", own, true),
            ("pkg:deb/debian/libstdc++6?arch=amd64", own, true),
            ("pkg:deb/debian/libstdc++6?arch=arm64", own, false),
            ("pkg:deb/debian/libstdc++6?vcs_url=x", own, false),
            ("pkg:deb/debian/libstdc++6@12.2-1", own, false),
            ("pkg:deb/ubuntu/libstdc++6", own, false),
            ("pkg:deb/debian/libstdc++", own, false),
            ("pkg:rpm/debian/libstdc++6", own, false),
            ("pkg:npm/%40a/b@1", "pkg:npm/@a/b@1", true),
            ("pkg:npm/@a/b", "pkg:npm/%40a/b@1", true),
            ("pkg:npm/b", "pkg:npm/%40a/b@1", false),
            ("pkg:golang/a/b@1.2", "pkg:golang/a/b@v1.2", true),
            ("pkg:golang/a/b@1.2#c", "pkg:golang/a/b@v1.2", false),
            ("pkg:pypi/A_b", "pkg:pypi/a-b@1", true),
            ("pkg:maven/Org/x", "pkg:maven/org/x@1", false),
            ("pkg:gem/rails@7", "pkg:gem/rails@7.1", false),
        ] {
            let [url_of, package_of] = [url, package].map(|u| PackageUrl::parse(u).unwrap());
            assert_eq!(url_of.covers(&package_of), want, "{url} {package}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "pkg:",
            "pkg:npm",
            "pkg:npm/",
            "npm/a",
            "pkg:npm/a%2",
            "pkg:a/b?c",
        ] {
            assert_eq!(PackageUrl::parse(text), None, "{text}");
        }
    }
}
