//! Three-valued logic (Kleene): what a condition says when a context key is not known yet.

/// The value of a condition. `False < Unknown < True`, so AND is the minimum and OR the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ternary {
    /// Does not hold.
    False,
    /// Cannot be known now.
    Unknown,
    /// Holds.
    True,
}

impl Ternary {
    /// Holds iff both hold; false if either is false.
    pub(crate) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether all hold; of nothing: true. Stops at the first that is false.
    pub(crate) fn all(values: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::True;
        for value in values {
            result = result.min(value);
            if result == Self::False {
                break;
            }
        }
        result
    }

    /// Whether any holds; of nothing: false. Stops at the first that is true.
    pub(crate) fn any(values: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::False;
        for value in values {
            result = result.max(value);
            if result == Self::True {
                break;
            }
        }
        result
    }
}

impl std::ops::Not for Ternary {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Ternary {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Ternary::{self, False, True, Unknown};

    #[test]
    fn the_tables_are_kleenes() {
        for (a, b, and, or) in [
            (False, Unknown, False, Unknown),
            (True, Unknown, Unknown, True),
            (Unknown, Unknown, Unknown, Unknown),
            (True, False, False, True),
        ] {
            assert_eq!(a.and(b), and);
            assert_eq!(b.and(a), and);
            assert_eq!(Ternary::all([a, b]), and);
            assert_eq!(Ternary::any([a, b]), or);
            assert_eq!(Ternary::any([b, a]), or);
        }
        assert_eq!([!False, !Unknown, !True], [True, Unknown, False]);
        assert_eq!(
            (Ternary::all([]), Ternary::any([])),
            (Ternary::True, Ternary::False)
        );
    }
}
