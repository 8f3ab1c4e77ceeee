"""A disk that fills up, or becomes read-only, under a server that goes on. Needs root and a mount namespace: run
through `e2e/clients/in-namespace`."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from account import Account
from oci import V2, Image, digest, error, manifest
from raw import ECR_TARGET, JSON, post, signed_headers
from server import Server
from test_collection import collect, objects

MakeServer = Callable[..., Server]
Place = tuple[Server, Account, V2]
MIB = 1024 * 1024
SIZE = 64 * MIB
CONFIG = b"config"


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place(own_server: MakeServer) -> Iterator[Place]:
    """A server whose data directory is a file system of 64 MiB."""
    server = own_server()
    server.data.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", server.data)
    try:
        server.start()
        account = Account.default(server)
        yield server, account, server.push_and_pull(account.key)
        server.stop()
    finally:
        server.kill()
        run("umount", server.data)


def free(server: Server) -> int:
    found = os.statvfs(server.data)
    return found.f_bavail * found.f_frsize


def assert_whole(v2: V2, name: str, images: dict[str, Image]) -> None:
    for tag, image in images.items():
        assert v2.pull(name, tag).content == image.manifest
        assert v2.blob(name, digest(image.layer)).content == image.layer


def fill(v2: V2, name: str, tags: str = "v") -> dict[str, Image]:
    """Pushes images until a layer is refused; those that were not, by tags that begin so."""
    if not v2.head(f"/v2/{name}/blobs/{digest(CONFIG)}").ok:
        v2.push_blob(name, CONFIG)
    images: dict[str, Image] = {}
    for n in range(100):
        layer = os.urandom(3 * MIB + n)
        answer = v2.request("POST", f"/v2/{name}/blobs/uploads/", faults=True)
        if answer.status_code == 202:
            location = answer.headers["Location"]
            answer = v2.request("PUT", f"{location}?digest={digest(layer)}", data=layer, faults=True)
        if answer.status_code != 201:
            status, code, text = error(answer)
            assert (status, code) == (507, "UNAVAILABLE"), answer.text
            assert "no room" in text and "bonded gc" in text
            return images
        image = Image(manifest(CONFIG, layer), layer)
        assert v2.put_manifest(name, f"{tags}{n}", image.manifest).status_code == 201
        images[f"{tags}{n}"] = image
    raise AssertionError("64 MiB hold 300")


def test_a_full_disk_is_said_and_what_was_pushed_stays(place: Place) -> None:
    server, account, v2 = place
    name = account.repository()
    images = fill(v2, name)
    assert len(images) > 10
    # A part is kept for the database, and what was refused does not hold it.
    assert free(server) > SIZE // 50, "the database has used a part of what is kept for it"
    kept = len(objects(server))
    assert kept == len(images) + 1, "the layers and one config"
    assert_whole(v2, name, images)
    # So what is small goes on: tags move, users are made, images are deleted.
    last = max(images)
    assert v2.put_manifest(name, "again", images[last].manifest).status_code == 201
    account.user("late")
    # Room is looked at between the pieces of a layer, so that at the edge one may pass that another did not;
    # what is kept for the database is there after it too.
    late = fill(v2, name, "late")
    assert len(late) <= 1
    assert free(server) > SIZE // 50
    body = b'{"repositoryName": "%s"}' % name.encode()
    headers = JSON | {"X-Amz-Target": ECR_TARGET + "InitiateLayerUpload"}
    assert free(server) < SIZE // 10
    answer = post(server, body, signed_headers(server, account.key, body, headers))
    assert answer.status in (200, 507)
    if answer.status == 507:
        assert b"ServerException" in answer.body and b"no room" in answer.body
    for tag in list(images)[:4]:
        gone = images.pop(tag)
        assert v2.request("DELETE", f"/v2/{name}/manifests/{gone.digest}").status_code == 202
    assert collect(server, "--no-grace")["objects"]["count"] == 4
    images["more"] = v2.push(name, "more", os.urandom(5 * MIB))
    assert_whole(v2, name, images | late)
    assert server.is_running()


def test_a_disk_that_others_fill_to_the_last_byte_is_survived(place: Place) -> None:
    server, account, v2 = place
    name = account.repository()
    images = {"v1": v2.push(name, "v1", os.urandom(MIB))}
    ballast = server.data / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    assert free(server) == 0
    refused = 0
    for n in range(30):
        # Some small changes may find room in what the database has already.
        answer = v2.request("PUT", f"/v2/{name}/manifests/t{n}", data=images["v1"].manifest, faults=True)
        if answer.status_code == 201:
            images[f"t{n}"] = images["v1"]
            continue
        assert answer.status_code in (503, 507), answer.text
        refused += 1
    answer = v2.request("POST", f"/v2/{name}/blobs/uploads/", faults=True)
    assert error(answer)[:2] == (507, "UNAVAILABLE")
    assert_whole(v2, name, images)
    ballast.unlink()
    assert_whole(v2, name, images)
    images["v2"] = v2.push(name, "v2", os.urandom(MIB))
    tags = v2.get(f"/v2/{name}/tags/list").json()["tags"]
    assert set(tags) == set(images), "what was refused did not happen"
    server.kill()
    server.start()
    v2 = server.push_and_pull(account.key)
    assert_whole(v2, name, images)
    assert refused == 0 or set(tags) == set(images)


def test_objects_that_cannot_be_written_are_an_honest_fault_until_they_can(place: Place) -> None:
    server, account, v2 = place
    name = account.repository()
    images = {"v1": v2.push(name, "v1", os.urandom(MIB))}
    upload = v2.begin_upload(name)
    directory = server.data / "objects"
    run("mount", "--bind", directory, directory)
    run("mount", "-o", "remount,bind,ro", directory)
    try:
        for method, path in [
            ("PATCH", upload),
            ("POST", f"/v2/{name}/blobs/uploads/?digest={digest(b'bytes')}"),
        ]:
            answer = v2.request(method, path, data=b"bytes", faults=True)
            assert error(answer)[:2] == (503, "UNAVAILABLE"), answer.text
        assert_whole(v2, name, images)
        assert v2.head(f"/v2/{name}/blobs/{digest(b'bytes')}").status_code == 404
    finally:
        run("umount", directory)
    assert v2.finish_upload(upload, digest(b"bytes"), b"bytes").status_code == 201
    images["v2"] = v2.push(name, "v2", os.urandom(MIB))
    assert_whole(v2, name, images)
