//! The decision: iam.md §5 in code. Small and readable on purpose; each rule stands once.

use crate::decision::{Blocked, Decision, HardLimit, Outcome};
use crate::policies::{Level, Policies};
use crate::policy::{Effect, NamedPolicy};
use crate::principal::GrantLevel;
use crate::request::{ContextValue, Principal, Request};
use crate::statement::{Layer, Place, Unknowns};

/// Decides. A condition on an unknown key denies.
#[must_use]
pub fn evaluate(request: &Request, policies: &Policies<'_>) -> Decision {
    Evaluation::new(request, policies, Unknowns::Deny).decide()
}

/// Decides as favourably as the unknown keys may turn out: an Allow applies unless its condition is
/// false, a Deny only if it is true. A denial here holds whatever the unknown keys are
/// (condition-keys.md, "Three values").
#[must_use]
pub fn evaluate_free(request: &Request, policies: &Policies<'_>) -> Decision {
    Evaluation::new(request, policies, Unknowns::Allow).decide()
}

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

/// One request under way.
pub(crate) struct Evaluation<'a> {
    request: &'a Request,
    policies: &'a Policies<'a>,
    unknowns: Unknowns,
    trust: bool,
}

impl<'a> Evaluation<'a> {
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

    pub(crate) fn decide(&self) -> Decision {
        let level = self.level();
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
        if let Some(layer) = LAYERS.into_iter().find(|layer| self.denies(*layer)) {
            let by = Blocked::Denied(layer);
            return decision(
                Outcome::ExplicitDeny,
                Some(by),
                Some(self.told(layer, level)),
            );
        }
        match self.missing(level) {
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
        self.request.context.get("aws:TokenIssueTime").is_some()
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
        let mfa = match request.context.get("aws:MultiFactorAuthPresent") {
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

    fn denies(&self, layer: Layer) -> bool {
        self.applies(layer) && self.any(Effect::Deny, layer, self.policies.of(layer))
    }

    fn allows(&self, layer: Layer) -> bool {
        self.any(Effect::Allow, layer, self.policies.of(layer))
    }

    /// Whether a statement with `effect` applies in any of the policies.
    pub(crate) fn any<'p>(
        &self,
        effect: Effect,
        layer: Layer,
        policies: impl IntoIterator<Item = &'p NamedPolicy>,
    ) -> bool {
        let place = self.place(layer);
        policies
            .into_iter()
            .flat_map(|named| &named.policy.statements)
            .any(|s| s.effect == effect && s.miss(self.request, place).is_none())
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

    /// §4: the best level at which the resource's policies grant. Row 9: none ever grants
    /// `ecr:GetAuthorizationToken`.
    fn level(&self) -> GrantLevel {
        if self.request.is_action("ecr:GetAuthorizationToken") {
            return GrantLevel::None;
        }
        let place = self.place(Layer::Resource);
        self.policies
            .of(Layer::Resource)
            .flat_map(|named| &named.policy.statements)
            .filter(|s| s.effect == Effect::Allow && s.miss(self.request, place).is_none())
            .map(|statement| statement.level(&self.request.principal))
            .max()
            .unwrap_or(GrantLevel::None)
    }

    /// Rows 3 to 7: what does not allow, if nothing denies and the resource's policies name the
    /// caller at `level`. `None` if all that must allow does.
    fn missing(&self, level: GrantLevel) -> Option<Blocked> {
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
            _ => self.missing_for_signed(level),
        }
    }

    fn missing_for_signed(&self, level: GrantLevel) -> Option<Blocked> {
        use GrantLevel::{Direct, Role, User, Wildcard};
        let mut levels = self.policies.service_control.iter();
        if !levels.all(|level| self.service_control_allows(level)) {
            return Some(Blocked::NotAllowed(Layer::ServiceControl));
        }
        if self.is_session_token_for_keys() {
            return None;
        }
        match (self.request.is_same_account(), level) {
            (true, Direct | Wildcard) => None,
            (true, Role | User) => self.missing_limit(),
            (true, _) if !self.trust => self.missing_identity().or_else(|| self.missing_limit()),
            // Cross-account, and the trust policy of a role: both sides must allow.
            (_, level) => self
                .missing_identity()
                .or_else(|| self.missing_limit())
                .or_else(|| {
                    let none = level == GrantLevel::None;
                    none.then_some(Blocked::NotAllowed(Layer::Resource))
                }),
        }
    }

    pub(crate) fn service_control_allows(&self, level: &Level<'_>) -> bool {
        let policies = level.policies.iter().copied();
        self.any(Effect::Allow, Layer::ServiceControl, policies)
    }

    fn missing_identity(&self) -> Option<Blocked> {
        let root = matches!(self.request.principal, Principal::Root { .. });
        let allowed = root || self.allows(Layer::Identity);
        (!allowed).then_some(Blocked::NotAllowed(Layer::Identity))
    }

    /// Boundary and session policies. A federated user has nothing without a session policy.
    fn missing_limit(&self) -> Option<Blocked> {
        if self.policies.boundary.is_some() && !self.allows(Layer::Boundary) {
            return Some(Blocked::NotAllowed(Layer::Boundary));
        }
        let allowed = match self.policies.session {
            Some(_) => self.allows(Layer::Session),
            None => !matches!(self.request.principal, Principal::FederatedUser { .. }),
        };
        (!allowed).then_some(Blocked::NotAllowed(Layer::Session))
    }

    /// What may be said of an explicit denial. A policy on the resource's side may be named only
    /// to a caller whom that side also grants something, or who has the permission by its own
    /// side in the same account. All others hear what they would hear if the resource had no
    /// policy, or did not exist (security.md, "Existence: status").
    fn told(&self, layer: Layer, level: GrantLevel) -> Blocked {
        let denied = Blocked::Denied(layer);
        if !matches!(layer, Layer::Resource | Layer::ResourceControl) || level != GrantLevel::None {
            return denied;
        }
        self.missing(GrantLevel::None).unwrap_or(denied)
    }
}

#[cfg(test)]
mod tests;
