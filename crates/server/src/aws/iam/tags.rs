//! The tags of users, roles, managed policies, instance profiles and identity providers.

use bonded_registry::{
    Action, Allowed, Caller, Checks, Registry, Result, TagHolder, of_request_tags, of_tag_keys,
};
use serde::{Deserialize, Serialize};

use super::families::Tagged;
use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, Tag, tag_keys, tag_list, tags};
use crate::aws::Operation;
use crate::aws::query::List;

/// `TagUser`, `TagRole`, `TagPolicy`, `TagInstanceProfile`, `TagOpenIDConnectProvider`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagIdentity<T> {
    #[serde(flatten)]
    tagged: T,
    tags: Vec<Tag>,
}

impl<T: Tagged> Operation for TagIdentity<T>
where
    Allowed<T::Target>: TagHolder,
{
    const NAME: &'static str = T::TAG.name;
    const ACTION: Action = T::TAG.action;
    const EXAMPLE: &'static str = T::TAG.example;
    type Target = T::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<T::Target>> {
        let tags = tags(&self.tags)?;
        let target = self.tagged.target(caller)?;
        Ok(Checks::new(Self::ACTION, target).with(of_request_tags(&tags)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<T::Target>) -> Result<NoAnswer> {
        registry.tag_identity(&allowed, tags(&self.tags)?).await?;
        Ok(NoAnswer {})
    }
}

/// `UntagUser` and the others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagIdentity<T> {
    #[serde(flatten)]
    tagged: T,
    tag_keys: Vec<String>,
}

impl<T: Tagged> Operation for UntagIdentity<T>
where
    Allowed<T::Target>: TagHolder,
{
    const NAME: &'static str = T::UNTAG.name;
    const ACTION: Action = T::UNTAG.action;
    const EXAMPLE: &'static str = T::UNTAG.example;
    type Target = T::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<T::Target>> {
        tag_keys(&self.tag_keys)?;
        let target = self.tagged.target(caller)?;
        Ok(Checks::new(Self::ACTION, target).with(of_tag_keys(self.tag_keys.clone())))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<T::Target>) -> Result<NoAnswer> {
        registry.untag_identity(&allowed, self.tag_keys).await?;
        Ok(NoAnswer {})
    }
}

/// `ListUserTags` and the others.
#[derive(Debug, Deserialize)]
pub(super) struct ListTags<T> {
    #[serde(flatten)]
    tagged: T,
    #[serde(flatten)]
    page: PageRequest,
}

/// `ListUserTagsResponse` and the others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagsAnswer {
    tags: List<Tag>,
    #[serde(flatten)]
    end: PageEnd,
}

impl<T: Tagged> Operation for ListTags<T>
where
    Allowed<T::Target>: TagHolder,
{
    const NAME: &'static str = T::LIST_TAGS.name;
    const ACTION: Action = T::LIST_TAGS.action;
    const EXAMPLE: &'static str = T::LIST_TAGS.example;
    type Target = T::Target;
    type Output = TagsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<T::Target>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, self.tagged.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<T::Target>) -> Result<TagsAnswer> {
        let mut tags = tag_list(registry.identity_tags(&allowed)?);
        let page = self.page.read(Self::NAME)?;
        let end = page.cut_whole(&mut tags, |tag| tag.key().to_owned());
        Ok(TagsAnswer {
            tags: tags.into(),
            end,
        })
    }
}
