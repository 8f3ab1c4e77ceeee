//! Whether a file of advisories can be read in place.

use super::Advisories;
use super::write::Section;

impl Advisories {
    /// Checks that every row refers to rows and texts that are there, and that names are sorted.
    pub(super) fn check_rows(&self) -> Result<(), &'static str> {
        const OUTSIDE: &str = "a row refers to one that is not there";
        let texts: &[(Section, &[usize])] = &[
            (Section::Ecosystems, &[0]),
            (Section::Packages, &[0]),
            (Section::Affected, &[24, 32]),
            (Section::Ranges, &[0, 8]),
            (Section::Versions, &[0]),
            (Section::Advisories, &[0, 8, 16, 24]),
            (Section::Aliases, &[0]),
            (Section::Facts, &[0, 8]),
            (Section::Statements, &[0, 8, 16, 24, 32, 40, 48]),
        ];
        for (section, places) in texts {
            for row in (0..self.count(*section)).map(|index| self.row(*section, index)) {
                if places
                    .iter()
                    .any(|place| self.checked_text(row, *place).is_none())
                {
                    return Err("a text is not there or is not UTF-8");
                }
            }
        }
        let references: &[(Section, usize, Section)] = &[
            (Section::Ecosystems, 8, Section::Packages),
            (Section::Packages, 8, Section::Affected),
            (Section::Affected, 4, Section::Ranges),
            (Section::Affected, 12, Section::Versions),
            (Section::Advisories, 32, Section::Aliases),
        ];
        for (section, place, to) in references {
            let most = self.count(*to);
            for row in (0..self.count(*section)).map(|index| self.row(*section, index)) {
                let end = row.u32(*place).checked_add(row.u32(*place + 4));
                if end.is_none_or(|end| end > most) {
                    return Err(OUTSIDE);
                }
            }
        }
        let advisories = self.count(Section::Advisories);
        for index in 0..self.count(Section::Affected) {
            if self.row(Section::Affected, index).u32(0) >= advisories {
                return Err(OUTSIDE);
            }
        }
        if !is_sorted(self.names(Section::Ecosystems, 0..self.count(Section::Ecosystems))) {
            return Err("its ecosystems are not sorted");
        }
        if !is_sorted(self.names(Section::Facts, 0..self.count(Section::Facts))) {
            return Err("its facts are not sorted");
        }
        let statements = 0..self.count(Section::Statements);
        if !self.names(Section::Statements, statements).is_sorted() {
            return Err("its statements are not sorted");
        }
        for index in 0..self.count(Section::Ecosystems) {
            let row = self.row(Section::Ecosystems, index);
            let packages = row.u32(8)..row.u32(8) + row.u32(12);
            if !is_sorted(self.names(Section::Packages, packages)) {
                return Err("its packages are not sorted");
            }
        }
        Ok(())
    }
}

fn is_sorted<'t>(texts: impl Iterator<Item = &'t str>) -> bool {
    texts.is_sorted_by(|a, b| a < b)
}
