"""ECR's images: pulling, pushing, listing, describing and deleting them, and each operation's own errors."""

import json
from typing import Any

import pytest

from account import Account, allow, deny, document, grant, refused
from oci import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Image, digest, manifest

ABSENT = "team/absent"
CONFIG = b'{"architecture": "amd64", "os": "linux"}'
NOT_FOUND = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def push(account: Account, name: str, tag: str, layer: bytes = b"a layer", **more: Any) -> Image:
    return account.server.push_and_pull(account.key).push(name, tag, layer, **more)


def index(*children: Image) -> bytes:
    entries = [{"mediaType": OCI_MANIFEST, "digest": c.digest, "size": len(c.manifest)} for c in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def push_index(account: Account, name: str, reference: str, *children: Image) -> str:
    """Pushes an index; its digest."""
    body = index(*children)
    answer = account.server.push_and_pull(account.key).put_manifest(name, reference, body, OCI_INDEX)
    assert answer.status_code == 201, answer.text
    return digest(body)


def no_repository(account: Account, name: str = ABSENT) -> str:
    return f"The repository with name '{name}' does not exist in the registry with id '{account.id}'"


def constraint(field: str, reason: str) -> str:
    return f"Invalid parameter at '{field}' failed to satisfy constraint: '{reason}'"


INVALID_TOKEN = constraint("nextToken", "Invalid token")


# ------------------------------------------------------------------------------------------------ BatchGetImage


def test_images_are_pulled_by_tag_by_digest_and_by_both(account: Account) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    ids = [{"imageTag": "v1"}, {"imageDigest": image.digest}, {"imageDigest": image.digest, "imageTag": "v1"}]
    answer = account.ecr.batch_get_image(repositoryName=name, imageIds=ids, acceptedMediaTypes=["text/plain"])
    assert answer["failures"] == []
    assert [found["imageId"] for found in answer["images"]] == [
        {"imageDigest": image.digest, "imageTag": "v1"},
        {"imageDigest": image.digest},
        {"imageDigest": image.digest, "imageTag": "v1"},
    ]
    for found in answer["images"]:
        assert found["imageManifest"].encode() == image.manifest
        assert found["imageManifestMediaType"] == OCI_MANIFEST
        assert (found["registryId"], found["repositoryName"]) == (account.id, name)


@pytest.mark.parametrize(
    ("image_id", "code", "reason"),
    [
        ({"imageTag": "absent"}, "ImageNotFound", "Requested image not found"),
        ({"imageDigest": digest(b"absent")}, "ImageNotFound", "Requested image not found"),
        ({"imageDigest": "md5:00"}, "ImageNotFound", "Requested image not found"),
        ({}, "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"),
        (
            {"imageDigest": "latest"},
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ),
        (
            {"imageTag": "a b"},
            "InvalidImageTag",
            "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
        ),
    ],
)
@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image"])
def test_an_image_that_is_not_there_does_not_keep_the_others(
    account: Account, operation: str, image_id: dict, code: str, reason: str
) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    call = getattr(account.ecr, operation)
    answer = call(repositoryName=name, imageIds=[image_id, {"imageTag": "v1"}])
    assert answer["failures"] == [{"imageId": image_id, "failureCode": code, "failureReason": reason}]
    found = answer["images"][0]["imageId"] if operation == "batch_get_image" else answer["imageIds"][0]
    assert found == {"imageDigest": image.digest, "imageTag": "v1"}


@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image"])
def test_tag_and_digest_must_be_of_one_image(account: Account, operation: str) -> None:
    name = account.repository()
    one, two = push(account, name, "one"), push(account, name, "two", b"another layer")
    asked = {"imageDigest": one.digest, "imageTag": "two"}
    (failure,) = getattr(account.ecr, operation)(repositoryName=name, imageIds=[asked])["failures"]
    assert failure["failureCode"] == "ImageTagDoesNotMatchDigest"
    assert failure["imageId"] == asked
    assert {i["imageTag"] for i in account.ecr.list_images(repositoryName=name)["imageIds"]} == {"one", "two"}
    assert two.digest != one.digest


@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image"])
@pytest.mark.parametrize("ids", [[], [{"imageTag": "v1"}] * 101])
def test_one_to_a_hundred_images_are_named(account: Account, operation: str, ids: list) -> None:
    with refused("InvalidParameterException"):
        getattr(account.ecr, operation)(repositoryName=account.repository(), imageIds=ids)


def test_images_of_an_absent_repository_are_not_found(account: Account) -> None:
    ids = [{"imageTag": "v1"}]
    for call in (
        lambda: account.ecr.batch_get_image(repositoryName=ABSENT, imageIds=ids),
        lambda: account.ecr.batch_delete_image(repositoryName=ABSENT, imageIds=ids),
        lambda: account.ecr.list_images(repositoryName=ABSENT),
        lambda: account.ecr.list_images(repositoryName=ABSENT, filter={"imageStatus": "ARCHIVED"}),
        lambda: account.ecr.describe_images(repositoryName=ABSENT),
        lambda: account.ecr.describe_images(repositoryName=ABSENT, imageIds=ids),
        lambda: account.ecr.describe_images(repositoryName=ABSENT, filter={"imageStatus": "ARCHIVED"}),
        lambda: account.ecr.put_image(repositoryName=ABSENT, imageManifest=manifest(CONFIG).decode()),
        lambda: account.ecr.put_image_tag_mutability(repositoryName=ABSENT, imageTagMutability="IMMUTABLE"),
        lambda: account.ecr.list_image_referrers(repositoryName=ABSENT, subjectId={"imageDigest": digest(b"")}),
    ):
        with refused("RepositoryNotFoundException", no_repository(account)):
            call()


def test_manifests_of_more_than_32_mib_do_not_come_at_once(account: Account) -> None:
    name = account.repository()
    push(account, name, "v1", annotations={"padding": "x" * 3_900_000})
    ids = [{"imageTag": "v1"}]
    assert len(account.ecr.batch_get_image(repositoryName=name, imageIds=ids * 2)["images"]) == 2
    with refused("LimitExceededException"):
        account.ecr.batch_get_image(repositoryName=name, imageIds=ids * 9)


# ------------------------------------------------------------------------------------------------ ListImages


def listed(account: Account, name: str, **options: Any) -> list[tuple[str, str | None]]:
    """What is listed, in pages of two."""
    pages = account.ecr.get_paginator("list_images").paginate(
        repositoryName=name, PaginationConfig={"PageSize": 2}, **options
    )
    return [(i["imageDigest"], i.get("imageTag")) for page in pages for i in page["imageIds"]]


@pytest.fixture(scope="module")
def library(account: Account) -> tuple[str, list[Image]]:
    """A repository of six images: one with five tags, four with one, and one without."""
    name = account.repository("library")
    images = [push(account, name, f"v{n}", b"layer %d" % n) for n in range(5)]
    door = account.server.push_and_pull(account.key)
    for tag in ("a", "b", "c", "latest"):
        assert door.put_manifest(name, tag, images[0].manifest).status_code == 201
    push(account, name, "moves", b"the old")
    newest = push(account, name, "v4", b"the new")
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "moves"}])
    return name, [*images, newest]


def test_each_tag_and_each_untagged_image_is_listed_once(account: Account, library: tuple[str, list[Image]]) -> None:
    name, images = library
    tags = [(images[0].digest, tag) for tag in ("v0", "a", "b", "c", "latest")]
    tags += [(images[n].digest, f"v{n}") for n in (1, 2, 3)] + [(images[5].digest, "v4")]
    untagged = [(images[4].digest, None)]
    every = sorted(tags + untagged, key=str)
    for options, expected in (
        ({}, every),
        ({"filter": {"tagStatus": "ANY"}}, every),
        ({"filter": {"tagStatus": "TAGGED"}}, sorted(tags)),
        ({"filter": {"tagStatus": "UNTAGGED"}}, untagged),
        ({"filter": {"imageStatus": "ACTIVE"}}, every),
        ({"filter": {"imageStatus": "ARCHIVED"}}, []),
    ):
        assert sorted(listed(account, name, **options), key=str) == expected, options


def test_images_are_described_once_each(account: Account, library: tuple[str, list[Image]]) -> None:
    name, images = library
    tagged = {images[n].digest for n in (0, 1, 2, 3, 5)}
    untagged = {images[4].digest}
    for options, expected in (
        ({}, tagged | untagged),
        ({"filter": {"tagStatus": "TAGGED"}}, tagged),
        ({"filter": {"tagStatus": "UNTAGGED"}}, untagged),
        ({"filter": {"imageStatus": "ARCHIVED"}}, set()),
    ):
        pages = account.ecr.get_paginator("describe_images").paginate(
            repositoryName=name, PaginationConfig={"PageSize": 2}, **options
        )
        found = [image["imageDigest"] for page in pages for image in page["imageDetails"]]
        assert len(found) == len(expected), options
        assert set(found) == expected, options


@pytest.mark.parametrize("operation", ["list_images", "describe_images"])
@pytest.mark.parametrize(
    "options",
    [
        {"maxResults": 0},
        {"maxResults": 1001},
        {"filter": {"tagStatus": "SOMETIMES"}},
        {"filter": {"imageStatus": "SOMETIMES"}},
    ],
)
def test_a_malformed_list_request_is_refused(account: Account, operation: str, options: dict) -> None:
    with refused("InvalidParameterException"):
        getattr(account.ecr, operation)(repositoryName=account.repository(), **options)


@pytest.mark.parametrize("operation", ["list_images", "describe_images"])
def test_a_page_token_is_of_one_list_and_ours(
    account: Account, library: tuple[str, list[Image]], operation: str
) -> None:
    name, _ = library
    call = getattr(account.ecr, operation)
    token = call(repositoryName=name, maxResults=1)["nextToken"]
    assert call(repositoryName=name, maxResults=1, nextToken=token)
    for forged in ("", "token", token[:-2], token + "AA", token.swapcase(), digest(b""), "A" * 10_000):
        with refused("InvalidParameterException", INVALID_TOKEN):
            call(repositoryName=name, nextToken=forged)
    with refused("InvalidParameterException", INVALID_TOKEN):
        call(repositoryName=account.repository(), nextToken=token)
    elsewhere = account.ecr.list_images if operation == "describe_images" else account.ecr.describe_images
    with refused("InvalidParameterException", INVALID_TOKEN):
        elsewhere(repositoryName=name, nextToken=token)


# ------------------------------------------------------------------------------------------------ DescribeImages


def described(account: Account, name: str, *ids: dict) -> list[dict]:
    return account.ecr.describe_images(repositoryName=name, imageIds=list(ids))["imageDetails"]


def test_an_image_is_described(account: Account) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    account.server.push_and_pull(account.key).put_manifest(name, "latest", image.manifest)
    (found,) = described(account, name, {"imageTag": "v1"}, {"imageDigest": image.digest})
    assert found.pop("imagePushedAt")
    assert found == {
        "registryId": account.id,
        "repositoryName": name,
        "imageDigest": image.digest,
        "imageTags": ["latest", "v1"],
        "imageSizeInBytes": len(CONFIG) + len(image.layer),
        "imageManifestMediaType": OCI_MANIFEST,
        "artifactMediaType": OCI_CONFIG,
        "imageStatus": "ACTIVE",
    }


def test_an_index_has_the_size_of_its_largest_child(account: Account) -> None:
    name = account.repository()
    small, large = push(account, name, "small", b"x"), push(account, name, "large", b"x" * 1000)
    push_index(account, name, "all", small, large)
    (found,) = described(account, name, {"imageTag": "all"})
    assert found["imageSizeInBytes"] == len(CONFIG) + 1000
    assert found["imageManifestMediaType"] == OCI_INDEX
    assert "artifactMediaType" not in found


def test_an_untagged_image_has_no_tags_and_a_referrer_its_subject(account: Account) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    subject = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    signature = push(account, name, "moves", b"signature", subject=subject, artifactType="application/x.signature")
    push(account, name, "moves", b"other")
    (found,) = described(account, name, {"imageDigest": signature.digest})
    assert "imageTags" not in found
    assert found["subjectManifestDigest"] == image.digest
    assert found["artifactMediaType"] == "application/x.signature"


@pytest.mark.parametrize(
    ("image_id", "shown"),
    [
        ({"imageTag": "absent"}, "{imageDigest:'null', imageTag:'absent'}"),
        ({"imageDigest": digest(b"absent")}, f"{{imageDigest:'{digest(b'absent')}', imageTag:'null'}}"),
        ({"imageDigest": "md5:00"}, "{imageDigest:'md5:00', imageTag:'null'}"),
        (
            {"imageDigest": digest(b"absent"), "imageTag": "v1"},
            f"{{imageDigest:'{digest(b'absent')}', imageTag:'v1'}}",
        ),
    ],
)
def test_one_absent_image_fails_the_whole_description(account: Account, image_id: dict, shown: str) -> None:
    name = account.repository()
    push(account, name, "v1")
    text = (
        f"The image with imageId {shown} does not exist within the repository with name '{name}' in the registry with "
        f"id '{account.id}'"
    )
    with refused("ImageNotFoundException", text):
        described(account, name, {"imageTag": "v1"}, image_id)


@pytest.mark.parametrize(
    "options",
    [
        {"imageIds": []},
        {"imageIds": [{}]},
        {"imageIds": [{"imageDigest": "latest"}]},
        {"imageIds": [{"imageTag": "a b"}]},
        {"imageIds": [{"imageTag": "v1"}], "maxResults": 1},
        {"imageIds": [{"imageTag": "v1"}], "nextToken": "token"},
        {"imageIds": [{"imageTag": "v1"}] * 101},
    ],
)
def test_a_malformed_description_request_is_refused(account: Account, options: dict) -> None:
    with refused("InvalidParameterException"):
        account.ecr.describe_images(repositoryName=account.repository(), **options)


# ------------------------------------------------------------------------------------------------ PutImage


@pytest.fixture
def prepared(account: Account) -> tuple[str, bytes]:
    """A repository with two blobs, and a manifest over them that was not pushed."""
    name = account.repository()
    door = account.server.push_and_pull(account.key)
    for blob in (CONFIG, b"a layer"):
        door.push_blob(name, blob)
    return name, manifest(CONFIG, b"a layer")


def put(account: Account, name: str, body: bytes, **options: Any) -> dict[str, Any]:
    return account.ecr.put_image(repositoryName=name, imageManifest=body.decode(), **options)["image"]


def test_an_image_is_pushed_byte_for_byte(account: Account, prepared: tuple[str, bytes]) -> None:
    name, body = prepared
    image = put(account, name, body, imageTag="v1", imageDigest=digest(body))
    assert image == {
        "registryId": account.id,
        "repositoryName": name,
        "imageId": {"imageDigest": digest(body), "imageTag": "v1"},
        "imageManifest": body.decode(),
        "imageManifestMediaType": OCI_MANIFEST,
    }
    assert account.server.push_and_pull(account.key).pull(name, "v1").content == body
    assert put(account, name, body, imageTag="v2")["imageId"]["imageTag"] == "v2"


def test_a_media_type_may_stand_beside_the_manifest(account: Account, prepared: tuple[str, bytes]) -> None:
    name, body = prepared
    bare = json.dumps({k: v for k, v in json.loads(body).items() if k != "mediaType"}).encode()
    with refused("InvalidParameterException", constraint("ImageManifest", "Invalid JSON syntax")):
        put(account, name, bare)
    image = put(account, name, bare, imageManifestMediaType=OCI_MANIFEST)
    assert image["imageManifestMediaType"] == OCI_MANIFEST
    assert image["imageId"] == {"imageDigest": digest(bare)}


def test_an_image_that_is_there_is_not_pushed_again(account: Account, prepared: tuple[str, bytes]) -> None:
    name, body = prepared
    put(account, name, body, imageTag="v1")
    for options, tag in (({"imageTag": "v1"}, "v1"), ({}, "null")):
        text = (
            f"Image with digest '{digest(body)}' and tag '{tag}' already exists in the repository with name '{name}' "
            f"in registry with id '{account.id}'"
        )
        with refused("ImageAlreadyExistsException", text):
            put(account, name, body, **options)
    account.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    with refused("ImageAlreadyExistsException"):
        put(account, name, body, imageTag="v1")


def test_an_immutable_tag_does_not_move(account: Account, prepared: tuple[str, bytes]) -> None:
    name, body = prepared
    put(account, name, body, imageTag="v1")
    account.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    text = (
        f"The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten because the tag is "
        "immutable."
    )
    other = manifest(CONFIG, b"a layer", annotations={"a": "b"})
    with refused("ImageTagAlreadyExistsException", text):
        put(account, name, other, imageTag="v1")
    assert described(account, name, {"imageTag": "v1"})[0]["imageDigest"] == digest(body)
    put(account, name, other, imageTag="v2")


def test_a_manifest_has_the_digest_that_is_stated(account: Account, prepared: tuple[str, bytes]) -> None:
    name, body = prepared
    with refused("ImageDigestDoesNotMatchException"):
        put(account, name, body, imageTag="v1", imageDigest=digest(b"other"))
    assert listed(account, name) == []


def test_layers_and_children_must_be_there_first(account: Account, prepared: tuple[str, bytes]) -> None:
    name, body = prepared
    where = (
        f"required for pushing image into repository with name '{name}' in the registry with id '{account.id}' do not "
        "exist"
    )
    with refused("LayersNotFoundException", f"Layers with digests '[{digest(b'absent')}]' {where}"):
        put(account, name, manifest(CONFIG, b"absent"))
    child = Image(body, b"")
    with refused("ReferencedImagesNotFoundException", f"Images with digests '[{child.digest}]' {where}"):
        put(account, name, index(child))


@pytest.mark.parametrize(
    "options",
    [
        {"imageManifest": ""},
        {"imageManifest": "no JSON"},
        {"imageManifest": "[]"},
        {"imageManifest": "{}"},
        {"imageManifest": '{"schemaVersion": 1}'},
        {"imageTag": ""},
        {"imageTag": "a b"},
        {"imageTag": "a" * 129},
        {"imageDigest": "latest"},
    ],
)
def test_what_is_no_image_is_refused(account: Account, prepared: tuple[str, bytes], options: dict) -> None:
    name, body = prepared
    with refused("InvalidParameterException"):
        account.ecr.put_image(**({"repositoryName": name, "imageManifest": body.decode()} | options))


# ------------------------------------------------------------------------------------------------ PutImageTagMutability


def test_the_mutability_of_tags_is_set_and_described(account: Account) -> None:
    name = account.repository()
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}, {"filterType": "WILDCARD", "filter": "a*"}]
    asked = {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
    }
    answer = account.ecr.put_image_tag_mutability(repositoryName=name, **asked)
    (found,) = account.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    for shown in (answer, found):
        assert {key: shown[key] for key in asked} == asked
    push(account, name, "v1"), push(account, name, "dev-1"), push(account, name, "dev-1", b"another layer")
    answer = account.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE")
    assert "imageTagMutabilityExclusionFilters" not in answer
    push(account, name, "v1", b"another layer")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"imageTagMutability": "SOMETIMES"},
            constraint(
                "imageTagMutability",
                "Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, "
                "IMMUTABLE_WITH_EXCLUSION]",
            ),
        ),
        (
            {"imageTagMutability": "MUTABLE_WITH_EXCLUSION"},
            constraint(
                "imageTagMutabilityExclusionFilters",
                "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as "
                "MUTABLE_WITH_EXCLUSION",
            ),
        ),
    ],
)
def test_a_malformed_mutability_is_refused(account: Account, options: dict, text: str) -> None:
    with refused("InvalidParameterException", text):
        account.ecr.put_image_tag_mutability(repositoryName=account.repository(), **options)


# ------------------------------------------------------------------------------------------------ ListImageReferrers


def test_referrers_come_in_pages_and_by_type(account: Account) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    subject = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    pushed = {}
    for n in range(5):
        kind = f"application/x.{'signature' if n % 2 else 'sbom'}"
        about = push(account, name, f"r{n}", b"%d" % n, subject=subject, artifactType=kind, annotations={"n": str(n)})
        pushed[about.digest] = {
            "digest": about.digest,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "size": len(about.manifest),
            "annotations": {"n": str(n)},
            "artifactStatus": "ACTIVE",
        }

    def pages(**options: Any) -> list[dict]:
        found, token = [], {}
        while True:
            asked = {"repositoryName": name, "subjectId": {"imageDigest": image.digest}, "maxResults": 2}
            answer = account.ecr.list_image_referrers(**(asked | options | token))
            found += answer["referrers"]
            if "nextToken" not in answer:
                return found
            token = {"nextToken": answer["nextToken"]}

    assert pages() == [pushed[key] for key in sorted(pushed)]
    signatures = pages(filter={"artifactTypes": ["application/x.signature"], "artifactStatus": "ANY"})
    assert signatures == [v for _, v in sorted(pushed.items()) if v["artifactType"].endswith("signature")]
    assert pages(filter={"artifactStatus": "ARCHIVED"}) == []
    assert pages(subjectId={"imageDigest": digest(b"absent")}) == []
    with refused("InvalidParameterException", INVALID_TOKEN):
        pages(nextToken="token")


@pytest.mark.parametrize(
    "options",
    [
        {"maxResults": 0},
        {"maxResults": 51},
        {"subjectId": {"imageDigest": "latest"}},
        {"filter": {"artifactTypes": ["a/b"] * 6}},
        {"filter": {"artifactStatus": "SOMETIMES"}},
    ],
)
def test_a_malformed_referrers_request_is_refused(account: Account, options: dict) -> None:
    asked = {"repositoryName": account.repository(), "subjectId": {"imageDigest": digest(b"")}}
    with refused("InvalidParameterException"):
        account.ecr.list_image_referrers(**(asked | options))


# ------------------------------------------------------------------------------------------------ BatchDeleteImage


def test_an_image_goes_with_its_last_tag(account: Account) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    account.server.push_and_pull(account.key).put_manifest(name, "v2", image.manifest)
    answer = account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    assert answer["imageIds"] == [{"imageDigest": image.digest, "imageTag": "v1"}]
    assert listed(account, name) == [(image.digest, "v2")]
    account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v2"}])
    assert listed(account, name) == []


def test_a_digest_takes_the_image_with_all_its_tags(account: Account) -> None:
    name = account.repository()
    image = push(account, name, "v1")
    account.server.push_and_pull(account.key).put_manifest(name, "v2", image.manifest)
    asked = [{"imageDigest": image.digest}, {"imageTag": "latest"}]
    answer = account.ecr.batch_delete_image(repositoryName=name, imageIds=asked)
    assert answer["imageIds"] == [{"imageDigest": image.digest, "imageTag": tag} for tag in ("v1", "v2")]
    assert answer["failures"] == [NOT_FOUND | {"imageId": {"imageTag": "latest"}}]
    assert listed(account, name) == []


def test_a_child_stays_as_long_as_its_index(account: Account) -> None:
    name = account.repository()
    child = push(account, name, "child")
    parent = push_index(account, name, "all", child)
    (failure,) = account.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": child.digest}])[
        "failures"
    ]
    assert failure == {
        "imageId": {"imageDigest": child.digest},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": f"Requested image referenced by manifest list: [{parent}]",
    }
    both = [{"imageDigest": parent}, {"imageDigest": child.digest}]
    answer = account.ecr.batch_delete_image(repositoryName=name, imageIds=both)
    assert len(answer["imageIds"]) == 2
    assert answer["failures"] == []


# ------------------------------------------------------------------------------------------------ rights


def test_another_account_pulls_by_this_ones_word(account: Account, other: Account) -> None:
    name = account.repository(policy=document(grant(f"arn:aws:iam::{other.id}:root", "ecr:BatchGetImage")))
    image = push(account, name, "v1")
    asked = {"registryId": account.id, "repositoryName": name}
    (found,) = other.ecr.batch_get_image(**asked, imageIds=[{"imageTag": "v1"}])["images"]
    assert found["imageManifest"].encode() == image.manifest
    with refused("AccessDeniedException"):
        other.ecr.describe_images(**asked)


def test_a_denial_of_pulling_is_one_of_listing_referrers(account: Account) -> None:
    name = account.repository()
    user = account.user("lister", allow("ecr:*"), deny("ecr:BatchGetImage"))
    with refused("AccessDeniedException") as error:
        account.server.client("ecr", user.key).list_image_referrers(
            repositoryName=name, subjectId={"imageDigest": digest(b"")}
        )
    assert "ecr:BatchGetImage" in error.message
