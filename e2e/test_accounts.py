"""What the operator of the host does: accounts, and what they may do at most."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from account import PULL, Account, allow, deny, document, grant, refused
from server import Server
from test_iam_groups import may_describe

WritePolicy = Callable[..., str]


def operate(server: Server, *arguments: str) -> str:
    done = server.command("account", *arguments, "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    return done.stdout


def refuse(server: Server, *arguments: str) -> str:
    done = server.command("account", *arguments, "--data", str(server.data))
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.fixture
def policy(tmp_path: Path) -> WritePolicy:
    def write(*statements: dict) -> str:
        file = tmp_path / "policy.json"
        file.write_text(document(*statements))
        return str(file)

    return write


def test_accounts_are_listed(other: Account) -> None:
    listed = json.loads(operate(other.server, "list", "-o", "json"))
    assert [entry["account"] for entry in listed] == sorted([other.server.administrator.account, other.id])
    assert other.id in operate(other.server, "list")


def test_nobody_in_an_account_may_do_more_than_its_service_control_policies_allow(
    other: Account, policy: WritePolicy
) -> None:
    user = other.user("limited", allow("*"))
    assert may_describe(other, user.key)
    operate(other.server, "attach-policy", other.id, "no-ecr", policy(deny("ecr:DescribeRepositories")))
    with refused("AccessDeniedException") as denied:
        other.server.client("ecr", user.key).describe_repositories()
    assert "with an explicit deny in a service control policy" in denied.message
    with refused("AccessDeniedException"):  # the administrator too
        other.ecr.describe_repositories()
    operate(other.server, "attach-policy", other.id, "no-ecr", policy(allow(["iam:*", "sts:*"])))
    assert may_describe(other, user.key)
    operate(other.server, "detach-policy", other.id, "FullAWSAccess")
    with refused("AccessDeniedException") as denied:
        other.server.client("ecr", user.key).describe_repositories()
    assert "because no service control policy allows" in denied.message
    names = [name for name, _ in json.loads(operate(other.server, "policies", other.id, "-o", "json"))]
    assert names == ["no-ecr"]
    assert "the only one" in refuse(other.server, "detach-policy", other.id, "no-ecr")
    operate(other.server, "attach-policy", other.id, "FullAWSAccess")
    operate(other.server, "detach-policy", other.id, "no-ecr")
    assert may_describe(other, user.key)


def test_a_grant_of_another_account_does_not_help_over_a_service_control_policy(
    account: Account, other: Account, policy: WritePolicy
) -> None:
    user = other.user("visitor", allow("ecr:*"))
    repository = account.repository(policy=document(grant(user.arn, "ecr:ListImages")))
    ecr = other.server.client("ecr", user.key)
    ecr.list_images(registryId=account.id, repositoryName=repository)
    operate(other.server, "attach-policy", other.id, "stay-home", policy(deny("ecr:ListImages")))
    with refused("AccessDeniedException"):
        ecr.list_images(registryId=account.id, repositoryName=repository)
    operate(other.server, "detach-policy", other.id, "stay-home")


def test_a_defective_service_control_policy_is_refused(other: Account, policy: WritePolicy) -> None:
    assert "principal" in refuse(
        other.server, "attach-policy", other.id, "bad", policy(grant("*", "ecr:*", Resource="*"))
    )
    assert "999999999999" in refuse(other.server, "attach-policy", "999999999999", "x", policy(allow("*")))
    assert "missing" in refuse(other.server, "attach-policy", other.id, "x")
    assert may_describe(other, other.key)


def test_a_closed_account_has_no_credentials_any_more(account: Account) -> None:
    closed = Account(account.server, account.server.create_account("333333333333"))
    user = closed.user("late", allow("*"))
    session = closed.assume(closed.role("late", None, allow("ecr:*")))
    door = closed.server.push_and_pull(user.key)
    operate(account.server, "close", closed.id)
    for key in (closed.key, user.key, session):
        with refused("UnrecognizedClientException"):
            account.server.client("ecr", key).describe_repositories()
    assert door.get("/v2/").status_code == 401
    assert "no open account" in refuse(account.server, "close", closed.id)
    assert "closed" in operate(account.server, "list")
    assert "exists" in refuse(account.server, "create", closed.id)
    assert "default account" in refuse(account.server, "close", account.id)


def test_the_repositories_of_a_closed_account_are_gone_for_others(account: Account) -> None:
    owner = Account(account.server, account.server.create_account("444444444444"))
    name = owner.repository(policy=document(grant(f"arn:aws:iam::{account.id}:root", ["ecr:ListImages", *PULL])))
    account.ecr.list_images(registryId=owner.id, repositoryName=name)
    operate(account.server, "close", owner.id)

    def denial(repository: str) -> str:
        with refused("AccessDeniedException") as denied:
            account.ecr.list_images(registryId=owner.id, repositoryName=repository)
        return denied.message.split(" (decision")[0].replace(repository, "…")

    assert denial(name) == denial("absent")
    with refused("AccessDeniedException"):
        account.ecr.batch_get_image(registryId=owner.id, repositoryName=name, imageIds=[{"imageTag": "v1"}])
