//! A user, group or role by its ARN, as the simulator names whose policies it asks about.

use std::str::FromStr;

use bonded_model::AccountId;
use bonded_store::{Group, Role, User};

use super::sealed::Judged;
use super::{Resource, Target};
use crate::Registry;
use crate::context::{self, ContextFacts};
use crate::error::{Error, Result};

/// `arn:aws:iam::ACCOUNT:KIND/PATH/NAME`.
#[derive(Debug, Clone)]
pub struct EntityArn {
    /// The ARN as written.
    pub arn: String,
    /// The account in it.
    pub account: AccountId,
    /// What it names.
    pub kind: EntityKind,
    /// The name in it, without its path.
    pub name: String,
}

/// What has identity policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A role.
    Role,
}

impl EntityKind {
    /// As ARNs and the simulator's answers write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }
}

impl FromStr for EntityArn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let shown = bonded_model::shown(text);
            Error::InvalidInput(format!(
                "Invalid Entity Arn: {shown} does not clearly define entity type and name."
            ))
        };
        let rest = text.strip_prefix("arn:aws:iam::").ok_or_else(invalid)?;
        let (account, rest) = rest.split_once(':').ok_or_else(invalid)?;
        let (kind, path) = rest.split_once('/').ok_or_else(invalid)?;
        let kind = [EntityKind::User, EntityKind::Group, EntityKind::Role]
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(invalid)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let visible = |b: u8| (b'!'..=b'~').contains(&b) && !b":*?".contains(&b);
        let valid = (1..=128).contains(&name.len()) && text.len() <= 2048;
        if !valid || !path.bytes().all(visible) {
            return Err(invalid());
        }
        Ok(Self {
            arn: text.to_owned(),
            account: account.parse().map_err(|_| invalid())?,
            kind,
            name: name.to_owned(),
        })
    }
}

/// Whose policies a simulation is about.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// The user, group or role. One of another account is not looked up.
    pub entity: EntityArn,
    /// The account that asks.
    pub viewer: AccountId,
}

/// A user, group or role that exists.
#[derive(Debug)]
pub enum Entity {
    /// A user.
    User(User),
    /// A group.
    Group(Group),
    /// A role.
    Role(Role),
}

impl Entity {
    /// Its unique id.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.id,
            Self::Group(group) => &group.id,
            Self::Role(role) => &role.id,
        }
    }

    fn arn(&self) -> String {
        match self {
            Self::User(user) => user.arn(),
            Self::Group(group) => group.arn(),
            Self::Role(role) => role.arn(),
        }
    }

    /// The keys it brings as a resource.
    pub(crate) fn context(&self) -> ContextFacts {
        match self {
            Self::User(user) => context::of_bounded_resource(&user.tags, user.boundary.as_ref()),
            Self::Role(role) => context::of_bounded_resource(&role.tags, role.boundary.as_ref()),
            Self::Group(_) => ContextFacts::new(),
        }
    }
}

impl Entity {
    /// The keys that its tags bring when it asks.
    pub(crate) fn principal_tags(&self) -> ContextFacts {
        match self {
            Self::User(user) => context::of_principal_tags(&user.tags),
            Self::Role(role) => context::of_principal_tags(&role.tags),
            Self::Group(_) => ContextFacts::new(),
        }
    }
}

impl Target for PolicySource {}

impl Judged for PolicySource {
    type Found = Option<Entity>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        if self.entity.account != self.viewer {
            return Ok(None);
        }
        registry.find_entity(&self.entity).await
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let EntityArn { arn, account, .. } = &self.entity;
        let context = found.as_ref().map(Entity::context).unwrap_or_default();
        let resource = Resource::new(arn.clone(), account.clone());
        Ok(vec![resource.with(Vec::new(), context)])
    }
}

impl Registry {
    /// The user, group or role with exactly this ARN.
    pub(crate) async fn find_entity(&self, named: &EntityArn) -> Result<Option<Entity>> {
        let (account, name) = (&named.account, &named.name);
        let found = match named.kind {
            EntityKind::User => {
                let user = self.store().find_user(account, name).await?;
                user.map(Entity::User)
            }
            EntityKind::Group => {
                let group = self.store().find_group(account, name).await?;
                group.map(Entity::Group)
            }
            EntityKind::Role => {
                let role = self.store().find_role(account, name).await?;
                role.map(Entity::Role)
            }
        };
        // Names are found in any case, but an ARN is that of its very letters.
        Ok(found.filter(|found| found.arn() == named.arn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_named_by_its_whole_arn() {
        let read = |text: &str| text.parse::<EntityArn>().ok();
        let role = read("arn:aws:iam::111122223333:role/team/ci").unwrap();
        assert_eq!((role.kind, role.name.as_str()), (EntityKind::Role, "ci"));
        for text in [
            "",
            "alice",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::1:user/alice",
            "arn:aws:iam::111122223333:User/alice",
            "arn:aws:iam::111122223333:policy/p",
            "arn:aws:iam::111122223333:user/a*",
            "arn:aws:iam::111122223333:user/a b",
            "arn:aws:sts::111122223333:assumed-role/ci/run",
            "arn:aws-cn:iam::111122223333:user/alice",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
