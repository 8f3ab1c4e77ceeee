//! Numbers of any length, as the text of their decimal digits.

/// A number, ordered by value: first by how many digits it has without leading zeros, then by
/// those. No digits at all are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number<'a> {
    length: usize,
    digits: &'a str,
}

impl<'a> Number<'a> {
    /// Zero.
    pub(super) const ZERO: Number<'static> = Number {
        length: 0,
        digits: "",
    };

    /// The number that a run of ASCII digits states.
    pub(super) fn new(digits: &'a str) -> Self {
        let zeros = digits.bytes().take_while(|byte| *byte == b'0').count();
        let digits = &digits[zeros..];
        Self {
            length: digits.len(),
            digits,
        }
    }

    /// The number that a text states if it consists of ASCII digits, at least one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        is_number(text).then(|| Self::new(text))
    }
}

/// Whether the text is a number: ASCII digits, at least one.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits the leading ASCII digits off.
pub(super) fn take(text: &str) -> (&str, &str) {
    take_while(text, |byte| byte.is_ascii_digit())
}

/// Splits the leading ASCII characters off that are `wanted`.
pub(super) fn take_while(text: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let mut bytes = text.bytes();
    let length = bytes.position(|byte| !byte.is_ascii() || !wanted(byte));
    text.split_at(length.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn numbers_compare_by_value_whatever_their_length() {
        for (a, b, want) in [
            ("", "0", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("9", "10", Ordering::Less),
            (
                "99999999999999999999999999999999",
                "100000000000000000000000000000000",
                Ordering::Less,
            ),
        ] {
            assert_eq!(Number::new(a).cmp(&Number::new(b)), want, "{a} {b}");
            assert_eq!(Number::new(a) == Number::new(b), want.is_eq());
        }
        assert_eq!(Number::new("000"), Number::ZERO);
    }

    #[test]
    fn digits_are_split_off_at_the_first_that_is_none() {
        assert_eq!(take("12a3"), ("12", "a3"));
        assert_eq!(take("é1"), ("", "é1"));
        assert_eq!(take("1é"), ("1", "é"));
        assert_eq!(take("123"), ("123", ""));
    }
}
