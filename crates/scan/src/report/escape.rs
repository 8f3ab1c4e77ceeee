//! Writing text that strangers chose into formats that give some characters a meaning.

use std::fmt::Write as _;

/// Percent-encodes everything but letters, digits, `.`, `-`, `_`, `~` and the characters of `kept`.
pub(super) fn percent(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let character = char::from(byte);
        let plain = character.is_ascii_alphanumeric() || ".-_~".contains(character);
        if plain || (byte.is_ascii() && kept.contains(character)) {
            encoded.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Text for HTML, between tags or within quotes; control characters and those that turn the
/// direction of text are shown as what they are.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            character if is_unseen(character) => escaped.extend(character.escape_unicode()),
            character => escaped.push(character),
        }
    }
    escaped
}

/// A cell of CSV (RFC 4180), in quotes where it must be. A spreadsheet takes what begins like a
/// formula as text: an apostrophe stands before it.
pub(super) fn csv(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| if is_unseen(character) { ' ' } else { character })
        .collect();
    let formula = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', ';', '\'']) || text.starts_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Control characters, ends of lines, and what turns the direction of text.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_escaped() {
        assert_eq!(percent("a/b:c+d ü~", ":"), "a%2Fb:c%2Bd%20%C3%BC~");
        assert_eq!(
            html("<b a='\"'>&\u{202e}\n"),
            "&lt;b a=&#39;&quot;&#39;&gt;&amp;\\u{202e}\\u{a}"
        );
        for (text, want) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+2", "\"'=1+2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("\t=1", "\"' =1\""),
            ("two\r\nlines", "two  lines"),
            ("1.2-3", "1.2-3"),
            ("", ""),
        ] {
            assert_eq!(csv(text), want, "{text}");
        }
    }
}
