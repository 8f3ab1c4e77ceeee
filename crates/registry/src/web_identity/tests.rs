use bonded_model::Timestamp;
use serde_json::json;

use super::*;

fn identity(claims: Value) -> Result<WebIdentity> {
    let Value::Object(mut all) = claims else {
        panic!("claims are an object")
    };
    let audiences = match all.remove("aud") {
        Some(Value::Array(items)) => items,
        Some(item) => vec![item],
        None => vec!["us".into()],
    };
    let audiences = audiences
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    let provider = OidcProvider {
        account: "111122223333".parse().unwrap(),
        url: "issuer.example.org/a".to_owned(),
        client_ids: vec!["us".to_owned(), "us-too".to_owned()],
        thumbprints: Vec::new(),
        jwks: None,
        created_at: Timestamp::from_millis(0),
        tags: ResourceTags::new(),
    };
    let claims = Claims {
        issuer: "https://issuer.example.org/a".to_owned(),
        subject: "someone".to_owned(),
        audiences: audiences.collect(),
        all,
    };
    WebIdentity::new(provider, claims)
}

#[test]
fn the_audience_is_the_one_that_the_provider_is_registered_with() {
    let key = "issuer.example.org/a:aud";
    for (aud, want) in [
        (json!("us"), Some(Fact::One("us".to_owned()))),
        (json!(["us"]), Some(Fact::One("us".to_owned()))),
        (
            json!(["others", "us-too"]),
            Some(Fact::One("us-too".to_owned())),
        ),
        (
            json!(["us", "us-too"]),
            Some(Fact::Many(vec!["us".to_owned(), "us-too".to_owned()])),
        ),
        (json!("others"), None),
        (json!(["US", "us "]), None),
    ] {
        let found = identity(json!({"aud": aud.clone(), "azp": "us"}));
        assert_eq!(
            found.ok().map(|found| found.facts()[key].clone()),
            want,
            "{aud}"
        );
    }
}

#[test]
fn claims_speak_under_the_name_of_their_issuer_alone() {
    let claims =
        json!({"sub": "someone", "aws:PrincipalArn": "x", "groups": ["a", "b"], "n": 1, "o": {}});
    let facts = identity(claims).unwrap().facts();
    let names: Vec<&str> = facts.keys().map(String::as_str).collect();
    let own = "issuer.example.org/a:";
    for name in &names {
        assert!(
            name.starts_with(own) || *name == "aws:FederatedProvider",
            "{name}"
        );
    }
    assert_eq!(
        facts[&format!("{own}groups")],
        Fact::Many(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(facts[&format!("{own}n")], Fact::One("1".to_owned()));
    assert!(!names.contains(&"issuer.example.org/a:o"));
    for name in RESERVED {
        assert!(
            is_reserved(name) && is_reserved(&name.to_uppercase()),
            "{name}"
        );
    }
    assert!(!is_reserved("sts.example.org") && !is_reserved("localhost"));
}

#[test]
fn session_tags_have_both_of_aws_forms_and_no_other() {
    let nested = json!({"https://aws.amazon.com/tags":
        {"principal_tags": {"team": ["a"], "cost": "b"}, "transitive_tag_keys": ["team"]}});
    let flat = json!({"https://aws.amazon.com/tags/principal_tags/team": ["a"],
        "https://aws.amazon.com/tags/principal_tags/cost": "b",
        "https://aws.amazon.com/tags/transitive_tag_keys": ["team"]});
    for claims in [nested, flat] {
        let found = identity(claims).unwrap();
        let tags: Vec<(&str, &str)> = found.tags().iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(tags, [("cost", "b"), ("team", "a")]);
        assert_eq!(found.transitive_keys(), ["team"]);
    }
    let many: Value = (0..51)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for wrong in [
        json!({"https://aws.amazon.com/tags": []}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": []}}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": {"a": []}}}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": {"a": 1}}}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": {"": "x"}}}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": {"a": "x", "A": "y"}}}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": {"aws:a": "x"}}}),
        json!({"https://aws.amazon.com/tags": {"principal_tags": many}}),
        json!({"https://aws.amazon.com/tags": {"transitive_tag_keys": ["a"]}}),
        json!({"https://aws.amazon.com/tags": {"transitive_tag_keys": "a"}}),
        json!({"https://aws.amazon.com/tags": {"other": {}}}),
        json!({"https://aws.amazon.com/source_identity": "x"}),
        json!({"https://aws.amazon.com/source_identity": 7}),
    ] {
        assert!(identity(wrong.clone()).is_err(), "{wrong}");
    }
}
