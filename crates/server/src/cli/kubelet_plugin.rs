//! `bonded kubelet-plugin`: a credential provider of the kubelet (KEP-2133; with the token of the
//! pod's own service account KEP-4412), so that a pull is decided for the node, or for the workload.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use bonded_model::{Secret, Timestamp};
use bonded_registry::{Clock, Registry};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::login::{Host, Hosts, fetch};
use super::{Failure, block_on, print};
use crate::config::variable;

/// The one version of the kubelet's protocol there is.
const API_VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";

/// How much is read of standard input, in bytes: a token has some thousand.
const INPUT_LIMIT: u64 = 1024 * 1024;

/// The annotation of a service account that names its role, as for ECR's own plugin.
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/ecr-role-arn";

/// Give the kubelet a password for an image (called by the kubelet)
///
/// The image's host is asked, or AWS_ENDPOINT_URL if it is set. Without a service account's token the node's own
/// credentials count: its access key, its role, its container credentials.
#[derive(Args)]
pub(super) struct KubeletPlugin {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialProviderRequest {
    api_version: String,
    image: String,
    #[serde(default)]
    service_account_token: String,
    #[serde(default)]
    service_account_annotations: BTreeMap<String, String>,
}

impl KubeletPlugin {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut text = zeroize::Zeroizing::new(String::new());
        io::stdin()
            .take(INPUT_LIMIT)
            .read_to_string(&mut text)
            .map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
        let request: CredentialProviderRequest = serde_json::from_str(&text)
            .map_err(|error| Failure::usage(format!("not a CredentialProviderRequest: {error}")))?;
        if request.api_version != API_VERSION {
            let version = request.api_version.escape_debug();
            return Err(Failure::usage(format!(
                "the version '{version}' of the request is not known; expected '{API_VERSION}'"
            )));
        }
        let name = host_of(&request.image)?;
        let web_identity = web_identity(&request)?;
        // What images may be asked for is the kubelet's to say.
        let host = Hosts::find_without_home(&name)?.unwrap_or_else(|| asked_directly(&name));
        let of_workload = web_identity.is_some();
        let client = host.client(web_identity)?;
        let now = Clock::system().now();
        let password = block_on(fetch(&client, now))?;
        let answer = json!({
            "apiVersion": API_VERSION,
            "kind": "CredentialProviderResponse",
            // What one workload may pull is not another's: then the kubelet caches by the token.
            "cacheKeyType": if of_workload { "Image" } else { "Registry" },
            "cacheDuration": cache_duration(now, password.expires_at),
            "auth": { name: { "username": password.user, "password": password.secret.expose() } },
        });
        print::line(zeroize::Zeroizing::new(answer.to_string()).as_str());
        Ok(())
    }
}

/// How long the kubelet may keep a password, as Go writes it: half of what is left of its life, which
/// ends with the session that it was asked for with.
fn cache_duration(now: Timestamp, end: Timestamp) -> String {
    let left = end.as_seconds().saturating_sub(now.as_seconds()).max(0);
    format!("{}s", left / 2)
}

/// The role that the pod's service account names, with its token.
fn web_identity(request: &CredentialProviderRequest) -> Result<Option<(String, Secret)>, Failure> {
    if request.service_account_token.is_empty() {
        return Ok(None);
    }
    let annotated = request
        .service_account_annotations
        .get(ROLE_ANNOTATION)
        .cloned();
    let configured = || variable("AWS_ECR_ROLE_ARN").and_then(|role| role.into_string().ok());
    match annotated.or_else(configured) {
        Some(role) => Ok(Some((
            role,
            Secret::new(request.service_account_token.clone()),
        ))),
        None => Err(Failure::usage(format!(
            "the pod's service account names no role; annotate it with '{ROLE_ANNOTATION}', \
             or set AWS_ECR_ROLE_ARN for the plugin"
        ))),
    }
}

fn asked_directly(name: &str) -> Host {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let endpoint = text("AWS_ENDPOINT_URL_ECR").or_else(|| text("AWS_ENDPOINT_URL"));
    Host {
        endpoint: endpoint.unwrap_or_else(|| format!("https://{name}")),
        authority: None,
        profile: None,
        region: Registry::named_by(name).map(|(_, region)| region.to_string()),
        data: None,
    }
}

/// The host in the name of an image.
fn host_of(image: &str) -> Result<String, Failure> {
    let first = image.split('/').next().unwrap_or_default();
    let is_host = image.contains('/')
        && (first.contains(['.', ':']) || first == "localhost")
        && first.parse::<http::uri::Authority>().is_ok()
        && !first.contains('@');
    match is_host {
        true => Ok(first.to_ascii_lowercase()),
        false => Err(Failure::usage(format!(
            "the image '{}' names no registry",
            image.escape_debug()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_image_is_what_the_engines_take_for_it() {
        for (image, want) in [
            ("localhost:5000/team/app:v1", Some("localhost:5000")),
            ("localhost/app", Some("localhost")),
            ("Registry.example/a@sha256:0", Some("registry.example")),
            ("team/app", None),
            ("app", None),
            ("u@host.example/app", None),
        ] {
            assert_eq!(host_of(image).ok().as_deref(), want, "{image}");
        }
    }

    #[test]
    fn the_kubelet_forgets_a_password_before_it_ends() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        for (end, want) in [(1_000 + 43_200, "21600s"), (4_600, "1800s"), (999, "0s")] {
            assert_eq!(cache_duration(at(1_000), at(end)), want);
        }
    }

    #[test]
    fn a_workload_without_a_role_gets_nothing() {
        let request = |token: &str, annotation: Option<&str>| CredentialProviderRequest {
            api_version: API_VERSION.to_owned(),
            image: "a.b/c".to_owned(),
            service_account_token: token.to_owned(),
            service_account_annotations: annotation
                .map(|role| (ROLE_ANNOTATION.to_owned(), role.to_owned()))
                .into_iter()
                .collect(),
        };
        assert!(web_identity(&request("", Some("arn:r"))).unwrap().is_none());
        let (role, token) = web_identity(&request("t", Some("arn:r"))).unwrap().unwrap();
        assert_eq!((role.as_str(), token.expose()), ("arn:r", "t"));
        assert!(web_identity(&request("t", None)).is_err());
    }
}
