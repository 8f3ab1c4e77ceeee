//! Why a signature is refused.

use bonded_model::Timestamp;

/// Why a request is not authentic. `Display` is AWS's text where AWS has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// There is no signature: `MissingAuthenticationToken`.
    #[error("Missing Authentication Token")]
    Missing,
    /// The header cannot be read or lacks a part: `IncompleteSignature`.
    #[error("{0}")]
    Incomplete(String),
    /// Another key, another request, or a header that must be signed and is not.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    SignatureMismatch,
    /// `host` is not signed, or the named `x-amz-*` header is present and not signed.
    #[error("{0}")]
    NotSigned(String),
    /// Signed too long ago.
    #[error("Signature expired: {} is now earlier than {} ({} - {minutes} min.)", signed_at.to_amz_date(), earliest.to_amz_date(), now.to_amz_date())]
    Expired {
        /// The date of the request.
        signed_at: Timestamp,
        /// The earliest date that is accepted now.
        earliest: Timestamp,
        /// Now.
        now: Timestamp,
        /// The allowed difference.
        minutes: i64,
    },
    /// Signed in the future.
    #[error("Signature not yet current: {} is still later than {} ({} + {minutes} min.)", signed_at.to_amz_date(), latest.to_amz_date(), now.to_amz_date())]
    NotYetValid {
        /// The date of the request.
        signed_at: Timestamp,
        /// The latest date that is accepted now.
        latest: Timestamp,
        /// Now.
        now: Timestamp,
        /// The allowed difference.
        minutes: i64,
    },
    /// Signed for another region, service or day.
    #[error("{0}")]
    WrongScope(String),
}
