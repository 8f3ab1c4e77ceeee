//! Nothing happens unauthorized: the one file that can make an [`Allowed`].
//!
//! A front door says what an operation needs as [`Checks`]; [`Registry::authorize`] looks the
//! target up, evaluates every check and, if all are allowed, returns the target inside an
//! [`Allowed`]. Every use case takes one and acts on what is inside it, so acting on another
//! repository than the one that was judged cannot be written:
//!
//! ```compile_fail,E0451
//! use bonded_registry::Allowed;
//! fn forge(arn: bonded_model::RepositoryArn, caller: bonded_registry::Caller) -> Allowed<bonded_model::RepositoryArn> {
//!     Allowed { target: arn, found: None, caller, resource_account: todo!(), record: todo!() }
//! }
//! ```
//!
//! ```compile_fail,E0308
//! fn bare(registry: &bonded_registry::Registry, arn: bonded_model::RepositoryArn) {
//!     let _ = registry.repository_policy(&arn);
//! }
//! ```

use std::sync::Arc;

use bonded_iam::{Decision, Level, NamedPolicy, Outcome, Policies, Policy, Request};
use bonded_model::{AccountId, RepositoryArn};
use bonded_store::{Change, SessionKind};

use crate::Registry;
use crate::audit::{CheckRecord, DecisionRecord};
use crate::caller::Caller;
use crate::compiled::{HolderPolicies, Labelled};
use crate::context::{self, ContextFacts};
use crate::error::{Denied, Error, Result};
use crate::random;
use crate::target::sealed::Judged as _;
use crate::target::{Resource, Target};

/// An IAM action, such as `ecr:PutImage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action(&'static str);

impl Action {
    /// `name` is `service:Action`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// `service:Action`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// What an operation needs: at least one action on its target, all of which must be allowed.
pub struct Checks<T> {
    target: T,
    checks: Vec<(Action, ContextFacts)>,
}

impl<T: Target> Checks<T> {
    /// `action` on `target`.
    pub fn new(action: Action, target: T) -> Self {
        Self {
            target,
            checks: vec![(action, ContextFacts::new())],
        }
    }

    /// Each of `actions`, at least one, on `target` with the same context keys.
    pub(crate) fn all(first: Action, more: Vec<Action>, target: T, facts: &ContextFacts) -> Self {
        let with_facts = |action| (action, facts.clone());
        Self {
            target,
            checks: [first].into_iter().chain(more).map(with_facts).collect(),
        }
    }

    /// The last named action brings these context keys.
    #[must_use]
    pub fn with(mut self, facts: ContextFacts) -> Self {
        if let Some((_, context)) = self.checks.last_mut() {
            context.extend(facts);
        }
        self
    }

    /// And `action` on the same target.
    #[must_use]
    pub fn and(mut self, action: Action) -> Self {
        self.checks.push((action, ContextFacts::new()));
        self
    }
}

/// The proof that the caller may do what it asked with this target, and what was looked up to
/// decide it.
pub struct Allowed<T: Target> {
    target: T,
    found: T::Found,
    caller: Caller,
    /// The account of the resource that was judged first.
    resource_account: AccountId,
    record: DecisionRecord,
}

impl<T: Target> Allowed<T> {
    /// What the caller may act on.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// Who may.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) fn found(&self) -> &T::Found {
        &self.found
    }

    /// What a change leaves behind, to be committed with it.
    pub(crate) fn change(&self) -> Change {
        Change {
            id: self.record.id.clone(),
            at: self.record.time,
            account: self.resource_account.clone(),
            record: self.record.to_line(),
        }
    }
}

impl Registry {
    /// Decides whether `caller` may do what `checks` name. The decision is recorded, whatever it
    /// is, and holds for this request only.
    ///
    /// # Errors
    /// [`Error::Denied`] with AWS's sentence for the first check that is not allowed, the same
    /// whether or not the target exists if the caller has no right on it.
    pub async fn authorize<T: Target>(
        &self,
        caller: &Caller,
        checks: Checks<T>,
    ) -> Result<Allowed<T>> {
        let Checks { target, checks } = checks;
        let found = target.find(self).await?;
        let resources = target.resources(&found, self)?;
        let sides = self.caller_policies(caller).await?;
        let mut record = DecisionRecord::new(random::decision_id(caller.time())?, caller);
        for (action, own) in checks {
            for resource in &resources {
                let mut facts = context_of(caller, resource);
                facts.extend(own.clone());
                let (request, decision) = sides.decide(caller, action, resource, &facts);
                let check = CheckRecord::new(&request, own.clone(), &decision, &sides, resource);
                record.checks.push(check);
                if decision.outcome != Outcome::Allow {
                    // An existing user's path must not be learnt from a denial.
                    let told = Request {
                        resource: resource.told.clone(),
                        ..request
                    };
                    let sentence = bonded_iam::sentence(&told, &decision);
                    record.denied(&sentence);
                    self.record(&record).await?;
                    return Err(Error::Denied(Denied {
                        id: record.id,
                        sentence,
                    }));
                }
            }
        }
        self.record(&record).await?;
        let first = resources.first().map(|resource| resource.account.clone());
        let resource_account = first.unwrap_or_else(|| caller.account().clone());
        Ok(Allowed {
            target,
            found,
            caller: caller.clone(),
            resource_account,
            record,
        })
    }

    /// Whether `caller` may do `action` on `target`, as far as a use case needs to know to show
    /// more or less. Proves nothing and is not recorded.
    pub(crate) async fn permits<T: Target>(
        &self,
        caller: &Caller,
        action: Action,
        target: &T,
    ) -> Result<bool> {
        let found = target.find(self).await?;
        let resources = target.resources(&found, self)?;
        let sides = self.caller_policies(caller).await?;
        Ok(resources.iter().all(|resource| {
            let facts = context_of(caller, resource);
            sides.decide(caller, action, resource, &facts).1.outcome == Outcome::Allow
        }))
    }

    /// Whether `caller` could set the policy of its repository again if `policy` were there now:
    /// ECR's guard against locking oneself out.
    pub(crate) async fn locks_out(
        &self,
        allowed: &Allowed<RepositoryArn>,
        policy: Policy,
    ) -> Result<bool> {
        let caller = allowed.caller();
        let mut resources = allowed.target().resources(&allowed.found, self)?;
        let sides = self.caller_policies(caller).await?;
        Ok(resources.iter_mut().any(|resource| {
            let named = Arc::new(NamedPolicy {
                label: "new repository policy".to_owned(),
                policy: policy.clone(),
            });
            resource.policies = vec![Labelled {
                version: String::new(),
                named,
            }];
            let facts = context_of(caller, resource);
            let action = Action::new("ecr:SetRepositoryPolicy");
            sides.decide(caller, action, resource, &facts).1.outcome != Outcome::Allow
        }))
    }

    /// The policies on the caller's side as of the epoch its credential was read with.
    async fn caller_policies(&self, caller: &Caller) -> Result<CallerPolicies> {
        let holder = self
            .compiled()
            .holder_policies(self.store(), caller.policy_holder())
            .await?;
        // A federated user may do what its session policies allow and nothing without them.
        let session = caller.session().filter(|session| {
            !session.policies.is_empty() || session.kind == SessionKind::Federated
        });
        let session = session.map(|session| self.compiled().session_policies(session));
        Ok(CallerPolicies {
            holder,
            session: session.transpose()?,
        })
    }
}

/// The context keys that caller and resource bring to every check.
fn context_of(caller: &Caller, resource: &Resource) -> ContextFacts {
    let mut facts = context::of_caller(caller);
    facts.extend(resource.facts());
    facts
}

/// The policies on the caller's side.
pub(crate) struct CallerPolicies {
    /// Those of the user or role, and of its account.
    pub(crate) holder: Arc<HolderPolicies>,
    /// `None`: no session policy was passed, so none restricts.
    pub(crate) session: Option<Vec<Labelled>>,
}

impl CallerPolicies {
    fn decide(
        &self,
        caller: &Caller,
        action: Action,
        resource: &Resource,
        facts: &ContextFacts,
    ) -> (Request, Decision) {
        let request = Request {
            principal: caller.principal(),
            action: action.as_str().to_owned(),
            resource: resource.arn.clone(),
            resource_account: resource.account.to_string(),
            context: context::to_engine(facts),
        };
        let decision = self.evaluate(&request, &resource.policies);
        (request, decision)
    }

    /// One evaluation with `resource` as the policies of the resource.
    pub(crate) fn evaluate(&self, request: &Request, resource: &[Labelled]) -> Decision {
        bonded_iam::evaluate(request, &self.with(resource))
    }

    /// The engine's view of both sides.
    pub(crate) fn with<'a>(&'a self, resource: &'a [Labelled]) -> Policies<'a> {
        let named =
            |policies: &'a [Labelled]| policies.iter().map(|policy| &*policy.named).collect();
        Policies {
            identity: named(&self.holder.identity),
            resource: named(resource),
            boundary: self.holder.boundary.as_ref().map(|policy| &*policy.named),
            session: self.session.as_deref().map(named),
            service_control: match &self.holder.service_control[..] {
                [] => Vec::new(),
                policies => vec![Level {
                    name: "account",
                    policies: named(policies),
                }],
            },
            ..Policies::default()
        }
    }
}
