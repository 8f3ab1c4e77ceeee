"""OpenVEX attached to images: only who has a right of its own for that opens a gate with it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from account import LOGIN, PULL, PUSH, Account, User, allow, document, grant
from attaching import CYCLONEDX, DSSE, EMPTY, IN_TOTO, OPENVEX, attach, cyclonedx, envelope, in_toto, openvex, referrer
from oci import OCI_MANIFEST, Image, digest
from scanning import CRITICAL, GATE, advisory, findings, layer, python, scanned, server_with_advisories
from server import Server
from test_ecr_images import push, push_index

STATE = "bonded:PutVulnerabilityStatement"
DELETE = "ecr:BatchDeleteImage"
CVE = "CVE-2026-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an advisory about a Python package."""
    record = advisory("PYSEC-1", "PyPI", "aaa", "2", CRITICAL) | {"aliases": [CVE]}
    with server_with_advisories(tmp_path_factory.mktemp("server"), record) as server:
        yield server


@pytest.fixture
def name(account: Account) -> str:
    return account.repository("app", imageScanningConfiguration={"scanOnPush": True})


@pytest.fixture
def image(account: Account, name: str) -> Image:
    """An image with a critical finding."""
    image = push(account, name, "v1", layer(python("aaa", "1")))
    assert by(account, name, image) is None
    return image


@pytest.fixture(scope="module")
def prod(account: Account) -> User:
    """May pull what has no critical finding."""
    return account.user("prod", allow(PULL, Condition=GATE))


@pytest.fixture(scope="module")
def developer(account: Account) -> User:
    """May do everything with ECR."""
    return account.user("developer", allow([LOGIN, "ecr:*"]))


@pytest.fixture(scope="module")
def security(account: Account) -> User:
    """May push, and have statements count."""
    return account.user("security", allow([LOGIN, *PUSH, STATE, DELETE]))


def only(account: Account, name: str, image: Image) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The one finding, as enhanced and by the attributes of basic scanning."""
    answer = scanned(account, name, {"imageDigest": image.digest})
    assert answer["imageScanStatus"]["status"] == "COMPLETE", answer
    found = answer["imageScanFindings"]
    (enhanced,), (basic,) = found["enhancedFindings"], found["findings"]
    suppressed = enhanced["status"] == "SUPPRESSED"
    assert found["findingSeverityCounts"] == ({} if suppressed else {"CRITICAL": 1})
    return enhanced, [(item["key"], item["value"]) for item in basic["attributes"]]


def by(account: Account, name: str, image: Image) -> str | None:
    """What suppresses the one finding."""
    enhanced, attributes = only(account, name, image)
    said = dict(attributes).get("suppressed_by")
    assert (said is not None) == (enhanced["status"] == "SUPPRESSED")
    return said


def whole(image: Image, **more: Any) -> dict[str, Any]:
    """The statement that the vulnerability does not matter in the image."""
    return openvex(CVE, {"@id": f"pkg:oci/app@{image.digest}"}, **more)


def records(account: Account) -> list[dict[str, Any]]:
    """All decisions that the server has recorded."""
    files = sorted((account.server.data / "audit").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_whoever_may_only_push_cannot_open_the_gate_and_whoever_may_state_does(
    account: Account, name: str, image: Image, prod: User, developer: User, security: User
) -> None:
    server = account.server
    assert not account.pulls(name, prod, image)
    made = attach(server, developer.key, name, image.digest, OPENVEX, whole(image))
    enhanced, attributes = only(account, name, image)
    assert enhanced["status"] == "ACTIVE"
    (shown,) = [value for key, value in attributes if key == "disregarded_statement"]
    assert shown.startswith(f"not trusted: OpenVEX 'https://vex.example/1' of {developer.arn}: not_affected (")
    assert made in shown
    assert not account.pulls(name, prod, image)
    csv = account.server.command(
        "scan", "show", f"127.0.0.1:{account.server.port}/{name}@{image.digest}", "-o", "csv", key=account.key
    )
    assert csv.returncode == 0 and shown in csv.stdout, csv

    # The same manifest, by who may.
    assert attach(server, security.key, name, image.digest, OPENVEX, whole(image)) == made
    said = by(account, name, image)
    assert said is not None
    assert f"OpenVEX 'https://vex.example/1' of {security.arn}: not_affected (vulnerable_code_not" in said
    assert f"attached as '{made}'" in said
    assert account.pulls(name, prod, image)
    # Whoever else pushes it changes nothing.
    attach(server, developer.key, name, image.digest, OPENVEX, whole(image))
    assert account.pulls(name, prod, image)

    # Both decisions are on record, the one that let it count with the push.
    stated = [r for r in records(account) if any(c["action"] == STATE for c in r["checks"])]
    stated = [r for r in stated if r["checks"][0]["resource"] == account.arn(name)]
    assert [(r["principal"]["arn"], r["checks"][0]["allowed"]) for r in stated] == [
        (developer.arn, False),
        (security.arn, True),
        (developer.arn, False),
    ]

    # It goes with the document, from the next request on, and does not come back by a push.
    client = server.client("ecr", developer.key)
    client.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": made}])
    assert not account.pulls(name, prod, image)
    assert by(account, name, image) is None
    attach(server, developer.key, name, image.digest, OPENVEX, whole(image))
    assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)


@pytest.mark.parametrize("form", [OPENVEX, IN_TOTO, DSSE])
def test_a_statement_counts_in_each_form(
    account: Account, name: str, image: Image, prod: User, security: User, form: str
) -> None:
    said: dict[str, Any] = openvex(CVE, {"@id": image.digest, "subcomponents": [{"@id": "pkg:pypi/aaa@1"}]})
    if form != OPENVEX:
        said = in_toto(image.digest, "https://openvex.dev/ns/v0.2.0", said)
    if form == DSSE:
        said = envelope(said)
    attach(account.server, security.key, name, image.digest, form, said)
    assert by(account, name, image)
    assert account.pulls(name, prod, image)


@pytest.mark.parametrize(
    "product",
    [
        "pkg:oci/app@sha256:" + "0" * 64,
        "pkg:oci/app",
        "sha256:" + "0" * 64,
        "pkg:pypi/aaa@1.0.1",
        "pkg:pypi/aaa@1?extension=whl",
        "pkg:npm/aaa@1",
        {"@id": "SELF", "subcomponents": [{"@id": "pkg:pypi/bbb"}]},
        {"@id": "SELF", "subcomponents": [{"@id": "aaa"}]},
    ],
)
def test_a_statement_about_something_else_changes_nothing(
    account: Account, name: str, image: Image, prod: User, security: User, product: Any
) -> None:
    text = json.dumps(openvex(CVE, product)).replace("SELF", image.digest)
    attach(account.server, security.key, name, image.digest, OPENVEX, json.loads(text))
    attach(account.server, security.key, name, image.digest, OPENVEX, openvex("CVE-2026-11", image.digest))
    assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)


def test_a_later_statement_of_whoever_may_state_decides(
    account: Account, name: str, image: Image, prod: User, developer: User, security: User
) -> None:
    server = account.server
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, at="2026-11-02"))
    attach(server, developer.key, name, image.digest, OPENVEX, whole(image, status="affected", at="2026-11-05"))
    assert by(account, name, image)
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, status="affected", at="2026-11-03"))
    assert not account.pulls(name, prod, image)
    assert by(account, name, image) is None
    attach(server, developer.key, name, image.digest, OPENVEX, whole(image, at="2026-11-09"))
    assert by(account, name, image) is None


def test_a_right_in_one_repository_is_none_in_another(
    account: Account, name: str, image: Image, prod: User, developer: User
) -> None:
    elsewhere = account.repository("elsewhere", imageScanningConfiguration={"scanOnPush": True})
    owner = account.user("owner", allow([LOGIN]), allow([*PUSH, STATE], account.arn(elsewhere)), allow(PUSH))
    push(account, elsewhere, "v1", layer(python("aaa", "1")))
    # Counted there; the same manifest here, pushed by either of them, with the blob mounted.
    attach(account.server, owner.key, elsewhere, image.digest, OPENVEX, whole(image))
    assert by(account, elsewhere, image)
    for user in (owner, developer):
        attach(account.server, user.key, name, image.digest, OPENVEX, whole(image))
        assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)
    assert account.pulls(elsewhere, prod, image)


def test_a_statement_about_an_index_is_about_the_images_that_it_lists(
    account: Account, name: str, image: Image, prod: User, developer: User, security: User
) -> None:
    def gone(*digests: str) -> None:
        ids = [{"imageDigest": one} for one in digests]
        assert account.ecr.batch_delete_image(repositoryName=name, imageIds=ids)["failures"] == []

    unlisted = push(account, name, "v2", layer(python("aaa", "1.1")))
    index = push_index(account, name, "index", image)
    of_index = openvex(CVE, {"@id": f"pkg:oci/app@{index}"})
    # By who may only push it is shown, and changes nothing.
    made = attach(account.server, developer.key, name, index, OPENVEX, of_index)
    _, attributes = only(account, name, image)
    assert made in dict(attributes)["disregarded_statement"]
    assert not account.pulls(name, prod, image)
    for statement in (of_index, whole(image)):
        made = attach(account.server, security.key, name, index, OPENVEX, statement)
        assert made in (by(account, name, image) or "")
        assert account.pulls(name, prod, image)
        # One that it does not list is another's, whatever the statement says.
        assert by(account, name, unlisted) is None
        gone(made)
        assert by(account, name, image) is None
        assert not account.pulls(name, prod, image)

    # It counts as long as the index is there, and again when that is pushed again, by whomever.
    made = attach(account.server, security.key, name, index, OPENVEX, of_index)
    assert by(account, name, image)
    gone(index)
    assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)
    assert push_index(account, name, "index", image) == index
    assert made in (by(account, name, image) or "")
    # Another index, made by somebody else to list another image, has nothing attached to it.
    push_index(account, name, "other", image, unlisted)
    assert by(account, name, unlisted) is None
    # What an index is said to hold adds to none of its images.
    listed = attach(account.server, security.key, name, index, CYCLONEDX, cyclonedx("pkg:pypi/aaa@0.1"))
    assert by(account, name, image)
    said = scanned(account, name, {"imageDigest": image.digest})["imageScanStatus"]["description"]
    assert f"the attached document '{listed}' lists do not count: they are attached to an index" in said


def test_another_account_needs_both_sides(
    account: Account, other: Account, name: str, image: Image, prod: User
) -> None:
    user = other.user("visitor", allow("*"))
    text = document(grant(user.arn, "ecr:*"))
    account.ecr.set_repository_policy(repositoryName=name, policyText=text)
    manifest = attach_by_api(account, user, name, image)
    assert by(account, name, image) is None
    text = document(grant(user.arn, ["ecr:*", STATE]))
    account.ecr.set_repository_policy(repositoryName=name, policyText=text)
    assert attach_by_api(account, user, name, image, "again") != manifest
    said = by(account, name, image)
    assert said is not None
    assert account.pulls(name, prod, image)


def attach_by_api(account: Account, user: User, name: str, image: Image, note: str = "") -> str:
    """As `attach`, by ECR's API."""
    document = json.dumps(whole(image)).encode()
    for blob in (EMPTY, document):
        account.server.push_and_pull(account.key).push_blob(name, blob)
    manifest = referrer(image.digest, OPENVEX, document, annotations={"note": note})
    account.server.client("ecr", user.key).put_image(
        registryId=account.id,
        repositoryName=name,
        imageManifest=manifest.decode(),
        imageManifestMediaType=OCI_MANIFEST,
        imageDigest=digest(manifest),
    )
    return digest(manifest)


def test_an_image_that_nobody_scans_is_not_scanned_for_a_statement(account: Account, security: User) -> None:
    name = account.repository()
    image = push(account, name, "v1", layer(python("aaa", "1")))
    attach(account.server, security.key, name, image.digest, OPENVEX, whole(image))
    with pytest.raises(ClientError, match="ScanNotFound"):
        findings(account, name, {"imageDigest": image.digest})
    # It counts once the image is scanned.
    account.ecr.start_image_scan(repositoryName=name, imageId={"imageDigest": image.digest})
    assert by(account, name, image)


def test_what_claims_to_be_a_statement_and_is_none(
    account: Account, name: str, image: Image, prod: User, developer: User, security: User
) -> None:
    attach(account.server, developer.key, name, image.digest, OPENVEX, b"\x00{")
    answer = scanned(account, name, {"imageDigest": image.digest})["imageScanStatus"]
    assert answer["status"] == "COMPLETE"
    assert "the attached document cannot be used" in answer["description"]
    # Of whoever may state it might have said that something matters.
    attach(account.server, security.key, name, image.digest, OPENVEX, b"\x01{")
    answer = scanned(account, name, {"imageDigest": image.digest})["imageScanStatus"]
    assert answer["status"] == "FAILED"
    assert not account.pulls(name, prod, image)


def test_what_was_taken_back_does_not_return_with_the_word_that_took_it_back(
    account: Account, name: str, image: Image, prod: User, developer: User, security: User
) -> None:
    server = account.server
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, at="2026-11-02"))
    assert by(account, name, image)
    affected = whole(image, status="affected", at="2026-11-03")
    retraction = attach(server, security.key, name, image.digest, OPENVEX, affected)
    assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)

    # Who may only delete cannot open the gate so, by either door.
    server.client("ecr", developer.key).batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": retraction}])
    assert not account.pulls(name, prod, image)
    assert by(account, name, image) is None
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, at="2026-11-02"))
    assert by(account, name, image)
    assert attach(server, security.key, name, image.digest, OPENVEX, affected) == retraction
    answer = server.push_and_pull(developer.key).request("DELETE", f"/v2/{name}/manifests/{retraction}")
    assert answer.status_code == 202, answer.text
    assert by(account, name, image) is None

    # Who may state says by it that it holds again.
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, at="2026-11-02"))
    attach(server, security.key, name, image.digest, OPENVEX, affected)
    assert by(account, name, image) is None
    server.client("ecr", security.key).batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": retraction}])
    assert by(account, name, image)
    assert account.pulls(name, prod, image)


def test_what_was_taken_back_for_an_index_does_not_return_with_the_index(
    account: Account, name: str, image: Image, prod: User, developer: User, security: User
) -> None:
    server, deletes = account.server, account.server.client("ecr", developer.key).batch_delete_image
    index = push_index(account, name, "index", image)
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, at="2026-11-02"))
    assert by(account, name, image)
    affected = whole(image, status="affected", at="2026-11-03")
    retraction = attach(server, security.key, name, index, OPENVEX, affected)
    assert by(account, name, image) is None

    # Neither with the index, nor with what is attached to it.
    assert deletes(repositoryName=name, imageIds=[{"imageDigest": index}])["failures"] == []
    assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)
    assert push_index(account, name, "index", image) == index
    ids = [{"imageDigest": retraction}]
    server.client("ecr", security.key).batch_delete_image(repositoryName=name, imageIds=ids)
    attach(server, security.key, name, image.digest, OPENVEX, whole(image, at="2026-11-02"))
    assert by(account, name, image)
    assert attach(server, security.key, name, index, OPENVEX, affected) == retraction
    assert deletes(repositoryName=name, imageIds=ids)["failures"] == []
    assert by(account, name, image) is None
    assert not account.pulls(name, prod, image)
