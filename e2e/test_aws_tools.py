"""Every operation that is served, called by boto3 and by the AWS CLI with the input that docs/reference/operations.md
has for it, in an order in which each can succeed; and every waiter. What that page gains is called from then on."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import DataNotFoundError, UnknownServiceError

import model
from account import PULL, Account, document, grant
from aws_tools import AwsCli, Boto3, Input, Refused, Tool
from oci import digest, manifest
from scanning import advisory, debian, import_advisories, layer
from served import SERVED
from server import ROOT, Server

ROW = re.compile(r"^\| `(\w+)` \| `[\w:]+` \| `(.*)` \|$", re.MULTILINE)
SERVICES = {"Amazon ECR": "ecr", "STS": "sts", "IAM": "iam"}
# What is made comes first, then what changes it, then what reads it, then what takes it away.
ORDER = [
    r"Create(Group|InstanceProfile|OpenIDConnectProvider|Policy|Repository|Role|User)$",
    r"Create|Initiate",
    r"UploadLayerPart",
    r"CompleteLayerUpload",
    r"PutImage$",
    r"Put|Set|Add|Attach|Tag|Update|Start|Reset|Register",
    r"Get(?!ServiceLinkedRoleDeletionStatus)|List|Describe|Batch(?!Delete)",
    r"Untag|Remove|Detach|Deregister|Stop|BatchDelete",
    r"Delete\w+(Policy|PermissionsBoundary|Key|Credential|Version|Alias)$",
    r"Delete",
    r"GetServiceLinkedRoleDeletionStatus",
]
READING = 6
CONFIG, LAYER = b'{"architecture": "amd64", "os": "linux"}', layer(debian(("bash", "5.2.15-2", "bash")))
# Where the page's smallest input is not what succeeds.
INPUTS: dict[str, Input] = {
    "UploadLayerPart": {
        "repositoryName": "team/app",
        "uploadId": "UPLOAD",
        "partFirstByte": 0,
        "partLastByte": len(LAYER) - 1,
        "layerPartBlob": LAYER,
    },
    "CompleteLayerUpload": {"repositoryName": "team/app", "uploadId": "UPLOAD", "layerDigests": [digest(LAYER)]},
    "PutImage": {"repositoryName": "team/app", "imageTag": "v1", "imageManifest": manifest(CONFIG, LAYER).decode()},
    "GetDownloadUrlForLayer": {"repositoryName": "team/app", "layerDigest": digest(LAYER)},
    "SetRepositoryPolicy": {"repositoryName": "team/app", "policyText": document(grant("*", PULL))},
    "DeletePolicyVersion": {"PolicyArn": "arn:aws:iam::111122223333:policy/pull", "VersionId": "v2"},
    "GetServiceLinkedRoleDeletionStatus": {"DeletionTaskId": "TASK"},
    "DeleteRepository": {"repositoryName": "team/app", "force": True},
}
# What stands in the page for what another operation answers: where in whose answer.
ANSWERED = {
    "TASK": ("DeleteServiceLinkedRole", ["DeletionTaskId"]),
    "UPLOAD": ("InitiateLayerUpload", ["uploadId"]),
    "AKIAIOSFODNN7EXAMPLE": ("CreateAccessKey", ["AccessKey", "AccessKeyId"]),
    "ACCAIOSFODNN7EXAMPLEA": (
        "CreateServiceSpecificCredential",
        ["ServiceSpecificCredential", "ServiceSpecificCredentialId"],
    ),
}
# What is refused because nothing can be made that would be found.
REFUSED = {
    "GetLoginProfile": "NoSuchEntity",
    "DeleteLoginProfile": "NoSuchEntity",
    "AssumeRoleWithWebIdentity": "InvalidIdentityToken",
    "DecodeAuthorizationMessage": "InvalidAuthorizationMessageException",
}


def served() -> list[tuple[str, str, Input]]:
    """Service, operation and input, in the order of the calls."""
    page = (ROOT / "docs" / "reference" / "operations.md").read_text()
    found = []
    for title, part in zip(*[iter(re.split(r"^## (.*)$", page, flags=re.MULTILINE)[1:])] * 2, strict=True):
        # AWS's tools know neither our own service nor our own operations.
        service = SERVICES.get(title)
        known = set(model.operations(service)) if service else set()
        for name, text in ROW.findall(part):
            if name in known:
                found.append((service, name, INPUTS.get(name, json.loads(text))))
    return sorted(found, key=lambda call: (rank(call[1]), call[1]))


def rank(operation: str) -> int:
    """Its place in `ORDER`; what begins with another word only asks."""
    return next((place for place, pattern in enumerate(ORDER) if re.match(pattern, operation)), READING)


def with_answers(input: Any, answers: dict[str, Input]) -> Any:
    """The input with what operations before it answered."""
    match input:
        case dict():
            return {name: with_answers(value, answers) for name, value in input.items()}
        case list():
            return [with_answers(value, answers) for value in input]
        case str() if input in ANSWERED:
            operation, path = ANSWERED[input]
            value: Any = answers[operation]
            for name in path:
                value = value[name]
            return value
    return input


def carry_out(tool: Tool, account: Account) -> None:
    """Calls everything, waits for everything that is waited for, and says all that did not end as it should."""
    answers: dict[str, Input] = {}
    faults = []
    calls = served()
    for service, name, input in calls:
        outcome = None
        try:
            answers[name] = tool.call(service, name, with_answers(input, answers))
        except Refused as refused:
            outcome = refused.code
        if outcome != REFUSED.get(name):
            faults.append(f"{service} {name} {input}: {outcome or 'succeeds'}")
        if name == "CreateRepository":
            account.server.push_and_pull(account.key).push_blob("team/app", CONFIG)
        if (service, name) == [call[:2] for call in calls if rank(call[1]) == READING][-1]:
            for waited, waiter, of in waiters():
                tool.wait(waited, waiter, of)
    assert not faults, "\n".join(faults)


def waiters() -> list[tuple[str, str, Input]]:
    """Service, waiter, and the input of the operation that it repeats, of all that is served."""
    inputs = {(service, name): input for service, name, input in served()}
    session = botocore.session.get_session()
    found = []
    for service in SERVICES.values():
        with contextlib.suppress(UnknownServiceError, DataNotFoundError):
            waiters = session.get_waiter_model(service)
            of = {name: waiters.get_waiter(name).operation for name in waiters.waiter_names}
            found += [(service, name, inputs[service, op]) for name, op in of.items() if (service, op) in inputs]
    return found


@pytest.fixture
def account(own_server: Callable[..., Server], tmp_path: Path) -> Iterator[Account]:
    """The default account, that of the page, of a server that has nothing yet."""
    file = import_advisories(own_server("importer"), tmp_path / "records", advisory("CVE-1", "Debian:12", "curl", "1"))
    server = own_server(options=["--advisories", str(file)])
    server.start()
    yield Account.default(server)
    server.stop()


def test_boto3_calls_every_operation(account: Account) -> None:
    carry_out(Boto3(account.server, account.key), account)


def test_the_aws_cli_calls_every_operation(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(AwsCli(account.server, account.key, tmp_path, monkeypatch), account)


def test_the_page_is_read_whole() -> None:
    calls = served()
    assert {name for service, name, _ in calls if service == "ecr"} == SERVED
    assert {service for service, _, _ in calls} == {"ecr", "sts", "iam"}
    assert {waiter for _, waiter, _ in waiters()} >= {
        "ImageScanComplete",
        "InstanceProfileExists",
        "UserExists",
        "RoleExists",
        "PolicyExists",
    }
