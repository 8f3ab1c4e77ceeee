"""Every command of docs/reference/commands.md, which the command line itself writes: its help, its refusals, its JSON,
and what it says to whom it does not know or when no server runs."""

import json
import os
import pty
import re
import subprocess
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest

from account import PULL, Account, allow, document, refused
from command_json import assert_members
from issuer import SigningKey
from report_formats import write_layout
from scanning import advisory, debian, import_advisories, layer, scanned
from server import BINARY, ROOT, clean_environment

PAGE = (ROOT / "docs" / "reference" / "commands.md").read_text()
USAGE_ERROR, FAILED = 2, 1


@dataclass(frozen=True)
class Command:
    words: list[str]
    page: str

    @property
    def name(self) -> str:
        return " ".join(self.words)

    def has(self, option: str) -> bool:
        return f"{option}`" in self.page


def commands() -> list[Command]:
    """All commands that do something, and not only have others."""
    parts = re.split(r"^## bonded ", PAGE, flags=re.MULTILINE)[1:]
    found = [Command(part.split("\n", 1)[0].split(), part) for part in parts]
    return [command for command in found if "```text" in command.page]


COMMANDS = commands()


def ready(command: Command) -> bool:
    """Whether it is known with which arguments it has something to say: none, or those of `ARGUMENTS`."""
    needs = re.search(r"^bonded .*<", command.page, flags=re.MULTILINE)
    return not needs or command.name in ARGUMENTS


# Arguments with which a command has something to say. A capital name stands for what `places` makes.
ARGUMENTS = {
    "account attach-policy": ["ACCOUNT", "some", "POLICY"],
    "account close": ["CLOSING"],
    "account create": ["333333333333"],
    "account detach-policy": ["ACCOUNT", "other"],
    "account policies": ["ACCOUNT"],
    "advisories compare": ["deb", "1.0~rc1", "1.0"],
    "advisories import": ["RECORDS", "--output", "FILE"],
    "advisories load": ["ADVISORIES"],
    "advisories pull": ["ARTIFACT", "--output", "FILE"],
    "advisories push": ["ADVISORIES", "ARTIFACT"],
    "allow add": ["CVE-2026-1", "--repositories", "*", "--owner", "x", "--reason", "y", "--until", "1d"],
    "allow remove": ["ALLOWED"],
    "backup": ["DIRECTORY"],
    "can": ["PRINCIPAL", "ecr:BatchGetImage", "team/app"],
    "gate check": ["IMAGE", "--as", "ROLE"],
    "keyring check": ["FILE"],
    "keyring export": ["FILE"],
    "keyring retire": ["some"],
    "login": ["localhost:1"],
    "logout": ["localhost:1"],
    "oidc-provider check": ["GIVEN"],
    "oidc-provider remove-keys": ["ARN"],
    "oidc-provider set-keys": ["ARN", "KEYS"],
    "policy lint": ["POLICY"],
    "policy test": ["CASES"],
    "restore": ["BACKUP"],
    "scan": ["LAYOUT", "--advisories", "ADVISORIES"],
    "scan diff": ["LAYOUT", "LAYOUT", "--advisories", "ADVISORIES"],
    "scan report": ["REPOSITORY"],
    "scan show": ["IMAGE"],
    "share": ["REPOSITORY", "--with", "222222222222", "--pull"],
    "token create": ["--user", "alice"],
    "token list": ["--user", "alice"],
    "token revoke": ["TOKEN", "--user", "alice"],
    "why": ["DECISION"],
}


def each(commands: list[Command]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("command", commands, ids=lambda command: command.name)


def run(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment or clean_environment(),
    )


@each(COMMANDS)
def test_a_command_has_help_and_refuses_an_unknown_option(command: Command) -> None:
    shown = run(*command.words, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"Usage: bonded {command.name}" in shown.stdout
    refused = run(*command.words, "--no-such-option")
    assert (refused.returncode, refused.stdout) == (USAGE_ERROR, "")
    assert "--no-such-option" in refused.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(shell: str, tmp_path: Path) -> None:
    made = run("completion", shell)
    assert (made.returncode, made.stderr) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"\b{re.escape(command.words[-1])}\b", made.stdout), command.name
    if shell == "bash":
        script = tmp_path / "completion"
        script.write_text(made.stdout)
        ask = f"source {script}; COMP_WORDS=(bonded account ''); COMP_CWORD=2; _bonded bonded '' account"
        said = subprocess.run(
            ["bash", "-c", ask + '; echo "${COMPREPLY[@]}"'], capture_output=True, text=True, check=True
        )
        assert {"create", "list", "close"} <= set(said.stdout.split())


def completed(line: str, directory: Path) -> str:
    """What an interactive bash makes of a line when Tab is pressed."""
    link = directory / "bonded"
    if not link.exists():
        link.symlink_to(BINARY)
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "TERM": "dumb", "HOME": str(directory), "PS1": "", "PS2": ""}
    master, terminal = pty.openpty()
    # Wide enough that no line is cut.
    termios.tcsetwinsize(terminal, (24, 1000))
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)

    def printed(text: str, end: str) -> str:
        os.write(master, text.encode())
        read = b""
        while end.encode() not in read:
            read += os.read(master, 65536)
        return read.decode()

    try:
        # What is typed is echoed: no mark is typed as it is printed.
        printed(
            "source <(bonded completion bash); say() { printf '<%s>' \"$@\"; echo do''ne; }; echo rea''dy\n", "ready"
        )
        # The line is not run but said: to its beginning, a word, and Enter.
        said = re.search(r"((<[^>]*>)+)done", printed(f"{line}\t\x01say \x05\n", "done"))
        assert said
        return said[1]
    finally:
        shell.kill()
        shell.wait()
        os.close(master)


def test_an_interactive_bash_completes_commands_options_values_and_files(tmp_path: Path) -> None:
    (tmp_path / "advisories-file").write_text("")
    (tmp_path / "bin").mkdir()
    for line, want in [
        ("bonded accou", "<bonded><account>"),
        ("bonded account clo", "<bonded><account><close>"),
        ("bonded keyring rotate --prep", "<bonded><keyring><rotate><--prepare>"),
        ("bonded status -o js", "<bonded><status><-o><json>"),
        ("bonded gc --progress pl", "<bonded><gc><--progress><plain>"),
        ("bonded policy lint --kind rep", "<bonded><policy><lint><--kind><repository>"),
        (
            f"bonded scan --advisories {tmp_path}/advis",
            f"<bonded><scan><--advisories><{tmp_path}/advisories-file>",
        ),
        (f"bonded advisories load {tmp_path}/advis", f"<bonded><advisories><load><{tmp_path}/advisories-file>"),
    ]:
        assert completed(line, tmp_path / "bin") == want


def signs(command: Command) -> bool:
    return command.has("--endpoint-url URL") and command.name != "doctor"


@each([command for command in COMMANDS if signs(command) and ready(command)])
def test_without_a_key_it_says_where_to_put_one(command: Command, tmp_path: Path) -> None:
    environment = clean_environment() | {"HOME": str(tmp_path), "BONDED_DATA": str(tmp_path)}
    said = run(*command.words, *arguments(command, tmp_path), environment=environment)
    assert (said.returncode, said.stdout) == (USAGE_ERROR, ""), said.stderr
    assert "no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in said.stderr


# What reads a file, or begins by making a server of its own.
WITHOUT_A_SERVER = {"demo", "keyring check"}


def asks_the_server(command: Command) -> bool:
    asks = command.has("--data DIRECTORY") and not command.has("--endpoint-url URL")
    return asks and command.name not in WITHOUT_A_SERVER


@each([command for command in COMMANDS if asks_the_server(command) and ready(command)])
def test_without_a_server_it_says_how_to_start_one(command: Command, tmp_path: Path) -> None:
    said = run(*command.words, *arguments(command, tmp_path), "--data", str(tmp_path / "data"))
    assert (said.returncode, said.stdout) == (FAILED, ""), said.stderr
    assert "bonded serve" in said.stderr


def arguments(command: Command, directory: Path) -> list[str]:
    """Arguments that are well formed and name nothing that is there, but a policy."""
    policy = directory / "policy.json"
    policy.write_text(document(allow("*")))
    names = {
        "ACCOUNT": "333333333333",
        "CLOSING": "333333333333",
        "ARN": "arn:aws:iam::111122223333:oidc-provider/gitlab.example.com",
        "ARTIFACT": "localhost:1/team/advisories:v1",
        "GIVEN": "arn:aws:iam::111122223333:oidc-provider/gitlab.example.com",
        "KEYS": str(policy),
        "REPOSITORY": "team/app",
        "PRINCIPAL": "arn:aws:iam::111122223333:user/alice",
        "DECISION": "0" * 24,
        "IMAGE": "team/app:v1",
        "POLICY": str(policy),
    }
    given = ARGUMENTS.get(command.name, [])
    return [names.get(word, str(directory / word) if word.isupper() else word) for word in given]


@pytest.fixture(scope="module")
def places(account: Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the capital names of `ARGUMENTS` stand for."""
    home = tmp_path_factory.mktemp("places")
    account.iam.create_user(UserName="alice")
    role = account.role("puller", None, allow(PULL))
    repository = account.repository("team/app", imageScanningConfiguration={"scanOnPush": True})
    account.server.push_and_pull(account.key).push(repository, "v1")
    scanned(account, repository, {"imageTag": "v1"})
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", account.user("powerless").key).describe_repositories()
    layout = home / "layout"
    layout.mkdir()
    write_layout(layout, [layer(debian(("bash", "5.2.15-2", "bash"), ("openssl", "0.9", "openssl")))])
    record = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "1")
    policy, keys = home / "policy.json", home / "keys.json"
    policy.write_text(document(allow("*")))
    keys.write_text(json.dumps({"keys": [SigningKey("one").jwk()]}))
    data = str(account.server.data)

    def done(*words: str) -> str:
        said = account.server.command(*words, "--data", data, key=account.key)
        assert said.returncode == 0, said.stderr
        return said.stdout.strip()

    def provider(name: str) -> str:
        made = account.iam.create_open_id_connect_provider(Url=f"https://{name}", ClientIDList=["x"])
        return made["OpenIDConnectProviderArn"]

    open_account, closing = "555555555555", "666666666666"
    for id in (open_account, closing):
        account.server.create_account(id)
    done("account", "attach-policy", open_account, "other", str(policy))
    given = provider("given.example.com")
    advisories = str(import_advisories(account.server, home / "records", record))
    artifact = f"127.0.0.1:{account.server.port}/{account.repository('advisories')}:v1"
    pushed = account.server.command("advisories", "push", advisories, artifact, key=account.key)
    assert pushed.returncode == 0, pushed.stderr
    done("oidc-provider", "set-keys", given, str(keys))
    return {
        "ACCOUNT": open_account,
        "ADVISORIES": advisories,
        "ALLOWED": done("allow", "add", *ARGUMENTS["allow add"], "--quiet"),
        "ARN": provider("gitlab.example.com"),
        "ARTIFACT": artifact,
        "CASES": str(ROOT / "crates" / "iam" / "tests" / "cases" / "bonded.jsonl"),
        "CLOSING": closing,
        "DECISION": denied.message.rsplit(" ", 1)[1].rstrip(")"),
        "DIRECTORY": str(home / "backup"),
        "FILE": str(home / "file"),
        "GIVEN": given,
        "IMAGE": f"localhost:{account.server.port}/{repository}:v1",
        "KEYS": str(keys),
        "LAYOUT": f"oci:{layout}",
        "POLICY": str(policy),
        "PRINCIPAL": account.sts.get_caller_identity()["Arn"],
        "RECORDS": str(home / "records"),
        "REPOSITORY": repository,
        "ROLE": role,
        "TOKEN": json.loads(done("token", "create", "--user", "alice", "-o", "json"))["id"],
    }


# What needs more than arguments to succeed, or a home of its own, or whose JSON is one object a line, is tested
# elsewhere: e2e/test_keyring.py, e2e/test_backup.py, e2e/test_login.py, e2e/test_rematching.py,
# e2e/test_advisory_updates.py.
ELSEWHERE = {"keyring check", "keyring retire", "restore", "login", "logout", "events", "advisories update"}


def form_option(command: Command) -> str | None:
    """The option that chooses between a table and JSON."""
    values = "one of `table`, `json`"
    options = [line for line in command.page.splitlines() if values in line]
    return re.findall(r"--\w+", options[0])[0] if options else None


def speaks_json(command: Command) -> bool:
    return form_option(command) is not None and command.name not in ELSEWHERE


def say(command: Command, account: Account, places: dict[str, str], *form: str) -> str:
    words = [*command.words, *(places.get(word, word) for word in ARGUMENTS.get(command.name, []))]
    if command.has("--data DIRECTORY"):
        words += ["--data", str(account.server.data)]
    said = account.server.command(*words, *form, key=account.key)
    assert (said.returncode, said.stderr) == (0, ""), said.stderr
    return said.stdout


@each([command for command in COMMANDS if speaks_json(command) and ready(command)])
def test_json_is_all_that_a_program_reads(command: Command, account: Account, places: dict[str, str]) -> None:
    option = form_option(command)
    assert option is not None
    answer = json.loads(say(command, account, places, option, "json"))
    entries = answer if isinstance(answer, list) else [answer]
    for entry in entries:
        if isinstance(entry, dict):
            assert_members(command.name, entry)


# What a list prints with --quiet, as its JSON has it.
IDS = {
    "account list": lambda answer: [entry["account"] for entry in answer],
    "account policies": lambda answer: [name for name, _ in answer],
    "allow list": lambda answer: [entry["id"] for entry in answer["allowedVulnerabilities"]],
    "keyring list": lambda answer: [root["id"] for root in answer["roots"]],
    "oidc-provider list": lambda answer: [entry["arn"] for entry in answer],
    "scan": lambda answer: [finding["id"] for finding in answer["findings"]],
    "token list": lambda answer: [entry["id"] for entry in answer],
}


@each([command for command in COMMANDS if command.name in IDS])
def test_a_quiet_list_is_its_ids(command: Command, account: Account, places: dict[str, str]) -> None:
    ids = IDS[command.name](json.loads(say(command, account, places, "-o", "json")))
    assert ids
    assert say(command, account, places, "--quiet").splitlines() == ids
    table = say(command, account, places)
    assert all(id in table for id in ids)


SILENT = [
    "can",
    "config check",
    "config show",
    "doctor",
    "gc",
    "oidc-provider check",
    "policy test",
    "share",
    "status",
    "why",
]


@each([command for command in COMMANDS if command.name in SILENT])
def test_a_quiet_command_without_ids_says_nothing(command: Command, account: Account, places: dict[str, str]) -> None:
    assert say(command, account, places, "-q") == ""
    assert say(command, account, places) != ""


@each([command for command in COMMANDS if form_option(command)])
def test_there_is_no_quiet_json(command: Command, tmp_path: Path) -> None:
    option = form_option(command)
    assert option is not None
    said = run(*command.words, *arguments(command, tmp_path), "-q", option, "json")
    assert (said.returncode, said.stdout) == (USAGE_ERROR, "")
    assert "cannot be used with" in said.stderr
