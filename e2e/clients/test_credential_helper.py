"""docker, skopeo, podman and buildah get their passwords from `docker-credential-bonded`, after one `bonded login`."""

import os
from pathlib import Path

import pytest

from account import Account, User
from programs import Docker, Run
from server import BINARY, Server
from test_docker import push_and_pull


@pytest.fixture
def environment(server: Server, pusher: User, tmp_path: Path) -> dict[str, str]:
    """That of a person who has logged in; without a key for any server in it."""
    home = tmp_path / "home"
    settings = home / ".config" / "containers"
    settings.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (home / "bin").mkdir()
    profiles = home / "profiles"
    profiles.write_text(f"[pusher]\naws_access_key_id = {pusher.key.id}\naws_secret_access_key = {pusher.key.secret}\n")
    environment = {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "DOCKER_CONFIG": str(home / ".docker"),
        "XDG_RUNTIME_DIR": str(home),
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
    }
    login = [BINARY, "login", f"localhost:{server.port}", "--ca-bundle", server.ca, "--profile", "pusher"]
    said = Run(environment)(*login, "--install-helper", home / "bin")
    assert "for as long as you may be" in said
    return environment


def test_docker_asks_the_helper(
    docker: Docker, image: str, server: Server, account: Account, environment: dict[str, str]
) -> None:
    repository = account.repository("team/helper")
    asking = Docker(docker.home)
    asking.run = Run(docker.run.environment | environment)
    push_and_pull(asking, image, f"localhost:{server.port}/{repository}:v1")
    # 'docker login' with a password of one's own works too, and is not kept.
    asking.run("docker", "logout", f"localhost:{server.port}")


def test_skopeo_podman_and_buildah_ask_the_helper(
    docker: Docker,
    image: str,
    server: Server,
    account: Account,
    environment: dict[str, str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    name = f"localhost:{server.port}/{account.repository('team/helpers')}"
    run = Run(environment)
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(server.ca.read_bytes())
    archive = tmp_path / "image.tar"
    docker.run("docker", "save", "--output", archive, image)
    run("skopeo", "copy", "--dest-cert-dir", certificates, f"docker-archive:{archive}", f"docker://{name}:v1")
    # podman's paths must be short.
    store = tmp_path_factory.mktemp("s")
    storage = ["--root", store / "root", "--runroot", store / "run", "--storage-driver", "vfs"]
    run("podman", *storage, "pull", "--cert-dir", certificates, f"{name}:v1")
    run("buildah", *storage, "push", "--cert-dir", certificates, f"{name}:v1", f"docker://{name}:v2")
    pushed = account.ecr.list_images(repositoryName=name.split("/", 1)[1])["imageIds"]
    assert {image["imageTag"] for image in pushed} == {"v1", "v2"}
