//! `PolicyExclusionList`: the policies that a simulation leaves out.

use bonded_model::{PolicyArn, shown};
use bonded_registry::target::EntityKind;
use bonded_registry::{PolicyExclusion, Result};
use serde::Deserialize;

use super::shapes::constraint;
use super::simulation_input::invalid;

/// How many policies a simulation can leave out.
const EXCLUSIONS_LIMIT: usize = 256;

/// `PolicyIdentifier`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyIdentifier {
    policy_type: Option<String>,
    policy_arn: Option<String>,
    inline_policy_identifier: Option<InlinePolicyIdentifier>,
}

/// `InlinePolicyIdentifierType`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicyIdentifier {
    policy_name: String,
    attachment_type: String,
    attachment_name: String,
}

/// The policies that a simulation leaves out.
///
/// # Errors
/// [`Error::InvalidInput`]: one names nothing, or more than one thing, or is malformed.
pub(super) fn exclusions(identifiers: &[PolicyIdentifier]) -> Result<Vec<PolicyExclusion>> {
    if identifiers.len() > EXCLUSIONS_LIMIT {
        return Err(constraint(
            "policyExclusionList",
            "Member must have length less than or equal to 256",
        ));
    }
    let read = |identifier: &PolicyIdentifier| {
        let PolicyIdentifier {
            policy_type,
            policy_arn,
            inline_policy_identifier,
        } = identifier;
        match (policy_type, policy_arn, inline_policy_identifier) {
            (Some(kind), None, None) => policy_type_exclusion(kind),
            (None, Some(arn), None) => policy_arn_exclusion(arn).map(Some),
            (None, None, Some(inline)) => inline_exclusion(inline).map(Some),
            _ => Err(invalid(
                "each entry of PolicyExclusionList has exactly one of PolicyType, PolicyArn and \
                 InlinePolicyIdentifier",
            )),
        }
    };
    let read: Result<Vec<_>> = identifiers.iter().map(read).collect();
    Ok(read?.into_iter().flatten().collect())
}

/// `None`: resource control policies, which are ignored.
fn policy_type_exclusion(kind: &str) -> Result<Option<PolicyExclusion>> {
    Ok(Some(match kind {
        "inline" => PolicyExclusion::Inline,
        "aws-managed" => PolicyExclusion::AwsManaged,
        "user-managed" => PolicyExclusion::OwnManaged,
        "permission-boundary" => PolicyExclusion::Boundary,
        "scp" => PolicyExclusion::ServiceControl,
        "rcp" => return Ok(None),
        _ => {
            return Err(constraint(
                "policyExclusionList.policyType",
                "Member must satisfy enum value set: [inline, aws-managed, user-managed, permission-boundary, scp, rcp]",
            ));
        }
    }))
}

/// Wildcards stand in the name only.
fn policy_arn_exclusion(arn: &str) -> Result<PolicyExclusion> {
    let malformed = || invalid(&format!("the PolicyArn '{}' is malformed", shown(arn)));
    let (before, name) = arn.rsplit_once('/').ok_or_else(malformed)?;
    if before.contains(['*', '?']) || name.matches('*').count() > 1 {
        return Err(malformed());
    }
    let literal = format!("{before}/{}", name.replace(['*', '?'], "x"));
    literal.parse::<PolicyArn>().map_err(|_| malformed())?;
    Ok(PolicyExclusion::Managed(arn.to_owned()))
}

fn inline_exclusion(inline: &InlinePolicyIdentifier) -> Result<PolicyExclusion> {
    let kinds = [EntityKind::User, EntityKind::Group, EntityKind::Role];
    let kind = kinds
        .into_iter()
        .find(|kind| kind.as_str() == inline.attachment_type)
        .ok_or_else(|| {
            constraint(
                "policyExclusionList.attachmentType",
                "Member must satisfy enum value set: [user, group, role]",
            )
        })?;
    let word = |text: &str, wildcards: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        (1..=128).contains(&text.len()) && text.chars().all(|c| allowed(c) || wildcards.contains(c))
    };
    let holder = &inline.attachment_name;
    if !word(&inline.policy_name, "") || !word(holder, "*?") || holder.matches('*').count() > 1 {
        return Err(invalid(&format!(
            "the InlinePolicyIdentifier of '{}' at '{}' is malformed: at most one '*' stands in the \
             AttachmentName",
            shown(&inline.policy_name),
            shown(holder)
        )));
    }
    Ok(PolicyExclusion::InlineOf {
        policy: inline.policy_name.clone(),
        kind,
        holder: holder.clone(),
    })
}
