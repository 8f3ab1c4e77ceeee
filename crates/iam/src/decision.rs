//! The answer and what stood in the way.

use serde::Serialize;

use crate::principal::GrantLevel;
use crate::statement::Layer;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Do it.
    Allow,
    /// Some statement denies.
    ExplicitDeny,
    /// Nothing denies, and not everything that must allow does.
    ImplicitDeny,
}

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blocked {
    /// The kind of credential cannot do this, whatever policies say.
    HardLimit(HardLimit),
    /// A statement of this layer denies.
    Denied(Layer),
    /// This layer does not allow.
    NotAllowed(Layer),
}

/// What a kind of credential can never do (iam.md §5, row 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardLimit {
    /// A federated user calls IAM, or STS for more than `GetCallerIdentity`.
    FederatedUser,
    /// A session asks for `GetFederationToken`.
    FederationTokenFromSession,
    /// A session asks for `GetSessionToken`.
    SessionTokenFromSession,
    /// A `GetSessionToken` session without MFA calls IAM, or calls STS for more than `AssumeRole`
    /// and `GetCallerIdentity`.
    SessionToken,
    /// The root user assumes a role.
    RootAssumesRole,
}

/// The answer with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The answer.
    pub outcome: Outcome,
    /// What stood in the way; `None` if allowed. For the audit log and for whoever may see both
    /// sides.
    pub blocked_by: Option<Blocked>,
    /// What the caller may be told stood in the way: never a policy of the resource that the
    /// caller could otherwise not know to exist.
    pub told: Option<Blocked>,
    /// How the resource's policies name the caller.
    pub level: GrantLevel,
}
