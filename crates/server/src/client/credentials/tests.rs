use std::collections::HashMap;
use std::fs;

use super::*;

const CREDENTIALS: &str = "\
    # comment\n[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = D\n\
    [ ci ]\naws_access_key_id=CI\n  aws_secret_access_key =  a=b/c \naws_session_token = t\n\
    [half]\naws_access_key_id = H\n[ok]\naws_secret_access_key = x\n";

const CONFIG: &str = "\
    [profile prod]\nrole_arn = arn:prod\nsource_profile = ci\nexternal_id = x\n\
    [profile self]\nrole_arn = arn:self\nsource_profile = self\naws_access_key_id = S\n\
    aws_secret_access_key = s\n\
    [profile env]\nrole_arn = arn:env\ncredential_source = EcsContainer\n\
    [profile ec2]\nrole_arn = arn:ec2\ncredential_source = Ec2InstanceMetadata\n\
    [profile web]\nrole_arn = arn:web\nweb_identity_token_file = /token\n\
    [profile none]\nrole_arn = arn:none\n\
    [profile a]\nrole_arn = arn:a\nsource_profile = b\n\
    [profile b]\nrole_arn = arn:b\nsource_profile = a\n";

/// What a source is, as a word.
fn shown(source: &Source) -> String {
    match source {
        Source::Key(key) => {
            let token = key.session_token.as_ref().map_or("", Secret::expose);
            let secret = key.secret_access_key.expose();
            format!("{} {secret} {token}", key.access_key_id)
        }
        Source::Role { role_arn, with, .. } => format!("{role_arn} with {}", shown(with)),
        Source::WebIdentity {
            role_arn, token, ..
        } => match token {
            Token::File(path) => format!("{role_arn} by {}", path.display()),
            Token::Given(token) => format!("{role_arn} by the token {}", token.expose()),
        },
        Source::Container { endpoint, path, .. } => format!("{endpoint} {path}"),
        Source::Instance { endpoint } => format!("the machine's by {endpoint}"),
    }
}

fn find(home: &Path, data: &Path, pairs: &[(&str, &str)]) -> Result<String, String> {
    let mut pairs: HashMap<&str, OsString> = pairs
        .iter()
        .map(|(name, value)| (*name, value.into()))
        .collect();
    pairs.insert("HOME", home.into());
    let variable = |name: &str| pairs.get(name).cloned();
    let profiles = Profiles::read(&variable);
    let named = variable("--profile");
    let is_named = named.is_some();
    let profile = named.or_else(|| variable("AWS_PROFILE"));
    let profile = profile.and_then(|name| name.into_string().ok());
    Source::find(data, &profiles, (profile.as_deref(), is_named), &variable)
        .map(|source| shown(&source))
        .map_err(|error| error.to_string())
}

#[test]
fn the_key_is_looked_for_where_aws_tools_look_and_then_in_the_data() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    fs::write(home.path().join(".aws/credentials"), CREDENTIALS).unwrap();
    fs::write(home.path().join(".aws/config"), CONFIG).unwrap();
    let data = tempfile::tempdir().unwrap();
    let key = AdministratorKey {
        access_key_id: "ADMIN".to_owned(),
        secret_access_key: Secret::new("s".to_owned()),
        account: "111122223333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    key.write(&AdministratorKey::path(data.path())).unwrap();
    let id = ("AWS_ACCESS_KEY_ID", "ENV");
    let secret = ("AWS_SECRET_ACCESS_KEY", "e");
    let token_file = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
    let role = ("AWS_ROLE_ARN", "arn:r");
    let relative = (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "/v2/credentials/1",
    );
    let full = |url| ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    let profile = |name| ("AWS_PROFILE", name);
    for (pairs, want) in [
        (vec![], Some("ADMIN s ")),
        (
            vec![id, secret, profile("ci"), token_file, role],
            Some("ENV e "),
        ),
        (
            vec![id, secret, ("AWS_SESSION_TOKEN", "t")],
            Some("ENV e t"),
        ),
        (vec![profile("ci")], Some("CI a=b/c t")),
        (
            vec![id, secret, profile("prod"), ("--profile", "ci")],
            Some("CI a=b/c t"),
        ),
        (vec![profile("default")], Some("DEFAULT D ")),
        (vec![profile("prod")], Some("arn:prod with CI a=b/c t")),
        (vec![profile("self")], Some("arn:self with S s ")),
        (
            vec![profile("env"), relative],
            Some("arn:env with http://169.254.170.2 /v2/credentials/1"),
        ),
        (vec![profile("web")], Some("arn:web by /token")),
        (vec![token_file, role], Some("arn:r by /t")),
        (
            vec![relative],
            Some("http://169.254.170.2 /v2/credentials/1"),
        ),
        (
            vec![full("http://127.0.0.1:9/a?b")],
            Some("http://127.0.0.1:9 /a?b"),
        ),
        (
            vec![full("https://a.example/x")],
            Some("https://a.example /x"),
        ),
        (vec![full("http://a.example/x")], None),
        (vec![full("nothing")], None),
        (vec![token_file], None),
        (vec![id], None),
        (vec![secret], None),
        (vec![profile("half")], None),
        (vec![profile("none")], None),
        (vec![profile("env")], None),
        (vec![profile("a")], None),
        (vec![profile("absent")], None),
    ] {
        let found = find(home.path(), data.path(), &pairs);
        assert_eq!(found.as_deref().ok(), want, "{pairs:?} {found:?}");
    }
    let absent = data.path().join("absent");
    assert_eq!(find(home.path(), &absent, &[]).as_deref(), Ok("DEFAULT D "));
}

#[test]
fn the_machine_is_asked_last_unless_that_is_turned_off() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    fs::write(&config, CONFIG).unwrap();
    let file = ("AWS_CONFIG_FILE", config.to_str().unwrap());
    let profile = ("AWS_PROFILE", "ec2");
    let elsewhere = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9/");
    let off = ("AWS_EC2_METADATA_DISABLED", "TRUE");
    for (pairs, want) in [
        (vec![], Some("the machine's by http://169.254.169.254")),
        (vec![elsewhere], Some("the machine's by http://127.0.0.1:9")),
        (
            vec![file, profile],
            Some("arn:ec2 with the machine's by http://169.254.169.254"),
        ),
        (vec![file, profile, off], None),
    ] {
        let found = find(home.path(), home.path(), &pairs);
        assert_eq!(found.as_deref().ok(), want, "{pairs:?} {found:?}");
    }
    let problem = find(home.path(), home.path(), &[off]).unwrap_err();
    assert!(problem.contains("AWS_ACCESS_KEY_ID"), "{problem}");
}
