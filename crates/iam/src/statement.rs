//! Whether one statement applies to one request.

use crate::pattern::Match;
use crate::policy::{Effect, Element, Statement};
use crate::principal::{Entry, GrantLevel, spares};
use crate::request::{Principal, Request};
use crate::resource::ResourcePattern;
use crate::ternary::Ternary;
use serde::Serialize;

/// The kind of policy a statement stands in, as the decision counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Policies of the user and its groups, or of the role.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// The policies passed with the session.
    Session,
    /// Service control policies of the caller's organization.
    ServiceControl,
    /// Resource control policies of the resource's organization.
    ResourceControl,
    /// Policies of the resource: repository and registry policy, or the trust policy.
    Resource,
}

impl Layer {
    /// Whose policies these are.
    #[must_use]
    pub fn side(self) -> Side {
        match self {
            Self::Identity | Self::Boundary | Self::Session | Self::ServiceControl => Side::Caller,
            Self::ResourceControl | Self::Resource => Side::Resource,
        }
    }
}

/// One of the two sides that decide: the caller's account and the resource's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The caller's account and its organization.
    Caller,
    /// The resource's account and its organization.
    Resource,
}

/// How a condition on an unknown key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknowns {
    /// It denies: an Allow needs certainty, a Deny does not.
    Deny,
    /// It allows: what the answer could be at best.
    Allow,
}

/// What of the request, beside itself, decides whether a statement applies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) layer: Layer,
    /// The resource policy is the trust policy of a role.
    pub(crate) trust: bool,
    /// The caller has a permissions boundary.
    pub(crate) bounded: bool,
    pub(crate) unknowns: Unknowns,
}

/// The element of a statement that kept it from applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Miss {
    /// An Allow that is not understood.
    Statement,
    Action,
    Resource,
    Principal,
    /// The clause at this place.
    Condition(usize),
}

impl Statement {
    /// The first element that keeps the statement from applying; `None` if it applies.
    pub(crate) fn miss(&self, request: &Request, place: Place) -> Option<Miss> {
        if !self.understood && self.effect == Effect::Allow {
            return Some(Miss::Statement);
        }
        if !self.action_matches(request) {
            return Some(Miss::Action);
        }
        let resource = self.resource_matches(request, place);
        if !self.effect.counts(resource, place.unknowns) {
            return Some(Miss::Resource);
        }
        if !self.principal.names(self.effect, &request.principal, place) {
            return Some(Miss::Principal);
        }
        let clause = self.conditions.iter().position(|clause| {
            let holds = clause
                .holds(&request.context)
                .unwrap_or_else(|| self.undefined());
            !self.effect.counts(holds, place.unknowns)
        });
        clause.map(Miss::Condition)
    }

    /// What an undefined condition counts as.
    pub(crate) fn undefined(&self) -> Ternary {
        (self.effect == Effect::Deny).into()
    }

    /// Whether `Action` or `NotAction` lets the statement apply to the request's action.
    pub(crate) fn action_matches(&self, request: &Request) -> bool {
        let deny = self.effect == Effect::Deny;
        match &self.action {
            Element::Listed(patterns) | Element::Excluded(patterns) if patterns.is_empty() => deny,
            Element::Listed(patterns) => patterns.iter().any(|pattern| {
                let matches = pattern.matches(request);
                matches.unwrap_or_else(|| deny && pattern.denies(request))
            }),
            Element::Excluded(patterns) => !patterns
                .iter()
                .any(|pattern| pattern.matches(request).unwrap_or(!deny)),
            Element::Absent | Element::NotUnderstood => deny,
        }
    }

    fn resource_matches(&self, request: &Request, place: Place) -> Ternary {
        let deny = self.effect == Effect::Deny;
        match &self.resource {
            Element::Listed(patterns) | Element::Excluded(patterns) if patterns.is_empty() => {
                deny.into()
            }
            Element::Listed(patterns) => {
                let matches = |pattern: &ResourcePattern| match pattern.matches(request, deny) {
                    Some(matched) => matched.or_nothing(),
                    None if deny => pattern.denies(request),
                    None => Ternary::False,
                };
                Ternary::any(patterns.iter().map(matches))
            }
            Element::Excluded(patterns) => {
                let matches = |pattern: &ResourcePattern| match pattern.matches(request, !deny) {
                    Some(Match::Known(value)) => value,
                    // Not understood or unresolved: nobody can say what is spared.
                    _ => Ternary::from(!deny),
                };
                !Ternary::any(patterns.iter().map(matches))
            }
            // A policy without resources speaks of what it is attached to, so never of "*".
            Element::Absent if place.layer == Layer::Resource => (request.resource != "*").into(),
            Element::Absent | Element::NotUnderstood => deny.into(),
        }
    }
}

impl Effect {
    /// Whether an element with this value lets a statement of this effect apply. The elements are
    /// joined by AND, so judging each alone is the same as judging their minimum.
    pub(crate) fn counts(self, value: Ternary, unknowns: Unknowns) -> bool {
        match value {
            Ternary::True => true,
            Ternary::False => false,
            Ternary::Unknown => (self == Self::Deny) == (unknowns == Unknowns::Deny),
        }
    }
}

impl Element<Entry> {
    /// The level at which an Allow with these principals names the caller.
    pub(crate) fn level(&self, caller: &Principal) -> GrantLevel {
        let Self::Listed(entries) = self else {
            return GrantLevel::None;
        };
        let levels = entries.iter().map(|entry| entry.grants(caller));
        levels.max().unwrap_or(GrantLevel::None)
    }

    /// Whether a statement of `effect` with these principals speaks of the caller.
    pub(crate) fn names(&self, effect: Effect, caller: &Principal, place: Place) -> bool {
        let deny = effect == Effect::Deny;
        match (place.layer, self) {
            (Layer::Resource, Self::Listed(_)) if !deny => self.level(caller) != GrantLevel::None,
            (Layer::Resource, Self::Listed(entries)) => {
                entries.iter().any(|entry| entry.denies(caller))
            }
            // NotPrincipal exists with Deny only, not in trust policies, and never spares a caller
            // with a permissions boundary.
            (Layer::Resource, Self::Excluded(entries)) => {
                deny && (place.trust || place.bounded || !spares(entries, caller))
            }
            // A resource control policy must name everyone; whatever it names is taken as that.
            (Layer::Resource | Layer::ResourceControl, _) => deny,
            (_, Self::Absent) => true,
            (_, _) => deny,
        }
    }
}
