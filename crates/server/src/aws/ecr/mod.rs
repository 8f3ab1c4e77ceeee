//! Amazon ECR: the API of registries and repositories.
//!
//! Shapes are those of ECR's service model (botocore 1.44.5), API version 2015-09-21.

mod enhanced_shapes;
mod image_lists;
mod image_shapes;
mod images;
mod layers;
mod page;
mod policies;
mod referrers;
mod reports;
mod repositories;
mod scan_shapes;
mod scanning_configuration;
mod scans;
mod shapes;
mod tags;
mod token;

use super::operation::Endpoint;

/// The part of `X-Amz-Target` before the operation's name.
pub(super) const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921";

/// The operations that are served, one line each.
pub(super) const OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<repositories::CreateRepository>(),
    Endpoint::of::<repositories::DescribeRepositories>(),
    Endpoint::of::<repositories::DeleteRepository>(),
    Endpoint::of::<policies::SetRepositoryPolicy>(),
    Endpoint::of::<policies::GetRepositoryPolicy>(),
    Endpoint::of::<policies::DeleteRepositoryPolicy>(),
    Endpoint::of::<tags::TagResource>(),
    Endpoint::of::<tags::UntagResource>(),
    Endpoint::of::<tags::ListTagsForResource>(),
    Endpoint::of::<repositories::PutImageTagMutability>(),
    Endpoint::of::<images::BatchGetImage>(),
    Endpoint::of::<images::PutImage>(),
    Endpoint::of::<images::BatchDeleteImage>(),
    Endpoint::of::<image_lists::ListImages>(),
    Endpoint::of::<image_lists::DescribeImages>(),
    Endpoint::of::<referrers::ListImageReferrers>(),
    Endpoint::of::<layers::BatchCheckLayerAvailability>(),
    Endpoint::of::<layers::InitiateLayerUpload>(),
    Endpoint::of::<layers::UploadLayerPart>(),
    Endpoint::of::<layers::CompleteLayerUpload>(),
    Endpoint::of::<layers::GetDownloadUrlForLayer>(),
    Endpoint::of::<scans::StartImageScan>(),
    Endpoint::of::<scans::DescribeImageScanFindings>(),
    Endpoint::of::<reports::GetImageReport>(),
    Endpoint::of::<scanning_configuration::PutImageScanningConfiguration>(),
    Endpoint::of::<scanning_configuration::GetRegistryScanningConfiguration>(),
    Endpoint::of::<scanning_configuration::PutRegistryScanningConfiguration>(),
    Endpoint::of::<scanning_configuration::BatchGetRepositoryScanningConfiguration>(),
    Endpoint::of::<token::GetAuthorizationToken>(),
];

/// ECR's operations that are not served yet; may only shrink.
pub(super) fn not_served() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("../../../not_served.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}
