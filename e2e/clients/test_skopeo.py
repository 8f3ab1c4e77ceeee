"""skopeo over TLS with our authority: both forms of manifests, and what it shows of refusals."""

import json
from pathlib import Path

from account import Account, User
from programs import HOST, Run, login_password
from server import Server


def test_skopeo_copies_inspects_and_lists(
    run: Run, home: Path, archive: Path, server: Server, account: Account, pusher: User
) -> None:
    name = f"{HOST}:{server.port}/{account.repository('team/skopeo')}"
    password = login_password(server, pusher.key)
    trust = ["--cert-dir", home / "certificates", "--creds", f"AWS:{password}"]
    to = ["--dest-cert-dir", home / "certificates", "--dest-creds", f"AWS:{password}"]
    # docker's manifest and OCI's
    run("skopeo", "copy", *to, f"docker-archive:{archive}", f"docker://{name}:docker")
    run("skopeo", "copy", *to, "--format", "oci", f"docker-archive:{archive}", f"docker://{name}:oci")
    inspected = json.loads(run("skopeo", "inspect", *trust, f"docker://{name}:oci"))
    assert len(inspected["Layers"]) == 2
    assert sorted(json.loads(run("skopeo", "list-tags", *trust, f"docker://{name}"))["Tags"]) == ["docker", "oci"]
    layout = home / "layout"
    source = ["--src-cert-dir", home / "certificates", "--src-creds", f"AWS:{password}"]
    run("skopeo", "copy", *source, f"docker://{name}:oci", f"oci:{layout}:oci")
    for layer in inspected["Layers"]:
        assert (layout / "blobs" / layer.replace(":", "/")).exists()


def test_skopeo_refuses_our_certificate_without_our_ca(run: Run, server: Server, pusher: User) -> None:
    said = run(
        "skopeo",
        "inspect",
        "--creds",
        f"AWS:{login_password(server, pusher.key)}",
        f"docker://{HOST}:{server.port}/team/any:v1",
        succeed=False,
    )
    assert "certificate signed by unknown authority" in said


def test_skopeo_shows_awss_sentence(run: Run, home: Path, server: Server, account: Account, stranger: User) -> None:
    repository = account.repository("team/hidden")
    said = run(
        "skopeo",
        "inspect",
        "--cert-dir",
        home / "certificates",
        "--creds",
        f"AWS:{login_password(server, stranger.key)}",
        f"docker://{HOST}:{server.port}/{repository}:v1",
        succeed=False,
    )
    sentence = (
        f"User: {stranger.arn} is not authorized to perform: ecr:BatchGetImage on resource: {account.arn(repository)} "
        "because no identity-based policy allows the ecr:BatchGetImage action (decision "
    )
    assert sentence in said
