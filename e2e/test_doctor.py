"""`bonded status` and `bonded doctor`: what a person sees of a server and of the machine."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from account import Account
from scanning import advisory, import_advisories, load_advisories
from server import Key, Server


def doctor(server: Server, *more: str, key: Key | None = None) -> tuple[int, dict[str, tuple[str, str]]]:
    """The status, and for each check its outcome and its text."""
    files = ["--data", str(server.data), "--keyring", str(server.keyring)]
    done = server.command("doctor", *files, "-o", "json", *more, key=key)
    findings = json.loads(done.stdout)
    return done.returncode, {finding["check"]: (finding["outcome"], finding["detail"]) for finding in findings}


def status(server: Server) -> dict[str, Any]:
    done = server.command("status", "--data", str(server.data), "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_age_of_the_advisories_is_said_and_a_week_is_too_old(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = own_server().start()
    key = Account.default(server).key
    assert status(server)["advisories"] is None
    ended, findings = doctor(server, key=key)
    outcome, text = findings["advisories"]
    assert (ended, outcome) == (0, "note")
    assert "no image can be judged" in text and "bonded advisories load FILE" in text
    assert "none are loaded" in server.command("status", "--data", str(server.data)).stdout
    for days, outcome in [(2, "good"), (9, "note")]:
        at = datetime.now(UTC) - timedelta(days=days)
        record = advisory("X-1", "PyPI", "a", "1", modified=at.strftime("%Y-%m-%d"))
        file = import_advisories(server, tmp_path / str(days), record)
        load_advisories(server, file)
        in_use = status(server)["advisories"]
        assert in_use["digest"].startswith("sha256:") and in_use["asOf"].startswith(f"{at:%Y-%m-%d}T")
        assert (in_use["advisories"], in_use["ecosystems"]) == (1, 1)
        assert in_use["ageSeconds"] // (24 * 60 * 60) in (days, days + 1)
        ended, findings = doctor(server, key=key)
        assert (ended, findings["advisories"][0]) == (0, outcome), findings
        assert in_use["digest"] in findings["advisories"][1]
        assert ("bonded advisories load FILE" in findings["advisories"][1]) is (outcome == "note")
        table = server.command("status", "--data", str(server.data)).stdout
        assert f"as of {in_use['asOf']}" in table and in_use["digest"] in table
    server.stop()


def test_status_counts_what_is_there(server: Server, account: Account) -> None:
    repository = account.repository()
    server.push_and_pull(account.key).push(repository, "v1", layer=b"x" * 1000)
    said = status(server)
    assert said["accounts"] == 1 and said["account"] == account.id
    assert said["repositories"] >= 1 and said["images"] >= 1
    assert said["objects"] >= 2 and said["objectBytes"] >= 1000
    text = server.command("status", "--data", str(server.data)).stdout
    assert f"{account.id} in us-east-1" in text


def test_a_healthy_server_has_nothing_wrong(server: Server, account: Account) -> None:
    status, findings = doctor(server, key=account.key)
    assert status == 0, findings
    for check in ["configuration", "data directory", "key ring", "server", "connection", "clocks", "credentials"]:
        assert findings[check][0] == "good", findings
    assert findings["credentials"][1].endswith(":user/administrator")


def test_what_is_wrong_is_said_with_what_to_do(server: Server, account: Account, tmp_path: Path) -> None:
    status, findings = doctor(server, key=Key(account.key.id, "wrong", account.id))
    assert (status, findings["credentials"][0]) == (1, "wrong")
    assert "signature" in findings["credentials"][1]
    status, findings = doctor(server, "--endpoint-url", "https://127.0.0.1:1", key=account.key)
    assert (status, findings["connection"][0]) == (1, "wrong")
    (tmp_path / "bonded.toml").write_text("listne = 'x'")
    status, findings = doctor(server, "--config", str(tmp_path / "bonded.toml"))
    assert status == 1 and "did you mean 'listen'?" in findings["configuration"][1]
    server.data.chmod(0o755)
    try:
        status, findings = doctor(server, key=account.key)
        assert status == 1 and "chmod 700" in findings["data directory"][1]
    finally:
        server.data.chmod(0o700)


@pytest.mark.parametrize("command", ["status", "gc"])
def test_without_a_server_the_next_step_is_named(own_server: Callable[..., Server], command: str) -> None:
    server = own_server()
    done = server.command(command, "--data", str(server.data))
    assert done.returncode == 1 and "start it with 'bonded serve'" in done.stderr
    _, findings = doctor(server)
    assert findings["server"][0] == "note"
