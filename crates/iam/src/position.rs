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
}

/// The statements of a document in order. Empty if the text is no document that
/// [`bonded_model::json`] reads.
pub(crate) fn statements(text: &str) -> Vec<Span> {
    let mut cursor = Cursor {
        text,
        position: Position { line: 1, column: 1 },
        counted: 0,
    };
    let braces = braces(text).unwrap_or_default();
    braces
        .into_iter()
        .map(|(start, end)| Span {
            start: cursor.at(start),
            end: cursor.at(end),
        })
        .collect()
}

/// The places of the braces of each statement, in bytes.
fn braces(text: &str) -> Option<Vec<(usize, usize)>> {
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
        return Some(vec![(at, value_end(text, at)?.checked_sub(1)?)]);
    };
    let mut found = Vec::new();
    if token(text, at, ']').is_some() {
        return Some(found);
    }
    loop {
        at = space(text, at);
        let end = value_end(text, at)?;
        found.push((at, end.checked_sub(1)?));
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
            let Span { start, end } = span;
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
