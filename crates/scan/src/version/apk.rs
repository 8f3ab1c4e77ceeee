//! Alpine's order: `apk version` of apk-tools 3 (`src/version.c`, apk-package(5)).
//!
//! `number{.number}…{letter}{_suffix{number}}…{~hash}{-r number}`. A version is a sequence of
//! tokens, compared one by one; at the first difference of kind, the kinds have an order of their
//! own, in which a token that apk cannot read stands below the end of the version.
//!
//! apk orders malformed versions too, and so do we: `1.2_blah` is below `1.2`. Where apk 2 read
//! what apk 3 does not, it is read: versions without a first number, numbers after the letter
//! (`5.9.2p1-r0`, which Alpine has published), dots without a number, and `-r` at the end, which is
//! `-r0`.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// A version as its tokens; the last is `Invalid` or `End`.
pub(super) struct Version<'a>(Vec<Token<'a>>);

/// A token; the variants are in their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    /// A suffix of what comes before the release, by its place in [`PRE_SUFFIXES`].
    PreSuffix(usize),
    Invalid,
    /// A dot without a number, which apk 3 cannot read: at its place, but what follows counts.
    Dot,
    End,
    /// `-r` and a number.
    Revision(Number<'a>),
    /// `~` and a commit hash, ordered as text.
    Hash(&'a str),
    SuffixNumber(Number<'a>),
    /// A suffix of what comes after the release, by its place in [`POST_SUFFIXES`].
    PostSuffix(usize),
    Letter(u8),
    /// A number with a leading zero after the first number: below those without, ordered as text,
    /// so that `1.01` is below `1.1` and `8.2.0` below `8.2.001`.
    Fraction(&'a str),
    Number(Number<'a>),
}

const PRE_SUFFIXES: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const POST_SUFFIXES: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// Every text of ASCII characters without spaces has an order.
pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it has a character that is not ASCII, or a space");
    }
    let (number, rest) = digits::take(text);
    let first = match number {
        "" => Token::Invalid,
        number => Token::Number(Number::new(number)),
    };
    let mut version = Version(vec![first]);
    let mut rest = Rest {
        text: rest,
        after: After::Number,
    };
    loop {
        let token = rest.next().unwrap_or(Token::Invalid);
        let last = matches!(token, Token::Invalid | Token::End);
        version.0.push(token);
        if last {
            return Ok(version);
        }
    }
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.0.cmp(&b.0)
}

/// What the last token was, which says what may follow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum After {
    Number,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
}

/// What is still to be read.
struct Rest<'a> {
    text: &'a str,
    after: After,
}

impl<'a> Rest<'a> {
    /// The next token; `None` if it cannot be read.
    fn next(&mut self) -> Option<Token<'a>> {
        let Some(byte) = self.text.bytes().next() else {
            return Some(Token::End);
        };
        match (byte, self.after) {
            (b'a'..=b'z', After::Number) => {
                (self.text, self.after) = (&self.text[1..], After::Letter);
                Some(Token::Letter(byte))
            }
            (b'.', After::Number) => {
                self.text = &self.text[1..];
                self.number()
            }
            (b'0'..=b'9', After::Number | After::Letter) => self.number(),
            (b'0'..=b'9', After::Suffix) => {
                self.after = After::SuffixNumber;
                Some(Token::SuffixNumber(Number::new(self.digits())))
            }
            (b'_', after) if after <= After::SuffixNumber => self.suffix(),
            (b'~', after) if after <= After::SuffixNumber => self.hash(),
            (b'-', after) if after <= After::Hash => self.revision(),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Token<'a>> {
        self.after = After::Number;
        Some(match self.digits() {
            "" => Token::Dot,
            digits if digits.starts_with('0') => Token::Fraction(digits),
            digits => Token::Number(Number::new(digits)),
        })
    }

    fn suffix(&mut self) -> Option<Token<'a>> {
        let (name, rest) = digits::take_while(&self.text[1..], |byte| byte.is_ascii_lowercase());
        (self.text, self.after) = (rest, After::Suffix);
        let place = |names: &[&str]| names.iter().position(|known| *known == name);
        let before = place(&PRE_SUFFIXES).map(Token::PreSuffix);
        before.or_else(|| place(&POST_SUFFIXES).map(Token::PostSuffix))
    }

    fn hash(&mut self) -> Option<Token<'a>> {
        let (hash, rest) = digits::take_while(
            &self.text[1..],
            |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        );
        (self.text, self.after) = (rest, After::Hash);
        (!hash.is_empty()).then_some(Token::Hash(hash))
    }

    /// A revision. Revision 0 with something after it is as unreadable as one without a number:
    /// `1-r-2` equals `1-r0-1`, and both are below `1`.
    fn revision(&mut self) -> Option<Token<'a>> {
        self.text = self.text.strip_prefix("-r")?;
        self.after = After::Revision;
        let number = Number::new(self.digits());
        let readable = number != Number::ZERO || self.text.is_empty();
        readable.then_some(Token::Revision(number))
    }

    /// The digits that come next.
    fn digits(&mut self) -> &'a str {
        let (digits, rest) = digits::take(self.text);
        self.text = rest;
        digits
    }
}
