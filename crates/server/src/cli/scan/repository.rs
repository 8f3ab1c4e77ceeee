//! `bonded scan report`: what the registry knows of the images of a repository, as one report.

use std::collections::HashSet;

use bonded_model::Digest;
use bonded_registry::Clock;
use bonded_scan::{Problem, ProblemCode, ScanResult, Subject};
use bonded_store::{Unit, Watched, Watcher};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FailOn, Form, Scanned, judge, report, show};
use crate::cli::gate::RepositoryAddress;
use crate::cli::progress::ProgressArgs;
use crate::cli::{DataDirectory, Failure, block_on};
use crate::client::{Client, Refusal};
use crate::config::variable;

/// How many images are asked for at once.
const PAGE: u32 = 1000;

/// Print one report of the images of a repository: nothing is pulled
///
/// Of each image the findings are those of its last scan; one without is in the report as not
/// scanned, and so is one that the key may not see. The key is read where AWS tools read it; it must
/// be allowed ecr:DescribeImages, ecr:DescribeImageScanFindings and, for images for several platforms,
/// ecr:BatchGetImage.
#[derive(Args)]
pub(super) struct Report {
    /// The repository: NAME, with or without the registry's host name
    #[arg(value_name = "REPOSITORY")]
    repository: RepositoryAddress,

    /// The form of the report; a bill of materials is of one image, which 'bonded scan show' makes
    #[arg(short, long, alias = "format", value_name = "FORM", value_enum, default_value_t = Form::Table)]
    output: Form,

    /// Print the ids of the vulnerabilities alone, each once
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,

    /// Also the images without a tag
    #[arg(long)]
    untagged: bool,

    /// End with status 5 if a finding is as bad as this or worse, and with 6 if that is not known:
    /// an image has no complete scan, or nothing rates a finding
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,

    #[command(flatten)]
    progress: ProgressArgs,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

/// `ImageDetail`, as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageDetail {
    image_digest: Digest,
    #[serde(default)]
    image_tags: Vec<String>,
    #[serde(default)]
    image_pushed_at: f64,
    #[serde(default)]
    image_manifest_media_type: String,
    #[serde(default)]
    artifact_media_type: Option<String>,
}

impl ImageDetail {
    fn is_index(&self) -> bool {
        let media_type = self.image_manifest_media_type.as_str();
        media_type.ends_with("image.index.v1+json") || media_type.ends_with("manifest.list.v2+json")
    }

    /// Whether it is an artifact, which has nothing that is scanned: a chart, a signature.
    fn is_artifact(&self) -> bool {
        let image = |of: &str| of.contains("container.image.v1") || of.contains("image.config.v1");
        self.artifact_media_type
            .as_deref()
            .is_some_and(|of| !image(of))
    }
}

/// An image that the report is about.
struct Reported {
    subject: Subject,
    /// Why nothing can be known of it.
    problem: Option<String>,
}

impl Report {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.output.is_bill_of_materials() {
            return Err(Failure::usage(
                "a bill of materials is of one image: 'bonded scan show IMAGE' prints it",
            ));
        }
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable);
        let client = client?;
        let watcher = self.progress.begin(self.quiet).watcher();
        let scanned = block_on(self.scanned(&client, &watcher))?;
        // Its bar goes before the report.
        drop(watcher);
        match (self.quiet, self.output) {
            (true, _) => report::ids(&scanned)?,
            (false, Form::Json) => report::list(&scanned)?,
            (false, form) => report::findings(form, &self.repository.to_string(), &scanned)?,
        }
        self.fail_on
            .map_or(Ok(()), |worst| judge(&scanned, worst.severity()))
    }

    async fn scanned(&self, client: &Client, watcher: &Watcher) -> Result<Vec<Scanned>, Failure> {
        let images = self.images(client).await?;
        let mut step = watcher.begin("images", Some(images.len() as u64), Unit::Count);
        let mut scanned = Vec::with_capacity(images.len());
        for Reported { subject, problem } in images {
            let result = match problem {
                Some(problem) => unknown(problem),
                None => self.result(client, &subject.digest).await?,
            };
            scanned.push(Scanned { subject, result });
            step.add(1);
        }
        Watched::end(step);
        Ok(scanned)
    }

    /// The images that are meant, the newest first; of one for several platforms each that it names.
    async fn images(&self, client: &Client) -> Result<Vec<Reported>, Failure> {
        let mut details = self.details(client).await?;
        details.retain(|detail| !detail.is_artifact());
        details.sort_by(|a, b| {
            let newer = b.image_pushed_at.total_cmp(&a.image_pushed_at);
            newer.then_with(|| a.image_digest.cmp(&b.image_digest))
        });
        // What is tagged itself is named by that.
        details.sort_by_key(ImageDetail::is_index);
        let (mut images, mut named) = (Vec::new(), HashSet::new());
        for detail in details {
            let name = match detail.image_tags.is_empty() {
                true => format!("{}@{}", self.repository, detail.image_digest),
                false => format!("{}:{}", self.repository, detail.image_tags.join(", ")),
            };
            let children = match detail.is_index() {
                true => self.children(client, &detail.image_digest).await?,
                false => Ok(vec![(detail.image_digest.clone(), None)]),
            };
            let (children, problem) = match children {
                Ok(children) => (children, None),
                Err(refusal) => (vec![(detail.image_digest, None)], Some(refusal.to_string())),
            };
            for (digest, platform) in children {
                if named.insert(digest.clone()) {
                    let subject = Subject {
                        name: Some(name.clone()),
                        digest,
                        platform,
                        created: None,
                    };
                    let problem = problem.clone();
                    images.push(Reported { subject, problem });
                }
            }
        }
        Ok(images)
    }

    async fn details(&self, client: &Client) -> Result<Vec<ImageDetail>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            image_details: Vec<ImageDetail>,
            next_token: Option<String>,
        }
        let mut input = json!({ "maxResults": PAGE });
        self.repository.address(&mut input);
        if !self.untagged {
            input["filter"] = json!({ "tagStatus": "TAGGED" });
        }
        let mut details = Vec::new();
        loop {
            let now = Clock::system().now();
            let answer = client.ecr("DescribeImages", &input, now).await?;
            let page: Page = serde_json::from_slice(&answer.success()?)
                .map_err(|_| client.unexpected("its answer has no images"))?;
            details.extend(page.image_details);
            match page.next_token {
                Some(token) => input["nextToken"] = token.into(),
                None => return Ok(details),
            }
        }
    }

    /// The images that an index names, with their platforms; the inner error is the server's refusal.
    async fn children(
        &self,
        client: &Client,
        index: &Digest,
    ) -> Result<Result<Vec<(Digest, Option<String>)>, Refusal>, Failure> {
        let mut input = json!({ "imageIds": [{ "imageDigest": index }] });
        self.repository.address(&mut input);
        let now = Clock::system().now();
        let answer = client.ecr("BatchGetImage", &input, now).await?;
        let body = match answer.success() {
            Ok(body) => body,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let unexpected = || client.unexpected("its answer has no index");
        let answer: Value = serde_json::from_slice(&body).map_err(|_| unexpected())?;
        let text = answer["images"][0]["imageManifest"].as_str();
        let manifest: Value =
            serde_json::from_str(text.ok_or_else(unexpected)?).map_err(|_| unexpected())?;
        let children = manifest["manifests"].as_array().into_iter().flatten();
        // What is for no platform is no image: attestations.
        let children = children.filter(|child| child["platform"]["os"] != "unknown");
        let children = children.map(|child| {
            let digest = child["digest"].as_str().and_then(|of| of.parse().ok());
            let platform = ["os", "architecture", "variant"];
            let platform = platform
                .into_iter()
                .filter_map(|of| child["platform"][of].as_str());
            let platform = platform.collect::<Vec<_>>().join("/");
            let platform = Some(platform).filter(|of| !of.is_empty());
            Ok((digest.ok_or_else(unexpected)?, platform))
        });
        children.collect::<Result<_, Failure>>().map(Ok)
    }

    /// What the last scan of an image found, or why that is not known.
    async fn result(&self, client: &Client, digest: &Digest) -> Result<ScanResult, Failure> {
        let mut input = json!({ "imageId": { "imageDigest": digest } });
        self.repository.address(&mut input);
        Ok(match show::ask(client, input, Form::Json).await? {
            Ok(text) => show::findings(client, &text)?.result,
            Err(refusal) => unknown(refusal.to_string()),
        })
    }
}

fn unknown(problem: String) -> ScanResult {
    ScanResult::unknown(Problem::new(ProblemCode::NotScanned, problem))
}
