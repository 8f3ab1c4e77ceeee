//! What is said of a pull that was tried: whether it is allowed, what decided, what would change it.

use bonded_registry::Clock;
use serde_json::{Value, json};

use super::image_name::ImageName;
use super::{NOT_FINISHED, PAGE};
use crate::cli::demo::table;
use crate::cli::print::Output;
use crate::cli::{Failure, Status};
use crate::client::Client;

/// How many findings a table shows.
const SHOWN: usize = 20;

/// What was pulled before the pull ended.
#[derive(Default)]
pub(super) struct Pulled {
    /// The digests of the manifests.
    pub(super) images: Vec<String>,
}

/// What became of the pull.
pub(super) enum Outcome {
    /// All of it was allowed.
    Allowed(Pulled),
    /// It was denied, with this sentence.
    Denied(Pulled, String),
}

impl Outcome {
    /// Whether a scan that has not ended decides.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Denied(_, sentence) if sentence.contains(NOT_FINISHED))
    }
}

/// The answer of the gate.
pub(super) struct Verdict {
    role: String,
    image: String,
    word: &'static str,
    digests: Vec<String>,
    sentence: Option<String>,
    /// The findings that may have decided: of a denial those of the image that are not harmless.
    findings: Vec<Value>,
    change: Vec<String>,
}

impl Verdict {
    pub(super) async fn new(
        caller: &Client,
        role: String,
        image: &ImageName,
        outcome: Outcome,
    ) -> Result<Self, Failure> {
        let word = match &outcome {
            Outcome::Allowed(_) => "allowed",
            outcome if outcome.waits() => "unknown",
            Outcome::Denied(..) => "blocked",
        };
        let (digests, sentence) = match outcome {
            Outcome::Allowed(pulled) => (pulled.images, None),
            Outcome::Denied(pulled, sentence) => (pulled.images, Some(sentence)),
        };
        let mut verdict = Self {
            role,
            image: image.to_string(),
            word,
            digests,
            sentence,
            findings: Vec::new(),
            change: Vec::new(),
        };
        if word == "blocked" {
            verdict.findings = deciding(findings(caller, image).await?);
        }
        verdict.change = verdict.changes();
        Ok(verdict)
    }

    /// What would change the verdict.
    fn changes(&self) -> Vec<String> {
        let mut changes: Vec<String> = Vec::new();
        if self.word == "unknown" {
            changes.push("wait for the scan, or ask again with a longer --wait".to_owned());
        }
        for finding in &self.findings {
            let package = &finding["packageVulnerabilityDetails"]["vulnerablePackages"][0];
            let text = |name: &str| package[name].as_str().unwrap_or_default();
            let change = match package["fixedInVersion"].as_str() {
                Some(fixed) => format!(
                    "update '{}' from '{}' to '{fixed}'",
                    text("name"),
                    text("version")
                ),
                None => format!(
                    "do without '{}', of which no repaired version is known",
                    text("name")
                ),
            };
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        if let Some(id) = self.decision() {
            changes.push(format!("or change a policy: bonded why {id}"));
        }
        changes
    }

    /// The id in the denial.
    fn decision(&self) -> Option<&str> {
        let (_, rest) = self.sentence.as_ref()?.rsplit_once("run: bonded why ")?;
        rest.split(')').next()
    }

    pub(super) fn print(&self, output: Output) -> Result<(), Failure> {
        let value = json!({
            "verdict": self.word,
            "image": self.image,
            "role": self.role,
            "digests": self.digests,
            "decision": self.decision(),
            "reason": self.sentence,
            "findings": self.findings,
            "changes": self.change,
        });
        output.print(&value, |_| self.lines(), |_| Vec::new())
    }

    fn lines(&self) -> Vec<String> {
        let Self {
            role, image, word, ..
        } = self;
        let mut lines = vec![format!("{word}: {role} pulls {image}")];
        lines.extend(self.sentence.clone());
        if !self.findings.is_empty() {
            lines.push(String::new());
            let rows = table::rows(&self.findings);
            let more = rows.len().saturating_sub(SHOWN + 1);
            lines.extend(rows.into_iter().take(SHOWN + 1));
            if more > 0 {
                lines.push(format!("and {more} more"));
            }
        }
        if !self.change.is_empty() {
            lines.push(String::new());
            lines.push("what would change it:".to_owned());
            lines.extend(self.change.iter().map(|change| format!("  {change}")));
        }
        lines
    }

    /// How the command ends.
    pub(super) fn status(&self) -> Result<(), Failure> {
        let status = match self.word {
            "allowed" => return Ok(()),
            "blocked" => Status::Blocked,
            _ => Status::Unknown,
        };
        Err(Failure::shown(status))
    }
}

/// The findings that a gate looks at: critical and high ones, and those that nothing rates.
fn deciding(findings: Vec<Value>) -> Vec<Value> {
    let decides = |finding: &Value| {
        let severity = finding["severity"].as_str();
        matches!(severity, Some("CRITICAL" | "HIGH" | "UNDEFINED"))
    };
    let mut findings = findings;
    findings.retain(decides);
    findings
}

/// The findings of the image, as far as the caller may see them; none of an index.
async fn findings(caller: &Client, image: &ImageName) -> Result<Vec<Value>, Failure> {
    let mut findings = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({ "imageId": image.image_id(), "maxResults": PAGE });
        image.address(&mut input);
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let now = Clock::system().now();
        let answer = caller.ecr("DescribeImageScanFindings", &input, now).await;
        let Ok(body) = answer?.success() else {
            return Ok(findings);
        };
        let mut page: Value = serde_json::from_slice(&body).map_err(Failure::failed)?;
        let found = page["imageScanFindings"]["enhancedFindings"].take();
        if let Value::Array(found) = found {
            findings.extend(found);
        }
        token = page["nextToken"].take();
        if token.is_null() {
            return Ok(findings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(word: &'static str, sentence: Option<&str>) -> Verdict {
        Verdict {
            role: "r".to_owned(),
            image: "i".to_owned(),
            word,
            digests: Vec::new(),
            sentence: sentence.map(str::to_owned),
            findings: Vec::new(),
            change: Vec::new(),
        }
    }

    #[test]
    fn the_status_tells_blocked_from_not_known() {
        let status = |word| verdict(word, None).status().err().map(|f| f.status);
        assert_eq!(status("allowed"), None);
        assert_eq!(status("blocked"), Some(Status::Blocked));
        assert_eq!(status("unknown"), Some(Status::Unknown));
    }

    #[test]
    fn a_scan_that_has_not_ended_is_waited_for() {
        let denied = |sentence: &str| Outcome::Denied(Pulled::default(), sentence.to_owned());
        assert!(denied("x: image sha256:0: scan not finished (decision 1)").waits());
        assert!(!denied("x: image sha256:0: its scan failed (decision 1)").waits());
        assert!(!Outcome::Allowed(Pulled::default()).waits());
        let sentence = "denied (decision 01; run: bonded why 01)";
        let unknown = verdict("unknown", Some(sentence));
        assert_eq!(
            unknown.changes(),
            [
                "wait for the scan, or ask again with a longer --wait",
                "or change a policy: bonded why 01"
            ]
        );
    }
}
