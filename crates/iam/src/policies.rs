//! The policies that apply to a request, by layer.

use crate::policy::{NamedPolicy, Statement};
use crate::statement::Layer;

/// All policies that apply to a request. The caller of the engine collects them.
#[derive(Debug, Clone, Default)]
pub struct Policies<'a> {
    /// Of the caller: user and its groups, or role.
    pub identity: Vec<&'a NamedPolicy>,
    /// Of the resource, as a union: repository and registry policy (the registry policy only as
    /// far as the account's registry policy scope lets it speak), or the trust policy of a role.
    pub resource: Vec<&'a NamedPolicy>,
    /// The caller's permissions boundary.
    pub boundary: Option<&'a NamedPolicy>,
    /// The policies passed with the caller's session, as a union; `None` if none were passed.
    pub session: Option<Vec<&'a NamedPolicy>>,
    /// Service control policies from the root of the caller's organization down to its account.
    /// Empty without organization and for the management account.
    pub service_control: Vec<Level<'a>>,
    /// Resource control policies of the resource's organization, likewise.
    pub resource_control: Vec<Level<'a>>,
}

/// The policies attached to one level of an organization.
#[derive(Debug, Clone)]
pub struct Level<'a> {
    /// `root`, the name of the unit, or `account`.
    pub name: &'a str,
    /// What is attached there.
    pub policies: Vec<&'a NamedPolicy>,
}

/// Policies of their own, in the layers in which they stand.
#[derive(Debug, Default)]
pub(crate) struct OwnedPolicies {
    pub(crate) identity: Vec<NamedPolicy>,
    pub(crate) resource: Vec<NamedPolicy>,
    pub(crate) boundary: Option<NamedPolicy>,
    pub(crate) session: Option<Vec<NamedPolicy>>,
    pub(crate) service_control: Vec<(String, Vec<NamedPolicy>)>,
    pub(crate) resource_control: Vec<(String, Vec<NamedPolicy>)>,
}

impl OwnedPolicies {
    pub(crate) fn borrow(&self) -> Policies<'_> {
        fn levels(levels: &[(String, Vec<NamedPolicy>)]) -> Vec<Level<'_>> {
            levels
                .iter()
                .map(|(name, policies)| Level {
                    name,
                    policies: policies.iter().collect(),
                })
                .collect()
        }
        Policies {
            identity: self.identity.iter().collect(),
            resource: self.resource.iter().collect(),
            boundary: self.boundary.as_ref(),
            session: self.session.as_ref().map(|list| list.iter().collect()),
            service_control: levels(&self.service_control),
            resource_control: levels(&self.resource_control),
        }
    }
}

impl Policies<'_> {
    /// The same policies without the statements that `drop` names.
    pub(crate) fn without(&self, drop: impl Fn(Layer, &Statement) -> bool) -> OwnedPolicies {
        let one = |layer: Layer, named: &NamedPolicy| NamedPolicy {
            label: named.label.clone(),
            policy: named.policy.without(|statement| drop(layer, statement)),
        };
        let all = |layer: Layer, policies: &[&NamedPolicy]| -> Vec<NamedPolicy> {
            policies.iter().map(|named| one(layer, named)).collect()
        };
        let levels = |layer: Layer, levels: &[Level<'_>]| {
            let level = |level: &Level<'_>| (level.name.to_owned(), all(layer, &level.policies));
            levels.iter().map(level).collect()
        };
        OwnedPolicies {
            identity: all(Layer::Identity, &self.identity),
            resource: all(Layer::Resource, &self.resource),
            boundary: self.boundary.map(|named| one(Layer::Boundary, named)),
            session: self
                .session
                .as_ref()
                .map(|policies| all(Layer::Session, policies)),
            service_control: levels(Layer::ServiceControl, &self.service_control),
            resource_control: levels(Layer::ResourceControl, &self.resource_control),
        }
    }
}

impl<'a> Policies<'a> {
    /// The policies of one layer.
    pub(crate) fn of(&self, layer: Layer) -> impl Iterator<Item = &'a NamedPolicy> {
        self.of_with_level(layer).map(|(_, policy)| policy)
    }

    /// The policies of one layer, with the level of the organization they are attached to.
    pub(crate) fn of_with_level(
        &self,
        layer: Layer,
    ) -> impl Iterator<Item = (Option<&'a str>, &'a NamedPolicy)> {
        let (flat, levels): (&[&'a NamedPolicy], &[Level<'a>]) = match layer {
            Layer::Identity => (&self.identity, &[]),
            Layer::Boundary => (self.boundary.as_slice(), &[]),
            Layer::Session => (self.session.as_deref().unwrap_or_default(), &[]),
            Layer::ServiceControl => (&[], &self.service_control),
            Layer::ResourceControl => (&[], &self.resource_control),
            Layer::Resource => (&self.resource, &[]),
        };
        let of_levels = levels.iter().flat_map(|level| {
            level
                .policies
                .iter()
                .map(|policy| (Some(level.name), *policy))
        });
        flat.iter().map(|policy| (None, *policy)).chain(of_levels)
    }
}
