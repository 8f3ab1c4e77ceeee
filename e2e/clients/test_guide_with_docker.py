"""The pages of the guide that need docker, run as they are written."""

from pathlib import Path

import pytest

from guide import WITH_ENGINES, Page
from programs import Docker, free_port


@pytest.mark.parametrize("name", WITH_ENGINES)
def test_a_page_is_true(name: str, docker: Docker, image: str, tmp_path: Path) -> None:
    docker.run("docker", "tag", image, "alpine")
    home = tmp_path / "home"
    environment = {"DOCKER_HOST": f"unix://{docker.socket}", "DOCKER_CONFIG": str(home / ".docker")}
    environment["CONTAINERD_ADDRESS"] = str(docker.containerd)
    Page.read(name).run(home, free_port(), environment)
