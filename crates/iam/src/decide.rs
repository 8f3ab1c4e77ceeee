//! The decision: iam.md §5 in code. Small and readable on purpose; each rule stands once.
//!
//! What the statements say is found before, as [`Findings`]: by the reference, which reads them
//! all, or by the engine, which reads those that can matter. The rows here are the same for both.

use crate::decision::{Blocked, Decision, HardLimit, Outcome};
use crate::policies::Policies;
use crate::principal::GrantLevel;
use crate::request::{ContextValue, Principal, Request};
use crate::statement::{Layer, Place, Unknowns};

/// The places in which policies stand, in the order in which a denial is looked for and named:
/// those that the caller may know about first.
pub(crate) const LAYERS: [Layer; 6] = [
    Layer::Identity,
    Layer::Boundary,
    Layer::Session,
    Layer::ServiceControl,
    Layer::ResourceControl,
    Layer::Resource,
];

/// Some of the layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LayerSet(u8);

impl LayerSet {
    pub(crate) fn insert(&mut self, layer: Layer) {
        self.0 |= 1 << layer as u8;
    }

    pub(crate) fn contains(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u8) != 0
    }
}

/// What the statements of all policies say to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The layers in which a Deny applies.
    pub(crate) denied: LayerSet,
    /// The layers in which an Allow applies; service control policies only if one applies at every
    /// level.
    pub(crate) allowed: LayerSet,
    /// §4: the best level at which an Allow of the resource's policies names the caller.
    pub(crate) level: GrantLevel,
}

/// A request and what is asked of its policies.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) request: &'a Request,
    pub(crate) policies: &'a Policies<'a>,
    unknowns: Unknowns,
    trust: bool,
}

impl<'a> Question<'a> {
    pub(crate) fn new(
        request: &'a Request,
        policies: &'a Policies<'a>,
        unknowns: Unknowns,
    ) -> Self {
        // Without a policy of the resource, too, a role is assumed by its trust policy only.
        let of_role = request.resource.contains(":role/") || request.is_assume_role();
        let trust = request.is_of_service("sts") && (!policies.resource.is_empty() || of_role);
        Self {
            request,
            policies,
            unknowns,
            trust,
        }
    }

    /// The rows, from the first to the last.
    pub(crate) fn decide(&self, findings: &Findings) -> Decision {
        let level = findings.level;
        let decision = |outcome, blocked_by, told| Decision {
            outcome,
            blocked_by,
            told,
            level,
        };
        let implicit = |by| decision(Outcome::ImplicitDeny, Some(by), Some(by));
        if self.is_identity_question() {
            return decision(Outcome::Allow, None, None);
        }
        if let Some(limit) = self.hard_limit() {
            return implicit(Blocked::HardLimit(limit));
        }
        if let Some(layer) = LAYERS
            .into_iter()
            .find(|layer| findings.denied.contains(*layer))
        {
            let by = Blocked::Denied(layer);
            return decision(
                Outcome::ExplicitDeny,
                Some(by),
                Some(self.told(layer, findings)),
            );
        }
        match self.missing(level, findings.allowed) {
            Some(by) => implicit(by),
            None => decision(Outcome::Allow, None, None),
        }
    }

    /// Row 8: every signed caller may ask who it is.
    fn is_identity_question(&self) -> bool {
        self.request.principal.account().is_some()
            && self.request.is_action("sts:GetCallerIdentity")
    }

    /// Row 8: with long-term keys a session token is always given; only the organization's
    /// policies are asked.
    fn is_session_token_for_keys(&self) -> bool {
        let keys = matches!(
            self.request.principal,
            Principal::User { .. } | Principal::Root { .. }
        );
        keys && !self.is_temporary() && self.request.is_action("sts:GetSessionToken")
    }

    fn is_temporary(&self) -> bool {
        self.request
            .context
            .get_folded("aws:tokenissuetime")
            .is_some()
    }

    /// Row 0.
    fn hard_limit(&self) -> Option<HardLimit> {
        let request = self.request;
        let (iam, sts) = (request.is_of_service("iam"), request.is_of_service("sts"));
        match &request.principal {
            Principal::FederatedUser { .. } if iam || sts => Some(HardLimit::FederatedUser),
            Principal::RoleSession { .. } if request.is_action("sts:GetFederationToken") => {
                Some(HardLimit::FederationTokenFromSession)
            }
            Principal::RoleSession { .. } if request.is_action("sts:GetSessionToken") => {
                Some(HardLimit::SessionTokenFromSession)
            }
            Principal::Root { .. } if request.is_action("sts:AssumeRole") => {
                Some(HardLimit::RootAssumesRole)
            }
            Principal::User { .. } | Principal::Root { .. } if self.is_temporary() => {
                self.session_token_limit(iam, sts)
            }
            _ => None,
        }
    }

    /// Row 0 for a session from `GetSessionToken`. `TagSession` and `SetSourceIdentity` are
    /// permissions that `AssumeRole` checks, not calls.
    fn session_token_limit(&self, iam: bool, sts: bool) -> Option<HardLimit> {
        let request = self.request;
        let mfa = match request.context.get_folded("aws:multifactorauthpresent") {
            Some(ContextValue::One(value)) => value.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let possible = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
        if request.is_action("sts:GetFederationToken") {
            Some(HardLimit::FederationTokenFromSession)
        } else if request.is_action("sts:GetSessionToken") {
            Some(HardLimit::SessionTokenFromSession)
        } else {
            let blocked = (iam && !mfa) || (sts && !possible.iter().any(|a| request.is_action(a)));
            blocked.then_some(HardLimit::SessionToken)
        }
    }

    /// Row 1, and which policies exist for whom: services, web identities and anonymous callers have
    /// neither identity side nor organization.
    pub(crate) fn applies(&self, layer: Layer) -> bool {
        match layer {
            Layer::ServiceControl => self.request.principal.account().is_some(),
            Layer::ResourceControl => true,
            Layer::Resource => !self.is_session_token_for_keys(),
            Layer::Identity | Layer::Boundary | Layer::Session => {
                self.request.principal.account().is_some() && !self.is_session_token_for_keys()
            }
        }
    }

    /// Whether the resource is a role, whose policy is a trust policy.
    pub(crate) fn is_trust(&self) -> bool {
        self.trust
    }

    pub(crate) fn place(&self, layer: Layer) -> Place {
        Place {
            layer,
            trust: self.trust,
            bounded: self.policies.boundary.is_some(),
            unknowns: self.unknowns,
        }
    }

    /// Row 9: no policy of the resource ever grants `ecr:GetAuthorizationToken`.
    pub(crate) fn resource_may_grant(&self) -> bool {
        !self.request.is_action("ecr:GetAuthorizationToken")
    }

    /// Rows 3 to 7: what does not allow, if nothing denies and the resource's policies name the
    /// caller at `level`. `None` if all that must allow does.
    fn missing(&self, level: GrantLevel, allowed: LayerSet) -> Option<Blocked> {
        let direct = level == GrantLevel::Direct;
        let public = level == GrantLevel::Wildcard;
        let resource = Blocked::NotAllowed(Layer::Resource);
        let unless = |granted: bool| (!granted).then_some(resource);
        match &self.request.principal {
            Principal::Anonymous => Some(resource),
            Principal::FederatedIdentity { .. } => {
                const ACTIONS: [&str; 4] = [
                    "sts:AssumeRoleWithWebIdentity",
                    "sts:AssumeRoleWithSAML",
                    "sts:TagSession",
                    "sts:SetSourceIdentity",
                ];
                let assumes = ACTIONS.iter().any(|action| self.request.is_action(action));
                unless(direct && assumes)
            }
            Principal::Service { .. } => unless(direct || public),
            _ => self.missing_for_signed(level, allowed),
        }
    }

    fn missing_for_signed(&self, level: GrantLevel, allowed: LayerSet) -> Option<Blocked> {
        use GrantLevel::{Direct, Role, User, Wildcard};
        if !allowed.contains(Layer::ServiceControl) {
            return Some(Blocked::NotAllowed(Layer::ServiceControl));
        }
        if self.is_session_token_for_keys() {
            return None;
        }
        match (self.request.is_same_account(), level) {
            (true, Direct | Wildcard) => None,
            (true, Role | User) => self.missing_limit(allowed),
            (true, _) if !self.trust => self
                .missing_identity(allowed)
                .or_else(|| self.missing_limit(allowed)),
            // Cross-account, and the trust policy of a role: both sides must allow.
            (_, level) => self
                .missing_identity(allowed)
                .or_else(|| self.missing_limit(allowed))
                .or_else(|| {
                    let none = level == GrantLevel::None;
                    none.then_some(Blocked::NotAllowed(Layer::Resource))
                }),
        }
    }

    fn missing_identity(&self, allowed: LayerSet) -> Option<Blocked> {
        let root = matches!(self.request.principal, Principal::Root { .. });
        let allowed = root || allowed.contains(Layer::Identity);
        (!allowed).then_some(Blocked::NotAllowed(Layer::Identity))
    }

    /// Boundary and session policies. A federated user has nothing without a session policy.
    fn missing_limit(&self, allowed: LayerSet) -> Option<Blocked> {
        if self.policies.boundary.is_some() && !allowed.contains(Layer::Boundary) {
            return Some(Blocked::NotAllowed(Layer::Boundary));
        }
        let allowed = match self.policies.session {
            Some(_) => allowed.contains(Layer::Session),
            None => !matches!(self.request.principal, Principal::FederatedUser { .. }),
        };
        (!allowed).then_some(Blocked::NotAllowed(Layer::Session))
    }

    /// What may be said of an explicit denial. A policy on the resource's side may be named only
    /// to a caller whom that side also grants something, or who has the permission by its own
    /// side in the same account. All others hear what they would hear if the resource had no
    /// policy, or did not exist (security.md, "Existence: status").
    fn told(&self, layer: Layer, findings: &Findings) -> Blocked {
        let denied = Blocked::Denied(layer);
        if !matches!(layer, Layer::Resource | Layer::ResourceControl)
            || findings.level != GrantLevel::None
        {
            return denied;
        }
        self.missing(GrantLevel::None, findings.allowed)
            .unwrap_or(denied)
    }
}

#[cfg(test)]
mod tests;
