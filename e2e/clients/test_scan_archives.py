"""`bonded scan` reads what docker and skopeo really save, and finds the same in all of it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from programs import Docker, Run
from scanning import CRITICAL, MEDIUM, advisory, debian, import_advisories, python
from server import BINARY, Server

OPENSSL = ("libssl3", "3.0.11-1~deb12u2", "openssl")


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("advisories")
    records = [
        advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "3.0.15-1~deb12u1", CRITICAL),
        advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4", MEDIUM),
    ]
    return import_advisories(Server(home), home / "records", *records)


@pytest.fixture(scope="module")
def built(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of two layers, built by docker."""
    context = tmp_path_factory.mktemp("context")
    for directory, files in [("system", debian(OPENSSL)), ("python", python("Jinja2", "3.1.2"))]:
        for name, content in files.items():
            path = context / directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY system /\nCOPY python /\nCMD ["/none"]\n')
    docker.run("docker", "build", "--quiet", "--tag", "team/scanned:v1", context)
    return "team/scanned:v1"


def scan(image: str, advisories: Path, *options: str) -> dict[str, Any]:
    said = Run({})(BINARY, "scan", image, "--advisories", advisories, "-o", "json", *options)
    report = json.loads(said)
    assert report["status"] == "COMPLETE", report["problems"]
    return report


def test_what_docker_and_skopeo_save_is_scanned(docker: Docker, built: str, advisories: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar"
    docker.run("docker", "save", "--output", saved, built)
    docker.run("docker", "tag", built, "team/scanned:v2")
    several = tmp_path / "several.tar"
    docker.run("docker", "save", "--output", several, built, "team/scanned:v2")
    (tmp_path / "saved.tar.gz").write_bytes(gzip.compress(saved.read_bytes(), 1))
    skopeo = Run({"HOME": str(tmp_path)})
    for to in ("docker-archive", "oci-archive", "oci", "dir"):
        target = f"{to}:{tmp_path / to}" + (f":{built}" if to != "dir" else "")
        skopeo("skopeo", "copy", "--insecure-policy", f"docker-archive:{saved}", target)
    of_docker = scan(str(saved), advisories)
    assert {finding["id"] for finding in of_docker["findings"]} == {"CVE-2024-5535", "GHSA-aaaa-bbbb-cccc"}
    assert [finding["layer"] for finding in of_docker["findings"]] == [0, 1]
    for image in [
        f"docker-archive:{saved}",
        f"{saved}.gz",
        f"archive:{saved}:{built}",
        str(tmp_path / "docker-archive"),
        f"oci-archive:{tmp_path / 'oci-archive'}",
        f"oci:{tmp_path / 'oci'}",
    ]:
        found = scan(image, advisories)
        assert found["findings"] == of_docker["findings"], image
        assert found["packages"] == of_docker["packages"], image
    assert scan(str(several), advisories, "--ref", "team/scanned:v2")["findings"] == of_docker["findings"]
