//! Why a decision was made: `bonded why`.
//!
//! The recorded inputs are evaluated again with the very policy versions that decided. Each side
//! sees its own half: the caller's account the identity policies, the resource's account the
//! policies and facts of the resource, and these only for whoever may read them by other
//! operations (security.md, "`why` across accounts").

use std::sync::Arc;

use bonded_iam::{NamedPolicy, Policy, Request, Side};
use bonded_model::{AccountId, RepositoryArn};
use bonded_store::{Holder, StoreError};
use serde_json::{Value, json};

use crate::Registry;
use crate::access::{Action, Allowed};
use crate::audit::{CheckRecord, DecisionRecord, PolicyReference};
use crate::caller::Caller;
use crate::compiled::{HolderPolicies, Labelled};
use crate::context::{self, ContextFacts, Fact};
use crate::error::{Error, Result};
use crate::image_keys::CURRENT_IMAGE_TAGS;
use crate::judge::CallerPolicies;
use crate::target::sealed::Judged;
use crate::target::{Resource, RoleNamed, Target, UserNamed};

/// A decision by its id.
///
/// It may be asked about by the principal it was made about, and by whoever may
/// `sts:DecodeAuthorizationMessage` in the principal's or the resource's account. An unknown id is
/// a decision of the asker's own account, so that only who may ask learns that it is unknown.
#[derive(Debug, Clone)]
pub struct DecisionNamed {
    /// The id, as a denial showed it.
    pub id: String,
    /// The account of the one who asks.
    pub asker: AccountId,
}

impl Target for DecisionNamed {}

impl Judged for DecisionNamed {
    type Found = Option<DecisionRecord>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        registry.find_record(&self.id).await
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let root = |account: &str| format!("arn:aws:iam::{account}:root");
        let (account, principals) = match found {
            None => (self.asker.clone(), vec![root(self.asker.as_str())]),
            Some(record) => {
                let mut principals = vec![root(&record.principal.account)];
                // A web identity cannot ask anything.
                if !record.principal.web_identity {
                    principals.push(record.principal.arn.clone());
                }
                principals.extend(
                    record
                        .checks
                        .iter()
                        .map(|check| root(&check.resource_account)),
                );
                (
                    record
                        .principal
                        .account
                        .parse()
                        .unwrap_or_else(|_| self.asker.clone()),
                    principals,
                )
            }
        };
        let document = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": { "AWS": principals },
            "Action": "sts:DecodeAuthorizationMessage", "Resource": "*" } });
        let policy = Policy::from_value(&document)
            .map_err(|e| StoreError::Corrupt(format!("the policy of a decision: {e}")))?;
        let named = Arc::new(NamedPolicy {
            label: "who may ask".to_owned(),
            policy,
        });
        let policies = vec![Labelled {
            version: String::new(),
            named,
        }];
        let resource = Resource::new("*".to_owned(), account);
        Ok(vec![resource.with(policies, ContextFacts::new())])
    }
}

impl Registry {
    /// The decision taken apart, as JSON: who, what, when, from where, and for each check every
    /// policy and statement of the halves the caller may see, with what matched or missed, and the
    /// smallest statements that would allow it.
    ///
    /// # Errors
    /// [`Error::DecisionNotFound`].
    pub async fn explain(&self, allowed: &Allowed<DecisionNamed>) -> Result<Value> {
        let record = allowed
            .found()
            .as_ref()
            .ok_or_else(|| Error::DecisionNotFound(allowed.target().id.clone()))?;
        let mut checks = Vec::with_capacity(record.checks.len());
        for check in &record.checks {
            checks.push(self.explain_check(record, check, allowed.caller()).await?);
        }
        Ok(json!({
            "id": record.id,
            "time": record.time.to_string(),
            "principal": record.principal.arn,
            "webIdentitySubject": record.principal.web_identity.then_some(&record.principal.unique_id),
            "accessKeyId": record.access_key_id,
            "sourceIp": record.source_ip,
            "userAgent": record.user_agent,
            "allowed": record.denied.is_none(),
            "message": record.denied,
            "checks": checks,
        }))
    }

    /// One check as the asker may see it. Who may not see the resource's half gets what an absent
    /// resource would have given: no policy, no fact and no path of it takes part.
    async fn explain_check(
        &self,
        record: &DecisionRecord,
        check: &CheckRecord,
        asker: &Caller,
    ) -> Result<Value> {
        let caller_half = asker.account().as_str() == record.principal.account;
        let resource_half = asker.account().as_str() == check.resource_account
            && self.may_read(asker, &check.resource).await?;
        let sides = CallerPolicies {
            holder: Arc::new(self.recorded_holder(check).await?),
            session: self.recorded_session_policies(record, check).await?,
        };
        let named = if resource_half {
            &check.resource
        } else {
            &check.told
        };
        let mut resource = Vec::new();
        let mut facts = record.context.clone();
        if !caller_half {
            facts.retain(|key, _| !key.starts_with("aws:PrincipalTag/"));
        }
        facts.extend(check.request_context.clone());
        facts.extend(check.image_context.clone());
        if resource_half {
            resource = self.recorded_policies(&check.resource_policies).await?;
            facts.extend(check.resource_context.clone());
        } else if let Some(tags) = facts.get_mut(CURRENT_IMAGE_TAGS) {
            // Which other tags an image has is not for everybody who may not pull it.
            *tags = Fact::Unknown;
        }
        let request = Request {
            principal: record.principal.to_engine(),
            action: check.action.clone(),
            resource: named.clone(),
            resource_account: check.resource_account.clone(),
            context: context::to_engine(&facts),
        };
        let policies = sides.with(&resource);
        let explanation = if check.free {
            bonded_iam::explain_free(&request, &policies)
        } else {
            bonded_iam::explain(&request, &policies)
        };
        let explanation = match (caller_half, resource_half) {
            (true, true) => Some(explanation),
            (true, false) => Some(explanation.half(Side::Caller)),
            (false, true) => Some(explanation.half(Side::Resource)),
            (false, false) => None,
        };
        let shown = if explanation.is_some() {
            facts
        } else {
            ContextFacts::new()
        };
        Ok(json!({
            "action": check.action,
            "resource": named,
            "resourceAccount": check.resource_account,
            "context": shown,
            "outcome": if check.allowed { "allowed" } else { "denied" },
            "explanation": explanation,
        }))
    }

    async fn recorded_holder(&self, check: &CheckRecord) -> Result<HolderPolicies> {
        let boundary = self.recorded_policies(check.boundary.as_slice()).await?;
        Ok(HolderPolicies {
            identity: self.recorded_policies(&check.identity_policies).await?,
            boundary: boundary.into_iter().next(),
            service_control: self
                .recorded_policies(&check.service_control_policies)
                .await?,
        })
    }

    async fn recorded_policies(&self, references: &[PolicyReference]) -> Result<Vec<Labelled>> {
        let mut policies = Vec::with_capacity(references.len());
        for PolicyReference { label, version } in references {
            let version = self
                .store()
                .find_policy_version(version)
                .await?
                .ok_or_else(|| {
                    StoreError::Corrupt(format!(
                        "the policy version '{version}' of a decision is gone"
                    ))
                })?;
            policies.push(self.compiled().policy(label.clone(), &version)?);
        }
        Ok(policies)
    }

    async fn recorded_session_policies(
        &self,
        record: &DecisionRecord,
        check: &CheckRecord,
    ) -> Result<Option<Vec<Labelled>>> {
        if check.session_policies.is_none() {
            return Ok(None);
        }
        if let Some(found) = self
            .store()
            .find_service_token(&record.access_key_id)
            .await?
        {
            return Ok(Some(vec![self.compiled().token_bounds(&found.token)?]));
        }
        match self
            .store()
            .find_credential(&record.access_key_id)
            .await?
            .map(|found| found.holder)
        {
            Some(Holder::Session { session, .. } | Holder::UserSession { session, .. }) => {
                self.compiled().session_policies(&session).map(Some)
            }
            // Without its session nothing is known to have been allowed by it.
            Some(Holder::User(_) | Holder::ServiceToken { .. }) | None => Ok(Some(Vec::new())),
        }
    }

    /// Whether the asker may read what is attached to the resource, its policy and its tags, by
    /// the operations that show them. Not recorded: it is no request of the asker's.
    pub(crate) async fn may_read(&self, asker: &Caller, resource: &str) -> Result<bool> {
        if let Ok(arn) = resource.parse::<RepositoryArn>() {
            let policy = Action::new("ecr:GetRepositoryPolicy");
            let tags = Action::new("ecr:ListTagsForResource");
            return Ok(self.permits(asker, policy, arn.clone()).await?
                && self.permits(asker, tags, arn).await?);
        }
        let account = asker.account().clone();
        let prefix = format!("arn:aws:iam::{account}:");
        let path = "/".to_owned();
        match resource
            .strip_prefix(&prefix)
            .and_then(|rest| rest.split_once('/'))
        {
            Some((kind, rest)) => {
                let name = rest.rsplit('/').next().unwrap_or_default().to_owned();
                if kind == "role" {
                    let role = RoleNamed {
                        account,
                        name,
                        path,
                    };
                    self.permits(asker, Action::new("iam:GetRole"), role).await
                } else {
                    let user = UserNamed {
                        account,
                        name,
                        path,
                    };
                    self.permits(asker, Action::new("iam:GetUser"), user).await
                }
            }
            // Nothing is attached to these.
            None => Ok(resource == "*" || resource.ends_with(":repository/*")),
        }
    }
}
