//! The operations that AWS has not. Here: `ExplainAccess`, which `bonded can` asks. Query protocol, version
//! 2026-11-27, signed for the service `bonded`.

use std::collections::BTreeMap;

use bonded_registry::{AccessQuestion, Action, Allowed, Caller, Checks, Error, Registry, Result};
use serde::{Deserialize, Serialize};

use super::allowed_vulnerabilities::{
    DeleteAllowedVulnerability, ListAllowedVulnerabilities, PutAllowedVulnerability,
};
use super::operation::{Endpoint, Operation};
use super::query::list;

/// The operations that are served, one line each.
pub(super) const OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<ExplainAccess>(),
    Endpoint::of::<PutAllowedVulnerability>(),
    Endpoint::of::<ListAllowedVulnerabilities>(),
    Endpoint::of::<DeleteAllowedVulnerability>(),
];

/// The most context keys of a question.
const CONTEXT_LIMIT: usize = 50;

/// `ExplainAccess`: whether a principal may do something, by the policies that are there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExplainAccess {
    principal: String,
    action_name: String,
    resource: String,
    #[serde(default, deserialize_with = "list")]
    context: Vec<ContextEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEntry {
    key: String,
    #[serde(default, deserialize_with = "list")]
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Explained {
    explanation: String,
}

impl ExplainAccess {
    fn question(&self, caller: &Caller) -> Result<AccessQuestion> {
        let invalid = |text: String| Error::InvalidInput(text);
        let word = |text: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !text.is_empty() && text.bytes().all(allowed)
        };
        let action = &self.action_name;
        let known = action
            .split_once(':')
            .is_some_and(|(service, name)| word(service) && word(name));
        if !known || action.len() > 128 {
            return Err(invalid(format!(
                "'{}' is no action; expected SERVICE:ACTION, such as ecr:BatchGetImage for a pull or \
                 ecr:PutImage for a push",
                bonded_model::shown(action)
            )));
        }
        let mut context = BTreeMap::new();
        for ContextEntry { key, values } in &self.context {
            let too_long = key.is_empty() || key.len() > 256 || values.is_empty();
            if too_long || context.insert(key.clone(), values.clone()).is_some() {
                return Err(invalid(format!(
                    "the context key '{}' stands twice, is too long or has no value",
                    bonded_model::shown(key)
                )));
            }
        }
        if context.len() > CONTEXT_LIMIT {
            return Err(invalid(format!(
                "a question can have at most {CONTEXT_LIMIT} context keys"
            )));
        }
        if self.principal.len() > 2048 || self.resource.len() > 2048 {
            return Err(invalid("a name is longer than 2048 characters".to_owned()));
        }
        AccessQuestion::new(
            caller,
            &self.principal,
            action.clone(),
            &self.resource,
            context,
        )
    }
}

impl Operation for ExplainAccess {
    const NAME: &'static str = "ExplainAccess";
    const ACTION: Action = Action::new("bonded:ExplainAccess");
    const EXAMPLE: &'static str =
        r#"{"Principal":"user/alice","ActionName":"ecr:BatchGetImage","Resource":"team/app"}"#;
    type Target = AccessQuestion;
    type Output = Explained;

    fn checks(&self, caller: &Caller) -> Result<Checks<AccessQuestion>> {
        Ok(self.question(caller)?.checks(Self::ACTION))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<AccessQuestion>) -> Result<Explained> {
        Ok(Explained {
            explanation: registry.answer_access(&allowed).await?.to_string(),
        })
    }
}
