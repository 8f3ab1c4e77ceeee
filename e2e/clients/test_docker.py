"""docker against the server: who is refused and why, other accounts, sessions."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import Account, User, allow, document, grant
from programs import HOST, PRINTS, Docker, login_password
from server import Key, Server


@pytest.fixture
def certificates(server: Server) -> Iterator[Path]:
    """docker trusts our CA for the host name that is not loopback."""
    directory = Path("/etc/docker/certs.d") / f"{HOST}:{server.port}"
    directory.mkdir(parents=True)
    shutil.copy(server.ca, directory / "ca.crt")
    yield directory
    shutil.rmtree(directory)


def push_and_pull(docker: Docker, image: str, name: str) -> None:
    """Pushes `image` as `name`, forgets it, pulls and runs it."""
    docker.run("docker", "tag", image, name)
    pushed = re.search(r"digest: (sha256:[0-9a-f]{64})", docker.run("docker", "push", name))
    assert pushed
    docker.run("docker", "rmi", name)
    pulled = docker.run("docker", "pull", name)
    assert f"Digest: {pushed[1]}" in pulled
    ran = docker.run("docker", "run", "--rm", "--network", "none", name)
    assert ran.strip() == PRINTS
    docker.run("docker", "rmi", name)


def test_docker_refuses_our_certificate_without_our_ca(docker: Docker, server: Server, pusher: User) -> None:
    said = docker.login(f"{HOST}:{server.port}", login_password(server, pusher.key), succeed=False)
    assert "certificate signed by unknown authority" in said


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize("host", ["localhost", HOST])
def test_docker_shows_awss_sentence_to_whom_is_denied(
    docker: Docker, image: str, server: Server, account: Account, pusher: User, stranger: User, host: str
) -> None:
    full, empty = account.repository("team/full"), account.repository("team/empty")
    registry = f"{host}:{server.port}"
    docker.login(registry, login_password(server, pusher.key))
    for repository in (full, empty):
        docker.run("docker", "tag", image, f"{registry}/{repository}:v1")
    docker.run("docker", "push", f"{registry}/{full}:v1")

    docker.login(registry, login_password(server, stranger.key))
    for command, repository, action in (("pull", full, "BatchGetImage"), ("push", empty, "InitiateLayerUpload")):
        said = docker.run("docker", command, f"{registry}/{repository}:v1", succeed=False)
        sentence = (
            f"denied: User: {stranger.arn} is not authorized to perform: ecr:{action} on resource: "
            f"{account.arn(repository)} because no identity-based policy allows the ecr:{action} action"
        )
        found = re.search(re.escape(sentence) + r" \(decision (\S+); run: bonded why \1\)", said)
        assert found, said
        why = server.command("why", found[1], key=account.key)
        assert why.returncode == 0, why.stderr
        assert stranger.arn in why.stdout
        docker.run("docker", "rmi", f"{registry}/{repository}:v1")


def test_docker_pulls_from_another_account_by_its_repository_policy(
    docker: Docker, image: str, server: Server, account: Account, other: Account, pusher: User
) -> None:
    repository = account.repository("team/shared")
    registry = f"localhost:{server.port}"
    name = f"{registry}/{repository}:v1"
    docker.login(registry, login_password(server, pusher.key))
    docker.run("docker", "tag", image, name)
    docker.run("docker", "push", name)
    docker.run("docker", "rmi", name)

    visitor = other.user("visitor", allow("ecr:*"))
    docker.login(registry, login_password(server, visitor.key))
    said = docker.run("docker", "pull", name, succeed=False)
    assert "because no resource-based policy allows the ecr:BatchGetImage action" in said
    policy = document(grant(f"arn:aws:iam::{other.id}:root", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]))
    account.ecr.set_repository_policy(repositoryName=repository, policyText=policy)
    docker.run("docker", "pull", name)
    docker.run("docker", "rmi", name)


def test_docker_is_told_that_a_repository_or_a_tag_is_absent(
    docker: Docker, server: Server, account: Account, pusher: User
) -> None:
    repository = account.repository("team/empty")
    registry = f"localhost:{server.port}"
    docker.login(registry, login_password(server, pusher.key))
    said = docker.run("docker", "pull", f"{registry}/{repository}:absent", succeed=False)
    assert "Requested image not found" in said
    absent = f"{registry}/team/absent:v1"
    text = f"The repository with name 'team/absent' does not exist in the registry with id '{account.id}'"
    assert text in docker.run("docker", "pull", absent, succeed=False)


def test_docker_login_is_refused_with_a_wrong_password(docker: Docker, server: Server) -> None:
    assert "unauthorized" in docker.login(f"localhost:{server.port}", "wrong", succeed=False).lower()


def test_a_session_of_a_role_pulls_with_docker(
    docker: Docker, image: str, server: Server, account: Account, pusher: User
) -> None:
    repository = account.repository("team/session")
    registry = f"localhost:{server.port}"
    name = f"{registry}/{repository}:v1"
    docker.login(registry, login_password(server, pusher.key))
    docker.run("docker", "tag", image, name)
    docker.run("docker", "push", name)
    docker.run("docker", "rmi", name)
    session: Key = account.assume(
        account.role("runner", None, allow("ecr:*", account.arn(repository)), allow("ecr:GetAuthorizationToken"))
    )
    docker.login(registry, login_password(server, session))
    docker.run("docker", "pull", name)
    docker.run("docker", "rmi", name)
