"""Collection of garbage while the server serves, as the operator of the host asks for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from account import Account
from oci import V2, digest
from server import Server

MakeServer = Callable[..., Server]


def collect(server: Server, *options: str) -> dict[str, Any]:
    """What `bonded gc` reports."""
    done = server.command("gc", "-o", "json", "--data", str(server.data), *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def objects(server: Server) -> list[Path]:
    return [path for path in (server.data / "objects").rglob("*") if path.is_file()]


@pytest.fixture
def place(own_server: MakeServer) -> tuple[Server, Account, V2]:
    server = own_server().start()
    account = Account.default(server)
    return server, account, server.push_and_pull(account.key)


def test_what_no_image_refers_to_goes_and_the_rest_stays(place: tuple[Server, Account, V2]) -> None:
    server, account, v2 = place
    app, other = account.repository(), account.repository()
    kept = v2.push(app, "kept", b"kept layer" * 1000)
    gone = v2.push(app, "gone", b"layer of the image that goes" * 1000)
    v2.push_blob(other, gone.layer)
    v2.push_blob(other, b"never used")
    upload = v2.begin_upload(other)
    v2.request("PATCH", upload, data=b"unfinished")
    assert v2.request("DELETE", f"/v2/{app}/manifests/{gone.digest}").status_code == 202

    said = collect(server, "--dry-run")
    assert said["layers"] == said["objects"] == {"count": 0, "bytes": 0}, "everything was pushed just now"
    before = sorted(objects(server))
    said = collect(server, "--dry-run", "--no-grace")
    # In app the layer of the image, in other the same blob and one that was never used.
    unused = len(gone.layer) * 2 + len(b"never used")
    assert said["layers"] == {"count": 3, "bytes": unused}
    freed = {"count": 2, "bytes": len(gone.layer) + len(b"never used")}
    assert said["unlinked"] == said["objects"] == freed
    assert said["uploads"] == {"count": 1, "bytes": len(b"unfinished")}
    assert sorted(objects(server)) == before
    assert collect(server, "--no-grace") == said
    assert said["freedBytes"] == freed["bytes"] + len(b"unfinished")
    assert collect(server, "--no-grace")["freedBytes"] == 0

    assert len(objects(server)) == len(before) - 3
    assert v2.head(f"/v2/{app}/blobs/{digest(gone.layer)}").status_code == 404
    assert v2.pull(app, "kept").content == kept.manifest
    assert v2.blob(app, digest(kept.layer)).content == kept.layer
    assert v2.get(upload).status_code == 404
    # What went can come again.
    v2.push(app, "gone", gone.layer)
    assert v2.blob(app, digest(gone.layer)).content == gone.layer


def test_bytes_of_a_deleted_repository_are_freed(place: tuple[Server, Account, V2]) -> None:
    server, account, v2 = place
    name = account.repository()
    image = v2.push(name, "v1", b"layer" * 5000)
    account.ecr.delete_repository(repositoryName=name, force=True)
    said = collect(server, "--no-grace")
    assert said["freedBytes"] >= len(image.layer)
    assert objects(server) == []


def test_what_is_reported_for_people_names_what_was_freed(place: tuple[Server, Account, V2]) -> None:
    server, account, v2 = place
    v2.push_blob(account.repository(), b"12345")
    for options, last in ((["--dry-run"], "would be freed"), ([], "freed")):
        done = server.command("gc", "--no-grace", "-o", "table", "--data", str(server.data), *options)
        assert done.returncode == 0, done.stderr
        assert [line.split() for line in done.stdout.splitlines()][-1] == [*last.split(), "5"]


def test_without_a_server_gc_says_what_to_start(tmp_path: Path, own_server: MakeServer) -> None:
    done = own_server().command("gc", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "bonded serve" in done.stderr
