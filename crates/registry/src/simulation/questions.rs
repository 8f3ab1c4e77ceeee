//! The requests of a simulation: each action on each resource, decided.

use bonded_iam::{
    Decision, Layer, Level, NamedPolicy, Outcome, Policies, Policy, Principal, Request,
    ResourceType, Simulation, context_keys, resource_type, simulate,
};
use bonded_model::AccountId;
use bonded_store::StoreError;
use serde_json::json;

use super::{Sides, SimulatedAction, SimulatedResource, SimulationInput};
use crate::error::{Error, Result};
use crate::target::EntityKind;

/// How much work one page of an answer may be: statements read and context keys told, over all its
/// actions and resources.
const WORK_LIMIT: usize = 200_000;

/// Simulates the actions of the page, on a thread that may take its time. `account` is that of
/// callers and resources that nothing else says one for, `unique_id` the caller's, if it is known.
pub(super) async fn run(
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
        let of_organization = says(Layer::ServiceControl);
        let organization = self.input.service_control.as_ref();
        let organization = organization.map(|_| of_organization == Outcome::Allow);
        let boundary = self.input.boundary.as_ref();
        let boundary = boundary.map(|_| says(Layer::Boundary));
        let sides = Sides {
            identity: says(Layer::Identity),
            resource: says(Layer::Resource),
            boundary,
        };
        let Simulation {
            decision: Decision { outcome, .. },
            mut matched,
            missing_context,
            ..
        } = simulation;
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
            sides: (!same_account).then_some(sides),
        };
        if organization == Some(false) {
            // What the organization does not allow is not simulated any further.
            told.outcome = of_organization;
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
