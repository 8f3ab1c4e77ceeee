//! IAM's policy simulator: what policies would decide, on requests that nobody makes.
//!
//! Nothing is looked up but the policies of the user, group or role that is asked about, and nothing
//! is derived: the context is what the question says. `access_question` is the dry run that looks at
//! what is really there.

mod exclusion;

use bonded_iam::{
    Context, Decision, Layer, Level, MatchedStatement, NamedPolicy, Outcome, Policies, Policy,
    Principal, Request, ResourceType, Simulation, context_keys, resource_type, simulate,
};
use bonded_model::AccountId;
use bonded_store::{CallerPolicies, IdentityPolicy, StoreError};
use serde_json::json;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::group::no_group;
use crate::role::no_role;
use crate::target::{EntityArn, EntityKind, Everything, PolicySource};
use crate::user::no_user;
pub use exclusion::PolicyExclusion;
use exclusion::exclude;

/// How much work one page of an answer may be: statements read and context keys told, over all its
/// actions and resources.
const WORK_LIMIT: usize = 200_000;

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
    /// [`Error::InvalidInput`]: too much is asked at once, or a resource policy is not applicable.
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
    /// [`Error::NoSuchEntity`]; as [`Registry::simulate_custom`].
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
    /// [`Error::NoSuchEntity`].
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

/// Simulates the actions of the page, on a thread that may take its time. `account` is that of
/// callers and resources that nothing else says one for, `unique_id` the caller's, if it is known.
async fn run(
    input: SimulationInput,
    account: AccountId,
    unique_id: Option<String>,
) -> Result<Vec<SimulatedAction>> {
    let questions = Questions::new(input, &account, unique_id)?;
    tokio::task::spawn_blocking(move || questions.answers())
        .await
        .map_err(|e| StoreError::Corrupt(format!("a simulation ended: {e}")).into())
}

/// The requests of a simulation and the policies that decide them.
struct Questions {
    input: SimulationInput,
    unique_id: Option<String>,
    /// The account of each resource.
    owners: Vec<AccountId>,
    /// How much work one action is.
    work: usize,
}

/// How much work one action on one resource is.
fn weight(input: &SimulationInput) -> usize {
    let levels = input.service_control.iter().flatten().flatten();
    let policies = (input.identity.iter())
        .chain(&input.boundary)
        .chain(&input.resource_policy)
        .chain(levels);
    let weigh = |named: &NamedPolicy| {
        let keys = context_keys([&named.policy]);
        let keys = keys.iter().map(|key| 1 + key.len() / 64);
        named.policy.len() + keys.sum::<usize>()
    };
    policies.map(weigh).sum()
}

impl Questions {
    fn new(input: SimulationInput, account: &AccountId, unique_id: Option<String>) -> Result<Self> {
        let caller = input.caller.as_ref();
        let default = input.resource_owner.as_ref();
        let default = default.or(caller.map(|caller| &caller.account));
        let default = default.unwrap_or(account);
        let owner = |arn: &String| {
            let named = arn.split(':').nth(4).filter(|owner| !owner.is_empty());
            let owner = named.and_then(|owner| owner.parse().ok());
            owner.unwrap_or_else(|| default.clone())
        };
        let owners = input.resources.iter().map(owner).collect();
        if let Some(named) = &input.resource_policy
            && let Some(stranger) = input
                .resources
                .iter()
                .find(|resource| !named.policy.is_applicable_to(resource))
        {
            return Err(Error::InvalidInput(format!(
                "the resource policy is not applicable to '{}': it speaks of other resources; \
                 name only resources that it could be attached to",
                bonded_model::shown(stranger)
            )));
        }
        let questions = Self {
            work: (weight(&input) + 1) * input.resources.len(),
            input,
            unique_id,
            owners,
        };
        if questions.work > WORK_LIMIT {
            return Err(Error::InvalidInput(format!(
                "the policies are too large for {} resources at once; name fewer resources",
                questions.owners.len()
            )));
        }
        Ok(questions)
    }

    /// The actions of the page; fewer than it may have if they are much work.
    fn answers(&self) -> Vec<SimulatedAction> {
        let fitting = (WORK_LIMIT / self.work.max(1)).max(1);
        let actions = self.input.actions.iter().skip(self.input.first);
        let answer = |action: &String| SimulatedAction {
            action: action.clone(),
            resources: (0..self.owners.len())
                .filter_map(|at| self.answer(action, at))
                .collect(),
        };
        actions
            .take(self.input.limit.min(fitting))
            .map(answer)
            .collect()
    }

    /// One action on the resource at one place.
    fn answer(&self, action: &str, at: usize) -> Option<SimulatedResource> {
        let resource = self.input.resources.get(at)?;
        let owner = self.owners.get(at)?;
        let request = Request {
            principal: self.principal(owner),
            action: action.to_owned(),
            resource: match resource_type(action) {
                ResourceType::Everything => "*".to_owned(),
                ResourceType::Template(_) | ResourceType::Unknown => resource.clone(),
            },
            resource_account: owner.to_string(),
            context: self.input.context.clone(),
        };
        let same_account = request.principal.account() == Some(owner.as_str());
        // Without a trust policy in the question, one is taken for granted that leaves it to the
        // caller's own policies.
        let trust = (self.input.resource_policy.is_none() && same_account)
            .then(|| trust_in(owner))
            .flatten();
        let assumes = action.to_ascii_lowercase().starts_with("sts:assumerole");
        let implied = trust.as_ref().filter(|_| assumes);
        let policies = Policies {
            identity: self.input.identity.iter().collect(),
            resource: self.input.resource_policy.iter().chain(implied).collect(),
            boundary: self.input.boundary.as_ref(),
            session: None,
            service_control: self.levels(),
            resource_control: Vec::new(),
        };
        let simulation = simulate(&request, &policies);
        Some(self.told(resource.clone(), same_account, simulation))
    }

    fn levels(&self) -> Vec<Level<'_>> {
        let levels = self.input.service_control.iter().flatten();
        levels
            .map(|policies| Level {
                name: "level",
                policies: policies.iter().collect(),
            })
            .collect()
    }

    /// The caller; without one, somebody in the account of the resource whom no policy names.
    fn principal(&self, owner: &AccountId) -> Principal {
        let unique_id = self.unique_id.clone();
        match &self.input.caller {
            Some(caller) if caller.kind == EntityKind::Role => Principal::RoleSession {
                // No session has this name: policies name the role.
                arn: format!(
                    "arn:aws:sts::{}:assumed-role/{}/",
                    caller.account, caller.name
                ),
                role_arn: caller.arn.clone(),
                account: caller.account.to_string(),
                unique_id,
            },
            Some(caller) => Principal::User {
                arn: caller.arn.clone(),
                account: caller.account.to_string(),
                unique_id,
            },
            None => Principal::User {
                arn: format!("arn:aws:iam::{owner}:user/"),
                account: owner.to_string(),
                unique_id,
            },
        }
    }

    /// What the answer says of a simulation.
    fn told(
        &self,
        resource: String,
        same_account: bool,
        simulation: Simulation,
    ) -> SimulatedResource {
        let says = |layer: Layer| simulation.layer(layer).unwrap_or(Outcome::ImplicitDeny);
        let allowed = |layer: Layer| says(layer) == Outcome::Allow;
        let organization = self.input.service_control.as_ref();
        let organization = organization.map(|_| allowed(Layer::ServiceControl));
        let boundary = self.input.boundary.as_ref();
        let boundary = boundary.map(|_| says(Layer::Boundary));
        let Simulation {
            decision: Decision { outcome, .. },
            mut matched,
            missing_context,
            ..
        } = simulation.clone();
        matched.retain(|statement| match statement.layer {
            Layer::Identity => true,
            Layer::Resource => self.input.resource_policy.is_some(),
            _ => false,
        });
        matched.sort_by_key(|statement| statement.layer != Layer::Resource);
        let mut told = SimulatedResource {
            resource,
            outcome,
            matched,
            missing_context,
            organization,
            boundary: boundary.map(|outcome| outcome == Outcome::Allow),
            sides: (!same_account).then(|| Sides {
                identity: says(Layer::Identity),
                resource: says(Layer::Resource),
                boundary,
            }),
        };
        if organization == Some(false) {
            // What the organization does not allow is not simulated any further.
            told.outcome = says(Layer::ServiceControl);
            told.matched.clear();
            told.sides = None;
        }
        told
    }
}

/// The trust policy that leaves a role to the identity policies of its account.
fn trust_in(account: &AccountId) -> Option<NamedPolicy> {
    let document = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "AWS": account.as_str() }, "Action": "sts:*" } });
    Some(NamedPolicy {
        label: String::new(),
        policy: Policy::from_value(&document).ok()?,
    })
}
