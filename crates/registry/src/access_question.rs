//! May this principal do this to that? `bonded can`: a dry run by what is really there.
//!
//! Unlike IAM's simulator it gathers the policies that would decide: those of the principal and its
//! account, and those of the resource, across accounts too. What depends on the circumstances of a
//! request, or on an image, is unknown unless the question says it, so that there are three answers.
//!
//! Each account sees its own half (security.md, "`why` across accounts"). The principal's account
//! learns the answer, as the principal itself would by trying, and of the resource's policies
//! nothing more. The resource's account learns what the resource's own policies say; what the
//! principal's account allows it does not.

mod answer;

use std::collections::BTreeMap;

use bonded_iam::{Principal, ResourceType, resource_type};
use bonded_model::{AccountId, Region, RepositoryArn, RepositoryName, Timestamp};
use bonded_store::StoreError;

use crate::Registry;
use crate::access::{Action, Checks};
use crate::caller::Caller;
use crate::context::{ContextFacts, Fact};
use crate::error::{Error, Result};
use crate::image_keys::{IMAGE_TAG, ImageKeys};
use crate::target::sealed::Judged;
use crate::target::{Entity, EntityArn, EntityKind, Resource, RoleToAssume, Target};

/// The actions that are checked on an image, so that its keys may decide
/// (docs/reference/condition-keys.md).
const OF_IMAGES: [&str; 8] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchDeleteImage",
    "ecr:BatchGetImage",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:GetDownloadUrlForLayer",
    "ecr:PutImage",
    "ecr:StartImageScan",
];

/// A question about somebody's access.
#[derive(Debug, Clone)]
pub struct AccessQuestion {
    /// The user or role.
    pub principal: EntityArn,
    /// The name of the session in which the role asks, if it matters.
    pub session: Option<String>,
    /// `service:Action`
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    /// What the question says of the circumstances, by key.
    pub context: BTreeMap<String, Vec<String>>,
    /// The account of the one who asks.
    pub asker: AccountId,
}

/// What was looked up to answer.
pub struct AccessFound {
    principal: Option<Entity>,
    resource: Resource,
}

impl AccessQuestion {
    /// A question of `caller`: `principal` is the ARN of a user, a role or a session of a role, or
    /// `user/NAME` or `role/NAME` of the caller's account; `resource` an ARN, `*`, or the name of a
    /// repository in the registry that `caller` addresses.
    ///
    /// # Errors
    /// [`Error::InvalidInput`].
    pub fn new(
        caller: &Caller,
        principal: &str,
        action: String,
        resource: &str,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<Self> {
        let account = caller.account();
        let (principal, session) = principal_of(principal, account)?;
        if principal.kind == EntityKind::Group {
            return Err(Error::InvalidInput(format!(
                "'{}' is a group, which asks for nothing; ask about a user in it",
                principal.arn
            )));
        }
        Ok(Self {
            principal,
            session,
            resource: resource_of(resource, account, caller.region(), &action)?,
            action,
            context,
            asker: account.clone(),
        })
    }

    /// What must be allowed to ask it with `action`: that on the principal, or, if that is another
    /// account's, on the resource, with what shows the resource's policies.
    #[must_use]
    pub fn checks(self, action: Action) -> Checks<Self> {
        let shows = match self.resource.parse::<RepositoryArn>() {
            Ok(_) => ["ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"],
            Err(_) => ["iam:GetRole", "iam:ListRoleTags"],
        };
        let own = self.is_of_asker();
        let checks = Checks::new(action, self);
        match own {
            true => checks,
            false => shows.into_iter().map(Action::new).fold(checks, Checks::and),
        }
    }

    fn is_of_asker(&self) -> bool {
        self.principal.account == self.asker
    }

    fn engine_principal(&self, found: Option<&Entity>) -> Principal {
        let EntityArn {
            arn,
            account,
            kind,
            name,
        } = &self.principal;
        let unique_id = found.map(|entity| entity.id().to_owned());
        let account = account.to_string();
        match kind {
            EntityKind::Role => Principal::RoleSession {
                // Without a name no session is meant, and none is named.
                arn: format!(
                    "arn:aws:sts::{account}:assumed-role/{name}/{}",
                    self.session.as_deref().unwrap_or_default()
                ),
                role_arn: arn.clone(),
                account,
                unique_id,
            },
            EntityKind::User | EntityKind::Group => Principal::User {
                arn: arn.clone(),
                account,
                unique_id,
            },
        }
    }

    /// What is known of the request; what the question says comes before it.
    fn facts(&self, found: &AccessFound, now: Timestamp) -> ContextFacts {
        let mut facts = ContextFacts::new();
        let mut add = |key: &str, fact: Fact| facts.insert(key.to_owned(), fact);
        let one = |text: &str| Fact::One(text.to_owned());
        let EntityArn {
            arn,
            account,
            kind,
            name,
        } = &self.principal;
        add("aws:CurrentTime", Fact::One(now.to_string()));
        add("aws:EpochTime", Fact::One(now.as_seconds().to_string()));
        for key in ["aws:SourceIp", "aws:SecureTransport", "aws:UserAgent"] {
            add(key, Fact::Unknown);
        }
        let region = self.resource.split(':').nth(3).filter(|r| !r.is_empty());
        add("aws:RequestedRegion", region.map_or(Fact::Unknown, one));
        add("aws:PrincipalIsAWSService", one("false"));
        add("aws:PrincipalAccount", one(account.as_str()));
        add("aws:PrincipalArn", one(arn));
        let id = found.principal.as_ref().map(Entity::id);
        if *kind == EntityKind::Role {
            add("aws:PrincipalType", one("AssumedRole"));
            add("aws:MultiFactorAuthPresent", one("false"));
            add("aws:TokenIssueTime", Fact::Unknown);
            add("aws:SourceIdentity", Fact::Unknown);
            let id = id.zip(self.session.as_ref());
            let id = id.map(|(id, session)| Fact::One(format!("{id}:{session}")));
            add("aws:userid", id.unwrap_or(Fact::Unknown));
        } else {
            add("aws:PrincipalType", one("User"));
            add("aws:username", one(name));
            add("aws:userid", id.map_or(Fact::Unknown, one));
        }
        if let Some(entity) = &found.principal {
            facts.extend(entity.principal_tags());
        }
        facts.extend(found.resource.facts());
        let image = OF_IMAGES
            .iter()
            .find(|action| action.eq_ignore_ascii_case(&self.action));
        if let Some(action) = image
            && found.resource.arn.contains(":repository/")
        {
            facts.extend(ImageKeys::of(Action::new(action)).unknown());
            facts.insert(IMAGE_TAG.to_owned(), Fact::Unknown);
        }
        for (key, values) in &self.context {
            facts.retain(|known, _| !known.eq_ignore_ascii_case(key));
            let fact = match &values[..] {
                [one] => Fact::One(one.clone()),
                several => Fact::Many(several.to_vec()),
            };
            facts.insert(key.clone(), fact);
        }
        facts
    }
}

/// The user or role that a question names, and the session of it.
fn principal_of(text: &str, account: &AccountId) -> Result<(EntityArn, Option<String>)> {
    let own = |kind_and_name: &str| format!("arn:aws:iam::{account}:{kind_and_name}");
    if let Some(rest) = text.strip_prefix("arn:aws:sts::")
        && let Some((account, session)) = rest.split_once(":assumed-role/")
        && let Some((role, session)) = session.split_once('/')
    {
        let role = format!("arn:aws:iam::{account}:role/{role}").parse()?;
        return Ok((role, Some(session.to_owned())));
    }
    let arn = if text.starts_with("arn:") {
        text.to_owned()
    } else if text.starts_with("user/") || text.starts_with("role/") {
        own(text)
    } else {
        return Err(Error::InvalidInput(format!(
            "'{}' is no principal; expected the ARN of a user or role, user/NAME or role/NAME",
            bonded_model::shown(text)
        )));
    };
    Ok((arn.parse()?, None))
}

/// The resource that a question names, as the action is checked on it.
fn resource_of(text: &str, account: &AccountId, region: &Region, action: &str) -> Result<String> {
    if resource_type(action) == ResourceType::Everything || text == "*" {
        return Ok("*".to_owned());
    }
    if text.starts_with("arn:") && text.splitn(6, ':').count() == 6 {
        return Ok(text.to_owned());
    }
    let name: RepositoryName = text.parse().map_err(|_| {
        Error::InvalidInput(format!(
            "'{}' is no resource; expected an ARN, the name of a repository, or '*'",
            bonded_model::shown(text)
        ))
    })?;
    let arn = RepositoryArn {
        region: region.clone(),
        account: account.clone(),
        name,
    };
    Ok(arn.to_string())
}

impl Target for AccessQuestion {}

impl Judged for AccessQuestion {
    type Found = AccessFound;

    async fn find(&self, registry: &Registry) -> Result<AccessFound> {
        Ok(AccessFound {
            principal: registry.find_entity(&self.principal).await?,
            resource: self.find_resource(registry).await?,
        })
    }

    /// The principal if it is the asker's, else the resource: whoever asks must own one of them.
    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &AccessFound, _: &Registry) -> Result<Vec<Resource>> {
        let (arn, account) = if self.is_of_asker() {
            (&self.principal.arn, &self.principal.account)
        } else {
            (&found.resource.arn, &found.resource.account)
        };
        Ok(vec![Resource::new(arn.clone(), account.clone())])
    }
}

impl AccessQuestion {
    /// The resource with its policies.
    async fn find_resource(&self, registry: &Registry) -> Result<Resource> {
        if let Ok(arn) = self.resource.parse::<RepositoryArn>() {
            let found = arn.find(registry).await?;
            return only(arn.resources(&found, registry)?);
        }
        let entity = self.resource.parse::<EntityArn>().ok();
        let assumes = self
            .action
            .to_ascii_lowercase()
            .starts_with("sts:assumerole");
        if let Some(role) = entity
            .as_ref()
            .filter(|e| assumes && e.kind == EntityKind::Role)
        {
            let role = RoleToAssume {
                arn: role.arn.clone(),
                account: role.account.clone(),
                name: role.name.clone(),
            };
            let found = role.find(registry).await?;
            return only(role.resources(&found, registry)?);
        }
        let mut resource = Resource::new(self.resource.clone(), self.owner());
        if let Some(entity) = entity.filter(|entity| entity.account == self.asker) {
            let found = registry.find_entity(&entity).await?;
            resource.context = found.map_or_else(ContextFacts::new, |found| found.context());
        }
        Ok(resource)
    }

    /// The account in the ARN of the resource; what has none is the principal's own.
    fn owner(&self) -> AccountId {
        let named = self.resource.split(':').nth(4);
        let named = named.and_then(|account| account.parse().ok());
        named.unwrap_or_else(|| self.principal.account.clone())
    }
}

fn only(mut resources: Vec<Resource>) -> Result<Resource> {
    let resource = resources.pop();
    resource.ok_or_else(|| StoreError::Corrupt("a target without resources".to_owned()).into())
}
