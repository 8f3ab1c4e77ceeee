#!/usr/bin/env python3
"""Measures us beside Debian's docker-registry and nginx in the same minutes (docs/performance.md).

    cargo build --release -p bonded-server
    .venv/bin/python bench/compare.py [--rounds 3] [--big-mib 256] [any other option of bench.py]
    .venv/bin/python bench/compare.py --tls --only push_big_stream,pull_big

Everything is written below one temporary directory, which is removed at the end. Root is needed, to reset peaks of
memory; so are docker-registry, nginx-light, gcc and libssl-dev of Debian."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import server  # noqa: E402

server.BINARY = Path(os.environ.get("BONDED", HERE.parent / "target" / "release" / "bonded"))

DISTRIBUTION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {home}/distribution}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
NGINX = """
daemon off;
worker_processes 2;
pid {home}/nginx.pid;
error_log {home}/nginx.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4;
  scgi_temp_path {home}/t5;
  server {{ listen 127.0.0.1:{port}; root {home}/nginx; location = /v2/ {{ return 200 "{{}}"; }} }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str | Path], port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, f"{command[0]} ended"
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


def main(options: list[str]) -> None:
    tls = "--tls" in options
    options = [option for option in options if option != "--tls"]
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bonded-bench.")))
        (home / "nginx").mkdir(mode=0o755)
        home.chmod(0o755)
        distribution, nginx = free_port(), free_port()
        for name, text, port in (("distribution", DISTRIBUTION, distribution), ("nginx", NGINX, nginx)):
            (home / f"{name}.conf").write_text(text.format(home=home, port=port))
        ours = server.Server(home / "ours", options=["--create-on-push", "bench/*", "--log-level", "warn"])
        ours.start()
        stack.callback(ours.stop)
        stack.enter_context(running(["docker-registry", "serve", home / "distribution.conf"], distribution))
        stack.enter_context(running(["nginx", "-c", home / "nginx.conf"], nginx))
        password = ours.password(ours.administrator)
        targets = [f"bonded={ours.url(tls=tls)},auth=AWS:{password}"]
        if not tls:
            targets.append(f"distribution=http://127.0.0.1:{distribution}")
            targets.append(f"nginx=http://127.0.0.1:{nginx},static={home}/nginx")
        command = [sys.executable, HERE / "bench.py", *targets, "--limit-dir", home, *options]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
