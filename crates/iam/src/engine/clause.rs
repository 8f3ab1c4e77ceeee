//! Conditions in the form in which they are tested.

use std::collections::HashMap;

use crate::condition::{Clause, Operator, SetOperator, Values};
use crate::pattern::{Match, arn_segments};
use crate::request::{Context, ContextValue};
use crate::ternary::Ternary;

use super::glob::Glob;

/// One key under one operator.
#[derive(Debug, Clone)]
pub(super) struct ClauseTest {
    /// The place of the key among the policy's.
    key: usize,
    operator: Operator,
    values: ValueTests,
}

#[derive(Debug, Clone)]
enum ValueTests {
    Strings {
        globs: Box<[Glob]>,
        fold: bool,
    },
    /// Six segments each.
    Arns(Box<[Box<[Glob]>]>),
    /// What has no variables is tested as the reference tests it.
    Plain(Values),
}

/// The keys that the conditions of a policy ask for, folded to lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyTable(Box<[Box<str>]>);

/// A [`KeyTable`] in the making: each key with its place.
#[derive(Default)]
pub(super) struct KeyPlaces(HashMap<Box<str>, usize>);

impl KeyPlaces {
    fn place(&mut self, key: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(key.into()).or_insert(next)
    }

    pub(super) fn into_table(self) -> KeyTable {
        let mut keys: Vec<(Box<str>, usize)> = self.0.into_iter().collect();
        keys.sort_unstable_by_key(|(_, place)| *place);
        KeyTable(keys.into_iter().map(|(key, _)| key).collect())
    }
}

/// How many keys of a policy are looked up only once.
const KEPT: usize = 16;

/// The values of a policy's keys in one request.
pub(super) struct KeyValues<'a> {
    table: &'a KeyTable,
    context: &'a Context,
    /// The first keys that were asked for already.
    kept: [Option<Option<&'a ContextValue>>; KEPT],
}

impl<'a> KeyValues<'a> {
    pub(super) fn new(table: &'a KeyTable, context: &'a Context) -> Self {
        Self {
            table,
            context,
            kept: [None; KEPT],
        }
    }

    fn get(&mut self, place: usize) -> Option<&'a ContextValue> {
        if let Some(Some(value)) = self.kept.get(place) {
            return *value;
        }
        let key = self.table.0.get(place)?;
        let value = self.context.get_folded(key);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = Some(value);
        }
        value
    }
}

impl ClauseTest {
    /// Compiles a clause; `None` if it is not understood.
    pub(super) fn new(clause: &Clause, keys: &mut KeyPlaces) -> Option<Self> {
        let test = clause.test.as_ref()?;
        let values = match &test.values {
            Values::Strings { patterns, fold } => ValueTests::Strings {
                globs: patterns.iter().map(Glob::from).collect(),
                fold: *fold,
            },
            Values::Arns(arns) => ValueTests::Arns(
                arns.iter()
                    .map(|segments| segments.iter().map(Glob::from).collect())
                    .collect(),
            ),
            other => ValueTests::Plain(other.clone()),
        };
        Some(Self {
            key: keys.place(&clause.folded_key),
            operator: test.operator,
            values,
        })
    }

    /// Whether the clause holds; `None` if that is undefined.
    pub(super) fn holds(&self, keys: &mut KeyValues<'_>) -> Option<Ternary> {
        let context = keys.context;
        let value = keys.get(self.key);
        if let Some(ContextValue::Unknown) = value {
            return Some(Ternary::Unknown);
        }
        if let ValueTests::Plain(Values::Absent(wanted)) = &self.values {
            return Some(wanted.contains(&value.is_none()).into());
        }
        match (value, self.operator.set) {
            (Some(ContextValue::One(value)), None) => self.test(value, context),
            // Several values without a set operator are undefined.
            (Some(_), None) => None,
            (None, None) => Some((self.operator.if_exists || self.operator.negated).into()),
            (None, Some(SetOperator::ForAllValues)) => Some(Ternary::True),
            (None, Some(SetOperator::ForAnyValue)) => Some(self.operator.if_exists.into()),
            (Some(ContextValue::Many(values)), Some(set)) => self.of_set(set, values, context),
            (Some(ContextValue::One(value)), Some(set)) => {
                self.of_set(set, std::slice::from_ref(value), context)
            }
            (Some(ContextValue::Unknown), Some(_)) => Some(Ternary::Unknown),
        }
    }

    /// All or any of the values that are not empty.
    fn of_set(&self, set: SetOperator, values: &[String], context: &Context) -> Option<Ternary> {
        let (mut all, mut any, mut tested) = (Ternary::True, Ternary::False, false);
        for value in values.iter().filter(|value| !value.is_empty()) {
            let holds = self.test(value, context)?;
            all = all.min(holds);
            any = any.max(holds);
            tested = true;
        }
        match set {
            SetOperator::ForAllValues => Some(all),
            SetOperator::ForAnyValue if !tested && self.operator.if_exists => None,
            SetOperator::ForAnyValue => Some(any),
        }
    }

    /// One value of the request; `None` if it is not of the operator's type.
    fn test(&self, got: &str, context: &Context) -> Option<Ternary> {
        let matched = match &self.values {
            ValueTests::Strings { globs, fold } => Ternary::any(
                globs
                    .iter()
                    .map(|glob| glob.matches(got, context, *fold).or_nothing()),
            ),
            ValueTests::Arns(arns) => {
                let got = arn_segments(got)?;
                Ternary::any(
                    arns.iter()
                        .map(|globs| segments_match(globs, &got, context).or_nothing()),
                )
            }
            ValueTests::Plain(values) => values.any_matches(got, context)?,
        };
        Some(if self.operator.negated {
            !matched
        } else {
            matched
        })
    }
}

/// Whether each glob matches the segment at its place; those without a glob do not count.
pub(super) fn segments_match(globs: &[Glob], arn: &[&str; 6], context: &Context) -> Match {
    let mut result = Ternary::True;
    for (glob, segment) in globs.iter().zip(arn) {
        match glob.matches(segment, context, false) {
            Match::Known(Ternary::False) => return Match::Known(Ternary::False),
            Match::Known(value) => result = result.and(value),
            Match::Unresolved => return Match::Unresolved,
        }
    }
    Match::Known(result)
}
