//! Scans as ECR's API asks for them: starting one, and what the last one found.

use std::time::Duration;

use bonded_model::{Digest, ManifestKind, ScanStatus, ScanType, Timestamp};
use bonded_scan::{BaseImage, Finding, OsRelease};
use bonded_store::{ImageDetail, ImageScan, Repository, StartScan};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::image_scan::{FindingsPart, ImageConfiguration, Observed, PART};
use crate::repository::gone;
use crate::target::{ImageId, ImagesIn};

/// How long a scan that would come to the same is not repeated.
const QUOTA: Duration = Duration::from_hours(24);

/// A page of what the last scan of an image found.
pub struct FoundByScan {
    /// The image.
    pub image: ImageDetail,
    /// The scan.
    pub scan: ImageScan,
    /// Whether the registry scans by itself, and so shows other words for the status.
    pub scan_type: ScanType,
    /// What its configuration says of it.
    pub configuration: ImageConfiguration,
    /// Its operating system, if it says which and there is a finding on the page.
    pub os: Option<OsRelease>,
    /// The image that it was built upon, if that is known and there is a finding on the page.
    pub base: Option<BaseImage>,
    /// The findings on the page.
    pub findings: Vec<FoundFinding>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<u64>,
}

/// A finding on a page.
pub struct FoundFinding {
    /// The finding.
    pub finding: Finding,
    /// The layer that brought the package.
    pub layer: Option<Digest>,
    /// Since when it is known; `None` if that was not written down yet.
    pub observed: Option<Observed>,
}

impl Registry {
    /// Has the image that was judged scanned, and gives its digest and what has become of the scan.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageIdNotFound`]; [`Error::UnsupportedImageType`]
    /// for what is no image; [`Error::LimitExceeded`] if the last scan is complete, less than a day
    /// old and would come to the same; [`Error::Validation`] if the registry scans by itself.
    pub async fn start_image_scan(
        &self,
        allowed: &Allowed<ImagesIn>,
    ) -> Result<(Digest, ScanStatus)> {
        let repository = allowed.repository_of_images()?;
        let arn = &repository.arn;
        let image = self.only_image(allowed).await?.digest;
        let scanning = self.scanning_of(&arn.account, &arn.region).await?;
        if scanning.scan_type == ScanType::Enhanced {
            return Err(Error::Validation(
                "scans are not started by hand in a registry with enhanced scanning, \
                 which scans by itself"
                    .to_owned(),
            ));
        }
        self.scannable(repository, &image).await?;
        let change = allowed.change();
        let day_ago = change.at.as_millis().saturating_sub(millis(QUOTA));
        let recent = Timestamp::from_millis(day_ago);
        let started = self
            .store()
            .start_scan(&repository.id, &image, &self.judged_by(), recent, &change)
            .await
            .map_err(|e| gone(e, arn))?;
        match started {
            StartScan::Started => Ok((image, ScanStatus::InProgress)),
            StartScan::NothingNew => Err(Error::LimitExceeded(
                "The scan quota per image has been exceeded. Wait and try again.".to_owned(),
            )),
            StartScan::ImageNotFound => Err(Self::no_image(allowed)),
        }
    }

    /// What the last scan of the image that was judged found, at most `limit` findings from the
    /// one with the number `first` on.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageIdNotFound`], [`Error::ScanNotFound`].
    pub async fn image_scan_findings(
        &self,
        allowed: &Allowed<ImagesIn>,
        first: u64,
        limit: u32,
    ) -> Result<FoundByScan> {
        let repository = allowed.repository_of_images()?;
        let arn = &repository.arn;
        let image = self.only_image(allowed).await?;
        let scan = self
            .store()
            .find_image_scan(&repository.id, &image.digest)
            .await?;
        let mut scan = scan.ok_or_else(|| Self::no_scan(allowed))?;
        let last = first.saturating_add(limit.into()).min(scan.findings);
        let range = if scan.status == ScanStatus::InProgress {
            0..0
        } else {
            first.min(last)..last
        };
        let next = Some(range.end).filter(|end| !range.is_empty() && *end < scan.findings);
        let (mut findings, os) = self.findings(repository, &image.digest, range).await?;
        let list = self.allow_list(arn, allowed.caller().time()).await?;
        if !list.is_empty() {
            for found in &mut findings {
                list.suppress(&mut found.finding);
            }
            let all = self.all_findings(&repository.id, &image.digest).await?;
            if let Some((all, _)) = all.filter(|_| scan.status != ScanStatus::InProgress) {
                scan.severity_counts = list.severity_counts(&all);
            }
        }
        let scanning = self.scanning_of(&arn.account, &arn.region).await?;
        let (mut configuration, mut base) = (ImageConfiguration::default(), None);
        if !findings.is_empty() {
            let manifest = self.manifest_of(&repository.id, &image.digest).await?;
            let manifest = manifest.ok_or_else(|| Self::no_image(allowed))?;
            configuration = self.image_configuration(&repository.id, &manifest).await?;
            base = self
                .base_image(repository, &image.digest, &manifest)
                .await?;
        }
        Ok(FoundByScan {
            image,
            scan,
            scan_type: scanning.scan_type,
            configuration,
            os,
            base,
            findings,
            next,
        })
    }

    /// What scanning is called in the registry whose images were judged.
    ///
    /// # Errors
    /// The store's.
    pub async fn scan_type(&self, allowed: &Allowed<ImagesIn>) -> Result<ScanType> {
        let arn = &allowed.target().repository;
        let scanning = self.scanning_of(&arn.account, &arn.region).await?;
        Ok(scanning.scan_type)
    }

    /// The findings of that range of numbers, and the operating system that they were found on.
    pub(crate) async fn findings(
        &self,
        repository: &Repository,
        image: &Digest,
        range: std::ops::Range<u64>,
    ) -> Result<(Vec<FoundFinding>, Option<OsRelease>)> {
        let size = PART as u64;
        let (mut findings, mut system) = (Vec::new(), None);
        for part in range.start / size..range.end.div_ceil(size) {
            let number = u32::try_from(part).unwrap_or(u32::MAX);
            let found = self
                .store()
                .find_findings(&repository.id, image, number)
                .await?;
            // Another scan may have come to fewer meanwhile.
            let Some(bytes) = found else { break };
            let FindingsPart {
                layers,
                os,
                findings: all,
                observed,
            } = FindingsPart::read(&bytes)?;
            system = system.or(os);
            let first = range.start.saturating_sub(part * size);
            let last = range.end - part * size;
            let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let wanted = all.into_iter().enumerate();
            let wanted = wanted.take(index(last)).skip(index(first));
            findings.extend(wanted.map(|(number, finding)| FoundFinding {
                layer: layers.get(finding.layer as usize).cloned(),
                observed: observed.get(number).copied(),
                finding,
            }));
        }
        Ok((findings, system))
    }

    /// The one image that was judged.
    pub(crate) async fn only_image(&self, allowed: &Allowed<ImagesIn>) -> Result<ImageDetail> {
        let mut images = self.describe_named_images(allowed).await?;
        images.pop().ok_or_else(|| Self::no_image(allowed))
    }

    fn named(allowed: &Allowed<ImagesIn>) -> (Option<String>, Option<String>) {
        let id = allowed.target().ids.first();
        let digest = id.and_then(ImageId::digest).map(ToString::to_string);
        let tag = id.and_then(ImageId::tag).map(ToString::to_string);
        (digest, tag)
    }

    pub(crate) fn no_scan(allowed: &Allowed<ImagesIn>) -> Error {
        let (digest, tag) = Self::named(allowed);
        Error::ScanNotFound {
            digest,
            tag,
            repository: Box::new(allowed.target().repository.clone()),
        }
    }

    pub(crate) fn no_image(allowed: &Allowed<ImagesIn>) -> Error {
        let (digest, tag) = Self::named(allowed);
        Error::ImageIdNotFound {
            digest,
            tag,
            repository: Box::new(allowed.target().repository.clone()),
        }
    }

    pub(crate) async fn scannable(&self, repository: &Repository, image: &Digest) -> Result<()> {
        let Some(manifest) = self.manifest_of(&repository.id, image).await? else {
            return Ok(());
        };
        let reason = match manifest.kind() {
            ManifestKind::Image => return Ok(()),
            ManifestKind::Index => "it is an index; scan the images in it",
            ManifestKind::Artifact => "it is an artifact without a file system",
        };
        Err(Error::UnsupportedImageType {
            digest: image.clone(),
            reason,
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
