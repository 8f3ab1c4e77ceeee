"""What is taken away holds from the next request on, for signatures and for tokens that were issued before."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from account import LOGIN, PULL, Account, User, allow, deny, document
from server import Key

READ = allow([*PULL, "ecr:DescribeRepositories", LOGIN])


class Holder:
    """One credential on every door, with tokens made now."""

    def __init__(self, account: Account, key: Key, repository: str) -> None:
        self._ecr = account.server.client("ecr", key)
        password = account.server.password(key)
        self._doors = [account.server.v2(password, bearer=bearer) for bearer in (False, True)]
        self._repository = repository

    def outcomes(self) -> tuple[str, int, int]:
        """What a signed call, Basic and Bearer give at this moment."""
        try:
            self._ecr.describe_repositories(repositoryNames=[self._repository])
            signed = "ok"
        except ClientError as error:
            signed = error.response["Error"]["Code"]
        basic, bearer = (door.pull(self._repository, "v1").status_code for door in self._doors)
        return signed, basic, bearer


WORKS = ("ok", 200, 200)
DENIED = ("AccessDeniedException", 403, 403)
UNKNOWN = ("UnrecognizedClientException", 401, 401)


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    name = account.repository()
    account.server.push_and_pull(account.key).push(name, "v1")
    return name


def disable(account: Account, user: User) -> None:
    account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Inactive")


def delete(account: Account, user: User) -> None:
    account.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.id)


def remove_policy(account: Account, user: User) -> None:
    account.iam.delete_user_policy(UserName=user.name, PolicyName="inline")


def replace_policy(account: Account, user: User) -> None:
    account.iam.put_user_policy(
        UserName=user.name, PolicyName="inline", PolicyDocument=document(allow("ecr:CreateRepository"))
    )


def add_deny(account: Account, user: User) -> None:
    account.iam.put_user_policy(UserName=user.name, PolicyName="stop", PolicyDocument=document(deny("ecr:*")))


@pytest.mark.parametrize(
    ("revoke", "then"),
    [
        (disable, UNKNOWN),
        (delete, UNKNOWN),
        (remove_policy, DENIED),
        (replace_policy, DENIED),
        (add_deny, DENIED),
    ],
)
def test_a_user_is_stopped_at_the_next_request(
    account: Account, repository: str, revoke: Callable[[Account, User], None], then: tuple[str, int, int]
) -> None:
    user = account.user("holder", READ)
    holder = Holder(account, user.key, repository)
    assert holder.outcomes() == WORKS
    revoke(account, user)
    assert holder.outcomes() == then


def test_a_key_that_is_switched_on_again_works_with_its_old_tokens(account: Account, repository: str) -> None:
    user = account.user("switched", READ)
    holder = Holder(account, user.key, repository)
    for status, then in (("Inactive", UNKNOWN), ("Active", WORKS)) * 3:
        account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status=status)
        assert holder.outcomes() == then


def test_one_key_of_two_can_go(account: Account, repository: str) -> None:
    user = account.user("rotated", READ)
    kept = Holder(account, account.access_key(user.name), repository)
    gone = Holder(account, user.key, repository)
    delete(account, user)
    assert gone.outcomes() == UNKNOWN
    assert kept.outcomes() == WORKS


def test_a_repository_policy_stops_at_the_next_request(account: Account, repository: str) -> None:
    holder = Holder(account, account.user("holder", READ).key, repository)
    denial = {"Effect": "Deny", "Principal": "*", "Action": [*PULL, "ecr:DescribeRepositories"]}
    for _ in range(3):
        account.ecr.set_repository_policy(repositoryName=repository, policyText=document(denial))
        assert holder.outcomes() == DENIED
        account.ecr.delete_repository_policy(repositoryName=repository)
        assert holder.outcomes() == WORKS


def test_the_sessions_of_a_role_are_revoked_by_their_time_of_issue(account: Account, repository: str) -> None:
    role = account.role("revoked", None, READ)
    before = Holder(account, account.assume(role), repository)
    assert before.outcomes() == WORKS
    time.sleep(1.1)  # times of issue are whole seconds
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    older = deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": now}})
    account.iam.put_role_policy(
        RoleName=role.rsplit("/", 1)[1], PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(older)
    )
    assert before.outcomes() == DENIED
    assert Holder(account, account.assume(role), repository).outcomes() == WORKS


def test_a_session_loses_what_its_role_loses(account: Account, repository: str) -> None:
    role = account.role("narrowed", None, READ)
    holder = Holder(account, account.assume(role), repository)
    assert holder.outcomes() == WORKS
    account.iam.delete_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyName="inline")
    assert holder.outcomes() == DENIED
