"""A node that only serves (`scan.workers = 0`): what is pushed to it is scanned by another node of its database."""

from collections.abc import Callable
from pathlib import Path

from account import LOGIN, PULL, Account, allow
from bucket import Bucket
from scanning import CRITICAL, GATE, advisory, debian, findings, import_advisories, layer, scanned
from server import Server

IMAGE = {"imageTag": "v1"}


def test_a_gate_opens_once_another_node_has_scanned(
    own_server: Callable[..., Server], database: Callable[[], str], tmp_path: Path
) -> None:
    record = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL)
    advisories = import_advisories(Server(tmp_path / "maker"), tmp_path / "records", record)
    options = [*Bucket.of_environment().options(), "--advisories", str(advisories), "--scan-pull-wait", "0s"]
    url = database()
    front = own_server("front", database=url, options=[*options, "--scan-workers", "0"]).start()
    account = Account(front, front.administrator)
    clean = account.repository("clean", imageScanningConfiguration={"scanOnPush": True})
    vulnerable = account.repository("vulnerable", imageScanningConfiguration={"scanOnPush": True})
    door = front.push_and_pull(account.key)
    door.push(clean, "v1", layer(debian(("bash", "5.2.15-2", "bash"))))
    door.push(vulnerable, "v1", layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl"))))
    prod = account.user("prod", allow(LOGIN), allow(PULL, Condition=GATE))
    by_prod = front.push_and_pull(prod.key)

    for name in (clean, vulnerable):
        refused = by_prod.pull(name, "v1")
        assert refused.status_code == 403
        (error,) = refused.json()["errors"]
        assert error["code"] == "DENIED"
        assert "scan not finished; try again in a moment" in error["message"]
        assert findings(account, name, IMAGE)["imageScanStatus"]["status"] in ("PENDING", "IN_PROGRESS")
    # Not the node's own time, only another node, changes that.
    front.stop()
    account = Account(front.start(), account.key)
    by_prod = front.push_and_pull(prod.key)
    assert by_prod.pull(clean, "v1").status_code == 403

    own_server("scanner", database=url, keyring=front.keyring, options=options).start()
    for name in (clean, vulnerable):
        assert scanned(account, name, IMAGE)["imageScanStatus"]["status"] == "COMPLETE"
    assert by_prod.pull(clean, "v1").status_code == 200
    blocked = by_prod.pull(vulnerable, "v1")
    assert blocked.status_code == 403 and "1 critical findings" in blocked.json()["errors"][0]["message"]
