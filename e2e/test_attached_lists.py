"""Bills of materials attached to images: they add findings, and make nothing better."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, PULL, Account, User, allow
from attaching import CYCLONEDX, DSSE, SPDX, attach, cyclonedx, envelope, in_toto, spdx
from oci import Image
from scanning import (
    CRITICAL,
    GATE,
    advisory,
    debian,
    findings,
    import_advisories,
    layer,
    python,
    scanned,
    server_with_advisories,
)
from server import Server
from test_ecr_images import push

# The most that count for one image.
LIMIT = 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    records = [
        advisory("PYSEC-1", "PyPI", "aaa", "2", CRITICAL),
        advisory("GHSA-1", "npm", "bbb", "2", CRITICAL),
        advisory("DEBIAN-CVE-2026-2", "Debian:12", "openssl", "3.0.15-1", CRITICAL),
    ]
    with server_with_advisories(tmp_path_factory.mktemp("server"), *records) as server:
        yield server


@pytest.fixture
def name(account: Account) -> str:
    return account.repository("app", imageScanningConfiguration={"scanOnPush": True})


@pytest.fixture
def image(account: Account, name: str) -> Image:
    """An image of Debian without a finding."""
    image = push(account, name, "v1", layer(debian(("bash", "5.2-1", "bash")) | python("aaa", "2")))
    assert found(account, name, image) == []
    return image


@pytest.fixture(scope="module")
def prod(account: Account) -> User:
    """May pull what has no critical finding."""
    return account.user("prod", allow(PULL, Condition=GATE))


@pytest.fixture(scope="module")
def developer(account: Account) -> User:
    return account.user("developer", allow([LOGIN, "ecr:*"]))


def status(account: Account, name: str, image: Image) -> tuple[str, str]:
    answer = scanned(account, name, {"imageDigest": image.digest})["imageScanStatus"]
    return answer["status"], answer["description"]


def found(account: Account, name: str, image: Image) -> list[tuple[str, str, str | None]]:
    """The package, the vulnerability and the document of each finding; the scan has to be complete."""
    answer = scanned(account, name, {"imageDigest": image.digest})
    assert answer["imageScanStatus"]["status"] == "COMPLETE", answer["imageScanStatus"]
    result = []
    for finding in answer["imageScanFindings"]["findings"]:
        attributes = {item["key"]: item["value"] for item in finding["attributes"]}
        result.append((attributes["package_name"], finding["name"], attributes.get("attached_document")))
    return sorted(result, key=str)


@pytest.mark.parametrize("form", ["cyclonedx", "spdx", "in-toto", "dsse"])
def test_packages_that_the_image_does_not_show_are_judged(
    account: Account, name: str, image: Image, prod: User, developer: User, form: str
) -> None:
    assert account.pulls(name, prod, image)
    purls = ["pkg:npm/bbb@1", "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl"]
    media_type, document = {
        "cyclonedx": (CYCLONEDX, cyclonedx(*purls)),
        "spdx": (SPDX, spdx(*purls)),
        "in-toto": (DSSE, envelope(in_toto(image.digest, "https://spdx.dev/Document", spdx(*purls)))),
        "dsse": (DSSE, envelope(in_toto(image.digest, "https://cyclonedx.org/bom", cyclonedx(*purls)))),
    }[form]
    made = attach(account.server, developer.key, name, image.digest, media_type, document)
    want = [("bbb", "GHSA-1", made), ("libssl3", "CVE-2026-2", made)]
    assert found(account, name, image) == want
    assert not account.pulls(name, prod, image)
    answer = findings(account, name, {"imageDigest": image.digest})["imageScanFindings"]
    for finding in answer["enhancedFindings"]:
        (package,) = finding["packageVulnerabilityDetails"]["vulnerablePackages"]
        assert package["filePath"] == made
        assert "sourceLayerHash" not in package
    # It goes with the document.
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": made}])
    assert found(account, name, image) == []
    assert account.pulls(name, prod, image)


def test_a_list_replaces_nothing_and_says_what_cannot_be_judged(account: Account, name: str, developer: User) -> None:
    image = push(account, name, "old", layer(python("aaa", "1")))
    assert found(account, name, image) == [("aaa", "PYSEC-1", None)]
    purls = ["pkg:pypi/aaa@1", "pkg:pypi/aaa@2", "pkg:generic/ccc@1", "pkg:deb/ubuntu/d@1", f"pkg:oci/a@{image.digest}"]
    attach(account.server, developer.key, name, image.digest, CYCLONEDX, cyclonedx(*purls))
    assert found(account, name, image) == [("aaa", "PYSEC-1", None)]
    text = status(account, name, image)[1]
    assert "nothing is known of 2 packages" in text
    assert "pkg:generic/ccc@1" in text


def test_a_list_may_come_before_its_image(account: Account, name: str, developer: User) -> None:
    there = push(account, account.repository(), "v1", layer(python("aaa", "2")))
    made = attach(account.server, developer.key, name, there.digest, CYCLONEDX, cyclonedx("pkg:npm/bbb@1"))
    image = push(account, name, "v1", layer(python("aaa", "2")))
    assert image.digest == there.digest
    assert found(account, name, image) == [("bbb", "GHSA-1", made)]


@pytest.mark.parametrize(
    ("document", "status_then"),
    [
        (b"\x00{", "FAILED"),
        ({"bomFormat": "CycloneDX", "components": 7}, "FAILED"),
        ({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}, "FAILED"),
        # There are no advisories for it.
        (cyclonedx("pkg:cargo/x@1"), "FINDINGS_UNAVAILABLE"),
    ],
)
def test_what_cannot_be_known_is_not_safe(
    account: Account, name: str, image: Image, prod: User, developer: User, document: Any, status_then: str
) -> None:
    made = attach(account.server, developer.key, name, image.digest, CYCLONEDX, document)
    assert status(account, name, image)[0] == status_then
    assert not account.pulls(name, prod, image)
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": made}])
    assert status(account, name, image)[0] == "COMPLETE"
    assert account.pulls(name, prod, image)


def test_an_incomplete_scan_stays_incomplete(account: Account, name: str, prod: User, developer: User) -> None:
    image = push(account, name, "odd", layer({"etc/motd": b"hello"}))
    before = status(account, name, image)
    assert before[0] == "UNSUPPORTED_IMAGE"
    attach(account.server, developer.key, name, image.digest, CYCLONEDX, cyclonedx("pkg:pypi/aaa@2"))
    assert status(account, name, image) == before
    assert not account.pulls(name, prod, image)


def test_a_document_about_another_image_is_not_read(account: Account, name: str, image: Image, developer: User) -> None:
    other = in_toto("sha256:" + "0" * 64, "https://cyclonedx.org/bom", cyclonedx("pkg:npm/bbb@1"))
    attach(account.server, developer.key, name, image.digest, DSSE, envelope(other))
    assert found(account, name, image) == []
    assert "is about another image" in status(account, name, image)[1]


def test_a_flood_of_lists_is_bounded_and_hides_nothing(
    account: Account, name: str, image: Image, developer: User
) -> None:
    server = account.server
    first = attach(server, developer.key, name, image.digest, CYCLONEDX, cyclonedx("pkg:npm/bbb@1"))
    more = [
        attach(server, developer.key, name, image.digest, CYCLONEDX, cyclonedx(), annotations={"number": str(number)})
        for number in range(LIMIT)
    ]
    text = status(account, name, image)
    assert text == ("FAILED", f"more than {LIMIT} documents that may list packages are attached to it")
    # What was found is there, and other images are scanned.
    answer = findings(account, name, {"imageDigest": image.digest})["imageScanFindings"]["findings"]
    assert [finding["name"] for finding in answer] == ["GHSA-1"]
    elsewhere = account.repository(imageScanningConfiguration={"scanOnPush": True})
    assert found(account, elsewhere, push(account, elsewhere, "v1", layer(python("aaa", "1"))))
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": more[0]}])
    assert found(account, name, image) == [("bbb", "GHSA-1", first)]


def test_an_event_says_why_a_finding_came_and_went(account: Account, name: str, image: Image, developer: User) -> None:
    made = attach(account.server, developer.key, name, image.digest, CYCLONEDX, cyclonedx("pkg:npm/bbb@1"))
    assert len(found(account, name, image)) == 1
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": made}])
    assert found(account, name, image) == []
    done = account.server.command("events", "--data", str(account.server.data))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [event["detail"] for event in events if event["detail-type"] == "Inspector2 Finding"]
    told = [detail for detail in told if account.arn(name) in str(detail)]
    reasons = [(detail["status"], detail["bonded"]["reasons"]) for detail in told]
    assert reasons == [("ACTIVE", ["document_attached"]), ("CLOSED", ["document_removed"])]


def test_an_operator_says_whose_lists_count(own_server: Callable[..., Server], tmp_path: Path) -> None:
    records = [advisory("PYSEC-1", "PyPI", "aaa", "2", CRITICAL), advisory("GHSA-1", "npm", "bbb", "2", CRITICAL)]
    file = import_advisories(own_server(), tmp_path / "records", *records)
    for whose, counts in [("trusted", [False, True]), ("none", [False, False])]:
        server = own_server(whose, options=["--advisories", str(file), "--scan-attached-lists", whose]).start()
        account = Account.default(server)
        name = account.repository("app", imageScanningConfiguration={"scanOnPush": True})
        pushers = [
            account.user("developer", allow([LOGIN, "ecr:*"])),
            account.user("security", allow([LOGIN, "ecr:*", "bonded:PutVulnerabilityStatement"])),
        ]
        for number, (pusher, expected) in enumerate(zip(pushers, counts, strict=True)):
            image = push(account, name, f"v{number}", layer(python("aaa", f"2.{number}")))
            assert found(account, name, image) == []
            made = attach(server, pusher.key, name, image.digest, CYCLONEDX, cyclonedx("pkg:npm/bbb@1"))
            assert found(account, name, image) == ([("bbb", "GHSA-1", made)] if expected else [])
            said = status(account, name, image)
            assert said[0] == "COMPLETE"
            assert (f"the attached document '{made}' lists do not count" in said[1]) is not expected
            # Nor does one that cannot be read keep the gate shut.
            attach(server, pushers[0].key, name, image.digest, CYCLONEDX, {"bomFormat": "nonsense"})
            assert status(account, name, image)[0] == "COMPLETE"
        server.stop()
