"""IAM's managed policies: versions, who has them, boundaries, and those of AWS."""

import json
import re

import pytest

from account import Account, allow, deny, document, refused
from test_iam_groups import DESCRIBE, may_describe

PULL_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
KINDS = ["user", "group", "role"]


def holder(account: Account, kind: str) -> dict[str, str]:
    """A new user, group or role as the parameter that names it."""
    made = {
        "user": lambda: account.user("holder").name,
        "group": lambda: account.group("holder"),
        "role": lambda: account.role("holder").rsplit("/", 1)[1],
    }
    return {f"{kind.capitalize()}Name": made[kind]()}


def test_a_policy_is_made_found_listed_and_deleted(account: Account) -> None:
    name, text = account.unique("Pull"), document(allow("ecr:*"))
    made = account.iam.create_policy(
        PolicyName=name, Path="/ci/", PolicyDocument=text, Description="pulls", Tags=[{"Key": "team", "Value": "a"}]
    )["Policy"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:policy/ci/{name}"
    assert re.fullmatch(r"ANPA[A-Z0-9]{17}", made["PolicyId"])
    assert (made["DefaultVersionId"], made["AttachmentCount"], made["IsAttachable"]) == ("v1", 0, True)
    assert "Description" not in made  # recorded: CreatePolicy does not answer it
    found = account.iam.get_policy(PolicyArn=made["Arn"])["Policy"]
    assert (found["Description"], found["Tags"]) == ("pulls", [{"Key": "team", "Value": "a"}])
    version = account.iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(text), True)
    (listed,) = account.iam.list_policies(Scope="Local", PathPrefix="/ci/")["Policies"]
    assert listed["Arn"] == made["Arn"]
    assert {"Tags", "Description"}.isdisjoint(listed)
    with refused(
        "EntityAlreadyExists", f"A policy called {name.lower()} already exists. Duplicate names are not allowed."
    ):
        account.iam.create_policy(PolicyName=name.lower(), PolicyDocument=text)
    account.iam.delete_policy(PolicyArn=made["Arn"])
    for call in (account.iam.get_policy, account.iam.delete_policy):
        with refused("NoSuchEntity", f"Policy {made['Arn']} was not found.") as error:
            call(PolicyArn=made["Arn"])
        assert error.status == 404


@pytest.mark.parametrize("arn", ["", "pull", "arn:aws:iam::111111111111:role/x", "arn:aws:iam::1:policy/x"])
def test_what_is_no_arn_of_a_policy_is_refused(account: Account, arn: str) -> None:
    user = account.user("holder")
    for call in (
        lambda: account.iam.get_policy(PolicyArn=arn),
        lambda: account.iam.attach_user_policy(UserName=user.name, PolicyArn=arn),
    ):
        with refused("ValidationError", "Invalid ARN:  Could not be parsed!"):
            call()


def test_a_policy_has_five_versions_and_one_holds(account: Account) -> None:
    arn = account.policy("versioned", allow(DESCRIBE))
    user = account.user("reader")
    account.iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    assert may_describe(account, user.key)
    denying = document(deny(DESCRIBE))
    second = account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=denying)["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    assert may_describe(account, user.key)
    account.iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert not may_describe(account, user.key)
    with refused("DeleteConflict", "Cannot delete the default version of a policy.") as error:
        account.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    assert error.status == 409
    for _ in range(3):
        account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=denying, SetAsDefault=True)
    text = (
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
        "version."
    )
    with refused("LimitExceeded", text) as error:
        account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=denying)
    assert error.status == 409
    pages = account.iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
    versions = [version for page in pages for version in page["Versions"]]
    assert [version["VersionId"] for version in versions] == ["v5", "v4", "v3", "v2", "v1"]
    assert [version["IsDefaultVersion"] for version in versions] == [True, False, False, False, False]
    account.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert may_describe(account, user.key)
    account.iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    assert (
        account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=denying)["PolicyVersion"]["VersionId"] == "v6"
    )
    with refused("NoSuchEntity"):
        account.iam.get_policy_version(PolicyArn=arn, VersionId="v5")
    with refused("ValidationError"):
        account.iam.get_policy_version(PolicyArn=arn, VersionId="5")


def test_a_policy_in_use_is_not_deleted(account: Account) -> None:
    arn = account.policy("used", allow(DESCRIBE))
    account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("*")))
    user = account.user("holder")
    account.iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    with refused("DeleteConflict", "Cannot delete a policy attached to entities."):
        account.iam.delete_policy(PolicyArn=arn)
    account.iam.detach_user_policy(UserName=user.name, PolicyArn=arn)
    account.iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=arn)
    with refused("DeleteConflict", "Cannot delete a policy attached to entities."):
        account.iam.delete_policy(PolicyArn=arn)
    account.iam.delete_user_permissions_boundary(UserName=user.name)
    with refused("DeleteConflict") as error:
        account.iam.delete_policy(PolicyArn=arn)
    assert error.message.startswith("This policy has more than one version.")
    account.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    account.iam.delete_policy(PolicyArn=arn)


@pytest.mark.parametrize("kind", KINDS)
def test_policies_are_attached_listed_and_detached(account: Account, kind: str) -> None:
    named = holder(account, kind)
    attach, detach, list_attached = (
        getattr(account.iam, name)
        for name in (f"attach_{kind}_policy", f"detach_{kind}_policy", f"list_attached_{kind}_policies")
    )
    arns = sorted([account.policy("one-of-ten", allow(DESCRIBE)) for _ in range(9)] + [PULL_ONLY])
    for arn in [*arns, arns[0]]:
        attach(**named, PolicyArn=arn)
    quota = f"Cannot exceed quota for Policies{'Per' + kind.capitalize()}: 10"
    with refused("LimitExceeded", quota):
        attach(**named, PolicyArn=account.policy("eleventh", allow(DESCRIBE)))
    pages = account.iam.get_paginator(f"list_attached_{kind}_policies").paginate(
        **named, PaginationConfig={"PageSize": 4}
    )
    attached = [policy for page in pages for policy in page["AttachedPolicies"]]
    assert sorted(policy["PolicyArn"] for policy in attached) == arns
    assert all(policy["PolicyArn"].endswith(f"/{policy['PolicyName']}") for policy in attached)
    assert list_attached(**named, PathPrefix="/none/")["AttachedPolicies"] == []
    own = next(arn for arn in arns if arn != PULL_ONLY)
    entities = account.iam.list_entities_for_policy(PolicyArn=own)
    (entity,) = entities[f"Policy{kind.capitalize()}s"]
    assert entity[f"{kind.capitalize()}Name"] == named[f"{kind.capitalize()}Name"]
    only = account.iam.list_entities_for_policy(PolicyArn=own, EntityFilter=kind.capitalize())
    assert only[f"Policy{kind.capitalize()}s"] == [entity]
    assert account.iam.get_policy(PolicyArn=own)["Policy"]["AttachmentCount"] == 1
    with refused("DeleteConflict", "Cannot delete entity, must detach all policies first."):
        getattr(account.iam, f"delete_{kind}")(**named) if kind != "user" else delete_user(account, named)
    detach(**named, PolicyArn=own)
    with refused("NoSuchEntity", f"Policy {own} was not found."):
        detach(**named, PolicyArn=own)


def delete_user(account: Account, named: dict[str, str]) -> None:
    for key in account.iam.list_access_keys(**named)["AccessKeyMetadata"]:
        account.iam.delete_access_key(**named, AccessKeyId=key["AccessKeyId"])
    account.iam.delete_user(**named)


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_that_is_not_there_is_not_attached(account: Account, other: Account, kind: str) -> None:
    attach = getattr(account.iam, f"attach_{kind}_policy")
    theirs = other.policy("theirs", allow(DESCRIBE))
    for arn in (f"arn:aws:iam::{account.id}:policy/absent", "arn:aws:iam::aws:policy/Absent", theirs):
        with refused("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.") as error:
            attach(**holder(account, kind), PolicyArn=arn)
        assert error.status == 404
    kept = "arn:aws:iam::aws:policy/aws-service-role/ECRReplicationServiceRolePolicy"
    with refused("PolicyNotAttachable"):
        attach(**holder(account, kind), PolicyArn=kept)


# ------------------------------------------------------------------------------------------------ AWS's


def test_the_policies_of_aws_for_ecr_are_there(account: Account) -> None:
    pages = account.iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 4})
    arns = {policy["Arn"] for page in pages for policy in page["Policies"]}
    for name in ("FullAccess", "PowerUser", "ReadOnly", "PullOnly"):
        assert f"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistry{name}" in arns
    for arn in arns:
        policy = account.iam.get_policy(PolicyArn=arn)["Policy"]
        version = account.iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])
        assert version["PolicyVersion"]["Document"]["Version"] == "2012-10-17"


@pytest.mark.parametrize(
    ("policy", "pulls", "pushes", "deletes"),
    [("PullOnly", True, False, False), ("PowerUser", True, True, False), ("FullAccess", True, True, True)],
)
def test_the_policies_of_aws_allow_what_they_say(
    account: Account, policy: str, pulls: bool, pushes: bool, deletes: bool
) -> None:
    repository = account.repository()
    account.server.push_and_pull(account.key).push(repository, "v1", b"layer")
    user = account.user(policy)
    account.iam.attach_user_policy(
        UserName=user.name, PolicyArn=f"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistry{policy}"
    )
    door = account.server.push_and_pull(user.key)
    assert (door.pull(repository, "v1").status_code == 200) is pulls
    begun = door.request("POST", f"/v2/{repository}/blobs/uploads/")
    assert (begun.status_code == 202) is pushes
    ecr = account.server.client("ecr", user.key)
    try:
        ecr.delete_repository(repositoryName=repository, force=True)
        deleted = True
    except ecr.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        deleted = False
    assert deleted is deletes


def test_nobody_changes_a_policy_of_aws(account: Account) -> None:
    text = document(allow("*"))
    for call in (
        lambda: account.iam.delete_policy(PolicyArn=PULL_ONLY),
        lambda: account.iam.create_policy_version(PolicyArn=PULL_ONLY, PolicyDocument=text),
        lambda: account.iam.set_default_policy_version(PolicyArn=PULL_ONLY, VersionId="v1"),
        lambda: account.iam.delete_policy_version(PolicyArn=PULL_ONLY, VersionId="v1"),
        lambda: account.iam.tag_policy(PolicyArn=PULL_ONLY, Tags=[{"Key": "k", "Value": "v"}]),
    ):
        with refused("ValidationError"):
            call()


def test_one_account_knows_no_policy_of_another(account: Account, other: Account) -> None:
    theirs = other.policy("theirs", allow(DESCRIBE))
    with refused("AccessDenied"):
        account.iam.get_policy(PolicyArn=theirs)
    mine = account.policy("mine", allow(DESCRIBE))
    account.iam.attach_user_policy(UserName=account.user("holder").name, PolicyArn=PULL_ONLY)
    assert other.iam.list_entities_for_policy(PolicyArn=PULL_ONLY)["PolicyUsers"] == []
    assert other.iam.get_policy(PolicyArn=PULL_ONLY)["Policy"]["AttachmentCount"] == 0
    assert mine not in [policy["Arn"] for policy in other.iam.list_policies(Scope="Local")["Policies"]]


# ------------------------------------------------------------------------------------------------ boundaries


@pytest.mark.parametrize("kind", ["user", "role"])
def test_nothing_beyond_its_boundary_is_allowed(account: Account, kind: str) -> None:
    boundary = account.policy("limit", allow("ecr:List*"))
    if kind == "user":
        made = account.user("bounded", allow("*"))
        key, named = made.key, {"UserName": made.name}
    else:
        role = account.role("bounded", None, allow("*"))
        key, named = account.assume(role), {"RoleName": role.rsplit("/", 1)[1]}
    assert may_describe(account, key)
    put = getattr(account.iam, f"put_{kind}_permissions_boundary")
    delete = getattr(account.iam, f"delete_{kind}_permissions_boundary")
    put(**named, PermissionsBoundary=boundary)
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", key).describe_repositories()
    assert "because no permissions boundary allows the ecr:DescribeRepositories action" in denied.message
    shown = getattr(account.iam, f"get_{kind}")(**named)[kind.capitalize()]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == boundary
    used = account.iam.list_entities_for_policy(PolicyArn=boundary, PolicyUsageFilter="PermissionsBoundary")
    assert len(used[f"Policy{kind.capitalize()}s"]) == 1
    assert account.iam.get_policy(PolicyArn=boundary)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    account.iam.create_policy_version(PolicyArn=boundary, PolicyDocument=document(allow("ecr:*")), SetAsDefault=True)
    assert may_describe(account, key)
    delete(**named)
    with refused("NoSuchEntity"):
        delete(**named)


def test_a_boundary_is_set_at_birth(account: Account) -> None:
    boundary = account.policy("limit", allow("sts:*"))
    name = account.unique("bounded")
    made = account.iam.create_user(UserName=name, PermissionsBoundary=boundary)["User"]
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    account.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow("*")))
    assert not may_describe(account, account.access_key(name))
    with refused("NoSuchEntity"):
        account.iam.create_user(
            UserName=account.unique("bad"), PermissionsBoundary=f"arn:aws:iam::{account.id}:policy/absent"
        )


def test_who_may_make_users_only_within_a_boundary_makes_no_others(account: Account) -> None:
    boundary = account.policy("limit", allow("ecr:*"))
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    delegate = account.user("delegate", allow(["iam:CreateUser", "iam:PutUserPolicy"], Condition=condition))
    iam = account.server.client("iam", delegate.key)
    with refused("AccessDenied"):
        iam.create_user(UserName=account.unique("free"))
    name = account.unique("bounded")
    iam.create_user(UserName=name, PermissionsBoundary=boundary)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow("*")))
    with refused("AccessDenied"):
        iam.put_user_policy(UserName=account.user("free").name, PolicyName="p", PolicyDocument=document(allow("*")))


def test_who_may_attach_one_policy_attaches_no_other(account: Account) -> None:
    condition = {"ArnEquals": {"iam:PolicyARN": PULL_ONLY}}
    delegate = account.user("delegate", allow(["iam:AttachUserPolicy"], Condition=condition))
    iam, user = account.server.client("iam", delegate.key), account.user("holder").name
    iam.attach_user_policy(UserName=user, PolicyArn=PULL_ONLY)
    with refused("AccessDenied"):
        iam.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def test_a_managed_policy_has_6144_characters_at_most(account: Account) -> None:
    resources = [f"arn:aws:ecr:*:*:repository/{n:0100}" for n in range(48)]
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144"):
        account.policy("large", allow("ecr:*", resources))
    account.policy("large", allow("ecr:*", resources[:44]))
