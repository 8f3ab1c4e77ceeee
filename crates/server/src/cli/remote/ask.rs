//! A request of a registry.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;

use crate::cli::Failure;
use crate::client::Endpoint;

/// A request, as often as it must be sent.
pub(super) struct Ask<'a> {
    method: Method,
    path: &'a str,
    headers: &'a [(header::HeaderName, String)],
    body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn new(
        method: Method,
        path: &'a str,
        headers: &'a [(header::HeaderName, String)],
    ) -> Self {
        Self {
            method,
            path,
            headers,
            body: Bytes::new(),
        }
    }

    /// The same with a body.
    pub(super) fn with(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    pub(super) fn request(
        &self,
        endpoint: &Endpoint,
        authorization: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(self.path)
            .header(header::HOST, endpoint.authority());
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(self.body.clone()));
        request.map_err(|e| Failure::usage(format!("'{}' cannot be asked for: {e}", self.path)))
    }
}
