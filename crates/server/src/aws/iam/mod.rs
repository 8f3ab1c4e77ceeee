//! AWS IAM. API version 2010-05-08.
//!
//! Constraints and texts are those of the IAM API reference; lists return the members the
//! reference says they return, which are fewer than those of the `Get` operations.
//!
//! | file | subject |
//! |---|---|
//! | `named`, `families`, `shapes`, `page` | what operations name, and what they share |
//! | `path_lists`, `deletion`, `tags` | `List…`, `Delete…`, `Tag…` and `Untag…` of whatever has them |
//! | `users`, `groups`, `group_members`, `access_keys`, `service_tokens`, `service_token_lists`, `roles` | principals and their credentials |
//! | `inline_policies`, `managed_policies`, `policy_versions`, `attached_policies`, `policy_entities`, `boundaries` | their policies |
//! | `instance_profiles`, `service_linked_roles`, `oidc_providers`, `account`, `account_details` | the rest |
//! | `simulator`, `simulation_input`, `policy_exclusions`, `simulation_result` | the policy simulator |
//! | `absent` | what nobody has here, and tools ask for |

mod absent;
mod access_keys;
mod account;
mod account_details;
mod attached_policies;
mod boundaries;
mod deletion;
mod families;
mod group_members;
mod groups;
mod inline_policies;
mod instance_profiles;
mod managed_policies;
mod named;
mod oidc_providers;
mod page;
mod path_lists;
mod policy_entities;
mod policy_exclusions;
mod policy_versions;
mod roles;
mod service_linked_roles;
mod service_token_lists;
mod service_tokens;
mod shapes;
mod simulation_input;
mod simulation_result;
mod simulator;
mod tags;
mod users;

use super::operation::Endpoint;
use named::{OfGroup, OfInstanceProfile, OfOidcProvider, OfPolicy, OfRole, OfUser};

/// The operations that are served, one line each.
pub(super) const OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<users::CreateUser>(),
    Endpoint::of::<users::GetUser>(),
    Endpoint::of::<path_lists::ListByPath<OfUser>>(),
    Endpoint::of::<users::UpdateUser>(),
    Endpoint::of::<deletion::Delete<OfUser>>(),
    Endpoint::of::<groups::CreateGroup>(),
    Endpoint::of::<groups::GetGroup>(),
    Endpoint::of::<path_lists::ListByPath<OfGroup>>(),
    Endpoint::of::<groups::UpdateGroup>(),
    Endpoint::of::<deletion::Delete<OfGroup>>(),
    Endpoint::of::<group_members::AddUserToGroup>(),
    Endpoint::of::<group_members::RemoveUserFromGroup>(),
    Endpoint::of::<group_members::ListGroupsForUser>(),
    Endpoint::of::<access_keys::CreateAccessKey>(),
    Endpoint::of::<access_keys::ListAccessKeys>(),
    Endpoint::of::<access_keys::UpdateAccessKey>(),
    Endpoint::of::<access_keys::DeleteAccessKey>(),
    Endpoint::of::<access_keys::GetAccessKeyLastUsed>(),
    Endpoint::of::<service_tokens::CreateCredential>(),
    Endpoint::of::<service_tokens::ResetCredential>(),
    Endpoint::of::<service_tokens::UpdateCredential>(),
    Endpoint::of::<service_tokens::DeleteCredential>(),
    Endpoint::of::<service_token_lists::ListCredentials>(),
    Endpoint::of::<service_token_lists::ListTokens>(),
    Endpoint::of::<roles::CreateRole>(),
    Endpoint::of::<roles::GetRole>(),
    Endpoint::of::<path_lists::ListByPath<OfRole>>(),
    Endpoint::of::<roles::UpdateRole>(),
    Endpoint::of::<roles::UpdateRoleDescription>(),
    Endpoint::of::<roles::UpdateAssumeRolePolicy>(),
    Endpoint::of::<deletion::Delete<OfRole>>(),
    Endpoint::of::<inline_policies::PutPolicy<OfUser>>(),
    Endpoint::of::<inline_policies::PutPolicy<OfGroup>>(),
    Endpoint::of::<inline_policies::PutPolicy<OfRole>>(),
    Endpoint::of::<inline_policies::GetPolicy<OfUser>>(),
    Endpoint::of::<inline_policies::GetPolicy<OfGroup>>(),
    Endpoint::of::<inline_policies::GetPolicy<OfRole>>(),
    Endpoint::of::<inline_policies::DeletePolicy<OfUser>>(),
    Endpoint::of::<inline_policies::DeletePolicy<OfGroup>>(),
    Endpoint::of::<inline_policies::DeletePolicy<OfRole>>(),
    Endpoint::of::<inline_policies::ListPolicies<OfUser>>(),
    Endpoint::of::<inline_policies::ListPolicies<OfGroup>>(),
    Endpoint::of::<inline_policies::ListPolicies<OfRole>>(),
    Endpoint::of::<managed_policies::CreatePolicy>(),
    Endpoint::of::<managed_policies::GetPolicy>(),
    Endpoint::of::<managed_policies::ListPolicies>(),
    Endpoint::of::<deletion::Delete<OfPolicy>>(),
    Endpoint::of::<policy_versions::CreatePolicyVersion>(),
    Endpoint::of::<policy_versions::GetPolicyVersion>(),
    Endpoint::of::<policy_versions::ListPolicyVersions>(),
    Endpoint::of::<policy_versions::SetDefaultPolicyVersion>(),
    Endpoint::of::<policy_versions::DeletePolicyVersion>(),
    Endpoint::of::<policy_entities::ListEntitiesForPolicy>(),
    Endpoint::of::<attached_policies::AttachPolicy<OfUser>>(),
    Endpoint::of::<attached_policies::AttachPolicy<OfGroup>>(),
    Endpoint::of::<attached_policies::AttachPolicy<OfRole>>(),
    Endpoint::of::<attached_policies::DetachPolicy<OfUser>>(),
    Endpoint::of::<attached_policies::DetachPolicy<OfGroup>>(),
    Endpoint::of::<attached_policies::DetachPolicy<OfRole>>(),
    Endpoint::of::<attached_policies::ListAttachedPolicies<OfUser>>(),
    Endpoint::of::<attached_policies::ListAttachedPolicies<OfGroup>>(),
    Endpoint::of::<attached_policies::ListAttachedPolicies<OfRole>>(),
    Endpoint::of::<boundaries::PutBoundary<OfUser>>(),
    Endpoint::of::<boundaries::PutBoundary<OfRole>>(),
    Endpoint::of::<boundaries::DeleteBoundary<OfUser>>(),
    Endpoint::of::<boundaries::DeleteBoundary<OfRole>>(),
    Endpoint::of::<tags::TagIdentity<OfUser>>(),
    Endpoint::of::<tags::TagIdentity<OfRole>>(),
    Endpoint::of::<tags::TagIdentity<OfPolicy>>(),
    Endpoint::of::<tags::TagIdentity<OfInstanceProfile>>(),
    Endpoint::of::<tags::TagIdentity<OfOidcProvider>>(),
    Endpoint::of::<tags::UntagIdentity<OfUser>>(),
    Endpoint::of::<tags::UntagIdentity<OfRole>>(),
    Endpoint::of::<tags::UntagIdentity<OfPolicy>>(),
    Endpoint::of::<tags::UntagIdentity<OfInstanceProfile>>(),
    Endpoint::of::<tags::UntagIdentity<OfOidcProvider>>(),
    Endpoint::of::<tags::ListTags<OfUser>>(),
    Endpoint::of::<tags::ListTags<OfRole>>(),
    Endpoint::of::<tags::ListTags<OfPolicy>>(),
    Endpoint::of::<tags::ListTags<OfInstanceProfile>>(),
    Endpoint::of::<tags::ListTags<OfOidcProvider>>(),
    Endpoint::of::<instance_profiles::CreateInstanceProfile>(),
    Endpoint::of::<instance_profiles::GetInstanceProfile>(),
    Endpoint::of::<path_lists::ListByPath<OfInstanceProfile>>(),
    Endpoint::of::<instance_profiles::ListInstanceProfilesForRole>(),
    Endpoint::of::<instance_profiles::AddRoleToInstanceProfile>(),
    Endpoint::of::<instance_profiles::RemoveRoleFromInstanceProfile>(),
    Endpoint::of::<deletion::Delete<OfInstanceProfile>>(),
    Endpoint::of::<service_linked_roles::CreateServiceLinkedRole>(),
    Endpoint::of::<service_linked_roles::DeleteServiceLinkedRole>(),
    Endpoint::of::<service_linked_roles::GetServiceLinkedRoleDeletionStatus>(),
    Endpoint::of::<oidc_providers::CreateOidcProvider>(),
    Endpoint::of::<oidc_providers::GetOidcProvider>(),
    Endpoint::of::<oidc_providers::ListOidcProviders>(),
    Endpoint::of::<deletion::Delete<OfOidcProvider>>(),
    Endpoint::of::<oidc_providers::AddClientId>(),
    Endpoint::of::<oidc_providers::RemoveClientId>(),
    Endpoint::of::<oidc_providers::UpdateThumbprints>(),
    Endpoint::of::<account::CreateAccountAlias>(),
    Endpoint::of::<account::DeleteAccountAlias>(),
    Endpoint::of::<account::ListAccountAliases>(),
    Endpoint::of::<account::GetAccountSummary>(),
    Endpoint::of::<account_details::GetAccountAuthorizationDetails>(),
    Endpoint::of::<simulator::SimulateCustomPolicy>(),
    Endpoint::of::<simulator::SimulatePrincipalPolicy>(),
    Endpoint::of::<simulator::GetContextKeysForCustomPolicy>(),
    Endpoint::of::<simulator::GetContextKeysForPrincipalPolicy>(),
    Endpoint::of::<absent::ListOf<absent::MfaDevices>>(),
    Endpoint::of::<absent::ListOf<absent::SshPublicKeys>>(),
    Endpoint::of::<absent::ListOf<absent::Certificates>>(),
    Endpoint::of::<absent::ListVirtualMfaDevices>(),
    Endpoint::of::<absent::GetLoginProfile>(),
    Endpoint::of::<absent::DeleteLoginProfile>(),
];
