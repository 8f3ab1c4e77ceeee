//! Patterns in the form in which they are matched: literals as whole texts, without allocation.

use crate::pattern::{Match, Pattern, Piece};
use crate::request::{Context, ContextValue};
use crate::ternary::Ternary;
use crate::variable::Variable;

/// A pattern, ready to match.
#[derive(Debug, Clone)]
pub(super) enum Glob {
    /// `*`
    Anything,
    /// No wildcard.
    Exactly(Box<str>),
    /// A literal, then `*`.
    Beginning(Box<str>),
    /// All other patterns.
    Parts(Box<[Part]>),
}

/// One part of a pattern. No literal is next to another one.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Literal(Box<str>),
    /// `*`
    Any,
    /// `?`
    One,
    Variable(Variable),
}

impl From<&Pattern> for Glob {
    fn from(pattern: &Pattern) -> Self {
        Self::compile(pattern, |char| char)
    }
}

impl Glob {
    /// The pattern for texts in ASCII's lower case: it matches as `pattern` does ignoring case.
    pub(super) fn lower(pattern: &Pattern) -> Self {
        Self::compile(pattern, |char| {
            let mut lower = char.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(one), None) => one,
                _ => char,
            }
        })
    }

    fn compile(pattern: &Pattern, map: impl Fn(char) -> char) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        for piece in pattern.pieces() {
            let part = match piece {
                Piece::Char(char) => {
                    literal.push(map(*char));
                    continue;
                }
                Piece::Any => Part::Any,
                Piece::One => Part::One,
                Piece::Variable(variable) => Part::Variable((**variable).clone()),
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
            }
            parts.push(part);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        match &mut parts[..] {
            [] => Self::Exactly(Box::default()),
            [Part::Any] => Self::Anything,
            [Part::Literal(text)] => Self::Exactly(std::mem::take(text)),
            [Part::Literal(text), Part::Any] => Self::Beginning(std::mem::take(text)),
            _ => Self::Parts(parts.into()),
        }
    }

    /// What every text that matches begins with.
    pub(super) fn literal_prefix(&self) -> &str {
        match self {
            Self::Anything => "",
            Self::Exactly(text) | Self::Beginning(text) => text,
            Self::Parts(parts) => match parts.first() {
                Some(Part::Literal(text)) => text,
                _ => "",
            },
        }
    }

    /// Whether all of `text` matches. `fold`: ignoring case.
    pub(super) fn matches(&self, text: &str, context: &Context, fold: bool) -> Match {
        Match::Known(Ternary::from(match self {
            Self::Anything => true,
            Self::Exactly(wanted) if fold => strip(text, wanted, true) == Some(""),
            Self::Exactly(wanted) => **wanted == *text,
            Self::Beginning(wanted) => strip(text, wanted, fold).is_some(),
            Self::Parts(parts) => {
                if let Some(unclear) = unclear(parts, context) {
                    return unclear;
                }
                parts_match(parts, text, context, fold)
            }
        }))
    }
}

/// What an absent or unknown variable makes of a pattern; `None` if all variables have values.
fn unclear(parts: &[Part], context: &Context) -> Option<Match> {
    let mut unknown = false;
    for part in parts {
        let Part::Variable(variable) = part else {
            continue;
        };
        match context.get_folded(&variable.key) {
            Some(ContextValue::Unknown) => unknown = true,
            _ if value(variable, context).is_none() => return Some(Match::Unresolved),
            _ => {}
        }
    }
    unknown.then_some(Match::Known(Ternary::Unknown))
}

/// The text that stands for a variable.
fn value<'v>(variable: &'v Variable, context: &'v Context) -> Option<&'v str> {
    match context.get_folded(&variable.key) {
        Some(ContextValue::One(value)) => Some(value),
        _ => variable.default.as_deref(),
    }
}

/// Goes back to the last `*` only: what stands between two of them can end in one place only.
fn parts_match(parts: &[Part], text: &str, context: &Context, fold: bool) -> bool {
    let (mut at, mut rest) = (0, text);
    // Where to go on if the run of the last `*` must take one more character.
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let after = match parts.get(at) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Part::Any) if at + 1 == parts.len() => return true,
            Some(Part::Any) => {
                at += 1;
                retry = Some((at, rest));
                continue;
            }
            Some(Part::One) => without_first(rest),
            Some(Part::Literal(literal)) => strip(rest, literal, fold),
            Some(Part::Variable(variable)) => {
                value(variable, context).and_then(|value| strip(rest, value, fold))
            }
        };
        if let Some(after) = after {
            at += 1;
            rest = after;
            continue;
        }
        let Some((after_any, run)) = retry else {
            return false;
        };
        let Some(run) = without_first(run) else {
            return false;
        };
        at = after_any;
        rest = run;
        retry = Some((after_any, run));
    }
}

fn without_first(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next()?;
    Some(chars.as_str())
}

/// `text` without `literal` at its front.
fn strip<'t>(text: &'t str, literal: &str, fold: bool) -> Option<&'t str> {
    if !fold {
        return text.strip_prefix(literal);
    }
    if let Some((front, rest)) = text.split_at_checked(literal.len())
        && front.is_ascii()
        && literal.is_ascii()
    {
        return front.eq_ignore_ascii_case(literal).then_some(rest);
    }
    // Character by character: one in upper case may have another length than in lower case.
    let mut rest = text.chars();
    for wanted in literal.chars() {
        let got = rest.next()?;
        if wanted != got && !wanted.to_lowercase().eq(got.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::Syntax;

    fn context() -> Context {
        let mut context = Context::default();
        context.insert_one("k:a", "ab");
        context.insert_one("k:star", "*");
        context.insert_one("k:empty", "");
        context.insert("k:many", ContextValue::Many(vec!["a".to_owned()]));
        context.insert("k:unknown", ContextValue::Unknown);
        context
    }

    /// Pieces of patterns that are likely to meet in a text.
    fn pattern() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            6 => "[abAB*?]",
            1 => Just("${k:a}".to_owned()),
            1 => Just("${k:star}".to_owned()),
            1 => Just("${k:empty}".to_owned()),
            1 => Just("${k:none, 'b'}".to_owned()),
            1 => Just("${k:many}".to_owned()),
            1 => Just("${k:unknown}".to_owned()),
            1 => Just("${*}".to_owned()),
            1 => "[kKſßİé\u{212a}]",
        ];
        proptest::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_compiled_pattern_matches_as_the_reference(
            pattern in pattern(), text in "[abAB*kKſsßİi\u{307}\u{212a}é]{0,8}",
            wildcards: bool, variables: bool, fold: bool
        ) {
            let syntax = Syntax { wildcards, variables };
            let pattern = Pattern::parse(&pattern, syntax).unwrap();
            let context = context();
            let expected = pattern.matches(&text, &context, fold);
            let glob = Glob::from(&pattern);
            prop_assert_eq!(glob.matches(&text, &context, fold), expected);
            if !fold && expected == Match::Known(Ternary::True) {
                prop_assert!(text.starts_with(glob.literal_prefix()));
            }
        }

        #[test]
        fn a_lower_pattern_matches_lower_texts_ignoring_case(
            pattern in "[abAB*?kKſß\u{212a}]{0,7}", text in "[abk]{0,7}"
        ) {
            let syntax = Syntax { wildcards: true, variables: false };
            let pattern = Pattern::parse(&pattern, syntax).unwrap();
            let context = Context::default();
            let expected = pattern.matches(&text, &context, true);
            prop_assert_eq!(Glob::lower(&pattern).matches(&text, &context, false), expected);
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let syntax = Syntax {
            wildcards: true,
            variables: false,
        };
        let pattern = Pattern::parse(&"*ab".repeat(3000), syntax).unwrap();
        let text = format!("{}c", "a".repeat(8000));
        let matched = Glob::from(&pattern).matches(&text, &Context::default(), false);
        assert_eq!(matched, Match::Known(Ternary::False));
    }
}
