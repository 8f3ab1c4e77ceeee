//! Wildcard patterns: plain text, actions and ARNs.
//!
//! `*` stands for any run of characters, also an empty one, `?` for exactly one. Matching goes
//! back to the last `*` only (two pointers), so it needs no memory and at most
//! `pattern × text` steps.

use crate::request::Context;
use crate::ternary::Ternary;
use crate::variable::{self, Resolved, Variable};

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This character.
    Char(char),
    /// `*`
    Any,
    /// `?`
    One,
    /// `${key}`
    Variable(Box<Variable>),
}

/// What of a text has a special meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${…}` is a variable.
    pub(crate) variables: bool,
}

/// A text with wildcards and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Box<[Piece]>);

/// Whether a pattern matched, where variables may stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// It did, it did not, or that is unknown.
    Known(Ternary),
    /// A variable has no value: nothing matches.
    Unresolved,
}

impl Match {
    /// The value where an unresolved pattern matches nothing.
    pub(crate) fn or_nothing(self) -> Ternary {
        match self {
            Self::Known(value) => value,
            Self::Unresolved => Ternary::False,
        }
    }
}

impl Pattern {
    /// Reads a pattern; `None` if a variable is malformed.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Option<Self> {
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            if syntax.variables
                && let Some(inside) = rest.strip_prefix("${")
            {
                let (piece, after) = match inside.strip_prefix("$}") {
                    Some(after) => (Piece::Char('$'), after),
                    None => variable::parse(inside)?,
                };
                pieces.push(piece);
                rest = after;
                continue;
            }
            pieces.push(match char {
                '*' if syntax.wildcards => Piece::Any,
                '?' if syntax.wildcards => Piece::One,
                _ => Piece::Char(char),
            });
            rest = rest.get(char.len_utf8()..)?;
        }
        Some(Self(pieces.into()))
    }

    /// Whether all of `text` matches. `fold`: ignoring case.
    pub(crate) fn matches(&self, text: &str, context: &Context, fold: bool) -> Match {
        match variable::resolve(&self.0, context) {
            Resolved::Pieces(pieces) => Match::Known(glob(&pieces, text, fold).into()),
            Resolved::Unresolved => Match::Unresolved,
            Resolved::Unknown => Match::Known(Ternary::Unknown),
        }
    }

    /// The pattern cut at its first five colons; colons inside variables do not count.
    pub(crate) fn segments(&self) -> Vec<Self> {
        self.0
            .splitn(6, |piece| *piece == Piece::Char(':'))
            .map(|pieces| Self(pieces.into()))
            .collect()
    }

    /// Whether it is exactly this text.
    pub(crate) fn is_literally(&self, text: &str) -> bool {
        let chars = text.chars().map(Piece::Char);
        self.0.iter().cloned().eq(chars)
    }

    /// Whether it holds a `*` or `?`.
    pub(crate) fn has_wildcards(&self) -> bool {
        self.0.iter().any(|p| matches!(p, Piece::Any | Piece::One))
    }

    /// Whether it holds a character that has another lower case.
    pub(crate) fn has_upper_case(&self) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Char(char) => !char.to_lowercase().eq([*char]),
            Piece::Any | Piece::One | Piece::Variable(_) => false,
        })
    }

    /// Whether it holds a variable.
    pub(crate) fn has_variables(&self) -> bool {
        self.0.iter().any(|p| matches!(p, Piece::Variable(_)))
    }

    /// Its elements in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The variables in it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(&**variable),
            Piece::Char(_) | Piece::Any | Piece::One => None,
        })
    }

    /// Whether its last character is the wildcard `*`.
    pub(crate) fn ends_with_any(&self) -> bool {
        self.0.last() == Some(&Piece::Any)
    }
}

/// The six parts of an ARN, the sixth with all its colons; `None` if there are fewer or the first
/// is not `arn`.
pub(crate) fn arn_segments(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let mut segments = [""; 6];
    for segment in &mut segments {
        *segment = parts.next()?;
    }
    (segments[0] == "arn").then_some(segments)
}

/// The segments of an ARN that hold the partition and the region.
pub(crate) const PARTITION_AND_REGION: [usize; 2] = [1, 3];

/// Whether each pattern matches the segment at its place. Fewer patterns than segments compare
/// only as many: the caller has seen that the last one ends with `*`, which runs over the colons.
/// `fold`: ignoring case in partition and region.
pub(crate) fn segments_match(
    patterns: &[Pattern],
    arn: &[&str; 6],
    context: &Context,
    fold: bool,
) -> Match {
    let mut result = Ternary::True;
    for (place, (pattern, segment)) in patterns.iter().zip(arn).enumerate() {
        let fold = fold && PARTITION_AND_REGION.contains(&place);
        match pattern.matches(segment, context, fold) {
            Match::Known(Ternary::False) => return Match::Known(Ternary::False),
            Match::Known(value) => result = result.and(value),
            Match::Unresolved => return Match::Unresolved,
        }
    }
    Match::Known(result)
}

/// Matches pieces without variables (a variable matches nothing here) against all of `text`.
fn glob(pieces: &[Piece], text: &str, fold: bool) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    // Where to go on if the run of the last `*` must take one more character.
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let mut ahead = rest.clone();
        match (pieces.get(at), ahead.next()) {
            (None, None) => return true,
            (Some(Piece::Any), _) => {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            (Some(Piece::One), Some(_)) => {
                at += 1;
                rest = ahead;
                continue;
            }
            (Some(Piece::Char(wanted)), Some(got)) if same(*wanted, got, fold) => {
                at += 1;
                rest = ahead;
                continue;
            }
            _ => {}
        }
        let Some((after_any, mut run)) = retry.take() else {
            return false;
        };
        if run.next().is_none() {
            return false;
        }
        at = after_any;
        rest = run.clone();
        retry = Some((after_any, run));
    }
}

fn same(a: char, b: char, fold: bool) -> bool {
    a == b || (fold && a.to_lowercase().eq(b.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GLOB: Syntax = Syntax {
        wildcards: true,
        variables: false,
    };

    fn matches(pattern: &str, text: &str) -> bool {
        let pattern = Pattern::parse(pattern, GLOB).unwrap();
        pattern.matches(text, &Context::default(), false) == Match::Known(Ternary::True)
    }

    /// The definition, exponential: what the two pointers must agree with.
    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                oracle(rest, text) || text.split_first().is_some_and(|(_, t)| oracle(pattern, t))
            }
            (Some(('?', rest)), Some((_, t))) => oracle(rest, t),
            (Some((p, rest)), Some((c, t))) => p == c && oracle(rest, t),
            _ => false,
        }
    }

    #[test]
    fn wildcards_match_as_documented() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*a*b", "xxaxxab", true),
            ("team-a*", "team-ab/x", true),
            ("prod/*", "prod/a/b", true),
            ("Team", "team", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let text = "a".repeat(4000);
        assert!(!matches(
            &"*a".repeat(2000).replace("aa", "ab"),
            &format!("{text}c")
        ));
    }

    #[test]
    fn case_is_folded_only_on_request() {
        let pattern = Pattern::parse("GetÄ*", GLOB).unwrap();
        let context = Context::default();
        assert_eq!(
            pattern.matches("getäx", &context, true),
            Match::Known(Ternary::True)
        );
        assert_eq!(
            pattern.matches("getäx", &context, false),
            Match::Known(Ternary::False)
        );
    }

    proptest! {
        #[test]
        fn two_pointers_agree_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&pattern, &text), oracle(&p, &t));
        }

        #[test]
        fn any_text_is_read_without_panic(pattern in ".*", text in ".*") {
            let syntax = Syntax { wildcards: true, variables: true };
            if let Some(pattern) = Pattern::parse(&pattern, syntax) {
                let _ = pattern.matches(&text, &Context::default(), true);
            }
        }
    }
}
