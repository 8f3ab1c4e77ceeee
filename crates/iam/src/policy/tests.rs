use serde_json::json;

use super::*;
use crate::evaluate;
use crate::fixtures::{HOME, pull};
use crate::{GrantLevel, Policies, Principal};

#[test]
fn principals_are_listed_and_replaced() {
    let alice = format!("arn:aws:iam::{HOME}:user/alice");
    let mut document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [alice, HOME, "*"]}, "Action": "*"},
        {"Effect": "Deny", "NotPrincipal": {"AWS": alice, "Service": "ecr.amazonaws.com"}, "Action": "*"},
        {"Effect": "Allow", "Principal": "*", "Action": "*"},
    ]});
    let named = Policy::from_value(&document).unwrap();
    assert_eq!(named.principals().collect::<Vec<_>>(), [&alice, &alice]);
    let id = "AIDAEXAMPLEALICE00001";
    rewrite_principals(&mut document, |text| (text == alice).then(|| id.to_owned()));
    let named = NamedPolicy {
        label: String::new(),
        policy: Policy::from_value(&document).unwrap(),
    };
    assert_eq!(named.policy.principals().collect::<Vec<_>>(), [id, id]);
    let again = Principal::User {
        arn: alice,
        account: HOME.to_owned(),
        unique_id: Some("AIDAEXAMPLEALICE00002".to_owned()),
    };
    let statement = Policy::from_value(&json!({"Statement": document["Statement"][0]})).unwrap();
    let first = NamedPolicy {
        label: String::new(),
        policy: statement,
    };
    let policies = Policies {
        resource: vec![&first],
        ..Policies::default()
    };
    // "*" still names the new alice, the entry of the old one does not.
    assert_eq!(
        evaluate(&pull(again), &policies).level,
        GrantLevel::Wildcard
    );
}
