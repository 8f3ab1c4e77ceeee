"""A central registry and three accounts that use it, each with dev, staging and prod: all four combinations of what the
repository says and what the role says, pulled by skopeo with a session of the role."""

import itertools
from pathlib import Path

import pytest

from account import LOGIN, PULL, Account, allow, document, grant
from programs import HOST, Run
from server import Key

TEAMS = ["610000000001", "610000000002", "610000000003"]
STAGES = ["dev", "staging", "prod"]
DENIED = "not authorized to perform: ecr:BatchGetImage"


class Team:
    """A consuming account; the roles `STAGE` have the pull in their policy, `STAGE-bare` have not."""

    def __init__(self, central: Account, number: str) -> None:
        server = central.server
        self.account = Account(server, server.create_account(number))
        self.id = number
        self.keys: dict[tuple[str, bool], Key] = {}
        self.arns: dict[tuple[str, bool], str] = {}
        for stage, pulls in itertools.product(STAGES, [True, False]):
            statements = [allow(LOGIN), *([allow(PULL, central.arn("central/*"))] if pulls else [])]
            role = self.account.role(stage if pulls else f"{stage}-bare", None, *statements)
            self.arns[stage, pulls] = role
            self.keys[stage, pulls] = self.account.assume(role)


@pytest.fixture(scope="module")
def teams(account: Account) -> list[Team]:
    return [Team(account, number) for number in TEAMS]


class Central:
    """The repositories of the central account, each with the image `v1`, pulled by skopeo."""

    def __init__(self, run: Run, home: Path, archive: Path, account: Account) -> None:
        self.run, self.home, self.archive, self.account = run, home, archive, account

    def repository(self, policy: str | None = None) -> str:
        name = self.account.repository("central/app", policy=policy)
        password = self.account.server.password(self.account.key)
        trust = ["--dest-cert-dir", self.home / "certificates", "--dest-creds", f"AWS:{password}"]
        self.run("skopeo", "copy", *trust, f"docker-archive:{self.archive}", self.image(name))
        return name

    def image(self, repository: str) -> str:
        return f"docker://{HOST}:{self.account.server.port}/{repository}:v1"

    def assert_pull(self, key: Key, repository: str, allowed: bool) -> None:
        password = self.account.server.password(key)
        target = self.home / f"pulled-{self.account.unique('image')}"
        trust = ["--src-cert-dir", self.home / "certificates", "--src-creds", f"AWS:{password}"]
        said = self.run("skopeo", "copy", *trust, self.image(repository), f"oci:{target}:v1", succeed=allowed)
        assert allowed or DENIED in said, said


@pytest.fixture(scope="module")
def central(run: Run, home: Path, archive: Path, account: Account) -> Central:
    return Central(run, home, archive, account)


def test_both_sides_must_allow(central: Central, teams: list[Team]) -> None:
    roots = [f"arn:aws:iam::{team.id}:root" for team in teams]
    shared, private = central.repository(document(grant(roots, PULL))), central.repository()
    for team, stage in itertools.product(teams, STAGES):
        for pulls, (repository, names) in itertools.product([True, False], [(shared, True), (private, False)]):
            central.assert_pull(team.keys[stage, pulls], repository, pulls and names)


def test_a_repository_may_name_one_role_of_one_account(central: Central, teams: list[Team]) -> None:
    chosen = teams[1].arns["prod", True]
    repository = central.repository(document(grant(chosen, PULL)))
    for team, stage in itertools.product(teams, STAGES):
        central.assert_pull(team.keys[stage, True], repository, team.arns[stage, True] == chosen)
    central.assert_pull(teams[1].keys["prod", False], repository, False)


def test_a_role_that_is_named_needs_its_own_account_too(central: Central, teams: list[Team]) -> None:
    bare = teams[0]
    repository = central.repository(document(grant(bare.arns["prod", False], PULL)))
    central.assert_pull(bare.keys["prod", False], repository, False)


def test_a_denial_on_either_side_ends_it(central: Central, teams: list[Team]) -> None:
    first, second, _ = teams
    roots = [f"arn:aws:iam::{team.id}:root" for team in teams]
    refuses = grant(first.arns["prod", True], "ecr:*") | {"Effect": "Deny"}
    repository = central.repository(document(grant(roots, PULL), refuses))
    central.assert_pull(first.keys["prod", True], repository, False)
    central.assert_pull(first.keys["dev", True], repository, True)
    role = second.arns["prod", True].rsplit("/", 1)[1]
    denial = document(allow(PULL, central.account.arn(repository)) | {"Effect": "Deny"})
    central.assert_pull(second.keys["prod", True], repository, True)
    second.account.iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=denial)
    central.assert_pull(second.keys["prod", True], repository, False)
    second.account.iam.delete_role_policy(RoleName=role, PolicyName="deny")
    central.assert_pull(second.keys["prod", True], repository, True)
