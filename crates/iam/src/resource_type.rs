//! What kind of resource an action is checked on.
//!
//! Source: the service authorization reference, as of iam-data 0.21 (iam.md §2). Only Amazon ECR is
//! known, and assuming roles: of other services nothing is claimed.

/// The kind of resource an action is checked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// It has none: it is checked on `*`, whatever a request names.
    Everything,
    /// Its resources have ARNs of this form.
    Template(&'static str),
    /// Not known here.
    Unknown,
}

const REPOSITORY: &str = "arn:${Partition}:ecr:${Region}:${Account}:repository/${RepositoryName}";
const ROLE: &str = "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}";

/// The actions of ECR that are checked on `*`.
const ECR_EVERYTHING: [&str; 25] = [
    "CreatePullThroughCacheRule",
    "CreateRepositoryCreationTemplate",
    "DeletePullThroughCacheRule",
    "DeleteRegistryPolicy",
    "DeleteRepositoryCreationTemplate",
    "DeleteSigningConfiguration",
    "DeregisterPullTimeUpdateExclusion",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeRepositoryCreationTemplates",
    "GetAccountSetting",
    "GetAuthorizationToken",
    "GetRegistryPolicy",
    "GetRegistryScanningConfiguration",
    "GetSigningConfiguration",
    "ListPullTimeUpdateExclusions",
    "PutAccountSetting",
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutSigningConfiguration",
    "RegisterPullTimeUpdateExclusion",
    "UpdatePullThroughCacheRule",
    "UpdateRepositoryCreationTemplate",
    "ValidatePullThroughCacheRule",
];

/// The kind of resource that `action`, `service:Name` in any case, is checked on.
#[must_use]
pub fn resource_type(action: &str) -> ResourceType {
    let Some((service, name)) = action.split_once(':') else {
        return ResourceType::Unknown;
    };
    let is = |known: &&&str| known.eq_ignore_ascii_case(name);
    if service.eq_ignore_ascii_case("ecr") {
        return match ECR_EVERYTHING.iter().find(is) {
            Some(_) => ResourceType::Everything,
            None => ResourceType::Template(REPOSITORY),
        };
    }
    let assumes = name
        .get(.."AssumeRole".len())
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case("AssumeRole"));
    if service.eq_ignore_ascii_case("sts") && assumes {
        return ResourceType::Template(ROLE);
    }
    ResourceType::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_checked_on_its_kind_of_resource() {
        for (action, expected) in [
            ("ecr:GetAuthorizationToken", ResourceType::Everything),
            ("ECR:getauthorizationtoken", ResourceType::Everything),
            ("ecr:BatchGetImage", ResourceType::Template(REPOSITORY)),
            (
                "sts:AssumeRoleWithWebIdentity",
                ResourceType::Template(ROLE),
            ),
            ("sts:GetCallerIdentity", ResourceType::Unknown),
            ("s3:GetObject", ResourceType::Unknown),
            ("GetAuthorizationToken", ResourceType::Unknown),
        ] {
            assert_eq!(resource_type(action), expected, "{action}");
        }
    }
}
