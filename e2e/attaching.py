"""Documents attached to images: bills of materials and statements about vulnerabilities, as referrers."""

import base64
import json
from typing import Any

from oci import OCI_MANIFEST, digest
from server import Key, Server

CYCLONEDX = "application/vnd.cyclonedx+json"
SPDX = "application/spdx+json"
OPENVEX = "application/vnd.openvex+json"
IN_TOTO = "application/vnd.in-toto+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
EMPTY = b"{}"


def openvex(vulnerability: str, *products: Any, status: str = "not_affected", at: str = "2026-11-01") -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://vex.example/1",
        "author": "somebody",
        "timestamp": f"{at}T00:00:00Z",
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": vulnerability},
                "products": list(products),
                "status": status,
                "justification": "vulnerable_code_not_in_execute_path",
            }
        ],
    }


def cyclonedx(*purls: str) -> dict[str, Any]:
    components = [{"type": "library", "name": purl, "purl": purl} for purl in purls]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def spdx(*purls: str) -> dict[str, Any]:
    def package(purl: str) -> dict[str, Any]:
        reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
        return {"name": purl, "SPDXID": "SPDXRef-1", "externalRefs": [reference]}

    return {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": [package(purl) for purl in purls]}


def in_toto(subject: str, predicate_type: str, predicate: Any) -> dict[str, Any]:
    algorithm, value = subject.split(":")
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "image", "digest": {algorithm: value}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def envelope(statement: dict[str, Any]) -> dict[str, Any]:
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return {"payloadType": IN_TOTO, "payload": payload, "signatures": [{"sig": "bm9uZQ=="}]}


def referrer(subject: str, media_type: str, document: bytes, **more: Any) -> bytes:
    """The manifest of an artifact with this document about an image."""
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": media_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(EMPTY), "size": len(EMPTY)},
        "layers": [{"mediaType": media_type, "digest": digest(document), "size": len(document)}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 2},
    }
    return json.dumps(body | more).encode()


def attach(server: Server, key: Key, repository: str, subject: str, media_type: str, document: Any, **more: Any) -> str:
    """Attaches a document to an image, as `oras attach` does; the digest of its manifest."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    client = server.push_and_pull(key)
    for blob in (EMPTY, data):
        client.push_blob(repository, blob)
    manifest = referrer(subject, media_type, data, **more)
    answer = client.put_manifest(repository, digest(manifest), manifest)
    assert answer.status_code == 201, answer.text
    assert answer.headers["OCI-Subject"] == subject
    return digest(manifest)
