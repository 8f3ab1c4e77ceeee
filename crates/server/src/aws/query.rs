//! The Query protocol: a form in, XML out.
//!
//! `Tags.member.1.Key=a` becomes `{"Tags":[{"Key":"a"}]}`, so that an operation's input is one
//! serde type in either protocol. Numbers of members are bounded and may have gaps: a list takes the
//! room of what was sent.

use std::collections::BTreeMap;

use bonded_model::shown;
use bonded_registry::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The most parameters of one form.
const PARAMETERS_LIMIT: usize = 1000;

/// The highest number of a list's member.
const MEMBERS_LIMIT: u32 = 1000;

/// How deep a parameter's name may go.
const DEPTH_LIMIT: usize = 8;

/// A parsed form.
#[derive(Debug)]
pub struct Form {
    /// The parameter `Action`.
    pub action: Option<String>,
    /// The parameter `Version`.
    pub version: Option<String>,
    /// All other parameters as a tree; scalars are texts.
    pub parameters: Value,
}

/// Parses `application/x-www-form-urlencoded`.
///
/// # Errors
/// Too many parameters, a name twice, a name that is a scalar here and a structure there.
pub fn parse(body: &[u8]) -> Result<Form> {
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
            "Action" | "Version" => {
                return Err(Error::Validation(format!(
                    "the parameter '{name}' stands twice"
                )));
            }
            name => {
                let clash = || {
                    Error::Validation(format!(
                        "the parameter '{}' contradicts another one",
                        shown(name)
                    ))
                };
                root.insert(name, value.into_owned()).ok_or_else(clash)?;
            }
        }
    }
    Ok(Form {
        action,
        version,
        parameters: root.into_value()?,
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

    fn into_value(mut self) -> Result<Value> {
        if let Some(scalar) = self.scalar {
            return Ok(Value::String(scalar));
        }
        if self.members.len() == 1
            && let Some(list) = self.members.remove("member")
        {
            return list.into_list();
        }
        let members = self.members.into_iter();
        let members = members.map(|(name, node)| Ok((name, node.into_value()?)));
        Ok(Value::Object(members.collect::<Result<Map<_, _>>>()?))
    }

    /// The members of a list in the order of their numbers, which may have gaps.
    fn into_list(self) -> Result<Value> {
        let mut ordered = BTreeMap::new();
        for (number, node) in self.members {
            let index = number
                .parse()
                .ok()
                .filter(|index| (1..=MEMBERS_LIMIT).contains(index));
            let index = index.ok_or_else(|| {
                let number = shown(&number);
                Error::Validation(format!(
                    "the member number '{number}' of a list is not one of 1 to {MEMBERS_LIMIT}"
                ))
            })?;
            ordered.insert(index, node);
        }
        let items = ordered.into_values().map(Node::into_value);
        Ok(Value::Array(items.collect::<Result<_>>()?))
    }
}

/// The answer around an operation's result.
pub(super) fn envelope(action: &str, namespace: &str, result: &str, request_id: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// `text` as XML content. Characters that XML 1.0 §2.2 does not allow become U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let disallowed = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r');
    let shown = text.replace(disallowed, "\u{fffd}");
    quick_xml::escape::escape(&shown).into_owned()
}

/// A list in an answer: `<member>` for each item.
#[derive(Debug, Default, Serialize)]
pub(super) struct List<T> {
    member: Vec<T>,
}

impl<T> From<Vec<T>> for List<T> {
    fn from(member: Vec<T>) -> Self {
        Self { member }
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self {
            member: items.into_iter().collect(),
        }
    }
}

/// Reads `true` or `false`, which forms write as text; absent is `false`.
pub(super) fn flag<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<bool, D::Error> {
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(text) => Err(serde::de::Error::custom(format!(
            "'{}' is not true or false",
            text.escape_debug()
        ))),
    }
}

/// Reads a list, of which an empty one is written as an empty text.
pub(super) fn list<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<T>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        value => serde_json::from_value(value).map_err(serde::de::Error::custom),
    }
}

/// Reads a whole number, which forms write as text.
pub(super) fn number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<u32>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: String| {
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!("'{}' is not a whole number", shown(&text)))
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
