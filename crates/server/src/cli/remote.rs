//! A repository of any registry that speaks OCI's distribution API, asked with the credentials by
//! which this user is logged in: through `bonded login`, or as docker's configuration has them.
//!
//! Where a registry answers with a challenge for a token, the token is fetched; where it sends
//! blobs from elsewhere, no credential goes there. What is read is at most 64 MiB or streamed.

mod ask;
mod body;
mod credentials;

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::{Digest, MediaType};
use bytes::Bytes;
use http::{Method, StatusCode, Uri, header};
use tokio::runtime::Runtime;

use crate::challenge::{self, Challenge};
use crate::cli::verified::Verified;
use crate::cli::{Failure, Status};
use crate::client::{Endpoint, Server, Streamed};
use ask::Ask;
use body::Body;
pub(super) use credentials::Login;

/// What manifests may be, as clients list it.
pub(super) const MANIFESTS: [&str; 4] = [
    MediaType::OCI_MANIFEST,
    MediaType::OCI_INDEX,
    MediaType::DOCKER_MANIFEST,
    MediaType::DOCKER_LIST,
];

/// How often a blob may be said to be elsewhere.
const REDIRECTS: usize = 3;

/// How much of a blob is sent with one request, in bytes.
const PIECE: usize = 8 * 1024 * 1024;

/// A repository of a registry.
pub(super) struct Remote {
    server: Server,
    authorities: Vec<PathBuf>,
    host: String,
    name: String,
    /// `Authorization` with the user's password.
    basic: Option<String>,
    /// `Authorization` with what the last challenge brought.
    bearer: Mutex<Option<String>>,
    runtime: Runtime,
}

impl Remote {
    /// The repository `name` of the registry that images name `host`, over TLS unless the user
    /// logged in without or asks for `plain_http`.
    pub(super) fn open(host: &str, name: &str, plain_http: bool) -> Result<Self, Failure> {
        let host = host.to_ascii_lowercase();
        let runtime = runtime()?;
        let login = Login::of_user(&host, plain_http, &runtime)?;
        Ok(Self::new(login, host, name, runtime))
    }

    /// The repository `name` of the registry `host`, asked as `login` says.
    pub(super) fn open_by(login: Login, host: &str, name: &str) -> Result<Self, Failure> {
        Ok(Self::new(
            login,
            host.to_ascii_lowercase(),
            name,
            runtime()?,
        ))
    }

    fn new(login: Login, host: String, name: &str, runtime: Runtime) -> Self {
        Self {
            server: login.server,
            authorities: login.authorities,
            name: name.to_owned(),
            basic: login.pair.map(|pair| {
                let pair = format!("{}:{}", pair.0, pair.1.expose());
                format!("Basic {}", STANDARD.encode(pair))
            }),
            bearer: Mutex::default(),
            host,
            runtime,
        }
    }

    /// `HOST/NAME`.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    /// Whether nobody is logged in.
    pub(super) fn is_anonymous(&self) -> bool {
        self.basic.is_none()
    }

    /// The manifest that a tag or digest names, with the type the registry states. Its bytes are
    /// not verified.
    pub(super) fn manifest(&self, reference: &str) -> Result<(Vec<u8>, String), Failure> {
        let path = format!("/v2/{}/manifests/{reference}", self.name);
        let streamed = self.get(&path, &[(header::ACCEPT, MANIFESTS.join(", "))])?;
        let media_type = streamed.headers.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        Ok((self.collect(streamed)?, media_type))
    }

    /// A blob of at most 64 MiB. Its bytes are not verified.
    pub(super) fn document(&self, digest: &Digest) -> Result<Vec<u8>, Failure> {
        let streamed = self.get(&self.blob_path(digest), &[])?;
        self.collect(streamed)
    }

    /// The bytes of a blob, to be read to their end and verified.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Verified<'_>, Failure> {
        let streamed = self.get(&self.blob_path(digest), &[])?;
        let body = Body::new(streamed, &self.runtime);
        Ok(Verified::new(Box::new(body), digest))
    }

    /// Uploads the blob `digest`, unless it is there; `sent` is told of the bytes of each piece.
    pub(super) fn put_blob(
        &self,
        digest: &Digest,
        bytes: &mut dyn Read,
        mut sent: impl FnMut(u64),
    ) -> Result<(), Failure> {
        let path = self.blob_path(digest);
        let ask = Ask::new(Method::HEAD, &path, &[]);
        if self.send(&ask)?.status == StatusCode::OK {
            return Ok(());
        }
        let path = format!("/v2/{}/blobs/uploads/", self.name);
        let begun = self.send(&Ask::new(Method::POST, &path, &[]))?;
        let mut location = self.location(&self.expect(begun, StatusCode::ACCEPTED)?)?;
        let mut at: u64 = 0;
        loop {
            let mut piece = Vec::new();
            let read = bytes.take(PIECE as u64).read_to_end(&mut piece);
            let read = read.map_err(|e| Failure::failed(format!("cannot read the file: {e}")))?;
            if read == 0 {
                break;
            }
            let end = at + read as u64;
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_RANGE, format!("{at}-{}", end - 1)),
            ];
            let ask = Ask::new(Method::PATCH, &location, &headers).with(Bytes::from(piece));
            let streamed = self.send(&ask)?;
            location = self.location(&self.expect(streamed, StatusCode::ACCEPTED)?)?;
            at = end;
            sent(read as u64);
        }
        let separator = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{separator}digest={digest}");
        let finished = self.send(&Ask::new(Method::PUT, &path, &[]))?;
        self.expect(finished, StatusCode::CREATED).map(drop)
    }

    /// Puts a manifest of OCI's type under a tag or its digest.
    pub(super) fn put_manifest(&self, reference: &str, manifest: &[u8]) -> Result<(), Failure> {
        let path = format!("/v2/{}/manifests/{reference}", self.name);
        let headers = [(header::CONTENT_TYPE, MediaType::OCI_MANIFEST.to_owned())];
        let body = Bytes::copy_from_slice(manifest);
        let ask = Ask::new(Method::PUT, &path, &headers).with(body);
        let put = self.send(&ask)?;
        self.expect(put, StatusCode::CREATED).map(drop)
    }

    fn blob_path(&self, digest: &Digest) -> String {
        format!("/v2/{}/blobs/{digest}", self.name)
    }

    fn collect(&self, streamed: Streamed) -> Result<Vec<u8>, Failure> {
        let bytes = self.runtime.block_on(self.server.collect(streamed));
        Ok(bytes.map_err(Failure::from)?.to_vec())
    }

    /// An answer with status 200, from wherever the registry says that it is.
    fn get(
        &self,
        path: &str,
        headers: &[(header::HeaderName, String)],
    ) -> Result<Streamed, Failure> {
        let mut streamed = self.send(&Ask::new(Method::GET, path, headers))?;
        let mut elsewhere = None;
        for _ in 0..REDIRECTS {
            let location = streamed.headers.get(header::LOCATION);
            let location = location.filter(|_| streamed.status.is_redirection());
            let Some(location) = location.and_then(|location| location.to_str().ok()) else {
                break;
            };
            streamed = self.follow(location, &mut elsewhere)?;
        }
        self.expect(streamed, StatusCode::OK)
    }

    /// What is at a URL to which the registry leads, or the server that it led to before: nobody
    /// but the registry itself has credentials used.
    fn follow(&self, location: &str, elsewhere: &mut Option<Server>) -> Result<Streamed, Failure> {
        let path = match self.absolute(location)? {
            Some((endpoint, path)) => {
                *elsewhere = Some(Server::new(endpoint, &self.authorities)?);
                path
            }
            None => location.to_owned(),
        };
        let ask = Ask::new(Method::GET, &path, &[]);
        let Some(server) = elsewhere else {
            return self.send(&ask);
        };
        let request = ask.request(server.endpoint(), None)?;
        Ok(self.runtime.block_on(server.open(request))?)
    }

    /// Another server and the path there; `None` for what is at the registry itself.
    fn absolute(&self, location: &str) -> Result<Option<(Endpoint, String)>, Failure> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Ok(None);
        }
        let wrong = |problem: &str| {
            let location = location.escape_debug();
            Failure::failed(format!(
                "the registry '{}' names '{location}', which {problem}",
                self.host
            ))
        };
        let uri: Uri = location.parse().map_err(|_| wrong("is no URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("is no URL"));
        };
        let endpoint = Endpoint::parse(&format!("{scheme}://{authority}"))?;
        if self.server.endpoint().is_https() && !endpoint.is_https() {
            return Err(wrong("is not by HTTPS"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Some((endpoint, path.to_owned())))
    }

    /// The path at which an upload goes on.
    fn location(&self, streamed: &Streamed) -> Result<String, Failure> {
        let location = streamed.headers.get(header::LOCATION);
        let Some(location) = location.and_then(|location| location.to_str().ok()) else {
            return Err(Failure::failed(
                self.server.unexpected("it does not say where to upload"),
            ));
        };
        match self.absolute(location)? {
            None => Ok(location.to_owned()),
            Some((endpoint, path))
                if endpoint.authority() == self.server.endpoint().authority() =>
            {
                Ok(path)
            }
            Some((endpoint, _)) => Err(Failure::failed(format!(
                "the registry '{}' wants uploads at '{endpoint}': credentials are not sent elsewhere",
                self.host
            ))),
        }
    }

    /// Sends a request, again with a token if the registry asks for one.
    fn send(&self, ask: &Ask<'_>) -> Result<Streamed, Failure> {
        let streamed = self.open_once(ask)?;
        if streamed.status != StatusCode::UNAUTHORIZED {
            return Ok(streamed);
        }
        let challenge = streamed.headers.get(header::WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| Challenge::parse(value.to_str().ok()?));
        let Some(challenge) = challenge else {
            return Ok(streamed);
        };
        let token = self.token(&challenge)?;
        *self.bearer.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        self.open_once(ask)
    }

    fn open_once(&self, ask: &Ask<'_>) -> Result<Streamed, Failure> {
        let bearer = self
            .bearer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let authorization = bearer.or_else(|| self.basic.clone());
        let request = ask.request(self.server.endpoint(), authorization.as_deref())?;
        Ok(self.runtime.block_on(self.server.open(request))?)
    }

    /// `Authorization` with the token that a challenge asks for.
    fn token(&self, challenge: &Challenge) -> Result<String, Failure> {
        let server;
        let (at, path) = match self.absolute(&challenge.realm)? {
            None => (&self.server, challenge.realm.clone()),
            Some((endpoint, path)) => {
                server = Server::new(endpoint, &self.authorities)?;
                (&server, path)
            }
        };
        let path = challenge.path(&path, &self.name);
        let ask = Ask::new(Method::GET, &path, &[]);
        let request = ask.request(at.endpoint(), self.basic.as_deref())?;
        let answer = self.runtime.block_on(at.send(request))?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(answer.status, &answer.body));
        }
        challenge::token(&answer.body)
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(|| Failure::failed(at.unexpected("its answer has no token")))
    }

    /// The answer, if it has the status.
    fn expect(&self, streamed: Streamed, status: StatusCode) -> Result<Streamed, Failure> {
        if streamed.status == status {
            return Ok(streamed);
        }
        let status = streamed.status;
        let body = self.runtime.block_on(self.server.collect(streamed));
        Err(self.refused(status, &body.unwrap_or_default()))
    }

    /// What the registry says when it refuses.
    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let mut said = match json["errors"][0]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("the registry '{}' answered {status}", self.host),
        };
        let status = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Status::Denied,
            StatusCode::NOT_FOUND => Status::NotFound,
            _ => Status::Failed,
        };
        // Ours says it itself.
        let says_how = said.contains("bonded login");
        if status == Status::Denied && self.is_anonymous() && !says_how {
            said = format!("{said}; {}", not_logged_in(&self.host));
        }
        Failure::new(status, said)
    }
}

/// What runs the conversation with a registry.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
}

/// What to do where nobody is logged in.
pub(super) fn not_logged_in(host: &str) -> String {
    format!(
        "you are not logged in to '{host}': log in with 'bonded login {host}', or 'docker login \
         {host}' if it is another registry"
    )
}
