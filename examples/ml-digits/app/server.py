"""Tells handwritten digits: ONNX Runtime behind the HTTP server of the standard library.

GET  /healthz                          → {"ok": true}
GET  /metadata                         → versions, and the SHA-256 of the model
POST /predict {"x": [64 numbers 0–16]} → {"digit": n, "probabilities": […]}
"""

import hashlib
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime

MODEL = Path(os.environ.get("MODEL", "/srv/model/digits.onnx"))
BODY_LIMIT = 65_536
session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
METADATA = {
    "release": os.environ.get("RELEASE", "dev"),
    "python": sys.version.split()[0],
    "numpy": np.__version__,
    "onnxruntime": onnxruntime.__version__,
    "model_sha256": hashlib.sha256(MODEL.read_bytes()).hexdigest(),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        match self.path:
            case "/healthz":
                self.answer(200, {"ok": True})
            case "/metadata":
                self.answer(200, METADATA)
            case _:
                self.answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/predict" or length > BODY_LIMIT:
            self.close_connection = True
            self.answer(404 if length <= BODY_LIMIT else 413, {"error": "POST /predict takes up to 64 KiB"})
            return
        try:
            pixels = np.asarray(json.loads(self.rfile.read(length))["x"], dtype=np.float32).reshape(1, 64)
        except (ValueError, KeyError, TypeError) as error:
            self.answer(400, {"error": f"want {{'x': [64 numbers]}}: {error}"})
            return
        digit, probabilities = session.run(["digit", "probabilities"], {"pixels": pixels})
        self.answer(200, {"digit": int(digit[0]), "probabilities": [round(float(p), 4) for p in probabilities[0]]})


# The first process of a container ignores SIGTERM unless it is handled.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
