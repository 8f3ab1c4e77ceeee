//! `bonded can`: whether somebody may do something, asked from the server that would decide it.

use bonded_registry::Clock;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::print::Output;
use super::why::record::Check;
use super::{DataDirectory, Failure, Status, block_on};
use crate::client::{Client, Refusal};
use crate::config::variable;

/// Say whether a user or role may do something, and what decides
///
/// Nothing is done. The policies that are there decide, those of the resource too, across accounts;
/// every statement that was looked at is shown with what missed, and the smallest change that would
/// allow it. The status is 0 if it is allowed, 3 if it is denied, and 6 if that depends on what the
/// question does not say, or on another account. The key is read where AWS tools read it; it must
/// be allowed `bonded:ExplainAccess` on the principal.
#[derive(Args)]
pub(super) struct Can {
    /// Who: the ARN of a user, role or session of a role; user/NAME or role/NAME
    #[arg(value_name = "PRINCIPAL")]
    principal: String,

    /// What: an IAM action, such as ecr:BatchGetImage
    #[arg(value_name = "ACTION")]
    action: String,

    /// To what: the name of a repository, an ARN, or '*'
    #[arg(value_name = "RESOURCE")]
    resource: String,

    /// A condition key of the request; the same key again gives it several values
    #[arg(long = "context", value_name = "KEY=VALUE")]
    context: Vec<String>,

    #[command(flatten)]
    output: Output,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

impl Can {
    pub(super) fn run(self) -> Result<(), Failure> {
        let parameters = self.parameters()?;
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable);
        let client = client.map_err(Failure::usage)?;
        let borrowed: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = block_on(async {
            let now = Clock::system().now();
            let asked = client.query("bonded", &borrowed, now).await;
            asked.map_err(Failure::failed)
        })?;
        let body = answer.success().map_err(|refusal| refused(&refusal))?;
        let text = String::from_utf8_lossy(&body);
        let unexpected = |problem: &str| Failure::failed(client.unexpected(problem));
        let response: Response = quick_xml::de::from_str(&text)
            .map_err(|_| unexpected("its answer is not that of ExplainAccess"))?;
        let value: Value = bonded_model::json::parse(response.result.explanation.as_bytes())
            .map_err(|_| unexpected("the explanation is not JSON"))?;
        let explained: Explained = serde_json::from_value(value.clone())
            .map_err(|error| unexpected(&format!("{error} in the explanation")))?;
        self.output
            .print(&value, |_| explained.lines(), |_| Vec::new())?;
        explained.status()
    }

    /// The call as a form has it.
    fn parameters(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut form = vec![
            ("Action".to_owned(), "ExplainAccess".to_owned()),
            ("Version".to_owned(), "2026-11-27".to_owned()),
            ("Principal".to_owned(), self.principal.clone()),
            ("ActionName".to_owned(), self.action.clone()),
            ("Resource".to_owned(), self.resource.clone()),
        ];
        let mut keys: Vec<(&str, usize)> = Vec::new();
        for text in &self.context {
            let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.ok_or_else(|| {
                let text = text.escape_debug();
                Failure::usage(format!(
                    "the context '{text}' is not KEY=VALUE, such as aws:SourceIp=10.0.0.1"
                ))
            })?;
            let known = keys.iter().position(|(known, _)| *known == key);
            let at = known.unwrap_or(keys.len());
            if known.is_none() {
                keys.push((key, 0));
                form.push((format!("Context.member.{}.Key", at + 1), key.to_owned()));
            }
            if let Some((_, values)) = keys.get_mut(at) {
                *values += 1;
                let name = format!("Context.member.{}.Values.member.{values}", at + 1);
                form.push((name, value.to_owned()));
            }
        }
        Ok(form)
    }
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "ExplainAccessResult")]
    result: ResponseResult,
}

#[derive(Deserialize)]
struct ResponseResult {
    #[serde(rename = "Explanation")]
    explanation: String,
}

/// The answer of the server.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    principal: String,
    /// `allowed`, `denied` or `unknown`.
    answer: String,
    /// `both` sides, or only the `resource`'s.
    judged: String,
    depends_on: Vec<String>,
    check: Check,
}

impl Explained {
    fn is_half(&self) -> bool {
        self.judged == "resource"
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("who    {}", self.principal)];
        self.check.write(&mut lines);
        if self.answer == "unknown" {
            lines.push(match self.depends_on.join(", ") {
                keys if keys.is_empty() => {
                    "  it depends on what policies ask that you may not see".to_owned()
                }
                keys => format!("  it depends on {keys}; say with --context what they are"),
            });
        }
        if self.is_half() && self.answer == "allowed" {
            lines.push(
                "  by this account's policies; the principal's own account must allow it too, and \
                 only that account can ask"
                    .to_owned(),
            );
        }
        lines
    }

    fn status(&self) -> Result<(), Failure> {
        let status = match self.answer.as_str() {
            "denied" => Status::Denied,
            "allowed" if !self.is_half() => return Ok(()),
            _ => Status::Unknown,
        };
        Err(Failure::shown(status))
    }
}

fn refused(refusal: &Refusal) -> Failure {
    let status = match (refusal.code.as_str(), refusal.status.as_u16()) {
        ("NoSuchEntity", _) => Status::NotFound,
        ("InvalidInput" | "ValidationError", _) => Status::Usage,
        (_, 401 | 403) => Status::Denied,
        _ => Status::Failed,
    };
    Failure::new(status, refusal)
}
