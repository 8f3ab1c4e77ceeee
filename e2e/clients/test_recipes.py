"""The recipes of docs/reference/condition-keys.md with docker, containerd and skopeo: on images of one platform, and of
two with BuildKit's attestations."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, PULL, PUSH, Account, User, allow, deny
from oci import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest
from programs import Docker, Run, login_password
from scanning import CRITICAL, advisory, debian, layer, scanned, server_with_advisories
from server import Server

IN_TOTO = "application/vnd.in-toto+json"
GATE = {
    "StringEquals": {"bonded:ScanStatus": "COMPLETE"},
    "NumericEquals": {"bonded:CriticalFindings": "0"},
    "NumericLessThan": {"bonded:ScanAgeHours": "20000"},
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The default account of a server with advisories."""
    records = [
        advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL),
        advisory("DEBIAN-CVE-2024-0009", "Debian:12", "curl", "1", CRITICAL),
    ]
    with server_with_advisories(
        tmp_path_factory.mktemp("gate"), *records, options=("--scan-pull-wait", "60s")
    ) as server:
        yield Account.default(server)


@dataclass(frozen=True)
class Clients:
    """docker, containerd and skopeo, which push and pull as one user."""

    docker: Docker
    run: Run
    home: Path
    server: Server

    def login(self, user: User) -> None:
        self.docker.login(self.registry, login_password(self.server, user.key))

    @property
    def registry(self) -> str:
        return f"localhost:{self.server.port}"

    def docker_pulls(self, user: User, reference: str, *, succeed: bool = True) -> str:
        self.login(user)
        name = f"{self.registry}/{reference}"
        said = self.docker.run("docker", "pull", name, succeed=succeed)
        if succeed:
            self.docker.run("docker", "rmi", "--force", name)
        return said

    def containerd_pulls(self, user: User, reference: str, *, succeed: bool = True) -> str:
        ctr = ["ctr", "--address", self.docker.containerd, "--namespace", "recipes"]
        pull = ["images", "pull", "--snapshotter", "native", "--platform", "linux/amd64", "--plain-http"]
        name = f"{self.registry}/{reference}"
        password = login_password(self.server, user.key)
        said = self.docker.run(*ctr, *pull, "--user", f"AWS:{password}", name, succeed=succeed)
        if succeed:
            self.docker.run(*ctr, "images", "rm", "--sync", name)
        return said

    def skopeo_pulls(self, user: User, reference: str, *, succeed: bool = True) -> str:
        password = login_password(self.server, user.key)
        source = ["--src-tls-verify=false", "--src-creds", f"AWS:{password}", f"docker://{self.registry}/{reference}"]
        target = self.home / f"pulled-{digest(reference.encode())[7:]}"
        return self.run("skopeo", "copy", *source, f"oci:{target}:x", succeed=succeed)

    def all_pull(self, user: User, reference: str, *, succeed: bool = True) -> list[str]:
        """What each of them says."""
        pulls = (self.docker_pulls, self.containerd_pulls, self.skopeo_pulls)
        return [pull(user, reference, succeed=succeed) for pull in pulls]

    def skopeo_pushes(self, user: User, layout: Path, reference: str, *, succeed: bool = True) -> str:
        password = login_password(self.server, user.key)
        target = ["--dest-tls-verify=false", "--dest-creds", f"AWS:{password}", f"docker://{self.registry}/{reference}"]
        return self.run("skopeo", "copy", "--all", f"oci:{layout}:x", *target, succeed=succeed)


@pytest.fixture(scope="module")
def clients(docker: Docker, gate: Account, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    home = tmp_path_factory.mktemp("clients")
    settings = home / ".config" / "containers"
    settings.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    run = Run({"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "REGISTRY_AUTH_FILE": str(home / "auth.json")})
    return Clients(docker, run, home, gate.server)


class Layout:
    """An OCI layout under construction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        (self.path / "blobs" / digest(data).replace(":", "/")).write_bytes(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)} | more

    def json(self, body: dict[str, Any], media_type: str, **more: Any) -> dict[str, Any]:
        return self.blob(json.dumps(body).encode(), media_type, **more)

    def image(self, content: bytes, architecture: str, **more: Any) -> dict[str, Any]:
        diff = [digest(gzip.decompress(content))]
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff}}
        return self._manifest(config, self.blob(content, OCI_LAYER), **more)

    def attestation(self, of: str) -> dict[str, Any]:
        """As BuildKit makes it: an image by its config, whose one layer is a document."""
        statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": of}]}).encode()
        diffs = {"type": "layers", "diff_ids": [digest(statement)]}
        config = {"architecture": "unknown", "os": "unknown", "rootfs": diffs}
        notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of}
        platform = {"architecture": "unknown", "os": "unknown"}
        return self._manifest(config, self.blob(statement, IN_TOTO), platform=platform, annotations=notes)

    def _manifest(self, config: dict[str, Any], content: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.json(config, OCI_CONFIG),
            "layers": [content],
        }
        return self.json(body, OCI_MANIFEST, **more)

    def names(self, entry: dict[str, Any]) -> Path:
        named = entry | {"annotations": {"org.opencontainers.image.ref.name": "x"}}
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [named]}
        (self.path / "index.json").write_text(json.dumps(body))
        return self.path


def one_platform(path: Path, *packages: tuple[str, str, str]) -> tuple[Path, str]:
    """A layout of an image of one platform, and its digest."""
    layout = Layout(path)
    entry = layout.image(layer(debian(*packages)), "amd64")
    return layout.names(entry), entry["digest"]


def two_platforms(path: Path, *packages: tuple[str, str, str]) -> tuple[Path, str]:
    """A layout of an index of two platforms, each with an attestation, and its digest."""
    layout = Layout(path)
    entries = []
    for architecture in ("amd64", "arm64"):
        content = layer(debian(*packages, (f"only-{architecture}", "1", "bash")))
        platform = {"architecture": architecture, "os": "linux"}
        image = layout.image(content, architecture, platform=platform)
        entries += [image, layout.attestation(image["digest"])]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    entry = layout.json(body, OCI_INDEX)
    return layout.names(entry), entry["digest"]


CLEAN = ("bash", "5.2.15-2", "bash")
VULNERABLE = ("libssl3", "3.0.11-1~deb12u2", "openssl")
SHAPES = pytest.mark.parametrize("shape", [one_platform, two_platforms])


def scanning(gate: Account) -> str:
    return gate.repository("recipes", imageScanningConfiguration={"scanOnPush": True})


@SHAPES
def test_ci_pushes_only_dev_tags(gate: Account, clients: Clients, tmp_path: Path, shape: Any) -> None:
    name = scanning(gate)
    others = [action for action in PUSH if action != "ecr:PutImage"]
    only = {"StringLikeIfExists": {"bonded:ImageTag": "dev-*"}}
    ci = gate.user("ci", allow(LOGIN), allow(others), allow("ecr:PutImage", Condition=only))
    layout, _ = shape(tmp_path / "layout", CLEAN)
    clients.skopeo_pushes(ci, layout, f"{name}:dev-1")
    assert "ecr:PutImage" in clients.skopeo_pushes(ci, layout, f"{name}:release-1", succeed=False)


@SHAPES
def test_prod_pulls_what_the_gate_lets_through(gate: Account, clients: Clients, tmp_path: Path, shape: Any) -> None:
    name = scanning(gate)
    prod = gate.user("prod", allow(LOGIN), allow(PULL, Condition=GATE))
    pusher = gate.user("pusher", allow(LOGIN), allow([*PULL, *PUSH]))
    for tag, package in (("clean", CLEAN), ("vulnerable", VULNERABLE)):
        layout, pushed = shape(tmp_path / tag, package)
        clients.skopeo_pushes(pusher, layout, f"{name}:{tag}")
        # The first to come waits for the scans.
        for reference in (f"{name}:{tag}", f"{name}@{pushed}"):
            said = clients.all_pull(prod, reference, succeed=tag == "clean")
            assert tag == "clean" or any("1 critical findings" in text for text in said), said


@SHAPES
def test_prod_pulls_only_by_digest(gate: Account, clients: Clients, tmp_path: Path, shape: Any) -> None:
    name = scanning(gate)
    by_digest = {"Null": {"bonded:ImageTag": "true"}}
    layers = allow("ecr:GetDownloadUrlForLayer")
    prod = gate.user("prod", allow(LOGIN), layers, allow("ecr:BatchGetImage", Condition=by_digest))
    pusher = gate.user("pusher", allow(LOGIN), allow([*PULL, *PUSH]))
    layout, pushed = shape(tmp_path / "layout", CLEAN)
    clients.skopeo_pushes(pusher, layout, f"{name}:v1")
    clients.all_pull(prod, f"{name}@{pushed}")
    clients.all_pull(prod, f"{name}:v1", succeed=False)


@SHAPES
def test_prod_pulls_only_releases_and_nothing_in_quarantine(
    gate: Account, clients: Clients, tmp_path: Path, shape: Any
) -> None:
    name = scanning(gate)
    release = {"ForAnyValue:StringLike": {"bonded:CurrentImageTags": "release-*"}}
    quarantine = {"ForAnyValue:StringEquals": {"bonded:CurrentImageTags": "quarantine"}}
    prod = gate.user("prod", allow(LOGIN), allow(PULL, Condition=release), deny(PULL, Condition=quarantine))
    pusher = gate.user("pusher", allow(LOGIN), allow([*PULL, *PUSH]))
    layout, pushed = shape(tmp_path / "layout", CLEAN)
    clients.skopeo_pushes(pusher, layout, f"{name}:dev-1")
    clients.all_pull(prod, f"{name}:dev-1", succeed=False)
    clients.skopeo_pushes(pusher, layout, f"{name}:release-1")
    for reference in (f"{name}:release-1", f"{name}:dev-1", f"{name}@{pushed}"):
        clients.all_pull(prod, reference)
    clients.skopeo_pushes(pusher, layout, f"{name}:quarantine")
    for reference in (f"{name}:release-1", f"{name}@{pushed}"):
        clients.all_pull(prod, reference, succeed=False)


def test_attestations_are_found_to_be_no_file_systems(gate: Account, clients: Clients, tmp_path: Path) -> None:
    name = scanning(gate)
    pusher = gate.user("pusher", allow(LOGIN), allow([*PULL, *PUSH]))
    layout, _ = two_platforms(tmp_path / "layout", CLEAN)
    clients.skopeo_pushes(pusher, layout, f"{name}:v1")
    found = gate.ecr.describe_images(repositoryName=name)["imageDetails"]
    statuses = sorted(
        scanned(gate, name, {"imageDigest": image["imageDigest"]})["imageScanStatus"]["status"]
        for image in found
        if image["imageManifestMediaType"] == OCI_MANIFEST
    )
    assert statuses == ["COMPLETE", "COMPLETE", "UNSUPPORTED_IMAGE", "UNSUPPORTED_IMAGE"]
