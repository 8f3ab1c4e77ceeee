"""HTTP/2 frame by frame, for what no client library sends (RFC 9113)."""

import select
import socket
import struct
from collections.abc import Mapping

from server import Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields(values: Mapping[str, str]) -> bytes:
    """A header block without compression: each field literal and not indexed (RFC 7541 §6.2.2)."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in values.items())


def _text(value: str) -> bytes:
    data, prefix, length = value.encode("latin-1"), bytearray(), len(value)
    if length < 127:
        return bytes([length]) + data
    prefix.append(127)
    length -= 127
    while length >= 128:
        prefix.append(length % 128 + 128)
        length //= 128
    prefix.append(length)
    return bytes(prefix) + data


def request(path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> bytes:
    pseudo = {":method": method, ":scheme": "http", ":path": path, ":authority": "localhost"}
    return fields(pseudo | dict(headers or {}))


class Connection:
    """A connection on the plain port, with what it sends first."""

    def __init__(self, server: Server, settings: Mapping[int, int] | None = None, source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=30, source_address=(source, 0))
        values = b"".join(struct.pack(">HI", *pair) for pair in (settings or {}).items())
        self.is_open = True
        self.received = bytearray()
        self.send(PREFACE + frame(SETTINGS, 0, 0, values))

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Sends it all, unless the server hangs up, and takes in what comes meanwhile."""
        while data and self.is_open:
            try:
                data = data[self._socket.send(data[:65_536]) :]
            except OSError:
                self.is_open = False
            while self.is_open and select.select([self._socket], [], [], 0)[0]:
                self._take()

    def flood(self, data: bytes) -> None:
        """Sends it and reads nothing, until the server hangs up or takes no more for two seconds."""
        while data and select.select([], [self._socket], [], 2)[1]:
            try:
                data = data[self._socket.send(data[:65_536]) :]
            except OSError:
                self.is_open = False
                return

    def read_until_closed(self) -> None:
        """Reads until the server closes, or says nothing for the socket's time."""
        while self.is_open:
            self._take()

    def read_until(self, kind: int, count: int = 1) -> None:
        """Reads until that many frames of this kind came, or the server closed."""
        while self.is_open and self.count(kind) < count:
            self._take()

    def _take(self) -> None:
        try:
            more = self._socket.recv(65_536)
        except OSError:
            more = b""
        self.received += more
        self.is_open = self.is_open and bool(more)

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """Kind, flags, stream and payload of each frame that came whole."""
        found, rest = [], memoryview(bytes(self.received))
        while len(rest) >= 9:
            length = int.from_bytes(rest[:3])
            if len(rest) < 9 + length:
                break
            found.append((rest[3], rest[4], int.from_bytes(rest[5:9]), bytes(rest[9 : 9 + length])))
            rest = rest[9 + length :]
        return found

    def count(self, kind: int) -> int:
        return sum(1 for found, *_ in self.frames() if found == kind)
