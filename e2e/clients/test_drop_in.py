"""Every client against every door: TLS with our authority, the port on loopback that answers both, plain HTTP alone."""

import json

import pytest

from account import Account, User
from engines import DockerEngine, Doors, Engine, OnlyPlain, Runner, Skopeo
from programs import PRINTS, login_password
from server import Server

DOORS = ["tls", "loopback", "plain"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["docker", "podman", "buildah", "skopeo", "ctr"])
def test_a_client_pushes_pulls_and_runs(
    engines: dict[str, Engine],
    doors: Doors,
    only_plain: OnlyPlain,
    account: Account,
    pusher: User,
    name: str,
    door: str,
) -> None:
    engine, at = engines[name], getattr(doors, door)
    repository = account.repository("team/drop-in")
    password = login_password(account.server, pusher.key)
    before = only_plain.carried
    engine.push(at, repository, "v1", password)
    pulled = engine.pull(at, repository, "v1", password)
    assert name != "docker" or "Pull complete" in pulled, pulled
    if isinstance(engine, Runner):
        assert PRINTS in engine.run(at, repository, "v1", password).splitlines()
    assert (only_plain.carried > before) is (door == "plain")
    (pushed,) = account.ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert pushed["imageTags"] == ["v1"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["docker", "podman", "buildah", "skopeo"])
def test_a_client_logs_in_and_out(
    engines: dict[str, Engine], doors: Doors, server: Server, pusher: User, name: str, door: str
) -> None:
    engine, at = engines[name], getattr(doors, door)
    said = engine.login(at, login_password(server, pusher.key))
    assert "Login Succeeded" in said
    assert "emov" in engine.logout(at)  # "Removing" or "Removed"
    engine.login(at, "wrong", succeed=False)


@pytest.mark.parametrize("door", DOORS)
def test_skopeo_inspects_lists_and_deletes(
    engines: dict[str, Engine], doors: Doors, account: Account, door: str
) -> None:
    skopeo, at = engines["skopeo"], getattr(doors, door)
    assert isinstance(skopeo, Skopeo)
    repository = account.repository("team/skopeo")
    password = login_password(account.server, account.key)
    for tag in ("v1", "v2"):
        skopeo.push(at, repository, tag, password)
    inspected = json.loads(skopeo.about("inspect", at, f"{repository}:v1", password))
    assert len(inspected["Layers"]) == 2
    assert sorted(inspected["RepoTags"]) == ["v1", "v2"]
    assert sorted(json.loads(skopeo.about("list-tags", at, repository, password))["Tags"]) == ["v1", "v2"]
    skopeo.about("delete", at, f"{repository}:v1", password)
    assert account.ecr.list_images(repositoryName=repository)["imageIds"] == []


@pytest.mark.parametrize("door", DOORS)
def test_dockers_api_pulls_with_credentials_of_the_request(
    engines: dict[str, Engine], doors: Doors, account: Account, pusher: User, door: str
) -> None:
    docker, at = engines["docker"], getattr(doors, door)
    assert isinstance(docker, DockerEngine)
    repository = account.repository("team/api")
    password = login_password(account.server, pusher.key)
    docker.push(at, repository, "v1", password)
    assert "Downloaded newer image" in docker.api_pull(at, repository, "v1", password)
