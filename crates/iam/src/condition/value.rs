//! The values conditions compare: exact decimals, instants, addresses.
//!
//! Everything here is parsed strictly. What does not parse is *undefined* (iam.md §5), never a
//! guess. Nothing here allocates for a value of a request.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::{IpNet, Ipv4Net};

/// A decimal number, compared exactly: a 64-bit float would call different large numbers equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal<'t> {
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: Cow<'t, str>,
    /// Digits after the point, without trailing zeros.
    fraction: Cow<'t, str>,
}

impl<'t> Decimal<'t> {
    /// Reads `-12.50`: an optional sign, digits, and optionally a point with digits.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self {
            negative: negative && !zero,
            whole: whole.into(),
            fraction: fraction.into(),
        })
    }

    /// The same number, kept.
    pub(crate) fn into_owned(self) -> Decimal<'static> {
        Decimal {
            negative: self.negative,
            whole: self.whole.into_owned().into(),
            fraction: self.fraction.into_owned().into(),
        }
    }

    fn size(&self, other: &Self) -> Ordering {
        let length = self.whole.len().cmp(&other.whole.len());
        length
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A point in time: seconds since 1970 and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(i64, u32);

impl Instant {
    /// Reads the W3C subset of ISO 8601 (`2026-11`, `2026-11-22`, `2026-11-22T09:30Z`,
    /// `…T09:30:00.5+09:00`; a time needs its zone) or whole seconds since 1970. Four digits alone
    /// are refused: they could be a year or seconds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return (text.len() != 4).then_some(Self(text.parse().ok()?, 0));
        }
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4)?;
        let month = digits(parts.next()?, 2)?;
        let day = match (parts.next(), time) {
            (Some(day), _) => digits(day, 2)?,
            (None, None) => 1,
            (None, Some(_)) => return None,
        };
        if parts.next().is_some() {
            return None;
        }
        let (seconds, nanos) = time.map_or(Some((0, 0)), time_of_day)?;
        let midnight = jiff::civil::Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        )
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_second();
        Some(Self(midnight.checked_add(seconds)?, nanos))
    }
}

/// Seconds after midnight UTC, possibly negative or more than a day, and nanoseconds, from
/// `09:30Z`, `09:30:00Z`, `09:30:00.5+09:00`.
fn time_of_day(text: &str) -> Option<(i64, u32)> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (clock, zone) = text.split_at(zone_at);
    let offset = if zone == "Z" {
        0
    } else {
        let sign = if zone.starts_with('-') { -1 } else { 1 };
        sign * hours_and_minutes(zone.get(1..)?)?
    };
    let (clock, nanos) = match clock.split_once('.') {
        // A fraction needs seconds before it.
        Some((clock, _)) if clock.len() != 8 => return None,
        Some((clock, fraction)) if (1..=9).contains(&fraction.len()) => {
            let scale = 9 - u32::try_from(fraction.len()).ok()?;
            (clock, digits(fraction, fraction.len())? * 10_u32.pow(scale))
        }
        Some(_) => return None,
        None => (clock, 0),
    };
    let (minutes, seconds) = match clock.len() {
        5 => (clock, 0),
        8 => (
            clock.get(..5)?,
            digits(clock.get(5..)?.strip_prefix(':')?, 2)?,
        ),
        _ => return None,
    };
    if seconds > 59 {
        return None;
    }
    let seconds = hours_and_minutes(minutes)? + i64::from(seconds) - offset;
    Some((seconds, nanos))
}

/// `HH:MM` in seconds.
fn hours_and_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then(|| i64::from(hours) * 3600 + i64::from(minutes) * 60)
}

/// A number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let form = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    form.then(|| text.parse().ok()).flatten()
}

/// `true` or `false` in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Whether the text is one of `wanted` in base 64; `None` if it is not base 64.
pub(crate) fn is_base64_of(text: &str, wanted: &[Vec<u8>]) -> Option<bool> {
    let mut decoded = [0; 1024];
    let same = |bytes: &[u8]| wanted.iter().any(|wanted| wanted == bytes);
    // The estimate is no less than the exact length.
    if base64::decoded_len_estimate(text.len()) > decoded.len() {
        return BASE64.decode(text).ok().map(|bytes| same(&bytes));
    }
    let length = BASE64.decode_slice(text, &mut decoded).ok()?;
    decoded.get(..length).map(same)
}

/// A range of addresses: CIDR, or one IPv4 address. An IPv6 address needs its prefix length.
pub(crate) fn address_range(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Some(Ipv4Net::from(address).into()),
        Ok(IpAddr::V6(_)) => None,
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_compare_by_value_not_by_text() {
        let number = |text: &'static str| Decimal::parse(text).unwrap();
        for (smaller, larger) in [
            ("-6", "-5"),
            ("-1", "0"),
            ("9", "10"),
            ("1.05", "1.5"),
            ("2", "2.0000000001"),
            ("9007199254740992", "9007199254740993"),
        ] {
            assert!(number(smaller) < number(larger), "{smaller} {larger}");
        }
        for (a, b) in [("1.50", "1.5"), ("007", "7"), ("-0", "0"), ("0.0", "0")] {
            assert_eq!(number(a), number(b));
        }
        for text in [
            "", "-", ".5", "5.", "1e3", "+1", " 1", "1,0", "0x1", "NaN", "1.2.3",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_instant_has_many_spellings() {
        let wanted = Instant::parse("2026-11-22T09:30:00Z").unwrap();
        for text in [
            "1795339800",
            "2026-11-22T09:30Z",
            "2026-11-22T18:30:00+09:00",
            "2026-11-21T23:30:00.0-10:00",
        ] {
            assert_eq!(Instant::parse(text), Some(wanted), "{text}");
        }
        assert_eq!(
            Instant::parse("2026-11"),
            Instant::parse("2026-11-01T00:00:00Z")
        );
        assert!(Instant::parse("2026-11-22T09:30:00.5Z") > Some(wanted));
    }

    #[test]
    fn unclear_dates_are_refused() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-02-30",
            "2026-11-22T09:30:00",
            "2026-11-22T09Z",
            "2026-11-22T24:00Z",
            "2026-11-22T09:30:60Z",
            "2026-11-22T09:30.5Z",
            "2026-11-22T09:30:00+0900",
            "2026-11-22 09:30:00Z",
            "2026-11-22t09:30:00z",
            "2026-11T09:30Z",
            "-5",
            "1795339800.5",
            "99999999999999999999",
            "2026-11-22T09:30:00.0000000001Z",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_range_needs_its_prefix() {
        for (text, valid) in [
            ("10.0.0.0/8", true),
            ("10.1.2.3", true),
            ("2001:db8::/32", true),
            ("2001:db8::1/128", true),
            ("2001:db8::1", false),
            ("10.0.0.0/33", false),
            ("10.0.0.*", false),
            ("010.1.2.3", false),
            ("", false),
        ] {
            assert_eq!(address_range(text).is_some(), valid, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            let _ = (Decimal::parse(&text), Instant::parse(&text), address_range(&text));
        }

        #[test]
        fn small_numbers_order_as_integers(a in -2000i32..2000, b in -2000i32..2000) {
            let order = Decimal::parse(&a.to_string()).cmp(&Decimal::parse(&b.to_string()));
            prop_assert_eq!(order, a.cmp(&b));
        }
    }
}
