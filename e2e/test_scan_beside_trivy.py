"""Our scanner and Trivy, over the same images and the same advisories: the same packages, the same findings.

The images hold what is genuinely installed: the database of the Debian that the test runs on, packages of PyPI and npm,
an archive of Java with others in it, programs of Go and Rust. Trivy reads a database of its own form, which is written
from the same records of OSV (`trivy_db.py`). Where the two differ on purpose, `docs/scanner.md` says why, and it stands
below as data: a difference that is not listed there fails, and so does one that is gone.
"""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trivy_db
from oci import OCI_INDEX, digest, manifest
from server import Server
from test_scan_of_real_image import data, decompressed

# Packages of PyPI and npm with vulnerabilities that everybody knows. One brings an archive of Java, another a program
# of Go.
WHEELS = (
    "jinja2==3.1.2",
    "requests==2.25.1",
    "urllib3==1.26.5",
    "tabula-py==2.9.3",
    "py4j==0.10.9.7",
    "shfmt-py==4.2.0",
)
NPM = ("lodash@4.17.20", "minimist@1.2.5", "jquery@3.4.1", "@babel/traverse@7.23.0")
CRATES = {"time": "0.1.43", "smallvec": "0.6.9", "regex": "1.5.4"}
ECOSYSTEMS = ("Debian", "PyPI", "npm", "Maven", "crates.io", "Go")
SITE = "usr/local/lib/python3.11/site-packages"
KINDS = {
    "python-pkg": "python",
    "node-pkg": "npm",
    "jar": "maven",
    "gobinary": "go",
    "rustbinary": "cargo",
    "debian": "deb",
    "alpine": "apk",
    "alma": "rpm",
}
SYSTEMS = {"deb", "apk", "rpm"}
Rows = set[tuple[str, ...]]

# The same kinds of packages in versions of which no advisory of these data speaks.
PATCHED_WHEELS = ("jinja2==3.1.6", "six==1.17.0")
PATCHED_NPM = ("lodash@4.18.1", "left-pad@1.3.0")
PATCHED_CRATES = {"time": "0.3.47"}

# Only we have it: Trivy tells an archive without a pom.properties of its own by a database of checksums alone.
ONLY_OURS = {
    (
        "maven",
        "tabula",
        "1.0.5-jar-with-dependencies",
        f"{SITE}/tabula/tabula-1.0.5-jar-with-dependencies.jar",
    )
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("beside-trivy")


@pytest.fixture(scope="module")
def advisories(home: Path) -> Path:
    """Trivy's cache and our file, of the same records."""
    zips = [data() / "osv" / name / "all.zip" for name in ECOSYSTEMS]
    trivy_db.write(home / "cache", records(zips))
    file = home / "advisories"
    done = Server(home / "none").command("advisories", "import", *map(str, zips), "--output", str(file))
    assert done.returncode == 0, done.stderr
    return file


def records(zips: list[Path]) -> Iterator[dict[str, Any]]:
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield json.loads(archive.read(name))


@pytest.fixture(scope="module")
def files(home: Path) -> dict[str, bytes]:
    """What is in the image, by path."""
    tool = {"usr/local/bin/tool": rust_program(CRATES)}
    return debian() | wheels(home / "wheels", WHEELS) | npm(home / "npm", NPM) | tool


def debian() -> dict[str, bytes]:
    """The packages of this very system, and the metadata of Python that is theirs."""
    dpkg = Path("/var/lib/dpkg")
    lists = {
        f"var/lib/dpkg/info/{file.name}": file.read_bytes()
        for pattern in ("*.list", "*.md5sums")
        for file in dpkg.glob(f"info/{pattern}")
    }
    python = Path("/usr/lib/python3/dist-packages").glob("*-info/*")
    metadata = {str(file)[1:]: file.read_bytes() for file in python if file.name in ("METADATA", "PKG-INFO")}
    system = {"etc/os-release": Path("/etc/os-release").read_bytes(), "etc/debian_version": b"12.5\n"}
    return system | {"var/lib/dpkg/status": (dpkg / "status").read_bytes()} | lists | metadata


def wheels(directory: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Packages of PyPI, unpacked as pip does."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory), *names]
    subprocess.run(pip, check=True, timeout=120)
    found = {}
    for wheel in directory.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if ".dist-info/" in name or name.endswith(".jar"):
                    found[f"{SITE}/{name}"] = archive.read(name)
                elif name.endswith(".data/scripts/shfmt"):
                    found["usr/local/bin/shfmt"] = archive.read(name)
    return found


def npm(directory: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Packages of npm, each in a `node_modules`."""
    directory.mkdir()
    subprocess.run(["npm", "pack", "--silent", *names], cwd=directory, check=True, timeout=120, capture_output=True)
    found = {}
    for archive in directory.glob("*.tgz"):
        with tarfile.open(archive) as tar:
            content = tar.extractfile("package/package.json").read()
        found[f"srv/node_modules/{json.loads(content)['name']}/package.json"] = content
    assert len(found) == len(names)
    return found


def rust_program(versions: dict[str, str]) -> bytes:
    """A program with the list that cargo-auditable puts into one."""
    crates = [{"name": name, "version": version, "source": "crates.io"} for name, version in versions.items()]
    section = zlib.compress(json.dumps({"packages": crates}).encode())
    names = b"\0.shstrtab\0.dep-v0\0"
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 0, 0, 0, 64, 0, 0, 64, 3, 1)
    place = len(header)
    table = place + len(section) + len(names)
    header = header[:40] + struct.pack("<Q", table) + header[48:]
    rows = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    rows += struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, place + len(section), len(names), 0, 0, 1, 0)
    rows += struct.pack("<IIQQQQIIQQ", 11, 1, 0, 0, place, len(section), 0, 0, 1, 0)
    return header + section + names + rows


def layout(directory: Path, files: dict[str, bytes]) -> Path:
    """An OCI layout with an image of one layer."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    layer = gzip.compress(tar.getvalue(), compresslevel=1, mtime=0)
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(tar.getvalue())]}}
    )
    image = manifest(config.encode(), layer)
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob in (config.encode(), layer, image):
        (blobs / digest(blob).removeprefix("sha256:")).write_bytes(blob)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    descriptor = {"mediaType": json.loads(image)["mediaType"], "digest": digest(image), "size": len(image)}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor]}
    (directory / "index.json").write_text(json.dumps(index))
    return directory


def trivys(cache: Path, image: Path) -> tuple[Rows, dict[tuple[str, ...], str]]:
    """What Trivy finds: packages as kind, name, version, path; findings as id and package, with what repairs them."""
    options = ["--skip-db-update", "--skip-java-db-update", "--offline-scan", "--skip-version-check", "--quiet"]
    trivy = [str(Path(sys.executable).parent / "trivy"), "image", "--input", str(image), "--cache-dir", str(cache)]
    done = subprocess.run(
        [*trivy, *options, "--scanners", "vuln", "--list-all-pkgs", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"TRIVY_DISABLE_TELEMETRY": "true"},
    )
    assert done.returncode == 0, done.stderr
    packages, findings = set(), {}
    for result in json.loads(done.stdout)["Results"]:
        kind = KINDS[result["Type"]]
        place = "" if kind in SYSTEMS else result["Target"]
        for of in result.get("Packages", []):
            epoch = f"{of['Epoch']}:" if of.get("Epoch") else ""
            release = f"-{of['Release']}" if of.get("Release") else ""
            version = f"{epoch}{of['Version']}{release}"
            # Go's own version has a 'v' there that Go does not write.
            version = version.removeprefix("v") if of["Name"] == "stdlib" else version
            packages.add((kind, of["Name"], version, of.get("FilePath") or place))
        for of in result.get("Vulnerabilities", []):
            path = of.get("PkgPath") or place
            version = of["InstalledVersion"].removeprefix("v") if of["PkgName"] == "stdlib" else of["InstalledVersion"]
            findings[of["VulnerabilityID"], kind, of["PkgName"], version, path] = of.get("FixedVersion", "")
    return packages, findings


def ours(server: Server, advisories: Path, image: Path) -> tuple[Rows, dict[tuple[str, ...], str]]:
    """What we find, likewise. Packages of languages that Debian's packages have brought are left out, as Trivy does;
    we keep them, with their owner."""
    done = server.command("scan", f"oci:{image}", "--advisories", str(advisories), "--output", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == "COMPLETE", result["problems"]
    kinds = {}
    packages, findings = set(), {}
    for of in result["packages"]:
        path = "" if of["kind"] in SYSTEMS else of["path"]
        kinds[of["name"], of["version"], of["path"]] = of["kind"]
        if of["owner"] is None:
            packages.add((of["kind"], of["name"], of["version"], path))
    for of in result["findings"]:
        kind = kinds[of["package"], of["version"], of["path"]]
        path = "" if kind in SYSTEMS else of["path"]
        findings[of["id"], kind, of["package"], of["version"], path] = of["fixed"] or ""
        # Both find them; with us they do not count.
        headers = of["package"].startswith(("linux-libc-dev", "linux-headers-", "linux-kbuild-"))
        assert of["suppressed_by"] == ("kernel headers" if kind == "deb" and headers else None), of
    return packages, findings


def test_the_packages_and_the_findings_of_an_image_are_those_that_trivy_has(
    home: Path, advisories: Path, files: dict[str, bytes]
) -> None:
    image = layout(home / "image", files)
    packages, findings = trivys(home / "cache", image)
    our_packages, our_findings = ours(Server(home / "none"), advisories, image)
    assert {row[0] for row in packages} == set(KINDS.values()) - {"apk", "rpm"}
    assert our_packages - packages == ONLY_OURS
    assert packages - our_packages == set()
    assert our_findings.keys() == findings.keys()
    assert {key[1] for key in findings} >= {"cargo", "deb", "maven", "npm", "python"}
    # We say which version repairs the line that is installed; Trivy lists those of all lines.
    for key, fixed in our_findings.items():
        assert fixed in findings[key].split(", "), (key, fixed, findings[key])
    print(f"{len(packages)} packages, {len(findings)} findings, the same")


@pytest.mark.parametrize(("name", "kind"), [("alpine", "apk"), ("alma-sqlite", "rpm")])
def test_packages_of_apk_and_rpm_are_those_that_trivy_has(home: Path, name: str, kind: str) -> None:
    zips = [data() / "osv" / ecosystem / "all.zip" for ecosystem in ("Alpine", "AlmaLinux")]
    cache, file = home / f"cache-{name}", home / f"advisories-{name}"
    trivy_db.write(cache, records(zips))
    server = Server(home / "none")
    done = server.command("advisories", "import", *map(str, zips), "--output", str(file))
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(decompressed(data() / "images" / f"oci-{name}.tar.zst"))) as tar:
        tar.extractall(home / name, filter="data")
    (index,) = (home / name).rglob("index.json")
    packages, findings = trivys(cache, index.parent)
    our_packages, our_findings = ours(server, file, index.parent)
    assert {row[0] for row in packages} == {kind}
    assert our_packages == packages
    assert our_findings == findings
    print(f"{len(packages)} packages, {len(findings)} findings, the same")


def test_an_image_that_is_repaired_has_no_findings_with_either(home: Path, advisories: Path) -> None:
    stanzas = Path("/var/lib/dpkg/status").read_text().split("\n\n")
    without = [of for of in stanzas if of.startswith(("Package: adduser\n", "Package: base-files\n"))]
    files = {
        "etc/os-release": b'ID=debian\nVERSION_ID="12"\n',
        "etc/debian_version": b"12.5\n",
        "var/lib/dpkg/status": "\n\n".join(without).encode(),
        "usr/local/bin/tool": rust_program(PATCHED_CRATES),
    }
    files |= wheels(home / "patched-wheels", PATCHED_WHEELS) | npm(home / "patched-npm", PATCHED_NPM)
    image = layout(home / "patched", files)
    packages, findings = trivys(home / "cache", image)
    our_packages, our_findings = ours(Server(home / "none"), advisories, image)
    assert our_packages == packages
    assert {row[0] for row in packages} == {"deb", "python", "npm", "cargo"}
    assert (our_findings, findings) == ({}, {})
