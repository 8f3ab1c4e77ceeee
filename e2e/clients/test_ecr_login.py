"""Debian's `docker-credential-ecr-login`, unmodified, which goes to AWS's own host names whatever the settings say. In
the namespace (`in-namespace`) they are ours, on port 443."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from account import LOGIN, PULL, PUSH, Account, allow, document, grant
from programs import Docker, Run
from server import REGION, Key, Server
from test_docker import push_and_pull

OURS, THEIRS = "111111111111", "222222222222"


def registry(account: str) -> str:
    return f"{account}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The default account of a server that stands where AWS would."""
    home = tmp_path_factory.mktemp("aws")
    server = Server(home, options=["--account", OURS, "--domain", "amazonaws.com"])
    server.start(listen="0.0.0.0:443")
    trusted = [Path("/etc/docker/certs.d") / registry(account) for account in (OURS, THEIRS)]
    for directory in trusted:
        directory.mkdir(parents=True)
        (directory / "ca.crt").write_bytes(server.ca.read_bytes())
    yield Account(server, server.administrator)
    server.stop()


@dataclass(frozen=True)
class Helper:
    """The helper for the holder of one key: its environment, and its answers as docker reads them."""

    environment: dict[str, str]

    @classmethod
    def of(cls, key: Key, server: Server, home: Path) -> "Helper":
        (home / ".docker").mkdir(parents=True)
        helpers = {registry(account): "ecr-login" for account in (OURS, THEIRS)}
        (home / ".docker" / "config.json").write_text(json.dumps({"credHelpers": helpers}))
        environment = {
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "AWS_CA_BUNDLE": str(server.ca),
            "AWS_ECR_DISABLE_CACHE": "1",
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
        }
        return cls(environment | ({"AWS_SESSION_TOKEN": key.token} if key.token else {}))

    def get(self, host: str, *, succeed: bool = True) -> str:
        return Run(self.environment)("docker-credential-ecr-login", "get", input=host, succeed=succeed)

    def docker(self, docker: Docker) -> Docker:
        asking = Docker(docker.home)
        asking.run = Run(docker.run.environment | self.environment)
        return asking


def test_the_helper_gets_a_password_of_the_registry_it_asks_for(aws: Account, tmp_path: Path) -> None:
    user = aws.user("builder", allow(LOGIN))
    answer = json.loads(Helper.of(user.key, aws.server, tmp_path).get(registry(OURS)))
    assert (answer["ServerURL"], answer["Username"]) == (registry(OURS), "AWS")
    assert answer["Secret"]
    assert ":" not in answer["Secret"]


def test_docker_pushes_and_pulls_with_the_helper(docker: Docker, image: str, aws: Account, tmp_path: Path) -> None:
    name = aws.repository("team/app")
    user = aws.user("builder", allow(LOGIN), allow([*PULL, *PUSH], aws.arn("team/*")))
    push_and_pull(Helper.of(user.key, aws.server, tmp_path).docker(docker), image, f"{registry(OURS)}/{name}:v1")


def test_a_role_of_another_account_pulls_with_the_helper(
    docker: Docker, image: str, aws: Account, tmp_path: Path
) -> None:
    other = Account(aws.server, aws.server.create_account(THEIRS))
    role = other.role("deployer", None, allow("*"))
    name = aws.repository("team/shared", policy=document(grant(role, PULL)))
    reference = f"{registry(OURS)}/{name}:v1"
    ours = Helper.of(aws.key, aws.server, tmp_path / "ours").docker(docker)
    ours.run("docker", "tag", image, reference)
    ours.run("docker", "push", reference)
    ours.run("docker", "rmi", reference)
    theirs = Helper.of(other.assume(role), aws.server, tmp_path / "theirs").docker(docker)
    assert "Downloaded newer image" in theirs.run("docker", "pull", reference)
    theirs.run("docker", "rmi", reference)
    said = theirs.run("docker", "pull", f"{registry(OURS)}/{aws.repository('team/not-shared')}:v1", succeed=False)
    assert "because no resource-based policy allows the ecr:BatchGetImage action" in said


def test_who_may_not_log_in_gets_no_password(aws: Account, tmp_path: Path) -> None:
    user = aws.user("powerless")
    Helper.of(user.key, aws.server, tmp_path).get(registry(OURS), succeed=False)
    # It tells docker nothing but that, and writes the reason down.
    reason = (tmp_path / ".ecr" / "log" / "ecr-login.log").read_text()
    assert f"User: {user.arn} is not authorized to perform: ecr:GetAuthorizationToken" in reason
