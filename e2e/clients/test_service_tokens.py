"""Service tokens in the hands of real clients: the password of a machine that can renew none."""

import json
from typing import Any

import pytest

from account import PULL, PUSH, Account, User, allow
from engines import DockerEngine, Doors, Engine
from server import Server


@pytest.fixture(scope="module")
def machine(account: Account) -> User:
    return account.user("machine", allow([*PULL, *PUSH, "ecr:ListImages", "iam:*ServiceSpecificCredential*"]))


def create(server: Server, machine: User, *options: str) -> dict[str, Any]:
    done = server.command("token", "create", *options, "-o", "json", key=machine.key)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["docker", "podman", "buildah", "skopeo", "ctr"])
def test_a_client_pushes_and_pulls_within_the_bounds(
    engines: dict[str, Engine], doors: Doors, account: Account, machine: User, name: str
) -> None:
    engine, at = engines[name], doors.tls
    inside, outside = account.repository("team/inside"), account.repository("other/outside")
    token = create(account.server, machine, "--allow", "pull,push", "--repository", "team/*", "--expires", "1h")
    engine.push(at, inside, "v1", token["password"])
    engine.pull(at, inside, "v1", token["password"])
    engine.push(at, outside, "v1", token["password"], succeed=False)

    reader = create(account.server, machine, "--allow", "pull", "--repository", "team/*")
    engine.pull(at, inside, "v1", reader["password"])
    engine.push(at, inside, "v2", reader["password"], succeed=False)

    elsewhere = create(account.server, machine, "--from", "203.0.113.0/24")
    engine.pull(at, inside, "v1", elsewhere["password"], succeed=False)

    revoked = account.server.command("token", "revoke", token["id"], key=machine.key)
    assert revoked.returncode == 0, revoked.stderr
    engine.pull(at, inside, "v1", token["password"], succeed=False)
    (pushed,) = account.ecr.describe_images(repositoryName=inside)["imageDetails"]
    assert pushed["imageTags"] == ["v1"]


def test_docker_stays_logged_in_with_a_token(
    engines: dict[str, Engine], doors: Doors, account: Account, machine: User
) -> None:
    docker = engines["docker"]
    assert isinstance(docker, DockerEngine)
    token = create(account.server, machine)
    assert "Login Succeeded" in docker.login(doors.tls, token["password"])
    docker.login(doors.tls, token["password"][:-1] + "-", succeed=False)
