"""`bonded share`: the two halves of access across accounts, written and printed by one command."""

import json
import subprocess
import threading
from typing import Any

from account import PULL, PUSH, Account, allow, document, grant, refused

GET = "ecr:ListImages"


def run(account: Account, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return account.server.command("share", *arguments, key=account.key)


def share(account: Account, *arguments: str) -> dict[str, Any]:
    done = run(account, *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def policy(account: Account, repository: str) -> dict[str, Any]:
    return json.loads(account.ecr.get_repository_policy(repositoryName=repository)["policyText"])


def test_both_halves_together_let_a_role_of_another_account_pull(account: Account, other: Account) -> None:
    repository = account.repository()
    shared = share(account, repository, "--with", other.id, "--pull")
    assert (shared["repository"], shared["changed"], shared["written"]) == (account.arn(repository), True, True)
    assert policy(account, repository) == shared["repositoryPolicy"]
    role = other.role("prod")
    ecr = other.server.client("ecr", other.assume(role))
    question = {"registryId": account.id, "repositoryName": repository, "imageIds": [{"imageTag": "v1"}]}
    with refused("AccessDeniedException"):
        ecr.batch_get_image(**question)
    text = json.dumps(shared["identityPolicy"])
    other.iam.put_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyName="pull", PolicyDocument=text)
    ecr.batch_get_image(**question)
    ecr.get_authorization_token()
    with refused("AccessDeniedException"):
        ecr.initiate_layer_upload(registryId=account.id, repositoryName=repository)
    # Sharing again changes nothing; taking it back takes all of it back.
    assert share(account, repository, "--with", other.id, "--pull")["changed"] is False
    assert share(account, repository, "--with", other.id, "--remove")["repositoryPolicy"] is None
    with refused("AccessDeniedException"):
        ecr.batch_get_image(**question)
    with refused("RepositoryPolicyNotFoundException"):
        policy(account, repository)


def test_the_rest_of_a_policy_stays(account: Account, other: Account) -> None:
    guard = grant("*", "ecr:DeleteRepository", Sid="Guard") | {"Effect": "Deny"}
    repository = account.repository(policy=document(guard))
    role = other.role("ci", None, allow(PUSH))
    share(account, repository, "--with", role, "--push", "--pull")
    share(account, repository, "--with", account.id, "--pull")
    written = policy(account, repository)["Statement"]
    assert [statement["Sid"] for statement in written] == ["Guard", "BondedSharePull", "BondedSharePush"]
    assert written[0] == guard
    assert written[1]["Principal"]["AWS"] == [role, f"arn:aws:iam::{account.id}:root"]
    ecr = other.server.client("ecr", other.assume(role))
    ecr.initiate_layer_upload(registryId=account.id, repositoryName=repository)
    share(account, repository, "--with", role, "--remove", "--push")
    with refused("AccessDeniedException"):
        ecr.initiate_layer_upload(registryId=account.id, repositoryName=repository)
    share(account, repository, "--with", role, "--remove")
    share(account, repository, "--with", account.id, "--remove")
    assert policy(account, repository)["Statement"] == [guard]


def test_a_dry_run_writes_nothing(account: Account) -> None:
    repository = account.repository()
    shared = share(account, repository, "--with", "222222222222", "--pull", "--dry-run")
    assert (shared["changed"], shared["written"]) == (True, False)
    assert set(PULL) <= set(shared["repositoryPolicy"]["Statement"][0]["Action"])
    with refused("RepositoryPolicyNotFoundException"):
        policy(account, repository)
    done = run(account, repository, "--with", "222222222222", "--pull", "--dry-run")
    assert done.stdout.startswith(f"would write: the policy of {account.arn(repository)}\n")
    assert "to be attached in the account 222222222222" in done.stdout


def test_two_who_share_at_once_both_do(account: Account) -> None:
    repository = account.repository()
    guests = [f"{number:012}" for number in range(500000000001, 500000000007)]
    done: list[subprocess.CompletedProcess[str]] = []
    threads = [
        threading.Thread(target=lambda guest=guest: done.append(run(account, repository, "--with", guest, "--pull")))
        for guest in guests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever was written over has seen it and written again.
    assert [each.returncode for each in done] == [0] * len(guests), [each.stderr for each in done]
    (statement,) = policy(account, repository)["Statement"]
    assert sorted(statement["Principal"]["AWS"]) == [f"arn:aws:iam::{guest}:root" for guest in guests]


def test_what_cannot_be_shared_is_said(account: Account, other: Account) -> None:
    repository = account.repository(policy=document(grant("*", GET, Sid="BondedSharePull")))
    for arguments, status, text in [
        ([repository, "--with", other.id, "--pull"], 1, "was changed to say something else"),
        ([repository, "--with", other.id], 2, "--pull, --push or both"),
        ([repository, "--with", "somebody", "--pull"], 2, "is no account number"),
        (["absent", "--with", other.id, "--pull"], 4, "does not exist"),
        ([account.repository(), "--with", f"arn:aws:iam::{other.id}:role/nobody", "--pull"], 1, "nvalid"),
    ]:
        done = run(account, *arguments)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert text in done.stderr
    powerless = other.user("powerless")
    done = other.server.command("share", repository, "--with", account.id, "--pull", key=powerless.key)
    assert done.returncode == 3
