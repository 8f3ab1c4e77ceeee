//! Loops over every operation that is served.

use std::collections::BTreeSet;

use bonded_registry::Error;
use bonded_server::aws;
use serde_json::Value;

use crate::app::App;

fn example(endpoint: &aws::Endpoint) -> Value {
    serde_json::from_str(endpoint.example).unwrap()
}

/// ECR has no such operation; its action is the one that shows the same.
const OF_OUR_OWN: &str = "GetImageReport";

#[tokio::test]
async fn every_operation_denies_a_caller_without_policies() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let key = app.user(&administrator, "nobody", None).await;
    let nobody = app.caller(&key).await.unwrap();
    for endpoint in aws::operations() {
        let answer = endpoint
            .serve(&app.registry, &nobody, example(endpoint))
            .await;
        if ["GetCallerIdentity", "GetSessionToken"].contains(&endpoint.name) {
            assert!(answer.is_ok(), "AWS allows it to every user");
            continue;
        }
        let action = endpoint.action.as_str();
        match answer {
            Err(Error::Denied(denied)) => {
                assert!(
                    denied
                        .sentence
                        .contains(&format!("not authorized to perform: {action} on")),
                    "{denied}"
                );
            }
            other => panic!("{}: {other:?}", endpoint.name),
        }
    }
}

#[tokio::test]
async fn every_example_is_a_valid_input() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    for endpoint in aws::operations() {
        let answer = endpoint
            .serve(&app.registry, &administrator, example(endpoint))
            .await;
        if let Err(Error::InvalidParameter(text) | Error::Validation(text)) = answer {
            // A policy without statements is a valid input with a value that may not be saved; STS
            // and IAM have no other error for an access key that is not there.
            let valid = [
                "Invalid repository policy provided",
                "not known here",
                "cannot be found",
            ];
            assert!(
                valid.iter().any(|known| text.contains(known)),
                "{}: {text}",
                endpoint.name
            );
        }
    }
}

#[test]
fn names_are_those_of_the_actions_and_stand_once() {
    let mut seen = BTreeSet::new();
    for endpoint in aws::operations() {
        let (service, action) = endpoint.action.as_str().split_once(':').unwrap();
        // IAM knows no action of its own for it.
        if !["ListImageReferrers", "ListServiceTokens", OF_OUR_OWN].contains(&endpoint.name) {
            assert_eq!(action, endpoint.name);
        }
        assert_eq!(service, endpoint.service());
        assert!(seen.insert(endpoint.name), "{} stands twice", endpoint.name);
    }
}

#[test]
fn served_and_not_served_are_the_62_operations_of_ecr() {
    let served = aws::operations()
        .filter(|endpoint| endpoint.service() == "ecr" && endpoint.name != OF_OUR_OWN)
        .map(|endpoint| endpoint.name);
    let not_served = include_str!("../../not_served.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let all: Vec<&str> = served.chain(not_served).collect();
    let distinct: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(
        all.len(),
        distinct.len(),
        "a served operation stands in not_served.txt"
    );
    assert_eq!(distinct.len(), 62);
}
