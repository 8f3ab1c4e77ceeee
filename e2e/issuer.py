"""A real OpenID Connect issuer on loopback: HTTPS under its own authority, keys that rotate, tokens of every shape.

As a program, for the guide: `issuer.py DIRECTORY PORT` writes `ca.pem` and serves until it is ended, and gives a
token at `/token?sub=SUBJECT&aud=AUDIENCE`.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import ssl
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID

AUDIENCE = "sts.amazonaws.com"
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
DISCOVERY = "/.well-known/openid-configuration"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, length: int | None = None) -> str:
    return base64url(value.to_bytes(length or (value.bit_length() + 7) // 8))


class SigningKey:
    """One key of an issuer, RSA or EC, under an id."""

    def __init__(self, kid: str, kind: str = "RS256") -> None:
        self.kid = kid
        self.kind = kind
        self.private: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if kind.startswith("ES")
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )

    def jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        common = {"kid": self.kid, "use": "sig", "alg": self.kind}
        if self.kind.startswith("ES"):
            return common | {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        return common | {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}

    def pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, alg: str, message: bytes) -> bytes:
        if alg == "none":
            return b""
        if alg.startswith("HS"):
            return hmac.digest(self.pem(), message, hashlib.sha256)
        digest = HASHES[alg[2:]]()
        if self.kind.startswith("ES"):
            r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
            return r.to_bytes(32) + s.to_bytes(32)
        return self.private.sign(message, padding.PKCS1v15(), digest)

    def token(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token with these claims; `header` is put over what the header would be."""
        head = {"alg": self.kind, "typ": "JWT", "kid": self.kid} | header
        parts = [base64url(json.dumps(part).encode()) for part in (head, dict(claims))]
        signed = ".".join(parts)
        return f"{signed}.{base64url(self.sign(head['alg'], signed.encode()))}"


class Authority:
    """A certificate authority, and a server's certificate by it for localhost."""

    def __init__(self, directory: Path) -> None:
        self.ca = directory / "ca.pem"
        self.chain = directory / "issuer.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = self._name("test authority")
        ca = self._builder(name, name, key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.ca.write_bytes(ca.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        own = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        leaf = self._builder(self._name("issuer"), name, own).add_extension(x509.SubjectAlternativeName(names), False)
        certificate = leaf.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        form = serialization.PrivateFormat.PKCS8
        secret = own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        self.chain.write_bytes(certificate + secret)

    @staticmethod
    def _name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    @staticmethod
    def _builder(subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))


class Issuer:
    """The issuer. What it answers can be changed at any time: `keys`, and `answers` by path."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(directory)
        self.keys = [SigningKey("rsa-1"), SigningKey("ec-1", "ES256")]
        # Path to (status, headers, body); over what is served otherwise.
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, headers, body = issuer.answer(self.path)
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.chain)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"https://localhost:{self.port}"

    # What policies and ARNs call it.
    @property
    def name(self) -> str:
        return self.url.removeprefix("https://")

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        route = urllib.parse.urlsplit(path)
        if route.path in self.answers:
            return self.answers[route.path]
        json_type = {"Content-Type": "application/json"}
        if route.path == DISCOVERY:
            return 200, json_type, self.discovery()
        if route.path == "/keys":
            return 200, json_type, self.jwks()
        if route.path == "/token":
            asked = dict(urllib.parse.parse_qsl(route.query))
            return 200, {}, self.token(asked.pop("sub"), **asked).encode()
        return 404, {}, b"not here"

    def discovery(self, **members: str) -> bytes:
        return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | members).encode()

    def jwks(self) -> bytes:
        return json.dumps({"keys": [key.jwk() for key in self.keys]}).encode()

    def claims(self, subject: str, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 300} | more

    def token(self, subject: str, key: int = 0, **more: Any) -> str:
        return self.keys[key].token(self.claims(subject, **more))

    def start(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def options(self) -> list[str]:
        """Of a server that may ask it."""
        return ["--egress-allow", "localhost", "--egress-authorities", str(self.authority.ca)]


if __name__ == "__main__":
    Issuer(Path(sys.argv[1]), int(sys.argv[2])).server.serve_forever()
