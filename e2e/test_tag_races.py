"""Pushes of one tag at the same moment: tags move by compare and set."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from account import Account
from oci import OCI_MANIFEST, V2, digest, error, manifest
from server import Server

MakeServer = Callable[..., Server]
RACERS, RACES = 4, 12


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, own_server: MakeServer) -> Iterator[tuple[Account, list[V2]]]:
    """An account, and a session for each racer."""
    url = request.getfixturevalue("database")() if request.param == "postgresql" else None
    server = own_server(database=url).start()
    account = Account.default(server)
    password = server.password(account.key)
    yield account, [server.v2(password, tls=False) for _ in range(RACERS)]
    server.stop()


def race(racers: list[V2], repository: str, tag: str, mark: str) -> list[tuple[bytes, requests.Response]]:
    """Each pushes an image of its own under the tag; what was pushed and answered."""
    start = threading.Barrier(len(racers))

    def push(number: int) -> tuple[bytes, requests.Response]:
        body = manifest(b"config", b"layer", annotations={"by": f"{mark} {number}"})
        start.wait()
        return body, racers[number].put_manifest(repository, tag, body)

    with ThreadPoolExecutor(len(racers)) as pool:
        return list(pool.map(push, range(len(racers))))


def blobs(v2: V2, repository: str) -> None:
    for blob in (b"config", b"layer"):
        v2.push_blob(repository, blob)


def test_of_racing_pushes_of_an_immutable_tag_one_wins(place: tuple[Account, list[V2]]) -> None:
    account, racers = place
    name = account.repository(imageTagMutability="IMMUTABLE")
    blobs(racers[0], name)
    for n in range(RACES):
        raced = race(racers, name, f"t{n}", str(n))
        winners = [body for body, answer in raced if answer.status_code == 201]
        assert len(winners) == 1, [answer.text for _, answer in raced]
        for body, answer in raced:
            if answer.status_code != 201:
                status, code, text = error(answer)
                assert (status, code) == (400, "TAG_INVALID") and "immutable" in text
                assert racers[0].pull(name, digest(body)).status_code == 404, "a refused image is not there"
        assert racers[0].pull(name, f"t{n}").content == winners[0]


def test_racing_pushes_of_a_mutable_tag_all_succeed_and_one_is_last(place: tuple[Account, list[V2]]) -> None:
    account, racers = place
    name = account.repository()
    blobs(racers[0], name)
    for n in range(RACES):
        raced = race(racers, name, "latest", str(n))
        assert [answer.status_code for _, answer in raced] == [201] * RACERS
        pushed = [body for body, _ in raced]
        assert racers[0].pull(name, "latest").content in pushed
        for body in pushed:
            assert racers[0].pull(name, digest(body)).content == body
    (tagged,) = account.ecr.describe_images(repositoryName=name, filter={"tagStatus": "TAGGED"})["imageDetails"]
    assert tagged["imageTags"] == ["latest"]


def test_put_image_and_a_push_race_for_an_immutable_tag(place: tuple[Account, list[V2]]) -> None:
    account, racers = place
    name = account.repository(imageTagMutability="IMMUTABLE")
    blobs(racers[0], name)
    for n in range(RACES):
        bodies = [manifest(b"config", b"layer", annotations={"by": f"{n} {door}"}) for door in ("v2", "ecr")]
        start = threading.Barrier(2)

        def by_v2(body: bytes = bodies[0], tag: str = f"t{n}", start: threading.Barrier = start) -> bool:
            start.wait()
            return racers[0].put_manifest(name, tag, body).status_code == 201

        def by_ecr(body: bytes = bodies[1], tag: str = f"t{n}", start: threading.Barrier = start) -> bool:
            start.wait()
            image = {"imageManifest": body.decode(), "imageManifestMediaType": OCI_MANIFEST, "imageTag": tag}
            try:
                account.ecr.put_image(repositoryName=name, **image)
            except account.ecr.exceptions.ImageTagAlreadyExistsException:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = [done.result() for done in (pool.submit(by_v2), pool.submit(by_ecr))]
        assert won.count(True) == 1
        assert racers[0].pull(name, f"t{n}").content == bodies[won.index(True)]
