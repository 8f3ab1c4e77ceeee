//! AWS IAM: users, access keys, roles and inline policies. API version 2010-05-08.
//!
//! Constraints and texts are those of the IAM API reference; lists return the members the
//! reference says they return, which are fewer than those of the `Get` operations.

mod access_keys;
mod policies;
mod roles;
mod shapes;
mod users;

use super::operation::Endpoint;

/// The operations that are served, one line each.
pub(super) const OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<users::CreateUser>(),
    Endpoint::of::<users::GetUser>(),
    Endpoint::of::<users::ListUsers>(),
    Endpoint::of::<access_keys::CreateAccessKey>(),
    Endpoint::of::<access_keys::UpdateAccessKey>(),
    Endpoint::of::<access_keys::DeleteAccessKey>(),
    Endpoint::of::<roles::CreateRole>(),
    Endpoint::of::<roles::GetRole>(),
    Endpoint::of::<policies::PutUserPolicy>(),
    Endpoint::of::<policies::GetUserPolicy>(),
    Endpoint::of::<policies::DeleteUserPolicy>(),
    Endpoint::of::<policies::PutRolePolicy>(),
    Endpoint::of::<policies::GetRolePolicy>(),
    Endpoint::of::<policies::DeleteRolePolicy>(),
];
