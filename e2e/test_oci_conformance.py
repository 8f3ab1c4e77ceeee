"""Every assertion of the distribution specification 1.1 that a registry can be held to, every option on.

Repositories are made by the pushes themselves. Blobs are pushed in every way there is, under both algorithms; data sets
of manifests go through their whole life: pushed, listed, pulled, referred to, deleted."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from oci import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, V2, error
from server import Server

ALGORITHMS = ["sha256", "sha512"]
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
KIND = "application/vnd.example.artifact"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ["--create-on-push", "conformance/*", "--oci-sparse-manifests", "conformance/sparse-*"]
    server = Server(tmp_path_factory.mktemp("server"), options=options)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def v2(server: Server) -> V2:
    return server.push_and_pull(server.administrator)


@pytest.fixture
def name() -> str:
    """A repository that does not exist yet."""
    return f"conformance/app-{next(NUMBERS)}"


def digest(algorithm: str, data: bytes) -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


# ------------------------------------------------------------------------------------------------ blobs

Push = Callable[[V2, str, str, bytes], requests.Response]


def post_only(v2: V2, name: str, of: str, data: bytes) -> requests.Response:
    return v2.request("POST", f"/v2/{name}/blobs/uploads/?digest={of}", data=data)


def post_and_put(v2: V2, name: str, of: str, data: bytes) -> requests.Response:
    return v2.finish_upload(v2.begin_upload(name), of, data)


def chunk(v2: V2, location: str, data: bytes, first: int) -> requests.Response:
    headers = {"Content-Range": f"{first}-{first + len(data) - 1}", "Content-Type": "application/octet-stream"}
    return v2.request("PATCH", location, data=data, headers=headers)


def sent_in_chunks(v2: V2, name: str, data: bytes) -> str:
    """Where the upload goes on after all of `data`."""
    location, size = v2.begin_upload(name), -(-len(data) // 3)
    for first in range(0, len(data), max(size, 1)):
        piece = data[first : first + size]
        answer = chunk(v2, location, piece, first)
        assert answer.status_code == 202
        assert answer.headers["Range"] == f"0-{first + len(piece) - 1}"
        location = answer.headers["Location"]
    return location


def chunked(v2: V2, name: str, of: str, data: bytes) -> requests.Response:
    return v2.finish_upload(sent_in_chunks(v2, name, data), of)


def chunked_with_the_last_in_put(v2: V2, name: str, of: str, data: bytes) -> requests.Response:
    half = len(data) // 2
    location = sent_in_chunks(v2, name, data[:half])
    headers = {"Content-Range": f"{half}-{len(data) - 1}"} if len(data) > half else {}
    return v2.request("PUT", f"{location}?digest={of}", data=data[half:], headers=headers)


def streamed(v2: V2, name: str, of: str, data: bytes) -> requests.Response:
    answer = v2.request("PATCH", v2.begin_upload(name), data=iter([data[:700], data[700:]]))
    assert answer.status_code == 202
    return v2.finish_upload(answer.headers["Location"], of)


PUSHES: list[Push] = [post_only, post_and_put, chunked, chunked_with_the_last_in_put, streamed]


def assert_a_blob_is_there_and_goes(v2: V2, name: str, of: str, data: bytes, pushed: requests.Response) -> None:
    assert pushed.status_code == 201, pushed.text
    for path in (pushed.headers["Location"], f"/v2/{name}/blobs/{of}"):
        for method in ("HEAD", "GET"):
            answer = v2.request(method, path)
            assert answer.status_code == 200
            assert answer.content == (data if method == "GET" else b"")
            assert answer.headers["Content-Length"] == str(len(data))
            assert answer.headers["Docker-Content-Digest"] == of
    assert v2.request("DELETE", f"/v2/{name}/blobs/{of}").status_code == 202
    assert v2.head(f"/v2/{name}/blobs/{of}").status_code == 404
    assert error(v2.request("DELETE", f"/v2/{name}/blobs/{of}"))[:2] == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [2, 2048])
@pytest.mark.parametrize("push", PUSHES)
def test_a_blob_is_pushed_pulled_and_deleted(v2: V2, name: str, algorithm: str, push: Push, size: int) -> None:
    data = os.urandom(size)
    of = digest(algorithm, data)
    v2.push_blob(name, b"the repository exists")
    assert v2.blob(name, of).status_code == 404
    assert_a_blob_is_there_and_goes(v2, name, of, data, push(v2, name, of, data))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("data", [b"", b"{}"])
@pytest.mark.parametrize("push", [post_only, post_and_put, streamed])
def test_well_known_contents(v2: V2, name: str, algorithm: str, push: Push, data: bytes) -> None:
    of = digest(algorithm, data)
    assert_a_blob_is_there_and_goes(v2, name, of, data, push(v2, name, of, data))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("push", PUSHES)
def test_bytes_with_another_digest_are_refused(v2: V2, name: str, algorithm: str, push: Push) -> None:
    of = digest(algorithm, b"something else")
    assert error(push(v2, name, of, os.urandom(2048)))[:2] == (400, "DIGEST_INVALID")
    assert v2.head(f"/v2/{name}/blobs/{of}").status_code == 404


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(v2: V2, name: str, algorithm: str) -> None:
    data = os.urandom(3000)
    location = chunk(v2, v2.begin_upload(name), data[:1000], 0).headers["Location"]
    for first in (2000, 0, 1001, 999):
        refused = chunk(v2, location, data[first : first + 1000], first)
        assert error(refused)[:2] == (416, "BLOB_UPLOAD_INVALID")
        status = v2.get(location)
        assert (status.status_code, status.headers["Range"]) == (204, "0-999")
        location = status.headers["Location"]
    location = chunk(v2, location, data[1000:2000], 1000).headers["Location"]
    of = digest(algorithm, data)
    headers = {"Content-Range": "0-999"}
    assert v2.request("PUT", f"{location}?digest={of}", data=data[:1000], headers=headers).status_code == 416
    location = chunk(v2, location, data[2000:], 2000).headers["Location"]
    assert_a_blob_is_there_and_goes(v2, name, of, data, v2.finish_upload(location, of))


@pytest.mark.parametrize("stated", ["0-998", "0-1000", "5", "5-4", "-5", "a-b", "0-99999999999999999999"])
def test_a_range_that_lies_about_the_chunk_is_refused(v2: V2, name: str, stated: str) -> None:
    location = v2.begin_upload(name)
    refused = v2.request("PATCH", location, data=b"x" * 1000, headers={"Content-Range": stated})
    assert refused.status_code in (400, 416)
    assert v2.get(location).headers["Range"] == "0-0"


def test_an_upload_is_cancelled(v2: V2, name: str) -> None:
    location = v2.request("PATCH", v2.begin_upload(name), data=b"x" * 1000).headers["Location"]
    assert v2.request("DELETE", location).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        assert error(v2.request(method, location))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ranges_of_a_blob(v2: V2, name: str, algorithm: str) -> None:
    data = os.urandom(2048)
    of = digest(algorithm, data)
    assert post_and_put(v2, name, of, data).status_code == 201
    ranges = [("500-1499", 500, 1499), ("500-", 500, 2047), ("-500", 1548, 2047), ("2000-5000", 2000, 2047)]
    for asked, first, last in ranges:
        got = v2.blob(name, of, headers={"Range": f"bytes={asked}"})
        assert (got.status_code, got.content) == (206, data[first : last + 1])
        assert got.headers["Content-Length"] == str(last - first + 1)
        assert got.headers["Content-Range"] == f"bytes {first}-{last}/2048"
    for asked in ("500-0", "5000-10000"):
        got = v2.blob(name, of, headers={"Range": f"bytes={asked}"})
        assert error(got)[:2] == (416, "RANGE_INVALID")
        assert got.headers["Content-Range"] == "bytes */2048"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("named", [True, False], ids=["from", "anonymous"])
def test_a_blob_is_mounted(v2: V2, name: str, algorithm: str, named: bool) -> None:
    data, source = os.urandom(2048), f"{name}-source"
    of = digest(algorithm, data)
    assert post_and_put(v2, source, of, data).status_code == 201
    query = f"mount={of}&from={source}" if named else f"mount={of}"
    mounted = v2.request("POST", f"/v2/{name}/blobs/uploads/?{query}")
    assert_a_blob_is_there_and_goes(v2, name, of, data, mounted)
    assert v2.blob(source, of).content == data


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("source", ["&from=conformance/absent", "&from=NONSENSE", ""])
def test_a_mount_of_what_is_not_there_begins_an_upload(v2: V2, name: str, algorithm: str, source: str) -> None:
    data = os.urandom(100)
    of = digest(algorithm, data)
    answer = v2.request("POST", f"/v2/{name}/blobs/uploads/?mount={of}{source}")
    assert answer.status_code == 202
    pushed = v2.finish_upload(answer.headers["Location"], of, data)
    assert_a_blob_is_there_and_goes(v2, name, of, data, pushed)


# ------------------------------------------------------------------------------------------------ data sets


@dataclass
class Data:
    """Blobs and manifests in the order of their push. What `absent` names is never pushed."""

    algorithm: str = "sha256"
    blobs: dict[str, bytes] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def blob(self, data: bytes, media_type: str = OCI_LAYER, *, pushed: bool = True, **more: Any) -> dict[str, Any]:
        """Its descriptor."""
        of = digest(self.algorithm, data)
        self.blobs[of] = data
        if not pushed:
            self.absent.add(of)
        return {"mediaType": media_type, "digest": of, "size": len(data)} | more

    def manifest(self, tag: str | None = None, *, pushed: bool = True, **members: Any) -> dict[str, Any]:
        """Adds a manifest, an index if it has `manifests`; its descriptor."""
        kind = OCI_INDEX if "manifests" in members else OCI_MANIFEST
        content = {"schemaVersion": 2, "mediaType": kind} | members
        body = json.dumps(content, indent=2).encode()
        of = digest(self.algorithm, body)
        self.manifests[of], self.bodies[of] = content, body
        if not pushed:
            self.absent.add(of)
        elif tag is not None:
            self.tags[tag] = of
        return {"mediaType": kind, "digest": of, "size": len(body)}

    def image(self, tag: str | None = None, *, pushed: bool = True, **members: Any) -> dict[str, Any]:
        config = self.blob(json.dumps({"os": "linux", "n": next(NUMBERS)}).encode(), OCI_CONFIG, pushed=pushed)
        layers = [self.blob(os.urandom(100), pushed=pushed) for _ in range(2)]
        return self.manifest(tag, pushed=pushed, **({"config": config, "layers": layers} | members))

    def artifact(self, tag: str | None = None, **members: Any) -> dict[str, Any]:
        empty = self.blob(b"{}", EMPTY_TYPE)
        layer = self.blob(os.urandom(50), "application/octet-stream")
        annotations = {"org.example.n": str(next(NUMBERS))}
        content = {"artifactType": KIND, "config": empty, "layers": [layer], "annotations": annotations}
        return self.manifest(tag, **(content | members))


def image(data: Data) -> None:
    data.image("v1")


def uncompressed_image(data: Data) -> None:
    layers = [data.blob(os.urandom(100), "application/vnd.oci.image.layer.v1.tar")]
    data.image("v1", layers=layers)


def zstd_image(data: Data) -> None:
    data.image("v1", layers=[data.blob(os.urandom(100), "application/vnd.oci.image.layer.v1.tar+zstd")])


def large_manifest(data: Data) -> None:
    data.image("v1", annotations={f"org.example.large.{n}": "x" * 10_000 for n in range(390)})


def index(data: Data) -> None:
    data.manifest("v1", manifests=[data.image("v1-amd64"), data.image()])


def nested_index(data: Data) -> None:
    inner = [data.manifest(manifests=[data.image(), data.image()]) for _ in range(2)]
    data.manifest("v1", manifests=inner)


def empty_index(data: Data) -> None:
    data.manifest("v1", manifests=[])


def artifact(data: Data) -> None:
    data.artifact("v1")


def artifact_index(data: Data) -> None:
    data.manifest("v1", manifests=[data.artifact(), data.artifact()], artifactType=KIND)


def artifact_without_layers(data: Data) -> None:
    data.artifact("v1", layers=[data.blob(b"{}", EMPTY_TYPE)])


def artifacts_with_subject(data: Data) -> None:
    subject = data.image("v1")
    for kind in (KIND, KIND, "application/vnd.example.other"):
        data.artifact(artifactType=kind, subject=subject)
    # The config says what kind of artifact it is where the manifest does not.
    config = data.blob(b'{"kind": "by config"}', "application/vnd.example.config")
    data.manifest(config=config, layers=[data.blob(b"{}", EMPTY_TYPE)], subject=subject, annotations={"a": "b"})


def index_with_subject(data: Data) -> None:
    subject = data.manifest("v1", manifests=[data.image()])
    data.manifest(manifests=[data.artifact()], artifactType=KIND, subject=subject, annotations={"a": "b"})
    data.manifest(manifests=[], subject=subject)


def subject_that_comes_later(data: Data) -> None:
    later = Data(data.algorithm)
    subject = later.image("v1")
    data.artifact("about", subject=subject)
    for part in ("blobs", "manifests", "bodies", "tags"):
        getattr(data, part).update(getattr(later, part))


def subject_that_never_comes(data: Data) -> None:
    data.artifact("about", subject=data.image(pushed=False))


def data_field(data: Data) -> None:
    config = data.blob(b"{}", EMPTY_TYPE) | {"data": "e30="}
    layer = data.blob(b"text", "text/plain") | {"data": "dGV4dA=="}
    data.manifest("v1", artifactType=KIND, config=config, layers=[layer])


def nondistributable_layers(data: Data) -> None:
    absent = data.blob(os.urandom(100), NONDISTRIBUTABLE, pushed=False, urls=["https://example.com/layer"])
    data.image("v1", layers=[absent, data.blob(os.urandom(100))])


def custom_fields(data: Data) -> None:
    config = data.blob(b'{"os": "linux", "org.example": {"a": [1]}}', OCI_CONFIG)
    config["org.example.descriptor"] = {"nested": [1, 2.5, None]}
    data.manifest("v1", config=config, layers=[data.blob(b"layer")], **{"org.example.manifest": {"a": [True]}})


def no_layers(data: Data) -> None:
    data.image("v1", layers=[])


def sparse_image(data: Data) -> None:
    data.image("v1", layers=[data.blob(os.urandom(100)), data.blob(os.urandom(100), pushed=False)])


def sparse_index(data: Data) -> None:
    data.manifest("v1", manifests=[data.image(), data.image(pushed=False)])


SETS = [image, uncompressed_image, zstd_image, large_manifest, index, nested_index, empty_index, artifact]
SETS += [artifact_index, artifact_without_layers, artifacts_with_subject, index_with_subject, subject_that_comes_later]
SETS += [subject_that_never_comes, data_field, nondistributable_layers, custom_fields, no_layers]
SETS += [sparse_image, sparse_index]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("make", SETS)
def test_a_data_set_lives_and_goes(v2: V2, make: Callable[[Data], None], algorithm: str) -> None:
    data = Data(algorithm)
    make(data)
    prefix = "sparse-" if make in (sparse_image, sparse_index) else "set-"
    name = f"conformance/{prefix}{next(NUMBERS)}"
    push(v2, name, data)
    assert_tags_are_listed(v2, name, data)
    assert_manifests_are_served(v2, name, data)
    assert_referrers_are_listed(v2, name, data)
    assert_all_goes(v2, name, data)


def push(v2: V2, name: str, data: Data) -> None:
    for of, blob in data.blobs.items():
        if of not in data.absent:
            assert post_and_put(v2, name, of, blob).status_code == 201
    for of, body in data.bodies.items():
        if of in data.absent:
            continue
        media_type = data.manifests[of]["mediaType"]
        tags = [tag for tag, named in data.tags.items() if named == of]
        query = "&".join(f"tag={tag}" for tag in tags)
        pushed = v2.put_manifest(name, f"{of}?{query}", body, media_type)
        assert pushed.status_code == 201, pushed.text
        assert pushed.headers["Docker-Content-Digest"] == of
        assert pushed.headers.get("OCI-Tag", "") == ", ".join(tags)
        assert v2.get(pushed.headers["Location"]).content == body
        subject = data.manifests[of].get("subject", {}).get("digest")
        assert pushed.headers.get("OCI-Subject") == subject
        for tag in tags if data.algorithm == "sha256" else []:
            pushed = v2.put_manifest(name, tag, body, media_type)
            assert (pushed.status_code, pushed.headers["Docker-Content-Digest"]) == (201, of)
            assert pushed.headers.get("OCI-Subject") == subject


def assert_tags_are_listed(v2: V2, name: str, data: Data) -> None:
    tags = sorted(data.tags)
    assert v2.get(f"/v2/{name}/tags/list").json() == {"name": name, "tags": tags}
    for i, last in enumerate(tags):
        assert v2.get(f"/v2/{name}/tags/list?last={last}").json()["tags"] == tags[i + 1 :]
        assert v2.get(f"/v2/{name}/tags/list?n={i}").json()["tags"] == tags[:i]


def assert_manifests_are_served(v2: V2, name: str, data: Data) -> None:
    references = data.tags | {of: of for of in data.bodies}
    for reference, of in references.items():
        for method in ("HEAD", "GET"):
            answer = v2.request(method, f"/v2/{name}/manifests/{reference}")
            if of in data.absent:
                assert answer.status_code == 404
                continue
            assert answer.status_code == 200
            assert answer.content == (data.bodies[of] if method == "GET" else b"")
            assert answer.headers["Content-Type"] == data.manifests[of]["mediaType"]
            assert answer.headers["Content-Length"] == str(len(data.bodies[of]))
            assert answer.headers["Docker-Content-Digest"] == of


def assert_referrers_are_listed(v2: V2, name: str, data: Data) -> None:
    for subject in data.bodies:
        expected = []
        for of, content in sorted(data.manifests.items()):
            if content.get("subject", {}).get("digest") != subject:
                continue
            found = {"mediaType": content["mediaType"], "digest": of, "size": len(data.bodies[of])}
            kind = content.get("artifactType") or content.get("config", {}).get("mediaType")
            expected.append(
                found
                | ({"artifactType": kind} if kind else {})
                | ({"annotations": content["annotations"]} if "annotations" in content else {})
            )
        assert referrers(v2, name, subject) == expected
        for kind in {found.get("artifactType", KIND) for found in expected} | {"application/none"}:
            matching = [found for found in expected if found.get("artifactType") == kind]
            assert referrers(v2, name, subject, kind) == matching


def referrers(v2: V2, name: str, subject: str, kind: str | None = None) -> list[dict[str, Any]]:
    parameters = {"artifactType": kind} if kind else {}
    answer = v2.get(f"/v2/{name}/referrers/{subject}", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == OCI_INDEX
    assert answer.headers.get("OCI-Filters-Applied") == ("artifactType" if kind else None)
    assert answer.json().keys() == {"schemaVersion", "mediaType", "manifests"}
    assert (answer.json()["schemaVersion"], answer.json()["mediaType"]) == (2, OCI_INDEX)
    return answer.json()["manifests"]


def assert_all_goes(v2: V2, name: str, data: Data) -> None:
    for tag in data.tags:
        assert v2.request("DELETE", f"/v2/{name}/manifests/{tag}").status_code == 202
        assert v2.head(f"/v2/{name}/manifests/{tag}").status_code == 404
    assert v2.get(f"/v2/{name}/tags/list").json()["tags"] == []
    there = [of for of in data.bodies if of not in data.absent]
    for of in reversed(there):
        assert v2.request("DELETE", f"/v2/{name}/manifests/{of}").status_code == 202
        assert v2.head(f"/v2/{name}/manifests/{of}").status_code == 404
        assert of not in str(referrers(v2, name, data.manifests[of].get("subject", {}).get("digest", of)))
    for of in data.blobs:
        if of not in data.absent:
            assert v2.request("DELETE", f"/v2/{name}/blobs/{of}").status_code == 202
            assert v2.head(f"/v2/{name}/blobs/{of}").status_code == 404


# ------------------------------------------------------------------------------------------------ manifests


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_manifest_with_another_digest_is_refused(v2: V2, name: str, algorithm: str) -> None:
    data = Data(algorithm)
    data.image()
    for of, blob in data.blobs.items():
        assert post_and_put(v2, name, of, blob).status_code == 201
    (body,) = data.bodies.values()
    other = digest(algorithm, b"something else")
    assert error(v2.put_manifest(name, other, body))[:2] == (400, "DIGEST_INVALID")
    assert v2.pull(name, other).status_code == 404


@pytest.mark.parametrize("reference", ["sha256:totallywrong", "sha256:", "sha512:" + "0" * 64, "md5:" + "0" * 32])
def test_a_malformed_digest_is_refused(v2: V2, name: str, reference: str) -> None:
    v2.push_blob(name, b"the repository exists")
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    assert v2.put_manifest(name, reference, body, OCI_INDEX).status_code == 400
    for path in (f"manifests/{reference}", f"blobs/{reference}", f"referrers/{reference}"):
        assert v2.get(f"/v2/{name}/{path}").status_code in (400, 404)


def test_what_is_unknown_is_not_found_and_has_no_referrers(v2: V2, name: str) -> None:
    # The specification: never 404, so not for a repository either.
    assert referrers(v2, name, digest("sha256", b"unknown")) == []
    v2.push_blob(name, b"the repository exists")
    for algorithm in ALGORITHMS:
        unknown = digest(algorithm, b"unknown")
        assert error(v2.pull(name, unknown))[:2] == (404, "MANIFEST_UNKNOWN")
        assert error(v2.request("DELETE", f"/v2/{name}/manifests/{unknown}"))[:2] == (404, "MANIFEST_UNKNOWN")
        assert referrers(v2, name, unknown) == []
    assert error(v2.pull(name, "unknown"))[:2] == (404, "MANIFEST_UNKNOWN")
    assert v2.get(f"/v2/{name}/tags/list").json()["tags"] == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_push_by_digest_names_tags_of_which_all_are_set_or_none(v2: V2, name: str, algorithm: str) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    of = digest(algorithm, body)
    pushed = v2.put_manifest(name, f"{of}?tag=1.2.3&tag=1.2&tag=latest&tag=1.2", body, OCI_INDEX)
    assert (pushed.status_code, pushed.headers["OCI-Tag"]) == (201, "1.2.3, 1.2, latest")
    assert v2.get(f"/v2/{name}/tags/list").json()["tags"] == ["1.2", "1.2.3", "latest"]
    for tag in ("1.2", "1.2.3", "latest"):
        assert v2.pull(name, tag).headers["Docker-Content-Digest"] == of
    for query in ("tag=good&tag=-bad", "tag=good&tag=", "&".join(f"tag=t{n}" for n in range(51))):
        assert v2.put_manifest(name, f"{of}?{query}", body, OCI_INDEX).status_code == 400
    assert v2.put_manifest(name, "v1?tag=v2", body, OCI_INDEX).status_code == 400
    assert v2.get(f"/v2/{name}/tags/list").json()["tags"] == ["1.2", "1.2.3", "latest"]


def test_the_ping(v2: V2, server: Server) -> None:
    assert v2.get("/v2/").status_code == 200
    assert server.v2(None).get("/v2/").status_code == 401
