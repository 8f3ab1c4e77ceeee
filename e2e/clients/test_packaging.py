"""packaging/ as far as no release build is needed: the systemd unit, the container image with the binary of the tests,
and the compose file that runs it."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import Account
from programs import Docker, Run, free_port, login_password
from server import BINARY, ROOT, Server
from test_docker import push_and_pull

PACKAGING = ROOT / "packaging"
# How exposed systemd may find the unit, in tenths: 0 is not at all, 100 is wholly.
EXPOSURE = 20
SECONDS = 60
# The binary of the tests is not static, as that of `build-image` is; it finds its libraries on the machine.
LIBRARIES = ["/lib64", "/lib/x86_64-linux-gnu"]


def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "bonded.service"
    text = (PACKAGING / "bonded.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/bonded", str(BINARY)))
    run = Run({"SYSTEMD_PAGER": ""})
    assert run("systemd-analyze", "verify", unit) == ""
    run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", unit)


@pytest.fixture
def composed(docker: Docker, tmp_path: Path) -> Iterator[Server]:
    """The registry of the compose file, on a port of its own."""
    context = tmp_path / "context"
    (context / "empty").mkdir(parents=True)
    shutil.copy(BINARY, context / "bonded")
    docker.run("docker", "build", "--quiet", "--tag", "bonded", "--file", PACKAGING / "Containerfile", context)
    server = Server(tmp_path / "host")
    server.port = free_port()
    file = tmp_path / "compose.yaml"
    file.write_text(compose_file(server.port))
    compose = ["docker-compose", "--project-name", "bonded", "--file", file]
    docker.run(*compose, "up", "--detach")
    try:
        container = docker.run(*compose, "ps", "--quiet").strip()
        deadline = time.monotonic() + SECONDS
        while "listening on" not in docker.run("docker", "logs", container):
            assert time.monotonic() < deadline, docker.run("docker", "logs", container)
            time.sleep(0.1)
        server.ca.parent.mkdir(parents=True)
        docker.run("docker", "cp", f"{container}:/data/tls/ca.crt", server.ca)
        docker.run("docker", "cp", f"{container}:/data/administrator.json", server.data)
        yield server
        docker.run(*compose, "stop")
        assert docker.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container).strip() == "0"
    finally:
        docker.run(*compose, "down", "--volumes")


def compose_file(port: int) -> str:
    """The compose file with what this place needs: no bridge, another port, libraries."""
    text, ports = re.subn(r"ports: .*", "network_mode: host", (PACKAGING / "compose.yaml").read_text())
    text, environment = re.subn(r"(BONDED_HOSTS: .*)", rf"\1,127.0.0.1\n      BONDED_LISTEN: 127.0.0.1:{port}", text)
    mounts = "".join(f', "{path}:{path}:ro"' for path in LIBRARIES)
    text, volumes = re.subn(r'volumes: \["data:/data", "keyring:/keyring"', rf"\g<0>{mounts}", text)
    assert (ports, environment, volumes) == (1, 1, 1), text
    return text


def test_the_image_serves_as_the_compose_file_runs_it(docker: Docker, image: str, composed: Server) -> None:
    account = Account(composed, composed.administrator)
    registry = f"localhost:{composed.port}"
    docker.login(registry, login_password(composed, account.key))
    push_and_pull(docker, image, f"{registry}/{account.repository('team/app')}:v1")
    config = json.loads(docker.run("docker", "image", "inspect", "bonded"))[0]["Config"]
    assert config["User"] == "65532:65532"
    assert set(config["Volumes"]) == {"/data", "/keyring"}
