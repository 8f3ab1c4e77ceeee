"""Layers of genuine package metadata, advisories about them, and waiting for a scan to end."""

import gzip
import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from account import Account
from server import Server

SCAN_SECONDS = 60
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:L/I:L/A:N"
# A condition on what may run: it was scanned, and nothing critical was found in it.
GATE = {"StringEquals": {"bonded:ScanStatus": "COMPLETE"}, "NumericEquals": {"bonded:CriticalFindings": "0"}}
DEBIAN = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'


def layer(files: dict[str, bytes]) -> bytes:
    """A compressed layer with these files; the same files give the same bytes."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def dpkg(*packages: tuple[str, str, str]) -> bytes:
    """dpkg's database with these packages: name, version, source."""
    stanza = "Package: {}\nStatus: install ok installed\nSource: {}\nArchitecture: amd64\nVersion: {}\n\n"
    return "".join(stanza.format(name, source, version) for name, version, source in packages).encode()


def debian(*packages: tuple[str, str, str]) -> dict[str, bytes]:
    """The files of a Debian 12 with these packages."""
    return {"etc/os-release": DEBIAN, "var/lib/dpkg/status": dpkg(*packages)}


def python(name: str, version: str) -> dict[str, bytes]:
    """The metadata of an installed Python package."""
    directory = f"usr/local/lib/python3.12/site-packages/{name}-{version}.dist-info"
    return {f"{directory}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()}


def advisory(  # the members of an OSV record that matter here
    name: str, ecosystem: str, package: str, fixed: str | None, vector: str | None = None, modified: str = "2026-11-01"
) -> dict[str, Any]:
    """An advisory: everything below `fixed` is affected."""
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "id": name,
        "modified": f"{modified}T00:00:00Z",
        "upstream": [name.removeprefix("DEBIAN-")] if name.startswith("DEBIAN-") else [],
        "summary": f"About {package}",
        "references": [{"type": "ADVISORY", "url": f"https://advisories.example/{name}"}],
        "severity": [{"type": "CVSS_V3", "score": vector}] if vector else [],
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }


def import_advisories(server: Server, directory: Path, *records: dict[str, Any]) -> Path:
    """A file of these advisories, made as an operator does."""
    directory.mkdir(parents=True)
    for record in records:
        (directory / f"{record['id']}.json").write_text(json.dumps(record))
    file = directory.with_suffix(".advisories")
    done = server.command("advisories", "import", str(directory), "--output", str(file))
    assert done.returncode == 0, done.stderr
    return file


@contextmanager
def server_with_advisories(home: Path, *records: dict[str, Any], options: tuple[str, ...] = ()) -> Iterator[Server]:
    """A server whose configuration names a file of these advisories; it must end without a fault."""
    file = import_advisories(Server(home), home / "records", *records)
    server = Server(home, options=["--advisories", str(file), *options])
    server.start()
    yield server
    server.stop()


def load_advisories(server: Server, file: Path, *options: str) -> Any:
    """`bonded advisories load` on the server's own machine."""
    return server.command("advisories", "load", str(file), "--data", str(server.data), *options)


def findings(account: Account, repository: str, image_id: dict[str, str], **more: Any) -> dict[str, Any]:
    return account.ecr.describe_image_scan_findings(repositoryName=repository, imageId=image_id, **more)


def scanned(account: Account, repository: str, image_id: dict[str, str]) -> dict[str, Any]:
    """What the scan of an image has found, once it has ended."""
    deadline = time.monotonic() + SCAN_SECONDS
    while time.monotonic() < deadline:
        answer = findings(account, repository, image_id, maxResults=1000)
        if answer["imageScanStatus"]["status"] not in ("IN_PROGRESS", "PENDING"):
            return answer
        time.sleep(0.05)
    raise AssertionError(f"the scan of {repository} did not end within {SCAN_SECONDS} s")
