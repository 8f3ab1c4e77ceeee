//! The values of context keys as a simulation is given them: with a type that they must have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::condition::{Decimal, Instant, address_range, boolean};
use crate::request::ContextValue;

/// Whether a text is a value of a type.
type IsValue = fn(&str) -> bool;

/// `ContextKeyType` of IAM's `ContextEntry`.
#[derive(Debug, Clone, Copy)]
pub struct ContextKeyType {
    /// Its name.
    name: &'static str,
    /// Whether one text is a value of it.
    is_value: IsValue,
    /// Whether the key may have several values.
    is_list: bool,
}

impl ContextKeyType {
    /// The type with this name, which is matched exactly.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let kinds: [(&str, &str, IsValue); 6] = [
            ("string", "stringList", |_| true),
            ("numeric", "numericList", |text| {
                Decimal::parse(text).is_some()
            }),
            ("boolean", "booleanList", |text| boolean(text).is_some()),
            ("ip", "ipList", |text| {
                text.parse::<std::net::IpAddr>().is_ok() || address_range(text).is_some()
            }),
            ("binary", "binaryList", |text| BASE64.decode(text).is_ok()),
            ("date", "dateList", |text| Instant::parse(text).is_some()),
        ];
        kinds.into_iter().find_map(|(one, list, is_value)| {
            let of = |name, is_list| Self {
                name,
                is_value,
                is_list,
            };
            match name {
                _ if name == one => Some(of(one, false)),
                _ if name == list => Some(of(list, true)),
                _ => None,
            }
        })
    }

    /// The names of all types, as a text.
    #[must_use]
    pub fn names() -> &'static str {
        "string, stringList, numeric, numericList, boolean, booleanList, ip, ipList, binary, \
         binaryList, date, dateList"
    }

    /// The value of a key of this type.
    ///
    /// # Errors
    /// One text is not a value of the type, or their number is not one and the type is no list.
    /// The message says so.
    pub fn read(self, values: Vec<String>) -> Result<ContextValue, String> {
        if let Some(wrong) = values.iter().find(|value| !(self.is_value)(value)) {
            let shown = bonded_model::shown(wrong);
            return Err(format!(
                "the value '{shown}' is not of the type {}",
                self.name
            ));
        }
        if self.is_list {
            return Ok(ContextValue::Many(values));
        }
        match <[String; 1]>::try_from(values) {
            Ok([value]) => Ok(ContextValue::One(value)),
            Err(values) => Err(format!(
                "the type {} takes one value and got {}; give several to the type {}List",
                self.name,
                values.len(),
                self.name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_must_be_of_its_type() {
        for (kind, right, wrong) in [
            ("string", &["", "any é"][..], &[][..]),
            ("numeric", &["1", "-12.50"], &["", "abc", "1e3", "1."]),
            ("boolean", &["true", "FALSE"], &["", "yes", "1"]),
            (
                "ip",
                &["10.0.0.1", "10.0.0.0/8", "2001:db8::1"],
                &["", "10.0.0", "a"],
            ),
            ("binary", &["", "QUJD"], &["QUJ", "*"]),
            (
                "date",
                &["2026-11-27T12:00:00Z", "1764244800"],
                &["", "today"],
            ),
        ] {
            let one = ContextKeyType::named(kind).unwrap();
            let list = ContextKeyType::named(&format!("{kind}List")).unwrap();
            for value in right {
                let value = (*value).to_owned();
                assert_eq!(
                    one.read(vec![value.clone()]),
                    Ok(ContextValue::One(value.clone()))
                );
                let several = vec![value.clone(), value];
                assert!(one.read(several.clone()).is_err(), "{kind}");
                assert_eq!(list.read(several.clone()), Ok(ContextValue::Many(several)));
            }
            for value in wrong {
                assert!(
                    one.read(vec![(*value).to_owned()]).is_err(),
                    "{kind} {value}"
                );
                let with_another = vec!["1".to_owned(), (*value).to_owned()];
                assert!(list.read(with_another).is_err(), "{kind} {value}");
            }
            assert!(one.read(Vec::new()).is_err());
            assert_eq!(list.read(Vec::new()), Ok(ContextValue::Many(Vec::new())));
        }
    }

    #[test]
    fn the_types_are_those_of_iam() {
        let names: Vec<&str> = ContextKeyType::names().split(", ").collect();
        assert_eq!(names.len(), 12);
        assert!(
            names
                .iter()
                .all(|name| ContextKeyType::named(name).is_some())
        );
        for name in ["", "String", "stringlist", "int", "integerList"] {
            assert!(ContextKeyType::named(name).is_none(), "{name}");
        }
    }
}
