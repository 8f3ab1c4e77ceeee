"""Sessions of users, and session policies by ARN."""

from account import Account, allow, document, refused
from server import Key
from test_iam_groups import DESCRIBE, may_describe

READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"


def key_of(answer: dict, account: Account) -> Key:
    credentials = answer["Credentials"]
    return Key(credentials["AccessKeyId"], credentials["SecretAccessKey"], account.id, credentials["SessionToken"])


def test_a_session_of_a_user_is_the_user_without_iam(account: Account) -> None:
    user = account.user("user", allow("*"))
    key = key_of(account.server.client("sts", user.key).get_session_token(), account)
    assert key.id.startswith("ASIA")
    sts = account.server.client("sts", key)
    assert sts.get_caller_identity()["Arn"] == user.arn
    assert may_describe(account, key)
    with refused("AccessDenied"):
        account.server.client("iam", key).get_user(UserName=user.name)
    for call in (sts.get_session_token, lambda: sts.get_federation_token(Name="guest")):
        with refused("AccessDenied"):
            call()
    account.assume(account.role("chained"), key)
    account.iam.delete_user_policy(UserName=user.name, PolicyName="inline")
    assert not may_describe(account, key)


def test_everybody_with_a_key_gets_a_session_of_itself(account: Account) -> None:
    user = account.user("powerless")
    sts = account.server.client("sts", user.key)
    key = key_of(sts.get_session_token(DurationSeconds=900), account)
    assert not may_describe(account, key)
    for seconds in (899, 129_601):
        with refused("ValidationError"):
            sts.get_session_token(DurationSeconds=seconds)
    with refused("AccessDenied") as error:
        account.server.client("sts", account.assume(account.role("some", None, allow("*")))).get_session_token()
    assert error.message.startswith("Cannot call GetSessionToken with session credentials (decision ")
    assert error.status == 403


def test_a_federated_user_may_do_what_user_and_session_policy_allow(account: Account) -> None:
    user = account.user("broker", allow(["sts:GetFederationToken", "ecr:*"]))
    sts = account.server.client("sts", user.key)
    answer = sts.get_federation_token(Name="guest", Policy=document(allow([DESCRIBE, "iam:*"])))
    assert answer["FederatedUser"] == {
        "Arn": f"arn:aws:sts::{account.id}:federated-user/guest",
        "FederatedUserId": f"{account.id}:guest",
    }
    assert answer["PackedPolicySize"] > 0
    key = key_of(answer, account)
    assert account.server.client("sts", key).get_caller_identity()["Arn"] == answer["FederatedUser"]["Arn"]
    assert may_describe(account, key)
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", key).create_repository(repositoryName="denied")
    assert denied.message.startswith(f"User: {answer['FederatedUser']['Arn']} is not authorized")
    with refused("AccessDenied"):
        account.server.client("iam", key).list_users()
    empty = sts.get_federation_token(Name="guest")
    assert empty["PackedPolicySize"] == 0  # recorded
    assert not may_describe(account, key_of(empty, account))
    for name in ("x", "x" * 33, "a b"):
        with refused("ValidationError"):
            sts.get_federation_token(Name=name)


def test_a_federation_token_needs_the_right(account: Account) -> None:
    user = account.user("powerless")
    with refused("AccessDenied"):
        account.server.client("sts", user.key).get_federation_token(Name="guest")


def test_a_session_is_narrowed_by_managed_policies(account: Account) -> None:
    role = account.role("wide", None, allow("*"))
    answer = account.assume_answer(role, PolicyArns=[{"arn": READ_ONLY}])
    assert answer["PackedPolicySize"] > 0
    key = Key.of_session(answer)
    assert may_describe(account, key)
    with refused("AccessDeniedException") as denied:
        account.server.client("ecr", key).create_repository(repositoryName="denied")
    assert "because no session policy allows" in denied.message
    for arn in (f"arn:aws:iam::{account.id}:policy/absent", "nonsense"):
        with refused("ValidationError"):
            account.assume_answer(role, PolicyArns=[{"arn": arn}])
    with refused("ValidationError"):
        account.assume_answer(role, PolicyArns=[{"arn": READ_ONLY}] * 11)


def test_a_key_tells_its_account(account: Account, other: Account) -> None:
    sts = account.sts
    assert sts.get_access_key_info(AccessKeyId=other.key.id)["Account"] == other.id
    session = account.assume(account.role("some"))
    assert sts.get_access_key_info(AccessKeyId=session.id)["Account"] == account.id
    with refused("ValidationError"):
        sts.get_access_key_info(AccessKeyId="AKIA" + "0" * 16)


def test_saml_is_refused_by_name(account: Account) -> None:
    with refused("InvalidAction", "the action 'AssumeRoleWithSAML' of AWS STS is not served by this registry") as error:
        account.sts.assume_role_with_saml(RoleArn="x", PrincipalArn="x", SAMLAssertion="x")
    assert error.status == 400
