//! What a document attached to an image is: `OpenVEX`, CycloneDX or SPDX in JSON, or a statement of
//! in-toto about the image that has one of them for its predicate, alone or in an envelope.
//!
//! <https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md>,
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::advisories::{VEX_NAMESPACE, VexDocument};
use crate::database::{SbomDocument, bound_values};

/// A document, read.
pub(super) enum Form {
    Statements(VexDocument),
    Packages(SbomDocument),
    /// It is about another image.
    OfAnother,
    /// It says nothing that a scan asks for: how the image was built, a signature.
    Other,
}

/// What tells the forms apart.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "@context", default)]
    context: Option<Value>,
    #[serde(rename = "bomFormat", default)]
    bom_format: Option<Value>,
    #[serde(rename = "spdxVersion", default)]
    spdx_version: Option<Value>,
    #[serde(rename = "_type", default)]
    statement: Option<String>,
    #[serde(rename = "predicateType", default)]
    predicate_type: String,
    #[serde(default)]
    subject: Value,
    #[serde(default)]
    payload: Option<String>,
    /// Of a bundle of Sigstore's.
    #[serde(rename = "dsseEnvelope", default)]
    envelope: Option<Envelope>,
    /// Of a bundle of Sigstore's that is a signature alone.
    #[serde(rename = "messageSignature", default)]
    signature: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Statement<P> {
    predicate: P,
}

/// Reads a document that is attached to the image of these digests.
///
/// # Errors
/// It is none of the forms, or is not what it says it is.
pub(super) fn form_of(bytes: &[u8], images: &[&Digest]) -> Result<Form, String> {
    let head: Head = json(bytes)?;
    let envelope = head.envelope.as_ref().map(|envelope| &envelope.payload);
    if let Some(payload) = head.payload.as_ref().or(envelope) {
        let payload = STANDARD.decode(payload.trim());
        let payload = payload.map_err(|_| "the payload of its envelope is not base64")?;
        return statement(&payload, json(&payload)?, images);
    }
    if head.signature.is_some() {
        return Ok(Form::Other);
    }
    if head.statement.is_some() {
        return statement(bytes, head, images);
    }
    let context = head.context.as_ref().and_then(Value::as_str);
    if context.is_some_and(|context| context.starts_with(VEX_NAMESPACE)) {
        return Ok(Form::Statements(json(bytes)?));
    }
    if head.bom_format.is_some() || head.spdx_version.is_some() {
        let document: SbomDocument = json(bytes)?;
        if document.is_one() {
            return Ok(Form::Packages(document));
        }
    }
    Err("it is neither CycloneDX nor SPDX 2 nor OpenVEX in JSON".to_owned())
}

/// Reads a statement of in-toto.
fn statement(bytes: &[u8], head: Head, images: &[&Digest]) -> Result<Form, String> {
    let kind = head.statement.unwrap_or_default();
    if !kind.starts_with("https://in-toto.io/Statement/") {
        return Err("what its envelope holds is no statement of in-toto".to_owned());
    }
    let starts = |with: &str| head.predicate_type.starts_with(with);
    let is_vex = starts(VEX_NAMESPACE);
    if !is_vex && !starts("https://cyclonedx.org/bom") && !starts("https://spdx.dev/Document") {
        return Ok(Form::Other);
    }
    let subjects: Vec<Subject> = serde_json::from_value(head.subject)
        .map_err(|error| bonded_model::shown(&error.to_string()))?;
    let mut digests = subjects.iter().flat_map(|subject| &subject.digest);
    let is_one = |digest: &str| images.iter().any(|image| image.as_str() == digest);
    if !digests.any(|(algorithm, hex)| is_one(&format!("{algorithm}:{hex}"))) {
        return Ok(Form::OfAnother);
    }
    if is_vex {
        let statement: Statement<VexDocument> = json(bytes)?;
        return Ok(Form::Statements(statement.predicate));
    }
    let statement: Statement<SbomDocument> = json(bytes)?;
    match statement.predicate.is_one() {
        true => Ok(Form::Packages(statement.predicate)),
        false => Err("its predicate is neither CycloneDX nor SPDX 2 in JSON".to_owned()),
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bound_values(bytes).map_err(|error| error.to_string())?;
    serde_json::from_slice(bytes).map_err(|error| bonded_model::shown(&error.to_string()))
}
