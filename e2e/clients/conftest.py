"""Real clients in the namespace of `in-namespace`, each with stores and settings of its own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import LOGIN, PULL, PUSH, Account, User, allow
from engines import IMAGE, Buildah, Containerd, DockerEngine, Doors, Engine, OnlyPlain, Podman, Skopeo
from programs import HOST, PRINTS, Docker, Run
from server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all clients, on every address of the namespace."""
    assert os.uname().nodename == HOST, "run through: e2e/clients/in-namespace"
    hosts = ["--hosts", f"localhost,127.0.0.1,{HOST}"]
    sboms = ["--scan-attach-sboms", "cyclonedx,spdx", "--scan-attach-sboms-to", "team/sboms"]
    server = Server(tmp_path_factory.mktemp("server"), options=[*hosts, *sboms])
    server.start(listen="0.0.0.0:0")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def account(server: Server) -> Account:
    return Account.default(server)


@pytest.fixture(scope="session")
def other(server: Server) -> Account:
    return Account(server, server.create_account("222222222222"))


@pytest.fixture(scope="session")
def pusher(account: Account) -> User:
    """May push and pull below team/ and nothing else."""
    return account.user("pusher", allow(LOGIN), allow([*PULL, *PUSH, "ecr:ListImages"], account.arn("team/*")))


@pytest.fixture(scope="module")
def home(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients' home: our CA, and a policy that asks for no signatures."""
    home = tmp_path_factory.mktemp("home")
    (home / "certificates").mkdir()
    (home / "certificates" / "ca.crt").write_bytes(server.ca.read_bytes())
    settings = home / ".config" / "containers"
    settings.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return home


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    """Runs a client with that home."""
    return Run({"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "REGISTRY_AUTH_FILE": str(home / "auth.json")})


@pytest.fixture(scope="session")
def stranger(account: Account) -> User:
    """May log in and nothing else."""
    return account.user("stranger", allow(LOGIN))


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    # Socket paths must be short, so this is not pytest's directory.
    home = Path("/tmp") / f"bonded-docker-{os.getpid()}"
    home.mkdir(mode=0o700)
    docker = Docker(home)
    try:
        docker.start()
        yield docker
    finally:
        docker.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def image(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    return built(docker, tmp_path_factory.mktemp("image"), "local/image", 20_000_000)


@pytest.fixture(scope="session")
def archive(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another such image as a file; docker itself does not keep it."""
    context = tmp_path_factory.mktemp("archive")
    name = built(docker, context, IMAGE, 4_000_000)
    docker.run("docker", "save", "--output", context / "image.tar", name)
    docker.run("docker", "rmi", name)
    return context / "image.tar"


def built(docker: Docker, context: Path, name: str, size: int) -> str:
    """An image of two layers made without any pull: a static program, and bytes that do not compress."""
    (context / "program.c").write_text(f'#include <stdio.h>\nint main(void) {{ puts("{PRINTS}"); return 0; }}\n')
    Run({})("gcc", "-static", "-Os", "-o", context / "program", context / "program.c")
    (context / "bytes").write_bytes(os.urandom(size))
    (context / "Dockerfile").write_text('FROM scratch\nCOPY program /program\nCOPY bytes /bytes\nCMD ["/program"]\n')
    docker.run("docker", "build", "--quiet", "--tag", name, context)
    return name


@pytest.fixture(scope="session")
def engines(docker: Docker, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Engine]:
    """Every client with the image, each in a home of its own, with a short path as podman wants it."""

    def home() -> Path:
        return tmp_path_factory.mktemp("e")

    made = [
        DockerEngine(docker, home(), archive),
        Podman(home(), archive),
        Buildah(home(), archive),
        Skopeo(home(), archive),
        Containerd(docker, home(), archive),
    ]
    return {engine.name: engine for engine in made}


@pytest.fixture(scope="session")
def only_plain(server: Server) -> Iterator[OnlyPlain]:
    plain = OnlyPlain(server)
    yield plain
    plain.close()


@pytest.fixture(scope="session")
def doors(server: Server, only_plain: OnlyPlain, tmp_path_factory: pytest.TempPathFactory) -> Doors:
    return Doors.of(server, tmp_path_factory.mktemp("certificates"), only_plain)
