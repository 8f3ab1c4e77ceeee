"""Conditions on images: every way around a gate is closed, on `/v2` and in ECR's API alike."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from account import PULL, PUSH, Account, User, allow, deny, document, refused
from oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, V2, Image, digest, manifest
from scanning import CRITICAL, advisory, debian, layer, scanned, server_with_advisories
from server import Server
from test_ecr_images import index, push, push_index

VULNERABLE = layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl")))
CLEAN = layer(debian(("bash", "5.2.15-2", "bash")))
GATE = {
    "StringEquals": {"bonded:ScanStatus": "COMPLETE"},
    "NumericEquals": {"bonded:CriticalFindings": "0"},
    "NumericLessThan": {"bonded:ScanAgeHours": "20000"},
}
CONFIG = b'{"architecture": "amd64", "os": "linux"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    record = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL)
    other = advisory("DEBIAN-CVE-2024-0009", "Debian:12", "curl", "1", CRITICAL)
    with server_with_advisories(
        tmp_path_factory.mktemp("server"), record, other, options=("--scan-pull-wait", "60s")
    ) as server:
        yield server


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    """A repository that scans on push, with an image under `clean` and one under `vulnerable`."""
    name = account.repository("gated", imageScanningConfiguration={"scanOnPush": True})
    for tag, content in (("clean", CLEAN), ("vulnerable", VULNERABLE)):
        push(account, name, tag, content)
        assert scanned(account, name, {"imageTag": tag})["imageScanStatus"]["status"] == "COMPLETE"
    return name


@pytest.fixture(scope="module")
def prod(account: Account) -> User:
    """Who may pull what was scanned and has no critical finding."""
    return account.user("prod", allow("ecr:GetAuthorizationToken"), allow(PULL, Condition=GATE))


@pytest.fixture(scope="module")
def door(account: Account, prod: User) -> V2:
    return account.server.push_and_pull(prod.key)


def image_of(content: bytes) -> Image:
    return Image(manifest(CONFIG, content), content)


def put(account: Account, name: str, reference: str, body: dict[str, Any]) -> str:
    """Pushes a manifest as the administrator; its digest."""
    data = json.dumps(body).encode()
    answer = account.server.push_and_pull(account.key).put_manifest(name, reference, data, body["mediaType"])
    assert answer.status_code == 201, answer.text
    return digest(data)


def descriptor(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def image_manifest(
    *layers: bytes, config: str = OCI_CONFIG, layer_type: str = OCI_LAYER, **more: Any
) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(content, layer_type) for content in layers],
    } | more


def denied(answer: requests.Response, says: str = "") -> str:
    """The text of a denial."""
    assert answer.status_code == 403, f"{answer.status_code}: {answer.text}"
    text = answer.json()["errors"][0]["message"]
    assert says in text, text
    return text


# ------------------------------------------------------------------------------------------------ the gate


def test_the_gate_lets_a_clean_image_through_by_every_route(
    account: Account, repository: str, prod: User, door: V2
) -> None:
    image = image_of(CLEAN)
    for reference in ("clean", image.digest):
        assert door.pull(repository, reference).content == image.manifest
        assert door.head(f"/v2/{repository}/manifests/{reference}").status_code == 200
    for blob in (CLEAN, CONFIG):
        assert door.blob(repository, digest(blob)).content == blob
    ecr = account.server.client("ecr", prod.key)
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "clean"}])
    assert [one["imageId"]["imageDigest"] for one in found["images"]] == [image.digest]
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest(CLEAN))["downloadUrl"]
    assert requests.get(url, verify=str(account.server.ca), timeout=60).content == CLEAN


def test_the_gate_stops_a_vulnerable_image_by_every_route_and_says_why(
    account: Account, repository: str, prod: User, door: V2
) -> None:
    image = image_of(VULNERABLE)
    for reference in ("vulnerable", image.digest):
        text = denied(door.pull(repository, reference), "1 critical findings")
        assert f"image {image.digest}: " in text and "CVE-2024-0001" not in text
        assert door.head(f"/v2/{repository}/manifests/{reference}").status_code == 403
    denied(door.blob(repository, digest(VULNERABLE)), "1 critical")
    ecr = account.server.client("ecr", prod.key)
    with refused("AccessDeniedException") as error:
        ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": image.digest}])
    assert "1 critical findings" in error.message
    with refused("AccessDeniedException"):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest(VULNERABLE))


def test_who_may_see_findings_is_told_them(account: Account, repository: str) -> None:
    sees = allow("ecr:DescribeImageScanFindings")
    user = account.user("seer", allow("ecr:GetAuthorizationToken"), allow(PULL, Condition=GATE), sees)
    text = denied(account.server.push_and_pull(user.key).pull(repository, "vulnerable"))
    assert "CVE-2024-0001 in libssl3 3.0.11-1~deb12u2 (CRITICAL, fixed in 3.0.13-1~deb12u1)" in text


def test_findings_are_seen_and_scans_started_of_what_may_not_be_pulled(account: Account, repository: str) -> None:
    condition = {"Null": {"bonded:ScanStatus": "true"}, "StringLike": {"bonded:ImageDigest": "sha256:*"}}
    asks = allow(["ecr:DescribeImageScanFindings", "ecr:DescribeImages"], Condition=condition)
    user = account.user("asks", asks)
    ecr = account.server.client("ecr", user.key)
    image = {"imageTag": "vulnerable"}
    assert ecr.describe_image_scan_findings(repositoryName=repository, imageId=image)["imageScanFindings"]
    assert ecr.describe_images(repositoryName=repository, imageIds=[image])["imageDetails"]


def test_what_is_absent_is_not_found_by_who_may_pull_something(repository: str, door: V2) -> None:
    absent = digest(b"absent")
    for reference in ("absent", absent):
        assert door.pull(repository, reference).status_code == 404
        assert door.head(f"/v2/{repository}/manifests/{reference}").status_code == 404
    assert door.pull("no-such-repository", "absent").status_code == 404
    # A layer that no image refers to has no scan: the gate stays closed, whether it is there or not.
    denied(door.blob(repository, absent), "no image here refers to the layer")


def test_a_pull_right_after_the_push_waits_for_the_scan(account: Account, repository: str, door: V2) -> None:
    """Each of these images is new, so without waiting the first answer would be a denial."""
    for number in range(3):
        content = layer(debian(("bash", f"5.2.15-{number}", "bash")))
        image = push(account, repository, f"just-{number}", content)
        assert door.pull(repository, f"just-{number}").content == image.manifest


def test_why_shows_the_keys_of_the_image_and_decides_by_them_again(account: Account, repository: str, door: V2) -> None:
    text = denied(door.pull(repository, "vulnerable"))
    decision = text.split("bonded why ")[1].rstrip(")")
    done = account.server.command("why", decision, key=account.key)
    assert "bonded:CriticalFindings = 1" in done.stdout, done.stdout + done.stderr
    assert "bonded:CurrentImageTags = vulnerable" in done.stdout
    assert "NumericEquals" in done.stdout


# ------------------------------------------------------------------------------------------------ dodges


def test_dodge_the_vulnerable_child_of_an_index_by_digest(account: Account, repository: str, door: V2) -> None:
    push_index(account, repository, "both", image_of(CLEAN), image_of(VULNERABLE))
    denied(door.pull(repository, "both"), "1 critical")
    denied(door.pull(repository, image_of(VULNERABLE).digest))
    assert door.pull(repository, image_of(CLEAN).digest).status_code == 200


def test_the_gate_holds_for_head_of_a_blob(account: Account, repository: str) -> None:
    """It finds nothing where it would be refused (decision 0024): what is absent and what is gated are the same."""
    asks = ["ecr:BatchCheckLayerAvailability", *PULL]
    user = account.user("head", allow("ecr:GetAuthorizationToken"), allow(asks, Condition=GATE))
    door = account.server.push_and_pull(user.key)

    def status(of: str) -> tuple[int, str | None]:
        answer = door.head(f"/v2/{repository}/blobs/{of}")
        return answer.status_code, answer.headers.get("Docker-Content-Digest")

    assert status(digest(CLEAN)) == (200, digest(CLEAN))
    assert status(digest(CONFIG)) == (200, digest(CONFIG))
    assert status(digest(VULNERABLE)) == (404, None) == status(digest(b"absent"))
    ungated = account.user("ungated", allow("ecr:GetAuthorizationToken"), allow(asks))
    path = f"/v2/{repository}/blobs/{digest(VULNERABLE)}"
    assert account.server.push_and_pull(ungated.key).head(path).status_code == 200
    # By ECR's API the refusal is said.
    with refused("AccessDeniedException"):
        account.server.client("ecr", user.key).batch_check_layer_availability(
            repositoryName=repository, layerDigests=[digest(VULNERABLE)]
        )


def test_dodge_the_layers_of_a_vulnerable_image_by_digest(repository: str, door: V2) -> None:
    denied(door.blob(repository, digest(VULNERABLE)))
    # A layer that a clean image shares is read.
    assert door.blob(repository, digest(CONFIG)).status_code == 200


def test_dodge_mounting_into_a_repository_of_ones_own(account: Account, repository: str) -> None:
    own = account.repository("own")
    arn = account.arn(own)
    login = allow("ecr:GetAuthorizationToken")
    user = account.user(
        "mounter", login, allow(PULL, account.arn(repository), Condition=GATE), allow([*PUSH, *PULL], arn)
    )
    mine = account.server.push_and_pull(user.key)
    for source in (f"&from={repository}", ""):
        path = f"/v2/{own}/blobs/uploads/?mount={digest(VULNERABLE)}{source}"
        assert mine.request("POST", path).status_code == 202
    assert mine.blob(own, digest(VULNERABLE)).status_code == 404
    path = f"/v2/{own}/blobs/uploads/?mount={digest(CLEAN)}&from={repository}"
    assert mine.request("POST", path).status_code == 201


def test_dodge_the_image_again_under_another_tag(account: Account, repository: str, door: V2) -> None:
    answer = account.server.push_and_pull(account.key).put_manifest(
        repository, "clean-2", image_of(VULNERABLE).manifest
    )
    assert answer.status_code == 201
    denied(door.pull(repository, "clean-2"), "1 critical")


def test_dodge_a_clean_subject(account: Account, repository: str, door: V2) -> None:
    subject = descriptor(image_of(CLEAN).manifest, OCI_MANIFEST)
    pushed = put(account, repository, "about", image_manifest(VULNERABLE, subject=subject))
    denied(door.pull(repository, "about"), "1 critical")
    denied(door.pull(repository, pushed))


def test_dodge_the_config_of_an_artifact_with_real_layers(account: Account, repository: str, door: V2) -> None:
    put(account, repository, "artifact", image_manifest(VULNERABLE, config="application/vnd.example+json"))
    denied(door.pull(repository, "artifact"), "1 critical")


def test_dodge_an_artifact_that_refers_to_the_layer_of_a_vulnerable_image(
    account: Account, repository: str, door: V2
) -> None:
    """It is about a clean image, and calls the layer a document: an image that may run refers to it, and decides."""
    subject = descriptor(image_of(CLEAN).manifest, OCI_MANIFEST)
    body = image_manifest(
        VULNERABLE, config="application/vnd.example+json", layer_type="text/x-document", subject=subject
    )
    put(account, repository, "document", body)
    assert door.pull(repository, "document").status_code == 200
    denied(door.blob(repository, digest(VULNERABLE)), "1 critical")


def test_dodge_a_second_gzip_member(account: Account, repository: str, door: V2) -> None:
    tar = gzip.decompress(VULNERABLE)
    half = gzip.compress(tar[:1024], mtime=0) + gzip.compress(tar[1024:], mtime=0)
    push(account, repository, "members", half)
    denied(door.pull(repository, "members"), "1 critical")


def test_dodge_a_deleted_database(account: Account, repository: str, door: V2) -> None:
    whiteout = layer({"var/lib/dpkg/.wh.status": b""})
    v2 = account.server.push_and_pull(account.key)
    v2.push_blob(repository, whiteout)
    put(account, repository, "deleted", image_manifest(VULNERABLE, whiteout))
    text = denied(door.pull(repository, "deleted"))
    assert "findings" not in text


def test_dodge_two_tags_in_one_push(account: Account) -> None:
    name = account.repository("ci")
    condition = {"StringLikeIfExists": {"bonded:ImageTag": "dev-*"}}
    others = [action for action in PUSH if action != "ecr:PutImage"]
    login = allow("ecr:GetAuthorizationToken")
    user = account.user("ci", login, allow(others), allow("ecr:PutImage", Condition=condition))
    v2 = account.server.push_and_pull(user.key)
    image = v2.push(name, "dev-1")
    for tags in ("tag=dev-2&tag=release-1", "tag=release-1&tag=dev-2"):
        denied(v2.put_manifest(name, f"{image.digest}?{tags}", image.manifest))
    assert account.ecr.list_images(repositoryName=name)["imageIds"] == [
        {"imageDigest": image.digest, "imageTag": "dev-1"}
    ]
    assert v2.put_manifest(name, f"{image.digest}?tag=dev-2&tag=dev-3", image.manifest).status_code == 201
    denied(v2.put_manifest(name, "release-1", image.manifest))
    ecr = account.server.client("ecr", user.key)
    with refused("AccessDeniedException"):
        ecr.put_image(repositoryName=name, imageManifest=image.manifest.decode(), imageTag="release-1")


def test_dodge_a_clean_image_beside_a_vulnerable_one(account: Account, repository: str, prod: User) -> None:
    ecr = account.server.client("ecr", prod.key)
    ids = [{"imageTag": "clean"}, {"imageTag": "vulnerable"}]
    with refused("AccessDeniedException") as error:
        ecr.batch_get_image(repositoryName=repository, imageIds=ids)
    assert image_of(VULNERABLE).digest in error.message


def test_dodge_the_referrers_of_a_vulnerable_image(account: Account, repository: str, prod: User, door: V2) -> None:
    denied(door.get(f"/v2/{repository}/referrers/{image_of(VULNERABLE).digest}"))
    assert door.get(f"/v2/{repository}/referrers/{image_of(CLEAN).digest}").status_code == 200
    denied(door.get(f"/v2/{repository}/referrers/{digest(b'absent')}"))
    ecr = account.server.client("ecr", prod.key)
    with refused("AccessDeniedException"):
        ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": image_of(VULNERABLE).digest})


def test_dodge_a_layers_url_after_the_policy_changed(account: Account, repository: str) -> None:
    user = account.user("downloader", allow(PULL))
    ecr = account.server.client("ecr", user.key)
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest(VULNERABLE))["downloadUrl"]
    get = lambda: requests.get(url, verify=str(account.server.ca), timeout=60)  # noqa: E731
    assert get().status_code == 200
    text = document(allow(PULL, Condition=GATE))
    account.iam.put_user_policy(UserName=user.name, PolicyName="inline", PolicyDocument=text)
    assert get().status_code == 403


def test_dodge_an_index_whose_second_child_is_unscanned(account: Account, door: V2) -> None:
    name = account.repository("half")
    clean, other = push(account, name, "clean", CLEAN), push(account, name, "other", layer(debian(("a", "1", "a"))))
    account.ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "clean"})
    scanned(account, name, {"imageTag": "clean"})
    assert door.pull(name, "clean").status_code == 200
    push_index(account, name, "both", clean, other)
    denied(door.pull(name, "both"), "it was not scanned")
    account.ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "other"})
    scanned(account, name, {"imageTag": "other"})
    assert door.pull(name, "both").content == index(clean, other)


def test_dodge_a_gate_by_deny_and_an_unscanned_image(account: Account) -> None:
    name = account.repository("unscanned")
    push(account, name, "v1", CLEAN)
    condition = {"NumericGreaterThan": {"bonded:CriticalFindings": "0"}}
    user = account.user("denied", allow("ecr:GetAuthorizationToken"), allow(PULL), deny(PULL, Condition=condition))
    v2 = account.server.push_and_pull(user.key)
    denied(v2.pull(name, "v1"), "explicit deny")
    denied(v2.blob(name, digest(CLEAN)))
    account.ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "v1"})
    scanned(account, name, {"imageTag": "v1"})
    assert v2.pull(name, "v1").status_code == 200
    assert v2.blob(name, digest(CLEAN)).status_code == 200


# ------------------------------------------------------------------------------------------------ recipes


def test_recipe_only_by_digest(account: Account, repository: str) -> None:
    condition = {"Null": {"bonded:ImageTag": "true"}}
    layers = allow("ecr:GetDownloadUrlForLayer")
    user = account.user(
        "pinned", allow("ecr:GetAuthorizationToken"), layers, allow("ecr:BatchGetImage", Condition=condition)
    )
    v2 = account.server.push_and_pull(user.key)
    denied(v2.pull(repository, "clean"))
    assert v2.pull(repository, image_of(CLEAN).digest).status_code == 200
    ecr = account.server.client("ecr", user.key)
    with refused("AccessDeniedException"):
        ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "clean"}])


def test_recipe_only_releases_and_their_children_and_layers(account: Account) -> None:
    name = account.repository("released")
    one, two, dev = (push(account, name, f"build-{n}", f"layer {n}".encode()) for n in range(3))
    push_index(account, name, "release-1", one, two)
    condition = {"ForAnyValue:StringLike": {"bonded:CurrentImageTags": "release-*"}}
    user = account.user("released", allow("ecr:GetAuthorizationToken"), allow(PULL, Condition=condition))
    v2 = account.server.push_and_pull(user.key)
    for reference in ("release-1", one.digest, two.digest, "build-0"):
        assert v2.pull(name, reference).status_code == 200, reference
    assert v2.blob(name, digest(one.layer)).status_code == 200
    denied(v2.pull(name, "build-2"), "its tags at present")
    denied(v2.pull(name, dev.digest))
    denied(v2.blob(name, digest(dev.layer)))
    # The tag moves: what it named is no release any more.
    push_index(account, name, "release-1", two)
    denied(v2.pull(name, one.digest))
    assert v2.pull(name, two.digest).status_code == 200


def test_recipe_quarantine(account: Account) -> None:
    name = account.repository("quarantine")
    image = push(account, name, "v1", b"quarantined")
    condition = {"ForAnyValue:StringEquals": {"bonded:CurrentImageTags": "quarantine"}}
    actions = [*PULL, "ecr:BatchDeleteImage"]
    user = account.user("guest", allow("ecr:GetAuthorizationToken"), allow(actions), deny(actions, Condition=condition))
    v2 = account.server.push_and_pull(user.key)
    assert v2.pull(name, "v1").status_code == 200
    v2_admin = account.server.push_and_pull(account.key)
    assert v2_admin.put_manifest(name, "quarantine", image.manifest).status_code == 201
    for reference in ("v1", image.digest, "quarantine"):
        denied(v2.pull(name, reference), "explicit deny")
        assert v2.request("DELETE", f"/v2/{name}/manifests/{reference}").status_code == 403
    denied(v2.blob(name, digest(image.layer)))
    ecr = account.server.client("ecr", user.key)
    with refused("AccessDeniedException"):
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": image.digest}])
    assert v2_admin.request("DELETE", f"/v2/{name}/manifests/quarantine").status_code == 202
    assert v2.pull(name, "v1").status_code == 200


# ------------------------------------------------------------------------------------------------ saving


def test_a_policy_that_cannot_be_meant_is_refused_or_warned_of(account: Account, tmp_path: Path) -> None:
    user = account.user("saver")
    for condition in (
        {"StringLike": {"bonded:CurrentImageTags": "a"}},
        {"StringEquals": {"bonded:CriticalFindings": "0"}},
        {"StringEquals": {"bonded:NoSuchKey": "0"}},
    ):
        with refused("MalformedPolicyDocument"):
            account.iam.put_user_policy(
                UserName=user.name, PolicyName="p", PolicyDocument=document(allow("ecr:*", Condition=condition))
            )
    file = tmp_path / "policy.json"
    file.write_text(document(allow(PULL, Condition={"StringLike": {"bonded:ImageTag": "release-*"}})))
    done = account.server.command("policy", "lint", str(file))
    assert done.returncode != 0
    assert "you want ForAnyValue:StringLike bonded:CurrentImageTags" in done.stdout
    file.write_text(document(allow(PULL, Condition=GATE)))
    assert account.server.command("policy", "lint", str(file)).returncode == 0
