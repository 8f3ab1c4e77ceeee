//! Which condition keys a request can have: the table behind `docs/reference/request-keys.md`.
//!
//! The keys of images are apart, in `docs/reference/condition-keys.md`; those of a web identity
//! have the host of its issuer before the colon.

use crate::context::ContextFacts;

/// A condition key that a request can have.
#[derive(Debug, Clone, Copy)]
pub struct RequestKey {
    /// Its name; `KEY` at its end stands for the key of a tag.
    pub name: &'static str,
    /// Whether it can have several values, and so needs `ForAnyValue:` or `ForAllValues:`.
    pub many: bool,
    /// The requests that have it.
    pub present: &'static str,
    /// Its values.
    pub meaning: &'static str,
}

const fn one(name: &'static str, present: &'static str, meaning: &'static str) -> RequestKey {
    RequestKey {
        name,
        many: false,
        present,
        meaning,
    }
}

const fn many(name: &'static str, present: &'static str, meaning: &'static str) -> RequestKey {
    RequestKey {
        name,
        many: true,
        present,
        meaning,
    }
}

const ALL: &str = "every request";
const KNOWN: &str = "every request but `sts:AssumeRoleWithWebIdentity`";
const TEMPORARY: &str = "those with temporary credentials";
const NAMED: &str = "those from a network that has a name";
const ASSUME: &str = "a call that makes a session";

/// Every key of a request that is not about an image, by name.
pub const REQUEST_KEYS: &[RequestKey] = &[
    one("aws:CurrentTime", ALL, "the time, ISO 8601"),
    one("aws:EpochTime", ALL, "the time, seconds since 1970"),
    one(
        "aws:FederatedProvider",
        "`sts:AssumeRoleWithWebIdentity`, and those of its sessions",
        "the ARN of the identity provider",
    ),
    one(
        "aws:MultiFactorAuthPresent",
        TEMPORARY,
        "`false`: there are no MFA devices",
    ),
    one("aws:PrincipalAccount", KNOWN, "the caller's account"),
    one(
        "aws:PrincipalArn",
        KNOWN,
        "the ARN of the user, of the *role* of a session, or of the federated user",
    ),
    one(
        "aws:PrincipalIsAWSService",
        ALL,
        "whether a service calls: `false`",
    ),
    one(
        "aws:PrincipalTag/KEY",
        "those of a caller with that tag",
        "the tag of the user or role; a tag of the session goes before it",
    ),
    one(
        "aws:PrincipalType",
        KNOWN,
        "`User`, `AssumedRole` or `FederatedUser`",
    ),
    one("aws:RequestedRegion", ALL, "the region that is called"),
    one(
        "aws:RequestTag/KEY",
        "those that pass tags",
        "the value that the request gives the tag",
    ),
    one("aws:ResourceAccount", ALL, "the account of the resource"),
    one(
        "aws:ResourceTag/KEY",
        "those about something with that tag",
        "the tag as it is, before the request",
    ),
    one(
        "aws:SecureTransport",
        ALL,
        "whether the request came by TLS",
    ),
    one(
        "aws:SourceIdentity",
        "those of a session that has one",
        "the source identity, as it was set first",
    ),
    one(
        "aws:SourceIp",
        ALL,
        "the address of the client: the peer's, or the right-most address of `X-Forwarded-For` \
         that is not a proxy's if the peer is one of `trusted_proxies`",
    ),
    one("aws:SourceVpc", NAMED, "as `aws:SourceVpce`"),
    one(
        "aws:SourceVpce",
        NAMED,
        "the name of the network that the client is in, by the setting `networks`; of several the \
         smallest",
    ),
    many(
        "aws:TagKeys",
        "those that pass or remove tags",
        "the keys of the tags",
    ),
    one(
        "aws:TokenIssueTime",
        TEMPORARY,
        "when the credentials were made",
    ),
    one(
        "aws:UserAgent",
        "those that state one",
        "what the client calls itself",
    ),
    one(
        "aws:userid",
        KNOWN,
        "`AIDA…` of a user, `AROA…:SESSION` of a role, `ACCOUNT:NAME` of a federated user",
    ),
    one("aws:username", "those of a user", "the user's name"),
    one("aws:VpcSourceIp", NAMED, "as `aws:SourceIp`"),
    one(
        "ecr:ResourceTag/KEY",
        "those about a repository with that tag",
        "as `aws:ResourceTag`",
    ),
    one(
        "iam:AWSServiceName",
        "`iam:CreateServiceLinkedRole` and its kin",
        "the service, such as `replication.ecr.amazonaws.com`",
    ),
    one(
        "iam:PermissionsBoundary",
        "those about a user or role with a boundary, or that set one",
        "the ARN of the policy",
    ),
    one(
        "iam:PolicyARN",
        "those that attach or detach a managed policy",
        "the ARN of the policy",
    ),
    one(
        "iam:ResourceTag/KEY",
        "those about something of IAM with that tag",
        "as `aws:ResourceTag`",
    ),
    one(
        "iam:ServiceSpecificCredentialAgeDays",
        "`iam:CreateServiceSpecificCredential` with `CredentialAgeDays`",
        "how many days the service token shall live",
    ),
    one(
        "iam:ServiceSpecificCredentialServiceName",
        "`iam:CreateServiceSpecificCredential`",
        "`ecr.amazonaws.com`",
    ),
    one(
        "sts:ExternalId",
        "`sts:AssumeRole`, where one is passed",
        "the external id",
    ),
    one("sts:RoleSessionName", ASSUME, "the name of the session"),
    one(
        "sts:SourceIdentity",
        "`sts:AssumeRole` and its kin, where one is passed or inherited",
        "the source identity",
    ),
    many(
        "sts:TransitiveTagKeys",
        ASSUME,
        "the keys of the tags that later sessions inherit",
    ),
];

/// The first fact that the table should have and has not.
pub(crate) fn unlisted(facts: &ContextFacts) -> Option<&str> {
    facts
        .keys()
        .map(String::as_str)
        .find(|fact| !is_listed(fact))
}

fn is_listed(fact: &str) -> bool {
    let vendor = fact.split(':').next().unwrap_or_default();
    if !matches!(vendor, "aws" | "ecr" | "iam" | "sts") {
        return true;
    }
    let family = fact.split_once('/').map(|(family, _)| family);
    REQUEST_KEYS
        .iter()
        .any(|key| match key.name.strip_suffix("/KEY") {
            Some(name) => family == Some(name),
            None => fact == key.name,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Fact;

    #[test]
    fn the_table_is_in_order_and_finds_what_it_lacks() {
        assert!(REQUEST_KEYS.is_sorted_by_key(|key| key.name.to_lowercase()));
        let facts = |key: &str| ContextFacts::from([(key.to_owned(), Fact::One(String::new()))]);
        for listed in ["aws:SourceIp", "aws:PrincipalTag/a/b", "issuer.example:sub"] {
            assert_eq!(unlisted(&facts(listed)), None, "{listed}");
        }
        for lacking in ["aws:Moon", "aws:PrincipalTag", "aws:SourceIp/x"] {
            assert_eq!(unlisted(&facts(lacking)), Some(lacking));
        }
    }
}
