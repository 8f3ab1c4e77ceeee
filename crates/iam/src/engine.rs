//! The engine that serves: policies compiled when they are read, evaluated without allocation.
//!
//! It answers as [`crate::reference`] does, faster: statements that can never apply are left out,
//! patterns are compared as whole literals, keys are looked up once a policy, and of many
//! statements only those are read whose patterns begin as the action or the resource does.
//! `tests/it/agree.rs` drives both with the same requests.

mod clause;
mod glob;
mod index;
mod rule;

use crate::decide::{Findings, LAYERS, LayerSet, Question};
use crate::decision::Decision;
use crate::pattern::{PARTITION_AND_REGION, arn_segments};
use crate::policies::Policies;
use crate::policy::{Effect, NamedPolicy, Statement};
use crate::principal::GrantLevel;
use crate::reference;
use crate::request::Request;
use crate::statement::{Layer, Place, Unknowns};
use clause::{KeyPlaces, KeyTable, KeyValues};
use index::PrefixIndex;
use rule::Rule;

/// Up to how many rules reading them all is faster than asking the indexes.
const FEW: usize = 6;

/// Longer actions are left to the reference.
const ACTION_LIMIT: usize = 96;

/// Decides. A condition on an unknown key denies.
#[must_use]
pub fn evaluate(request: &Request, policies: &Policies<'_>) -> Decision {
    decide(&Question::new(request, policies, Unknowns::Deny))
}

/// Decides as favourably as the unknown keys may turn out: an Allow applies unless its condition is
/// false, a Deny only if it is true. A denial here holds whatever the unknown keys are
/// (condition-keys.md, "Three values").
#[must_use]
pub fn evaluate_free(request: &Request, policies: &Policies<'_>) -> Decision {
    decide(&Question::new(request, policies, Unknowns::Allow))
}

fn decide(question: &Question<'_>) -> Decision {
    let mut lower = [0; ACTION_LIMIT];
    match Asked::new(question.request, &mut lower) {
        Some(asked) => question.decide(&findings(question, &asked)),
        None => reference::decide(question),
    }
}

/// A request, looked at once.
struct Asked<'a> {
    request: &'a Request,
    /// The action in lower case.
    action: &'a str,
    /// The segments of the resource; `None` for `*`.
    arn: Option<[&'a str; 6]>,
}

impl<'a> Asked<'a> {
    /// `None` for what no operation of ours asks: an action that is not `service:Name` in ASCII,
    /// or a resource that is neither `*` nor an ARN with partition and region in lower case.
    fn new(request: &'a Request, lower: &'a mut [u8; ACTION_LIMIT]) -> Option<Self> {
        let action = lower.get_mut(..request.action.len())?;
        action.copy_from_slice(request.action.as_bytes());
        action.make_ascii_lowercase();
        let arn = match &*request.resource {
            "*" => None,
            resource => Some(arn_segments(resource).filter(is_lower)?),
        };
        let action = std::str::from_utf8(action).ok()?;
        (action.is_ascii() && action.contains(':')).then_some(Self {
            request,
            action,
            arn,
        })
    }
}

/// Whether partition and region are in ASCII's lower case.
fn is_lower(arn: &[&str; 6]) -> bool {
    let upper = |b: u8| !b.is_ascii() || b.is_ascii_uppercase();
    !PARTITION_AND_REGION
        .iter()
        .any(|place| arn[*place].bytes().any(upper))
}

/// A policy, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Compiled {
    rules: Box<[Rule]>,
    keys: KeyTable,
    /// The rules by the beginnings of their actions and of their resources, if there are many.
    actions: PrefixIndex,
    resources: PrefixIndex,
}

impl Compiled {
    pub(crate) fn new(statements: &[Statement]) -> Self {
        let mut keys = KeyPlaces::default();
        let compile = |statement| Rule::new(statement, &mut keys);
        let rules: Box<[Rule]> = statements.iter().filter_map(compile).collect();
        let index = |prefixes: fn(&Rule) -> Vec<String>| {
            if rules.len() <= FEW {
                return PrefixIndex::default();
            }
            PrefixIndex::new(&rules.iter().map(prefixes).collect::<Vec<_>>())
        };
        let (actions, resources) = (index(Rule::action_prefixes), index(Rule::resource_prefixes));
        Self {
            rules,
            keys: keys.into_table(),
            actions,
            resources,
        }
    }

    /// Adds what its statements say.
    fn find(&self, asked: &Asked<'_>, place: Place, found: &mut Found) {
        let mut keys = KeyValues::new(&self.keys, &asked.request.context);
        if self.rules.len() <= FEW {
            for rule in &self.rules {
                found.add(rule, asked, &mut keys, place);
            }
            return;
        }
        let by_action = self.actions.candidates(asked.action);
        let by_resource = self.resources.candidates(&asked.request.resource);
        let fewer = if by_action.total() <= by_resource.total() {
            by_action
        } else {
            by_resource
        };
        for rule in fewer.filter_map(|at| self.rules.get(at)) {
            found.add(rule, asked, &mut keys, place);
        }
    }
}

/// What the statements of some policies say.
struct Found {
    denied: bool,
    allowed: bool,
    level: GrantLevel,
}

impl Found {
    const NOTHING: Self = Self {
        denied: false,
        allowed: false,
        level: GrantLevel::None,
    };

    /// Adds a rule, unless it could say nothing new.
    fn add(&mut self, rule: &Rule, asked: &Asked<'_>, keys: &mut KeyValues<'_>, place: Place) {
        match rule.effect {
            Effect::Deny => self.denied = self.denied || rule.applies(asked, keys, place),
            Effect::Allow if place.layer == Layer::Resource => {
                let level = rule.principal.level(&asked.request.principal);
                if level > self.level && rule.applies(asked, keys, place) {
                    self.level = level;
                    self.allowed = true;
                }
            }
            Effect::Allow => self.allowed = self.allowed || rule.applies(asked, keys, place),
        }
    }
}

fn findings(question: &Question<'_>, asked: &Asked<'_>) -> Findings {
    let mut findings = Findings {
        denied: LayerSet::default(),
        allowed: LayerSet::default(),
        level: GrantLevel::None,
    };
    for layer in LAYERS {
        let place = question.place(layer);
        let add = |found: &mut Found, policies: &[&NamedPolicy]| {
            for named in policies {
                named.policy.compiled.find(asked, place, found);
            }
        };
        let mut found = Found::NOTHING;
        let policies = question.policies;
        match layer {
            Layer::Identity => add(&mut found, &policies.identity),
            Layer::Boundary => add(&mut found, policies.boundary.as_slice()),
            Layer::Session => add(&mut found, policies.session.as_deref().unwrap_or_default()),
            Layer::Resource => add(&mut found, &policies.resource),
            Layer::ServiceControl => {
                let mut every = true;
                for level in &policies.service_control {
                    found.allowed = false;
                    add(&mut found, &level.policies);
                    every &= found.allowed;
                }
                found.allowed = every;
            }
            Layer::ResourceControl => {
                for level in &policies.resource_control {
                    add(&mut found, &level.policies);
                }
            }
        }
        if found.denied && question.applies(layer) {
            findings.denied.insert(layer);
        }
        if found.allowed {
            findings.allowed.insert(layer);
        }
        if layer == Layer::Resource && question.resource_may_grant() {
            findings.level = found.level;
        }
    }
    findings
}
