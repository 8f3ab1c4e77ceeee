"""examples/ml-digits from its sources to a prediction: built without any pull, pushed by docker, scanned, pulled by
roles of another account. The gate of `prod` refuses the variant with old packages, which `dev` may pull."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from account import LOGIN, PULL, PUSH, Account, allow, document, grant
from programs import Docker, Run, free_port, login_password
from scanning import CRITICAL, advisory, scanned, server_with_advisories
from server import ROOT

EXAMPLE = ROOT / "examples" / "ml-digits"
PREPARED = ROOT / ".test" / "ml-digits"
# What is said of one package of the vulnerable variant (GHSA-6hrg-qmvc-2xh8), and so that both ecosystems are known.
ADVISORIES = [
    advisory("CVE-2022-21797", "PyPI", "joblib", "1.2.0", CRITICAL),
    advisory("DEBIAN-CVE-2020-0001", "Debian:12", "not-installed", "1"),
]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def built(docker: Docker) -> Path:
    """The directory of the build; docker has both images."""
    assert (PREPARED / "base.tar").exists(), f"{PREPARED} is empty; run: ./test step ml-digits"
    Run(docker.run.environment, seconds=300)(EXAMPLE / "build.sh", PREPARED)
    return PREPARED


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with server_with_advisories(
        tmp_path_factory.mktemp("ml-server"), *ADVISORIES, options=("--scan-pull-wait", "60s")
    ) as server:
        yield Account.default(server)


def test_from_the_sources_to_a_prediction(docker: Docker, built: Path, account: Account) -> None:
    server = account.server
    registry = f"localhost:{server.port}"
    ci = account.user("ci", allow(LOGIN), allow([*PULL, *PUSH], account.arn("ml/*")))
    other = Account(server, server.create_account("222222222222"))
    gate = json.loads((EXAMPLE / "gate.json").read_text())["Statement"]
    roles = {"prod": other.role("prod", None, *gate), "dev": other.role("dev", None, allow(LOGIN), allow(PULL))}
    findings = grant(list(roles.values()), [*PULL, "ecr:DescribeImageScanFindings"])
    repository = account.repository(
        "ml/digits", policy=document(findings), imageScanningConfiguration={"scanOnPush": True}
    )
    names = {tag: f"{registry}/{repository}:{tag}" for tag in ("1.0.0", "1.0.0-vulnerable")}

    docker.login(registry, login_password(server, ci.key))
    for tag, name in names.items():
        docker.run("docker", "tag", f"ml/digits:{tag}", name)
        docker.run("docker", "push", name)
        docker.run("docker", "rmi", name, f"ml/digits:{tag}")
        result = scanned(account, repository, {"imageTag": tag})
        counts = result["imageScanFindings"].get("findingSeverityCounts", {})
        assert (result["imageScanStatus"]["status"], counts) == ("COMPLETE", {"CRITICAL": 1} if "v" in tag else {})

    def pull(role: str, tag: str, *, succeed: bool = True) -> str:
        docker.login(registry, login_password(server, other.assume(roles[role])))
        return docker.run("docker", "pull", names[tag], succeed=succeed)

    said = pull("prod", "1.0.0-vulnerable", succeed=False)
    assert "1 critical findings" in said
    assert "CVE-2022-21797 in joblib 1.1.0 (CRITICAL, fixed in 1.2.0)" in said
    pull("dev", "1.0.0-vulnerable")
    docker.run("docker", "rmi", names["1.0.0-vulnerable"])
    assert "Pull complete" in pull("prod", "1.0.0")
    samples = json.loads((built / "model" / "samples.json").read_text())
    told = tell(docker, names["1.0.0"], [sample["x"] for sample in samples])
    right = sum(digit == sample["y"] for digit, sample in zip(told, samples, strict=True))
    assert right >= 0.9 * len(samples)


def tell(docker: Docker, image: str, digits: list[list[float]]) -> list[int]:
    """What a container of the image takes the digits for."""
    port = free_port()
    # dockerd has no bridge here; its network is that of the namespace.
    limits = ["--read-only", "--cap-drop", "ALL", "--network", "host", "--env", f"PORT={port}"]
    container = docker.run("docker", "run", "--detach", "--rm", *limits, image).strip()
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(f"{url}/healthz"):
            assert time.monotonic() < deadline, docker.run("docker", "logs", container)
            time.sleep(0.1)
        metadata = requests.get(f"{url}/metadata", timeout=10).json()
        assert metadata["release"] == "1.0.0"
        return [requests.post(f"{url}/predict", json={"x": x}, timeout=10).json()["digit"] for x in digits]
    finally:
        docker.run("docker", "rm", "--force", container)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False
