//! Nothing happens unauthorized: the one file that can make an [`Allowed`].
//!
//! A front door says what an operation needs as [`Checks`]; [`Registry::authorize`] looks the
//! target up, has every check [judged](crate::judge) and, if all are allowed, returns the target
//! inside an [`Allowed`]. Every use case takes one and acts on what is inside it, so acting on another
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

use bonded_model::{AccountId, ResourceTags};
use bonded_store::Change;

use crate::Registry;
use crate::audit::{CheckRecord, DecisionRecord};
use crate::caller::Caller;
use crate::context::{ContextFacts, of_request_tags};
use crate::error::{Error, Result};
use crate::random;
use crate::scan_wait::Patience;
use crate::target::Target;

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

    /// What is asked for brings `tags` along: conditions read them, and if there are any, `tag` is
    /// judged on the same target too.
    #[must_use]
    pub fn tagged(self, tag: Action, tags: &ResourceTags) -> Self {
        let untagged = self.with(of_request_tags(tags));
        if tags.is_empty() {
            return untagged;
        }
        untagged.and(tag).with(of_request_tags(tags))
    }

    pub(crate) fn target(&self) -> &T {
        &self.target
    }

    pub(crate) fn actions(&self) -> &[(Action, ContextFacts)] {
        &self.checks
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
        let sides = self.caller_policies(caller).await?;
        let mut patience = Patience::default();
        let verdict = loop {
            let verdict = self.judge(caller, &sides, &checks).await?;
            match verdict.denial() {
                Some(denial)
                    if self
                        .await_scan(&mut patience, &sides, &verdict, denial)
                        .await? => {}
                _ => break verdict,
            }
        };
        let mut record = DecisionRecord::new(random::decision_id(caller.time())?, caller);
        for ruling in &verdict.rulings {
            if let Some(resource) = verdict.resources.get(ruling.resource) {
                record
                    .checks
                    .push(CheckRecord::new(ruling, &sides, resource));
            }
        }
        if let Some(denial) = verdict.denial() {
            let denied = self.denied(&record.id, caller, &sides, &verdict, denial);
            let denied = denied.await?;
            record.denied(&denied);
            self.record(&record).await?;
            return Err(Error::Denied(denied));
        }
        self.record(&record).await?;
        let first = verdict.resources.first();
        let resource_account =
            first.map_or_else(|| caller.account().clone(), |r| r.account.clone());
        Ok(Allowed {
            target: checks.target,
            found: verdict.found,
            caller: caller.clone(),
            resource_account,
            record,
        })
    }
}
