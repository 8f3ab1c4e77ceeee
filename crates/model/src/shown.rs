//! Untrusted text in an error's message.

/// How many characters of it are shown: a little more than the longest digest has.
const LIMIT: usize = 160;

/// `text` as a message shows it: at most 160 characters, control characters escaped.
///
/// Every message that repeats what somebody sent does so through this, so that no message is long
/// and none can change a terminal or forge a line of a log.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars()
        .take(LIMIT)
        .flat_map(char::escape_debug)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown("sha256:é"), "sha256:é");
        assert_eq!(shown("\u{1b}[2J\r\n\u{9b}"), r"\u{1b}[2J\r\n\u{9b}");
        assert_eq!(shown(&"a".repeat(1000)).len(), LIMIT);
    }
}
