//! An image of a registry: read over `/v2`, with the credentials by which docker is logged in.
//!
//! Layers stream by and are never kept; a manifest is at most 64 MiB.

use std::io::{self, Read};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::{Descriptor, Digest, Manifest, MediaType};
use bonded_registry::Clock;
use bytes::{Buf as _, Bytes};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::images::{self, Entry, Image, Manifests, Selection};
use super::verified::{Verified, verified};
use crate::cli::login::{Host, Hosts, fetch};
use crate::cli::{Failure, Status};
use crate::client::{Client, Streamed};

/// What manifests may be, as clients list it.
const ACCEPT: [&str; 4] = [
    MediaType::OCI_MANIFEST,
    MediaType::OCI_INDEX,
    MediaType::DOCKER_MANIFEST,
    MediaType::DOCKER_LIST,
];

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// A repository of a registry.
pub(super) struct Repository {
    client: Client,
    host: String,
    name: String,
    authorization: String,
    runtime: Runtime,
}

impl Repository {
    /// The repository `name` of the registry that images name `host`.
    pub(super) fn open(host: &str, name: &str) -> Result<Self, Failure> {
        let host = host.to_ascii_lowercase();
        let Some(known) = Hosts::find(&host)? else {
            return Err(Failure::usage(format!(
                "you are not logged in to '{host}': log in with 'bonded login {host}'"
            )));
        };
        let of_registry = Host {
            endpoint: match known.endpoint.starts_with("http://") {
                true => format!("http://{host}"),
                false => format!("https://{host}"),
            },
            ..known.clone()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
        let now = Clock::system().now();
        let asked = known.client(None)?;
        let password = runtime.block_on(fetch(&asked, now))?;
        let pair = format!("{}:{}", password.user, password.secret.expose());
        Ok(Self {
            client: of_registry.client(None)?,
            host,
            name: name.to_owned(),
            authorization: format!("Basic {}", STANDARD.encode(pair)),
            runtime,
        })
    }

    /// The images that are meant: what a tag or digest names.
    pub(super) fn images(
        &self,
        reference: &str,
        selection: &Selection,
    ) -> Result<Vec<Image>, Failure> {
        let (bytes, media_type) = self.manifest(reference)?;
        let digest = match reference.parse::<Digest>() {
            Ok(digest) => digest,
            Err(_) => Digest::sha256(&bytes),
        };
        let bytes = verified(bytes, &digest)?;
        let manifest: Manifest = images::parse(reference, &bytes, &media_type)?;
        let separator = if reference.contains(':') { '@' } else { ':' };
        let named = Entry {
            names: vec![format!("{}/{}{separator}{reference}", self.host, self.name)],
            platform: None,
            descriptor: Descriptor {
                media_type: manifest.media_type,
                digest,
                size: bytes.len() as u64,
            },
        };
        images::select(self, &[named], selection)
    }

    /// The bytes of a layer, to be read to their end and verified.
    pub(super) fn layer(&self, digest: &Digest) -> Result<Verified<'_>, Failure> {
        let path = format!("/v2/{}/blobs/{digest}", self.name);
        let streamed = self.get(&path, &[])?;
        let body = Body {
            streamed,
            chunk: Bytes::new(),
            runtime: &self.runtime,
        };
        Ok(Verified::new(Box::new(body), digest))
    }

    fn manifest(&self, reference: &str) -> Result<(Vec<u8>, String), Failure> {
        let path = format!("/v2/{}/manifests/{reference}", self.name);
        let streamed = self.get(&path, &ACCEPT)?;
        let media_type = streamed.headers.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let bytes = self
            .runtime
            .block_on(self.client.server().collect(streamed));
        Ok((bytes.map_err(Failure::failed)?.to_vec(), media_type))
    }

    fn get(&self, path: &str, accept: &[&str]) -> Result<Streamed, Failure> {
        let server = self.client.server();
        let request = Request::get(path)
            .header(header::HOST, server.endpoint().authority())
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::ACCEPT, accept.join(", "))
            .body(Full::from(Bytes::new()))
            .map_err(|error| Failure::usage(format!("'{path}' cannot be asked for: {error}")))?;
        self.runtime.block_on(async {
            let streamed = server.open(request).await?;
            if streamed.status == StatusCode::OK {
                return Ok(streamed);
            }
            let status = streamed.status;
            let body = server.collect(streamed).await.unwrap_or_default();
            Err(self.refused(status, &body))
        })
    }

    /// What the registry says when it refuses.
    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let said = match json["errors"][0]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("the registry '{}' answered {status}", self.host),
        };
        let status = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Status::Denied,
            StatusCode::NOT_FOUND => Status::NotFound,
            _ => Status::Failed,
        };
        Failure::new(status, said)
    }
}

impl Manifests for Repository {
    fn shown(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Failure> {
        let digest = &descriptor.digest;
        let is_manifest = ACCEPT.contains(&descriptor.media_type.essence());
        let bytes = if is_manifest {
            self.manifest(digest.as_str())?.0
        } else {
            let path = format!("/v2/{}/blobs/{digest}", self.name);
            let streamed = self.get(&path, &[])?;
            let bytes = self
                .runtime
                .block_on(self.client.server().collect(streamed));
            bytes.map_err(Failure::failed)?.to_vec()
        };
        verified(bytes, digest)
    }
}

/// A body as it comes in.
struct Body<'a> {
    streamed: Streamed,
    chunk: Bytes,
    runtime: &'a Runtime,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let next = async { timeout(SILENCE, self.streamed.body.frame()).await };
            let frame = match self.runtime.block_on(next) {
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(None) => return Ok(0),
                Ok(Some(frame)) => frame.map_err(io::Error::other)?,
            };
            self.chunk = frame.into_data().unwrap_or_default();
        }
        let read = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
