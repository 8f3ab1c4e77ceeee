//! Objects in a bucket of an S3-compatible server.
//!
//! Nothing here rests on what such servers do differently: no conditional request, no meaning of an
//! `ETag`, no copy, no rename. The database is the only arbiter. `object_store` signs, retries and
//! gives up after [`RETRY_TIME`].

mod advisory_file;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bonded_model::{Secret, Timestamp};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, PutPayload,
    RetryConfig,
};

use super::bucket_error::{is_denial, is_missing, reason};
use super::{Key, ObjectId, cut, missing};
use crate::error::{Result, StoreError};

/// How long a request may take, its body included.
const REQUEST_TIME: Duration = Duration::from_mins(2);

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long a failing request is tried again, and how often.
const RETRY_TIME: Duration = Duration::from_secs(10);
const RETRIES: usize = 4;

/// Which bucket holds the objects, and how to reach it.
#[derive(Clone)]
pub struct BucketSettings {
    /// The bucket's name.
    pub name: String,
    /// What stands before every key, such as `registry/`; may be empty.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The server's URL; `None` for AWS's.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of a URL, not in its host name.
    pub path_style: bool,
    /// Whether an `http://` endpoint may be used.
    pub allow_http: bool,
    /// The access key id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// The token of a temporary access key.
    pub session_token: Option<Secret>,
}

/// A bucket that was reached. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Bucket(Arc<Inner>);

struct Inner {
    s3: AmazonS3,
    name: String,
    prefix: String,
}

/// Bytes of an object, and how many it has in all.
pub(super) struct Got {
    pub(super) bytes: Bytes,
    pub(super) whole: u64,
}

impl Bucket {
    /// Makes sure that the bucket is there and takes what we write.
    ///
    /// # Errors
    /// [`StoreError::Bucket`], which says what to correct.
    pub(super) async fn open(settings: &BucketSettings) -> Result<Self> {
        let place = match &settings.endpoint {
            Some(endpoint) => format!("'{}' at '{endpoint}'", settings.name),
            None => format!("'{}' in the region '{}'", settings.name, settings.region),
        };
        let s3 = client(settings).map_err(|error| {
            StoreError::Bucket(format!("cannot use the bucket {place}: {}", reason(&error)))
        })?;
        let bucket = Self(Arc::new(Inner {
            s3,
            name: settings.name.clone(),
            prefix: settings.prefix.clone(),
        }));
        let refused = |error| {
            let reason = reason(&error);
            StoreError::Bucket(if reason.starts_with("NoSuchBucket") {
                format!(
                    "there is no bucket {place}; create it, or correct 's3.bucket' and 's3.endpoint'"
                )
            } else if is_denial(&error) {
                format!(
                    "the bucket {place} refuses the access key '{}': {reason}; correct 's3.access_key_id' and \
                     's3.secret_access_key', or let the key list, read, write and delete objects there",
                    settings.access_key_id
                )
            } else {
                format!(
                    "cannot use the bucket {place}: {reason}; check that its server runs and can be reached"
                )
            })
        };
        let probe = bucket.path(Key::Probe);
        bucket.page(None, 1).await.map_err(refused)?;
        let s3 = &bucket.0.s3;
        s3.put(&probe, PutPayload::from_static(b"bonded"))
            .await
            .map_err(refused)?;
        s3.delete(&probe).await.map_err(refused)?;
        Ok(bucket)
    }

    fn path(&self, key: Key) -> Path {
        Path::from(format!("{}{key}", self.0.prefix))
    }

    fn failed(&self, what: &str, id: ObjectId) -> impl FnOnce(Error) -> StoreError {
        let what = format!(
            "cannot {what} the object '{id}' in the bucket '{}'",
            self.0.name
        );
        move |error| failure(&what, &error)
    }

    /// Writes a whole object.
    pub(super) async fn put(&self, id: ObjectId, bytes: Bytes) -> Result<()> {
        let put = self
            .0
            .s3
            .put(&self.path(Key::Object(id)), bytes.into())
            .await;
        put.map(drop).map_err(self.failed("write", id))
    }

    /// The bytes `range` of an object, by one request.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the object is missing or has not all of them.
    pub(super) async fn get(&self, id: ObjectId, range: Range<u64>) -> Result<Got> {
        let options = GetOptions {
            range: Some(range.clone().into()),
            ..GetOptions::default()
        };
        let failed = |error: Error| match reason(&error) {
            _ if is_missing(&error) => missing(id),
            reason if reason.starts_with("InvalidRange") => cut(id),
            _ => self.failed("read", id)(error),
        };
        let got = self
            .0
            .s3
            .get_opts(&self.path(Key::Object(id)), options)
            .await
            .map_err(failed)?;
        let whole = got.meta.size;
        let bytes = got.bytes().await.map_err(failed)?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(cut(id));
        }
        Ok(Got { bytes, whole })
    }

    /// How many bytes an object has; `None` if there is none.
    pub(super) async fn size(&self, id: ObjectId) -> Result<Option<u64>> {
        match self.0.s3.head(&self.path(Key::Object(id))).await {
            Ok(found) => Ok(Some(found.size)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("find", id)(error)),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(super) async fn delete(&self, id: ObjectId) -> Result<()> {
        match self.0.s3.delete(&self.path(Key::Object(id))).await {
            Err(error) if !is_missing(&error) => Err(self.failed("delete", id)(error)),
            _ => Ok(()),
        }
    }

    /// As [`super::Blobs::list`].
    pub(super) async fn list(
        &self,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<(ObjectId, Timestamp)>> {
        let mut found: Vec<(ObjectId, Timestamp)> = Vec::new();
        let mut after = after.map(|id| self.path(Key::Object(id)).to_string());
        while found.len() < limit {
            let page = self.page(after.take(), limit - found.len()).await;
            let what = format!("cannot list the objects of the bucket '{}'", self.0.name);
            let (objects, last) = page.map_err(|error| failure(&what, &error))?;
            found.extend(objects);
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(found)
    }

    /// A page of at most 1,000 keys behind `after`; the last key if others follow.
    async fn page(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<(ObjectId, Timestamp)>, Option<String>), Error> {
        let directory = self.path(Key::Objects);
        let options = PaginatedListOptions {
            offset: after,
            max_keys: Some(limit.min(1000)),
            ..PaginatedListOptions::default()
        };
        let page = self
            .0
            .s3
            .list_paginated(Some(&format!("{directory}/")), options)
            .await?;
        let found = page.result.objects;
        let last = found.iter().map(|object| object.location.to_string()).max();
        let object = |object: &object_store::ObjectMeta| {
            let id: ObjectId = object.location.filename()?.parse().ok()?;
            let modified = Timestamp::from_millis(object.last_modified.timestamp_millis());
            (object.location == self.path(Key::Object(id))).then_some((id, modified))
        };
        let mut objects: Vec<_> = found.iter().filter_map(object).collect();
        objects.sort_unstable();
        Ok((objects, last.filter(|_| page.page_token.is_some())))
    }

    /// Begins an object that will come in parts; gives the name of that upload.
    pub(super) async fn begin(&self, id: ObjectId) -> Result<String> {
        let begun = self
            .0
            .s3
            .create_multipart(&self.path(Key::Object(id)))
            .await;
        begun.map_err(self.failed("write", id))
    }

    /// Sends the part `index`, counted from 0; gives what completing it takes. `None` if the
    /// upload is gone.
    pub(super) async fn put_part(
        &self,
        id: ObjectId,
        upload: &str,
        index: usize,
        bytes: Bytes,
    ) -> Result<Option<String>> {
        let (path, upload) = (self.path(Key::Object(id)), upload.to_owned());
        match self
            .0
            .s3
            .put_part(&path, &upload, index, bytes.into())
            .await
        {
            Ok(part) => Ok(Some(part.content_id)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("write", id)(error)),
        }
    }

    /// Makes the object of its parts; `false` if the upload is gone, or has other parts by now.
    pub(super) async fn complete(
        &self,
        id: ObjectId,
        upload: &str,
        parts: &[String],
    ) -> Result<bool> {
        let parts = parts
            .iter()
            .map(|part| PartId {
                content_id: part.clone(),
            })
            .collect();
        let (path, upload) = (self.path(Key::Object(id)), upload.to_owned());
        match self.0.s3.complete_multipart(&path, &upload, parts).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) if reason(&error).starts_with("InvalidPart") => Ok(false),
            Err(error) => Err(self.failed("write", id)(error)),
        }
    }

    /// Drops the parts of an object that will not be; an upload that is gone is dropped already.
    pub(super) async fn abort(&self, id: ObjectId, upload: &str) -> Result<()> {
        let (path, upload) = (self.path(Key::Object(id)), upload.to_owned());
        match self.0.s3.abort_multipart(&path, &upload).await {
            Err(error) if !is_missing(&error) => Err(self.failed("delete", id)(error)),
            _ => Ok(()),
        }
    }
}

/// The client, which has not asked anything yet.
fn client(settings: &BucketSettings) -> Result<AmazonS3, Error> {
    let options = ClientOptions::new()
        .with_allow_http(settings.allow_http)
        .with_timeout(REQUEST_TIME)
        .with_connect_timeout(CONNECT_TIME);
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_TIME,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.name)
        .with_region(&settings.region)
        .with_access_key_id(&settings.access_key_id)
        .with_secret_access_key(settings.secret_access_key.expose())
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_client_options(options)
        .with_retry(retry)
        // One DELETE for each: what every server has.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint_of(settings, endpoint));
    }
    if let Some(token) = &settings.session_token {
        builder = builder.with_token(token.expose());
    }
    builder.build()
}

/// The endpoint as the client wants it: with the bucket in front if it stands in the host name.
fn endpoint_of(settings: &BucketSettings, endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, host)) if !settings.path_style => {
            format!("{scheme}://{}.{host}", settings.name)
        }
        _ => endpoint.to_owned(),
    }
}

fn failure(what: &str, error: &Error) -> StoreError {
    StoreError::Bucket(format!(
        "{what}: {}; check that its server runs and can be reached, then try again",
        reason(error)
    ))
}
