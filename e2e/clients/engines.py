"""The container engines that push and pull here, each with stores and settings of its own, and the ways they may take
to the server. Commands are those that documentation and scripts use, word for word."""

import base64
import contextlib
import http.client
import json
import re
import shutil
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from programs import HOST, Docker, Run
from server import Server

# What the image is called in the archive that the engines load.
IMAGE = "docker.io/local/archived:latest"


@dataclass(frozen=True)
class Door:
    """One way to the server: the registry's name, and the authority to trust, without which certificates are not
    looked at or there are none."""

    registry: str
    certificates: Path | None

    def trust(self, prefix: str = "") -> list[object]:
        """Options of podman, buildah and skopeo."""
        if self.certificates is None:
            return [f"--{prefix}tls-verify=false"]
        return [f"--{prefix}cert-dir", self.certificates]


class OnlyPlain:
    """A way to the server for plain HTTP alone: whoever begins with TLS is cut off."""

    def __init__(self, server: Server) -> None:
        self._to = ("127.0.0.1", server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.carried = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client:
            if client.recv(1, socket.MSG_PEEK) in (b"", b"\x16"):
                return
            self.carried += 1
            with socket.create_connection(self._to) as server:
                back = threading.Thread(target=self._copy, args=[server, client], daemon=True)
                back.start()
                self._copy(client, server)
                back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                end.close()

    def close(self) -> None:
        self._listener.close()


@dataclass(frozen=True)
class Doors:
    """All ways: TLS that is verified, the dual port on loopback, and plain HTTP alone."""

    tls: Door
    loopback: Door
    plain: Door

    @classmethod
    def of(cls, server: Server, certificates: Path, plain: OnlyPlain) -> "Doors":
        shutil.copy(server.ca, certificates / "ca.crt")
        return cls(
            Door(f"{HOST}:{server.port}", certificates),
            Door(f"localhost:{server.port}", None),
            Door(f"localhost:{plain.port}", None),
        )


class Engine(ABC):
    """A client that has one image, ready to be pushed under any name. Without a password it is not logged in."""

    name: str

    @abstractmethod
    def push(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        """Pushes the image; what the client said."""

    @abstractmethod
    def pull(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        """Pulls and forgets an image; what the client said."""

    @staticmethod
    def logged_in(file: Path, door: Door, password: str | None) -> None:
        """Writes the file that `login` writes."""
        auth = base64.b64encode(f"AWS:{password}".encode()).decode()
        auths = {} if password is None else {door.registry: {"auth": auth}}
        file.write_text(json.dumps({"auths": auths}))


class Runner(Engine):
    """A client that runs images too."""

    @abstractmethod
    def run(self, door: Door, repository: str, tag: str, password: str) -> str:
        """Pulls, runs and forgets an image; what its program printed, among what the client said."""


class DockerEngine(Runner):
    """docker, by a daemon that other tests use too; what is pushed is loaded for that and then forgotten."""

    name = "docker"

    def __init__(self, docker: Docker, home: Path, archive: Path) -> None:
        self._config = home / "docker"
        self._config.mkdir(parents=True)
        self._run = Run(docker.run.environment | {"DOCKER_CONFIG": str(self._config)})
        self._socket = docker.socket
        self._archive = archive

    @contextlib.contextmanager
    def _at(self, door: Door, password: str | None) -> Iterator[None]:
        """Logged in at a registry that the daemon trusts for that long: the other clients read this directory too."""
        self.logged_in(self._config / "config.json", door, password)
        trusted = Path("/etc/docker/certs.d") / door.registry
        if door.certificates is not None:
            shutil.copytree(door.certificates, trusted)
        try:
            yield
        finally:
            shutil.rmtree(trusted, ignore_errors=True)

    def push(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self._run("docker", "load", "--quiet", "--input", self._archive)
        self._run("docker", "tag", IMAGE, name)
        self._run("docker", "rmi", IMAGE)
        with self._at(door, password):
            said = self._run("docker", "push", name, succeed=succeed)
        self._run("docker", "rmi", name)
        return said

    def pull(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        with self._at(door, password):
            said = self._run("docker", "pull", name, succeed=succeed)
        if succeed:
            self._run("docker", "rmi", name)
        return said

    def login(self, door: Door, password: str, *, succeed: bool = True) -> str:
        login = ["docker", "login", "--username", "AWS", "--password-stdin", door.registry]
        with self._at(door, None):
            return self._run(*login, input=password, succeed=succeed)

    def logout(self, door: Door) -> str:
        return self._run("docker", "logout", door.registry)

    def api_pull(self, door: Door, repository: str, tag: str, password: str) -> str:
        """A pull by the Engine API, with the password in the request; the progress that it answers."""
        auth = {"username": "AWS", "password": password, "serveraddress": door.registry}
        connection = http.client.HTTPConnection("docker", timeout=100)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._socket))
        with contextlib.closing(connection), self._at(door, None):
            connection.request(
                "POST",
                f"/v1.41/images/create?fromImage={door.registry}/{repository}&tag={tag}",
                headers={"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()},
            )
            said = connection.getresponse().read().decode()
        self._run("docker", "rmi", f"{door.registry}/{repository}:{tag}")
        return said

    def run(self, door: Door, repository: str, tag: str, password: str) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        limits = ["--read-only", "--cap-drop", "ALL", "--network", "none"]
        with self._at(door, password):
            said = self._run("docker", "run", "--quiet", "--rm", *limits, name)
        self._run("docker", "rmi", name)
        return said


class StoreEngine(Engine):
    """What podman and buildah, which share a store, and skopeo have in common."""

    def __init__(self, home: Path, archive: Path) -> None:
        self._home = home
        self._auth = home / "auth.json"
        settings = home / ".config" / "containers"
        settings.mkdir(parents=True)
        (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "REGISTRY_AUTH_FILE": str(self._auth)}
        self._run = Run(environment)
        self._storage = ["--root", home / "root", "--runroot", home / "run", "--storage-driver", "vfs"]
        self._archive = archive
        self._auth.write_text("{}")

    def login(self, door: Door, password: str, *, succeed: bool = True) -> str:
        self.logged_in(self._auth, door, None)
        login = ["login", *door.trust(), "--username", "AWS", "--password-stdin", door.registry]
        return self._run(self.name, *login, input=password, succeed=succeed)

    def logout(self, door: Door) -> str:
        return self._run(self.name, "logout", door.registry)


class Podman(StoreEngine, Runner):
    name = "podman"

    def __init__(self, home: Path, archive: Path) -> None:
        super().__init__(home, archive)
        self._podman = ["podman", *self._storage, "--runtime", "runc", "--cgroup-manager", "cgroupfs"]

    def push(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self.logged_in(self._auth, door, password)
        loaded = self._run(*self._podman, "load", "--quiet", "--input", self._archive).split()[-1]
        self._run(*self._podman, "tag", loaded, name)
        try:
            return self._run(*self._podman, "push", *door.trust(), name, succeed=succeed)
        finally:
            self._run(*self._podman, "rmi", loaded, name)

    def pull(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self.logged_in(self._auth, door, password)
        said = self._run(*self._podman, "pull", *door.trust(), name, succeed=succeed)
        if succeed:
            self._run(*self._podman, "rmi", name)
        return said

    def run(self, door: Door, repository: str, tag: str, password: str) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self.logged_in(self._auth, door, password)
        self._run(*self._podman, "pull", *door.trust(), name)
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "none"]
        said = self._run(*self._podman, "run", "--rm", *limits, name)
        self._run(*self._podman, "rmi", name)
        return said


class Buildah(StoreEngine):
    name = "buildah"

    def __init__(self, home: Path, archive: Path) -> None:
        super().__init__(home, archive)
        self._buildah = ["buildah", *self._storage]

    def push(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        self.logged_in(self._auth, door, password)
        to = f"docker://{door.registry}/{repository}:{tag}"
        loaded = self._run(*self._buildah, "pull", "--quiet", f"docker-archive:{self._archive}").split()[-1]
        try:
            return self._run(*self._buildah, "push", *door.trust(), loaded, to, succeed=succeed)
        finally:
            self._run(*self._buildah, "rmi", loaded)

    def pull(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self.logged_in(self._auth, door, password)
        said = self._run(*self._buildah, "pull", *door.trust(), name, succeed=succeed)
        if succeed:
            self._run(*self._buildah, "rmi", name)
        return said


class Skopeo(StoreEngine):
    name = "skopeo"

    def push(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        self.logged_in(self._auth, door, password)
        to = f"docker://{door.registry}/{repository}:{tag}"
        return self._run("skopeo", "copy", *door.trust("dest-"), f"docker-archive:{self._archive}", to, succeed=succeed)

    def pull(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        self.logged_in(self._auth, door, password)
        layout = self._home / "layout"
        source = f"docker://{door.registry}/{repository}:{tag}"
        said = self._run("skopeo", "copy", *door.trust("src-"), source, f"oci:{layout}:pulled", succeed=succeed)
        shutil.rmtree(layout, ignore_errors=True)
        return said

    def about(self, verb: str, door: Door, image: str, password: str | None, *, succeed: bool = True) -> str:
        """`inspect`, `list-tags` or `delete` of `image`, with the password on the command line."""
        creds = ["--no-creds"] if password is None else ["--creds", f"AWS:{password}"]
        return self._run("skopeo", verb, *door.trust(), *creds, f"docker://{door.registry}/{image}", succeed=succeed)


class Containerd(Runner):
    """containerd's `ctr`, which takes plain HTTP to loopback unless told otherwise, in a namespace of its own."""

    name = "ctr"

    def __init__(self, docker: Docker, home: Path, archive: Path) -> None:
        self._run = docker.run
        self._hosts = home / "hosts"
        # containerd keeps namespaces apart; the name must not have what a path may have.
        namespace = re.sub(r"\W", "-", str(home).strip("/"))[-60:]
        self._ctr = ["ctr", "--address", docker.containerd, "--namespace", namespace]
        self._images = [*self._ctr, "images"]
        self._archive = archive

    def _how(self, door: Door, password: str | None) -> list[object]:
        how: list[object] = [] if password is None else ["--user", f"AWS:{password}"]
        if door.certificates is None:
            return [*how, "--plain-http"]
        directory = self._hosts / door.registry
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "hosts.toml").write_text(
            f'server = "https://{door.registry}"\n[host."https://{door.registry}"]\n'
            f'capabilities = ["pull", "resolve", "push"]\nca = "{door.certificates / "ca.crt"}"\n'
        )
        return [*how, "--hosts-dir", self._hosts]

    def push(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self._run(*self._images, "import", "--snapshotter", "native", self._archive)
        self._run(*self._images, "tag", IMAGE, name)
        try:
            return self._run(*self._images, "push", *self._how(door, password), name, succeed=succeed)
        finally:
            self._run(*self._images, "rm", "--sync", IMAGE, name)

    def pull(self, door: Door, repository: str, tag: str, password: str | None, *, succeed: bool = True) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        how = ["--snapshotter", "native", *self._how(door, password)]
        said = self._run(*self._images, "pull", *how, name, succeed=succeed)
        if succeed:
            self._run(*self._images, "rm", "--sync", name)
        return said

    def run(self, door: Door, repository: str, tag: str, password: str) -> str:
        name = f"{door.registry}/{repository}:{tag}"
        self._run(*self._images, "pull", "--snapshotter", "native", *self._how(door, password), name)
        said = self._run(*self._ctr, "run", "--rm", "--snapshotter", "native", name, f"run-{tag}")
        self._run(*self._images, "rm", "--sync", name)
        return said
