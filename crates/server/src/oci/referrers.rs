//! Referrers: distribution-spec 1.1, "Listing Referrers".

use bonded_model::{Digest, MediaType};
use bonded_registry::target::SubjectIn;
use bonded_registry::{Checks, Error, Referrer, Referrers, Result};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{Call, blobs, value};
use crate::door::Reply;

/// The longest page. Clients that do not follow `Link` exist, so it is long.
const PAGE: u32 = 1000;

/// Which of the query's filters the list is filtered by.
const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// `GET`: an index of the images whose subject is `digest`, of one artifact type if the query
/// names it. A page begins behind the digest `last`, as the `Link` of the one before it says.
pub(super) async fn list(call: Call<'_>, digest: &str) -> Result<Reply> {
    let subject = blobs::parse(digest)?;
    let last = call.parameter("last");
    let last: Option<Digest> = last.map(|last| blobs::parse(&last)).transpose()?;
    let artifact_type = call.parameter("artifactType").filter(|t| !t.is_empty());
    let target = SubjectIn {
        repository: call.repository.clone(),
        subject: subject.clone(),
    };
    let allowed = call.authorize_all(Checks::new(call.action, target)).await?;
    let listed = call
        .registry
        .referrers(&allowed, artifact_type.as_slice(), last.as_ref(), PAGE)
        .await;
    let page = match listed {
        // "MUST NOT return a 404": what is not there has no referrers.
        Err(Error::RepositoryNotFound(_)) => Referrers {
            referrers: Vec::new(),
            more: false,
        },
        listed => listed?,
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(MediaType::OCI_INDEX),
    );
    if artifact_type.is_some() {
        headers.insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    if let Some(last) = page.referrers.last().filter(|_| page.more) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("last", last.digest.as_str());
        if let Some(artifact_type) = &artifact_type {
            query.append_pair("artifactType", artifact_type);
        }
        let (name, query) = (&call.repository.name, query.finish());
        let next = format!("</v2/{name}/referrers/{subject}?{query}>; rel=\"next\"");
        headers.insert(header::LINK, value(next)?);
    }
    let manifests: Vec<Value> = page.referrers.into_iter().map(descriptor).collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": manifests,
    });
    Ok(Reply::text(StatusCode::OK, headers, index.to_string()))
}

fn descriptor(referrer: Referrer) -> Value {
    let mut members = Map::new();
    members.insert("mediaType".to_owned(), referrer.media_type.into());
    members.insert("digest".to_owned(), referrer.digest.as_str().into());
    members.insert("size".to_owned(), referrer.size.into());
    if let Some(artifact_type) = referrer.artifact_type {
        members.insert("artifactType".to_owned(), artifact_type.into());
    }
    if !referrer.annotations.is_empty() {
        let annotations = referrer.annotations.into_iter();
        let annotations = annotations.map(|(key, text)| (key, text.into()));
        members.insert(
            "annotations".to_owned(),
            Value::Object(annotations.collect()),
        );
    }
    Value::Object(members)
}
