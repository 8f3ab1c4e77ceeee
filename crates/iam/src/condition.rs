//! Condition blocks: `{operator: {key: values}}`, all of which must hold (iam.md §3).
//!
//! Everything is parsed once, with the policy. A clause that is not understood stays in the
//! policy and is *undefined*: it counts as false in an Allow and as true in a Deny.

mod operator;
mod value;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::IpNet;
use serde_json::Value;

use crate::pattern::{Match, Pattern, Syntax, arn_segments, segments_match};
use crate::request::{Context, ContextValue, fold_key};
use crate::ternary::Ternary;
use operator::Comparison;
pub(crate) use operator::{Base, Operator, SetOperator};
use value::is_base64_of;
pub(crate) use value::{Decimal, Instant, address_range, boolean};

/// One key under one operator with its values.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    /// The operator as written.
    pub(crate) operator: String,
    /// The key as written.
    pub(crate) key: String,
    /// The key in the form in which keys are compared.
    pub(crate) folded_key: String,
    /// What to test; `None` if it is not understood.
    pub(crate) test: Option<Test>,
}

/// An operator with its values.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) operator: Operator,
    pub(crate) values: Values,
}

/// The values of a clause, parsed for its operator.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Strings {
        patterns: Vec<Pattern>,
        fold: bool,
    },
    Arns(Vec<Vec<Pattern>>),
    Numbers(Comparison, Vec<Decimal<'static>>),
    Dates(Comparison, Vec<Instant>),
    Bools(Vec<bool>),
    Bytes(Vec<Vec<u8>>),
    Ranges(Vec<IpNet>),
    /// `Null`: whether the key must be absent.
    Absent(Vec<bool>),
}

impl Values {
    /// Reads all values for `base`; `None` if one of them cannot be read.
    fn parse(base: Base, texts: &[String], variables: bool) -> Option<Self> {
        fn each<T>(texts: &[String], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
            texts.iter().map(|text| read(text)).collect()
        }
        let pattern = |text: &str, wildcards| {
            Pattern::parse(
                text,
                Syntax {
                    wildcards,
                    variables,
                },
            )
        };
        Some(match base {
            Base::String { like, fold } => Self::Strings {
                patterns: each(texts, |text| pattern(text, like))?,
                fold,
            },
            Base::Arn => Self::Arns(each(texts, |text| arn_pattern(&pattern(text, true)?))?),
            Base::Numeric(comparison) => {
                let number = |text: &str| Decimal::parse(text).map(Decimal::into_owned);
                Self::Numbers(comparison, each(texts, number)?)
            }
            Base::Date(comparison) => Self::Dates(comparison, each(texts, Instant::parse)?),
            Base::Bool => Self::Bools(each(texts, boolean)?),
            Base::Binary => Self::Bytes(each(texts, |text| BASE64.decode(text).ok())?),
            Base::Ip => Self::Ranges(each(texts, address_range)?),
            Base::Null => Self::Absent(each(texts, boolean)?),
        })
    }

    /// Whether any of the values matches `got`; `None` if `got` is not of the operator's type.
    pub(crate) fn any_matches(&self, got: &str, context: &Context) -> Option<Ternary> {
        Some(match self {
            Self::Strings { patterns, fold } => Ternary::any(
                patterns
                    .iter()
                    .map(|p| p.matches(got, context, *fold).or_nothing()),
            ),
            Self::Arns(patterns) => {
                let arn = arn_segments(got)?;
                let matches = |p: &Vec<Pattern>| segments_match(p, &arn, context, false);
                Ternary::any(patterns.iter().map(matches).map(Match::or_nothing))
            }
            Self::Numbers(comparison, wanted) => {
                let got = Decimal::parse(got)?;
                wanted.iter().any(|w| comparison.holds(got.cmp(w))).into()
            }
            Self::Dates(comparison, wanted) => {
                let got = Instant::parse(got)?;
                wanted.iter().any(|w| comparison.holds(got.cmp(w))).into()
            }
            Self::Bools(wanted) => wanted.contains(&boolean(got)?).into(),
            Self::Bytes(wanted) => is_base64_of(got, wanted)?.into(),
            Self::Ranges(wanted) => {
                let got: IpAddr = got.parse().ok()?;
                wanted.iter().any(|range| range.contains(&got)).into()
            }
            Self::Absent(wanted) => wanted.contains(&false).into(),
        })
    }
}

/// The six segments of a pattern for an ARN; `None` if there are fewer, the first is not `arn`, or
/// a variable stands before the last.
fn arn_pattern(pattern: &Pattern) -> Option<Vec<Pattern>> {
    let segments = pattern.segments();
    let (_, before) = segments.split_last()?;
    let valid = before.len() == 5
        && before.first()?.is_literally("arn")
        && !before.iter().any(Pattern::has_variables);
    valid.then_some(segments)
}

impl Clause {
    /// Reads one key under one operator. What cannot be read makes the clause undefined.
    pub(crate) fn parse(operator: &str, key: &str, values: &Value, variables: bool) -> Self {
        let texts = texts(values);
        let test = texts
            .as_ref()
            .filter(|texts| !texts.is_empty())
            .and_then(|texts| {
                let operator = Operator::parse(operator)?;
                let values = Values::parse(operator.base, texts, variables)?;
                Some(Test { operator, values })
            });
        Self {
            operator: operator.to_owned(),
            key: key.to_owned(),
            folded_key: fold_key(key),
            test,
        }
    }

    /// A clause for something that is not a condition at all.
    pub(crate) fn undefined(operator: &str) -> Self {
        Self {
            operator: operator.to_owned(),
            key: String::new(),
            folded_key: String::new(),
            test: None,
        }
    }

    /// Whether operator and values are understood, whatever the request.
    pub(crate) fn is_understood(&self) -> bool {
        self.test.is_some()
    }

    /// The patterns among its values.
    pub(crate) fn patterns(&self) -> Vec<&Pattern> {
        match self.test.as_ref().map(|test| &test.values) {
            Some(Values::Strings { patterns, .. }) => patterns.iter().collect(),
            Some(Values::Arns(arns)) => arns.iter().flatten().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the clause holds; `None` if that is undefined.
    pub(crate) fn holds(&self, context: &Context) -> Option<Ternary> {
        let Test { operator, values } = self.test.as_ref()?;
        let (got, many) = match context.get_folded(&self.folded_key) {
            Some(ContextValue::Unknown) => return Some(Ternary::Unknown),
            Some(ContextValue::One(value)) => (std::slice::from_ref(value), false),
            Some(ContextValue::Many(values)) => (values.as_slice(), true),
            None => (&[][..], false),
        };
        if let Values::Absent(wanted) = values {
            return Some(wanted.contains(&got.is_empty()).into());
        }
        if got.is_empty() {
            let holds = match operator.set {
                Some(SetOperator::ForAllValues) => true,
                Some(SetOperator::ForAnyValue) => operator.if_exists,
                None => operator.if_exists || operator.negated,
            };
            return Some(holds.into());
        }
        let test = |value: &String| {
            let matched = values.any_matches(value, context)?;
            Some(if operator.negated { !matched } else { matched })
        };
        let Some(set) = operator.set else {
            return if many { None } else { test(got.first()?) };
        };
        // An empty string counts as no value.
        let tested: Option<Vec<Ternary>> = got.iter().filter(|v| !v.is_empty()).map(test).collect();
        match (set, tested?) {
            (SetOperator::ForAllValues, tested) => Some(Ternary::all(tested)),
            // Present, yet without a value: documentation does not say what IfExists makes of it.
            (SetOperator::ForAnyValue, tested) if tested.is_empty() && operator.if_exists => None,
            (SetOperator::ForAnyValue, tested) => Some(Ternary::any(tested)),
        }
    }
}

/// The texts of a value or a list of values: strings, and bare numbers and booleans. `None` if one
/// is something else.
fn texts(values: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match values {
        Value::Array(list) => list.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}

#[cfg(test)]
mod tests;
