//! A header: one block of 512 bytes.

use super::{ArchiveError, BLOCK, EntryKind};

/// A block with a checksum that is right.
pub(super) struct Block([u8; BLOCK]);

/// What a header is for.
pub(super) enum Kind {
    /// An extended header of POSIX for the next entry.
    Pax,
    /// GNU's name of the next entry.
    LongName,
    /// GNU's target of the next entry, a link.
    LongTarget,
    /// GNU's old form of a file with holes.
    Sparse,
    Entry(EntryKind),
    Unknown,
}

impl Block {
    pub(super) fn parse(bytes: [u8; BLOCK]) -> Result<Self, ArchiveError> {
        let stated = number(&bytes[148..156])?;
        // The sum is of the header with spaces for the sum, of bytes or, by old programs, of signed
        // ones.
        let byte = |index: usize| match index {
            148..156 => b' ',
            _ => bytes[index],
        };
        let sum: i64 = (0..BLOCK).map(|index| i64::from(byte(index))).sum();
        let signed: i64 = (0..BLOCK)
            .map(|index| i64::from(byte(index).cast_signed()))
            .sum();
        if i64::try_from(stated).is_ok_and(|stated| stated == sum || stated == signed) {
            Ok(Self(bytes))
        } else {
            Err(ArchiveError::Malformed("a header has a wrong checksum"))
        }
    }

    pub(super) fn size(&self) -> Result<u64, ArchiveError> {
        number(&self.0[124..136])
    }

    pub(super) fn kind(&self) -> Kind {
        Kind::Entry(match self.0[156] {
            0 | b'0' | b'7' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            b'3' | b'4' | b'6' => EntryKind::Special,
            b'5' => EntryKind::Directory,
            b'g' => EntryKind::Global,
            b'x' => return Kind::Pax,
            b'L' => return Kind::LongName,
            b'K' => return Kind::LongTarget,
            b'S' if self.is_gnu() => return Kind::Sparse,
            _ => return Kind::Unknown,
        })
    }

    /// Whether the type is the one that old archives give to everything.
    pub(super) fn is_of_no_type(&self) -> bool {
        self.0[156] == 0
    }

    /// The name with the prefix that POSIX has for long ones.
    pub(super) fn name(&self) -> String {
        let name = text(&self.0[..100]);
        let prefix = match &self.0[257..265] {
            b"ustar\x0000" => {
                // A variant that keeps times behind a shorter prefix.
                let star = &self.0[508..512] == b"tar\0";
                text(&self.0[345..if star { 476 } else { 500 }])
            }
            _ => String::new(),
        };
        match prefix.is_empty() {
            true => name,
            false => format!("{prefix}/{name}"),
        }
    }

    pub(super) fn target(&self) -> String {
        text(&self.0[157..257])
    }

    /// Whether blocks with more of the map of a sparse file follow.
    pub(super) fn has_sparse_map(&self) -> bool {
        self.0[482] != 0
    }

    fn is_gnu(&self) -> bool {
        &self.0[257..265] == b"ustar  \0"
    }
}

/// The text up to the first NUL. Bytes that are not UTF-8 are replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// A number: octal digits, or binary if the first bit is set.
fn number(field: &[u8]) -> Result<u64, ArchiveError> {
    const INVALID: ArchiveError = ArchiveError::Malformed("a header has an impossible number");
    if let Some(first) = field.first()
        && first & 0x80 != 0
    {
        // The second bit is the sign.
        if first & 0x40 != 0 {
            return Err(INVALID);
        }
        let mut value = u64::from(first & 0x3f);
        for byte in &field[1..] {
            let shifted = value.checked_mul(256).ok_or(INVALID)?;
            value = shifted | u64::from(*byte);
        }
        return match i64::try_from(value) {
            Ok(_) => Ok(value),
            Err(_) => Err(INVALID),
        };
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(field.len());
    let end = field
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    let digits = &field[start..end];
    let digits = digits.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut value: u64 = 0;
    for digit in digits {
        if !(b'0'..=b'7').contains(digit) {
            return Err(INVALID);
        }
        // Twelve digits of three bits: nothing can overflow.
        value = value * 8 + u64::from(digit - b'0');
    }
    Ok(value)
}
