//! What the policy simulator is asked, checked.

use bonded_iam::{Context, ContextKeyType, NamedPolicy, Policy, PolicyKind, validate_any_size};
use bonded_model::{AccountId, shown};
use bonded_registry::target::EntityArn;
use bonded_registry::{Error, Result, SimulationInput};
use serde::Deserialize;

use super::page::PageRequest;
use super::shapes::{constraint, document};
use crate::aws::query::list;

/// How many levels an organization has at most: its root, five of units, and the account.
const LEVELS_LIMIT: usize = 7;

/// What both simulations are asked, but whose policies it is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Question {
    #[serde(default, deserialize_with = "list")]
    permissions_boundary_policy_input_list: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    ordered_organization_policy_input_list: Vec<OrganizationLevel>,
    #[serde(deserialize_with = "list")]
    action_names: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    resource_arns: Vec<String>,
    resource_policy: Option<String>,
    resource_owner: Option<String>,
    caller_arn: Option<String>,
    #[serde(default, deserialize_with = "list")]
    context_entries: Vec<ContextEntry>,
    resource_handling_option: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

/// `OrderedOrganizationPolicyType`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationLevel {
    #[serde(default, deserialize_with = "list")]
    service_control_policy_input_list: Vec<String>,
}

/// `ContextEntry`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEntry {
    context_key_name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    context_key_values: Vec<String>,
    context_key_type: Option<String>,
}

impl Question {
    /// The simulation of these policies alone.
    ///
    /// # Errors
    /// [`Error::InvalidInput`]; [`Error::Validation`].
    pub(super) fn custom(
        &self,
        list: &'static str,
        identity: &[String],
    ) -> Result<SimulationInput> {
        let input = self.read(list, identity)?;
        if input.resource_policy.is_some() && input.caller.is_none() {
            return Err(invalid(
                "CallerArn is required with a ResourcePolicy, whose Principal it is compared with",
            ));
        }
        Ok(input)
    }

    /// The simulation of a principal's policies and these.
    ///
    /// # Errors
    /// As [`Question::custom`].
    pub(super) fn of_principal(
        &self,
        list: &'static str,
        more: &[String],
    ) -> Result<SimulationInput> {
        if !self.ordered_organization_policy_input_list.is_empty() {
            return Err(invalid(
                "OrderedOrganizationPolicyInputList is a parameter of SimulateCustomPolicy; the \
                 policies of the principal's own account decide here",
            ));
        }
        self.read(list, more)
    }

    fn read(&self, list: &'static str, identity: &[String]) -> Result<SimulationInput> {
        let page = self.page.read(list)?;
        let first = page.position(|text| text.parse().ok())?;
        if let Some(option) = &self.resource_handling_option {
            return Err(invalid(&format!(
                "the ResourceHandlingOption '{}' is a scenario of Amazon EC2, whose resources this \
                 registry does not know",
                shown(option)
            )));
        }
        Ok(SimulationInput {
            actions: actions(&self.action_names)?,
            resources: resources(&self.resource_arns)?,
            identity: named_policies("PolicyInputList", identity)?,
            boundary: self.boundary()?,
            resource_policy: self
                .resource_policy
                .as_deref()
                .map(resource_policy)
                .transpose()?,
            service_control: self.service_control()?,
            caller: self.caller()?,
            resource_owner: self.resource_owner.as_deref().map(owner).transpose()?,
            context: context(&self.context_entries)?,
            first: first.unwrap_or_default(),
            limit: page.limit() as usize,
        })
    }

    fn boundary(&self) -> Result<Option<NamedPolicy>> {
        const LIST: &str = "PermissionsBoundaryPolicyInputList";
        let mut policies = named_policies(LIST, &self.permissions_boundary_policy_input_list)?;
        match policies.len() {
            0 | 1 => Ok(policies.pop()),
            _ => Err(invalid("only one permissions boundary can be simulated")),
        }
    }

    fn service_control(&self) -> Result<Option<Vec<Vec<NamedPolicy>>>> {
        let levels = &self.ordered_organization_policy_input_list;
        if levels.is_empty() {
            return Ok(None);
        }
        if levels.len() > LEVELS_LIMIT {
            return Err(constraint(
                "orderedOrganizationPolicyInputList",
                "Member must have length less than or equal to 7",
            ));
        }
        let level = |level: &OrganizationLevel| {
            const LIST: &str = "ServiceControlPolicyInputList";
            let texts = level.service_control_policy_input_list.iter().enumerate();
            let texts = texts.map(|(i, text)| named(LIST, i, text, PolicyKind::ServiceControl));
            texts.collect::<Result<Vec<_>>>()
        };
        levels
            .iter()
            .map(level)
            .collect::<Result<Vec<_>>>()
            .map(Some)
    }

    fn caller(&self) -> Result<Option<EntityArn>> {
        let Some(arn) = &self.caller_arn else {
            return Ok(None);
        };
        let caller = arn.parse::<EntityArn>().map_err(|_| {
            invalid(&format!(
                "the CallerArn '{}' is not the ARN of a user, group or role",
                shown(arn)
            ))
        })?;
        Ok(Some(caller))
    }
}

pub(super) fn invalid(text: &str) -> Error {
    Error::InvalidInput(text.to_owned())
}

/// The actions, each with its service and without wildcards.
fn actions(names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Err(constraint(
            "actionNames",
            "Member must have length greater than or equal to 1",
        ));
    }
    for name in names {
        if !(3..=128).contains(&name.chars().count()) {
            return Err(constraint(
                "actionNames",
                "Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 3]",
            ));
        }
        let word = |text: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !text.is_empty() && text.bytes().all(allowed)
        };
        let valid = name
            .split_once(':')
            .is_some_and(|(service, action)| word(service) && word(action));
        if !valid {
            return Err(invalid(&format!(
                "the action '{}' is not SERVICE:ACTION, such as ecr:PutImage, without wildcards",
                shown(name)
            )));
        }
    }
    Ok(names.to_vec())
}

/// The resources; all, `*`, if none is named.
fn resources(arns: &[String]) -> Result<Vec<String>> {
    if arns.is_empty() {
        return Ok(vec!["*".to_owned()]);
    }
    for arn in arns {
        if !(1..=2048).contains(&arn.chars().count()) {
            return Err(constraint(
                "resourceArns",
                "Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1]",
            ));
        }
        let is_arn = arn.starts_with("arn:") && arn.splitn(6, ':').count() == 6;
        if arn != "*" && !is_arn {
            return Err(invalid(&format!(
                "the resource '{}' is neither an ARN nor '*'",
                shown(arn)
            )));
        }
    }
    Ok(arns.to_vec())
}

/// The account in `arn:aws:iam::ACCOUNT:root`, or by its number alone.
fn owner(text: &str) -> Result<AccountId> {
    let id = text
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.strip_suffix(":root"));
    id.unwrap_or(text).parse().map_err(|_| {
        invalid(&format!(
            "'{}' is not a valid as a Resource Owner.",
            shown(text)
        ))
    })
}

fn context(entries: &[ContextEntry]) -> Result<Context> {
    let mut context = Context::default();
    for entry in entries {
        let name = entry.context_key_name.as_deref().unwrap_or_default();
        if !(5..=256).contains(&name.chars().count()) {
            return Err(constraint(
                "contextEntries.contextKeyName",
                "Member must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 5]",
            ));
        }
        let kind = entry.context_key_type.as_deref().unwrap_or_default();
        let read = ContextKeyType::named(kind).ok_or_else(|| {
            constraint(
                "contextEntries.contextKeyType",
                &format!(
                    "Member must satisfy enum value set: [{}]",
                    ContextKeyType::names()
                ),
            )
        })?;
        let value = read
            .read(entry.context_key_values.clone())
            .map_err(|why| invalid(&format!("the context key '{}': {why}", shown(name))))?;
        if context.get(name).is_some() {
            return Err(invalid(&format!(
                "the context key '{}' stands twice",
                shown(name)
            )));
        }
        context.insert(name, value);
    }
    Ok(context)
}

/// The documents of a list of identity policies, called `LIST.1` and so on.
fn named_policies(list: &'static str, texts: &[String]) -> Result<Vec<NamedPolicy>> {
    let policy = |(i, text): (usize, &String)| named(list, i, text, PolicyKind::Session);
    texts.iter().enumerate().map(policy).collect()
}

/// The document at one place of a list. Of the kinds of policies for identities, those of sessions
/// may have any version.
fn named(list: &'static str, index: usize, text: &str, kind: PolicyKind) -> Result<NamedPolicy> {
    document(list, text)?;
    let label = format!("{list}.{}", index + 1);
    let policy = validate_any_size(text, kind)
        .map_err(|why| invalid(&format!("the policy {label} is not valid: {why}")))?;
    Ok(NamedPolicy { label, policy })
}

/// The documents whose context keys are asked for; with `principals` they may name some, as policies
/// of resources do.
pub(super) fn parsed_policies(
    list: &'static str,
    texts: &[String],
    principals: bool,
) -> Result<Vec<Policy>> {
    let parse = |(i, text): (usize, &String)| {
        document(list, text)?;
        let valid = match Policy::parse(text) {
            Ok(policy) if principals && policy.principals().next().is_some() => Ok(policy),
            Ok(_) => validate_any_size(text, PolicyKind::Session),
            Err(why) => Err(why),
        };
        let number = i + 1;
        valid.map_err(|why| invalid(&format!("the policy {list}.{number} is not valid: {why}")))
    };
    texts.iter().enumerate().map(parse).collect()
}

/// A policy of a resource: of a role, of something of ECR's, or of another service.
fn resource_policy(text: &str) -> Result<NamedPolicy> {
    document("resourcePolicy", text)?;
    let value = bonded_model::json::parse(text.as_bytes());
    let kind = value.map_or(PolicyKind::Repository, |value| kind_of(&value));
    let policy = validate_any_size(text, kind)
        .map_err(|why| invalid(&format!("the ResourcePolicy is not valid: {why}")))?;
    Ok(NamedPolicy {
        label: "ResourcePolicy".to_owned(),
        policy,
    })
}

/// By what rules a resource policy is judged: whether it names resources, or only who may assume a
/// role.
fn kind_of(document: &serde_json::Value) -> PolicyKind {
    let statements = match document.get("Statement") {
        Some(serde_json::Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let has = |element: &str| statements.iter().any(|s| s.get(element).is_some());
    if has("Resource") || has("NotResource") {
        return PolicyKind::Registry;
    }
    let of_sts = |value: &serde_json::Value| {
        value
            .as_str()
            .and_then(|text| text.get(..4))
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("sts:"))
    };
    let assumes = statements
        .iter()
        .all(|statement| match statement.get("Action") {
            Some(serde_json::Value::Array(list)) => list.iter().all(of_sts),
            Some(one) => of_sts(one),
            None => false,
        });
    match assumes {
        true => PolicyKind::Trust,
        false => PolicyKind::Repository,
    }
}
