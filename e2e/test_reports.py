"""`bonded scan` writes reports that others read: CycloneDX, SPDX, SARIF, CSV and HTML."""

import gzip
import io
import json
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import PULL, Account, allow
from oci import OCI_INDEX, manifest
from raw import ECR_TARGET, JSON, post, signed_headers
from report_formats import Page, cyclonedx, purls, rows, sarif, spdx, write_layout
from scanning import CRITICAL, MEDIUM, SCAN_SECONDS, advisory, debian, import_advisories, layer, python, scanned
from server import BINARY, Key, Server
from test_ecr_images import index, push_index
from test_scan_of_real_image import data, decompressed

OPENSSL = ("libssl3", "1:3.0.11-1~deb12u2", "openssl")
# What a stranger may call a package.
HOSTILE = "=cmd|calc!A1\"<script>alert(1)&'"


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("advisories")
    records = [
        advisory("DEBIAN-CVE-2024-5535", "Debian:12", "openssl", "1:3.0.15-1~deb12u1", CRITICAL),
        advisory("DEBIAN-CVE-2024-0001", "Debian:12", "hostile", None) | {"summary": HOSTILE},
        advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4", MEDIUM),
    ]
    import_advisories(Server(home), home / "records", *records)
    listed = {"cveID": "CVE-2024-5535", "dateAdded": "2026-02-03"}
    tables = {
        "kev.json": json.dumps({"catalogVersion": "2026.11.01", "vulnerabilities": [listed]}),
        "epss.csv": "#model_version:v1,score_date:2026-11-01T00:00:00Z\ncve,epss,percentile\nCVE-2024-5535,0.25,0.9\n",
    }
    for name, text in tables.items():
        (home / name).write_text(text)
    file = home / "with-tables"
    done = Server(home).command(
        "advisories", "import", *[str(home / name) for name in ["records", *tables]], "--output", str(file)
    )
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("layout")
    system = layer(debian(OPENSSL, (HOSTILE, "1-1", "hostile"), ("libstdc++6", "12.2.0-14", "gcc-12")))
    write_layout(directory, [system, layer(python("Jinja2", "3.1.2"))])
    return directory


def scan(image: str, *options: str) -> str:
    done = Server(Path("/nonexistent")).command("scan", image, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bill_of_materials_is_valid_and_the_same_each_time(layout: Path) -> None:
    image = f"oci:{layout}"
    first = scan(image, "-o", "cyclonedx")
    bom = cyclonedx(first)
    assert scan(image, "-o", "cyclonedx") == first
    assert bom["metadata"]["timestamp"] == "2026-01-02T03:04:05Z"
    assert bom["compositions"][0]["aggregate"] == "complete"
    packages = purls(bom)
    assert "pkg:deb/debian/libssl3@1:3.0.11-1~deb12u2?arch=amd64&distro=debian-12" in packages
    assert "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12" in packages
    assert "pkg:pypi/jinja2@3.1.2" in packages
    first = scan(image, "-o", "spdx")
    document = spdx(first)
    assert scan(image, "-o", "spdx") == first
    assert purls(document) == packages


def test_bills_of_materials_state_the_licences_of_packages(tmp_path: Path) -> None:
    form = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    copyright_of = f"Format: {form}\n\nFiles: *\nLicense: {{}}\n"
    two = copyright_of.format("Apache-2.0") + "\nFiles: x\nLicense: Artistic\n"
    modules, site = "srv/node_modules", "usr/lib/python3/site-packages"
    metadata = "Metadata-Version: 2.1\nName: {}\nVersion: 1\n{}\n\n"
    files = debian(OPENSSL, ("zlib1g", "1", "zlib"), ("prose", "1", "prose"), ("linked", "1", "linked")) | {
        "usr/share/doc/libssl3/copyright": two.encode(),
        "usr/share/doc/zlib1g/copyright": copyright_of.format("GPL-2+ or Zlib").encode(),
        "usr/share/doc/prose/copyright": b"This is free software.\nLicense: MIT\n",
        f"{site}/a-1.dist-info/METADATA": metadata.format("a", "License: MIT License").encode(),
        f"{site}/b-1.dist-info/METADATA": metadata.format(
            "b", "License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License"
        ).encode(),
        f"{modules}/c/package.json": json.dumps({"name": "c", "version": "1", "license": "(MIT or ISC)"}).encode(),
        f"{modules}/d/package.json": json.dumps({"name": "d", "version": "1", "license": HOSTILE}).encode(),
    }
    link = tarfile.TarInfo("usr/share/doc/linked")
    link.type, link.linkname = tarfile.SYMTYPE, "zlib1g"
    write_layout(tmp_path, [layer(files), symlinks(link)])
    bom = cyclonedx(scan(f"oci:{tmp_path}", "-o", "cyclonedx"))

    def one(licence: dict) -> tuple[str, str]:
        assert licence.get("license", licence).pop("acknowledgement") == "declared"
        ((kind, text),) = licence.get("license", licence).items()
        return kind, text

    found = {c["name"]: [one(of) for of in c.get("licenses", [])] for c in bom["components"]}
    either = [("expression", "GPL-2.0-or-later OR Zlib")]
    want = {
        "libssl3": [("id", "Apache-2.0"), ("name", "Artistic")],
        "zlib1g": either,
        "linked": either,
        "prose": [],
        "a": [("id", "MIT")],
        "b": [("name", "BSD License")],
        "c": [("expression", "(MIT OR ISC)")],
        "d": [("name", HOSTILE)],
    }
    assert {name: found[name] for name in want} == want
    document = spdx(scan(f"oci:{tmp_path}", "-o", "spdx"))
    names = {info["licenseId"]: info["name"] for info in document["hasExtractedLicensingInfos"]}
    assert sorted(names.values()) == sorted(["Artistic", "BSD License", HOSTILE])
    declared = {package["name"]: package["licenseDeclared"] for package in document["packages"]}
    (artistic,) = (of for of, name in names.items() if name == "Artistic")
    assert declared["libssl3"] == f"Apache-2.0 AND {artistic}"
    assert (declared["zlib1g"], declared["linked"]) == ("GPL-2.0-or-later OR Zlib", "GPL-2.0-or-later OR Zlib")
    assert (declared["prose"], declared["c"]) == ("NOASSERTION", "(MIT OR ISC)")
    assert names[declared["d"]] == HOSTILE


def symlinks(*links: tarfile.TarInfo) -> bytes:
    """A layer of links."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for link in links:
            archive.addfile(link)
    return gzip.compress(tar.getvalue(), mtime=0)


def test_findings_are_valid_sarif_with_layer_and_path(layout: Path, advisories: Path) -> None:
    image = f"oci:{layout}"
    (run,) = sarif(scan(image, "--advisories", str(advisories), "-o", "sarif"))["runs"]
    assert run["invocations"][0]["executionSuccessful"] is True
    found = {result["ruleId"]: result for result in run["results"]}
    assert set(found) == {"CVE-2024-5535", "CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"}
    assert found["CVE-2024-5535"]["level"] == "error"
    place = found["CVE-2024-5535"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    found_here = json.loads(scan(image, "--advisories", str(advisories), "-o", "json"))
    assert place == f"{found_here['layers'][0].replace(':', '%3A')}/var/lib/dpkg/status"


def test_a_table_has_no_formulas_and_a_page_no_tags_of_strangers(layout: Path, advisories: Path) -> None:
    image = f"oci:{layout}"
    table = rows(scan(image, "--advisories", str(advisories), "-o", "csv"))
    assert {row["id"] for row in table} == {"CVE-2024-5535", "CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"}
    (hostile,) = [row for row in table if row["id"] == "CVE-2024-0001"]
    assert hostile["package"] == hostile["title"] == "'" + HOSTILE
    page = Page(scan(image, "--advisories", str(advisories), "-o", "html"))
    assert HOSTILE in page.text
    assert "https://advisories.example/DEBIAN-CVE-2024-5535" in page.links


def test_reports_say_what_is_exploited_and_how_probably(layout: Path, advisories: Path) -> None:
    def report(form: str) -> str:
        return scan(f"oci:{layout}", "--advisories", str(advisories), "-o", form)

    told = {row["id"]: (row["exploited_since"], row["epss"]) for row in rows(report("csv"))}
    assert told == {"CVE-2024-5535": ("2026-02-03", "0.25"), "CVE-2024-0001": ("", ""), "GHSA-aaaa-bbbb-cccc": ("", "")}
    (run,) = sarif(report("sarif"))["runs"]
    properties = {result["ruleId"]: result.get("properties") for result in run["results"]}
    assert properties["CVE-2024-5535"] == {"exploitedSince": "2026-02-03", "epss": {"score": 0.25, "percentile": 0.9}}
    assert properties["GHSA-aaaa-bbbb-cccc"] is None
    assert "(exploited since 2026-02-03, EPSS 25.0 %)" in Page(report("html")).text


def test_reports_say_that_a_system_gets_no_updates(tmp_path: Path, advisories: Path) -> None:
    release = b'ID=debian\nVERSION_ID="10"\nPRETTY_NAME="Debian GNU/Linux 10 (buster)"\n'
    old = debian(OPENSSL) | {"etc/os-release": release}
    write_layout(tmp_path, [layer(old)])
    said = {
        form: scan(f"oci:{tmp_path}", "--advisories", str(advisories), "-o", form)
        for form in ("table", "csv", "html", "sarif", "json")
    }
    end = json.loads(said["json"])["end_of_life"]["date"]
    text = f"debian 10 has got no updates since {end}"
    assert text in said["table"]
    assert text in Page(said["html"]).text
    assert {row["end_of_life"] for row in rows(said["csv"])} == {end}
    (run,) = sarif(said["sarif"])["runs"]
    assert run["properties"]["endOfLife"] == end
    assert [n for n in run["invocations"][0]["toolExecutionNotifications"] if text in n["message"]["text"]]


def test_what_is_not_complete_says_so_in_every_form(tmp_path: Path, advisories: Path) -> None:
    write_layout(tmp_path, [layer({"etc/os-release": b"ID=plan9\nVERSION_ID=4\n"}), b"no archive"], created=None)
    image = f"oci:{tmp_path}"
    bom = cyclonedx(scan(image, "-o", "cyclonedx"))
    assert bom["compositions"][0]["aggregate"] == "incomplete"
    assert "timestamp" not in bom["metadata"]
    assert spdx(scan(image, "-o", "spdx"))["comment"].startswith("not complete: ")
    (run,) = sarif(scan(image, "--advisories", str(advisories), "-o", "sarif"))["runs"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["toolExecutionNotifications"]
    table = rows(scan(image, "--advisories", str(advisories), "-o", "csv"))
    assert {row["record"] for row in table} == {"problem"}
    assert "not complete" in Page(scan(image, "--advisories", str(advisories), "-o", "html")).text


def test_a_report_that_nobody_reads_to_its_end_is_no_failure(layout: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {BINARY} scan oci:{layout} -o spdx | head -c 10"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_bills_of_real_images_are_valid(tmp_path: Path) -> None:
    for name in ("alma-sqlite", "alpine", "ml-slim"):
        archive = decompressed(data() / "images" / f"oci-{name}.tar.zst")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(tmp_path / name, filter="data")
        (index,) = (tmp_path / name).rglob("index.json")
        bom = cyclonedx(scan(f"oci:{index.parent}", "-o", "cyclonedx"))
        document = spdx(scan(f"oci:{index.parent}", "-o", "spdx"))
        assert len(purls(bom)) > 10
        assert purls(bom) == purls(document)


# -------------------------------------------------------------------------------------- of an image in a registry


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, advisories: Path) -> Iterator[Server]:
    """A server with advisories."""
    server = Server(tmp_path_factory.mktemp("server"), options=["--advisories", str(advisories)])
    server.start()
    yield server
    server.stop()


def show(account: Account, image: str, form: str, key: Key | None = None) -> subprocess.CompletedProcess[str]:
    return account.server.command("scan", "show", image, "-o", form, key=key or account.key)


def test_the_registry_says_what_is_in_an_image_and_what_was_found(account: Account) -> None:
    name = account.repository("reported", imageScanningConfiguration={"scanOnPush": True})
    v2 = account.server.push_and_pull(account.key)
    image = v2.push(
        name, "v1", layer(debian(OPENSSL, ("libstdc++6", "12.2.0-14", "gcc-12")) | python("Jinja2", "3.1.2"))
    )
    scanned(account, name, {"imageTag": "v1"})
    # The same bill as is made where the image is used.
    here = account.server.command(
        "scan", f"127.0.0.1:{account.server.port}/{name}:v1", "-o", "cyclonedx", key=account.key
    )
    first = show(account, f"{name}:v1", "cyclonedx")
    assert first.returncode == 0, first.stderr
    assert purls(cyclonedx(first.stdout)) == purls(cyclonedx(here.stdout)) != []
    assert show(account, f"{name}:v1", "cyclonedx").stdout == first.stdout
    assert purls(spdx(show(account, f"{name}@{image.digest}", "spdx").stdout)) == purls(cyclonedx(first.stdout))
    (run,) = sarif(show(account, f"{name}:v1", "sarif").stdout)["runs"]
    assert run["invocations"][0]["executionSuccessful"] is True
    found = {"CVE-2024-5535", "GHSA-aaaa-bbbb-cccc"}
    assert {result["ruleId"] for result in run["results"]} == found
    assert {row["id"] for row in rows(show(account, f"{name}:v1", "csv").stdout)} == found
    assert f"{name}:v1" in Page(show(account, f"{name}:v1", "html").stdout).text


def test_a_bill_needs_no_scan_and_findings_do(account: Account) -> None:
    name = account.repository("unscanned")
    v2 = account.server.push_and_pull(account.key)
    v2.push(name, "v1", layer(debian(OPENSSL)))
    deadline = time.monotonic() + SCAN_SECONDS
    # The layer is looked into soon after its push.
    while (done := show(account, f"{name}:v1", "cyclonedx")).returncode != 0 and time.monotonic() < deadline:
        assert (done.returncode, "ScanNotFoundException" in done.stderr) == (4, True), done.stderr
    assert "pkg:deb/debian/libssl3@1:3.0.11-1~deb12u2?arch=amd64&distro=debian-12" in purls(cyclonedx(done.stdout))
    done = show(account, f"{name}:v1", "sarif")
    assert (done.returncode, "ScanNotFoundException" in done.stderr) == (4, True), done.stderr
    v2.put_manifest(name, "index", index(), OCI_INDEX)
    assert show(account, f"{name}:index", "cyclonedx").returncode == 1
    assert show(account, f"{name}:absent", "cyclonedx").returncode == 4


def test_who_may_read_findings_may_have_a_report(account: Account) -> None:
    name = account.repository("private")
    v2 = account.server.push_and_pull(account.key)
    v2.push(name, "v1", layer(debian(OPENSSL)))
    reader = account.user("reader", allow("ecr:DescribeImageScanFindings", account.arn(name)))
    puller = account.user("puller", allow(PULL, account.arn(name)))
    said = set()
    for repository in (name, account.unique("absent")):
        done = show(account, f"{repository}:v1", "spdx", puller.key)
        assert done.returncode == 3, done.stderr
        text = re.sub(r"decision \S+; run: bonded why \S+", "", done.stderr)
        said.add(text.replace(repository, "NAME"))
    assert len(said) == 1 and "ecr:DescribeImageScanFindings" in said.pop()
    done = show(account, f"{name}:v1", "sarif", reader.key)
    assert done.returncode == 4, done.stderr


def test_a_form_that_is_not_known_is_refused(account: Account) -> None:
    name = account.repository("forms")
    body = json.dumps({"repositoryName": name, "imageId": {"imageTag": "v1"}, "reportFormat": "PDF"}).encode()
    headers = JSON | {"X-Amz-Target": f"{ECR_TARGET}GetImageReport"}
    answer = post(account.server, body, signed_headers(account.server, account.key, body, headers))
    assert answer.status == 400, answer.body
    assert "CYCLONEDX_1_6" in json.loads(answer.body)["message"]


# ------------------------------------------------------------------------------------------------ of a repository


def report(account: Account, name: str, *options: str, key: Key | None = None) -> subprocess.CompletedProcess[str]:
    return account.server.command("scan", "report", name, *options, key=key or account.key)


def test_a_repository_is_reported_image_by_image(account: Account) -> None:
    name = account.repository("many", imageScanningConfiguration={"scanOnPush": True})
    v2 = account.server.push_and_pull(account.key)
    bad = v2.push(name, "v1", layer(debian(OPENSSL)))
    good = v2.push(name, "v2", layer(debian(("libssl3", "1:3.0.15-1~deb12u1", "openssl"))))
    v2.put_manifest(name, "latest", good.manifest)
    other = v2.push(name, "multi", layer(debian(OPENSSL, ("libstdc++6", "12.2.0-14", "gcc-12"))))
    for digest in (bad.digest, good.digest, other.digest):
        scanned(account, name, {"imageDigest": digest})
    push_index(account, name, "multi", bad, other)
    account.ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration={"scanOnPush": False})
    new = v2.push(name, "new", layer(debian(("bash", "5.2.15-2", "bash"))))
    # A chart has nothing that is scanned, and an image without a scan is not silently left out.
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": v2.push_blob(name, b"{}"), "size": 2}
    chart = json.dumps(json.loads(manifest(b"{}")) | {"config": config}).encode()
    assert v2.put_manifest(name, "chart", chart).status_code == 201

    done = report(account, name, "-o", "json")
    assert done.returncode == 0, done.stderr
    images = {image["digest"]: image for image in json.loads(done.stdout)["images"]}
    assert set(images) == {bad.digest, good.digest, other.digest, new.digest}
    assert images[bad.digest]["name"] == f"{name}:v1"
    assert images[good.digest]["name"] == f"{name}:latest, v2"
    assert images[other.digest]["name"] == f"{name}:multi"
    assert (images[good.digest]["status"], images[good.digest]["counts"]["total"]) == ("COMPLETE", 0)
    assert {image["digest"] for image in images.values() if image["counts"]["critical"]} == {bad.digest, other.digest}
    assert images[new.digest]["status"] == "UNKNOWN"
    assert "ScanNotFoundException" in images[new.digest]["problems"][0]["message"]

    table = rows(report(account, name, "-o", "csv").stdout)
    assert {(row["digest"], row["id"]) for row in table if row["record"] == "finding"} == {
        (bad.digest, "CVE-2024-5535"),
        (other.digest, "CVE-2024-5535"),
    }
    assert [row["digest"] for row in table if row["record"] == "problem"] == [new.digest]
    page = Page(report(account, name, "-o", "html").stdout).text
    assert page.count("not complete") == 2 and f"{name}:latest, v2" in page
    assert report(account, name, "--quiet").stdout == "CVE-2024-5535\n"
    assert report(account, name, "--fail-on", "high").returncode == 5
    assert report(account, name, "-o", "spdx").returncode == 2

    sights = allow("ecr:DescribeImages", account.arn(name))
    blind = account.user("blind", sights).key
    done = report(account, name, "-o", "json", key=blind)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)["images"]
    assert {image["status"] for image in seen} == {"UNKNOWN"}
    assert all("AccessDeniedException" in image["problems"][0]["message"] for image in seen)
    assert report(account, name, key=account.user("powerless").key).returncode == 3
    assert report(account, "absent/one").returncode == 4
    assert report(account, "No-Name").returncode == 2
