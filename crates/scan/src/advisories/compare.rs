//! What two files of advisories say differently.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Advisories;
use super::facts::{Facts, Statement};
use super::file::{Advisory, Affected, Row, rows};
use super::write::Section;

impl Advisories {
    /// Whether there is an advisory of this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        let all = 0..self.count(Section::Advisories);
        self.search(Section::Advisories, all, id).is_some()
    }

    /// Whether an entry of ours and one of another file would give the same finding, of a version
    /// for which both come to the same.
    pub(crate) fn says_the_same(
        &self,
        ours: Affected<'_>,
        other: &Self,
        theirs: Affected<'_>,
    ) -> bool {
        let advisories = (
            self.row(Section::Advisories, ours.row.u32(0)),
            other.row(Section::Advisories, theirs.row.u32(0)),
        );
        let is_the_same = ours.rating() == theirs.rating()
            && self.same_texts(ours.row, other, theirs.row, &[24, 32])
            && self.same_texts(advisories.0, other, advisories.1, &[0, 8, 16, 24]);
        if !is_the_same {
            return false;
        }
        let has_beside = |of: &Self| {
            let sections = [Section::Facts, Section::Statements];
            sections.iter().any(|section| of.count(*section) > 0)
        };
        let (aliases, other_aliases) = (rows(advisories.0, 32), rows(advisories.1, 32));
        if aliases.len() == other_aliases.len()
            && !has_beside(self)
            && !has_beside(other)
            && aliases.zip(other_aliases).all(|(ours, theirs)| {
                let ours = self.row(Section::Aliases, ours);
                self.same_texts(ours, other, other.row(Section::Aliases, theirs), &[0])
            })
        {
            return true;
        }
        let names = self.names_of(ours.advisory());
        names == other.names_of(theirs.advisory()) && self.beside(&names) == other.beside(&names)
    }

    /// Whether a row of ours and one of another file have the same texts at some places.
    fn same_texts(&self, ours: Row<'_>, other: &Self, theirs: Row<'_>, places: &[usize]) -> bool {
        let mut places = places.iter();
        places.all(|at| self.text_bytes(ours, *at) == other.text_bytes(theirs, *at))
    }

    /// What tables and statements say of the vulnerability of these names.
    fn beside(&self, names: &[&str]) -> (Facts<'_>, Vec<Statement<'_>>) {
        let facts = self.facts(names.iter().copied());
        (facts, self.statements(names.iter().copied()))
    }

    /// Every name of the vulnerability that an advisory is about.
    pub(crate) fn names_of<'a>(&'a self, advisory: Advisory<'a>) -> Vec<&'a str> {
        let aliases = self.aliases(advisory);
        let mut names = Vec::with_capacity(2 + aliases.len());
        names.push(advisory.id);
        names.extend(Some(advisory.cve).filter(|cve| !cve.is_empty()));
        names.extend(aliases);
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The packages of an ecosystem of which `other` says something else.
    pub(crate) fn changed_packages(&self, other: &Self, ecosystem: &str) -> HashSet<String> {
        let packages = |advisories: &Self| {
            let row = advisories.ecosystem(ecosystem);
            row.map_or(0..0, |row| rows(row, 8))
        };
        let (mut ours, mut theirs) = (packages(self), packages(other));
        let mut changed = HashSet::new();
        while !ours.is_empty() || !theirs.is_empty() {
            let name = |advisories: &Self, rows: &std::ops::Range<u32>| {
                let row = advisories.row(Section::Packages, rows.start);
                (!rows.is_empty()).then(|| advisories.text(row, 0).to_owned())
            };
            let order = match (name(self, &ours), name(other, &theirs)) {
                (Some(a), Some(b)) => match a.cmp(&b) {
                    Ordering::Less => (Ordering::Less, a),
                    Ordering::Equal => (Ordering::Equal, a),
                    Ordering::Greater => (Ordering::Greater, b),
                },
                (Some(a), None) => (Ordering::Less, a),
                (None, Some(b)) => (Ordering::Greater, b),
                (None, None) => break,
            };
            let (order, name) = order;
            if order != Ordering::Equal || !self.same_package(ours.start, other, theirs.start) {
                changed.insert(name);
            }
            if order != Ordering::Greater {
                ours.start += 1;
            }
            if order != Ordering::Less {
                theirs.start += 1;
            }
        }
        changed
    }

    /// Whether two packages, by their rows, are said to be affected in the same versions by the
    /// same advisories.
    fn same_package(&self, ours: u32, other: &Self, theirs: u32) -> bool {
        let ours = rows(self.row(Section::Packages, ours), 8);
        let theirs = rows(other.row(Section::Packages, theirs), 8);
        ours.len() == theirs.len()
            && ours.zip(theirs).all(|(ours, theirs)| {
                let ours = self.affected(self.row(Section::Affected, ours));
                let theirs = other.affected(other.row(Section::Affected, theirs));
                self.says_the_same(ours, other, theirs)
                    && ours.ranges().eq(theirs.ranges())
                    && ours.versions().eq(theirs.versions())
            })
    }
}
