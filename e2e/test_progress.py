"""How far long commands are: a bar on a terminal, lines in a pipeline, JSON for programs; never on standard output."""

import gzip
import json
import os
import pty
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, PULL, Account, allow
from scanning import advisory, import_advisories
from server import BINARY, Server
from test_ecr_images import push

CLEAR = "\r\x1b[K"
LAYERS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has something to copy and to collect, and whose pulls do not wait for scans."""
    home = tmp_path_factory.mktemp("server")
    server = Server(home, options=["--scan-pull-wait", "0s"])
    server.start()
    account = Account.default(server)
    repository = account.repository("kept")
    for number in range(LAYERS):
        server.push_and_pull(account.key).push(repository, f"v{number}", os.urandom(1_000_000))
    yield server
    server.stop()


Words = Callable[[Server, Path], list[str]]


def records(server: Server, directory: Path) -> Path:
    if not directory.exists():
        import_advisories(server, directory, *[advisory(f"X-{i}", "PyPI", f"p{i}", "1") for i in range(40)])
    return directory


def restoring(server: Server, tmp_path: Path) -> list[str]:
    done = server.command("backup", str(tmp_path / "source"), "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    target = ["--data", str(tmp_path / "restored"), "--keyring", str(server.keyring)]
    return ["restore", str(tmp_path / "source"), *target]


# Each command, and its steps in order.
COMMANDS: dict[str, tuple[Words, list[str]]] = {
    "advisories import": (
        lambda server, path: [
            "advisories",
            "import",
            str(records(server, path / "records")),
            "--output",
            str(path / "made"),
        ],
        ["read", "sort", "write"],
    ),
    "advisories load": (
        lambda server, path: [
            "advisories",
            "load",
            str(records(server, path / "records").with_suffix(".advisories")),
            "--data",
            str(server.data),
        ],
        ["copy", "check"],
    ),
    "backup": (
        lambda server, path: ["backup", str(path / "backup"), "--data", str(server.data)],
        ["rows", "blobs", "files"],
    ),
    "restore": (restoring, ["copy", "verify"]),
    "gc": (
        lambda server, _: ["gc", "--data", str(server.data)],
        ["uploads", "layers", "objects", "strays", "bytes"],
    ),
    "keyring rotate": (
        lambda server, _: ["keyring", "rotate", "--data", str(server.data)],
        ["ring", "keys"],
    ),
}
each = pytest.mark.parametrize("name", COMMANDS)


def on_a_terminal(server: Server, words: list[str], account: Account | None = None) -> tuple[int, str, str]:
    """Runs a command whose standard error is a terminal; the status, the output and what the terminal was sent."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [BINARY, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=server.environment(account.key if account else None),
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            read = os.read(master, 65536)
        except OSError:  # nobody has the terminal any more
            break
        if not read:
            break
        shown += read
    os.close(master)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output.decode(), shown.decode()


@each
def test_a_terminal_gets_a_bar_that_is_gone_in_the_end(server: Server, tmp_path: Path, name: str) -> None:
    words, steps = COMMANDS[name]
    status, output, shown = on_a_terminal(server, words(server, tmp_path))
    assert status == 0, shown
    assert output and "\r" not in output
    for step in steps:
        assert re.search(rf"\r(\[#* *\]  )?{step}", shown), (step, shown)
    assert shown.endswith(CLEAR) and "\n" not in shown
    if name in ("advisories import", "backup", "restore", "keyring rotate"):
        assert f"\r[{'#' * 20}]  " in shown and re.search(r" of [\d.]+", shown)


@each
def test_a_pipe_gets_nothing_and_a_pipeline_lines(server: Server, tmp_path: Path, name: str) -> None:
    words, steps = COMMANDS[name]

    def said(place: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / place).mkdir()
        command = [BINARY, *words(server, tmp_path / place), *options]
        surroundings = server.environment(None) | environment
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=True)

    assert said("pipe").stderr == ""
    assert said("none", "--progress", "none", CI="true").stderr == ""
    quiet = said("quiet", "--quiet", CI="true")
    assert quiet.stderr == ""
    for done in (said("plain", "--progress", "plain"), said("ci", CI="true")):
        told = [line.split("  ")[0] for line in done.stderr.splitlines()]
        assert list(dict.fromkeys(told)) == steps, done.stderr
        assert "\x1b" not in done.stderr and "\r" not in done.stderr
    form = "--format" if name == "advisories import" else "-o"
    done = said("json", "--progress", "json", form, "json")
    json.loads(done.stdout)
    told_of = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["step"] for line in told_of if line["ended"]] == steps
    for line in told_of:
        assert line["event"] == "step" and line["unit"] in ("bytes", "count")
        assert line["of"] is None or line["done"] <= line["of"]


def test_a_step_is_told_of_on_its_way(server: Server, tmp_path: Path) -> None:
    words = ["backup", str(tmp_path / "backup"), "--data", str(server.data), "--progress", "json"]
    lines = [json.loads(line) for line in server.command(*words).stderr.splitlines()]
    blobs = [line for line in lines if line["step"] == "blobs"]
    assert len(blobs) >= LAYERS, blobs
    done = [line["done"] for line in blobs]
    assert done == sorted(done) and done[-1] == blobs[-1]["of"] >= LAYERS * 1_000_000


def test_whoever_does_not_listen_is_not_waited_for(server: Server, tmp_path: Path) -> None:
    """The server ends a backup although the command that asked for it is gone, and goes on to serve."""
    words = [BINARY, "backup", str(tmp_path / "backup"), "--data", str(server.data), "--progress", "json"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env=server.environment(None))
    assert process.stderr is not None
    process.stderr.readline()
    process.kill()
    process.wait()
    done = server.command("backup", str(tmp_path / "backup"), "--data", str(server.data), "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objects"] >= LAYERS


def large_layer() -> bytes:
    """128 MiB of zeros in a tar archive in gzip: long to look into and short to send."""
    piece = 64 * 1024 * 1024
    header = tarfile.TarInfo("zeros")
    header.size = 2 * piece
    zeros = gzip.compress(bytes(piece), 9)
    return gzip.compress(header.tobuf()) + zeros * 2 + gzip.compress(bytes(1024))


def test_a_gate_shows_how_long_it_waits_for_a_scan(server: Server, tmp_path: Path) -> None:
    account = Account.default(server)
    record = advisory("X-1", "PyPI", "a", "1")
    done = server.command(
        "advisories",
        "load",
        str(import_advisories(server, tmp_path / "records", record)),
        "--force",
        "--data",
        str(server.data),
    )
    assert done.returncode == 0, done.stderr
    condition: dict[str, Any] = {"StringEquals": {"bonded:ScanStatus": ["COMPLETE", "UNSUPPORTED_IMAGE"]}}
    role = account.role("gated", None, allow(LOGIN), allow(PULL, Condition=condition))
    name = account.repository("slow", imageScanningConfiguration={"scanOnPush": True})
    push(account, name, "v1", large_layer())
    words = ["gate", "check", f"{name}:v1", "--as", role]
    asked_at_once = server.command(*words, "--wait", "0", "-o", "json", key=account.key)
    assert asked_at_once.returncode == 6, asked_at_once.stdout + asked_at_once.stderr
    status, output, shown = on_a_terminal(server, [*words, "--wait", "600"], account)
    assert re.search(r"\r\[ *\]  wait  \d+ of 600 s", shown), shown
    assert shown.endswith(CLEAR)
    assert status in (0, 5), output
