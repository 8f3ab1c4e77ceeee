"""Who has no right gets nothing, not even knowledge: the same answer whether or not the repository exists."""

import re
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from account import LOGIN, Account, allow, document, grant, refused
from iam_calls import IAM_CALLS, iam_call
from oci import V2, digest, error, manifest
from served import SERVED
from server import REGION

# What changes from one answer to the next whatever was asked.
IDS = re.compile(r"\(decision [^;]+; run: bonded why [^)]+\)")
VARYING_HEADERS = {"date", "x-amzn-requestid"}

LAYER = b"a layer that exists"
UPLOAD = "00000000-0000-4000-8000-000000000000"
UPLOAD = "00000000-0000-4000-8000-000000000000"
# Operations whose action has another name.
ACTIONS = {"ListImageReferrers": "BatchGetImage"}
# A request of each route, of a repository, with the action that decides it.
ROUTES: dict[str, tuple[str, Callable[[V2, str], object]]] = {
    "get manifest": ("BatchGetImage", lambda v2, name: v2.pull(name, "v1")),
    "put manifest": ("PutImage", lambda v2, name: v2.put_manifest(name, "v2", manifest(b"{}", LAYER))),
    "head blob": ("BatchCheckLayerAvailability", lambda v2, name: v2.head(f"/v2/{name}/blobs/{digest(LAYER)}")),
    "get blob": ("GetDownloadUrlForLayer", lambda v2, name: v2.blob(name, digest(LAYER))),
    "begin upload": ("InitiateLayerUpload", lambda v2, name: v2.request("POST", f"/v2/{name}/blobs/uploads/")),
    "delete manifest": ("BatchDeleteImage", lambda v2, name: v2.request("DELETE", f"/v2/{name}/manifests/v1")),
    "delete blob": ("BatchDeleteImage", lambda v2, name: v2.request("DELETE", f"/v2/{name}/blobs/{digest(LAYER)}")),
    "mount": (
        "InitiateLayerUpload",
        lambda v2, name: v2.request("POST", f"/v2/{name}/blobs/uploads/?mount={digest(LAYER)}&from={name}"),
    ),
    "mount from any": (
        "InitiateLayerUpload",
        lambda v2, name: v2.request("POST", f"/v2/{name}/blobs/uploads/?mount={digest(LAYER)}"),
    ),
    "upload status": ("UploadLayerPart", lambda v2, name: v2.get(f"/v2/{name}/blobs/uploads/{UPLOAD}")),
    "upload part": (
        "UploadLayerPart",
        lambda v2, name: v2.request("PATCH", f"/v2/{name}/blobs/uploads/{UPLOAD}", data=b"x"),
    ),
    "finish upload": (
        "CompleteLayerUpload",
        lambda v2, name: v2.finish_upload(f"/v2/{name}/blobs/uploads/{UPLOAD}", digest(LAYER)),
    ),
    "cancel upload": ("UploadLayerPart", lambda v2, name: v2.request("DELETE", f"/v2/{name}/blobs/uploads/{UPLOAD}")),
    "list referrers": ("BatchGetImage", lambda v2, name: v2.get(f"/v2/{name}/referrers/{digest(LAYER)}")),
    "list tags": ("ListImages", lambda v2, name: v2.get(f"/v2/{name}/tags/list")),
}


def no_right(arn: str, action: str, resource: str, side: str = "identity-based") -> str:
    """AWS's sentence with ours after it, as a pattern."""
    sentence = (
        f"User: {arn} is not authorized to perform: {action} on resource: {resource} because no {side} policy allows "
        f"the {action} action"
    )
    return re.escape(sentence) + r" \(decision (\S+); run: bonded why \1\)"


def ecr_calls(repository: str, arn: str) -> dict[str, dict]:
    """The smallest valid input of each ECR operation that is served, on one repository."""
    named = {"repositoryName": repository}
    return {
        "CreateRepository": named,
        "DescribeRepositories": {"repositoryNames": [repository]},
        "DeleteRepository": named,
        "SetRepositoryPolicy": named | {"policyText": document(grant("*", "ecr:BatchGetImage"))},
        "GetRepositoryPolicy": named,
        "DeleteRepositoryPolicy": named,
        "TagResource": {"resourceArn": arn, "tags": [{"Key": "k", "Value": "v"}]},
        "UntagResource": {"resourceArn": arn, "tagKeys": ["k"]},
        "ListTagsForResource": {"resourceArn": arn},
        "PutImageTagMutability": named | {"imageTagMutability": "IMMUTABLE"},
        "BatchGetImage": named | {"imageIds": [{"imageTag": "v1"}]},
        "PutImage": named | {"imageManifest": manifest(b"{}", LAYER).decode()},
        "BatchDeleteImage": named | {"imageIds": [{"imageTag": "v1"}]},
        "ListImages": named,
        "DescribeImages": named,
        "ListImageReferrers": named | {"subjectId": {"imageDigest": digest(LAYER)}},
        "BatchCheckLayerAvailability": named | {"layerDigests": [digest(LAYER)]},
        "InitiateLayerUpload": named,
        "UploadLayerPart": named | {"uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"x"},
        "CompleteLayerUpload": named | {"uploadId": UPLOAD, "layerDigests": [digest(LAYER)]},
        "GetDownloadUrlForLayer": named | {"layerDigest": digest(LAYER)},
        "StartImageScan": named | {"imageId": {"imageTag": "v1"}},
        "DescribeImageScanFindings": named | {"imageId": {"imageTag": "v1"}},
        "PutImageScanningConfiguration": named | {"imageScanningConfiguration": {"scanOnPush": True}},
        "GetRegistryScanningConfiguration": {},
        "PutRegistryScanningConfiguration": {"scanType": "BASIC"},
        "BatchGetRepositoryScanningConfiguration": {"repositoryNames": [repository]},
        "GetAuthorizationToken": {},
    }


# What concerns no repository.
REGISTRY_WIDE = {"GetAuthorizationToken", "GetRegistryScanningConfiguration", "PutRegistryScanningConfiguration"}


# ------------------------------------------------------------------------------------------------ AWS's doors


@pytest.mark.parametrize("name", sorted(SERVED))
def test_the_powerless_are_denied_every_ecr_operation(account: Account, name: str) -> None:
    user = account.user("powerless")
    existing = account.repository("same-length")
    absent = "x" * len(existing)
    answers = []
    for repository in (existing, absent):
        with pytest.raises(ClientError) as raised:
            arn = account.arn(repository)
            account.server.client("ecr", user.key)._make_api_call(name, ecr_calls(repository, arn)[name])
        response = raised.value.response
        assert response["Error"]["Code"] == "AccessDeniedException"
        resource = "*" if name in REGISTRY_WIDE else arn
        action = f"ecr:{ACTIONS.get(name, name)}"
        assert re.fullmatch(no_right(user.arn, action, resource), response["Error"]["Message"])
        answers.append(masked_aws(response, repository))
    assert answers[0] == answers[1]


def masked_aws(response: dict, repository: str) -> tuple[object, ...]:
    metadata = response["ResponseMetadata"]
    headers = {k: v for k, v in metadata["HTTPHeaders"].items() if k not in VARYING_HEADERS}
    return metadata["HTTPStatusCode"], headers, IDS.sub("", response["Error"]["Message"]).replace(repository, "NAME")


@pytest.mark.parametrize("name", sorted(IAM_CALLS))
def test_the_powerless_are_denied_every_iam_operation(account: Account, name: str) -> None:
    user = account.user("powerless")
    real = {
        "USER": account.user("victim").name,
        "GROUP": account.group("victim"),
        "ROLE": account.role("victim").rsplit("/", 1)[1],
    }
    texts = set()
    for placeholders in (real, dict.fromkeys(real, "absent")):
        resource, parameters = iam_call(name, ACCOUNT=account.id, **placeholders)
        with refused("AccessDenied") as denied:
            account.server.client("iam", user.key)._make_api_call(name, parameters)
        arn = resource if resource == "*" else f"arn:aws:iam::{account.id}:{resource}"
        assert re.fullmatch(no_right(user.arn, f"iam:{name}", arn), denied.message)
        texts.add(IDS.sub("", denied.message).replace(arn, "RESOURCE"))
    assert len(texts) == 1


# ------------------------------------------------------------------------------------------------ /v2


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    """A repository with an image."""
    name = account.repository("private/repository")
    account.server.push_and_pull(account.key).push(name, "v1", LAYER)
    return name


Caller = tuple[V2, str, str]  # its door, its ARN, the side that does not allow


@pytest.fixture(scope="module")
def callers(account: Account, other: Account) -> dict[str, Caller]:
    """Four callers, none of whom has a right on the repository."""

    def caller(of: Account, side: str, *statements: dict) -> Caller:
        user = of.user("caller", allow(LOGIN), *statements)
        door = of.server.push_and_pull(user.key)
        if not statements:  # the token was asked for before: now there is no policy at all
            of.iam.delete_user_policy(UserName=user.name, PolicyName="inline")
        return door, user.arn, side

    elsewhere = account.arn(account.repository("elsewhere"))
    return {
        "no policy": caller(account, "identity-based"),
        "right on another repository": caller(account, "identity-based", allow("ecr:*", elsewhere)),
        "another account": caller(other, "identity-based"),
        "another account with all rights of its own": caller(other, "resource-based", allow("*")),
    }


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "who",
    ["no policy", "right on another repository", "another account", "another account with all rights of its own"],
)
def test_a_repository_is_hidden_from_who_has_no_right_on_it(
    account: Account, repository: str, callers: dict[str, Caller], who: str, route: str
) -> None:
    door, arn, side = callers[who]
    action, request = ROUTES[route]
    answers = []
    for name in (repository, "x" * len(repository)):
        answer = request(door, name)
        if route == "head blob":  # a pusher goes on to an upload, whose refusal has a text
            assert answer.status_code == 404
        else:
            status, code, message = error(answer)
            assert (status, code) == (403, "DENIED")
            assert re.fullmatch(no_right(arn, f"ecr:{action}", account.arn(name), side), message), message
        headers = {k.lower(): v for k, v in answer.headers.items() if k.lower() not in VARYING_HEADERS}
        answers.append((answer.status_code, headers, IDS.sub("", answer.text).replace(name, "NAME")))
    assert answers[0] == answers[1]


def test_a_blob_is_no_capability_in_another_repository(account: Account, repository: str) -> None:
    mine = account.repository("mine")
    user = account.user("reader", allow(LOGIN), allow("ecr:*", account.arn(mine)))
    door = account.server.push_and_pull(user.key)
    for of in (digest(LAYER), digest(b"never pushed")):
        assert door.head(f"/v2/{mine}/blobs/{of}").status_code == 404
        assert error(door.blob(mine, of))[:2] == (404, "BLOB_UNKNOWN")
    pushed = door.put_manifest(mine, "stolen", manifest(b"{}", LAYER))
    assert error(pushed)[1] == "MANIFEST_BLOB_UNKNOWN"
    assert error(door.blob(repository, digest(LAYER)))[:2] == (403, "DENIED")


def test_who_may_read_learns_that_a_repository_is_absent(account: Account) -> None:
    text = f"The repository with name 'absent/one' does not exist in the registry with id '{account.id}'"
    door = account.server.push_and_pull(account.key)
    for route, (_, request) in ROUTES.items():
        answer = request(door, "absent/one")
        if route == "list referrers":  # the specification wants an empty list
            assert (answer.status_code, answer.json()["manifests"]) == (200, [])
            continue
        assert answer.status_code == 404
        if answer.request.method != "HEAD":
            pushes = route in ("begin upload", "mount", "mount from any", "put manifest")
            create = " (create it first: aws ecr create-repository --repository-name absent/one)"
            assert error(answer) == (404, "NAME_UNKNOWN", text + create * pushes)


# ------------------------------------------------------------------------------------------------ why


def decision_of(message: str) -> str:
    found = re.search(r"run: bonded why (\S+)\)$", message)
    assert found, message
    return found[1]


def test_why_explains_a_denial(account: Account, repository: str) -> None:
    only_tags = allow("ecr:ListImages", account.arn(repository), Sid="OnlyTags")
    user = account.user("curious", allow(LOGIN), only_tags)
    denied = error(account.server.push_and_pull(user.key).pull(repository, "v1"))[2]
    why = account.server.command("why", decision_of(denied), key=account.key)
    assert why.returncode == 0, why.stderr
    for told in (user.arn, "ecr:BatchGetImage", account.arn(repository), "inline", "OnlyTags"):
        assert told in why.stdout, told
    # The smallest change stands there as a statement to add.
    assert re.search(r'"Effect":\s*"Allow"', why.stdout), why.stdout


def test_why_finds_a_decision_of_aws_doors_too(account: Account, repository: str) -> None:
    user = account.user("curious")
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", user.key).delete_repository(repositoryName=repository)
    why = account.server.command("why", decision_of(denied.message), key=account.key)
    assert why.returncode == 0, why.stderr
    assert "ecr:DeleteRepository" in why.stdout


def test_why_of_an_unknown_decision_ends_with_not_found(account: Account) -> None:
    unknown = "019b0000000123456789abcd"
    why = account.server.command("why", unknown, key=account.key)
    assert why.returncode == 4, why.stdout + why.stderr
    assert unknown in why.stderr


def test_why_tells_the_powerless_nothing_of_the_repository(account: Account) -> None:
    policy = document(
        {"Sid": "Hidden", "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"},
    )
    name = account.repository(policy=policy)
    account.ecr.tag_resource(resourceArn=account.arn(name), tags=[{"Key": "env", "Value": "CANARY"}])
    user = account.user("powerless", allow(LOGIN))

    def explained(repository: str) -> str:
        denied = error(account.server.push_and_pull(user.key).pull(repository, "v1"))[2]
        why = account.server.command("why", decision_of(denied), key=user.key)
        assert why.returncode == 0, why.stderr
        text = why.stdout.replace(decision_of(denied), "ID").replace(repository, "NAME")
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z|EpochTime = \d+|UserAgent = .*", "", text)

    assert explained(name) == explained(account.unique("absent"))
    assert "CANARY" not in explained(name)


def test_neither_denial_nor_why_tells_the_path_of_a_user(account: Account) -> None:
    hidden = account.unique("hidden")
    account.iam.create_user(UserName=hidden, Path="/canary/")
    user = account.user("powerless")
    with refused("AccessDenied") as denied:
        account.server.client("iam", user.key).get_user(UserName=hidden)
    assert "canary" not in denied.message
    for key, told in ((user.key, False), (account.key, True)):
        why = account.server.command("why", decision_of(denied.message), key=key)
        assert why.returncode == 0, why.stderr
        assert ("canary" in why.stdout) == told


def test_why_shows_no_trust_policy_to_the_powerless(account: Account) -> None:
    trust = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": account.id},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "CANARY"}},
        }
    )
    role = account.unique("ops")
    arn = account.iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    user = account.user("powerless")
    with refused("AccessDenied") as denied:
        account.server.client("sts", user.key).assume_role(RoleArn=arn, RoleSessionName="session")
    why = account.server.command("why", decision_of(denied.message), key=user.key)
    assert why.returncode == 0, why.stderr
    assert "CANARY" not in why.stdout
    assert "ExternalId" not in why.stdout


def test_why_shows_another_account_only_its_own_side(account: Account, other: Account) -> None:
    policy = document(
        {"Sid": "OurSecret", "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"},
    )
    name = account.repository(policy=policy)
    user = other.user("visitor", allow("*", Sid="TheirOwn"))
    denied = error(other.server.push_and_pull(user.key).pull(name, "v1"))[2]
    theirs = account.server.command("why", decision_of(denied), key=other.key)
    assert theirs.returncode == 0, theirs.stderr
    assert "OurSecret" not in theirs.stdout
    ours = account.server.command("why", decision_of(denied), key=account.key)
    assert "OurSecret" in ours.stdout
    assert "TheirOwn" not in ours.stdout


def test_the_region_of_a_denial_is_the_one_addressed(account: Account) -> None:
    user = account.user("where")
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", user.key).describe_repositories()
    assert f"arn:aws:ecr:{REGION}:{account.id}:repository/*" in denied.message
