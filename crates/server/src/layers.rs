//! `GET /layers/TICKET`: the URLs that `GetDownloadUrlForLayer` gives out.
//!
//! The ticket is the credential of the request, and no more than that: the download is authorized
//! again, by the policies of this moment.

use bonded_model::Secret;
use bonded_registry::{Action, Checks, Error, LayerRequest, Registry, Result};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::door::{Head, Incoming, Reply, log_failure};
use crate::layer_content;

const ACTION: Action = Action::new("ecr:GetDownloadUrlForLayer");

/// Answers one request with `ticket`.
pub(crate) async fn answer(registry: &Registry, request: Incoming, ticket: &Secret) -> Reply {
    let id = request.id.clone();
    let mut reply = match layer(registry, &request.head, ticket).await {
        Ok(reply) => reply,
        Err(error) => {
            log_failure(&id, &error);
            Reply::text(status(&error), HeaderMap::new(), format!("{error}\n"))
        }
    };
    let headers = reply.0.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    reply.served("layers", "GetLayer")
}

async fn layer(registry: &Registry, head: &Head, ticket: &Secret) -> Result<Reply> {
    let region = registry.regions().first().cloned();
    let region = region.ok_or_else(|| Error::RegistryNotAddressed(head.authority.clone()))?;
    let LayerRequest { caller, layer } = registry
        .authenticate_ticket(ticket, head.facts(region))
        .await?;
    let checks = Checks::new(ACTION, layer);
    let allowed = registry.authorize(&caller, checks).await?;
    let layer = registry.referenced_layer(&allowed).await?;
    layer_content::get(registry, head, &layer).await
}

/// A URL that does not hold is forbidden, as one of S3 is: who has it can do nothing about it but
/// ask for another.
const fn status(error: &Error) -> StatusCode {
    match error {
        Error::Unauthenticated(_)
        | Error::Denied(_)
        | Error::OutOfReach { .. }
        | Error::RegistryNotAddressed(_) => StatusCode::FORBIDDEN,
        Error::RangeNotSatisfiable(_) => StatusCode::RANGE_NOT_SATISFIABLE,
        error if error.outage().is_some() => StatusCode::SERVICE_UNAVAILABLE,
        error if error.is_internal() => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::NOT_FOUND,
    }
}
