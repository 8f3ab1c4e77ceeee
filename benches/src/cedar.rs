//! The same as Cedar policies.

use std::fmt::Write as _;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::{Value, json};

/// A request and the policies that decide it.
pub struct Scenario {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    request: Request,
}

impl Scenario {
    /// See [`crate::iam::Scenario::teams`].
    pub fn teams(size: usize, team: usize) -> Self {
        let mut text = String::new();
        for team in 0..size {
            writeln!(
                text,
                r#"permit(principal, action in [Action::"BatchGetImage", Action::"GetDownloadUrlForLayer"], resource)
                   when {{ resource.arn like "arn:aws:ecr:us-east-1:111122223333:repository/team-{team}/*"
                           && principal.team == "team-{team}" && principal.name like "ci-*" }};"#
            )
            .expect("a String takes all");
        }
        Self::new(&text, team)
    }

    /// See [`crate::iam::Scenario::conditions`].
    pub fn conditions(size: usize) -> Self {
        let mut text = String::new();
        for team in 0..size {
            writeln!(text, r#"permit(principal, action, resource) when {{ principal.team == "team-{team}" }};"#)
                .expect("a String takes all");
        }
        Self::new(&text, size - 1)
    }

    fn new(policies: &str, team: usize) -> Self {
        let arn = format!("arn:aws:ecr:us-east-1:111122223333:repository/team-{team}/api");
        let entity = |kind: &str, id: &str, attrs: Value| json!({"uid": {"type": kind, "id": id}, "attrs": attrs, "parents": []});
        let entities = json!([
            entity("User", "ci-7", json!({"team": format!("team-{team}"), "name": "ci-7"})),
            entity("Action", "BatchGetImage", json!({})),
            entity("Action", "GetDownloadUrlForLayer", json!({})),
            entity("Repository", "api", json!({"arn": arn})),
        ]);
        let id = |text: &str| text.parse::<EntityUid>().expect("an id");
        let request = Request::new(
            id(r#"User::"ci-7""#),
            id(r#"Action::"BatchGetImage""#),
            id(r#"Repository::"api""#),
            Context::empty(),
            None,
        );
        Self {
            authorizer: Authorizer::new(),
            policies: policies.parse().expect("policies"),
            entities: Entities::from_json_value(entities, None).expect("entities"),
            request: request.expect("a request"),
        }
    }

    pub fn decide(&self) -> bool {
        let answer = self.authorizer.is_authorized(&self.request, &self.policies, &self.entities);
        answer.decision() == Decision::Allow
    }
}
