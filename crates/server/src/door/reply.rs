//! An answer, as every door makes it.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};

use crate::listen::ResponseBody;
use crate::metrics::Served;

/// An answer.
pub(crate) struct Reply(pub(crate) Response<ResponseBody>);

impl Reply {
    /// An answer with a text as its body; plain text unless `headers` say otherwise.
    pub(crate) fn text(status: StatusCode, mut headers: HeaderMap, body: String) -> Self {
        headers
            .entry(header::CONTENT_TYPE)
            .or_insert(header::HeaderValue::from_static(
                "text/plain; charset=utf-8",
            ));
        Self::whole(status, headers, Bytes::from(body))
    }

    /// An answer whose body is at hand.
    pub(crate) fn whole(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        let body = Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync();
        Self::with(status, headers, body)
    }

    /// Says what answered, for metrics.
    pub(crate) fn served(mut self, door: &'static str, operation: &'static str) -> Self {
        let served = Served { door, operation };
        self.0.extensions_mut().insert(served);
        self
    }

    /// An answer with any body.
    pub(crate) fn with(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Self(response)
    }
}
