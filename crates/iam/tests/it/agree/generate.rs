//! Cases that nobody thought of: requests and policies made of the same words, nearly matching.

use serde_json::{Map, Value, json};

use super::dice::Dice;

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";

const ACTIONS: &[&str] = &[
    "ecr:BatchGetImage",
    "ecr:BatchGetImage",
    "ecr:BatchCheckLayerAvailability",
    "ecr:PutImage",
    "ECR:putimage",
    "ecr:GetAuthorizationToken",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:GetSessionToken",
    "sts:GetCallerIdentity",
    "iam:GetUser",
];

const RESOURCES: &[&str] = &[
    "arn:aws:ecr:us-east-1:111122223333:repository/team-a/api",
    "arn:aws:ecr:us-east-1:111122223333:repository/team-a/api",
    "arn:aws:ecr:us-east-1:111122223333:repository/team-a",
    "arn:aws:ecr:us-east-1:111122223333:repository/team-ab/x",
    "arn:aws:ecr:us-east-1:111122223333:repository/Team-a/api",
    "arn:aws:ecr:eu-west-1:111122223333:repository/team-a/api:v1",
    "arn:aws:ecr:US-EAST-1:111122223333:repository/team-a/api",
    "team-a/api",
    "arn:aws:ecr:us-east-1:444455556666:repository/team-a/api",
    "arn:aws:iam::111122223333:role/deploy",
    "*",
];

/// Keys by the kind of value they have here. `Tags` has several values, `Odd` anything.
const KEYS: &[(&str, &[&str])] = &[
    (
        "aws:PrincipalTag/Team",
        &["team-a", "Team-a", "*", "a?b", ""],
    ),
    ("aws:username", &["alice", "team-a", "Alice"]),
    ("aws:TagKeys", &["Env", "Team", "", "env"]),
    ("k:Number", &["10", "9.50", "-1", "x"]),
    (
        "aws:CurrentTime",
        &["2026-11-22T09:30:00Z", "1795339800", "2027-01-01", "soon"],
    ),
    ("aws:SecureTransport", &["true", "False", "yes"]),
    (
        "aws:SourceIp",
        &["10.1.2.3", "203.0.113.17", "2001:db8::1", "x"],
    ),
    (
        "aws:SourceArn",
        &[
            "arn:aws:s3:::b",
            "arn:aws:sns:us-east-1:111122223333:a:b",
            "b",
        ],
    ),
    ("k:Bytes", &["AQID", "AQ==", "A"]),
    ("aws:TokenIssueTime", &["2026-11-22T09:30:00Z"]),
    ("aws:MultiFactorAuthPresent", &["true", "false"]),
    ("k:Odd", &["team-a", "10", "true", "K\u{212a}İß"]),
];

const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
    "StringMatches",
];

const VALUES: &[&str] = &[
    "team-a",
    "Team-a",
    "team*",
    "t?am-a",
    "*",
    "${aws:username}",
    "${aws:PrincipalTag/Team, 'team-a'}",
    "${k:None}",
    "${k:None, '*'}",
    "${aws:TagKeys, 'x'}",
    "${*}",
    "${aws:user",
    "10",
    "9.5",
    "-0.5",
    "2026-11-22",
    "1795339800",
    "true",
    "false",
    "10.0.0.0/8",
    "203.0.113.17",
    "2001:db8::/32",
    "2001:db8::1",
    "arn:aws:s3:::*",
    "arn:*:sns:*:111122223333:a:*",
    "arn:aws:sns:*",
    "arn:aws:s3:::${aws:username}",
    "AQID",
    "AQ==",
    "Env",
    "",
    "kkİSS",
];

/// One line of the schema of cases. What it expects is the most common answer; nobody asks.
pub(super) fn case(seed: u64) -> Value {
    let dice = &mut Dice::new(seed);
    let (principal, names) = principal(dice);
    let resource = dice.pick(RESOURCES);
    let owner = if dice.wins(4, 5) { HOME } else { AWAY };
    let (context, unknown) = context(dice);
    let words = Words {
        names: &names,
        resource,
    };
    let policies = |dice: &mut Dice, least, most, principals| {
        dice.some(least, most, |dice| words.policy(dice, principals))
    };
    let levels = |dice: &mut Dice, principals: Principals| {
        let count = if dice.wins(1, 4) { 2 } else { 0 };
        dice.some(
            0,
            count,
            |dice| json!({"level": "unit", "policies": policies(dice, 0, 2, principals)}),
        )
    };
    json!({
        "id": format!("seed-{seed}"),
        "request": {
            "principal": principal, "action": dice.pick(ACTIONS),
            "resource": {"arn": resource, "account": owner},
            "context": context, "unknown": unknown,
        },
        "policies": {
            "identity": policies(dice, 0, 2, Principals::None),
            "resource": policies(dice, 0, 2, Principals::Some),
            "boundary": dice.wins(1, 5).then(|| words.policy(dice, Principals::None)),
            "session": dice.wins(1, 5).then(|| policies(dice, 0, 2, Principals::None)),
            "scp": levels(dice, Principals::None),
            "rcp": levels(dice, Principals::Everyone),
        },
        "expected": "implicit_deny",
    })
}

/// The caller, and how policies may name it.
fn principal(dice: &mut Dice) -> (Value, Vec<Value>) {
    let account = if dice.wins(3, 4) { HOME } else { AWAY };
    let (user, root) = (
        format!("arn:aws:iam::{account}:user/alice"),
        format!("arn:aws:iam::{account}:root"),
    );
    let (role, session) = (
        format!("arn:aws:iam::{account}:role/team/ci"),
        format!("arn:aws:sts::{account}:assumed-role/ci/run"),
    );
    let federated = format!("arn:aws:sts::{account}:federated-user/bob");
    let provider = "arn:aws:iam::111122223333:oidc-provider/idp.example.com";
    let aws = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| json!({"AWS": text}))
            .collect::<Vec<_>>()
    };
    match dice.roll(10) {
        0..=2 => (
            json!({"type": "user", "arn": user, "account": account, "unique_id": "AIDAEXAMPLEALICE00001"}),
            aws(&[&user, &root, account, "AIDAEXAMPLEALICE00001"]),
        ),
        3..=5 => (
            json!({"type": "role_session", "arn": session, "role_arn": role, "account": account, "unique_id": "AROAEXAMPLEROLEID0001"}),
            aws(&[&session, &role, &root, "AROAEXAMPLEROLEID0001"]),
        ),
        6 => (
            json!({"type": "federated_user", "arn": federated, "user_arn": user, "account": account}),
            aws(&[&federated, &user, account]),
        ),
        7 => (
            json!({"type": "root", "arn": root, "account": account}),
            aws(&[&root, account]),
        ),
        8 if dice.wins(1, 2) => (
            json!({"type": "service", "service": "ecr.amazonaws.com"}),
            vec![json!({"Service": "ecr.amazonaws.com"})],
        ),
        8 => (json!({"type": "anonymous"}), aws(&["*"])),
        _ => (
            json!({"type": "federated_identity", "provider": provider, "account": HOME}),
            vec![json!({"Federated": provider})],
        ),
    }
}

fn context(dice: &mut Dice) -> (Map<String, Value>, Vec<String>) {
    let (mut context, mut unknown) = (Map::new(), Vec::new());
    for (key, values) in KEYS {
        let name = recased(dice, key);
        match dice.roll(8) {
            0..=3 => {
                let _ = context.insert(name, json!(dice.pick(values)));
            }
            4 => {
                let several = dice.some(0, 3, |dice| dice.pick(values));
                let _ = context.insert(name, json!(several));
            }
            5 => unknown.push(name),
            _ => {}
        }
    }
    (context, unknown)
}

/// Whether and whom the statements of a policy name.
#[derive(Clone, Copy, PartialEq)]
enum Principals {
    None,
    Some,
    Everyone,
}

/// What the policies of a case are made of.
struct Words<'a> {
    names: &'a [Value],
    resource: &'a str,
}

impl Words<'_> {
    fn policy(&self, dice: &mut Dice, principals: Principals) -> Value {
        // Now and then so many that they are indexed.
        let most = if dice.wins(1, 8) { 20 } else { 4 };
        let statements = dice.some(0, most, |dice| self.statement(dice, principals));
        let mut policy = json!({"Statement": statements});
        match dice.roll(8) {
            0 => {}
            1 => policy["Version"] = json!("2008-10-17"),
            2 => policy["Version"] = json!(dice.pick(&["2012-10-17", "2020-01-01"])),
            _ => policy["Version"] = json!("2012-10-17"),
        }
        policy
    }

    fn statement(&self, dice: &mut Dice, principals: Principals) -> Value {
        let mut statement = Map::new();
        let effect = if dice.wins(3, 4) { "Allow" } else { "Deny" };
        statement.insert("Effect".to_owned(), json!(effect));
        let action = if dice.wins(9, 10) {
            "Action"
        } else {
            "NotAction"
        };
        statement.insert(action.to_owned(), one_or_more(dice, 3, action_pattern));
        if principals == Principals::Some && dice.wins(1, 2) || dice.wins(1, 40) {
            // Implied.
        } else {
            let name = if dice.wins(9, 10) {
                "Resource"
            } else {
                "NotResource"
            };
            let values = one_or_more(dice, 3, |dice| self.resource_pattern(dice));
            statement.insert(name.to_owned(), values);
        }
        match principals {
            Principals::Some => {
                let exempt = effect == "Deny" && dice.wins(1, 3) || dice.wins(1, 40);
                let name = if exempt { "NotPrincipal" } else { "Principal" };
                statement.insert(name.to_owned(), self.principals(dice));
            }
            Principals::Everyone => {
                statement.insert("Principal".to_owned(), json!("*"));
            }
            Principals::None if dice.wins(1, 60) => {
                statement.insert("Principal".to_owned(), json!("*"));
            }
            Principals::None => {}
        }
        if dice.wins(1, 2) {
            statement.insert("Condition".to_owned(), conditions(dice));
        }
        if dice.wins(1, 60) {
            statement.insert(dice.pick(&["Extra", "action", "Sid"]).to_owned(), json!(1));
        }
        Value::Object(statement)
    }

    fn resource_pattern(&self, dice: &mut Dice) -> Value {
        let base = if dice.wins(3, 4) {
            self.resource
        } else {
            dice.pick(RESOURCES)
        };
        let prefix: String = base.chars().take(dice.roll(base.len() + 1)).collect();
        let team = base.replace(
            "team-a",
            dice.pick(&[
                "${aws:PrincipalTag/Team}",
                "${aws:username, 'team-a'}",
                "team-${*}",
                "${k:None}",
                "t*a",
                "team-?",
            ]),
        );
        json!(match dice.roll(12) {
            0..=2 => base.to_owned(),
            3 | 4 => "*".to_owned(),
            5 | 6 => format!("{prefix}*"),
            7 => team,
            8 => base.replace(
                dice.pick(&["us-east-1", "111122223333", "ecr", "repository/"]),
                "*"
            ),
            9 => recased(dice, base),
            10 => base.replacen(dice.pick(&["a", "1", ":", "/"]), "?", 1),
            _ => dice
                .pick(&[
                    "arn:aws:ecr:*:repository/*",
                    "arn:*",
                    "repo",
                    "arn:aws:ecr:${aws:username}:*:*",
                    "arn:aws:ecr:*:*:*"
                ])
                .to_owned(),
        })
    }

    fn principals(&self, dice: &mut Dice) -> Value {
        if dice.wins(1, 5) {
            return json!(dice.pick(&["*", "*", "alice"]));
        }
        let mut principals: Map<String, Value> = Map::new();
        let chosen = dice.some(1, 4, |dice| match dice.roll(12) {
            0 => json!({"AWS": "*"}),
            1 => json!({"AWS": AWAY}),
            2 => json!({"AWS": "arn:aws:iam::111122223333:user/Alice"}),
            3 => json!({"AWS": "arn:aws-cn:iam::111122223333:root"}),
            4 => json!({"Service": "ecr.amazonaws.com"}),
            5 => json!({"CanonicalUser": "x"}),
            _ => self.names[dice.roll(self.names.len())].clone(),
        });
        for entry in chosen {
            for (kind, value) in entry.as_object().unwrap() {
                let list = principals.entry(kind.clone()).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(value.clone());
            }
        }
        Value::Object(principals)
    }
}

fn action_pattern(dice: &mut Dice) -> Value {
    let action = dice.pick(ACTIONS);
    let prefix = &action[..dice.roll(action.len() + 1)];
    json!(match dice.roll(10) {
        0..=2 => action.to_owned(),
        3 => "*".to_owned(),
        4 | 5 => "ecr:*".to_owned(),
        6 => format!("{prefix}*"),
        7 => recased(dice, action),
        8 => action.replacen(dice.pick(&["a", "G", ":", "I"]), dice.pick(&["?", "*"]), 1),
        _ => dice
            .pick(&[
                "ecr",
                "e*:PutImage",
                "ecr:",
                "ecr:Batch*Image",
                "*:*",
                "ecr:K\u{212a}"
            ])
            .to_owned(),
    })
}

fn conditions(dice: &mut Dice) -> Value {
    let mut block: Map<String, Value> = Map::new();
    for _ in 0..=dice.roll(2) {
        let set = dice.pick(&["", "", "", "ForAllValues:", "ForAnyValue:"]);
        let suffix = dice.pick(&["", "", "", "IfExists"]);
        let operator = format!("{set}{}{suffix}", dice.pick(OPERATORS));
        let operator = if dice.wins(1, 8) {
            recased(dice, &operator)
        } else {
            operator
        };
        let (key, own) = KEYS[dice.roll(KEYS.len())];
        let key = recased(dice, key);
        let values = one_or_more(dice, 3, |dice| match dice.roll(10) {
            0..=4 => json!(dice.pick(own)),
            5 => json!(true),
            6 => json!(10),
            _ => json!(dice.pick(VALUES)),
        });
        let keys = block.entry(operator).or_insert_with(|| json!({}));
        keys[key] = values;
    }
    Value::Object(block)
}

fn one_or_more(dice: &mut Dice, most: usize, make: impl FnMut(&mut Dice) -> Value) -> Value {
    let least = usize::from(dice.wins(39, 40));
    let mut values = dice.some(least, most, make);
    match values.len() {
        1 if dice.wins(1, 2) => values.remove(0),
        _ => json!(values),
    }
}

/// The text, now and then with another case somewhere.
fn recased(dice: &mut Dice, text: &str) -> String {
    if dice.wins(3, 4) {
        return text.to_owned();
    }
    let flip = |c: char| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    text.chars()
        .map(|c| if dice.wins(1, 6) { flip(c) } else { c })
        .collect()
}
