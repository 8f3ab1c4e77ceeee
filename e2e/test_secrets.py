"""Known secrets go through every door, with success and without, while the server logs all it can. None of them may be
found afterwards in what it wrote: log, audit, database, objects, metrics, errors, and what its commands print."""

import base64
import re
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from account import LOGIN, Account, allow
from bucket import Bucket
from conftest import sql
from issuer import Issuer
from oci import manifest
from raw import FORM, signed_headers
from server import BINARY, Server
from test_signatures import fetch, presigned
from test_web_identity import BRANCH, trust


@dataclass
class Found:
    """The secrets of one run, and everything in which they must not stand."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)

    def secret(self, what: str, text: str) -> str:
        assert len(text) >= 16, f"{what} is too short to be looked for"
        self.secrets[what] = text.encode()
        return text

    def canary(self, what: str) -> str:
        """A secret that is nothing but one."""
        return self.secret(
            what, f"canary-{what.replace(' ', '-')}-{base64.b32encode(what.encode()).decode().strip('=')}"
        )

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Each secret as it is, and as a form, base 64 or a database would have it."""
        for what, secret in self.secrets.items():
            yield what, secret
            yield f"{what}, as in a form", urllib.parse.quote(secret, safe="").encode()
            yield f"{what}, in hexadecimal digits", secret.hex().encode()
            # Whatever stands before it, two characters may belong to that.
            for shift in range(3):
                encoded = base64.b64encode(b"x" * shift + secret)
                yield f"{what}, in base 64", encoded[4:-4]

    def refused(self, answer: requests.Response) -> None:
        assert answer.status_code >= 400, answer.text
        self.places[f"the answer to {answer.request.method} {len(self.places)}"] = (
            answer.content + str(answer.headers).encode()
        )

    def assert_nothing_stands_anywhere(self) -> None:
        for what, secret in self.forms():
            for where, content in self.places.items():
                assert secret not in content, f"{what} stands in {where}"


def use_every_door(server: Server, issuer: Issuer, found: Found) -> None:
    """Goes in with each kind of credential, right and wrong."""
    account = Account.default(server)
    user = account.user("canary", allow([LOGIN, "ecr:*", "sts:*", "iam:*"]))
    found.secret("the administrator's secret key", account.key.secret)
    found.secret("a secret key", user.key.secret)
    session = account.assume(account.role("canary", None, allow("*")))
    found.secret("a session's secret key", session.secret)
    found.secret("a session token", session.token or "")
    password = found.secret("an authorization token", server.password(user.key))
    found.secret("the MAC of an authorization token", password.rsplit(".", 1)[1])
    token = account.iam.create_service_specific_credential(UserName=user.name, ServiceName="ecr.amazonaws.com")
    token = token["ServiceSpecificCredential"]
    service_token = found.secret("a service token", token["ServicePassword"])

    name = account.repository("canary")
    layer = found.canary("layer").encode() * 10_000
    config = b'{"secret": "%s"}' % found.canary("config").encode()
    image = manifest(config, layer, annotations={"secret": found.canary("annotation")})
    for given in (password, service_token):
        for bearer in (False, True):
            door = server.v2(given, bearer=bearer)
            for blob in (layer, config):
                door.push_blob(name, blob)
            assert door.put_manifest(name, "v1", image).status_code == 201
            assert door.pull(name, "v1").content == image
            found.refused(server.v2(given + "x", bearer=bearer).get("/v2/"))
            found.refused(door.pull("not/there", "v1"))
    unfinished = server.v2(password).begin_upload(name)
    assert server.v2(password).request("PATCH", unfinished, data=found.canary("upload").encode() * 9999).ok
    disabled = {"UserName": user.name, "ServiceSpecificCredentialId": token["ServiceSpecificCredentialId"]}
    account.iam.update_service_specific_credential(**disabled, Status="Inactive")
    found.refused(server.v2(service_token).get("/v2/"))

    # What people mistake for a password, and headers that are none.
    url, verify = server.url(), str(server.ca)
    for header in [
        "Basic " + base64.b64encode(f"{user.key.id}:{user.key.secret}".encode()).decode(),
        "Basic " + base64.b64encode(f"AWS:{found.canary('password')}".encode()).decode(),
        "Basic " + found.canary("broken Basic"),
        "Bearer " + found.canary("Bearer"),
        "Digest " + found.canary("scheme"),
        found.canary("header without a scheme"),
    ]:
        answer = requests.get(f"{url}/v2/", headers={"Authorization": header}, verify=verify, timeout=60)
        found.refused(answer)
    query = {"token": found.canary("query"), "X-Amz-Security-Token": found.canary("token in a query")}
    found.refused(requests.get(f"{url}/v2/", params=query, verify=verify, timeout=60))
    found.refused(requests.get(f"{url}/layers/{found.canary('ticket')}", verify=verify, timeout=60))
    found.refused(requests.get(f"{url}/{found.canary('path')}", verify=verify, timeout=60))

    # Signed calls, presigned ones, and their signatures.
    link = presigned(server, session)
    assert fetch(server, link)[0] == 200
    assert fetch(server, link.replace("2011-06-15", "2011-06-16"))[0] == 403
    found.secret("the signature of a URL", urllib.parse.parse_qs(link)["X-Amz-Signature"][0])
    body = f"Action=GetUser&Version=2010-05-08&UserName={user.name}&Secret={found.canary('parameter')}".encode()
    headers = signed_headers(server, session, body, FORM, service="iam")
    found.secret("the signature of a header", headers["Authorization"].rsplit("=", 1)[1])
    for sent in (body, body + b"x", b"Action=GetUser&UserName=" + found.canary("form").encode()):
        found.places[f"the answer to {len(sent)} bytes"] = fetch(server, url + "/", headers, sent)[1].encode()
    layer_link = server.client("ecr", session).get_download_url_for_layer(
        repositoryName=name, layerDigest=server.v2(password).push_blob(name, layer)
    )["downloadUrl"]
    assert requests.get(layer_link, verify=verify, timeout=60).content == layer
    found.secret("the ticket of a layer", layer_link.rsplit("/", 1)[1])
    found.refused(requests.get(layer_link[:-3], verify=verify, timeout=60))

    # Web identities.
    trusted = trust(account, issuer, allow(LOGIN))
    right = found.secret("a web identity token", issuer.token(BRANCH))
    found.secret("the signature of a web identity token", right.rsplit(".", 1)[1])
    trusted.assume(right)
    for wrong in (right[:-4], found.canary("no token at all"), issuer.token(BRANCH, aud=found.canary("claim"))):
        found.secret(f"a wrong token of {len(wrong)} characters", wrong)
        with pytest.raises(ClientError) as refused:
            trusted.assume(wrong)
        found.places[f"the refusal of {len(wrong)} characters"] = str(refused.value.response).encode()


def commands(server: Server, found: Found, settings: list[str], environment: dict[str, str]) -> None:
    """What the commands print that show how a server is."""
    account = Account.default(server)
    for words in [
        ["config", "show", *settings],
        ["config", "check", *settings],
        ["doctor", *settings],
        ["doctor", "-o", "json", *settings],
        ["status", "--data", str(server.data)],
        ["status", "-o", "json", "--data", str(server.data)],
        ["account", "list", "--data", str(server.data)],
        ["keyring", "list", "--data", str(server.data)],
        ["token", "list", "--all"],
        ["serve", "--help"],
    ]:
        for key in (account.key, None):
            done = subprocess.run(
                [BINARY, *words],
                capture_output=True,
                timeout=60,
                check=False,
                env=server.environment(key) | environment,
            )
            found.places[f"what 'bonded {' '.join(words[:2])}' prints {len(found.places)}"] = done.stdout + done.stderr
    metrics = requests.get(server.url(tls=False) + "/metrics", timeout=60)
    assert metrics.status_code == 200
    found.places["the metrics"] = metrics.content


def written(server: Server, found: Found) -> None:
    """The log, what was printed, and every file of the data directory but those that hold a secret for the operator."""
    shown = {server.data / "administrator.json", server.data / "tls" / "ca.key", server.data / "tls" / "server.key"}
    files = [path for path in server.data.rglob("*") if path.is_file() and path not in shown]
    assert any("audit" in path.parts for path in files)
    for file in [*files, server.log, server.home / "server.out"]:
        found.places[str(file)] = file.read_bytes()
    log = found.places[str(server.log)]
    assert b"request refused" in log, "the log says less than this test is about"


def root_keys(server: Server, found: Found) -> None:
    keys = re.findall(r"[A-Za-z0-9+/_=-]{32,}", server.keyring.read_text())
    assert keys
    for number, key in enumerate(keys):
        found.secret(f"root key {number}", key)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    issuer = Issuer(tmp_path_factory.mktemp("issuer")).start()
    yield issuer
    issuer.stop()


def test_no_secret_is_found_on_one_node(own_server: Callable[..., Server], issuer: Issuer) -> None:
    found = Found()
    server = own_server(options=["--log-level", "trace", *issuer.options()]).start()
    use_every_door(server, issuer, found)
    root_keys(server, found)
    files = ["--data", str(server.data), "--keyring", str(server.keyring)]
    commands(server, found, files, {})
    server.stop()
    written(server, found)
    found.assert_nothing_stands_anywhere()


def test_no_secret_is_found_with_postgresql_and_a_bucket(
    own_server: Callable[..., Server], issuer: Issuer, database: Callable[[], str], tmp_path: Path
) -> None:
    found = Found()
    pair = tmp_path / "pair.key"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", pair, "-out", tmp_path / "pair.crt"]
    subprocess.run(["openssl", "req", "-x509", *made], check=True, capture_output=True)
    for number, line in enumerate(pair.read_text().splitlines()[1:-1]):
        if len(line) >= 20:
            found.secret(f"line {number} of the TLS key", line)

    bucket = Bucket.of_environment()
    url = database()
    account = url.split("://")[1].split("@")[0]
    assert ":" not in account, "the tests' PostgreSQL asks for no password, so that any may be given"
    url = url.replace(f"//{account}@", f"//{account}:{found.canary('password of the database')}@")
    settings = ["--database", url, "--tls-certificate", str(tmp_path / "pair.crt"), "--tls-key", str(pair)]
    settings += bucket.options()
    if not bucket.checks_signatures():
        settings[settings.index("--s3-secret-access-key") + 1] = found.canary("secret of the bucket")
    server = own_server(options=[*settings, "--log-level", "trace", *issuer.options()])
    server.ca = tmp_path / "pair.crt"
    server.start()
    use_every_door(server, issuer, found)
    root_keys(server, found)
    files = ["--data", str(server.data), "--keyring", str(server.keyring)]
    commands(server, found, [*files, *settings], {})
    named = {"BONDED_DATABASE": url, "BONDED_S3_SECRET_ACCESS_KEY": found.canary("secret in the environment")}
    commands(server, found, files, named)
    server.stop()
    written(server, found)

    tables = sql(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'").splitlines()
    rows = {table: sql(url, f'SELECT t::text FROM "{table}" t') for table in tables}
    assert rows["service_tokens"] and rows["changes"] and rows["sessions"]
    found.places |= {f"the table {table}": text.encode() for table, text in rows.items()}
    objects = [item["Key"] for item in listed(bucket)]
    assert objects
    for key in objects:
        found.places[f"the object {key}"] = bucket.s3.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    found.assert_nothing_stands_anywhere()


def listed(bucket: Bucket) -> list[dict[str, Any]]:
    pages = bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=bucket.prefix)
    return [item for page in pages for item in page.get("Contents", [])]


def test_this_test_finds_what_is_there() -> None:
    for place in [b"x canary-a-ME y", b"x%63", base64.b64encode(b"zz canary-a-ME yyyy"), b"63616e6172792d612d4d45"]:
        found = Found(secrets={"a": b"canary-a-ME"}, places={"there": place})
        if place == b"x%63":
            found.assert_nothing_stands_anywhere()
        else:
            with pytest.raises(AssertionError):
                found.assert_nothing_stands_anywhere()
