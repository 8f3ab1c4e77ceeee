"""What people read when something is refused: the last line that each client prints, held in messages.json.

Written anew, to be read before it is committed, by
`BONDED_WRITE_MESSAGES=1 e2e/clients/in-namespace .venv/bin/python -m pytest e2e/clients/test_messages.py`."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from account import LOGIN, PULL, PUSH, Account, User, allow, deny, document, grant
from engines import Door, Engine
from programs import login_password
from scanning import CRITICAL, advisory, debian, layer, scanned, server_with_advisories
from server import Server

MESSAGES = Path(__file__).with_name("messages.json")
NAMES = ["docker", "podman", "buildah", "skopeo", "ctr"]
MIB = 1024 * 1024
COMPLETE_AND_CLEAN = {
    "StringEquals": {"bonded:ScanStatus": "COMPLETE"},
    "NumericEquals": {"bonded:CriticalFindings": "0"},
}
LIST = "ecr:DescribeRepositories"


@dataclass(frozen=True)
class Attempt:
    """A push or a pull that is refused."""

    verb: str
    server: Server
    repository: str
    password: str | None
    tag: str = "v1"

    def by(self, engine: Engine) -> str:
        door = Door(f"localhost:{self.server.port}", None)
        said = getattr(engine, self.verb)(door, self.repository, self.tag, self.password, succeed=False)
        return normal(said.strip().splitlines()[-1], self.server)


def normal(line: str, server: Server) -> str:
    """The line without what is another at each run."""
    line = line.replace(f":{server.port}", ":PORT")
    for pattern, by in {
        r"\b\d{4}-\d\d-\d\dT[\d:.]+Z": "TIME",
        r"decision \w+; run: bonded why \w+": "decision ID; run: bonded why ID",
        # containerd pushes layer and config at once: which of them is refused first is chance.
        r"\b(?:layer|config)-sha256:[0-9a-f]{64}": "BLOB-DIGEST",
        r"\bsha256:[0-9a-f]{64}": "DIGEST",
        r"\b[0-9a-f]{64}\b": "IMAGE",
        # Names are made unique by a number.
        r"((?:ml|user)/[a-z-]+)-\d+": r"\1",
    }.items():
        line = re.sub(pattern, by, line)
    return line


class Cases:
    """Every case by its name, made when it is asked for."""

    def __init__(self, account: Account, other: Account) -> None:
        self.account, self.other = account, other

    def pull(self, repository: str, user: User | None, **more: str) -> Attempt:
        return self._attempt("pull", repository, user, **more)

    def push(self, repository: str, user: User | None) -> Attempt:
        return self._attempt("push", repository, user)

    def _attempt(self, verb: str, repository: str, user: User | None, **more: str) -> Attempt:
        server = self.account.server
        return Attempt(verb, server, repository, user and login_password(server, user.key), **more)

    def image(self, name: str = "ml/fraud", content: bytes = b"layer", **options: object) -> str:
        """A repository with an image."""
        name = self.account.repository(name, **options)
        self.account.server.push_and_pull(self.account.key).push(name, "v1", content)
        return name

    # ------------------------------------------------------------------------------------------ who is not known

    def not_logged_in(self) -> Attempt:
        return self.pull(self.image(), None)

    def a_password_that_is_none(self) -> Attempt:
        return Attempt("pull", self.account.server, self.image(), "wrong")

    # ------------------------------------------------------------------------------------------ who may not

    def no_identity_policy_to_pull(self) -> Attempt:
        return self.pull(self.image(), self.account.user("build", allow(LOGIN)))

    def no_identity_policy_to_push(self) -> Attempt:
        return self.push(self.image(), self.account.user("build", allow(LOGIN, "*"), allow(PULL)))

    def no_right_on_a_repository_that_is_not_there(self) -> Attempt:
        return self.pull("ml/absent", self.account.user("build", allow(LOGIN)))

    def an_explicit_deny_in_an_identity_policy(self) -> Attempt:
        return self.pull(self.image(), self.account.user("build", allow("ecr:*"), deny("ecr:BatchGetImage")))

    def an_explicit_deny_in_a_repository_policy(self) -> Attempt:
        policy = document({"Sid": "DenyAll", "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"})
        return self.pull(self.image(policy=policy), self.account.user("build", allow("ecr:*")))

    def another_account_and_its_side_is_missing(self) -> Attempt:
        return self.pull(self.image(), self.other.user("build", allow("ecr:*")))

    def another_account_and_our_side_is_missing(self) -> Attempt:
        user = self.other.user("build", allow(LOGIN))
        policy = document(grant(f"arn:aws:iam::{self.other.id}:root", PULL))
        return self.pull(self.image(policy=policy), user)

    # ------------------------------------------------------------------------------------------ what is not there

    def a_misspelt_repository(self) -> Attempt:
        name = self.image("ml/fraud-model")
        return self.pull(name.replace("fraud", "frud"), self.account.user("build", allow([LOGIN, LIST, *PULL])))

    def a_misspelt_repository_for_whom_may_not_list(self) -> Attempt:
        name = self.image("ml/fraud-model")
        return self.pull(name.replace("fraud", "frud"), self.account.user("build", allow([LOGIN, *PULL])))

    def a_misspelt_repository_to_push_to(self) -> Attempt:
        name = self.image("ml/fraud-model")
        return self.push(name.replace("fraud", "frud"), self.account.user("build", allow([LOGIN, LIST, *PULL, *PUSH])))

    def a_repository_that_is_not_there_to_push_to(self) -> Attempt:
        return self.push("ml/absent", self.account.user("build", allow([LOGIN, *PULL, *PUSH])))

    def a_tag_that_is_not_there(self) -> Attempt:
        return self.pull(self.image(), self.account.user("build", allow([LOGIN, *PULL])), tag="v2")

    # ------------------------------------------------------------------------------------------ what may not be

    def an_immutable_tag(self) -> Attempt:
        name = self.image(imageTagMutability="IMMUTABLE")
        return self.push(name, self.account.user("build", allow([LOGIN, *PULL, *PUSH])))

    def an_image_that_the_gate_blocks(self) -> Attempt:
        content = layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl")))
        name = self.image(content=content, imageScanningConfiguration={"scanOnPush": True})
        scanned(self.account, name, {"imageTag": "v1"})
        gate = allow(PULL, Condition=COMPLETE_AND_CLEAN)
        return self.pull(name, self.account.user("prod", allow([LOGIN, "ecr:DescribeImageScanFindings"]), gate))

    def an_image_that_the_gate_blocks_for_whom_may_not_see_findings(self) -> Attempt:
        content = layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl")))
        name = self.image(content=content, imageScanningConfiguration={"scanOnPush": True})
        scanned(self.account, name, {"imageTag": "v1"})
        gate = allow(PULL, Condition=COMPLETE_AND_CLEAN)
        return self.pull(name, self.account.user("prod", allow(LOGIN), gate))

    def an_image_that_was_not_scanned(self) -> Attempt:
        return self.pull(
            self.image(), self.account.user("prod", allow(LOGIN), allow(PULL, Condition=COMPLETE_AND_CLEAN))
        )


CASES = [name for name in vars(Cases) if not name.startswith("_") and name not in ("pull", "push", "image")]


class Messages:
    """The file: for each case what each client says."""

    def __init__(self) -> None:
        self._write = bool(os.environ.get("BONDED_WRITE_MESSAGES"))
        self.texts: dict[str, dict[str, str]] = json.loads(MESSAGES.read_text()) if MESSAGES.exists() else {}

    def compare(self, case: str, attempt: Attempt, engines: dict[str, Engine], names: Sequence[str] = NAMES) -> None:
        said = {name: attempt.by(engines[name]) for name in names}
        if self._write:
            self.texts[case] = said
            MESSAGES.write_text(json.dumps(self.texts, indent=2) + "\n")
        assert self.texts.get(case) == said


@pytest.fixture(scope="module")
def messages() -> Messages:
    return Messages()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    record = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL)
    with server_with_advisories(
        tmp_path_factory.mktemp("messages"), record, options=("--hosts", "localhost,127.0.0.1")
    ) as server:
        yield Cases(Account.default(server), Account(server, server.create_account("222222222222")))


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_reaches_people(cases: Cases, engines: dict[str, Engine], messages: Messages, case: str) -> None:
    attempt: Attempt = getattr(cases, case)()
    messages.compare(case, attempt, engines)


def test_an_expired_password(own_server: Callable[..., Server], engines: dict[str, Engine], messages: Messages) -> None:
    server = own_server()
    server.start()
    account = Account.default(server)
    repository = account.repository("ml/fraud")
    password = login_password(server, account.key)
    server.stop()
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    server.surroundings = {"LD_PRELOAD": str(library), "FAKETIME": "+15h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    server.start()
    messages.compare("an_expired_password", Attempt("pull", server, repository, password), engines)
    server.stop()


def test_uploads_over_their_limit(
    own_server: Callable[..., Server], engines: dict[str, Engine], messages: Messages
) -> None:
    server = own_server(options=["--uploads-unfinished-bytes", "1 MiB"])
    server.start()
    account = Account.default(server)
    attempt = Attempt("push", server, account.repository("ml/fraud"), login_password(server, account.key))
    messages.compare("uploads_over_their_limit", attempt, engines)
    server.stop()


def test_a_scan_that_is_not_finished(
    own_server: Callable[..., Server], engines: dict[str, Engine], messages: Messages
) -> None:
    server = own_server(options=["--scan-workers", "0", "--scan-pull-wait", "0s"])
    server.start()
    account = Account.default(server)
    name = account.repository("ml/fraud", imageScanningConfiguration={"scanOnPush": True})
    server.push_and_pull(account.key).push(name, "v1", layer(debian(("bash", "5.2.15-2", "bash"))))
    prod = account.user("prod", allow(LOGIN), allow(PULL, Condition=COMPLETE_AND_CLEAN))
    attempt = Attempt("pull", server, name, login_password(server, prod.key))
    messages.compare("a_scan_that_is_not_finished", attempt, engines)
    server.stop()


def test_a_full_disk(own_server: Callable[..., Server], engines: dict[str, Engine], messages: Messages) -> None:
    server = own_server()
    server.data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={64 * MIB},mode=700", "tmpfs", server.data], check=True)
    try:
        server.start()
        account = Account.default(server)
        attempt = Attempt("push", server, account.repository("ml/fraud"), login_password(server, account.key))
        found = os.statvfs(server.data)
        (server.data / "filling").write_bytes(b"x" * (found.f_bavail * found.f_frsize - 2 * MIB))
        # The others try again for most of a minute.
        messages.compare("a_full_disk", attempt, engines, ["skopeo", "ctr"])
        (server.data / "filling").unlink()
        server.stop()
    finally:
        server.kill()
        subprocess.run(["umount", server.data], check=True)


def test_every_message_is_of_a_case(messages: Messages) -> None:
    others = {"an_expired_password", "uploads_over_their_limit", "a_scan_that_is_not_finished", "a_full_disk"}
    assert set(messages.texts) == {*CASES, *others}
