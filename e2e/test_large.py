"""A large layer, in chunks of 5 MiB, by a client that has to resume twice. `BONDED_LARGE_MIB` says how large:
256 MiB unless it is set, 10 GiB in `./test long`."""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator

import pytest

from oci import V2
from raw import message
from server import Server

MIB = 1024 * 1024
SIZE = int(os.environ.get("BONDED_LARGE_MIB", "256")) * MIB
CHUNK = 5 * MIB
# What memory may grow by, whatever the size of the layer.
MEMORY = 64 * MIB


@pytest.fixture(scope="module")
def noise() -> bytes:
    return os.urandom(CHUNK)


def chunk(noise: bytes, first: int) -> bytes:
    """The chunk that begins at `first`, like no other."""
    return (first.to_bytes(8) + noise[8:])[: SIZE - first]


def chunks(noise: bytes) -> Iterator[bytes]:
    for first in range(0, SIZE, CHUNK):
        yield chunk(noise, first)


def offset(v2: V2, location: str) -> int:
    """Where the server says that the upload goes on; it has at least a chunk."""
    status = v2.get(location)
    assert status.status_code == 204, status.text
    return int(status.headers["Range"].removeprefix("0-")) + 1


def break_off(server: Server, location: str, first: int, data: bytes) -> None:
    """Sends half of the chunk and is gone."""
    headers = {
        "Authorization": server.basic(server.administrator),
        "Content-Range": f"{first}-{first + len(data) - 1}",
        "Content-Length": str(len(data)),
    }
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(message("PATCH", location, headers, data[: len(data) // 2]))


def send(v2: V2, location: str, noise: bytes, first: int, end: int) -> int:
    """Sends the chunks from `first` up to `end`; where the upload is then. Each chunk's place is that of the whole
    layer, so a client that resumes in the middle of one sends the rest of it."""
    while first < end:
        begin = first - first % CHUNK
        data = chunk(noise, begin)[first - begin :]
        headers = {"Content-Range": f"{first}-{first + len(data) - 1}"}
        answer = v2.request("PATCH", location, data=data, headers=headers)
        if answer.status_code in (409, 416):
            # The server was still taking in what came before the connection broke.
            first = offset(v2, location)
            continue
        assert answer.status_code == 202, answer.text
        first += len(data)
        assert answer.headers["Range"] == f"0-{first - 1}"
    return first


@pytest.mark.timeout(3600)
def test_a_large_layer_costs_the_memory_of_a_small_one(own_server: Callable[..., Server], noise: bytes) -> None:
    server = own_server(options=["--create-on-push", "large"]).start()
    v2 = server.push_and_pull(server.administrator)
    v2.push_blob("large", b"a small layer")
    resting = server.memory("VmRSS")
    location = v2.begin_upload("large")

    third = SIZE // 3
    first = send(v2, location, noise, 0, third)
    break_off(server, location, first, chunk(noise, first))
    first = offset(v2, location)
    assert first >= third
    first = send(v2, location, noise, first, 2 * third)
    grown, written = server.memory("VmHWM") - resting, server.written()
    server.stop()
    server.start()
    v2 = server.push_and_pull(server.administrator)
    resumed = offset(v2, location)
    assert first - CHUNK < resumed <= first
    send(v2, location, noise, resumed, SIZE)
    of = hashlib.sha256()
    for data in chunks(noise):
        of.update(data)
    pushed = v2.finish_upload(location, f"sha256:{of.hexdigest()}")
    assert pushed.status_code == 201, pushed.text
    written += server.written()

    pulled = hashlib.sha256()
    answer = v2.blob("large", f"sha256:{of.hexdigest()}", stream=True)
    for data in answer.iter_content(MIB):
        pulled.update(data)
    assert pulled.hexdigest() == of.hexdigest()
    grown = max(grown, server.memory("VmHWM") - resting)
    print(f"{SIZE // MIB} MiB: memory grew by {grown / MIB:.1f} MiB, {written / SIZE:.3f} bytes written for each")
    assert grown < MEMORY
    assert written < SIZE * 1.04 + 64 * MIB
