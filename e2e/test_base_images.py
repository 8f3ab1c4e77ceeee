"""Findings say whether they are from the base that an image was built upon, recognised by its layers."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from account import Account
from oci import V2, manifest
from scanning import CRITICAL, advisory, debian, import_advisories, layer, load_advisories, python, scanned
from server import Server

CONFIG = b'{"architecture": "amd64", "os": "linux"}'
SYSTEM = layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl")))
RUNTIME = layer({"usr/bin/runtime": b"x"})
OURS = layer(python("Jinja2", "3.1.2"))
OPENSSL, JINJA = "CVE-2024-0001", "CVE-2024-34064"


def push(v2: V2, repository: str, tag: str, *layers: bytes) -> str:
    for blob in (CONFIG, *layers):
        v2.push_blob(repository, blob)
    answer = v2.put_manifest(repository, tag, manifest(CONFIG, *layers))
    assert answer.status_code == 201, answer.text
    return answer.headers["Docker-Content-Digest"]


def bases(account: Account, repository: str, tag: str) -> dict[str, str | None]:
    """The base image of each finding."""
    found = scanned(account, repository, {"imageTag": tag})["imageScanFindings"]["findings"]
    return {f["name"]: {a["key"]: a["value"] for a in f["attributes"]}.get("base_image") for f in found}


def report(server: Server, image: str, form: str) -> str:
    done = server.command("scan", "show", image, "-o", form, key=server.administrator)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def server(own_server: Callable[..., Server]) -> Server:
    server = own_server(options=["--scan-base-images", "base/*"])
    server.start()
    records = [
        advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL),
        advisory("GHSA-aaaa-bbbb-cccc", "PyPI", "jinja2", "3.1.4") | {"aliases": [JINJA]},
    ]
    assert load_advisories(server, import_advisories(server, server.data.parent / "osv", *records)).returncode == 0
    return server


def test_findings_of_a_base_are_told_apart(server: Server) -> None:
    account, v2 = Account.default(server), server.push_and_pull(server.administrator)
    on_push: Any = {"scanOnPush": True}
    for name in ("base/debian", "base/runtime", "team/app", "team/other"):
        account.ecr.create_repository(repositoryName=name, imageScanningConfiguration=on_push)
    push(v2, "base/debian", "12", SYSTEM)
    runtime = push(v2, "base/runtime", "v1", SYSTEM, RUNTIME)
    # What has no other layers is no base of itself, and what is no base by name is none.
    push(v2, "team/other", "v1", SYSTEM, RUNTIME)
    push(v2, "team/app", "v1", SYSTEM, RUNTIME, OURS)
    assert bases(account, "team/app", "v1") == {OPENSSL: "base/runtime:v1", JINJA: None}
    assert bases(account, "base/runtime", "v1") == {OPENSSL: "base/debian:12"}
    assert bases(account, "base/debian", "12") == {OPENSSL: None}

    rows = {row["id"]: row["base_image"] for row in csv.DictReader(io.StringIO(report(server, "team/app:v1", "csv")))}
    assert rows == {OPENSSL: "base/runtime:v1", JINJA: ""}
    page = report(server, "team/app:v1", "html")
    assert re.search(r"1 of them are from the base image base/runtime:v1 .*; 1 are not\.", page)
    results = json.loads(report(server, "team/app:v1", "sarif"))["runs"][0]["results"]
    assert {r["ruleId"]: r.get("properties") for r in results} == {
        OPENSSL: {"baseImage": "base/runtime:v1"},
        JINJA: None,
    }

    # Another image takes the name of the base: the report says that there is one to build upon.
    push(v2, "base/runtime", "v1", layer({"new": b"x"}))
    assert bases(account, "team/app", "v1") == {OPENSSL: f"base/runtime@{runtime}", JINJA: None}
    assert "whose place another image has taken: build upon that one" in report(server, "team/app:v1", "html")
    # The same layers in another order are another image.
    push(v2, "team/app", "v2", RUNTIME, SYSTEM, OURS)
    assert bases(account, "team/app", "v2") == {OPENSSL: None, JINJA: None}
