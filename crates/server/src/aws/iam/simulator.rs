//! The policy simulator: what policies would decide, and which context keys they use.

use bonded_iam::{Policy, context_keys};
use bonded_registry::target::{EntityArn, Everything, PolicySource};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result, SimulatedAction};
use serde::{Deserialize, Serialize};

use super::page::PageEnd;
use super::policy_exclusions::{PolicyIdentifier, exclusions};
use super::simulation_input::{Question, parsed_policies};
use super::simulation_result::EvaluationResult;
use crate::aws::Operation;
use crate::aws::query::{List, list};

/// The end of the page that `first` begins and `answered` actions are on, of `all` there are.
fn page_end(list: &str, first: usize, answered: usize, all: usize) -> PageEnd {
    let next = first.saturating_add(answered);
    PageEnd::after(list, (next < all).then(|| next.to_string()))
}

/// `SimulatePolicyResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimulationAnswer {
    evaluation_results: List<EvaluationResult>,
    #[serde(flatten)]
    end: PageEnd,
}

impl SimulationAnswer {
    fn new(answers: Vec<SimulatedAction>, end: PageEnd) -> Self {
        let results: Vec<EvaluationResult> = answers.into_iter().map(Into::into).collect();
        Self {
            evaluation_results: results.into(),
            end,
        }
    }
}

/// `SimulateCustomPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimulateCustomPolicy {
    #[serde(deserialize_with = "list")]
    policy_input_list: Vec<String>,
    #[serde(flatten)]
    question: Question,
}

impl Operation for SimulateCustomPolicy {
    const NAME: &'static str = "SimulateCustomPolicy";
    const ACTION: Action = Action::new("iam:SimulateCustomPolicy");
    const EXAMPLE: &'static str = r#"{"PolicyInputList":["{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"],"ActionNames":["ecr:PutImage"]}"#;
    type Target = Everything;
    type Output = SimulationAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.question.custom(Self::NAME, &self.policy_input_list)?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<SimulationAnswer> {
        let input = self.question.custom(Self::NAME, &self.policy_input_list)?;
        let (first, all) = (input.first, input.actions.len());
        let answers = registry.simulate_custom(&allowed, input).await?;
        let end = page_end(Self::NAME, first, answers.len(), all);
        Ok(SimulationAnswer::new(answers, end))
    }
}

/// `SimulatePrincipalPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimulatePrincipalPolicy {
    policy_source_arn: String,
    #[serde(default, deserialize_with = "list")]
    policy_input_list: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    policy_exclusion_list: Vec<PolicyIdentifier>,
    #[serde(flatten)]
    question: Question,
}

impl Operation for SimulatePrincipalPolicy {
    const NAME: &'static str = "SimulatePrincipalPolicy";
    const ACTION: Action = Action::new("iam:SimulatePrincipalPolicy");
    const EXAMPLE: &'static str = r#"{"PolicySourceArn":"arn:aws:iam::111122223333:user/alice","ActionNames":["ecr:PutImage"]}"#;
    type Target = PolicySource;
    type Output = SimulationAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicySource>> {
        self.question
            .of_principal(Self::NAME, &self.policy_input_list)?;
        exclusions(&self.policy_exclusion_list)?;
        let source = policy_source(caller, &self.policy_source_arn)?;
        Ok(Checks::new(Self::ACTION, source))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<PolicySource>,
    ) -> Result<SimulationAnswer> {
        let input = self
            .question
            .of_principal(Self::NAME, &self.policy_input_list)?;
        let exclusions = exclusions(&self.policy_exclusion_list)?;
        let (first, all) = (input.first, input.actions.len());
        let answers = registry
            .simulate_principal(&allowed, input, &exclusions)
            .await?;
        let end = page_end(Self::NAME, first, answers.len(), all);
        Ok(SimulationAnswer::new(answers, end))
    }
}

fn policy_source(caller: &Caller, arn: &str) -> Result<PolicySource> {
    Ok(PolicySource {
        entity: arn.parse::<EntityArn>()?,
        viewer: caller.account().clone(),
    })
}

/// `GetContextKeysForPolicyResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContextKeys {
    context_key_names: List<String>,
}

/// `GetContextKeysForCustomPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetContextKeysForCustomPolicy {
    #[serde(deserialize_with = "list")]
    policy_input_list: Vec<String>,
}

impl GetContextKeysForCustomPolicy {
    fn policies(&self) -> Result<Vec<Policy>> {
        // Any kind of policy may be asked about.
        parsed_policies("policyInputList", &self.policy_input_list, true)
    }
}

impl Operation for GetContextKeysForCustomPolicy {
    const NAME: &'static str = "GetContextKeysForCustomPolicy";
    const ACTION: Action = Action::new("iam:GetContextKeysForCustomPolicy");
    const EXAMPLE: &'static str = r#"{"PolicyInputList":["{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"]}"#;
    type Target = Everything;
    type Output = ContextKeys;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.policies()?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, _: &Registry, _: Allowed<Everything>) -> Result<ContextKeys> {
        Ok(ContextKeys {
            context_key_names: context_keys(&self.policies()?).into(),
        })
    }
}

/// `GetContextKeysForPrincipalPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetContextKeysForPrincipalPolicy {
    policy_source_arn: String,
    #[serde(default, deserialize_with = "list")]
    policy_input_list: Vec<String>,
}

impl GetContextKeysForPrincipalPolicy {
    fn policies(&self) -> Result<Vec<Policy>> {
        parsed_policies("policyInputList", &self.policy_input_list, true)
    }
}

impl Operation for GetContextKeysForPrincipalPolicy {
    const NAME: &'static str = "GetContextKeysForPrincipalPolicy";
    const ACTION: Action = Action::new("iam:GetContextKeysForPrincipalPolicy");
    const EXAMPLE: &'static str = r#"{"PolicySourceArn":"arn:aws:iam::111122223333:user/alice"}"#;
    type Target = PolicySource;
    type Output = ContextKeys;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicySource>> {
        self.policies()?;
        let source = policy_source(caller, &self.policy_source_arn)?;
        Ok(Checks::new(Self::ACTION, source))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<PolicySource>) -> Result<ContextKeys> {
        let names = registry
            .context_keys_of(&allowed, &self.policies()?)
            .await?;
        Ok(ContextKeys {
            context_key_names: names.into(),
        })
    }
}
