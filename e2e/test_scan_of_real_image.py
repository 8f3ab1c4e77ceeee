"""A real image, pushed and scanned, has the findings that an independent implementation computed."""

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from account import Account
from oci import V2, digest
from scanning import scanned
from server import ROOT, Server

# Beside the checkout, or beside the directory of several.
PLACES = (ROOT.parent / "shared" / "data", ROOT.parent.parent / "shared" / "data")


def data() -> Path:
    """The directory with advisories, images and expected findings."""
    for place in PLACES:
        if place.is_dir():
            return place
    assert "BONDED_CI" not in os.environ, "the data is missing"
    pytest.skip("the data is not beside the checkout")


def decompressed(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def push_layout(v2: V2, repository: str, archive: bytes) -> tuple[str, list[str]]:
    """Pushes the one image of an OCI layout; its digest and those of its layers."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}
    blobs = {digest(content): content for name, content in files.items() if "/blobs/sha256/" in name}
    (index,) = (json.loads(content) for name, content in files.items() if name.endswith("/index.json"))
    top = index["manifests"][0]["digest"]
    manifest = json.loads(blobs[top])
    for descriptor in (manifest["config"], *manifest["layers"]):
        v2.push_blob(repository, blobs[descriptor["digest"]])
    answer = v2.put_manifest(repository, "v1", blobs[top], manifest["mediaType"])
    assert answer.status_code == 201, answer.text
    return top, [layer["digest"] for layer in manifest["layers"]]


def test_the_findings_of_a_real_image_are_those_expected(own_server: Callable[..., Server], tmp_path: Path) -> None:
    shared = data()
    server = own_server().start()
    file = tmp_path / "advisories"
    zips = [str(shared / "osv" / name / "all.zip") for name in ("Debian", "PyPI")]
    done = server.command("advisories", "import", *zips, "--output", str(file))
    assert done.returncode == 0, done.stderr
    done = server.command("advisories", "load", str(file), "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    account = Account.default(server)
    name = account.repository("ml", imageScanningConfiguration={"scanOnPush": True})
    _, layers = push_layout(
        server.push_and_pull(account.key), name, decompressed(shared / "images" / "oci-ml-slim.tar.zst")
    )
    answer = scanned(account, name, {"imageTag": "v1"})
    assert answer["imageScanStatus"]["status"] == "COMPLETE", answer["imageScanStatus"]
    found = {
        (package["name"], package["version"], package["filePath"], package["sourceLayerHash"],
         package.get("fixedInVersion"), details["vulnerabilityId"])
        for finding in answer["imageScanFindings"]["enhancedFindings"]
        for details in [finding["packageVulnerabilityDetails"]]
        for package in details["vulnerablePackages"]
    }  # fmt: skip
    expected = json.loads(decompressed(shared / "expected" / "ml-slim.expected.json.zst"))["findings"]
    wanted = {
        (f["package"], f["version"], f["path"], layers[f["layer"]], f["fixed"], f["id"])
        for f in expected
        if not f["os_owned"]
    }
    assert found == wanted
    assert len(answer["imageScanFindings"]["findings"]) == len(wanted)
    counts = answer["imageScanFindings"]["findingSeverityCounts"]
    assert sum(counts.values()) == len(wanted)
    server.stop()
