"""Advisories that renew themselves: from a mirror, files or an artifact, on one node at a time, and never half."""

import base64
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, Account, allow
from bucket import Bucket as ObjectBucket
from scanning import advisory, import_advisories, layer, load_advisories, python, scanned
from server import Server
from test_advisory_mirror import Bucket
from test_doctor import doctor, status
from test_ecr_images import push
from test_metrics import scrape, values
from test_reload import reload
from test_rematching import events, judged_at

MakeServer = Callable[..., Server]
SECONDS = 60
OLD = advisory("GHSA-1", "PyPI", "jinja2", "2.0", modified="2026-01-01")
NEW = advisory("GHSA-2", "PyPI", "jinja2", "4.0", modified="2026-01-02")
AT_OLD, AT_NEW = 1767225600, 1767312000


class Mirror(Bucket):
    """A mirror that can be made to wait with its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.waiting = threading.Event()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if not self.goes_on.is_set():
            self.waiting.set()
            self.goes_on.wait(SECONDS)
        super().answer(request)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    yield mirror
    mirror.goes_on.set()
    mirror.stop()


def options(*sources: str, interval: str = "24h") -> list[str]:
    return ["--advisory-updates-sources", ",".join(sources), "--advisory-updates-interval", interval]


def until(condition: Callable[[], Any], server: Server) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, (status(server), server.tail())
        time.sleep(0.1)
    return found


def update(server: Server, *more: str) -> Any:
    return server.command("advisories", "update", "--data", str(server.data), *more)


def updated(server: Server, *more: str) -> dict[str, Any]:
    done = update(server, "-o", "json", *more)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def succeeded(server: Server) -> Any:
    return until(lambda: (status(server)["updates"] or {}).get("succeededAt"), server)


def test_a_mirror_that_changes_has_images_judged_again(own_server: MakeServer, mirror: Mirror) -> None:
    mirror.put("PyPI", OLD)
    server = own_server(options=options(mirror.url)).start()
    succeeded(server)
    account = Account.default(server)
    name = account.repository(imageScanningConfiguration={"scanOnPush": True})
    push(account, name, "v1", layer(python("jinja2", "3.0")))
    assert not scanned(account, name, {"imageTag": "v1"})["imageScanFindings"].get("enhancedFindings")
    judged_at(account, name, "v1", AT_OLD)
    before = status(server)
    last = events(server)[-1]["id"]

    mirror.put("PyPI", OLD, NEW, archive=False)
    mirror.taken()
    answer = updated(server)
    assert (answer["changed"], answer["ecosystems"]) == (True, {"PyPI": 2})
    # Only what is newer was fetched.
    assert mirror.taken() == ["PyPI/GHSA-2.json", "PyPI/modified_id.csv", "ecosystems.txt"]
    found = judged_at(account, name, "v1", AT_NEW)["enhancedFindings"]
    assert [one["packageVulnerabilityDetails"]["vulnerabilityId"] for one in found] == ["GHSA-2"]
    told = until(lambda: events(server, last)[1:], server)
    assert told[0]["detail"]["bonded"]["reasons"] == ["advisory_published"]

    assert updated(server)["changed"] is False
    after = status(server)
    assert after["advisories"]["digest"] == answer["digest"] != before["advisories"]["digest"]
    in_force = after["updates"]
    assert in_force["sources"] == [mirror.url] and in_force["intervalSeconds"] == 24 * 60 * 60
    assert in_force["succeededAt"] > before["updates"]["succeededAt"] and in_force["dueAt"] > in_force["succeededAt"]
    assert (in_force["failures"], in_force["error"], in_force["running"]) == (0, None, False)
    assert doctor(server, key=account.key)[1]["advisory updates"][0] == "good"
    measured = values(scrape(server).text)
    assert measured["bonded_advisories_update_failures"] == 0
    assert measured["bonded_advisories_update_last_success_timestamp_seconds"] > AT_NEW
    server.stop()


def test_what_fails_or_is_refused_changes_nothing_and_is_said(own_server: MakeServer, mirror: Mirror) -> None:
    mirror.put("PyPI", OLD, NEW)
    server = own_server(options=options(mirror.url)).start()
    succeeded(server)
    in_use = status(server)["advisories"]

    def failed(said: str, failures: int) -> None:
        done = update(server)
        assert done.returncode == 1 and said in done.stderr, done.stderr
        after = status(server)
        assert after["advisories"]["digest"] == in_use["digest"]
        assert after["updates"]["failures"] == failures and said in after["updates"]["error"], after
        outcome, text = doctor(server)[1]["advisory updates"]
        assert outcome == "note" and said in text
        until(lambda: values(scrape(server).text)["bonded_advisories_update_failures"] == failures, server)
        assert said in server.log.read_text()

    mirror.statuses["ecosystems.txt"] = [404]
    failed("is answered with 404", 1)
    mirror.put("PyPI", NEW)
    failed("more than a tenth is missing", 2)
    # The operator's word, once.
    assert updated(server, "--force")["ecosystems"] == {"PyPI": 1}
    assert status(server)["updates"]["failures"] == 0
    server.stop()


def test_it_is_tried_again_by_itself(own_server: MakeServer, mirror: Mirror) -> None:
    mirror.put("PyPI", OLD)
    mirror.statuses["ecosystems.txt"] = [404]
    server = own_server(options=options(mirror.url, interval="1s")).start()
    succeeded(server)
    assert "to be renewed later" in server.log.read_text()
    mirror.put("PyPI", OLD, NEW)
    until(lambda: status(server)["advisories"]["advisories"] == 2, server)
    server.stop()


def test_files_that_the_operator_renews_are_taken_with_a_mirror(
    own_server: MakeServer, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.put("PyPI", OLD)
    records = tmp_path / "records"
    records.mkdir()
    (records / "one.json").write_text(json.dumps(advisory("X-1", "npm", "a", "1")))
    mirror.put("Rocky Linux", advisory("RLSA-1", "Rocky Linux:9", "openssl", "0:3-1.el9"))
    more = ["--advisory-updates-ecosystems", "PyPI"]
    server = own_server(options=[*options(mirror.url, str(records)), *more]).start()
    succeeded(server)
    assert not any("Rocky" in path for path in mirror.taken())
    assert updated(server)["ecosystems"] == {"PyPI": 1, "npm": 1}
    (records / "one.json").unlink()
    assert "more than a tenth" in update(server).stderr
    # The copy of the mirror is where the settings say, and may go at any time.
    shutil.rmtree(server.data / "advisory-mirrors")
    assert updated(server, "--force")["ecosystems"] == {"PyPI": 1}
    server.stop()


def test_a_server_that_stops_in_the_middle_goes_on_at_its_next_start(own_server: MakeServer, mirror: Mirror) -> None:
    mirror.put("PyPI", OLD)
    server = own_server(options=options(mirror.url)).start()
    succeeded(server)
    mirror.goes_on.clear()
    mirror.put("PyPI", OLD, NEW)
    waits = threading.Thread(target=update, args=(server,))
    waits.start()
    assert mirror.waiting.wait(SECONDS)
    assert status(server)["updates"]["running"]
    again = update(server)
    assert again.returncode == 1 and "being renewed just now" in again.stderr
    server.stop()
    waits.join()
    server.start()
    after = status(server)
    assert after["advisories"]["advisories"] == 1
    assert (after["updates"]["failures"], after["updates"]["running"]) == (0, False)

    # One that ends without a word: it has failed, and is not begun for ever.
    mirror.waiting.clear()
    waits = threading.Thread(target=update, args=(server,))
    waits.start()
    assert mirror.waiting.wait(SECONDS)
    server.kill()
    waits.join()
    mirror.goes_on.set()
    server.start()
    after = status(server)["updates"]
    assert (after["failures"], after["running"]) == (1, False)
    assert "ended in the middle of it" in after["error"]
    assert updated(server)["ecosystems"] == {"PyPI": 2}
    server.stop()


def test_sources_are_taken_up_without_a_restart(own_server: MakeServer, mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("PyPI", OLD)
    config = tmp_path / "bonded.toml"
    config.write_text("")
    server = own_server(options=["--config", str(config)]).start()
    assert status(server)["updates"] is None
    done = update(server)
    assert done.returncode == 1 and "set 'advisory_updates.sources'" in done.stderr
    config.write_text(f"[advisory_updates]\nsources = ['{mirror.url}']\n")
    reload(server)
    succeeded(server)
    assert status(server)["advisories"]["advisories"] == 1
    # Others are asked at once, whenever the last ones were.
    records = tmp_path / "records"
    records.mkdir()
    for record in (OLD, NEW):
        (records / f"{record['id']}.json").write_text(json.dumps(record))
    config.write_text(f"[advisory_updates]\nsources = ['{records}']\ninterval = '6h'\n")
    reload(server)
    until(lambda: status(server)["advisories"]["advisories"] == 2, server)
    assert status(server)["updates"]["intervalSeconds"] == 6 * 60 * 60
    assert "taken up at the next start" not in server.log.read_text()
    # What cannot be is said, and nothing changes.
    config.write_text("[advisory_updates]\nsources = ['oci://a/b:c', 'records']\n")
    reload(server)
    until(lambda: "stands alone" in server.log.read_text(), server)
    assert status(server)["updates"]["sources"] == [str(records)]
    server.stop()


def test_an_artifact_of_another_registry_is_pulled_with_credentials_in_a_file(
    own_server: MakeServer, server: Server, account: Account, tmp_path: Path
) -> None:
    name = account.repository("advisories")
    reader = account.user("reader", allow([LOGIN, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]))
    artifact = f"127.0.0.1:{server.port}/{name}:daily"

    def pushed(directory: str, *records: dict[str, Any]) -> None:
        file = import_advisories(server, tmp_path / directory, *records)
        done = server.command("advisories", "push", str(file), artifact, key=account.key)
        assert done.returncode == 0, done.stderr

    def credentials(password: str) -> None:
        auth = base64.b64encode(f"AWS:{password}".encode()).decode()
        config.write_text(json.dumps({"auths": {f"127.0.0.1:{server.port}": {"auth": auth}}}))

    config = tmp_path / "config.json"
    credentials("wrong")
    pushed("one", OLD)
    more = ["--advisory-updates-docker-config", str(config), "--egress-authorities", str(server.ca)]
    mine = own_server("mine", options=[*options(f"oci://{artifact}"), *more]).start()
    until(lambda: status(mine)["updates"]["failures"] == 1, mine)
    assert status(mine)["advisories"] is None
    password = server.password(reader.key)
    credentials(password)
    first = updated(mine)
    assert (first["changed"], first["ecosystems"]) == (True, {"PyPI": 1})
    assert updated(mine)["changed"] is False
    pushed("two", OLD, NEW)
    assert updated(mine)["ecosystems"] == {"PyPI": 2}
    # An artifact that lost its records is refused, as a file is.
    pushed("three", NEW)
    assert "more than a tenth" in update(mine).stderr
    assert status(mine)["advisories"]["advisories"] == 2
    assert status(mine)["updates"]["sources"] == [f"oci://{artifact}"]
    config.unlink()
    assert "no file" in update(mine).stderr
    log = mine.log.read_text()
    assert password not in log and base64.b64encode(f"AWS:{password}".encode()).decode() not in log
    # By plain HTTP only if the operator says so.
    mine.stop()
    credentials(password)
    assert "egress" in mine.command("config", "show").stdout
    plain = own_server("plain", options=[*options(f"oci://{artifact}"), *more[:2]]).start()
    until(lambda: status(plain)["updates"]["failures"] == 1, plain)
    plain.stop()
    allowed = ["--egress-allow", f"http://127.0.0.1:{server.port}"]
    plain = own_server("allowed", options=[*options(f"oci://{artifact}"), *more[:2], *allowed]).start()
    succeeded(plain)
    plain.stop()


def test_of_two_nodes_one_asks_and_both_judge_by_it(
    own_server: MakeServer, database: Callable[[], str], mirror: Mirror, tmp_path: Path
) -> None:
    url, bucket = database(), ObjectBucket.of_environment()
    mirror.put("PyPI", OLD)
    given = [*bucket.options(), *options(mirror.url)]
    one = own_server("one", database=url, options=given).start()
    two = own_server("two", database=url, keyring=one.keyring, options=given).start()
    nodes = (one, two)

    def judge_by(count: int) -> bool:
        in_use = [status(node)["advisories"] for node in nodes]
        return all(used and used["advisories"] == count for used in in_use)

    until(lambda: judge_by(1), one)
    mirror.put("PyPI", OLD, NEW)
    mirror.taken()
    updated(two)
    until(lambda: judge_by(2), one)
    assert mirror.taken().count("ecosystems.txt") == 1
    digests = {status(node)["advisories"]["digest"] for node in nodes}
    assert len(digests) == 1 and len({status(node)["updates"]["succeededAt"] for node in nodes}) == 1
    # What an operator loads on one comes to the other too; the files are public, and in clear.
    third = advisory("GHSA-3", "PyPI", "flask", "1")
    loaded = load_advisories(one, import_advisories(one, tmp_path / "records", OLD, NEW, third))
    assert loaded.returncode == 0, loaded.stderr
    until(lambda: judge_by(3), two)
    assert any("/advisories/" in key for key in bucket.objects())
    # A node that comes later begins with them.
    two.stop()
    shutil.rmtree(two.data / "advisories")
    two.start()
    assert status(two)["advisories"]["advisories"] == 3
    for node in nodes:
        node.stop()
