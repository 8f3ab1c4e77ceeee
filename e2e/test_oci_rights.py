"""Who may mount, delete and make repositories on `/v2`, and what they learn who may not."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from account import LOGIN, PULL, PUSH, Account, allow, deny, document, grant
from oci import OCI_INDEX, OCI_MANIFEST, V2, digest, error
from server import REGION, Server

DOMAIN = "registry.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), options=["--create-on-push", "ci/*", "--domain", DOMAIN])
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def v2(server: Server) -> V2:
    return server.push_and_pull(server.administrator)


@pytest.fixture
def name(account: Account) -> str:
    return account.repository("team/app")


def mount(door: V2, name: str, of: str, source: str | None = None) -> tuple[int, dict[str, str]]:
    """The status and the headers that do not name the upload."""
    query = f"mount={of}" + (f"&from={source}" if source else "")
    answer = door.request("POST", f"/v2/{name}/blobs/uploads/?{query}")
    varying = {"date", "x-amzn-requestid", "location", "docker-upload-uuid"}
    return answer.status_code, {k.lower(): v for k, v in answer.headers.items() if k.lower() not in varying}


# ------------------------------------------------------------------------------------------------ mounts


def test_a_mount_needs_the_right_to_read_the_source(v2: V2, account: Account, name: str) -> None:
    source, data = account.repository("source"), os.urandom(100)
    v2.push_blob(source, data)
    pusher = account.user("pusher", allow(LOGIN), allow(PUSH, account.arn(name)))
    door = account.server.push_and_pull(pusher.key)
    refused = [
        mount(door, name, digest(data), source),
        mount(door, name, digest(b"nobody has this"), source),
        mount(door, name, digest(data), "absent/repository"),
        mount(door, name, digest(data)),
        mount(door, name, digest(b"nobody has this")),
    ]
    assert [answer[0] for answer in refused] == [202] * 5
    assert all(answer == refused[0] for answer in refused)
    assert v2.head(f"/v2/{name}/blobs/{digest(data)}").status_code == 404
    reader = account.user("reader", allow(LOGIN), allow(PUSH, account.arn(name)), allow(PULL, account.arn(source)))
    door = account.server.push_and_pull(reader.key)
    assert mount(door, name, digest(data), source)[0] == 201
    assert v2.blob(name, digest(data)).content == data


def test_a_mount_from_any_passes_over_what_the_caller_may_not_read(v2: V2, account: Account, name: str) -> None:
    readable, data = account.repository("readable"), os.urandom(100)
    v2.push_blob(readable, data)
    secret = document(
        {"Effect": "Deny", "Principal": "*", "Action": "ecr:GetDownloadUrlForLayer"},
    )
    for _ in range(3):
        v2.push_blob(account.repository("secret", policy=secret), data)
    user = account.user("user", allow(LOGIN), allow(["ecr:*"]))
    assert mount(account.server.push_and_pull(user.key), name, digest(data))[0] == 201
    denied = account.user("user", allow(LOGIN), allow("ecr:*"), deny(PULL, account.arn(readable)))
    elsewhere = account.repository()
    deny_all = account.server.push_and_pull(denied.key)
    assert v2.request("DELETE", f"/v2/{name}/blobs/{digest(data)}").status_code == 202
    assert mount(deny_all, elsewhere, digest(data))[0] == 202


def test_a_mount_does_not_reach_into_another_account(account: Account, other: Account) -> None:
    mine, data = account.repository("mine"), os.urandom(100)
    theirs, of = other.repository("theirs", policy=document(grant("*", PULL))), digest(data)
    their_registry = {"Host": f"{other.id}.dkr.ecr.{REGION}.{DOMAIN}"}

    def post(door: V2, name: str, query: str, **options: Any) -> int:
        return door.request("POST", f"/v2/{name}/blobs/uploads/?{query}", **options).status_code

    door = other.server.push_and_pull(other.key)
    assert post(door, theirs, f"digest={of}", data=data, headers=their_registry) == 201
    for query in (f"mount={of}&from={theirs}", f"mount={of}"):
        assert post(door, other.repository(), query, headers=their_registry) == 201
    door = account.server.push_and_pull(account.key)
    for query in (f"mount={of}&from={theirs}", f"mount={of}"):
        assert post(door, mine, query) == 202


def test_a_mount_needs_all_rights_of_an_upload(v2: V2, account: Account, name: str) -> None:
    source, data = account.repository("source"), os.urandom(100)
    v2.push_blob(source, data)
    for action in ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"):
        user = account.user("user", allow(LOGIN), allow("ecr:*"), deny(action))
        door = account.server.push_and_pull(user.key)
        assert mount(door, name, digest(data), source)[0] == 403


# ------------------------------------------------------------------------------------------------ deletes


def test_deleting_needs_its_own_right(v2: V2, account: Account, name: str) -> None:
    image = v2.push(name, "v1", os.urandom(100))
    user = account.user("user", allow(LOGIN), allow(PUSH + PULL + ["ecr:ListImages"]))
    door = account.server.push_and_pull(user.key)
    for path in ("manifests/v1", f"manifests/{image.digest}", f"blobs/{digest(image.layer)}"):
        assert error(door.request("DELETE", f"/v2/{name}/{path}"))[:2] == (403, "DENIED")
    assert v2.pull(name, "v1").content == image.manifest


def test_a_tag_is_deleted_and_its_image_stays(v2: V2, name: str) -> None:
    image = v2.push(name, "v1")
    assert v2.request("DELETE", f"/v2/{name}/manifests/v1").status_code == 202
    assert error(v2.pull(name, "v1"))[:2] == (404, "MANIFEST_UNKNOWN")
    assert error(v2.request("DELETE", f"/v2/{name}/manifests/v1"))[:2] == (404, "MANIFEST_UNKNOWN")
    assert v2.pull(name, image.digest).content == image.manifest


def test_an_image_is_deleted_with_all_its_tags(v2: V2, name: str) -> None:
    image = v2.push(name, "v1")
    assert v2.put_manifest(name, "v2", image.manifest).status_code == 201
    assert v2.request("DELETE", f"/v2/{name}/manifests/{image.digest}").status_code == 202
    for reference in ("v1", "v2", image.digest):
        assert v2.pull(name, reference).status_code == 404
    assert v2.get(f"/v2/{name}/tags/list").json()["tags"] == []


def test_an_image_in_an_index_is_not_deleted(v2: V2, name: str) -> None:
    image = v2.push(name, "v1")
    child = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    assert v2.put_manifest(name, "all", index, OCI_INDEX).status_code == 201
    assert error(v2.request("DELETE", f"/v2/{name}/manifests/{image.digest}")) == (
        405,
        "UNSUPPORTED",
        f"Requested image referenced by manifest list: [{digest(index)}]",
    )
    assert v2.pull(name, "v1").content == image.manifest
    assert v2.request("DELETE", f"/v2/{name}/manifests/{digest(index)}").status_code == 202
    assert v2.request("DELETE", f"/v2/{name}/manifests/{image.digest}").status_code == 202


def test_a_blob_of_an_image_is_not_deleted(v2: V2, name: str, account: Account) -> None:
    image = v2.push(name, "v1", os.urandom(100))
    elsewhere = account.repository()
    v2.push_blob(elsewhere, image.layer)
    of = digest(image.layer)
    assert error(v2.request("DELETE", f"/v2/{name}/blobs/{of}"))[:2] == (405, "UNSUPPORTED")
    assert v2.request("DELETE", f"/v2/{elsewhere}/blobs/{of}").status_code == 202
    assert v2.blob(name, of).content == image.layer
    assert v2.request("DELETE", f"/v2/{name}/manifests/{image.digest}").status_code == 202
    assert v2.request("DELETE", f"/v2/{name}/blobs/{of}").status_code == 202


# ------------------------------------------------------------------------------------------------ repositories


def test_a_push_makes_a_repository_for_who_may_create_it(v2: V2, account: Account) -> None:
    name = account.unique("ci/app")
    pusher = account.user("pusher", allow(LOGIN), allow(PUSH))
    status, code, message = error(
        account.server.push_and_pull(pusher.key).request("POST", f"/v2/{name}/blobs/uploads/")
    )
    assert (status, code) == (403, "DENIED")
    assert "is not authorized to perform: ecr:CreateRepository on resource" in message
    assert error(v2.get(f"/v2/{name}/tags/list"))[:2] == (404, "NAME_UNKNOWN")
    maker = account.user("maker", allow(LOGIN), allow([*PUSH, *PULL, "ecr:CreateRepository"], account.arn("ci/*")))
    image = account.server.push_and_pull(maker.key).push(name, "v1")
    assert v2.pull(name, "v1").content == image.manifest
    (made,) = account.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert made["imageTagMutability"] == "MUTABLE"


def test_a_manifest_too_makes_a_repository(v2: V2, account: Account) -> None:
    name = account.unique("ci/index")
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    assert v2.put_manifest(name, "v1", index, OCI_INDEX).status_code == 201
    assert v2.pull(name, "v1").content == index


def test_a_pull_makes_no_repository_and_a_push_only_where_the_setting_says(v2: V2, account: Account) -> None:
    name = account.unique("ci/app")
    assert error(v2.pull(name, "v1"))[:2] == (404, "NAME_UNKNOWN")
    for other in (account.unique("cix/app"), account.unique("team/ci")):
        assert error(v2.request("POST", f"/v2/{other}/blobs/uploads/"))[:2] == (404, "NAME_UNKNOWN")
    names = [r["repositoryName"] for r in account.ecr.describe_repositories()["repositories"]]
    assert name not in names


def test_a_sparse_manifest_is_refused_where_the_setting_does_not_say(v2: V2, name: str) -> None:
    child = {"mediaType": OCI_MANIFEST, "digest": digest(b"absent"), "size": 10}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    assert error(v2.put_manifest(name, "v1", index, OCI_INDEX))[1] == "MANIFEST_BLOB_UNKNOWN"


# ------------------------------------------------------------------------------------------------ referrers


def test_referrers_come_in_pages(v2: V2, name: str) -> None:
    """Large annotations end a page early."""
    subject = v2.push(name, "v1")
    about = {"mediaType": OCI_MANIFEST, "digest": subject.digest, "size": len(subject.manifest)}
    pushed = {
        v2.push(name, f"a{n}", subject=about, annotations={"n": str(n), "large": "x" * 1_500_000}).digest
        for n in range(5)
    }
    found: list[str] = []
    path, pages = f"/v2/{name}/referrers/{subject.digest}", 0
    while path:
        answer = v2.get(path)
        assert len(answer.content) < 5_000_000
        found += [referrer["digest"] for referrer in answer.json()["manifests"]]
        path = answer.links["next"]["url"] if "next" in answer.links else ""
        pages += 1
    assert (found, pages) == (sorted(pushed), 3)
