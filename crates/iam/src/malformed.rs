//! Why a document is no policy, in AWS's words.

/// The document is not a policy or may not be saved. `Display` is AWS's `MalformedPolicyDocument`
/// text; ECR has a sentence of its own for all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MalformedPolicy {
    message: String,
    too_long: bool,
}

/// How much of a message is kept: it may repeat what somebody sent.
const MESSAGE_LIMIT: usize = 1024;

impl MalformedPolicy {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let message: String = message.into();
        let shown = |char: char| match char.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => char,
        };
        Self {
            message: message.chars().take(MESSAGE_LIMIT).map(shown).collect(),
            too_long: false,
        }
    }

    pub(crate) fn syntax() -> Self {
        Self::new("Syntax errors in policy.")
    }

    pub(crate) fn legacy() -> Self {
        Self::new("The policy failed legacy parsing")
    }

    pub(crate) fn too_long(limit: usize) -> Self {
        Self {
            message: format!("Maximum policy size of {limit} bytes exceeded"),
            too_long: true,
        }
    }

    /// The error for a policy that names a user or role that does not exist.
    #[must_use]
    pub fn unknown_principal(principal: &str) -> Self {
        Self::invalid_principal(&format!("\"AWS\":\"{principal}\""))
    }

    /// `principal` with its kind, as AWS shows it: `"SERVICE":"…"`.
    pub(crate) fn invalid_principal(principal: &str) -> Self {
        Self::new(format!("Invalid principal in policy: {principal}"))
    }

    /// Whether only the size is wrong: IAM's `LimitExceeded`.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }
}
