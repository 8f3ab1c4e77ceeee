"""`bonded login`, docker's credential helper and the kubelet's: passwords that are made when they are needed."""

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, Account, allow
from command_json import assert_members
from server import BINARY, Key, Server


class Home:
    """A person's home directory, in which the programs of docker and of ours find their settings."""

    def __init__(self, path: Path, server: Server, key: Key | None) -> None:
        self.path = path
        self.bin = path / "bin"
        self.bin.mkdir(parents=True)
        self.config = path / ".docker" / "config.json"
        self.environment = server.environment(key) | {"HOME": str(path), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        self.environment.pop("XDG_CONFIG_HOME", None)

    def run(self, *command: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, input=input, capture_output=True, text=True, timeout=60, check=False, env=self.environment
        )

    def bonded(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(str(BINARY), *arguments, input=input)

    def helper(self, operation: str, url: str = "") -> subprocess.CompletedProcess[str]:
        """As docker calls it."""
        return self.run(str(self.bin / "docker-credential-bonded"), operation, input=url)


@pytest.fixture
def home(tmp_path: Path, server: Server, account: Account) -> Home:
    return Home(tmp_path / "home", server, account.user("person", allow(LOGIN)).key)


@pytest.fixture
def host(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def opens(server: Server, password: str) -> bool:
    return server.v2(password).get("/v2/").status_code == 200


def test_login_with_the_helper_never_ends(server: Server, home: Home, host: str) -> None:
    done = home.bonded("login", host, "--install-helper", str(home.bin))
    assert done.returncode == 0, done.stderr
    assert "for as long as you may be" in done.stdout and ":user/person" in done.stdout
    assert json.loads(home.config.read_text()) == {"credHelpers": {host: "bonded"}}
    # Neither endpoint nor authority need to be in the environment of whoever calls docker later.
    for name in ["AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_REGION", "AWS_DEFAULT_REGION"]:
        del home.environment[name]
    for url in [host, f"https://{host}", f"https://{host}/v2/"]:
        got = home.helper("get", url)
        assert got.returncode == 0, got.stdout
        answer = json.loads(got.stdout)
        assert answer["ServerURL"] == url and answer["Username"] == "AWS"
        assert opens(server, answer["Secret"])
    assert json.loads(home.helper("list").stdout) == {host: "AWS"}
    for operation in ["store", "erase"]:
        assert home.helper(operation, host).returncode == 0
    assert home.bonded("logout", host).stdout == f"logged out of {host}\n"
    assert json.loads(home.bonded("logout", host, "-o", "json").stdout) == {"host": host, "loggedOut": False}
    assert json.loads(home.config.read_text()) == {"credHelpers": {}}
    assert home.helper("get", host).returncode == 1


def test_login_without_the_helper_stores_a_password(home: Home, host: str) -> None:
    home.config.parent.mkdir()
    home.config.write_text('{"auths": {"docker.io": {"auth": "x"}}, "psFormat": "y"}')
    done = home.bonded("login", f"https://{host}/", "-o", "json")
    answer = json.loads(done.stdout)
    assert_members("login", answer)
    assert ":user/person" in answer["identity"] and datetime.fromisoformat(answer["expiresAt"]).tzinfo
    assert home.bonded("login", host, "--quiet").stdout == ""
    done = home.bonded("login", f"https://{host}/")
    assert done.returncode == 0, done.stderr
    assert "--install-helper" in done.stdout
    config = json.loads(home.config.read_text())
    assert config["psFormat"] == "y" and config["auths"]["docker.io"] == {"auth": "x"}
    assert set(config["auths"]) == {"docker.io", host}
    assert home.config.stat().st_mode & 0o777 == 0o600
    assert home.bonded("logout", host).returncode == 0
    assert json.loads(home.config.read_text())["auths"] == {"docker.io": {"auth": "x"}}


def test_the_helper_knows_nothing_of_other_hosts(home: Home, host: str) -> None:
    assert home.bonded("login", host, "--install-helper", str(home.bin)).returncode == 0
    for url in ["https://index.docker.io/v1/", "127.0.0.1:1", ""]:
        got = home.helper("get", url)
        # docker knows this text, and goes on without a password.
        assert (got.returncode, got.stdout) == (1, "credentials not found in native keychain\n")


def test_a_login_that_is_refused_changes_nothing(home: Home, account: Account, host: str) -> None:
    stranger = account.user("stranger")
    home.environment |= {"AWS_ACCESS_KEY_ID": stranger.key.id, "AWS_SECRET_ACCESS_KEY": stranger.key.secret}
    done = home.bonded("login", host)
    assert done.returncode == 3, done.stderr
    assert "is not authorized to perform: ecr:GetAuthorizationToken" in done.stderr
    home.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    done = home.bonded("login", host)
    assert done.returncode == 3 and "InvalidSignatureException" in done.stderr
    for wrong in ["", "localhost/team", "u@localhost"]:
        assert home.bonded("login", wrong).returncode == 2
    done = home.bonded("login", "127.0.0.1:1", "--endpoint-url", "https://127.0.0.1:1")
    assert done.returncode == 1 and "is the server running?" in done.stderr
    assert not home.config.exists() and not (home.path / ".config").exists()


def test_a_profile_logs_in_as_its_role(server: Server, home: Home, account: Account, host: str) -> None:
    person = account.user("assumer", allow("sts:AssumeRole"))
    role = account.role("puller", None, allow(LOGIN))
    profiles = home.path / "profiles"
    profiles.write_text(
        f"[keys]\naws_access_key_id = {person.key.id}\naws_secret_access_key = {person.key.secret}\n"
        f"[puller]\nrole_arn = {role}\nsource_profile = keys\nrole_session_name = laptop\n"
    )
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
        del home.environment[name]
    home.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(profiles)
    done = home.bonded("login", host, "--profile", "puller", "--install-helper", str(home.bin))
    assert done.returncode == 0, done.stderr
    assert "assumed-role/puller" in done.stdout and "/laptop" in done.stdout
    assert opens(server, json.loads(home.helper("get", host).stdout)["Secret"])
    # The session of the role is a new one each time; what its policy takes away is gone at once.
    account.iam.delete_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyName="inline")
    got = home.helper("get", host)
    assert got.returncode == 1 and "is not authorized to perform" in got.stdout


def request(image: str, **more: Any) -> str:
    return json.dumps(
        {"apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest", "image": image}
        | more
    )


def test_the_kubelet_gets_a_password_for_the_node(server: Server, home: Home, host: str) -> None:
    done = home.bonded("kubelet-plugin", input=request(f"{host}/team/app:v1"))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["kind"] == "CredentialProviderResponse"
    assert answer["apiVersion"] == "credentialprovider.kubelet.k8s.io/v1"
    assert answer["cacheKeyType"] == "Registry"
    assert list(answer["auth"]) == [host] and answer["auth"][host]["username"] == "AWS"
    assert opens(server, answer["auth"][host]["password"])
    for wrong in ["", "{}", request("app"), request(f"{host}/a").replace("/v1", "/v9")]:
        done = home.bonded("kubelet-plugin", input=wrong)
        assert done.returncode == 2 and done.stdout == "", wrong
    # A pod's token without a role must not fall back to what the node may do.
    done = home.bonded("kubelet-plugin", input=request(f"{host}/a", serviceAccountToken="t"))
    assert done.returncode == 2 and "eks.amazonaws.com/ecr-role-arn" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_our_commands(home: Home, shell: str) -> None:
    script = home.bonded("completion", shell)
    assert script.returncode == 0 and "credential-helper" in script.stdout
