"""GetAccountAuthorizationDetails: all that has policies, with the policies."""

import json
from typing import Any

import pytest

from account import Account, allow, document, grant, refused
from server import Server

LISTS = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"]
POWER = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    """An account of its own, so that what it has is known."""
    return Account(server, server.create_account("888888888888"))


@pytest.fixture(scope="module")
def made(account: Account) -> dict[str, str]:
    iam = account.iam
    group = account.group("devs", allow("ecr:List*"))
    user = account.user("alice", allow("ecr:Get*"))
    limit = account.policy("limit", allow("ecr:*"))
    iam.create_policy_version(PolicyArn=limit, PolicyDocument=document(allow("*")), SetAsDefault=True)
    iam.add_user_to_group(GroupName=group, UserName=user.name)
    iam.attach_group_policy(GroupName=group, PolicyArn=POWER)
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=limit)
    iam.tag_user(UserName=user.name, Tags=[{"Key": "team", "Value": "a"}])
    role = account.role("ci", grant(user.arn, "sts:AssumeRole"), allow("ecr:Put*"))
    iam.attach_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyArn=limit)
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName=role.rsplit("/", 1)[1])
    return {"user": user.name, "user_arn": user.arn, "group": group, "role": role, "policy": limit}


def details(account: Account, *kinds: str) -> dict[str, Any]:
    answer = account.iam.get_account_authorization_details(**({"Filter": list(kinds)} if kinds else {}))
    assert not answer["IsTruncated"]
    return answer


def test_everything_is_told_with_its_policies(account: Account, made: dict[str, str]) -> None:
    answer = details(account)
    users = {user["UserName"]: user for user in answer["UserDetailList"]}
    assert users.keys() == {made["user"], "administrator"}
    user = users[made["user"]]
    assert user["UserPolicyList"] == [
        {"PolicyName": "inline", "PolicyDocument": json.loads(document(allow("ecr:Get*")))}
    ]
    assert user["GroupList"] == [made["group"]]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == made["policy"]
    assert user["Tags"] == [{"Key": "team", "Value": "a"}]
    (group,) = answer["GroupDetailList"]
    assert group["AttachedManagedPolicies"] == [{"PolicyName": POWER.rsplit("/", 1)[1], "PolicyArn": POWER}]
    assert group["GroupPolicyList"][0]["PolicyDocument"] == json.loads(document(allow("ecr:List*")))
    (role,) = answer["RoleDetailList"]
    assert role["Arn"] == made["role"]
    # Whom it trusts is shown by ARN, although it is saved by id.
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": made["user_arn"]}
    (profile,) = role["InstanceProfileList"]
    assert (profile["InstanceProfileName"], profile["Roles"][0]["Arn"]) == ("node", made["role"])
    assert role["AttachedManagedPolicies"][0]["PolicyArn"] == made["policy"]
    policies = {policy["Arn"]: policy for policy in answer["Policies"]}
    assert {made["policy"], POWER} <= policies.keys()
    own = policies[made["policy"]]
    assert (own["AttachmentCount"], own["PermissionsBoundaryUsageCount"]) == (1, 1)
    versions = own["PolicyVersionList"]
    assert [(version["VersionId"], version["IsDefaultVersion"]) for version in versions] == [
        ("v2", True),
        ("v1", False),
    ]
    assert versions[1]["Document"] == json.loads(document(allow("ecr:*")))


def test_a_filter_names_kinds(account: Account, made: dict[str, str]) -> None:
    for kind, filled in [("User", 0), ("Group", 1), ("Role", 2), ("LocalManagedPolicy", 3), ("AWSManagedPolicy", 3)]:
        answer = details(account, kind)
        assert [bool(answer[name]) for name in LISTS] == [index == filled for index in range(4)], kind
    own = [policy["Arn"] for policy in details(account, "LocalManagedPolicy")["Policies"]]
    assert own == [made["policy"]]
    assert made["policy"] not in [policy["Arn"] for policy in details(account, "AWSManagedPolicy")["Policies"]]
    with refused("ValidationError"):
        details(account, "Robot")


@pytest.mark.usefixtures("made")
def test_pages_give_each_thing_once(account: Account) -> None:
    whole = details(account)
    paginator = account.iam.get_paginator("get_account_authorization_details")
    for size in (1, 2, 3):
        pages = list(paginator.paginate(PaginationConfig={"PageSize": size}))
        for name in LISTS:
            assert [item["Arn"] for page in pages for item in page[name]] == [item["Arn"] for item in whole[name]]
        assert all(sum(len(page[name]) for name in LISTS) <= size for page in pages)
    with refused("ValidationError"):
        account.iam.get_account_authorization_details(Marker="x")


def test_it_takes_the_right_to_it(account: Account) -> None:
    user = account.user("auditor", allow("iam:List*"))
    with refused("AccessDenied"):
        account.server.client("iam", user.key).get_account_authorization_details()
    account.iam.delete_user_policy(UserName=user.name, PolicyName="inline")
