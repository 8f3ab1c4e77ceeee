"""`bonded gate check`: whether a role may pull an image, and what decides."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from account import LOGIN, PULL, Account, allow
from oci import Image
from scanning import CRITICAL, GATE, MEDIUM, advisory, debian, layer, python, scanned, server_with_advisories
from server import Server
from test_ecr_images import push, push_index

OPENSSL = ("libssl3", "3.0.11-1~deb12u2", "openssl")
VULNERABLE = layer(debian(OPENSSL) | python("Jinja2", "3.1.2"))
CLEAN = layer(debian(("libssl3", "3.0.15-1~deb12u1", "openssl")))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with advisories."""
    records = [
        advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "3.0.15-1~deb12u1", CRITICAL),
        advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4", MEDIUM),
    ]
    with server_with_advisories(tmp_path_factory.mktemp("server"), *records) as server:
        yield server


@pytest.fixture(scope="module")
def role(account: Account) -> str:
    """A role that may pull what was scanned and has nothing critical."""
    return account.role("gated", None, allow(LOGIN), allow(PULL, Condition=GATE))


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    return account.repository("gated", imageScanningConfiguration={"scanOnPush": True})


@pytest.fixture(scope="module")
def vulnerable(account: Account, repository: str) -> Image:
    image = push(account, repository, "vulnerable", VULNERABLE)
    scanned(account, repository, {"imageTag": "vulnerable"})
    return image


@pytest.fixture(scope="module")
def clean(account: Account, repository: str) -> Image:
    image = push(account, repository, "clean", CLEAN)
    scanned(account, repository, {"imageTag": "clean"})
    return image


def check(account: Account, image: str, role: str, *options: str) -> subprocess.CompletedProcess[str]:
    return account.server.command("gate", "check", image, "--as", role, *options, key=account.key)


def verdict(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_what_may_be_pulled_is_allowed(account: Account, repository: str, role: str, clean: Image) -> None:
    done = check(account, f"{repository}:clean", role, "-o", "json")
    assert done.returncode == 0, done.stderr
    answer = verdict(done)
    assert (answer["verdict"], answer["digests"], answer["findings"]) == ("allowed", [clean.digest], [])
    assert answer["role"] == role
    # By its name, and as docker names the image.
    name = role.rsplit("/", 1)[1]
    done = check(account, f"127.0.0.1:5000/{repository}@{clean.digest}", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"allowed: {role} pulls {repository}@{clean.digest}"]


def test_what_may_not_is_blocked_with_the_findings_and_what_would_change_it(
    account: Account, repository: str, role: str, vulnerable: Image
) -> None:
    for reference in (":vulnerable", f"@{vulnerable.digest}"):
        done = check(account, repository + reference, role, "-o", "json")
        assert done.returncode == 5, done.stderr
        answer = verdict(done)
        assert answer["verdict"] == "blocked"
        assert "1 critical findings" in answer["reason"]
        (finding,) = answer["findings"]
        assert finding["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-2024-5535"
        update, policy = answer["changes"]
        assert update == "update 'libssl3' from '3.0.11-1~deb12u2' to '3.0.15-1~deb12u1'"
        assert policy == f"or change a policy: bonded why {answer['decision']}"
    table = check(account, f"{repository}:vulnerable", role).stdout.splitlines()
    assert table[0] == f"blocked: {role} pulls {repository}:vulnerable"
    row = ["CRITICAL", "CVE-2024-5535", "libssl3", "3.0.11-1~deb12u2", "3.0.15-1~deb12u1"]
    assert row in [line.split() for line in table]
    assert account.server.command("why", answer["decision"], key=account.key).returncode == 0


def test_an_index_is_as_good_as_the_images_in_it(
    account: Account, repository: str, role: str, clean: Image, vulnerable: Image
) -> None:
    push_index(account, repository, "good", clean)
    push_index(account, repository, "bad", clean, vulnerable)
    good = check(account, f"{repository}:good", role, "-o", "json")
    assert good.returncode == 0, good.stderr
    assert clean.digest in verdict(good)["digests"]
    assert check(account, f"{repository}:bad", role).returncode == 5


def test_a_policy_that_has_nothing_to_do_with_scans_blocks_too(account: Account, repository: str, clean: Image) -> None:
    powerless = account.role("powerless")
    done = check(account, f"{repository}@{clean.digest}", powerless, "-o", "json")
    assert done.returncode == 5
    answer = verdict(done)
    assert "no identity-based policy allows the ecr:BatchGetImage action" in answer["reason"]
    assert answer["changes"] == [f"or change a policy: bonded why {answer['decision']}"]


def test_a_layer_that_may_not_be_read_blocks(account: Account, repository: str, clean: Image) -> None:
    blind = account.role("blind", None, allow("ecr:BatchGetImage"))
    done = check(account, f"{repository}@{clean.digest}", blind, "-o", "json")
    assert done.returncode == 5
    assert "ecr:GetDownloadUrlForLayer" in verdict(done)["reason"]


def test_what_is_not_there_or_cannot_be_asked_is_neither(account: Account, repository: str, role: str) -> None:
    assert check(account, f"{repository}:absent", role).returncode == 4
    assert check(account, "absent/repository:v1", role).returncode in (4, 5)
    assert check(account, f"{repository}:clean", f"arn:aws:iam::{account.id}:role/absent").returncode == 3
    assert check(account, "Not An Image", role).returncode == 2


def test_an_image_that_nobody_scanned_is_blocked_at_once(account: Account, role: str) -> None:
    name = account.repository("unscanned")
    push(account, name, "v1", CLEAN)
    done = check(account, f"{name}:v1", role, "-o", "json")
    assert done.returncode == 5
    assert "it was not scanned" in verdict(done)["reason"]


def test_a_scan_that_does_not_end_in_time_is_neither(own_server: Callable[..., Server]) -> None:
    server = own_server(options=["--scan-workers", "0", "--scan-pull-wait", "0s"]).start()
    account = Account.default(server)
    gated = account.role("gated", None, allow(LOGIN), allow(PULL, Condition=GATE))
    name = account.repository("waiting", imageScanningConfiguration={"scanOnPush": True})
    push(account, name, "v1", CLEAN)
    done = check(account, f"{name}:v1", gated, "--wait", "1", "-o", "json")
    assert done.returncode == 6, done.stderr
    answer = verdict(done)
    assert answer["verdict"] == "unknown"
    assert "scan not finished" in answer["reason"]
    # Whatever the scan comes to, somebody without the right stays blocked.
    powerless = account.role("powerless")
    assert check(account, f"{name}:v1", powerless, "--wait", "1").returncode == 5
