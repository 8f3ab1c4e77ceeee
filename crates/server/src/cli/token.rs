//! `bonded token`: service tokens, made, listed and revoked with the caller's own key.

use bonded_registry::Clock;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::print::{self, clean};
use super::{Failure, OfHost, block_on};
use crate::client::Client;
use crate::config::variable;

/// The actions that a word of `--allow` stands for.
const WORDS: [(&str, &[&str]); 4] = [
    (
        "pull",
        &[
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchCheckLayerAvailability",
        ],
    ),
    (
        "push",
        &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:PutImage",
        ],
    ),
    ("list", &["ecr:ListImages"]),
    ("delete", &["ecr:BatchDeleteImage"]),
];

/// Make, list and revoke service tokens: passwords of users for machines that can renew none
///
/// A token may do on /v2 what its user may do, within the bounds it is made with.
#[derive(Args)]
pub(super) struct TokenCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print it, this once
///
/// The user name that goes with it is AWS.
#[derive(Args)]
struct Create {
    /// What it may be used for, of all that its user may do: pull, push, list, delete, or patterns
    /// of actions such as 'ecr:Describe*' [default: everything]
    #[arg(long, value_name = "ACTION,…", value_delimiter = ',')]
    allow: Vec<String>,

    /// The repositories it is for, as patterns of names such as 'team/*', or of ARNs
    /// [default: every one]
    #[arg(long, value_name = "PATTERN,…", value_delimiter = ',')]
    repository: Vec<String>,

    /// The networks it may be used from [default: every one]
    #[arg(long, value_name = "NET,…", value_delimiter = ',')]
    from: Vec<String>,

    /// When it ends: in so many days (90d), hours (12h), minutes or seconds, or never
    #[arg(long, value_name = "TIME", default_value = "90d")]
    expires: String,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    #[command(flatten)]
    of: OfUser,
}

/// List tokens with their bounds and when each was used last
#[derive(Args)]
struct List {
    /// Those of all users of the account
    #[arg(long, conflicts_with = "user")]
    all: bool,

    #[command(flatten)]
    of: OfUser,
}

/// Delete a token; it is refused from the next request on
#[derive(Args)]
struct Revoke {
    /// The id, ACCA…, which also stands in the token
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    of: OfUser,
}

/// Whose tokens, and where.
#[derive(Args)]
struct OfUser {
    /// The user whose token it is [default: the one who asks]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    host: OfHost,
}

impl OfUser {
    /// Calls an action of IAM; gives the XML of its answer.
    fn call(self, action: &str, parameters: &[(String, String)]) -> Result<String, Failure> {
        let data = self.host.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable)?;
        let mut form = vec![("Action", action), ("Version", "2010-05-08")];
        form.extend(self.user.as_deref().map(|user| ("UserName", user)));
        form.extend(parameters.iter().map(|(name, value)| (&**name, &**value)));
        let now = Clock::system().now();
        let answer = block_on(async {
            let answer = client.query("iam", &form, now).await;
            Ok(answer?)
        })?;
        let body = answer.success()?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create(create) => create.run(),
            Action::List(list) => list.run(),
            Action::Revoke(Revoke { id, of }) => {
                let answer = json!({ "id": id, "revoked": true });
                let sentence = format!("the token {id} is revoked");
                let parameters = [("ServiceSpecificCredentialId".to_owned(), id)];
                let output = of.host.output;
                of.call("DeleteServiceSpecificCredential", &parameters)?;
                output.done(&answer, sentence)
            }
        }
    }
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let mut parameters = vec![("ServiceName".to_owned(), "ecr.amazonaws.com".to_owned())];
        if let Some(seconds) = seconds(&self.expires)? {
            parameters.push(("DurationSeconds".to_owned(), seconds.to_string()));
        }
        let description = self
            .description
            .map(|text| ("Description".to_owned(), text));
        parameters.extend(description);
        let actions = actions(&self.allow)?;
        for (name, values) in [
            ("Actions", actions),
            ("Repositories", self.repository),
            ("SourceNetworks", self.from),
        ] {
            let member = |(i, value)| (format!("{name}.member.{}", i + 1), value);
            parameters.extend(values.into_iter().enumerate().map(member));
        }
        let output = self.of.host.output;
        let text = self
            .of
            .call("CreateServiceSpecificCredential", &parameters)?;
        let made: Created = read(&text)?;
        let made = made.result.credential;
        let end = made.expires.as_deref();
        let (id, user) = (&made.id, &made.user);
        output.note(format!(
            "the token {id} of the user '{user}' ends: {}; it is not shown again",
            end.unwrap_or("never")
        ));
        let answer = json!({
            "id": id, "user": user, "username": made.login,
            "password": made.password, "expires": end,
        });
        // What is shown once is shown to whoever wants nothing else, too.
        let password = |_: &_| vec![made.password.clone()];
        output.print(&answer, password, password)
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let mut parameters = vec![("MaxItems".to_owned(), "1000".to_owned())];
        if self.all {
            parameters.push(("AllUsers".to_owned(), "true".to_owned()));
        }
        let output = self.of.host.output;
        let text = self.of.call("ListServiceTokens", &parameters)?;
        let listed: Listed = read(&text)?;
        let tokens = listed.result.tokens.member;
        output.print(
            &tokens,
            |tokens| tokens.iter().flat_map(Token::lines).collect(),
            |tokens| tokens.iter().map(|token| token.id.clone()).collect(),
        )?;
        if listed.result.is_truncated {
            print::error("there are more than 1000; list those of one user");
        }
        Ok(())
    }
}

/// The patterns of actions that `--allow` means, each once.
fn actions(allow: &[String]) -> Result<Vec<String>, Failure> {
    let mut actions: Vec<String> = Vec::new();
    for word in allow {
        let known = WORDS.iter().find(|(name, _)| name == word);
        let meant: Vec<&str> = match known {
            Some((_, actions)) => actions.to_vec(),
            None if word.contains(':') => vec![word],
            None => {
                return Err(Failure::usage(format!(
                    "'{}' is none of pull, push, list, delete and no pattern of actions such as 'ecr:Describe*'",
                    clean(word)
                )));
            }
        };
        for action in meant {
            if !actions.iter().any(|known| known == action) {
                actions.push(action.to_owned());
            }
        }
    }
    Ok(actions)
}

/// A time such as `90d` in seconds; `None` for never.
fn seconds(text: &str) -> Result<Option<u32>, Failure> {
    if text == "never" {
        return Ok(None);
    }
    let wrong = || {
        Failure::usage(format!(
            "'{}' is not a time such as '90d' or '12h', nor 'never'",
            clean(text)
        ))
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor: u32 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number = text[..text.len() - 1].parse::<u32>().ok();
    let seconds = number.and_then(|number| number.checked_mul(factor));
    seconds
        .filter(|seconds| *seconds > 0)
        .map(Some)
        .ok_or_else(wrong)
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "CreateServiceSpecificCredentialResult")]
    result: CreatedResult,
}

#[derive(Deserialize)]
struct CreatedResult {
    #[serde(rename = "ServiceSpecificCredential")]
    credential: Credential,
}

#[derive(Deserialize)]
struct Credential {
    #[serde(rename = "ServiceSpecificCredentialId")]
    id: String,
    #[serde(rename = "UserName")]
    user: String,
    #[serde(rename = "ServiceUserName")]
    login: String,
    #[serde(rename = "ServicePassword")]
    password: String,
    #[serde(rename = "ExpirationDate")]
    expires: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "ListServiceTokensResult")]
    result: ListedResult,
}

#[derive(Deserialize)]
struct ListedResult {
    #[serde(rename = "ServiceTokens")]
    tokens: Members<Token>,
    #[serde(rename = "IsTruncated")]
    is_truncated: bool,
}

#[derive(Deserialize)]
struct Members<T> {
    #[serde(default = "Vec::new")]
    member: Vec<T>,
}

/// A token as the server tells of it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
struct Token {
    id: String,
    user_name: String,
    status: String,
    #[serde(default)]
    description: String,
    #[serde(deserialize_with = "members")]
    actions: Vec<String>,
    #[serde(deserialize_with = "members")]
    repositories: Vec<String>,
    #[serde(deserialize_with = "members")]
    source_networks: Vec<String>,
    create_date: String,
    expiration_date: Option<String>,
    last_used_date: Option<String>,
    last_used_region: Option<String>,
}

fn members<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Members::deserialize(deserializer).map(|list| list.member)
}

impl Token {
    fn lines(&self) -> Vec<String> {
        let all = |texts: &[String], nothing: &str| match texts {
            [] => nothing.to_owned(),
            texts => texts.join(", "),
        };
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "never".to_owned());
        let mut lines = vec![format!(
            "{}  {}  {}  ends: {}  last used: {}",
            self.id,
            self.user_name,
            self.status,
            or(&self.expiration_date),
            or(&self.last_used_date),
        )];
        if !self.description.is_empty() {
            lines.push(format!("    for           {}", self.description));
        }
        lines.push(format!("    actions       {}", all(&self.actions, "all")));
        lines.push(format!(
            "    repositories  {}",
            all(&self.repositories, "all")
        ));
        lines.push(format!(
            "    from          {}",
            all(&self.source_networks, "everywhere")
        ));
        lines
    }
}

fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Failure> {
    quick_xml::de::from_str(text)
        .map_err(|error| Failure::failed(format!("the server's answer is not IAM's: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, want) in [
            ("never", Some(None)),
            ("90d", Some(Some(7_776_000))),
            ("12h", Some(Some(43_200))),
            ("1s", Some(Some(1))),
            ("0d", None),
            ("", None),
            ("d", None),
            ("90", None),
            ("-1d", None),
            ("50000d", None),
            ("1ü", None),
        ] {
            assert_eq!(seconds(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn words_stand_for_actions() {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            actions(&words).ok()
        };
        assert_eq!(words(&["pull", "push"]).unwrap().len(), 7, "one is in both");
        assert_eq!(words(&["ecr:List*"]).unwrap(), ["ecr:List*"]);
        assert_eq!(words(&[]).unwrap().len(), 0);
        assert_eq!(words(&["read"]), None);
    }

    #[test]
    fn a_token_is_read_with_and_without_bounds() {
        let token = "<member><Id>A</Id><UserName>ci</UserName><Status>Active</Status>\
            <Description/><Actions><member>ecr:*</member></Actions><Repositories/>\
            <SourceNetworks/><CreateDate>c</CreateDate></member>";
        let text = format!(
            "<ListServiceTokensResponse><ListServiceTokensResult><ServiceTokens>{token}{token}\
             </ServiceTokens><IsTruncated>false</IsTruncated></ListServiceTokensResult>\
             </ListServiceTokensResponse>"
        );
        let listed: Listed = read(&text).unwrap();
        let tokens = listed.result.tokens.member;
        assert_eq!(tokens.len(), 2);
        assert_eq!(tokens[0].actions, ["ecr:*"]);
        assert!(tokens[0].repositories.is_empty());
        let none = "<ListServiceTokensResponse><ListServiceTokensResult><ServiceTokens/>\
            <IsTruncated>false</IsTruncated></ListServiceTokensResult></ListServiceTokensResponse>";
        let listed: Listed = read(none).unwrap();
        assert!(listed.result.tokens.member.is_empty());
    }
}
