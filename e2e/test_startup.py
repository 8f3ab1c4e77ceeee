"""Starting, stopping, and what a server refuses to start with."""

import os
import re
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from account import Account
from oci import digest
from raw import message, send
from server import REGION, Server

MakeServer = Callable[..., Server]


def test_a_first_start_needs_no_configuration(own_server: MakeServer) -> None:
    server = own_server().start()
    key = server.administrator
    assert re.fullmatch(r"\d{12}", key.account)
    arn = server.client("sts", key).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:iam::{key.account}:user/administrator"
    assert f'"Region": "{REGION}"' in (server.data / "administrator.json").read_text()
    # Journals keep what is printed where nobody looks: the secret is shown on a terminal only.
    assert key.secret not in server.tail()
    server.stop()


def test_only_the_owner_can_read_the_data_and_the_key_ring(own_server: MakeServer) -> None:
    server = own_server().start()

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(server.data) == 0o700
    for file in (server.keyring, server.data / "administrator.json"):
        assert mode(file) == 0o600, file
    for file in (server.data / "tls").glob("*.key"):
        assert mode(file) == 0o600, file
    server.stop()


def test_a_restart_keeps_everything(own_server: MakeServer) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository(tags=[{"Key": "team", "Value": "a"}])
    user = account.user("kept")
    password = server.password(account.key)
    image = server.v2(password).push(name, "v1", os.urandom(200_000))
    certificate = server.ca.read_bytes()
    server.stop()

    account = Account.default(server.start())
    assert account.ecr.list_tags_for_resource(resourceArn=account.arn(name))["tags"][0]["Value"] == "a"
    assert server.client("sts", user.key).get_caller_identity()["Arn"] == user.arn
    door = server.v2(password)
    assert door.pull(name, "v1").content == image.manifest
    assert door.blob(name, digest(image.layer)).content == image.layer
    assert server.ca.read_bytes() == certificate
    server.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_upload_goes_on_after_a_restart_where_the_server_says(own_server: MakeServer, end: str) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository()
    password = server.password(account.key)
    data = os.urandom(300_000)
    door = server.v2(password)
    location = door.begin_upload(name)
    assert door.request("PATCH", location, data=data[:200_000]).status_code == 202
    getattr(server, end)()

    door = server.start().v2(password)
    told = door.get(location)
    assert told.status_code == 204
    offset = int(told.headers["Range"].removeprefix("0-")) + 1
    assert 0 < offset <= 200_000
    assert door.request("PATCH", location, data=data[offset:]).status_code == 202
    assert door.finish_upload(location, digest(data)).status_code == 201
    assert door.blob(name, digest(data)).content == data
    server.stop()


def test_what_was_acknowledged_survives_a_kill(own_server: MakeServer) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository()
    door = server.push_and_pull(account.key)
    image = door.push(name, "v1", os.urandom(200_000))
    door.request("PATCH", door.begin_upload(name), data=os.urandom(200_000))
    server.kill()

    door = server.start().push_and_pull(account.key)
    assert door.pull(name, "v1").content == image.manifest
    assert door.blob(name, digest(image.layer)).content == image.layer
    assert door.push(name, "v2", b"goes on").digest
    server.stop()


def test_the_administrators_file_is_not_needed_again(own_server: MakeServer) -> None:
    server = own_server().start()
    key = server.administrator
    server.stop()
    (server.data / "administrator.json").unlink()
    server.start()
    assert server.client("sts", key).get_caller_identity()["Account"] == key.account
    assert not (server.data / "administrator.json").exists(), "a second administrator was made"
    server.stop()


# ------------------------------------------------------------------------------------------------ refusals


def test_another_key_ring_is_refused(own_server: MakeServer) -> None:
    server = own_server().start()
    server.stop()
    server.keyring.unlink()
    said = server.refuse_to_start()
    assert "key ring" in said
    assert str(server.keyring) in said
    other = own_server("other").start()
    other.stop()
    server.keyring.write_bytes(other.keyring.read_bytes())
    server.keyring.chmod(0o600)
    assert "key ring" in server.refuse_to_start()


def test_a_key_ring_that_others_can_read_is_refused(own_server: MakeServer) -> None:
    server = own_server().start()
    server.stop()
    server.keyring.chmod(0o644)
    said = server.refuse_to_start()
    assert str(server.keyring) in said
    assert "600" in said or "chmod" in said


def test_a_key_ring_under_the_data_is_refused(own_server: MakeServer, tmp_path: Path) -> None:
    server = own_server(keyring=tmp_path / "server" / "data" / "ring" / "keyring")
    said = server.refuse_to_start()
    assert "keyring" in said
    assert "data directory" in said


def test_two_servers_on_one_data_directory_are_refused(own_server: MakeServer) -> None:
    first = own_server().start()
    said = Server(first.home, keyring=first.keyring).refuse_to_start()
    assert "another server uses the data directory" in said
    assert first.client("sts", first.administrator).get_caller_identity()
    first.stop()


def test_an_unknown_setting_names_the_nearest(own_server: MakeServer, tmp_path: Path) -> None:
    configuration = tmp_path / "bonded.toml"
    configuration.write_text("listn = '127.0.0.1:0'\n")
    said = own_server(options=["--config", str(configuration)]).refuse_to_start()
    assert f"{configuration}:1: unknown key 'listn'; did you mean 'listen'?" in said


def test_a_taken_port_is_named(own_server: MakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = own_server()
        process = server.spawn(listen=address)
        assert process.wait(30) != 0
        assert address in server.tail()


# ------------------------------------------------------------------------------------------------ shutdown


def test_a_running_upload_is_finished_before_the_end(own_server: MakeServer) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository()
    password = server.password(account.key)
    door = server.v2(password, tls=False)
    data = os.urandom(1_000_000)
    location = door.begin_upload(name)
    half_sent, shut = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield data[:500_000]
        half_sent.set()
        assert shut.wait(10)
        yield data[500_000:]

    answers: list[requests.Response] = []

    def upload() -> None:
        answers.append(door.request("PUT", f"{location}?digest={digest(data)}", data=slowly()))

    uploading = threading.Thread(target=upload)
    uploading.start()
    assert half_sent.wait(10)
    server.terminate()
    wait_until_refused(server)
    shut.set()
    uploading.join(30)
    assert [answer.status_code for answer in answers] == [201]
    server.wait_until_ended()

    assert server.start().v2(password).blob(name, digest(data)).content == data
    server.stop()


def test_a_running_download_is_finished_before_the_end(own_server: MakeServer) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository()
    data = os.urandom(30_000_000)  # more than sockets buffer
    door = server.v2(server.password(account.key), tls=False)
    door.push_blob(name, data)
    downloading = door.blob(name, digest(data), stream=True)
    pieces = downloading.iter_content(1_000_000)
    received = next(pieces)
    server.terminate()
    wait_until_refused(server)
    assert received + b"".join(pieces) == data
    server.wait_until_ended()


def wait_until_refused(server: Server) -> None:
    """The shutdown has begun when nobody new is let in."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if send(server, message("GET", "/v2/", {"Connection": "close"})) is None:
                return
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("the server still lets new connections in")


# ------------------------------------------------------------------------------------------------ one port


def test_plain_http_is_judged_by_the_peers_address(own_server: MakeServer) -> None:
    server = own_server(options=["--plain-http-from", "127.0.0.2/32"]).start()
    ping = message("GET", "/v2/", {"Connection": "close"})
    served = send(server, ping, source="127.0.0.2")
    assert served is not None
    assert served.status == 401
    for headers in (
        {},
        {"X-Forwarded-For": "127.0.0.2"},
        {"Forwarded": "for=127.0.0.2"},
        {"X-Forwarded-Proto": "https"},
    ):
        refused = send(server, message("GET", "/v2/", headers | {"Connection": "close"}), source="127.0.0.1")
        assert refused is not None
        assert 400 <= refused.status < 500
        assert refused.status != 401
        assert "www-authenticate" not in refused.headers, "a challenge would draw a password out in clear"
        assert b'"errors"' in refused.body
    assert server.v2(None).get("/v2/").status_code == 401, "TLS is for everybody"
    server.stop()


def test_the_certificate_is_good_for_localhost_and_its_address(own_server: MakeServer) -> None:
    server = own_server().start()
    for host in ("localhost", "127.0.0.1"):
        answer = requests.get(f"https://{host}:{server.port}/v2/", verify=str(server.ca), timeout=10)
        assert answer.status_code == 401
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.url() + "/v2/", verify=True, timeout=10)
    server.stop()
