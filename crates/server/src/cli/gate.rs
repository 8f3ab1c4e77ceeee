//! `bonded gate check`: whether a role may pull an image, for a pipeline to ask before it deploys.
//!
//! What is asked is the pull itself: the role's session, of which the caller must be able to begin
//! one, asks for the manifest and for each blob as a runtime would. So policies, scans and waiting
//! are the server's, and there is no second idea of what a gate is.

mod image_name;
mod verdict;

use std::pin::pin;
use std::time::Duration;

use bonded_registry::Clock;
use bonded_store::{Unit, Watched, Watcher};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::print::Output;
use super::progress::ProgressArgs;
use super::{DataDirectory, Failure, Status, block_on};
use crate::client::Client;
use crate::config::variable;
pub(super) use image_name::{ImageName, RepositoryAddress, is_host};
use verdict::{Outcome, Pulled, Verdict};

/// What a denial says while the scan that it depends on has not ended.
const NOT_FINISHED: &str = "scan not finished";

/// How long to wait before the server is asked again; it waits by itself before it answers.
const PAUSE: Duration = Duration::from_millis(500);

/// How many findings are asked for at once.
const PAGE: u32 = 1000;

/// Ask the gate that policies and scans make
#[derive(Args)]
pub(super) struct GateCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Check(Box<Check>),
}

/// Say whether a role may pull an image now, and what decides
///
/// The status is 0 if it may, 5 if not, and 6 if that depends on a scan that has not ended in time.
/// The key is read where AWS tools read it; it must be allowed to assume the role.
#[derive(Args)]
struct Check {
    /// The image: NAME, NAME:TAG or NAME@DIGEST, with or without the registry's host name
    #[arg(value_name = "IMAGE")]
    image: ImageName,

    /// The role that is to pull it: its ARN, or its name in the caller's account
    #[arg(long = "as", value_name = "ROLE")]
    role: String,

    /// How many seconds to wait for a scan
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

impl GateCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Action::Check(check) = self.action;
        check.run()
    }
}

impl Check {
    fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let client = || {
            let endpoint = self.endpoint_url.as_deref();
            Client::new(endpoint, &data, variable)
        };
        let (caller, other) = (client()?, client()?);
        let limit = Duration::from_secs(self.wait);
        let watcher = self.progress.begin(self.output.is_quiet()).watcher();
        let verdict = block_on(async {
            let role = role_arn(&caller, &self.role).await?;
            let puller = other.into_role(&role, "gate-check");
            let gate = Gate {
                puller,
                image: &self.image,
            };
            let asked = tokio::time::timeout(limit, gate.watched(self.wait, &watcher)).await;
            let outcome = match asked {
                Ok(outcome) => outcome?,
                Err(_) => gate.last_word().await?,
            };
            Verdict::new(&caller, role, &self.image, outcome).await
        })?;
        // Its bar goes before the verdict.
        drop(watcher);
        verdict.print(self.output)?;
        verdict.status()
    }
}

/// The ARN of a role that is named by it or by its name alone.
async fn role_arn(caller: &Client, role: &str) -> Result<String, Failure> {
    if role.starts_with("arn:") {
        return Ok(role.to_owned());
    }
    let parameters = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let now = Clock::system().now();
    let answer = caller.query("sts", &parameters, now).await;
    let body = answer?.success()?;
    let text = String::from_utf8_lossy(&body);
    let account = text
        .split_once("<Account>")
        .and_then(|(_, rest)| rest.split_once("</Account>"))
        .map(|(account, _)| account);
    let unexpected = || Failure::failed(caller.unexpected("its answer names no account"));
    let account = account.ok_or_else(unexpected)?;
    Ok(format!("arn:aws:iam::{account}:role/{role}"))
}

/// The pull that is tried.
struct Gate<'a> {
    puller: Client,
    image: &'a ImageName,
}

impl Gate<'_> {
    /// What becomes of the pull, once no scan decides any more; `watcher` is told of the seconds, of
    /// which there are `wait`.
    async fn watched(&self, wait: u64, watcher: &Watcher) -> Result<Outcome, Failure> {
        let mut decided = pin!(self.decided());
        let begun = Clock::system().now();
        let (mut step, mut passed) = (None, 0);
        loop {
            tokio::select! {
                outcome = &mut decided => {
                    if let Some(step) = step {
                        Watched::end(step);
                    }
                    return outcome;
                }
                () = tokio::time::sleep(PAUSE) => {
                    let step = step.get_or_insert_with(|| {
                        watcher.begin("wait", Some(wait), Unit::Seconds)
                    });
                    let now = Clock::system().now().as_seconds() - begun.as_seconds();
                    let now = u64::try_from(now).unwrap_or_default().max(passed);
                    step.add(now - passed);
                    passed = now;
                }
            }
        }
    }

    /// What becomes of the pull, once no scan decides any more.
    async fn decided(&self) -> Result<Outcome, Failure> {
        loop {
            let outcome = self.last_word().await?;
            if !outcome.waits() {
                return Ok(outcome);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What becomes of the pull now.
    async fn last_word(&self) -> Result<Outcome, Failure> {
        let mut pulled = Pulled::default();
        let mut manifests = vec![(self.image.image_id(), true)];
        while let Some((image_id, is_named)) = manifests.pop() {
            let input = json!({ "imageIds": [image_id] });
            let answer = match self.ask("BatchGetImage", input).await? {
                Ok(answer) => answer,
                Err(denial) => return Ok(Outcome::Denied(pulled, denial)),
            };
            if let Some(failure) = answer["failures"].get(0) {
                let reason = failure["failureReason"].as_str().unwrap_or("not found");
                return Err(Failure::new(Status::NotFound, reason));
            }
            let image = &answer["images"][0];
            let digest = image["imageId"]["imageDigest"].as_str().unwrap_or_default();
            pulled.images.push(digest.to_owned());
            let text = image["imageManifest"].as_str().unwrap_or_default();
            let manifest: Value = serde_json::from_str(text).map_err(Failure::failed)?;
            for child in descriptors(&manifest["manifests"]).filter(|_| is_named) {
                // What is for no platform is not pulled to be run: attestations.
                if child["platform"]["os"] != "unknown" {
                    manifests.push((json!({ "imageDigest": child["digest"] }), false));
                }
            }
            let config = std::iter::once(&manifest["config"]).filter(|config| !config.is_null());
            for blob in config.chain(descriptors(&manifest["layers"])) {
                let input = json!({ "layerDigest": blob["digest"] });
                if let Err(denial) = self.ask("GetDownloadUrlForLayer", input).await? {
                    return Ok(Outcome::Denied(pulled, denial));
                }
            }
        }
        Ok(Outcome::Allowed(pulled))
    }

    /// Asks as the role; the inner error is a denial.
    async fn ask(
        &self,
        operation: &str,
        mut input: Value,
    ) -> Result<Result<Value, String>, Failure> {
        self.image.address(&mut input);
        let now = Clock::system().now();
        match self.puller.ecr(operation, &input, now).await?.success() {
            Ok(body) => Ok(Ok(serde_json::from_slice(&body).map_err(Failure::failed)?)),
            Err(refusal) if refusal.code == "AccessDeniedException" => Ok(Err(refusal.message)),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

fn descriptors(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
