"""Objects in a bucket: one node on SQLite, two on PostgreSQL, and what happens when the bucket is not there."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import requests

from account import Account
from bucket import Bucket, Line
from model import ModelViolation
from oci import V2, digest
from server import Key, Server

MakeServer = Callable[..., Server]
MIB = 1024 * 1024


@pytest.fixture
def bucket() -> Bucket:
    return Bucket.of_environment()


@pytest.fixture
def alone(own_server: MakeServer, bucket: Bucket) -> Iterator[Server]:
    """A server on SQLite."""
    server = own_server(options=bucket.options()).start()
    yield server
    server.stop()


@pytest.fixture
def nodes(own_server: MakeServer, database: Callable[[], str], bucket: Bucket) -> Iterator[tuple[Account, Account]]:
    """The same account through two nodes."""
    url = database()
    one = own_server("one", database=url, options=bucket.options()).start()
    two = own_server("two", database=url, keyring=one.keyring, options=bucket.options()).start()
    yield Account(one, one.administrator), Account(two, one.administrator)
    one.stop()
    two.stop()


def door(account: Account) -> V2:
    return account.server.push_and_pull(account.key)


def path(repository: str, location: str) -> str:
    """The upload of `location`, at whichever node."""
    return f"/v2/{repository}/blobs/uploads/{location.rsplit('/', 1)[1]}"


def test_an_upload_goes_on_on_another_node_and_ends_on_the_first(
    nodes: tuple[Account, Account], bucket: Bucket
) -> None:
    one, two = nodes
    name = one.repository()
    doors = [door(one), door(two)]
    data = os.urandom(20 * MIB)
    upload = path(name, doors[0].begin_upload(name))
    sent = 0
    for number, length in enumerate((9 * MIB, 6 * MIB, 1, 3 * MIB)):
        answer = doors[number % 2].request(
            "PATCH",
            upload,
            data=data[sent : sent + length],
            headers={"Content-Range": f"{sent}-{sent + length - 1}"},
        )
        sent += length
        assert answer.status_code == 202, answer.text
        told = doors[1 - number % 2].get(upload)
        assert (told.status_code, told.headers["Range"]) == (204, f"0-{sent - 1}")
    # Less than S3's least part is not in the bucket yet, and no object is.
    assert len(bucket.uploads()) == 1
    assert bucket.objects() == []
    assert doors[0].finish_upload(upload, digest(data), data[sent:]).status_code == 201
    assert len(bucket.objects()) == 1
    assert bucket.uploads() == []
    for node in doors:
        assert node.blob(name, digest(data)).content == data
        assert node.head(f"/v2/{name}/blobs/{digest(data)}").headers["Content-Length"] == str(len(data))
        part = node.blob(name, digest(data), headers={"Range": "bytes=9000000-9100000"})
        assert (part.status_code, part.content) == (206, data[9000000:9100001])


def test_a_layer_in_parts_by_ecrs_api_goes_from_node_to_node(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    name = one.repository()
    data = os.urandom(12 * MIB)
    upload = one.ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    for node, first, end in ((one, 0, 5 * MIB), (two, 5 * MIB, 10 * MIB), (one, 10 * MIB, 12 * MIB)):
        node.ecr.upload_layer_part(
            repositoryName=name,
            uploadId=upload,
            partFirstByte=first,
            partLastByte=end - 1,
            layerPartBlob=data[first:end],
        )
    done = two.ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest(data)])
    assert done["layerDigest"] == digest(data)
    image = door(one).push(name, "v1", data)
    url = two.ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest(data))["downloadUrl"]
    assert requests.get(url, verify=str(two.server.ca), timeout=60).content == data
    assert door(two).pull(name, "v1").content == image.manifest


def test_what_is_pushed_on_one_node_is_pulled_and_mounted_on_the_other(
    nodes: tuple[Account, Account], bucket: Bucket
) -> None:
    one, two = nodes
    name, other = one.repository(), one.repository()
    data = os.urandom(300_000)
    image = door(one).push(name, "v1", data)
    assert door(two).blob(name, digest(data)).content == image.layer
    mounted = door(two).request("POST", f"/v2/{other}/blobs/uploads/?mount={digest(data)}&from={name}")
    assert mounted.status_code == 201
    assert door(one).blob(other, digest(data)).content == data
    assert len(bucket.objects()) == 2, "the config and the layer, once"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_upload_goes_on_after_a_restart_where_the_server_says(alone: Server, end: str) -> None:
    account = Account.default(alone)
    name = account.repository()
    data = os.urandom(7 * MIB)
    location = path(name, door(account).begin_upload(name))
    assert door(account).request("PATCH", location, data=data[: 6 * MIB]).status_code == 202
    getattr(alone, end)()
    alone.start()
    after = door(account)
    offset = int(after.get(location).headers["Range"].removeprefix("0-")) + 1
    assert offset == 6 * MIB
    assert after.finish_upload(location, digest(data), data[offset:]).status_code == 201
    assert after.blob(name, digest(data)).content == data


def test_what_was_sent_of_a_cancelled_upload_is_aborted(alone: Server, bucket: Bucket) -> None:
    account = Account.default(alone)
    name = account.repository()
    upload = door(account).begin_upload(name)
    assert door(account).request("PATCH", upload, data=os.urandom(9 * MIB)).status_code == 202
    assert len(bucket.uploads()) == 1
    assert door(account).request("DELETE", upload).status_code == 204
    assert bucket.uploads() == []
    assert bucket.objects() == []


def test_nothing_in_clear_is_in_the_bucket_or_in_the_data(alone: Server, bucket: Bucket) -> None:
    account = Account.default(alone)
    name = account.repository()
    marks = {what: f"mark-of-the-{what}-{os.urandom(8).hex()}" for what in ("layer", "config", "annotation", "upload")}
    pusher = door(account)
    pusher.push_blob(name, marks["config"].encode())
    pusher.push(name, "v1", marks["layer"].encode() * 100_000, annotations={"mark": marks["annotation"]})
    upload = pusher.begin_upload(name)
    unfinished = marks["upload"].encode() * 300_000
    assert len(unfinished) > 9 * MIB
    assert pusher.request("PATCH", upload, data=unfinished).status_code == 202
    assert pusher.blob(name, digest(marks["config"].encode())).text == marks["config"]
    assert len(bucket.uploads()) == 1
    alone.stop()
    stored = dict(bucket.everything())
    assert len(stored) == 4, "layer, two configs, and the parts of the upload"
    stored |= {str(file): file.read_bytes() for file in alone.data.rglob("*") if file.is_file()}
    # The search finds what is there.
    assert any(name.encode() in data for data in stored.values())
    for mark in marks.values():
        for form in (mark.encode(), mark.encode().hex().encode()):
            for place, data in stored.items():
                assert form not in data, f"{mark} is in {place}"


def test_a_lost_object_is_pushed_again_and_healed(alone: Server, bucket: Bucket) -> None:
    account = Account.default(alone)
    name, other = account.repository(), account.repository()
    data = os.urandom(200_000)
    pusher = door(account)
    pusher.push(name, "v1", data)
    assert pusher.request("POST", f"/v2/{other}/blobs/uploads/?mount={digest(data)}&from={name}").status_code == 201
    (lost,) = [key for key in bucket.objects() if len(bucket.content(key)) > 100_000]
    bucket.remove(lost)
    assert pusher.head(f"/v2/{name}/blobs/{digest(data)}").status_code == 404
    checked = account.ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest(data)])
    assert [failure["failureCode"] for failure in checked["failures"]] == ["MissingLayerDigest"] or [
        layer["layerAvailability"] for layer in checked["layers"]
    ] == ["UNAVAILABLE"]
    refused = pusher.request("POST", f"/v2/{other}/blobs/uploads/?mount={digest(data)}&from={name}")
    assert refused.status_code == 202, "there is nothing to mount"
    pusher.push_blob(name, data)
    for repository in (name, other):
        assert pusher.head(f"/v2/{repository}/blobs/{digest(data)}").status_code == 200
        assert pusher.blob(repository, digest(data)).content == data


# ------------------------------------------------------------------------------------------------ no bucket


def ask(server: Server, key: Key, method: str, target: str, **more: object) -> requests.Response:
    """As V2, but an answer may say that the server fails."""
    auth = ("AWS", server.password(key))
    return requests.request(method, server.url() + target, auth=auth, verify=str(server.ca), timeout=120, **more)


def test_a_lost_bucket_is_said_in_the_form_of_each_door_and_found_again(own_server: MakeServer, bucket: Bucket) -> None:
    line = Line(bucket)
    server = own_server(options=line.bucket.options()).start()
    account = Account.default(server)
    name = account.repository()
    data, more = os.urandom(300_000), os.urandom(300_000)
    door(account).push(name, "v1", data)
    upload = door(account).begin_upload(name)
    line.cut()
    for method, target, body in (
        ("GET", f"/v2/{name}/blobs/{digest(data)}", None),
        ("PUT", f"{path(name, upload)}?digest={digest(more)}", more),
    ):
        answer = ask(server, account.key, method, target, data=body)
        assert answer.status_code == 503, answer.text
        (said,) = answer.json()["errors"]
        assert said["code"] == "UNAVAILABLE"
        assert bucket.name not in said["message"], "the cause is for the log"
    # What needs no bytes goes on.
    assert door(account).pull(name, "v1").status_code == 200
    part = {"partFirstByte": 0, "partLastByte": len(more) - 1, "layerPartBlob": more}
    begun = account.ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    account.ecr.upload_layer_part(repositoryName=name, uploadId=begun, **part)
    # The tests' client takes no fault of the server for an answer.
    with pytest.raises(ModelViolation, match=r'(?s)answered 503.*"__type":"ServerException"'):
        account.ecr.complete_layer_upload(repositoryName=name, uploadId=begun, layerDigests=[digest(more)])
    assert "bucket" in server.log.read_text()

    line.mend()
    assert door(account).blob(name, digest(data)).content == data
    account.ecr.complete_layer_upload(repositoryName=name, uploadId=begun, layerDigests=[digest(more)])
    assert door(account).blob(name, digest(more)).content == more
    assert door(account).finish_upload(path(name, upload), digest(more), more).status_code == 201
    server.stop()


def test_a_bucket_that_does_not_exist_is_named(own_server: MakeServer, bucket: Bucket) -> None:
    options = [option if option != bucket.name else "no-such-bucket-here" for option in bucket.options()]
    server = own_server(options=options)
    assert "there is no bucket 'no-such-bucket-here'" in server.refuse_to_start()
    assert not server.keyring.exists(), "nothing was begun"


def test_a_bucket_that_cannot_be_reached_is_named(own_server: MakeServer, bucket: Bucket) -> None:
    line = Line(bucket)
    line.cut()
    said = own_server(options=line.bucket.options()).refuse_to_start()
    assert f"cannot use the bucket '{bucket.name}' at '{line.bucket.endpoint}'" in said


def test_keys_that_the_bucket_refuses_are_named_without_the_secret(own_server: MakeServer, bucket: Bucket) -> None:
    if not bucket.checks_signatures():
        return  # moto takes every key; ./test all asks radosgw
    options = [option if option != bucket.secret else "hunter2" for option in bucket.options()]
    said = own_server(options=options).refuse_to_start()
    assert f"refuses the access key '{bucket.key}'" in said
    assert "SignatureDoesNotMatch" in said
    assert "hunter2" not in said


def test_a_directory_under_postgresql_is_for_one_node_and_says_so(
    own_server: MakeServer, database: Callable[[], str]
) -> None:
    server = own_server(database=database()).start()
    server.stop()
    assert "no other node can serve this database" in server.log.read_text()


def test_a_reader_that_goes_away_harms_nobody(alone: Server) -> None:
    account = Account.default(alone)
    name = account.repository()
    data = os.urandom(30 * MIB)
    door(account).push_blob(name, data)
    for _ in range(3):
        with suppress(requests.RequestException):
            answer = door(account).blob(name, digest(data), stream=True)
            next(answer.iter_content(100_000))
            answer.close()
    assert door(account).blob(name, digest(data)).content == data
