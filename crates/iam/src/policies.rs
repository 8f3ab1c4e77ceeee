//! The policies that apply to a request, by layer.

use crate::policy::NamedPolicy;
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
