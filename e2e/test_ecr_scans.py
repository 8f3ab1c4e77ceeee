"""Scans of images: what they find and say, when they are made, and each operation's own errors."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from account import Account, refused
from oci import Image, digest
from scanning import (
    CRITICAL,
    DEBIAN,
    MEDIUM,
    SCAN_SECONDS,
    advisory,
    debian,
    findings,
    import_advisories,
    layer,
    load_advisories,
    python,
    scanned,
    server_with_advisories,
)
from server import Server
from test_ecr_images import ABSENT, INVALID_TOKEN, constraint, no_repository, push, push_index

OPENSSL = ("libssl3", "3.0.11-1~deb12u2", "openssl")
LAYER = layer(debian(OPENSSL, ("adduser", "3.134", "adduser")) | python("Jinja2", "3.1.2"))
RECORDS = [
    advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL),
    advisory("DEBIAN-CVE-2024-0002", "Debian:12", "openssl", None),
    advisory("DEBIAN-CVE-2020-0003", "Debian:12", "openssl", "3.0.1-1"),
    advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4", MEDIUM) | {"aliases": ["CVE-2024-34064"]},
    advisory("PYSEC-2020-1", "PyPI", "jinja2", "3.0.0"),
    advisory("DEBIAN-CVE-2024-0004", "Debian:10", "linux", "4.19.316-1", CRITICAL),
]
NEWEST = 1793491200.0  # 2026-11-01


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose configuration names a file of advisories."""
    with server_with_advisories(tmp_path_factory.mktemp("server"), *RECORDS) as server:
        yield server


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    """A repository whose images are scanned when they are pushed."""
    return account.repository("scanned", imageScanningConfiguration={"scanOnPush": True})


@pytest.fixture(scope="module")
def image(account: Account, repository: str) -> Image:
    """An image that was scanned when it was pushed."""
    image = push(account, repository, "v1", LAYER)
    scanned(account, repository, {"imageTag": "v1"})
    return image


def status(account: Account, name: str, content: bytes, tag: str = "v1") -> tuple[str, str]:
    """How the scan of an image with this layer ends."""
    push(account, name, tag, content)
    shown = scanned(account, name, {"imageTag": tag})["imageScanStatus"]
    return shown["status"], shown["description"]


# ------------------------------------------------------------------------------------------------ findings


def test_a_pushed_image_is_scanned_and_the_waiter_of_boto3_sees_it(account: Account, repository: str) -> None:
    push(account, repository, "waited-for", layer(debian(("bash", "5.2.15-2", "bash"))))
    waiter = account.ecr.get_waiter("image_scan_complete")
    asked = {"repositoryName": repository, "imageId": {"imageTag": "waited-for"}}
    waiter.wait(**asked, WaiterConfig={"Delay": 1, "MaxAttempts": SCAN_SECONDS})
    answer = account.ecr.describe_image_scan_findings(**asked)
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert answer["imageScanFindings"]["findings"] == []
    assert answer["imageScanFindings"]["findingSeverityCounts"] == {}


def test_findings_are_shown_as_basic_scanning_does(account: Account, repository: str, image: Image) -> None:
    answer = findings(account, repository, {"imageTag": "v1"})
    assert (answer["registryId"], answer["repositoryName"]) == (account.id, repository)
    assert answer["imageId"] == {"imageDigest": image.digest, "imageTag": "v1"}
    found = answer["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"CRITICAL": 1, "MEDIUM": 1, "UNDEFINED": 1}
    assert found["vulnerabilitySourceUpdatedAt"].timestamp() == NEWEST
    attributes = {f["name"]: {a["key"]: a["value"] for a in f["attributes"]} for f in found["findings"]}
    openssl = {"package_name": "libssl3", "package_version": "3.0.11-1~deb12u2"}
    assert attributes == {
        "CVE-2024-0001": openssl
        | {"fixed_in_version": "3.0.13-1~deb12u1", "CVSS3_SCORE": "9.8", "CVSS3_VECTOR": CRITICAL},
        "CVE-2024-0002": openssl,
        "CVE-2024-34064": {
            "package_name": "Jinja2",
            "package_version": "3.1.2",
            "fixed_in_version": "3.1.4",
            "CVSS3_SCORE": "5.4",
            "CVSS3_VECTOR": MEDIUM,
        },
    }
    shown = {f["name"]: (f["severity"], f.get("uri"), f.get("description")) for f in found["findings"]}
    assert shown["CVE-2024-0001"] == (
        "CRITICAL",
        "https://advisories.example/DEBIAN-CVE-2024-0001",
        "About openssl",
    )
    assert shown["CVE-2024-0002"][0] == "UNDEFINED"


def test_findings_are_shown_as_enhanced_scanning_does(account: Account, repository: str, image: Image) -> None:
    found = findings(account, repository, {"imageDigest": image.digest})["imageScanFindings"]["enhancedFindings"]
    (jinja,) = (f for f in found if f["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-2024-34064")
    assert jinja["title"] == "CVE-2024-34064 - Jinja2"
    assert (jinja["severity"], jinja["score"], jinja["fixAvailable"]) == ("MEDIUM", 5.4, "YES")
    assert (jinja["type"], jinja["status"]) == ("PACKAGE_VULNERABILITY", "ACTIVE")
    details = jinja["packageVulnerabilityDetails"]
    assert details["relatedVulnerabilities"] == ["GHSA-aaaa-bbbb-cccc"]
    assert details["vulnerablePackages"] == [
        {
            "name": "Jinja2",
            "version": "3.1.2",
            "packageManager": "PYTHON",
            "filePath": "usr/local/lib/python3.12/site-packages/Jinja2-3.1.2.dist-info/METADATA",
            "sourceLayerHash": digest(LAYER),
            "fixedInVersion": "3.1.4",
        }
    ]
    (resource,) = jinja["resources"]
    shown = resource["details"]["awsEcrContainerImage"]
    assert (shown["imageHash"], shown["repositoryName"], shown["registry"]) == (image.digest, repository, account.id)
    assert (shown["architecture"], shown["platform"]) == ("amd64", "DEBIAN_12")
    (openssl, *_) = (f["packageVulnerabilityDetails"]["vulnerablePackages"][0] for f in found if f is not jinja)
    assert (openssl["name"], openssl["arch"]) == ("libssl3", "AMD64")
    assert "v1" in shown["imageTags"]
    (unfixed,) = (f for f in found if f["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-2024-0002")
    assert (unfixed["severity"], unfixed["fixAvailable"], unfixed.get("score")) == ("UNDEFINED", "NO", None)
    assert len({f["findingArn"] for f in found}) == len(found) == 3


@pytest.mark.usefixtures("image")
def test_findings_come_in_pages(account: Account, repository: str) -> None:
    everything = findings(account, repository, {"imageTag": "v1"})["imageScanFindings"]
    pages = list(
        account.ecr.get_paginator("describe_image_scan_findings").paginate(
            repositoryName=repository, imageId={"imageTag": "v1"}, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["imageScanFindings"]["findings"]) for page in pages] == [2, 1]
    for name in ("findings", "enhancedFindings"):
        assert [f for page in pages for f in page["imageScanFindings"][name]] == everything[name]
    for page in pages:
        assert page["imageScanFindings"]["findingSeverityCounts"] == everything["findingSeverityCounts"]
    token = pages[0]["nextToken"]
    push(account, repository, "other", layer(debian(OPENSSL)))
    scanned(account, repository, {"imageTag": "other"})
    for image_id, changed in (({"imageTag": "other"}, token), ({"imageTag": "v1"}, token[:-2] + "AA")):
        with refused("InvalidParameterException", INVALID_TOKEN):
            findings(account, repository, image_id, nextToken=changed)


def test_a_list_of_images_shows_their_scans(account: Account, repository: str, image: Image) -> None:
    name = account.repository("unscanned")
    push(account, name, "v1", LAYER)
    (plain,) = account.ecr.describe_images(repositoryName=name)["imageDetails"]
    assert plain.keys().isdisjoint({"imageScanStatus", "imageScanFindingsSummary"})
    for asked in ({"imageIds": [{"imageTag": "v1"}]}, {}):
        details = account.ecr.describe_images(repositoryName=repository, **asked)["imageDetails"]
        (shown,) = (detail for detail in details if detail["imageDigest"] == image.digest)
        assert shown["imageScanStatus"]["status"] == "COMPLETE"
        summary = shown["imageScanFindingsSummary"]
        assert summary["findingSeverityCounts"] == {"CRITICAL": 1, "MEDIUM": 1, "UNDEFINED": 1}
        assert summary["vulnerabilitySourceUpdatedAt"].timestamp() == NEWEST


# ------------------------------------------------------------------------------------------------ what is not known


@pytest.mark.parametrize(
    ("files", "expected", "reason"),
    [
        ({"etc/os-release": b"ID=plan9\nVERSION_ID=4\n", "var/lib/dpkg/status": b""}, "UNSUPPORTED_IMAGE", None),
        ({"bin/app": b"\x7fELF"}, "UNSUPPORTED_IMAGE", None),
        (
            {
                "etc/os-release": b"ID=alpine\nVERSION_ID=3.20.1\n",
                "lib/apk/db/installed": b"P:musl\nV:1.2.5-r0\nA:x86_64\n\n",
            },
            "FINDINGS_UNAVAILABLE",
            "there are no advisories for 'Alpine:v3.20': nothing is known of its packages; "
            "alpine 3.20.1 has got no updates since 2026-04-01",
        ),
        ({"etc/os-release": DEBIAN}, "FAILED", None),
    ],
    ids=["unknown system", "nothing recognised", "no advisories", "no package database"],
)
def test_what_is_not_known_of_an_image_is_said(
    account: Account, files: dict[str, bytes], expected: str, reason: str | None
) -> None:
    name = account.repository("unknown", imageScanningConfiguration={"scanOnPush": True})
    shown, description = status(account, name, layer(files))
    assert shown == expected, description
    assert description and reason in (None, description)
    # It must not look as if nothing had been found.
    assert "imageScanFindings" not in findings(account, name, {"imageTag": "v1"})
    (detail,) = account.ecr.describe_images(repositoryName=name)["imageDetails"]
    assert detail["imageScanStatus"]["status"] == expected
    assert "imageScanFindingsSummary" not in detail


def test_a_system_without_updates_and_kernel_headers_are_said_and_do_not_count(account: Account) -> None:
    name = account.repository("old", imageScanningConfiguration={"scanOnPush": True})
    buster = {"etc/os-release": b"ID=debian\nVERSION_ID=10\n"}
    shown, description = status(account, name, layer(debian(("linux-libc-dev", "4.19.1-1", "linux")) | buster))
    assert shown == "COMPLETE"
    assert description == (
        "The scan was completed successfully; debian 10 has got no updates since 2024-06-30; "
        "1 findings do not count: they are in packages of kernel headers."
    )
    assert findings(account, name, {"imageTag": "v1"})["imageScanFindings"]["findingSeverityCounts"] == {}


def test_a_layer_that_is_broken_or_hostile_fails_the_scan_and_the_waiter(account: Account) -> None:
    name = account.repository("broken", imageScanningConfiguration={"scanOnPush": True})
    shown, description = status(account, name, LAYER[:-40])
    assert shown == "FAILED", description
    waiter = account.ecr.get_waiter("image_scan_complete")
    with pytest.raises(WaiterError):
        waiter.wait(repositoryName=name, imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    assert account.server.is_running()


def test_an_attestation_has_nothing_to_scan(account: Account) -> None:
    name = account.repository("attested", imageScanningConfiguration={"scanOnPush": True})
    shown, description = status(account, name, json.dumps({"_type": "https://in-toto.io/Statement/v0.1"}).encode())
    assert shown == "UNSUPPORTED_IMAGE"
    assert description == "nothing in the image is a file system, so there is nothing to scan"


# ------------------------------------------------------------------------------------------------ StartImageScan


def test_a_scan_is_started_by_hand_and_not_repeated_for_nothing(account: Account) -> None:
    name = account.repository("by-hand")
    image = push(account, name, "v1", LAYER)
    asked = {"repositoryName": name, "imageId": {"imageTag": "v1"}}
    with refused(
        "ScanNotFoundException",
        f"Image scan does not exist for the image with '{{imageDigest:'null', imageTag:'v1'}}' in the repository with "
        f"name '{name}' in the registry with id '{account.id}'",
    ):
        account.ecr.describe_image_scan_findings(**asked)
    started = account.ecr.start_image_scan(**asked)
    assert started["imageScanStatus"] == {"status": "IN_PROGRESS"}
    assert started["imageId"] == {"imageDigest": image.digest, "imageTag": "v1"}
    assert (started["registryId"], started["repositoryName"]) == (account.id, name)
    answer = scanned(account, name, {"imageTag": "v1"})
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert len(answer["imageScanFindings"]["findings"]) == 3
    with refused("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."):
        account.ecr.start_image_scan(**asked)


def test_a_scan_that_failed_may_be_started_again(account: Account) -> None:
    name = account.repository("again")
    push(account, name, "v1", LAYER[:-41])
    for _ in range(2):
        account.ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "v1"})
        assert scanned(account, name, {"imageTag": "v1"})["imageScanStatus"]["status"] == "FAILED"


@pytest.mark.parametrize("call", ["start_image_scan", "describe_image_scan_findings"])
def test_an_image_that_is_not_there_has_no_scan(account: Account, repository: str, call: str) -> None:
    scan = getattr(account.ecr, call)
    with refused("RepositoryNotFoundException", no_repository(account)):
        scan(repositoryName=ABSENT, imageId={"imageTag": "v1"})
    absent = digest(b"absent")
    for image_id, shown in (
        ({"imageTag": "absent"}, "imageDigest:'null', imageTag:'absent'"),
        ({"imageDigest": absent}, f"imageDigest:'{absent}', imageTag:'null'"),
        ({"imageDigest": "md5:00"}, "imageDigest:'md5:00', imageTag:'null'"),
    ):
        with refused(
            "ImageNotFoundException",
            f"The image with imageId {{{shown}}} does not exist within the repository with name '{repository}' in the "
            f"registry with id '{account.id}'",
        ):
            scan(repositoryName=repository, imageId=image_id)
    reason = "Invalid request parameters: both tag and digest cannot be null"
    with refused("InvalidParameterException", constraint("imageId", reason)):
        scan(repositoryName=repository, imageId={})


def test_what_is_no_image_cannot_be_scanned(account: Account, repository: str, image: Image) -> None:
    push_index(account, repository, "all", image)
    with refused("UnsupportedImageTypeException") as error:
        account.ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "all"})
    assert error.message.endswith("it is an index; scan the images in it")
    v2 = account.server.push_and_pull(account.key)
    chart = image.manifest.decode().replace("application/vnd.oci.image.config", "application/vnd.cncf.helm.config")
    chart = chart.replace("application/vnd.oci.image.layer", "application/vnd.cncf.helm.chart")
    assert v2.put_manifest(repository, "chart", chart.encode()).status_code == 201
    with refused("UnsupportedImageTypeException") as error:
        account.ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "chart"})
    assert error.message.endswith("it is an artifact without a file system")


def test_a_registry_that_scans_by_itself_shows_other_words(account: Account) -> None:
    everything = {"filter": "*", "filterType": "WILDCARD"}
    rules = [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [everything]}]
    account.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    try:
        name = account.repository("enhanced")
        push(account, name, "v1", LAYER)
        answer = scanned(account, name, {"imageTag": "v1"})
        assert answer["imageScanStatus"]["status"] == "ACTIVE"
        assert len(answer["imageScanFindings"]["enhancedFindings"]) == 3
        with refused("ValidationException"):
            account.ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "v1"})
    finally:
        account.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[])


@pytest.mark.usefixtures("image")
def test_the_limits_of_a_page_are_held(account: Account, repository: str) -> None:
    for count, bound in ((0, "greater than or equal to 1"), (1001, "less than or equal to 1000")):
        with refused("InvalidParameterException", constraint("maxResults", f"Member must have value {bound}")):
            findings(account, repository, {"imageTag": "v1"}, maxResults=count)


def test_what_is_known_of_an_image_goes_with_it(account: Account) -> None:
    name = account.repository("gone", imageScanningConfiguration={"scanOnPush": True})
    image = push(account, name, "v1", LAYER)
    scanned(account, name, {"imageTag": "v1"})
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": image.digest}])
    with refused("ImageNotFoundException"):
        findings(account, name, {"imageDigest": image.digest})
    account.ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration={"scanOnPush": False})
    push(account, name, "v1", LAYER)
    with refused("ScanNotFoundException"):
        findings(account, name, {"imageDigest": image.digest})


# ------------------------------------------------------------------------------------------------ advisories


def judged_with(account: Account, name: str, at: float) -> dict[str, Any]:
    """What is known of an image once it was judged by advisories of this date."""
    deadline = time.monotonic() + SCAN_SECONDS
    while time.monotonic() < deadline:
        answer = scanned(account, name, {"imageTag": "v1"})
        updated = answer.get("imageScanFindings", {}).get("vulnerabilitySourceUpdatedAt")
        if updated is not None and updated.timestamp() == at:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{name} was not judged again within {SCAN_SECONDS} s")


def test_images_are_judged_again_when_advisories_are_loaded(own_server: Any, tmp_path: Path) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository(imageScanningConfiguration={"scanOnPush": True})
    shown, description = status(account, name, LAYER)
    assert shown == "FINDINGS_UNAVAILABLE"
    assert "bonded advisories load" in description
    records = [advisory(f"DEBIAN-CVE-2024-{n}", "Debian:12", "openssl", "3.0.13", CRITICAL) for n in range(1000, 1020)]
    records.append(RECORDS[3])
    file = import_advisories(server, tmp_path / "first", *records)
    done = load_advisories(server, file)
    assert done.returncode == 0, done.stderr
    answer = judged_with(account, name, NEWEST)
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert len(answer["imageScanFindings"]["findings"]) == 21
    # Fewer by more than a tenth: a broken import looks like safety.
    less = import_advisories(
        server, tmp_path / "less", *records[5:], advisory("X-1", "PyPI", "x", "1", modified="2026-11-02")
    )
    done = load_advisories(server, less)
    assert done.returncode == 1
    assert "'Debian:12' has 15 advisories, and 20 before" in done.stderr
    assert len(findings(account, name, {"imageTag": "v1"}, maxResults=1000)["imageScanFindings"]["findings"]) == 21
    assert load_advisories(server, less, "--force").returncode == 0
    answer = judged_with(account, name, NEWEST + 86400)
    assert len(answer["imageScanFindings"]["findings"]) == 16
    # They are in use after a restart too, without any setting.
    server.stop()
    less.unlink()
    server.start()
    push(account := Account.default(server), name, "v2", layer(debian(OPENSSL)))
    answer = scanned(account, name, {"imageTag": "v2"})
    assert len(answer["imageScanFindings"]["findings"]) == 15
    # The operator may go back.
    assert load_advisories(server, file, "--force").returncode == 0
    answer = judged_with(account, name, NEWEST)
    assert len(answer["imageScanFindings"]["findings"]) == 21
    server.stop()


def test_a_file_that_holds_no_advisories_is_refused(own_server: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"no advisories" * 1000)
    server = own_server("refused", options=["--advisories", str(file)])
    assert "the file does not hold advisories" in server.refuse_to_start()
    server = own_server().start()
    done = load_advisories(server, file)
    assert done.returncode == 1
    assert "the file does not hold advisories" in done.stderr
    done = load_advisories(server, tmp_path / "absent")
    assert done.returncode == 1
    assert "absent" in done.stderr
    server.stop()


def test_a_scan_that_was_under_way_goes_on_after_a_crash(own_server: Any, tmp_path: Path) -> None:
    server = own_server()
    file = import_advisories(server, tmp_path / "records", *RECORDS)
    server = own_server(options=["--advisories", str(file)]).start()
    account = Account.default(server)
    name = account.repository(imageScanningConfiguration={"scanOnPush": True})
    for number in range(20):
        push(account, name, f"v{number}", layer(debian(OPENSSL) | {"mark": bytes([number])}))
    server.kill()
    server.start()
    account = Account.default(server)
    for number in range(20):
        answer = scanned(account, name, {"imageTag": f"v{number}"})
        assert answer["imageScanStatus"]["status"] == "COMPLETE"
        assert len(answer["imageScanFindings"]["findings"]) == 2
    server.stop()
