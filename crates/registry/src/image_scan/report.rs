//! Reports of an image: what is in it, and what its last scan found, in the forms of `bonded scan`.

use std::time::Duration;

use bonded_model::{Digest, ScanStatus};
use bonded_scan::{
    AdvisoriesUsed, BaseImage, Contents, ImageFindings, Problem, ProblemCode, ScanResult, Subject,
    findings_json, write_csv, write_cyclonedx, write_html, write_openvex, write_sarif, write_spdx,
};
use bonded_store::ImageScan;
use tokio::sync::Semaphore;

use super::{Layers, judge};
use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::target::ImagesIn;
use crate::worker_thread::on_a_thread;

/// How long making one may take.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The longest report, in bytes: larger images are looked into where they are used.
const LENGTH_LIMIT: usize = 32 << 20;

/// The reports that are made at once; more wait. Each lays all layers of its image over each other.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// What is in the image: CycloneDX 1.6 in JSON.
    CycloneDx,
    /// What is in the image: SPDX 2.3 in JSON.
    Spdx,
    /// What the last scan found: SARIF 2.1.0.
    Sarif,
    /// What is known of each vulnerability that it found: OpenVEX 0.2.0.
    OpenVex,
    /// What the last scan found, for a spreadsheet.
    Csv,
    /// What the last scan found, for people.
    Html,
    /// All that the last scan found, for programs.
    Json,
}

impl ReportFormat {
    /// The words of the API.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("CYCLONEDX_1_6", Self::CycloneDx),
        ("SPDX_2_3", Self::Spdx),
        ("SARIF_2_1_0", Self::Sarif),
        ("OPENVEX_0_2_0", Self::OpenVex),
        ("CSV", Self::Csv),
        ("HTML", Self::Html),
        ("JSON", Self::Json),
    ];

    fn is_bill_of_materials(self) -> bool {
        matches!(self, Self::CycloneDx | Self::Spdx)
    }
}

impl Registry {
    /// A report of the image that was judged, and the image's digest. The findings are those of its
    /// last scan, as `image_scan_findings` has them; bills of materials need no scan.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageIdNotFound`]; [`Error::UnsupportedImageType`]
    /// for what is no image; [`Error::ScanNotFound`] if its layers were not looked into yet or,
    /// for findings, no scan has ended; [`Error::LimitExceeded`] if it is longer than 32 MiB.
    pub async fn image_report(
        &self,
        allowed: &Allowed<ImagesIn>,
        format: ReportFormat,
    ) -> Result<(Digest, String)> {
        let repository = allowed.repository_of_images()?;
        let image = self.only_image(allowed).await?;
        self.scannable(repository, &image.digest).await?;
        let no_scan = || Self::no_scan(allowed);
        let scan = match format.is_bill_of_materials() {
            true => None,
            false => {
                let scan = self.store().find_image_scan(&repository.id, &image.digest);
                let ended = |scan: &ImageScan| scan.status != ScanStatus::InProgress;
                Some(scan.await?.filter(ended).ok_or_else(no_scan)?)
            }
        };
        let findings = match &scan {
            Some(scan) => {
                let found = self.findings(repository, &image.digest, 0..scan.findings);
                let (mut found, _) = found.await?;
                let now = allowed.caller().time();
                let list = self.allow_list(&repository.arn, now).await?;
                for found in &mut found {
                    list.suppress(&mut found.finding);
                }
                found
            }
            None => Vec::new(),
        };
        let manifest = self.manifest_of(&repository.id, &image.digest).await?;
        let manifest = manifest.ok_or_else(|| Self::no_image(allowed))?;
        let base = self
            .base_image(repository, &image.digest, &manifest)
            .await?;
        let subject = Subject {
            name: Some(shown(allowed)),
            digest: image.digest.clone(),
            platform: None,
            created: self
                .image_configuration(&repository.id, &manifest)
                .await?
                .created,
        };
        let Ok(_turn) = AT_ONCE.acquire().await else {
            return Err(no_scan());
        };
        let layers = match self.layers(&repository.id, &manifest).await? {
            Layers::Known(layers) => layers,
            Layers::Awaited(_) => return Err(no_scan()),
            Layers::TooMany(_) => {
                return Err(Error::UnsupportedImageType {
                    digest: image.digest,
                    reason: "its layers hold more than is looked at",
                });
            }
        };
        let work = move |_| {
            let contents = judge::contents(&layers)?;
            let findings = findings.into_iter().map(|found| found.finding).collect();
            let result = scan.map(|scan| result(&contents, base, &scan, findings));
            written(format, &subject, &contents, result.as_ref())
        };
        let report = on_a_thread(TIME_LIMIT, work).await;
        let report = report.map_err(|broken| Error::Unwritable(broken.to_string()))??;
        Ok((image.digest, report))
    }
}

/// How the image is named in the request, as clients name it.
fn shown(allowed: &Allowed<ImagesIn>) -> String {
    let target = allowed.target();
    let name = &target.repository.name;
    let id = target.ids.first();
    match (id.and_then(|id| id.tag()), id.and_then(|id| id.digest())) {
        (Some(tag), _) => format!("{name}:{tag}"),
        (None, Some(digest)) => format!("{name}@{digest}"),
        (None, None) => name.to_string(),
    }
}

/// The result of a scan, of what is kept of it.
fn result(
    contents: &Contents,
    base: Option<BaseImage>,
    scan: &ImageScan,
    findings: Vec<bonded_scan::Finding>,
) -> ScanResult {
    let problem = || Problem {
        code: ProblemCode::Undetermined,
        message: match &scan.description {
            Some(description) => description.clone(),
            None => format!("the scan ended with {}", scan.status.as_str()),
        },
        layer: None,
        path: None,
    };
    let is_complete = scan.status == ScanStatus::Complete;
    let (judged_by, none) = (&scan.judged_by, AdvisoriesUsed::none());
    let digest = judged_by.advisories_sha256.as_ref();
    let digest = digest.and_then(|hash| format!("sha256:{hash}").parse().ok());
    ScanResult {
        os: contents.os.clone(),
        end_of_life: (contents.os.as_ref().zip(scan.completed_at))
            .and_then(|(os, at)| os.end_of_life(at)),
        layers: contents.layers.clone(),
        base,
        packages: contents.packages.clone(),
        findings,
        undetermined: Vec::new(),
        problems: (!is_complete).then(problem).into_iter().collect(),
        advisories: AdvisoriesUsed {
            // Without advisories the description says so.
            digest: digest.unwrap_or(none.digest),
            as_of: judged_by.advisories_at.unwrap_or(none.as_of),
        },
        inventory_version: bonded_scan::INVENTORY_VERSION,
    }
}

pub(super) fn written(
    format: ReportFormat,
    subject: &Subject,
    contents: &Contents,
    result: Option<&ScanResult>,
) -> Result<String> {
    let mut out = Bounded(Vec::new());
    let images: Vec<ImageFindings<'_>> = result
        .map(|result| ImageFindings { subject, result })
        .into_iter()
        .collect();
    let done = match format {
        ReportFormat::CycloneDx => write_cyclonedx(subject, contents, &mut out),
        ReportFormat::Spdx => write_spdx(subject, contents, &mut out),
        ReportFormat::Sarif => write_sarif(&images, &mut out),
        ReportFormat::OpenVex => write_openvex(&images, &mut out),
        ReportFormat::Csv => write_csv(&images, &mut out),
        ReportFormat::Html => write_html(subject.shown(), &images, &mut out),
        ReportFormat::Json => {
            let written = serde_json::to_writer(&mut out, &findings_json(&images));
            written.map_err(std::io::Error::from)
        }
    };
    done.map_err(|_| {
        Error::LimitExceeded(format!(
            "the report is longer than {LENGTH_LIMIT} bytes; make it with 'bonded scan' where the \
             image is used"
        ))
    })?;
    String::from_utf8(out.0).map_err(|error| Error::Unwritable(error.to_string()))
}

/// Bytes in memory, up to [`LENGTH_LIMIT`].
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LENGTH_LIMIT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
