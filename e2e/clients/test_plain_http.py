"""Plain HTTP is for loopback: from any other address it is refused without drawing a password out."""

import requests

from programs import HOST
from server import Server


def test_plain_http_from_another_address_is_refused_without_a_challenge(server: Server) -> None:
    # Whoever connects to the namespace's own address comes from it, and not from loopback.
    answer = requests.get(f"http://{HOST}:{server.port}/v2/", timeout=10)
    assert 400 <= answer.status_code < 500
    assert answer.status_code != 401
    assert "WWW-Authenticate" not in answer.headers
    assert answer.json()["errors"]


def test_tls_from_another_address_is_served(server: Server) -> None:
    answer = requests.get(f"https://{HOST}:{server.port}/v2/", verify=str(server.ca), timeout=10)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
