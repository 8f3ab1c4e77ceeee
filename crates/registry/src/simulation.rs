//! IAM's policy simulator: what policies would decide, on requests that nobody makes.
//!
//! Nothing is looked up but the policies of the user, group or role that is asked about, and nothing
//! is derived: the context is what the question says. `access_question` is the dry run that looks at
//! what is really there.

mod exclusion;
mod questions;

use bonded_iam::{Context, MatchedStatement, NamedPolicy, Outcome, Policy, context_keys};
use bonded_model::AccountId;
use bonded_store::{CallerPolicies, IdentityPolicy, StoreError};

use crate::Registry;
use crate::access::Allowed;
use crate::error::Result;
use crate::group::no_group;
use crate::role::no_role;
use crate::target::{EntityArn, EntityKind, Everything, PolicySource};
use crate::user::no_user;
pub use exclusion::PolicyExclusion;
use exclusion::exclude;
use questions::run;

/// What is to be simulated.
#[derive(Debug)]
pub struct SimulationInput {
    /// The actions, each `service:Name`.
    pub actions: Vec<String>,
    /// The resources, each an ARN or `*`; at least one.
    pub resources: Vec<String>,
    /// Identity policies that are passed with the question.
    pub identity: Vec<NamedPolicy>,
    /// A permissions boundary that is passed with the question.
    pub boundary: Option<NamedPolicy>,
    /// The policy that each of the resources is taken to have.
    pub resource_policy: Option<NamedPolicy>,
    /// Service control policies by level, from the root down; `None`: no organization.
    pub service_control: Option<Vec<Vec<NamedPolicy>>>,
    /// Who is to make the requests.
    pub caller: Option<EntityArn>,
    /// Who owns resources whose ARN does not say it.
    pub resource_owner: Option<AccountId>,
    /// The context of the requests.
    pub context: Context,
    /// Which of the actions this page begins with, counted from 0.
    pub first: usize,
    /// How many actions it has at most.
    pub limit: usize,
}

/// What one action comes to.
#[derive(Debug)]
pub struct SimulatedAction {
    /// The action.
    pub action: String,
    /// What it comes to on each resource, in order.
    pub resources: Vec<SimulatedResource>,
}

/// What an action on one resource comes to.
#[derive(Debug)]
pub struct SimulatedResource {
    /// The resource as the question names it.
    pub resource: String,
    /// The decision.
    pub outcome: Outcome,
    /// The statements of identity and resource policies that determine it, the resource's first.
    pub matched: Vec<MatchedStatement>,
    /// Keys that these policies use and the context does not have.
    pub missing_context: Vec<String>,
    /// Whether the organization allows it; `None` without one.
    pub organization: Option<bool>,
    /// Whether the permissions boundary allows it; `None` without one.
    pub boundary: Option<bool>,
    /// What identity policies, resource policy and boundary say by themselves, if the resource is
    /// another account's.
    pub sides: Option<Sides>,
}

/// What each kind of policy says about a request across accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// The caller's policies.
    pub identity: Outcome,
    /// The resource's.
    pub resource: Outcome,
    /// The caller's permissions boundary, if it has one.
    pub boundary: Option<Outcome>,
}

impl Registry {
    /// Simulates with the policies that the input brings alone.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`]: too much is asked at once, or a resource policy is not applicable.
    pub async fn simulate_custom(
        &self,
        allowed: &Allowed<Everything>,
        input: SimulationInput,
    ) -> Result<Vec<SimulatedAction>> {
        let asker = allowed.target().0.clone();
        run(input, asker, None).await
    }

    /// Simulates with the policies of a user, group or role, less `exclusions`, and those that the
    /// input brings. A boundary of the input takes the place of the one that is there.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchEntity`]; as [`Registry::simulate_custom`].
    pub async fn simulate_principal(
        &self,
        allowed: &Allowed<PolicySource>,
        mut input: SimulationInput,
        exclusions: &[PolicyExclusion],
    ) -> Result<Vec<SimulatedAction>> {
        let source = &allowed.target().entity;
        let (id, mut held) = self.policies_of_source(allowed).await?;
        exclude(&mut held, source, exclusions);
        let mut identity = identity_policies(source, &held.identity)?;
        identity.append(&mut input.identity);
        input.identity = identity;
        if let (None, Some((arn, version))) = (&input.boundary, &held.boundary) {
            input.boundary = Some(named(arn.name.clone(), &version.text)?);
        }
        let control = held.service_control.iter();
        let control = control.map(|row| named(row.name.clone(), &row.version.text));
        let control = control.collect::<Result<Vec<_>>>()?;
        input.service_control = (!control.is_empty()).then(|| vec![control]);
        // Saved resource policies name the caller by its id.
        let id = input.caller.is_none().then_some(id);
        input.caller.get_or_insert_with(|| source.clone());
        run(input, source.account.clone(), id).await
    }

    /// The context keys that the policies of a user, group or role use, and `more`.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchEntity`].
    pub async fn context_keys_of(
        &self,
        allowed: &Allowed<PolicySource>,
        more: &[Policy],
    ) -> Result<Vec<String>> {
        let (_, held) = self.policies_of_source(allowed).await?;
        let policies = identity_policies(&allowed.target().entity, &held.identity)?;
        let policies = policies.iter().map(|named| &named.policy);
        Ok(context_keys(policies.chain(more)))
    }

    /// The unique id of the entity that was judged, and the policies on its side.
    async fn policies_of_source(
        &self,
        allowed: &Allowed<PolicySource>,
    ) -> Result<(String, CallerPolicies)> {
        let EntityArn {
            kind,
            name,
            account,
            ..
        } = &allowed.target().entity;
        let entity = allowed.found().as_ref().ok_or_else(|| match kind {
            EntityKind::User => no_user(name),
            EntityKind::Group => no_group(name),
            EntityKind::Role => no_role(name),
        })?;
        let held = self.store().caller_policies(entity.id(), account).await?;
        Ok((entity.id().to_owned(), held))
    }
}

/// A policy that was saved, under the name by which the simulator calls it.
fn named(label: String, text: &str) -> Result<NamedPolicy> {
    let policy = Policy::parse(text)
        .map_err(|e| StoreError::Corrupt(format!("the policy '{label}' does not parse: {e}")))?;
    Ok(NamedPolicy { label, policy })
}

/// The policies of `source`: managed ones are called by their name, inline ones
/// `KIND_HOLDER_NAME`.
fn identity_policies(source: &EntityArn, rows: &[IdentityPolicy]) -> Result<Vec<NamedPolicy>> {
    let label = |row: &IdentityPolicy| {
        if row.managed.is_some() {
            return row.name.clone();
        }
        let (kind, holder) = holder_of(source, row);
        format!("{}_{holder}_{}", kind.as_str(), row.name)
    };
    let rows = rows.iter();
    rows.map(|row| named(label(row), &row.version.text))
        .collect()
}

/// Whose policy it is: that of `source` itself or of a group of it.
fn holder_of<'a>(source: &'a EntityArn, row: &'a IdentityPolicy) -> (EntityKind, &'a str) {
    match &row.group {
        Some(group) => (EntityKind::Group, group),
        None => (source.kind, &source.name),
    }
}
