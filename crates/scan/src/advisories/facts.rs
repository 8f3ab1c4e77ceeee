//! What a file of advisories says of vulnerabilities beside the advisories themselves.

use super::Advisories;
use super::vex::VexStatus;
use super::write::{NO_PROBABILITY, Section};
use crate::{Epss, Probability};

/// What tables say of a vulnerability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Facts<'a> {
    /// Since when it is listed as exploited.
    pub(crate) exploited: Option<&'a str>,
    pub(crate) epss: Option<Epss>,
}

/// A statement of an `OpenVEX` document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// Package URL and version.
    pub(crate) product: (&'a str, &'a str),
    /// The part of it that is spoken of; empty if it is the product itself.
    pub(crate) part: (&'a str, &'a str),
    pub(crate) status: VexStatus,
    pub(crate) justification: &'a str,
    pub(crate) by: &'a str,
}

impl Advisories {
    /// What tables say of a vulnerability by any of its names: of several the worst.
    pub(crate) fn facts<'n>(&self, names: impl Iterator<Item = &'n str>) -> Facts<'_> {
        let mut facts = Facts::default();
        for name in names.filter(|name| name.starts_with("CVE-")) {
            let all = 0..self.count(Section::Facts);
            let Some(row) = self.search(Section::Facts, all, name) else {
                continue;
            };
            let date = self.text(row, 8);
            if !date.is_empty() && facts.exploited.is_none_or(|known| date < known) {
                facts.exploited = Some(date);
            }
            let probability = |at| match row.u32(at) {
                NO_PROBABILITY => None,
                number => Some(Probability::from_hundred_thousandths(number)),
            };
            let epss = probability(16).zip(probability(20));
            let epss = epss.map(|(score, percentile)| Epss { score, percentile });
            facts.epss = facts.epss.max(epss);
        }
        facts
    }

    /// The statements about a vulnerability, by any of its names, the latest of each name last.
    pub(crate) fn statements<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> Vec<Statement<'_>> {
        let count = self.count(Section::Statements);
        let mut statements = Vec::new();
        if count == 0 {
            return statements;
        }
        for name in names {
            let (mut first, mut end) = (0, count);
            while first < end {
                let middle = first + (end - first) / 2;
                match self.text(self.row(Section::Statements, middle), 0) < name {
                    true => first = middle + 1,
                    false => end = middle,
                }
            }
            for row in (first..count).map(|index| self.row(Section::Statements, index)) {
                if self.text(row, 0) != name {
                    break;
                }
                let status = VexStatus::ALL.get(row.u32(56) as usize);
                statements.push(Statement {
                    product: (self.text(row, 8), self.text(row, 16)),
                    part: (self.text(row, 24), self.text(row, 32)),
                    // Anything else would be damage; it suppresses nothing.
                    status: status.copied().unwrap_or(VexStatus::Affected),
                    justification: self.text(row, 40),
                    by: self.text(row, 48),
                });
            }
        }
        statements
    }
}
