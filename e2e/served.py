"""Which of ECR's operations are served, and the checked-in list of those that are not, which may only shrink."""

from server import ROOT

SERVED = {
    "CreateRepository",
    "DescribeRepositories",
    "DeleteRepository",
    "SetRepositoryPolicy",
    "GetRepositoryPolicy",
    "DeleteRepositoryPolicy",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
    "PutImageTagMutability",
    "BatchGetImage",
    "PutImage",
    "BatchDeleteImage",
    "ListImages",
    "DescribeImages",
    "ListImageReferrers",
    "BatchCheckLayerAvailability",
    "InitiateLayerUpload",
    "UploadLayerPart",
    "CompleteLayerUpload",
    "GetDownloadUrlForLayer",
    "StartImageScan",
    "DescribeImageScanFindings",
    "PutImageScanningConfiguration",
    "GetRegistryScanningConfiguration",
    "PutRegistryScanningConfiguration",
    "BatchGetRepositoryScanningConfiguration",
    "GetAuthorizationToken",
}


def not_served() -> list[str]:
    """The names in crates/server/not_served.txt."""
    lines = (ROOT / "crates" / "server" / "not_served.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
