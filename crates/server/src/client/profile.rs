//! The files in which AWS tools keep profiles.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::files;

/// How large a file of profiles may be, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// What `~/.aws/credentials` and `~/.aws/config` say; an unreadable file says nothing.
pub(super) struct Profiles {
    credentials: String,
    config: String,
}

impl Profiles {
    /// Reads the files, which `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` may name.
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let file = |name: &str, default: &str| {
            let home = || variable("HOME").map(|home| Path::new(&home).join(default));
            let path = variable(name).map(PathBuf::from).or_else(home)?;
            files::read(&path, FILE_LIMIT).ok().flatten()
        };
        Self {
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")
                .unwrap_or_default(),
            config: file("AWS_CONFIG_FILE", ".aws/config").unwrap_or_default(),
        }
    }

    /// The value of `key` in the profile `name`: the credentials file comes first.
    pub(super) fn value(&self, name: &str, key: &str) -> Option<String> {
        let in_config = match name {
            "default" => name.to_owned(),
            name => format!("profile {name}"),
        };
        let found = value_of(&self.credentials, name, key);
        found
            .or_else(|| value_of(&self.config, &in_config, key))
            .map(str::to_owned)
    }
}

/// The value of `key` in the section `[section]`.
fn value_of<'a>(text: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    let header = |line: &str| {
        let name = line.strip_prefix('[')?.strip_suffix(']')?;
        Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    lines
        .by_ref()
        .find(|line| header(line).is_some_and(|name| name == section))?;
    let entries = lines.take_while(|line| !line.starts_with('['));
    let mut pairs = entries.filter_map(|line| line.split_once('='));
    pairs
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_file_comes_before_the_config_file() {
        let profiles = Profiles {
            credentials: "# c\n[default]\naws_access_key_id = D\n[ ci ]\n  key =  a=b/c \n"
                .to_owned(),
            config: "[default]\nregion=r\n[profile  ci]\nkey = other\nrole_arn = arn\n".to_owned(),
        };
        for (name, key, want) in [
            ("default", "aws_access_key_id", Some("D")),
            ("default", "region", Some("r")),
            ("ci", "key", Some("a=b/c")),
            ("ci", "role_arn", Some("arn")),
            ("ci", "absent", None),
            ("absent", "key", None),
            ("profile ci", "role_arn", None),
        ] {
            assert_eq!(profiles.value(name, key).as_deref(), want, "{name} {key}");
        }
    }
}
