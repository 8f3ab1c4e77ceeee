"""What ECR has and we do not serve yet: a sentence with 400, and a list that may only shrink."""

import pytest
from botocore.exceptions import ClientError

import model
from account import Account, refused
from served import SERVED, not_served


def call(account: Account, name: str) -> None:
    """Calls an operation with no parameters at all: what is served answers, or refuses them."""
    account.ecr._make_api_call(name, {})


def test_the_two_lists_are_the_model() -> None:
    names = set(model.operations("ecr"))
    assert len(names) == 62
    listed = not_served()
    assert len(listed) == len(set(listed)), "a name stands twice"
    assert SERVED.isdisjoint(listed)
    assert SERVED.union(listed) == names


@pytest.mark.parametrize("name", not_served())
def test_an_operation_that_is_not_served_says_so(account: Account, name: str) -> None:
    # 400 and not 5xx: clients try a fault of the server again and again.
    with refused("UnknownOperationException") as error:
        call(account, name)
    assert error.status == 400
    assert name in error.message
    assert len(error.message.split()) >= 4, "is no sentence"


@pytest.mark.parametrize("name", sorted(SERVED))
def test_an_operation_that_is_served_is_known(account: Account, name: str) -> None:
    try:
        call(account, name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_an_action_of_iam_or_sts_that_is_not_served_says_so(account: Account, service: str) -> None:
    client = getattr(account, service)
    name = {"iam": "ListServerCertificates", "sts": "AssumeRoot"}[service]
    with refused("InvalidAction") as error:
        client._make_api_call(name, {})
    assert error.status == 400
    assert name in error.message
