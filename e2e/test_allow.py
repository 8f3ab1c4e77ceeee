"""Vulnerabilities that a registry accepts: visible, not counted, for a while, by whoever may say so."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from account import PULL, PUSH, Account, allow
from scanning import (
    CRITICAL,
    GATE,
    MEDIUM,
    SCAN_SECONDS,
    advisory,
    import_advisories,
    layer,
    load_advisories,
    python,
    scanned,
)
from server import Key
from test_ecr_images import push

ACTIONS = ["bonded:PutAllowedVulnerability", "bonded:ListAllowedVulnerabilities", "bonded:DeleteAllowedVulnerability"]
RECORDS = [
    advisory("PYSEC-1", "PyPI", "aaa", "2", CRITICAL) | {"aliases": ["CVE-2026-1"]},
    advisory("PYSEC-2", "PyPI", "bbb", "2", MEDIUM),
]


@pytest.fixture
def nodes(own_server: Any, database: Callable[[], str], tmp_path: Path) -> Iterator[tuple[Account, Account]]:
    """The same account through two nodes; the first has advisories and an image with a critical finding."""
    maker = own_server("maker")
    maker.start()
    maker.stop()
    url = database()
    one = own_server("one", database=url, keyring=maker.keyring).start()
    two = own_server("two", database=url, keyring=maker.keyring).start()
    load_advisories(one, import_advisories(one, tmp_path / "records", *RECORDS))
    yield Account(one, one.administrator), Account(two, one.administrator)
    one.stop()
    two.stop()


def bonded_allow(account: Account, key: Key, *arguments: str) -> CompletedProcess[str]:
    return account.server.command("allow", *arguments, "--data", str(account.server.data), key=key)


def test_an_accepted_vulnerability_stays_visible_and_does_not_count(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    name = one.repository("team/app", imageScanningConfiguration={"scanOnPush": True})
    push(one, name, "v1", layer(python("aaa", "1") | python("bbb", "1")))
    assert scanned(one, name, {"imageTag": "v1"})["imageScanStatus"]["status"] == "COMPLETE"
    prod = one.user("prod", allow(PULL, Condition=GATE))
    # Whoever may do everything with ECR may not loosen the gate.
    pusher = one.user("pusher", allow("ecr:*"), allow(PUSH))
    security = one.user("security", allow(ACTIONS))
    entry = ["--repositories", name, "--owner", "alice", "--reason", "not reached"]
    assert not two.pulls(name, prod, "v1")

    denied = bonded_allow(one, pusher.key, "add", "CVE-2026-1", *entry, "--until", "14d")
    assert denied.returncode == 3
    assert "bonded:PutAllowedVulnerability" in denied.stderr
    assert not two.pulls(name, prod, "v1")

    # Of another package, of another repository, of another vulnerability.
    for arguments in (
        ["CVE-2026-1", *entry, "--package", "bbb"],
        ["CVE-2026-1", *entry[2:], "--repositories", "team/other*"],
        ["CVE-2026-2", *entry],
    ):
        added = bonded_allow(one, security.key, "add", *arguments, "--until", "14d")
        assert added.returncode == 0, added.stderr
        assert not two.pulls(name, prod, "v1")

    added = bonded_allow(one, security.key, "add", "cve-2026-1", *entry, "--until", "2099-01-31")
    assert added.returncode == 0, added.stderr
    key = added.stdout.strip()
    # In force on both nodes with the next request.
    assert two.pulls(name, prod, "v1")
    assert one.pulls(name, prod, "v1")
    answer = two.ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageTag": "v1"})
    found = answer["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"MEDIUM": 1}
    status = {f["packageVulnerabilityDetails"]["vulnerabilityId"]: f["status"] for f in found["enhancedFindings"]}
    assert status == {"CVE-2026-1": "SUPPRESSED", "PYSEC-2": "ACTIVE"}
    basic = {f["name"]: {a["key"]: a["value"] for a in f["attributes"]} for f in found["findings"]}
    by = f"allow list '{key}' of alice until 2099-01-31T00:00:00Z: not reached"
    assert basic["CVE-2026-1"]["suppressed_by"] == by

    listed = json.loads(bonded_allow(two, security.key, "list", "-o", "json").stdout)["allowedVulnerabilities"]
    assert len(listed) == 4
    mine = next(item for item in listed if item["id"] == key)
    assert (mine["owner"], mine["status"], mine["createdBy"].split("/")[-1]) == ("alice", "ACTIVE", security.name)
    assert bonded_allow(two, pusher.key, "list").returncode == 3
    assert bonded_allow(two, pusher.key, "remove", key).returncode == 3
    assert two.pulls(name, prod, "v1")
    assert bonded_allow(two, security.key, "remove", key).returncode == 0
    assert not one.pulls(name, prod, "v1")
    again = bonded_allow(two, security.key, "remove", key)
    assert again.returncode == 1
    assert f"there is no entry '{key}'" in again.stderr


def test_an_entry_ends_by_itself(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    name = one.repository(imageScanningConfiguration={"scanOnPush": True})
    push(one, name, "v1", layer(python("aaa", "1")))
    scanned(one, name, {"imageTag": "v1"})
    prod = one.user("prod", allow(PULL, Condition=GATE))
    until = (datetime.now(UTC) + timedelta(seconds=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    arguments = ["PYSEC-1", "--repositories", "*", "--owner", "bob", "--reason", "a day off", "--until", until]
    assert bonded_allow(one, one.server.administrator, "add", *arguments).returncode == 0
    assert two.pulls(name, prod, "v1")
    deadline = time.monotonic() + SCAN_SECONDS
    while two.pulls(name, prod, "v1"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    listed = bonded_allow(two, one.server.administrator, "list").stdout
    assert f" EXPIRED PYSEC-1 in any package of *, until {until[:-1]}" in listed


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["CVE 1", "--until", "1d"], 1, "a CVE or the id of an advisory"),
        (["CVE-1", "--until", "yesterday"], 2, "'yesterday' is no end"),
        (["CVE-1", "--until", "2020-01-01"], 1, "a time to come"),
        (["CVE-1", "--until", "1d", "--owner", " "], 1, "owner"),
        (["CVE-1", "--until", "1d", "--repositories", "A b"], 1, "is not a pattern of repository names"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(
    account: Account, arguments: list[str], status: int, text: str
) -> None:
    rest = {"--repositories": "*", "--owner": "x", "--reason": "y"}
    for option in arguments:
        rest.pop(option, None)
    more = [part for pair in rest.items() for part in pair]
    done = bonded_allow(account, account.server.administrator, "add", *arguments, *more)
    assert done.returncode == status
    assert text in done.stderr
