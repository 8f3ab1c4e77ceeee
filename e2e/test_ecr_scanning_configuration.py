"""When repositories are scanned: their own setting, the rules of the registry, and each operation's own errors."""

from typing import Any

import pytest

from account import Account, refused
from test_ecr_images import ABSENT, constraint, no_repository

EVERYTHING = {"filter": "*", "filterType": "WILDCARD"}


def rule(frequency: str, *filters: str) -> dict[str, Any]:
    return {
        "scanFrequency": frequency,
        "repositoryFilters": [{"filter": text, "filterType": "WILDCARD"} for text in filters],
    }


@pytest.fixture
def registry(account: Account) -> Any:
    """The default account's registry, without rules before and after."""
    account.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[])
    yield account
    account.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[])


def of(account: Account, *names: str) -> list[dict[str, Any]]:
    answer = account.ecr.batch_get_repository_scanning_configuration(repositoryNames=list(names))
    assert answer["failures"] == []
    return answer["scanningConfigurations"]


def test_a_repository_says_whether_it_is_scanned_on_push(registry: Account) -> None:
    name = registry.repository(imageScanningConfiguration={"scanOnPush": True})
    for scan_on_push in (True, False, True):
        wanted = {"scanOnPush": scan_on_push}
        if not scan_on_push:
            answer = registry.ecr.put_image_scanning_configuration(
                repositoryName=name, imageScanningConfiguration=wanted, registryId=registry.id
            )
            assert answer["imageScanningConfiguration"] == wanted
            assert (answer["registryId"], answer["repositoryName"]) == (registry.id, name)
        else:
            registry.ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration=wanted)
        (shown,) = registry.ecr.describe_repositories(repositoryNames=[name])["repositories"]
        assert shown["imageScanningConfiguration"] == wanted
        (scanning,) = of(registry, name)
        assert scanning == {
            "repositoryArn": registry.arn(name),
            "repositoryName": name,
            "scanOnPush": scan_on_push,
            "scanFrequency": "SCAN_ON_PUSH" if scan_on_push else "MANUAL",
            "appliedScanFilters": [],
        }


def test_the_setting_of_an_absent_repository_is_refused(account: Account) -> None:
    with refused("RepositoryNotFoundException", no_repository(account)):
        account.ecr.put_image_scanning_configuration(
            repositoryName=ABSENT, imageScanningConfiguration={"scanOnPush": True}
        )


def test_a_registry_has_no_rules_until_they_are_put(registry: Account) -> None:
    answer = registry.ecr.get_registry_scanning_configuration()
    assert answer["registryId"] == registry.id
    assert answer["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}
    rules = [rule("SCAN_ON_PUSH", "prod", "ml/*"), rule("CONTINUOUS_SCAN", "ml/*")]
    put = registry.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    wanted = {"scanType": "ENHANCED", "rules": rules}
    assert put["registryScanningConfiguration"] == wanted
    assert registry.ecr.get_registry_scanning_configuration()["scanningConfiguration"] == wanted


def test_the_rules_of_the_registry_decide_where_there_are_some(registry: Account) -> None:
    model = registry.repository("ml/app")
    product = registry.repository("shop-prod")
    other = registry.repository("other", imageScanningConfiguration={"scanOnPush": True})
    rules = [rule("SCAN_ON_PUSH", "prod", "ml/*"), rule("CONTINUOUS_SCAN", "ml/*")]
    registry.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    shown = [
        (s["repositoryName"], s["scanFrequency"], [f["filter"] for f in s["appliedScanFilters"]])
        for s in of(registry, model, product, other)
    ]
    assert shown == [
        (model, "CONTINUOUS_SCAN", ["ml/*", "ml/*"]),
        (product, "SCAN_ON_PUSH", ["prod"]),
        (other, "MANUAL", []),
    ]


def test_an_absent_repository_is_a_failure_of_its_own(registry: Account) -> None:
    name = registry.repository()
    answer = registry.ecr.batch_get_repository_scanning_configuration(repositoryNames=[ABSENT, name])
    assert [s["repositoryName"] for s in answer["scanningConfigurations"]] == [name]
    assert answer["failures"] == [
        {
            "repositoryName": ABSENT,
            "failureCode": "REPOSITORY_NOT_FOUND",
            "failureReason": no_repository(registry),
        }
    ]


@pytest.mark.parametrize(
    ("configuration", "code", "message"),
    [
        (
            {"rules": [rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b"), rule("SCAN_ON_PUSH", "c")]},
            "InvalidParameterException",
            constraint("rules", "Member must have length less than or equal to 2"),
        ),
        (
            {"rules": [rule("SCAN_ON_PUSH", *["a"] * 101)]},
            "InvalidParameterException",
            constraint("rules.repositoryFilters", "Member must have length less than or equal to 100"),
        ),
        (
            {"rules": [rule("SCAN_ON_PUSH", "A b")]},
            "InvalidParameterException",
            constraint(
                "rules.repositoryFilters.filter",
                r"must satisfy regular expression '^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$'; it is 'A b'",
            ),
        ),
        (
            {"scanType": "BASIC", "rules": [rule("CONTINUOUS_SCAN", "*")]},
            "ValidationException",
            "the scan frequency CONTINUOUS_SCAN is for the scan type ENHANCED; use SCAN_ON_PUSH",
        ),
        (
            {"rules": [rule("MANUAL", "*")]},
            "ValidationException",
            "the scan frequency MANUAL has no rules; repositories without a rule are scanned by hand",
        ),
        (
            {"rules": [rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b")]},
            "ValidationException",
            "two rules have the same scan frequency; put their filters into one",
        ),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(
    registry: Account, configuration: dict[str, Any], code: str, message: str
) -> None:
    before = registry.ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    with refused(code, message):
        registry.ecr.put_registry_scanning_configuration(**configuration)
    assert registry.ecr.get_registry_scanning_configuration()["scanningConfiguration"] == before


@pytest.mark.parametrize(("count", "bound"), [(26, "less than or equal to 25"), (0, "greater than or equal to 1")])
def test_how_many_repositories_are_asked_about_is_bounded(account: Account, count: int, bound: str) -> None:
    with refused("InvalidParameterException", constraint("repositoryNames", f"Member must have length {bound}")):
        account.ecr.batch_get_repository_scanning_configuration(repositoryNames=["a/b"] * count)
