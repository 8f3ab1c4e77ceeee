"""The checking client itself: it must refuse what it claims to refuse, or every other test proves less than it says."""

import json

import pytest

from model import ModelViolation, check, operation

ID = "11111111-2222-3333-4444-555555555555"
REPOSITORY = {
    "repositoryArn": "arn:aws:ecr:us-east-1:111111111111:repository/app",
    "registryId": "111111111111",
    "repositoryName": "app",
    "createdAt": 1767225600.5,
    "imageTagMutability": "MUTABLE",
}
IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


def json_answer(body: object, status: int = 200, name: str = "CreateRepository", **headers: str) -> None:
    sent = {"x-amzn-requestid": ID, "content-type": "application/x-amz-json-1.1"} | headers
    check(operation("ecr", name), status, sent, body if isinstance(body, bytes) else json.dumps(body).encode())


def query_answer(body: str, status: int = 200, name: str = "CreateUser") -> None:
    check(operation("iam", name), status, {"x-amzn-requestid": ID, "content-type": "text/xml"}, body.encode())


def user(members: str) -> str:
    return (
        f'<CreateUserResponse xmlns="{IAM}"><CreateUserResult><User>{members}</User></CreateUserResult>'
        f"<ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata></CreateUserResponse>"
    )


USER = (
    "<Path>/</Path><UserName>ci</UserName><UserId>AIDA0123456789ABCDEF</UserId>"
    "<Arn>arn:aws:iam::111111111111:user/ci</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
)


def error(code: str, request_id: str = ID) -> str:
    return (
        f'<ErrorResponse xmlns="{IAM}"><Error><Type>Sender</Type><Code>{code}</Code><Message>why</Message></Error>'
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def test_answers_as_the_model_has_them_pass() -> None:
    json_answer({"repository": REPOSITORY})
    json_answer({"__type": "RepositoryAlreadyExistsException", "message": "why"}, 400)
    json_answer({"__type": "AccessDeniedException", "message": "why"}, 400)
    query_answer(user(USER))
    query_answer(error("EntityAlreadyExists"), 409)
    query_answer(error("AccessDenied"), 403)


@pytest.mark.parametrize(
    ("body", "status", "headers", "fault"),
    [
        ({"repository": REPOSITORY | {"owner": "me"}}, 200, {}, "owner is not a member"),
        ({"repository": REPOSITORY | {"createdAt": "2026"}}, 200, {}, "not a timestamp"),
        ({"repository": REPOSITORY | {"createdAt": 1767225600500}}, 200, {}, "not seconds"),
        ({"repository": REPOSITORY | {"imageTagMutability": "SOMETIMES"}}, 200, {}, "not one of"),
        ({"repository": REPOSITORY | {"repositoryName": "App"}}, 200, {}, "does not match"),
        ({"repository": REPOSITORY | {"registryId": 111111111111}}, 200, {}, "not a string"),
        ({"repository": None}, 200, {}, "not a structure"),
        (b'{"repository": {}, "repository": {}}', 200, {}, "stands twice"),
        (b"{", 200, {}, "no JSON"),
        ({"repository": REPOSITORY}, 200, {"x-amzn-requestid": ""}, "not a UUID"),
        ({"repository": REPOSITORY}, 200, {"content-type": "application/json"}, "Content-Type"),
        ({"__type": "ImageNotFoundException", "message": "why"}, 400, {}, "neither declared"),
        ({"__type": "AccessDeniedException", "message": "why"}, 403, {}, "must be 400"),
        ({"__type": "ServerException", "message": "why"}, 500, {}, "blames the server"),
        ({"__type": "AccessDeniedException", "message": ""}, 400, {}, "no text"),
        ({"__type": "KmsException", "message": "why", "trace": "…"}, 400, {}, "trace is not a member"),
    ],
)
def test_a_json_answer_that_the_model_does_not_have_is_refused(
    body: object, status: int, headers: dict[str, str], fault: str
) -> None:
    with pytest.raises(ModelViolation, match=fault):
        json_answer(body, status, **headers)


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        (user(USER.replace("<UserId>AIDA0123456789ABCDEF</UserId>", "")), 200, "UserId is required"),
        (user(USER + "<Shoe>43</Shoe>"), 200, "Shoe is not a member"),
        (user(USER + "<Path>/</Path>"), 200, "stands twice"),
        (user(USER.replace("2026-01-01T00:00:00Z", "1767225600")), 200, "ISO 8601"),
        (user(USER + "<Tags><Tag/></Tags>"), 200, "holds <Tag>"),
        (
            user(USER).replace("<CreateUserResult>", "<Result>").replace("</CreateUserResult>", "</Result>"),
            200,
            "CreateUserResult",
        ),
        (user(USER).replace(IAM, "urn:other"), 200, "answer is <"),
        (user(USER).replace(ID, "another"), 200, "not that of the header"),
        ("<CreateUserResponse>", 200, "no XML"),
        (error("DeleteConflict"), 409, "neither declared"),
        (error("EntityAlreadyExists"), 400, "must be 409"),
        (error("EntityAlreadyExists", "another"), 409, "not that of the header"),
        (error("ServiceFailure"), 500, "blames the server"),
    ],
)
def test_a_query_answer_that_the_model_does_not_have_is_refused(body: str, status: int, fault: str) -> None:
    with pytest.raises(ModelViolation, match=fault):
        query_answer(body, status)
