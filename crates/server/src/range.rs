//! Ranges of bytes: RFC 9110 §14, and the `Content-Range` of distribution-spec 1.1, "Pushing a blob
//! in chunks".

use std::ops::Range;

use bonded_model::shown;
use bonded_registry::{Error, Result};

/// The bytes that the header `Range` asks for of a blob of `size` bytes. `None` where the
/// specification has a server ignore the header: another unit, several ranges, or text that is no
/// range.
///
/// # Errors
/// [`Error::RangeNotSatisfiable`]: none of the bytes are there.
pub fn parse(header: &str, size: u64) -> Option<Result<Range<u64>>> {
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

/// The bytes of a blob that a body is, by its header `Content-Range`: `FIRST-LAST`, or the form of
/// RFC 9110, `bytes FIRST-LAST/SIZE`.
///
/// # Errors
/// [`Error::InvalidParameter`]: the text is neither.
pub fn content_range(header: &str) -> Result<Range<u64>> {
    let range = header.strip_prefix("bytes ").unwrap_or(header);
    let range = range.split('/').next().unwrap_or_default();
    let number = |text: &str| {
        let text = text.trim();
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits)
    };
    range
        .split_once('-')
        .and_then(|(first, last)| {
            let (first, last) = (number(first)?, number(last)?);
            Some(first..last.checked_add(1)?).filter(|range| !range.is_empty())
        })
        .ok_or_else(|| {
            Error::InvalidParameter(format!(
                "the header 'Content-Range: {}' is malformed; FIRST-LAST is expected",
                shown(header)
            ))
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

    #[test]
    fn content_ranges_state_where_a_body_belongs() {
        for (header, range) in [
            ("0-9", 0..10),
            ("bytes 5-5/10", 5..6),
            ("bytes 5-5/*", 5..6),
            (
                "18446744073709551614-18446744073709551614",
                u64::MAX - 1..u64::MAX,
            ),
        ] {
            assert_eq!(content_range(header).unwrap(), range, "{header}");
        }
        for header in [
            "",
            "-",
            "5",
            "5-",
            "-5",
            "9-8",
            "+1-2",
            "1-+2",
            "0-18446744073709551615",
            "99999999999999999999-99999999999999999999",
            "bytes */10",
        ] {
            assert!(content_range(header).is_err(), "{header}");
        }
    }
}
