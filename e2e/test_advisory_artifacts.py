"""Advisories as an artifact of OCI: pushed to a registry, pulled and loaded from it, by tag and by digest, and never
other bytes than were meant."""

import base64
import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, Account, allow
from oci import OCI_MANIFEST, digest
from scanning import CRITICAL, advisory, debian, findings, import_advisories, layer, scanned
from server import BINARY, Server
from test_ecr_images import push

ARTIFACT = "application/vnd.bonded.advisories.v1"
FILE = "application/vnd.bonded.advisories.file.v1"
EMPTY = b"{}"
OPENSSL = ("libssl3", "3.0.11-1~deb12u2", "openssl")


@pytest.fixture(scope="module")
def advisories(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "3.0.15-1~deb12u1", CRITICAL)
    return import_advisories(server, tmp_path_factory.mktemp("advisories") / "records", record)


@pytest.fixture
def pushed(account: Account, advisories: Path) -> str:
    """`HOST/NAME:TAG` of advisories in a registry."""
    artifact = f"127.0.0.1:{account.server.port}/{account.repository('advisories')}:daily"
    done = account.server.command("advisories", "push", str(advisories), artifact, key=account.key)
    assert done.returncode == 0, done.stderr
    return artifact


def answer(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_was_pushed_is_pulled_byte_by_byte(
    account: Account, advisories: Path, pushed: str, tmp_path: Path
) -> None:
    again = answer(account.server.command("advisories", "push", str(advisories), pushed, "-o", "json", key=account.key))
    name, _, tag = pushed.removeprefix("127.0.0.1:").partition("/")[2].partition(":")
    manifest = account.server.push_and_pull(account.key).pull(name, tag)
    assert again["artifact"] == f"127.0.0.1:{account.server.port}/{name}@{digest(manifest.content)}"
    body = manifest.json()
    assert (body["artifactType"], body["layers"][0]["mediaType"]) == (ARTIFACT, FILE)
    assert body["layers"][0]["digest"] == digest(advisories.read_bytes())
    for reference in (pushed, f"oci://{pushed}", again["artifact"]):
        file = tmp_path / "pulled"
        done = account.server.command(
            "advisories", "pull", reference, "--output", str(file), "--format", "json", key=account.key
        )
        assert answer(done) == again | {"file": str(file)}
        assert file.read_bytes() == advisories.read_bytes()
        assert [entry.name for entry in tmp_path.iterdir()] == ["pulled"]
        file.unlink()


def test_a_server_judges_by_what_another_has_pushed(account: Account, pushed: str) -> None:
    server = account.server
    repository = account.repository("judged")
    push(account, repository, "v1", layer(debian(OPENSSL)))
    account.ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "v1"})
    done = server.command("advisories", "load", f"oci://{pushed}", "--data", str(server.data), key=account.key)
    assert done.returncode == 0, done.stderr
    scanned(account, repository, {"imageTag": "v1"})
    status = server.command("advisories", "load", f"oci://{pushed}", "--data", str(server.data), "-q", key=account.key)
    assert status.stdout.startswith("sha256:")
    account.ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "v1"})
    scanned(account, repository, {"imageTag": "v1"})
    found = findings(account, repository, {"imageTag": "v1"})["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"CRITICAL": 1}
    assert not [entry for entry in server.data.iterdir() if entry.name.startswith(".advisories-")]


def test_refusals_say_what_to_do(account: Account, advisories: Path, pushed: str, tmp_path: Path) -> None:
    stranger = account.user("stranger", allow(LOGIN))
    by_digest = pushed.rpartition(":")[0] + "@sha256:" + "0" * 64
    out = ["--output", str(tmp_path / "file")]
    records = tmp_path / "no-advisories"
    records.write_text("{}")
    for arguments, key, status, said in [
        (["pull", pushed, *out], stranger.key, 3, "is not authorized to perform: ecr:BatchGetImage"),
        (["push", str(advisories), pushed], stranger.key, 3, "is not authorized to perform: ecr:"),
        (["pull", pushed + "-not", *out], account.key, 4, "not found"),
        (["pull", "advisories:daily", *out], account.key, 2, "names no artifact"),
        (["push", str(advisories), by_digest], account.key, 2, "push to a tag"),
        (["push", str(records), pushed], account.key, 1, "does not hold advisories"),
        (["pull", pushed, "--output", str(tmp_path / "absent" / "file")], account.key, 1, "cannot write"),
    ]:
        done = account.server.command("advisories", *arguments, key=key)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert not (tmp_path / "file").exists()


@dataclass
class Elsewhere:
    """A registry that asks for tokens, sends blobs from another place, and says whatever it is told to say."""

    port: int = 0
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    hosts: list[tuple[str, str | None]] = field(default_factory=list)
    place: str = "store"

    def holds(self, file: bytes, *, kind: str = ARTIFACT, size: int | None = None, sent: bytes | None = None) -> str:
        """Serves `sent` as the advisories that `file` would be; the digest of the manifest."""
        described = {"mediaType": FILE, "digest": digest(file), "size": len(file) if size is None else size}
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(EMPTY), "size": 2},
            "layers": [described],
        }
        body = json.dumps(manifest).encode()
        self.manifests = {"v1": (OCI_MANIFEST, body), digest(body): (OCI_MANIFEST, body)}
        self.blobs = {digest(file): file if sent is None else sent}
        return digest(body)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    here = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            authorization = self.headers["Authorization"]
            here.seen.append((self.path, authorization))
            here.hosts.append((self.path, self.headers["Host"]))
            if path.startswith("/moved/"):
                self.reply(307, b"", ("Location", "/store/" + path.rpartition("/")[2]))
            elif path == "/token":
                is_known = authorization == "Basic " + base64.b64encode(b"user:password").decode()
                self.reply(200 if is_known else 401, json.dumps({"token": f"for {query}"}).encode())
            elif path.startswith("/store/"):
                self.reply(200, here.blobs[path.removeprefix("/store/")])
            elif authorization != "Bearer for service=elsewhere&scope=repository%3Aadvisories%3Apull":
                realm = f'Bearer realm="http://127.0.0.1:{here.port}/token",service="elsewhere"'
                self.reply(401, b"", ("WWW-Authenticate", f'{realm},scope="repository:advisories:pull"'))
            elif "/blobs/" in path:
                to = f"http://localhost:{here.port}/{here.place}/{path.rpartition('/')[2]}"
                self.reply(307, b"", ("Location", to))
            else:
                kind, body = here.manifests[path.rpartition("/")[2]]
                self.reply(200, body, ("Content-Type", kind))

        def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (("Content-Length", str(len(body))), *headers):
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.port = listening.server_port
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield here
    listening.shutdown()
    listening.server_close()


def pull(server: Server, elsewhere: Elsewhere, reference: str, file: Path) -> "subprocess.CompletedProcess[str]":
    """As somebody whom only docker has logged in."""
    config = file.parent / "docker"
    config.mkdir(exist_ok=True)
    auth = base64.b64encode(b"user:password").decode()
    auths = {f"127.0.0.1:{elsewhere.port}": {"auth": auth}}
    (config / "config.json").write_text(json.dumps({"auths": auths}))
    return subprocess.run(
        [
            BINARY,
            "advisories",
            "pull",
            f"127.0.0.1:{elsewhere.port}/advisories{reference}",
            "--plain-http",
            "--output",
            str(file),
        ],
        env=server.environment(None) | {"DOCKER_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_any_registry_will_do_with_dockers_credentials(
    server: Server, advisories: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    pinned = elsewhere.holds(advisories.read_bytes())
    for reference in (":v1", f"@{pinned}"):
        done = pull(server, elsewhere, reference, tmp_path / "file")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "file").read_bytes() == advisories.read_bytes()
    stored = [authorization for path, authorization in elsewhere.seen if path.startswith("/store/")]
    assert stored == [None, None], "no credential goes elsewhere"


def test_who_was_led_elsewhere_is_led_on_there(
    server: Server, advisories: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.holds(advisories.read_bytes())
    elsewhere.place = "moved"
    done = pull(server, elsewhere, ":v1", tmp_path / "file")
    assert done.returncode == 0, done.stderr
    led = [(path.split("/")[1], host) for path, host in elsewhere.hosts if not path.startswith(("/v2", "/token"))]
    assert led == [("moved", f"localhost:{elsewhere.port}"), ("store", f"localhost:{elsewhere.port}")]
    asked = [authorization for path, authorization in elsewhere.seen if path.startswith(("/moved", "/store"))]
    assert asked == [None, None], "no credential goes elsewhere"


def test_a_registry_that_lies_is_refused(
    server: Server, advisories: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    genuine = advisories.read_bytes()
    file = tmp_path / "file"
    file.write_bytes(genuine)
    changed = genuine[:-1] + bytes([genuine[-1] ^ 1])
    broken = b"other bytes"
    for said, holds in [
        ("other bytes than its digest says", {"file": genuine, "sent": changed}),
        ("other bytes than its digest says", {"file": genuine, "sent": genuine[:-1]}),
        ("is longer than the", {"file": genuine, "size": len(genuine) - 1}),
        ("is longer than 4 GiB", {"file": genuine, "size": 2**33}),
        ("'application/vnd.bonded.advisories.v1' is expected", {"file": genuine, "kind": "application/x"}),
        ("'application/vnd.bonded.advisories.v2'", {"file": genuine, "kind": ARTIFACT.replace("v1", "v2")}),
        ("does not hold advisories", {"file": broken}),
    ]:
        elsewhere.holds(**holds)
        done = pull(server, elsewhere, ":v1", file)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
        assert file.read_bytes() == genuine
    pinned = elsewhere.holds(genuine)
    elsewhere.manifests[pinned] = (OCI_MANIFEST, elsewhere.manifests[pinned][1] + b" ")
    done = pull(server, elsewhere, f"@{pinned}", file)
    assert (done.returncode, "other bytes than its digest says" in done.stderr) == (1, True), done.stderr
    elsewhere.manifests["v1"] = ("text/html", b"<html>welcome</html>")
    done = pull(server, elsewhere, ":v1", file)
    assert (done.returncode, "has a manifest that cannot be used" in done.stderr) == (1, True), done.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["docker", "file"]


def test_advisories_that_lost_much_do_not_replace_the_file(
    server: Server, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    records = [advisory(f"DEBIAN-CVE-2024-{i}", "Debian:12", "openssl", "3.0.15") for i in range(10)]
    many = import_advisories(server, tmp_path / "many", *records).read_bytes()
    elsewhere.holds(import_advisories(server, tmp_path / "few", *records[:8]).read_bytes())
    file = tmp_path / "file"
    file.write_bytes(many)
    done = pull(server, elsewhere, ":v1", file)
    assert (done.returncode, "'Debian:12'" in done.stderr) == (1, True), done.stderr
    assert file.read_bytes() == many
