"""SigV4 beyond what boto3 sends by itself: presigned requests, bodies that are not signed, odd headers."""

import hashlib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from account import Account
from raw import ECR_TARGET, FORM, JSON, post, signed_headers
from server import REGION, Key, Server

ASK = "Action=GetCallerIdentity&Version=2011-06-15"


def presigned(server: Server, key: Key, query: str = ASK, *, service: str = "sts", expires: int = 60) -> str:
    request = AWSRequest("GET", f"{server.url()}/?{query}")
    credentials = Credentials(key.id, key.secret, key.token)
    SigV4QueryAuth(credentials, service, REGION, expires=expires).add_auth(request)
    return request.url


def fetch(
    server: Server, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(server.ca))
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_presigned_url_asks_once_more_and_no_longer_than_it_says(account: Account) -> None:
    server, user = account.server, account.user("presigns")
    status, body = fetch(server, presigned(server, user.key))
    assert (status, user.arn in body) == (200, True), body
    boto = server.client("sts", user.key).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert fetch(server, boto)[0] == 200
    status, body = fetch(server, presigned(server, user.key, expires=604801))
    assert (status, "<Code>IncompleteSignature</Code>" in body) == (400, True), body
    status, body = fetch(server, presigned(server, user.key).replace("2011-06-15", "2011-06-16"))
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in body) == (403, True), body
    nobody = Key("AKIA" + "0" * 16, user.key.secret, user.key.account)
    status, body = fetch(server, presigned(server, nobody))
    assert (status, "<Code>InvalidClientTokenId</Code>" in body) == (403, True), body


@pytest.mark.parametrize("operation", ["GetAuthorizationToken", "DescribeRepositories"])
def test_a_url_signed_for_ecr_gets_nothing(account: Account, operation: str) -> None:
    server, key, body = account.server, account.key, b"{}"

    class WithBody(SigV4QueryAuth):
        def payload(self, _: AWSRequest) -> str:
            return hashlib.sha256(body).hexdigest()

    headers = {"X-Amz-Target": ECR_TARGET + operation}
    request = AWSRequest("POST", server.url() + "/", headers=headers, data=body)
    WithBody(Credentials(key.id, key.secret), "ecr", REGION, expires=60).add_auth(request)
    status, answer = fetch(server, request.url, headers | JSON, body)
    assert (status, "in its Authorization header, not in its URL" in answer) == (400, True), answer


@pytest.mark.parametrize("service, asked", [("iam", "ListUsers&Version=2010-05-08"), ("sts", "GetSessionToken")])
def test_a_url_signed_for_more_than_who_one_is_gets_nothing(account: Account, service: str, asked: str) -> None:
    server = account.server
    version = "" if "Version" in asked else "&Version=2011-06-15"
    url = presigned(server, account.key, f"Action={asked}{version}", service=service)
    status, answer = fetch(server, url)
    assert (status, "in its Authorization header, not in its URL" in answer) == (400, True), answer


def test_a_presigned_url_of_a_session_carries_its_token(account: Account) -> None:
    server = account.server
    session = account.assume(account.role("presigned"))
    url = presigned(server, session)
    assert fetch(server, url)[0] == 200
    without = "&".join(part for part in url.split("&") if "Security-Token" not in part)
    status, body = fetch(server, without)
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in body) == (403, True), body
    status, body = fetch(server, url, {"X-Amz-Security-Token": session.token or ""})
    assert status in (400, 403), body


def test_a_request_signed_twice_is_refused(account: Account) -> None:
    server = account.server
    key = account.user("twice").key
    path = presigned(server, key).removeprefix(server.url())
    headers = signed_headers(server, key, ASK.encode(), FORM, service="sts")
    status, body = fetch(server, server.url() + path, headers)
    assert (status, "<Code>IncompleteSignature</Code>" in body) == (400, True), body


@pytest.mark.parametrize("service", ["sts", "ecr"])
def test_a_body_that_is_not_signed_is_taken_over_tls_only(account: Account, service: str) -> None:
    server, key = account.server, account.key
    headers = {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    if service == "sts":
        body, headers = ASK.encode(), FORM | headers
    else:
        body, headers = b"{}", JSON | headers | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"}
    signed = signed_headers(server, key, body, headers, service=service)
    del signed["Host"]
    status, answer = fetch(server, server.url() + "/", signed, body)
    assert status == 200, answer
    plain = post(server, body, signed_headers(server, key, body, headers, service=service))
    assert plain.status == 400
    assert b"IncompleteSignature" in plain.body
    false = signed_headers(server, key, body, headers | {"X-Amz-Content-Sha256": "0" * 64}, service=service)
    assert post(server, body + b" ", false).status in (400, 403)


def test_a_header_that_is_not_signed_may_hold_anything(account: Account) -> None:
    server, key = account.server, account.key
    signed = signed_headers(server, key, ASK.encode(), FORM, service="sts")
    odd = signed | {"X-Odd": "\xff\xfe", "X-Empty": "", "X-Long": "x" * 4000}
    answer = post(server, ASK.encode(), odd)
    assert answer.status == 200, answer.body
    answer = post(server, ASK.encode(), signed | {"X-Amz-Odd": "not signed"})
    assert answer.status == 403
    assert b"SignatureDoesNotMatch" in answer.body
