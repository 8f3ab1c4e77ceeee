"""The token of `docker login`: its form, where it holds, and how AWS's command line prints it."""

import base64
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from account import LOGIN, Account, allow, refused
from oci import error

AWS = Path(sys.executable).with_name("aws")


def test_a_token_has_the_form_that_clients_split(account: Account) -> None:
    (data,) = account.ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"], validate=True).decode().partition(":")
    assert user == "AWS"
    assert ":" not in password, "`aws ecr get-login-password` fails on a second colon"
    assert len(password) < 4096
    assert data["proxyEndpoint"].startswith("https://")
    left = data["expiresAt"] - datetime.now(UTC)
    assert timedelta(hours=11, minutes=55) < left <= timedelta(hours=12)


def test_the_token_of_a_session_ends_with_the_session(account: Account) -> None:
    session = account.assume(account.role("login", None, allow(LOGIN)), DurationSeconds=900)
    (data,) = account.server.client("ecr", session).get_authorization_token()["authorizationData"]
    assert data["expiresAt"] - datetime.now(UTC) <= timedelta(minutes=15)


def test_registry_ids_give_one_entry_each(account: Account, other: Account) -> None:
    entries = account.ecr.get_authorization_token(registryIds=[account.id, other.id])["authorizationData"]
    assert len(entries) == 2
    with refused("InvalidParameterException"):
        account.ecr.get_authorization_token(registryIds=["1"])
    with refused("InvalidParameterException"):
        account.ecr.get_authorization_token(registryIds=[account.id] * 11)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("bearer", [True, False], ids=["bearer", "basic"])
def test_a_token_logs_in(account: Account, bearer: bool, tls: bool) -> None:
    password = account.server.password(account.key)
    assert account.server.v2(password, bearer=bearer, tls=tls).get("/v2/").status_code == 200


def test_a_token_of_somebody_else_is_refused(account: Account) -> None:
    password = account.server.password(account.key)
    version, key, credential, expiry, mac = password.split(".")
    wrong = "A" if mac[0] != "A" else "B"
    for forged in (
        "",
        "password",
        password[:-1],
        ".".join([version, key, credential, expiry, wrong + mac[1:]]),
        ".".join([version, key, credential, str(int(expiry) + 1), mac]),
        ".".join(["2", key, credential, expiry, mac]),
        password + ".",
        "x" * 4_000,
        f"{account.key.id}:{account.key.secret}",
        account.key.secret,
    ):
        for bearer in (True, False):
            answer = account.server.v2(forged, bearer=bearer).get("/v2/")
            assert error(answer)[:2] == (401, "UNAUTHORIZED"), forged[:80]


def test_without_a_token_the_challenge_is_basic(account: Account) -> None:
    answer = account.server.v2(None).get("/v2/")
    assert error(answer)[:2] == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="https://')
    assert 'service="ecr.amazonaws.com"' in answer.headers["WWW-Authenticate"]


def test_a_user_who_may_not_log_in_gets_no_token(account: Account) -> None:
    user = account.user("nobody")
    ecr = account.server.client("ecr", user.key)
    with refused("AccessDeniedException") as denied:
        ecr.get_authorization_token()
    assert denied.message.startswith(
        f"User: {user.arn} is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no "
        "identity-based policy allows the ecr:GetAuthorizationToken action (decision "
    )


def test_aws_cli_prints_a_password_that_logs_in(account: Account) -> None:
    done = subprocess.run(
        [AWS, "ecr", "get-login-password"],
        env=account.server.environment(account.key),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert account.server.v2(done.stdout.strip()).get("/v2/").status_code == 200


def test_aws_cli_shows_a_denial(account: Account) -> None:
    done = subprocess.run(
        [AWS, "ecr", "get-login-password"],
        env=account.server.environment(account.user("nobody").key),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "(AccessDeniedException)" in done.stderr
    assert "run: bonded why " in done.stderr
