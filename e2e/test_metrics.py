"""What monitoring sees: `/health` and `/metrics`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from account import Account
from scanning import advisory, import_advisories, load_advisories
from server import Server
from test_doctor import status

DAY = 24 * 60 * 60


def scrape(server: Server, **options: object) -> requests.Response:
    return requests.get(server.url() + "/metrics", verify=str(server.ca), timeout=30, **options)


def values(text: str) -> dict[str, float]:
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_requests_are_counted_by_what_answered_them(server: Server, account: Account) -> None:
    registry = server.push_and_pull(account.key)
    repository = account.repository()
    image = registry.push(repository, "v1", layer=b"x" * 100_000)
    assert registry.pull(repository, "v1").content == image.manifest
    registry.get(f"/v2/{repository}/nothing/here")
    answer = scrape(server)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    counted = values(answer.text)
    for labels in [
        'door="ecr",operation="CreateRepository",status="200"',
        'door="oci",operation="PutManifest",status="201"',
        'door="oci",operation="GetManifest",status="200"',
        'door="oci",operation="-",status="404"',
    ]:
        assert counted[f"bonded_http_requests_total{{{labels}}}"] >= 1, answer.text
    seconds = 'bonded_http_request_duration_seconds_count{door="oci",operation="GetManifest"}'
    assert counted[seconds] >= 1
    assert counted["bonded_http_received_bytes_total"] >= 100_000
    # This one is under way.
    assert counted["bonded_http_requests_in_flight"] == 1
    # Neither names nor what was asked for by mistake are in it.
    assert repository not in answer.text and "nothing" not in answer.text


def test_the_age_and_digest_of_the_advisories_are_measured(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server().start()
    before = values(scrape(server).text)
    assert before["bonded_advisories_loaded"] == 0
    assert not any("advisories_age" in name for name in before)
    modified = datetime.now(UTC) - timedelta(days=3)
    record = advisory("X-1", "PyPI", "a", "1", modified=modified.strftime("%Y-%m-%d"))
    load_advisories(server, import_advisories(server, tmp_path / "records", record))
    text = scrape(server).text
    after = values(text)
    assert (after["bonded_advisories_loaded"], after["bonded_advisories_records"]) == (1, 1)
    assert 3 * DAY <= after["bonded_advisories_age_seconds"] < 5 * DAY
    digest = status(server)["advisories"]["digest"]
    assert after[f'bonded_advisories_in_use_info{{digest="{digest}"}}'] == 1
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1


def test_metrics_are_for_those_who_may_read_them(own_server: Callable[..., Server]) -> None:
    server = own_server(options=["--metrics-from", "10.0.0.0/8", "--trusted-proxies", "127.0.0.1"]).start()
    assert scrape(server).status_code == 404
    assert scrape(server, headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 200
    assert scrape(server, headers={"X-Forwarded-For": "10.1.2.3, 192.0.2.1"}).status_code == 404


def test_health_needs_no_name(server: Server) -> None:
    server.create_account("333333333333")
    for method, body in [("GET", "ok\n"), ("HEAD", "")]:
        answer = requests.request(
            method, server.url() + "/health", headers={"Host": "10.0.0.7"}, verify=str(server.ca), timeout=30
        )
        assert (answer.status_code, answer.text) == (200, body)
