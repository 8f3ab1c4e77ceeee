"""What can go wrong at the command line is said with what was expected and what to do."""

import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import Account, allow
from server import BINARY, Key, Server


def run(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


def said(status: int, words: list[str], environment: dict[str, str]) -> str:
    """What a command says that ends with `status`, on standard error alone and in one line."""
    done = run(words, environment)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("bonded: ") and done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture
def nowhere(server: Server, account: Account, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who knows the server and has not its data."""
    return server.environment(account.key) | {"BONDED_DATA": str(tmp_path), "HOME": str(tmp_path)}


def test_an_authority_that_is_not_known(nowhere: dict[str, str], tmp_path: Path) -> None:
    bundle = nowhere.pop("AWS_CA_BUNDLE")
    text = said(1, ["why", "x"], nowhere)
    assert "the authority of its certificate is not known here; set AWS_CA_BUNDLE" in text and "tls/ca.crt" in text
    (tmp_path / "empty").write_text("nothing")
    text = said(2, ["why", "x"], nowhere | {"AWS_CA_BUNDLE": str(tmp_path / "empty")})
    assert "holds no certificate in PEM form" in text
    assert "decision" in said(4, ["why", "x"], nowhere | {"AWS_CA_BUNDLE": bundle})


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server that speaks plain HTTP alone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_server_without_tls(nowhere: dict[str, str], deaf: int) -> None:
    text = said(1, ["why", "x", "--endpoint-url", f"https://127.0.0.1:{deaf}"], nowhere)
    assert "it does not speak TLS" in text and "http://" in text


def test_no_server(nowhere: dict[str, str]) -> None:
    text = said(1, ["why", "x", "--endpoint-url", "https://127.0.0.1:1"], nowhere)
    for part in ["Connection refused", "bonded serve", "--endpoint-url", "AWS_ENDPOINT_URL"]:
        assert part in text
    text = said(1, ["why", "x", "--endpoint-url", "https://no-such-host.invalid"], nowhere)
    assert "is the name right?" in text and "AWS_ENDPOINT_URL" in text
    assert "no server runs on" in said(1, ["status"], nowhere)


def test_wrong_credentials(nowhere: dict[str, str], server: Server, account: Account) -> None:
    unknown = server.environment(Key("AKIA0000000000000000", "x", account.id))
    assert "does not know the access key" in said(3, ["why", "x"], unknown)
    wrong = server.environment(Key(account.key.id, "wrong", account.id))
    assert "is AWS_SECRET_ACCESS_KEY" in said(3, ["why", "x"], wrong)
    assert "set AWS_REGION to a region of the server" in said(3, ["why", "x"], nowhere | {"AWS_REGION": "eu-west-9"})


def test_a_denial_names_the_action_and_the_command_that_explains_it(server: Server, account: Account) -> None:
    repository = account.repository()
    server.push_and_pull(account.key).push(repository, "v1")
    user = account.user("reader", allow("ecr:DescribeRepositories"))
    text = said(3, ["scan", "show", f"{repository}:v1", "-o", "csv"], server.environment(user.key))
    assert "is not authorized to perform: ecr:DescribeImageScanFindings" in text
    command = text.rsplit("run: ", 1)[1].split(")")[0]
    assert command.startswith("bonded why ")
    explained = run(shlex.split(command)[1:], server.environment(account.key))
    assert explained.returncode == 0 and "ecr:DescribeImageScanFindings" in explained.stdout


def test_what_is_not_there(nowhere: dict[str, str], server: Server, account: Account) -> None:
    text = said(4, ["share", "no/such", "--with", "222222222222", "--pull"], nowhere)
    assert "'no/such' does not exist" in text and "aws ecr describe-repositories" in text
    repository = account.repository()
    text = said(4, ["scan", "show", f"{repository}:no-such", "-o", "csv"], nowhere)
    assert "no-such" in text and repository in text
    data = ["--data", str(server.data)]
    text = said(1, ["account", "policies", "999999999999", *data], nowhere)
    assert "there is no open account '999999999999'; 'bonded account list' shows all" in text


def test_files_that_are_not_there_or_not_what_they_should_be(
    nowhere: dict[str, str], server: Server, account: Account, tmp_path: Path
) -> None:
    absent = str(tmp_path / "absent")
    text = said(2, ["scan", "rootfs:/", "--advisories", absent], nowhere)
    assert f"'{absent}'" in text and "bonded advisories import" in text
    text = said(2, ["config", "check", "--config", absent], nowhere)
    assert f"there is no configuration '{absent}'" in text and "--config" in text
    text = said(2, ["restore", absent, "--data", absent], nowhere)
    assert "it does not exist; name a directory that 'bonded backup' has made" in text
    data = ["--data", str(server.data)]
    text = said(1, ["advisories", "load", absent, *data], nowhere)
    assert f"cannot read '{absent}': No such file" in text
    assert "internal error" not in text and text.count("No such file") == 1
    text = said(1, ["backup", str(server.data / "inside"), *data], nowhere)
    assert "internal error" not in text and "choose a place on another disk" in text
    (tmp_path / "policy").write_text('{"Version": "2012-10-17", "Statement": [{"Effect": "Alow"}]}')
    text = said(1, ["account", "attach-policy", account.id, "x", str(tmp_path / "policy"), *data], nowhere)
    assert "may not be attached" in text and "Allow" in text
    (tmp_path / "policy").write_text('{"Version": "2012-10-17",}')
    for words in (["account", "attach-policy", account.id, "x", str(tmp_path / "policy"), *data], ["policy", "lint"]):
        text = said(1, [*words, *([str(tmp_path / "policy")] if words[0] == "policy" else [])], nowhere)
        assert "line 1 column 26" in text
    (tmp_path / "file").write_text("")
    text = said(1, ["serve", "--data", str(tmp_path / "file"), "--keyring", str(tmp_path / "ring" / "x")], nowhere)
    assert "it is no directory; name another with --data" in text
