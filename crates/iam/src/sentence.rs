//! AWS's sentence for a denial (iam.md §5, end), to the letter.

use crate::decision::{Blocked, Decision, HardLimit, Outcome};
use crate::request::{Principal, Request};
use crate::statement::Layer;

/// The message of the `AccessDenied` error. It names only what the caller may be told; see
/// [`Decision::told`].
#[must_use]
pub fn sentence(request: &Request, decision: &Decision) -> String {
    let Request {
        principal,
        action,
        resource,
        ..
    } = request;
    let user = principal.name();
    if decision.outcome == Outcome::Allow {
        return format!("User: {user} is authorized to perform: {action} on resource: {resource}");
    }
    if matches!(principal, Principal::FederatedIdentity { .. }) {
        return format!("Not authorized to perform {action}");
    }
    let because = match decision.told {
        Some(Blocked::HardLimit(HardLimit::FederationTokenFromSession)) => {
            return "Cannot call GetFederationToken with session credentials".to_owned();
        }
        Some(Blocked::HardLimit(HardLimit::SessionTokenFromSession)) => {
            return "Cannot call GetSessionToken with session credentials".to_owned();
        }
        Some(Blocked::HardLimit(HardLimit::RootAssumesRole)) => {
            return "Roles may not be assumed by root accounts.".to_owned();
        }
        Some(Blocked::HardLimit(HardLimit::FederatedUser | HardLimit::SessionToken)) | None => {
            String::new()
        }
        Some(Blocked::Denied(layer)) => {
            let article = match layer {
                Layer::Identity => "an",
                _ => "a",
            };
            format!(" with an explicit deny in {article} {}", name(layer))
        }
        Some(Blocked::NotAllowed(layer)) => {
            format!(" because no {} allows the {action} action", name(layer))
        }
    };
    format!("User: {user} is not authorized to perform: {action} on resource: {resource}{because}")
}

fn name(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity-based policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
        Layer::ServiceControl => "service control policy",
        Layer::ResourceControl => "resource control policy",
        Layer::Resource => "resource-based policy",
    }
}

#[cfg(test)]
mod tests;
