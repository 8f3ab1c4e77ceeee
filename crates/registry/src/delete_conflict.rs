//! IAM's texts for what cannot be deleted yet.

use bonded_store::InUse;

use crate::error::Error;

impl From<InUse> for Error {
    fn from(in_use: InUse) -> Self {
        let text = match in_use {
            InUse::AccessKeys => "Cannot delete entity, must delete access keys first.",
            InUse::ServiceTokens => {
                "Cannot delete entity, must delete service specific credentials first."
            }
            InUse::InlinePolicies => "Cannot delete entity, must delete policies first.",
            InUse::AttachedPolicies => "Cannot delete entity, must detach all policies first.",
            InUse::Groups | InUse::Users => {
                "Cannot delete entity, must remove users from group first."
            }
            InUse::InstanceProfiles | InUse::Roles => {
                "Cannot delete entity, must remove roles from instance profile first."
            }
            InUse::Attachments => "Cannot delete a policy attached to entities.",
            InUse::Versions => {
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
            }
        };
        Self::DeleteConflict(text.to_owned())
    }
}
