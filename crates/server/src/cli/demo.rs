//! `bonded demo`: what this registry is for, as a story that runs.
//!
//! A server inside this process, on a free port of loopback; everybody in the story talks to it by
//! HTTP with a key of their own, as docker and the AWS CLI would. Nothing is staged: each decision
//! is the server's, and if one is not the expected one the command fails.

mod decision;
mod image;
mod person;
mod policies;
pub(super) mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_model::Timestamp;
use bonded_registry::{Clock, FirstAdministrator};
use bonded_scan::AdvisoryImport;
use clap::Args;
use serde_json::{Value, json};

use super::print::{self, clean};
use super::serve::Inside;
use super::{Failure, Status, block_on};
use crate::client::Endpoint;
use crate::config::{self, Config, RawConfig, variable};
use crate::files;
use decision::Decision;
use image::{DemoImage, OLD, REBUILT};
use person::{Key, Outcome, Person};
use policies::{gate, pull_policy, push_policy};

/// The accounts of the story.
const CENTRAL: &str = "111122223333";
const PROD: &str = "222222222222";
const STRANGER: &str = "333333333333";

const REGION: &str = "us-east-1";
const REPOSITORY: &str = "ml/digits";
const OTHER_TEAM: &str = "web/shop";

/// How often a scan is asked about, and how often at most.
const SCAN_INTERVAL: Duration = Duration::from_millis(50);
const SCAN_ASKED: u32 = 2400;

/// Advisories written for this, from public facts. They have no date: a feed is as old as its
/// newest record, and that of the demo is made when it runs.
const ADVISORIES: &str = include_str!("demo/advisories.json");

/// Show what this registry is for: a story of three accounts, two images and six decisions
///
/// Needs neither docker nor rights nor a network. It ends with lines to try with docker and the AWS
/// CLI, against a server that runs until Ctrl-C. The status is not 0 if a decision differs from what
/// the story says.
#[derive(Args)]
pub(super) struct Demo {
    /// End when the story does
    #[arg(long)]
    exit: bool,

    /// An empty or new directory to keep everything in [default: one that is removed in the end]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let temporary = tempfile::tempdir().map_err(Failure::failed)?;
        let root = match &self.data {
            None => temporary.path().to_owned(),
            Some(root) => empty_directory(root)?,
        };
        block_on(async {
            let server = start(&root).await?;
            let story = Story::begin(&server).await?;
            let told = story.tell().await;
            if told.is_ok() && !self.exit {
                story.try_it(&root);
                // An error is a system without signals: then the story is over.
                let _ = tokio::signal::ctrl_c().await;
            }
            server.stop().await?;
            told
        })
    }
}

fn empty_directory(root: &Path) -> Result<PathBuf, Failure> {
    let unusable = |error| Failure::usage(format!("cannot use '{}': {error}", root.display()));
    files::private_directory(root).map_err(unusable)?;
    if root.read_dir().map_err(unusable)?.next().is_some() {
        return Err(Failure::usage(format!(
            "'{}' is not empty; name a directory that is, or that does not exist",
            root.display()
        )));
    }
    Ok(root.to_owned())
}

/// A server of its own under `root`, with the demo's advisories.
async fn start(root: &Path) -> Result<Inside, Failure> {
    let file = root.join("advisories");
    let bytes = advisories(Clock::system().now())?;
    files::write(&file, &bytes, files::PUBLIC).map_err(Failure::failed)?;
    let raw = RawConfig::default()
        .with(&config::DATA, &root.join("data"))
        .with(&config::KEYRING, &Some(root.join("keyring")))
        .with(&config::LISTEN, &([127, 0, 0, 1], 0).into())
        .with(&config::ACCOUNT, &CENTRAL.parse().map_err(Failure::failed)?)
        .with(&config::ADVISORIES, &Some(file));
    let config = Config::resolve(raw, variable).map_err(Failure::failed)?;
    Inside::start(config).await
}

/// The demo's advisories as they would come from a feed that was made at `now`.
fn advisories(now: Timestamp) -> Result<Vec<u8>, Failure> {
    let mut records: Vec<Value> = serde_json::from_str(ADVISORIES).map_err(Failure::failed)?;
    let mut import = AdvisoryImport::new();
    for record in &mut records {
        record["modified"] = now.to_string().into();
        let json = record.to_string();
        import
            .add_record(json.as_bytes())
            .map_err(Failure::failed)?;
    }
    let (bytes, _) = import.finish(now).map_err(Failure::failed)?;
    Ok(bytes)
}

/// Everybody who takes part, and what they push and pull.
struct Story {
    endpoint: Endpoint,
    administrator: (String, bonded_model::Secret),
    central: Person,
    ml_team: Person,
    prod: Person,
    stranger: Person,
    old: DemoImage,
    rebuilt: DemoImage,
}

impl Story {
    /// Makes accounts, roles, repositories and images.
    async fn begin(server: &Inside) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse(&format!("http://{}", server.address));
        let endpoint = endpoint.map_err(Failure::failed)?;
        let first = server.administrator.as_ref();
        let first = first.ok_or_else(|| Failure::failed("the data directory is not new"))?;
        let administrator = |key: &FirstAdministrator| {
            let key = Key {
                id: key.access_key_id.clone(),
                secret: key.secret_access_key.clone(),
                token: None,
            };
            Person::new(&endpoint, REGION, key)
        };
        let account = |id: &'static str| async move {
            let id = id.parse().map_err(Failure::failed)?;
            let made = server.registry.create_account(&id).await;
            made.map_err(Failure::failed)
        };
        let central = administrator(first)?;
        let prod_administrator = administrator(&account(PROD).await?)?;
        let stranger = administrator(&account(STRANGER).await?)?;
        for name in [REPOSITORY, OTHER_TEAM] {
            let input = json!({ "repositoryName": name,
                "imageScanningConfiguration": { "scanOnPush": true } });
            central.ecr("CreateRepository", &input).await?;
        }
        central
            .create_role(CENTRAL, "ml-team", &push_policy())
            .await?;
        let pull = pull_policy();
        prod_administrator.create_role(PROD, "prod", &pull).await?;
        let input = json!({ "repositoryName": REPOSITORY, "policyText": gate().to_string() });
        central.ecr("SetRepositoryPolicy", &input).await?;
        let role = |account: &str, name: &str| format!("arn:aws:iam::{account}:role/{name}");
        let (ml_team, prod) = (role(CENTRAL, "ml-team"), role(PROD, "prod"));
        Ok(Self {
            ml_team: administrator(first)?.into_role(&ml_team, "ci"),
            prod: prod_administrator.into_role(&prod, "deploy"),
            administrator: (first.access_key_id.clone(), first.secret_access_key.clone()),
            endpoint: endpoint.clone(),
            central,
            stranger,
            old: DemoImage::new(&OLD).map_err(Failure::failed)?,
            rebuilt: DemoImage::new(&REBUILT).map_err(Failure::failed)?,
        })
    }

    /// The six decisions.
    async fn tell(&self) -> Result<(), Failure> {
        self.introduce();
        let (old, rebuilt) = (&self.old, &self.rebuilt);
        let pushed = self.ml_team.push(REPOSITORY, "1.0", old).await?;
        let again = self.ml_team.push(REPOSITORY, "1.1", rebuilt).await?;
        let both = if matches!(pushed, Outcome::Allowed) {
            again
        } else {
            pushed
        };
        let what = format!("pushes {REPOSITORY}:1.0 and, rebuilt, {REPOSITORY}:1.1");
        let mut differing = 0;
        differing += self.judge(1, "ml-team", what, true, "", &both);
        let elsewhere = self.ml_team.push(OTHER_TEAM, "1.0", rebuilt).await?;
        let what = format!("pushes {OTHER_TEAM}:1.0, which is another team's");
        let because = "no identity-based policy allows the ecr:InitiateLayerUpload action";
        differing += self.judge(2, "ml-team", what, false, because, &elsewhere);
        let critical = self.show_findings().await?;
        policies::show_gate();
        let pulled = self.prod.pull(REPOSITORY, "1.1").await?;
        let layer = self.prod.pull_layer(REPOSITORY, &rebuilt.layers[1]).await?;
        let both = if matches!(pulled, Outcome::Allowed) {
            layer
        } else {
            pulled
        };
        let what = format!("pulls {REPOSITORY}:1.1 with its layers");
        differing += self.judge(3, "prod", what, true, "", &both);
        let because = "critical";
        let pulled = self.prod.pull(REPOSITORY, "1.0").await?;
        let what = format!("pulls {REPOSITORY}:1.0");
        differing += self.judge(4, "prod", what, false, because, &pulled);
        print::line(clean(&format!(
            "             these findings decide: {critical}"
        )));
        let pulled = self.prod.pull(REPOSITORY, &old.digest()).await?;
        let what = "pulls the same image by its digest".to_owned();
        differing += self.judge(5, "prod", what, false, because, &pulled);
        let layer = self.prod.pull_layer(REPOSITORY, &old.layers[1]).await?;
        let what = "pulls the layer with its packages alone".to_owned();
        differing += self.judge(5, "prod", what, false, because, &layer);
        let pulled = self.stranger.pull(REPOSITORY, "1.1").await?;
        let what = format!("pulls {REPOSITORY}:1.1, administrator of another account");
        let because = "no resource-based policy allows the ecr:BatchGetImage action";
        differing += self.judge(6, STRANGER, what, false, because, &pulled);
        print::line("");
        if differing == 0 {
            print::line("Six decisions, all as expected.");
            return Ok(());
        }
        Err(Failure::new(
            Status::Failed,
            format!("{differing} decisions are not the expected ones; please report this"),
        ))
    }

    fn introduce(&self) {
        for line in [
            "bonded demo: a registry that decides, at every pull, whether an image may run"
                .to_owned(),
            String::new(),
            format!(
                "The server listens on {} and knows three accounts:",
                self.endpoint
            ),
            format!("  {CENTRAL}  the central registry. Its role 'ml-team' may push to ml/* only"),
            format!("  {PROD}  production. Its role 'prod' may pull, if the central policy agrees"),
            format!("  {STRANGER}  somebody else's"),
            String::new(),
        ] {
            print::line(line);
        }
    }

    /// Shows what became of a decision; 1 if it is not the expected one.
    fn judge(
        &self,
        number: u8,
        who: &'static str,
        what: String,
        allowed: bool,
        because: &'static str,
        outcome: &Outcome,
    ) -> u32 {
        let decision = Decision {
            number,
            who,
            what,
            allowed,
            because,
        };
        decision.show(outcome);
        u32::from(!decision.is_met(outcome))
    }

    /// Waits for both scans and shows the findings; gives the critical ones.
    async fn show_findings(&self) -> Result<String, Failure> {
        print::line("");
        print::line("Both images were scanned when they were pushed. The findings:");
        let mut critical = Vec::new();
        for tag in ["1.0", "1.1"] {
            let found = self.scanned(tag).await?;
            print::line("");
            print::line(format!("  {REPOSITORY}:{tag}"));
            let findings = found["imageScanFindings"]["enhancedFindings"].as_array();
            let findings = findings.cloned().unwrap_or_default();
            for row in table::rows(&findings) {
                print::line(clean(&format!("    {row}")));
            }
            let of = findings.iter().filter(|f| f["severity"] == "CRITICAL");
            let id = |finding: &Value| {
                let id = finding["packageVulnerabilityDetails"]["vulnerabilityId"].as_str();
                id.unwrap_or_default().to_owned()
            };
            critical.extend(of.map(id));
        }
        Ok(critical.join(", "))
    }

    /// The findings of an image, once it is scanned.
    async fn scanned(&self, tag: &str) -> Result<Value, Failure> {
        let input = json!({ "repositoryName": REPOSITORY, "imageId": { "imageTag": tag } });
        for _ in 0..SCAN_ASKED {
            let found = self
                .central
                .ecr("DescribeImageScanFindings", &input)
                .await?;
            match found["imageScanStatus"]["status"].as_str() {
                Some("COMPLETE") => return Ok(found),
                Some("IN_PROGRESS") => tokio::time::sleep(SCAN_INTERVAL).await,
                _ => {
                    let status = &found["imageScanStatus"];
                    return Err(Failure::failed(format!("the scan of '{tag}': {status}")));
                }
            }
        }
        Err(Failure::failed(format!("the scan of '{tag}' does not end")))
    }

    /// How to go on by hand.
    fn try_it(&self, root: &Path) {
        let (id, secret) = &self.administrator;
        let host = self.endpoint.authority();
        for line in [
            String::new(),
            "The server runs until Ctrl-C. With the AWS CLI and docker, in another terminal:"
                .to_owned(),
            String::new(),
            format!(
                "  export AWS_ENDPOINT_URL={} AWS_REGION={REGION}",
                self.endpoint
            ),
            format!(
                "  export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={}",
                secret.expose()
            ),
            format!("  aws ecr describe-images --repository-name {REPOSITORY}"),
            format!(
                "  aws ecr describe-image-scan-findings --repository-name {REPOSITORY} --image-id imageTag=1.0"
            ),
            format!("  aws ecr get-login-password | docker login -u AWS --password-stdin {host}"),
            format!("  docker pull {host}/{REPOSITORY}:1.1"),
            String::new(),
            format!("Its data is in {}.", root.display()),
        ] {
            print::line(clean(&line));
        }
    }
}
