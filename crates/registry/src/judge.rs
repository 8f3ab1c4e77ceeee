//! How the checks of a request are decided, in up to three steps (docs/reference/condition-keys.md):
//!
//! 1. with every key about images unknown. Allowed: no image is looked at, as most policies ask;
//! 2. as favourably as those keys could turn out. Denied: whatever the image is like, so it is not
//!    looked at, nothing is revealed and nobody waits;
//! 3. with the facts of the images, read on one snapshot that also says what is served.

use std::sync::Arc;

use bonded_iam::{Decision, Level, NamedPolicy, Outcome, Policies, Policy, Request};
use bonded_model::{Digest, RepositoryArn};
use bonded_store::{ImageFacts, RepositoryId, SessionKind};

use crate::Registry;
use crate::access::{Action, Allowed, Checks};
use crate::caller::{Caller, Identity};
use crate::compiled::{HolderPolicies, Labelled};
use crate::context::{self, ContextFacts};
use crate::context_keys;
use crate::error::Result;
use crate::image_keys::ImageKeys;
use crate::target::sealed::Judged as _;
use crate::target::{Resource, Target};

/// The decisions on the checks of a request, and what was looked up for them.
pub(crate) struct Verdict<T: Target> {
    pub(crate) found: T::Found,
    pub(crate) resources: Vec<Resource>,
    /// One for each action on each resource, in order. Only the last can be a denial.
    pub(crate) rulings: Vec<Ruling>,
}

impl<T: Target> Verdict<T> {
    /// The ruling that denies, if one does.
    pub(crate) fn denial(&self) -> Option<&Ruling> {
        self.rulings.last().filter(|ruling| !ruling.is_allowed())
    }
}

/// The decision on one action on one resource, with what it was made from.
pub(crate) struct Ruling {
    pub(crate) request: Request,
    pub(crate) decision: Decision,
    /// Which resource, counted from 0.
    pub(crate) resource: usize,
    /// The keys that the request brings.
    pub(crate) named: ContextFacts,
    /// The keys about images.
    pub(crate) image: ContextFacts,
    /// Whether unknown keys were taken as favourably as they could turn out.
    pub(crate) free: bool,
    /// What was seen of the image, if it was looked at.
    pub(crate) seen: Option<Seen>,
}

impl Ruling {
    pub(crate) fn is_allowed(&self) -> bool {
        self.decision.outcome == Outcome::Allow
    }

    /// The image that decided, if one was looked at.
    pub(crate) fn image(&self) -> Option<&SeenImage> {
        match &self.seen {
            Some(Seen::Image(image)) => Some(image),
            _ => None,
        }
    }
}

/// What was seen of the image that a resource is, or of the images that a layer belongs to.
#[derive(Clone)]
pub enum Seen {
    /// It is not there. Nothing is judged then, because nothing is served.
    Absent,
    /// This image decides.
    Image(Arc<SeenImage>),
    /// No image refers to the layer: it has no keys of images.
    Unreferenced,
    /// Keys of an image that nobody has: all are unknown.
    Unknown,
    /// Too many images refer to the layer for all to be looked at.
    TooMany,
}

/// The facts of an image of a repository.
pub struct SeenImage {
    pub(crate) repository: RepositoryId,
    pub(crate) facts: ImageFacts,
}

impl Seen {
    pub(crate) fn image(repository: &RepositoryId, facts: ImageFacts) -> Self {
        let repository = repository.clone();
        Self::Image(Arc::new(SeenImage { repository, facts }))
    }
}

/// What the keys about images are taken for.
enum View {
    /// Unknown, and unknown denies.
    Unseen,
    /// Unknown, and unknown allows.
    Free,
    /// What was seen.
    Seen(Seen),
}

/// What looks at images, and may stop as soon as one is allowed.
pub struct Look<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) caller: &'a Caller,
    accepts: &'a (dyn Fn(usize, &Seen) -> bool + Sync),
}

impl Look<'_> {
    /// Whether all checks on the resource `resource`, counted from 0, are allowed with `seen`.
    pub(crate) fn accepts(&self, resource: usize, seen: &Seen) -> bool {
        (self.accepts)(resource, seen)
    }

    /// Remembers the image, if the caller may have it: its layers will be asked for.
    pub(crate) fn remember(&self, resource: usize, seen: &Seen) {
        if let Seen::Image(image) = seen
            && self.accepts(resource, seen)
        {
            let lately = self.registry.pulled_lately();
            let (key_id, digest) = (self.caller.key_id(), &image.facts.digest);
            lately.remember(key_id, &image.repository, digest);
        }
    }

    /// The images of the repository that the caller was allowed lately.
    pub(crate) fn pulled_lately(&self, repository: &RepositoryId) -> Vec<Digest> {
        let lately = self.registry.pulled_lately();
        lately.of(self.caller.key_id(), repository)
    }
}

/// Everything that one decision takes but the image.
struct Bench<'a> {
    registry: &'a Registry,
    caller: &'a Caller,
    sides: &'a CallerPolicies,
    checks: &'a [(Action, ContextFacts)],
    resources: &'a [Resource],
}

impl Bench<'_> {
    /// Each check on each resource by its place, in the order in which they are decided.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let resources = self.resources.len();
        (0..self.checks.len()).flat_map(move |check| (0..resources).map(move |at| (check, at)))
    }

    /// The check at one place.
    fn rule(&self, (check, at): (usize, usize), view: View) -> Option<Ruling> {
        let (action, own) = self.checks.get(check)?;
        let resource = self.resources.get(at)?;
        let mut named = own.clone();
        named.extend(resource.named.clone());
        let keys = resource.of_image.then(|| ImageKeys::of(*action));
        let image = keys.map_or_else(ContextFacts::new, |keys| match &view {
            View::Seen(Seen::Image(image)) => {
                keys.known(&image.facts, self.registry.unrated(), self.caller.time())
            }
            View::Seen(Seen::Unreferenced) => ContextFacts::new(),
            View::Unseen
            | View::Free
            | View::Seen(Seen::Absent | Seen::Unknown | Seen::TooMany) => keys.unknown(),
        });
        let free = matches!(view, View::Free | View::Seen(Seen::Absent));
        let mut facts = context_of(self.caller, resource);
        facts.extend(image.clone());
        facts.extend(named.clone());
        debug_assert_eq!(
            context_keys::unlisted(&facts),
            None,
            "a key that is in no table"
        );
        let request = Request {
            principal: self.caller.principal(),
            action: action.as_str().to_owned(),
            resource: resource.arn.clone(),
            resource_account: resource.account.to_string(),
            context: context::to_engine(&facts),
        };
        let policies = self.sides.with(&resource.policies);
        let decision = if free {
            bonded_iam::evaluate_free(&request, &policies)
        } else {
            bonded_iam::evaluate(&request, &policies)
        };
        let seen = match view {
            View::Seen(seen) => Some(seen),
            View::Unseen | View::Free => None,
        };
        Some(Ruling {
            request,
            decision,
            resource: at,
            named,
            image,
            free,
            seen,
        })
    }

    /// All checks, with the view of each resource, which is counted from 0.
    fn rule_all(&self, view: impl Fn(usize) -> View) -> Vec<Ruling> {
        let places = self.places();
        let ruled = places.filter_map(|place| self.rule(place, view(place.1)));
        ruled.collect()
    }

    /// Whether all checks on one resource are allowed with `seen`.
    fn accepts(&self, resource: usize, seen: &Seen) -> bool {
        let mut places = self.places().filter(|place| place.1 == resource);
        places.all(|place| {
            let ruling = self.rule(place, View::Seen(seen.clone()));
            ruling.is_some_and(|ruling| ruling.is_allowed())
        })
    }
}

/// The first ruling that denies, and its place.
fn first_denial(rulings: Vec<Ruling>) -> Option<(usize, Ruling)> {
    let mut rulings = rulings.into_iter().enumerate();
    rulings.find(|(_, ruling)| !ruling.is_allowed())
}

impl Registry {
    /// Decides `checks` for `caller`. Nothing is recorded.
    pub(crate) async fn judge<T: Target>(
        &self,
        caller: &Caller,
        sides: &CallerPolicies,
        checks: &Checks<T>,
    ) -> Result<Verdict<T>> {
        let mut found = checks.target().find(self).await?;
        let resources = checks.target().resources(&found, self)?;
        caller.require_reach(&resources)?;
        let bench = Bench {
            registry: self,
            caller,
            sides,
            checks: checks.actions(),
            resources: &resources,
        };
        let unseen = bench.rule_all(|_| View::Unseen);
        let rulings = if unseen.iter().all(Ruling::is_allowed) {
            unseen
        } else if let Some((at, denial)) = first_denial(bench.rule_all(|_| View::Free)) {
            let before = unseen.into_iter().take(at).filter(Ruling::is_allowed);
            before.chain([denial]).collect()
        } else {
            let accepts = |at, seen: &Seen| bench.accepts(at, seen);
            let look = Look {
                registry: self,
                caller,
                accepts: &accepts,
            };
            let seen = checks.target().look(&mut found, &look).await?;
            let view = |at: usize| seen.get(at).cloned().map_or(View::Unseen, View::Seen);
            let mut rulings = bench.rule_all(view);
            let denial = rulings.iter().position(|ruling| !ruling.is_allowed());
            rulings.truncate(denial.map_or(usize::MAX, |at| at + 1));
            rulings
        };
        Ok(Verdict {
            found,
            resources,
            rulings,
        })
    }

    /// Whether `caller` may do `action` on `target`, as far as a use case needs to know to show
    /// more or less. Proves nothing and is not recorded.
    pub(crate) async fn permits<T: Target>(
        &self,
        caller: &Caller,
        action: Action,
        target: T,
    ) -> Result<bool> {
        let sides = self.caller_policies(caller).await?;
        let checks = Checks::new(action, target);
        let verdict = self.judge(caller, &sides, &checks).await?;
        Ok(verdict.denial().is_none())
    }

    /// Whether `caller` could set the policy of its repository again if `policy` were there now:
    /// ECR's guard against locking oneself out.
    pub(crate) async fn locks_out(
        &self,
        allowed: &Allowed<RepositoryArn>,
        policy: Policy,
    ) -> Result<bool> {
        let caller = allowed.caller();
        let sides = self.caller_policies(caller).await?;
        let mut resources = allowed.target().resources(allowed.found(), self)?;
        for resource in &mut resources {
            let named = Arc::new(NamedPolicy {
                label: "new repository policy".to_owned(),
                policy: policy.clone(),
            });
            resource.policies = vec![Labelled {
                version: String::new(),
                named,
            }];
        }
        let set = (Action::new("ecr:SetRepositoryPolicy"), ContextFacts::new());
        let bench = Bench {
            registry: self,
            caller,
            sides: &sides,
            checks: &[set],
            resources: &resources,
        };
        let rulings = bench.rule_all(|_| View::Unseen);
        Ok(!rulings.iter().all(Ruling::is_allowed))
    }

    /// The policies on the caller's side as of the epoch its credential was read with.
    pub(crate) async fn caller_policies(&self, caller: &Caller) -> Result<CallerPolicies> {
        let holder = match caller.policy_holder() {
            Some(holder) => {
                self.compiled()
                    .holder_policies(self.store(), holder)
                    .await?
            }
            None => Arc::default(),
        };
        if let Identity::ServiceToken { token, .. } = caller.identity() {
            let bounds = self.compiled().token_bounds(token)?;
            return Ok(CallerPolicies {
                holder,
                session: Some(vec![bounds]),
            });
        }
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
