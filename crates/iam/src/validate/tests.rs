use serde_json::{Value, json};

use super::*;

const REPOSITORY: &str = "arn:aws:ecr:us-east-1:111122223333:repository/team-a/*";

/// A valid document of each kind.
fn valid(kind: PolicyKind) -> Value {
    let statement = match kind {
        PolicyKind::Identity
        | PolicyKind::Session
        | PolicyKind::Boundary
        | PolicyKind::ServiceControl => {
            json!({"Sid": "One", "Effect": "Allow", "Action": "ecr:Get*", "Resource": REPOSITORY})
        }
        PolicyKind::Repository => {
            json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "ecr:PutImage"})
        }
        PolicyKind::Registry => {
            json!({"Sid": "a-b c", "Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": "*"})
        }
        PolicyKind::Trust => {
            json!({"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"})
        }
        PolicyKind::ResourceControl => {
            json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Resource": "*"})
        }
    };
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

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

/// The message for the valid document of `kind` with members of its statement replaced; null takes
/// a member away.
fn message(kind: PolicyKind, changes: &Value) -> String {
    let mut document = valid(kind);
    let statement = document["Statement"][0].as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        statement.remove(name);
        if !value.is_null() {
            statement.insert(name.clone(), value.clone());
        }
    }
    match validate(&document.to_string(), kind) {
        Ok(_) => "valid".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn check(table: &[(PolicyKind, Value, &str)]) {
    for (kind, changes, expected) in table {
        assert_eq!(message(*kind, changes), *expected, "{kind:?} {changes}");
    }
}

const SYNTAX: &str = "Syntax errors in policy.";
const LEGACY: &str = "The policy failed legacy parsing";
const NO_VENDOR: &str =
    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
const NO_ACTION: &str = "Policy statement must contain actions.";
const NO_RESOURCE: &str = "Policy statement must contain resources.";

#[test]
fn a_plain_document_of_each_kind_is_valid() {
    for kind in KINDS {
        assert_eq!(message(kind, &json!({})), "valid", "{kind:?}");
    }
}

#[test]
fn what_is_no_policy_is_refused() {
    let statement = valid(PolicyKind::Identity)["Statement"][0].clone();
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"Version":"2012-10-17"}"#,
        r#"{"Version":"2012-10-17","Statement":[]}"#,
        r#"{"Version":"2012-10-17","Statement":["x"]}"#,
        r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}"#,
        &json!({"Version": "2012-10-18", "Statement": statement}).to_string(),
        &json!({"Version": "2012-10-17", "Id": 1, "Statement": statement}).to_string(),
        &json!({"Version": "2012-10-17", "Extra": 1, "Statement": statement}).to_string(),
    ] {
        let error = validate(text, PolicyKind::Identity).unwrap_err();
        assert_eq!(error.to_string(), SYNTAX, "{text}");
    }
    let error = validate("{", PolicyKind::Trust).unwrap_err();
    assert_eq!(error.to_string(), "This policy contains invalid Json");
}

#[test]
fn identity_policies_need_the_new_version_and_resource_policies_do_not() {
    for kind in KINDS {
        for version in [json!("2008-10-17"), Value::Null] {
            let mut document = valid(kind);
            document["Version"] = version.clone();
            if version.is_null() {
                document.as_object_mut().unwrap().remove("Version");
            }
            let lax = matches!(
                kind,
                PolicyKind::Session
                    | PolicyKind::Repository
                    | PolicyKind::Registry
                    | PolicyKind::Trust
            );
            let result = validate(&document.to_string(), kind);
            assert_eq!(result.is_ok(), lax, "{kind:?} {version}");
        }
    }
}

#[test]
fn actions_and_resources_are_checked() {
    use PolicyKind::{Identity, Registry, Repository, ResourceControl, Trust};
    let only_sts = "AssumeRole policy may only specify STS AssumeRole actions.";
    let prohibited = "Has prohibited field Resource";
    check(&[
        (Identity, json!({"Effect": "allow"}), SYNTAX),
        (Identity, json!({"Effect": null}), SYNTAX),
        (Identity, json!({"Other": 1}), SYNTAX),
        (Identity, json!({"Sid": 1}), SYNTAX),
        (Identity, json!({"Action": null}), NO_ACTION),
        (Identity, json!({"Action": []}), NO_ACTION),
        (Identity, json!({"Action": 1}), SYNTAX),
        (Identity, json!({"NotAction": "iam:*"}), SYNTAX),
        (
            Identity,
            json!({"Action": null, "NotAction": "iam:*"}),
            "valid",
        ),
        (Identity, json!({"Action": "*"}), "valid"),
        (Identity, json!({"Action": "GetItem"}), NO_VENDOR),
        (
            Identity,
            json!({"Action": ["ecr:*", "e*:Get"]}),
            "Vendor e* is not valid",
        ),
        (Identity, json!({"Action": "*:*"}), "Vendor * is not valid"),
        (
            Identity,
            json!({"Action": "a b:Get"}),
            "Vendor a b is not valid",
        ),
        (
            Identity,
            json!({"Action": "ecr:Get:x"}),
            "Actions/Condition can contain only one colon.",
        ),
        (Identity, json!({"Resource": null}), NO_RESOURCE),
        (Identity, json!({"Resource": []}), NO_RESOURCE),
        (Identity, json!({"Resource": 1}), SYNTAX),
        (Identity, json!({"NotResource": "*"}), SYNTAX),
        (Identity, json!({"Resource": "arn:aws:ecr:*"}), "valid"),
        (
            Identity,
            json!({"Resource": "repo"}),
            "Resource repo must be in ARN format or \"*\".",
        ),
        (
            Identity,
            json!({"Resource": "arn:aws:ecr:x"}),
            "Resource arn:aws:ecr:x must be in ARN format or \"*\".",
        ),
        (
            Identity,
            json!({"Resource": "arn:aws:*"}),
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ),
        (
            Identity,
            json!({"Resource": "arn:aws:ecr:*:*:repository/${aws:username}/*"}),
            "valid",
        ),
        (
            Identity,
            json!({"Resource": "arn:aws:ecr:*:*:repository/${aws:username"}),
            LEGACY,
        ),
        (
            Identity,
            json!({"Resource": "arn:aws:ecr:${aws:RequestedRegion}:*:*"}),
            LEGACY,
        ),
        (
            Identity,
            json!({"Resource": "arn:aws:ecr:*:*:repository/${Bonded:ImageTag}"}),
            "valid",
        ),
        (Registry, json!({"Resource": null}), NO_RESOURCE),
        (Repository, json!({"Resource": "*"}), prohibited),
        (Repository, json!({"NotResource": "*"}), prohibited),
        (Trust, json!({"Resource": "*"}), prohibited),
        (Trust, json!({"Action": "*"}), only_sts),
        (Trust, json!({"Action": "ecr:*"}), only_sts),
        (
            Trust,
            json!({"Action": ["sts:AssumeRole", "sts:TagSession"]}),
            "valid",
        ),
        (
            ResourceControl,
            json!({"Action": null, "NotAction": "ecr:*"}),
            SYNTAX,
        ),
    ]);
}

#[test]
fn principals_are_checked() {
    use PolicyKind::{Identity, Repository, ResourceControl, ServiceControl, Trust};
    let invalid = |text: &str| format!("Invalid principal in policy: {text}");
    let unwanted = "Policy document should not specify a principal.";
    check(&[
        (Identity, json!({"Principal": "*"}), unwanted),
        (ServiceControl, json!({"NotPrincipal": "*"}), unwanted),
        (ResourceControl, json!({"Principal": {"AWS": "*"}}), SYNTAX),
        (ResourceControl, json!({"Principal": null}), SYNTAX),
        (ResourceControl, json!({"Effect": "Allow"}), SYNTAX),
        (
            Repository,
            json!({"Principal": null}),
            "Missing required field Principal",
        ),
        (Repository, json!({"NotPrincipal": "*"}), SYNTAX),
        (
            Repository,
            json!({"Principal": null, "NotPrincipal": {"AWS": "111122223333"}}),
            SYNTAX,
        ),
        (
            Repository,
            json!({"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "111122223333"}}),
            "valid",
        ),
        (
            Trust,
            json!({"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "111122223333"}}),
            SYNTAX,
        ),
        (
            Repository,
            json!({"Principal": {"AWS": ["*", "arn:aws:iam::111122223333:user/a/b", "AIDAEXAMPLEALICE00001", "arn:aws:sts::111122223333:assumed-role/r/s"]}}),
            "valid",
        ),
        (
            Repository,
            json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}),
            &invalid(r#""AWS":"arn:aws:iam::111122223333:user/*""#),
        ),
        (
            Repository,
            json!({"Principal": {"AWS": "arn:aws:iam::111122223333:group/g"}}),
            &invalid(r#""AWS":"arn:aws:iam::111122223333:group/g""#),
        ),
        (
            Repository,
            json!({"Principal": {"AWS": "1234"}}),
            &invalid(r#""AWS":"1234""#),
        ),
        (
            Repository,
            json!({"Principal": {"AWS": []}}),
            &invalid(r#""AWS":{"AWS":[]}"#),
        ),
        (
            Repository,
            json!({"Principal": "alice"}),
            &invalid(r#""AWS":"alice""#),
        ),
        (
            Trust,
            json!({"Principal": {"Service": "*"}}),
            &invalid(r#""SERVICE":"*""#),
        ),
        (
            Trust,
            json!({"Principal": {"CanonicalUser": "79a5"}}),
            &invalid(r#""CANONICALUSER":"79a5""#),
        ),
    ]);
}

#[test]
fn a_github_trust_policy_must_name_its_subjects() {
    let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let key = "token.actions.githubusercontent.com:sub";
    let with = |condition: Value| {
        let changes = json!({
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        });
        message(PolicyKind::Trust, &changes) == "valid"
    };
    for (condition, valid) in [
        (json!({"StringLike": {key: "repo:acme/app:*"}}), true),
        (
            json!({"ForAnyValue:StringEquals": {key: ["repo:acme/app:pull_request"]}}),
            true,
        ),
        (json!({}), false),
        (
            json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "x"}}),
            false,
        ),
        (json!({"StringLike": {key: "*"}}), false),
        (
            json!({"StringLike": {key: ["repo:acme/app:*", "?*"]}}),
            false,
        ),
        (json!({"StringLike": {key: "repo:*"}}), false),
        (json!({"StringLike": {key: "repo:?*/app:*"}}), false),
        (json!({"StringLike": {key: "*:ref:refs/heads/main"}}), false),
        (json!({"StringLike": {key: "*acme/app*"}}), false),
        (json!({"StringLike": {key: "${aws:username}"}}), false),
        (
            json!({"StringEquals": {key: "repository_owner:acme"}}),
            true,
        ),
        (json!({"StringNotLike": {key: "repo:evil/*"}}), false),
        (json!({"StringLikeIfExists": {key: "repo:acme/*"}}), false),
        (
            json!({"ForAllValues:StringLike": {key: "repo:acme/*"}}),
            false,
        ),
        (json!({"Null": {key: "false"}}), false),
    ] {
        assert_eq!(with(condition.clone()), valid, "{condition}");
    }
}

#[test]
fn a_trust_policy_for_any_shared_provider_must_name_its_subjects() {
    for (provider, subject) in [
        ("gitlab.com", "project_path:acme/app:*"),
        ("agent.buildkite.com", "organization:acme:pipeline:app:*"),
        ("app.terraform.io", "organization:acme:*"),
        ("oidc.codefresh.io", "account:acme:*"),
    ] {
        let with = |host: &str, condition: Value| {
            let changes = json!({
                "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{host}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": condition,
            });
            message(PolicyKind::Trust, &changes)
        };
        let key = format!("{provider}:sub");
        let named = with(provider, json!({"StringLike": {&key: subject}}));
        assert_eq!(named, "valid", "{provider}");
        for condition in [json!({}), json!({"StringLike": {&key: "*"}})] {
            let refused = with(provider, condition);
            assert!(
                refused.contains(&format!("must have a condition on {key}")),
                "{refused}"
            );
        }
        // One of the organization's own has nobody else's identities.
        let own = format!("{}.example.org", provider.split('.').next().unwrap());
        assert_eq!(with(&own, json!({})), "valid");
        assert_eq!(with(&format!("my{provider}"), json!({})), "valid");
    }
}

#[test]
fn statement_ids_are_unique_except_in_ecr() {
    for kind in KINDS {
        let mut document = valid(kind);
        let mut statement = document["Statement"][0].clone();
        statement["Sid"] = json!("Same");
        document["Statement"] = json!([statement, statement]);
        let text = document.to_string();
        match validate(&text, kind) {
            Ok(_) => assert!(is_ecr(kind), "{kind:?}"),
            Err(error) => assert_eq!(
                error.to_string(),
                "Statement IDs (SID) in a single policy must be unique."
            ),
        }
        let odd = text.replace("Same", "not alpha-numeric");
        assert_eq!(validate(&odd, kind).is_ok(), is_ecr(kind), "{kind:?}");
    }
}

#[test]
fn size_is_counted_as_aws_counts() {
    for (kind, limit, white_space_counts) in [
        (PolicyKind::Identity, 10_240, false),
        (PolicyKind::Boundary, 6_144, false),
        (PolicyKind::Trust, 4_096, false),
        (PolicyKind::Session, 2_048, true),
        (PolicyKind::Repository, 10_240, true),
        (PolicyKind::Registry, 10_240, true),
        (PolicyKind::ServiceControl, 5_120, true),
        (PolicyKind::ResourceControl, 5_120, true),
    ] {
        let text = valid(kind).to_string();
        let room = limit - document_size(&text, kind);
        let padded = |by: usize| text.clone() + &" ".repeat(by);
        assert!(validate(&padded(room), kind).is_ok(), "{kind:?}");
        let over = validate(&padded(room + 1), kind);
        assert_eq!(over.is_err(), white_space_counts, "{kind:?}");
        let long = text.replacen(
            "\"Statement\"",
            &format!("\"Id\":\"{}\",\"Statement\"", "x".repeat(limit)),
            1,
        );
        assert!(validate(&long, kind).unwrap_err().is_too_long(), "{kind:?}");
    }
}

#[test]
fn characters_outside_latin_1_are_refused_by_iam() {
    for kind in KINDS {
        let mut document = valid(kind);
        document["Id"] = json!("é");
        assert!(validate(&document.to_string(), kind).is_ok(), "{kind:?}");
        document["Id"] = json!("世");
        assert_eq!(
            validate(&document.to_string(), kind).is_ok(),
            is_ecr(kind),
            "{kind:?}"
        );
    }
}

#[test]
fn a_condition_block_has_operators_and_keys() {
    check(&[
        (PolicyKind::Identity, json!({"Condition": {}}), "valid"),
        (PolicyKind::Identity, json!({"Condition": []}), SYNTAX),
        (
            PolicyKind::Identity,
            json!({"Condition": {"StringEquals": []}}),
            NO_VENDOR,
        ),
        (
            PolicyKind::Identity,
            json!({"Condition": {"StringEquals": {}}}),
            NO_VENDOR,
        ),
    ]);
}

#[test]
fn conditions_without_a_defined_meaning_are_refused() {
    let several = "The condition key AWS:tagkeys can have several values: use ForAnyValue or ForAllValues with StringEquals";
    let tags = "The condition key bonded:CurrentImageTags can have several values: use ForAnyValue or ForAllValues with StringLike";
    let text = "The condition key Bonded:ScanStatus cannot be compared by NumericEquals: use a String operator, or Null";
    let number = "The condition key bonded:CriticalFindings cannot be compared by StringEquals: use a Numeric operator, or Null";
    for (operator, key, value, expected) in [
        ("StringEquals", "aws:username", json!("a"), "valid"),
        ("StringSame", "aws:username", json!("a"), SYNTAX),
        ("NullIfExists", "aws:SourceIp", json!("true"), SYNTAX),
        ("StringEquals", "username", json!("a"), NO_VENDOR),
        ("StringEquals", "aws:username", json!([]), LEGACY),
        ("StringEquals", "aws:username", json!("${aws:x"), LEGACY),
        ("NumericEquals", "s3:max-keys", json!("ten"), LEGACY),
        ("NumericEquals", "s3:max-keys", json!("${aws:x}"), LEGACY),
        ("DateLessThan", "aws:CurrentTime", json!("2026"), LEGACY),
        ("IpAddress", "aws:SourceIp", json!("2001:db8::1"), LEGACY),
        ("ArnLike", "aws:SourceArn", json!("arn:aws:s3:*"), LEGACY),
        ("Null", "aws:TagKeys", json!("true"), "valid"),
        (
            "ForAnyValue:StringEquals",
            "AWS:tagkeys",
            json!("a"),
            "valid",
        ),
        ("StringEquals", "AWS:tagkeys", json!("a"), several),
        ("StringEquals", "Bonded:ScanStatus", json!("x"), "valid"),
        ("NumericEquals", "Bonded:ScanStatus", json!(0), text),
        ("Null", "bonded:ImageTag", json!(true), "valid"),
        (
            "NumericLessThanIfExists",
            "bonded:scanagehours",
            json!("24"),
            "valid",
        ),
        ("NumericEquals", "bonded:HighFindings", json!("x"), LEGACY),
        (
            "StringEquals",
            "bonded:CriticalFindings",
            json!("0"),
            number,
        ),
        (
            "ForAnyValue:StringLike",
            "bonded:CurrentImageTags",
            json!("release-*"),
            "valid",
        ),
        ("Null", "bonded:CurrentImageTags", json!("true"), "valid"),
        ("StringLike", "bonded:CurrentImageTags", json!("a*"), tags),
        (
            "StringEquals",
            "aws:username",
            json!("${bonded:ImageTag}"),
            "valid",
        ),
    ] {
        let changes = json!({"Condition": {operator: {key: value}}});
        let message = message(PolicyKind::Identity, &changes);
        assert_eq!(message, expected, "{changes}");
    }
}

#[test]
fn a_key_of_images_that_does_not_exist_is_named() {
    for condition in [
        json!({"StringEquals": {"bonded:ScanState": "COMPLETE"}}),
        json!({"StringEquals": {"aws:username": "${bonded:Tag, 'x'}"}}),
    ] {
        let message = message(PolicyKind::Identity, &json!({"Condition": condition}));
        assert!(message.contains("does not exist; those of images are bonded:ImageTag, "));
    }
    let resource = json!({"Resource": "arn:aws:ecr:*:*:repository/${bonded:Name}"});
    let message = message(PolicyKind::Identity, &resource);
    assert!(message.starts_with("The condition key bonded:Name does not exist"));
}
