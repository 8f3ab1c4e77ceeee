"""Two nodes on one PostgreSQL with one key ring. Each has a disk of its own, so only rows cross, not bytes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from account import LOGIN, Account, allow, deny, document, refused
from server import Key, Server

MakeServer = Callable[..., Server]
MakeDatabase = Callable[[], str]


@pytest.fixture
def keyring(own_server: MakeServer) -> Path:
    """A key ring, as the first start of a server makes it."""
    maker = own_server("maker")
    maker.start()
    maker.stop()
    return maker.keyring


@pytest.fixture
def nodes(own_server: MakeServer, database: MakeDatabase, keyring: Path) -> Iterator[tuple[Account, Account]]:
    """The same account through two nodes."""
    url = database()
    one = own_server("one", database=url, keyring=keyring).start()
    two = own_server("two", database=url, keyring=keyring).start()
    yield Account(one, one.administrator), Account(two, one.administrator)
    one.stop()
    two.stop()


def test_a_repository_made_on_one_node_is_on_the_other(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    name = one.repository()
    two.ecr.set_repository_policy(
        repositoryName=name,
        policyText=document(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "ecr:ListTagsForResource",
            }
        ),
    )
    with refused("AccessDeniedException"):
        one.ecr.list_tags_for_resource(resourceArn=one.arn(name))
    two.ecr.delete_repository(repositoryName=name)
    with refused("RepositoryNotFoundException"):
        one.ecr.describe_repositories(repositoryNames=[name])


def test_a_policy_changed_on_one_node_holds_on_the_other_at_the_next_request(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    user = one.user("watched", allow("ecr:DescribeRepositories"))

    def allowed_on(node: Account) -> bool:
        try:
            node.server.client("ecr", user.key).describe_repositories()
        except node.ecr.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    assert allowed_on(one) and allowed_on(two)
    for changed, watched in ((one, two), (two, one)) * 5:
        for statement, expected in ((deny("ecr:*"), False), (allow("ecr:DescribeRepositories"), True)):
            changed.iam.put_user_policy(UserName=user.name, PolicyName="inline", PolicyDocument=document(statement))
            assert allowed_on(watched) is expected


def test_a_key_disabled_on_one_node_is_dead_on_the_other_with_its_tokens(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    user = one.user("revoked", allow([LOGIN, "ecr:ListImages"]))
    name = one.repository()
    doors = [two.server.v2(one.server.password(user.key), bearer=bearer) for bearer in (False, True)]
    for door in doors:
        assert door.get(f"/v2/{name}/tags/list").status_code == 200
    assert two.server.password(user.key)
    one.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Inactive")
    for door in doors:
        assert door.get(f"/v2/{name}/tags/list").status_code == 401
    with refused("UnrecognizedClientException"):
        two.server.password(user.key)


def test_a_session_made_on_one_node_works_and_ends_on_the_other(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    role = one.role("crossing", None, allow("ecr:DescribeRepositories"))
    ecr = two.server.client("ecr", one.assume(role))
    ecr.describe_repositories()
    one.iam.delete_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyName="inline")
    with refused("AccessDeniedException"):
        ecr.describe_repositories()


def test_whoever_is_deleted_on_one_node_is_dead_on_the_other(nodes: tuple[Account, Account]) -> None:
    one, two = nodes
    user, group = one.user("deleted"), one.group("rights", allow("ecr:DescribeRepositories"))
    one.iam.add_user_to_group(GroupName=group, UserName=user.name)
    role = one.role("deleted", None, allow("ecr:DescribeRepositories"))
    doors = [two.server.client("ecr", key) for key in (user.key, one.assume(role))]
    for ecr in doors:
        ecr.describe_repositories()
    one.iam.remove_user_from_group(GroupName=group, UserName=user.name)
    with refused("AccessDeniedException"):
        doors[0].describe_repositories()
    one.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.id)
    one.iam.delete_user(UserName=user.name)
    name = role.rsplit("/", 1)[1]
    one.iam.delete_role_policy(RoleName=name, PolicyName="inline")
    one.iam.delete_role(RoleName=name)
    for ecr in doors:
        with refused("UnrecognizedClientException"):
            ecr.describe_repositories()


def test_nodes_that_start_at_once_make_one_administrator(
    own_server: MakeServer, database: MakeDatabase, keyring: Path
) -> None:
    for attempt in range(3):
        url = database()
        nodes = [own_server(f"{name}{attempt}", database=url, keyring=keyring) for name in ("one", "two")]
        for node in nodes:
            node.spawn()
        for node in nodes:
            node.wait_until_listening()
        (written,) = [file for node in nodes if (file := node.data / "administrator.json").exists()]
        key = Key.of_file(written.read_text())
        for node in nodes:
            users = node.client("iam", key).list_users()["Users"]
            assert [user["UserName"] for user in users] == ["administrator"]
            node.stop()


def test_a_node_with_another_key_ring_does_not_start(
    own_server: MakeServer, database: MakeDatabase, keyring: Path
) -> None:
    url = database()
    right = own_server("right", database=url, keyring=keyring).start()
    said = own_server("wrong", database=url).refuse_to_start()
    assert "key ring" in said
    right.stop()
