//! As much of ELF as is needed to find a section, or what is at an address: of 64 bits,
//! little-endian, as nearly all programs in images are.

pub(super) struct Elf<'b>(&'b [u8]);

impl<'b> Elf<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        bytes.starts_with(b"\x7fELF\x02\x01").then_some(Self(bytes))
    }

    fn number(&self, at: usize, length: usize) -> Option<usize> {
        let bytes = self.0.get(at..at.checked_add(length)?)?;
        let value = bytes
            .iter()
            .rev()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).ok()
    }

    /// The place of the row of a table in the header: where the table begins, the size of its rows
    /// and their count are at these places.
    fn rows(&self, table: usize, size: usize, count: usize) -> Option<(usize, usize, usize)> {
        Some((
            self.number(table, 8)?,
            self.number(size, 2)?,
            self.number(count, 2)?,
        ))
    }

    /// The bytes of a section.
    pub(super) fn section(&self, name: &[u8]) -> Option<&'b [u8]> {
        let (table, size, count) = self.rows(0x28, 0x3a, 0x3c)?;
        let row = |index: usize| table.checked_add(index.checked_mul(size)?);
        let content = |row: usize| {
            let place = self.number(row.checked_add(0x18)?, 8)?;
            let length = self.number(row.checked_add(0x20)?, 8)?;
            self.0.get(place..place.checked_add(length)?)
        };
        let names = content(row(self.number(0x3e, 2)?)?)?;
        let found = (0..count).filter_map(row).find(|row| {
            let at = self.number(*row, 4).and_then(|at| names.get(at..));
            at.is_some_and(|at| {
                at.strip_prefix(name)
                    .is_some_and(|rest| rest.first() == Some(&0))
            })
        });
        content(found?)
    }

    /// The bytes from an address in memory on.
    pub(super) fn at_address(&self, address: usize) -> Option<&'b [u8]> {
        let (table, size, count) = self.rows(0x20, 0x36, 0x38)?;
        (0..count).find_map(|index| {
            let row = table.checked_add(index.checked_mul(size)?)?;
            let start = self.number(row.checked_add(0x10)?, 8)?;
            let length = self.number(row.checked_add(0x20)?, 8)?;
            let inside = address
                .checked_sub(start)
                .filter(|inside| *inside < length)?;
            let place = self
                .number(row.checked_add(0x08)?, 8)?
                .checked_add(inside)?;
            self.0.get(place..)
        })
    }
}
