"""AWS's tools and ours with the token of an identity provider in a file: what CI jobs and pods of Kubernetes have."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from account import LOGIN, PULL, Account, allow, grant
from issuer import AUDIENCE, Issuer
from server import BINARY, Server

POD = "system:serviceaccount:shop:web"
JOB = "project_path:group/app:ref_type:branch:ref:main"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), options=issuer.options())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def provider(account: Account, issuer: Issuer) -> str:
    made = account.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[AUDIENCE])
    return made["OpenIDConnectProviderArn"]


def role(account: Account, provider: str, subject: str, *statements: dict[str, Any]) -> str:
    """A role for one subject of the provider."""
    name = provider.split("oidc-provider/", 1)[1]
    condition = {"StringEquals": {f"{name}:sub": subject, f"{name}:aud": AUDIENCE}}
    trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
    return account.role("workload", trust | {"Condition": condition}, allow(LOGIN), *statements)


class Job:
    """A job of CI: a home, a token in a file, and the environment that AWS's tools read."""

    def __init__(self, home: Path, server: Server, role: str, token: str) -> None:
        home.mkdir()
        self.token = home / "token"
        self.token.write_text(token + "\n")
        self.environment = server.environment(None) | {
            "HOME": str(home),
            "AWS_ROLE_ARN": role,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token),
            "AWS_ROLE_SESSION_NAME": "job-17",
        }
        self.environment.pop("XDG_CONFIG_HOME", None)

    def run(self, *command: str | Path, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.environment,
        )


@pytest.fixture
def job(tmp_path: Path, server: Server, account: Account, issuer: Issuer, provider: str) -> Job:
    return Job(tmp_path / "job", server, role(account, provider, JOB), issuer.token(JOB))


AWS = Path(sys.executable).with_name("aws")


def test_boto3_finds_role_and_token_by_itself(job: Job) -> None:
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    done = job.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert ":assumed-role/workload" in done.stdout and done.stdout.strip().endswith("/job-17")


def test_the_aws_cli_finds_role_and_token_by_itself(job: Job, server: Server, issuer: Issuer) -> None:
    done = job.run(AWS, "ecr", "get-login-password")
    assert done.returncode == 0, done.stderr
    assert server.v2(done.stdout.strip()).get("/v2/").status_code == 200
    by_hand = job.run(
        AWS,
        *["sts", "assume-role-with-web-identity", "--role-arn", job.environment["AWS_ROLE_ARN"]],
        *["--role-session-name", "by-hand", "--web-identity-token", issuer.token(JOB)],
    )
    assert by_hand.returncode == 0, by_hand.stderr
    assert json.loads(by_hand.stdout)["SubjectFromWebIdentityToken"] == JOB
    job.token.write_text(issuer.token("project_path:group/other:ref_type:branch:ref:main"))
    done = job.run(AWS, "ecr", "get-login-password")
    assert done.returncode != 0 and "Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stderr


def test_docker_gets_its_password_by_the_token(job: Job, server: Server, issuer: Issuer, tmp_path: Path) -> None:
    host = f"127.0.0.1:{server.port}"
    bin = tmp_path / "bin"
    bin.mkdir()
    job.environment["PATH"] = f"{bin}:{job.environment['PATH']}"
    done = job.run(BINARY, "login", host, "--install-helper", bin)
    assert done.returncode == 0, done.stderr
    assert ":assumed-role/workload" in done.stdout
    helper = bin / "docker-credential-bonded"
    answer = json.loads(job.run(helper, "get", input=host).stdout)
    assert answer["Username"] == "AWS" and server.v2(answer["Secret"]).get("/v2/").status_code == 200
    # The file is read anew each time: it is CI that keeps it fresh.
    job.token.write_text(issuer.token(JOB, exp=1))
    got = job.run(helper, "get", input=host)
    assert got.returncode == 1 and "Token expired" in got.stdout, got.stdout
    job.token.write_text(issuer.token(JOB, 1))
    assert job.run(helper, "get", input=host).returncode == 0


def request(image: str, **more: Any) -> str:
    version = "credentialprovider.kubelet.k8s.io/v1"
    return json.dumps({"apiVersion": version, "kind": "CredentialProviderRequest", "image": image} | more)


def test_the_kubelet_pulls_for_the_workload_and_not_for_the_node(
    server: Server, account: Account, issuer: Issuer, provider: str, tmp_path: Path
) -> None:
    mine, others = account.repository("shop"), account.repository("others")
    door = server.push_and_pull(account.key)
    for repository in [mine, others]:
        door.push(repository, "v1")
    workload = role(account, provider, POD, allow(PULL, account.arn(mine)))
    # The node may pull what others run, and not what this workload runs.
    node = account.user("node", allow(LOGIN), allow(PULL, account.arn(others)))
    home = tmp_path / "node"
    home.mkdir()
    environment = server.environment(node.key) | {"HOME": str(home)}
    environment.pop("XDG_CONFIG_HOME", None)
    host = f"127.0.0.1:{server.port}"

    def plugin(**more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BINARY, "kubelet-plugin"],
            input=request(f"{host}/{mine}:v1", **more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    def pulls(answer: subprocess.CompletedProcess[str]) -> dict[str, int]:
        assert answer.returncode == 0, answer.stderr
        password = json.loads(answer.stdout)["auth"][host]["password"]
        return {name: server.v2(password).pull(name, "v1").status_code for name in (mine, others)}

    assert pulls(plugin()) == {mine: 403, others: 200}
    annotation = {"eks.amazonaws.com/ecr-role-arn": workload}
    answer = plugin(serviceAccountToken=issuer.token(POD), serviceAccountAnnotations=annotation)
    assert pulls(answer) == {mine: 200, others: 403}
    # What one workload was given is no other's: the kubelet must not keep it for the node.
    assert json.loads(answer.stdout)["cacheKeyType"] == "Image"
    # Nor longer than half of the hour that the session lives; a node's own password lives for twelve.
    for given, longest in ((answer, 1800), (plugin(), 21_600)):
        duration = json.loads(given.stdout)["cacheDuration"]
        assert 0 < int(duration.removesuffix("s")) <= longest, duration
    # The decision is about the role of the workload.
    password = json.loads(answer.stdout)["auth"][host]["password"]
    denied = server.v2(password).pull(others, "v1").json()["errors"][0]["message"]
    assert f":assumed-role/{workload.rsplit('/', 1)[1]}/" in denied and node.arn not in denied
    # Another pod's token, or one that has ended, gives nothing, and not what the node has.
    for token in [issuer.token("system:serviceaccount:shop:db"), issuer.token(POD, exp=1), "nothing"]:
        refused = plugin(serviceAccountToken=token, serviceAccountAnnotations=annotation)
        assert refused.returncode != 0 and refused.stdout == "", refused.stdout
    # By the plugin's own setting too.
    environment["AWS_ECR_ROLE_ARN"] = workload
    assert pulls(plugin(serviceAccountToken=issuer.token(POD)))[mine] == 200


def test_the_kubelet_is_told_of_a_malformed_hosts_toml(server: Server, account: Account, tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = home / ".config" / "bonded" / "hosts.toml"
    settings.parent.mkdir(parents=True)
    environment = server.environment(account.user("node", allow(LOGIN)).key) | {"HOME": str(home)}
    environment.pop("XDG_CONFIG_HOME", None)

    def plugin() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BINARY, "kubelet-plugin"],
            input=request(f"127.0.0.1:{server.port}/app"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    assert plugin().returncode == 0
    for wrong in ["[", "x = 1", "['a']\nendpoint = 'https://a'\nother = 1"]:
        settings.write_text(wrong)
        done = plugin()
        assert done.returncode == 1 and done.stdout == "", done.stdout
        assert "hosts.toml" in done.stderr and "mend or remove it" in done.stderr
    settings.unlink()
    # A service of the system has no home, which is no fault.
    del environment["HOME"]
    assert plugin().returncode == 0


def test_a_session_of_a_job_passes_a_role_on(server: Server, account: Account, issuer: Issuer, provider: str) -> None:
    """A chain: the job's role assumes another, as `source_profile` of AWS's tools does."""
    second = account.role("second", grant(f"arn:aws:iam::{account.id}:root", "sts:AssumeRole"), allow(LOGIN))
    first = role(account, provider, JOB, allow("sts:AssumeRole", second))
    answer = account.sts.assume_role_with_web_identity(
        RoleArn=first, RoleSessionName="job", WebIdentityToken=issuer.token(JOB)
    )
    key = account.assume(second, type(account.key).of_session(answer))
    server.password(key)
