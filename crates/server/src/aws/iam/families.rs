//! Families of operations: the same one for several kinds of things.
//!
//! IAM's API has `PutUserPolicy`, `PutGroupPolicy` and `PutRolePolicy`. Such a family is one generic
//! type over the kind; the names, actions and smallest inputs of its members stand here.

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
    const fn new(name: &'static str, action: &'static str, example: &'static str) -> Self {
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

impl Holder for OfUser {
    const PUT: Call = Call::new(
        "PutUserPolicy",
        "iam:PutUserPolicy",
        r#"{"UserName":"alice","PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#,
    );
    const GET: Call = Call::new(
        "GetUserPolicy",
        "iam:GetUserPolicy",
        r#"{"UserName":"alice","PolicyName":"pull"}"#,
    );
    const DELETE: Call = Call::new(
        "DeleteUserPolicy",
        "iam:DeleteUserPolicy",
        r#"{"UserName":"alice","PolicyName":"pull"}"#,
    );
    const LIST: Call = Call::new(
        "ListUserPolicies",
        "iam:ListUserPolicies",
        r#"{"UserName":"alice"}"#,
    );
    const ATTACH: Call = Call::new(
        "AttachUserPolicy",
        "iam:AttachUserPolicy",
        r#"{"UserName":"alice","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const DETACH: Call = Call::new(
        "DetachUserPolicy",
        "iam:DetachUserPolicy",
        r#"{"UserName":"alice","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const LIST_ATTACHED: Call = Call::new(
        "ListAttachedUserPolicies",
        "iam:ListAttachedUserPolicies",
        r#"{"UserName":"alice"}"#,
    );

    fn shown(self) -> HolderName {
        HolderName {
            user_name: Some(self.user_name),
            ..HolderName::default()
        }
    }
}

impl Holder for OfGroup {
    const PUT: Call = Call::new(
        "PutGroupPolicy",
        "iam:PutGroupPolicy",
        r#"{"GroupName":"devs","PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#,
    );
    const GET: Call = Call::new(
        "GetGroupPolicy",
        "iam:GetGroupPolicy",
        r#"{"GroupName":"devs","PolicyName":"pull"}"#,
    );
    const DELETE: Call = Call::new(
        "DeleteGroupPolicy",
        "iam:DeleteGroupPolicy",
        r#"{"GroupName":"devs","PolicyName":"pull"}"#,
    );
    const LIST: Call = Call::new(
        "ListGroupPolicies",
        "iam:ListGroupPolicies",
        r#"{"GroupName":"devs"}"#,
    );
    const ATTACH: Call = Call::new(
        "AttachGroupPolicy",
        "iam:AttachGroupPolicy",
        r#"{"GroupName":"devs","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const DETACH: Call = Call::new(
        "DetachGroupPolicy",
        "iam:DetachGroupPolicy",
        r#"{"GroupName":"devs","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const LIST_ATTACHED: Call = Call::new(
        "ListAttachedGroupPolicies",
        "iam:ListAttachedGroupPolicies",
        r#"{"GroupName":"devs"}"#,
    );

    fn shown(self) -> HolderName {
        HolderName {
            group_name: Some(self.group_name),
            ..HolderName::default()
        }
    }
}

impl Holder for OfRole {
    const PUT: Call = Call::new(
        "PutRolePolicy",
        "iam:PutRolePolicy",
        r#"{"RoleName":"ci","PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#,
    );
    const GET: Call = Call::new(
        "GetRolePolicy",
        "iam:GetRolePolicy",
        r#"{"RoleName":"ci","PolicyName":"pull"}"#,
    );
    const DELETE: Call = Call::new(
        "DeleteRolePolicy",
        "iam:DeleteRolePolicy",
        r#"{"RoleName":"ci","PolicyName":"pull"}"#,
    );
    const LIST: Call = Call::new(
        "ListRolePolicies",
        "iam:ListRolePolicies",
        r#"{"RoleName":"ci"}"#,
    );
    const ATTACH: Call = Call::new(
        "AttachRolePolicy",
        "iam:AttachRolePolicy",
        r#"{"RoleName":"ci","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const DETACH: Call = Call::new(
        "DetachRolePolicy",
        "iam:DetachRolePolicy",
        r#"{"RoleName":"ci","PolicyArn":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const LIST_ATTACHED: Call = Call::new(
        "ListAttachedRolePolicies",
        "iam:ListAttachedRolePolicies",
        r#"{"RoleName":"ci"}"#,
    );

    fn shown(self) -> HolderName {
        HolderName {
            role_name: Some(self.role_name),
            ..HolderName::default()
        }
    }
}

impl Bounded for OfUser {
    const PUT_BOUNDARY: Call = Call::new(
        "PutUserPermissionsBoundary",
        "iam:PutUserPermissionsBoundary",
        r#"{"UserName":"alice","PermissionsBoundary":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const DELETE_BOUNDARY: Call = Call::new(
        "DeleteUserPermissionsBoundary",
        "iam:DeleteUserPermissionsBoundary",
        r#"{"UserName":"alice"}"#,
    );
}

impl Bounded for OfRole {
    const PUT_BOUNDARY: Call = Call::new(
        "PutRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        r#"{"RoleName":"ci","PermissionsBoundary":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}"#,
    );
    const DELETE_BOUNDARY: Call = Call::new(
        "DeleteRolePermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary",
        r#"{"RoleName":"ci"}"#,
    );
}

impl Tagged for OfUser {
    const TAG: Call = Call::new(
        "TagUser",
        "iam:TagUser",
        r#"{"UserName":"alice","Tags":[{"Key":"team","Value":"a"}]}"#,
    );
    const UNTAG: Call = Call::new(
        "UntagUser",
        "iam:UntagUser",
        r#"{"UserName":"alice","TagKeys":["team"]}"#,
    );
    const LIST_TAGS: Call = Call::new(
        "ListUserTags",
        "iam:ListUserTags",
        r#"{"UserName":"alice"}"#,
    );
}

impl Tagged for OfRole {
    const TAG: Call = Call::new(
        "TagRole",
        "iam:TagRole",
        r#"{"RoleName":"ci","Tags":[{"Key":"team","Value":"a"}]}"#,
    );
    const UNTAG: Call = Call::new(
        "UntagRole",
        "iam:UntagRole",
        r#"{"RoleName":"ci","TagKeys":["team"]}"#,
    );
    const LIST_TAGS: Call = Call::new("ListRoleTags", "iam:ListRoleTags", r#"{"RoleName":"ci"}"#);
}

impl Tagged for OfPolicy {
    const TAG: Call = Call::new(
        "TagPolicy",
        "iam:TagPolicy",
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull","Tags":[{"Key":"team","Value":"a"}]}"#,
    );
    const UNTAG: Call = Call::new(
        "UntagPolicy",
        "iam:UntagPolicy",
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull","TagKeys":["team"]}"#,
    );
    const LIST_TAGS: Call = Call::new(
        "ListPolicyTags",
        "iam:ListPolicyTags",
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull"}"#,
    );
}

impl Tagged for OfInstanceProfile {
    const TAG: Call = Call::new(
        "TagInstanceProfile",
        "iam:TagInstanceProfile",
        r#"{"InstanceProfileName":"node","Tags":[{"Key":"team","Value":"a"}]}"#,
    );
    const UNTAG: Call = Call::new(
        "UntagInstanceProfile",
        "iam:UntagInstanceProfile",
        r#"{"InstanceProfileName":"node","TagKeys":["team"]}"#,
    );
    const LIST_TAGS: Call = Call::new(
        "ListInstanceProfileTags",
        "iam:ListInstanceProfileTags",
        r#"{"InstanceProfileName":"node"}"#,
    );
}

impl Tagged for OfOidcProvider {
    const TAG: Call = Call::new(
        "TagOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
        r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com","Tags":[{"Key":"team","Value":"a"}]}"#,
    );
    const UNTAG: Call = Call::new(
        "UntagOpenIDConnectProvider",
        "iam:UntagOpenIDConnectProvider",
        r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com","TagKeys":["team"]}"#,
    );
    const LIST_TAGS: Call = Call::new(
        "ListOpenIDConnectProviderTags",
        "iam:ListOpenIDConnectProviderTags",
        r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com"}"#,
    );
}
