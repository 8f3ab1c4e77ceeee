"""IAM's policy simulator: what policies would decide, what decides, and which context keys they use."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from account import PULL, Account, allow, deny, document, grant, refused
from server import REGION, Server, clean_environment

PUT = "ecr:PutImage"
GET = "ecr:BatchGetImage"
ALICE = "arn:aws:iam::111122223333:user/alice"
ELSEWHERE = f"arn:aws:ecr:{REGION}:444455556666:repository/app"
HERE = f"arn:aws:ecr:{REGION}:111122223333:repository/app"
TEMPLATE = "arn:${Partition}:ecr:${Region}:${Account}:repository/${RepositoryName}"


def custom(account: Account, *policies: str, **more: Any) -> list[dict[str, Any]]:
    answer = account.iam.simulate_custom_policy(PolicyInputList=list(policies), **({"ActionNames": [PUT]} | more))
    assert not answer["IsTruncated"]
    return answer["EvaluationResults"]


def decisions(results: list[dict[str, Any]]) -> list[str]:
    return [result["EvalDecision"] for result in results]


def entry(name: str, kind: str, *values: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": list(values)}


def where(statement: dict[str, Any]) -> tuple[str, str, list[int]]:
    start, end = statement["StartPosition"], statement["EndPosition"]
    return (
        statement["SourcePolicyId"],
        statement["SourcePolicyType"],
        [start["Line"], start["Column"], end["Line"], end["Column"]],
    )


def test_the_answer_of_aws_for_a_role_is_ours(account: Account) -> None:
    # Recorded from AWS on 2025-04-21 (contracts/iam.md §11): this very document, these actions, one bucket.
    role = account.role("simulated")
    name = role.rsplit("/", 1)[1]
    text = (
        '{"Version": "2012-10-17", "Statement": {"Sid": "", "Effect": "Allow", '
        '"Action": "s3:PutObject", "Resource": "*"}}'
    )
    account.iam.put_role_policy(RoleName=name, PolicyName="write", PolicyDocument=text)
    answer = account.iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["s3:PutObject", "s3:GetObjectVersion"], ResourceArns=["arn:aws:s3:::bucket"]
    )
    matched = {
        "SourcePolicyId": f"role_{name}_write",
        "SourcePolicyType": "IAM Policy",
        "StartPosition": {"Line": 1, "Column": 41},
        "EndPosition": {"Line": 1, "Column": 113},
    }
    for result, action, decision, statements in zip(
        answer["EvaluationResults"],
        ["s3:PutObject", "s3:GetObjectVersion"],
        ["allowed", "implicitDeny"],
        [[matched], []],
        strict=True,
    ):
        assert result == {
            "EvalActionName": action,
            "EvalDecision": decision,
            "EvalDecisionDetails": {},
            "EvalResourceName": "arn:aws:s3:::bucket",
            "MatchedStatements": statements,
            "MissingContextValues": [],
            "OrganizationsDecisionDetail": {"AllowedByOrganizations": True},
            "ResourceSpecificResults": [
                {
                    "EvalResourceDecision": decision,
                    "EvalResourceName": "arn:aws:s3:::bucket",
                    "MatchedStatements": statements,
                    "MissingContextValues": [],
                }
            ],
        }
    assert answer["IsTruncated"] is False
    assert "Marker" not in answer


def test_the_example_of_the_aws_cli_is_ours(server: Server, tmp_path: Path) -> None:
    # awscli/examples/iam/simulate-custom-policy.rst, run by the AWS CLI itself.
    text = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
        '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
    )
    key = server.administrator
    environment = clean_environment() | {
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_CA_BUNDLE": str(server.ca),
        "AWS_DEFAULT_REGION": REGION,
    }
    for time, decision, matched in [
        ("2019-04-25T11:00:00Z", "allowed", [("PolicyInputList.1", "IAM Policy", [1, 38, 1, 167])]),
        ("2014-04-25T11:00:00Z", "implicitDeny", []),
    ]:
        command = ["iam", "simulate-custom-policy", "--policy-input-list", text]
        command += ["--action-names", "dynamodb:CreateBackup", "--context-entries"]
        command += [f"ContextKeyName=aws:CurrentTime,ContextKeyValues={time},ContextKeyType=date"]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("aws")), "--endpoint-url", server.url(), *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (result,) = json.loads(done.stdout)["EvaluationResults"]
        assert (result["EvalResourceName"], result["EvalDecision"]) == ("*", decision)
        assert [where(statement) for statement in result["MatchedStatements"]] == matched
        assert result["MissingContextValues"] == []
        assert {"EvalDecisionDetails", "ResourceSpecificResults"}.isdisjoint(result)


def test_each_action_is_simulated_on_each_resource(account: Account) -> None:
    policy = document(allow("ecr:*", HERE), deny("ecr:Delete*"), allow(GET, "*"))
    resources = [HERE, ELSEWHERE]
    put, delete, get = custom(account, policy, ActionNames=[PUT, "ecr:DeleteRepository", GET], ResourceArns=resources)
    assert (put["EvalDecision"], put["EvalResourceName"]) == ("implicitDeny", TEMPLATE)
    specific = [(r["EvalResourceName"], r["EvalResourceDecision"]) for r in put["ResourceSpecificResults"]]
    assert specific == [(HERE, "allowed"), (ELSEWHERE, "implicitDeny")]
    assert put["MatchedStatements"] == []  # what allows one of them does not determine the whole
    (matched,) = put["ResourceSpecificResults"][0]["MatchedStatements"]
    assert where(matched)[0] == "PolicyInputList.1"
    assert delete["EvalDecision"] == "explicitDeny"
    assert len(delete["MatchedStatements"]) == 1  # the statement that denies alone, once
    assert (get["EvalDecision"], len(get["MatchedStatements"])) == ("allowed", 2)


def test_an_action_without_a_resource_is_decided_on_all(account: Account) -> None:
    login = "ecr:GetAuthorizationToken"
    for resource, decision in [(HERE, "implicitDeny"), ("*", "allowed")]:
        (result,) = custom(account, document(allow(login, resource)), ActionNames=[login], ResourceArns=[HERE])
        assert result["ResourceSpecificResults"][0]["EvalResourceDecision"] == decision


def test_statements_of_a_list_begin_behind_what_stands_before_them(account: Account) -> None:
    policy = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow", "Action": "ecr:*", "Resource": "*"
    },
    {"Effect": "Allow", "Action": "*", "Resource": "*"}
  ]
}"""
    (result,) = custom(account, policy)
    places = [where(statement)[2] for statement in result["MatchedStatements"]]
    assert places == [[3, 17, 6, 6], [6, 6, 7, 56]]


@pytest.mark.parametrize(
    ("kind", "operator", "wanted", "right", "wrong"),
    [
        ("string", "StringEquals", "a", ["a"], ["b"]),
        ("numeric", "NumericLessThan", "10", ["9.5"], ["10"]),
        ("boolean", "Bool", "true", ["true"], ["false"]),
        ("ip", "IpAddress", "10.0.0.0/8", ["10.1.2.3"], ["11.0.0.1"]),
        ("binary", "BinaryEquals", "QUJD", ["QUJD"], ["QUJE"]),
        ("date", "DateLessThan", "2026-01-01T00:00:00Z", ["2025-12-31T23:59:59Z"], ["2026-01-01T00:00:00Z"]),
        ("stringList", "ForAnyValue:StringEquals", "a", ["b", "a"], ["b", "c"]),
        ("numericList", "ForAllValues:NumericLessThan", "10", ["1", "2"], ["1", "20"]),
        ("booleanList", "ForAnyValue:Bool", "true", ["false", "true"], ["false"]),
        ("ipList", "ForAnyValue:IpAddress", "10.0.0.0/8", ["11.0.0.1", "10.1.2.3"], ["11.0.0.1"]),
        ("binaryList", "ForAnyValue:BinaryEquals", "QUJD", ["QUJE", "QUJD"], ["QUJE"]),
        ("dateList", "ForAllValues:DateLessThan", "2026-01-01T00:00:00Z", ["2025-01-01T00:00:00Z"], ["2027-01-01"]),
    ],
)
def test_a_context_entry_of_each_type_counts(
    account: Account, kind: str, operator: str, wanted: str, right: list[str], wrong: list[str]
) -> None:
    policy = document(allow(PUT, Condition={operator: {"some:Key": wanted}}))
    for values, decision in [(right, "allowed"), (wrong, "implicitDeny")]:
        (result,) = custom(account, policy, ContextEntries=[entry("some:key", kind, *values)])
        assert result["EvalDecision"] == decision
        assert result["MissingContextValues"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        entry("some:Key", "numeric", "abc"),
        entry("some:Key", "boolean", "maybe"),
        entry("some:Key", "ip", "10.0.0"),
        entry("some:Key", "binary", "*"),
        entry("some:Key", "date", "yesterday"),
        entry("some:Key", "string", "a", "b"),
        entry("some:Key", "string"),
        entry("some:Key", "numericList", "1", "x"),
    ],
)
def test_a_context_entry_of_the_wrong_type_is_refused(account: Account, wrong: dict[str, Any]) -> None:
    with refused("InvalidInput") as error:
        custom(account, document(allow("*")), ContextEntries=[wrong])
    assert "some:Key" in error.message


def test_keys_that_are_not_given_are_missing_where_they_belong(account: Account) -> None:
    policy = document(
        allow("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}}),
        allow(
            "ecr:*", "arn:aws:ecr:*:*:repository/${aws:username}/*", Condition={"Bool": {"aws:SecureTransport": "true"}}
        ),
    )
    keys = ["aws:PrincipalTag/team", "aws:username", "aws:SecureTransport"]
    assert account.iam.get_context_keys_for_custom_policy(PolicyInputList=[policy])["ContextKeyNames"] == keys
    given = [entry("AWS:UserName", "string", "alice"), entry("aws:SecureTransport", "boolean", "true")]
    repository = f"arn:aws:ecr:{REGION}:111122223333:repository/alice/app"
    (result,) = custom(account, policy, ContextEntries=given, ResourceArns=[repository, HERE])
    assert result["MissingContextValues"] == ["aws:PrincipalTag/team"]
    for specific, decision in zip(result["ResourceSpecificResults"], ["allowed", "implicitDeny"], strict=True):
        assert specific["MissingContextValues"] == ["aws:PrincipalTag/team"]
        assert specific["EvalResourceDecision"] == decision


def test_across_accounts_both_sides_are_told(account: Account) -> None:
    open_to = document(grant("arn:aws:iam::111122223333:root", GET))
    own = document(allow(GET))
    nothing = document(allow("s3:*"))
    shut = document(grant("arn:aws:iam::999999999999:root", GET))
    for identity, resource, decision, sides in [
        (own, open_to, "allowed", ("allowed", "allowed")),
        (nothing, open_to, "implicitDeny", ("implicitDeny", "allowed")),
        (own, shut, "implicitDeny", ("allowed", "implicitDeny")),
        (nothing, shut, "implicitDeny", ("implicitDeny", "implicitDeny")),
    ]:
        (result,) = custom(
            account, identity, ActionNames=[GET], ResourceArns=[ELSEWHERE], ResourcePolicy=resource, CallerArn=ALICE
        )
        assert result["EvalDecision"] == decision
        expected = {"IAM Policy": sides[0], "Resource Policy": sides[1]}
        assert result["EvalDecisionDetails"] == expected
        assert result["ResourceSpecificResults"][0]["EvalDecisionDetails"] == expected
        matched = [where(statement)[:2] for statement in result["MatchedStatements"]]
        both = [("ResourcePolicy", "Resource Policy"), ("PolicyInputList.1", "IAM Policy")]
        assert matched == (both if decision == "allowed" else [])


def test_without_a_resource_policy_another_account_allows_nothing(account: Account) -> None:
    (result,) = custom(account, document(allow(GET)), ActionNames=[GET], ResourceArns=[ELSEWHERE], CallerArn=ALICE)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}


@pytest.mark.parametrize("owner", ["444455556666", "arn:aws:iam::444455556666:root"])
def test_the_owner_of_a_resource_is_in_its_arn_or_is_said(account: Account, owner: str) -> None:
    bucket = "arn:aws:s3:::bucket/key"
    policy = document(grant(ALICE, "s3:GetObject", Resource=bucket))
    question = {"ActionNames": ["s3:GetObject"], "ResourceArns": [bucket], "CallerArn": ALICE, "ResourcePolicy": policy}
    nothing = document(allow("ecr:*"))
    (same,) = custom(account, nothing, **question)
    assert (same["EvalDecision"], same["EvalDecisionDetails"]) == ("allowed", {})
    (across,) = custom(account, nothing, **question, ResourceOwner=owner)
    assert across["EvalDecision"] == "implicitDeny"
    assert across["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}


def test_a_permissions_boundary_limits(account: Account) -> None:
    boundary = document(allow(GET))
    put, get = custom(
        account,
        document(allow("ecr:*")),
        ActionNames=[PUT, GET],
        ResourceArns=[HERE],
        PermissionsBoundaryPolicyInputList=[boundary],
    )
    for result, allowed in [(put, False), (get, True)]:
        assert result["EvalDecision"] == ("allowed" if allowed else "implicitDeny")
        for detail in (result, result["ResourceSpecificResults"][0]):
            assert detail["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": allowed}
    with refused("InvalidInput"):
        custom(account, boundary, PermissionsBoundaryPolicyInputList=[boundary, boundary])


def test_every_level_of_an_organization_must_allow(account: Account) -> None:
    everything, pulls = document(allow("*")), document(allow(GET))

    def levels(*policies: list[str]) -> list[dict[str, Any]]:
        return [{"ServiceControlPolicyInputList": texts} for texts in policies]

    for organization, decision, allowed in [
        (levels([everything], [everything]), "allowed", True),
        (levels([everything], [pulls, everything]), "allowed", True),
        (levels([everything], [pulls]), "implicitDeny", False),
        (levels([everything], []), "implicitDeny", False),
        (levels([everything, document(deny(PUT))], [everything]), "explicitDeny", False),
    ]:
        (result,) = custom(
            account, document(allow("*")), OrderedOrganizationPolicyInputList=organization, ResourceArns=[HERE]
        )
        assert result["EvalDecision"] == decision
        assert result["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": allowed}
        # What the organization does not allow is simulated no further.
        assert ("EvalDecisionDetails" in result) == allowed
        assert (result["MatchedStatements"] == []) == (not allowed)
    with refused("ValidationError"):
        custom(account, everything, OrderedOrganizationPolicyInputList=levels(*[[everything]] * 8))


def test_a_role_is_assumed_by_its_trust_policy_if_one_is_given(account: Account) -> None:
    role = "arn:aws:iam::111122223333:role/ci"
    question = {"ActionNames": ["sts:AssumeRole"], "ResourceArns": [role], "CallerArn": ALICE}
    assumes, nothing = document(allow("sts:AssumeRole", role)), document(allow("ecr:*"))
    assert decisions(custom(account, assumes, **question)) == ["allowed"]
    assert decisions(custom(account, nothing, **question)) == ["implicitDeny"]
    trusts = document(grant(ALICE, "sts:AssumeRole"))
    assert decisions(custom(account, nothing, **question, ResourcePolicy=trusts)) == ["allowed"]
    other = document(grant("arn:aws:iam::111122223333:user/bob", "sts:AssumeRole"))
    assert decisions(custom(account, assumes, **question, ResourcePolicy=other)) == ["implicitDeny"]


def test_a_principal_is_simulated_with_all_its_policies(account: Account) -> None:
    user = account.user("dev", allow("ecr:ListImages"))
    group = account.group("devs", allow("ecr:DescribeImages", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    account.iam.add_user_to_group(GroupName=group, UserName=user.name)
    managed = account.policy("pull", allow(GET))
    account.iam.attach_user_policy(UserName=user.name, PolicyArn=managed)
    aws = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
    account.iam.attach_group_policy(GroupName=group, PolicyArn=aws)
    secure = [entry("aws:SecureTransport", "boolean", "true")]

    def simulated(action: str, **more: Any) -> tuple[str, set[str]]:
        (result,) = account.iam.simulate_principal_policy(
            PolicySourceArn=user.arn, ActionNames=[action], ContextEntries=secure, **more
        )["EvaluationResults"]
        return result["EvalDecision"], {where(s)[0] for s in result["MatchedStatements"]}

    power, pull = aws.rsplit("/", 1)[1], managed.rsplit("/", 1)[1]
    assert simulated("ecr:ListImages") == ("allowed", {f"user_{user.name}_inline", power})
    assert simulated("ecr:DescribeImages") == ("allowed", {f"group_{group}_inline", power})
    assert simulated(GET) == ("allowed", {pull, power})
    assert simulated("ecr:DeleteRepository") == ("implicitDeny", set())
    more = {"PolicyInputList": [document(allow("ecr:DeleteRepository"))]}
    assert simulated("ecr:DeleteRepository", **more) == ("allowed", {"PolicyInputList.1"})
    # Policies can be left out, and what names none is ignored.
    assert simulated(GET, PolicyExclusionList=[{"PolicyType": "aws-managed"}]) == ("allowed", {pull})
    assert simulated(GET, PolicyExclusionList=[{"PolicyType": "user-managed"}]) == ("allowed", {power})
    assert simulated(GET, PolicyExclusionList=[{"PolicyArn": managed[:-1] + "?"}]) == ("allowed", {power})
    assert simulated(
        GET, PolicyExclusionList=[{"PolicyArn": "arn:aws:iam::aws:policy/Amazon*"}, {"PolicyType": "rcp"}]
    ) == (
        "allowed",
        {pull},
    )
    of_group = {"PolicyName": "inline", "AttachmentType": "group", "AttachmentName": "devs*"}
    excluded = [{"InlinePolicyIdentifier": of_group}, {"PolicyType": "aws-managed"}]
    assert simulated("ecr:DescribeImages", PolicyExclusionList=excluded) == ("implicitDeny", set())
    assert simulated("ecr:ListImages", PolicyExclusionList=[{"PolicyType": "inline"}]) == ("allowed", {power})
    for wrong in [
        {"PolicyArn": "arn:aws:iam::aws:pol*/x"},
        {"PolicyArn": managed + "**"},
        {"PolicyArn": managed, "PolicyType": "inline"},
        {"InlinePolicyIdentifier": of_group | {"AttachmentName": "a*b*"}},
    ]:
        with refused("InvalidInput"):
            simulated(GET, PolicyExclusionList=[wrong])
    keys = account.iam.get_context_keys_for_principal_policy(
        PolicySourceArn=user.arn, PolicyInputList=[document(allow("*", Condition={"Null": {"some:Key": "true"}}))]
    )
    assert keys["ContextKeyNames"] == ["aws:SecureTransport", "some:Key"]
    group_arn = f"arn:aws:iam::{account.id}:group/{group}"
    assert account.iam.get_context_keys_for_principal_policy(PolicySourceArn=group_arn)["ContextKeyNames"] == [
        "aws:SecureTransport"
    ]


def test_the_boundary_of_a_principal_counts_unless_another_is_given(account: Account) -> None:
    user = account.user("bounded", allow("ecr:*"))
    account.iam.put_user_permissions_boundary(
        UserName=user.name, PermissionsBoundary=account.policy("limit", allow(GET))
    )

    def simulated(**more: Any) -> dict[str, Any]:
        question = {"PolicySourceArn": user.arn, "ActionNames": [PUT]} | more
        return account.iam.simulate_principal_policy(**question)["EvaluationResults"][0]

    found = simulated()
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    found = simulated(PermissionsBoundaryPolicyInputList=[document(allow("ecr:*"))])
    assert found["EvalDecision"] == "allowed"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    found = simulated(PolicyExclusionList=[{"PolicyType": "permission-boundary"}])
    assert found["EvalDecision"] == "allowed"
    assert "PermissionsBoundaryDecisionDetail" not in found


def test_a_caller_may_have_the_policies_of_another(account: Account) -> None:
    david, repository = account.user("david", allow(GET)), account.arn("app")
    bob = f"arn:aws:iam::{account.id}:user/bob"
    policy = document(grant(bob, PUT))
    for caller, decision in [(None, "implicitDeny"), (bob, "allowed")]:
        question = {"CallerArn": caller} if caller else {}
        (result,) = account.iam.simulate_principal_policy(
            PolicySourceArn=david.arn, ActionNames=[PUT], ResourceArns=[repository], ResourcePolicy=policy, **question
        )["EvaluationResults"]
        assert result["EvalDecision"] == decision


def test_the_service_control_policies_of_the_account_count(server: Server, tmp_path: Path) -> None:
    account = Account(server, server.create_account("777777777777"))
    user = account.user("dev", allow("ecr:*"))

    def simulated(**more: Any) -> tuple[str, bool | None]:
        question = {"PolicySourceArn": user.arn, "ActionNames": [PUT], "ResourceArns": [account.arn("app")]} | more
        (result,) = account.iam.simulate_principal_policy(**question)["EvaluationResults"]
        detail = result.get("OrganizationsDecisionDetail", {})
        return result["EvalDecision"], detail.get("AllowedByOrganizations")

    assert simulated() == ("allowed", True)
    limit = tmp_path / "limit.json"
    limit.write_text(document(deny(PUT)))
    done = server.command("account", "attach-policy", account.id, "no-push", str(limit), "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    assert simulated() == ("explicitDeny", False)
    assert simulated(PolicyExclusionList=[{"PolicyType": "scp"}]) == ("allowed", None)


def test_results_come_in_pages(account: Account) -> None:
    actions = [f"ecr:Action{number}" for number in range(7)]
    paginator = account.iam.get_paginator("simulate_custom_policy")
    pages = list(
        paginator.paginate(
            PolicyInputList=[document(allow("*"))], ActionNames=actions, PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 3, 1]
    assert [r["EvalActionName"] for page in pages for r in page["EvaluationResults"]] == actions
    for wrong in ["", "x", "djE"]:
        with refused("ValidationError"):
            custom(account, document(allow("*")), Marker=wrong)
    for wrong in [0, 1001]:
        with refused("ValidationError"):
            custom(account, document(allow("*")), MaxItems=wrong)


def test_much_work_is_cut_into_pages_or_refused(account: Account) -> None:
    statements = [allow(f"ecr:Action{number}") for number in range(1000)]
    resources = [f"{HERE}{number}" for number in range(150)]
    question = {"ActionNames": [PUT, GET], "ResourceArns": resources, "PolicyInputList": [document(*statements)]}
    answer = account.iam.simulate_custom_policy(**question)
    assert (len(answer["EvaluationResults"]), answer["IsTruncated"]) == (1, True)
    answer = account.iam.simulate_custom_policy(**question, Marker=answer["Marker"])
    assert [r["EvalActionName"] for r in answer["EvaluationResults"]] == [GET]
    assert not answer["IsTruncated"]
    with refused("InvalidInput"):
        account.iam.simulate_custom_policy(**question | {"ResourceArns": resources + resources})


EVERYTHING = document(allow("*"))


@pytest.mark.parametrize(
    ("code", "question"),
    [
        ("InvalidInput", {"ActionNames": ["ecr:*"]}),
        ("InvalidInput", {"ActionNames": ["PutImage"]}),
        ("InvalidInput", {"ActionNames": ["ecr:Put?mage"]}),
        ("ValidationError", {"ActionNames": ["x"]}),
        ("ValidationError", {"ActionNames": []}),
        ("InvalidInput", {"ResourceArns": ["app"]}),
        ("InvalidInput", {"PolicyInputList": ["{"]}),
        ("InvalidInput", {"PolicyInputList": [document(grant("*", "ecr:*"))]}),
        ("InvalidInput", {"PolicyInputList": [EVERYTHING, '{"Version": "2012-10-17", "Statement": {}}']}),
        ("InvalidInput", {"PermissionsBoundaryPolicyInputList": ["[]"]}),
        ("InvalidInput", {"ResourcePolicy": document(grant("*", "ecr:*")), "ResourceArns": [HERE]}),
        ("InvalidInput", {"ResourcePolicy": document(grant("*", "ecr:*")), "CallerArn": ALICE}),
        (
            "InvalidInput",
            {
                "ResourcePolicy": document(grant("*", "s3:*", Resource="arn:aws:s3:::a/*")),
                "ResourceArns": ["arn:aws:s3:::a/1", "arn:aws:s3:::b/1"],
                "CallerArn": ALICE,
            },
        ),
        ("InvalidInput", {"ResourcePolicy": "{}", "ResourceArns": [HERE], "CallerArn": ALICE}),
        ("InvalidInput", {"ResourceOwner": "somebody"}),
        ("InvalidInput", {"CallerArn": "arn:aws:iam::111122223333:root"}),
        ("InvalidInput", {"CallerArn": "arn:aws:sts::111122223333:assumed-role/ci/run"}),
        ("InvalidInput", {"CallerArn": "ecr.amazonaws.com"}),
        ("InvalidInput", {"ResourceHandlingOption": "EC2-VPC-EBS"}),
        ("InvalidInput", {"ContextEntries": [entry("some:Key", "string", "a"), entry("Some:key", "string", "b")]}),
        ("ValidationError", {"ContextEntries": [entry("some:Key", "text", "a")]}),
        ("ValidationError", {"ContextEntries": [entry("key", "string", "a")]}),
    ],
)
def test_what_makes_no_sense_is_refused(account: Account, code: str, question: dict[str, Any]) -> None:
    with refused(code) as error:
        account.iam.simulate_custom_policy(**{"PolicyInputList": [EVERYTHING], "ActionNames": [PUT]} | question)
    assert error.status == 400


def test_who_is_not_there_has_no_policies(account: Account, other: Account) -> None:
    calls = [account.iam.simulate_principal_policy, account.iam.get_context_keys_for_principal_policy]
    for call, more in zip(calls, [{"ActionNames": [PUT]}, {}], strict=True):
        for kind in ["user", "group", "role"]:
            with refused("NoSuchEntity", f"The {kind} with name nobody cannot be found."):
                call(PolicySourceArn=f"arn:aws:iam::{account.id}:{kind}/nobody", **more)
        for arn in [f"arn:aws:iam::{account.id}:root", "alice", f"arn:aws:iam::{account.id}:policy/pull"]:
            with refused("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name."):
                call(PolicySourceArn=arn, **more)
        # Of another account not even whether it is there is told.
        stranger = other.user("stranger", allow("*"))
        for arn in [stranger.arn, f"arn:aws:iam::{other.id}:user/nobody"]:
            with refused("AccessDenied"):
                call(PolicySourceArn=arn, **more)


def test_the_permission_to_simulate_is_on_the_principal(account: Account) -> None:
    auditor = account.user("auditor")
    team, alone = account.role("team", None, allow(PULL)), account.role("alone")
    own = [allow(["iam:SimulatePrincipalPolicy", "iam:GetContextKeysForPrincipalPolicy"], team)]
    account.iam.put_user_policy(UserName=auditor.name, PolicyName="inline", PolicyDocument=document(*own))
    iam = account.server.client("iam", auditor.key)
    (result,) = iam.simulate_principal_policy(PolicySourceArn=team, ActionNames=[GET])["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"
    with refused("AccessDenied"):
        iam.simulate_principal_policy(PolicySourceArn=alone, ActionNames=[GET])
    with refused("AccessDenied"):
        iam.simulate_custom_policy(PolicyInputList=[EVERYTHING], ActionNames=[GET])
