"""Proxies of the environment: mirrors, registries and servers are asked through them, and nothing that others name."""

import base64
import json
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from account import Account
from scanning import advisory, import_advisories
from server import BINARY, Server
from test_advisory_mirror import Bucket
from test_advisory_updates import options, succeeded, until, update, updated
from test_doctor import status

MakeServer = Callable[..., Server]
ONE = advisory("GHSA-1", "PyPI", "jinja2", "2.0")
TWO = advisory("GHSA-2", "PyPI", "flask", "2.0")


class Proxy:
    """Connects whatever host it is asked for to that port of this machine, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.password: str | None = None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def admitted(self) -> bool:
                proxy.asked.append(f"{self.command} {self.path}")
                wanted = proxy.password and "Basic " + base64.b64encode(proxy.password.encode()).decode()
                if wanted and self.headers["Proxy-Authorization"] != wanted:
                    self.send_error(407)
                    return False
                return True

            def do_CONNECT(self) -> None:
                if not self.admitted():
                    return
                port = int(self.path.rsplit(":", 1)[1])
                with socket.create_connection(("127.0.0.1", port)) as there:
                    self.send_response(200, "Connection established")
                    self.end_headers()
                    self.wfile.flush()
                    self.exchange(there)
                self.close_connection = True

            def do_GET(self) -> None:
                if not self.admitted():
                    return
                authority, _, path = self.path.removeprefix("http://").partition("/")
                with socket.create_connection(("127.0.0.1", int(authority.rsplit(":", 1)[1]))) as there:
                    kept = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
                    lines = [f"GET /{path} HTTP/1.1", *(f"{n}: {v}" for n, v in kept.items()), "Connection: close"]
                    there.sendall("\r\n".join([*lines, "", ""]).encode())
                    while data := there.recv(65536):
                        self.wfile.write(data)
                self.close_connection = True

            def exchange(self, there: socket.socket) -> None:
                ends = {self.connection: there, there: self.connection}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        ends[end].sendall(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


def failed(server: Server) -> str:
    """Why advisories could not be had, which is tried at the start."""
    error: str = until(lambda: status(server)["updates"]["error"], server)
    return error


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.stop()


def test_a_mirror_is_asked_through_the_proxy_but_for_what_is_near(own_server: MakeServer, proxy: Proxy) -> None:
    mirror = Bucket()
    mirror.put("PyPI", ONE)
    url = mirror.url.replace("127.0.0.1", "mirror.test")
    server = own_server(options=options(url))
    server.surroundings = {"http_proxy": proxy.url, "NO_PROXY": ""}
    server.start()
    succeeded(server)
    assert f"GET {url}/ecosystems.txt" in proxy.taken()
    server.stop()

    # What it names must not be asked through it.
    server.surroundings["NO_PROXY"] = "example.org,mirror.test"
    server.start()
    done = update(server)
    assert done.returncode == 1 and "cannot reach 'mirror.test'" in done.stderr
    assert proxy.taken() == []
    server.stop()
    near = own_server("near", options=options(mirror.url))
    near.surroundings = {"http_proxy": proxy.url, "ALL_PROXY": proxy.url, "NO_PROXY": ""}
    near.start()
    succeeded(near)
    assert proxy.taken() == []
    near.stop()
    # A proxy of a kind that is not spoken to is said, not passed by.
    odd = own_server("odd", options=options(url))
    odd.surroundings = {"http_proxy": "socks5://127.0.0.1:1", "NO_PROXY": ""}
    odd.start()
    assert "begin with 'http://'" in failed(odd)
    odd.stop()
    mirror.stop()


def test_a_registry_is_asked_through_a_tunnel_with_a_password(
    own_server: MakeServer, proxy: Proxy, tmp_path: Path
) -> None:
    source = own_server("source", options=["--hosts", "registry.test,127.0.0.1,localhost"]).start()
    account = Account.default(source)
    name = account.repository("advisories")
    here, there = f"127.0.0.1:{source.port}", f"registry.test:{source.port}"
    auth = base64.b64encode(f"AWS:{source.password(account.key)}".encode()).decode()
    config = tmp_path / "docker"
    config.mkdir()
    (config / "config.json").write_text(json.dumps({"auths": {there: {"auth": auth}}}))

    def pushed(directory: str, *records: dict) -> None:
        file = import_advisories(source, tmp_path / directory, *records)
        done = source.command("advisories", "push", str(file), f"{here}/{name}:daily", key=account.key)
        assert done.returncode == 0, done.stderr

    pushed("one", ONE)
    proxy.password = "somebody:secret"
    given = ["--advisory-updates-docker-config", str(config / "config.json"), "--egress-authorities", str(source.ca)]
    server = own_server("mine", options=[*options(f"oci://{there}/{name}:daily"), *given])
    server.surroundings = {"HTTPS_PROXY": proxy.url, "NO_PROXY": ""}
    server.start()
    assert "407" in failed(server)
    assert status(server)["advisories"] is None
    server.stop()
    server.surroundings["HTTPS_PROXY"] = proxy.url.replace("http://", "http://somebody:secret@")
    server.start()
    proxy.taken()
    assert updated(server)["ecosystems"] == {"PyPI": 1}
    asked = proxy.taken()
    assert asked and set(asked) == {f"CONNECT {there}"}
    pushed("two", ONE, TWO)
    assert updated(server)["ecosystems"] == {"PyPI": 2}
    assert "somebody:secret" not in server.log.read_text()
    server.stop()

    # So does the command line ask.
    environment = server.environment(None) | server.surroundings | {"DOCKER_CONFIG": str(config)}
    environment |= {"AWS_CA_BUNDLE": str(source.ca), "AWS_ENDPOINT_URL": "https://registry.test:1"}
    pulled = subprocess.run(
        [BINARY, "advisories", "pull", f"{there}/{name}:daily", "-o", str(tmp_path / "pulled"), "-q"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert pulled.returncode == 0, pulled.stderr
    assert set(proxy.taken()) >= {f"CONNECT {there}"}
    source.stop()


def test_an_identity_provider_is_asked_through_it_only_if_the_operator_names_it(
    own_server: MakeServer, proxy: Proxy
) -> None:
    for given, asked in [([], []), (["--egress-allow", "issuer.test"], ["CONNECT issuer.test:443"])]:
        server = own_server(f"with-{len(given)}", options=given)
        server.surroundings = {"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url, "NO_PROXY": ""}
        server.start()
        iam = Account.default(server).iam
        made = iam.create_open_id_connect_provider(Url="https://issuer.test", ClientIDList=["x"])
        done = server.command("oidc-provider", "check", made["OpenIDConnectProviderArn"], "--data", str(server.data))
        assert done.returncode != 0
        assert set(proxy.taken()) == set(asked), done.stderr
        server.stop()
