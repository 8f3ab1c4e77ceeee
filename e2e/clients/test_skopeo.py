"""skopeo over TLS with our authority: both forms of manifests, and what it shows of refusals."""

import json
from pathlib import Path

from account import Account, User
from programs import HOST, Run, login_password
from server import Server
from test_attached_sboms import CYCLONEDX, SPDX, SYSTEM, attached, push, referrers


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


def test_skopeo_copies_bills_of_materials_that_the_server_has_attached(
    run: Run, home: Path, server: Server, account: Account, pusher: User
) -> None:
    account.ecr.create_repository(repositoryName="team/sboms", imageScanningConfiguration={"scanOnPush": True})
    copies = account.repository("team/copies")
    v2 = server.push_and_pull(server.administrator)
    subject = push(v2, "team/sboms", "v1", SYSTEM)
    found = attached(v2, "team/sboms", subject, CYCLONEDX, SPDX)
    registry, creds = f"docker://{HOST}:{server.port}", f"AWS:{login_password(server, pusher.key)}"
    source = ["--src-cert-dir", home / "certificates", "--src-creds", creds]
    to = ["--dest-cert-dir", home / "certificates", "--dest-creds", creds]
    run("skopeo", "copy", *source, *to, f"{registry}/team/sboms:v1", f"{registry}/{copies}:v1")
    for number, one in enumerate(found.values()):
        ours = f"{registry}/team/sboms@{one['digest']}"
        run("skopeo", "copy", *source, *to, ours, f"{registry}/{copies}:sbom-{number}")
        layout = home / f"sbom-{number}"
        run("skopeo", "copy", *source, ours, f"oci:{layout}")
        assert (layout / "blobs" / one["digest"].replace(":", "/")).stat().st_size == one["size"]
    # Copies are about the same image, and are whose who has pushed them: they stay without it.
    assert {one["digest"] for one in referrers(v2, copies, subject).values()} == {o["digest"] for o in found.values()}
    account.ecr.batch_delete_image(repositoryName=copies, imageIds=[{"imageDigest": subject}])
    assert set(referrers(v2, copies, subject)) == {CYCLONEDX, SPDX}


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
