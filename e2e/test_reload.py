"""SIGHUP: certificate, log level and trusted proxies are taken up without a restart."""

import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import requests

from server import Server

ACCOUNTS_BY_PROXY = {"X-Forwarded-For": "10.1.2.3"}


def wait_for(server: Server, text: str, times: int = 1) -> None:
    deadline = time.monotonic() + 30
    while server.log.read_text().count(text) < times:
        assert time.monotonic() < deadline, server.tail()
        time.sleep(0.02)


def reload(server: Server) -> None:
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGHUP)


def certificate(directory: Path, name: str) -> None:
    """A self-signed certificate of `name`, and its key."""
    directory.mkdir(exist_ok=True)
    made = ["-keyout", directory / "new.key", "-out", directory / "new.crt", "-subj", f"/CN={name}"]
    subject = ["-addext", "subjectAltName=IP:127.0.0.1", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(["openssl", "req", "-x509", "-nodes", *subject, *made], check=True, capture_output=True)
    for suffix in ["key", "crt"]:
        shutil.move(directory / f"new.{suffix}", directory / f"server.{suffix}")


def served(server: Server) -> str:
    return ssl.get_server_certificate(("127.0.0.1", server.port))


def test_a_configuration_is_read_again(own_server: Callable[..., Server], tmp_path: Path) -> None:
    pair, config = tmp_path / "pair", tmp_path / "bonded.toml"
    certificate(pair, "first")
    files = f"[tls]\ncertificate = '{pair / 'server.crt'}'\nkey = '{pair / 'server.key'}'\n"
    config.write_text(f"metrics_from = ['10.0.0.0/8']\n{files}")
    server = own_server(options=["--config", str(config)]).start()
    first = served(server)

    def sees_metrics() -> bool:
        answer = requests.get(server.url(tls=False) + "/metrics", headers=ACCOUNTS_BY_PROXY, timeout=30)
        return answer.status_code == 200

    assert not sees_metrics()
    certificate(pair, "second")
    trusting = f"metrics_from = ['10.0.0.0/8']\ntrusted_proxies = ['127.0.0.1']\n{files}"
    config.write_text(trusting + "[log]\nlevel = 'info,bonded=debug'\n")
    reload(server)
    wait_for(server, "the configuration was read again")
    assert sees_metrics()
    assert served(server) != first and served(server) == (pair / "server.crt").read_text()

    # What is wrong changes nothing, not even in part.
    second = served(server)
    (pair / "server.crt").write_text("nothing")
    config.write_text(f"metrics_from = ['10.0.0.0/8']\n{files}")
    reload(server)
    wait_for(server, "the configuration stays as it was")
    assert sees_metrics() and served(server) == second
    certificate(pair, "third")
    config.write_text("trusted_proxys = []\n")
    reload(server)
    wait_for(server, "did you mean 'trusted_proxies'?")
    assert sees_metrics()

    # What cannot be taken up is said.
    config.write_text("regions = ['eu-west-1']\n" + trusting)
    reload(server)
    wait_for(server, "the configuration was read again", 2)
    assert "settings=regions" in server.log.read_text()
    server.stop()
