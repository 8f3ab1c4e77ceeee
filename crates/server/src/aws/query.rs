//! The Query protocol: a form in, XML out.
//!
//! `Tags.member.1.Key=a` becomes `{"Tags":[{"Key":"a"}]}`, so that an operation's input is one
//! serde type in either protocol. Lists are sparse maps until their end, so `x.member.999999999`
//! costs one entry.

use std::collections::BTreeMap;

use bonded_registry::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The most parameters of one form.
const PARAMETERS_LIMIT: usize = 1000;

/// How deep a parameter's name may go.
const DEPTH_LIMIT: usize = 8;

/// A parsed form.
pub(super) struct Form {
    pub(super) action: Option<String>,
    pub(super) version: Option<String>,
    /// All other parameters as a tree; scalars are texts.
    pub(super) parameters: Value,
}

/// Parses `application/x-www-form-urlencoded`.
///
/// # Errors
/// Too many parameters, a name twice, a name that is a scalar here and a structure there.
pub(super) fn parse(body: &[u8]) -> Result<Form> {
    let mut root = Node::default();
    let (mut action, mut version) = (None, None);
    for (i, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if i == PARAMETERS_LIMIT {
            return Err(Error::Validation(format!(
                "a request can have at most {PARAMETERS_LIMIT} parameters"
            )));
        }
        match name.as_ref() {
            "Action" if action.is_none() => action = Some(value.into_owned()),
            "Version" if version.is_none() => version = Some(value.into_owned()),
            name => {
                let clash = || {
                    Error::Validation(format!(
                        "the parameter '{}' contradicts another one",
                        name.escape_debug()
                    ))
                };
                root.insert(name, value.into_owned()).ok_or_else(clash)?;
            }
        }
    }
    Ok(Form {
        action,
        version,
        parameters: root.into_value(),
    })
}

/// A parameter, or a structure of parameters.
#[derive(Default)]
struct Node {
    scalar: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, name: &str, value: String) -> Option<()> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth == DEPTH_LIMIT || node.scalar.is_some() {
                return None;
            }
            node = node.members.entry(part.to_owned()).or_default();
        }
        if node.scalar.is_some() || !node.members.is_empty() {
            return None;
        }
        node.scalar = Some(value);
        Some(())
    }

    fn into_value(mut self) -> Value {
        if let Some(scalar) = self.scalar {
            return Value::String(scalar);
        }
        if self.members.len() == 1
            && let Some(list) = self.members.remove("member")
        {
            return list.into_list();
        }
        let members = self
            .members
            .into_iter()
            .map(|(name, node)| (name, node.into_value()));
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// The members of a list in the order of their numbers.
    fn into_list(self) -> Value {
        let numbered = self
            .members
            .into_iter()
            .filter_map(|(number, node)| Some((number.parse::<u64>().ok()?, node)));
        let ordered: BTreeMap<u64, Node> = numbered.collect();
        Value::Array(ordered.into_values().map(Node::into_value).collect())
    }
}

/// The answer around an operation's result.
pub(super) fn envelope(action: &str, namespace: &str, result: &str, request_id: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// `text` as XML content.
pub(super) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// A list in an answer: `<member>` for each item.
#[derive(Debug, Serialize)]
pub(super) struct List<T> {
    member: Vec<T>,
}

impl<T> From<Vec<T>> for List<T> {
    fn from(member: Vec<T>) -> Self {
        Self { member }
    }
}

/// Reads a whole number, which forms write as text.
pub(super) fn number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<u32>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: String| {
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!("'{}' is not a whole number", text.escape_debug()))
        })
    };
    text.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_become_a_tree() {
        let form =
            parse(b"Action=A&Version=1&Tags.member.2.Key=b&Tags.member.1.Key=a&P.Q=1&X=%C3%A9+y")
                .unwrap();
        assert_eq!(
            (form.action.as_deref(), form.version.as_deref()),
            (Some("A"), Some("1"))
        );
        let expected =
            serde_json::json!({"Tags":[{"Key":"a"},{"Key":"b"}],"P":{"Q":"1"},"X":"é y"});
        assert_eq!(form.parameters, expected);
    }

    #[test]
    fn a_huge_index_is_one_member() {
        let form = parse(b"Tags.member.999999999.Key=a&Tags.member.x=1").unwrap();
        assert_eq!(form.parameters, serde_json::json!({"Tags":[{"Key":"a"}]}));
    }

    #[test]
    fn contradictions_are_refused() {
        let many = "a=1&".repeat(PARAMETERS_LIMIT + 1);
        for body in [
            "A=1&A=2",
            "A=1&A.B=2",
            "A.B=2&A=1",
            "a.b.c.d.e.f.g.h.i=1",
            &many,
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
