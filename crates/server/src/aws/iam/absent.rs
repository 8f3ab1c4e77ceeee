//! What users of IAM may have and ours have not: passwords, second factors and certificates. The lists are empty and say so; tools that delete a user ask for them.

use std::marker::PhantomData;

use bonded_registry::target::{Everything, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::named::{Named as _, OfUser};
use super::shapes::{NoAnswer, user};
use crate::aws::Operation;
use crate::aws::query::List;

/// A kind of credential that no user has.
pub(super) trait Absent: Send + 'static {
    const NAME: &'static str;
    const ACTION: Action;
    /// The answer of its list.
    type Answer: Serialize + Default + Send;
}

macro_rules! absent {
    ($kind:ident, $name:literal, $action:literal, $answer:ident, $member:literal) => {
        #[doc = concat!("`", $name, "`.")]
        #[derive(Debug)]
        pub(super) struct $kind;

        #[doc = concat!("`", $name, "Response`.")]
        #[derive(Debug, Default, Serialize)]
        pub(super) struct $answer {
            #[serde(rename = $member)]
            list: List<String>,
            #[serde(rename = "IsTruncated")]
            is_truncated: bool,
        }

        impl Absent for $kind {
            const NAME: &'static str = $name;
            const ACTION: Action = Action::new($action);
            type Answer = $answer;
        }
    };
}

absent!(
    MfaDevices,
    "ListMFADevices",
    "iam:ListMFADevices",
    NoMfaDevices,
    "MFADevices"
);
absent!(
    SshPublicKeys,
    "ListSSHPublicKeys",
    "iam:ListSSHPublicKeys",
    NoSshPublicKeys,
    "SSHPublicKeys"
);
absent!(
    Certificates,
    "ListSigningCertificates",
    "iam:ListSigningCertificates",
    NoCertificates,
    "Certificates"
);

/// The list of a kind of credential of a user, by default of the caller.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOf<A> {
    user_name: Option<String>,
    #[serde(skip)]
    kind: PhantomData<fn() -> A>,
    /// Where the page begins does not matter in an empty list.
    #[serde(rename = "Marker")]
    _marker: Option<IgnoredAny>,
}

impl<A: Absent> Operation for ListOf<A> {
    const NAME: &'static str = A::NAME;
    const ACTION: Action = A::ACTION;
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = A::Answer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        let target = user(caller, self.user_name.as_deref())?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(self, _: &Registry, allowed: Allowed<UserNamed>) -> Result<A::Answer> {
        allowed.user()?;
        Ok(A::Answer::default())
    }
}

/// `ListVirtualMFADevices`, of the whole account.
#[derive(Debug, Deserialize)]
pub(super) struct ListVirtualMfaDevices {}

/// `ListVirtualMFADevicesResponse`.
#[derive(Debug, Default, Serialize)]
pub(super) struct NoVirtualMfaDevices {
    #[serde(rename = "VirtualMFADevices")]
    list: List<String>,
    #[serde(rename = "IsTruncated")]
    is_truncated: bool,
}

impl Operation for ListVirtualMfaDevices {
    const NAME: &'static str = "ListVirtualMFADevices";
    const ACTION: Action = Action::new("iam:ListVirtualMFADevices");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = NoVirtualMfaDevices;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, _: &Registry, _: Allowed<Everything>) -> Result<NoVirtualMfaDevices> {
        Ok(NoVirtualMfaDevices::default())
    }
}

/// `GetLoginProfile`.
#[derive(Debug, Deserialize)]
pub(super) struct GetLoginProfile {
    #[serde(flatten)]
    user: OfUser,
}

impl Operation for GetLoginProfile {
    const NAME: &'static str = "GetLoginProfile";
    const ACTION: Action = Action::new("iam:GetLoginProfile");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.user.target(caller)?))
    }

    async fn run(self, _: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        Err(no_login_profile(&allowed.user()?.name))
    }
}

/// `DeleteLoginProfile`.
#[derive(Debug, Deserialize)]
pub(super) struct DeleteLoginProfile {
    #[serde(flatten)]
    user: OfUser,
}

impl Operation for DeleteLoginProfile {
    const NAME: &'static str = "DeleteLoginProfile";
    const ACTION: Action = Action::new("iam:DeleteLoginProfile");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.user.target(caller)?))
    }

    async fn run(self, _: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        Err(no_login_profile(&allowed.user()?.name))
    }
}

fn no_login_profile(user: &str) -> Error {
    Error::NoSuchEntity(format!("Login Profile for User {user} cannot be found."))
}
