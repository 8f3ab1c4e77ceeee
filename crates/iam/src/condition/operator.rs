//! The names of condition operators.

use std::cmp::Ordering;

/// `ForAnyValue:StringNotLikeIfExists` taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) set: Option<SetOperator>,
    pub(crate) base: Base,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// The prefix that says how several request values count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperator {
    ForAllValues,
    ForAnyValue,
}

/// What kind of comparison an operator is, without its negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    String { like: bool, fold: bool },
    Numeric(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Operator {
    /// Whether it holds only for a key that is there and matches.
    pub(crate) fn is_certain(self) -> bool {
        !self.negated && !self.if_exists && self.base != Base::Null
    }

    /// Whether it holds for what does not match.
    pub(crate) fn is_negated(self) -> bool {
        self.negated
    }

    /// `name`, which is that of this operator, without a set prefix and `IfExists`.
    pub(crate) fn plain_name(self, name: &str) -> &str {
        let end = if self.if_exists { "IfExists".len() } else { 0 };
        let name = name.split_once(':').map_or(name, |(_, name)| name);
        name.get(..name.len().saturating_sub(end)).unwrap_or(name)
    }

    /// Reads an operator's name, ignoring case; `None` if there is no such operator.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let (set, rest) = match lower.split_once(':') {
            Some(("forallvalues", rest)) => (Some(SetOperator::ForAllValues), rest),
            Some(("foranyvalue", rest)) => (Some(SetOperator::ForAnyValue), rest),
            Some(_) => return None,
            None => (None, lower.as_str()),
        };
        let (name, if_exists) = match rest.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (base, negated) = base(name)?;
        if base == Base::Null && (set.is_some() || if_exists) {
            return None;
        }
        Some(Self {
            set,
            base,
            negated,
            if_exists,
        })
    }
}

/// The comparison of an operator's name in lower case, and whether it is negated.
fn base(name: &str) -> Option<(Base, bool)> {
    const EQUALS: Base = Base::String {
        like: false,
        fold: false,
    };
    const EQUALS_IGNORE_CASE: Base = Base::String {
        like: false,
        fold: true,
    };
    const LIKE: Base = Base::String {
        like: true,
        fold: false,
    };
    Some(match name {
        "stringequals" => (EQUALS, false),
        "stringnotequals" => (EQUALS, true),
        "stringequalsignorecase" => (EQUALS_IGNORE_CASE, false),
        "stringnotequalsignorecase" => (EQUALS_IGNORE_CASE, true),
        "stringlike" => (LIKE, false),
        "stringnotlike" => (LIKE, true),
        "bool" => (Base::Bool, false),
        "binaryequals" => (Base::Binary, false),
        "ipaddress" => (Base::Ip, false),
        "notipaddress" => (Base::Ip, true),
        "arnequals" | "arnlike" => (Base::Arn, false),
        "arnnotequals" | "arnnotlike" => (Base::Arn, true),
        "null" => (Base::Null, false),
        _ => {
            let (kind, comparison): (fn(Comparison) -> Base, _) = match name.strip_prefix("numeric")
            {
                Some(comparison) => (Base::Numeric, comparison),
                None => (Base::Date, name.strip_prefix("date")?),
            };
            let (comparison, negated) = match comparison {
                "equals" => (Comparison::Equal, false),
                "notequals" => (Comparison::Equal, true),
                "lessthan" => (Comparison::Less, false),
                "lessthanequals" => (Comparison::LessOrEqual, false),
                "greaterthan" => (Comparison::Greater, false),
                "greaterthanequals" => (Comparison::GreaterOrEqual, false),
                _ => return None,
            };
            (kind(comparison), negated)
        }
    })
}
