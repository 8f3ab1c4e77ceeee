//! What Amazon and Oracle say of their packages, which OSV has not: an erratum becomes a record of
//! the OSV schema, whatever file it comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{oval, updateinfo, xml};
use crate::distribution::{AMAZON_EXTRAS, amazon_topic};
use crate::rpm_line::Build;

/// The most packages of one erratum.
pub(super) const PACKAGES_LIMIT: usize = 100_000;

/// The most versions of one package that an erratum repairs it with.
const VERSIONS_LIMIT: usize = 100;

/// The most vulnerabilities, and the most modules, of one erratum.
const NAMES_LIMIT: usize = 10_000;

/// The records of a file, and what of it could not be understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Errata {
    pub(super) records: Vec<Value>,
    /// What each part is, and why it says nothing.
    pub(super) not_understood: Vec<String>,
}

/// What a file says, if it is an `updateinfo.xml` or has OVAL definitions; `None` if it is no XML.
///
/// # Errors
/// It is other XML, is not well-formed, has a document type or more than is read.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Errata>, String> {
    match xml::root(bytes)?.as_deref() {
        None => Ok(None),
        Some(updateinfo::ROOT) => updateinfo::records(bytes).map(Some),
        Some(oval::ROOT) => oval::records(bytes).map(Some),
        Some(_) => {
            Err("it is XML, and neither an 'updateinfo.xml' nor OVAL definitions".to_owned())
        }
    }
}

/// An erratum, as far as it counts.
#[derive(Default)]
pub(super) struct Erratum {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) severity: String,
    pub(super) issued: String,
    pub(super) updated: String,
    cves: BTreeSet<String>,
    /// The streams of modules that it is about: `nodejs:18`.
    modules: BTreeSet<String>,
    /// By ecosystem, name and build, the versions that repair a package.
    packages: BTreeMap<(String, String, Build), BTreeSet<String>>,
    /// Packages of which it is not known what they are for, with their releases.
    unplaced: Vec<String>,
}

impl Erratum {
    /// Adds a vulnerability, if the text is the id of one.
    pub(super) fn add_cve(&mut self, id: &str) {
        if super::tables::is_cve(id) && self.cves.len() < NAMES_LIMIT {
            self.cves.insert(id.to_owned());
        }
    }

    /// Adds a stream of a module.
    pub(super) fn add_module(&mut self, name: &str, stream: &str) {
        if !name.is_empty() && !stream.is_empty() && self.modules.len() < NAMES_LIMIT {
            self.modules.insert(format!("{name}:{stream}"));
        }
    }

    /// Adds a package, and the version in which it is repaired: with an epoch.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn add_package(
        &mut self,
        ecosystem: Option<String>,
        name: &str,
        fixed: &str,
    ) -> Result<(), String> {
        if self.packages.len() + self.unplaced.len() >= PACKAGES_LIMIT {
            return Err(format!(
                "an erratum has more than {PACKAGES_LIMIT} packages"
            ));
        }
        let Some(ecosystem) = ecosystem.filter(|_| !name.is_empty()) else {
            self.unplaced.push(format!("{name}-{fixed}"));
            return Ok(());
        };
        let key = (ecosystem, name.to_owned(), Build::of(fixed));
        let all = self.packages.entry(key).or_default();
        if all.len() < VERSIONS_LIMIT {
            all.insert(fixed.to_owned());
        }
        Ok(())
    }

    /// Turns it into a record, and adds what it says nothing of to what was not understood.
    pub(super) fn finish(self, to: &mut Errata) {
        let id = match self.id.is_empty() {
            true => "an erratum without an id",
            false => &self.id,
        };
        let known = self.id.starts_with("ALAS") || self.id.starts_with("ELSA");
        if !known {
            let reason = "only those of Amazon Linux (ALAS) and Oracle Linux (ELSA) are read";
            to.not_understood.push(format!("{id}: {reason}"));
            return;
        }
        if let Some(first) = self.unplaced.first() {
            let count = self.unplaced.len();
            let reason = "are for no release of Amazon Linux or Oracle Linux that is told";
            to.not_understood
                .push(format!("{id}: {count} packages {reason}, such as {first}"));
        } else if self.packages.is_empty() {
            to.not_understood.push(format!("{id}: it names no package"));
        }
        if !self.packages.is_empty() {
            to.records.push(self.record());
        }
    }

    fn record(self) -> Value {
        let is_of_extras = amazon_topic(&self.id).is_some();
        let affected: Vec<Value> = self
            .packages
            .into_iter()
            .map(|((ecosystem, name, _), fixed)| {
                let ecosystem = match ecosystem.as_str() {
                    "Amazon Linux:2" if is_of_extras => AMAZON_EXTRAS,
                    ecosystem => ecosystem,
                };
                let ranges: Vec<Value> = fixed
                    .iter()
                    .map(|fixed| json!({"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}))
                    .collect();
                // Of several versions in one erratum only the highest surely repairs it: below any
                // of them a package is affected.
                json!({"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges})
            })
            .collect();
        let url = match self.id.starts_with("ELSA") {
            true => format!("https://linux.oracle.com/errata/{}.html", self.id),
            false => format!("https://alas.aws.amazon.com/{}.html", self.id),
        };
        // By its streams, before all else, matching tells what it is not about.
        let streams = self.modules.iter().filter(|of| !self.title.contains(*of));
        let streams: Vec<&str> = streams.map(String::as_str).collect();
        let summary = match streams.is_empty() {
            true => self.title.clone(),
            false => format!("{}: {}", streams.join(" "), self.title),
        };
        json!({
            "id": self.id,
            "modified": time(if self.updated.is_empty() { &self.issued } else { &self.updated }),
            "published": time(&self.issued),
            "upstream": self.cves,
            "summary": summary,
            "references": [{"type": "ADVISORY", "url": url}],
            "database_specific": {"severity": self.severity},
            "affected": affected,
        })
    }
}

/// The system that a release of a package is for, by what it ends in: `1.amzn2023.0.2`, `4.el8_10`,
/// `3.0.1.el9`, or by its module's: `3.module+el8.5.0+20408+1b2`.
pub(super) fn ecosystem_of(release: &str) -> Option<String> {
    let number = |after: &str| {
        let rest = &release[release.rfind(after)? + after.len()..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    // Amazon Linux 1 is numbered by its year.
    if let Some(number) = number(".amzn") {
        let number = if number == "1" {
            "2018".to_owned()
        } else {
            number
        };
        return Some(format!("Amazon Linux:{number}"));
    }
    let of_module = || number("module+el").or_else(|| number("module_el"));
    let number = number(".el").or_else(of_module)?;
    Some(format!("Oracle Linux:{number}"))
}

/// `2023-02-17 22:34` or `2023-02-17T22:34:00Z` as RFC 3339.
fn time(text: &str) -> String {
    let text = text.trim().replace(' ', "T");
    match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_name_their_system() {
        for (release, want) in [
            ("1.amzn2023.0.2", Some("Amazon Linux:2023")),
            ("19.amzn2", Some("Amazon Linux:2")),
            ("5.30.amzn1", Some("Amazon Linux:2018")),
            ("4.el8_10", Some("Oracle Linux:8")),
            ("3.module+el8.9.0+1+a", Some("Oracle Linux:8")),
            ("1.module_el9.1.0+2+b", Some("Oracle Linux:9")),
            ("2.0.2.ksplice1.el8_10", Some("Oracle Linux:8")),
            ("12.el8_fips", Some("Oracle Linux:8")),
            ("1.ol8", None),
            ("1", None),
        ] {
            assert_eq!(ecosystem_of(release).as_deref(), want, "{release}");
        }
    }

    #[test]
    fn what_is_no_such_file_or_hostile_is_refused() {
        assert_eq!(read(b"{}"), Ok(None));
        for text in [
            "<!DOCTYPE x [<!ENTITY a \"b\">]><updates/>",
            "<?xml version=\"1.0\"?><!DOCTYPE updates SYSTEM \"file:///etc/passwd\"><updates/>",
            "<?xml version=\"1.0\"?><other><a/></other>",
            "<updates><update></updates>",
            "<updates><update type=\"security\">",
            "<updates><update type=security></update></updates>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("<updates>{}", "<a>".repeat(1000));
        assert!(read(deep.as_bytes()).is_err());
    }
}
