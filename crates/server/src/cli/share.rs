//! `bonded share`: a repository for another account, or a role of it, and both halves that takes.

mod policy;

use std::time::Duration;

use bonded_model::RepositoryName;
use bonded_registry::Clock;
use clap::Args;
use serde_json::{Value, json};

use super::print::Output;
use super::{DataDirectory, Failure, Status, block_on};
use crate::client::{Client, Refusal};
use crate::config::variable;
use policy::{Right, changed, identity_policy, principal};

/// How often a policy that others change meanwhile is tried again.
const ATTEMPTS: usize = 20;

/// How long after a write the policy is read again, at least: longer than others take from reading
/// it to writing it.
const SETTLED: Duration = Duration::from_millis(300);

/// Share a repository with another account or a role, or take that back
///
/// Adds a statement to the policy of the repository and leaves the others as they are. Prints what
/// was written, and the identity policy that the other account must attach to whoever is to use it:
/// across accounts both sides must allow. The key is read where AWS tools read it.
#[derive(Args)]
pub(super) struct Share {
    /// The repository, in the registry of the key's account
    #[arg(value_name = "REPOSITORY")]
    repository: RepositoryName,

    /// With whom: an account, or the ARN of a role or user
    #[arg(long, value_name = "ACCOUNT-OR-ROLE")]
    with: String,

    /// It may pull
    #[arg(long)]
    pull: bool,

    /// It may push
    #[arg(long)]
    push: bool,

    /// Take back what was shared: what --pull and --push name, or all
    #[arg(long)]
    remove: bool,

    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    output: Output,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

/// What was shared, or would be.
struct Shared {
    repository: String,
    changed: bool,
    policy: Option<Value>,
}

impl Share {
    pub(super) fn run(self) -> Result<(), Failure> {
        let rights: Vec<Right> = match (self.pull, self.push) {
            (false, false) if self.remove => vec![Right::Pull, Right::Push],
            (false, false) => {
                return Err(Failure::usage("say what it may do: --pull, --push or both"));
            }
            (pull, push) => [(pull, Right::Pull), (push, Right::Push)]
                .into_iter()
                .filter_map(|(named, right)| named.then_some(right))
                .collect(),
        };
        let principal = principal(&self.with).map_err(Failure::usage)?;
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable);
        let client = client.map_err(Failure::usage)?;
        let sharing = Sharing {
            client,
            repository: &self.repository,
            principal,
            rights,
            shares: !self.remove,
            writes: !self.dry_run,
        };
        let shared = block_on(sharing.done())?;
        let identity = identity_policy(&sharing.rights, &shared.repository);
        let value = json!({
            "repository": shared.repository,
            "changed": shared.changed,
            "written": shared.changed && sharing.writes,
            "repositoryPolicy": shared.policy,
            "identityPolicy": sharing.shares.then_some(&identity),
        });
        self.output.print(
            &value,
            |_| sharing.lines(&shared, &identity),
            |_| Vec::new(),
        )
    }
}

/// One call of the command.
struct Sharing<'a> {
    client: Client,
    repository: &'a RepositoryName,
    principal: String,
    rights: Vec<Right>,
    /// Whether it is shared, or taken back.
    shares: bool,
    writes: bool,
}

impl Sharing<'_> {
    /// Merges and writes. ECR's API has no condition on what is there, so the policy is read again
    /// right before it is written, and once more when everybody else who had read it has written:
    /// who was written over sees it then and merges again. Only who takes longer than [`SETTLED`]
    /// from reading to writing can still undo it unseen.
    async fn done(&self) -> Result<Shared, Failure> {
        let repository = self.arn().await?;
        let mut changes = false;
        for _ in 0..ATTEMPTS {
            let before = self.policy().await?;
            let after = self.merged(before.as_ref())?;
            if after == before || !self.writes {
                return Ok(Shared {
                    repository,
                    changed: changes || after != before,
                    policy: after,
                });
            }
            if self.policy().await? != before {
                continue;
            }
            self.write(after.as_ref()).await?;
            changes = true;
            // Not all at the same time. The next round finds nothing left to do, unless somebody
            // wrote over it.
            let apart = Duration::from_millis(u64::from(std::process::id() % 300));
            tokio::time::sleep(SETTLED + apart).await;
        }
        Err(Failure::failed(format!(
            "others change the policy of '{}' all the time; try again later",
            self.repository
        )))
    }

    fn merged(&self, policy: Option<&Value>) -> Result<Option<Value>, Failure> {
        let mut merged = policy.cloned();
        for right in &self.rights {
            merged = changed(merged.as_ref(), *right, &self.principal, self.shares)
                .map_err(Failure::failed)?;
        }
        Ok(merged)
    }

    async fn arn(&self) -> Result<String, Failure> {
        let input = json!({ "repositoryNames": [self.repository.as_str()] });
        let answer = self.ask("DescribeRepositories", &input).await?;
        let answer = answer.map_err(|refusal| refused(&refusal))?;
        let arn = answer["repositories"][0]["repositoryArn"].as_str();
        let unexpected = || Failure::failed(self.client.unexpected("its answer names no ARN"));
        arn.map(str::to_owned).ok_or_else(unexpected)
    }

    async fn policy(&self) -> Result<Option<Value>, Failure> {
        let input = json!({ "repositoryName": self.repository.as_str() });
        match self.ask("GetRepositoryPolicy", &input).await? {
            Ok(answer) => {
                let text = answer["policyText"].as_str().unwrap_or_default();
                let value = bonded_model::json::parse(text.as_bytes());
                let unexpected = |_| self.client.unexpected("the policy is not JSON");
                Ok(Some(value.map_err(unexpected).map_err(Failure::failed)?))
            }
            Err(refusal) if refusal.code == "RepositoryPolicyNotFoundException" => Ok(None),
            Err(refusal) => Err(refused(&refusal)),
        }
    }

    async fn write(&self, policy: Option<&Value>) -> Result<(), Failure> {
        let mut input = json!({ "repositoryName": self.repository.as_str() });
        let operation = match policy {
            Some(policy) => {
                input["policyText"] = policy.to_string().into();
                "SetRepositoryPolicy"
            }
            None => "DeleteRepositoryPolicy",
        };
        let answer = self.ask(operation, &input).await?;
        answer.map(|_| ()).map_err(|refusal| refused(&refusal))
    }

    /// The inner error is a refusal.
    async fn ask(&self, operation: &str, input: &Value) -> Result<Result<Value, Refusal>, Failure> {
        let answer = self.client.ecr(operation, input, Clock::system().now());
        match answer.await.map_err(Failure::failed)?.success() {
            Ok(body) => {
                let value = serde_json::from_slice(&body);
                Ok(Ok(value.map_err(Failure::failed)?))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn lines(&self, shared: &Shared, identity: &Value) -> Vec<String> {
        let Self { principal, .. } = self;
        let what = match (shared.changed, self.writes) {
            (false, _) => "nothing to change in",
            (true, true) => "written:",
            (true, false) => "would write:",
        };
        let mut lines = vec![format!("{what} the policy of {}", shared.repository)];
        let mut add = |value: &Value| {
            let text = serde_json::to_string_pretty(value).unwrap_or_default();
            lines.extend(text.lines().map(|line| format!("  {line}")));
        };
        match &shared.policy {
            Some(policy) => add(policy),
            None => add(&json!("none: the repository has no policy any more")),
        }
        if self.shares {
            let account = principal.split(':').nth(4).unwrap_or_default();
            lines.push(format!(
                "to be attached in the account {account} to whoever is to use it:"
            ));
            let text = serde_json::to_string_pretty(identity).unwrap_or_default();
            lines.extend(text.lines().map(|line| format!("  {line}")));
        }
        lines
    }
}

fn refused(refusal: &Refusal) -> Failure {
    let status = match refusal.code.as_str() {
        "RepositoryNotFoundException" => Status::NotFound,
        "AccessDenied" | "AccessDeniedException" => Status::Denied,
        _ => Status::Failed,
    };
    Failure::new(status, refusal)
}
