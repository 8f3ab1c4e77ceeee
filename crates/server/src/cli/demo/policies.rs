//! The policies of the story.

use serde_json::{Value, json};

use super::{CENTRAL, PROD, REGION, REPOSITORY};
use crate::cli::print;

/// Shows the policy that decides.
pub(super) fn show_gate() {
    print::line("");
    print::line(format!(
        "The central account enforces this policy of {REPOSITORY}:"
    ));
    let text = serde_json::to_string_pretty(&gate()).unwrap_or_default();
    for line in text.lines() {
        print::line(format!("    {line}"));
    }
    print::line("");
}

fn policy(statements: &Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// What the team's role may.
pub(super) fn push_policy() -> Value {
    policy(&json!([
        { "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
        { "Effect": "Allow",
          "Action": ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage"],
          "Resource": format!("arn:aws:ecr:{REGION}:{CENTRAL}:repository/ml/*") }
    ]))
}

/// What the production's role may, as far as its own account says.
pub(super) fn pull_policy() -> Value {
    policy(&json!([
        { "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
        { "Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
          "Resource": format!("arn:aws:ecr:{REGION}:{CENTRAL}:repository/*") }
    ]))
}

/// The policy of the repository: who may pull what.
pub(super) fn gate() -> Value {
    policy(&json!([{
        "Sid": "ProdPullsWhatWasScannedTodayAndHasNothingCritical",
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{PROD}:role/prod") },
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {
            "StringEquals": { "bonded:ScanStatus": "COMPLETE" },
            "NumericEquals": { "bonded:CriticalFindings": "0" },
            "NumericLessThan": { "bonded:ScanAgeHours": "24" }
        }
    }]))
}
