//! IAM's groups, managed policies, access keys, instance profiles and identity providers as
//! targets.

use bonded_model::{AccountId, PolicyArn, ResourceTags};
use bonded_store::{AccessKey, Group, InstanceProfile, ManagedPolicy, OidcProvider, User};

use super::sealed::Judged;
use super::{Resource, Target};
use crate::Registry;
use crate::context::{self, ContextFacts};
use crate::error::Result;

/// A group by name.
#[derive(Debug, Clone)]
pub struct GroupNamed {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account ignoring case.
    pub name: String,
    /// The path of a group that is to be made; an existing group's own path counts otherwise.
    pub path: String,
}

impl Target for GroupNamed {}

impl Judged for GroupNamed {
    type Found = Option<Group>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry
            .store()
            .find_group(&self.account, &self.name)
            .await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let found = found
            .as_ref()
            .map(|group| (group.arn(), ContextFacts::new()));
        let place = (&self.account, "group");
        Ok(vec![Resource::of_iam(
            place,
            (&self.path, &self.name),
            found,
        )])
    }
}

/// A managed policy by its ARN, as an account sees it. AWS's policies are judged as the account's
/// own.
#[derive(Debug, Clone)]
pub struct PolicyNamed {
    /// The ARN.
    pub arn: PolicyArn,
    /// The account that sees it.
    pub viewer: AccountId,
}

impl Target for PolicyNamed {}

impl Judged for PolicyNamed {
    type Found = Option<ManagedPolicy>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry
            .store()
            .find_managed_policy(&self.arn, &self.viewer)
            .await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let account = self.arn.owner.as_ref().unwrap_or(&self.viewer).clone();
        let tags = found.as_ref().map(|policy| &policy.tags);
        Ok(vec![tagged(self.arn.to_string(), account, tags)])
    }
}

/// An access key by its id, judged as its user; one of another account is as one that is not
/// there.
#[derive(Debug, Clone)]
pub struct AccessKeyNamed {
    /// The account that asks.
    pub account: AccountId,
    /// `AKIA…`
    pub id: String,
}

impl Target for AccessKeyNamed {}

impl Judged for AccessKeyNamed {
    type Found = Option<(AccessKey, User)>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        let found = registry.store().find_access_key_holder(&self.id).await?;
        Ok(found.filter(|(_, user)| user.account == self.account))
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let user = found.as_ref().map(|(_, user)| user);
        let tags = user.map(|user| &user.tags);
        Ok(vec![Resource {
            arn: user.map_or_else(|| "*".to_owned(), User::arn),
            ..tagged("*".to_owned(), self.account.clone(), tags)
        }])
    }
}

/// An instance profile by name.
#[derive(Debug, Clone)]
pub struct InstanceProfileNamed {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account ignoring case.
    pub name: String,
    /// The path of a profile that is to be made; an existing profile's own path counts otherwise.
    pub path: String,
}

impl Target for InstanceProfileNamed {}

impl Judged for InstanceProfileNamed {
    type Found = Option<InstanceProfile>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry
            .store()
            .find_instance_profile(&self.account, &self.name)
            .await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let found = found
            .as_ref()
            .map(|profile| (profile.arn(), context::of_principal_resource(&profile.tags)));
        let place = (&self.account, "instance-profile");
        Ok(vec![Resource::of_iam(
            place,
            (&self.path, &self.name),
            found,
        )])
    }
}

/// An OpenID Connect provider by its URL.
#[derive(Debug, Clone)]
pub struct OidcProviderNamed {
    /// The account.
    pub account: AccountId,
    /// The URL without `https://`.
    pub url: String,
}

impl OidcProviderNamed {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/URL`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, self.url)
    }
}

impl Target for OidcProviderNamed {}

impl Judged for OidcProviderNamed {
    type Found = Option<OidcProvider>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry.store().find_oidc_provider(&self.arn()).await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, _: &Registry) -> Result<Vec<Resource>> {
        let tags = found.as_ref().map(|provider| &provider.tags);
        Ok(vec![tagged(self.arn(), self.account.clone(), tags)])
    }
}

/// A federated user, as `GetFederationToken` makes one of a name.
#[derive(Debug, Clone)]
pub struct FederatedUserNamed {
    /// The account.
    pub account: AccountId,
    /// The name.
    pub name: String,
}

impl FederatedUserNamed {
    /// `arn:aws:sts::ACCOUNT:federated-user/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:sts::{}:federated-user/{}", self.account, self.name)
    }
}

impl Target for FederatedUserNamed {}

impl Judged for FederatedUserNamed {
    type Found = ();

    async fn find(&self, _: &Registry) -> Result<()> {
        Ok(())
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, (): &(), _: &Registry) -> Result<Vec<Resource>> {
        Ok(vec![Resource::new(self.arn(), self.account.clone())])
    }
}

/// A resource that has the tags of what was found.
fn tagged(arn: String, account: AccountId, tags: Option<&ResourceTags>) -> Resource {
    let context = tags.map(context::of_principal_resource).unwrap_or_default();
    Resource::new(arn, account).with(Vec::new(), context)
}
