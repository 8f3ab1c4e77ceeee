"""What can be changed and deleted in IAM, and what stays: names, unique ids, roles of services, the account."""

import json
import re

import pytest

from account import Account, allow, document, grant, refused
from iam_calls import TRUST
from server import REGION
from test_iam_groups import DESCRIBE, may_describe

LISTS = ["list_mfa_devices", "list_ssh_public_keys", "list_signing_certificates", "list_service_specific_credentials"]


# ------------------------------------------------------------------------------------------------ users and keys


def test_a_user_is_renamed_and_keeps_its_rights_and_its_id(account: Account) -> None:
    user = account.user("before", allow(DESCRIBE))
    new = account.unique("After")
    account.iam.update_user(UserName=user.name, NewUserName=new, NewPath="/moved/")
    found = account.iam.get_user(UserName=new)["User"]
    assert found["Arn"] == f"arn:aws:iam::{account.id}:user/moved/{new}"
    assert may_describe(account, user.key)
    with refused("NoSuchEntity"):
        account.iam.get_user(UserName=user.name)
    taken = account.user("taken").name
    with refused("EntityAlreadyExists", f"User with name {taken} already exists."):
        account.iam.update_user(UserName=new, NewUserName=taken)


def test_a_user_in_use_is_not_deleted_and_then_is(account: Account) -> None:
    user, group = account.user("used", allow(DESCRIBE)), account.group("some")
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    steps = [
        (
            "Cannot delete entity, must delete access keys first.",
            lambda: account.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.id),
        ),
        (
            "Cannot delete entity, must delete policies first.",
            lambda: account.iam.delete_user_policy(UserName=user.name, PolicyName="inline"),
        ),
        (
            "Cannot delete entity, must remove users from group first.",
            lambda: account.iam.remove_user_from_group(GroupName=group, UserName=user.name),
        ),
    ]
    for text, step in steps:
        with refused("DeleteConflict", text) as error:
            account.iam.delete_user(UserName=user.name)
        assert error.status == 409
        step()
    account.iam.delete_user(UserName=user.name)
    with refused("NoSuchEntity", f"The user with name {user.name} cannot be found."):
        account.iam.delete_user(UserName=user.name)


def test_keys_are_listed_with_their_state_and_tell_their_last_use(account: Account) -> None:
    user = account.user("used", allow("iam:GetUser"))
    account.iam.create_access_key(UserName=user.name)
    unused = account.iam.get_access_key_last_used(AccessKeyId=user.key.id)
    assert unused["UserName"] == user.name
    assert (unused["AccessKeyLastUsed"]["ServiceName"], unused["AccessKeyLastUsed"]["Region"]) == ("N/A", "N/A")
    assert "LastUsedDate" not in unused["AccessKeyLastUsed"]
    account.server.client("iam", user.key).get_user()
    used = account.iam.get_access_key_last_used(AccessKeyId=user.key.id)["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("iam", REGION)
    account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Inactive")
    pages = account.iam.get_paginator("list_access_keys").paginate(UserName=user.name, PaginationConfig={"PageSize": 1})
    listed = [key for page in pages for key in page["AccessKeyMetadata"]]
    assert [key["Status"] for key in listed] == ["Inactive", "Active"]
    assert all("SecretAccessKey" not in key for key in listed)
    unknown = "AKIA" + "0" * 16
    with refused("ValidationError", f"The Access Key with id {unknown} cannot be found."):
        account.iam.get_access_key_last_used(AccessKeyId=unknown)


def test_another_account_learns_nothing_of_the_use_of_a_key(account: Account, other: Account) -> None:
    with refused("ValidationError"):
        other.iam.get_access_key_last_used(AccessKeyId=account.user("mine").key.id)


@pytest.mark.parametrize("call", LISTS)
def test_nobody_has_credentials_of_kinds_that_are_not_here(account: Account, call: str) -> None:
    user = account.user("plain")
    answer = getattr(account.iam, call)(UserName=user.name)
    assert answer["IsTruncated"] is False
    with refused("NoSuchEntity"):
        getattr(account.iam, call)(UserName="nobody")
    assert account.iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    for profile in (account.iam.get_login_profile, account.iam.delete_login_profile):
        with refused("NoSuchEntity", f"Login Profile for User {user.name} cannot be found."):
            profile(UserName=user.name)


# ------------------------------------------------------------------------------------------------ roles


def test_a_role_is_changed_and_deleted(account: Account) -> None:
    role = account.role("changed", None, allow(DESCRIBE))
    name = role.rsplit("/", 1)[1]
    key = account.assume(role)
    assert may_describe(account, key)
    account.iam.update_role(RoleName=name, Description="builds", MaxSessionDuration=7200)
    assert account.iam.update_role_description(RoleName=name, Description="tests")["Role"]["Description"] == "tests"
    found = account.iam.get_role(RoleName=name)["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("tests", 7200)
    assert found["RoleLastUsed"]["Region"] == REGION
    nobody = document(grant(account.user("trusted").arn, "sts:AssumeRole"))
    account.iam.update_assume_role_policy(RoleName=name, PolicyDocument=nobody)
    with refused("AccessDenied"):
        account.assume(role)
    assert may_describe(account, key)  # sessions stay
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first."):
        account.iam.delete_role(RoleName=name)
    account.iam.delete_role_policy(RoleName=name, PolicyName="inline")
    account.iam.delete_role(RoleName=name)
    with refused("UnrecognizedClientException"):
        account.server.client("ecr", key).describe_repositories()
    with refused("NoSuchEntity"):
        account.iam.delete_role(RoleName=name)


def test_roles_are_listed_in_pages_by_path(other: Account) -> None:
    names = [other.unique("listed") for _ in range(3)]
    for name in names:
        other.iam.create_role(
            RoleName=name, Path="/listed/", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v"}]
        )
    pages = list(
        other.iam.get_paginator("list_roles").paginate(PathPrefix="/listed/", PaginationConfig={"PageSize": 2})
    )
    listed = [role for page in pages for role in page["Roles"]]
    assert [role["RoleName"] for role in listed] == sorted(names)
    # Recorded: lists have neither tags nor boundary nor last use.
    assert all({"Tags", "PermissionsBoundary", "RoleLastUsed"}.isdisjoint(role) for role in listed)


@pytest.mark.parametrize("kind", ["user", "role", "policy"])
def test_things_are_tagged_and_untagged(account: Account, kind: str) -> None:
    named = {
        "user": lambda: {"UserName": account.user("tagged").name},
        "role": lambda: {"RoleName": account.role("tagged").rsplit("/", 1)[1]},
        "policy": lambda: {"PolicyArn": account.policy("tagged", allow("*"))},
    }[kind]()
    tag, untag, tags = (getattr(account.iam, name) for name in (f"tag_{kind}", f"untag_{kind}", f"list_{kind}_tags"))
    tag(**named, Tags=[{"Key": "Team", "Value": "a"}, {"Key": "env", "Value": "dev"}])
    tag(**named, Tags=[{"Key": "team", "Value": "b"}])
    assert tags(**named)["Tags"] == [{"Key": "env", "Value": "dev"}, {"Key": "team", "Value": "b"}]
    untag(**named, TagKeys=["ENV", "absent"])
    assert tags(**named)["Tags"] == [{"Key": "team", "Value": "b"}]
    with refused("LimitExceeded"):
        tag(**named, Tags=[{"Key": str(n), "Value": ""} for n in range(50)])
    with refused("ValidationError"):
        tag(**named, Tags=[{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}])


def test_who_may_change_only_tagged_users_changes_no_others(account: Account) -> None:
    condition = {"StringEquals": {"iam:ResourceTag/team": "a"}}
    delegate = account.user("delegate", allow("iam:DeleteUser", Condition=condition))
    iam = account.server.client("iam", delegate.key)
    mine, theirs = account.unique("mine"), account.unique("theirs")
    account.iam.create_user(UserName=mine, Tags=[{"Key": "team", "Value": "a"}])
    account.iam.create_user(UserName=theirs, Tags=[{"Key": "team", "Value": "b"}])
    iam.delete_user(UserName=mine)
    with refused("AccessDenied"):
        iam.delete_user(UserName=theirs)


# ------------------------------------------------------------------------------------------------ unique ids


def test_a_trust_policy_names_who_is_meant_and_nobody_of_the_same_name(account: Account) -> None:
    user = account.user("trusted")
    role = account.role("trusting", grant(user.arn, "sts:AssumeRole"))
    name = role.rsplit("/", 1)[1]
    old_id = account.iam.get_user(UserName=user.name)["User"]["UserId"]

    def trusts() -> str:
        shown = account.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        return shown["Statement"][0]["Principal"]["AWS"]

    assert trusts() == user.arn
    account.assume(role, user.key)
    new = account.unique("renamed")
    account.iam.update_user(UserName=user.name, NewUserName=new)
    assert trusts() == f"arn:aws:iam::{account.id}:user/{new}"
    account.assume(role, user.key)
    account.iam.delete_access_key(UserName=new, AccessKeyId=user.key.id)
    account.iam.delete_user(UserName=new)
    assert trusts() == old_id
    account.iam.create_user(UserName=new)
    account.iam.put_user_policy(UserName=new, PolicyName="p", PolicyDocument=document(allow("sts:*")))
    with refused("AccessDenied"):
        account.assume(role, account.access_key(new))
    assert trusts() == old_id


def test_a_repository_policy_names_who_is_meant_and_nobody_of_the_same_name(account: Account, other: Account) -> None:
    role = other.role("puller", None, allow("ecr:*"))
    repository = account.repository(policy=document(grant(role, "ecr:ListImages")))

    def named() -> str:
        text = account.ecr.get_repository_policy(repositoryName=repository)["policyText"]
        return json.loads(text)["Statement"][0]["Principal"]["AWS"]

    assert named() == role
    ecr = other.server.client("ecr", other.assume(role))
    ecr.list_images(registryId=account.id, repositoryName=repository)
    name = role.rsplit("/", 1)[1]
    other.iam.delete_role_policy(RoleName=name, PolicyName="inline")
    other.iam.delete_role(RoleName=name)
    assert re.fullmatch(r"AROA[A-Z0-9]{17}", named())
    other.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(grant(other.id, "sts:AssumeRole")))
    other.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("ecr:*")))
    with refused("AccessDeniedException"):
        other.server.client("ecr", other.assume(role)).list_images(registryId=account.id, repositoryName=repository)


# ------------------------------------------------------------------------------------------------ the rest


def test_an_instance_profile_holds_one_role(account: Account) -> None:
    name, role = account.unique("node"), account.role("node").rsplit("/", 1)[1]
    made = account.iam.create_instance_profile(InstanceProfileName=name, Path="/nodes/")["InstanceProfile"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:instance-profile/nodes/{name}"
    assert made["Roles"] == []
    with refused("EntityAlreadyExists"):
        account.iam.create_instance_profile(InstanceProfileName=name)
    account.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    with refused("LimitExceeded"):
        account.iam.add_role_to_instance_profile(
            InstanceProfileName=name, RoleName=account.role("second").rsplit("/", 1)[1]
        )
    (found,) = account.iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert (found["InstanceProfileName"], found["Roles"][0]["RoleName"]) == (name, role)
    assert account.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"] == found["Roles"]
    for call in (
        lambda: account.iam.delete_instance_profile(InstanceProfileName=name),
        lambda: account.iam.delete_role(RoleName=role),
    ):
        with refused("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first."):
            call()
    account.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
    account.iam.delete_instance_profile(InstanceProfileName=name)
    account.iam.delete_role(RoleName=role)
    with refused("NoSuchEntity", f"Instance Profile {name} cannot be found."):
        account.iam.get_instance_profile(InstanceProfileName=name)


@pytest.mark.parametrize(
    ("service", "role", "policy"),
    [
        ("ecr.amazonaws.com", "AWSServiceRoleForECRTemplate", "ECRTemplateServiceRolePolicy"),
        (
            "pullthroughcache.ecr.amazonaws.com",
            "AWSServiceRoleForECRPullThroughCache",
            "AWSECRPullThroughCache_ServiceRolePolicy",
        ),
        ("replication.ecr.amazonaws.com", "AWSServiceRoleForECRReplication", "ECRReplicationServiceRolePolicy"),
    ],
)
def test_the_role_of_a_service_lives_as_recorded(account: Account, service: str, role: str, policy: str) -> None:
    with refused("InvalidInput", f"Custom suffix is not allowed for {service}"):
        account.iam.create_service_linked_role(AWSServiceName=service, CustomSuffix="x")
    made = account.iam.create_service_linked_role(AWSServiceName=service)["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:role/aws-service-role/{service}/{role}"
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": service}
    taken = f"Service role name {role} has been taken in this account, please try a different suffix."
    with refused("InvalidInput", taken) as error:
        account.iam.create_service_linked_role(AWSServiceName=service)
    assert error.status == 400
    attached = account.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [entry["PolicyName"] for entry in attached] == [policy]
    for call in (
        lambda: account.iam.delete_role(RoleName=role),
        lambda: account.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("*"))),
        lambda: account.iam.detach_role_policy(RoleName=role, PolicyArn=attached[0]["PolicyArn"]),
        lambda: account.iam.update_assume_role_policy(RoleName=role, PolicyDocument=TRUST),
    ):
        with refused("UnmodifiableEntity"):
            call()
    task = account.iam.delete_service_linked_role(RoleName=role)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/{service}/{role}/")
    assert account.iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with refused("NoSuchEntity"):
        account.iam.get_role(RoleName=role)


def test_other_services_have_no_role(account: Account) -> None:
    with refused("InvalidInput"):
        account.iam.create_service_linked_role(AWSServiceName="batch.amazonaws.com")
    with refused("NoSuchEntity"):
        account.iam.get_service_linked_role_deletion_status(DeletionTaskId="task/x")
    with refused("NoSuchEntity"):
        account.iam.delete_service_linked_role(RoleName=account.role("mine").rsplit("/", 1)[1])
    with refused("ValidationError"):
        account.iam.create_role(
            RoleName=account.unique("mine"), Path="/aws-service-role/x/", AssumeRolePolicyDocument=TRUST
        )


def test_an_identity_provider_is_kept(account: Account) -> None:
    made = account.iam.create_open_id_connect_provider(
        Url="https://gitlab.example.com/", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{account.id}:oidc-provider/gitlab.example.com"
    with refused("EntityAlreadyExists"):
        account.iam.create_open_id_connect_provider(Url="https://gitlab.example.com")
    account.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="ci")
    account.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="ci")
    account.iam.remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com"
    )
    account.iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["f" * 40])
    found = account.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == (
        "gitlab.example.com",
        ["ci"],
        ["f" * 40],
    )
    account.iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert account.iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]
    assert [entry["Arn"] for entry in account.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]] == [
        arn
    ]
    account.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    account.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}"):
        account.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


@pytest.mark.parametrize("url", ["http://a.example", "a.example", "https://", "https://a.example?x=1", "https://a b"])
def test_what_is_no_url_of_a_provider_is_refused(account: Account, url: str) -> None:
    with refused("InvalidInput"):
        account.iam.create_open_id_connect_provider(Url=url)


def test_an_account_has_one_alias(account: Account, other: Account) -> None:
    account.iam.create_account_alias(AccountAlias="first-name")
    account.iam.create_account_alias(AccountAlias="second-name")
    assert account.iam.list_account_aliases()["AccountAliases"] == ["second-name"]
    with refused("EntityAlreadyExists", "The account alias second-name already exists.") as error:
        other.iam.create_account_alias(AccountAlias="second-name")
    assert error.status == 409
    with refused("NoSuchEntity"):
        account.iam.delete_account_alias(AccountAlias="first-name")
    account.iam.delete_account_alias(AccountAlias="second-name")
    assert account.iam.list_account_aliases()["AccountAliases"] == []
    for alias in ("ab", "-ab", "a--b", "Abc", "a" * 64):
        with refused("ValidationError"):
            account.iam.create_account_alias(AccountAlias=alias)


def test_the_summary_counts_what_there_is(other: Account) -> None:
    before = other.iam.get_account_summary()["SummaryMap"]
    other.user("counted")
    other.group("counted")
    other.policy("counted", allow("*"))
    after = other.iam.get_account_summary()["SummaryMap"]
    for name in ("Users", "Groups", "Policies", "PolicyVersionsInUse"):
        assert after[name] == before[name] + 1
    assert (after["UsersQuota"], after["AccessKeysPerUserQuota"]) == (5000, 2)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("CreateLoginProfile", {"UserName": "x", "Password": "x"}),
        ("CreateVirtualMFADevice", {"VirtualMFADeviceName": "x"}),
        ("ListServerCertificates", {}),
    ],
)
def test_what_makes_no_sense_here_is_refused_by_name(account: Account, name: str, parameters: dict) -> None:
    with refused("InvalidAction", f"the action '{name}' of AWS IAM is not served by this registry") as error:
        account.iam._make_api_call(name, parameters)
    assert error.status == 400
