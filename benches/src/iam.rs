//! What is measured, as IAM policies.

use bonded_iam::{Context, Level, NamedPolicy, Outcome, Policies, Policy, Principal, Request, evaluate, reference};
use serde_json::{Value, json};

/// A request and the policies that decide it.
pub struct Scenario {
    request: Request,
    identity: Vec<NamedPolicy>,
    resource: Vec<NamedPolicy>,
    boundary: Option<NamedPolicy>,
    service_control: Vec<NamedPolicy>,
}

impl Scenario {
    /// One statement for each of `size` teams; somebody of the team `team` asks.
    pub fn teams(size: usize, team: usize) -> Self {
        let statement = |team| {
            json!({
                "Effect": "Allow",
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Resource": format!("arn:aws:ecr:us-east-1:111122223333:repository/team-{team}/*"),
                "Condition": {
                    "StringEquals": {"aws:PrincipalTag/team": format!("team-{team}")},
                    "StringLike": {"aws:username": "ci-*"},
                },
            })
        };
        Self::identity(vec![policy((0..size).map(statement).collect())], team)
    }

    /// Statements for every resource that differ in a condition only: no index can tell them apart.
    pub fn conditions(size: usize) -> Self {
        let statement = |team| {
            json!({
                "Effect": "Allow", "Action": "ecr:*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": format!("team-{team}")}},
            })
        };
        Self::identity(vec![policy((0..size).map(statement).collect())], size - 1)
    }

    /// A developer in an organization: what one pull is judged by.
    pub fn layers() -> Self {
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let secure = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let region = json!({"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*",
                            "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}});
        let pull = json!({"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                          "Resource": "arn:aws:ecr:*:111122223333:repository/${aws:PrincipalTag/team}/*"});
        let network = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
                             "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "203.0.113.0/24"]}}});
        let login = json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"});
        let others = json!({"Effect": "Deny", "Principal": "*", "Action": ["ecr:PutImage", "ecr:DeleteRepository"],
                            "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/ci"}}});
        let mut scenario = Self::identity(vec![policy(vec![pull, network]), policy(vec![login])], 7);
        scenario.resource = vec![policy(vec![others])];
        scenario.boundary = Some(policy(vec![json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"})]));
        scenario.service_control = vec![policy(vec![all.clone()]), policy(vec![all, region, secure])];
        scenario
    }

    fn identity(identity: Vec<NamedPolicy>, team: usize) -> Self {
        let mut context = Context::default();
        for (key, value) in [
            ("aws:CurrentTime", "2026-11-22T09:30:00Z"),
            ("aws:EpochTime", "1795339800"),
            ("aws:PrincipalAccount", "111122223333"),
            ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/ci-7"),
            ("aws:PrincipalTag/team", &format!("team-{team}")),
            ("aws:PrincipalType", "User"),
            ("aws:RequestedRegion", "us-east-1"),
            ("aws:ResourceAccount", "111122223333"),
            ("aws:SecureTransport", "true"),
            ("aws:SourceIp", "10.1.2.3"),
            ("aws:UserAgent", "docker/29.1"),
            ("aws:userid", "AIDAEXAMPLEALICE00001"),
            ("aws:username", "ci-7"),
        ] {
            context.insert_one(key, value);
        }
        Self {
            request: Request {
                principal: Principal::User {
                    arn: "arn:aws:iam::111122223333:user/ci-7".to_owned(),
                    account: "111122223333".to_owned(),
                    unique_id: None,
                },
                action: "ecr:BatchGetImage".to_owned(),
                resource: format!("arn:aws:ecr:us-east-1:111122223333:repository/team-{team}/api"),
                resource_account: "111122223333".to_owned(),
                context,
            },
            identity,
            resource: Vec::new(),
            boundary: None,
            service_control: Vec::new(),
        }
    }

    /// As a server does for each request: the policies are gathered, then decided.
    fn policies(&self) -> Policies<'_> {
        let level = |policy| Level { name: "level", policies: vec![policy] };
        Policies {
            identity: self.identity.iter().collect(),
            resource: self.resource.iter().collect(),
            boundary: self.boundary.as_ref(),
            service_control: self.service_control.iter().map(level).collect(),
            ..Policies::default()
        }
    }

    pub fn engine(&self) -> bool {
        evaluate(&self.request, &self.policies()).outcome == Outcome::Allow
    }

    pub fn reference(&self) -> bool {
        reference::evaluate(&self.request, &self.policies()).outcome == Outcome::Allow
    }
}

fn policy(statements: Vec<Value>) -> NamedPolicy {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    NamedPolicy {
        label: String::new(),
        policy: Policy::from_value(&document).expect("a policy"),
    }
}
