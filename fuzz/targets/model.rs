//! The nouns of `bonded-model`.

use bonded_model::{Digest, Manifest, MediaType, Reference, RepositoryName};
use serde_json::Value;

use super::{can_be_shown, first_line};

/// The first line is the media type stated outside, the rest is the manifest.
pub(super) fn manifest(data: &[u8]) {
    let (stated, bytes) = first_line(data);
    let manifest = match Manifest::parse(bytes, Some(stated)) {
        Ok(manifest) => manifest,
        Err(error) => return can_be_shown(&error),
    };
    assert!(manifest.media_type.essence().starts_with("application/"));
    // What was read is what another reader of the same bytes sees.
    let value: Value = serde_json::from_slice(bytes).expect("JSON");
    let digests = |list: &Value| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        let text = |item: &Value| item["digest"].as_str().unwrap_or_default().to_owned();
        items.map(text).collect()
    };
    let read = |descriptors: &[bonded_model::Descriptor]| -> Vec<String> {
        let text = |descriptor: &bonded_model::Descriptor| descriptor.digest.to_string();
        descriptors.iter().map(text).collect()
    };
    if manifest.is_index() {
        assert_eq!(read(&manifest.manifests), digests(&value["manifests"]));
        assert!(manifest.blobs.is_empty());
    } else {
        let config = value["config"]["digest"].as_str().unwrap_or_default();
        let mut blobs = vec![config.to_owned()];
        blobs.extend(digests(&value["layers"]));
        assert_eq!(read(&manifest.blobs), blobs);
        assert!(manifest.manifests.is_empty());
    }
    let subject = manifest.subject.map(|subject| subject.digest.to_string());
    assert_eq!(subject.as_deref(), value["subject"]["digest"].as_str());
}

pub(super) fn digest(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<Digest>() {
        Ok(digest) => {
            assert_eq!(digest.as_str(), text);
            let (algorithm, hex) = text.split_once(':').expect("a colon");
            assert_eq!(algorithm, digest.algorithm().as_str());
            let hash = hex::decode(hex).expect("hex digits");
            assert_eq!(Digest::from_hash(digest.algorithm(), &hash), digest);
        }
        Err(error) => can_be_shown(&error),
    }
}

pub(super) fn reference(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<Reference>() {
        Ok(reference) => {
            assert_eq!(reference.to_string(), text);
            assert_eq!(
                matches!(reference, Reference::Digest(_)),
                text.contains(':')
            );
            stands_in_a_path(&text);
        }
        Err(error) => can_be_shown(&error),
    }
}

pub(super) fn repository_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<RepositoryName>() {
        Ok(name) => {
            assert_eq!(name.as_str(), text);
            stands_in_a_path(&text);
            for part in text.split('/') {
                let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
                assert!(
                    outer(part.chars().next()) && outer(part.chars().next_back()),
                    "{text}"
                );
                assert!(!part.contains("..") && !part.contains("___"), "{text}");
            }
            assert!(!text.contains(|c: char| c.is_ascii_uppercase()), "{text}");
        }
        Err(error) => can_be_shown(&error),
    }
}

pub(super) fn media_type(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<MediaType>() {
        Ok(media_type) => {
            assert_eq!(media_type.as_str(), text);
            http::HeaderValue::from_str(&text).expect("a header's value");
            let essence: MediaType = media_type.essence().parse().expect("a media type");
            assert_eq!(essence.essence(), media_type.essence());
        }
        Err(error) => can_be_shown(&error),
    }
}

/// Our reader takes what `serde_json` takes and reads it the same, except what it refuses for a
/// reason of its own.
pub(super) fn json(data: &[u8]) {
    let plain = serde_json::from_slice::<Value>(data);
    match bonded_model::json::parse(data) {
        Ok(value) => assert_eq!(value, plain.expect("JSON to serde_json too")),
        Err(error) => {
            can_be_shown(&error);
            let text = error.to_string();
            let ours = text.contains("stands twice") || text.contains("nested deeper than");
            assert!(plain.is_err() || ours, "{text}");
        }
    }
}

/// Text that goes into paths, headers and file names as it is.
#[track_caller]
fn stands_in_a_path(text: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    assert!(text.chars().all(plain), "{text:?}");
    assert!(
        !text.split('/').any(|part| matches!(part, "" | "." | "..")),
        "{text:?}"
    );
}
