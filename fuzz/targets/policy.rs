//! Policies and the conditions in them.

use bonded_iam::{
    Context, ContextValue, NamedPolicy, Policies, Policy, PolicyKind, Principal, Request,
    document_size, evaluate, evaluate_free, reference, simulate, validate,
};
use serde_json::{Value, json};

use super::{can_be_shown, first_line};

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

/// A document. It is refused with a text that can be shown, or it is small enough to be saved; and
/// whatever can be read is decided alike by the engine and by the reference.
pub(super) fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for kind in KINDS {
        match validate(text, kind) {
            Ok(_) => assert!(document_size(text, kind) <= 10_240, "{kind:?}"),
            Err(error) => can_be_shown(&error),
        }
    }
    match Policy::parse(text) {
        Ok(policy) => decided_alike(policy, Context::default()),
        Err(error) => can_be_shown(&error),
    }
}

/// An operator, a key, a value of the policy and a value of the request, in a line each; more lines
/// are more values of the request.
pub(super) fn condition(data: &[u8]) {
    let (operator, rest) = first_line(data);
    let (key, rest) = first_line(rest);
    let (wanted, rest) = first_line(rest);
    let Ok(got) = std::str::from_utf8(rest) else {
        return;
    };
    let got: Vec<String> = got.split('\n').map(str::to_owned).collect();
    let value = match <[String; 1]>::try_from(got) {
        Ok([value]) => ContextValue::One(value),
        Err(values) => ContextValue::Many(values),
    };
    let mut context = Context::default();
    context.insert(key, value);
    let statement = |effect: &str| {
        json!({"Effect": effect, "Action": "*", "Resource": "*",
               "Condition": {operator: {key: wanted}}})
    };
    for effect in ["Allow", "Deny"] {
        let document: Value = json!({"Version": "2012-10-17", "Statement": statement(effect)});
        let policy = Policy::from_value(&document).expect("a policy with an effect");
        decided_alike(policy, context.clone());
    }
}

fn decided_alike(policy: Policy, context: Context) {
    let named = NamedPolicy {
        label: "fuzzed".to_owned(),
        policy,
    };
    let request = Request {
        principal: Principal::User {
            arn: "arn:aws:iam::111122223333:user/alice".to_owned(),
            account: "111122223333".to_owned(),
            unique_id: None,
        },
        action: "ecr:BatchGetImage".to_owned(),
        resource: "arn:aws:ecr:us-east-1:111122223333:repository/team-a/api".to_owned(),
        resource_account: "111122223333".to_owned(),
        context,
    };
    for policies in [
        Policies {
            identity: vec![&named],
            ..Policies::default()
        },
        Policies {
            resource: vec![&named],
            ..Policies::default()
        },
    ] {
        let strict = evaluate(&request, &policies);
        assert_eq!(strict, reference::evaluate(&request, &policies));
        let free = evaluate_free(&request, &policies);
        assert_eq!(free, reference::evaluate_free(&request, &policies));
        assert_eq!(strict, simulate(&request, &policies).decision);
    }
}
