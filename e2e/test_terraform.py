"""Terraform with AWS's own provider: what it applies it finds again unchanged, and takes away.

It runs where Terraform and the provider are on the machine. Debian has neither, so they may lawfully be absent, and the
run then says so. `terraform` is looked for in PATH; the provider in the directory that TF_PLUGINS names, else where
Terraform itself looks ("Implied Local Mirror Directories" in its documentation) and below /opt.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from account import Account
from server import ROOT

TERRAFORM = shutil.which("terraform")
PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")


def mirrors() -> list[Path]:
    """Where providers may be, the likeliest first."""
    named = os.environ.get("TF_PLUGINS")
    if named:
        # Who names a directory wants that one, or to hear that it is wrong.
        return [Path(named)]
    data = [Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")]
    data += [Path(path) for path in (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")]
    implied = [Path.home() / ".terraform.d" / "plugins", *(path / "terraform" / "plugins" for path in data)]
    opt = Path("/opt")
    return [*implied, *sorted(opt.iterdir() if opt.is_dir() else []), *sorted(opt.glob("*/plugins"))]


def plugins() -> Path | None:
    """The directory for `terraform init -plugin-dir`, with AWS's provider in it."""
    return next((path for path in mirrors() if (path / PROVIDER).is_dir()), None)


PLUGINS = plugins()
MISSING = [
    *([] if TERRAFORM else ["no terraform in PATH"]),
    *([] if PLUGINS else [f"no {PROVIDER} in {', '.join(map(str, mirrors()))}; name its directory in TF_PLUGINS"]),
]


@pytest.mark.skipif(bool(MISSING), reason="; ".join(MISSING))
def test_what_terraform_applies_it_finds_unchanged_and_destroys(account: Account, tmp_path: Path) -> None:
    shutil.copy(ROOT / "e2e" / "terraform" / "main.tf", tmp_path)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TF_IN_AUTOMATION": "1",
        "TF_VAR_url": account.server.url(tls=False),
        "TF_VAR_key": account.key.id,
        "TF_VAR_secret": account.key.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def terraform(*arguments: str) -> None:
        done = subprocess.run(
            [str(TERRAFORM), *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"terraform {arguments} ended with {done.returncode}:\n{done.stdout}"

    terraform("init", "-no-color", f"-plugin-dir={PLUGINS}")
    terraform("apply", "-no-color", "-auto-approve")
    users = account.iam.list_users(PathPrefix="/machines/")["Users"]
    assert [user["UserName"] for user in users] == ["ci"]
    terraform("plan", "-no-color", "-detailed-exitcode")  # 2 would mean that it finds a difference
    terraform("destroy", "-no-color", "-auto-approve")
    assert account.iam.list_users(PathPrefix="/machines/")["Users"] == []
