"""`bonded advisories import URL`: a mirror of OSV's bucket, of which only what is newer is fetched again."""

import http.server
import io
import json
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanning import advisory
from server import Server

Record = dict[str, Any]


class Bucket:
    """A server with the files of a mirror. It remembers what it was asked for, and can misbehave."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.ranges: list[str] = []
        # By path: how many answers break off after so many bytes, or have another status.
        self.broken: dict[str, int] = {}
        self.statuses: dict[str, list[int]] = {}
        self.redirects: dict[str, str] = {}
        bucket = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bucket.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/osv"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.removeprefix("/osv/").replace("%20", " ")
        self.asked.append(path)
        if statuses := self.statuses.get(path):
            request.send_response(statuses.pop(0))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if target := self.redirects.get(path):
            request.send_response(302)
            request.send_header("Location", target)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        content = self.files.get(path)
        if content is None:
            request.send_error(404)
            return
        wanted = request.headers.get("Range")
        if wanted:
            self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        request.send_response(206 if wanted else 200)
        if wanted:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("ETag", f'"{len(content)}-{hash(content)}"')
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = len(content)
        if path in self.broken:
            end = self.broken.pop(path)
        request.wfile.write(content[start:end])
        if end < len(content):
            request.close_connection = True

    def put(self, ecosystem: str, *records: Record, archive: bool = True) -> None:
        """The files of an ecosystem with these records, as OSV's bucket has them."""
        newest = sorted(records, key=lambda record: str(record["modified"]), reverse=True)
        lines = [f"{record['modified']},{record['id']}\n" for record in newest]
        self.files[f"{ecosystem}/modified_id.csv"] = "".join(lines).encode()
        for record in records:
            self.files[f"{ecosystem}/{record['id']}.json"] = json.dumps(record).encode()
        if archive:
            zipped = io.BytesIO()
            with zipfile.ZipFile(zipped, "w") as file:
                for record in records:
                    file.writestr(f"{record['id']}.json", json.dumps(record))
            self.files[f"{ecosystem}/all.zip"] = zipped.getvalue()
        names = {path.split("/")[0] for path in self.files if "/" in path}
        self.files["ecosystems.txt"] = "\n".join([*sorted(names), "[EMPTY]", "Plan 9", "Wolfi"]).encode()

    def taken(self) -> list[str]:
        """What was asked for since the last time."""
        asked, self.asked = self.asked, []
        return sorted(asked)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    yield bucket
    bucket.stop()


def fetch(bucket: Bucket, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return Server(home).command(
        "advisories", "import", bucket.url, "--mirror", str(home / "mirror"), "-o", str(home / "advisories"), *options
    )


def known(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert done.returncode == 0, done.stderr
    ecosystems: dict[str, int] = json.loads(done.stdout)["ecosystems"]
    return ecosystems


ONE = advisory("GHSA-1", "PyPI", "jinja2", "3.1.4", modified="2026-01-01")
TWO = advisory("GHSA-2", "PyPI", "flask", "2.0", modified="2026-01-02")
ALMA = advisory("ALSA-2026:1", "Rocky Linux:9", "openssl", "0:3.0-1.el9", modified="2026-01-03")


def test_only_what_is_newer_is_fetched_again(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("PyPI", ONE, TWO)
    bucket.put("Rocky Linux", ALMA)
    assert known(fetch(bucket, tmp_path, "--format", "json")) == {"PyPI": 2, "Rocky Linux:9": 1}
    both = ["PyPI/modified_id.csv", "Rocky Linux/modified_id.csv", "ecosystems.txt"]
    assert bucket.taken() == sorted([*both, "PyPI/all.zip", "Rocky Linux/all.zip"])
    first = (tmp_path / "advisories").read_bytes()
    fetch(bucket, tmp_path)
    assert bucket.taken() == both
    assert (tmp_path / "advisories").read_bytes() == first

    # One is new, one is newer; the archive is as it was, as it may be for hours.
    three = advisory("GHSA-3", "PyPI", "django", "5.0", modified="2026-01-05")
    newer = advisory("GHSA-1", "PyPI", "jinja2", "3.1.5", modified="2026-01-04")
    bucket.put("PyPI", newer, TWO, three, archive=False)
    assert known(fetch(bucket, tmp_path, "--format", "json"))["PyPI"] == 3
    assert bucket.taken() == sorted([*both, "PyPI/GHSA-1.json", "PyPI/GHSA-3.json"])
    # Withdrawn: it says so itself, and nothing is found by it any more.
    bucket.put("PyPI", newer, TWO, three | {"withdrawn": "2026-01-06T00:00:00Z", "modified": "2026-01-06T00:00:00Z"})
    assert known(fetch(bucket, tmp_path, "--format", "json", "--force"))["PyPI"] == 2
    assert bucket.taken() == sorted([*both, "PyPI/GHSA-3.json"])
    # What the list does not name any more is gone: the archive is fetched anew.
    bucket.put("PyPI", newer, TWO)
    assert known(fetch(bucket, tmp_path, "--format", "json", "--force"))["PyPI"] == 2
    assert "PyPI/all.zip" in bucket.taken()
    assert not list((tmp_path / "mirror" / "PyPI").glob("*.json"))


def test_an_archive_that_is_older_than_the_list_is_made_up_for(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("PyPI", ONE)
    bucket.put("PyPI", ONE, TWO, archive=False)
    assert known(fetch(bucket, tmp_path, "--format", "json", "--ecosystem", "PyPI")) == {"PyPI": 2}
    assert bucket.taken() == ["PyPI/GHSA-2.json", "PyPI/all.zip", "PyPI/modified_id.csv"]


def test_what_breaks_off_is_gone_on_with(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("PyPI", ONE, TWO)
    bucket.broken["PyPI/all.zip"] = 200
    bucket.statuses["ecosystems.txt"] = [503, 429]
    assert known(fetch(bucket, tmp_path, "--format", "json")) == {"PyPI": 2}
    assert bucket.ranges == ["bytes=200-"]


def test_after_a_crash_the_copy_is_whole_or_fetched_anew(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("PyPI", ONE, TWO)
    fetch(bucket, tmp_path)
    # Between the new archive and its list.
    (tmp_path / "mirror" / "PyPI" / "modified_id.csv").unlink()
    (tmp_path / "mirror" / "PyPI" / ".all.zip.new").write_bytes(b"half")
    bucket.taken()
    assert known(fetch(bucket, tmp_path, "--format", "json")) == {"PyPI": 2}
    assert "PyPI/all.zip" in bucket.taken()


LIES: dict[str, tuple[str, bytes]] = {
    "a list that is a page": ("PyPI/modified_id.csv", b"<html>Sign in</html>"),
    "a path in an id": ("PyPI/modified_id.csv", b"2026-02-01T00:00:00Z,../../../etc/passwd\n"),
    "another record": ("PyPI/GHSA-3.json", json.dumps(ONE).encode()),
    "an older record": (
        "PyPI/GHSA-3.json",
        json.dumps(advisory("GHSA-3", "PyPI", "django", "5.0", modified="2026-01-01")).encode(),
    ),
    "no record": ("PyPI/GHSA-3.json", b"<html>"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_mirror_that_lies_is_refused_and_the_copy_stays(bucket: Bucket, tmp_path: Path, lie: str) -> None:
    bucket.put("PyPI", ONE, TWO)
    fetch(bucket, tmp_path)
    before = (tmp_path / "advisories").read_bytes()
    bucket.put("PyPI", ONE, TWO, advisory("GHSA-3", "PyPI", "django", "5.0", modified="2026-01-05"), archive=False)
    path, content = LIES[lie]
    bucket.files[path] = content
    done = fetch(bucket, tmp_path)
    assert done.returncode == 1, done.stdout
    assert "the mirror cannot be used" in done.stderr and path in done.stderr
    assert (tmp_path / "advisories").read_bytes() == before
    assert not (tmp_path.parent / "etc").exists()


@pytest.mark.parametrize("archive", [b"PK\x03\x04 cut", b"", b"<html>"])
def test_an_archive_that_is_none_is_refused(bucket: Bucket, tmp_path: Path, archive: bytes) -> None:
    bucket.put("PyPI", ONE)
    bucket.files["PyPI/all.zip"] = archive
    done = fetch(bucket, tmp_path)
    assert (done.returncode, "PyPI/all.zip" in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "advisories").exists()


def test_nothing_is_asked_elsewhere(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("PyPI", ONE)
    other = Bucket()
    other.put("PyPI", ONE)
    bucket.redirects["PyPI/all.zip"] = f"{other.url}/PyPI/all.zip"
    done = fetch(bucket, tmp_path)
    other.stop()
    assert done.returncode == 1 and "redirects to another origin" in done.stderr
    assert other.asked == []


def test_what_is_meant_is_said(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("PyPI", ONE)
    done = Server(tmp_path).command("advisories", "import", bucket.url, "-o", str(tmp_path / "file"))
    assert (done.returncode, "--mirror DIRECTORY" in done.stderr) == (2, True)
    done = fetch(bucket, tmp_path, "--ecosystem", "../up")
    assert (done.returncode, "not a name of an ecosystem" in done.stderr) == (2, True)
    done = fetch(bucket, tmp_path, "--ecosystem", "Absent")
    assert done.returncode == 4, done.stderr
    bucket.stop()
