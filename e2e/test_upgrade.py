"""This version opens the data directory of every earlier one, and finds all that was in it (`kept_data.py`)."""

import json
import tarfile
import time
from collections.abc import Callable
from typing import Any

import pytest

from account import Account, refused
from kept_data import DIRECTORY, LAYER, OTHER, VULNERABLE
from oci import digest
from scanning import CRITICAL, SCAN_SECONDS, advisory, import_advisories, load_advisories, scanned
from server import Key, Server

CORRECTED = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.14-1~deb12u1", CRITICAL, "2026-11-20")
KEPT = sorted(DIRECTORY.glob("*.tar.gz"))


@pytest.fixture(params=KEPT, ids=lambda file: file.name.removesuffix(".tar.gz"))
def opened(request: pytest.FixtureRequest, own_server: Callable[..., Server]) -> tuple[Server, dict[str, Any]]:
    server = own_server("kept")
    server.home.mkdir()
    with tarfile.open(request.param) as archive:
        archive.extractall(server.home, filter="data")
    return server, json.loads((server.home / "expected.json").read_text())


def test_there_is_a_directory_of_an_earlier_version() -> None:
    assert KEPT


def test_a_data_directory_of_an_earlier_version_serves_all_it_had(opened: tuple[Server, dict[str, Any]]) -> None:
    server, expected = opened
    begun = time.time()
    server.start()
    account = Account.default(server)
    dev = Key(expected["dev"]["id"], expected["dev"]["secret"], account.id)
    other = Account(server, Key(expected["other"]["id"], expected["other"]["secret"], OTHER))
    assert account.id == expected["account"]
    assert_identities(account, dev)
    assert_images(account, expected)
    assert_decisions(account, other, dev, expected["images"])
    # The form of advisories may have changed since: then what was found stays until others are imported.
    load_advisories(server, import_advisories(server, server.home / "records", CORRECTED)).check_returncode()
    assert_judged_anew(account, begun)

    # It goes on from there: the same bytes again, something new, and what nothing refers to is collected.
    registry = server.push_and_pull(dev)
    registry.push("team/other", "again", LAYER)
    registry.push("team/other", "new", b"made by this version")
    freed = server.command("gc", "--dry-run", "--data", str(server.data))
    assert freed.returncode == 0, freed.stderr
    server.stop()
    server.start()
    assert server.push_and_pull(dev).blob("team/other", digest(b"made by this version")).status_code == 200
    server.stop()


def assert_identities(account: Account, dev: Key) -> None:
    iam = account.iam
    assert account.server.client("sts", dev).get_caller_identity()["Arn"].endswith(":user/team/dev")
    user = iam.get_user(UserName="dev")["User"]
    assert user["Tags"] == [{"Key": "team", "Value": "ml"}]
    boundary = user["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary.endswith(":policy/team/boundary")
    assert iam.get_policy(PolicyArn=boundary)["Policy"]["DefaultVersionId"] == "v2"
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="dev")["Groups"]] == ["pushers"]
    assert iam.get_role(RoleName="puller")["Role"]["MaxSessionDuration"] == 7200
    profile = iam.get_instance_profile(InstanceProfileName="nodes")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["puller"]
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    answer = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    assert answer["Url"] == "issuer.example.com" and answer["ClientIDList"] == ["sts.amazonaws.com"]
    assert iam.list_account_aliases()["AccountAliases"] == ["kept"]


def assert_images(account: Account, expected: dict[str, Any]) -> None:
    ecr = account.ecr
    (repository,) = ecr.describe_repositories(repositoryNames=["team/app"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    arn = repository["repositoryArn"]
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "env", "Value": "prod"}]
    registry = account.server.push_and_pull(account.key)
    for tag, of in expected["images"].items():
        assert registry.pull("team/app", tag).headers["Docker-Content-Digest"] == of
    for repository, layer in (("team/app", LAYER), ("team/app", VULNERABLE), ("team/other", LAYER)):
        assert registry.blob(repository, digest(layer)).content == layer
    referrers = registry.get(f"/v2/team/app/referrers/{expected['images']['v1']}").json()["manifests"]
    assert [referrer["digest"] for referrer in referrers] == [expected["signature"]]
    assert registry.pull("team/other", "gone").status_code == 404
    found = scanned(account, "team/app", {"imageTag": "vulnerable"})
    assert found["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1}


def assert_judged_anew(account: Account, begun: float) -> None:
    """What an earlier version has indexed is judged by this one, which indexes it anew if it looks for more."""
    deadline = time.monotonic() + SCAN_SECONDS
    while True:
        found = scanned(account, "team/app", {"imageTag": "vulnerable"})
        assert found["imageScanStatus"]["status"] == "COMPLETE", found
        if found["imageScanFindings"]["imageScanCompletedAt"].timestamp() >= begun:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1}


def assert_decisions(account: Account, other: Account, dev: Key, images: dict[str, str]) -> None:
    server = account.server
    pulling = server.push_and_pull(other.key)
    # The gate in the repository policy, for the other account.
    for tag, status in (("v1", 200), ("vulnerable", 403)):
        answer = pulling.get(f"/v2/team/app/manifests/{images[tag]}")
        assert answer.status_code == status, answer.text
    # The second version of the boundary, the service control policy, and a session of the role.
    with refused("AccessDeniedException"):
        server.client("ecr", dev).delete_repository(repositoryName="team/other", force=True)
    with refused("AccessDeniedException"):
        other.ecr.delete_repository(repositoryName="app")
    role = account.iam.get_role(RoleName="puller")["Role"]["Arn"]
    session = other.assume(role)
    assert server.push_and_pull(session).pull("team/app", "v1").status_code == 200
