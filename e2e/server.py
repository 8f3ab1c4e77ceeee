"""One running `bonded serve`, and the command line beside it."""

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from botocore.client import BaseClient

import model
from oci import V2

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "target" / "debug" / "bonded"
START_SECONDS, STOP_SECONDS = 30, 30
# What a server without configuration has.
REGION = "us-east-1"
LISTENING = "listening on https://"


@dataclass(frozen=True)
class Key:
    """What a request is signed with."""

    id: str
    secret: str
    account: str
    token: str | None = None

    @classmethod
    def of_file(cls, text: str) -> Self:
        """From administrator.json, or what `bonded account create -o json` prints."""
        members = json.loads(text)
        return cls(members["AccessKeyId"], members["SecretAccessKey"], members["Account"])

    @classmethod
    def of_session(cls, answer: Mapping[str, dict]) -> Self:
        """From the answer of AssumeRole."""
        credentials = answer["Credentials"]
        account = answer["AssumedRoleUser"]["Arn"].split(":")[4]
        return cls(credentials["AccessKeyId"], credentials["SecretAccessKey"], account, credentials["SessionToken"])


class Server:
    """A server with its own data directory and key ring under `home`; `options` are put after its command line."""

    def __init__(
        self,
        home: Path,
        *,
        database: str | None = None,
        keyring: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.keyring = keyring or home / "ring" / "keyring"
        self.ca = self.data / "tls" / "ca.crt"
        self.log = home / "server.log"
        # What its process has in its environment beside ours.
        self.surroundings: dict[str, str] = {}
        self._output = home / "server.out"
        self._options = [*(["--database", database] if database else []), *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._clients: dict[tuple[str, Key, bool], BaseClient] = {}

    # ------------------------------------------------------------------------------------------ its life

    def spawn(self, listen: str = "127.0.0.1:0") -> subprocess.Popen[bytes]:
        """Starts the process and does not wait for it to listen."""
        if not BINARY.exists():
            raise FileNotFoundError(f"{BINARY} is missing; run: cargo build")
        self.home.mkdir(parents=True, exist_ok=True)
        self.keyring.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["serve", "--data", self.data, "--keyring", self.keyring, "--listen", listen, *self._options]
        with self._output.open("wb") as output, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=clean_environment() | self.surroundings,
            )
        return self._process

    def wait_until_listening(self) -> Self:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self._output.read_text().splitlines():
                if line.startswith(LISTENING):
                    self.port = int(line.rsplit(":", 1)[1])
                    self._clients.clear()
                    return self
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended with {self._process.returncode}:\n{self.tail()}")
            time.sleep(0.02)
        raise AssertionError(f"the server did not listen within {START_SECONDS} s:\n{self.tail()}")

    def start(self, listen: str = "127.0.0.1:0") -> Self:
        self.spawn(listen)
        return self.wait_until_listening()

    def refuse_to_start(self) -> str:
        """Starts it, expects it to end by itself with an error, and gives what it said."""
        process = self.spawn()
        status = process.wait(START_SECONDS)
        self._process = None
        assert status != 0, f"it ended with 0:\n{self.tail()}"
        assert LISTENING not in self._output.read_text()
        return self.tail()

    def terminate(self) -> None:
        """Asks it to end and does not wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait_until_ended(self) -> None:
        """It must end by itself, without a fault."""
        assert self._process is not None
        process, self._process = self._process, None
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not end within {STOP_SECONDS} s:\n{self.tail()}") from None
        assert status == 0, f"the server ended with {status}:\n{self.tail()}"

    def stop(self) -> None:
        if self._process is not None:
            self.terminate()
            self.wait_until_ended()

    def kill(self) -> None:
        """Ends it without notice, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def memory(self, what: str = "VmRSS") -> int:
        """Bytes of memory the process has now (`VmRSS`), or had at its peak (`VmHWM`)."""
        status = Path(f"/proc/{self.pid()}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith(what + ":")]
        return int(line.split()[1]) * 1024

    def written(self) -> int:
        """Bytes the process has caused to be written to disks."""
        lines = Path(f"/proc/{self.pid()}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["write_bytes"])

    def reset_peak_memory(self) -> None:
        """From now on the peak is that of what is to come (Linux: `clear_refs`)."""
        Path(f"/proc/{self.pid()}/clear_refs").write_text("5")

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tail(self) -> str:
        """The end of what it printed and logged."""
        return "\n".join(
            line
            for file in (self._output, self.log)
            if file.exists()
            for line in file.read_text(errors="replace").splitlines()[-20:]
        )

    # ------------------------------------------------------------------------------------------ its doors

    @property
    def administrator(self) -> Key:
        return Key.of_file((self.data / "administrator.json").read_text())

    def url(self, *, tls: bool = True) -> str:
        return f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def client(self, service: str, key: Key, *, tls: bool = True) -> BaseClient:
        """A boto3 client that checks every answer against AWS's model."""
        if (service, key, tls) not in self._clients:
            self._clients[service, key, tls] = model.client(
                service, self.url(tls=tls), REGION, str(self.ca), (key.id, key.secret, key.token)
            )
        return self._clients[service, key, tls]

    def password(self, key: Key) -> str:
        """The password of `docker login`, from GetAuthorizationToken."""
        data = self.client("ecr", key).get_authorization_token()["authorizationData"][0]
        return base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:")

    def basic(self, key: Key) -> str:
        """The `Authorization` of docker's clients."""
        return "Basic " + base64.b64encode(f"AWS:{self.password(key)}".encode()).decode()

    def v2(self, password: str | None, *, tls: bool = True, bearer: bool = False) -> V2:
        """The registry's own door, with a password from `password`, or without."""
        return V2(self.url(tls=tls), str(self.ca), password, bearer=bearer)

    def push_and_pull(self, key: Key) -> V2:
        """The registry's own door for `key`."""
        return self.v2(self.password(key))

    # ------------------------------------------------------------------------------------------ the command line

    def command(self, *arguments: str, key: Key | None = None) -> subprocess.CompletedProcess[str]:
        """Runs `bonded ARGUMENTS` with the credentials `key`, as a person at a shell would."""
        return subprocess.run(
            [BINARY, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.environment(key),
        )

    def environment(self, key: Key | None) -> dict[str, str]:
        """The environment in which AWS's tools, and ours, talk to this server as `key`."""
        environment = clean_environment() | {
            "AWS_ENDPOINT_URL": self.url(),
            "AWS_CA_BUNDLE": str(self.ca),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }
        if key is not None:
            environment |= {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
        if key is not None and key.token is not None:
            environment["AWS_SESSION_TOKEN"] = key.token
        return environment

    def create_account(self, account: str) -> Key:
        """Makes an account through the operator's socket; its administrator's key."""
        done = self.command("account", "create", account, "-o", "json", "--data", str(self.data))
        assert done.returncode == 0, done.stderr
        return Key.of_file(done.stdout)


def clean_environment() -> dict[str, str]:
    """Ours, without what would steer AWS's tools or the server."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "BONDED_", "DOCKER_"))}
    nothing = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": ""}
    return kept | nothing | {"AWS_EC2_METADATA_DISABLED": "true"}
