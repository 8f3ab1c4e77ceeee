//! The tags of IAM's things.

use bonded_model::ResourceTags;
use bonded_store::{StoreError, TagUpdate, Tagged};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::quota;
use crate::target::{InstanceProfileNamed, OidcProviderNamed, PolicyNamed, RoleNamed, UserNamed};

/// An [`Allowed`] thing that has tags.
pub trait TagHolder: sealed::Tags {}

impl TagHolder for Allowed<UserNamed> {}
impl TagHolder for Allowed<RoleNamed> {}
impl TagHolder for Allowed<PolicyNamed> {}
impl TagHolder for Allowed<InstanceProfileNamed> {}
impl TagHolder for Allowed<OidcProviderNamed> {}

mod sealed {
    use super::{
        Allowed, InstanceProfileNamed, OidcProviderNamed, PolicyNamed, ResourceTags, Result,
        RoleNamed, Tagged, UserNamed,
    };

    pub trait Tags: Sync {
        /// What it is, its id, and its tags.
        fn tags(&self) -> Result<(Tagged, String, &ResourceTags)>;
        /// Whether its tags may be changed: those of AWS's policies and of services' roles may not.
        fn check_changeable(&self) -> Result<()>;
        fn change(&self) -> bonded_store::Change;
    }

    impl Tags for Allowed<UserNamed> {
        fn tags(&self) -> Result<(Tagged, String, &ResourceTags)> {
            let found = self.user()?;
            Ok((Tagged::User, found.id.clone(), &found.tags))
        }

        fn check_changeable(&self) -> Result<()> {
            Ok(())
        }

        fn change(&self) -> bonded_store::Change {
            self.change()
        }
    }

    impl Tags for Allowed<RoleNamed> {
        fn tags(&self) -> Result<(Tagged, String, &ResourceTags)> {
            let found = self.role()?;
            Ok((Tagged::Role, found.id.clone(), &found.tags))
        }

        fn check_changeable(&self) -> Result<()> {
            self.own_role().map(drop)
        }

        fn change(&self) -> bonded_store::Change {
            self.change()
        }
    }

    impl Tags for Allowed<PolicyNamed> {
        fn tags(&self) -> Result<(Tagged, String, &ResourceTags)> {
            let found = self.policy()?;
            Ok((Tagged::ManagedPolicy, found.id.clone(), &found.tags))
        }

        fn check_changeable(&self) -> Result<()> {
            self.own_policy().map(drop)
        }

        fn change(&self) -> bonded_store::Change {
            self.change()
        }
    }

    impl Tags for Allowed<InstanceProfileNamed> {
        fn tags(&self) -> Result<(Tagged, String, &ResourceTags)> {
            let found = self.instance_profile()?;
            Ok((Tagged::InstanceProfile, found.id.clone(), &found.tags))
        }

        fn check_changeable(&self) -> Result<()> {
            Ok(())
        }

        fn change(&self) -> bonded_store::Change {
            self.change()
        }
    }

    impl Tags for Allowed<OidcProviderNamed> {
        fn tags(&self) -> Result<(Tagged, String, &ResourceTags)> {
            let found = self.oidc_provider()?;
            Ok((Tagged::OidcProvider, found.arn(), &found.tags))
        }

        fn check_changeable(&self) -> Result<()> {
            Ok(())
        }

        fn change(&self) -> bonded_store::Change {
            self.change()
        }
    }
}

impl Registry {
    /// Sets `tags` beside those that are there; keys are the same without regard to case.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::LimitExceeded`].
    pub async fn tag_identity(&self, allowed: &impl TagHolder, tags: ResourceTags) -> Result<()> {
        self.update_identity_tags(allowed, TagUpdate::Merge(tags))
            .await
    }

    /// Takes the tags with these keys away; absent keys are ignored.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn untag_identity(&self, allowed: &impl TagHolder, keys: Vec<String>) -> Result<()> {
        self.update_identity_tags(allowed, TagUpdate::Remove(keys))
            .await
    }

    /// The tags.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn identity_tags<'a>(&self, allowed: &'a impl TagHolder) -> Result<&'a ResourceTags> {
        allowed.tags().map(|(_, _, tags)| tags)
    }

    async fn update_identity_tags(
        &self,
        allowed: &impl TagHolder,
        update: TagUpdate,
    ) -> Result<()> {
        allowed.check_changeable()?;
        let (tagged, id, _) = allowed.tags()?;
        let set = self
            .store()
            .set_identity_tags(tagged, &id, update, &allowed.change())
            .await;
        match set {
            Err(StoreError::Conflict) => Err(Error::NoSuchEntity(
                "The entity was deleted while it was being tagged.".to_owned(),
            )),
            other => other?.map_err(|_| quota::TAGS.exceeded()),
        }
    }
}
