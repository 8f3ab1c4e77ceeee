"""Requests that no well-behaved client sends: signed by hand, or written to the socket byte by byte."""

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from server import REGION, Key, Server

ECR_TARGET = "AmazonEC2ContainerRegistry_V20150921."
JSON = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class _SignedAt(SigV4Auth):
    """Signs as of `when`."""

    def __init__(self, when: datetime, *of: object) -> None:
        super().__init__(*of)
        self._when = when

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._when.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(to_sign, request))


def signed_headers(
    server: Server,
    key: Key,
    body: bytes,
    headers: Mapping[str, str],
    *,
    service: str = "ecr",
    region: str = REGION,
    age: timedelta = timedelta(),
) -> dict[str, str]:
    """`headers` of a `POST /` with `body`, and the signature over them."""
    request = AWSRequest("POST", server.url() + "/", headers=dict(headers), data=body)
    credentials = Credentials(key.id, key.secret, key.token)
    _SignedAt(datetime.now(UTC) - age, credentials, service, region).add_auth(request)
    return dict(request.headers.items()) | {"Host": f"127.0.0.1:{server.port}"}


def send(server: Server, message: bytes, *, source: str = "127.0.0.1", and_no_more: bool = False) -> Answer | None:
    """Writes `message` to the plain port and reads one answer until the end of the connection or of its body; `None`
    if the server closed the connection without one. `and_no_more` closes our side after it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=15, source_address=(source, 0)) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(message)  # it may hang up before it has read everything, and still have answered
            if and_no_more:
                connection.shutdown(socket.SHUT_WR)
        return _read(connection)


def _read(connection: socket.socket) -> Answer | None:
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            if not (more := connection.recv(65_536)):
                return None
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(body) < length and (more := connection.recv(65_536)):
            body += more
    except ConnectionResetError:
        return None
    return Answer(int(status_line.split()[1]), headers, body)


def message(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One HTTP/1.1 request, with a true Content-Length unless the headers say how long it is."""
    lines = {"Host": "localhost"} | dict(headers)
    if body and not {"content-length", "transfer-encoding"} & {name.lower() for name in lines}:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def post(server: Server, body: bytes, headers: Mapping[str, str]) -> Answer:
    """A `POST /` on the plain port."""
    answer = send(server, message("POST", "/", {"Connection": "close"} | dict(headers), body))
    assert answer is not None, "the server hung up"
    return answer
