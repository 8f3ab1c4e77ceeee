"""A load on a server that may be killed at any moment, and what the clients of that load may rely on.

Each worker knows what was acknowledged to it. What was under way when the server was killed may have happened or not;
everything else is held to the answer. Workers share repositories and blobs, so that equal uploads, mounts, deletes and
the collector meet, but each has tags, images and uploads of its own.
"""

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import requests

from oci import V2, digest, manifest

REPOSITORIES = ("crash/a", "crash/b", "crash/c")
TAGS = 4
# How many images a worker keeps.
IMAGES = 15
BLOBS = 12
FRAME = 65_536
# What a request to an upload is told that a collector which waits for nobody has found idle, or has in its hands.
IDLE = (404, 409)
CONFIG = b'{"architecture": "amd64", "os": "linux"}'


class Killed(Exception):
    """The server was killed under this request, or before it."""


class Fuse:
    """Burns with each request; when it has burnt down, `burnt` is set."""

    def __init__(self, requests: int) -> None:
        self._left = requests
        self._lock = threading.Lock()
        self.burnt = threading.Event()

    def burn(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.burnt.set()


@dataclass
class Upload:
    """An upload in chunks, and what of it was acknowledged."""

    repository: str
    location: str
    data: bytes
    acknowledged: int = 0
    # The end of a chunk that was under way, or of what was acknowledged.
    sent: int = 0
    ending: bool = False


@dataclass
class Stored:
    """An image and its blobs."""

    repository: str
    manifest: bytes
    blobs: tuple[bytes, ...]


@dataclass
class Known:
    """What a worker may rely on."""

    # Images by repository and digest; `uncertain` are those that were being stored or deleted.
    images: dict[tuple[str, str], Stored] = field(default_factory=dict)
    uncertain: dict[tuple[str, str], Stored] = field(default_factory=dict)
    # What a tag names: one digest, or `None` for no image, or several possibilities.
    tags: dict[tuple[str, str], set[str | None]] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    # Digests that were never pushed to their end.
    unfinished: set[tuple[str, str]] = field(default_factory=set)


def shared_blobs(seed: int) -> list[bytes]:
    """The blobs that all workers push; most of them small, some of several frames."""
    numbers = random.Random(seed)
    sizes = [numbers.choice([0, 1, 200, 3000, FRAME, FRAME + 1, 200_000, 600_000]) for _ in range(BLOBS)]
    return [numbers.randbytes(size) + index.to_bytes(2, "big") for index, size in enumerate(sizes)]


class Worker:
    """One client. `run` works until the server is killed; `verify` asks it for everything that was acknowledged."""

    def __init__(self, name: str, numbers: random.Random, blobs: list[bytes]) -> None:
        self.name = name
        self.known = Known()
        self.acknowledged = 0
        self._numbers = numbers
        self._blobs = blobs
        self._images = 0
        self._v2: V2 | None = None
        self._fuse = Fuse(0)

    # ------------------------------------------------------------------------------------------ load

    def run(self, v2: V2, fuse: Fuse) -> None:
        self._v2, self._fuse = v2, fuse
        actions: list[tuple[Callable[[], None], int]] = [
            (self._push_image, 8),
            (self._delete_image, 3),
            (self._delete_tag, 1),
            (self._upload_chunks, 3),
        ]
        try:
            while True:
                (action,) = self._numbers.choices([a for a, _ in actions], [w for _, w in actions])
                action = self._delete_image if len(self.known.images) > IMAGES else action
                action()
        except Killed:
            pass

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        self._fuse.burn()
        assert self._v2 is not None
        try:
            return self._v2.request(method, path, **options)
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise Killed from error

    def _push_image(self) -> None:
        repository = self._numbers.choice(REPOSITORIES)
        tag = f"{self.name}-{self._numbers.randrange(TAGS)}"
        layers = self._numbers.sample(self._blobs, self._numbers.randint(1, 3))
        self._images += 1
        text = manifest(CONFIG, *layers, annotations={"by": f"{self.name} {self._images}"})
        image = Stored(repository, text, (CONFIG, *layers))
        # A collector that waits for nobody may take a blob again before the image refers to it.
        for _ in range(20):
            for blob in image.blobs:
                self._push_blob(repository, blob)
            if self._put_manifest(image, tag):
                return

    def _put_manifest(self, image: Stored, tag: str) -> bool:
        known, of = self.known, digest(image.manifest)
        before = known.tags.get((image.repository, tag), {None})
        known.uncertain[image.repository, of] = image
        known.tags[image.repository, tag] = before | {of}
        headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        path = f"/v2/{image.repository}/manifests/{tag}"
        answer = self._request("PUT", path, data=image.manifest, headers=headers)
        del known.uncertain[image.repository, of]
        if answer.status_code == 201:
            known.tags[image.repository, tag] = {of}
            known.images[image.repository, of] = image
            self.acknowledged += 1
            return True
        known.tags[image.repository, tag] = before
        assert answer.status_code == 400 and "MANIFEST_BLOB_UNKNOWN" in answer.text, answer.text
        return False

    def _push_blob(self, repository: str, blob: bytes) -> None:
        of, base = digest(blob), f"/v2/{repository}/blobs"
        way = self._numbers.choice(["head", "head", "mount", "post", "put", "chunks"])
        if way == "head" and self._request("HEAD", f"{base}/{of}").status_code == 200:
            return
        if way == "mount":
            source = self._numbers.choice(REPOSITORIES)
            answer = self._request("POST", f"{base}/uploads/?mount={of}&from={source}")
            if answer.status_code == 201:
                return
            self._finish(answer.headers["Location"], of, blob)
        elif way == "post":
            answer = self._request("POST", f"{base}/uploads/?digest={of}", data=blob)
            assert answer.status_code in (201, *IDLE), answer.text
        elif way == "chunks":
            location = self._request("POST", f"{base}/uploads/").headers["Location"]
            for first in range(0, len(blob), 100_000):
                answer = self._request("PATCH", location, data=blob[first : first + 100_000])
                if answer.status_code in IDLE:
                    return  # the manifest will tell that the blob is missing
                location = answer.headers["Location"]
            self._finish(location, of, b"")
        else:
            location = self._request("POST", f"{base}/uploads/").headers["Location"]
            self._finish(location, of, blob)
        return

    def _finish(self, location: str, of: str, rest: bytes) -> None:
        answer = self._request("PUT", f"{location}?digest={of}", data=rest)
        assert answer.status_code in (201, *IDLE), answer.text

    def _delete_image(self) -> None:
        known = self.known
        if not known.images:
            return
        repository, of = self._numbers.choice(sorted(known.images))
        image = known.images.pop((repository, of))
        known.uncertain[repository, of] = image
        before = {place: set(named) for place, named in known.tags.items()}
        for (tagged, _), named in known.tags.items():
            if tagged == repository and of in named:
                named.add(None)
        answer = self._request("DELETE", f"/v2/{repository}/manifests/{of}")
        assert answer.status_code == 202, answer.text
        del known.uncertain[repository, of]
        known.tags = before
        for place, named in before.items():
            if place[0] == repository and of in named:
                known.tags[place] = {None}
        self.acknowledged += 1

    def _delete_tag(self) -> None:
        known = self.known
        tagged = sorted(place for place, named in known.tags.items() if None not in named)
        if not tagged:
            return
        repository, tag = self._numbers.choice(tagged)
        known.tags[repository, tag].add(None)
        answer = self._request("DELETE", f"/v2/{repository}/manifests/{tag}")
        assert answer.status_code == 202, answer.text
        known.tags[repository, tag] = {None}
        self.acknowledged += 1

    def _upload_chunks(self) -> None:
        """Begins an upload of bytes that nobody else has, and leaves it before its end."""
        repository = self._numbers.choice(REPOSITORIES)
        data = self._numbers.randbytes(self._numbers.choice([10, FRAME, 3 * FRAME + 5, 500_000]))
        self.known.unfinished.add((repository, digest(data)))
        answer = self._request("POST", f"/v2/{repository}/blobs/uploads/")
        upload = Upload(repository, answer.headers["Location"], data)
        self.known.uploads.append(upload)
        size = max(1, len(data) // self._numbers.randint(2, 5))
        for _ in range(self._numbers.randint(1, 2)):
            chunk = data[upload.sent : upload.sent + size]
            upload.sent += len(chunk)
            answer = self._request("PATCH", upload.location, data=chunk)
            if answer.status_code in IDLE:
                self.known.uploads.remove(upload)
                return
            assert answer.status_code == 202, answer.text
            upload.acknowledged = upload.sent

    # ------------------------------------------------------------------------------------------ what was acknowledged

    def verify(self, v2: V2, seen: set[tuple[str, str]]) -> None:
        """`seen` are the blobs that were pulled and found right already."""
        known = self.known
        for (repository, of), image in list(known.uncertain.items()):
            answer = v2.pull(repository, of)
            assert answer.status_code in (200, 404), answer.text
            if answer.status_code == 200:
                known.images[repository, of] = image
        known.uncertain.clear()
        for (repository, of), image in known.images.items():
            answer = v2.pull(repository, of)
            assert answer.status_code == 200, f"{self.name}: {repository}@{of} was acknowledged: {answer.text}"
            assert answer.content == image.manifest
            for blob in image.blobs:
                place = repository, digest(blob)
                if place not in seen:
                    seen.add(place)
                    answer = v2.blob(*place)
                    assert answer.status_code == 200 and answer.content == blob, (
                        f"{place} of {of}: {answer.status_code}"
                    )
        for (repository, tag), named in known.tags.items():
            answer = v2.head(f"/v2/{repository}/manifests/{tag}")
            now = answer.headers["Docker-Content-Digest"] if answer.status_code == 200 else None
            assert now in named, f"{self.name}: {repository}:{tag} names {now}, not one of {named}"
            assert now is None or (repository, now) in known.images, (
                f"{repository}:{tag} names {now}, which is not there"
            )
            known.tags[repository, tag] = {now}
        for repository, of in known.unfinished:
            assert v2.head(f"/v2/{repository}/blobs/{of}").status_code == 404, f"{of} was never finished"

    def go_on(self, v2: V2, collected: bool) -> int:
        """Goes on with every upload that was left, to its end; `collected` says whether some may be gone. How many."""
        resumed = 0
        for upload in self.known.uploads:
            answer = v2.get(upload.location)
            if answer.status_code == 404:
                assert collected, f"an upload was acknowledged and is gone: {answer.text}"
                continue
            assert answer.status_code == 204, answer.text
            begun, _, last = answer.headers["Range"].partition("-")
            offset = int(last) + 1 if last != "0" else 0
            assert begun == "0"
            # Whole frames of what was written are there; the last one may have been in memory.
            assert upload.acknowledged - FRAME <= offset <= upload.sent, f"{offset} of {upload}"
            of = digest(upload.data)
            answer = v2.finish_upload(upload.location, of, upload.data[offset:])
            assert answer.status_code == 201, answer.text
            self.known.unfinished.discard((upload.repository, of))
            resumed += 1
        self.known.uploads.clear()
        return resumed


def needed(workers: Iterable[Worker]) -> set[str]:
    """The digests of all blobs that an image refers to. In one registry each is one object."""
    return {digest(blob) for worker in workers for image in worker.known.images.values() for blob in image.blobs}
