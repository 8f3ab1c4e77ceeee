"""Each error that AWS's model gives an operation of ECR, answered to boto3: one case each, by the names of both.

That none is missing is held by the model itself: an operation that is served, and an error of it that is neither a case
here nor in `CANNOT_OCCUR` with its reason, fail the test at the end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from account import Account, document, grant
from oci import OCI_INDEX, OCI_MANIFEST, digest, manifest
from raw import ECR_TARGET, JSON, post, signed_headers
from scanning import advisory, debian, layer, scanned, server_with_advisories
from served import SERVED
from server import Server

Case = Callable[[Account], Any]
CASES: dict[tuple[str, str], Case] = {}

ABSENT = "team/absent"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
MIB = 1024 * 1024
CONFIG = b'{"architecture": "amd64", "os": "linux"}'
# The manifest that `pushed` pushes.
BODY = manifest(CONFIG, b"a layer").decode()
LIST = [{"imageTag": "v1"}]

# Of every operation; `InvalidParameterException` is tested for all of them below.
OF_EVERY_OPERATION = {"InvalidParameterException", "ServerException"}
MALFORMED = "what is malformed is InvalidParameterException, as elsewhere in ECR"
NO_UPSTREAM = "there is no pull through cache yet"
NO_KMS = "there are no KMS keys yet; a repository that asks for one is refused as InvalidParameterException"
NO_ARCHIVE = "images are not archived yet"
NO_ORGANIZATION = "there are no organizations"
NO_QUOTA = "a registry has no quota of repositories"
AMONG_FAILURES = "an absent repository is one of the answer's failures"
CANNOT_OCCUR = {
    ("CreateRepository", "KmsException"): NO_KMS,
    ("DeleteRepository", "KmsException"): NO_KMS,
    ("PutImage", "KmsException"): NO_KMS,
    ("InitiateLayerUpload", "KmsException"): NO_KMS,
    ("UploadLayerPart", "KmsException"): NO_KMS,
    ("CompleteLayerUpload", "KmsException"): NO_KMS,
    ("BatchGetImage", "UnableToGetUpstreamImageException"): NO_UPSTREAM,
    ("GetDownloadUrlForLayer", "UnableToGetUpstreamLayerException"): NO_UPSTREAM,
    ("ListImageReferrers", "UnableToListUpstreamImageReferrersException"): NO_UPSTREAM,
    ("ListImageReferrers", "ValidationException"): MALFORMED,
    ("StartImageScan", "ValidationException"): MALFORMED,
    ("StartImageScan", "ImageArchivedException"): NO_ARCHIVE,
    ("DescribeImageScanFindings", "ValidationException"): MALFORMED,
    ("PutImageScanningConfiguration", "ValidationException"): MALFORMED,
    ("GetRegistryScanningConfiguration", "ValidationException"): MALFORMED,
    ("PutRegistryScanningConfiguration", "ValidationException"): MALFORMED,
    ("BatchGetRepositoryScanningConfiguration", "ValidationException"): MALFORMED,
    ("PutRegistryScanningConfiguration", "BlockedByOrganizationPolicyException"): NO_ORGANIZATION,
    ("BatchGetRepositoryScanningConfiguration", "RepositoryNotFoundException"): AMONG_FAILURES,
    ("CreateRepository", "LimitExceededException"): NO_QUOTA,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with advisories: a scan that had none may be repeated."""
    record = advisory("DEBIAN-CVE-2024-0002", "Debian:12", "openssl", None)
    with server_with_advisories(tmp_path_factory.mktemp("server"), record) as server:
        yield server


def case(operation: str, *exceptions: str) -> Callable[[Case], Case]:
    """The function's call of `operation`, its last one, is answered with each of the exceptions."""

    def register(call: Case) -> Case:
        for exception in exceptions:
            assert (operation, exception) not in CASES, "a case twice"
            CASES[operation, exception] = call
        return call

    return register


def tags(count: int, key: str = "k") -> list[dict[str, str]]:
    return [{"Key": f"{key}{n}", "Value": "v"} for n in range(count)]


def pushed(account: Account) -> str:
    """A repository with one image."""
    name = account.repository()
    account.server.push_and_pull(account.key).push(name, "v1", b"a layer")
    return name


def upload(account: Account, name: str, *parts: bytes) -> dict[str, str]:
    """An upload with these parts, as its operations name it."""
    named = {"repositoryName": name, "uploadId": account.ecr.initiate_layer_upload(repositoryName=name)["uploadId"]}
    first = 0
    for part in parts:
        append(account, named, first, part)
        first += len(part)
    return named


def append(account: Account, named: dict[str, str], first: int, part: bytes) -> dict[str, Any]:
    last = first + len(part) - 1
    return account.ecr.upload_layer_part(**named, partFirstByte=first, partLastByte=last, layerPartBlob=part)


def complete(account: Account, named: dict[str, str], layer: bytes) -> dict[str, Any]:
    return account.ecr.complete_layer_upload(**named, layerDigests=[digest(layer)])


# ------------------------------------------------------------------------------------------------ repositories

NOT_FOUND: dict[str, Case] = {
    "DescribeRepositories": lambda a: a.ecr.describe_repositories(repositoryNames=[ABSENT]),
    "DeleteRepository": lambda a: a.ecr.delete_repository(repositoryName=ABSENT),
    "SetRepositoryPolicy": lambda a: a.ecr.set_repository_policy(
        repositoryName=ABSENT, policyText=document(grant("*", "ecr:*"))
    ),
    "GetRepositoryPolicy": lambda a: a.ecr.get_repository_policy(repositoryName=ABSENT),
    "DeleteRepositoryPolicy": lambda a: a.ecr.delete_repository_policy(repositoryName=ABSENT),
    "TagResource": lambda a: a.ecr.tag_resource(resourceArn=a.arn(ABSENT), tags=tags(1)),
    "UntagResource": lambda a: a.ecr.untag_resource(resourceArn=a.arn(ABSENT), tagKeys=["k"]),
    "ListTagsForResource": lambda a: a.ecr.list_tags_for_resource(resourceArn=a.arn(ABSENT)),
    "PutImageTagMutability": lambda a: a.ecr.put_image_tag_mutability(
        repositoryName=ABSENT, imageTagMutability="IMMUTABLE"
    ),
    "StartImageScan": lambda a: a.ecr.start_image_scan(repositoryName=ABSENT, imageId=LIST[0]),
    "DescribeImageScanFindings": lambda a: a.ecr.describe_image_scan_findings(repositoryName=ABSENT, imageId=LIST[0]),
    "PutImageScanningConfiguration": lambda a: a.ecr.put_image_scanning_configuration(
        repositoryName=ABSENT, imageScanningConfiguration={"scanOnPush": True}
    ),
    "PutImage": lambda a: a.ecr.put_image(repositoryName=ABSENT, imageManifest=BODY),
    "BatchGetImage": lambda a: a.ecr.batch_get_image(repositoryName=ABSENT, imageIds=LIST),
    "BatchDeleteImage": lambda a: a.ecr.batch_delete_image(repositoryName=ABSENT, imageIds=LIST),
    "ListImages": lambda a: a.ecr.list_images(repositoryName=ABSENT),
    "DescribeImages": lambda a: a.ecr.describe_images(repositoryName=ABSENT),
    "ListImageReferrers": lambda a: a.ecr.list_image_referrers(
        repositoryName=ABSENT, subjectId={"imageDigest": digest(b"")}
    ),
    "BatchCheckLayerAvailability": lambda a: a.ecr.batch_check_layer_availability(
        repositoryName=ABSENT, layerDigests=[digest(b"")]
    ),
    "InitiateLayerUpload": lambda a: a.ecr.initiate_layer_upload(repositoryName=ABSENT),
    "UploadLayerPart": lambda a: append(a, {"repositoryName": ABSENT, "uploadId": UNKNOWN}, 0, b"x"),
    "CompleteLayerUpload": lambda a: complete(a, {"repositoryName": ABSENT, "uploadId": UNKNOWN}, b"x"),
    "GetDownloadUrlForLayer": lambda a: a.ecr.get_download_url_for_layer(
        repositoryName=ABSENT, layerDigest=digest(b"")
    ),
}
CASES |= {(operation, "RepositoryNotFoundException"): call for operation, call in NOT_FOUND.items()}


@case("CreateRepository", "RepositoryAlreadyExistsException")
def a_name_that_is_taken(account: Account) -> None:
    account.ecr.create_repository(repositoryName=account.repository())


@case("CreateRepository", "InvalidTagParameterException")
def a_repository_with_a_reserved_tag(account: Account) -> None:
    account.repository(tags=tags(1, "aws:"))


@case("CreateRepository", "TooManyTagsException")
def a_repository_with_51_tags(account: Account) -> None:
    account.repository(tags=tags(51))


@case("DeleteRepository", "RepositoryNotEmptyException")
def a_repository_with_an_image(account: Account) -> None:
    account.ecr.delete_repository(repositoryName=pushed(account))


@case("GetRepositoryPolicy", "RepositoryPolicyNotFoundException")
def a_policy_that_was_never_set(account: Account) -> None:
    account.ecr.get_repository_policy(repositoryName=account.repository())


@case("DeleteRepositoryPolicy", "RepositoryPolicyNotFoundException")
def a_policy_that_was_never_set_is_deleted(account: Account) -> None:
    account.ecr.delete_repository_policy(repositoryName=account.repository())


@case("TagResource", "InvalidTagParameterException")
def a_reserved_tag(account: Account) -> None:
    account.ecr.tag_resource(resourceArn=account.arn(account.repository()), tags=tags(1, "aws:"))


@case("TagResource", "TooManyTagsException")
def the_51st_tag(account: Account) -> None:
    account.ecr.tag_resource(resourceArn=account.arn(account.repository(tags=tags(50))), tags=tags(1, "more"))


@case("UntagResource", "InvalidTagParameterException")
def a_tag_that_nobody_can_have_is_removed(account: Account) -> None:
    account.ecr.untag_resource(resourceArn=account.arn(account.repository()), tagKeys=["aws:k"])


@case("UntagResource", "TooManyTagsException")
def more_tags_are_removed_than_a_repository_can_have(account: Account) -> None:
    keys = [tag["Key"] for tag in tags(51)]
    account.ecr.untag_resource(resourceArn=account.arn(account.repository()), tagKeys=keys)


# ------------------------------------------------------------------------------------------------ images


@case("PutImage", "ImageAlreadyExistsException")
def an_image_that_is_there(account: Account) -> None:
    account.ecr.put_image(repositoryName=pushed(account), imageManifest=BODY, imageTag="v1")


@case("PutImage", "ImageTagAlreadyExistsException")
def a_tag_that_may_not_move(account: Account) -> None:
    name = pushed(account)
    account.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    other = manifest(CONFIG, b"a layer", annotations={"a": "b"}).decode()
    account.ecr.put_image(repositoryName=name, imageManifest=other, imageTag="v1")


@case("PutImage", "ImageDigestDoesNotMatchException")
def another_digest_is_stated(account: Account) -> None:
    account.ecr.put_image(repositoryName=pushed(account), imageManifest=BODY, imageDigest=digest(b"other"))


@case("PutImage", "LayersNotFoundException")
def a_layer_was_not_pushed(account: Account) -> None:
    account.ecr.put_image(repositoryName=account.repository(), imageManifest=BODY)


@case("PutImage", "ReferencedImagesNotFoundException")
def an_image_of_an_index_was_not_pushed(account: Account) -> None:
    child = f'{{"mediaType": "{OCI_MANIFEST}", "digest": "{digest(b"absent")}", "size": 1}}'
    index = f'{{"schemaVersion": 2, "mediaType": "{OCI_INDEX}", "manifests": [{child}]}}'
    account.ecr.put_image(repositoryName=account.repository(), imageManifest=index)


@case("PutImage", "LimitExceededException")
def the_1001st_tag_of_an_image(account: Account) -> None:
    name = pushed(account)
    door = account.server.push_and_pull(account.key)
    for fifty in range(20):
        query = "&".join(f"tag=t{fifty}-{n}" for n in range(50 if fifty else 49))
        answer = door.put_manifest(name, f"{digest(BODY.encode())}?{query}", BODY.encode())
        assert answer.status_code == 201, answer.text
    account.ecr.put_image(repositoryName=name, imageManifest=BODY, imageTag="one-too-many")


@case("BatchGetImage", "LimitExceededException")
def more_manifests_than_fit_an_answer(account: Account) -> None:
    name = account.repository()
    annotations = {"padding": "x" * 3_900_000}
    account.server.push_and_pull(account.key).push(name, "v1", b"a layer", annotations=annotations)
    account.ecr.batch_get_image(repositoryName=name, imageIds=LIST * 9)


@case("DescribeImages", "ImageNotFoundException")
def an_image_that_is_absent(account: Account) -> None:
    account.ecr.describe_images(repositoryName=account.repository(), imageIds=LIST)


# ------------------------------------------------------------------------------------------------ scans


@case("StartImageScan", "ImageNotFoundException")
def a_scan_of_an_absent_image(account: Account) -> None:
    account.ecr.start_image_scan(repositoryName=account.repository(), imageId=LIST[0])


@case("StartImageScan", "UnsupportedImageTypeException")
def a_scan_of_an_index(account: Account) -> None:
    name = account.repository()
    index = f'{{"schemaVersion": 2, "mediaType": "{OCI_INDEX}", "manifests": []}}'
    account.ecr.put_image(repositoryName=name, imageManifest=index, imageTag="v1")
    account.ecr.start_image_scan(repositoryName=name, imageId=LIST[0])


@case("StartImageScan", "LimitExceededException")
def a_second_scan_within_a_day(account: Account) -> None:
    name = account.repository()
    account.server.push_and_pull(account.key).push(name, "v1", layer(debian(("adduser", "3.134", "adduser"))))
    asked: dict[str, Any] = {"repositoryName": name, "imageId": LIST[0]}
    account.ecr.start_image_scan(**asked)
    assert scanned(account, name, LIST[0])["imageScanStatus"]["status"] != "FAILED"
    account.ecr.start_image_scan(**asked)


@case("DescribeImageScanFindings", "ImageNotFoundException")
def findings_of_an_absent_image(account: Account) -> None:
    account.ecr.describe_image_scan_findings(repositoryName=account.repository(), imageId=LIST[0])


@case("DescribeImageScanFindings", "ScanNotFoundException")
def findings_of_an_image_that_was_never_scanned(account: Account) -> None:
    account.ecr.describe_image_scan_findings(repositoryName=pushed(account), imageId=LIST[0])


# ------------------------------------------------------------------------------------------------ layers


@case("UploadLayerPart", "InvalidLayerPartException")
def a_part_that_begins_elsewhere(account: Account) -> None:
    append(account, upload(account, account.repository(), b"abc"), 4, b"de")


@case("UploadLayerPart", "UploadNotFoundException")
def a_part_of_an_unknown_upload(account: Account) -> None:
    append(account, {"repositoryName": account.repository(), "uploadId": UNKNOWN}, 0, b"x")


@case("UploadLayerPart", "LimitExceededException")
def a_part_beyond_the_longest_layer(account: Account) -> None:
    append(account, upload(account, account.repository()), 52_000 * MIB, b"x")


@case("CompleteLayerUpload", "UploadNotFoundException")
def an_unknown_upload(account: Account) -> None:
    complete(account, {"repositoryName": account.repository(), "uploadId": UNKNOWN}, b"x")


@case("CompleteLayerUpload", "InvalidLayerException")
def a_layer_with_another_digest(account: Account) -> None:
    complete(account, upload(account, account.repository(), b"layer"), b"other")


@case("CompleteLayerUpload", "LayerPartTooSmallException")
def a_short_part_that_is_not_the_last(account: Account) -> None:
    parts = [b"short", b"x" * (5 * MIB)]
    complete(account, upload(account, account.repository(), *parts), b"".join(parts))


@case("CompleteLayerUpload", "LayerAlreadyExistsException")
def a_layer_that_is_there(account: Account) -> None:
    complete(account, upload(account, pushed(account), b"a layer"), b"a layer")


@case("CompleteLayerUpload", "EmptyUploadException")
def an_upload_without_parts(account: Account) -> None:
    complete(account, upload(account, account.repository()), b"")


@case("GetDownloadUrlForLayer", "LayersNotFoundException")
def a_layer_that_is_absent(account: Account) -> None:
    account.ecr.get_download_url_for_layer(repositoryName=account.repository(), layerDigest=digest(b"absent"))


@case("GetDownloadUrlForLayer", "LayerInaccessibleException")
def a_layer_that_no_image_needs(account: Account) -> None:
    name = account.repository()
    account.server.push_and_pull(account.key).push_blob(name, b"a layer")
    account.ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest(b"a layer"))


@pytest.mark.parametrize(
    ("operation", "exception", "call"),
    [pytest.param(*names, call, id="-".join(names)) for names, call in CASES.items()],
)
def test_an_operation_answers_its_own_error(account: Account, operation: str, exception: str, call: Case) -> None:
    with pytest.raises(ClientError) as raised:
        call(account)
    assert raised.value.operation_name == operation
    assert raised.value.response["Error"]["Code"] == exception, raised.value
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("operation", sorted(SERVED))
@pytest.mark.parametrize("body", [b"[]", b"[null]", b'"text"', b"{"])
def test_an_input_of_another_shape_is_an_invalid_parameter(account: Account, operation: str, body: bytes) -> None:
    headers = signed_headers(account.server, account.key, body, JSON | {"X-Amz-Target": ECR_TARGET + operation})
    answer = post(account.server, body, headers)
    assert (answer.status, b"InvalidParameterException" in answer.body) == (400, True), answer


def test_no_error_of_an_operation_that_is_served_is_missing(account: Account) -> None:
    model = account.ecr.meta.service_model
    errors = {
        (operation, shape.name)
        for operation in SERVED
        for shape in model.operation_model(operation).error_shapes
        if shape.name not in OF_EVERY_OPERATION
    }
    assert CASES.keys() | CANNOT_OCCUR.keys() == errors
    assert not CASES.keys() & CANNOT_OCCUR.keys()
