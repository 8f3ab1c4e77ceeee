"""Advisories travel as any other artifact: skopeo copies them between registries, and their digest stays."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import Account
from programs import HOST, Run, free_port, login_password
from scanning import CRITICAL, advisory, import_advisories
from server import Server, clean_environment

CONFIG = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: {directory}
http:
  addr: 127.0.0.1:{port}
"""


@pytest.fixture
def distribution(tmp_path: Path) -> Iterator[str]:
    """`HOST:PORT` of Debian's docker-registry."""
    port = free_port()
    config = tmp_path / "distribution.yml"
    config.write_text(CONFIG.format(directory=tmp_path / "distribution", port=port))
    with (tmp_path / "distribution.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], env=clean_environment(), stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/").close()
                break
            except OSError:
                assert time.monotonic() < deadline, (tmp_path / "distribution.log").read_text()
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_skopeo_copies_advisories_between_registries(
    run: Run, home: Path, server: Server, account: Account, distribution: str, tmp_path: Path
) -> None:
    record = advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "3.0.15-1~deb12u1", CRITICAL)
    file = import_advisories(server, tmp_path / "records", record)

    def bonded(*arguments: str) -> str:
        done = server.command("advisories", *arguments, key=account.key)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    first = bonded("push", str(file), f"{distribution}/feeds/advisories:daily", "--plain-http", "-q")
    ours = f"{HOST}:{server.port}/{account.repository('team/advisories')}"
    trust = ["--dest-cert-dir", home / "certificates", "--dest-creds", f"AWS:{login_password(server, account.key)}"]
    there = ["--src-tls-verify=false", f"docker://{distribution}/feeds/advisories:daily"]
    run("skopeo", "copy", *there, *trust, f"docker://{ours}:copied")
    layout = tmp_path / "layout"
    run("skopeo", "copy", *there, f"oci:{layout}:copied")
    run("skopeo", "copy", f"oci:{layout}:copied", *trust, f"docker://{ours}:carried")
    pinned = first.rpartition("@")[2]
    local = ours.replace(HOST, "127.0.0.1", 1)
    for reference in (":copied", ":carried", f"@{pinned}"):
        pulled = tmp_path / "pulled"
        said = bonded("pull", f"{distribution}/feeds/advisories@{pinned}", "--plain-http", "-o", str(pulled), "-q")
        assert said == first
        assert bonded("pull", local + reference, "--output", str(pulled), "-q") == f"{local}@{pinned}"
        assert pulled.read_bytes() == file.read_bytes()
        bonded("load", f"oci://{local}{reference}", "--data", str(server.data))
