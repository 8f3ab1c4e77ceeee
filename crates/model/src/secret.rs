//! A text that must not be seen.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password, key or token. It has no `Debug` and no `Display`, is compared in constant time and
/// wiped when dropped; only [`Secret::expose`] gives the text away.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` into keeping.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that needs it. Never log or format it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    /// Constant in time for texts of equal length.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_equal_secrets() {
        let secret = |text: &str| Secret::new(text.to_owned());
        assert!(secret("a") == secret("a"));
        assert!(secret("a") != secret("b"));
        assert!(secret("a") != secret("ab"));
    }
}
