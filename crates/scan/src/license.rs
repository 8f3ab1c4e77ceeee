//! The licence of a package, as whoever packaged it states it.
//!
//! A statement that certainly means an SPDX expression becomes that expression; every other one stays
//! the name that it is. Certain are identifiers of SPDX itself, in any case of letters, and the words
//! of Debian's copyright files, of rpm's and PyPI's lists that can mean nothing else: `GPLv2+`,
//! `Expat`, not `BSD` or `GPL`. Only licences that are met often are known; an expression with another
//! one in it stays a name.
//!
//! <https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>

mod in_json;
mod known;

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use known::{EXCEPTIONS, LICENSES, STATEMENTS, WORDS};

pub(crate) use in_json::InJson;

/// The longest statement, in bytes: longer ones are the text of a licence.
const STATEMENT_LIMIT: usize = 512;

/// The most statements of a package.
pub(crate) const STATEMENTS_LIMIT: usize = 32;

/// The longest expression that is taken apart, in words.
const WORDS_LIMIT: usize = 100;

/// The identifiers by single words in lower case.
static KNOWN: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let ids = LICENSES.iter().map(|id| (id.to_ascii_lowercase(), *id));
    let words = WORDS.iter().map(|(word, id)| ((*word).to_owned(), *id));
    ids.chain(words).collect()
});

static KNOWN_STATEMENTS: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| STATEMENTS.into_iter().collect());

/// A statement as it is kept: the expression that it certainly means, or itself as a name. `None` if
/// it says nothing, or is the text of a licence.
pub(crate) fn stated(statement: &str) -> Option<String> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let text = words.join(" ");
    let is_one = !text.is_empty()
        && text.len() <= STATEMENT_LIMIT
        && !text.chars().any(char::is_control)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "unknown" | "none" | "noassertion"
        );
    is_one.then(|| expression(&text).unwrap_or(text))
}

/// Statements as they are kept: each once, in their order, and not more than are kept.
pub(crate) fn all_stated<T: AsRef<str>>(statements: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let kept = statements
        .into_iter()
        .filter_map(|statement| stated(statement.as_ref()));
    kept.filter(|statement| seen.insert(statement.clone()))
        .take(STATEMENTS_LIMIT)
        .collect()
}

/// What a kept statement is to SPDX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statement {
    /// One identifier of SPDX's list.
    License,
    /// An expression of several, or with an exception.
    Expression,
    /// A name that SPDX does not have.
    Name,
}

impl Statement {
    /// What a statement of [`stated`] is.
    pub(crate) fn of(kept: &str) -> Self {
        if license(kept).as_deref() == Some(kept) && !kept.ends_with('+') {
            Self::License
        } else if expression(kept).as_deref() == Some(kept) {
            Self::Expression
        } else {
            Self::Name
        }
    }
}

/// The expression that a statement certainly means, in SPDX's own form.
fn expression(text: &str) -> Option<String> {
    if let Some(id) = KNOWN_STATEMENTS.get(text.to_ascii_lowercase().as_str()) {
        return Some((*id).to_owned());
    }
    // The one name of rpm's list that is two words within an expression.
    let spaced = text
        .replace("ASL ", "ASL")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let (mut written, mut open, mut expects) = (String::new(), 0_usize, Expects::License);
    for (count, word) in spaced.split_whitespace().enumerate() {
        if count >= WORDS_LIMIT {
            return None;
        }
        let part = match (expects, word.to_ascii_uppercase().as_str()) {
            (Expects::License, "(") => {
                open += 1;
                "(".to_owned()
            }
            (Expects::Operator | Expects::OperatorOnly, ")") => {
                open = open.checked_sub(1)?;
                expects = Expects::OperatorOnly;
                written.push(')');
                continue;
            }
            (Expects::Operator | Expects::OperatorOnly, operator @ ("AND" | "OR")) => {
                expects = Expects::License;
                format!(" {operator} ")
            }
            (Expects::Operator, "WITH") => {
                expects = Expects::Exception;
                " WITH ".to_owned()
            }
            (Expects::License, _) => {
                expects = Expects::Operator;
                license(word)?
            }
            (Expects::Exception, _) => {
                expects = Expects::OperatorOnly;
                let mut known = EXCEPTIONS.iter();
                let found = known.find(|known| known.eq_ignore_ascii_case(word))?;
                (*found).to_owned()
            }
            (Expects::Operator | Expects::OperatorOnly, _) => return None,
        };
        written += &part;
    }
    let is_whole = open == 0 && matches!(expects, Expects::Operator | Expects::OperatorOnly);
    is_whole.then_some(written)
}

/// What may follow in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// A licence, or an opening parenthesis.
    License,
    /// The exception of a licence.
    Exception,
    /// An operator, `WITH`, a closing parenthesis or the end.
    Operator,
    /// The same without `WITH`.
    OperatorOnly,
}

/// The identifier that a word certainly means.
fn license(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if let Some(id) = KNOWN.get(&lower) {
        return Some((*id).to_owned());
    }
    if let Some(id) = gnu(&lower) {
        return Some(id);
    }
    // "This version or a later one", of those that have no identifier for it.
    let id = KNOWN.get(lower.strip_suffix('+')?)?;
    let has_own = id.ends_with("-only") || id.ends_with("-or-later");
    (!has_own).then(|| format!("{id}+"))
}

/// GNU's licences by their short names, in lower case: `gpl-2+`, `lgplv2.1`, `gpl-3.0`.
fn gnu(word: &str) -> Option<String> {
    let (name, or_later) = match word.strip_suffix('+') {
        Some(name) => (name, true),
        None => (word, false),
    };
    let families = [
        ("agpl", "AGPL"),
        ("lgpl", "LGPL"),
        ("gfdl", "GFDL"),
        ("gpl", "GPL"),
    ];
    let (rest, family) = families
        .iter()
        .find_map(|(start, family)| Some((name.strip_prefix(start)?, family)))?;
    let version = rest.strip_prefix(['-', 'v'])?;
    let version = version.strip_prefix('v').unwrap_or(version);
    let version = match version.contains('.') {
        true => version.to_owned(),
        false => format!("{version}.0"),
    };
    let ending = if or_later { "or-later" } else { "only" };
    let id = format!("{family}-{version}-{ending}");
    KNOWN.contains_key(&id.to_ascii_lowercase()).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_certain_becomes_an_expression_and_all_else_stays_a_name() {
        use Statement::{Expression, License, Name};
        for (text, want, is) in [
            ("MIT", "MIT", License),
            ("mit", "MIT", License),
            ("Expat", "MIT", License),
            ("  MIT\tLicense ", "MIT", License),
            ("GPL-2", "GPL-2.0-only", License),
            ("GPL-2+", "GPL-2.0-or-later", License),
            ("GPLv2+", "GPL-2.0-or-later", License),
            ("LGPLv2.1", "LGPL-2.1-only", License),
            ("LGPL-2.1+", "LGPL-2.1-or-later", License),
            ("AGPL-3.0", "AGPL-3.0-only", License),
            ("GFDL-1.3+", "GFDL-1.3-or-later", License),
            ("GPL-3.0-OR-LATER", "GPL-3.0-or-later", License),
            ("zlib", "Zlib", License),
            ("Apache 2.0", "Apache-2.0", License),
            ("Apache-2.0+", "Apache-2.0+", Expression),
            ("(MIT or apache-2.0)", "(MIT OR Apache-2.0)", Expression),
            (
                "GPLv2+ and LGPLv2+ and ASL 2.0",
                "GPL-2.0-or-later AND LGPL-2.0-or-later AND Apache-2.0",
                Expression,
            ),
            (
                "GPL-3.0-or-later with GCC-exception-3.1 AND (MIT OR ISC)",
                "GPL-3.0-or-later WITH GCC-exception-3.1 AND (MIT OR ISC)",
                Expression,
            ),
            ("BSD", "BSD", Name),
            ("GPL", "GPL", Name),
            ("GPL+", "GPL+", Name),
            ("GPL-9", "GPL-9", Name),
            ("GPL-2.0-only+", "GPL-2.0-only+", Name),
            ("public-domain", "public-domain", Name),
            ("BSD License", "BSD License", Name),
            ("MIT BSD", "MIT BSD", Name),
            ("MIT AND", "MIT AND", Name),
            ("(MIT", "(MIT", Name),
            ("MIT)", "MIT)", Name),
            ("()", "()", Name),
            ("MIT WITH nothing", "MIT WITH nothing", Name),
            (
                "(MIT) WITH LLVM-exception",
                "(MIT) WITH LLVM-exception",
                Name,
            ),
            ("GPLv2+ and Public Domain", "GPLv2+ and Public Domain", Name),
            (
                "SEE LICENSE IN LICENSE.md",
                "SEE LICENSE IN LICENSE.md",
                Name,
            ),
            ("Lizenz für alle", "Lizenz für alle", Name),
        ] {
            let kept = stated(text).unwrap();
            assert_eq!((kept.as_str(), Statement::of(&kept)), (want, is), "{text}");
            // What is kept stays what it is.
            assert_eq!(stated(&kept), Some(kept));
        }
        for nothing in ["", "  ", "UNKNOWN", "a\u{0}b", &"x".repeat(513)] {
            assert_eq!(stated(nothing), None);
        }
    }

    #[test]
    fn every_known_name_is_one_of_spdx() {
        for (_, id) in WORDS.iter().chain(&STATEMENTS) {
            let mut known = LICENSES.iter();
            assert!(known.any(|known| known == id), "{id}");
        }
        let all: BTreeSet<String> = LICENSES.iter().map(|of| of.to_lowercase()).collect();
        assert_eq!(all.len(), LICENSES.len());
        assert_eq!(KNOWN.len(), LICENSES.len() + WORDS.len());
    }

    proptest! {
        #[test]
        fn no_statement_makes_it_panic_and_all_stay_what_they_are(
            text in "([()]|AND|or|WITH|GPL-?v?[0-9.]{0,3}[+]?|MIT|LLVM-exception|ASL| |\\PC){0,12}",
        ) {
            if let Some(kept) = stated(&text) {
                prop_assert!(kept.len() <= 2 * STATEMENT_LIMIT);
                let is = Statement::of(&kept);
                prop_assert_eq!(stated(&kept).map(|again| Statement::of(&again)), Some(is));
            }
        }
    }
}
