"""The key ring: rotated while the server serves, exported, checked, and what a start without the right one says."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from account import Account
from oci import digest
from server import Server

MakeServer = Callable[..., Server]


def keyring(server: Server, *arguments: str) -> str:
    done = server.command("keyring", *arguments, "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    return done.stdout


def roots(server: Server) -> list[tuple[str, str, int]]:
    listed = json.loads(keyring(server, "list", "-o", "json"))
    assert listed["path"] == str(server.keyring)
    return [(root["id"], root["state"], root["wraps"]) for root in listed["roots"]]


def test_a_rotation_interrupts_nothing_and_the_old_root_key_goes(own_server: MakeServer) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository()
    door = server.push_and_pull(account.key)
    image = door.push(name, "v1", os.urandom(200_000))
    upload = door.begin_upload(name)
    data = os.urandom(200_000)
    assert door.request("PATCH", upload, data=data[:100_000]).status_code == 202
    ((old, state, wraps),) = roots(server)
    assert state == "current"
    assert wraps > 0
    copy = server.home / "copy"
    keyring(server, "export", str(copy))
    assert "opens everything" in keyring(server, "check", str(copy))
    assert json.loads(keyring(server, "check", str(copy), "-o", "json")) == {"copy": str(copy), "roots": [old]}

    said = keyring(server, "rotate")
    assert "keep a copy" in said
    (new, _, rewrapped), (still, _, left) = roots(server)
    assert (still, left, rewrapped) == (old, 0, wraps)
    # The same password, upload and image as before.
    assert door.finish_upload(upload, digest(data), data[100_000:]).status_code == 201
    assert door.pull(name, "v1").content == image.manifest
    refused = server.command("keyring", "check", str(copy), "--data", str(server.data))
    assert refused.returncode == 1
    assert f"does not hold the root key '{new}'" in refused.stderr
    refused = server.command("keyring", "retire", new, "--data", str(server.data))
    assert refused.returncode == 1
    assert "rotate first" in refused.stderr
    assert old not in keyring(server, "retire", old)
    assert stat.S_IMODE(server.keyring.stat().st_mode) == 0o600
    server.stop()

    server.start()
    again = server.push_and_pull(account.key)
    assert again.blob(name, digest(image.layer)).content == image.layer
    server.stop()
    # The copy from before the rotation opens nothing any more, and the start says so.
    server.keyring.write_bytes(copy.read_bytes())
    said = server.refuse_to_start()
    assert f"does not hold the root key '{new}'" in said
    assert str(server.keyring) in said


def test_a_copy_is_for_its_owner_alone_and_never_among_the_data(own_server: MakeServer, tmp_path: Path) -> None:
    server = own_server().start()
    copy = tmp_path / "copy"
    keyring(server, "export", str(copy))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.read_bytes() == server.keyring.read_bytes()
    for place, reason in ((copy, "exists"), (server.data / "copy", "data directory")):
        refused = server.command("keyring", "export", str(place), "--data", str(server.data))
        assert refused.returncode != 0
        assert reason in refused.stderr
    assert not (server.data / "copy").exists()
    copy.write_text("{}")
    refused = server.command("keyring", "check", str(copy), "--data", str(server.data))
    assert refused.returncode == 1
    assert "is not a key ring" in refused.stderr
    server.stop()


def test_no_command_shows_a_key(own_server: MakeServer) -> None:
    server = own_server().start()
    keyring(server, "rotate", "--prepare")
    shown = keyring(server, "list") + keyring(server, "list", "-o", "json") + keyring(server, "rotate")
    shown += server.tail()
    for root in json.loads(server.keyring.read_text())["roots"]:
        assert root["id"] in shown
        assert root["key"] not in shown
    server.stop()
