//! An instant as milliseconds since 1970-01-01T00:00:00Z, as rows store it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC. Arithmetic saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds since the epoch with a fraction: the form of AWS's JSON protocol.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of any real date fit in 53 bits"
    )]
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// This instant plus `duration`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This instant minus `duration`.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// From SigV4's `YYYYMMDDTHHMMSSZ`; `None` for any other form or an impossible date.
    #[must_use]
    pub fn parse_amz_date(text: &str) -> Option<Self> {
        let form = text.bytes().enumerate().all(|(i, b)| match i {
            8 => b == b'T',
            15 => b == b'Z',
            _ => b.is_ascii_digit(),
        });
        if text.len() != 16 || !form {
            return None;
        }
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }

    /// From RFC 3339: `2026-11-22T12:00:00.5+01:00`; `None` for any other form or an impossible
    /// date.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Self(time.as_millisecond()))
    }

    /// From the date of an HTTP header (RFC 9110 §5.6.7, the form that is still made):
    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()?;
        Some(Self(time.as_millisecond()))
    }

    /// SigV4's form, `YYYYMMDDTHHMMSSZ`.
    #[must_use]
    pub fn to_amz_date(self) -> String {
        self.zulu().strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn zulu(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

/// ISO 8601 in whole seconds, `2026-11-22T12:00:00Z`: the form of AWS's Query protocol and of
/// `aws:CurrentTime`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.zulu().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_agree() {
        let time = Timestamp::parse_amz_date("20150830T123600Z").unwrap();
        assert_eq!(time.as_seconds(), 1_440_938_160);
        assert_eq!(time.to_amz_date(), "20150830T123600Z");
        assert_eq!(time.to_string(), "2015-08-30T12:36:00Z");
        assert_eq!(
            Timestamp::from_millis(1500).as_seconds_f64().to_string(),
            "1.5"
        );
    }

    #[test]
    fn rfc_3339_is_read_with_its_offset() {
        for (text, millis) in [
            ("1970-01-01T00:00:01.5Z", Some(1500)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("1970-01-01", None),
            ("1970-13-01T00:00:00Z", None),
            ("", None),
        ] {
            let time = Timestamp::parse_rfc3339(text);
            assert_eq!(time.map(Timestamp::as_millis), millis, "{text}");
        }
    }

    #[test]
    fn dates_of_http_headers_are_read() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("", None),
        ] {
            let time = Timestamp::parse_http_date(text);
            assert_eq!(time.map(Timestamp::as_seconds), seconds, "{text}");
        }
    }

    #[test]
    fn other_dates_are_refused() {
        for text in [
            "",
            "20150830",
            "20151330T123600Z",
            "20150830T123600+",
            "2015-08-30T12:36Z",
        ] {
            assert_eq!(Timestamp::parse_amz_date(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.after(Duration::from_secs(1)), end);
        let begin = Timestamp::from_millis(i64::MIN);
        assert_eq!(begin.before(Duration::from_secs(1)), begin);
        let second = Timestamp::from_millis(1000);
        assert_eq!(second.before(Duration::from_millis(1)).as_millis(), 999);
    }
}
