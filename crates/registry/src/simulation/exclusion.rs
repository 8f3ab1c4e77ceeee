//! Policies that a simulation is to leave out.

use bonded_store::CallerPolicies;

use super::holder_of;
use crate::target::{EntityArn, EntityKind};

/// Policies that are left out of a simulation.
#[derive(Debug, Clone)]
pub enum PolicyExclusion {
    /// All inline policies.
    Inline,
    /// All managed policies of AWS.
    AwsManaged,
    /// All managed policies of the account.
    OwnManaged,
    /// The permissions boundary.
    Boundary,
    /// All service control policies.
    ServiceControl,
    /// Managed policies whose ARN matches: at most one `*` and any number of `?` in the name.
    Managed(String),
    /// Inline policies called `policy` of what matches.
    InlineOf {
        /// The name of the policy.
        policy: String,
        /// Whose it is.
        kind: EntityKind,
        /// The name of the user, group or role, likewise.
        holder: String,
    },
}

/// Takes out what `exclusions` name; what names nothing is ignored.
pub(super) fn exclude(
    held: &mut CallerPolicies,
    source: &EntityArn,
    exclusions: &[PolicyExclusion],
) {
    for exclusion in exclusions {
        match exclusion {
            PolicyExclusion::Boundary => held.boundary = None,
            PolicyExclusion::ServiceControl => held.service_control.clear(),
            _ => {}
        }
    }
    held.identity.retain(|row| {
        let (kind, holder) = holder_of(source, row);
        let managed = row.managed.as_ref();
        !exclusions.iter().any(|exclusion| match exclusion {
            PolicyExclusion::Inline => managed.is_none(),
            PolicyExclusion::AwsManaged => managed.is_some_and(|arn| arn.owner.is_none()),
            PolicyExclusion::OwnManaged => managed.is_some_and(|arn| arn.owner.is_some()),
            PolicyExclusion::Managed(pattern) => {
                managed.is_some_and(|arn| matches(pattern, &arn.to_string()))
            }
            PolicyExclusion::InlineOf {
                policy,
                kind: of,
                holder: pattern,
            } => {
                managed.is_none() && row.name == *policy && *of == kind && matches(pattern, holder)
            }
            PolicyExclusion::Boundary | PolicyExclusion::ServiceControl => false,
        })
    });
}

/// Whether `text` is `pattern`, in which one `*` stands for any run of characters and each `?` for
/// one.
fn matches(pattern: &str, text: &str) -> bool {
    let same = |pattern: &str, text: &str| {
        pattern.chars().count() == text.chars().count()
            && pattern
                .chars()
                .zip(text.chars())
                .all(|(p, t)| p == '?' || p == t)
    };
    let Some((before, after)) = pattern.split_once('*') else {
        return same(pattern, text);
    };
    let beginning = text.get(..before.len());
    let rest = text.get(before.len()..).unwrap_or_default();
    let end = rest
        .len()
        .checked_sub(after.len())
        .and_then(|at| rest.get(at..));
    beginning.is_some_and(|beginning| same(before, beginning))
        && end.is_some_and(|end| same(after, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_one_star_and_any_number_of_question_marks() {
        for (pattern, text, expected) in [
            ("pull", "pull", true),
            ("pull", "pulls", false),
            ("pu?l", "pull", true),
            ("p*", "pull", true),
            ("*", "", true),
            ("pu*ll", "pull", true),
            ("pul*ll", "pull", false),
            ("*l?", "pull", true),
            ("?*", "", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
