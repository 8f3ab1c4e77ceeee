"""Real clients in the namespace of `in-namespace`, each with stores and settings of its own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import LOGIN, PULL, PUSH, Account, User, allow
from programs import HOST, PRINTS, Docker, Run
from server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all clients, on every address of the namespace."""
    assert os.uname().nodename == HOST, "run through: e2e/clients/in-namespace"
    server = Server(tmp_path_factory.mktemp("server"), options=["--hosts", f"localhost,127.0.0.1,{HOST}"])
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
    """An image of two layers made without any pull: a static program, and bytes that do not compress."""
    context = tmp_path_factory.mktemp("image")
    (context / "program.c").write_text(f'#include <stdio.h>\nint main(void) {{ puts("{PRINTS}"); return 0; }}\n')
    Run({})("gcc", "-static", "-Os", "-o", context / "program", context / "program.c")
    (context / "bytes").write_bytes(os.urandom(20_000_000))
    (context / "Dockerfile").write_text('FROM scratch\nCOPY program /program\nCOPY bytes /bytes\nCMD ["/program"]\n')
    docker.run("docker", "build", "--quiet", "--tag", "local/image", context)
    return "local/image"
