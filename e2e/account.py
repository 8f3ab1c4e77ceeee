"""Users, roles and policies of one account, as its administrator makes them."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from oci import Image
from server import REGION, Key, Server

Statement = dict[str, Any]
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSH = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchGetImage",
]
LOGIN = "ecr:GetAuthorizationToken"


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {"Effect": "Deny", "Action": action, "Resource": resource} | more


def grant(principal: str | list[str], action: str | list[str], **more: Any) -> Statement:
    """A statement of a repository policy or of a trust policy."""
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action} | more


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass(frozen=True)
class User:
    name: str
    arn: str
    key: Key


class Account:
    """An account by the key of its administrator. Names are made unique, so that tests can share a server."""

    _numbers = itertools.count(1)

    def __init__(self, server: Server, key: Key) -> None:
        self.server = server
        self.key = key
        self.id = key.account
        self.ecr: BaseClient = server.client("ecr", key)
        self.iam: BaseClient = server.client("iam", key)
        self.sts: BaseClient = server.client("sts", key)

    @classmethod
    def default(cls, server: Server) -> "Account":
        return cls(server, server.administrator)

    def unique(self, name: str) -> str:
        return f"{name}-{next(self._numbers)}"

    def repository(self, name: str = "app", *, policy: str | None = None, **options: Any) -> str:
        """A new repository; its name."""
        name = self.unique(name)
        self.ecr.create_repository(repositoryName=name, **options)
        if policy is not None:
            self.ecr.set_repository_policy(repositoryName=name, policyText=policy)
        return name

    def pulls(self, repository: str, user: User, image: Image | str) -> bool:
        """Whether the user may pull the image, by its digest or by a tag."""
        image_id = {"imageTag": image} if isinstance(image, str) else {"imageDigest": image.digest}
        try:
            client = self.server.client("ecr", user.key)
            answer = client.batch_get_image(repositoryName=repository, imageIds=[image_id])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return bool(answer["images"])

    def arn(self, repository: str) -> str:
        return f"arn:aws:ecr:{REGION}:{self.id}:repository/{repository}"

    def user(self, name: str, *statements: Statement) -> User:
        """A new user with an access key and, if there are statements, an inline policy."""
        name = self.unique(name)
        arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return User(name, arn, self.access_key(name))

    def access_key(self, user: str) -> Key:
        made = self.iam.create_access_key(UserName=user)["AccessKey"]
        return Key(made["AccessKeyId"], made["SecretAccessKey"], self.id)

    def group(self, name: str, *statements: Statement) -> str:
        """A new group with, if there are statements, an inline policy; its name."""
        name = self.unique(name)
        self.iam.create_group(GroupName=name)
        if statements:
            self.iam.put_group_policy(GroupName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return name

    def policy(self, name: str, *statements: Statement, **options: Any) -> str:
        """A new managed policy; its ARN."""
        text = document(*statements)
        return self.iam.create_policy(PolicyName=self.unique(name), PolicyDocument=text, **options)["Policy"]["Arn"]

    def role(self, name: str, trust: Statement | None = None, *statements: Statement, **options: Any) -> str:
        """A new role that whoever is allowed to in this account may assume, unless `trust` says otherwise; its ARN."""
        name = self.unique(name)
        trusts = document(trust or grant(f"arn:aws:iam::{self.id}:root", "sts:AssumeRole"))
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts, **options)["Role"]["Arn"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return arn

    def assume(self, role: str, by: Key | None = None, **options: Any) -> Key:
        """A session of `role` for `by`, or for the administrator."""
        return Key.of_session(self.assume_answer(role, by, **options))

    def assume_answer(self, role: str, by: Key | None = None, **options: Any) -> dict[str, Any]:
        sts = self.server.client("sts", by or self.key)
        return sts.assume_role(**({"RoleArn": role, "RoleSessionName": "session"} | options))


@dataclass
class Refusal:
    """The error with which the call inside `refused` ended."""

    code: str = ""
    message: str = ""
    status: int = 0


@contextmanager
def refused(code: str, message: str | None = None) -> Iterator[Refusal]:
    """`with refused("NoSuchEntity") as error:` expects the call inside to be refused with this code and message."""
    refusal = Refusal()
    try:
        yield refusal
    except ClientError as raised:
        error = raised.response["Error"]
        refusal.code, refusal.message = error["Code"], error["Message"]
        refusal.status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        assert refusal.code == code, f"{refusal.code}: {refusal.message}"
        assert message in (None, refusal.message), refusal.message
    else:
        pytest.fail(f"was carried out; expected {code}")
