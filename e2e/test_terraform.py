"""Terraform with AWS's own provider: what it applies it finds again unchanged, and takes away.

It runs where Terraform and the provider are on the machine: `terraform` in PATH, and in TF_PLUGINS the directory for
`terraform init -plugin-dir`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from account import Account
from server import ROOT

TERRAFORM, PLUGINS = shutil.which("terraform"), os.environ.get("TF_PLUGINS")


@pytest.mark.skipif(not (TERRAFORM and PLUGINS), reason="no terraform in PATH, or TF_PLUGINS names no providers")
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
