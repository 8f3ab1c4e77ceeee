"""IAM's groups: their users get their policies, and nothing else."""

import re

import pytest

from account import Account, allow, deny, document, refused

DESCRIBE = "ecr:DescribeRepositories"


def may_describe(account: Account, key: object) -> bool:
    ecr = account.server.client("ecr", key)
    try:
        ecr.describe_repositories()
    except ecr.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_a_group_is_made_found_renamed_and_deleted(account: Account) -> None:
    name = account.unique("Devs")
    made = account.iam.create_group(GroupName=name, Path="/team/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:group/team/{name}"
    assert re.fullmatch(r"AGPA[A-Z0-9]{17}", made["GroupId"])
    found = account.iam.get_group(GroupName=name)
    assert (found["Group"], found["Users"], found["IsTruncated"]) == (made, [], False)
    with refused("EntityAlreadyExists", f"Group with name {name.lower()} already exists."):
        account.iam.create_group(GroupName=name.lower())
    renamed = account.unique("operators")
    account.iam.update_group(GroupName=name, NewGroupName=renamed, NewPath="/")
    group = account.iam.get_group(GroupName=renamed)["Group"]
    assert (group["GroupId"], group["Path"]) == (made["GroupId"], "/")
    account.iam.delete_group(GroupName=renamed)
    for call in (
        lambda: account.iam.get_group(GroupName=renamed),
        lambda: account.iam.delete_group(GroupName=renamed),
        lambda: account.iam.update_group(GroupName=renamed),
        lambda: account.iam.add_user_to_group(GroupName=renamed, UserName="administrator"),
        lambda: account.iam.put_group_policy(
            GroupName=renamed, PolicyName="p", PolicyDocument=document(allow(DESCRIBE))
        ),
    ):
        with refused("NoSuchEntity", f"The group with name {renamed} cannot be found.") as error:
            call()
        assert error.status == 404


def test_a_group_gives_its_policies_to_its_users_from_the_next_request_on(account: Account) -> None:
    group, user = account.group("readers", allow(DESCRIBE)), account.user("reader")
    assert not may_describe(account, user.key)
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    assert may_describe(account, user.key)
    assert [u["Arn"] for u in account.iam.get_group(GroupName=group)["Users"]] == [user.arn]
    assert [g["GroupName"] for g in account.iam.list_groups_for_user(UserName=user.name)["Groups"]] == [group]
    account.iam.put_group_policy(GroupName=group, PolicyName="deny", PolicyDocument=document(deny(DESCRIBE)))
    assert not may_describe(account, user.key)
    account.iam.delete_group_policy(GroupName=group, PolicyName="deny")
    assert may_describe(account, user.key)
    account.iam.remove_user_from_group(GroupName=group, UserName=user.name)
    assert not may_describe(account, user.key)
    with refused("NoSuchEntity"):
        account.iam.remove_user_from_group(GroupName=group, UserName=user.name)


def test_a_managed_policy_of_a_group_holds_for_its_users(account: Account) -> None:
    group, user = account.group("readers"), account.user("reader")
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
    account.iam.attach_group_policy(GroupName=group, PolicyArn=read_only)
    assert may_describe(account, user.key)
    account.iam.detach_group_policy(GroupName=group, PolicyArn=read_only)
    assert not may_describe(account, user.key)


def test_a_denial_names_the_group_that_denies_only_to_its_account(account: Account) -> None:
    group, user = account.group("locked", deny("ecr:*", Sid="Locked")), account.user("locked", allow("*"))
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", user.key).describe_repositories()
    assert "with an explicit deny in an identity-based policy" in denied.message
    decision = re.search(r"bonded why (\S+)\)$", denied.message)
    assert decision
    why = account.server.command("why", decision[1], key=account.key)
    assert f"of group '{group}'" in why.stdout, why.stdout + why.stderr


def test_a_group_in_use_is_not_deleted(account: Account) -> None:
    group, user = account.group("used"), account.user("member")
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    with refused("DeleteConflict", "Cannot delete entity, must remove users from group first.") as error:
        account.iam.delete_group(GroupName=group)
    assert error.status == 409
    account.iam.remove_user_from_group(GroupName=group, UserName=user.name)
    account.iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=document(allow(DESCRIBE)))
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first."):
        account.iam.delete_group(GroupName=group)
    account.iam.delete_group_policy(GroupName=group, PolicyName="p")
    account.iam.delete_group(GroupName=group)


def test_a_user_is_in_ten_groups_at_most(account: Account) -> None:
    user = account.user("busy")
    for _ in range(10):
        account.iam.add_user_to_group(GroupName=account.group("one-of-ten"), UserName=user.name)
    with refused("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10") as error:
        account.iam.add_user_to_group(GroupName=account.group("eleventh"), UserName=user.name)
    assert error.status == 409
    pages = account.iam.get_paginator("list_groups_for_user").paginate(
        UserName=user.name, PaginationConfig={"PageSize": 4}
    )
    assert [len(page["Groups"]) for page in pages] == [4, 4, 2]


def test_groups_and_their_users_are_listed_in_pages(other: Account) -> None:
    names = [other.unique("listed") for _ in range(3)]
    for name in names:
        other.iam.create_group(GroupName=name, Path="/listed/")
    pages = list(
        other.iam.get_paginator("list_groups").paginate(PathPrefix="/listed/", PaginationConfig={"PageSize": 2})
    )
    assert [group["GroupName"] for page in pages for group in page["Groups"]] == sorted(names)
    users = [other.user("member").name for _ in range(3)]
    for user in users:
        other.iam.add_user_to_group(GroupName=names[0], UserName=user)
    pages = list(other.iam.get_paginator("get_group").paginate(GroupName=names[0], PaginationConfig={"PageSize": 2}))
    assert [user["UserName"] for page in pages for user in page["Users"]] == sorted(users)


@pytest.mark.parametrize("marker", ["x", "TGlzdFVzZXJzCmE", "€"])
def test_a_marker_of_another_list_is_refused(account: Account, marker: str) -> None:
    with refused("ValidationError", "Invalid Marker."):
        account.iam.list_groups(Marker=marker)
