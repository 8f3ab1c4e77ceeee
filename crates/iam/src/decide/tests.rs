use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{HOME, REPOSITORY, own, policy, pull, user};
use crate::{NamedPolicy, Policy, PolicyKind, evaluate, evaluate_free, validate};

#[test]
fn unknown_keys_deny_and_free_evaluation_is_the_best_case() {
    let gate = policy(&json!({
        "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"NumericEquals": {"bonded:CriticalFindings": 0}}
    }));
    let deny = policy(&json!({
        "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"NumericGreaterThan": {"bonded:CriticalFindings": 0}}
    }));
    let all = own("Allow", "*");
    let broken = policy(&json!({
        "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"NumericEquals": {"bonded:CriticalFindings": "none"}}
    }));
    let mut request = pull(user(HOME));
    request
        .context
        .insert("bonded:CriticalFindings", ContextValue::Unknown);
    for (identity, strict, free) in [
        (vec![&gate], Outcome::ImplicitDeny, Outcome::Allow),
        (vec![&all, &deny], Outcome::ExplicitDeny, Outcome::Allow),
        (vec![&deny], Outcome::ExplicitDeny, Outcome::ImplicitDeny),
        (vec![&broken], Outcome::ImplicitDeny, Outcome::ImplicitDeny),
        (vec![&all], Outcome::Allow, Outcome::Allow),
    ] {
        let policies = Policies {
            identity,
            ..Policies::default()
        };
        assert_eq!(evaluate(&request, &policies).outcome, strict);
        assert_eq!(evaluate_free(&request, &policies).outcome, free);
    }
}

/// Random statements over few words, so that they often match.
fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![Just("Allow"), Just("Deny")];
    let action = prop_oneof![
        Just("*"),
        Just("ecr:*"),
        Just("ecr:BatchGetImage"),
        Just("s3:*"),
        Just("x")
    ];
    let resource = prop_oneof![
        Just("*"),
        Just(REPOSITORY),
        Just("arn:aws:ecr:*"),
        Just("x*")
    ];
    let operator = prop_oneof![
        Just("StringEquals"),
        Just("StringNotEquals"),
        Just("StringEqualsIfExists"),
        Just("Null"),
        Just("ForAllValues:StringLike"),
        Just("NumericLessThan"),
        Just("Odd")
    ];
    let value = prop_oneof![Just("true"), Just("a"), Just("1"), Just("${k:b}")];
    let condition = (operator, prop_oneof![Just("k:a"), Just("k:b")], value);
    (effect, action, resource, proptest::option::of(condition)).prop_map(
        |(effect, action, resource, condition)| {
            let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
            if let Some((operator, key, value)) = condition {
                statement["Condition"] = json!({operator: {key: value}});
            }
            statement
        },
    )
}

fn key_value() -> impl Strategy<Value = Option<ContextValue>> {
    prop_oneof![
        Just(None),
        Just(Some(ContextValue::Unknown)),
        prop_oneof![Just("a"), Just("1"), Just("true")]
            .prop_map(|v| Some(ContextValue::One(v.to_owned()))),
        Just(Some(ContextValue::Many(vec![
            "a".to_owned(),
            "1".to_owned()
        ]))),
    ]
}

fn decide(identity: &NamedPolicy, values: &[Option<ContextValue>; 2], free: bool) -> Decision {
    let mut request = pull(user(HOME));
    for (key, value) in ["k:a", "k:b"].iter().zip(values) {
        if let Some(value) = value {
            request.context.insert(key, value.clone());
        }
    }
    let policies = Policies {
        identity: vec![identity],
        ..Policies::default()
    };
    if free {
        evaluate_free(&request, &policies)
    } else {
        evaluate(&request, &policies)
    }
}

proptest! {
    #[test]
    fn an_added_deny_of_everything_always_wins(
        statements in proptest::collection::vec(statement(), 0..6), a in key_value(), b in key_value()
    ) {
        let mut statements = statements;
        statements.push(json!({"Effect": "Deny", "Action": "*", "Resource": "*"}));
        let decision = decide(&policy(&json!(statements)), &[a, b], false);
        prop_assert_eq!(decision.outcome, Outcome::ExplicitDeny);
    }

    #[test]
    fn an_unknown_key_never_allows_what_some_value_would_deny(
        statements in proptest::collection::vec(statement(), 0..6),
        a in key_value(), b in key_value(), known in key_value()
    ) {
        let named = policy(&json!(statements));
        let allowed = |decision: Decision| decision.outcome == Outcome::Allow;
        let unknown = [Some(ContextValue::Unknown), b.clone()];
        // Known values decide between the strict and the free answer for the unknown key.
        let strict = allowed(decide(&named, &unknown, false));
        let free = allowed(decide(&named, &unknown, true));
        for value in [a, known] {
            let values = [value, b.clone()];
            prop_assert!(!strict || allowed(decide(&named, &values, false)));
            prop_assert!(free || !allowed(decide(&named, &values, true)));
        }
        prop_assert!(!strict || free);
    }

    #[test]
    fn more_allow_statements_never_take_anything_away(
        statements in proptest::collection::vec(statement(), 0..5), a in key_value(), b in key_value()
    ) {
        let values = [a, b];
        let before = decide(&policy(&json!(statements)), &values, false).outcome;
        let mut more = statements;
        more.push(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
        let after = decide(&policy(&json!(more)), &values, false).outcome;
        prop_assert!(before != Outcome::Allow || after == Outcome::Allow);
        prop_assert_eq!(before == Outcome::ExplicitDeny, after == Outcome::ExplicitDeny);
    }

    #[test]
    fn any_text_is_a_policy_or_an_error(text in ".*") {
        let _ = Policy::parse(&text);
        let _ = validate(&text, PolicyKind::Identity);
    }
}
