"""`bonded backup` while the server serves, and `bonded restore`."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from account import Account
from command_json import assert_members
from oci import Image
from server import Server


def back_up(server: Server, to: Path, *, succeed: bool = True) -> subprocess.CompletedProcess[str]:
    done = server.command("backup", str(to), "--data", str(server.data), "-o", "json")
    assert (done.returncode == 0) is succeed, done.stderr
    return done


def restore(server: Server, backup: Path, *form: str) -> subprocess.CompletedProcess[str]:
    files = ["--data", str(server.data), "--keyring", str(server.keyring)]
    return server.command("restore", str(backup), *files, *form)


def assert_pulls(server: Server, account: Account, repository: str, image: Image) -> None:
    registry = server.push_and_pull(account.key)
    assert registry.pull(repository, "v1").content == image.manifest
    for layer in json.loads(image.manifest)["layers"]:
        assert registry.blob(repository, layer["digest"]).content == image.layer


def test_what_is_restored_is_what_was_there(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server("first").start()
    account = Account.default(server)
    registry = server.push_and_pull(account.key)
    first = account.repository("team/first")
    images = {first: registry.push(first, "v1", layer=b"one" * 100_000)}
    unfinished = registry.begin_upload(first)
    backup = tmp_path / "backup"
    made = json.loads(back_up(server, backup).stdout)
    assert made["objects"] == made["copied"] >= 2 and made["removed"] == 0
    assert made["directory"] == str(backup) and datetime.fromisoformat(made["takenAt"]).tzinfo

    # A later backup copies what is new and forgets what went.
    second = account.repository("team/second")
    images[second] = registry.push(second, "v1", layer=b"two" * 100_000)
    later = json.loads(back_up(server, backup).stdout)
    assert later["objects"] > made["objects"] and later["copied"] == later["objects"] - made["objects"]
    # The key ring is not in it, nor anything in clear.
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert all("keyring" not in path.name for path in files)
    ring = server.keyring.read_bytes()
    assert not any(ring in path.read_bytes() or b"oneoneone" in path.read_bytes() for path in files)
    server.kill()

    restored = own_server("restored", keyring=server.keyring)
    done = restore(restored, backup)
    assert done.returncode == 0, done.stderr
    assert f"{later['objects']} blobs" in done.stdout and "0 are not" in done.stdout
    restored.start()
    # Whoever trusted the first server's authority trusts this one.
    assert restored.ca.read_bytes() == server.ca.read_bytes()
    account = Account(restored, account.key)
    for repository, image in images.items():
        assert_pulls(restored, account, repository, image)
    assert restored.push_and_pull(account.key).request("GET", unfinished).status_code == 404
    restored.stop()


def test_a_backup_is_of_one_moment_of_a_busy_server(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server("busy").start()
    account = Account.default(server)
    repository = account.repository("busy")
    acknowledged: list[int] = []
    stop = threading.Event()

    def push() -> None:
        registry = server.push_and_pull(account.key)
        for number in range(10_000):
            if stop.is_set():
                return
            registry.push(repository, f"v{number}", layer=f"layer {number}".encode() * 5000)
            acknowledged.append(number)

    pushing = threading.Thread(target=push)
    pushing.start()
    try:
        while len(acknowledged) < 5:
            stop.wait(0.01)
        before = len(acknowledged)
        back_up(server, tmp_path / "backup")
    finally:
        stop.set()
        pushing.join()
    server.kill()
    restored = own_server("again", keyring=server.keyring)
    done = restore(restored, tmp_path / "backup", "-o", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert_members("restore", answer)
    assert answer["verified"] is True and answer["objects"] >= before and answer["damaged"] == []
    restored.start()
    registry = restored.push_and_pull(account.key)
    tags = registry.get(f"/v2/{repository}/tags/list").json()["tags"]
    assert len(tags) >= before
    for tag in tags:
        manifest = registry.pull(repository, tag).json()
        for blob in [manifest["config"], *manifest["layers"]]:
            assert len(registry.blob(repository, blob["digest"]).content) == blob["size"]
    restored.stop()


def test_damage_and_wrong_places_are_said(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server("source").start()
    account = Account.default(server)
    repository = account.repository()
    server.push_and_pull(account.key).push(repository, "v1", layer=b"x" * 100_000)
    for place, problem in [
        (server.data / "inside", "lie in one another"),
        (Path(__file__).parent, "neither empty nor"),
    ]:
        assert problem in back_up(server, place, succeed=False).stderr
    assert not (server.data / "inside" / "bonded.db").exists()
    backup = tmp_path / "backup"
    back_up(server, backup)
    server.stop()

    nothing = own_server("nothing", keyring=server.keyring)
    done = restore(nothing, tmp_path)
    assert done.returncode == 2 and "is not a backup" in done.stderr
    done = restore(server, backup)
    assert done.returncode == 2 and "is not empty" in done.stderr
    ringless = own_server("ringless")
    done = restore(ringless, backup)
    assert done.returncode == 2 and "the key ring" in done.stderr

    objects = sorted((backup / "objects").glob("*/*"), key=lambda path: path.stat().st_size)
    largest = objects[-1]
    spoiled = bytearray(largest.read_bytes())
    spoiled[len(spoiled) // 2] ^= 1
    largest.write_bytes(spoiled)
    objects[0].unlink()
    damaged = own_server("damaged", keyring=server.keyring)
    done = restore(damaged, backup)
    assert done.returncode == 1 and done.stderr.count("damaged or missing: sha256:") == 2
    shutil.rmtree(backup)
