//! The name of a managed policy in the whole deployment: its ARN.

use std::fmt;
use std::str::FromStr;

use crate::AccountId;

/// `arn:aws:iam::ACCOUNT:policy/PATH/NAME`, or `arn:aws:iam::aws:policy/PATH/NAME` for a policy of
/// AWS, which every account has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyArn {
    /// Whose policy; `None` for AWS's.
    pub owner: Option<AccountId>,
    /// From `/` to `/`.
    pub path: String,
    /// The name, 1 to 128 characters.
    pub name: String,
}

/// The text is not the ARN of a managed policy. The message is IAM's.
#[derive(Debug, thiserror::Error)]
#[error("Invalid ARN:  Could not be parsed!")]
pub struct InvalidPolicyArn;

impl fmt::Display for PolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.owner.as_ref().map_or("aws", AccountId::as_str);
        write!(f, "arn:aws:iam::{owner}:policy{}{}", self.path, self.name)
    }
}

impl FromStr for PolicyArn {
    type Err = InvalidPolicyArn;

    fn from_str(text: &str) -> Result<Self, InvalidPolicyArn> {
        let rest = text.strip_prefix("arn:aws:iam::").ok_or(InvalidPolicyArn)?;
        let (owner, rest) = rest.split_once(":policy/").ok_or(InvalidPolicyArn)?;
        let owner = match owner {
            "aws" => None,
            account => Some(account.parse().map_err(|_| InvalidPolicyArn)?),
        };
        let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
        let path = if path.is_empty() && !rest.starts_with('/') {
            "/".to_owned()
        } else {
            format!("/{path}/")
        };
        let word = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let visible = |b: u8| (b'!'..=b'~').contains(&b) && !b":*?".contains(&b);
        let valid = (1..=128).contains(&name.len())
            && name.chars().all(word)
            && path.len() <= 512
            && path.bytes().all(visible);
        valid
            .then(|| Self {
                owner,
                path,
                name: name.to_owned(),
            })
            .ok_or(InvalidPolicyArn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_display_are_inverse() {
        for text in [
            "arn:aws:iam::111122223333:policy/pull",
            "arn:aws:iam::111122223333:policy/ci/a/pull",
            "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
            "arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy",
        ] {
            assert_eq!(text.parse::<PolicyArn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_arns_are_refused() {
        for text in [
            "",
            "pull",
            "arn:aws:iam::111122223333:policy/",
            "arn:aws:iam::111122223333:policy/ci/",
            "arn:aws:iam::1111:policy/pull",
            "arn:aws:iam::111122223333:role/pull",
            "arn:aws:iam::111122223333:policy/a:b",
            "arn:aws:iam::111122223333:policy/a*",
            "arn:aws:s3::111122223333:policy/pull",
        ] {
            assert!(text.parse::<PolicyArn>().is_err(), "{text}");
        }
    }
}
