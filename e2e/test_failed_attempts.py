"""Wrong credentials: how often they may be tried, and that nobody else pays for it."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import requests

from account import Account, allow
from oci import error
from raw import ECR_TARGET, FORM, JSON, post, signed_headers
from server import Key, Server


@pytest.fixture
def account(own_server: Callable[..., Server]) -> Account:
    """A server of its own: what was tried is remembered."""
    server = own_server(options=["--trusted-proxies", "127.0.0.0/8"]).start()
    return Account.default(server)


def ask(account: Account, password: str, client: str = "192.0.2.1", user: str = "AWS") -> requests.Response:
    """Asks /v2/ as a client at this address, behind the proxy."""
    return requests.get(
        f"{account.server.url()}/v2/",
        auth=(user, password),
        headers={"X-Forwarded-For": client},
        verify=str(account.server.ca),
        timeout=60,
    )


def until_refused(again: Callable[[], requests.Response]) -> requests.Response:
    """Tries until it is refused as one too many, which comes sooner the faster the machine is."""
    for _ in range(5000):
        answer = again()
        if answer.status_code == 429:
            return answer
        assert answer.status_code == 401
    raise AssertionError("was never refused")


def test_wrong_credentials_are_slowed_down_and_right_ones_are_not(account: Account) -> None:
    user = account.user("machine", allow("iam:*ServiceSpecificCredential*"))
    made = account.iam.create_service_specific_credential(UserName=user.name, ServiceName="ecr.amazonaws.com")
    token = made["ServiceSpecificCredential"]["ServicePassword"]
    other = account.iam.reset_service_specific_credential(
        UserName=user.name, ServiceSpecificCredentialId=made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    )
    right, wrong = other["ServiceSpecificCredential"]["ServicePassword"], token
    answers = [ask(account, wrong) for _ in range(30)]
    assert {answer.status_code for answer in answers} == {401}, "a mistake or two cost nothing"
    refused = until_refused(lambda: ask(account, wrong))
    status, code, message = error(refused)
    assert (status, code) == (429, "TOOMANYREQUESTS") and "too many wrong credentials" in message
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "WWW-Authenticate" not in refused.headers

    # From the same address, in the same name, in the midst of it.
    assert ask(account, right).status_code == 200
    assert ask(account, account.server.password(account.key)).status_code == 200
    # Another credential from there, and this one from elsewhere, are only wrong.
    assert ask(account, account.server.password(account.key) + "x").status_code == 401
    assert ask(account, wrong, client="192.0.2.2").status_code == 401


def test_an_address_that_tries_many_names_is_slowed_down(account: Account) -> None:
    names = itertools.count()
    until_refused(lambda: ask(account, "x", user=f"user-{next(names)}"))
    assert next(names) > 300
    assert ask(account, "x", client="2001:db8::1").status_code == 401
    assert ask(account, account.server.password(account.key)).status_code == 200
    anonymous = requests.get(
        f"{account.server.url()}/v2/",
        headers={"X-Forwarded-For": "192.0.2.1"},
        verify=str(account.server.ca),
        timeout=60,
    )
    assert anonymous.status_code == 401 and anonymous.headers["WWW-Authenticate"], "clients begin so"


def test_tokens_of_nobody_are_slowed_down_and_signed_calls_are_not(account: Account) -> None:
    """The one call that nobody signs costs more than a look-up."""
    role = account.role("deployer")
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": "session",
        "WebIdentityToken": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.AA",
    }

    def code(client: str, arn: str = role) -> str:
        answer = requests.post(
            account.server.url() + "/",
            data=form | {"RoleArn": arn},
            headers={"X-Forwarded-For": client},
            verify=str(account.server.ca),
            timeout=60,
        )
        assert answer.status_code == 400
        found = re.search("<Code>(.*)</Code>", answer.text)
        assert found
        return found[1]

    tried = 0
    while code("192.0.2.1") == "InvalidIdentityToken":
        tried += 1
        assert tried < 5000
    assert tried >= 30 and code("192.0.2.2") == "InvalidIdentityToken"
    assert code("192.0.2.1", role + "x") == "InvalidIdentityToken"
    assert account.assume(role).token


@pytest.mark.parametrize(("service", "code"), [("ecr", "ThrottlingException"), ("sts", "Throttling")])
def test_wrong_signatures_are_slowed_down_and_right_ones_are_not(account: Account, service: str, code: str) -> None:
    body, headers = (b"{}", JSON | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"})
    if service == "sts":
        body, headers = (b"Action=GetCallerIdentity&Version=2011-06-15", FORM)

    def ask(key: Key, client: str = "192.0.2.1") -> str:
        signed = signed_headers(account.server, key, body, headers, service=service)
        answer = post(account.server, body, signed | {"X-Forwarded-For": client, "X-Forwarded-Proto": "https"})
        if answer.status == 200:
            return "OK"
        found = re.search(b'<Code>(.*)</Code>|"__type":"([^"]*)"', answer.body)
        assert found, answer
        return (found[1] or found[2]).decode()

    right = account.key
    wrong, unknown = replace(right, secret="x" * 40), replace(right, id="AKIA" + "A" * 16)
    said = {ask(wrong) for _ in range(30)}
    assert said == {{"ecr": "InvalidSignatureException", "sts": "SignatureDoesNotMatch"}[service]}
    for _ in range(5000):
        if ask(wrong) == code:
            break
    else:
        raise AssertionError("was never refused")
    # From the same address, by the same key; another key there, and this one from elsewhere, are only wrong.
    assert ask(right) == "OK"
    assert ask(unknown) in ("UnrecognizedClientException", "InvalidClientTokenId")
    assert {ask(wrong, client="192.0.2.2")} == said


def test_a_credential_that_has_ended_is_not_a_wrong_one(account: Account) -> None:
    """Clients that hold an old password are told so, however often they come."""
    user = account.user("expired", allow("iam:*ServiceSpecificCredential*"))
    done = account.server.command("token", "create", "--expires", "1s", key=user.key)
    token = done.stdout.strip()
    while ask(account, token).status_code == 200:
        pass
    for _ in range(40):
        assert error(ask(account, token))[2].startswith("the service token has expired")
