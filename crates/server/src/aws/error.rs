//! The wire form of each error at the AWS door: one exhaustive `match`.
//!
//! Names are those of the services' models and of AWS's common errors; ECR answers its modelled
//! errors with 400, STS and IAM theirs with the status of their API references.

use bonded_registry::{Error, Outage, Unauthenticated};
use http::StatusCode;
use serde_json::{Map, Value};

use super::operation::Protocol;
use super::query::escape;

/// How an error looks on the wire.
pub(super) struct Wire {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    /// What the service's model adds to code and message; JSON only.
    members: Map<String, Value>,
}

impl Wire {
    /// The body.
    pub(super) fn body(&self, protocol: Protocol, namespace: &str, request_id: &str) -> String {
        let Self {
            status,
            code,
            message,
            members,
        } = self;
        match protocol {
            Protocol::Json => {
                let mut body = members.clone();
                body.insert("__type".to_owned(), (*code).into());
                body.insert("message".to_owned(), message.as_str().into());
                Value::Object(body).to_string()
            }
            Protocol::Query => {
                let kind = if status.is_server_error() {
                    "Receiver"
                } else {
                    "Sender"
                };
                let message = escape(message);
                format!(
                    "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
                )
            }
        }
    }
}

/// Name and status of `error`.
pub(super) fn wire(error: &Error, protocol: Protocol) -> Wire {
    let (status, code) = match protocol {
        Protocol::Json => (json_status(error), json_code(error)),
        Protocol::Query => query_code(error),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Wire {
        status,
        code,
        message: error.to_string(),
        members: members(error),
    }
}

/// `InvalidLayerPartException` alone has members of its own.
fn members(error: &Error) -> Map<String, Value> {
    let Error::InvalidLayerPart {
        repository,
        upload,
        offset,
        ..
    } = error
    else {
        return Map::new();
    };
    let members = [
        ("registryId", repository.account.to_string().into()),
        ("repositoryName", repository.name.to_string().into()),
        ("uploadId", upload.as_str().into()),
        ("lastValidByteReceived", offset.saturating_sub(1).into()),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn json_status(error: &Error) -> u16 {
    match error {
        Error::BodyTooLarge(_) => 413,
        error if error.is_internal() => match error.outage() {
            Some(Outage::Full) => 507,
            Some(Outage::Unavailable) => 503,
            None => 500,
        },
        _ => 400,
    }
}

fn json_code(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated(unauthenticated) => match unauthenticated {
            Unauthenticated::Missing => "MissingAuthenticationTokenException",
            Unauthenticated::Incomplete(_) => "IncompleteSignatureException",
            Unauthenticated::Signature(_) => "InvalidSignatureException",
            Unauthenticated::UnknownCredential => "UnrecognizedClientException",
            Unauthenticated::SessionExpired
            | Unauthenticated::TokenExpired(_)
            | Unauthenticated::ServiceTokenExpired
            | Unauthenticated::TicketExpired => "ExpiredTokenException",
        },
        Error::Denied(_) | Error::OutOfReach { .. } => "AccessDeniedException",
        Error::InvalidParameter(_)
        | Error::InvalidName(_)
        | Error::InvalidDigest(_)
        | Error::InvalidTag(_)
        | Error::RangeNotSatisfiable(_)
        | Error::InvalidManifest(_)
        | Error::BodyIncomplete(_)
        | Error::InvalidParameterValue(_)
        | Error::MalformedPolicyDocument(_) => "InvalidParameterException",
        Error::Validation(_) => "ValidationException",
        Error::InvalidTagParameter(_) => "InvalidTagParameterException",
        Error::TooManyTags => "TooManyTagsException",
        Error::RepositoryNotFound(_) => "RepositoryNotFoundException",
        Error::RepositoryAlreadyExists(_) => "RepositoryAlreadyExistsException",
        Error::RepositoryNotEmpty(_) => "RepositoryNotEmptyException",
        Error::RepositoryPolicyNotFound(_) => "RepositoryPolicyNotFoundException",
        Error::ImageNotFound | Error::ImageIdNotFound { .. } => "ImageNotFoundException",
        Error::ScanNotFound { .. } => "ScanNotFoundException",
        Error::UnsupportedImageType { .. } => "UnsupportedImageTypeException",
        Error::ImageAlreadyExists { .. } => "ImageAlreadyExistsException",
        Error::ManifestDigestMismatch { .. } => "ImageDigestDoesNotMatchException",
        Error::LayersNotFound(..) | Error::BlobNotFound(_) => "LayersNotFoundException",
        Error::ReferencedImagesNotFound(..) => "ReferencedImagesNotFoundException",
        Error::ImageTagAlreadyExists { .. } => "ImageTagAlreadyExistsException",
        Error::UploadNotFound | Error::UploadBusy => "UploadNotFoundException",
        Error::BlobDigestMismatch { .. } | Error::InvalidLayer => "InvalidLayerException",
        Error::UploadOffset { .. } | Error::InvalidLayerPart { .. } => "InvalidLayerPartException",
        Error::EmptyUpload { .. } => "EmptyUploadException",
        Error::LayerPartTooSmall { .. } => "LayerPartTooSmallException",
        Error::LayerAlreadyExists { .. } => "LayerAlreadyExistsException",
        Error::LayerInaccessible { .. } => "LayerInaccessibleException",
        Error::LimitExceeded(_) => "LimitExceededException",
        Error::TooManyAttempts(_) => "ThrottlingException",
        Error::UnknownOperation(_) => "UnknownOperationException",
        Error::BodyTooLarge(_) => "RequestEntityTooLarge",
        // Of IAM, of the operator and of /v2; ECR's operations do not answer them.
        Error::ImageReferencedByManifestList(_)
        | Error::BlobReferenced(_)
        | Error::NoSuchEntity(_)
        | Error::EntityAlreadyExists(_)
        | Error::DeleteConflict(_)
        | Error::UnmodifiableEntity(_)
        | Error::PolicyNotAttachable(_)
        | Error::InvalidInput(_)
        | Error::ServiceNotSupported(_)
        | Error::InvalidIdentityToken(_)
        | Error::IdentityTokenExpired { .. }
        | Error::IdentityProviderUnreachable
        | Error::AccountAlreadyExists(_)
        | Error::AdvisoriesRefused(_)
        | Error::DecisionNotFound(_) => "InvalidParameterException",
        Error::RegistryNotAddressed(_) => "AccessDeniedException",
        Error::Unwritable(_) | Error::Unreadable(..) | Error::Random | Error::Store(_) => {
            "ServerException"
        }
    }
}

fn query_code(error: &Error) -> (u16, &'static str) {
    match error.outage() {
        Some(Outage::Full) => return (507, "ServiceUnavailable"),
        Some(Outage::Unavailable) => return (503, "ServiceUnavailable"),
        None => {}
    }
    match error {
        Error::Unauthenticated(unauthenticated) => match unauthenticated {
            Unauthenticated::Missing => (403, "MissingAuthenticationToken"),
            Unauthenticated::Incomplete(_) => (400, "IncompleteSignature"),
            Unauthenticated::Signature(_) => (403, "SignatureDoesNotMatch"),
            Unauthenticated::UnknownCredential => (403, "InvalidClientTokenId"),
            Unauthenticated::SessionExpired
            | Unauthenticated::TokenExpired(_)
            | Unauthenticated::ServiceTokenExpired
            | Unauthenticated::TicketExpired => (403, "ExpiredToken"),
        },
        Error::Denied(_) | Error::RegistryNotAddressed(_) | Error::OutOfReach { .. } => {
            (403, "AccessDenied")
        }
        Error::NoSuchEntity(_) => (404, "NoSuchEntity"),
        Error::ServiceNotSupported(_) => (404, "NotSupportedService"),
        Error::DecisionNotFound(_) => (400, "InvalidAuthorizationMessageException"),
        Error::EntityAlreadyExists(_) | Error::AccountAlreadyExists(_) => {
            (409, "EntityAlreadyExists")
        }
        Error::LimitExceeded(_) => (409, "LimitExceeded"),
        Error::TooManyAttempts(_) => (400, "Throttling"),
        Error::DeleteConflict(_) => (409, "DeleteConflict"),
        Error::UnmodifiableEntity(_) => (400, "UnmodifiableEntity"),
        Error::PolicyNotAttachable(_) => (400, "PolicyNotAttachable"),
        Error::InvalidInput(_) => (400, "InvalidInput"),
        Error::MalformedPolicyDocument(_) => (400, "MalformedPolicyDocument"),
        Error::InvalidParameterValue(_) => (400, "InvalidParameterValue"),
        Error::InvalidIdentityToken(_) => (400, "InvalidIdentityToken"),
        Error::IdentityTokenExpired { .. } => (400, "ExpiredTokenException"),
        Error::IdentityProviderUnreachable => (400, "IDPCommunicationError"),
        Error::UnknownOperation(_) => (400, "InvalidAction"),
        Error::BodyTooLarge(_) => (413, "RequestEntityTooLarge"),
        Error::Validation(_)
        | Error::InvalidParameter(_)
        | Error::InvalidTagParameter(_)
        | Error::TooManyTags
        | Error::BodyIncomplete(_) => (400, "ValidationError"),
        // Of ECR; IAM's and STS's operations do not answer them.
        Error::InvalidName(_)
        | Error::InvalidDigest(_)
        | Error::InvalidTag(_)
        | Error::RangeNotSatisfiable(_)
        | Error::RepositoryNotFound(_)
        | Error::RepositoryAlreadyExists(_)
        | Error::RepositoryNotEmpty(_)
        | Error::RepositoryPolicyNotFound(_)
        | Error::ImageNotFound
        | Error::ImageIdNotFound { .. }
        | Error::ImageAlreadyExists { .. }
        | Error::ScanNotFound { .. }
        | Error::UnsupportedImageType { .. }
        | Error::AdvisoriesRefused(_)
        | Error::InvalidManifest(_)
        | Error::ManifestDigestMismatch { .. }
        | Error::LayersNotFound(..)
        | Error::ReferencedImagesNotFound(..)
        | Error::ImageTagAlreadyExists { .. }
        | Error::ImageReferencedByManifestList(_)
        | Error::BlobReferenced(_)
        | Error::BlobNotFound(_)
        | Error::UploadNotFound
        | Error::UploadBusy
        | Error::BlobDigestMismatch { .. }
        | Error::UploadOffset { .. }
        | Error::InvalidLayerPart { .. }
        | Error::EmptyUpload { .. }
        | Error::LayerPartTooSmall { .. }
        | Error::InvalidLayer
        | Error::LayerAlreadyExists { .. }
        | Error::LayerInaccessible { .. } => (400, "ValidationError"),
        Error::Unwritable(_) | Error::Unreadable(..) | Error::Random | Error::Store(_) => {
            (500, "ServiceFailure")
        }
    }
}
