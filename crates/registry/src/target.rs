//! What an operation acts on: the kinds of [`Target`], and what is looked up for each before its
//! policies are evaluated.
//!
//! Looking up costs the same statements whether the thing exists or not, so that neither the
//! answer nor its time tells a caller without rights (security.md, "Existence").
//!
//! What conditions on images ask for is looked at only where it decides, in a second step that
//! brings what was found up to its snapshot: what is judged is what is served.

mod identities;
mod images;
mod layers;
mod policy_source;
mod push;

use std::future::Future;

use bonded_model::{AccountId, Region, RepositoryArn, RepositoryName};
use bonded_store::{Repository, RepositoryId, Role, User};

use crate::Registry;
use crate::caller::Caller;
use crate::compiled::Labelled;
use crate::context::{self, ContextFacts, Fact};
use crate::error::{Error, Result};

pub use identities::{
    AccessKeyNamed, FederatedUserNamed, GroupNamed, InstanceProfileNamed, OidcProviderNamed,
    PolicyNamed,
};
pub use images::{ImageId, ImageIn, ImagesIn, Resolved, SubjectIn};
pub use layers::{LayerIn, LayersIn};
pub use policy_source::{Entity, EntityArn, EntityKind, PolicySource};
pub use push::ImageToPut;

/// What a check is made on. Sealed: the kinds are those of this module.
pub trait Target: sealed::Judged {}

/// One resource as the policy engine sees it.
pub(crate) struct Resource {
    /// Its ARN, or `*`.
    pub(crate) arn: String,
    /// What a denial calls it: the ARN as far as the request itself names it.
    pub(crate) told: String,
    /// The account that owns it.
    pub(crate) account: AccountId,
    /// The policies attached to it.
    pub(crate) policies: Vec<Labelled>,
    /// The context keys it brings.
    pub(crate) context: ContextFacts,
    /// Those that the request itself brings with it, which need no looking up.
    pub(crate) named: ContextFacts,
    /// Whether it is an image, or a layer of one, so that it has the keys of images.
    pub(crate) of_image: bool,
}

impl Resource {
    /// One without a policy or context keys of its own, that is told by its ARN.
    pub(crate) fn new(arn: String, account: AccountId) -> Self {
        Self {
            told: arn.clone(),
            arn,
            account,
            policies: Vec::new(),
            context: ContextFacts::new(),
            named: ContextFacts::new(),
            of_image: false,
        }
    }

    /// A thing of IAM's that a request names: `KIND` with a path and a name. If it was found, its
    /// own ARN counts and it brings context keys.
    fn of_iam(
        (account, kind): (&AccountId, &str),
        (path, name): (&str, &str),
        found: Option<(String, ContextFacts)>,
    ) -> Self {
        let told = format!("arn:aws:iam::{account}:{kind}{path}{name}");
        let resource = Self::new(told, account.clone());
        match found {
            Some((arn, context)) => Self {
                arn,
                context,
                ..resource
            },
            None => resource,
        }
    }

    /// With these policies and context keys.
    pub(crate) fn with(self, policies: Vec<Labelled>, context: ContextFacts) -> Self {
        Self {
            policies,
            context,
            ..self
        }
    }

    /// The context keys it brings, its account among them.
    pub(crate) fn facts(&self) -> ContextFacts {
        let mut facts = self.context.clone();
        let account = Fact::One(self.account.to_string());
        facts.insert("aws:ResourceAccount".to_owned(), account);
        facts
    }
}

pub(crate) mod sealed {
    use super::{Future, Registry, Resource, Result};
    use crate::judge::{Look, Seen};

    /// How a target is found and judged; not nameable outside the crate.
    pub trait Judged: Send + Sync + Sized {
        /// What was looked up; use cases go on with it and look nothing up twice.
        type Found: Send + Sync;

        /// Looks the target up. Absence is a value, not an error.
        fn find(&self, registry: &Registry) -> impl Future<Output = Result<Self::Found>> + Send;

        /// The resources whose policies decide, at least one.
        #[expect(
            private_interfaces,
            reason = "the module is crate-private: nobody outside can call it"
        )]
        fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>>;

        /// Whether a pull of it may wait for a scan.
        const AWAITS_SCANS: bool = false;

        /// Looks at the images of the resources, one answer for each; only if that decides. Brings
        /// `found` up to the snapshot it looked at.
        fn look(
            &self,
            found: &mut Self::Found,
            look: &Look<'_>,
        ) -> impl Future<Output = Result<Vec<Seen>>> + Send {
            let _ = (found, look);
            std::future::ready(Ok(Vec::new()))
        }
    }
}

use sealed::Judged;

fn repository_resource(
    arn: &RepositoryArn,
    found: Option<&Repository>,
    registry: &Registry,
) -> Result<Resource> {
    let mut policies = Vec::new();
    let mut facts = ContextFacts::new();
    if let Some(repository) = found {
        facts = context::of_repository_tags(&repository.tags);
        if let Some(version) = &repository.policy {
            policies.push(
                registry
                    .compiled()
                    .policy("repository policy".to_owned(), version)?,
            );
        }
    }
    Ok(Resource::new(arn.to_string(), arn.account.clone()).with(policies, facts))
}

/// The id of a repository, or one that no repository has.
fn id_of(found: Option<&Repository>) -> RepositoryId {
    found.map_or_else(RepositoryId::nowhere, |repository| repository.id.clone())
}

impl Target for RepositoryArn {}

impl Judged for RepositoryArn {
    type Found = Option<Repository>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry.store().find_repository(self).await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        Ok(vec![repository_resource(self, found.as_ref(), registry)?])
    }
}

/// Several repositories of one registry.
#[derive(Debug, Clone)]
pub struct Repositories(Range);

#[derive(Debug, Clone)]
pub(crate) enum Range {
    /// Those the request names, at least one: each is checked.
    Named(AccountId, Region, Vec<RepositoryName>),
    /// All: the check is made on `arn:aws:ecr:REGION:ACCOUNT:repository/*`.
    All(AccountId, Region),
}

impl Repositories {
    /// The repositories of a request.
    ///
    /// # Errors
    /// The list is empty: an empty list has nothing to check, so it must not be allowed.
    pub fn named(account: AccountId, region: Region, names: Vec<RepositoryName>) -> Result<Self> {
        if names.is_empty() {
            return Err(Error::parameter(
                "repositoryNames",
                "Member must have length greater than or equal to 1",
            ));
        }
        Ok(Self(Range::Named(account, region, names)))
    }

    /// All repositories of a registry.
    #[must_use]
    pub fn all(account: AccountId, region: Region) -> Self {
        Self(Range::All(account, region))
    }

    pub(crate) fn range(&self) -> &Range {
        &self.0
    }
}

impl Target for Repositories {}

impl Judged for Repositories {
    type Found = Vec<(RepositoryArn, Option<Repository>)>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        let Range::Named(account, region, names) = &self.0 else {
            return Ok(Vec::new());
        };
        let found = registry
            .store()
            .find_repositories(account, region, names)
            .await?;
        let arn = |name: &RepositoryName| RepositoryArn {
            region: region.clone(),
            account: account.clone(),
            name: name.clone(),
        };
        Ok(names.iter().map(arn).zip(found).collect())
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        if let Range::All(account, region) = &self.0 {
            let all = format!("arn:aws:ecr:{region}:{account}:repository/*");
            return Ok(vec![Resource::new(all, account.clone())]);
        }
        found
            .iter()
            .map(|(arn, row)| repository_resource(arn, row.as_ref(), registry))
            .collect()
    }
}

/// No resource: an action that policies grant on `*` only, in the caller's account.
#[derive(Debug, Clone)]
pub struct Everything(pub AccountId);

impl Everything {
    /// In the account of `caller`.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        Self(caller.account().clone())
    }
}

impl Target for Everything {}

impl Judged for Everything {
    type Found = ();

    async fn find(&self, _: &Registry) -> Result<()> {
        Ok(())
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, (): &(), _: &Registry) -> Result<Vec<Resource>> {
        Ok(vec![Resource::new("*".to_owned(), self.0.clone())])
    }
}

/// A user by name.
#[derive(Debug, Clone)]
pub struct UserNamed {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account ignoring case.
    pub name: String,
    /// The path of a user that is to be made; an existing user's own path counts otherwise.
    pub path: String,
}

impl Target for UserNamed {}

impl Judged for UserNamed {
    type Found = Option<User>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry
            .store()
            .find_user(&self.account, &self.name)
            .await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let found = found.as_ref().map(|user| {
            let context = context::of_bounded_resource(&user.tags, user.boundary.as_ref());
            (user.arn(), context)
        });
        let place = (&self.account, "user");
        Ok(vec![Resource::of_iam(
            place,
            (&self.path, &self.name),
            found,
        )])
    }
}

/// A role by name.
#[derive(Debug, Clone)]
pub struct RoleNamed {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account ignoring case.
    pub name: String,
    /// The path of a role that is to be made; an existing role's own path counts otherwise.
    pub path: String,
}

impl Target for RoleNamed {}

impl Judged for RoleNamed {
    type Found = Option<Role>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry
            .store()
            .find_role(&self.account, &self.name)
            .await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let found = found.as_ref().map(|role| {
            let context = context::of_bounded_resource(&role.tags, role.boundary.as_ref());
            (role.arn(), context)
        });
        let place = (&self.account, "role");
        Ok(vec![Resource::of_iam(
            place,
            (&self.path, &self.name),
            found,
        )])
    }
}

/// A role that is to be assumed: its trust policy decides with the caller's own policies.
#[derive(Debug, Clone)]
pub struct RoleToAssume {
    /// The ARN as the request has it.
    pub arn: String,
    /// The account in the ARN.
    pub account: AccountId,
    /// The name in the ARN, without its path.
    pub name: String,
}

impl Target for RoleToAssume {}

impl Judged for RoleToAssume {
    type Found = Option<Role>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        let role = registry
            .store()
            .find_role(&self.account, &self.name)
            .await?;
        Ok(role.filter(|role| role.arn() == self.arn))
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let mut policies = Vec::new();
        let mut facts = ContextFacts::new();
        if let Some(role) = found {
            policies.push(
                registry
                    .compiled()
                    .policy("trust policy".to_owned(), &role.trust)?,
            );
            facts = context::of_principal_resource(&role.tags);
        }
        let resource = Resource::new(self.arn.clone(), self.account.clone());
        Ok(vec![resource.with(policies, facts)])
    }
}
