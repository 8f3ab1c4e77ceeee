//! Policy variables: `${key}`, `${key, 'default'}` and the literals `${*}`, `${?}`, `${$}`.
//!
//! Only a policy of Version 2012-10-17 has variables. The substituted text is literal: its `*`
//! and `?` are ordinary characters (iam.md §2, "Variables").

use std::borrow::Cow;

use crate::pattern::Piece;
use crate::request::{Context, ContextValue, fold_key};

/// `${key}` or `${key, 'default'}` in a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The context key as written.
    pub(crate) name: String,
    /// The context key, folded to lower case.
    pub(crate) key: String,
    /// The text used where the key has no single value.
    pub(crate) default: Option<String>,
}

/// A pattern with its variables put in.
pub(crate) enum Resolved<'p> {
    /// Pieces without variables.
    Pieces(Cow<'p, [Piece]>),
    /// A key is absent or has several values, and there is no default: matches nothing.
    Unresolved,
    /// A key is unknown: so is every match.
    Unknown,
}

/// Reads a variable from the text that follows `${`. Gives its piece and what follows the `}`;
/// `None` if it is not written as a variable must be.
pub(crate) fn parse(text: &str) -> Option<(Piece, &str)> {
    let end = text.find(['}', ','])?;
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.contains(['$', '{', '\'']) {
        return None;
    }
    if let Some(after) = rest.strip_prefix('}') {
        let literal = match name {
            "*" => Piece::Char('*'),
            "?" => Piece::Char('?'),
            _ => variable(name, None)?,
        };
        return Some((literal, after));
    }
    let (default, after) = rest.strip_prefix(", '")?.split_once('\'')?;
    Some((variable(name, Some(default))?, after.strip_prefix('}')?))
}

fn variable(name: &str, default: Option<&str>) -> Option<Piece> {
    let wild = name.contains(['*', '?']);
    (!wild).then(|| {
        Piece::Variable(Box::new(Variable {
            name: name.to_owned(),
            key: fold_key(name),
            default: default.map(str::to_owned),
        }))
    })
}

/// Puts the values of `context` into `pieces`.
pub(crate) fn resolve<'p>(pieces: &'p [Piece], context: &Context) -> Resolved<'p> {
    if !pieces.iter().any(|p| matches!(p, Piece::Variable(_))) {
        return Resolved::Pieces(Cow::Borrowed(pieces));
    }
    let mut resolved = Vec::with_capacity(pieces.len());
    let mut unknown = false;
    for piece in pieces {
        let Piece::Variable(variable) = piece else {
            resolved.push(piece.clone());
            continue;
        };
        let text = match context.get_folded(&variable.key) {
            Some(ContextValue::Unknown) => {
                unknown = true;
                continue;
            }
            Some(ContextValue::One(value)) => Some(value.as_str()),
            Some(ContextValue::Many(_)) | None => variable.default.as_deref(),
        };
        let Some(text) = text else {
            return Resolved::Unresolved;
        };
        resolved.extend(text.chars().map(Piece::Char));
    }
    if unknown {
        Resolved::Unknown
    } else {
        Resolved::Pieces(Cow::Owned(resolved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_written_in_exactly_one_way() {
        for text in [
            "aws:username}rest",
            "aws:PrincipalTag/team, 'a, b'}",
            "*}",
            "aws:PrincipalTag/cost center}",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "}",
            "aws:username",
            "aws:username,'x'}",
            "aws:username, \"x\"}",
            "aws:username, 'x'",
            "aws:username, 'x' }",
            "${aws:username}}",
            "*a}",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
