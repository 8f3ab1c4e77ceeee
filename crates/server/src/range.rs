//! One range of bytes: RFC 9110 §14.

use std::ops::Range;

use bonded_registry::{Error, Result};

/// The bytes that `header` asks for of a blob of `size` bytes. `None` where the specification has
/// a server ignore the header: another unit, several ranges, or text that is no range.
pub(super) fn parse(header: &str, size: u64) -> Option<Result<Range<u64>>> {
    let spec = header.strip_prefix("bytes=")?.trim();
    let (first, last) = spec.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) || (first.is_empty() && last.is_empty()) {
        return None;
    }
    // A number too long for us lies beyond every blob.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    let range = if first.is_empty() {
        size.saturating_sub(number(last))..size
    } else if last.is_empty() {
        number(first)..size
    } else {
        number(first)..number(last).saturating_add(1).min(size)
    };
    let satisfiable = range.start < range.end
        && (last.is_empty() || first.is_empty() || number(first) <= number(last));
    Some(if satisfiable {
        Ok(range)
    } else {
        Err(Error::RangeNotSatisfiable(size))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_blob() {
        for (header, range) in [
            ("bytes=500-1499", 500..1499 + 1),
            ("bytes=500-", 500..2048),
            ("bytes=-500", 1548..2048),
            ("bytes=-5000", 0..2048),
            ("bytes=2000-5000", 2000..2048),
            ("bytes=0-99999999999999999999999", 0..2048),
        ] {
            assert_eq!(parse(header, 2048).unwrap().unwrap(), range, "{header}");
        }
        for header in ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0"] {
            assert!(parse(header, 2048).unwrap().is_err(), "{header}");
        }
        for header in [
            "",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
        ] {
            assert!(parse(header, 2048).is_none(), "{header}");
        }
        assert!(parse("bytes=0-", 0).unwrap().is_err());
    }
}
