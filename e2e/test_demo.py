"""`bonded demo`: the story that the README begins with, decision by decision."""

import subprocess
from pathlib import Path

import pytest

from server import BINARY, clean_environment

SECONDS = 240


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, "demo", "--exit", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=clean_environment(),
    )


@pytest.fixture(scope="module")
def story() -> str:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("decision", "reasons"),
    [
        ("1. allowed  ml-team pushes ml/digits:1.0 and, rebuilt, ml/digits:1.1", []),
        (
            "2. denied   ml-team pushes web/shop:1.0, which is another team's",
            [
                "assumed-role/ml-team/ci is not authorized to perform: ecr:InitiateLayerUpload",
                "repository/web/shop because no identity-based policy allows",
            ],
        ),
        ("3. allowed  prod pulls ml/digits:1.1 with its layers", []),
        (
            "4. denied   prod pulls ml/digits:1.0",
            ["assumed-role/prod/deploy is not authorized to perform: ecr:BatchGetImage", "3 critical, 1 high"],
        ),
        ("5. denied   prod pulls the same image by its digest", ["ecr:BatchGetImage", "3 critical, 1 high"]),
        (
            "5. denied   prod pulls the layer with its packages alone",
            ["ecr:GetDownloadUrlForLayer", "3 critical, 1 high"],
        ),
        (
            "6. denied   333333333333 pulls ml/digits:1.1, administrator of another account",
            ["because no resource-based policy allows the ecr:BatchGetImage action"],
        ),
    ],
)
def test_a_decision_is_as_the_story_says(story: str, decision: str, reasons: list[str]) -> None:
    lines = story.splitlines()
    assert f"  {decision}" in lines, story
    reason = lines[lines.index(f"  {decision}") + 1]
    for text in reasons:
        assert text in reason
        assert "run: bonded why " in reason


def test_the_findings_that_decide_are_named(story: str) -> None:
    assert "these findings decide: " in story
    named = story.split("these findings decide: ", 1)[1].splitlines()[0]
    assert set(named.split(", ")) == {"CVE-2025-32434", "CVE-2023-38545", "CVE-2024-5535"}
    for row in (
        ["CRITICAL", "CVE-2025-32434", "torch", "2.5.1", "2.6.0"],
        ["CRITICAL", "CVE-2023-38545", "libcurl4", "7.88.1-10+deb12u1", "7.88.1-10+deb12u4"],
        ["HIGH", "CVE-2023-4911", "libc6", "2.36-9", "2.36-9+deb12u3"],
    ):
        assert row in [line.split() for line in story.splitlines()]
    assert "    no findings" in story.splitlines()


def test_the_policy_that_is_enforced_is_shown(story: str) -> None:
    for text in ('"bonded:CriticalFindings": "0"', '"bonded:ScanAgeHours": "24"', '"bonded:ScanStatus": "COMPLETE"'):
        assert text in story


def test_its_data_is_kept_where_it_is_told_and_nowhere_else(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = demo("--data", str(kept))
    assert done.returncode == 0, done.stderr
    assert (kept / "data" / "bonded.db").exists()
    again = demo("--data", str(kept))
    assert again.returncode == 2
    assert "is not empty" in again.stderr
