"""Layers from somebody who means harm, through the program as it is installed: each ends, within bounded memory, in a
result that says what could not be read. What is wrong with single parsers is in `crates/scan/tests/it/hostile.rs`."""

import io
import json
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from report_formats import write_layout
from scanning import advisory, debian, import_advisories
from server import BINARY, Server

# What any of them may take, with the program itself, which is not optimized here.
MEMORY = 256 << 20
SECONDS = 300
DPKG = debian(("bash", "5.2-1", "bash"))


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("advisories")
    records = [
        advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "3.0.15-1~deb12u1"),
        advisory("GHSA-aaaa-bbbb-cccc", "Maven", "a:b", "2"),
    ]
    return import_advisories(Server(home), home / "records", *records)


# A process begins with the memory of the one that starts it on its account, so a small one has to.
MEASURED = """
import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def scanned(layout: Path, advisories: Path) -> tuple[dict[str, Any], int]:
    """The result of a scan, and the most memory that its process had, in bytes."""
    command = [BINARY, "scan", f"oci:{layout}", "--advisories", advisories, "-o", "json", "--progress", "none"]
    limit = ["/usr/bin/timeout", "--signal=KILL", str(SECONDS)]
    done = subprocess.run([sys.executable, "-c", MEASURED, *limit, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), int(done.stderr) << 10


def header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def entries(files: dict[str, bytes]) -> Iterator[bytes]:
    for name, content in files.items():
        yield header(name, len(content)) + content + bytes(-len(content) % 512)


def gzipped(parts: Iterable[bytes]) -> bytes:
    compressor = zlib.compressobj(1, wbits=31)
    return b"".join([*map(compressor.compress, parts), compressor.flush()])


def layer(files: dict[str, bytes]) -> bytes:
    return gzipped([*entries(DPKG | files), bytes(1024)])


def jar(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return archive.getvalue()


def nested_jars() -> bytes:
    inner = jar({"META-INF/maven/a/b/pom.properties": b"groupId=a\nartifactId=b\nversion=1\n"})
    for _ in range(50):
        inner = jar({"BOOT-INF/lib/inner.jar": inner})
    return layer({"app/app.jar": inner})


def overlapping_jar() -> bytes:
    """Ten thousand names of one file that expands to 60 MiB, as the bombs of David Fifield have it."""
    content = zlib.compressobj(9, wbits=-15)
    data = content.compress(bytes(60 << 20)) + content.flush()
    checksum = zlib.crc32(bytes(60 << 20))
    fixed = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, checksum, len(data), 60 << 20)
    local = b"PK\x03\x04" + fixed + struct.pack("<HH", 5, 0) + b"a.jar"
    names = (f"META-INF/maven/a/{number:05}/pom.properties".encode() for number in range(10_000))
    central = b"".join(
        b"PK\x01\x02\x14\x00" + fixed + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name for name in names
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 10_000, 10_000, len(central), len(local + data), 0)
    return layer({"app/app.jar": local + data + central + end})


def million_files() -> bytes:
    first = header("srv/000000", 0)
    checksum = int(first[148:154], 8)

    def named(number: int) -> bytes:
        digits = b"%06d" % number
        return first[:4] + digits + first[10:148] + b"%06o" % (checksum + sum(digits) - 6 * ord("0")) + first[154:]

    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [compressor.compress(b"".join(entries(DPKG)))]
    for start in range(0, 1_000_000, 1000):
        parts.append(compressor.compress(b"".join(map(named, range(start, start + 1000)))))
    return b"".join([*parts, compressor.compress(bytes(1024)), compressor.flush()])


def zstd_bomb() -> bytes:
    """A file of 4 GiB, of which zstd needs four bytes for each 128 KiB."""

    def frame(blocks: list[bytes]) -> bytes:
        return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(blocks)

    def block(kind: int, size: int, content: bytes, last: int = 0) -> bytes:
        return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content

    head = b"".join([*entries(DPKG), header("srv/zeros", 4 << 30)])
    zeros = block(1, 128 << 10, b"\0")
    return frame([block(0, len(head), head, 1)]) + frame([zeros] * (4 << 13) + [block(1, 1024, b"\0", 1)])


def endless_database() -> bytes:
    return gzipped([*entries(DPKG), header("var/lib/dpkg/status", 2 << 30), b"Package: a\n" * (1 << 20)])


def many_members() -> bytes:
    """Each of a hundred thousand members of gzip expands to nothing, before those that expand to something."""
    return gzipped([]) * 100_000 + layer({})


def wide_zstd() -> bytes:
    """A frame of zstd that wants a window of 2 GiB."""
    return b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x01\x00\x00"


def links_to_links() -> bytes:
    """Links of which each leads through the next."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(5000):
            link = tarfile.TarInfo(f"l{number}")
            link.type, link.linkname = tarfile.SYMTYPE, f"l{(number + 1) % 5000}/l{number}"
            archive.addfile(link)
    return gzipped([out.getvalue()[: 5000 * 512], *entries(DPKG), bytes(1024)])


HONEST, READ = "a problem", "bash is found"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("make", "end"),
    [
        (zstd_bomb, HONEST),
        (nested_jars, HONEST),
        (overlapping_jar, HONEST),
        (wide_zstd, HONEST),
        (lambda: layer({"app/app.jar": jar({"a.jar": bytes(200 << 20)})}), HONEST),
        (lambda: layer({"usr/lib/node_modules/a/package.json": b"[" * (8 << 20)}), HONEST),
        (endless_database, HONEST),
        (million_files, READ),
        (many_members, READ),
        (links_to_links, READ),
    ],
    ids=[
        "a bomb of zstd",
        "fifty archives in each other",
        "overlapping files of zip",
        "a window of 2 GiB",
        "a bomb in an archive",
        "deep JSON",
        "a database that ends early",
        "a million files",
        "a hundred thousand members",
        "links to links",
    ],
)
def test_a_hostile_layer_takes_bounded_memory_and_says_so(
    tmp_path: Path, advisories: Path, make: Callable[[], bytes], end: str
) -> None:
    write_layout(tmp_path, [make()])
    report, memory = scanned(tmp_path, advisories)
    if end == HONEST:
        assert report["status"] != "COMPLETE"
        assert report["problems"], report
    else:
        assert [package["name"] for package in report["packages"]] == ["bash"]
        assert report["problems"] == []
    print(f"{memory >> 20} MiB, {report['status']}, {report['problems'][:1]}")
    assert memory <= MEMORY
