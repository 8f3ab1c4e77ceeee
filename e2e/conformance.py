"""Runs the distribution specification's own conformance program against a fresh server, every option on:

    git clone https://github.com/opencontainers/distribution-spec
    (cd distribution-spec/conformance && go build -o conformance .)
    .venv/bin/python e2e/conformance.py distribution-spec/conformance/conformance [RESULTS]

By hand, before a release; test_oci_conformance.py holds the same assertions at every change."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from server import Server

# Off by default in the program.
OPTIONS = [
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
    "OCI_DATA_SPARSE",
]


def main(program: Path, results: Path) -> int:
    with tempfile.TemporaryDirectory() as home:
        options = ["--create-on-push", "conformance/*", "--oci-sparse-manifests", "conformance/*"]
        server = Server(Path(home), options=options)
        server.start()
        try:
            settings = dict.fromkeys(OPTIONS, "true") | {
                "OCI_VERSION": "1.1",
                "OCI_REGISTRY": f"127.0.0.1:{server.port}",
                "OCI_TLS": "disabled",
                "OCI_USERNAME": "AWS",
                "OCI_PASSWORD": server.password(server.administrator),
                "OCI_RESULTS_DIR": str(results.resolve()),
            }
            return subprocess.run([program.resolve()], env=os.environ | settings, cwd=home, check=False).returncode
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "conformance-results")))
