"""AssumeRoleWithWebIdentity with a real issuer: who gets a session, what it may do, and tokens that prove nothing."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.client import BaseClient
from botocore.config import Config

from account import LOGIN, Account, allow, document, refused
from issuer import AUDIENCE, DISCOVERY, Issuer, SigningKey, base64url
from server import REGION, Key, Server

BRANCH = "repo:octo-org/app:ref:refs/heads/main"
DENIED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
ACTION = "sts:AssumeRoleWithWebIdentity"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), options=issuer.options())
    server.start()
    yield server
    server.stop()


@dataclass
class Trust:
    """An issuer that an account trusts, and a role for one subject."""

    server: Server
    account: Account
    issuer: Issuer
    provider: str
    role: str
    unsigned: BaseClient = field(init=False)

    def __post_init__(self) -> None:
        self.unsigned = boto3.client(
            "sts",
            endpoint_url=self.server.url(),
            region_name=REGION,
            verify=str(self.server.ca),
            config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def assume(self, token: str, **options: Any) -> dict[str, Any]:
        given = {"RoleArn": self.role, "RoleSessionName": "build", "WebIdentityToken": token}
        return self.unsigned.assume_role_with_web_identity(**(given | options))

    def statement(self, *, action: Any = ACTION, **condition: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"Federated": self.provider}, "Action": action}
        return statement | ({"Condition": condition} if condition else {})


def trust(account: Account, issuer: Issuer, *statements: Any, subject: str = BRANCH, **condition: Any) -> Trust:
    """The issuer's provider in the account, if it is not there yet, and a new role."""
    provider = f"arn:aws:iam::{account.id}:oidc-provider/{issuer.name}"
    listed = account.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    if {"Arn": provider} not in listed:
        account.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[AUDIENCE, "other-audience"])
    made = Trust(account.server, account, issuer, provider, "")
    condition = condition or {"StringEquals": {f"{issuer.name}:aud": AUDIENCE, f"{issuer.name}:sub": subject}}
    made.role = account.role("ci", made.statement(**condition), *statements)
    return made


@pytest.fixture
def trusted(account: Account, issuer: Issuer) -> Trust:
    issuer.answers.clear()
    return trust(account, issuer, allow([LOGIN, "ecr:DescribeRepositories"]))


def session(answer: dict[str, Any]) -> Key:
    return Key.of_session(answer)


# ------------------------------------------------------------------------------------------ who gets a session


@pytest.mark.parametrize("key", [0, 1], ids=["RS256", "ES256"])
def test_a_token_becomes_a_session_that_works_on_every_door(trusted: Trust, key: int) -> None:
    account = trusted.account
    answer = trusted.assume(trusted.issuer.token(BRANCH, key))
    name = trusted.role.rsplit("/", 1)[1]
    assert answer["SubjectFromWebIdentityToken"] == BRANCH
    assert answer["Audience"] == AUDIENCE
    assert answer["Provider"] == trusted.provider
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/{name}/build"
    assert "PackedPolicySize" not in answer and "SourceIdentity" not in answer
    key_ = session(answer)
    assert key_.id.startswith("ASIA")
    identity = trusted.server.client("sts", key_).get_caller_identity()
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    repository = account.repository()
    trusted.server.client("ecr", key_).describe_repositories(repositoryNames=[repository])
    registry = trusted.server.push_and_pull(key_)
    assert registry.get(f"/v2/{repository}/tags/list").status_code == 403
    account.iam.put_role_policy(
        RoleName=name, PolicyName="list", PolicyDocument=document(allow("ecr:ListImages", account.arn(repository)))
    )
    assert registry.get(f"/v2/{repository}/tags/list").status_code == 200


@pytest.mark.parametrize(
    "subject",
    [
        "repo:octo-org/app:environment:production",
        "repo:octo-org/app:pull_request",
        "project_path:group/app:ref_type:branch:ref:main",
        "system:serviceaccount:default:app",
    ],
)
def test_subjects_of_github_gitlab_and_kubernetes(account: Account, issuer: Issuer, subject: str) -> None:
    # Kubernetes writes its one audience as a list.
    trusted = trust(account, issuer, subject=subject)
    answer = trusted.assume(issuer.token(subject, aud=[AUDIENCE]))
    assert (answer["SubjectFromWebIdentityToken"], answer["Audience"]) == (subject, AUDIENCE)
    for other in [subject + "x", subject.upper(), "repo:evil/app:pull_request"]:
        with refused("AccessDenied") as error:
            trusted.assume(issuer.token(other))
        assert error.message.startswith(DENIED) and error.status == 403


def test_a_signature_does_not_stand_in_for_a_token(trusted: Trust) -> None:
    sts = trusted.server.client("sts", trusted.account.key)
    with refused("InvalidIdentityToken"):
        sts.assume_role_with_web_identity(RoleArn=trusted.role, RoleSessionName="build", WebIdentityToken="a.b.c")
    answer = sts.assume_role_with_web_identity(
        RoleArn=trusted.role, RoleSessionName="build", WebIdentityToken=trusted.issuer.token(BRANCH)
    )
    assert answer["SubjectFromWebIdentityToken"] == BRANCH


def test_neither_accounts_nor_everybody_in_a_trust_policy_mean_web_identities(account: Account, issuer: Issuer) -> None:
    trusted = trust(account, issuer)
    for principal in ["*", {"AWS": "*"}, {"AWS": account.id}]:
        statement = {"Effect": "Allow", "Principal": principal, "Action": ACTION}
        role = account.role("open", statement)
        with refused("AccessDenied"):
            trusted.assume(issuer.token(BRANCH), RoleArn=role)
    # The other way round: who trusts the provider for AssumeRole trusts no web identity.
    role = account.role("wrong-action", trusted.statement(action="sts:AssumeRole"))
    with refused("AccessDenied"):
        trusted.assume(issuer.token(BRANCH), RoleArn=role)


def test_a_session_policy_and_a_duration_narrow_the_session(trusted: Trust) -> None:
    token = trusted.issuer.token(BRANCH)
    answer = trusted.assume(token, Policy=document(allow("ecr:GetAuthorizationToken")), DurationSeconds=900)
    assert answer["PackedPolicySize"] > 0
    key = session(answer)
    trusted.server.password(key)
    with refused("AccessDeniedException") as error:
        trusted.server.client("ecr", key).describe_repositories()
    assert "because no session policy allows" in error.message
    managed = trusted.account.policy("narrow", allow("ecr:GetAuthorizationToken"))
    key = session(trusted.assume(token, PolicyArns=[{"arn": managed}]))
    with refused("AccessDeniedException"):
        trusted.server.client("ecr", key).describe_repositories()
    left = trusted.assume(token)["Credentials"]["Expiration"].timestamp() - time.time()
    assert 3500 < left <= 3600
    for wrong in [899, 3601, 43201]:
        with refused("ValidationError"):
            trusted.assume(token, DurationSeconds=wrong)
    with refused("MalformedPolicyDocument"):
        trusted.assume(token, Policy="no JSON")


def test_what_the_token_said_holds_for_later_requests(account: Account, issuer: Issuer) -> None:
    repositories = [account.repository(), account.repository()]
    conditions: list[dict[str, Any]] = [
        {"StringEquals": {f"{issuer.name}:sub": BRANCH, f"{issuer.name}:aud": AUDIENCE}},
        {"ArnEquals": {"aws:FederatedProvider": f"arn:aws:iam::{account.id}:oidc-provider/other"}},
    ]
    statements = [
        allow("ecr:DescribeImages", account.arn(repository), Condition=condition)
        for repository, condition in zip(repositories, conditions, strict=True)
    ]
    trusted = trust(account, issuer, *statements)
    ecr = account.server.client("ecr", session(trusted.assume(issuer.token(BRANCH))))
    ecr.describe_images(repositoryName=repositories[0])
    with refused("AccessDeniedException"):
        ecr.describe_images(repositoryName=repositories[1])
    name = trusted.role.rsplit("/", 1)[1]
    same = {"StringEquals": {"aws:FederatedProvider": trusted.provider}}
    account.iam.put_role_policy(
        RoleName=name, PolicyName="two", PolicyDocument=document(allow("ecr:DescribeImages", Condition=same))
    )
    ecr.describe_images(repositoryName=repositories[1])
    # It is not so for another session of the same role.
    account.iam.update_assume_role_policy(
        RoleName=name,
        PolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"}, "Action": "sts:AssumeRole"}
        ),
    )
    by_key = account.server.client("ecr", account.assume(trusted.role))
    with refused("AccessDeniedException"):
        by_key.describe_images(repositoryName=repositories[1])


def test_every_claim_can_be_a_condition(account: Account, issuer: Issuer) -> None:
    claims = {
        "repository_owner": "octo-org",
        "ref_protected": True,
        "run_attempt": 1,
        "amr": ["mfa", "otp"],
        "azp": "x",
    }
    name = issuer.name
    good = {
        "StringLike": {f"{name}:sub": "repo:octo-org/*", f"{name}:azp": "x"},
        "StringEquals": {f"{name}:repository_owner": "octo-org"},
        "Bool": {f"{name}:ref_protected": "true"},
        "NumericEquals": {f"{name}:run_attempt": "1"},
        "ForAnyValue:StringEquals": {f"{name}:amr": "otp"},
    }
    trusted = trust(account, issuer, **good)
    trusted.assume(issuer.token(BRANCH, **claims))
    for wrong in [
        {"repository_owner": "evil"},
        {"ref_protected": False},
        {"ref_protected": {"nested": True}},
        {"run_attempt": 2},
        {"amr": ["pwd"]},
        {"azp": None},
    ]:
        with refused("AccessDenied"):
            trusted.assume(issuer.token(BRANCH, **(claims | wrong)))


def test_session_tags_and_source_identity_come_from_the_token(account: Account, issuer: Issuer) -> None:
    repository = account.repository(tags=[{"Key": "team", "Value": "a"}])
    same_team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    statement = allow("ecr:DescribeRepositories", Condition=same_team)
    trusted = trust(account, issuer, statement)
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}, "transitive_tag_keys": ["team"]}}
    source = {"https://aws.amazon.com/source_identity": "octocat"}
    for claims in [tags, source]:
        with refused("AccessDenied"):
            trusted.assume(issuer.token(BRANCH, **claims))
    actions = [ACTION, "sts:TagSession", "sts:SetSourceIdentity"]
    condition = {"StringEquals": {f"{issuer.name}:sub": BRANCH}}
    trusted.role = account.role("tagged", trusted.statement(action=actions, **condition), statement)
    answer = trusted.assume(issuer.token(BRANCH, **tags, **source))
    assert answer["SourceIdentity"] == "octocat"
    account.server.client("ecr", session(answer)).describe_repositories(repositoryNames=[repository])
    flat = {"https://aws.amazon.com/tags/principal_tags/team": "b"}
    other = session(trusted.assume(issuer.token(BRANCH, **flat)))
    with refused("AccessDeniedException"):
        account.server.client("ecr", other).describe_repositories(repositoryNames=[repository])
    for wrong in [
        {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a", "b"]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}, "transitive_tag_keys": ["other"]}},
        {"https://aws.amazon.com/tags": "team=a"},
        {"https://aws.amazon.com/source_identity": "not a word"},
    ]:
        with refused("InvalidIdentityToken"):
            trusted.assume(issuer.token(BRANCH, **wrong))


# ------------------------------------------------------------------------------------------ what proves nothing


def changed(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def with_claims(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{base64url(json.dumps(claims).encode())}.{signature}"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("no token", lambda _: "nothing"),
        ("an access token", lambda i: i.keys[0].token(i.claims(BRANCH), typ="at+jwt")),
        ("alg none", lambda i: i.keys[0].token(i.claims(BRANCH), alg="none")),
        ("HS256 with the public key", lambda i: i.keys[0].token(i.claims(BRANCH), alg="HS256")),
        ("another signature", lambda i: changed(i.token(BRANCH))),
        ("other claims", lambda i: with_claims(i.token("x"), i.claims(BRANCH))),
        ("a key of nobody", lambda i: SigningKey("nobody").token(i.claims(BRANCH))),
        ("a key of nobody under the issuer's id", lambda i: SigningKey("rsa-1").token(i.claims(BRANCH))),
        ("the id of a key of another kind", lambda i: i.keys[0].token(i.claims(BRANCH), kid="ec-1")),
        ("another algorithm than the key's", lambda i: i.keys[0].token(i.claims(BRANCH), alg="RS512")),
        ("its own key in the header", lambda i: own_key(i)),
        ("another audience", lambda i: i.token(BRANCH, aud="somebody-else")),
        ("no audience", lambda i: i.token(BRANCH, aud=None)),
        ("no subject", lambda i: i.token(BRANCH, sub="")),
        ("not valid yet", lambda i: i.token(BRANCH, nbf=int(time.time()) + 3600)),
        ("made in the future", lambda i: i.token(BRANCH, iat=int(time.time()) + 3600)),
        ("another issuer", lambda i: i.token(BRANCH, iss="https://issuer.example.org")),
        ("an issuer without TLS", lambda i: i.token(BRANCH, iss=i.url.replace("https", "http"))),
        ("no issuer", lambda i: i.token(BRANCH, iss=None)),
    ],
)
def test_a_token_that_proves_nothing(trusted: Trust, name: str, make: Callable[[Issuer], str]) -> None:
    with refused("InvalidIdentityToken") as error:
        trusted.assume(make(trusted.issuer))
    assert error.status == 400, name


def own_key(issuer: Issuer) -> str:
    key = SigningKey("rsa-1")
    return key.token(issuer.claims(BRANCH), jwk=key.jwk(), jku=f"{issuer.url}/evil", x5u=f"{issuer.url}/evil")


def test_aws_says_what_is_wrong_with_a_token(trusted: Trust) -> None:
    issuer = trusted.issuer
    with refused("ExpiredTokenException") as error:
        trusted.assume(issuer.token(BRANCH, exp=int(time.time()) - 10))
    assert error.message.startswith("Token expired: current date/time ") and error.status == 400
    with refused("InvalidIdentityToken", "Incorrect token audience"):
        trusted.assume(issuer.token(BRANCH, aud="x"))
    with refused("InvalidIdentityToken") as error:
        trusted.assume("a.b.c")
    assert error.message.startswith("The ID Token provided is not a valid JWT.")
    with refused("InvalidIdentityToken") as error:
        trusted.assume(issuer.token(BRANCH, iss="https://elsewhere.example.org"))
    assert error.message == "No OpenIDConnect provider found in your account for https://elsewhere.example.org"
    # The order: what cannot be trusted is not told whether it has ended, nor for whom it is.
    for more in [{"exp": 1}, {"aud": "x"}]:
        with refused("InvalidIdentityToken") as error:
            trusted.assume(changed(issuer.token(BRANCH, **more)))
        assert "cannot be trusted" in error.message
    with refused("ExpiredTokenException"):
        trusted.assume(issuer.token(BRANCH, exp=1, aud="x"))


def test_nothing_tells_whether_role_or_account_exist(trusted: Trust, other: Account) -> None:
    token = trusted.issuer.token(BRANCH)
    closed = trusted.account.role("closed")
    texts = set()
    for role in [closed, f"arn:aws:iam::{trusted.account.id}:role/absent"]:
        with refused("AccessDenied") as error:
            trusted.assume(token, RoleArn=role)
        texts.add(error.message.split(" (decision ")[0])
    assert texts == {DENIED}
    texts.clear()
    # The provider is another account's: neither there nor in one that does not exist is it known.
    for account in [other.id, "999999999999"]:
        with refused("InvalidIdentityToken") as error:
            trusted.assume(token, RoleArn=f"arn:aws:iam::{account}:role/ci")
        texts.add(error.message)
    assert len(texts) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"RoleArn": "role"},
        {"RoleArn": "arn:aws:iam::111122223333:user/x"},
        {"RoleSessionName": "x"},
        {"RoleSessionName": "a b"},
        {"WebIdentityToken": "abc"},
        {"WebIdentityToken": "x" * 20_001},
        {"ProviderId": "www.amazon.com"},
        {"Policy": "x" * 2049},
        {"PolicyArns": [{"arn": "x"}]},
    ],
)
def test_malformed_parameters_are_refused(trusted: Trust, wrong: dict[str, Any]) -> None:
    with refused("ValidationError"):
        trusted.assume(trusted.issuer.token(BRANCH), **wrong)


def test_a_deleted_provider_and_a_removed_audience_hold_at_once(account: Account, issuer: Issuer) -> None:
    trusted = trust(account, issuer, StringLike={f"{issuer.name}:sub": "*"})
    token = issuer.token(BRANCH, aud="other-audience")
    trusted.assume(token)
    arn = {"OpenIDConnectProviderArn": trusted.provider}
    account.iam.remove_client_id_from_open_id_connect_provider(**arn, ClientID="other-audience")
    with refused("InvalidIdentityToken", "Incorrect token audience"):
        trusted.assume(token)
    account.iam.delete_open_id_connect_provider(**arn)
    with refused("InvalidIdentityToken"):
        trusted.assume(issuer.token(BRANCH))


def test_a_provider_cannot_speak_under_the_names_of_aws(account: Account) -> None:
    for name in ["aws", "sts", "ecr", "iam", "bonded", "AWS"]:
        with refused("InvalidInput"):
            account.iam.create_open_id_connect_provider(Url=f"https://{name}", ClientIDList=[AUDIENCE])


# ------------------------------------------------------------------------------------------ the issuer


@pytest.fixture
def alone(own_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    """An issuer and a server of the test's own, which knows none of its keys yet."""
    issuer = Issuer(tmp_path_factory.mktemp("issuer")).start()
    server = own_server(options=issuer.options()).start()
    yield trust(Account.default(server), issuer)
    issuer.stop()


def eventually(call: Callable[[], Any]) -> Any:
    """What `call` gives once it is not refused any more: the server asks an issuer once in ten seconds."""
    for _ in range(60):
        try:
            return call()
        except Exception as error:
            last = error
            time.sleep(0.5)
    raise last


def test_keys_are_fetched_once_and_again_when_they_rotate(alone: Trust) -> None:
    issuer = alone.issuer
    for _ in range(3):
        alone.assume(issuer.token(BRANCH))
    assert issuer.asked == [DISCOVERY, "/keys"]
    issuer.keys = [SigningKey("rsa-2")]
    eventually(lambda: alone.assume(issuer.token(BRANCH)))
    asked = len(issuer.asked)
    assert asked == 4
    # A key that is nobody's makes the server ask again, but not for every token.
    for number in range(5):
        with refused("InvalidIdentityToken"):
            alone.assume(SigningKey(f"{number}", "ES256").token(issuer.claims(BRANCH)))
    assert len(issuer.asked) <= asked + 2


def test_an_issuer_that_is_down_is_said_and_known_keys_go_on(alone: Trust) -> None:
    issuer = alone.issuer
    issuer.answers[DISCOVERY] = (503, {}, b"")
    with refused("IDPCommunicationError") as error:
        alone.assume(issuer.token(BRANCH))
    assert error.status == 400
    # Whoever asks is told nothing of the network; the log is.
    assert issuer.url not in error.message and "503" not in error.message
    assert "is answered with 503" in alone.server.tail()
    issuer.answers.clear()
    eventually(lambda: alone.assume(issuer.token(BRANCH)))
    issuer.stop()
    alone.assume(issuer.token(BRANCH))
    for _ in range(3):
        with refused("InvalidIdentityToken"):
            alone.assume(SigningKey("new").token(issuer.claims(BRANCH)))


METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.mark.parametrize(
    ("path", "answer", "log"),
    [
        (DISCOVERY, (302, {"Location": METADATA}, b""), "redirects to another origin"),
        ("/keys", (302, {"Location": METADATA}, b""), "redirects to another origin"),
        (DISCOVERY, (200, {}, b'{"issuer":"https://evil.example.org","jwks_uri":"https://evil/"}'), "evil.example.org"),
        (DISCOVERY, (200, {}, b"{}"), "is the document of the issuer"),
        (DISCOVERY, (200, {}, b"no JSON"), "is not JSON"),
        (DISCOVERY, (200, {}, b"x" * 70_000), "has more than 65536 bytes"),
        ("/keys", (200, {}, b" " * 300_000), "has more than 262144 bytes"),
        ("/keys", (200, {}, json.dumps({"keys": [{"kty": "oct"}] * 101}).encode()), "has more than 100 keys"),
        ("/keys", (200, {}, b'{"keys":[]}'), "has no RSA or EC key"),
        ("/keys", (404, {}, b""), "is answered with 404"),
    ],
)
def test_what_an_issuer_may_not_answer(alone: Trust, path: str, answer: Any, log: str) -> None:
    alone.issuer.answers[path] = answer
    with refused("IDPCommunicationError"):
        alone.assume(alone.issuer.token(BRANCH))
    assert log in alone.server.tail()


@pytest.mark.parametrize(
    "keys_url",
    [
        METADATA,
        "https://169.254.169.254/keys",
        "https://127.0.0.1:1/keys",
        "https://[::1]/keys",
        "https://10.0.0.1/keys",
        "file:///etc/passwd",
    ],
)
def test_keys_are_not_fetched_from_within_the_network(alone: Trust, keys_url: str) -> None:
    issuer = alone.issuer
    issuer.answers[DISCOVERY] = (200, {}, issuer.discovery(jwks_uri=keys_url))
    with refused("IDPCommunicationError"):
        alone.assume(issuer.token(BRANCH))
    tail = alone.server.tail()
    assert any(text in tail for text in ["not a public address", "does not begin with 'https://'", "is not a URL"])


def test_an_issuer_within_the_network_must_be_allowed(own_server: Callable[..., Server], issuer: Issuer) -> None:
    issuer.answers.clear()
    server = own_server(options=["--egress-authorities", str(issuer.authority.ca)]).start()
    trusted = trust(Account.default(server), issuer)
    asked = len(issuer.asked)
    with refused("IDPCommunicationError"):
        trusted.assume(issuer.token(BRANCH))
    assert len(issuer.asked) == asked
    assert "list it in the setting 'egress.allow'" in server.tail()


# ------------------------------------------------------------------------------------------ why


def test_why_explains_both_outcomes(trusted: Trust) -> None:
    account = trusted.account
    with refused("AccessDenied") as error:
        trusted.assume(trusted.issuer.token("repo:octo-org/app:pull_request"))
    decision = error.message.split("run: bonded why ")[1].rstrip(")")
    done = trusted.server.command("why", decision, "-o", "json", key=account.key)
    assert done.returncode == 0, done.stderr
    why = json.loads(done.stdout)
    assert why["principal"] == trusted.provider
    assert why["webIdentitySubject"] == "repo:octo-org/app:pull_request"
    assert not why["allowed"]
    text = trusted.server.command("why", decision, key=account.key).stdout
    assert "repo:octo-org/app:pull_request" in text and f"{trusted.issuer.name}:sub" in text, text
    assert f"who    repo:octo-org/app:pull_request by a token of {trusted.provider}" in text
    # The token itself is nowhere.
    trusted.assume(trusted.issuer.token(BRANCH))
    records = "".join(path.read_text() for path in trusted.server.data.rglob("*.jsonl"))
    assumed = [json.loads(line) for line in records.splitlines() if trusted.role in line]
    (allowed,) = [
        record["id"] for record in assumed if record["denied"] is None and record["checks"][0]["action"] == ACTION
    ]
    why = json.loads(trusted.server.command("why", allowed, "-o", "json", key=account.key).stdout)
    assert why["allowed"] and why["webIdentitySubject"] == BRANCH
    (check,) = why["checks"]
    assert (check["action"], check["resource"], check["outcome"]) == (ACTION, trusted.role, "allowed")
    assert ACTION in records and "eyJ" not in records + trusted.server.log.read_text()


def test_an_unverified_password_of_a_token_is_not_pulled_with(trusted: Trust) -> None:
    """The token of the identity provider is no password."""
    repository = trusted.account.repository()
    token = trusted.issuer.token(BRANCH)
    for bearer in [False, True]:
        door = trusted.server.v2(token, bearer=bearer)
        assert door.get(f"/v2/{repository}/tags/list").status_code == 401


# ------------------------------------------------------------------------------------------ trust policies


def test_a_provider_of_everybody_needs_subjects_when_a_policy_is_saved(account: Account) -> None:
    provider = f"arn:aws:iam::{account.id}:oidc-provider/token.actions.githubusercontent.com"
    key = "token.actions.githubusercontent.com:sub"

    def statement(condition: Any) -> dict[str, Any]:
        principal = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": ACTION}
        return principal | {"Condition": condition}

    role = account.role("github", statement({"StringLike": {key: "repo:octo-org/*"}}))
    for wrong in [{}, {"StringLike": {key: "repo:*"}}, {"StringLike": {key: "*"}}]:
        with refused("MalformedPolicyDocument") as error:
            account.role("github", statement(wrong))
        assert key in error.message
        with refused("MalformedPolicyDocument"):
            account.iam.update_assume_role_policy(
                RoleName=role.rsplit("/", 1)[1], PolicyDocument=document(statement(wrong))
            )


# ------------------------------------------------------------------------------------------ keys that are given


def operator(trusted: Trust, *arguments: str) -> tuple[int, str]:
    done = trusted.server.command("oidc-provider", *arguments, "--data", str(trusted.server.data))
    return done.returncode, done.stdout + done.stderr


def test_given_keys_need_no_way_to_the_issuer(
    own_server: Callable[..., Server], tmp_path: Path, issuer: Issuer
) -> None:
    issuer.answers.clear()
    server = own_server().start()  # It may reach nobody on loopback, and trusts no authority of the issuer.
    trusted = trust(Account.default(server), issuer)
    asked = len(issuer.asked)
    with refused("IDPCommunicationError"):
        trusted.assume(issuer.token(BRANCH))
    status, text = operator(trusted, "check", trusted.provider)
    assert status == 1 and "list it in the setting 'egress.allow'" in text
    keys = tmp_path / "keys.json"
    keys.write_bytes(issuer.jwks())
    status, text = operator(trusted, "set-keys", trusted.provider, str(keys))
    assert status == 0 and "none are fetched any more" in text
    for key in [0, 1]:
        trusted.assume(issuer.token(BRANCH, key))
    assert operator(trusted, "check", trusted.provider) == (0, "2 keys can be used\n")
    status, text = operator(trusted, "list")
    assert status == 0 and f"{trusted.provider}  keys given  for {AUDIENCE}" in text
    (entry,) = json.loads(operator(trusted, "list", "-o", "json")[1])
    assert entry == {"arn": trusted.provider, "audiences": [AUDIENCE, "other-audience"], "keysGiven": True}
    # What is not among them is not looked for elsewhere.
    with refused("InvalidIdentityToken"):
        trusted.assume(SigningKey("new").token(issuer.claims(BRANCH)))
    # The next keys take the place of these, at once.
    rotated = SigningKey("rsa-3")
    keys.write_text(json.dumps({"keys": [rotated.jwk()]}))
    assert operator(trusted, "set-keys", trusted.provider, str(keys))[0] == 0
    trusted.assume(rotated.token(issuer.claims(BRANCH)))
    with refused("InvalidIdentityToken"):
        trusted.assume(issuer.token(BRANCH))
    # They outlive a restart.
    server.stop()
    server.start()
    again = Trust(server, Account.default(server), issuer, trusted.provider, trusted.role)
    again.assume(rotated.token(issuer.claims(BRANCH)))
    assert operator(again, "remove-keys", trusted.provider)[0] == 0
    with refused("IDPCommunicationError"):
        again.assume(rotated.token(issuer.claims(BRANCH)))
    assert len(issuer.asked) == asked


def test_what_are_no_keys_is_not_taken(trusted: Trust, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    for text, expected in [
        ("", "not a set of keys"),
        ("{}", "the list 'keys' is expected"),
        ('{"keys":[{"kty":"oct","k":"AA"}]}', "no RSA or EC key"),
        (trusted.issuer.keys[0].pem().decode(), "not a set of keys"),
    ]:
        file.write_text(text)
        status, said = operator(trusted, "set-keys", trusted.provider, str(file))
        assert status == 1 and expected in said, said
    assert operator(trusted, "set-keys", trusted.provider, str(tmp_path / "absent"))[0] == 2
    file.write_text("x" * 30_000)
    assert operator(trusted, "set-keys", trusted.provider, str(file))[0] == 2
    file.write_bytes(trusted.issuer.jwks())
    for command in [["set-keys", "arn:x", str(file)], ["remove-keys", "arn:x"], ["check", "arn:x"]]:
        status, said = operator(trusted, *command)
        assert status == 1 and "OpenIDConnect Provider not found" in said
    trusted.assume(trusted.issuer.token(BRANCH))
    # One that can be asked is.
    assert operator(trusted, "check", trusted.provider) == (0, "2 keys can be used\n")
