//! Requests and policies for tests.

use serde_json::{Value, json};

use crate::{Context, NamedPolicy, Policy, Principal, Request};

pub(crate) const HOME: &str = "111122223333";
pub(crate) const AWAY: &str = "444455556666";
pub(crate) const REPOSITORY: &str = "arn:aws:ecr:us-east-1:111122223333:repository/team-a/api";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";

pub(crate) fn user(account: &str) -> Principal {
    Principal::User {
        arn: format!("arn:aws:iam::{account}:user/alice"),
        account: account.to_owned(),
        unique_id: None,
    }
}

pub(crate) fn session(account: &str) -> Principal {
    Principal::RoleSession {
        arn: format!("arn:aws:sts::{account}:assumed-role/ci/run-1"),
        role_arn: format!("arn:aws:iam::{account}:role/ci"),
        account: account.to_owned(),
        unique_id: None,
    }
}

pub(crate) fn request(principal: Principal, action: &str, resource: &str) -> Request {
    Request {
        principal,
        action: action.to_owned(),
        resource: resource.to_owned(),
        resource_account: HOME.to_owned(),
        context: Context::default(),
    }
}

pub(crate) fn pull(principal: Principal) -> Request {
    request(principal, "ecr:BatchGetImage", REPOSITORY)
}

pub(crate) fn policy(statement: &Value) -> NamedPolicy {
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    NamedPolicy {
        label: "a policy".to_owned(),
        policy: Policy::from_value(&document).unwrap(),
    }
}

pub(crate) fn own(effect: &str, action: &str) -> NamedPolicy {
    policy(&json!({"Effect": effect, "Action": action, "Resource": "*"}))
}

pub(crate) fn on_repository(effect: &str, principal: &Value) -> NamedPolicy {
    policy(&json!({"Effect": effect, "Principal": principal, "Action": "*"}))
}
