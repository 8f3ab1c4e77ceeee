//! Which severity an advisory has, by the first of these that states one: the advisory itself, the
//! urgency that the distribution gives it, any record of the same vulnerability. What none rates is
//! unrated.

use std::collections::HashMap;

use super::record::{AffectedRecord, Record, Specific, Vector};
use crate::{Rating, Severity};

/// A rating, and what it was computed from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rated {
    pub(super) rating: Rating,
    /// The CVSS vector, if there was one.
    pub(super) vector: String,
    /// The record that states it.
    pub(super) by: String,
}

/// What a record says of itself, for all that it affects.
pub(super) fn of_record(record: &Record) -> Option<Rated> {
    worst(&record.severity, &record.id).or_else(|| of_word(&record.database_specific, &record.id))
}

/// What a record says of one package: more particular than what it says of itself.
pub(super) fn of_affected(affected: &AffectedRecord, id: &str) -> Option<Rated> {
    worst(&affected.severity, id)
}

/// The urgency that a distribution gives to a package.
pub(super) fn of_distribution(affected: &AffectedRecord, id: &str) -> Option<Rated> {
    of_word(&affected.ecosystem_specific, id).or_else(|| of_word(&affected.database_specific, id))
}

fn worst(vectors: &[Vector], id: &str) -> Option<Rated> {
    let rated = vectors.iter().filter_map(|vector| {
        let rating = Rating::from_osv(&vector.kind, &vector.score).ok()?;
        Some(Rated {
            rating,
            vector: match rating.score {
                Some(_) => vector.score.clone(),
                None => String::new(),
            },
            by: id.to_owned(),
        })
    });
    rated.max()
}

fn of_word(specific: &Specific, id: &str) -> Option<Rated> {
    Some(Rated {
        rating: Rating {
            severity: Severity::from_word(&specific.word)?,
            score: None,
        },
        vector: String::new(),
        by: id.to_owned(),
    })
}

/// The ratings of vulnerabilities by every name that a rated record has for them.
#[derive(Default)]
pub(super) struct Ratings(HashMap<String, Vec<Rated>>);

impl Ratings {
    /// Notes a rating under the names of the record that states it.
    pub(super) fn add<'n>(&mut self, names: impl Iterator<Item = &'n str>, rated: &Rated) {
        for name in names {
            let known = self.0.entry(name.to_owned()).or_default();
            // The two worst are enough: one may be of the record that asks.
            known.push(rated.clone());
            known.sort_by(|a, b| b.cmp(a));
            known.dedup_by(|a, b| a.by == b.by);
            known.truncate(2);
        }
    }

    /// The worst rating that another record than `id` gives to any of `names`.
    pub(super) fn worst<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        id: &str,
    ) -> Option<&Rated> {
        let known = names.filter_map(|name| self.0.get(name)).flatten();
        known.filter(|rated| rated.by != id).max()
    }
}
