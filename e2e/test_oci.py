"""The distribution API: what docker needs of it to push and pull."""

import hashlib
import json
import os
from collections.abc import Iterator

import pytest

from account import Account
from http2 import DATA, END_HEADERS, END_STREAM, HEADERS, PING, Connection, frame, request
from oci import DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, V2, digest, error, manifest
from server import Server

CONFIG = b'{"architecture": "amd64", "os": "linux"}'


@pytest.fixture(scope="module")
def v2(server: Server) -> V2:
    """The administrator."""
    return server.push_and_pull(server.administrator)


@pytest.fixture
def name(account: Account) -> str:
    """A new repository."""
    return account.repository("team/app")


# ------------------------------------------------------------------------------------------------ blobs


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000], ids=lambda size: f"{size}-bytes")
def test_a_blob_comes_back_as_it_went(v2: V2, name: str, size: int) -> None:
    data = os.urandom(size)
    pushed = v2.finish_upload(v2.begin_upload(name), digest(data), data)
    assert pushed.status_code == 201
    assert pushed.headers["Docker-Content-Digest"] == digest(data)
    for path in (pushed.headers["Location"], f"/v2/{name}/blobs/{digest(data)}"):
        got = v2.get(path)
        assert got.status_code == 200
        assert got.content == data
        assert got.headers["Content-Length"] == str(size)
        assert got.headers["Content-Type"] == "application/octet-stream"
        assert got.headers["Content-Disposition"].startswith("attachment")
        assert got.headers["Docker-Content-Digest"] == digest(data)
        head = v2.head(path)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(size))


def test_locations_are_relative(v2: V2, name: str) -> None:
    # The Host header decides the account, never where a client sends its next bytes.
    answer = v2.request("POST", f"/v2/{name}/blobs/uploads/", headers={"Host": "evil.example"})
    if answer.status_code == 202:
        assert answer.headers["Location"].startswith(f"/v2/{name}/blobs/uploads/")
    assert v2.begin_upload(name).startswith(f"/v2/{name}/blobs/uploads/")


def test_a_blob_is_streamed_in_one_patch(v2: V2, name: str) -> None:
    pieces = [os.urandom(100_000) for _ in range(20)]

    def stream() -> Iterator[bytes]:
        yield from pieces

    location = v2.begin_upload(name)
    sent = v2.request("PATCH", location, data=stream())
    assert sent.status_code == 202
    assert sent.headers["Range"] == f"0-{20 * 100_000 - 1}"
    data = b"".join(pieces)
    assert v2.finish_upload(sent.headers["Location"], digest(data)).status_code == 201
    assert v2.blob(name, digest(data)).content == data


def test_several_patches_and_a_last_piece_in_put_make_one_blob(v2: V2, name: str) -> None:
    location = v2.begin_upload(name)
    for piece in (b"one ", b"two ", b"three "):
        sent = v2.request("PATCH", location, data=piece)
        assert sent.status_code == 202
        location = sent.headers["Location"]
    data = b"one two three four"
    assert v2.finish_upload(location, digest(data), b"four").status_code == 201
    assert v2.blob(name, digest(data)).content == data


def test_a_blob_under_sha512_is_found_under_it(v2: V2, name: str) -> None:
    data = b"under another algorithm"
    of = "sha512:" + hashlib.sha512(data).hexdigest()
    assert v2.finish_upload(v2.begin_upload(name), of, data).status_code == 201
    got = v2.blob(name, of)
    assert (got.status_code, got.content, got.headers["Docker-Content-Digest"]) == (200, data, of)


def test_a_wrong_digest_is_refused_and_nothing_becomes_readable(v2: V2, name: str) -> None:
    data, promised = b"what was sent", digest(b"what was promised")
    answer = v2.finish_upload(v2.begin_upload(name), promised, data)
    assert error(answer)[:2] == (400, "DIGEST_INVALID")
    for of in (promised, digest(data)):
        assert v2.head(f"/v2/{name}/blobs/{of}").status_code == 404


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "A" * 64,
        "md5:" + "0" * 32,
        "sha256:" + "0" * 64 + "/x",
    ],
)
def test_a_malformed_digest_is_refused(v2: V2, name: str, malformed: str) -> None:
    answer = v2.finish_upload(v2.begin_upload(name), malformed, b"data")
    assert error(answer)[:2] == (400, "DIGEST_INVALID")
    assert v2.blob(name, malformed).status_code in (400, 404, 405)


def test_an_unknown_upload_is_named(v2: V2, name: str, account: Account) -> None:
    unknown = f"/v2/{name}/blobs/uploads/00000000-0000-0000-0000-000000000000"
    assert error(v2.request("PATCH", unknown, data=b"x"))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    assert error(v2.finish_upload(unknown, digest(b"x"), b"x"))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    other = account.repository()
    stolen = v2.begin_upload(name).replace(name, other)
    assert error(v2.request("PATCH", stolen, data=b"x"))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_finished_upload_is_over(v2: V2, name: str) -> None:
    location = v2.begin_upload(name)
    assert v2.finish_upload(location, digest(b"x"), b"x").status_code == 201
    assert error(v2.request("PATCH", location, data=b"y"))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


# ------------------------------------------------------------------------------------------------ manifests


def test_a_manifest_comes_back_to_the_byte_by_tag_and_by_digest(v2: V2, name: str) -> None:
    image = v2.push(name, "v1", annotations={"note": "spaces   and\u0000 escapes stay"})
    for method in ("GET", "HEAD"):
        for reference in ("v1", image.digest):
            got = v2.request(method, f"/v2/{name}/manifests/{reference}")
            assert got.status_code == 200
            assert got.content == (image.manifest if method == "GET" else b"")
            assert got.headers["Docker-Content-Digest"] == image.digest
            assert got.headers["Content-Type"] == OCI_MANIFEST
            assert got.headers["Content-Length"] == str(len(image.manifest))


def test_putting_a_manifest_says_where_it_is(v2: V2, name: str) -> None:
    image = v2.push(name, "v1")
    answer = v2.put_manifest(name, image.digest, image.manifest)
    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == image.digest
    assert v2.get(answer.headers["Location"]).content == image.manifest


def test_dockers_manifest_keeps_its_media_type(v2: V2, name: str) -> None:
    layer = b"layer"
    for blob in (CONFIG, layer):
        v2.push_blob(name, blob)
    body = json.loads(manifest(CONFIG, layer))
    body["mediaType"] = DOCKER_MANIFEST
    body["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    body["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    sent = json.dumps(body).encode()
    assert v2.put_manifest(name, "v1", sent, DOCKER_MANIFEST).status_code == 201
    got = v2.pull(name, "v1")
    assert (got.content, got.headers["Content-Type"]) == (sent, DOCKER_MANIFEST)


def test_an_index_needs_its_images(v2: V2, name: str, account: Account) -> None:
    image = v2.push(name, "v1")
    child = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    assert v2.put_manifest(name, "index", index, OCI_INDEX).status_code == 201
    assert v2.pull(name, "index").content == index
    absent = digest(b"absent")
    index = index.replace(image.digest.encode(), absent.encode())
    assert error(v2.put_manifest(name, "broken", index, OCI_INDEX))[1:] == (
        "MANIFEST_BLOB_UNKNOWN",
        f"Images with digests '[{absent}]' required for pushing image into repository with name '{name}' in the "
        f"registry with id '{account.id}' do not exist",
    )


def test_a_manifest_needs_its_blobs_in_its_own_repository(v2: V2, name: str, account: Account) -> None:
    layer = os.urandom(100)
    v2.push_blob(account.repository(), layer)
    v2.push_blob(name, CONFIG)
    answer = v2.put_manifest(name, "v1", manifest(CONFIG, layer))
    assert error(answer)[1:] == (
        "MANIFEST_BLOB_UNKNOWN",
        f"Layers with digests '[{digest(layer)}]' required for pushing image into repository with name '{name}' in the "
        f"registry with id '{account.id}' do not exist",
    )
    assert v2.pull(name, "v1").status_code == 404


def test_a_blob_of_another_repository_is_not_found(v2: V2, name: str, account: Account) -> None:
    data = os.urandom(100)
    v2.push_blob(account.repository(), data)
    assert v2.head(f"/v2/{name}/blobs/{digest(data)}").status_code == 404
    assert error(v2.blob(name, digest(data)))[:2] == (404, "BLOB_UNKNOWN")


def test_an_image_of_another_repository_is_not_found(v2: V2, name: str, account: Account) -> None:
    image = v2.push(account.repository(), "v1")
    for reference in ("v1", image.digest):
        assert error(v2.pull(name, reference)) == (404, "MANIFEST_UNKNOWN", "Requested image not found")


def test_a_mutable_tag_moves_and_the_old_image_stays(v2: V2, name: str) -> None:
    old, new = v2.push(name, "latest", b"old"), v2.push(name, "latest", b"new")
    assert v2.pull(name, "latest").content == new.manifest
    assert v2.pull(name, old.digest).content == old.manifest


def test_an_immutable_tag_stays(v2: V2, account: Account) -> None:
    name = account.repository(imageTagMutability="IMMUTABLE")
    first = v2.push(name, "v1", b"first")
    assert v2.put_manifest(name, "v1", first.manifest).status_code == 201, "nothing changes"
    for blob in (CONFIG, b"second"):
        v2.push_blob(name, blob)
    assert error(v2.put_manifest(name, "v1", manifest(CONFIG, b"second"))) == (
        400,
        "TAG_INVALID",
        f"The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten because the tag is "
        f"immutable. (it names {digest(first.manifest)}; push under another tag)",
    )
    assert v2.pull(name, "v1").content == first.manifest


def test_a_tag_that_is_excluded_from_immutability_moves(v2: V2, account: Account) -> None:
    name = account.repository(
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}],
    )
    v2.push(name, "dev-1", b"first")
    second = v2.push(name, "dev-1", b"second")
    assert v2.pull(name, "dev-1").content == second.manifest
    v2.push(name, "v1", b"first")
    assert error(v2.put_manifest(name, "v1", second.manifest))[:2] == (400, "TAG_INVALID")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"schemaVersion": 1, "mediaType": "application/vnd.oci.image.manifest.v1+json"}',
        b'{"schemaVersion": 2, "schemaVersion": 2}',
        manifest(CONFIG)[:-1],
        manifest(CONFIG).replace(b'"sha256:', b'"sha1:'),
        manifest(CONFIG).replace(b'"size": ', b'"size": -'),
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_no_manifest_is_refused(v2: V2, name: str, body: bytes) -> None:
    answer = v2.put_manifest(name, "v1", body)
    assert answer.status_code in (400, 405)
    assert error(answer)[1] in ("MANIFEST_INVALID", "UNSUPPORTED")
    assert v2.pull(name, "v1").status_code == 404


def test_a_manifest_without_any_media_type_gets_ecrs_text(v2: V2, name: str) -> None:
    body = json.dumps({"schemaVersion": 2, "layers": []}).encode()
    answer = v2.request("PUT", f"/v2/{name}/manifests/v1", data=body)
    assert error(answer)[2] == (
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
    )


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "nonsense"])
def test_a_manifest_that_a_browser_would_run_is_refused(v2: V2, name: str, media_type: str) -> None:
    v2.push_blob(name, CONFIG)
    body = manifest(CONFIG).replace(OCI_MANIFEST.encode(), media_type.encode())
    answer = v2.put_manifest(name, "v1", body, media_type)
    assert answer.status_code in (400, 405)


def test_a_manifest_put_under_another_digest_is_refused(v2: V2, name: str) -> None:
    image = v2.push(name, "v1")
    answer = v2.put_manifest(name, digest(b"another"), image.manifest)
    assert error(answer)[:2] == (400, "DIGEST_INVALID")


def test_a_manifest_over_the_limit_is_refused(v2: V2, name: str) -> None:
    v2.push_blob(name, CONFIG)
    large = manifest(CONFIG, annotations={"large": "x" * 4_194_304})
    answer = v2.put_manifest(name, "v1", large)
    assert answer.status_code in (400, 413)
    fitting = manifest(CONFIG, annotations={"large": "x" * 4_190_000})
    assert v2.put_manifest(name, "v1", fitting).status_code == 201
    assert v2.pull(name, "v1").content == fitting


# ------------------------------------------------------------------------------------------------ tags


def test_tags_are_listed_in_byte_order_and_in_pages(v2: V2, name: str) -> None:
    image = v2.push(name, "b")
    for tag in ("a", "Z", "_x", "a.1", "a-1", "latest", "10", "9"):
        assert v2.put_manifest(name, tag, image.manifest).status_code == 201
    every = sorted(["a", "b", "Z", "_x", "a.1", "a-1", "latest", "10", "9"])
    answer = v2.get(f"/v2/{name}/tags/list")
    assert answer.json() == {"name": name, "tags": every}
    assert "Link" not in answer.headers
    found: list[str] = []
    path = f"/v2/{name}/tags/list?n=4"
    pages = 0
    while path:
        answer = v2.get(path)
        found += answer.json()["tags"]
        pages += 1
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    assert (found, pages) == (every, 3)
    assert v2.get(f"/v2/{name}/tags/list?n=2&last=a").json()["tags"] == every[every.index("a") + 1 :][:2]
    assert v2.get(f"/v2/{name}/tags/list?last=zzz").json()["tags"] == []


def test_an_empty_repository_has_no_tags(v2: V2, name: str) -> None:
    assert v2.get(f"/v2/{name}/tags/list").json() == {"name": name, "tags": []}


def test_a_count_of_tags_beyond_the_longest_page_is_answered_with_a_page(v2: V2, name: str) -> None:
    v2.push(name, "v1")
    for n in ("1001", "99999999999999999999"):
        assert v2.get(f"/v2/{name}/tags/list?n={n}").json()["tags"] == ["v1"]
    for n in ("-1", "x", "", "1.5"):
        assert v2.get(f"/v2/{name}/tags/list?n={n}").status_code == 400


@pytest.mark.parametrize("tag", ["-x", ".x", "x" * 129, "a:b", "a%20b", "%C3%A4"])
def test_a_malformed_tag_is_refused(v2: V2, name: str, tag: str) -> None:
    v2.push_blob(name, CONFIG)
    answer = v2.put_manifest(name, tag, manifest(CONFIG))
    assert answer.status_code in (400, 404)
    assert v2.get(f"/v2/{name}/tags/list").json()["tags"] == []


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("bad", ["App", "a..b", "-a", "a_", "a" * 257, "a%2Fb%00", "%2e%2e"])
def test_a_malformed_name_is_refused(v2: V2, bad: str) -> None:
    answer = v2.get(f"/v2/{bad}/tags/list")
    assert error(answer)[:2] in ((400, "NAME_INVALID"), (404, "NAME_INVALID"), (404, "NAME_UNKNOWN"))


@pytest.mark.parametrize("odd", ["blobs/uploads", "manifests/tags", "v2/v2", "uploads/list", "tags/blobs/sha256"])
def test_a_repository_named_like_a_route_is_a_repository(v2: V2, account: Account, odd: str) -> None:
    account.ecr.create_repository(repositoryName=odd)
    image = v2.push(odd, "list")
    assert v2.pull(odd, "list").content == image.manifest
    assert v2.get(f"/v2/{odd}/tags/list").json()["tags"] == ["list"]


def test_an_unknown_path_is_named(v2: V2, name: str) -> None:
    for method, path in (("GET", f"/v2/{name}"), ("GET", f"/v2/{name}/shoes/43"), ("GET", "/v2/_shoes")):
        assert v2.request(method, path).status_code in (404, 405)
    for method in ("POST", "PATCH", "OPTIONS"):
        assert v2.request(method, f"/v2/{name}/tags/list").status_code == 405


def test_a_layers_media_type_with_parameters_is_kept(v2: V2, name: str) -> None:
    for blob in (CONFIG, b"layer"):
        v2.push_blob(name, blob)
    body = manifest(CONFIG, b"layer").replace(OCI_LAYER.encode(), b"application/vnd.acme+json;version=0.2")
    assert OCI_CONFIG.encode() in body
    assert v2.put_manifest(name, "v1", body).status_code == 201
    assert v2.pull(name, "v1").content == body


def test_a_head_over_http2_is_answered_without_a_body(server: Server) -> None:
    """With a body, Go's clients, such as Helm, report an error of the protocol."""
    connection = Connection(server)
    for stream, path in ((1, "/v2/team/app/manifests/v1"), (3, "/health"), (5, "/nothing")):
        block = request(path, method="HEAD")
        connection.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
    # Frames of one connection come in order, so what followed the answers is here before the ping's.
    connection.read_until(HEADERS, 3)
    connection.send(frame(PING, 0, 0, b"12345678"))
    connection.read_until(PING)
    ends = [flags & END_STREAM for kind, flags, *_ in connection.frames() if kind == HEADERS]
    assert len(ends) == 3 and all(ends)
    assert connection.count(DATA) == 0
    connection.close()
