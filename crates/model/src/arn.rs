//! The name of a repository in the whole deployment: its ARN.

use std::fmt;
use std::str::FromStr;

use crate::{AccountId, Region, RepositoryName};

/// `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`, the resource of most ECR actions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryArn {
    /// Where the registry is.
    pub region: Region,
    /// Whose registry it is.
    pub account: AccountId,
    /// The repository in that registry.
    pub name: RepositoryName,
}

/// The text is not the ARN of a repository. The message is ECR's.
#[derive(Debug, thiserror::Error)]
#[error("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")]
pub struct InvalidArn;

impl fmt::Display for RepositoryArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:aws:ecr:{}:{}:repository/{}",
            self.region, self.account, self.name
        )
    }
}

impl FromStr for RepositoryArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let rest = text.strip_prefix("arn:aws:ecr:").ok_or(InvalidArn)?;
        let mut parts = rest.splitn(3, ':');
        let mut next = || parts.next().ok_or(InvalidArn);
        let region = next()?.parse().map_err(|_| InvalidArn)?;
        let account = next()?.parse().map_err(|_| InvalidArn)?;
        let name = next()?.strip_prefix("repository/").ok_or(InvalidArn)?;
        Ok(Self {
            region,
            account,
            name: name.parse().map_err(|_| InvalidArn)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_display_are_inverse() {
        let text = "arn:aws:ecr:us-east-1:111122223333:repository/team/app";
        assert_eq!(text.parse::<RepositoryArn>().unwrap().to_string(), text);
    }

    #[test]
    fn other_arns_are_refused() {
        for text in [
            "",
            "*",
            "arn:aws:ecr:us-east-1:111122223333:repository/",
            "arn:aws:ecr:us-east-1:111122223333:team/app",
            "arn:aws:s3:us-east-1:111122223333:repository/app",
            "arn:aws:ecr::111122223333:repository/app",
            "arn:aws:ecr:us-east-1:1111:repository/app",
            "arn:aws:ecr:us-east-1:111122223333:repository/a:b",
        ] {
            assert!(text.parse::<RepositoryArn>().is_err(), "{text}");
        }
    }
}
