use serde_json::json;

use super::*;
use crate::fixtures::{AWAY, HOME, on_repository, own, policy, pull, user};

fn only_statement(explanation: &Explanation) -> &StatementExplanation {
    assert_eq!(explanation.policies.len(), 1);
    &explanation.policies[0].statements[0]
}

#[test]
fn an_explanation_names_the_first_element_that_missed() {
    let cases = [
        (json!({"Action": "ecr:Put*", "Resource": "*"}), "action"),
        (
            json!({"Action": "*", "Resource": "arn:aws:ecr:*:*:repository/other"}),
            "resource",
        ),
        (
            json!({"Action": "*", "Resource": "*", "Principal": "*"}),
            "principal",
        ),
        (
            json!({"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
            "condition",
        ),
        (
            json!({"Action": "*", "Resource": "*", "Extra": 1}),
            "statement",
        ),
    ];
    for (mut statement, element) in cases {
        statement["Effect"] = json!("Allow");
        let named = policy(&statement);
        let policies = Policies {
            identity: vec![&named],
            ..Policies::default()
        };
        let explanation = explain(&pull(user(HOME)), &policies);
        let missed = serde_json::to_value(&only_statement(&explanation).missed).unwrap();
        assert_eq!(missed["element"], element);
    }
}

#[test]
fn a_missed_condition_shows_wanted_and_got() {
    let named = policy(&json!({
        "Sid": "Vpn", "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}
    }));
    let policies = Policies {
        identity: vec![&named],
        ..Policies::default()
    };
    let mut request = pull(user(HOME));
    request.context.insert_one("aws:SourceIp", "203.0.113.17");
    let explanation = explain(&request, &policies);
    let statement = only_statement(&explanation);
    assert_eq!(statement.sid.as_deref(), Some("Vpn"));
    assert_eq!(statement.effect, Effect::Allow);
    let Some(Missed::Condition(condition)) = &statement.missed else {
        panic!("the condition missed");
    };
    assert_eq!(condition.operator, "IpAddress");
    assert_eq!(condition.key, "aws:SourceIp");
    assert_eq!(condition.wanted, ["10.0.0.0/8", "192.0.2.0/24"]);
    assert_eq!(condition.got, Got::Values(vec!["203.0.113.17".to_owned()]));
    assert!(!condition.undefined);
}

#[test]
fn a_deny_shows_what_it_presumed() {
    let named = policy(&json!({
        "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {
            "StringEquals": {"bonded:ScanStatus": "FAILED"},
            "Bool": {"aws:SecureTransport": "maybe"}
        }
    }));
    let policies = Policies {
        identity: vec![&named],
        ..Policies::default()
    };
    let mut request = pull(user(HOME));
    request
        .context
        .insert("bonded:ScanStatus", ContextValue::Unknown);
    let explanation = explain(&request, &policies);
    let statement = only_statement(&explanation);
    assert!(statement.missed.is_none());
    let presumed: Vec<_> = statement
        .presumed
        .iter()
        .map(|c| (&*c.key, &c.got, c.undefined))
        .collect();
    assert_eq!(
        presumed,
        [
            ("aws:SecureTransport", &Got::Absent, true),
            ("bonded:ScanStatus", &Got::Unknown, false)
        ]
    );
}

#[test]
fn each_side_sees_its_own_half() {
    let all = own("Allow", "*");
    let shut = on_repository("Deny", &json!("*"));
    let policies = Policies {
        identity: vec![&all],
        resource: vec![&shut],
        ..Policies::default()
    };
    let explanation = explain(&pull(user(AWAY)), &policies);
    assert_eq!(explanation.outcome, Outcome::ExplicitDeny);

    let caller = explanation.clone().half(Side::Caller);
    assert!(caller.policies.iter().all(|p| p.layer == Layer::Identity));
    assert_eq!(caller.outcome, Outcome::ImplicitDeny);
    assert_eq!(
        caller.blocked_by,
        Some(Blocked::NotAllowed(Layer::Resource))
    );
    assert_eq!(caller.level, None);

    let resource = explanation.half(Side::Resource);
    assert!(resource.policies.iter().all(|p| p.layer == Layer::Resource));
    assert_eq!(resource.outcome, Outcome::ExplicitDeny);
    assert_eq!(resource.level, Some(GrantLevel::None));

    let none = own("Deny", "*");
    let open = on_repository("Allow", &json!({"AWS": AWAY}));
    let policies = Policies {
        identity: vec![&none],
        resource: vec![&open],
        ..Policies::default()
    };
    let resource = explain(&pull(user(AWAY)), &policies).half(Side::Resource);
    assert_eq!(resource.outcome, Outcome::ImplicitDeny);
    assert_eq!(
        resource.blocked_by,
        Some(Blocked::NotAllowed(Layer::Identity))
    );
}

#[test]
fn the_callers_half_is_the_same_with_and_without_a_denying_resource_policy() {
    let shut = on_repository("Deny", &json!("*"));
    let denied = Policies {
        resource: vec![&shut],
        ..Policies::default()
    };
    for account in [HOME, AWAY] {
        let request = pull(user(account));
        let half = |policies: &Policies<'_>| {
            let half = explain(&request, policies).half(Side::Caller);
            serde_json::to_value(half).unwrap()
        };
        assert_eq!(half(&denied), half(&Policies::default()));
        assert_eq!(half(&denied)["additions"][0]["kind"], "identity");
    }
}
