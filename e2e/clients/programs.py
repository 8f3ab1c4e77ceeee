"""The clients' programs: docker with a daemon of its own, and commands with an environment of their own."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from server import Key, Server, clean_environment

HOST = "registry.test"
AWS = Path(sys.executable).with_name("aws")
# What the one program of the image prints.
PRINTS = "pulled and run"


class Run:
    """Runs commands with an environment of their own; their output, both streams together."""

    def __init__(self, environment: dict[str, str], *, seconds: int = 100) -> None:
        self._seconds = seconds
        self.environment = clean_environment() | environment

    def __call__(self, *command: object, succeed: bool = True, input: str | None = None) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            input=input,
            text=True,
            errors="replace",
            timeout=self._seconds,
            check=False,
        )
        line = " ".join(str(word) for word in command)
        assert (done.returncode == 0) is succeed, f"{line} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout


def login_password(server: Server, key: Key) -> str:
    """What `aws ecr get-login-password` prints."""
    environment = server.environment(key)
    return Run(environment)(AWS, "ecr", "get-login-password").strip()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Docker:
    """A docker daemon of our own, and its client."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.socket = home / "docker.sock"
        self.run = Run(
            {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(home / "config"), "DOCKER_BUILDKIT": "0"}
        )
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.home / "dockerd.log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [
                    "dockerd",
                    "--host",
                    f"unix://{self.socket}",
                    "--data-root",
                    self.home / "data",
                    "--exec-root",
                    self.home / "exec",
                    "--pidfile",
                    self.home / "pid",
                    "--storage-driver",
                    "vfs",
                    "--bridge",
                    "none",
                    "--iptables=false",
                    "--ip6tables=false",
                ],
                env=clean_environment(),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._daemon.poll() is None:
            if self.socket.exists() and self._answers():
                return
            time.sleep(0.2)
        raise AssertionError(f"dockerd does not run:\n{(self.home / 'dockerd.log').read_text()[-4000:]}")

    def _answers(self) -> bool:
        asked = subprocess.run(["docker", "info"], env=self.run.environment, capture_output=True, check=False)
        return asked.returncode == 0

    def stop(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(60)

    @property
    def containerd(self) -> Path:
        """The socket of the daemon's containerd."""
        return self.home / "exec" / "containerd" / "containerd.sock"

    def login(self, registry: str, password: str, *, succeed: bool = True) -> str:
        return self.run(
            "docker",
            "login",
            "--username",
            "AWS",
            "--password-stdin",
            registry,
            input=password,
            succeed=succeed,
        )
