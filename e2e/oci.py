"""The distribution API as its clients use it, with the rules that hold for every answer checked on every answer."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import requests

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
# The error codes of the distribution specification 1.1 and of its docker predecessor.
ERROR_CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "RANGE_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNSUPPORTED",
}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def manifest(config: bytes, *layers: bytes, **more: Any) -> bytes:
    """An OCI image manifest over these blobs."""

    def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, config),
        "layers": [descriptor(OCI_LAYER, layer) for layer in layers],
    }
    return json.dumps(body | more, indent=1).encode()


@dataclass(frozen=True)
class Image:
    """What was pushed."""

    manifest: bytes
    layer: bytes

    @property
    def digest(self) -> str:
        return digest(self.manifest)


class V2:
    """One caller of `/v2`. Answers are given back whatever their status; what every answer must have is asserted."""

    def __init__(self, url: str, verify: str, password: str | None, *, bearer: bool = False) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify
        if password is not None and bearer:
            self._session.headers["Authorization"] = f"Bearer {password}"
        elif password is not None:
            self._session.auth = ("AWS", password)

    def request(self, method: str, path: str, *, faults: bool = False, **options: Any) -> requests.Response:
        """`path` is what follows the host, or the Location of an earlier answer. `faults`: it may be one of ours."""
        answer = self._session.request(
            method, self.url + path if path.startswith("/") else path, timeout=60, allow_redirects=False, **options
        )
        assert_every_answer_has(answer, faults=faults)
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> requests.Response:
        return self.request("HEAD", path, **options)

    # ------------------------------------------------------------------------------------------ push

    def begin_upload(self, repository: str) -> str:
        """Where the upload goes on."""
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def finish_upload(self, location: str, of: str, data: bytes = b"") -> requests.Response:
        separator = "&" if "?" in location else "?"
        return self.request(
            "PUT", f"{location}{separator}digest={of}", data=data, headers={"Content-Type": "application/octet-stream"}
        )

    def push_blob(self, repository: str, data: bytes) -> str:
        """Pushes it with POST and PUT; its digest."""
        answer = self.finish_upload(self.begin_upload(repository), digest(data), data)
        assert answer.status_code == 201, answer.text
        return digest(data)

    def put_manifest(
        self, repository: str, reference: str, body: bytes, media_type: str = OCI_MANIFEST
    ) -> requests.Response:
        return self.request(
            "PUT", f"/v2/{repository}/manifests/{reference}", data=body, headers={"Content-Type": media_type}
        )

    def push(self, repository: str, tag: str, layer: bytes = b"a layer", **more: Any) -> Image:
        """Pushes an image of one layer; `more` goes into its manifest."""
        config = b'{"architecture": "amd64", "os": "linux"}'
        for blob in (config, layer):
            self.push_blob(repository, blob)
        image = Image(manifest(config, layer, **more), layer)
        answer = self.put_manifest(repository, tag, image.manifest)
        assert answer.status_code == 201, answer.text
        return image

    # ------------------------------------------------------------------------------------------ pull

    def pull(self, repository: str, reference: str) -> requests.Response:
        return self.get(f"/v2/{repository}/manifests/{reference}")

    def blob(self, repository: str, of: str, **options: Any) -> requests.Response:
        return self.get(f"/v2/{repository}/blobs/{of}", **options)


def assert_every_answer_has(answer: requests.Response, *, faults: bool = False) -> None:
    """The headers that every answer has, no fault of the server, and errors in the form of the specification."""
    where = f"{answer.request.method} {answer.request.url} → {answer.status_code}"
    assert faults or answer.status_code < 500, f"{where}: {answer.text}"
    assert answer.headers.get("Docker-Distribution-Api-Version") == "registry/2.0", where
    assert answer.headers.get("X-Content-Type-Options") == "nosniff", where
    assert answer.headers.get("Content-Security-Policy") == "default-src 'none'; sandbox", where
    assert answer.headers.get("x-amzn-RequestId"), where
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm="), where
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert_error_form(answer, where)


def assert_error_form(answer: requests.Response, where: str) -> None:
    errors = answer.json()["errors"]
    assert errors, where
    for error in errors:
        assert error["code"] in ERROR_CODES, f"{where}: {error}"
        assert error["message"], f"{where}: {error}"
        assert error.keys() <= {"code", "message", "detail"}, f"{where}: {error}"


def error(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and message of an answer with one error."""
    (only,) = answer.json()["errors"]
    return answer.status_code, only["code"], only["message"]
