//! How a command ends if it does not succeed: the one place that says with which status.

use std::fmt::Display;

use crate::client::{ClientError, Refusal};

/// How a command ends if it does not succeed; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It went wrong.
    Failed = 1,
    /// It cannot be done as it was asked for.
    Usage = 2,
    /// The server refused it.
    Denied = 3,
    /// What it is about does not exist.
    NotFound = 4,
    /// A gate is closed: what was found is worse than allowed.
    Blocked = 5,
    /// What was asked is not known.
    Unknown = 6,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Status,
    /// One line; `None` if the output said it all.
    pub(super) message: Option<String>,
}

impl Failure {
    pub(super) fn new(status: Status, message: impl Display) -> Self {
        Self {
            status,
            message: Some(message.to_string()),
        }
    }

    /// Of which the output said everything.
    pub(super) fn shown(status: Status) -> Self {
        Self {
            status,
            message: None,
        }
    }

    pub(super) fn failed(message: impl Display) -> Self {
        Self::new(Status::Failed, message)
    }

    pub(super) fn usage(message: impl Display) -> Self {
        Self::new(Status::Usage, message)
    }
}

/// What AWS's protocols name an error by which whoever asks is not known or may not.
const DENIED: [&str; 12] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// What they name an error by which something is not there, where `NotFoundException` is not the
/// end of the name.
const NOT_FOUND: [&str; 2] = ["InvalidAuthorizationMessageException", "NoSuchEntity"];

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        let code = refusal.code.as_str();
        if NOT_FOUND.contains(&code) || code.ends_with("NotFoundException") {
            return Self::NotFound;
        }
        if DENIED.contains(&code) {
            return Self::Denied;
        }
        // Without a name it is not AWS's answer, but perhaps that of a proxy.
        match refusal.status.as_u16() {
            401 | 403 => Self::Denied,
            404 => Self::NotFound,
            _ => Self::Failed,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(Status::from(&refusal), refusal)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = match &error {
            ClientError::Settings(_) => Status::Usage,
            ClientError::Exchange { refusal, .. } => refusal.into(),
            ClientError::Unreachable { .. }
            | ClientError::Untrusted { .. }
            | ClientError::Talk { .. } => Status::Failed,
        };
        Self::new(status, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, status: u16) -> Refusal {
        Refusal {
            status: http::StatusCode::from_u16(status).unwrap(),
            code: code.to_owned(),
            message: String::new(),
        }
    }

    #[test]
    fn a_refusal_tells_denied_from_unknown() {
        for (code, number, status) in [
            ("AccessDenied", 403, Status::Denied),
            ("AccessDeniedException", 400, Status::Denied),
            ("InvalidClientTokenId", 403, Status::Denied),
            ("UnrecognizedClientException", 400, Status::Denied),
            ("NoSuchEntity", 404, Status::NotFound),
            ("RepositoryNotFoundException", 400, Status::NotFound),
            (
                "InvalidAuthorizationMessageException",
                400,
                Status::NotFound,
            ),
            ("ValidationError", 400, Status::Failed),
            ("ServiceFailure", 500, Status::Failed),
            ("", 404, Status::NotFound),
            ("", 502, Status::Failed),
        ] {
            assert_eq!(
                Failure::from(refusal(code, number)).status,
                status,
                "{code}"
            );
        }
    }

    #[test]
    fn an_error_of_the_client_says_whose_fault_it_is() {
        let endpoint = || "https://localhost".to_owned();
        let errors = [
            (ClientError::Settings(String::new()), Status::Usage),
            (
                ClientError::Unreachable {
                    endpoint: endpoint(),
                    source: std::io::Error::other("refused"),
                },
                Status::Failed,
            ),
            (
                ClientError::Exchange {
                    role: String::new(),
                    refusal: refusal("AccessDenied", 403),
                },
                Status::Denied,
            ),
        ];
        for (error, status) in errors {
            assert_eq!(Failure::from(error).status, status);
        }
    }
}
