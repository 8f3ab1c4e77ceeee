//! JSON: everything that was found, for programs (docs/reference/scan-json.md).

use bonded_model::Digest;
use serde::{Deserialize, Serialize};

use super::{ImageFindings, Subject};
use crate::{FindingCounts, ScanResult};

/// An image with what was found in it.
#[derive(Serialize)]
struct Image<'a> {
    name: Option<&'a str>,
    digest: &'a str,
    platform: Option<&'a str>,
    /// `COMPLETE`, or `UNKNOWN` if `problems` says why.
    status: &'static str,
    counts: FindingCounts,
    #[serde(flatten)]
    result: &'a ScanResult,
}

/// One image is an object, several are a list in one.
#[derive(Serialize)]
#[serde(untagged)]
enum Images<'a> {
    One(Image<'a>),
    Several { images: Vec<Image<'a>> },
}

impl<'a> Image<'a> {
    fn new(found: &ImageFindings<'a>) -> Self {
        Self {
            name: found.subject.name.as_deref(),
            digest: found.subject.digest.as_str(),
            platform: found.subject.platform.as_deref(),
            status: match found.result.is_complete() {
                true => "COMPLETE",
                false => "UNKNOWN",
            },
            counts: found.result.counts(),
            result: found.result,
        }
    }
}

/// What was found in images, to be written as JSON.
#[must_use]
pub fn findings_json<'a>(images: &[ImageFindings<'a>]) -> impl Serialize + use<'a> {
    match images {
        [one] => Images::One(Image::new(one)),
        several => Images::list(several),
    }
}

/// As [`findings_json`], but a list even of one image or of none.
#[must_use]
pub fn findings_list_json<'a>(images: &[ImageFindings<'a>]) -> impl Serialize + use<'a> {
    Images::list(images)
}

impl<'a> Images<'a> {
    fn list(images: &[ImageFindings<'a>]) -> Self {
        Self::Several {
            images: images.iter().map(Image::new).collect(),
        }
    }
}

/// Reads what was found in one image.
///
/// # Errors
/// It is not what [`findings_json`] makes of one image.
pub fn read_findings_json(json: &[u8]) -> Result<(Subject, ScanResult), serde_json::Error> {
    #[derive(Deserialize)]
    struct Kept {
        name: Option<String>,
        digest: Digest,
        platform: Option<String>,
        #[serde(flatten)]
        result: ScanResult,
    }
    let kept: Kept = serde_json::from_slice(json)?;
    let subject = Subject {
        name: kept.name,
        digest: kept.digest,
        platform: kept.platform,
        created: None,
    };
    Ok((subject, kept.result))
}
