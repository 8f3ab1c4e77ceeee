"""Other advisories: only the images they concern are judged again, to what a scan from scratch gives."""

import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from account import Account
from report_formats import openvex
from scanning import (
    CRITICAL,
    MEDIUM,
    SCAN_SECONDS,
    advisory,
    findings,
    import_advisories,
    layer,
    load_advisories,
    python,
)
from server import Server
from test_ecr_images import push

NAMES = ["aaa", "bbb", "ccc", "ddd", "eee", "fff"]


def events(server: Server, after: str | None = None) -> list[dict[str, Any]]:
    """The events behind one of them."""
    done = server.command("events", "--data", str(server.data), *(["--after", after] if after else []))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def judged_at(account: Account, name: str, tag: str, at: float) -> dict[str, Any]:
    """What is found in an image once it was judged by advisories of this date."""
    deadline = time.monotonic() + SCAN_SECONDS
    while time.monotonic() < deadline:
        answer = findings(account, name, {"imageTag": tag}, maxResults=1000)
        updated = answer.get("imageScanFindings", {}).get("vulnerabilitySourceUpdatedAt")
        if updated is not None and updated.timestamp() == at:
            return answer["imageScanFindings"]
        time.sleep(0.05)
    raise AssertionError(f"{name}:{tag} was not judged again within {SCAN_SECONDS} s")


def expected(records: list[dict[str, Any]], packages: dict[str, int]) -> set[tuple[str, str, str, str | None]]:
    """What a scan must find: id, package, severity and fix, by a rule as plain as it can be."""
    found = set()
    for record in records:
        affected = record["affected"][0]
        name, events = affected["package"]["name"], affected["ranges"][0]["events"]
        fixed = next((event["fixed"] for event in events if "fixed" in event), None)
        if name in packages and (fixed is None or packages[name] < int(fixed)):
            vector = record["severity"][0]["score"] if record["severity"] else None
            severity = {CRITICAL: "CRITICAL", MEDIUM: "MEDIUM", None: "UNDEFINED"}[vector]
            found.add((record["id"], name, severity, fixed))
    return found


def shown(answer: dict[str, Any]) -> set[tuple[str, str, str, str | None]]:
    return {
        (
            finding["packageVulnerabilityDetails"]["vulnerabilityId"],
            (package := finding["packageVulnerabilityDetails"]["vulnerablePackages"][0])["name"],
            finding["severity"],
            package.get("fixedInVersion"),
        )
        for finding in answer["enhancedFindings"]
    }


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_judging_again_what_changed_gives_what_judging_everything_gives(
    own_server: Any, database: Callable[[], str], tmp_path: Path, engine: str
) -> None:
    chance = random.Random(20261127)
    server = own_server(**({"database": database()} if engine == "postgres" else {})).start()
    account = Account.default(server)
    name = account.repository(imageScanningConfiguration={"scanOnPush": True})

    def record(number: int) -> dict[str, Any]:
        fixed = chance.choice([None, *map(str, range(1, 9))])
        return advisory(f"X-{number}", "PyPI", chance.choice(NAMES), fixed, chance.choice([CRITICAL, MEDIUM, None]))

    images = {}
    for tag in [f"v{number}" for number in range(8)]:
        images[tag] = {package: chance.randrange(9) for package in chance.sample(NAMES, 3)}
        files: dict[str, bytes] = {"etc/mark": tag.encode()}
        for package, version in images[tag].items():
            files |= python(package, str(version))
        push(account, name, tag, layer(files))
    records = {number: record(number) for number in range(12)}
    for day in range(2, 8):
        for number in chance.sample(sorted(records), 3):
            records[number] = record(number)
        # The date of the whole; about a package that no image has.
        marker = advisory("X-date", "PyPI", "zzz", "1", modified=f"2026-10-0{day}")
        current = [*records.values(), marker]
        for each in current[:-1]:
            each["modified"] = "2026-10-01T00:00:00Z"
        file = import_advisories(server, tmp_path / f"day{day}", *current)
        assert load_advisories(server, file, "--force").returncode == 0
        at = 1790812800.0 + (day - 1) * 86400
        for tag, packages in images.items():
            assert shown(judged_at(account, name, tag, at)) == expected(current, packages), (day, tag)
    server.stop()


def test_an_event_says_why_a_finding_is_new_or_another(own_server: Any, tmp_path: Path) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository(imageScanningConfiguration={"scanOnPush": True})
    one = [advisory("X-1", "PyPI", "aaa", None, MEDIUM), advisory("X-2", "PyPI", "bbb", "1", MEDIUM)]
    load_advisories(server, import_advisories(server, tmp_path / "one", *one))
    push(account, name, "touched", layer(python("aaa", "1")))
    push(account, name, "untouched", layer(python("ccc", "1")))
    first = judged_at(account, name, "touched", 1793491200.0)["enhancedFindings"][0]
    judged_at(account, name, "untouched", 1793491200.0)
    log = events(server)
    assert [event["detail-type"] for event in log] == ["ECR Image Scan"] * 2
    assert log[0]["source"] == "aws.ecr"
    assert log[0]["detail"]["repository-name"] == name
    by_tag = {event["detail"]["image-tags"][0]: event["detail"] for event in log}
    assert by_tag["touched"]["finding-severity-counts"] == {"MEDIUM": 1}
    assert by_tag["untouched"]["finding-severity-counts"] == {}

    two = [
        advisory("X-1", "PyPI", "aaa", "2", CRITICAL, modified="2026-11-02"),
        advisory("X-2", "PyPI", "bbb", "1", MEDIUM),
        advisory("X-3", "PyPI", "aaa", "3", modified="2026-11-02"),
    ]
    load_advisories(server, import_advisories(server, tmp_path / "two", *two))
    answer = judged_at(account, name, "touched", 1793577600.0)
    judged_at(account, name, "untouched", 1793577600.0)
    now = {f["packageVulnerabilityDetails"]["vulnerabilityId"]: f for f in answer["enhancedFindings"]}
    assert now["X-1"]["firstObservedAt"] == first["firstObservedAt"]
    assert now["X-1"]["updatedAt"] > first["updatedAt"]
    assert now["X-3"]["firstObservedAt"] > first["firstObservedAt"]
    more = events(server, log[-1]["id"])
    # Nothing is told of the image that they do not concern, which was not judged again.
    assert all("untouched" not in json.dumps(event) for event in more)
    assert more[0]["detail"]["bonded"]["changes"] == {
        "advisory_published": 1,
        "fix_published": 1,
        "severity_changed": 1,
    }
    told = {e["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"]: e["detail"] for e in more[1:]}
    assert told["X-1"]["bonded"]["reasons"] == ["fix_published", "severity_changed"]
    assert told["X-1"]["bonded"]["before"]["severity"] == "MEDIUM"
    assert told["X-1"]["findingArn"] == now["X-1"]["findingArn"]
    assert told["X-3"]["bonded"]["reasons"] == ["advisory_published"]

    three = [advisory("X-2", "PyPI", "bbb", "1", MEDIUM), advisory("X-3", "PyPI", "aaa", "1", modified="2026-11-03")]
    load_advisories(server, import_advisories(server, tmp_path / "three", *three), "--force")
    assert judged_at(account, name, "touched", 1793664000.0)["findings"] == []
    last = events(server, more[-1]["id"])[1:]
    why = {
        e["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"]: (
            e["detail"]["status"],
            e["detail"]["bonded"]["reasons"],
        )
        for e in last
    }
    assert why == {"X-1": ("CLOSED", ["advisory_withdrawn"]), "X-3": ("CLOSED", ["advisory_corrected"])}
    told = server.command("events", "--data", str(server.data), "--quiet").stdout.split()
    assert told == [event["id"] for event in events(server)]
    table = server.command("events", "--data", str(server.data), "-o", "table").stdout.splitlines()
    assert len(table) == len(told) and "CLOSED X-1 - aaa" in table[-2] + table[-1]
    done = server.command("events", "--data", str(server.data), "--after", "nothing")
    assert done.returncode == 1
    assert "there is no event 'nothing'" in done.stderr
    server.stop()


def test_what_tables_and_statements_say_is_shown_with_a_finding(own_server: Any, tmp_path: Path) -> None:
    server = own_server().start()
    account = Account.default(server)
    name = account.repository(imageScanningConfiguration={"scanOnPush": True})
    records = [
        advisory("PYSEC-1", "PyPI", "aaa", "2") | {"aliases": ["CVE-2026-1"]},
        advisory("PYSEC-2", "PyPI", "aaa", "2", CRITICAL) | {"aliases": ["CVE-2026-2"]},
    ]
    kev = {"id": "kev", "catalogVersion": "1", "vulnerabilities": [{"cveID": "CVE-2026-1", "dateAdded": "2026-10-05"}]}
    metrics = {"cvssMetricV31": [{"type": "Primary", "cvssData": {"vectorString": MEDIUM}}]}
    nvd = {"format": "NVD_CVE", "vulnerabilities": [{"cve": {"id": "CVE-2026-1", "metrics": metrics}}]}
    vex = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://vex.example/1",
        "timestamp": "2026-11-01T00:00:00Z",
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-2"},
                "products": [{"@id": "pkg:pypi/aaa"}],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
            }
        ],
    }
    directory = tmp_path / "files"
    directory.mkdir()
    del kev["id"]
    for file, content in {"kev": kev, "nvd": nvd, "vex": vex, "one": records[0], "two": records[1]}.items():
        (directory / f"{file}.json").write_text(json.dumps(content))
    epss = b"#model_version:v2025.03.14\ncve,epss,percentile\nCVE-2026-1,0.97301,0.99987\n"
    (directory / "epss.csv.gz").write_bytes(gzip.compress(epss))
    out = tmp_path / "advisories"
    done = server.command("advisories", "import", str(directory), "-o", str(out))
    assert done.returncode == 0, done.stderr
    for line in ["1 vulnerabilities listed as exploited", "1 statements of OpenVEX documents"]:
        assert line in done.stdout
    load_advisories(server, out)
    push(account, name, "v1", layer(python("aaa", "1")))
    answer = judged_at(account, name, "v1", 1793491200.0)
    assert answer["findingSeverityCounts"] == {"MEDIUM": 1}
    found = {f["packageVulnerabilityDetails"]["vulnerabilityId"]: f for f in answer["enhancedFindings"]}
    assert (found["CVE-2026-1"]["exploitAvailable"], found["CVE-2026-1"]["status"]) == ("YES", "ACTIVE")
    assert (found["CVE-2026-2"]["exploitAvailable"], found["CVE-2026-2"]["status"]) == ("NO", "SUPPRESSED")
    basic = {f["name"]: {a["key"]: a["value"] for a in f["attributes"]} for f in answer["findings"]}
    assert basic["CVE-2026-1"]["EPSS_SCORE"] == "0.97301"
    assert basic["CVE-2026-1"]["known_exploited_since"] == "2026-10-05"
    by = "OpenVEX 'https://vex.example/1': not_affected (vulnerable_code_not_present)"
    assert basic["CVE-2026-2"]["suppressed_by"] == by
    shown = server.command("scan", "show", f"{name}:v1", "-o", "openvex", key=account.key)
    assert openvex(shown.stdout) == {
        "CVE-2026-1": [("affected", None)],
        "CVE-2026-2": [("not_affected", "vulnerable_code_not_present")],
    }
    # What we say is what we read.
    (tmp_path / "said.json").write_text(shown.stdout)
    done = server.command("advisories", "import", str(directory), str(tmp_path / "said.json"), "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert "5 statements of OpenVEX documents" in done.stdout
    server.stop()
