//! The tags of a repository.

use bonded_model::RepositoryArn;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, Result, of_request_tags, of_tag_keys,
};
use serde::{Deserialize, Serialize};

use super::shapes::{Tag, tag_keys, tag_list, tags};
use crate::aws::Operation;

/// The repository in the region the request is signed for: conditions on `aws:RequestedRegion`
/// must hold for what is acted on.
fn parse(arn: &str, caller: &Caller) -> Result<RepositoryArn> {
    let arn = arn.parse::<RepositoryArn>().ok();
    let here = arn.filter(|arn| arn.region == *caller.region());
    here.ok_or_else(|| Error::InvalidParameter(bonded_model::InvalidArn.to_string()))
}

/// The empty answer.
#[derive(Debug, Serialize)]
pub(super) struct NoAnswer {}

/// `TagResource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

impl Operation for TagResource {
    const NAME: &'static str = "TagResource";
    const ACTION: Action = Action::new("ecr:TagResource");
    const EXAMPLE: &'static str = r#"{"resourceArn":"arn:aws:ecr:us-east-1:111122223333:repository/team/app","tags":[{"Key":"env","Value":"prod"}]}"#;
    type Target = RepositoryArn;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let facts = of_request_tags(&tags(&self.tags)?);
        Ok(Checks::new(Self::ACTION, parse(&self.resource_arn, caller)?).with(facts))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RepositoryArn>) -> Result<NoAnswer> {
        registry.tag_repository(&allowed, tags(&self.tags)?).await?;
        Ok(NoAnswer {})
    }
}

/// `UntagResource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    const NAME: &'static str = "UntagResource";
    const ACTION: Action = Action::new("ecr:UntagResource");
    const EXAMPLE: &'static str = r#"{"resourceArn":"arn:aws:ecr:us-east-1:111122223333:repository/team/app","tagKeys":["env"]}"#;
    type Target = RepositoryArn;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        tag_keys(&self.tag_keys)?;
        let facts = of_tag_keys(self.tag_keys.iter().cloned());
        Ok(Checks::new(Self::ACTION, parse(&self.resource_arn, caller)?).with(facts))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RepositoryArn>) -> Result<NoAnswer> {
        registry.untag_repository(&allowed, self.tag_keys).await?;
        Ok(NoAnswer {})
    }
}

/// `ListTagsForResource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResource {
    resource_arn: String,
}

/// `ListTagsForResourceResponse`.
#[derive(Debug, Serialize)]
pub(super) struct ListTagsAnswer {
    tags: Vec<Tag>,
}

impl Operation for ListTagsForResource {
    const NAME: &'static str = "ListTagsForResource";
    const ACTION: Action = Action::new("ecr:ListTagsForResource");
    const EXAMPLE: &'static str =
        r#"{"resourceArn":"arn:aws:ecr:us-east-1:111122223333:repository/team/app"}"#;
    type Target = RepositoryArn;
    type Output = ListTagsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        Ok(Checks::new(
            Self::ACTION,
            parse(&self.resource_arn, caller)?,
        ))
    }

    async fn run(self, _: &Registry, allowed: Allowed<RepositoryArn>) -> Result<ListTagsAnswer> {
        Ok(ListTagsAnswer {
            tags: tag_list(&allowed.repository()?.tags),
        })
    }
}
