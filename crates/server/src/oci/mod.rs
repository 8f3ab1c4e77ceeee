//! The OCI front door: `/v2/` by the distribution specification 1.1.
//!
//! | file | subject |
//! |---|---|
//! | `route` | method and path → [`Route`] → IAM action |
//! | `manifests`, `blobs`, `uploads`, `tags`, `referrers` | the requests on each noun |
//! | `error` | the wire form of each error |

mod blobs;
mod error;
mod manifests;
mod referrers;
mod route;
mod tags;
mod uploads;

use bonded_model::{RepositoryArn, RepositoryName};
use bonded_registry::target::Target;
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

pub use route::{NoRoute, Route};
pub use tags::page_size;

use crate::authn;
use crate::door::{Head, Incoming, Reply, RequestBody, log_failure};
use error::{Advice, Refused};

/// What every answer carries: nothing a client stored may run in a browser (security.md,
/// "Manifest XSS").
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        HeaderName::from_static("docker-distribution-api-version"),
        HeaderValue::from_static("registry/2.0"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    ),
];

/// One request that was authenticated and parsed.
struct Call<'a> {
    registry: &'a Registry,
    caller: Caller,
    head: Head,
    body: RequestBody,
    /// The action of the route.
    action: Action,
    repository: RepositoryArn,
}

/// Answers one request to `/v2`.
pub(crate) async fn answer(registry: &Registry, request: Incoming) -> Reply {
    let id = request.id.clone();
    let authority = request.head.authority.clone();
    let parts = &request.head.parts;
    let route = Route::parse(&parts.method, parts.uri.path());
    let operation = route.as_ref().map_or("-", Route::name);
    let reply_to = match route {
        Ok(Route::HeadBlob { .. }) => error::reply_to_blob_head,
        _ => error::reply,
    };
    let mut reply = match dispatch(registry, request, route).await {
        Ok(reply) => reply,
        Err(refused) => {
            log_failure(&id, &refused.error);
            reply_to(&refused, &authority)
        }
    };
    let headers = reply.0.headers_mut();
    headers.extend(HEADERS);
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    reply.served("oci", operation)
}

/// Authenticate, parse, and on to the noun; the noun's file has it authorized.
async fn dispatch(
    registry: &Registry,
    request: Incoming,
    route: std::result::Result<Route, NoRoute>,
) -> std::result::Result<Reply, Refused> {
    let Incoming { head, body, .. } = request;
    let addressed = registry.addressed_by(&head.authority);
    let default = || registry.regions().first().cloned();
    let region = addressed
        .as_ref()
        .map(|(_, region)| region.clone())
        .or_else(default);
    let region = region.ok_or_else(|| Error::RegistryNotAddressed(head.authority.clone()))?;
    let caller = authn::token(registry, &head, region).await?;
    let (account, region) =
        addressed.ok_or_else(|| Error::RegistryNotAddressed(head.authority.clone()))?;
    let reach = head.reach();
    reach.require(caller.account(), head.source_ip)?;
    reach.require(&account, head.source_ip)?;
    let route = match route {
        Ok(route) => route,
        Err(why) => return Ok(error::no_route(why)),
    };
    let (Some(action), Some(name)) = (route.action(), name_of(&route)) else {
        return Ok(ping());
    };
    let name: RepositoryName = name.parse().map_err(error::invalid_name)?;
    let repository = RepositoryArn {
        region,
        account,
        name,
    };
    let asker = caller.clone();
    let call = Call {
        registry,
        caller,
        head,
        body,
        action,
        repository,
    };
    let pushes = matches!(route, Route::StartUpload { .. } | Route::PutManifest { .. });
    match of_noun(call, route).await {
        // Whoever is told that a repository is not there was allowed what it asked.
        Err(Error::RepositoryNotFound(missing)) => {
            let near = registry.near_name(&asker, &missing).await?;
            let advice = near.map(Advice::Meant).or(pushes.then_some(Advice::Create));
            let error = Error::RepositoryNotFound(missing);
            Err(Refused { error, advice })
        }
        other => Ok(other?),
    }
}

/// The request on its noun.
async fn of_noun(call: Call<'_>, route: Route) -> Result<Reply> {
    match route {
        Route::Ping => Ok(ping()),
        Route::GetManifest { reference, .. } => manifests::get(call, &reference).await,
        Route::PutManifest { reference, .. } => manifests::put(call, &reference).await,
        Route::DeleteManifest { reference, .. } => manifests::delete(call, &reference).await,
        Route::ListReferrers { digest, .. } => referrers::list(call, &digest).await,
        Route::HeadBlob { digest, .. } => blobs::head(call, &digest).await,
        Route::GetBlob { digest, .. } => blobs::get(call, &digest).await,
        Route::DeleteBlob { digest, .. } => blobs::delete(call, &digest).await,
        Route::StartUpload { .. } => uploads::start(call).await,
        Route::UploadStatus { id, .. } => uploads::status(call, &id).await,
        Route::UploadPart { id, .. } => uploads::part(call, &id).await,
        Route::FinishUpload { id, .. } => uploads::finish(call, &id).await,
        Route::CancelUpload { id, .. } => uploads::cancel(call, &id).await,
        Route::ListTags { .. } => tags::list(call).await,
    }
}

impl Call<'_> {
    /// Has the route's action on the repository authorized.
    async fn authorize(&self) -> Result<Allowed<RepositoryArn>> {
        self.authorize_all(Checks::new(self.action, self.repository.clone()))
            .await
    }

    async fn authorize_all<T: Target>(&self, checks: Checks<T>) -> Result<Allowed<T>> {
        self.registry.authorize(&self.caller, checks).await
    }

    /// Has a push authorized, which may make the repository: the route's action and `more`.
    async fn authorize_push(&self, more: &[Action]) -> Result<Allowed<RepositoryArn>> {
        let (caller, repository) = (&self.caller, &self.repository);
        let target = repository.clone();
        let push = self
            .registry
            .authorize_push(caller, repository, target, self.action, more);
        push.await
    }

    /// The value of a parameter in the query, the first if it stands there more than once.
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).next()
    }

    /// The values of a parameter in the query, in order.
    fn parameters(&self, name: &str) -> impl Iterator<Item = String> {
        parameters(self.head.parts.uri.query().unwrap_or_default(), name)
    }
}

/// The values of a parameter in a query as it is on the wire, in order.
pub fn parameters(query: &str, name: &str) -> impl Iterator<Item = String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The repository that the route names, unchecked; `None` for the ping.
fn name_of(route: &Route) -> Option<&str> {
    match route {
        Route::Ping => None,
        Route::GetManifest { name, .. }
        | Route::PutManifest { name, .. }
        | Route::DeleteManifest { name, .. }
        | Route::ListReferrers { name, .. }
        | Route::HeadBlob { name, .. }
        | Route::GetBlob { name, .. }
        | Route::DeleteBlob { name, .. }
        | Route::StartUpload { name }
        | Route::UploadStatus { name, .. }
        | Route::UploadPart { name, .. }
        | Route::FinishUpload { name, .. }
        | Route::CancelUpload { name, .. }
        | Route::ListTags { name } => Some(name),
    }
}

/// The answer to a delete that was carried out.
fn deleted() -> Reply {
    Reply::whole(StatusCode::ACCEPTED, HeaderMap::new(), bytes::Bytes::new())
}

fn ping() -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Reply::text(StatusCode::OK, headers, "{}".to_owned())
}

/// A header value of text that our own types have checked to be visible ASCII.
fn value(text: impl AsRef<str>) -> Result<HeaderValue> {
    HeaderValue::from_str(text.as_ref()).map_err(|e| Error::Unwritable(e.to_string()))
}
