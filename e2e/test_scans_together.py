"""Scans of many images at once: one layer of a thousand, many pulls that wait for one, two nodes on one queue."""

import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from account import LOGIN, PULL, Account, allow
from bucket import Bucket
from conftest import sql
from oci import digest, manifest
from scanning import (
    CRITICAL,
    GATE,
    MEDIUM,
    SCAN_SECONDS,
    advisory,
    import_advisories,
    layer,
    load_advisories,
    python,
    scanned,
)
from server import Server

IMAGES = 1_001
# How many pulls of a node wait for scans at once.
WAITERS = 64
CONFIG = b'{"architecture": "amd64", "os": "linux"}'
Rows = list[tuple[Any, ...]]


def until(what: Callable[[], Rows], want: Rows, seconds: int = 5 * SCAN_SECONDS) -> None:
    """Waits until `what` gives what it should."""
    deadline = time.monotonic() + seconds
    while (rows := what()) != want:
        assert time.monotonic() < deadline, rows
        time.sleep(0.2)


def test_the_layer_of_a_thousand_images_is_looked_into_once(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server().start()
    account = Account.default(server)

    def load(day: int, *records: dict[str, Any]) -> None:
        dated = [record | {"modified": f"2026-11-0{day}T00:00:00Z"} for record in records]
        file = import_advisories(server, tmp_path / f"day{day}", *dated)
        assert load_advisories(server, file).returncode == 0

    def rows(statement: str) -> Rows:
        database = sqlite3.connect(f"file:{server.data}/bonded.db?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    one, two = advisory("X-1", "PyPI", "aaa", "2", CRITICAL), advisory("X-2", "PyPI", "aaa", "3", MEDIUM)
    three = advisory("X-3", "PyPI", "zzz", "2", MEDIUM)
    load(1, one)
    name = account.repository("many", imageScanningConfiguration={"scanOnPush": True})
    shared = layer(python("aaa", "1"))
    client = server.push_and_pull(account.key)
    for blob in (CONFIG, shared):
        client.push_blob(name, blob)
    for number in range(IMAGES):
        body = manifest(CONFIG, shared, annotations={"number": str(number)})
        assert client.put_manifest(name, f"v{number}", body).status_code == 201

    def results() -> Rows:
        return rows(
            "SELECT status, generation, findings, severity_counts, COUNT(*) FROM image_scans GROUP BY 1, 2, 3, 4"
        )

    until(results, [("COMPLETE", 1, 1, '{"CRITICAL":1}', IMAGES)])
    layers = (
        "SELECT i.indexed_at FROM layer_inventories i WHERE i.object = (SELECT MIN(object) FROM layers WHERE digest = "
    )
    (indexed,) = rows(f"{layers}'{digest(shared)}')")
    server.reset_peak_memory()

    # Something else is said of the package: all are judged again, by what is known of the layer.
    load(2, one, two)
    until(results, [("COMPLETE", 2, 2, '{"CRITICAL":1,"MEDIUM":1}', IMAGES)])
    # Nothing is: none is, and all are noted to come to the same.
    events = rows("SELECT COUNT(*) FROM scan_events")
    load(3, one, two, three)
    until(results, [("COMPLETE", 3, 2, '{"CRITICAL":1,"MEDIUM":1}', IMAGES)])
    assert rows("SELECT COUNT(*) FROM scan_events") == events
    assert rows(f"{layers}'{digest(shared)}')") == [indexed]
    assert rows("SELECT COUNT(*) FROM jobs") == [(0,)]
    assert server.memory("VmHWM") < 512 * 1024 * 1024
    for number in (0, IMAGES - 1):
        answer = scanned(account, name, {"imageTag": f"v{number}"})["imageScanFindings"]
        assert [finding["name"] for finding in answer["findings"]] == ["X-1", "X-2"]


def test_many_pulls_wait_for_one_scan(
    own_server: Callable[..., Server], database: Callable[[], str], tmp_path: Path
) -> None:
    record = advisory("X-1", "PyPI", "aaa", "2", CRITICAL)
    advisories = import_advisories(Server(tmp_path / "maker"), tmp_path / "records", record)
    options = [*Bucket.of_environment().options(), "--advisories", str(advisories), "--scan-pull-wait", "60s"]
    url = database()
    front = own_server("front", database=url, options=[*options, "--scan-workers", "0"]).start()
    account = Account(front, front.administrator)
    name = account.repository("app", imageScanningConfiguration={"scanOnPush": True})
    image = front.push_and_pull(account.key).push(name, "v1", layer(python("aaa", "2")))
    prod = account.user("prod", allow(LOGIN), allow(PULL, Condition=GATE))
    scanner = own_server("scanner", database=url, keyring=front.keyring, options=options)

    def pull(_: int) -> tuple[int, str, bytes]:
        answer = front.push_and_pull(prod.key).pull(name, "v1")
        return answer.status_code, answer.text if answer.status_code != 200 else "", answer.content

    with ThreadPoolExecutor(WAITERS + 1) as pool:
        pulls = [pool.submit(pull, number) for number in range(WAITERS + 1)]
        done, waiting = wait(pulls, return_when=FIRST_COMPLETED)
        # One too many is answered at once, and the others are not.
        assert len(done) == 1
        status, text, _ = done.pop().result()
        assert status == 403
        assert "scan not finished; try again in a moment" in text
        scanner.start()
        for each in waiting:
            status, text, content = each.result()
            assert (status, content) == (200, image.manifest), text
    # Their places are free again.
    assert pull(0)[0] == 200
    assert sql(url, "SELECT COUNT(*) FROM scan_events") == "1"


def test_two_nodes_judge_each_image_of_one_queue_once(
    own_server: Callable[..., Server], database: Callable[[], str], tmp_path: Path
) -> None:
    images = 40
    bucket, url = Bucket.of_environment().options(), database()
    one = own_server("one", database=url, options=[*bucket, "--scan-workers", "0"]).start()
    account = Account(one, one.administrator)
    records = [advisory("X-1", "PyPI", "aaa", "50", CRITICAL), advisory("X-2", "PyPI", "bbb", "2", MEDIUM)]
    assert load_advisories(one, import_advisories(one, tmp_path / "first", *records)).returncode == 0
    name = account.repository("queue", imageScanningConfiguration={"scanOnPush": True})
    client = one.push_and_pull(account.key)
    for number in range(images):
        # Two of each: their results are equal, whoever comes to them.
        files = python("aaa", str(number // 2 + 1)) | python("bbb", "1")
        client.push(name, f"v{number}", layer(files), annotations={"number": str(number)})
    assert sql(url, "SELECT COUNT(*) FROM jobs WHERE kind = 'scan_image'") == str(images)
    one.stop()

    nodes = [
        own_server(home, database=url, keyring=one.keyring, options=[*bucket, "--scan-workers", "2"])
        for home in ("one", "two")
    ]
    for node in nodes:
        node.spawn()
    for node in nodes:
        node.wait_until_listening()
    account = Account(nodes[1], account.key)

    def told() -> list[dict[str, Any]]:
        done = nodes[0].command("events", "--data", str(nodes[0].data))
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["detail"] for line in done.stdout.splitlines()]

    results = [scanned(account, name, {"imageTag": f"v{number}"}) for number in range(images)]
    for first, second in zip(results[::2], results[1::2], strict=True):
        found = [result["imageScanFindings"]["findings"] for result in (first, second)]
        assert found[0] == found[1]
        assert [finding["name"] for finding in found[0]] == ["X-1", "X-2"]
    assert sql(url, "SELECT COUNT(*) FROM jobs") == "0"
    by_tag = sorted(detail["image-tags"][0] for detail in told())
    assert by_tag == sorted(f"v{number}" for number in range(images))

    # Other advisories come to one of them; the images that they concern are judged once again.
    records[1] = advisory("X-2", "PyPI", "bbb", "3", MEDIUM, modified="2026-11-02")
    file = import_advisories(nodes[0], tmp_path / "second", *records)
    assert load_advisories(nodes[0], file).returncode == 0
    statement = "SELECT generation, status, COUNT(*) FROM image_scans GROUP BY 1, 2"
    until(lambda: [tuple(sql(url, statement).splitlines())], [(f"2|COMPLETE|{images}",)])
    findings = [detail for detail in told() if "packageVulnerabilityDetails" in detail]
    assert len(findings) == images
    assert len({detail["findingArn"] for detail in findings}) == images
