"""`bonded scan` reads images from wherever they are: a registry, archives, a root file system. All say the same."""

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, PULL, Account, allow
from report_formats import cyclonedx, purls, write_layout
from scanning import CRITICAL, MEDIUM, advisory, debian, import_advisories, layer, python
from server import BINARY, Server
from test_scan_of_real_image import data, decompressed

OPENSSL = ("libssl3", "3.0.11-1~deb12u2", "openssl")
LAYERS = [layer(debian(OPENSSL)), layer(python("Jinja2", "3.1.2"))]


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("advisories")
    records = [
        advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "3.0.15-1~deb12u1", CRITICAL),
        advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4", MEDIUM),
    ]
    return import_advisories(Server(home), home / "records", *records)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    name = account.repository("scanned")
    v2 = account.server.push_and_pull(account.key)
    v2.push(name, "v1", LAYERS[0])
    return name


def found(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    """The findings, without what only the place of the image decides."""
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "COMPLETE", report["problems"]
    return [{k: v for k, v in finding.items() if k != "layer"} for finding in report["findings"]]


def test_an_image_of_a_registry_is_scanned_as_its_layout(
    account: Account, repository: str, advisories: Path, tmp_path: Path
) -> None:
    server = account.server
    write_layout(tmp_path, LAYERS[:1])
    options = ("--advisories", str(advisories), "-o", "json")
    here = found(server.command("scan", f"oci:{tmp_path}", *options))
    image = f"127.0.0.1:{server.port}/{repository}:v1"
    there = server.command("scan", image, *options, key=account.key)
    assert found(there) == here != []
    assert json.loads(there.stdout)["name"] == image
    digest = json.loads(there.stdout)["digest"]
    by_digest = server.command("scan", image.removesuffix(":v1") + f"@{digest}", *options, key=account.key)
    assert found(by_digest) == here
    bill = server.command("scan", image, "-o", "cyclonedx", key=account.key)
    assert "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12" in purls(cyclonedx(bill.stdout))


def test_a_registry_decides_who_scans_from_afar(account: Account, repository: str, advisories: Path) -> None:
    server = account.server
    puller = account.user("puller", allow(LOGIN), allow(PULL, account.arn(repository)))
    stranger = account.user("stranger", allow(LOGIN))
    registry = f"127.0.0.1:{server.port}"
    for image, key, status, said in [
        (f"{registry}/{repository}:v1", puller.key, 0, ""),
        (f"{registry}/{repository}:v1", stranger.key, 3, "is not authorized to perform: ecr:BatchGetImage"),
        (f"{registry}/{repository}:absent", puller.key, 4, "not found"),
        (f"{registry}/{account.unique('absent')}:v1", account.key, 4, "does not exist"),
        (f"elsewhere.example:5000/{repository}:v1", puller.key, 2, "bonded login elsewhere.example:5000"),
    ]:
        done = server.command("scan", image, "--advisories", str(advisories), key=key)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def unpacked(layout: Path, root: Path) -> None:
    """What a runtime makes of the layers of the one image in a layout."""
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_bytes())
    for descriptor in manifest["layers"]:
        blob = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
        plain = gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            whiteouts = [member for member in archive if "/.wh." in f"/{member.name}"]
            for path in (root / member.name for member in whiteouts):
                opaque = path.name == ".wh..wh..opq"
                hidden = path.parent if opaque else path.with_name(path.name.removeprefix(".wh."))
                if hidden.is_dir() and not hidden.is_symlink():
                    shutil.rmtree(hidden)
                else:
                    hidden.unlink(missing_ok=True)
            names = {member.name for member in whiteouts}
            archive.extractall(root, [member for member in archive if member.name not in names], filter="tar")


def test_a_root_file_system_has_the_findings_of_its_image(tmp_path: Path) -> None:
    shared, server = data(), Server(tmp_path / "home")
    file = tmp_path / "advisories"
    zips = [str(shared / "osv" / name / "all.zip") for name in ("Debian", "PyPI")]
    done = server.command("advisories", "import", *zips, "--output", str(file))
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(decompressed(shared / "images" / "oci-ml-slim.tar.zst"))) as tar:
        tar.extractall(tmp_path / "layout", filter="data")
    (index,) = (tmp_path / "layout").rglob("index.json")
    unpacked(index.parent, tmp_path / "root")
    options = ("--advisories", str(file), "-o", "json")
    of_image = found(server.command("scan", f"oci:{index.parent}", *options))
    of_root = found(server.command("scan", f"rootfs:{tmp_path / 'root'}", *options))
    assert of_root == of_image != []


def test_a_root_file_system_is_never_left(tmp_path: Path, advisories: Path) -> None:
    server = Server(tmp_path / "home")
    outside, root = tmp_path / "outside", tmp_path / "root"
    for directory, files in [(outside, python("Jinja2", "3.1.2")), (root, debian(OPENSSL))]:
        for name, content in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(content)
    (root / "usr").mkdir()
    (root / "usr" / "local").symlink_to(outside / "usr" / "local")
    os.mkfifo(root / "pipe")
    done = server.command("scan", f"rootfs:{root}", "--advisories", str(advisories), "-o", "json")
    assert {finding["id"] for finding in found(done)} == {"CVE-2024-5535"}


def test_an_archive_may_come_from_standard_input_compressed(tmp_path: Path, advisories: Path) -> None:
    write_layout(tmp_path / "layout", LAYERS)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        tar.add(tmp_path / "layout", ".")
    done = subprocess.run(
        [BINARY, "scan", "-", "--advisories", advisories, "-o", "json"],
        input=gzip.compress(plain.getvalue()),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {finding["id"] for finding in report["findings"]} == {"CVE-2024-5535", "GHSA-aaaa-bbbb-cccc"}


def diff(before: str, after: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return Server(Path("/nonexistent")).command("scan", "diff", before, after, *options)


def test_a_difference_says_what_is_new_and_what_is_fixed(tmp_path: Path, advisories: Path) -> None:
    repaired = layer(debian(("libssl3", "3.0.15-1~deb12u1", "openssl")))
    write_layout(tmp_path / "before", [LAYERS[0]])
    write_layout(tmp_path / "after", [repaired, LAYERS[1]])
    before, after = f"oci:{tmp_path / 'before'}", f"oci:{tmp_path / 'after'}"
    given = ("--advisories", str(advisories))
    done = diff(before, after, *given, "-o", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [finding["id"] for finding in answer["new"]] == ["GHSA-aaaa-bbbb-cccc"]
    assert [finding["id"] for finding in answer["fixed"]] == ["CVE-2024-5535"]
    assert answer["unchanged"] == []
    assert [(change["kind"], change["name"], change["before"], change["after"]) for change in answer["packages"]] == [
        ("deb", "libssl3", ["3.0.11-1~deb12u2"], ["3.0.15-1~deb12u1"]),
        ("python", "Jinja2", [], ["3.1.2"]),
    ]
    for severities, status in [("critical,high", 0), ("medium", 5), ("critical,low", 5)]:
        done = diff(before, after, *given, "--fail-on-new", severities)
        assert done.returncode == status, done.stderr
        assert "1 new, 1 fixed, 0 unchanged" in done.stdout
    # An update that repairs nothing is no new finding; a result that was kept is a side too.
    write_layout(tmp_path / "updated", [layer(debian(("libssl3", "3.0.12-1", "openssl")))])
    kept = tmp_path / "kept.json"
    kept.write_text(Server(tmp_path).command("scan", before, *given, "-o", "json").stdout)
    done = diff(str(kept), f"oci:{tmp_path / 'updated'}", *given, "--fail-on-new", "low")
    assert (done.returncode, "0 new, 0 fixed, 1 unchanged" in done.stdout) == (0, True), done.stderr + done.stdout
    # What is not known does not pass.
    write_layout(tmp_path / "unknown", [layer({"etc/os-release": b"ID=plan9\nVERSION_ID=4\n"})])
    done = diff(before, f"oci:{tmp_path / 'unknown'}", *given, "--fail-on-new", "critical")
    assert done.returncode == 6, done.stderr
    for sides in [(before, "oci:/absent"), (str(tmp_path / "absent.json"), after)]:
        assert diff(*sides, *given).returncode in (2, 4)


def test_progress_is_lines_where_nobody_looks(tmp_path: Path) -> None:
    write_layout(tmp_path, LAYERS)

    def said(*options: str, **environment: str) -> list[str]:
        command = [BINARY, "scan", f"oci:{tmp_path}", "-o", "spdx", *options]
        inherited = {k: v for k, v in Server(tmp_path).environment(None).items() if k != "CI"}
        done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()

    assert said() == []
    assert said("--progress", "none", CI="true") == []
    for lines in (said("--progress", "plain"), said(CI="true")):
        assert [line.split("  ")[0] for line in lines] == ["layer 1/2", "layer 2/2"]
    steps = [json.loads(line) for line in said("--progress", "json")]
    assert [(step["step"], step["number"], step["of"], step["bytes"]) for step in steps] == [
        ("layer", 1, 2, len(LAYERS[0])),
        ("layer", 2, 2, len(LAYERS[1])),
    ]
