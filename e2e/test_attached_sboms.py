"""Bills of materials as referrers of the images that were scanned, where the configuration asks for them."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from account import Account, refused
from oci import OCI_MANIFEST, V2, digest, manifest
from report_formats import cyclonedx, purls, spdx
from scanning import (
    CRITICAL,
    SCAN_SECONDS,
    advisory,
    debian,
    findings,
    import_advisories,
    layer,
    load_advisories,
    python,
    scanned,
)
from server import Server

CYCLONEDX, SPDX = "application/vnd.cyclonedx+json", "application/spdx+json"
CONFIG = b'{"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z"}'
SYSTEM = layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl")) | python("Jinja2", "3.1.2"))
OPENSSL = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL)
JINJA = advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4", CRITICAL)
ON_PUSH: Any = {"scanOnPush": True}
MakeServer = Callable[..., Server]


def push(v2: V2, repository: str, reference: str, *layers: bytes, config: bytes = CONFIG) -> str:
    """Pushes an image of these layers; its digest."""
    for blob in (config, *layers):
        v2.push_blob(repository, blob)
    answer = v2.put_manifest(repository, reference, manifest(config, *layers))
    assert answer.status_code == 201, answer.text
    return answer.headers["Docker-Content-Digest"]


def referrers(v2: V2, repository: str, of: str) -> dict[str, dict[str, Any]]:
    """The referrers of an image by artifact type, of which there must be one each."""
    answer = v2.get(f"/v2/{repository}/referrers/{of}")
    assert answer.status_code == 200, answer.text
    found = answer.json()["manifests"]
    assert len({one["artifactType"] for one in found}) == len(found), found
    return {one["artifactType"]: one for one in found}


def attached(v2: V2, repository: str, of: str, *types: str) -> dict[str, dict[str, Any]]:
    """The same, once there are those of these types."""
    deadline = time.monotonic() + SCAN_SECONDS
    while set(found := referrers(v2, repository, of)) != set(types):
        assert time.monotonic() < deadline, f"{repository} has {set(found)}"
        time.sleep(0.05)
    return found


def document(v2: V2, repository: str, referrer: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The manifest of a referrer and the text of its one layer, both as a client pulls them."""
    pulled = v2.pull(repository, referrer["digest"])
    assert pulled.status_code == 200, pulled.text
    assert (len(pulled.content), pulled.headers["Content-Type"]) == (referrer["size"], OCI_MANIFEST)
    body = pulled.json()
    (only,) = body["layers"]
    blob = v2.blob(repository, only["digest"])
    assert digest(blob.content) == only["digest"]
    assert v2.blob(repository, body["config"]["digest"]).content == b"{}"
    return body, blob.text


def after_everything(v2: V2, account: Account, repository: str) -> None:
    """Returns when jobs that were enqueued before have been done: what is pushed now is served after them."""
    of = push(v2, repository, "last", SYSTEM, config=CONFIG.replace(b"amd64", b"arm64"))
    attached(v2, repository, of, CYCLONEDX, SPDX)
    scanned(account, repository, {"imageTag": "last"})


@pytest.fixture
def server(own_server: MakeServer) -> Server:
    return own_server(options=["--scan-attach-sboms", "spdx,cyclonedx", "--scan-attach-sboms-to", "team/*"]).start()


@pytest.fixture
def account(server: Server) -> Account:
    account = Account.default(server)
    for name in ("team/app", "other/app"):
        account.ecr.create_repository(
            repositoryName=name, imageScanningConfiguration=ON_PUSH, imageTagMutability="IMMUTABLE"
        )
    return account


@pytest.fixture
def v2(server: Server) -> V2:
    return server.push_and_pull(server.administrator)


def test_a_scanned_image_has_its_bills_of_materials_as_referrers(account: Account, v2: V2) -> None:
    of = push(v2, "team/app", "v1", SYSTEM)
    found = attached(v2, "team/app", of, CYCLONEDX, SPDX)
    body, text = document(v2, "team/app", found[CYCLONEDX])
    assert body["subject"] == {"mediaType": OCI_MANIFEST, "digest": of, "size": len(manifest(CONFIG, SYSTEM))}
    assert (body["artifactType"], body["layers"][0]["mediaType"]) == (CYCLONEDX, CYCLONEDX)
    assert body["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert body["annotations"] == {"org.opencontainers.image.created": "2026-01-02T03:04:05Z"}
    bom = cyclonedx(text)
    assert bom["metadata"]["timestamp"] == "2026-01-02T03:04:05Z"
    assert bom["metadata"]["component"]["name"] == "team/app"
    assert "pkg:pypi/jinja2@3.1.2" in purls(bom)
    body, text = document(v2, "team/app", found[SPDX])
    assert (body["artifactType"], body["layers"][0]["mediaType"]) == (SPDX, SPDX)
    assert purls(spdx(text)) == purls(bom)

    # ECR's own list has them, and they are images of the repository as ECR's referrers are.
    listed = account.ecr.list_image_referrers(repositoryName="team/app", subjectId={"imageDigest": of})["referrers"]
    assert {one["artifactType"]: one["digest"] for one in listed} == {t: one["digest"] for t, one in found.items()}
    only = account.ecr.list_image_referrers(
        repositoryName="team/app", subjectId={"imageDigest": of}, filter={"artifactTypes": [SPDX]}
    )
    assert [one["digest"] for one in only["referrers"]] == [found[SPDX]["digest"]]
    details = {
        one["imageDigest"]: one for one in account.ecr.describe_images(repositoryName="team/app")["imageDetails"]
    }
    assert set(details) == {of, *(one["digest"] for one in found.values())}
    for artifact_type, one in found.items():
        detail = details[one["digest"]]
        assert (detail["artifactMediaType"], detail["subjectManifestDigest"]) == (artifact_type, of)
        assert not {"imageTags", "imageScanStatus", "imageScanFindingsSummary"} & set(detail)
        with refused("ScanNotFoundException"):
            findings(account, "team/app", {"imageDigest": one["digest"]})
    assert v2.get("/v2/team/app/tags/list").json()["tags"] == ["v1"]

    # Another repository is not asked for, and a chart is not scanned.
    elsewhere = push(v2, "other/app", "v1", SYSTEM)
    scanned(account, "other/app", {"imageTag": "v1"})
    after_everything(v2, account, "team/app")
    assert referrers(v2, "other/app", elsewhere) == {}
    assert referrers(v2, "team/app", found[SPDX]["digest"]) == {}


def test_other_advisories_and_other_scans_make_no_other_bill(server: Server, account: Account, v2: V2) -> None:
    of = push(v2, "team/app", "v1", SYSTEM)
    before = attached(v2, "team/app", of, CYCLONEDX, SPDX)
    file = import_advisories(server, server.data.parent / "osv", OPENSSL, JINJA)
    assert load_advisories(server, file).returncode == 0
    deadline = time.monotonic() + SCAN_SECONDS
    while scanned(account, "team/app", {"imageTag": "v1"})["imageScanStatus"]["status"] != "COMPLETE":
        assert time.monotonic() < deadline, "the image was not judged again"
        time.sleep(0.05)
    after_everything(v2, account, "team/app")
    assert attached(v2, "team/app", of, CYCLONEDX, SPDX) == before


def test_they_go_with_their_image_and_come_again_with_it(account: Account, v2: V2) -> None:
    of = push(v2, "team/app", "v1", SYSTEM)
    before = attached(v2, "team/app", of, CYCLONEDX, SPDX)
    # What somebody has pushed about the image, even in the same form, is theirs and stays.
    body, _ = document(v2, "team/app", before[SPDX])
    theirs = json.dumps(body | {"annotations": {"by": "somebody"}}).encode()
    assert v2.put_manifest("team/app", digest(theirs), theirs).status_code == 201
    # So does what somebody has put a tag on.
    kept = v2.pull("team/app", before[CYCLONEDX]["digest"]).content
    assert v2.put_manifest("team/app", "our-sbom", kept).status_code == 201
    deleted = account.ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageDigest": of}])
    assert deleted["failures"] == []
    assert v2.pull("team/app", before[SPDX]["digest"]).status_code == 404
    left = {one["imageDigest"] for one in account.ecr.list_images(repositoryName="team/app")["imageIds"]}
    assert left == {digest(theirs), before[CYCLONEDX]["digest"]}
    assert push(v2, "team/app", "v2", SYSTEM) == of
    deadline = time.monotonic() + SCAN_SECONDS
    want = {digest(theirs), *(one["digest"] for one in before.values())}
    while True:
        answer = v2.get(f"/v2/team/app/referrers/{of}").json()["manifests"]
        if {one["digest"] for one in answer} == want:
            break
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def test_the_setting_is_about_images_scanned_before_and_can_be_taken_back(own_server: MakeServer) -> None:
    home = own_server().start()
    account = Account.default(home)
    account.ecr.create_repository(repositoryName="team/app", imageScanningConfiguration=ON_PUSH)
    v2 = home.push_and_pull(home.administrator)
    first = push(v2, "team/app", "v1", SYSTEM)
    scanned(account, "team/app", {"imageTag": "v1"})
    assert referrers(v2, "team/app", first) == {}
    home.stop()

    home = own_server(options=["--scan-attach-sboms", "spdx"]).start()
    v2 = home.push_and_pull(home.administrator)
    attached(v2, "team/app", first, SPDX)
    home.stop()

    home = own_server().start()
    account, v2 = Account.default(home), home.push_and_pull(home.administrator)
    second = push(v2, "team/app", "v2", SYSTEM, config=CONFIG.replace(b"amd64", b"arm64"))
    scanned(account, "team/app", {"imageTag": "v2"})
    assert set(referrers(v2, "team/app", first)) == {SPDX}
    assert referrers(v2, "team/app", second) == {}


def test_a_layer_that_comes_later_changes_the_bill_which_is_replaced(own_server: MakeServer) -> None:
    options = ["--scan-attach-sboms", "cyclonedx", "--oci-sparse-manifests", "team/*"]
    server = own_server(options=options).start()
    account, v2 = Account.default(server), server.push_and_pull(server.administrator)
    account.ecr.create_repository(repositoryName="team/app", imageScanningConfiguration=ON_PUSH)
    late = layer(python("Flask", "3.0.0"))
    for blob in (CONFIG, SYSTEM):
        v2.push_blob("team/app", blob)
    of = v2.put_manifest("team/app", "v1", manifest(CONFIG, SYSTEM, late)).headers["Docker-Content-Digest"]
    before = attached(v2, "team/app", of, CYCLONEDX)[CYCLONEDX]
    bom = json.loads(document(v2, "team/app", before)[1])
    assert (bom["compositions"][0]["aggregate"], "pkg:pypi/flask@3.0.0" in purls(bom)) == ("incomplete", False)
    v2.push_blob("team/app", late)
    account.ecr.start_image_scan(repositoryName="team/app", imageId={"imageDigest": of})
    deadline = time.monotonic() + SCAN_SECONDS
    while (after := referrers(v2, "team/app", of)[CYCLONEDX]) == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    bom = json.loads(document(v2, "team/app", after)[1])
    assert (bom["compositions"][0]["aggregate"], "pkg:pypi/flask@3.0.0" in purls(bom)) == ("complete", True)
    assert v2.pull("team/app", before["digest"]).status_code == 404
