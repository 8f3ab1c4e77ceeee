"""Requests from somebody who means harm: each gets a named error, none a fault, and the server lives on."""

import base64
import json
import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import timedelta

import pytest

from account import Account
from raw import ECR_TARGET, FORM, JSON, Answer, message, post, send, signed_headers
from server import Key, Server


@pytest.fixture(autouse=True)
def the_server_still_answers(server: Server) -> Iterator[None]:
    yield
    assert server.is_running(), server.tail()
    assert server.client("sts", server.administrator).get_caller_identity()["Account"]


def ecr(server: Server, body: bytes, operation: str = "DescribeRepositories", **signing: object) -> Answer:
    """A well signed call of ECR with this body."""
    headers = JSON | {"X-Amz-Target": ECR_TARGET + operation}
    return post(server, body, signed_headers(server, server.administrator, body, headers, **signing))


def code(answer: Answer) -> str:
    """The code of an error in either protocol."""
    assert answer.status < 500, answer
    if answer.headers["content-type"].startswith("text/xml"):
        root = ET.fromstring(answer.body)
        return root.findtext("{*}Error/{*}Code", "")
    return json.loads(answer.body)["__type"]


# ------------------------------------------------------------------------------------------------ bodies


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"null",
        b'{"maxResults": 1, "maxResults": 2}',
        b'{"maxResults": "1"}',
        b'{"maxResults": 1e999}',
        b'{"maxResults": 99999999999999999999999999}',
        b'{"maxResults": 1.5}',
        b'{"repositoryNames": "app"}',
        b'{"repositoryNames": [["app"]]}',
        b'{"repositoryNames": [null]}',
        b'{"repositoryNames": {"0": "app"}}',
        b'{"registryId": 111122223333}',
        b'{"nextToken": {"a": 1}}',
        b'{"a":' * 5_000,
        b"[" * 100_000,
        b'{"repositoryNames": ["' + b"a" * 100_000 + b'"]}',
        b'{"repositoryNames": ["\\u0000"]}',
        b'{"repositoryNames": ["\\ud800"]}',
    ],
    ids=lambda body: repr(body[:32]),
)
def test_a_malformed_json_body_is_an_invalid_parameter(server: Server, body: bytes) -> None:
    answer = ecr(server, body)
    assert (answer.status, code(answer)) in (
        (400, "InvalidParameterException"),
        (400, "SerializationException"),
    )


def test_a_huge_json_body_is_refused(server: Server) -> None:
    answer = ecr(server, b'{"nextToken": "' + b"x" * 30_000_000 + b'"}')
    assert answer.status in (400, 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Action=GetUser",
        b"Action=GetUser&Version=1999-01-01",
        b"Action=CreateUser&Version=2010-05-08&UserName=a&UserName=b",
        b"Action=CreateUser&Version=2010-05-08&UserName=%00",
        b"Action=CreateUser&Version=2010-05-08&UserName=%ff%fe",
        b"Action=CreateUser&Version=2010-05-08&UserName=%zz",
        b"Action=CreateUser&Version=2010-05-08&UserName=x&Tags.member." + b"1." * 5_000 + b"Key=a",
        b"Action=CreateUser&Version=2010-05-08&UserName=x&"
        + b"&".join(b"Tags.member.%d.Key=a" % n for n in range(2_000)),
    ],
    ids=lambda body: repr(body[-48:]),
)
def test_a_malformed_form_is_refused_by_name(server: Server, body: bytes) -> None:
    headers = signed_headers(server, server.administrator, body, FORM, service="iam")
    answer = post(server, body, headers)
    assert answer.status in (400, 403), answer
    assert code(answer) in {
        "ValidationError",
        "InvalidAction",
        "MissingAuthenticationToken",
        "MissingAction",
        "MalformedInput",
        "InvalidInput",
        "SignatureDoesNotMatch",
        "LimitExceeded",
    }, answer


@pytest.mark.parametrize("number", ["999999999", "18446744073709551615", "99999999999999999999", "0", "-1", "x"])
def test_an_absurd_number_of_a_member_costs_nothing(server: Server, account: Account, number: str) -> None:
    name = account.unique("sparse")
    body = (
        f"Action=CreateUser&Version=2010-05-08&UserName={name}&Tags.member.{number}.Key=a&Tags.member.{number}.Value=b"
    )
    answer = post(server, body.encode(), signed_headers(server, account.key, body.encode(), FORM, service="iam"))
    assert answer.status in (200, 400), answer


def test_a_huge_form_is_refused(server: Server) -> None:
    body = b"Action=GetUser&Version=2010-05-08&UserName=" + b"x" * 2_000_000
    answer = post(server, body, signed_headers(server, server.administrator, body, FORM, service="iam"))
    assert answer.status in (400, 413)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (ECR_TARGET + "DropTables", "UnknownOperationException"),
        (ECR_TARGET + "x" * 5_000, "UnknownOperationException"),
        (ECR_TARGET, "UnknownOperationException"),
        ("AmazonSSM.GetParameter", "UnknownOperationException"),
        ("", "UnknownOperationException"),
    ],
)
def test_an_unknown_target_is_an_unknown_operation(server: Server, target: str, expected: str) -> None:
    headers = JSON | {"X-Amz-Target": target}
    answer = post(server, b"{}", signed_headers(server, server.administrator, b"{}", headers))
    assert (answer.status, code(answer)) == (400, expected)


# ------------------------------------------------------------------------------------------------ signatures


def test_without_a_signature_nothing_is_answered(server: Server) -> None:
    answer = post(server, b"{}", JSON | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"})
    assert (answer.status, code(answer)) == (400, "MissingAuthenticationTokenException")
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    answer = post(server, body, FORM)
    assert (answer.status, code(answer)) == (403, "MissingAuthenticationToken")


def test_a_well_signed_request_passes(server: Server) -> None:
    assert ecr(server, b"{}").status == 200


@pytest.mark.parametrize(
    "signing",
    [
        {"service": "iam"},
        {"service": "s3"},
        {"region": "eu-west-9"},
        {"age": timedelta(minutes=20)},
        {"age": timedelta(minutes=-20)},
        {"age": timedelta(days=1)},
    ],
    ids=str,
)
def test_a_signature_for_another_service_region_or_time_is_refused(server: Server, signing: dict) -> None:
    answer = ecr(server, b"{}", **signing)
    assert (answer.status, code(answer)) == (400, "InvalidSignatureException")


def tampered(name: str, headers: dict[str, str]) -> dict[str, str]:
    """One way to spoil good headers."""
    authorization = headers["Authorization"]
    spoiled = {
        "another signature": authorization[:-4] + ("0000" if authorization[-4:] != "0000" else "1111"),
        "a short signature": authorization[:-4],
        "no signed headers": re.sub(r"SignedHeaders=[^,]+, ", "", authorization),
        "the host not signed": authorization.replace("host;", ""),
        "no scope": re.sub(r"Credential=([^/]+)/[^,]+", r"Credential=\1", authorization),
        "another algorithm": authorization.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5"),
        "nonsense": "AWS4-HMAC-SHA256 " + "x" * 2_000,
    }
    return headers | {"Authorization": spoiled[name]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("another signature", "InvalidSignatureException"),
        ("a short signature", "InvalidSignatureException"),
        ("no signed headers", "IncompleteSignatureException"),
        ("the host not signed", "InvalidSignatureException"),
        ("no scope", "IncompleteSignatureException"),
        ("another algorithm", "IncompleteSignatureException"),
        ("nonsense", "IncompleteSignatureException"),
    ],
)
def test_a_spoiled_authorization_header_is_refused(server: Server, name: str, expected: str) -> None:
    headers = JSON | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"}
    good = signed_headers(server, server.administrator, b"{}", headers)
    answer = post(server, b"{}", tampered(name, good))
    assert answer.status == 400
    assert code(answer) in (expected, "IncompleteSignatureException", "InvalidSignatureException")


def test_what_was_signed_is_what_counts(server: Server) -> None:
    headers = JSON | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"}
    good = signed_headers(server, server.administrator, b"{}", headers)
    for body, spoiled in (
        (b'{"maxResults":1}', good),
        (b"{}", good | {"X-Amz-Target": ECR_TARGET + "GetAuthorizationToken"}),
        (b"{}", good | {"X-Amz-Meta-Unsigned": "x"}),
        (b"{}", good | {"X-Amz-Security-Token": "forged"}),
    ):
        answer = post(server, body, spoiled)
        assert answer.status == 400
        assert code(answer) in ("InvalidSignatureException", "UnrecognizedClientException")


def test_an_unknown_key_and_a_wrong_secret_are_refused(server: Server) -> None:
    administrator = server.administrator
    headers = JSON | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"}
    for key, expected in (
        (Key("AKIA" + "0" * 16, administrator.secret, administrator.account), "UnrecognizedClientException"),
        (Key("../../etc", administrator.secret, administrator.account), "UnrecognizedClientException"),
        (Key(administrator.id, "wrong", administrator.account), "InvalidSignatureException"),
    ):
        answer = post(server, b"{}", signed_headers(server, key, b"{}", headers))
        assert answer.status == 400
        assert code(answer) in (expected, "IncompleteSignatureException")


# ------------------------------------------------------------------------------------------------ HTTP itself


@pytest.mark.parametrize(
    "lengths",
    [
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "chunked", "content-length": "0"},
        {"Content-Length": "5", "content-length": "6"},
        {"Content-Length": "5, 6"},
        {"Content-Length": "-1"},
        {"Content-Length": "+5"},
        {"Content-Length": "99999999999999999999999999"},
        {"Transfer-Encoding": "chunked, identity"},
        {"Transfer-Encoding": "xchunked"},
    ],
    ids=str,
)
def test_an_ambiguous_length_is_refused_and_nothing_behind_it_is_served(server: Server, lengths: dict) -> None:
    smuggled = message("GET", "/v2/", {})
    answer = send(server, message("POST", "/v2/", lengths, b"0\r\n\r\n" + smuggled))
    if answer is not None:
        assert answer.status == 400
        assert answer.headers.get("connection") == "close"
        assert b"HTTP/1.1" not in answer.body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\n Folded: y\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
        b"GET http://evil.example/v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1_000,
        b"\x16\x03\x01\x02\x00" + b"\xff" * 600,
        random.Random(2_000).randbytes(2_000),
    ],
    ids=lambda request: repr(request[:40]),
)
def test_broken_http_is_refused_or_hung_up_on(server: Server, request_bytes: bytes) -> None:
    answer = send(server, request_bytes.replace(b"\r\nHost", b"\r\nConnection: close\r\nHost", 1), and_no_more=True)
    assert answer is None or 400 <= answer.status < 500


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../",
        "/v2/../v2/",
        "/v2/./",
        "/v2//",
        "/v2/app/../../etc/passwd",
        "/v2/app/blobs/../../../etc/passwd",
        "/v2/app%2f..%2f..%2fetc/manifests/v1",
        "/v2/app/manifests/..%2f..%2fv1",
        "/v2/app/manifests/%00",
        "/v2/app/manifests/%ff",
        "/v2/app/manifests/%",
        "/v2/app/blobs/sha256:" + "0" * 64 + "%00",
        "/v2/app/blobs/sha256%3A" + "0" * 64,
        "/v2/" + "a/" * 3_000 + "manifests/v1",
        "//v2/",
        "/V2/",
        "/administrator.json",
        "/data/tls/ca.key",
        "*",
    ],
    ids=lambda path: path[:40],
)
def test_a_path_leads_nowhere_but_where_it_says(server: Server, path: str) -> None:
    authorization = base64.b64encode(f"AWS:{server.password(server.administrator)}".encode()).decode()
    for headers in ({}, {"Authorization": f"Basic {authorization}"}):
        answer = send(server, message("GET", path, headers | {"Connection": "close"}))
        assert answer is not None
        assert 300 <= answer.status < 500, answer
        assert b"root:" not in answer.body


def test_only_get_of_a_served_page_or_post_of_a_call_is_answered(server: Server) -> None:
    for method in ("GET", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "BREW"):
        answer = send(server, message(method, "/", {"Connection": "close"}))
        assert answer is not None
        assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !!!",
        "Basic " + "A" * 5_000,
        "Basic Og==",
        "Bearer",
        "Bearer  ",
        "Negotiate x",
        "AWS4-HMAC-SHA256",
        "\x80",
    ],
)
def test_a_malformed_credential_on_v2_is_not_known(server: Server, authorization: str) -> None:
    answer = send(server, message("GET", "/v2/", {"Authorization": authorization, "Connection": "close"}))
    assert answer is not None
    assert answer.status in (400, 401)
    if answer.status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic realm=")


def test_a_cookie_is_no_credential(server: Server) -> None:
    cookie = {"Cookie": f"session={server.password(server.administrator)}", "Connection": "close"}
    answer = send(server, message("GET", "/v2/", cookie))
    assert answer is not None
    assert answer.status == 401


def test_the_host_name_of_an_unknown_account_is_forbidden(server: Server) -> None:
    door = server.push_and_pull(server.administrator)
    for host in (
        "999999999999.dkr.ecr.us-east-1.amazonaws.com",
        f"{server.administrator.account}.dkr.ecr.eu-west-9.example",
    ):
        answer = door.get("/v2/app/tags/list", headers={"Host": host})
        assert answer.status_code == 403, host
