"""Data directories of earlier versions, kept so that every later version opens them.

`.venv/bin/python e2e/kept_data.py NAME` writes `e2e/data-directories/NAME.tar.gz` with the binary that is built, and in
it `expected.json`: what `test_upgrade.py` then asks of it. Written once for a version and never again; whoever wants
more in it adds another. The secrets in it are of nothing else.
"""

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from account import PULL, PUSH, Account, allow, deny, document, grant
from oci import OCI_INDEX, OCI_MANIFEST, digest, manifest
from scanning import CRITICAL, advisory, debian, import_advisories, layer, load_advisories, scanned
from server import Server

DIRECTORY = Path(__file__).parent / "data-directories"
OTHER = "222222222222"
VULNERABLE = layer(debian(("libssl3", "3.0.11-1~deb12u2", "openssl")))
LAYER = layer(debian(("adduser", "3.134", "adduser")))
ADVISORY = advisory("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.13-1~deb12u1", CRITICAL)


def fill(server: Server, home: Path) -> dict[str, Any]:
    """Writes something of every kind; gives what to expect of it."""
    load_advisories(server, import_advisories(server, home / "records", ADVISORY)).check_returncode()
    account = Account.default(server)
    other = Account(server, server.create_account(OTHER))
    policy = home / "policy.json"
    policy.write_text(document(deny("ecr:DeleteRepository"), allow("*")))
    attach = ["account", "attach-policy", OTHER, "no-deletes", str(policy), "--data", str(server.data)]
    server.command(*attach).check_returncode()
    return {"account": account.id} | identities(account) | images(account, other)


def identities(account: Account) -> dict[str, Any]:
    iam = account.iam
    boundary = iam.create_policy(PolicyName="boundary", Path="/team/", PolicyDocument=document(allow("ecr:*")))
    second = document(allow("ecr:*"), deny("ecr:DeleteRepository"))
    iam.create_policy_version(PolicyArn=boundary["Policy"]["Arn"], PolicyDocument=second, SetAsDefault=True)
    iam.create_user(UserName="dev", Path="/team/", PermissionsBoundary=boundary["Policy"]["Arn"])
    iam.tag_user(UserName="dev", Tags=[{"Key": "team", "Value": "ml"}])
    iam.create_group(GroupName="pushers")
    iam.put_group_policy(GroupName="pushers", PolicyName="push", PolicyDocument=document(allow([*PUSH, "ecr:Get*"])))
    iam.add_user_to_group(GroupName="pushers", UserName="dev")
    key = account.access_key("dev")
    trust = document(grant(f"arn:aws:iam::{OTHER}:root", "sts:AssumeRole"))
    iam.create_role(RoleName="puller", AssumeRolePolicyDocument=trust, MaxSessionDuration=7200)
    iam.put_role_policy(RoleName="puller", PolicyName="pull", PolicyDocument=document(allow([*PULL, "ecr:Get*"])))
    iam.create_instance_profile(InstanceProfileName="nodes")
    iam.add_role_to_instance_profile(InstanceProfileName="nodes", RoleName="puller")
    provider = {
        "Url": "https://issuer.example.com",
        "ClientIDList": ["sts.amazonaws.com"],
        "ThumbprintList": ["a" * 40],
    }
    iam.create_open_id_connect_provider(**provider)
    iam.create_account_alias(AccountAlias="kept")
    return {"dev": {"id": key.id, "secret": key.secret}}


def images(account: Account, other: Account) -> dict[str, Any]:
    server, ecr = account.server, account.ecr
    tags = [{"Key": "env", "Value": "prod"}]
    scan = {"scanOnPush": True}
    ecr.create_repository(
        repositoryName="team/app", tags=tags, imageTagMutability="IMMUTABLE", imageScanningConfiguration=scan
    )
    gate = grant(f"arn:aws:iam::{OTHER}:root", PULL) | {
        "Condition": {"NumericEquals": {"bonded:CriticalFindings": "0"}}
    }
    ecr.set_repository_policy(repositoryName="team/app", policyText=document(gate))
    registry = server.push_and_pull(account.key)
    image = registry.push("team/app", "v1", LAYER)
    bad = registry.push("team/app", "vulnerable", VULNERABLE)
    for tag in ("v1", "vulnerable"):
        assert scanned(account, "team/app", {"imageTag": tag})["imageScanStatus"]["status"] == "COMPLETE"

    child = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    assert registry.put_manifest("team/app", "index", index, OCI_INDEX).status_code == 201
    registry.push_blob("team/app", b"{}")
    signature = manifest(b"{}", artifactType="application/vnd.example.signature", subject=child)
    assert registry.put_manifest("team/app", digest(signature), signature).status_code == 201

    # A layer that two repositories share, an image that is gone while its bytes are not, and half an upload.
    ecr.create_repository(repositoryName="team/other")
    registry.push("team/other", "v1", LAYER)
    registry.push("team/other", "gone", b"to be collected" * 500)
    ecr.batch_delete_image(repositoryName="team/other", imageIds=[{"imageTag": "gone"}])
    registry.request("PATCH", registry.begin_upload("team/other"), data=b"half")
    other.ecr.create_repository(repositoryName="app")
    return {
        "other": {"id": other.key.id, "secret": other.key.secret},
        "images": {"v1": image.digest, "vulnerable": bad.digest, "index": digest(index)},
        "signature": digest(signature),
    }


def main(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        server = Server(home / "server").start()
        try:
            expected = fill(server, home)
        finally:
            server.stop()
        (home / "expected.json").write_text(json.dumps(expected, indent=1))
        DIRECTORY.mkdir(exist_ok=True)
        with tarfile.open(DIRECTORY / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(home / "expected.json", "expected.json")
            archive.add(server.keyring, "ring/keyring")
            archive.add(server.data, "data", filter=kept)


def kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Not certificates, which are out of date one day and are made again, nor sockets and locks."""
    name = Path(entry.name)
    return None if name.parts[1:2] == ("tls",) or not (entry.isfile() or entry.isdir()) else entry


if __name__ == "__main__":
    main(*sys.argv[1:])
