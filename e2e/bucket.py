"""The bucket of an S3-compatible server, seen from behind the registry's back."""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Bucket:
    """A part of the tests' bucket, by its prefix."""

    endpoint: str
    name: str
    prefix: str
    key: str
    secret: str

    @classmethod
    def of_environment(cls) -> "Bucket":
        url = os.environ.get("BONDED_TEST_S3")
        assert url, "BONDED_TEST_S3 is not set; run this through ./test, which starts an S3-compatible server"
        parts = urlsplit(url)
        endpoint = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        assert parts.username and parts.password
        return cls(endpoint, parts.path.strip("/"), f"e2e-{uuid.uuid4().hex}/", parts.username, parts.password)

    def options(self) -> list[str]:
        """The flags of a server whose objects are here."""
        flags = {
            "bucket": self.name,
            "prefix": self.prefix,
            "endpoint": self.endpoint,
            "access-key-id": self.key,
            "secret-access-key": self.secret,
            "allow-http": "true",
        }
        return [part for name, value in flags.items() for part in (f"--s3-{name}", value)]

    @property
    def s3(self) -> BaseClient:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )

    def checks_signatures(self) -> bool:
        """moto does not, radosgw does."""
        try:
            replace(self, secret="wrong").s3.list_objects_v2(Bucket=self.name)
        except ClientError:
            return True
        return False

    def objects(self) -> list[str]:
        """The keys of the finished objects."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def uploads(self) -> list[tuple[str, str]]:
        """Key and name of the multipart uploads that were neither completed nor aborted."""
        found = self.s3.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return [(upload["Key"], upload["UploadId"]) for upload in found if upload["Key"].startswith(self.prefix)]

    def content(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Every byte that is stored. Parts are read by completing their uploads, which ends those."""
        for key, upload in self.uploads():
            parts = self.s3.list_parts(Bucket=self.name, Key=key, UploadId=upload)["Parts"]
            named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
            self.s3.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": named}
            )
        for key in self.objects():
            yield key, self.content(key)

    def remove(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.name, Key=key)


class Line:
    """A TCP line to a bucket's server, which can be cut and mended."""

    def __init__(self, bucket: Bucket) -> None:
        target = urlsplit(bucket.endpoint)
        self._target = (target.hostname, target.port)
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._port = 0
        self.mend()
        self.bucket = replace(bucket, endpoint=f"http://127.0.0.1:{self._port}")

    def mend(self) -> None:
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        assert self._listener is not None
        for end in (self._listener, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=ends, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
