//! Where the statements of a document stand in its text.

use serde::Serialize;
use serde::de::IgnoredAny;

/// A character of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
}

/// A statement of a document, from its opening to its closing brace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The opening brace.
    pub start: Position,
    /// The closing brace.
    pub end: Position,
    /// The place behind what stands before it: the bracket of the list, or the statement before;
    /// of a statement without a list, behind its own opening brace.
    #[serde(skip)]
    behind: Position,
}

impl Span {
    /// Start and end as IAM's simulator gives them: it begins to read a statement behind what it
    /// read last, and ends behind its closing brace.
    #[must_use]
    pub fn simulated(self) -> (Position, Position) {
        (self.behind, self.end.next())
    }
}

impl Position {
    /// The next character of the line.
    fn next(self) -> Self {
        Self {
            column: self.column + 1,
            ..self
        }
    }
}

/// The statements of a document in order. Empty if the text is no document that
/// [`bonded_model::json`] reads.
pub(crate) fn statements(text: &str) -> Vec<Span> {
    let mut cursor = Cursor {
        text,
        position: Position { line: 1, column: 1 },
        counted: 0,
    };
    let mut span = |(behind, start, end): (Option<usize>, usize, usize)| {
        let behind = behind.map(|behind| cursor.at(behind));
        let start = cursor.at(start);
        Span {
            start,
            end: cursor.at(end),
            behind: behind.unwrap_or_else(|| start.next()),
        }
    };
    let braces = braces(text).unwrap_or_default();
    braces.into_iter().map(&mut span).collect()
}

/// The places of the braces of each statement, in bytes, and in a list the place behind what
/// stands before it.
fn braces(text: &str) -> Option<Vec<(Option<usize>, usize, usize)>> {
    let mut at = token(text, 0, '{')?;
    loop {
        at = space(text, at);
        let end = value_end(text, at)?;
        let key: String = serde_json::from_str(text.get(at..end)?).ok()?;
        at = space(text, token(text, end, ':')?);
        if key == "Statement" {
            break;
        }
        at = token(text, value_end(text, at)?, ',')?;
    }
    let Some(mut at) = token(text, at, '[') else {
        return Some(vec![(None, at, value_end(text, at)?.checked_sub(1)?)]);
    };
    let mut found = Vec::new();
    if token(text, at, ']').is_some() {
        return Some(found);
    }
    let mut behind = at;
    loop {
        at = space(text, at);
        let end = value_end(text, at)?;
        found.push((Some(behind), at, end.checked_sub(1)?));
        behind = end;
        match token(text, end, ',') {
            Some(after) => at = after,
            None => return Some(found),
        }
    }
}

/// The place after the white space at `at`.
fn space(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + (rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len())
}

/// The place after `token`, if it is what follows.
fn token(text: &str, at: usize, token: char) -> Option<usize> {
    let at = space(text, at);
    text.get(at..)?.starts_with(token).then_some(at + 1)
}

/// The end of the JSON value that begins at `at`.
fn value_end(text: &str, at: usize) -> Option<usize> {
    let rest = serde_json::Deserializer::from_str(text.get(at..)?);
    let mut values = rest.into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(at + values.byte_offset())
}

/// Counts lines and characters once, from the front.
struct Cursor<'t> {
    text: &'t str,
    position: Position,
    counted: usize,
}

impl Cursor<'_> {
    /// The position of the character at byte `to`, which lies not before the last one asked for.
    fn at(&mut self, to: usize) -> Position {
        for char in self.text.get(self.counted..to).unwrap_or_default().chars() {
            if char == '\n' {
                self.position.line += 1;
                self.position.column = 1;
            } else {
                self.position.column += 1;
            }
        }
        self.counted = to;
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and column of each opening and closing brace.
    fn places(text: &str) -> Vec<[u32; 4]> {
        let of = |span: Span| {
            let Span { start, end, .. } = span;
            [start.line, start.column, end.line, end.column]
        };
        statements(text).into_iter().map(of).collect()
    }

    #[test]
    fn each_statement_has_the_places_of_its_braces() {
        for (text, expected) in [
            (r#"{"Statement":{"a":{}}}"#, vec![[1, 14, 1, 21]]),
            (r#"{"Statement":[]}"#, vec![]),
            (
                r#"{"Version":"x","Statement":[{},{}]}"#,
                vec![[1, 29, 1, 30], [1, 32, 1, 33]],
            ),
            // Braces and names inside strings, nested statements, an escaped name.
            (
                r#"{"Id":"}{","Statement2":{"Statement":{}},"\u0053tatement":{"a":"{\"}"} }"#,
                vec![[1, 59, 1, 70]],
            ),
            (
                "{\r\n  \"Statement\" : [ {\n\t\"é\": 1\n  },\n\n  {} ]\n}\n",
                vec![[2, 19, 4, 3], [6, 3, 6, 4]],
            ),
            (r#"{"é":"世","Statement":{}}"#, vec![[1, 22, 1, 23]]),
        ] {
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn the_simulator_begins_behind_what_it_read_last() {
        // As AWS answered for such documents: recorded, or printed with the document.
        for (text, expected) in [
            (
                r#"{"Version":"2012-10-17","Statement":{"Effect":{}}}"#,
                vec![[1, 38, 1, 50]],
            ),
            (
                r#"{"Version":"2012-10-17","Statement":[{"a":1},{"a":2} , {}]}"#,
                vec![[1, 38, 1, 45], [1, 45, 1, 53], [1, 53, 1, 58]],
            ),
            (
                "{\n  \"Statement\": [\n    {\n    }\n  ]\n}",
                vec![[2, 17, 4, 6]],
            ),
        ] {
            let of = |span: Span| {
                let (start, end) = span.simulated();
                [start.line, start.column, end.line, end.column]
            };
            let found: Vec<_> = statements(text).into_iter().map(of).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_has_no_places() {
        for text in [
            "",
            "[]",
            "{",
            "{}",
            r#"{"Statement":"#,
            r#"{"Statement""#,
            "{1:2}",
        ] {
            assert_eq!(places(text), Vec::<[u32; 4]>::new(), "{text}");
        }
    }
}
