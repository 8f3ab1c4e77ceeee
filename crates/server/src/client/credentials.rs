//! The access key a client signs with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bonded_model::Secret;

use super::ClientError;
use crate::administrator::AdministratorKey;
use crate::files;

/// How large a file of profiles may be, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// An access key.
pub(super) struct Credentials {
    /// `AKIA…` or `ASIA…`
    pub(super) access_key_id: String,
    /// The secret.
    pub(super) secret_access_key: Secret,
    /// The token of a temporary key.
    pub(super) session_token: Option<Secret>,
}

impl Credentials {
    /// The key of the environment, else of the profile it names, else of the administrator of the
    /// server on `data`.
    pub(super) fn find(
        data: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ClientError> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let secret = |name: &str| text(name).map(Secret::new);
        match (text("AWS_ACCESS_KEY_ID"), secret("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let session_token = secret("AWS_SESSION_TOKEN");
                return Ok(Self {
                    access_key_id,
                    secret_access_key,
                    session_token,
                });
            }
            (None, None) => {}
            _ => {
                let problem = "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither";
                return Err(ClientError::Settings(problem.to_owned()));
            }
        }
        if let Some(profile) = text("AWS_PROFILE") {
            let named = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
            let home = || variable("HOME").map(|home| Path::new(&home).join(".aws/credentials"));
            return Self::of_profile(&profile, named.or_else(home));
        }
        let path = AdministratorKey::path(data);
        match AdministratorKey::read(&path) {
            Ok(Some(key)) => Ok(Self {
                access_key_id: key.access_key_id,
                secret_access_key: key.secret_access_key,
                session_token: None,
            }),
            Ok(None) => Err(ClientError::Settings(
                "no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
                    .to_owned(),
            )),
            Err(error) => {
                let path = path.display();
                Err(ClientError::Settings(format!(
                    "cannot read the key in '{path}': {error}"
                )))
            }
        }
    }

    fn of_profile(profile: &str, path: Option<PathBuf>) -> Result<Self, ClientError> {
        let shown = profile.escape_debug();
        let text = path
            .as_deref()
            .and_then(|path| files::read(path, FILE_LIMIT).ok().flatten());
        let value = |key| {
            text.as_deref()
                .and_then(|text| value_of(text, profile, key))
        };
        match (value("aws_access_key_id"), value("aws_secret_access_key")) {
            (Some(access_key_id), Some(secret)) => Ok(Self {
                access_key_id: access_key_id.to_owned(),
                secret_access_key: Secret::new(secret.to_owned()),
                session_token: value("aws_session_token").map(|t| Secret::new(t.to_owned())),
            }),
            _ => Err(ClientError::Settings(format!(
                "the profile '{shown}' has no key in '{}'; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                path.unwrap_or_else(|| "~/.aws/credentials".into())
                    .display()
            ))),
        }
    }
}

/// The value of `key` in the section `[profile]` of AWS's credentials file.
fn value_of<'a>(text: &'a str, profile: &str, key: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    let header = |line: &str| {
        let name = line.strip_prefix('[')?.strip_suffix(']')?;
        Some(name.trim().to_owned())
    };
    lines
        .by_ref()
        .find(|line| header(line).is_some_and(|name| name == profile))?;
    let entries = lines.take_while(|line| !line.starts_with('['));
    let mut pairs = entries.filter_map(|line| line.split_once('='));
    pairs
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: &str = "\
        # comment\n[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = D\n\
        [ ci ]\naws_access_key_id=CI\n  aws_secret_access_key =  a=b/c \naws_session_token = t\n\
        [half]\naws_access_key_id = H\n[ok]\naws_secret_access_key = x\n";

    fn find(pairs: &[(&str, &str)], data: &Path) -> Result<Credentials, String> {
        let variable = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        };
        Credentials::find(data, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn the_key_is_looked_for_where_aws_tools_look_and_then_in_the_data() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("profiles");
        std::fs::write(&file, PROFILES).unwrap();
        let file = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        let key = AdministratorKey {
            access_key_id: "ADMIN".to_owned(),
            secret_access_key: Secret::new("s".to_owned()),
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        key.write(&AdministratorKey::path(home.path())).unwrap();
        let id = ("AWS_ACCESS_KEY_ID", "ENV");
        let secret = ("AWS_SECRET_ACCESS_KEY", "e");
        let profile = |name| ("AWS_PROFILE", name);
        for (pairs, want) in [
            (vec![], Some(("ADMIN", "s", None))),
            (
                vec![id, secret, profile("ci"), file],
                Some(("ENV", "e", None)),
            ),
            (
                vec![id, secret, ("AWS_SESSION_TOKEN", "t")],
                Some(("ENV", "e", Some("t"))),
            ),
            (vec![profile("ci"), file], Some(("CI", "a=b/c", Some("t")))),
            (vec![profile("default"), file], Some(("DEFAULT", "D", None))),
            (vec![id], None),
            (vec![secret], None),
            (vec![profile("half"), file], None),
            (vec![profile("absent"), file], None),
            (vec![profile("ci")], None),
        ] {
            let found = find(&pairs, home.path());
            let found = found.as_ref().ok().map(|found| {
                let token = found.session_token.as_ref().map(Secret::expose);
                (
                    found.access_key_id.as_str(),
                    found.secret_access_key.expose(),
                    token,
                )
            });
            assert_eq!(found, want, "{pairs:?}");
        }
        let problem = find(&[], &home.path().join("absent")).err().unwrap();
        assert!(problem.contains("AWS_ACCESS_KEY_ID"), "{problem}");
    }
}
