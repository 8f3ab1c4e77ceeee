//! `OpenVEX` documents: what those who make a product say of vulnerabilities of its parts.

use std::collections::BTreeMap;

use bonded_model::Timestamp;
use serde::Deserialize;

use super::record::or_default;

/// The most statements of one document, each about one vulnerability and product.
const STATEMENTS_LIMIT: usize = 1_000_000;

/// What the `@context` of a document begins with, and the type of a predicate that is one.
pub(crate) const NAMESPACE: &str = "https://openvex.dev/ns";

/// The longest text that is kept, in bytes.
const TEXT_LIMIT: usize = 500;

/// The four things that a statement may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum VexStatus {
    NotAffected,
    Affected,
    Fixed,
    UnderInvestigation,
}

impl VexStatus {
    pub(crate) const ALL: [Self; 4] = [
        Self::NotAffected,
        Self::Affected,
        Self::Fixed,
        Self::UnderInvestigation,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Affected => "affected",
            Self::Fixed => "fixed",
            Self::UnderInvestigation => "under_investigation",
        }
    }
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct About {
    /// One of the names of the vulnerability.
    pub(super) vulnerability: String,
    /// The package URL of the product, without version and qualifiers, and its version.
    pub(super) product: (String, String),
    /// The part of it that has the vulnerability; empty if the product itself does.
    pub(super) part: (String, String),
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) at: i64,
    pub(crate) status: VexStatus,
    pub(crate) justification: String,
    /// The document.
    pub(crate) by: String,
}

/// Statements, the latest about each thing.
#[derive(Debug, Default)]
pub(super) struct Statements(pub(super) BTreeMap<About, Said>);

impl Statements {
    /// Takes in a document, if the bytes are one; how many statements it makes.
    ///
    /// # Errors
    /// It is one and cannot be read.
    pub(super) fn add(&mut self, json: &[u8]) -> Result<Option<u64>, String> {
        #[derive(Deserialize)]
        struct Context {
            #[serde(rename = "@context")]
            context: String,
        }
        let context = serde_json::from_slice::<Context>(json);
        if !context.is_ok_and(|known| known.context.starts_with(NAMESPACE)) {
            return Ok(None);
        }
        let document: Document = serde_json::from_slice(json)
            .map_err(|error| bonded_model::shown(&error.to_string()))?;
        let mut all = Vec::new();
        for statement in &document.statements {
            statement.say(&document, &mut all)?;
            if all.len() > STATEMENTS_LIMIT {
                return Err(format!("it makes more than {STATEMENTS_LIMIT} statements"));
            }
        }
        let count = all.len() as u64;
        for (about, said) in all {
            match self.0.entry(about) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(said);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    if *entry.get() < said {
                        entry.insert(said);
                    }
                }
            }
        }
        Ok(Some(count))
    }
}

impl Statement {
    /// What it says, without what it says that of.
    ///
    /// # Errors
    /// Its status is none.
    pub(crate) fn said(&self, document: &Document) -> Result<Said, String> {
        let mut statuses = VexStatus::ALL.into_iter();
        let status = statuses.find(|status| status.name() == self.status);
        let status = status.ok_or_else(|| {
            let status = bonded_model::shown(&self.status);
            format!("'{status}' is no status of a statement")
        })?;
        let time = [&self.timestamp, &document.last_updated, &document.timestamp];
        let at = time
            .into_iter()
            .find_map(|text| Timestamp::parse_rfc3339(text));
        Ok(Said {
            at: at.map_or(0, Timestamp::as_millis),
            status,
            justification: cut(&self.justification),
            by: cut(&document.id),
        })
    }

    /// The names of its vulnerability.
    pub(crate) fn names(&self) -> Vec<String> {
        self.vulnerability.names()
    }

    fn say(&self, document: &Document, all: &mut Vec<(About, Said)>) -> Result<(), String> {
        let said = self.said(document)?;
        let names = self.names();
        for product in &self.products {
            let of_product = split(product.url());
            let mut parts: Vec<(String, String)> = product
                .parts()
                .iter()
                .map(|part| split(part.url()))
                .collect();
            if parts.is_empty() {
                parts.push(Default::default());
            }
            for part in parts {
                for name in &names {
                    let about = About {
                        vulnerability: name.clone(),
                        product: of_product.clone(),
                        part: part.clone(),
                    };
                    all.push((about, said.clone()));
                }
            }
            if all.len() > STATEMENTS_LIMIT {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A package URL without version and qualifiers, as it is compared, and its version.
pub(crate) fn split(url: &str) -> (String, String) {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (name, version) = match url.rsplit_once('@') {
        // The `@` of a scope of npm's is not that of a version.
        Some((name, version)) if !version.contains('/') => (name, version),
        _ => (url, ""),
    };
    (cut(&decoded(name).to_lowercase()), cut(&decoded(version)))
}

/// Percent-encoded bytes as what they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let hex = more.get(..2).filter(|_| first == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().filter(|c| !c.is_control()).collect();
    while cut.len() > TEXT_LIMIT {
        cut.pop();
    }
    cut
}

/// A document as it is written.
#[derive(Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "@id", default)]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    timestamp: String,
    #[serde(default, deserialize_with = "or_default")]
    last_updated: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) statements: Vec<Statement>,
}

#[derive(Deserialize)]
pub(crate) struct Statement {
    vulnerability: Vulnerability,
    #[serde(default, deserialize_with = "or_default")]
    timestamp: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) products: Vec<Product>,
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    justification: String,
}

/// A name alone is how version 0.0.1 had it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Named {
        #[serde(default, deserialize_with = "or_default")]
        name: String,
        #[serde(default, deserialize_with = "or_default")]
        aliases: Vec<String>,
    },
}

impl Vulnerability {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Name(name) => vec![cut(name)],
            Self::Named { name, aliases } => {
                [name].into_iter().chain(aliases).map(|n| cut(n)).collect()
            }
        };
        names.retain(|name| !name.is_empty());
        names
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Product {
    Url(String),
    Described(Described),
}

#[derive(Deserialize)]
pub(crate) struct Described {
    #[serde(rename = "@id", default, deserialize_with = "or_default")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    identifiers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    hashes: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    subcomponents: Vec<Product>,
}

impl Product {
    fn described(&self) -> Option<&Described> {
        match self {
            Self::Url(_) => None,
            Self::Described(described) => Some(described),
        }
    }

    /// What names it: its id, if that is a package URL, else the identifier that is one.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Url(url) => url,
            Self::Described(described) => match described.identifiers.get("purl") {
                Some(purl) if !described.id.starts_with("pkg:") => purl,
                _ => &described.id,
            },
        }
    }

    /// The hash of it by that algorithm, as `OpenVEX` names those: `sha-256`.
    pub(crate) fn hash(&self, algorithm: &str) -> Option<&str> {
        let described = self.described()?;
        described.hashes.get(algorithm).map(String::as_str)
    }

    pub(crate) fn parts(&self) -> &[Self] {
        self.described()
            .map_or(&[], |described| &described.subcomponents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_url_is_compared_without_its_version() {
        for (url, name, version) in [
            (
                "pkg:golang/github.com/A/b@v1.2",
                "pkg:golang/github.com/a/b",
                "v1.2",
            ),
            ("pkg:npm/%40scope/name@1?x=y#z", "pkg:npm/@scope/name", "1"),
            ("pkg:npm/@scope/name", "pkg:npm/@scope/name", ""),
            ("pkg:deb/debian/a@1%3A2%2bb", "pkg:deb/debian/a", "1:2+b"),
            ("pkg:x/%zz%", "pkg:x/%zz%", ""),
            ("", "", ""),
        ] {
            assert_eq!(split(url), (name.to_owned(), version.to_owned()));
        }
    }

    #[test]
    fn the_latest_statement_about_a_thing_counts() {
        let document = |id: &str, time: &str, status: &str| {
            format!(
                r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"{id}","timestamp":"{time}",
                "statements":[{{"vulnerability":{{"name":"CVE-1","aliases":["GHSA-1"]}},
                "products":[{{"@id":"pkg:pypi/x"}},"pkg:pypi/y@1",
                {{"@id":"app","identifiers":{{"purl":"pkg:pypi/z"}},
                "subcomponents":[{{"@id":"pkg:pypi/part"}}]}}],"status":"{status}"}}]}}"#
            )
        };
        let mut statements = Statements::default();
        for (id, time, status, want) in [
            ("a", "2026-01-02T00:00:00Z", "not_affected", "a"),
            ("b", "2026-01-03T00:00:00Z", "affected", "b"),
            ("c", "2026-01-01T00:00:00Z", "fixed", "b"),
        ] {
            let added = statements.add(document(id, time, status).as_bytes());
            assert_eq!(added, Ok(Some(6)));
            assert!(statements.0.values().all(|said| said.by == want));
        }
        let parts: Vec<_> = statements
            .0
            .keys()
            .map(|about| about.part.0.as_str())
            .collect();
        assert_eq!(parts, ["", "", "pkg:pypi/part", "", "", "pkg:pypi/part"]);
        assert!(
            statements
                .add(document("d", "", "maybe").as_bytes())
                .is_err()
        );
        assert_eq!(statements.add(br#"{"id":"X-1"}"#), Ok(None));
        assert_eq!(statements.0.len(), 6);
    }
}
