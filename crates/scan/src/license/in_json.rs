//! What a member of JSON states of licences.

use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{STATEMENTS_LIMIT, stated};

/// The statements of a member of JSON, whatever form it has: a text, an object with `type` or `name`,
/// or a list of these. What has another form states nothing, and only so many are kept.
#[derive(Debug, Default)]
pub(crate) struct InJson(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for InJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InJsonVisitor)
    }
}

struct InJsonVisitor;

impl<'de> Visitor<'de> for InJsonVisitor {
    type Value = InJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a licence")
    }

    fn visit_str<E>(self, text: &str) -> Result<InJson, E> {
        Ok(InJson(stated(text).into_iter().collect()))
    }

    fn visit_unit<E>(self) -> Result<InJson, E> {
        Ok(InJson::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<InJson, E> {
        Ok(InJson::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<InJson, E> {
        Ok(InJson::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<InJson, E> {
        Ok(InJson::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<InJson, E> {
        Ok(InJson::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InJson, A::Error> {
        let mut found = InJson::default();
        while let Some(key) = map.next_key::<String>()? {
            if found.0.is_empty() && matches!(key.as_str(), "type" | "name") {
                found = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<InJson, A::Error> {
        let mut found = InJson::default();
        while found.0.len() < STATEMENTS_LIMIT {
            let Some(InJson(more)) = list.next_element()? else {
                return Ok(found);
            };
            found.0.extend(more);
        }
        found.0.truncate(STATEMENTS_LIMIT);
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_json_state_licences_in_any_form() {
        for (text, want) in [
            (r#""mit""#, vec!["MIT"]),
            (r#"{"url":[{}],"type":"MIT","name":"x"}"#, vec!["MIT"]),
            (
                r#"[{"type":"MIT"},"ISC",7,null,[["BSD"]]]"#,
                vec!["MIT", "ISC", "BSD"],
            ),
            ("null", vec![]),
            ("-1.5", vec![]),
            ("true", vec![]),
            ("{}", vec![]),
        ] {
            assert_eq!(
                serde_json::from_str::<InJson>(text).unwrap().0,
                want,
                "{text}"
            );
        }
        let many = format!("[{}]", vec![r#""a""#; 100_000].join(","));
        let found: InJson = serde_json::from_str(&many).unwrap();
        assert_eq!(found.0.len(), STATEMENTS_LIMIT);
    }
}
