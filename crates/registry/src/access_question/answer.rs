//! What a question about somebody's access comes to, and the half of it that the asker may see.

use std::collections::BTreeMap;
use std::sync::Arc;

use bonded_iam::{NamedPolicy, Outcome, Policies, Policy, Request, Side, context_keys};
use bonded_model::AccountId;
use bonded_store::StoreError;
use serde_json::{Value, json};

use super::AccessQuestion;
use crate::Registry;
use crate::access::Allowed;
use crate::compiled::{HolderPolicies, Labelled};
use crate::context::{self, ContextFacts, Fact};
use crate::error::Result;
use crate::judge::CallerPolicies;
use crate::role::no_role;
use crate::target::{Entity, EntityKind};
use crate::user::no_user;

/// The three answers.
fn word(strict: Outcome, free: Outcome) -> &'static str {
    match (strict, free) {
        (Outcome::Allow, _) => "allowed",
        (_, Outcome::Allow) => "unknown",
        _ => "denied",
    }
}

impl Registry {
    /// The answer as JSON: `answer` is `allowed`, `denied` or `unknown`, and then `dependsOn` names
    /// the keys that decide; `judged` is `both` sides or only the `resource`'s; `check` has the
    /// half that the asker may see, as [`Registry::explain`] gives it.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchEntity`]: the principal is to be of the asker's account and is not there.
    pub async fn answer_access(&self, allowed: &Allowed<AccessQuestion>) -> Result<Value> {
        let (question, found) = (allowed.target(), allowed.found());
        let asker = allowed.caller();
        if question.is_of_asker() && found.principal.is_none() {
            let name = &question.principal.name;
            return Err(match question.principal.kind {
                EntityKind::Role => no_role(name),
                EntityKind::User | EntityKind::Group => no_user(name),
            });
        }
        let resource_half = found.resource.account == question.asker
            && self.may_read(asker, &found.resource.arn).await?;
        let mut facts = question.facts(found, asker.time());
        let sides = if question.is_of_asker() {
            self.sides_of(found.principal.as_ref(), &question.principal.account)
                .await?
        } else {
            // What another account says is not for the asker, so it is taken to allow everything.
            hide_tags(&mut facts, &found.resource.policies, &question.context);
            unlimited()?
        };
        let policies = sides.with(&found.resource.policies);
        let request = Request {
            principal: question.engine_principal(found.principal.as_ref()),
            action: question.action.clone(),
            resource: found.resource.arn.clone(),
            resource_account: found.resource.account.to_string(),
            context: context::to_engine(&facts),
        };
        let strict = bonded_iam::evaluate(&request, &policies).outcome;
        let free = bonded_iam::evaluate_free(&request, &policies).outcome;
        let answer = match question.is_of_asker() || resource_half {
            true => word(strict, free),
            false => "unknown",
        };
        let explanation = match answer {
            "denied" => bonded_iam::explain_free(&request, &policies),
            _ => bonded_iam::explain(&request, &policies),
        };
        let explanation = match (question.is_of_asker(), resource_half) {
            (true, true) => Some(explanation),
            (true, false) => Some(explanation.half(Side::Caller)),
            (false, true) => Some(explanation.half(Side::Resource)),
            (false, false) => None,
        };
        let used = used_keys(&policies, resource_half);
        facts.retain(|key, _| used.iter().any(|used| used.eq_ignore_ascii_case(key)));
        let depends_on: Vec<&String> = match answer {
            "unknown" => unknown_keys(&facts).collect(),
            _ => Vec::new(),
        };
        Ok(json!({
            "principal": request.principal.name(),
            "answer": answer,
            "judged": if question.is_of_asker() { "both" } else { "resource" },
            "dependsOn": depends_on,
            "check": {
                "action": question.action,
                "resource": found.resource.told,
                "resourceAccount": request.resource_account,
                "context": facts,
                "outcome": answer,
                "explanation": explanation,
            },
        }))
    }

    /// The policies on the side of a principal without a session policy.
    async fn sides_of(
        &self,
        principal: Option<&Entity>,
        account: &AccountId,
    ) -> Result<CallerPolicies> {
        let id = principal.map(Entity::id).unwrap_or_default();
        let rows = self.store().caller_policies(id, account).await?;
        Ok(CallerPolicies {
            holder: Arc::new(self.compiled().compile_holder(&rows)?),
            session: None,
        })
    }
}

/// A side that allows everything.
fn unlimited() -> Result<CallerPolicies> {
    let document = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "*", "Resource": "*" } });
    let policy = Policy::from_value(&document)
        .map_err(|e| StoreError::Corrupt(format!("the policy that allows everything: {e}")))?;
    let named = Arc::new(NamedPolicy {
        label: "the other account".to_owned(),
        policy,
    });
    Ok(CallerPolicies {
        holder: Arc::new(HolderPolicies {
            identity: vec![Labelled {
                version: String::new(),
                named,
            }],
            ..HolderPolicies::default()
        }),
        session: None,
    })
}

/// Takes the tags of the principal for unknown, those that it has not too.
fn hide_tags(
    facts: &mut ContextFacts,
    policies: &[Labelled],
    given: &BTreeMap<String, Vec<String>>,
) {
    const TAG: &str = "aws:principaltag/";
    let is_given = |key: &str| given.keys().any(|given| given.eq_ignore_ascii_case(key));
    let is_tag = |key: &str| key.to_lowercase().starts_with(TAG);
    facts.retain(|key, _| !is_tag(key) || is_given(key));
    for key in context_keys(policies.iter().map(|policy| &policy.named.policy)) {
        if is_tag(&key) && !is_given(&key) {
            facts.insert(key, Fact::Unknown);
        }
    }
}

/// The keys that the policies use which the asker may see.
fn used_keys(policies: &Policies<'_>, resource_half: bool) -> Vec<String> {
    let resource = match resource_half {
        true => &policies.resource[..],
        false => &[],
    };
    let levels = policies.service_control.iter();
    let levels = levels.flat_map(|level| &level.policies);
    let seen = (policies.identity.iter())
        .chain(&policies.boundary)
        .chain(resource)
        .chain(levels);
    context_keys(seen.map(|named| &named.policy))
}

fn unknown_keys(facts: &ContextFacts) -> impl Iterator<Item = &String> {
    let unknown = facts.iter().filter(|(_, fact)| **fact == Fact::Unknown);
    unknown.map(|(key, _)| key)
}
