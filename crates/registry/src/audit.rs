//! The record of a decision: its inputs, kept so that it can be explained later.
//!
//! A record names the versions of the policies that decided, which are immutable rows;
//! `bonded why` evaluates again. Records of changes are committed with the change; every decision
//! also goes through the store's bounded queue to this node's append-only file.

use bonded_iam::Principal;
use bonded_model::Timestamp;
use bonded_store::{LINE_LIMIT, SessionKind};
use serde::{Deserialize, Serialize};

use crate::Registry;
use crate::caller::{Caller, Identity};
use crate::compiled::Labelled;
use crate::context::{self, ContextFacts};
use crate::error::{Denied, Error, Result};
use crate::judge::{CallerPolicies, Ruling};
use crate::target::Resource;

/// One call of `authorize`: who asked, from where, and each check with its outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    pub(crate) id: String,
    pub(crate) time: Timestamp,
    pub(crate) principal: PrincipalRecord,
    pub(crate) access_key_id: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
    /// The context keys of the caller, which every check has.
    pub(crate) context: ContextFacts,
    /// The checks in order; only the last one can have been denied.
    pub(crate) checks: Vec<CheckRecord>,
    /// AWS's sentence and what decided, if it was denied.
    pub(crate) denied: Option<String>,
}

/// The caller, as far as the engine needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrincipalRecord {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) unique_id: String,
    /// Present for a session of a role.
    pub(crate) role_arn: Option<String>,
    /// Present for a federated user: the user behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_arn: Option<String>,
    /// Present for a web identity, whose `arn` is its provider's and whose `unique_id` is the
    /// subject of its token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) web_identity: bool,
}

/// One action on one resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckRecord {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// What the denial called it: not an existing user's path, which nobody may learn from it.
    pub(crate) told: String,
    pub(crate) resource_account: String,
    /// The context keys that the request brings to this check.
    pub(crate) request_context: ContextFacts,
    /// Those of the resource: not for everybody who may know of the decision.
    pub(crate) resource_context: ContextFacts,
    /// Those of the image that decided, as they were then; `null` is unknown.
    #[serde(default)]
    pub(crate) image_context: ContextFacts,
    /// Whether the unknown ones among them were taken as favourably as they could turn out: it was
    /// denied without looking at the image, or the image was not there.
    #[serde(default)]
    pub(crate) free: bool,
    pub(crate) identity_policies: Vec<PolicyReference>,
    pub(crate) resource_policies: Vec<PolicyReference>,
    /// `null` if no session policy was passed.
    pub(crate) session_policies: Option<Vec<PolicyReference>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) boundary: Option<PolicyReference>,
    /// Empty if everything is allowed to the caller's account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) service_control_policies: Vec<PolicyReference>,
    pub(crate) allowed: bool,
}

/// A policy that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyReference {
    pub(crate) label: String,
    pub(crate) version: String,
}

impl DecisionRecord {
    pub(crate) fn new(id: String, caller: &Caller) -> Self {
        let facts = caller.facts();
        Self {
            id,
            time: caller.time(),
            principal: PrincipalRecord::new(caller),
            access_key_id: caller.key_id().to_owned(),
            source_ip: facts.source_ip.to_string(),
            user_agent: facts.user_agent.clone(),
            context: context::of_caller(caller),
            checks: Vec::new(),
            denied: None,
        }
    }

    pub(crate) fn denied(&mut self, denied: &Denied) {
        self.denied = Some(denied.text());
    }

    /// One line of JSON. A record of many checks that would be too long keeps the context of resource
    /// and image of the last one only, which is the one that can have been denied.
    pub(crate) fn to_line(&self) -> String {
        // Maps with text keys and plain members cannot fail to serialize.
        let line = |record: &Self| serde_json::to_string(record).unwrap_or_default();
        let whole = line(self);
        if whole.len() <= LINE_LIMIT {
            return whole;
        }
        let mut short = self.clone();
        let allowed = short.checks.len().saturating_sub(1);
        short.checks.iter_mut().take(allowed).for_each(|check| {
            check.resource_context.clear();
            check.image_context.clear();
        });
        line(&short)
    }
}

impl PrincipalRecord {
    fn new(caller: &Caller) -> Self {
        let (unique_id, role_arn, user_arn) = match caller.identity() {
            Identity::User(user) | Identity::ServiceToken { user, .. } => {
                (user.id.clone(), None, None)
            }
            Identity::Session { role, .. } => (role.id.clone(), Some(role.arn()), None),
            Identity::UserSession { session, user } => {
                let federated = session.kind == SessionKind::Federated;
                (user.id.clone(), None, federated.then(|| user.arn()))
            }
            Identity::Web(_) => (caller.user_id(), None, None),
        };
        Self {
            arn: caller.arn(),
            account: caller.account().to_string(),
            unique_id,
            role_arn,
            user_arn,
            web_identity: caller.web_identity().is_some(),
        }
    }

    pub(crate) fn to_engine(&self) -> Principal {
        let (arn, account) = (self.arn.clone(), self.account.clone());
        if self.web_identity {
            return Principal::FederatedIdentity {
                provider: arn,
                account,
            };
        }
        let unique_id = Some(self.unique_id.clone());
        match (&self.role_arn, &self.user_arn) {
            (None, None) => Principal::User {
                arn,
                account,
                unique_id,
            },
            (None, Some(user)) => Principal::FederatedUser {
                arn,
                user_arn: user.clone(),
                account,
                unique_id,
            },
            (Some(role), _) => Principal::RoleSession {
                arn,
                role_arn: role.clone(),
                account,
                unique_id,
            },
        }
    }
}

impl CheckRecord {
    pub(crate) fn new(ruling: &Ruling, sides: &CallerPolicies, resource: &Resource) -> Self {
        let references =
            |policies: &[Labelled]| policies.iter().map(PolicyReference::new).collect();
        Self {
            action: ruling.request.action.clone(),
            resource: ruling.request.resource.clone(),
            told: resource.told.clone(),
            resource_account: ruling.request.resource_account.clone(),
            request_context: ruling.named.clone(),
            resource_context: resource.facts(),
            image_context: ruling.image.clone(),
            free: ruling.free,
            identity_policies: references(&sides.holder.identity),
            resource_policies: references(&resource.policies),
            session_policies: sides.session.as_deref().map(references),
            boundary: sides.holder.boundary.as_ref().map(PolicyReference::new),
            service_control_policies: references(&sides.holder.service_control),
            allowed: ruling.is_allowed(),
        }
    }
}

impl PolicyReference {
    fn new(policy: &Labelled) -> Self {
        Self {
            label: policy.named.label.clone(),
            version: policy.version.clone(),
        }
    }
}

impl Registry {
    /// Puts the record into the queue to this node's file; waits while the queue is full.
    pub(crate) async fn record(&self, record: &DecisionRecord) -> Result<()> {
        Ok(self
            .store()
            .audit()
            .record(record.time, record.to_line())
            .await?)
    }

    /// The record with this id, committed with a change or written by this node.
    ///
    /// # Errors
    /// The id is not one of ours or nothing is on record.
    pub(crate) async fn find_record(&self, id: &str) -> Result<Option<DecisionRecord>> {
        let Some(time) = decision_time(id) else {
            return Ok(None);
        };
        let line = match self.store().find_change(id).await? {
            Some(change) => Some(change.record),
            None => self.store().audit().find(id, time).await?,
        };
        line.map(|line| {
            serde_json::from_str(&line).map_err(|e| {
                Error::Store(bonded_store::StoreError::Corrupt(format!(
                    "the record of the decision '{id}': {e}"
                )))
            })
        })
        .transpose()
    }
}

/// The time in an id made by `random::decision_id`; `None` if it is not one.
fn decision_time(id: &str) -> Option<Timestamp> {
    let hex = id.len() == 24
        && id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let millis = hex.then(|| i64::from_str_radix(&id[..12], 16).ok())??;
    Some(Timestamp::from_millis(millis))
}
