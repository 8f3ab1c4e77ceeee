"""What the tests stand on: a server for each file, its accounts, and PostgreSQL databases."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from account import Account
from bucket import Bucket
from issuer import Issuer
from server import Server

OTHER_ACCOUNT = "222222222222"


@pytest.fixture(scope="session", autouse=True)
def no_surroundings() -> None:
    """Nothing of the person at the keyboard, or of the pipeline, may steer boto3, requests or `bonded`."""
    os.environ.pop("CI", None)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = "*"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of one file share; it must end without a fault. With BONDED_E2E_IN_BUCKET its objects are
    in a bucket, and no test may notice."""
    options = Bucket.of_environment().options() if os.environ.get("BONDED_E2E_IN_BUCKET") else ()
    server = Server(tmp_path_factory.mktemp("server"), options=options)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    """The default account."""
    return Account.default(server)


@pytest.fixture(scope="module")
def other(server: Server) -> Account:
    """A second account of the same server."""
    return Account(server, server.create_account(OTHER_ACCOUNT))


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """An identity provider that the tests of one file share."""
    issuer = Issuer(tmp_path_factory.mktemp("issuer")).start()
    yield issuer
    issuer.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers that one test starts and stops as it likes; what still runs at its end is killed."""
    made: list[Server] = []

    def make(name: str = "server", **options: object) -> Server:
        made.append(Server(tmp_path / name, **options))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def database() -> Iterator[Callable[[], str]]:
    """Makes empty PostgreSQL databases."""
    url = os.environ.get("BONDED_TEST_POSTGRES")
    assert url, "BONDED_TEST_POSTGRES is not set; run this through ./test, which starts PostgreSQL"
    made: list[str] = []

    def make() -> str:
        made.append(f"e2e_{uuid.uuid4().hex}")
        sql(url, f"CREATE DATABASE {made[-1]}")
        return f"{url.rsplit('/', 1)[0]}/{made[-1]}"

    yield make
    for name in made:
        sql(url, f"DROP DATABASE {name} WITH (FORCE)")


def sql(url: str, statement: str) -> str:
    """What the one statement gives, unaligned."""
    done = subprocess.run(["psql", "-qAtX", "-c", statement, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the servers of the test said."""
    report = yield
    if report.failed:
        servers = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Server)]
        for server in servers:
            report.sections.append((f"server {server.home}", server.tail()))
    return report
