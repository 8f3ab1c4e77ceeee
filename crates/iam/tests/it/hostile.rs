//! Documents that are made to hurt: each is refused or decided, in bounded time and memory. A test
//! that does not end is how one of these fails.

use bonded_iam::{
    Context, NamedPolicy, Outcome, Policies, Policy, PolicyKind, Principal, Request, evaluate,
    explain, lint, reference, simulate, validate,
};
use serde_json::{Value, json};

/// What a body of the Query protocol can carry.
const LARGE: usize = 1 << 20;

const KINDS: [PolicyKind; 8] = [
    PolicyKind::Identity,
    PolicyKind::Session,
    PolicyKind::Boundary,
    PolicyKind::Repository,
    PolicyKind::Registry,
    PolicyKind::Trust,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
];

fn document(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn request() -> Request {
    let mut context = Context::default();
    context.insert_one("k:a", "a".repeat(2000));
    Request {
        principal: Principal::User {
            arn: "arn:aws:iam::111122223333:user/alice".to_owned(),
            account: "111122223333".to_owned(),
            unique_id: None,
        },
        action: "ecr:BatchGetImage".to_owned(),
        resource: format!(
            "arn:aws:ecr:us-east-1:111122223333:repository/{}",
            "a".repeat(256)
        ),
        resource_account: "111122223333".to_owned(),
        context,
    }
}

fn decide(text: &str) -> Outcome {
    let named = NamedPolicy {
        label: String::new(),
        policy: Policy::parse(text).unwrap(),
    };
    let policies = Policies {
        identity: vec![&named],
        ..Policies::default()
    };
    let request = request();
    let decision = evaluate(&request, &policies);
    assert_eq!(decision, reference::evaluate(&request, &policies));
    assert_eq!(decision, simulate(&request, &policies).decision);
    assert_eq!(decision.outcome, explain(&request, &policies).outcome);
    decision.outcome
}

#[test]
fn what_is_no_json_of_ours_is_refused() {
    let deep = |open: &str, close: &str| open.repeat(LARGE / 2) + &close.repeat(LARGE / 2);
    for text in [
        deep("[", "]"),
        deep("{\"Statement\":", "}"),
        "{\"Version\":\"2012-10-17\",\"Statement\":[],\"Statement\":[]}".to_owned(),
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Effect\":\"Deny\"}]}"
            .to_owned(),
        format!("{{\"Version\":\"2012-10-17\"{}", "\0".repeat(LARGE)),
        "\u{feff}{}".to_owned(),
        String::new(),
    ] {
        assert!(Policy::parse(&text).is_err());
        for kind in KINDS {
            let message = validate(&text, kind).unwrap_err().to_string();
            assert!(message.len() < 200, "{message}");
        }
    }
}

#[test]
fn wrong_types_are_refused_wherever_they_stand() {
    let types = [
        json!(null),
        json!(1),
        json!(true),
        json!({"a": 1}),
        json!([[]]),
        json!([null]),
    ];
    for element in [
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    ] {
        for value in &types {
            let mut statement = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"});
            statement[element] = value.clone();
            let text = document(&json!([statement]));
            assert!(validate(&text, PolicyKind::Identity).is_err(), "{text}");
            if element != "Effect" {
                assert_eq!(decide(&text), Outcome::ImplicitDeny, "{text}");
                let text = text.replace("Allow", "Deny");
                assert_eq!(decide(&text), Outcome::ExplicitDeny, "{text}");
            }
        }
    }
}

#[test]
fn a_great_document_is_decided_and_not_saved() {
    let many = |statement: &dyn Fn(usize) -> Value, count: usize| {
        document(&(0..count).map(statement).collect())
    };
    let deny = |action: &str, resource: &str| json!({"Effect": "Deny", "Action": action, "Resource": resource});
    let all_b = format!("arn:aws:ecr:*:*:repository/{}b", "*a".repeat(50_000));
    for (text, outcome) in [
        (
            many(&|n| deny("s3:*", &format!("arn:aws:s3:::{n}")), 15_000),
            Outcome::ImplicitDeny,
        ),
        (many(&|_| deny("ecr:*", "*"), 15_000), Outcome::ExplicitDeny),
        // Each prefix is that of the next one.
        (
            many(
                &|n| deny("s3:*", &format!("arn:aws:ecr:*:*:{}", "a".repeat(n))),
                1000,
            ),
            Outcome::ImplicitDeny,
        ),
        (many(&|_| deny("ecr:*", &all_b), 4), Outcome::ImplicitDeny),
        (
            many(&|_| deny(&format!("ecr:{}b", "*?".repeat(50_000)), "*"), 4),
            Outcome::ImplicitDeny,
        ),
        (
            many(
                &|n| {
                    json!({"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"StringLike": {format!("k:{n}"): "x"}}})
                },
                8000,
            ),
            Outcome::ImplicitDeny,
        ),
        (
            many(
                &|_| {
                    json!({"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"StringLike": {"k:a": format!("{}b", "*a?".repeat(20_000))}}})
                },
                4,
            ),
            Outcome::ImplicitDeny,
        ),
        (
            many(
                &|_| {
                    json!({"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"StringLike": {"k:a": "${k:a}".repeat(2000)}}})
                },
                4,
            ),
            Outcome::ImplicitDeny,
        ),
    ] {
        assert_eq!(decide(&text), outcome);
        for kind in KINDS {
            assert!(validate(&text, kind).unwrap_err().is_too_long());
        }
    }
}

#[test]
fn the_greatest_documents_that_may_be_saved_are() {
    let mut statements: Vec<Value> = Vec::new();
    loop {
        let n = statements.len();
        statements.push(json!({"Effect": "Allow", "Action": "ecr:*", "Resource": format!("arn:aws:ecr:*:*:repository/{n}")}));
        if document(&json!(statements)).len() > 10_240 {
            statements.pop();
            break;
        }
    }
    let text = document(&json!(statements));
    let policy = validate(&text, PolicyKind::Identity).unwrap();
    assert!(lint(&policy).is_empty());
    assert_eq!(decide(&text), Outcome::ImplicitDeny);
}
