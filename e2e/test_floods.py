"""More of everything than any client sends: the server's memory stays bounded, and it goes on answering others."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest

import http2
from account import Account
from http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Connection,
    frame,
)
from oci import OCI_MANIFEST, V2, digest, error
from raw import message, send
from server import Server

MIB = 1024 * 1024
CONFIG = b'{"architecture": "amd64", "os": "linux"}'


@pytest.fixture(scope="module")
def v2(server: Server) -> V2:
    return server.push_and_pull(server.administrator)


@pytest.fixture(autouse=True)
def memory_is_bounded(server: Server, v2: V2) -> Iterator[None]:
    """No test may cost more than 128 MiB, and after each the server answers somebody else."""
    assert v2.get("/v2/").status_code == 200
    before = server.memory("VmRSS")
    server.reset_peak_memory()
    yield
    grown = server.memory("VmHWM") - before
    assert server.is_running(), server.tail()
    assert v2.get("/v2/").status_code == 200
    assert grown < 128 * MIB, f"{grown // MIB} MiB"
    assert "panicked" not in server.log.read_text()


# ------------------------------------------------------------------------------------------------ HTTP/2


def rapid_reset(connection: Connection) -> None:
    """CVE-2023-44487: requests that are given up as soon as they are made."""
    block = http2.request("/v2/")
    for first in range(1, 40_000, 200):
        streams = range(first, first + 200, 2)
        connection.send(
            b"".join(
                frame(HEADERS, END_HEADERS | END_STREAM, n, block) + frame(RST_STREAM, 0, n, b"\0\0\0\x08")
                for n in streams
            )
        )


def continuations(connection: Connection) -> None:
    """CVE-2024-27316: a header block that does not end."""
    connection.send(frame(HEADERS, END_STREAM, 1, http2.request("/v2/")))
    piece = frame(CONTINUATION, 0, 1, http2.fields({"x": "y" * 16_000}))
    for _ in range(4_000):
        connection.send(piece)


def empty_continuations(connection: Connection) -> None:
    connection.send(frame(HEADERS, END_STREAM, 1, http2.request("/v2/")))
    connection.send(frame(CONTINUATION, 0, 1) * 500_000)


def streams_beyond_the_limit(connection: Connection) -> None:
    """Requests whose bodies never end, more of them than may be in flight."""
    block = http2.request("/", {"x-amz-target": "x"}, "POST")
    connection.send(b"".join(frame(HEADERS, END_HEADERS, n, block) for n in range(1, 20_000, 2)))
    connection.read_until(RST_STREAM)


def pings_without_reading(connection: Connection) -> None:
    """CVE-2019-9512."""
    connection.flood(frame(PING, 0, 0, b"12345678") * 200_000)


def settings_without_reading(connection: Connection) -> None:
    """CVE-2019-9515."""
    connection.flood(frame(SETTINGS, 0, 0) * 200_000)


def empty_data(connection: Connection) -> None:
    """CVE-2019-9518: a body of nothing that does not end."""
    connection.send(frame(HEADERS, END_HEADERS, 1, http2.request("/", method="POST")))
    connection.flood(frame(DATA, 0, 1) * 200_000)


def windows_that_overflow(connection: Connection) -> None:
    connection.send(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2)
    connection.read_until_closed()
    assert connection.count(GOAWAY) >= 1


def a_huge_header(connection: Connection) -> None:
    block = http2.request("/v2/", {f"x-{n}": "y" * 16_000 for n in range(64)})
    pieces = [block[n : n + 16_000] for n in range(0, len(block), 16_000)]
    connection.send(frame(HEADERS, END_STREAM, 1, pieces[0]))
    for piece in pieces[1:-1]:
        connection.send(frame(CONTINUATION, 0, 1, piece))
    connection.send(frame(CONTINUATION, END_HEADERS, 1, pieces[-1]))


def frames_that_are_none(connection: Connection) -> None:
    connection.send(frame(255, 255, 2**31 - 1, os.urandom(1_000)) * 1_000)
    connection.send(frame(HEADERS, END_HEADERS, 0, http2.request("/v2/")))
    connection.read_until_closed()
    assert connection.count(GOAWAY) >= 1


@pytest.mark.parametrize(
    "flood",
    [
        rapid_reset,
        continuations,
        empty_continuations,
        streams_beyond_the_limit,
        pings_without_reading,
        settings_without_reading,
        empty_data,
        windows_that_overflow,
        a_huge_header,
        frames_that_are_none,
    ],
)
def test_a_flood_of_frames_is_cut_or_borne(server: Server, flood: Callable[[Connection], None]) -> None:
    connections = [Connection(server) for _ in range(4)]
    for connection in connections:
        flood(connection)
    for connection in connections:
        connection.close()


def test_readers_with_a_closed_window_hold_little(server: Server, account: Account, v2: V2) -> None:
    name = account.repository()
    of = v2.push_blob(name, os.urandom(16 * MIB))
    token = server.basic(server.administrator)
    block = http2.request(f"/v2/{name}/blobs/{of}", {"authorization": token})
    connections = [Connection(server, {INITIAL_WINDOW_SIZE: 0}) for _ in range(4)]
    for connection in connections:
        connection.send(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, n, block) for n in range(1, 120, 2)))
        connection.read_until(HEADERS, 60)
    for connection in connections:
        connection.close()


# ------------------------------------------------------------------------------------------------ HTTP/1


def test_heads_that_never_end_keep_nobody_out(server: Server, v2: V2) -> None:
    with contextlib.ExitStack() as stack:
        for n in range(400):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * (n % 100))
        assert v2.get("/v2/").status_code == 200


def test_readers_that_do_not_read_hold_little(server: Server, account: Account, v2: V2) -> None:
    name = account.repository()
    of = v2.push_blob(name, os.urandom(16 * MIB))
    asked = message("GET", f"/v2/{name}/blobs/{of}", {"Authorization": server.basic(server.administrator)})
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(100):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(30)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(asked * 4)
            connections.append(connection)
        for connection in connections:
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert v2.get("/v2/").status_code == 200


def test_bodies_that_hardly_come_keep_nobody_out(server: Server, account: Account, v2: V2) -> None:
    """More uploads than there are threads that write, none of which has more to write than a byte."""
    name, blob = account.repository(), os.urandom(MIB)
    token = {"Authorization": server.basic(server.administrator)}
    with contextlib.ExitStack() as stack:
        for n in range(600):
            of, to = (f"127.0.0.{2 + n % 2}", 0), ("127.0.0.1", server.port)
            connection = stack.enter_context(socket.create_connection(to, timeout=30, source_address=of))
            headers = token | {"Content-Length": "1000"}
            connection.sendall(message("PATCH", v2.begin_upload(name), headers, b"x"))
        path = f"/v2/{name}/blobs/uploads/?digest={digest(blob)}"
        answer = send(server, message("POST", path, token | {"Connection": "close"}, blob))
        assert answer is not None
        assert answer.status == 201


def test_requests_in_a_row_are_answered_in_order(server: Server) -> None:
    token = server.basic(server.administrator)
    asked = b"".join(
        message("GET", f"/v2/absent-{n}/tags/list", {"Authorization": token}) for n in range(300)
    ) + message("GET", "/v2/", {"Connection": "close"})
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(asked)
        answers = b""
        while more := connection.recv(65_536):
            answers += more
    places = [answers.index(b"'absent-%d'" % n) for n in range(300)]
    assert places == sorted(places)


@pytest.mark.parametrize("path", ["/v2/app/tags/list", "/v2/app/manifests/v1", "/v2/app/blobs/uploads/"])
@pytest.mark.parametrize(
    "query",
    [
        "n=1&" * 15_000,
        "x" * 60_000,
        "tag=%00&" * 7_000,
        "&" * 60_000,
        "digest=" + "%2525" * 10_000,
        "n=" + "9" * 60_000,
    ],
    ids=lambda query: query[:12],
)
def test_a_huge_query_is_answered(v2: V2, path: str, query: str) -> None:
    method = "POST" if path.endswith("/") else "GET"
    assert 400 <= v2.request(method, f"{path}?{query}").status_code < 500


# ------------------------------------------------------------------------------------------------ manifests


def put(v2: V2, name: str, body: bytes) -> tuple[int, str, str]:
    started = time.monotonic()
    answer = v2.put_manifest(name, "v1", body)
    assert time.monotonic() - started < 60
    return (answer.status_code, "", "") if answer.status_code == 201 else error(answer)


def descriptor(**more: object) -> dict[str, object]:
    return {"mediaType": OCI_MANIFEST, "digest": digest(CONFIG), "size": len(CONFIG)} | more


def image(**more: object) -> bytes:
    content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(), "layers": [descriptor()]}
    return json.dumps(content | more).encode()


LIMIT = 4 * MIB


@pytest.mark.parametrize(
    "body",
    [
        b"[" * LIMIT,
        b'{"a":' * (LIMIT // 5),
        b"[" + b"[]," * (LIMIT // 3 - 1),
        b'"' + b"\\u0000" * (LIMIT // 6 - 1),
        b'{"schemaVersion":2,' + b",".join(b'"k%d":%d' % (n, n) for n in range(200_000)) + b',"k7":0}',
        image().replace(b'"layers"', b'"config": {}, "layers"'),
        image(layers=[descriptor(digest=f"sha256:{n:064x}") for n in range(10_001)]),
        image(layers=[descriptor(size=2**63)]),
        image(layers=[descriptor(size=-1)]),
        image(layers=[descriptor(size=1.5)]),
        image(layers=[descriptor(size="1")]),
        image(layers=[descriptor(digest=digest(CONFIG).upper())]),
        image(layers=[descriptor(digest="sha256:../../../../etc/passwd")]),
        image(layers=[descriptor(digest="\u0000")]),
        image(layers=[None]),
        image(layers=[[]]),
        image(layers={}),
        image(layers="layers"),
        image(config=[]),
        image(config=None),
        image(config=descriptor(mediaType="\u202e/\u0000")),
        image(subject=True),
        image(annotations=[]),
        image(annotations={"a": {"b": "c"}}),
        image(artifactType=7),
        image(schemaVersion="2"),
        image(schemaVersion=2.5),
        image(mediaType="text/html"),
        image().replace(b"schemaVersion", b"schema\\ud800Version"),
        image().decode().encode("utf-16"),
        b"\xef\xbb\xbf" + image(),
        image() + b"{}",
        b"",
    ],
    ids=lambda body: repr(body[:24]) + str(len(body)),
)
def test_a_hostile_manifest_is_refused_by_name(v2: V2, account: Account, body: bytes) -> None:
    name = account.repository()
    v2.push_blob(name, CONFIG)
    status, code, text = put(v2, name, body)
    assert (status, code) in {(400, "MANIFEST_INVALID"), (405, "UNSUPPORTED"), (400, "UNSUPPORTED")}, text
    assert len(text) < 4_096
    assert text.isprintable()
    assert v2.pull(name, "v1").status_code == 404


def test_a_manifest_of_ten_thousand_layers_is_taken_and_goes(v2: V2, account: Account) -> None:
    name = account.repository()
    v2.push_blob(name, CONFIG)
    absent = image(layers=[descriptor(digest=f"sha256:{n:064x}") for n in range(9_999)])
    status, code, text = put(v2, name, absent)
    assert (status, code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert len(text) < 16_384
    same = image(layers=[descriptor()] * 9_999)
    assert put(v2, name, same)[0] == 201
    assert v2.pull(name, "v1").content == same
    assert v2.request("DELETE", f"/v2/{name}/manifests/{digest(same)}").status_code == 202


def test_a_manifest_has_4_mib_at_most(v2: V2, account: Account) -> None:
    name = account.repository()
    v2.push_blob(name, CONFIG)
    body = image()
    longest = body + b" " * (LIMIT - len(body))
    assert put(v2, name, longest)[0] == 201
    assert v2.pull(name, "v1").content == longest
    assert put(v2, name, longest + b" ")[:2] == (413, "SIZE_INVALID")


# ------------------------------------------------------------------------------------------------ lengths that lie


def send_and_hang_up(server: Server, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while connection.recv(65_536):
                pass


def test_a_body_that_ends_early_leaves_what_came(server: Server, account: Account, v2: V2) -> None:
    name = account.repository()
    token = {"Authorization": server.basic(server.administrator)}
    location = v2.begin_upload(name)
    send_and_hang_up(server, message("PATCH", location, token | {"Content-Length": "1000"}, b"x" * 10))
    assert v2.get(location).headers["Range"] in ("0-0", "0-9")
    of = digest(b"x" * 10)
    send_and_hang_up(server, message("PUT", f"{location}?digest={of}", token | {"Content-Length": "1000"}, b"x" * 10))
    assert v2.head(f"/v2/{name}/blobs/{of}").status_code == 404
    path = f"/v2/{name}/blobs/uploads/?digest={of}"
    send_and_hang_up(server, message("POST", path, token | {"Content-Length": "1000"}, b"x" * 10))
    assert v2.head(f"/v2/{name}/blobs/{of}").status_code == 404
    manifest = image(layers=[])
    send_and_hang_up(server, message("PUT", f"/v2/{name}/manifests/v1", token | {"Content-Length": "5000"}, manifest))
    assert v2.pull(name, "v1").status_code == 404


@pytest.mark.parametrize("length", [500, 999, 1_001, 5_000])
def test_a_streamed_chunk_is_as_long_as_its_range_says(account: Account, v2: V2, length: int) -> None:
    name = account.repository()
    location = v2.begin_upload(name)
    answer = v2.request("PATCH", location, data=iter([b"x" * length]), headers={"Content-Range": "0-999"})
    assert error(answer)[:2] == (400, "BLOB_UPLOAD_INVALID")
    last = int(v2.get(location).headers["Range"].removeprefix("0-"))
    assert last < 1_000
    assert v2.request("DELETE", location).status_code == 204
