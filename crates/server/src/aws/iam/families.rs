//! Families of operations: the same one for several kinds of things.
//!
//! IAM's API has `PutUserPolicy`, `PutGroupPolicy` and `PutRolePolicy`. Such a family is one generic
//! type over the kind; the names, actions and smallest inputs of its members stand here where they
//! follow from the kind, and beside the kind where they do more.

use bonded_registry::Action;
use serde::Serialize;

use super::named::{Named, OfGroup, OfInstanceProfile, OfOidcProvider, OfPolicy, OfRole, OfUser};

/// One member of a family.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) action: Action,
    pub(super) example: &'static str,
}

impl Call {
    /// `name` on the wire, judged as `action`; `example` is its smallest input.
    pub(super) const fn new(
        name: &'static str,
        action: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            action: Action::new(action),
            example,
        }
    }
}

/// What has policies: users, groups and roles.
pub(super) trait Holder: Named {
    const PUT: Call;
    const GET: Call;
    const DELETE: Call;
    const LIST: Call;
    const ATTACH: Call;
    const DETACH: Call;
    const LIST_ATTACHED: Call;

    /// The name as answers show it.
    fn shown(self) -> HolderName;
}

/// What has a permissions boundary: users and roles.
pub(super) trait Bounded: Named {
    const PUT_BOUNDARY: Call;
    const DELETE_BOUNDARY: Call;
}

/// What has tags.
pub(super) trait Tagged: Named {
    const TAG: Call;
    const UNTAG: Call;
    const LIST_TAGS: Call;
}

/// The name of a user, group or role in an answer.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HolderName {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_name: Option<String>,
}

/// The call `NAME`, whose action has the same name and whose smallest input has these members.
macro_rules! call {
    ($name:expr, $($member:expr),+) => {
        Call::new($name, concat!("iam:", $name), concat!("{", $($member),+, "}"))
    };
}

/// The calls about the policies of one kind of holder: what its names have in the middle, and the
/// member that names one.
macro_rules! holder {
    ($kind:ty, $field:ident, $noun:literal, $named:literal) => {
        impl Holder for $kind {
            const PUT: Call = call!(
                concat!("Put", $noun, "Policy"),
                $named,
                r#","PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}""#
            );
            const GET: Call = call!(
                concat!("Get", $noun, "Policy"),
                $named,
                r#","PolicyName":"pull""#
            );
            const DELETE: Call = call!(
                concat!("Delete", $noun, "Policy"),
                $named,
                r#","PolicyName":"pull""#
            );
            const LIST: Call = call!(concat!("List", $noun, "Policies"), $named);
            const ATTACH: Call = call!(
                concat!("Attach", $noun, "Policy"),
                $named,
                r#","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly""#
            );
            const DETACH: Call = call!(
                concat!("Detach", $noun, "Policy"),
                $named,
                r#","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly""#
            );
            const LIST_ATTACHED: Call = call!(concat!("ListAttached", $noun, "Policies"), $named);

            fn shown(self) -> HolderName {
                HolderName {
                    $field: Some(self.$field),
                    ..HolderName::default()
                }
            }
        }
    };
}

/// The calls about the boundary of one kind of principal.
macro_rules! bounded {
    ($kind:ty, $noun:literal, $named:literal) => {
        impl Bounded for $kind {
            const PUT_BOUNDARY: Call = call!(
                concat!("Put", $noun, "PermissionsBoundary"),
                $named,
                r#","PermissionsBoundary":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly""#
            );
            const DELETE_BOUNDARY: Call =
                call!(concat!("Delete", $noun, "PermissionsBoundary"), $named);
        }
    };
}

/// The calls about the tags of one kind of thing.
macro_rules! tagged {
    ($kind:ty, $noun:literal, $named:literal) => {
        impl Tagged for $kind {
            const TAG: Call = call!(
                concat!("Tag", $noun),
                $named,
                r#","Tags":[{"Key":"team","Value":"a"}]"#
            );
            const UNTAG: Call = call!(concat!("Untag", $noun), $named, r#","TagKeys":["team"]"#);
            const LIST_TAGS: Call = call!(concat!("List", $noun, "Tags"), $named);
        }
    };
}

holder!(OfUser, user_name, "User", r#""UserName":"alice""#);
holder!(OfGroup, group_name, "Group", r#""GroupName":"devs""#);
holder!(OfRole, role_name, "Role", r#""RoleName":"ci""#);

bounded!(OfUser, "User", r#""UserName":"alice""#);
bounded!(OfRole, "Role", r#""RoleName":"ci""#);

tagged!(OfUser, "User", r#""UserName":"alice""#);
tagged!(OfRole, "Role", r#""RoleName":"ci""#);
tagged!(
    OfPolicy,
    "Policy",
    r#""PolicyArn":"arn:aws:iam::111122223333:policy/pull""#
);
tagged!(
    OfInstanceProfile,
    "InstanceProfile",
    r#""InstanceProfileName":"node""#
);
tagged!(
    OfOidcProvider,
    "OpenIDConnectProvider",
    r#""OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com""#
);
