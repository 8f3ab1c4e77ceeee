"""IAM's users, access keys, roles and inline policies: answers, errors, limits."""

import json
import re

import pytest

from account import Account, allow, deny, document, grant, refused

POLICY = document(allow("ecr:*"))
TRUST = document(grant("*", "sts:AssumeRole"))


# ------------------------------------------------------------------------------------------------ users


def test_a_user_is_made_and_found(account: Account) -> None:
    name = account.unique("Anna")
    made = account.iam.create_user(UserName=name, Path="/ci/", Tags=[{"Key": "team", "Value": "a"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:user/ci/{name}"
    assert re.fullmatch(r"AIDA[A-Z0-9]{17}", made["UserId"])
    assert made["Tags"] == [{"Key": "team", "Value": "a"}]
    found = account.iam.get_user(UserName=name)["User"]
    assert found == made


def test_get_user_without_a_name_is_the_caller(account: Account) -> None:
    user = account.user("self", allow("iam:GetUser"))
    assert account.server.client("iam", user.key).get_user()["User"]["Arn"] == user.arn


def test_names_of_users_are_unique_ignoring_case(account: Account) -> None:
    name = account.user("Berta").name
    with refused("EntityAlreadyExists", f"User with name {name.upper()} already exists.") as error:
        account.iam.create_user(UserName=name.upper())
    assert error.status == 409


def test_users_are_listed_in_pages_by_path(other: Account) -> None:
    names = [other.unique("listed") for _ in range(5)]
    for name in names:
        other.iam.create_user(UserName=name, Path="/listed/")
    pages = list(
        other.iam.get_paginator("list_users").paginate(PathPrefix="/listed/", PaginationConfig={"PageSize": 2})
    )
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == sorted(names)
    assert all("Tags" not in user for page in pages for user in page["Users"])


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "ä"])
def test_a_malformed_user_name_is_refused(account: Account, name: str) -> None:
    with refused("ValidationError"):
        account.iam.create_user(UserName=name)


@pytest.mark.parametrize("path", ["x", "/x", "x/", "/" * 600])
def test_a_malformed_path_is_refused(account: Account, path: str) -> None:
    with refused("ValidationError"):
        account.iam.create_user(UserName=account.unique("path"), Path=path)


def test_an_absent_user_is_not_found(account: Account) -> None:
    text = "The user with name nobody cannot be found."
    for call in (
        lambda: account.iam.get_user(UserName="nobody"),
        lambda: account.iam.create_access_key(UserName="nobody"),
        lambda: account.iam.update_access_key(UserName="nobody", AccessKeyId="AKIA" + "0" * 16, Status="Inactive"),
        lambda: account.iam.delete_access_key(UserName="nobody", AccessKeyId="AKIA" + "0" * 16),
        lambda: account.iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=POLICY),
        lambda: account.iam.get_user_policy(UserName="nobody", PolicyName="p"),
        lambda: account.iam.delete_user_policy(UserName="nobody", PolicyName="p"),
    ):
        with refused("NoSuchEntity", text) as error:
            call()
        assert error.status == 404


# ------------------------------------------------------------------------------------------------ access keys


def test_a_user_has_at_most_two_access_keys(account: Account) -> None:
    user = account.user("keys")
    second = account.iam.create_access_key(UserName=user.name)["AccessKey"]
    assert re.fullmatch(r"AKIA[A-Z0-9]{16}", second["AccessKeyId"])
    assert len(second["SecretAccessKey"]) == 40
    assert (second["UserName"], second["Status"]) == (user.name, "Active")
    with refused("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2") as error:
        account.iam.create_access_key(UserName=user.name)
    assert error.status == 409
    account.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.id)
    account.iam.create_access_key(UserName=user.name)


def test_an_inactive_key_counts_and_can_come_back(account: Account) -> None:
    user = account.user("switched", allow("iam:GetUser"))
    iam = account.server.client("iam", user.key)
    account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Inactive")
    with refused("InvalidClientTokenId"):
        iam.get_user()
    account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Active")
    assert iam.get_user()["User"]["UserName"] == user.name
    with refused("ValidationError"):
        account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Asleep")


def test_a_key_of_another_user_is_not_found(account: Account) -> None:
    anna, berta = account.user("anna"), account.user("berta")
    for call in (
        lambda: account.iam.update_access_key(UserName=anna.name, AccessKeyId=berta.key.id, Status="Inactive"),
        lambda: account.iam.delete_access_key(UserName=anna.name, AccessKeyId=berta.key.id),
    ):
        with refused("NoSuchEntity", f"The Access Key with id {berta.key.id} cannot be found."):
            call()


def test_the_administrator_of_one_account_knows_no_user_of_another(account: Account, other: Account) -> None:
    user = account.user("mine")
    with refused("NoSuchEntity"):
        other.iam.get_user(UserName=user.name)
    with refused("NoSuchEntity"):
        other.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.id)


# ------------------------------------------------------------------------------------------------ roles


def test_a_role_is_made_and_found(account: Account) -> None:
    name = account.unique("deploy")
    made = account.iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=TRUST, Path="/ci/", Description="deploys", MaxSessionDuration=7200
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:role/ci/{name}"
    assert re.fullmatch(r"AROA[A-Z0-9]{17}", made["RoleId"])
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)
    # Recorded: GetRole has two members that CreateRole has not.
    assert {"MaxSessionDuration", "RoleLastUsed"}.isdisjoint(made)
    found = account.iam.get_role(RoleName=name)["Role"]
    assert (found["MaxSessionDuration"], found["Description"]) == (7200, "deploys")
    assert {key: found[key] for key in ("Arn", "RoleId", "AssumeRolePolicyDocument", "CreateDate")} == {
        key: made[key] for key in ("Arn", "RoleId", "AssumeRolePolicyDocument", "CreateDate")
    }


def test_names_of_roles_are_unique_ignoring_case(account: Account) -> None:
    name = account.role("Deploy").rsplit("/", 1)[1]
    with refused("EntityAlreadyExists", f"Role with name {name.lower()} already exists."):
        account.iam.create_role(RoleName=name.lower(), AssumeRolePolicyDocument=TRUST)


@pytest.mark.parametrize("seconds", [0, 3599, 43201])
def test_a_session_duration_out_of_range_is_refused(account: Account, seconds: int) -> None:
    with refused("ValidationError"):
        account.role("long", MaxSessionDuration=seconds)


def test_an_absent_role_is_not_found(account: Account) -> None:
    text = "The role with name nobody cannot be found."
    for call in (
        lambda: account.iam.get_role(RoleName="nobody"),
        lambda: account.iam.put_role_policy(RoleName="nobody", PolicyName="p", PolicyDocument=POLICY),
        lambda: account.iam.get_role_policy(RoleName="nobody", PolicyName="p"),
        lambda: account.iam.delete_role_policy(RoleName="nobody", PolicyName="p"),
    ):
        with refused("NoSuchEntity", text):
            call()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "This policy contains invalid Json"),
        (document(grant("*", "sts:AssumeRole", Resource="*")), "Has prohibited field Resource"),
        (
            document(grant("arn:aws:iam::111111111111:user/nobody", "sts:AssumeRole")),
            'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:user/nobody"',
        ),
    ],
)
def test_a_defective_trust_policy_is_refused(account: Account, text: str, message: str) -> None:
    with refused("MalformedPolicyDocument", message) as error:
        account.iam.create_role(RoleName=account.unique("bad"), AssumeRolePolicyDocument=text)
    assert error.status == 400


# ------------------------------------------------------------------------------------------------ policies


@pytest.mark.parametrize("kind", ["user", "role"])
def test_an_inline_policy_is_put_read_replaced_and_deleted(account: Account, kind: str) -> None:
    holder = account.user("holder").name if kind == "user" else account.role("holder").rsplit("/", 1)[1]
    named = {f"{kind.capitalize()}Name": holder, "PolicyName": "p"}
    put, get, delete = (getattr(account.iam, f"{verb}_{kind}_policy") for verb in ("put", "get", "delete"))
    for text in (POLICY, document(deny("ecr:*", "arn:aws:ecr:*:*:repository/größe"))):
        put(**named, PolicyDocument=text)
        answer = get(**named)
        assert {key: answer[key] for key in named} == named
        assert answer["PolicyDocument"] == json.loads(text)
    delete(**named)
    for call in (get, delete):
        with refused("NoSuchEntity", f"The {kind} policy with name p cannot be found.") as error:
            call(**named)
        assert error.status == 404


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", None),
        ("no JSON", "Syntax errors in policy."),
        ('{"Version":"2012-10-17","Statement":[],"Statement":[]}', None),
        (POLICY.replace("2012-10-17", "2031-01-01"), None),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "ecr:*"}), "Policy statement must contain resources."),
        (
            document(allow("BatchGetImage")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(allow("ecr:*", "app")), 'Resource app must be in ARN format or "*".'),
        (
            document(allow("ecr:*", Sid="a"), allow("ecr:*", Sid="a")),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (document(grant("*", "ecr:*", Resource="*")), "Policy document should not specify a principal."),
        (document(allow("ecr:*", Condition={"StringSounds": {"aws:PrincipalArn": "x"}})), None),
        (document(allow("ecr:*", Shoes=43)), None),
    ],
)
def test_a_defective_identity_policy_is_refused(account: Account, text: str, message: str | None) -> None:
    user = account.user("defective")
    code = "MalformedPolicyDocument" if text else "ValidationError"
    with refused(code, message):
        account.iam.put_user_policy(UserName=user.name, PolicyName="p", PolicyDocument=text)
    with refused("NoSuchEntity"):
        account.iam.get_user_policy(UserName=user.name, PolicyName="p")


def test_the_inline_policies_of_a_user_have_2048_characters_at_most(account: Account) -> None:
    user = account.user("large")
    half = document(allow("ecr:*", f"arn:aws:ecr:*:*:repository/{'x' * 900}"))
    account.iam.put_user_policy(UserName=user.name, PolicyName="one", PolicyDocument=half)
    account.iam.put_user_policy(UserName=user.name, PolicyName="two", PolicyDocument=half)
    with refused("LimitExceeded") as error:
        account.iam.put_user_policy(UserName=user.name, PolicyName="three", PolicyDocument=half)
    assert error.status == 409
    account.iam.put_user_policy(UserName=user.name, PolicyName="two", PolicyDocument=half)


def test_a_policy_name_may_not_leave_its_alphabet(account: Account) -> None:
    user = account.user("named")
    for name in ("", "a b", "x" * 129):
        with refused("ValidationError"):
            account.iam.put_user_policy(UserName=user.name, PolicyName=name, PolicyDocument=POLICY)
