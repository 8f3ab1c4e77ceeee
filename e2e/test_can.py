"""`bonded can`: whether somebody may do something, by the policies that are there, and what each account may see."""

import json
from typing import Any

import pytest

from account import PULL, Account, User, allow, deny, document, grant, refused
from server import Key, Server

GET = "ecr:BatchGetImage"
ASK = "bonded:ExplainAccess"
ALLOWED, DENIED, UNKNOWN = 0, 3, 6


class Asker:
    """`bonded can` with one key."""

    def __init__(self, server: Server, key: Key) -> None:
        self.server, self.key = server, key

    def run(self, *arguments: str) -> tuple[int, str, str]:
        done = self.server.command("can", *arguments, key=self.key)
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        status, out, error = self.run(*arguments, "-o", "json")
        assert out, error
        return status, json.loads(out)

    def status(self, *arguments: str) -> int:
        return self.run(*arguments)[0]


@pytest.fixture(scope="module")
def admin(account: Account) -> Asker:
    return Asker(account.server, account.key)


def layers(answer: dict[str, Any]) -> set[str]:
    return {policy["layer"] for policy in answer["check"]["explanation"]["policies"]}


def test_the_policies_of_both_sides_decide(account: Account, admin: Asker) -> None:
    user, stranger = account.user("can", allow(GET)), account.user("cannot")
    repository = account.repository(
        policy=document(grant(stranger.arn, GET), grant("*", "ecr:PutImage") | {"Effect": "Deny"})
    )
    assert admin.status(user.arn, GET, repository) == ALLOWED
    assert admin.status(f"user/{user.name}", GET, account.arn(repository)) == ALLOWED
    # By the policy of the repository alone, which is saved with the id of the user.
    status, answer = admin.json(stranger.arn, GET, repository)
    assert (status, answer["answer"], layers(answer)) == (ALLOWED, "allowed", {"resource"})
    assert admin.status(stranger.arn, GET, account.repository()) == DENIED
    status, out, _ = admin.run(user.arn, "ecr:PutImage", repository)
    assert status == DENIED
    assert "denied by a statement of the layer 'resource'" in out
    assert "#2 Deny (line 1 column" in out
    assert "to allow it, take out #2 of resource: repository policy" in out
    assert '"Action": "ecr:PutImage"' in out  # and what is to be added
    # What it says is what happens.
    ecr = account.server.client("ecr", stranger.key)
    ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])


def test_groups_boundaries_tags_and_variables_count(account: Account, admin: Asker) -> None:
    group = account.group("team", allow("ecr:*", "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*"))
    user = account.user("member")
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    question = (user.arn, "ecr:ListImages")
    assert admin.status(*question, "red/app") == DENIED
    account.iam.tag_user(UserName=user.name, Tags=[{"Key": "team", "Value": "red"}])
    assert admin.status(*question, "red/app") == ALLOWED
    assert admin.status(*question, "blue/app") == DENIED
    assert admin.status(*question, "blue/app", "--context", "aws:PrincipalTag/team=blue") == ALLOWED
    limit = account.policy("limit", allow("ecr:DescribeImages"))
    account.iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=limit)
    status, out, _ = admin.run(*question, "red/app")
    assert status == DENIED
    assert "not allowed by any statement of the layer 'boundary'" in out
    # Tags of the repository.
    account.iam.delete_user_permissions_boundary(UserName=user.name)
    tagged = account.repository(tags=[{"Key": "env", "Value": "prod"}])
    guest = account.user("guest", allow("ecr:*", Condition={"StringEquals": {"aws:ResourceTag/env": "prod"}}))
    assert admin.status(guest.arn, "ecr:ListImages", tagged) == ALLOWED
    assert admin.status(guest.arn, "ecr:ListImages", account.repository()) == DENIED


def test_what_the_question_does_not_say_is_unknown(account: Account, admin: Asker) -> None:
    office = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Bool": {"aws:SecureTransport": "true"}}
    user = account.user("office", allow("ecr:ListImages", Condition=office))
    question = (user.arn, "ecr:ListImages", account.repository())
    status, answer = admin.json(*question)
    assert (status, answer["answer"]) == (UNKNOWN, "unknown")
    assert answer["dependsOn"] == ["aws:SecureTransport", "aws:SourceIp"]
    assert admin.status(*question, "--context", "aws:SourceIp=10.1.2.3") == UNKNOWN
    secure = ("--context", "aws:SecureTransport=true")
    assert admin.status(*question, "--context", "aws:SourceIp=10.1.2.3", *secure) == ALLOWED
    assert admin.status(*question, "--context", "aws:SourceIp=11.1.2.3") == DENIED


def test_an_image_decides_only_where_a_policy_asks_for_it(account: Account, admin: Asker) -> None:
    clean = {"NumericEquals": {"bonded:CriticalFindings": "0"}}
    prod = account.role("prod", None, allow(GET, Condition=clean), allow("ecr:ListImages"))
    repository = account.repository()
    status, answer = admin.json(prod, GET, repository)
    assert (status, answer["dependsOn"]) == (UNKNOWN, ["bonded:CriticalFindings"])
    for findings, expected in [("0", ALLOWED), ("3", DENIED)]:
        assert admin.status(prod, GET, repository, "--context", f"bonded:CriticalFindings={findings}") == expected
    assert admin.status(prod, "ecr:ListImages", repository) == ALLOWED
    several = account.role(
        "tags", None, allow(GET, Condition={"ForAnyValue:StringEquals": {"bonded:CurrentImageTags": "v2"}})
    )
    values = ("--context", "bonded:CurrentImageTags=v1", "--context", "bonded:CurrentImageTags=v2")
    assert admin.status(several, GET, repository, *values) == ALLOWED


def test_roles_are_assumed_by_their_trust_policy(account: Account, admin: Asker) -> None:
    user, other = account.user("ci", allow("sts:AssumeRole")), account.user("no")
    role = account.role("deploy", grant(user.arn, "sts:AssumeRole"))
    assert admin.status(user.arn, "sts:AssumeRole", role) == ALLOWED
    assert admin.status(other.arn, "sts:AssumeRole", role) == DENIED
    assert admin.status(user.arn, "ecr:GetAuthorizationToken", "*") == DENIED
    session = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/run-1"
    repository = account.repository(policy=document(grant(role, GET)))
    for principal in (role, session):
        assert admin.status(principal, GET, repository) == ALLOWED


@pytest.fixture(scope="module")
def shared(account: Account, other: Account) -> tuple[str, User, User]:
    """A repository of `account` for `other`, with a user of it that passes the right on and one that does not."""
    repository = account.repository(policy=document(grant(f"arn:aws:iam::{other.id}:root", PULL, Sid="Guests")))
    return account.arn(repository), other.user("guest", allow(PULL)), other.user("idle")


def test_each_account_sees_its_own_half(
    account: Account, other: Account, admin: Asker, shared: tuple[str, User, User]
) -> None:
    arn, guest, idle = shared
    consumer = Asker(other.server, other.key)
    # The principal's account learns the answer, and nothing of the repository's policy.
    status, answer = consumer.json(guest.arn, GET, arn)
    assert (status, answer["answer"], layers(answer)) == (ALLOWED, "allowed", {"identity"})
    assert "Guests" not in json.dumps(answer)
    status, answer = consumer.json(idle.arn, GET, arn)
    assert (status, layers(answer)) == (DENIED, set())
    # The repository's account learns that its own side allows, for the one as for the other.
    for user in (guest, idle):
        status, answer = admin.json(user.arn, GET, arn)
        assert (status, answer["answer"], answer["judged"]) == (UNKNOWN, "allowed", "resource")
        assert layers(answer) == {"resource"}
        assert "Guests" in json.dumps(answer)
    status, out, _ = admin.run(guest.arn, "ecr:PutImage", arn)
    assert status == DENIED
    assert "not allowed by any statement of the layer 'resource'" in out
    # Whether a stranger is there is not told: both are like anybody of that account.
    nobody = f"arn:aws:iam::{other.id}:user/nobody"
    answers = [admin.json(arn_of, GET, arn)[1]["check"] for arn_of in (idle.arn, nobody)]
    assert json.dumps(answers[0]).replace(idle.arn, nobody) == json.dumps(answers[1])
    # Nor is a repository that nobody shared other than one that is not there.
    private = account.arn(account.repository())
    answers = [consumer.json(guest.arn, GET, resource) for resource in (private, account.arn("absent"))]
    assert answers[0][0] == answers[1][0] == DENIED
    assert json.dumps(answers[0]).replace(private, account.arn("absent")) == json.dumps(answers[1])


def test_who_may_not_ask_learns_nothing(account: Account, shared: tuple[str, User, User]) -> None:
    arn, guest, _ = shared
    user, role = account.user("curious", allow(GET)), account.role("target", None, allow("ecr:*"))
    curious = Asker(account.server, user.key)
    for principal in (role, user.arn, f"arn:aws:iam::{account.id}:user/nobody", guest.arn):
        status, out, error = curious.run(principal, GET, arn)
        assert (status, out) == (DENIED, "")
        assert f"is not authorized to perform: {ASK} on resource" in error
    # The right to ask about one principal is the right to ask about that one.
    account.iam.put_user_policy(UserName=user.name, PolicyName="ask", PolicyDocument=document(allow(ASK, role)))
    assert curious.status(role, "ecr:ListImages", arn) == ALLOWED
    assert curious.run(user.arn, GET, arn)[0:2] == (DENIED, "")
    # Without the right to read it the policy of the repository is not shown.
    hidden = account.repository(policy=document(grant(role, GET, Sid="Hidden")))
    status, answer = curious.json(role, GET, hidden)
    assert (status, layers(answer), "Hidden" in json.dumps(answer)) == (ALLOWED, {"identity"}, False)
    # About a guest only with the right to read the policy, beside the right to ask.
    ask = document(allow(ASK))
    account.iam.put_user_policy(UserName=user.name, PolicyName="ask", PolicyDocument=ask)
    status, out, error = curious.run(guest.arn, GET, arn)
    assert (status, out) == (DENIED, "")
    assert "ecr:GetRepositoryPolicy" in error
    # A third account may ask about neither.
    third = Account(account.server, account.server.create_account("333333333333"))
    assert Asker(account.server, third.key).run(guest.arn, GET, arn)[0:2] == (DENIED, "")
    # A repository's policy does not let others ask.
    open_to_all = account.repository(policy=document(grant("*", "*")))
    assert Asker(account.server, third.key).run(guest.arn, GET, account.arn(open_to_all))[0:2] == (DENIED, "")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["alice", GET, "app"], 2, "is no principal"),
        (["group/devs", GET, "app"], 2, "is no principal"),
        (["arn:aws:iam::111122223333:group/devs", GET, "app"], 2, "is a group"),
        (["user/nobody", GET, "app"], 4, "cannot be found"),
        (["user/nobody", "ecr:*", "app"], 2, "is no action"),
        (["user/nobody", "pull", "app"], 2, "is no action"),
        (["user/nobody", GET, "App"], 2, "is no resource"),
        (["user/nobody", GET, "app", "--context", "x"], 2, "is not KEY=VALUE"),
    ],
)
def test_what_makes_no_sense_is_said(admin: Asker, arguments: list[str], status: int, text: str) -> None:
    code, out, error = admin.run(*arguments)
    assert (code, out) == (status, ""), error
    assert text in error


def test_a_denied_session_may_not_ask_for_more_than_its_session_policy(account: Account) -> None:
    role = account.role("auditor", None, allow(ASK))
    key = account.assume(role, Policy=document(deny(ASK)))
    with refused("AccessDenied"):
        account.server.client("iam", key).list_users()
    assert Asker(account.server, key).run(role, GET, "app")[0:2] == (DENIED, "")
