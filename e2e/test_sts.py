"""STS: who the caller is, and sessions of roles: whom they are given to, how long, and what narrows them."""

from datetime import UTC, datetime, timedelta

import pytest

from account import LOGIN, PULL, Account, allow, deny, document, grant, refused
from server import Key


def identity(account: Account, key: Key) -> dict[str, str]:
    answer = account.server.client("sts", key).get_caller_identity()
    return {name: answer[name] for name in ("Account", "Arn", "UserId")}


def remaining(answer: dict) -> timedelta:
    return answer["Credentials"]["Expiration"] - datetime.now(UTC)


def test_a_user_is_told_who_it_is_without_any_right(account: Account) -> None:
    user = account.user("who")
    user_id = account.iam.get_user(UserName=user.name)["User"]["UserId"]
    assert identity(account, user.key) == {"Account": account.id, "Arn": user.arn, "UserId": user_id}


def test_a_session_is_told_who_it_is(account: Account) -> None:
    role = account.role("who")
    name = role.rsplit("/", 1)[1]
    role_id = account.iam.get_role(RoleName=name)["Role"]["RoleId"]
    session = account.assume(role, RoleSessionName="build-17")
    assert session.id.startswith("ASIA")
    assert identity(account, session) == {
        "Account": account.id,
        "Arn": f"arn:aws:sts::{account.id}:assumed-role/{name}/build-17",
        "UserId": f"{role_id}:build-17",
    }


def test_an_answer_of_assume_role_has_a_packed_size_only_with_a_policy(account: Account) -> None:
    role = account.role("packed")
    assert "PackedPolicySize" not in account.assume_answer(role)
    assert "PackedPolicySize" in account.assume_answer(role, Policy=document(allow("*")))


def test_a_role_of_this_account_needs_trust_and_either_side_can_give_the_right(account: Account) -> None:
    nobody = account.user("nobody")
    by_identity = account.user("identity", allow("sts:AssumeRole"))
    closed = account.role("closed", grant(nobody.arn, "sts:AssumeRole"))
    opened = account.role("opened")
    account.assume(closed, nobody.key)  # named by the trust policy itself
    account.assume(opened, by_identity.key)  # the account is trusted and its identity policy allows
    for role, user in ((opened, nobody), (closed, by_identity)):
        with refused("AccessDenied") as error:
            account.assume(role, user.key)
        assert error.status == 403
        assert f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role}" in error.message


def test_a_role_of_another_account_needs_both_sides(account: Account, other: Account) -> None:
    trusting = account.role("trusting", grant(f"arn:aws:iam::{other.id}:root", "sts:AssumeRole"))
    distant = account.role("distant")
    may = other.user("may", allow("sts:AssumeRole"))
    may_not = other.user("may-not")
    assert account.assume(trusting, may.key).account == account.id
    for role, key in ((trusting, may_not.key), (distant, may.key)):
        with refused("AccessDenied"):
            account.assume(role, key)


def test_an_absent_role_is_denied_like_a_closed_one(account: Account) -> None:
    user = account.user("guesser", allow("sts:AssumeRole"))
    closed = account.role("closed", grant(account.user("someone").arn, "sts:AssumeRole"))
    texts = set()
    for role in (closed, f"arn:aws:iam::{account.id}:role/absent"):
        with refused("AccessDenied") as error:
            account.assume(role, user.key)
        texts.add(error.message.replace(role, "ROLE").split(" (decision ")[0])
    assert len(texts) == 1


def test_an_external_id_must_be_the_agreed_one(account: Account, other: Account) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "agreed"}}
    role = account.role("vendor", grant(f"arn:aws:iam::{other.id}:root", "sts:AssumeRole", Condition=condition))
    account.assume(role, other.key, ExternalId="agreed")
    for options in ({}, {"ExternalId": "other"}):
        with refused("AccessDenied"):
            account.assume(role, other.key, **options)


def test_a_session_policy_only_narrows(account: Account) -> None:
    readable, hidden = account.repository(), account.repository()
    role = account.role("wide", None, allow("ecr:DescribeRepositories", account.arn(readable)))
    session = account.assume(role, Policy=document(allow("ecr:*")))
    ecr = account.server.client("ecr", session)
    ecr.describe_repositories(repositoryNames=[readable])
    with refused("AccessDeniedException"):
        ecr.describe_repositories(repositoryNames=[hidden])
    narrowed = account.assume(role, Policy=document(allow("ecr:DescribeRepositories", account.arn(hidden))))
    with refused("AccessDeniedException") as error:
        account.server.client("ecr", narrowed).describe_repositories(repositoryNames=[readable])
    assert "because no session policy allows the ecr:DescribeRepositories action" in error.message


def test_a_defective_session_policy_is_refused(account: Account) -> None:
    role = account.role("session")
    with refused("MalformedPolicyDocument"):
        account.assume(role, Policy="no JSON")
    with refused("ValidationError"):
        account.assume(role, Policy=document(allow("ecr:*", Sid="x" * 2048)))


def test_session_tags_need_their_own_right_and_reach_policies(account: Account) -> None:
    repository = account.repository(tags=[{"Key": "team", "Value": "a"}])
    principal = f"arn:aws:iam::{account.id}:root"
    same_team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    statement = allow("ecr:DescribeRepositories", Condition=same_team)
    untagged = account.role("untagged", grant(principal, "sts:AssumeRole"), statement)
    tagged = account.role("tagged", grant(principal, ["sts:AssumeRole", "sts:TagSession"]), statement)
    user = account.user("tagger", allow("sts:AssumeRole"))
    full = account.user("tagger", allow(["sts:AssumeRole", "sts:TagSession"]))

    def team(value: str) -> dict:
        return {"Tags": [{"Key": "team", "Value": value}]}

    with refused("AccessDenied") as error:
        account.assume(untagged, full.key, **team("a"))
    assert "sts:TagSession" in error.message
    with refused("AccessDenied"):
        account.assume(tagged, user.key, **team("a"))
    session = account.assume(tagged, full.key, **team("a"))
    account.server.client("ecr", session).describe_repositories(repositoryNames=[repository])
    session = account.assume(tagged, full.key, **team("b"))
    with refused("AccessDeniedException"):
        account.server.client("ecr", session).describe_repositories(repositoryNames=[repository])


def test_transitive_tags_follow_a_chain_and_cannot_be_changed(account: Account) -> None:
    principal = f"arn:aws:iam::{account.id}:root"
    trust = grant(principal, ["sts:AssumeRole", "sts:TagSession"])
    first = account.role("first", trust, allow(["sts:AssumeRole", "sts:TagSession"]))
    team_a = {"StringEquals": {"aws:PrincipalTag/team": "a"}}
    second = account.role("second", trust, allow("ecr:DescribeRepositories", Condition=team_a))
    tags = {"Tags": [{"Key": "team", "Value": "a"}], "TransitiveTagKeys": ["team"]}
    session = account.assume(first, **tags)
    account.server.client("ecr", account.assume(second, session)).describe_repositories()
    with refused(
        "InvalidParameterValue",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
        "the calling session.",
    ):
        account.assume(second, session, **tags)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"TransitiveTagKeys": ["team"]}, "The specified transitive tag key must be included in the requested tags."),
        (
            {"Tags": [{"Key": "team", "Value": "a"}, {"Key": "Team", "Value": "b"}]},
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
    ],
)
def test_contradictory_tags_are_refused(account: Account, options: dict, text: str) -> None:
    with refused("InvalidParameterValue", text):
        account.assume(account.role("tags"), **options)


def test_a_session_lasts_an_hour_unless_asked(account: Account) -> None:
    role = account.role("hour", MaxSessionDuration=7200)
    left = remaining(account.assume_answer(role))
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    left = remaining(account.assume_answer(role, DurationSeconds=7200))
    assert timedelta(minutes=119) < left <= timedelta(hours=2)


@pytest.mark.parametrize("seconds", [0, 899, 3601, 43201])
def test_a_duration_out_of_range_is_refused(account: Account, seconds: int) -> None:
    with refused("ValidationError"):
        account.assume(account.role("short"), DurationSeconds=seconds)


def test_a_chained_session_lasts_an_hour_at_most(account: Account) -> None:
    first = account.role("first", None, allow("sts:AssumeRole"))
    second = account.role("second", MaxSessionDuration=7200)
    session = account.assume(first)
    assert remaining(account.assume_answer(second, session, DurationSeconds=3600)) <= timedelta(hours=1)
    with refused("ValidationError") as error:
        account.assume(second, session, DurationSeconds=3601)
    assert "1 hour session limit for roles assumed by role chaining" in error.message


@pytest.mark.parametrize(
    "arn",
    ["nothing-valid-in-here", "arn::b:::something/test-role", "arn:a:::something/test-role", "arn:a:a::aaaaaaaaaa:"],
)
def test_a_malformed_role_arn_is_refused(account: Account, arn: str) -> None:
    with refused("ValidationError", f"{arn} is invalid"):
        account.assume(arn)


def test_a_malformed_session_name_is_refused(account: Account) -> None:
    text = (
        "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member "
        r"must satisfy regular expression pattern: [\w+=,.@-]*"
    )
    role = account.role("named")
    with refused("ValidationError", text):
        account.assume(role, RoleSessionName="Session1:2")
    for name in ("", "x", "x" * 65):
        with refused("ValidationError"):
            account.assume(role, RoleSessionName=name)


def test_a_source_identity_sticks_through_a_chain(account: Account) -> None:
    trust = grant(f"arn:aws:iam::{account.id}:root", ["sts:AssumeRole", "sts:SetSourceIdentity"])
    first = account.role("first", trust, allow(["sts:AssumeRole", "sts:SetSourceIdentity"]))
    second = account.role("second", trust)
    assert account.assume_answer(first, SourceIdentity="anna")["SourceIdentity"] == "anna"
    session = account.assume(first, SourceIdentity="anna")
    assert account.assume_answer(second, session)["SourceIdentity"] == "anna"
    with refused("ValidationError"):
        account.assume(second, session, SourceIdentity="berta")


def test_a_session_works_on_every_door(account: Account) -> None:
    name = account.repository()
    image = account.server.push_and_pull(account.key).push(name, "v1")
    session = account.assume(
        account.role("puller", None, allow([LOGIN, "ecr:DescribeRepositories"]), allow(PULL, account.arn(name)))
    )
    account.server.client("ecr", session).describe_repositories(repositoryNames=[name])
    registry = account.server.push_and_pull(session)
    assert registry.pull(name, "v1").content == image.manifest
    assert registry.request("POST", f"/v2/{name}/blobs/uploads/").status_code == 403


def test_a_session_key_needs_its_own_token(account: Account) -> None:
    role = account.role("token")
    one, two = account.assume(role), account.assume(role)
    for token in (None, "", "forged", two.token):
        key = Key(one.id, one.secret, one.account, token)
        with refused("InvalidClientTokenId"):
            account.server.client("sts", key).get_caller_identity()


def test_a_deny_in_the_roles_policy_beats_a_session_policy(account: Account) -> None:
    name = account.repository()
    role = account.role("denied", None, allow("ecr:*"), deny("ecr:DescribeRepositories"))
    session = account.assume(role, Policy=document(allow("ecr:*")))
    with refused("AccessDeniedException") as error:
        account.server.client("ecr", session).describe_repositories(repositoryNames=[name])
    assert "with an explicit deny in an identity-based policy" in error.message
