"""Service tokens: passwords of users for machines that can renew none, each within bounds of its own."""

import json
import re
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from account import PULL, PUSH, Account, User, allow, grant, refused
from oci import V2, error
from server import Server

SERVICE = "ecr.amazonaws.com"
FORM = re.compile(r"bonded_(ACCA[A-Z2-7]{17})_[0-9A-Za-z]{46}")
EVERYTHING = allow(["ecr:*", "iam:*ServiceSpecificCredential*"])


@pytest.fixture(scope="module")
def user(account: Account) -> User:
    return account.user("machine", EVERYTHING)


@pytest.fixture(scope="module")
def image(account: Account) -> str:
    """A repository with the tag v1."""
    name = account.repository("team/app")
    account.server.push_and_pull(account.key).push(name, "v1")
    return name


def create(server: Server, user: User, *options: str) -> dict[str, Any]:
    """`bonded token create` as the user itself."""
    done = server.command("token", "create", *options, "-o", "json", key=user.key)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def door(account: Account, token: dict[str, Any], **options: Any) -> V2:
    return account.server.v2(token["password"], **options)


def listed(server: Server, user: User, *options: str) -> list[dict[str, Any]]:
    done = server.command("token", "list", *options, "-o", "json", key=user.key)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_awss_operations_make_a_password_that_pushes_and_pulls(account: Account, user: User) -> None:
    iam = account.iam
    made = iam.create_service_specific_credential(UserName=user.name, ServiceName=SERVICE, CredentialAgeDays=30)
    made = made["ServiceSpecificCredential"]
    assert made["ServiceUserName"] == "AWS" and made["Status"] == "Active"
    assert (made["ExpirationDate"] - made["CreateDate"]).days == 30
    found = FORM.fullmatch(made["ServicePassword"])
    assert found and found[1] == made["ServiceSpecificCredentialId"]
    repository = account.repository("tokens")
    for bearer in (False, True):
        v2 = account.server.v2(made["ServicePassword"], bearer=bearer)
        assert v2.get("/v2/").status_code == 200
        pushed = v2.push(repository, f"v{bearer}")
        assert v2.pull(repository, pushed.digest).status_code == 200

    (shown,) = iam.list_service_specific_credentials(UserName=user.name)["ServiceSpecificCredentials"]
    assert shown["ServiceSpecificCredentialId"] == found[1] and "ServicePassword" not in shown
    everyone = iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]
    assert found[1] in {one["ServiceSpecificCredentialId"] for one in everyone}

    name = {"UserName": user.name, "ServiceSpecificCredentialId": found[1]}
    reset = iam.reset_service_specific_credential(**name)["ServiceSpecificCredential"]
    assert reset["ExpirationDate"] == made["ExpirationDate"]
    assert account.server.v2(made["ServicePassword"]).get("/v2/").status_code == 401
    v2 = account.server.v2(reset["ServicePassword"])
    assert v2.get("/v2/").status_code == 200
    iam.update_service_specific_credential(**name, Status="Inactive")
    assert v2.get("/v2/").status_code == 401
    iam.update_service_specific_credential(**name, Status="Active")
    assert v2.get("/v2/").status_code == 200
    iam.delete_service_specific_credential(**name)
    assert v2.get("/v2/").status_code == 401
    for call in (iam.delete_service_specific_credential, iam.reset_service_specific_credential):
        with refused("NoSuchEntity"):
            call(**name)


@pytest.mark.parametrize(
    ("bounds", "pulls", "pushes"),
    [
        ((), True, True),
        (("--allow", "pull"), True, False),
        (("--allow", "push,ecr:Batch*"), True, True),
        (("--allow", "list"), False, False),
        (("--repository", "team/*"), True, True),
        (("--repository", "other/*,team-*"), False, False),
        (("--repository", "arn:aws:ecr:us-east-1:*:repository/team/*"), True, True),
        (("--repository", "arn:aws:ecr:eu-west-1:*:repository/team/*"), False, False),
        (("--from", "10.0.0.0/8,127.0.0.1"), True, True),
        (("--from", "10.0.0.0/8,fd00::/8"), False, False),
        (("--allow", "pull", "--repository", "team/*", "--from", "127.0.0.0/8"), True, False),
    ],
)
def test_each_bound_holds(
    account: Account, user: User, image: str, bounds: tuple[str, ...], pulls: bool, pushes: bool
) -> None:
    token = create(account.server, user, *bounds)
    v2 = door(account, token)
    assert v2.pull(image, "v1").status_code == (200 if pulls else 403)
    pushed = v2.request("POST", f"/v2/{image}/blobs/uploads/")
    assert pushed.status_code == (202 if pushes else 403)
    for answer, allowed in ((v2.pull(image, "v1"), pulls), (pushed, pushes)):
        if not allowed:
            _, code, message = error(answer)
            assert code == "DENIED" and f"User: {user.arn} is not" in message
            assert "with an explicit deny in a session policy" in message
    account.iam.delete_service_specific_credential(UserName=user.name, ServiceSpecificCredentialId=token["id"])


def test_a_repository_policy_does_not_widen_a_token(account: Account, image: str) -> None:
    outsider = account.user("outsider", allow("iam:*ServiceSpecificCredential*"))
    open_to_all = account.repository("open", policy=json.dumps({"Statement": [grant("*", PULL)]}))
    named = account.repository("named", policy=json.dumps({"Statement": [grant(outsider.arn, PULL)]}))
    for repository in (open_to_all, named):
        account.server.push_and_pull(account.key).push(repository, "v1")
    free, bound = create(account.server, outsider), create(account.server, outsider, "--repository", "team/*")
    for repository in (open_to_all, named):
        assert door(account, free).pull(repository, "v1").status_code == 200
        assert door(account, bound).pull(repository, "v1").status_code == 403
    assert door(account, free).pull(image, "v1").status_code == 403, "a token gives no right"


def test_a_token_may_no_more_than_its_user_may_now(account: Account, image: str) -> None:
    puller = account.user("puller", allow([*PULL, "iam:*ServiceSpecificCredential*"]))
    v2 = door(account, create(account.server, puller, "--allow", "pull,push"))
    assert v2.pull(image, "v1").status_code == 200
    assert v2.request("POST", f"/v2/{image}/blobs/uploads/").status_code == 403
    account.iam.delete_user_policy(UserName=puller.name, PolicyName="inline")
    assert v2.pull(image, "v1").status_code == 403


def test_a_mount_does_not_reach_outside_the_bounds(account: Account, user: User, image: str) -> None:
    inside = account.repository("inside")
    layer = account.server.push_and_pull(account.key).push_blob(image, b"of another team")
    v2 = door(account, create(account.server, user, "--repository", "inside*"))
    answer = v2.request("POST", f"/v2/{inside}/blobs/uploads/?mount={layer}&from={image}")
    assert answer.status_code == 202, "as if there were no such layer: an upload begins"
    assert v2.blob(inside, layer).status_code == 404


def test_what_is_no_token_is_refused(account: Account, user: User) -> None:
    token = create(account.server, user)["password"]
    other = create(account.server, user)["password"]
    wrong = [token[:-1], token + "x", token.lower(), "bonded_", token.replace("ACCA", "ACCB", 1)]
    # The id of one with the secret of the other.
    wrong.append(token[: token.rindex("_")] + other[other.rindex("_") :])
    wrong += ["bonded_" + "A" * 10_000, "bonded_ACCA_" + "ü" * 40, token.replace("_", ":", 1)]
    for password in wrong:
        answer = account.server.v2(password.encode().decode("latin-1")).get("/v2/")
        assert error(answer)[:2] == (401, "UNAUTHORIZED"), password
    # No password of any other name is taken, and nothing can be signed with a token.
    url = f"{account.server.url()}/v2/"
    for name in ("aws", "", user.name):
        answer = requests.get(url, auth=(name, token), verify=str(account.server.ca), timeout=60)
        assert answer.status_code == 401


def test_a_token_that_has_ended_says_so(account: Account, user: User, image: str) -> None:
    token = create(account.server, user, "--expires", "1s")
    v2 = door(account, token)
    while (answer := v2.pull(image, "v1")).status_code == 200:
        time.sleep(0.05)
    status, code, message = error(answer)
    assert (status, code) == (401, "UNAUTHORIZED")
    assert message == "the service token has expired; make a new one with 'bonded token create'"
    (shown,) = [one for one in listed(account.server, user) if one["id"] == token["id"]]
    assert shown["status"] == "Expired"


def test_a_list_shows_bounds_and_last_use_and_no_secret(account: Account, image: str) -> None:
    user = account.user("shown", EVERYTHING)
    options = ["--allow", "pull", "--repository", "team/*", "--from", "127.0.0.0/8", "--description", "Argo CD"]
    token = create(account.server, user, *options, "--expires", "never")
    (before,) = listed(account.server, user)
    assert before["last_used_date"] is None and before["expiration_date"] is None
    assert door(account, token).pull(image, "v1").status_code == 200
    (after,) = listed(account.server, user)
    assert after["last_used_date"] is not None and after["last_used_region"] == "us-east-1"
    assert after["repositories"] == [f"arn:aws:ecr:*:{account.id}:repository/team/*"]
    assert after["description"] == "Argo CD" and after["source_networks"] == ["127.0.0.0/8"]
    assert after["actions"] == [*PULL, "ecr:BatchCheckLayerAvailability"]
    said = account.server.command("token", "list", key=user.key).stdout
    assert token["id"] in said and "Argo CD" in said and token["password"] not in said
    revoked = account.server.command("token", "revoke", token["id"], key=user.key)
    assert revoked.returncode == 0, revoked.stderr
    assert listed(account.server, user) == []
    assert account.server.command("token", "revoke", token["id"], key=user.key).returncode == 4
    assert account.server.command("token", "list", key=account.user("nobody").key).returncode == 3


def test_a_user_with_tokens_stays_until_they_are_gone(account: Account) -> None:
    user = account.user("leaver", EVERYTHING)
    token = create(account.server, user)
    account.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.id)
    account.iam.delete_user_policy(UserName=user.name, PolicyName="inline")
    with refused("DeleteConflict", "Cannot delete entity, must delete service specific credentials first."):
        account.iam.delete_user(UserName=user.name)
    account.iam.delete_service_specific_credential(UserName=user.name, ServiceSpecificCredentialId=token["id"])
    account.iam.delete_user(UserName=user.name)
    assert door(account, token).get("/v2/").status_code == 401


def test_the_tokens_of_a_closed_account_end(account: Account) -> None:
    closing = Account(account.server, account.server.create_account("444444444444"))
    token = create(account.server, closing.user("machine", EVERYTHING))
    v2 = door(account, token)
    assert v2.get("/v2/").status_code == 200
    done = account.server.command("account", "close", closing.id, "--data", str(account.server.data))
    assert done.returncode == 0, done.stderr
    assert v2.get("/v2/").status_code == 401


def test_wrong_requests_name_what_is_wrong(account: Account, user: User) -> None:
    with refused("NotSupportedService") as found:
        account.iam.create_service_specific_credential(UserName=user.name, ServiceName="codecommit.amazonaws.com")
    assert found.status == 404
    with refused("NoSuchEntity"):
        account.iam.create_service_specific_credential(UserName="nobody-here", ServiceName=SERVICE)
    with refused("ValidationError"):
        account.iam.create_service_specific_credential(UserName=user.name, ServiceName=SERVICE, CredentialAgeDays=0)
    for options, status in [
        (["--from", "10.0.0.0/33"], 1),
        (["--repository", "a b"], 1),
        (["--repository", "arn:aws:s3:::x"], 1),
        (["--allow", "iam:CreateUser"], 1),
        (["--allow", "fly"], 2),
        (["--expires", "tomorrow"], 2),
        (["--expires", "40000d"], 1),
        (["--repository", ",".join(f"team-{i}/*" for i in range(50))], 1),
    ]:
        done = account.server.command("token", "create", *options, key=user.key)
        assert done.returncode == status and done.stderr.startswith("bonded: "), (options, done)
    done = account.server.command("token", "create", "--from", "10.0.0.0/33", key=user.key)
    assert "'sourceNetworks' failed to satisfy constraint: Member must be an address or a network" in done.stderr


def test_a_user_has_fifty_tokens_at_most(account: Account) -> None:
    user = account.user("many", EVERYTHING)
    for _ in range(50):
        account.iam.create_service_specific_credential(UserName=user.name, ServiceName=SERVICE)
    with refused("LimitExceeded"):
        account.iam.create_service_specific_credential(UserName=user.name, ServiceName=SERVICE)
    seen, marker = [], {}
    while True:
        page = account.iam.list_service_specific_credentials(UserName=user.name, MaxItems=20, **marker)
        seen += [one["ServiceSpecificCredentialId"] for one in page["ServiceSpecificCredentials"]]
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert len(seen) == len(set(seen)) == 50


def test_making_and_revoking_is_recorded_and_why_explains_the_bounds(account: Account, image: str) -> None:
    user = account.user("audited", EVERYTHING)
    token = create(account.server, user, "--allow", "pull")
    denied = door(account, token).request("POST", f"/v2/{image}/blobs/uploads/")
    found = re.search(r"decision (\w+)", error(denied)[2])
    assert found
    why = account.server.command("why", found[1], key=account.key)
    assert why.returncode == 0 and "OnlyTheseActions" in why.stdout, why.stdout
    account.iam.delete_service_specific_credential(UserName=user.name, ServiceSpecificCredentialId=token["id"])
    with sqlite3.connect(f"file:{account.server.data / 'bonded.db'}?mode=ro", uri=True) as rows:
        records = [json.loads(text) for (text,) in rows.execute("SELECT record FROM changes")]
    actions = [check["action"] for record in records for check in record.get("checks", [])]
    assert "iam:CreateServiceSpecificCredential" in actions
    assert "iam:DeleteServiceSpecificCredential" in actions
    secret = token["password"].encode()
    for file in account.server.data.rglob("*"):
        assert not file.is_file() or secret not in file.read_bytes(), file


def test_a_token_revoked_on_one_node_is_refused_by_the_other(
    own_server: Callable[..., Server], database: Callable[[], str]
) -> None:
    maker = own_server("maker").start()
    maker.stop()
    url = database()
    one = own_server("one", database=url, keyring=maker.keyring).start()
    two = own_server("two", database=url, keyring=maker.keyring).start()
    first, second = Account(one, one.administrator), Account(two, one.administrator)
    user = first.user("machine", EVERYTHING)
    token = create(one, user)
    doors = [door(first, token), door(second, token)]
    assert [v2.get("/v2/").status_code for v2 in doors] == [200, 200]
    second.iam.delete_service_specific_credential(UserName=user.name, ServiceSpecificCredentialId=token["id"])
    assert [v2.get("/v2/").status_code for v2 in doors] == [401, 401]
    for server in (one, two):
        server.stop()


def test_who_may_make_tokens_may_be_held_to_an_age(account: Account) -> None:
    """AWS's condition keys of the operation."""
    machine = account.user("machine")
    limited = account.user(
        "limited",
        allow(
            "iam:CreateServiceSpecificCredential",
            Condition={
                "NumericLessThanEquals": {"iam:ServiceSpecificCredentialAgeDays": "30"},
                "StringEquals": {"iam:ServiceSpecificCredentialServiceName": SERVICE},
            },
        ),
    )
    iam = account.server.client("iam", limited.key)
    make = {"UserName": machine.name, "ServiceName": SERVICE}
    assert iam.create_service_specific_credential(**make, CredentialAgeDays=30)
    for days in ({"CredentialAgeDays": 31}, {}):
        with refused("AccessDenied"):
            iam.create_service_specific_credential(**make, **days)


def test_pushing_needs_no_more_than_the_actions_of_a_push(account: Account, user: User) -> None:
    repository = account.repository("pushed")
    v2 = door(account, create(account.server, user, "--allow", "push,pull", "--repository", repository))
    assert set(PUSH) <= {*create_actions(account.server, user)}
    image = v2.push(repository, "v1")
    assert v2.pull(repository, image.digest).status_code == 200
    assert v2.request("DELETE", f"/v2/{repository}/manifests/v1").status_code == 403


def create_actions(server: Server, user: User) -> list[str]:
    (found,) = [one for one in listed(server, user) if any("pushed" in name for name in one["repositories"])]
    return found["actions"]
