//! The AWS front door: `POST /` in AWS JSON 1.1 (ECR) and AWS Query (STS, IAM), signed by SigV4;
//! `GetCallerIdentity`, by which a caller proves to others who it is, may also be a presigned `GET /`.
//!
//! | file | subject |
//! |---|---|
//! | `operation` | the [`Operation`] trait and the path every operation takes |
//! | `ecr`, `sts`, `iam` | the operations and their shapes |
//! | `access`, `allowed_vulnerabilities` | the operations that are ours |
//! | `query` | the Query protocol's forms |
//! | `error` | the wire form of each error |

mod access;
mod allowed_vulnerabilities;
mod ecr;
mod error;
mod iam;
mod operation;
pub mod query;
mod sts;

use bonded_iam::sigv4;
use bonded_model::{json, shown};
use bonded_registry::{Error, Registry, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

pub use operation::{Endpoint, Operation, Protocol};

use crate::authn::{self, SignedIn};
use crate::door::{self, Incoming, Reply};

/// The longest body of an ECR call, in bytes.
const JSON_LIMIT: usize = 256 * 1024;

/// That of the calls that carry a manifest or a part of a layer: 4 MiB as a JSON string with room
/// for escapes, 20 MiB in base 64.
const BULK_LIMIT: usize = 28 * 1024 * 1024;

/// The longest body of an STS or IAM call.
const QUERY_LIMIT: usize = 1024 * 1024;

/// Every operation that is served.
pub fn operations() -> impl Iterator<Item = &'static Endpoint> {
    ecr::OPERATIONS
        .iter()
        .chain(sts::OPERATIONS)
        .chain(iam::OPERATIONS)
        .chain(access::OPERATIONS)
}

/// Which service a request is for, before anything is known of its caller.
struct Service {
    /// As in the credential scope and in IAM actions.
    name: &'static str,
    protocol: Protocol,
    /// The XML namespace of its answers, for the Query protocol.
    namespace: &'static str,
}

impl Service {
    fn operations(&self) -> &'static [Endpoint] {
        match self.name {
            "ecr" => ecr::OPERATIONS,
            "iam" => iam::OPERATIONS,
            "bonded" => access::OPERATIONS,
            _ => sts::OPERATIONS,
        }
    }
}

const ECR: Service = Service {
    name: "ecr",
    protocol: Protocol::Json,
    namespace: "",
};
const STS: Service = Service {
    name: "sts",
    protocol: Protocol::Query,
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
};
const IAM: Service = Service {
    name: "iam",
    protocol: Protocol::Query,
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
};

const BONDED: Service = Service {
    name: "bonded",
    protocol: Protocol::Query,
    namespace: "urn:bonded:2026-11-27",
};

/// Answers one `POST /`, or `GET /` with a query.
pub(crate) async fn answer(registry: &Registry, request: Incoming) -> Reply {
    let id = request.id.clone();
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    match target.map(str::to_owned) {
        Some(target) => {
            let done = json_call(registry, request, &target).await;
            reply(&ECR, &id, &target, done)
        }
        None => match query_call(registry, request).await {
            Ok((service, action, done)) => reply(service, &id, &action, done),
            Err(error) => reply(&STS, &id, "", Err(error)),
        },
    }
}

async fn json_call(registry: &Registry, request: Incoming, target: &str) -> Result<String> {
    let limit = if carries_bulk(target) {
        BULK_LIMIT
    } else {
        JSON_LIMIT
    };
    let (head, body) = request.read(limit).await?;
    let caller = authn::signed(registry, &head, &body, ECR.name, SignedIn::Header).await?;
    let name = target
        .strip_prefix(ecr::TARGET)
        .and_then(|rest| rest.strip_prefix('.'));
    let name = name.ok_or_else(|| {
        Error::UnknownOperation(format!(
            "the operation '{}' is not one of Amazon ECR's",
            shown(target)
        ))
    })?;
    let endpoint = find(ecr::OPERATIONS, name).ok_or_else(|| unknown(name))?;
    let input = if body.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        json::parse(&body)
            .map_err(|e| Error::InvalidParameter(format!("the request's body is not JSON: {e}")))?
    };
    if !input.is_object() {
        // A list would be taken for the members of the input in order.
        let text = "the request's body is not a JSON object";
        return Err(Error::InvalidParameter(text.to_owned()));
    }
    endpoint.serve(registry, &caller, input).await
}

type QueryDone = (&'static Service, String, Result<String>);

async fn query_call(registry: &Registry, request: Incoming) -> Result<QueryDone> {
    let (head, body) = request.read(QUERY_LIMIT).await?;
    let form = query::parse(&asked(&head, &body))?;
    let service = match form.version.as_deref() {
        Some("2010-05-08") => &IAM,
        Some("2026-11-27") => &BONDED,
        _ => &STS,
    };
    let done = query_answer(registry, service, &head, &body, &form).await;
    Ok((service, form.action.unwrap_or_default(), done))
}

async fn query_answer(
    registry: &Registry,
    service: &Service,
    head: &door::Head,
    body: &Bytes,
    form: &query::Form,
) -> Result<String> {
    // Nobody signs it, so nobody would be told otherwise.
    if form.action.as_deref() == Some("AssumeRoleWithSAML") {
        return Err(not_served(service, "AssumeRoleWithSAML"));
    }
    let is = |name| service.name == STS.name && form.action.as_deref() == Some(name);
    let caller = if is(sts::AssumeRoleWithWebIdentity::NAME) {
        sts::web_identity(registry, head, &form.parameters).await?
    } else {
        let place = match is(sts::GetCallerIdentity::NAME) {
            true => SignedIn::HeaderOrUrl,
            false => SignedIn::Header,
        };
        authn::signed(registry, head, body, service.name, place).await?
    };
    let name = form.action.as_deref().ok_or_else(|| {
        Error::UnknownOperation(
            "the request names no action; 'Action=NAME&Version=DATE' is expected in its body"
                .to_owned(),
        )
    })?;
    let operations = service.operations();
    let endpoint = find(operations, name).ok_or_else(|| not_served(service, name))?;
    endpoint
        .serve(registry, &caller, form.parameters.clone())
        .await
}

/// The parameters of a Query call: those of the URL that do not sign it, and those of the body.
fn asked(head: &door::Head, body: &[u8]) -> Vec<u8> {
    let query = head.parts.uri.query().unwrap_or_default();
    let asks = |pair: &&str| {
        let mut names = form_urlencoded::parse(pair.as_bytes());
        let name = names.next();
        name.is_some_and(|(name, _)| !sigv4::is_signing_parameter(&name))
    };
    let mut form = query.split('&').filter(asks).collect::<Vec<_>>().join("&");
    if !form.is_empty() && !body.is_empty() {
        form.push('&');
    }
    [form.as_bytes(), body].concat()
}

fn not_served(service: &Service, name: &str) -> Error {
    Error::UnknownOperation(format!(
        "the action '{}' of AWS {} is not served by this registry",
        name.escape_debug(),
        service.name.to_uppercase()
    ))
}

/// Whether a call to `target` carries a manifest or a part of a layer.
fn carries_bulk(target: &str) -> bool {
    [".PutImage", ".UploadLayerPart"]
        .iter()
        .any(|name| target.ends_with(name))
}

fn find(operations: &'static [Endpoint], name: &str) -> Option<&'static Endpoint> {
    operations.iter().find(|endpoint| endpoint.name == name)
}

fn unknown(name: &str) -> Error {
    let text = if ecr::not_served().any(|operation| operation == name) {
        format!("the operation '{name}' of Amazon ECR is not served by this registry yet")
    } else {
        format!("the operation '{}' is not one of Amazon ECR's", shown(name))
    };
    Error::UnknownOperation(text)
}

fn reply(service: &Service, id: &str, action: &str, done: Result<String>) -> Reply {
    let (status, body) = match (done, service.protocol) {
        (Ok(body), Protocol::Json) => (StatusCode::OK, body),
        (Ok(result), Protocol::Query) => (
            StatusCode::OK,
            query::envelope(action, service.namespace, &result, id),
        ),
        (Err(error), protocol) => {
            door::log_failure(id, &error);
            let wire = error::wire(&error, protocol);
            (wire.status, wire.body(protocol, service.namespace, id))
        }
    };
    let mut headers = HeaderMap::new();
    let content_type = match service.protocol {
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    // Of JSON's protocol the action still has its prefix.
    let name = action.rsplit('.').next().unwrap_or_default();
    let operation = service.operations().iter().find(|o| o.name == name);
    Reply::text(status, headers, body).served(service.name, operation.map_or("-", |o| o.name))
}
