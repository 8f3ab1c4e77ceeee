"""ECR's layers: whether they are there, their uploads in parts, the URL to read one; and each operation's errors."""

import os
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from account import Account, allow, refused
from oci import digest

MIB = 1024 * 1024
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def no_repository(account: Account, name: str) -> str:
    return f"The repository with name '{name}' does not exist in the registry with id '{account.id}'"


def upload(account: Account, name: str, *parts: bytes) -> str:
    """Begins an upload with these parts; its id."""
    begun = account.ecr.initiate_layer_upload(repositoryName=name)
    first = 0
    for part in parts:
        append(account, name, begun["uploadId"], first, part)
        first += len(part)
    return begun["uploadId"]


def append(account: Account, name: str, upload_id: str, first: int, part: bytes, **options: Any) -> dict[str, Any]:
    asked = {
        "repositoryName": name,
        "uploadId": upload_id,
        "partFirstByte": first,
        "partLastByte": first + len(part) - 1,
        "layerPartBlob": part,
    }
    return account.ecr.upload_layer_part(**(asked | options))


def complete(account: Account, name: str, upload_id: str, *digests: str) -> dict[str, Any]:
    return account.ecr.complete_layer_upload(repositoryName=name, uploadId=upload_id, layerDigests=list(digests))


# ------------------------------------------------------------------------------------------------ uploads


def test_a_layer_is_uploaded_in_parts(account: Account) -> None:
    name = account.repository()
    parts = [os.urandom(5 * MIB), os.urandom(20 * MIB), b"the last may be short"]
    layer = b"".join(parts)
    begun = account.ecr.initiate_layer_upload(repositoryName=name)
    assert begun["partSize"] == 10 * MIB
    first = 0
    for part in parts:
        answer = append(account, name, begun["uploadId"], first, part)
        first += len(part)
        assert answer["lastByteReceived"] == first - 1
        assert (answer["registryId"], answer["repositoryName"]) == (account.id, name)
        assert answer["uploadId"] == begun["uploadId"]
    done = complete(account, name, begun["uploadId"], digest(b"another"), digest(layer))
    assert done["layerDigest"] == digest(layer)
    assert account.server.push_and_pull(account.key).blob(name, digest(layer)).content == layer
    with refused("UploadNotFoundException"):
        complete(account, name, begun["uploadId"], digest(layer))


def test_an_upload_is_that_of_the_other_door_too(account: Account) -> None:
    name = account.repository()
    door = account.server.push_and_pull(account.key)
    upload_id = upload(account, name, b"by one door, ")
    answer = door.request("PATCH", f"/v2/{name}/blobs/uploads/{upload_id}", data=b"by the other")
    assert answer.status_code in (201, 202), answer.text
    layer = b"by one door, by the other"
    assert door.finish_upload(f"/v2/{name}/blobs/uploads/{upload_id}", digest(layer)).status_code == 201
    assert door.blob(name, digest(layer)).content == layer


@pytest.mark.parametrize(
    ("first", "options", "text"),
    [
        (4, {}, "First byte of the layer part is 4 instead of 3"),
        (0, {}, "First byte of the layer part is 0 instead of 3"),
        (3, {"partLastByte": 3}, "the layer part has 2 bytes; those from 3 to 3 were stated"),
        (3, {"partLastByte": 2**63 - 1}, f"the layer part has 2 bytes; those from 3 to {2**63 - 1} were stated"),
        (3, {"partLastByte": 0}, "the layer part has 2 bytes; those from 3 to 0 were stated"),
        (3, {"layerPartBlob": b""}, "the layer part has 0 bytes; those from 3 to 4 were stated"),
    ],
)
def test_a_part_begins_where_the_upload_ends(account: Account, first: int, options: dict, text: str) -> None:
    name = account.repository()
    upload_id = upload(account, name, b"abc")
    with pytest.raises(ClientError) as raised:
        append(account, name, upload_id, first, b"de", **options)
    response = raised.value.response
    assert response["Error"]["Code"] == "InvalidLayerPartException"
    assert response["Error"]["Message"] == text
    members = ("registryId", "repositoryName", "uploadId", "lastValidByteReceived")
    assert [response[member] for member in members] == [account.id, name, upload_id, 2]
    assert complete(account, name, upload_id, digest(b"abc"))["layerDigest"] == digest(b"abc")


def test_a_layer_has_at_most_52000_mib(account: Account) -> None:
    name = account.repository()
    with refused("LimitExceededException"):
        append(account, name, upload(account, name), 52_000 * MIB, b"x")


def test_a_short_part_is_the_last(account: Account) -> None:
    name = account.repository()
    parts = [b"short", b"x" * (5 * MIB)]
    upload_id = upload(account, name, *parts)
    text = (
        f"The upload with id '{upload_id}' in the repository with name '{name}' in registry with id '{account.id}' has "
        "a layer part of less than 5242880 bytes that is not the last"
    )
    with refused("LayerPartTooSmallException", text):
        complete(account, name, upload_id, digest(b"".join(parts)))


def test_an_upload_without_parts_is_not_completed(account: Account) -> None:
    name = account.repository()
    upload_id = upload(account, name)
    text = (
        f"The upload with id '{upload_id}' in the repository with name '{name}' in registry with id '{account.id}' "
        "cannot be completed because it does not have any parts"
    )
    with refused("EmptyUploadException", text):
        complete(account, name, upload_id, digest(b""))


def test_a_layer_has_one_of_the_digests_stated(account: Account) -> None:
    name = account.repository()
    text = "None of the provided layer digests match the calculated layer digest"
    for wrong in ([digest(b"other")], ["sha512:" + "0" * 128], ["md5:00", digest(b"other")]):
        upload_id = upload(account, name, b"layer")
        with refused("InvalidLayerException", text):
            complete(account, name, upload_id, *wrong)
        assert account.server.push_and_pull(account.key).blob(name, digest(b"layer")).status_code == 404


def test_a_layer_that_is_there_is_not_taken_again(account: Account) -> None:
    name = account.repository()
    complete(account, name, upload(account, name, b"layer"), digest(b"layer"))
    text = (
        f"The layer with digest '{digest(b'layer')}' already exists in the repository with name '{name}' in registry "
        f"with id '{account.id}'"
    )
    with refused("LayerAlreadyExistsException", text):
        complete(account, name, upload(account, name, b"layer"), digest(b"layer"))
    assert account.server.push_and_pull(account.key).blob(name, digest(b"layer")).content == b"layer"


def test_an_upload_of_another_repository_is_not_found(account: Account) -> None:
    name, other = account.repository(), account.repository()
    for upload_id in (upload(account, other, b"abc"), UNKNOWN):
        with refused("UploadNotFoundException"):
            append(account, name, upload_id, 3, b"de")
        with refused("UploadNotFoundException"):
            complete(account, name, upload_id, digest(b"abc"))


def test_layers_of_an_absent_repository_are_not_found(account: Account) -> None:
    named = {"repositoryName": "team/absent"}
    for call in (
        lambda: account.ecr.initiate_layer_upload(**named),
        lambda: append(account, "team/absent", UNKNOWN, 0, b"x"),
        lambda: complete(account, "team/absent", UNKNOWN, digest(b"x")),
        lambda: account.ecr.batch_check_layer_availability(**named, layerDigests=[digest(b"x")]),
        lambda: account.ecr.batch_check_layer_availability(**named, layerDigests=["latest"]),
        lambda: account.ecr.get_download_url_for_layer(**named, layerDigest=digest(b"x")),
    ):
        with refused("RepositoryNotFoundException", no_repository(account, "team/absent")):
            call()


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("UploadLayerPart", {"uploadId": "upload", "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"x"}),
        ("UploadLayerPart", {"uploadId": UNKNOWN, "partFirstByte": -1, "partLastByte": 0, "layerPartBlob": b"x"}),
        (
            "UploadLayerPart",
            {"uploadId": UNKNOWN, "partFirstByte": 0, "partLastByte": 20 * MIB, "layerPartBlob": b"x" * (20 * MIB + 1)},
        ),
        ("CompleteLayerUpload", {"uploadId": "upload", "layerDigests": [digest(b"")]}),
        ("CompleteLayerUpload", {"uploadId": UNKNOWN, "layerDigests": []}),
        ("CompleteLayerUpload", {"uploadId": UNKNOWN, "layerDigests": ["latest"]}),
        ("CompleteLayerUpload", {"uploadId": UNKNOWN, "layerDigests": [digest(b"")] * 101}),
        ("BatchCheckLayerAvailability", {"layerDigests": []}),
        ("BatchCheckLayerAvailability", {"layerDigests": [digest(b"")] * 101}),
        ("GetDownloadUrlForLayer", {"layerDigest": "latest"}),
    ],
)
def test_a_malformed_request_is_refused(account: Account, operation: str, options: dict) -> None:
    with refused("InvalidParameterException"):
        account.ecr._make_api_call(operation, {"repositoryName": account.repository()} | options)


# ------------------------------------------------------------------------------------------------ availability


def test_layers_are_available_or_not(account: Account) -> None:
    name = account.repository()
    complete(account, name, upload(account, name, b"layer"), digest(b"layer"))
    asked = [digest(b"layer"), digest(b"absent"), "md5:00", "", "latest"]
    answer = account.ecr.batch_check_layer_availability(repositoryName=name, layerDigests=asked)
    assert answer["layers"] == [
        {"layerDigest": digest(b"layer"), "layerAvailability": "AVAILABLE", "layerSize": 5},
        {"layerDigest": digest(b"absent"), "layerAvailability": "UNAVAILABLE"},
        {"layerDigest": "md5:00", "layerAvailability": "UNAVAILABLE"},
    ]
    assert [(f["layerDigest"], f["failureCode"]) for f in answer["failures"]] == [
        ("", "MissingLayerDigest"),
        ("latest", "InvalidLayerDigest"),
    ]


def test_a_layer_of_another_repository_is_not_available(account: Account) -> None:
    name, other = account.repository(), account.repository()
    complete(account, other, upload(account, other, b"layer"), digest(b"layer"))
    answer = account.ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest(b"layer")])
    assert answer["layers"][0]["layerAvailability"] == "UNAVAILABLE"


# ------------------------------------------------------------------------------------------------ URLs


@pytest.fixture
def repository(account: Account) -> str:
    """A repository with an image of one layer."""
    name = account.repository()
    account.server.push_and_pull(account.key).push(name, "v1", b"a layer")
    return name


def get(account: Account, url: str, **headers: str) -> requests.Response:
    """What is at `url`, without any credential beside it."""
    session = requests.Session()
    session.trust_env = False
    return session.get(url, verify=str(account.server.ca), timeout=60, allow_redirects=False, headers=headers)


def url_of(account: Account, name: str, layer: bytes = b"a layer", key: Any = None) -> str:
    ecr = account.server.client("ecr", key or account.key)
    answer = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest(layer))
    assert answer["layerDigest"] == digest(layer)
    return answer["downloadUrl"]


def test_a_layer_is_read_at_its_url(account: Account, repository: str) -> None:
    url = url_of(account, repository)
    assert url.startswith(account.server.url() + "/layers/")
    answer = get(account, url)
    assert (answer.status_code, answer.content) == (200, b"a layer")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_part_of_a_layer_is_read_at_its_url(account: Account, repository: str) -> None:
    url = url_of(account, repository)
    part = get(account, url, Range="bytes=2-6")
    assert (part.status_code, part.content) == (206, b"layer")
    assert part.headers["Content-Range"] == "bytes 2-6/7"
    assert get(account, url, Range="bytes=7-9").status_code == 416


def test_who_reached_the_server_in_plain_http_gets_such_a_url(account: Account, repository: str) -> None:
    ecr = account.server.client("ecr", account.key, tls=False)
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest(b"a layer"))["downloadUrl"]
    assert url.startswith("http://")
    assert get(account, url).content == b"a layer"


def test_a_url_is_authorized_again_when_it_is_used(account: Account, repository: str) -> None:
    user = account.user("reader", allow("ecr:GetDownloadUrlForLayer"))
    url = url_of(account, repository, key=user.key)
    assert get(account, url).status_code == 200
    account.iam.delete_user_policy(UserName=user.name, PolicyName="inline")
    denied = get(account, url)
    assert denied.status_code == 403
    sentence = (
        f"User: {user.arn} is not authorized to perform: ecr:GetDownloadUrlForLayer on resource: "
        f"{account.arn(repository)} because no identity-based policy allows the ecr:GetDownloadUrlForLayer action"
    )
    assert denied.text.startswith(sentence)


def test_a_url_ends_with_its_credential(account: Account, repository: str) -> None:
    user = account.user("reader", allow("ecr:GetDownloadUrlForLayer"))
    url = url_of(account, repository, key=user.key)
    account.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.id, Status="Inactive")
    assert get(account, url).status_code == 403


def test_a_url_ends_with_its_layer(account: Account, repository: str) -> None:
    url = url_of(account, repository)
    account.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert get(account, url).status_code == 404
    account.ecr.delete_repository(repositoryName=repository, force=True)
    assert get(account, url).status_code == 404


def test_a_forged_url_is_refused(account: Account, repository: str) -> None:
    url = url_of(account, repository)
    base, ticket = url.rsplit("/", 1)
    kind, key, credential, expiry, what, mac = ticket.split(".")
    password = account.server.password(account.key)
    token = account.ecr.list_images(repositoryName=repository, maxResults=1).get("nextToken", "")
    later = str(int(expiry) + 3600)
    for forged in (
        "",
        "x",
        password,
        token,
        ticket[:-4],
        ".".join([kind, key, credential, later, what, mac]),
        ".".join([kind, key, "AKIA" + "0" * 16, expiry, what, mac]),
        ".".join(["1", key, credential, expiry, what, mac]),
        "A" * 5000,
        "%00",
    ):
        assert get(account, f"{base}/{forged}").status_code == 403, forged


def test_a_ticket_is_no_password(account: Account, repository: str) -> None:
    ticket = url_of(account, repository).rsplit("/", 1)[1]
    for bearer in (False, True):
        answer = account.server.v2(ticket, bearer=bearer).pull(repository, "v1")
        assert answer.status_code == 401


def test_a_layer_that_no_image_needs_has_no_url(account: Account) -> None:
    name = account.repository()
    complete(account, name, upload(account, name, b"layer"), digest(b"layer"))
    text = (
        f"The layer with digest '{digest(b'layer')}' in the repository with name '{name}' in registry with id "
        f"'{account.id}' is not referenced by an image; push the image first"
    )
    with refused("LayerInaccessibleException", text):
        url_of(account, name, b"layer")
    with refused("LayersNotFoundException"):
        url_of(account, name, b"absent")
