"""ECR's repositories, their policies and tags: answers, and each operation's own errors with ECR's texts."""

import json

import pytest

from account import Account, allow, document, grant, refused

ABSENT = "team/absent"


def no_repository(account: Account, name: str = ABSENT) -> str:
    return f"The repository with name '{name}' does not exist in the registry with id '{account.id}'"


def constraint(field: str, reason: str) -> str:
    return f"Invalid parameter at '{field}' failed to satisfy constraint: '{reason}'"


# ------------------------------------------------------------------------------------------------ create


def test_a_new_repository_has_ecrs_defaults(account: Account) -> None:
    name = account.unique("team/app")
    made = account.ecr.create_repository(repositoryName=name)["repository"]
    assert made.pop("createdAt")
    assert made.pop("repositoryUri").endswith(f"/{name}")
    assert made == {
        "repositoryArn": account.arn(name),
        "registryId": account.id,
        "repositoryName": name,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }


def test_what_is_asked_for_at_creation_is_kept(account: Account) -> None:
    asked = {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [
            {"filterType": "WILDCARD", "filter": "latest*"},
            {"filterType": "WILDCARD", "filter": "dev-*"},
        ],
        "imageScanningConfiguration": {"scanOnPush": True},
    }
    name = account.repository(**asked)
    (found,) = account.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert {key: found[key] for key in asked} == asked


def test_a_taken_name_is_refused(account: Account) -> None:
    name = account.repository()
    text = f"The repository with name '{name}' already exists in the registry with id '{account.id}'"
    with refused("RepositoryAlreadyExistsException", text):
        account.ecr.create_repository(repositoryName=name)


@pytest.mark.parametrize(
    "name", ["A", "a", "App", "team//app", "/app", "app/", "app-", "-app", "a..b", "a b", "é", "a" * 257, "../etc", ""]
)
def test_a_malformed_name_is_refused(account: Account, name: str) -> None:
    with refused("InvalidParameterException") as error:
        account.ecr.create_repository(repositoryName=name)
    assert error.message.startswith("Invalid parameter at 'repositoryName' failed to satisfy constraint: '")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"imageTagMutability": "SOMETIMES"}, "imageTagMutability"),
        ({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}, "imageTagMutabilityExclusionFilters"),
        (
            {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest"}]},
            "imageTagMutabilityExclusionFilters",
        ),
    ],
)
def test_a_malformed_tag_mutability_is_refused(account: Account, options: dict, field: str) -> None:
    with refused("InvalidParameterException") as error:
        account.repository(**options)
    assert field.lower() in error.message.lower()


def test_a_missing_name_is_refused(account: Account) -> None:
    with refused("InvalidParameterException"):
        account.ecr.create_repository()


# ------------------------------------------------------------------------------------------------ describe


def test_repositories_are_found_by_name(account: Account) -> None:
    names = [account.repository() for _ in range(3)]
    found = account.ecr.describe_repositories(repositoryNames=names[:2])["repositories"]
    assert sorted(repository["repositoryName"] for repository in found) == names[:2]


def test_one_absent_name_fails_the_whole_description(account: Account) -> None:
    with refused("RepositoryNotFoundException", no_repository(account)):
        account.ecr.describe_repositories(repositoryNames=[account.repository(), ABSENT])


def test_all_repositories_come_in_pages_without_loss_or_repetition(other: Account) -> None:
    names = {other.repository("page") for _ in range(7)}
    pages = list(other.ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["repositories"]) for page in pages] == [3, 3, 1]
    found = [repository["repositoryName"] for page in pages for repository in page["repositories"]]
    assert len(found) == 7
    assert set(found) == names


def test_a_malformed_page_token_is_refused(account: Account) -> None:
    for _ in range(2):
        account.repository()
    token = account.ecr.describe_repositories(maxResults=1)["nextToken"]
    for malformed in ("malformed", "", "!", token + "A", token + "\0", "A" * 10_000):
        with refused("InvalidParameterException"):
            account.ecr.describe_repositories(maxResults=1, nextToken=malformed)


def test_a_page_token_of_another_account_shows_nothing_of_it(account: Account, other: Account) -> None:
    for _ in range(2):
        account.repository("secret-name")
    token = account.ecr.describe_repositories(maxResults=1)["nextToken"]
    try:
        found = other.ecr.describe_repositories(maxResults=1000, nextToken=token)["repositories"]
    except other.ecr.exceptions.InvalidParameterException:
        return
    assert all(repository["registryId"] == other.id for repository in found)


@pytest.mark.parametrize(
    "options",
    [
        {"maxResults": 0},
        {"maxResults": 1001},
        {"maxResults": "many"},
        {"repositoryNames": []},
        {"repositoryNames": ["app"] * 101},
        {"repositoryNames": ["app"], "maxResults": 1},
        {"repositoryNames": ["app"], "nextToken": "token"},
        {"repositoryNames": "app"},
        {"registryId": "1"},
    ],
)
def test_a_malformed_description_request_is_refused(account: Account, options: dict) -> None:
    with refused("InvalidParameterException"):
        account.ecr.describe_repositories(**options)


# ------------------------------------------------------------------------------------------------ delete


def test_a_deleted_repository_is_described_and_gone(account: Account) -> None:
    name = account.repository()
    deleted = account.ecr.delete_repository(repositoryName=name)["repository"]
    assert deleted["repositoryArn"] == account.arn(name)
    with refused("RepositoryNotFoundException", no_repository(account, name)):
        account.ecr.describe_repositories(repositoryNames=[name])
    with refused("RepositoryNotFoundException", no_repository(account, name)):
        account.ecr.delete_repository(repositoryName=name)


def test_a_repository_with_images_is_deleted_only_by_force(account: Account) -> None:
    name = account.repository()
    account.server.push_and_pull(account.key).push(name, "v1")
    text = (
        f"The repository with name '{name}' in registry with id '{account.id}' cannot be deleted because it still "
        "contains images"
    )
    with refused("RepositoryNotEmptyException", text):
        account.ecr.delete_repository(repositoryName=name)
    account.ecr.delete_repository(repositoryName=name, force=True)
    account.ecr.create_repository(repositoryName=name)
    assert account.server.push_and_pull(account.key).pull(name, "v1").status_code == 404


def test_a_new_repository_inherits_nothing_from_a_deleted_one_of_its_name(account: Account) -> None:
    policy = document(grant("*", "ecr:BatchGetImage"))
    name = account.repository(policy=policy, tags=[{"Key": "team", "Value": "a"}])
    account.ecr.delete_repository(repositoryName=name)
    account.ecr.create_repository(repositoryName=name)
    with refused("RepositoryPolicyNotFoundException"):
        account.ecr.get_repository_policy(repositoryName=name)
    assert account.ecr.list_tags_for_resource(resourceArn=account.arn(name))["tags"] == []


# ------------------------------------------------------------------------------------------------ policy


def test_a_repository_policy_is_set_read_and_removed(account: Account, other: Account) -> None:
    name = account.repository()
    text = document(grant(f"arn:aws:iam::{other.id}:root", ["ecr:BatchGetImage"], Sid="pull"))
    for answer in (
        account.ecr.set_repository_policy(repositoryName=name, policyText=text),
        account.ecr.get_repository_policy(repositoryName=name),
        account.ecr.delete_repository_policy(repositoryName=name),
    ):
        assert (answer["registryId"], answer["repositoryName"]) == (account.id, name)
        assert json.loads(answer["policyText"]) == json.loads(text)
    missing = (
        f"Repository policy does not exist for the repository with name '{name}' in the registry with id '{account.id}'"
    )
    with refused("RepositoryPolicyNotFoundException", missing):
        account.ecr.get_repository_policy(repositoryName=name)
    with refused("RepositoryPolicyNotFoundException", missing):
        account.ecr.delete_repository_policy(repositoryName=name)


def test_the_policy_of_an_absent_repository_is_not_found(account: Account) -> None:
    text = no_repository(account)
    with refused("RepositoryNotFoundException", text):
        account.ecr.set_repository_policy(repositoryName=ABSENT, policyText=document(grant("*", "ecr:*")))
    with refused("RepositoryNotFoundException", text):
        account.ecr.get_repository_policy(repositoryName=ABSENT)
    with refused("RepositoryNotFoundException", text):
        account.ecr.delete_repository_policy(repositoryName=ABSENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "{}",
        "[]",
        document(),
        document(grant("*", "ecr:*", Resource="*")),
        document(allow("ecr:*")),
        document({"Effect": "Allow", "Principal": "*"}),
        document({"Effect": "Maybe", "Principal": "*", "Action": "ecr:*"}),
        document(grant("*", "ecr:*", Condition={"StringSounds": {"aws:PrincipalArn": "x"}})),
        document(grant("*", "ecr:*", Shoes=43)),
        document(grant("arn:aws:iam::111111111111:user/nobody", "ecr:*")),
        document(grant("nobody", "ecr:*")),
        '{"Version":"2012-10-17","Statement":[],"Statement":[]}',
    ],
)
def test_a_defective_repository_policy_is_refused(account: Account, text: str) -> None:
    name = account.repository()
    with refused("InvalidParameterException", constraint("PolicyText", "Invalid repository policy provided")):
        account.ecr.set_repository_policy(repositoryName=name, policyText=text)
    with refused("RepositoryPolicyNotFoundException"):
        account.ecr.get_repository_policy(repositoryName=name)


def test_a_repository_policy_has_10240_characters_at_most(account: Account) -> None:
    name = account.repository()
    text = document(grant("*", "ecr:BatchGetImage"))
    account.ecr.set_repository_policy(repositoryName=name, policyText=text + " " * (10_240 - len(text)))
    with refused("InvalidParameterException"):
        account.ecr.set_repository_policy(repositoryName=name, policyText=text + " " * (10_241 - len(text)))


def test_a_policy_that_would_lock_its_account_out_needs_force(account: Account) -> None:
    name = account.repository()
    text = document({"Effect": "Deny", "Principal": "*", "Action": "ecr:SetRepositoryPolicy"})
    with refused("InvalidParameterException"):
        account.ecr.set_repository_policy(repositoryName=name, policyText=text)
    account.ecr.set_repository_policy(repositoryName=name, policyText=text, force=True)
    with refused("AccessDeniedException"):
        account.ecr.set_repository_policy(repositoryName=name, policyText=document(grant("*", "ecr:*")))


# ------------------------------------------------------------------------------------------------ tags


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def listed(account: Account, name: str) -> dict[str, str]:
    answer = account.ecr.list_tags_for_resource(resourceArn=account.arn(name))
    return {tag["Key"]: tag["Value"] for tag in answer["tags"]}


def test_tags_are_set_merged_and_removed(account: Account) -> None:
    name = account.repository(tags=tags(team="a", Team="b"))
    assert listed(account, name) == {"team": "a", "Team": "b"}
    account.ecr.tag_resource(resourceArn=account.arn(name), tags=tags(team="c", env=""))
    assert listed(account, name) == {"team": "c", "Team": "b", "env": ""}
    account.ecr.untag_resource(resourceArn=account.arn(name), tagKeys=["Team", "absent"])
    assert listed(account, name) == {"team": "c", "env": ""}


@pytest.mark.parametrize("bad", [tags(**{"k" * 129: "v"}), tags(k="v" * 257), tags(**{"aws:team": "a"})])
def test_a_malformed_tag_is_refused(account: Account, bad: list[dict[str, str]]) -> None:
    name = account.repository()
    with refused("InvalidTagParameterException"):
        account.ecr.tag_resource(resourceArn=account.arn(name), tags=bad)
    with refused("InvalidTagParameterException"):
        account.repository(tags=bad)
    assert listed(account, name) == {}


def test_the_fifty_first_tag_is_refused(account: Account) -> None:
    name = account.repository(tags=tags(**{f"k{n}": "v" for n in range(50)}))
    account.ecr.tag_resource(resourceArn=account.arn(name), tags=tags(k0="again"))
    with refused("TooManyTagsException"):
        account.ecr.tag_resource(resourceArn=account.arn(name), tags=tags(k50="v"))
    with refused("TooManyTagsException"):
        account.repository(tags=tags(**{f"k{n}": "v" for n in range(51)}))
    assert len(listed(account, name)) == 50


def test_the_tags_of_an_absent_repository_are_not_found(account: Account) -> None:
    arn, text = account.arn(ABSENT), no_repository(account)
    with refused("RepositoryNotFoundException", text):
        account.ecr.list_tags_for_resource(resourceArn=arn)
    with refused("RepositoryNotFoundException", text):
        account.ecr.tag_resource(resourceArn=arn, tags=tags(k="v"))
    with refused("RepositoryNotFoundException", text):
        account.ecr.untag_resource(resourceArn=arn, tagKeys=["k"])


@pytest.mark.parametrize(
    "arn", ["", "app", "arn:aws:ecr", "arn:aws:iam::111111111111:user/x", "arn:aws:ecr:us-east-1:111111111111:image/x"]
)
def test_an_arn_of_something_else_has_no_tags(account: Account, arn: str) -> None:
    with refused("InvalidParameterException", constraint("resourceArn", "Invalid ARN")):
        account.ecr.list_tags_for_resource(resourceArn=arn)


# ------------------------------------------------------------------------------------------------ another account


def test_another_accounts_registry_needs_that_accounts_word(account: Account, other: Account) -> None:
    name = account.repository()
    for call in (
        lambda: other.ecr.describe_repositories(registryId=account.id, repositoryNames=[name]),
        lambda: other.ecr.describe_repositories(registryId=account.id),
        lambda: other.ecr.get_repository_policy(registryId=account.id, repositoryName=name),
        lambda: other.ecr.list_tags_for_resource(resourceArn=account.arn(name)),
        lambda: other.ecr.delete_repository(registryId=account.id, repositoryName=name, force=True),
    ):
        with refused("AccessDeniedException") as error:
            call()
        assert "because no resource-based policy allows the ecr:" in error.message
    account.ecr.set_repository_policy(
        repositoryName=name, policyText=document(grant(f"arn:aws:iam::{other.id}:root", "ecr:DescribeRepositories"))
    )
    found = other.ecr.describe_repositories(registryId=account.id, repositoryNames=[name])["repositories"]
    assert [repository["repositoryArn"] for repository in found] == [account.arn(name)]


def test_the_same_name_in_two_accounts_is_two_repositories(account: Account, other: Account) -> None:
    name = account.repository()
    other.ecr.create_repository(repositoryName=name)
    other.ecr.delete_repository(repositoryName=name)
    assert account.ecr.describe_repositories(repositoryNames=[name])["repositories"]
