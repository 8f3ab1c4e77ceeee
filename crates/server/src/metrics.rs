//! What is counted and measured, in Prometheus' text format (OpenMetrics 1.0).
//!
//! Every label is one of a fixed set: nothing that a client sends becomes one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bonded_model::Timestamp;
use bonded_registry::{AdvisoriesReport, AdvisoryUpdate};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::listen::ResponseBody;

/// The content type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of the classes of durations, in seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// What answered a request; travels with the answer, as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Served {
    /// The door: `oci`, `ecr`, `sts`, `iam`, `layers` or `other`.
    pub(crate) door: &'static str,
    /// The operation of the API, or the route; `-` if there is none of that name.
    pub(crate) operation: &'static str,
}

/// What is neither of a door nor of an operation.
const OTHER: Served = Served {
    door: "other",
    operation: "-",
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    door: &'static str,
    operation: &'static str,
    status: u16,
}

/// The counters of this process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Served, Histogram>,
    in_flight: Gauge,
    received: Counter,
    sent: Counter,
}

impl Metrics {
    /// All zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("bonded");
        let requests = Family::<Answered, Counter>::default();
        registry.register(
            "http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        let seconds = Family::<Served, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register_with_unit(
            "http_request_duration",
            "Time until the head of the answer was sent",
            Unit::Seconds,
            seconds.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "http_requests_in_flight",
            "Requests whose answer has not begun",
            in_flight.clone(),
        );
        let (received, sent) = (Counter::default(), Counter::default());
        registry.register_with_unit(
            "http_received",
            "Bytes of request bodies",
            Unit::Bytes,
            received.clone(),
        );
        registry.register_with_unit(
            "http_sent",
            "Bytes of answers' bodies",
            Unit::Bytes,
            sent.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        Self {
            registry,
            requests,
            seconds,
            in_flight,
            received,
            sent,
        }
    }

    /// The text; `advisories` are those in use, `update` is what became of renewing them, and it is
    /// `now`.
    ///
    /// # Errors
    /// None that can be met: it is written to memory.
    pub(crate) fn text(
        &self,
        advisories: Option<&AdvisoriesReport>,
        update: Option<&AdvisoryUpdate>,
        now: Timestamp,
    ) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode_registry(&mut out, &self.registry)?;
        text::encode_registry(&mut out, &of_advisories(advisories, now))?;
        if let Some(update) = update {
            text::encode_registry(&mut out, &of_update(update, now))?;
        }
        text::encode_eof(&mut out)?;
        Ok(out)
    }

    /// A request's body, whose bytes are counted as they come.
    pub(crate) fn receiving<B>(&self, body: B) -> Counted<B> {
        Counted {
            body,
            bytes: self.received.clone(),
        }
    }

    /// A request begins; it ends with [`Measured::answered`], or when it is given up.
    #[expect(
        clippy::disallowed_methods,
        reason = "it is measured, and decides nothing"
    )]
    pub(crate) fn begin(self: &Arc<Self>) -> Measured {
        self.in_flight.inc();
        Measured {
            metrics: Arc::clone(self),
            begun: Instant::now(),
        }
    }
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

/// What became of renewing the advisories on any node, as this one knows it.
fn of_update(update: &AdvisoryUpdate, now: Timestamp) -> Registry {
    let mut registry = Registry::with_prefix("bonded_advisories_update");
    let seconds = |time: Timestamp| gauge(u64::try_from(time.as_seconds()).unwrap_or_default());
    registry.register_with_unit(
        "last_attempt_timestamp",
        "When advisories were to be renewed last",
        Unit::Seconds,
        seconds(update.attempted_at),
    );
    if let Some(at) = update.succeeded_at {
        registry.register_with_unit(
            "last_success_timestamp",
            "When they were last as new as their sources",
            Unit::Seconds,
            seconds(at),
        );
    }
    // One under way is counted as if it had failed.
    let failures = update.failures - u32::from(update.is_running(now));
    registry.register(
        "failures",
        "Attempts that have failed since",
        gauge(failures.into()),
    );
    registry
}

/// What is said of the advisories; if none are loaded, only that.
fn of_advisories(advisories: Option<&AdvisoriesReport>, now: Timestamp) -> Registry {
    let mut registry = Registry::with_prefix("bonded_advisories");
    registry.register(
        "loaded",
        "1 if there are advisories to judge images by",
        gauge(u64::from(advisories.is_some())),
    );
    let Some(report) = advisories else {
        return registry;
    };
    registry.register_with_unit(
        "age",
        "Time since the newest advisory was modified",
        Unit::Seconds,
        gauge(report.age(now).as_secs()),
    );
    registry.register(
        "records",
        "Advisories of all ecosystems",
        gauge(report.ecosystems.values().sum()),
    );
    // The one label that is not of a fixed set: the operator loads another file.
    let digest = Info::new([("digest", report.digest.to_string())]);
    registry.register("in_use", "The advisories", digest);
    registry
}

/// A request under way.
pub(crate) struct Measured {
    metrics: Arc<Metrics>,
    begun: Instant,
}

impl Measured {
    /// Counts the answer, and its bytes as they are sent.
    pub(crate) fn answered(self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let served = *response.extensions().get::<Served>().unwrap_or(&OTHER);
        let metrics = &self.metrics;
        metrics
            .requests
            .get_or_create(&self.label(served, response.status()))
            .inc();
        let seconds = self.begun.elapsed().as_secs_f64();
        metrics.seconds.get_or_create(&served).observe(seconds);
        let bytes = metrics.sent.clone();
        response.map(|body| Counted { body, bytes }.boxed_unsync())
    }

    fn label(&self, served: Served, status: StatusCode) -> Answered {
        Answered {
            door: served.door,
            operation: served.operation,
            status: status.as_u16(),
        }
    }
}

/// A body whose bytes are counted; its length stays known, so that answers keep their
/// `Content-Length`.
pub(crate) struct Counted<B> {
    body: B,
    bytes: Counter,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.bytes.inc_by(length as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_counted_with_its_bytes() {
        let metrics = Arc::new(Metrics::new());
        let now = Timestamp::from_millis(1_000_000);
        let received = metrics.receiving(http_body_util::Full::from("12345"));
        assert_eq!(received.size_hint().exact(), Some(5));
        received.collect().await.unwrap();
        let measured = metrics.begin();
        assert!(
            metrics
                .text(None, None, now)
                .unwrap()
                .contains("bonded_http_requests_in_flight 1\n")
        );
        let body = http_body_util::Full::from("1234567").map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        response.extensions_mut().insert(Served {
            door: "oci",
            operation: "GetBlob",
        });
        let response = measured.answered(response);
        assert_eq!(response.body().size_hint().exact(), Some(7));
        response.into_body().collect().await.unwrap();
        drop(metrics.begin());
        let text = metrics.text(None, None, now).unwrap();
        for line in [
            "bonded_http_requests_total{door=\"oci\",operation=\"GetBlob\",status=\"200\"} 1",
            "bonded_http_request_duration_seconds_count{door=\"oci\",operation=\"GetBlob\"} 1",
            "bonded_http_requests_in_flight 0",
            "bonded_http_received_bytes_total 5",
            "bonded_http_sent_bytes_total 7",
            "bonded_advisories_loaded 0",
        ] {
            assert!(text.lines().any(|given| given == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert!(!text.contains("bonded_advisories_age"), "{text}");
    }
}
