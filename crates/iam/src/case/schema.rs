//! The schema of a case and its translation into a request and policies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::malformed::MalformedPolicy;
use crate::policies::OwnedPolicies;
use crate::policy::{NamedPolicy, Policy};
use crate::request::{Context, ContextValue, Principal, Request};

/// One line.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) request: CaseRequest,
    pub(super) policies: CasePolicies,
    pub(super) expected: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct CaseRequest {
    principal: CasePrincipal,
    action: String,
    resource: CaseResource,
    #[serde(default)]
    context: BTreeMap<String, CaseValue>,
    /// Keys that apply but whose value is not known. Beside `context`.
    #[serde(default)]
    unknown: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum CasePrincipal {
    User {
        arn: String,
        account: String,
        unique_id: Option<String>,
    },
    RoleSession {
        arn: String,
        role_arn: String,
        account: String,
        unique_id: Option<String>,
    },
    FederatedUser {
        arn: String,
        user_arn: String,
        account: String,
        unique_id: Option<String>,
    },
    Root {
        arn: String,
        account: String,
    },
    Service {
        service: String,
    },
    FederatedIdentity {
        provider: String,
        account: String,
    },
    Anonymous,
}

#[derive(Debug, Deserialize)]
pub(super) struct CaseResource {
    arn: String,
    account: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum CaseValue {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CasePolicies {
    identity: Vec<Value>,
    resource: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Vec<Value>>,
    scp: Vec<CaseLevel>,
    rcp: Vec<CaseLevel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CaseLevel {
    #[serde(default)]
    level: String,
    pub(super) policies: Vec<Value>,
}

impl From<CaseRequest> for Request {
    fn from(case: CaseRequest) -> Self {
        let mut context = Context::default();
        for (key, value) in case.context {
            context.insert(
                &key,
                match value {
                    CaseValue::One(value) => ContextValue::One(value),
                    CaseValue::Many(values) => ContextValue::Many(values),
                },
            );
        }
        for key in &case.unknown {
            context.insert(key, ContextValue::Unknown);
        }
        Self {
            principal: case.principal.into(),
            action: case.action,
            resource: case.resource.arn,
            resource_account: case.resource.account,
            context,
        }
    }
}

impl From<CasePrincipal> for Principal {
    fn from(case: CasePrincipal) -> Self {
        match case {
            CasePrincipal::User {
                arn,
                account,
                unique_id,
            } => Self::User {
                arn,
                account,
                unique_id,
            },
            CasePrincipal::RoleSession {
                arn,
                role_arn,
                account,
                unique_id,
            } => Self::RoleSession {
                arn,
                role_arn,
                account,
                unique_id,
            },
            CasePrincipal::FederatedUser {
                arn,
                user_arn,
                account,
                unique_id,
            } => Self::FederatedUser {
                arn,
                user_arn,
                account,
                unique_id,
            },
            CasePrincipal::Root { arn, account } => Self::Root { arn, account },
            CasePrincipal::Service { service } => Self::Service { service },
            CasePrincipal::FederatedIdentity { provider, account } => {
                Self::FederatedIdentity { provider, account }
            }
            CasePrincipal::Anonymous => Self::Anonymous,
        }
    }
}

/// The policies of a case, parsed.
pub(super) fn parse(case: &CasePolicies) -> Result<OwnedPolicies, MalformedPolicy> {
    let levels = |levels: &[CaseLevel], label: &str| {
        levels
            .iter()
            .map(|level| Ok((level.level.clone(), named(&level.policies, label)?)))
            .collect::<Result<_, MalformedPolicy>>()
    };
    let session = case.session.as_deref();
    Ok(OwnedPolicies {
        identity: named(&case.identity, "identity")?,
        resource: named(&case.resource, "resource")?,
        boundary: named(case.boundary.as_slice(), "boundary")?.pop(),
        session: session.map(|list| named(list, "session")).transpose()?,
        service_control: levels(&case.scp, "scp")?,
        resource_control: levels(&case.rcp, "rcp")?,
    })
}

fn named(documents: &[Value], label: &str) -> Result<Vec<NamedPolicy>, MalformedPolicy> {
    documents
        .iter()
        .enumerate()
        .map(|(index, document)| {
            Ok(NamedPolicy {
                label: format!("{label} policy {index}"),
                policy: Policy::from_value(document)?,
            })
        })
        .collect()
}
