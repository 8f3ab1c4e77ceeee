#!/usr/bin/env python3
"""What bench.py does not measure: the start, syncs of a small push, a page of 100,000 tags, memory at rest.

    .venv/bin/python bench/single.py     # as root, with strace; the binary as in compare.py"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import server  # noqa: E402
from oci import OCI_INDEX, V2, digest  # noqa: E402

server.BINARY = Path(os.environ.get("BONDED", HERE.parent / "target" / "release" / "bonded"))
MIB = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def started(home: Path) -> float:
    """Seconds from the start of the process to its first answer."""
    ours = server.Server(home)
    begin = time.monotonic()
    ours.start()
    assert ours.v2(None, tls=False).get("/v2/").status_code == 401
    seconds = time.monotonic() - begin
    ours.stop()
    return seconds


def syncs(ours: server.Server, v2: V2, blobs: int) -> dict[str, float]:
    """System calls for each push of a blob of 4 KiB."""
    command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,rename,mkdir,openat,unlink", "-p", str(ours.pid())]
    tracing = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    for _ in range(blobs):
        v2.push_blob("bench/small", os.urandom(4096))
    tracing.terminate()
    _, report = tracing.communicate()
    calls = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", report, re.M)
    return {name: int(count) / blobs for count, name in calls if name != "total"}


def tags(ours: server.Server, v2: V2, count: int, pages: int) -> tuple[float, float]:
    """Milliseconds of the server's CPU, and of the clock at the median, for a page of 100."""
    for image in range(count // 1000):
        body = json.dumps({"schemaVersion": 2, "manifests": [], "annotations": {"n": str(image)}}).encode()
        for fifty in range(20):
            query = "&".join(f"tag=t{image:03}{fifty * 50 + n:03}" for n in range(50))
            answer = v2.put_manifest("bench/tags", f"{digest(body)}?{query}", body, OCI_INDEX)
            assert answer.status_code == 201, answer.text
    took, begin = [], cpu_seconds(ours.pid())
    for page in range(pages):
        at = time.monotonic()
        last = f"t{page * 997 % count:06}"
        assert len(v2.get(f"/v2/bench/tags/tags/list?n=100&last={last}").json()["tags"]) in range(1, 101)
        took.append(time.monotonic() - at)
    return (cpu_seconds(ours.pid()) - begin) / pages * 1000, statistics.median(took) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bonded-bench.") as temporary:
        home = Path(temporary)
        first, *later = [started(home / "start") for _ in range(6)]
        again = statistics.median(later)
        print(f"start to first answer: {first * 1000:.0f} ms the first time, then {again * 1000:.0f} ms")
        ours = server.Server(home / "ours", options=["--create-on-push", "bench/*", "--log-level", "warn"])
        ours.start()
        print(f"memory at rest: {ours.memory() / MIB:.0f} MiB")
        password = ours.password(ours.administrator)
        v2 = ours.v2(password, tls=False)
        v2.push_blob("bench/small", b"the repository exists")
        print(f"calls for each push of 4 KiB: {syncs(ours, v2, 100)}")
        cpu, clock = tags(ours, v2, 100_000, 500)
        print(f"page of 100 of 100,000 tags: {cpu:.2f} ms CPU, {clock:.2f} ms at the median")
        ours.stop()


if __name__ == "__main__":
    main()
