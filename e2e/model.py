"""Clients that hold every answer of the server against AWS's own service model.

botocore parses leniently: it drops members that it does not know and never asks for those it does. So each raw answer,
success or error, is parsed here a second time and compared with the shape of its operation: required members, unknown
members, types, enumerations, patterns, lengths; for errors whether the operation declares the code, and its status.
Whoever calls the server through `client` tests conformance besides what the test is about.
"""

import base64
import binascii
import functools
import json
import math
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
import regex
from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

# Errors that AWS documents for every operation of a protocol, with their HTTP status.
COMMON_ERRORS = {
    "json": {
        "AccessDeniedException": 400,
        "ExpiredTokenException": 400,
        "IncompleteSignatureException": 400,
        "InternalFailure": 500,
        "InvalidParameterException": 400,
        "InvalidSignatureException": 400,
        "MissingAuthenticationTokenException": 400,
        "RequestEntityTooLarge": 413,
        "SerializationException": 400,
        "ServerException": 500,
        "ThrottlingException": 400,
        "UnknownOperationException": 400,
        "UnrecognizedClientException": 400,
    },
    "query": {
        "AccessDenied": 403,
        "ExpiredToken": 403,
        "IncompleteSignature": 400,
        "InternalFailure": 500,
        "InvalidAction": 400,
        "InvalidClientTokenId": 403,
        "InvalidParameterValue": 400,
        "MalformedInput": 400,
        "MalformedPolicyDocument": 400,
        "MissingAuthenticationToken": 403,
        "MissingParameter": 400,
        "RequestEntityTooLarge": 413,
        "SignatureDoesNotMatch": 403,
        "Throttling": 400,
        "ValidationError": 400,
    },
}
# Shapes whose bounds are those of a request: ECR answers them empty, and with as many items as a page has.
REQUEST_LISTS = {"ImageIdentifierList"}
# Values of enumerations that AWS answers beside those of its model, as recorded (contracts/iam.md §11).
ANSWERED = {"PolicySourceType": ["IAM Policy", "Resource Policy"]}
CONTENT_TYPES = {"json": "application/x-amz-json-1.1", "query": "text/xml"}
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class ModelViolation(AssertionError):
    """An answer that AWS's model does not allow."""


@functools.cache
def _session() -> boto3.Session:
    """One session, so that each service model is read once; it knows no profile of the person at the keyboard."""
    core = botocore.session.Session(include_builtin_handlers=True)
    core.set_config_variable("config_file", "/dev/null")
    core.set_config_variable("credentials_file", "/dev/null")
    core.set_config_variable("profile", None)
    return boto3.Session(botocore_session=core)


def operations(service: str) -> list[str]:
    """The names of all operations in botocore's model of `service`."""
    return _session()._session.get_service_model(service).operation_names


def operation(service: str, name: str) -> OperationModel:
    """One operation of botocore's model of `service`."""
    return _session()._session.get_service_model(service).operation_model(name)


def client(
    service: str,
    endpoint: str,
    region: str,
    verify: str | bool,
    credentials: tuple[str, str, str | None],
) -> BaseClient:
    """A boto3 client (key id, secret, session token) that checks every answer, sends each request once, and leaves the
    judgement of malformed parameters to the server."""
    key_id, secret, token = credentials
    made = _session().client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        verify=verify,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            parameter_validation=False, retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60
        ),
    )
    made.meta.events.register("response-received", functools.partial(_check_received, made.meta.service_model))
    return made


def _check_received(service_model: Any, event_name: str, response_dict: dict | None, **_: Any) -> None:
    if response_dict is None:  # no answer: botocore raises the reason
        return
    name = event_name.rsplit(".", 1)[1]
    check(
        service_model.operation_model(name),
        response_dict["status_code"],
        {k.lower(): v for k, v in response_dict["headers"].items()},
        response_dict["body"],
    )


def check(of: OperationModel, status: int, headers: dict[str, str], body: bytes) -> None:
    """Raises `ModelViolation`, naming every fault, unless the answer is one that `of` may give. Header names are in
    lower case."""
    protocol = of.service_model.resolved_protocol
    faults = Faults()
    request_id = headers.get("x-amzn-requestid", "")
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id):
        faults.add("x-amzn-RequestId", f"is {request_id!r}, not a UUID")
    content_type = headers.get("content-type", "").split(";")[0]
    if content_type != CONTENT_TYPES[protocol]:
        faults.add("Content-Type", f"is {content_type!r}, not {CONTENT_TYPES[protocol]!r}")
    answer = _Json(faults) if protocol == "json" else _Query(faults)
    if status == 200:
        answer.success(of, body, request_id)
    else:
        answer.failure(of, status, body, request_id)
    if faults:
        raise ModelViolation(f"{of.service_model.service_name} {of.name} answered {status}: {faults}\n{body[:2000]!r}")


class Faults(list[str]):
    """What is wrong with one answer, each with the path of the member."""

    def add(self, path: str, text: str) -> None:
        self.append(f"{path} {text}")

    def __str__(self) -> str:
        return "; ".join(self)


class _Protocol:
    """What both protocols share: the walk over shapes, once a value's type is known."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def required(self, shape: StructureShape, present: set[str], path: str) -> None:
        for name in shape.required_members:
            if name not in present:
                self.faults.add(f"{path}.{name}", "is required and missing")

    def text(self, shape: Shape, value: str, path: str) -> None:
        self.bounds(shape, len(value), path)
        enum = shape.metadata.get("enum")
        if enum and value not in [*enum, *ANSWERED.get(shape.name, [])]:
            self.faults.add(path, f"is {value!r}, not one of {enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and not regex.fullmatch(pattern, value):
            self.faults.add(path, f"is {value!r}, which does not match {pattern!r}")

    def bounds(self, shape: Shape, size: float, path: str) -> None:
        if shape.name in REQUEST_LISTS:
            return
        low, high = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
        if not low <= size <= high:
            self.faults.add(path, f"has size or value {size}, not within {low}..{high}")

    def error(self, of: OperationModel, status: int, code: str, message: Any) -> StructureShape | None:
        """Checks code and status; gives the shape that the operation declares for the code."""
        common = COMMON_ERRORS[of.service_model.resolved_protocol]
        declared = {_error_code(shape): shape for shape in of.error_shapes}
        if code not in declared and code not in common:
            self.faults.add("the code", f"{code!r} is neither declared ({sorted(declared)}) nor common")
            return None
        expected = common.get(code) or _error_status(declared[code])
        if status != expected:
            self.faults.add("the status", f"of {code} must be {expected}")
        if status >= 500:
            self.faults.add("the status", "blames the server")
        if not isinstance(message, str) or not message.strip():
            self.faults.add("the message", f"is {message!r}, no text")
        return declared.get(code)


def _error_code(shape: StructureShape) -> str:
    return shape.metadata.get("error", {}).get("code", shape.name)


def _error_status(shape: StructureShape) -> int:
    default = 500 if shape.metadata.get("fault") else 400
    return shape.metadata.get("error", {}).get("httpStatusCode", default)


class _Json(_Protocol):
    """AWS JSON 1.1."""

    def success(self, of: OperationModel, body: bytes, _request_id: str) -> None:
        value = self.parse(body)
        if of.output_shape is not None:
            self.value(of.output_shape, value, "answer")
        elif value != {}:
            self.faults.add("answer", "must be empty")

    def failure(self, of: OperationModel, status: int, body: bytes, _request_id: str) -> None:
        value = self.parse(body)
        if not isinstance(value, dict):
            self.faults.add("answer", "is no object")
            return
        members = dict(value)
        code = members.pop("__type", None)
        shape = self.error(of, status, str(code), members.get("message"))
        if shape is not None:
            self.value(shape, members, "error")
        elif members.keys() != {"message"}:
            self.faults.add("error", f"has the members {sorted(members)}, not just message")

    def parse(self, body: bytes) -> Any:
        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            names = [name for name, _ in pairs]
            for name in {name for name in names if names.count(name) > 1}:
                self.faults.add(name, "stands twice")
            return dict(pairs)

        try:
            return json.loads(body, object_pairs_hook=unique)
        except ValueError as error:
            self.faults.add("answer", f"is no JSON: {error}")
            return None

    def value(self, shape: Shape, value: Any, path: str) -> None:
        match shape.type_name, value:
            case "structure", dict():
                self.structure(shape, value, path)
            case "list", list():
                self.bounds(shape, len(value), path)
                for index, item in enumerate(value):
                    self.value(shape.member, item, f"{path}[{index}]")
            case "map", dict():
                for key, item in value.items():
                    self.value(shape.key, key, path)
                    self.value(shape.value, item, f"{path}.{key}")
            case "string", str():
                self.text(shape, value, path)
            case (("integer" | "long"), int()) if not isinstance(value, bool):
                self.bounds(shape, value, path)
            case (("float" | "double"), (int() | float())) if not isinstance(value, bool):
                self.bounds(shape, value, path)
            case "boolean", bool():
                pass
            case "timestamp", (int() | float()) if not isinstance(value, bool):
                if not EARLIEST < value < LATEST:
                    self.faults.add(path, f"is {value}, not seconds of this century")
            case "blob", str():
                try:
                    base64.b64decode(value, validate=True)
                except binascii.Error:
                    self.faults.add(path, "is not base64")
            case kind, _:
                self.faults.add(path, f"is {value!r}, not a {kind}")

    def structure(self, shape: StructureShape, value: dict[str, Any], path: str) -> None:
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        for wire_name, item in value.items():
            if wire_name not in names:
                self.faults.add(f"{path}.{wire_name}", f"is not a member of {shape.name}")
            else:
                self.value(shape.members[names[wire_name]], item, f"{path}.{wire_name}")
        self.required(shape, {names[wire_name] for wire_name in value if wire_name in names}, path)


class _Query(_Protocol):
    """AWS Query: XML answers."""

    def success(self, of: OperationModel, body: bytes, request_id: str) -> None:
        root = self.parse(body, of, f"{of.name}Response")
        if root is None:
            return
        expected = ["ResponseMetadata"]
        if of.output_shape is not None:
            wrapper = of.output_shape.serialization.get("resultWrapper", f"{of.name}Result")
            expected.insert(0, wrapper)
            result = root.find(wrapper)
            if result is not None:
                self.value(of.output_shape, result, "answer")
        if [child.tag for child in root] != expected:
            self.faults.add("answer", f"has {[child.tag for child in root]}, not {expected}")
        if root.findtext("ResponseMetadata/RequestId") != request_id:
            self.faults.add("ResponseMetadata.RequestId", "is not that of the header")

    def failure(self, of: OperationModel, status: int, body: bytes, request_id: str) -> None:
        root = self.parse(body, of, "ErrorResponse")
        if root is None:
            return
        if [child.tag for child in root] != ["Error", "RequestId"]:
            self.faults.add("error", f"has {[child.tag for child in root]}, not Error and RequestId")
        if root.findtext("RequestId") != request_id:
            self.faults.add("RequestId", "is not that of the header")
        if root.findtext("Error/Type") != "Sender":
            self.faults.add("Error.Type", f"is {root.findtext('Error/Type')!r}, not Sender")
        self.error(of, status, root.findtext("Error/Code", ""), root.findtext("Error/Message"))

    def parse(self, body: bytes, of: OperationModel, tag: str) -> ET.Element | None:
        """The root, with the namespace of the service taken off all names."""
        try:
            root = ET.fromstring(body)
        except ET.ParseError as error:
            self.faults.add("answer", f"is no XML: {error}")
            return None
        namespace = "{" + of.service_model.metadata["xmlNamespace"] + "}"
        if root.tag != namespace + tag:
            self.faults.add("answer", f"is <{root.tag}>, not <{namespace}{tag}>")
            return None
        for element in root.iter():
            element.tag = element.tag.removeprefix(namespace)
        return root

    def value(self, shape: Shape, element: ET.Element, path: str) -> None:
        if isinstance(shape, StructureShape):
            self.structure(shape, element, path)
        elif isinstance(shape, ListShape):
            self.bounds(shape, len(element), path)
            for index, item in enumerate(self.entries(element, shape.member.serialization.get("name", "member"), path)):
                self.value(shape.member, item, f"{path}[{index}]")
        elif isinstance(shape, MapShape):
            for entry in self.entries(element, "entry", path):
                for part, of in (("key", shape.key), ("value", shape.value)):
                    found = entry.find(part)
                    if found is None:
                        self.faults.add(path, f"has an entry without {part}")
                    else:
                        self.value(of, found, f"{path}.{part}")
        elif len(element):
            self.faults.add(path, f"has elements within, but is a {shape.type_name}")
        else:
            self.scalar(shape, element.text or "", path)

    def entries(self, element: ET.Element, tag: str, path: str) -> list[ET.Element]:
        for child in element:
            if child.tag != tag:
                self.faults.add(path, f"holds <{child.tag}>, not <{tag}>")
        return element.findall(tag)

    def structure(self, shape: StructureShape, element: ET.Element, path: str) -> None:
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        present: set[str] = set()
        for child in element:
            name = names.get(child.tag)
            if name is None:
                self.faults.add(f"{path}.{child.tag}", f"is not a member of {shape.name}")
                continue
            if name in present:
                self.faults.add(f"{path}.{child.tag}", "stands twice")
            present.add(name)
            self.value(shape.members[name], child, f"{path}.{child.tag}")
        self.required(shape, present, path)

    def scalar(self, shape: Shape, value: str, path: str) -> None:
        match shape.type_name:
            case "string":
                self.text(shape, value, path)
            case "boolean":
                if value not in ("true", "false"):
                    self.faults.add(path, f"is {value!r}, not true or false")
            case "integer" | "long":
                if not re.fullmatch(r"-?\d+", value):
                    self.faults.add(path, f"is {value!r}, not a whole number")
                else:
                    self.bounds(shape, int(value), path)
            case "timestamp":
                if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d+)?Z", value):
                    self.faults.add(path, f"is {value!r}, not an ISO 8601 time in UTC")
            case kind:
                self.faults.add(path, f"is a {kind}, which no operation that we serve answers")
