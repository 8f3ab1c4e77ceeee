"""boto3 and the AWS CLI as two forms of one tool: an operation and its input, and what came back.

The CLI runs in this process, by the function that the program `aws` calls, because starting it takes half a second."""

import contextlib
import io
import json
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import awscli
import awscli.clidriver
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from server import Key, Server

Input = dict[str, Any]


class Refused(Exception):
    """The code with which the server refused a call."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Tool(ABC):
    """One of AWS's tools, as the holder of one key."""

    @abstractmethod
    def call(self, service: str, operation: str, input: Input) -> Input:
        """The answer, without what is about the request."""

    @abstractmethod
    def wait(self, service: str, waiter: str, input: Input) -> None:
        """Waits as the waiter of AWS's model does."""


class Boto3(Tool):
    def __init__(self, server: Server, key: Key) -> None:
        self._server, self._key = server, key

    def call(self, service: str, operation: str, input: Input) -> Input:
        try:
            answer = self._server.client(service, self._key)._make_api_call(operation, input)
        except ClientError as error:
            raise Refused(error.response["Error"]["Code"]) from error
        answer.pop("ResponseMetadata")
        return answer

    def wait(self, service: str, waiter: str, input: Input) -> None:
        self._server.client(service, self._key).get_waiter(xform_name(waiter)).wait(**input)


class AwsCli(Tool):
    """Version 1 of the CLI; its settings are those of the environment."""

    def __init__(self, server: Server, key: Key, directory: Path, environment: pytest.MonkeyPatch) -> None:
        for name, value in server.environment(key).items():
            environment.setenv(name, value)
        # Importing it says so too, but the tests' own environment has no AWS_… of anybody.
        environment.setenv("AWS_DATA_PATH", str(Path(awscli.__file__).parent / "data"))
        self._driver = awscli.clidriver.create_clidriver()
        self._directory = directory

    def call(self, service: str, operation: str, input: Input) -> Input:
        return json.loads(self._run(service, xform_name(operation, "-"), *self._options(input)) or "{}")

    def wait(self, service: str, waiter: str, input: Input) -> None:
        self._run(service, "wait", xform_name(waiter, "-"), *self._options(input))

    def _options(self, input: Input) -> list[str]:
        """The input as a person writes it at a shell."""
        options = []
        for name, value in input.items():
            option = xform_name(name, "-")
            match value:
                case bool():
                    options.append(f"--{option}" if value else f"--no-{option}")
                case bytes():
                    file = self._directory / option
                    file.write_bytes(value)
                    options += [f"--{option}", f"fileb://{file}"]
                case str() | int():
                    options += [f"--{option}", str(value)]
                case _:
                    options += [f"--{option}", json.dumps(value)]
        return options

    def _run(self, *arguments: str) -> str:
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            status = self._driver.main([*arguments, "--output", "json"])
        if status:
            refusal = re.search(r"An error occurred \((\w+)\)", complained.getvalue())
            assert refusal, f"aws {' '.join(arguments)} ended with {status}:\n{complained.getvalue()}"
            raise Refused(refusal[1])
        return said.getvalue()
