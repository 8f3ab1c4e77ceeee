"""Trivy's vulnerability database, written from records of OSV.

Trivy reads a file of bbolt (the key/value store of etcd): buckets in buckets of sorted pairs, in pages. What is written
here is the plainest form of it, a leaf for every bucket, and of Trivy's schema (version 2) what it reads to find
vulnerabilities: a bucket for a platform, in it one for a package, in it a pair for a vulnerability.
"""

import json
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = 4096
# What Trivy calls the releases of distributions, and in which form: `Alpine:v3.10` is its `alpine 3.10`.
PLATFORMS = {"Debian": "debian", "Alpine": "alpine", "AlmaLinux": "alma"}
BRANCHES = {"PyPI": "pip", "npm": "npm", "Maven": "maven", "crates.io": "cargo", "Go": "go"}
Buckets = dict[str, Any]


class Bolt:
    """A file of bbolt, page by page: two of meta, a free list, and the leaves."""

    def __init__(self) -> None:
        self.pages: list[bytes] = [b"", b"", b""]

    def leaf(self, buckets: Buckets) -> int:
        """Writes a bucket and those in it; gives the number of its page."""
        pairs = []
        for key, value in sorted((key.encode(), value) for key, value in buckets.items()):
            if isinstance(value, dict):
                pairs.append((1, key, struct.pack("<QQ", self.leaf(value), 0)))
            else:
                pairs.append((0, key, value))
        heads, data = b"", b""
        for index, (flags, key, value) in enumerate(pairs):
            place = 16 * (len(pairs) - index) + len(data)
            heads += struct.pack("<IIII", flags, place, len(key), len(value))
            data += key + value
        return self.add(2, len(pairs), heads + data)

    def add(self, flags: int, count: int, content: bytes) -> int:
        assert count < 0xFFFF
        number = len(self.pages)
        more = (16 + len(content) + PAGE - 1) // PAGE - 1
        page = struct.pack("<QHHI", number, flags, count, more) + content
        page = page.ljust((more + 1) * PAGE, b"\0")
        self.pages += [page[at : at + PAGE] for at in range(0, len(page), PAGE)]
        return number

    def write(self, path: Path, buckets: Buckets) -> None:
        root = self.leaf(buckets)
        self.pages[2] = struct.pack("<QHHI", 2, 0x10, 0, 0).ljust(PAGE, b"\0")
        for number in (0, 1):
            meta = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, len(self.pages), number)
            check = 0xCBF29CE484222325
            for byte in meta:
                check = (check ^ byte) * 0x100000001B3 % 2**64
            meta += struct.pack("<Q", check)
            self.pages[number] = (struct.pack("<QHHI", number, 4, 0, 0) + meta).ljust(PAGE, b"\0")
        path.write_bytes(b"".join(self.pages))


def intervals(affected: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The ranges of a package: from, and before."""
    found: list[tuple[str, str | None]] = []
    for of in affected.get("ranges", []):
        if of["type"] == "GIT":
            continue
        begun = None
        for event in of["events"]:
            if "introduced" in event:
                begun = event["introduced"]
            elif "fixed" in event and begun is not None:
                found.append((begun, event["fixed"]))
                begun = None
        if begun is not None:
            found.append((begun, None))
    return found


def name_of(record: dict[str, Any]) -> str:
    """The CVE that a record is about, as both sides name it, or its own name."""
    names = [*record.get("aliases", []), *record.get("upstream", [])]
    return next((name for name in names if name.startswith("CVE-")), record["id"])


def database(records: Iterable[dict[str, Any]]) -> Buckets:
    """What Trivy reads, of these records."""
    buckets: Buckets = defaultdict(lambda: defaultdict(dict))
    merged: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: {"vulnerable": [], "patched": []})
    names = set()
    for record in records:
        if record.get("withdrawn"):
            continue
        name = name_of(record)
        names.add(name)
        for affected in record["affected"]:
            ecosystem, _, release = affected["package"]["ecosystem"].partition(":")
            package = affected["package"]["name"]
            if ecosystem in PLATFORMS:
                platform = f"{PLATFORMS[ecosystem]} {release.removeprefix('v')}"
                for _, fixed in intervals(affected):
                    advisory = {"FixedVersion": fixed} if fixed else {"Status": 2}
                    buckets[platform][package][name] = json.dumps(advisory).encode()
            elif ecosystem in BRANCHES:
                of = merged[f"{BRANCHES[ecosystem]}::OSV", package, name]
                for begun, fixed in intervals(affected):
                    start = [f">={begun}"] if begun != "0" else []
                    end = [f"<{fixed}"] if fixed else []
                    of["vulnerable"].append(", ".join(start + end) or ">=0")
                    of["patched"] += [fixed] if fixed else []
    for (bucket, package, name), of in merged.items():
        advisory = {"VulnerableVersions": of["vulnerable"], "PatchedVersions": of["patched"]}
        buckets[bucket][package][name] = json.dumps(advisory).encode()
    sources = {name: json.dumps({"ID": "osv", "Name": "OSV"}).encode() for name in buckets}
    details = {name: json.dumps({"Title": name}).encode() for name in names}
    return {**buckets, "data-source": sources, "vulnerability": details}


def write(cache: Path, records: Iterable[dict[str, Any]]) -> None:
    """A cache of Trivy's with a database of these records, and one of Java archives that knows none."""
    times = {
        "UpdatedAt": "2026-11-27T00:00:00Z",
        "NextUpdate": "2099-01-01T00:00:00Z",
        "DownloadedAt": "2026-11-27T00:00:00Z",
    }
    for name, version in (("db", 2), ("java-db", 1)):
        (cache / name).mkdir(parents=True)
        (cache / name / "metadata.json").write_text(json.dumps({"Version": version, **times}))
    Bolt().write(cache / "db" / "trivy.db", database(records))
    java = sqlite3.connect(cache / "java-db" / "trivy-java.db")
    java.execute("CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)")
    java.execute("CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT)")
    java.commit()
    java.close()
