//! As much of ELF as is needed to find a section, or what is at an address: of 32 and 64 bits, in
//! either order of bytes.

pub(super) struct Elf<'b> {
    bytes: &'b [u8],
    is_64_bit: bool,
    is_big_endian: bool,
}

/// Where things are: in the header the place of a table, the size of its rows and their count; in a
/// row the place of a content, its length, and its address in memory.
struct Fields {
    table: usize,
    size: usize,
    count: usize,
    place: usize,
    length: usize,
    address: usize,
}

const SECTIONS: [Fields; 2] = [
    fields([0x20, 0x2e, 0x30], [0x10, 0x14, 0x0c]),
    fields([0x28, 0x3a, 0x3c], [0x18, 0x20, 0x10]),
];

/// What is loaded into memory.
const SEGMENTS: [Fields; 2] = [
    fields([0x1c, 0x2a, 0x2c], [0x04, 0x10, 0x08]),
    fields([0x20, 0x36, 0x38], [0x08, 0x20, 0x10]),
];

/// Where the header says which section has the names of all.
const NAMES: [usize; 2] = [0x32, 0x3e];

const fn fields(header: [usize; 3], row: [usize; 3]) -> Fields {
    Fields {
        table: header[0],
        size: header[1],
        count: header[2],
        place: row[0],
        length: row[1],
        address: row[2],
    }
}

/// A table of the header: the place of its first row, the size of each, and how many there are.
struct Table {
    start: usize,
    size: usize,
    count: usize,
}

impl Table {
    /// The place of a row.
    fn row(&self, index: usize) -> Option<usize> {
        (index < self.count).then(|| self.start + index * self.size)
    }

    /// The places of all rows.
    fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count).filter_map(|index| self.row(index))
    }
}

impl<'b> Elf<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        let [0x7f, b'E', b'L', b'F', class @ 1..=2, order @ 1..=2, ..] = *bytes else {
            return None;
        };
        Some(Self {
            bytes,
            is_64_bit: class == 2,
            is_big_endian: order == 2,
        })
    }

    /// How many bytes an address has.
    pub(super) fn word(&self) -> usize {
        if self.is_64_bit { 8 } else { 4 }
    }

    /// A number of `length` bytes in a part of the program.
    pub(super) fn number_in(&self, part: &[u8], at: usize, length: usize) -> Option<usize> {
        let bytes = part.get(at..at.checked_add(length)?)?;
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = match self.is_big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        };
        usize::try_from(value).ok()
    }

    fn number(&self, at: usize, length: usize) -> Option<usize> {
        self.number_in(self.bytes, at, length)
    }

    /// A table that is in the program as a whole.
    fn table(&self, fields: &Fields) -> Option<Table> {
        let start = self.number(fields.table, self.word())?;
        let (size, count) = (self.number(fields.size, 2)?, self.number(fields.count, 2)?);
        self.bytes.get(start..start.checked_add(size * count)?)?;
        Some(Table { start, size, count })
    }

    /// The bytes of a section.
    pub(super) fn section(&self, name: &[u8]) -> Option<&'b [u8]> {
        let fields = &SECTIONS[usize::from(self.is_64_bit)];
        let content = |row: usize| {
            let place = self.number(row.checked_add(fields.place)?, self.word())?;
            let length = self.number(row.checked_add(fields.length)?, self.word())?;
            self.bytes.get(place..place.checked_add(length)?)
        };
        let index = self.number(NAMES[usize::from(self.is_64_bit)], 2)?;
        let table = self.table(fields)?;
        let names = content(table.row(index)?)?;
        let found = table.rows().find(|row| {
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
        let fields = &SEGMENTS[usize::from(self.is_64_bit)];
        self.table(fields)?.rows().find_map(|row| {
            let start = self.number(row.checked_add(fields.address)?, self.word())?;
            let length = self.number(row.checked_add(fields.length)?, self.word())?;
            let inside = address
                .checked_sub(start)
                .filter(|inside| *inside < length)?;
            let place = self
                .number(row.checked_add(fields.place)?, self.word())?
                .checked_add(inside)?;
            self.bytes.get(place..)
        })
    }
}
