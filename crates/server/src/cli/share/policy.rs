//! The statements of a repository policy that sharing adds and takes away. Whatever else the policy
//! says stays as it is.

use bonded_model::AccountId;
use serde_json::{Map, Value, json};

/// What is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Pull,
    Push,
}

impl Right {
    /// By which the statement of this right is found again: there is one, for all it is shared with.
    pub(super) fn sid(self) -> &'static str {
        match self {
            Self::Pull => "BondedSharePull",
            Self::Push => "BondedSharePush",
        }
    }

    pub(super) fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Pull => &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            // docker looks for what is there before it pushes.
            Self::Push => &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
        }
    }
}

/// Whom something is shared with, as a policy names it: an account, or a user or role.
///
/// # Errors
/// It is none of these.
pub(super) fn principal(text: &str) -> Result<String, String> {
    if let Ok(account) = text.parse::<AccountId>() {
        return Ok(format!("arn:aws:iam::{account}:root"));
    }
    let rest = text.strip_prefix("arn:aws:iam::");
    let named = rest.and_then(|rest| rest.split_once(':'));
    let valid = named.is_some_and(|(account, name)| {
        let kinds = ["user/", "role/"];
        let entity = kinds
            .iter()
            .any(|kind| name.len() > kind.len() && name.starts_with(kind));
        account.parse::<AccountId>().is_ok() && (name == "root" || entity)
    });
    match valid {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "'{}' is no account number, and not the ARN of an account, user or role",
            bonded_model::shown(text)
        )),
    }
}

/// `policy` with `right` for `principal`, or without it; `None` if no statement is left.
///
/// # Errors
/// The policy is not one, or the statement of this right was changed to say something else.
pub(super) fn changed(
    policy: Option<&Value>,
    right: Right,
    principal: &str,
    shares: bool,
) -> Result<Option<Value>, String> {
    let mut document = match policy {
        Some(Value::Object(document)) => document.clone(),
        Some(_) => return Err("the policy of the repository is no JSON object".to_owned()),
        None => Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]),
    };
    let mut statements = match document.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let own = statements.iter().position(|s| s["Sid"] == right.sid());
    let mut principals = match own.and_then(|at| statements.get(at)) {
        Some(statement) => principals_of(statement, right)?,
        None => Vec::new(),
    };
    let same = |named: &String| principal_name(named) == principal_name(principal);
    match (shares, principals.iter().any(same)) {
        (true, false) => principals.push(principal.to_owned()),
        (false, true) => principals.retain(|named| !same(named)),
        (true, true) | (false, false) => return Ok(policy.cloned()),
    }
    let statement = json!({
        "Sid": right.sid(),
        "Effect": "Allow",
        "Principal": { "AWS": &principals },
        "Action": right.actions(),
    });
    match own.and_then(|at| statements.get_mut(at)) {
        Some(written) => *written = statement,
        None => statements.push(statement),
    }
    if principals.is_empty() {
        statements.retain(|statement| statement["Sid"] != right.sid());
    }
    if statements.is_empty() {
        return Ok(None);
    }
    document.insert("Statement".to_owned(), Value::Array(statements));
    Ok(Some(Value::Object(document)))
}

/// An account by number and by ARN is the same.
fn principal_name(text: &str) -> &str {
    let account = text.strip_prefix("arn:aws:iam::");
    let account = account.and_then(|rest| rest.strip_suffix(":root"));
    account.unwrap_or(text)
}

/// Whom the statement of `right` names, if it says what sharing writes and nothing else.
fn principals_of(statement: &Value, right: Right) -> Result<Vec<String>, String> {
    let list = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let mut actions = list(&statement["Action"]);
    actions.sort_by_key(ToString::to_string);
    let members = statement.as_object().map_or(0, Map::len);
    let principals = &statement["Principal"];
    let only_aws = principals.as_object().is_some_and(|map| map.len() == 1);
    let texts = list(&principals["AWS"]).into_iter();
    let texts = texts.map(|value| value.as_str().map(str::to_owned));
    let texts = texts.collect::<Option<Vec<_>>>();
    let ours = members == 4
        && statement["Effect"] == "Allow"
        && actions == list(&json!(right.actions()))
        && only_aws;
    texts.filter(|_| ours).ok_or_else(|| {
        format!(
            "the statement '{}' of the repository policy was changed to say something else; give \
             it another Sid, and share again",
            right.sid()
        )
    })
}

/// The identity policy that the other account attaches to whoever is to use its right.
pub(super) fn identity_policy(rights: &[Right], repository: &str) -> Value {
    let mut actions: Vec<&str> = rights
        .iter()
        .flat_map(|right| right.actions())
        .copied()
        .collect();
    actions.sort_unstable();
    actions.dedup();
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
        { "Effect": "Allow", "Action": actions, "Resource": repository },
    ] })
}

#[cfg(test)]
mod tests {
    use bonded_iam::{PolicyKind, validate};

    use super::*;

    const GUEST: &str = "arn:aws:iam::222222222222:root";
    const ROLE: &str = "arn:aws:iam::333333333333:role/team/prod";

    fn share(policy: Option<&Value>, principal: &str) -> Value {
        changed(policy, Right::Pull, principal, true)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn what_is_there_stays() {
        let other = json!({"Sid": "Guard", "Effect": "Deny", "Principal": "*",
            "Action": "ecr:DeleteRepository", "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        for statement in [other.clone(), json!([other])] {
            let policy = json!({"Version": "2008-10-17", "Id": "mine", "Statement": statement});
            let shared = share(Some(&policy), GUEST);
            assert_eq!(shared["Version"], "2008-10-17");
            assert_eq!(shared["Id"], "mine");
            assert_eq!(shared["Statement"][0], other);
            assert_eq!(shared["Statement"][1]["Principal"], json!({"AWS": [GUEST]}));
            let back = changed(Some(&shared), Right::Pull, GUEST, false)
                .unwrap()
                .unwrap();
            assert_eq!(back["Statement"], json!([other]));
        }
    }

    #[test]
    fn sharing_twice_is_sharing_once_and_can_be_taken_back() {
        let one = share(None, GUEST);
        assert_eq!(share(Some(&one), "222222222222"), one);
        assert_eq!(share(Some(&one), GUEST), one);
        let both = share(Some(&one), ROLE);
        assert_eq!(both["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(
            both["Statement"][0]["Principal"]["AWS"],
            json!([GUEST, ROLE])
        );
        let pushed = changed(Some(&both), Right::Push, ROLE, true)
            .unwrap()
            .unwrap();
        assert_eq!(pushed["Statement"].as_array().unwrap().len(), 2);
        validate(&pushed.to_string(), PolicyKind::Repository).unwrap();
        let without = |policy: &Value, right, who| changed(Some(policy), right, who, false);
        let less = without(&pushed, Right::Push, ROLE).unwrap().unwrap();
        assert_eq!(less, both);
        let less = without(&less, Right::Pull, ROLE).unwrap().unwrap();
        assert_eq!(less, one);
        assert_eq!(without(&less, Right::Pull, ROLE).unwrap().unwrap(), one);
        assert_eq!(without(&less, Right::Pull, "222222222222"), Ok(None));
        assert_eq!(changed(None, Right::Pull, GUEST, false), Ok(None));
    }

    #[test]
    fn a_statement_that_was_changed_is_not_written_over() {
        for (member, value) in [
            ("Action", json!("ecr:*")),
            (
                "Condition",
                json!({"Bool": {"aws:SecureTransport": "true"}}),
            ),
            ("Effect", json!("Deny")),
            ("Principal", json!("*")),
            (
                "Principal",
                json!({"AWS": GUEST, "Service": "x.amazonaws.com"}),
            ),
        ] {
            let mut policy = share(None, GUEST);
            policy["Statement"][0][member] = value;
            assert!(
                changed(Some(&policy), Right::Pull, ROLE, true).is_err(),
                "{policy}"
            );
        }
        let mut policy = share(None, GUEST);
        policy["Statement"][0]["Principal"] = json!({"AWS": GUEST});
        policy["Statement"][0]["Action"]
            .as_array_mut()
            .unwrap()
            .reverse();
        assert!(changed(Some(&policy), Right::Pull, ROLE, true).is_ok());
    }

    #[test]
    fn whom_it_is_shared_with_is_an_account_a_user_or_a_role() {
        assert_eq!(principal("222222222222").unwrap(), GUEST);
        for text in [GUEST, ROLE, "arn:aws:iam::222222222222:user/a"] {
            assert_eq!(principal(text).unwrap(), text);
        }
        for text in [
            "",
            "*",
            "alice",
            "22222222222",
            "arn:aws:iam::1:root",
            "arn:aws:iam::222222222222:role/",
            "arn:aws:iam::222222222222:group/a",
            "arn:aws:sts::222222222222:assumed-role/a/b",
        ] {
            assert!(principal(text).is_err(), "{text}");
        }
    }
}
