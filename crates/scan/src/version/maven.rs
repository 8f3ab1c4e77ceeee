//! Maven's order: `ComparableVersion`.
//!
//! A version is a list of numbers and qualifiers whose last item may be another such list: a
//! hyphen begins one, and so does every change between digits and letters. Zeros and release
//! qualifiers at the end of a list do not count.
//!
//! The order is that of Maven 3.8 (3.6.3 to 3.8.4), by which the published tables were made, with
//! one rule of its successors: an unknown qualifier that ends the version after a zero is read as
//! if a hyphen preceded it, so that `2.0.a` equals `2-a` and is below `2-1` (MNG-7644). Like
//! Maven's own, the order is not transitive for qualifiers after a dot: `1.x` < `1-rc` < `1` <
//! `1.x`.

use std::cmp::Ordering;

use super::{Reason, digits};

/// A list per level; the list of the next level is the last item of the one before it. The last
/// list is not empty.
pub(super) struct Version(Vec<Vec<Item>>);

/// An item that is not a list.
#[derive(Debug)]
enum Item {
    /// The digits without leading zeros.
    Number(String),
    Qualifier(Qualifier),
}

/// Known qualifiers by their place in the order, then the unknown ones by their text.
#[derive(Debug, PartialEq, Eq)]
enum Qualifier {
    Known(usize),
    Unknown(String),
}

/// The qualifiers that are known, in their order; the empty one stands for the release.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
/// The place of the release.
const RELEASE: usize = 5;

impl Qualifier {
    /// The qualifier of a text in lower case; before a digit, `a`, `b` and `m` are short forms.
    fn new(text: &str, before_digit: bool) -> Self {
        let full = match text {
            "a" if before_digit => "alpha",
            "b" if before_digit => "beta",
            "m" if before_digit => "milestone",
            "ga" | "final" | "release" => "",
            "cr" => "rc",
            text => text,
        };
        let place = QUALIFIERS.iter().position(|known| *known == full);
        place.map_or_else(|| Self::Unknown(full.to_owned()), Self::Known)
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) => a.cmp(b),
            (Self::Known(_), Self::Unknown(_)) => Ordering::Less,
            (Self::Unknown(_), Self::Known(_)) => Ordering::Greater,
            // Java orders strings by their UTF-16 units.
            (Self::Unknown(a), Self::Unknown(b)) => a.encode_utf16().cmp(b.encode_utf16()),
        }
    }
}

impl Item {
    fn number(digits: &str) -> Self {
        Self::Number(digits.trim_start_matches('0').to_owned())
    }

    fn qualifier(text: &str, before_digit: bool) -> Self {
        Self::Qualifier(Qualifier::new(text, before_digit))
    }

    fn is_zero(&self) -> bool {
        matches!(self, Self::Number(digits) if digits.is_empty())
    }

    /// Against a version that has ended.
    fn compare_with_end(&self) -> Ordering {
        match self {
            Self::Number(digits) => digits.len().cmp(&0),
            Self::Qualifier(qualifier) => qualifier.compare(&Qualifier::Known(RELEASE)),
        }
    }

    /// Against a list in its place: numbers are above lists, qualifiers below.
    fn compare_with_list(&self) -> Ordering {
        match self {
            Self::Number(_) => Ordering::Greater,
            Self::Qualifier(_) => Ordering::Less,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Self::Number(_), Self::Qualifier(_)) => Ordering::Greater,
            (Self::Qualifier(_), Self::Number(_)) => Ordering::Less,
            (Self::Qualifier(a), Self::Qualifier(b)) => a.compare(b),
        }
    }
}

/// Every text has an order.
pub(super) fn parse(text: &str) -> Result<Version, Reason> {
    let text = text.to_lowercase();
    let mut parser = Parser {
        done: Vec::new(),
        list: Vec::new(),
    };
    for part in text.split_inclusive(['.', '-']) {
        let (run, separator) = match part.as_bytes().last() {
            Some(b'.' | b'-') => part.split_at(part.len() - 1),
            _ => (part, ""),
        };
        if run.is_empty() {
            parser.list.push(Item::number(""));
        } else {
            parser.run(run, separator.is_empty());
        }
        if separator == "-" {
            parser.begin_list();
        }
    }
    Ok(parser.finish())
}

/// The lists while they are read.
struct Parser {
    done: Vec<Vec<Item>>,
    list: Vec<Item>,
}

impl Parser {
    fn begin_list(&mut self) {
        self.done.push(std::mem::take(&mut self.list));
    }

    /// Reads what stands between two separators; a list begins at every change between digits and
    /// other characters.
    fn run(&mut self, mut text: &str, ends_version: bool) {
        while !text.is_empty() {
            let (number, rest) = digits::take(text);
            if number.is_empty() {
                let end = rest.find(|next: char| next.is_ascii_digit());
                let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
                self.word(word, !rest.is_empty(), ends_version);
                text = rest;
            } else {
                self.list.push(Item::number(number));
                text = rest;
            }
            if !text.is_empty() {
                self.begin_list();
            }
        }
    }

    fn word(&mut self, word: &str, before_digit: bool, ends_version: bool) {
        let qualifier = Item::qualifier(word, before_digit);
        let unknown = matches!(qualifier, Item::Qualifier(Qualifier::Unknown(_)));
        let after_zero = self.list.last().is_some_and(Item::is_zero);
        if ends_version && !before_digit && unknown && after_zero {
            self.begin_list();
        }
        self.list.push(qualifier);
    }

    /// Drops what does not count at the end of each list: zeros, release qualifiers, and lists of
    /// nothing else.
    fn finish(mut self) -> Version {
        self.begin_list();
        for list in &mut self.done {
            while list
                .last()
                .is_some_and(|item| item.compare_with_end().is_eq())
            {
                list.pop();
            }
        }
        while self.done.last().is_some_and(Vec::is_empty) {
            self.done.pop();
        }
        Version(self.done)
    }
}

pub(super) fn compare(a: &Version, b: &Version) -> Ordering {
    let (mut a, mut b) = (&a.0[..], &b.0[..]);
    loop {
        let order = compare_lists(a, b);
        match (order, a.split_first(), b.split_first()) {
            (Some(order), ..) => return order,
            (None, Some((_, a_rest)), Some((_, b_rest))) => (a, b) = (a_rest, b_rest),
            (None, ..) => return Ordering::Equal,
        }
    }
}

/// Compares the lists that two versions begin with; `None` if the lists that are their last items
/// decide.
fn compare_lists(a: &[Vec<Item>], b: &[Vec<Item>]) -> Option<Ordering> {
    let (left, right) = (items(a), items(b));
    let (left_list, right_list) = (a.len() > 1, b.len() > 1);
    for index in 0..=left.len().max(right.len()) {
        let order = match (left.get(index), right.get(index)) {
            (Some(a), Some(b)) => a.compare(b),
            (Some(a), None) if right_list && index == right.len() => a.compare_with_list(),
            (None, Some(b)) if left_list && index == left.len() => b.compare_with_list().reverse(),
            (Some(a), None) => a.compare_with_end(),
            (None, Some(b)) => b.compare_with_end().reverse(),
            (None, None) => break,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    match (left_list, right_list) {
        (true, true) => None,
        (true, false) => Some(compare_with_end(&a[1..])),
        (false, true) => Some(compare_with_end(&b[1..]).reverse()),
        (false, false) => Some(Ordering::Equal),
    }
}

fn items(lists: &[Vec<Item>]) -> &[Item] {
    lists.first().map_or(&[], Vec::as_slice)
}

/// Lists against a version that has ended: the first item that counts decides.
fn compare_with_end(lists: &[Vec<Item>]) -> Ordering {
    let mut orders = lists.iter().flatten().map(Item::compare_with_end);
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
