//! Who is not known, and who may not.

use std::time::Duration;

/// Why the caller is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// The request has no credential.
    #[error("Missing Authentication Token")]
    Missing,
    /// The credential's form is wrong.
    #[error("{0}")]
    Incomplete(String),
    /// The signature is not the one we compute, or was made for another time, region or service.
    #[error("{0}")]
    Signature(String),
    /// The access key, session token or authorization token is unknown, inactive or forged.
    #[error("The security token included in the request is invalid.")]
    UnknownCredential,
    /// The session behind the access key has ended.
    #[error("The security token included in the request is expired")]
    SessionExpired,
    /// The authorization token has ended, so long ago.
    #[error("Your authorization token has expired. Reauthenticate and try again.")]
    TokenExpired(Duration),
    /// The service token has ended.
    #[error("the service token has expired; make a new one with 'bonded token create'")]
    ServiceTokenExpired,
    /// The ticket in the URL of a layer has ended.
    #[error("Request has expired: ask for another URL of the layer")]
    TicketExpired,
}

/// A denial: AWS's sentence and the id under which `bonded why` explains it.
#[derive(Debug, thiserror::Error)]
#[error("{} (decision {id}; run: bonded why {id})", self.text())]
pub struct Denied {
    /// The id of the decision.
    pub id: String,
    /// AWS's sentence.
    pub sentence: String,
    /// What about an image decided, if nothing else did.
    pub because: Option<String>,
}

impl Denied {
    /// The sentence and what decided.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.because {
            Some(because) => format!("{}: {because}", self.sentence),
            None => self.sentence.clone(),
        }
    }
}
