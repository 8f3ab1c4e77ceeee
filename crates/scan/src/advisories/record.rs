//! A record of the OSV schema (1.7), as tolerant as its real producers need it.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What of a record counts.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) modified: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) published: String,
    #[serde(default)]
    pub(super) withdrawn: Option<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) upstream: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) summary: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) details: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) severity: Vec<Vector>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) references: Vec<Reference>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) affected: Vec<AffectedRecord>,
    #[serde(default)]
    pub(super) database_specific: Specific,
}

/// An entry of `severity`.
#[derive(Debug, Deserialize)]
pub(super) struct Vector {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) score: String,
}

/// An entry of `references`.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) url: String,
}

/// An entry of `affected`.
#[derive(Debug, Deserialize)]
pub(super) struct AffectedRecord {
    #[serde(default)]
    pub(super) package: Option<PackageName>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ranges: Vec<RangeRecord>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) versions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) severity: Vec<Vector>,
    #[serde(default)]
    pub(super) ecosystem_specific: Specific,
    #[serde(default)]
    pub(super) database_specific: Specific,
}

#[derive(Debug, Deserialize)]
pub(super) struct PackageName {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ecosystem: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RangeRecord {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) events: Vec<Event>,
}

/// One of its members is there.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Event {
    pub(super) introduced: Option<String>,
    pub(super) fixed: Option<String>,
    pub(super) last_affected: Option<String>,
    pub(super) limit: Option<String>,
}

/// What a database adds of its own, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Specific {
    /// A severity or an urgency, as a word.
    pub(super) word: String,
    /// RustSec: not a vulnerability, but a notice of some kind.
    pub(super) informational: String,
    /// The package is listed to say that it is not affected.
    pub(super) not_affected: bool,
    /// The Ruby Advisory Database: what requirements of gems hold for versions that are safe.
    pub(super) safe: Option<Vec<String>>,
}

/// Any JSON: what is not understood says nothing.
impl<'de> Deserialize<'de> for Specific {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Members(Box<Members>),
            Other(serde::de::IgnoredAny),
        }
        #[derive(Deserialize)]
        struct Members {
            severity: Option<Value>,
            urgency: Option<Value>,
            priority: Option<Value>,
            informational: Option<Value>,
            not_affected: Option<Value>,
            patched_versions: Option<Value>,
            unaffected_versions: Option<Value>,
        }
        Ok(match Any::deserialize(deserializer)? {
            Any::Other(_) => Self::default(),
            Any::Members(members) => {
                let members = *members;
                let text = |value: Option<Value>| match value {
                    Some(Value::String(text)) => text,
                    _ => String::new(),
                };
                let words = [members.severity, members.urgency, members.priority].map(text);
                Self {
                    word: words
                        .into_iter()
                        .find(|word| !word.is_empty())
                        .unwrap_or_default(),
                    informational: text(members.informational),
                    not_affected: members.not_affected == Some(Value::Bool(true)),
                    safe: members.patched_versions.map(|patched| {
                        let lists = [Some(patched), members.unaffected_versions];
                        let all = lists.into_iter().flatten().flat_map(|list| match list {
                            Value::Array(list) => list,
                            _ => Vec::new(),
                        });
                        all.map(|version| text(Some(version))).collect()
                    }),
                }
            }
        })
    }
}

/// `null` is as good as nothing.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Record {
    /// Whether it has been taken back.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn
            .as_ref()
            .is_some_and(|withdrawn| !withdrawn.is_null())
    }

    /// A line about it for people.
    pub(super) fn title(&self) -> String {
        let text = match self.summary.trim() {
            "" => self.details.trim(),
            summary => summary,
        };
        text.lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect()
    }

    /// Where people read about it.
    pub(super) fn url(&self) -> String {
        let of = |kind: &str| {
            let mut references = self.references.iter();
            references.find(|reference| kind.is_empty() || reference.kind == kind)
        };
        let reference = of("ADVISORY").or_else(|| of("WEB")).or_else(|| of(""));
        let url = reference
            .map(|reference| reference.url.as_str())
            .unwrap_or_default();
        let safe = url.starts_with("https://") || url.starts_with("http://");
        match safe && url.len() <= 500 {
            true => url.to_owned(),
            false => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_its_producers_write_it() {
        let json = r#"{"id":"X-1","modified":null,"aliases":null,"withdrawn":null,
            "summary":"One\nline","affected":[{"package":null,"ranges":null,
            "ecosystem_specific":{"urgency":"low**"},"database_specific":[1]},
            {"database_specific":{"informational":"notice","severity":7}}],
            "database_specific":{"severity":"HIGH","cwe_ids":[]},
            "references":[{"type":"WEB","url":"javascript:x"},
            {"type":"ADVISORY","url":"https://example.org/x"}],"new":{"a":[]}}"#;
        let record: Record = serde_json::from_str(json).unwrap();
        assert!(!record.is_withdrawn());
        assert_eq!(record.title(), "One");
        assert_eq!(record.url(), "https://example.org/x");
        assert_eq!(record.database_specific.word, "HIGH");
        assert_eq!(record.affected[0].ecosystem_specific.word, "low**");
        assert_eq!(record.affected[1].database_specific.informational, "notice");
        assert_eq!(record.affected[0].database_specific, Specific::default());
    }
}
