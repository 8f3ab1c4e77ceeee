//! What is fuzzed: each parser of untrusted bytes as a function that takes any bytes and stops the
//! process where the parser breaks a promise.
//!
//! `cargo fuzz` calls these functions by way of `fuzz_targets/NAME.rs`; `cargo test` compiles this
//! module into the integration tests of `bonded-server` and calls them with `corpus/NAME/*`.

mod http_api;
mod model;
mod policy;
mod scan;
mod signature;

/// Takes any bytes, and stops the process if a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by its name: that of its corpus, of its binary, and of `cargo fuzz run NAME`.
pub const TARGETS: &[(&str, Target)] = &[
    ("advisories", scan::advisories),
    ("attached_document", scan::attached_document),
    ("authorization", signature::authorization),
    ("challenge", http_api::challenge),
    ("condition", policy::condition),
    ("digest", model::digest),
    ("forwarded_for", http_api::forwarded_for),
    ("image_archive", scan::image_archive),
    ("inventory", scan::inventory),
    ("json", model::json),
    ("jwt", signature::jwt),
    ("layer", scan::layer),
    ("manifest", model::manifest),
    ("media_type", model::media_type),
    ("advisory_table", scan::advisory_table),
    ("osv_mirror", scan::osv_mirror),
    ("osv_record", scan::osv_record),
    ("package_file", scan::package_file),
    ("policy", policy::policy),
    ("presigned", signature::presigned),
    ("query_form", http_api::query_form),
    ("range", http_api::range),
    ("reference", model::reference),
    ("repository_name", model::repository_name),
    ("route", http_api::route),
    ("service_token", signature::service_token),
    ("upload_query", http_api::upload_query),
];

/// Runs one target.
///
/// # Panics
/// There is no target of this name, or the bytes break one of its promises.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, target) = target.expect("a target of this name");
    target(data);
}

/// The first line of `data` without its end, and what follows it.
fn first_line(data: &[u8]) -> (&str, &[u8]) {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    let line = std::str::from_utf8(line).unwrap_or_default();
    (line, rest.get(1..).unwrap_or_default())
}

/// What every refusal of untrusted bytes promises: its text can be shown and logged as it is.
#[track_caller]
fn can_be_shown(error: &dyn std::fmt::Display) {
    let text = error.to_string();
    assert!(
        !text.is_empty() && text.len() <= 4096,
        "{} bytes",
        text.len()
    );
    assert!(!text.contains(char::is_control), "{text:?}");
}
