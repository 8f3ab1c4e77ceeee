//! docker's `config.json`, in which podman, skopeo, buildah and crane look too.
//!
//! Everything in it that is not ours stays as it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Password;
use crate::cli::Failure;
use crate::files;

/// How large the file may be, in bytes.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// The file's members that we change.
const STORED: &str = "auths";
const ASKED: &str = "credHelpers";

/// The file as it is now.
pub(super) struct DockerConfig {
    path: PathBuf,
    members: Map<String, Value>,
}

impl DockerConfig {
    /// Reads the file in `DOCKER_CONFIG`, or in `~/.docker`. `variable` gives the environment.
    pub(super) fn load(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let home = || variable("HOME").map(|home| Path::new(&home).join(".docker"));
        let directory = variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
        let Some(directory) = directory else {
            let problem = "neither DOCKER_CONFIG nor HOME says where docker's 'config.json' is";
            return Err(Failure::usage(problem));
        };
        let path = directory.join("config.json");
        // What a link names is replaced, not the link.
        let path = path.canonicalize().unwrap_or(path);
        let unusable = |problem: &str| {
            let path = path.display();
            Failure::failed(format!("cannot use '{path}': {problem}"))
        };
        let text = files::read(&path, FILE_LIMIT).map_err(|e| unusable(&e.to_string()))?;
        let members = match text.as_deref().map(str::trim) {
            None | Some("") => Map::new(),
            Some(text) => match serde_json::from_str(text) {
                Ok(Value::Object(members)) => members,
                Ok(_) => return Err(unusable("it is not a JSON object")),
                Err(error) => return Err(unusable(&error.to_string())),
            },
        };
        Ok(Self { path, members })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Has the helper asked for the passwords of `host`.
    pub(super) fn ask_helper(&mut self, host: &str) -> Result<(), Failure> {
        self.remove(STORED, host);
        self.insert(ASKED, host, json!("bonded"))?;
        self.write()
    }

    /// Stores the password of `host`.
    pub(super) fn store(&mut self, host: &str, password: &Password) -> Result<(), Failure> {
        let pair = format!("{}:{}", password.user, password.secret.expose());
        self.remove(ASKED, host);
        self.insert(STORED, host, json!({"auth": STANDARD.encode(pair)}))?;
        self.write()
    }

    /// Forgets `host`; says whether it was there.
    pub(super) fn forget(&mut self, host: &str) -> Result<bool, Failure> {
        let found = self.remove(STORED, host) | self.remove(ASKED, host);
        if found {
            self.write()?;
        }
        Ok(found)
    }

    fn insert(&mut self, member: &str, host: &str, value: Value) -> Result<(), Failure> {
        let entries = self.members.entry(member).or_insert_with(|| json!({}));
        let Value::Object(entries) = entries else {
            let path = self.path.display();
            return Err(Failure::failed(format!(
                "'{member}' in '{path}' is not an object"
            )));
        };
        entries.insert(host.to_owned(), value);
        Ok(())
    }

    fn remove(&mut self, member: &str, host: &str) -> bool {
        let entries = self.members.get_mut(member).and_then(Value::as_object_mut);
        entries.is_some_and(|entries| entries.remove(host).is_some())
    }

    fn write(&self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::failed(format!("cannot write '{}': {error}", self.path.display()))
        };
        let mut text = zeroize::Zeroizing::new(
            serde_json::to_vec_pretty(&self.members).map_err(|error| failed(error.into()))?,
        );
        text.push(b'\n');
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        files::write(&self.path, &text, files::PRIVATE).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use bonded_model::{Secret, Timestamp};

    use super::*;

    #[test]
    fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        let variable =
            |name: &str| (name == "DOCKER_CONFIG").then(|| directory.path().as_os_str().to_owned());
        let load = || DockerConfig::load(variable);
        let read = || -> Value { serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap() };
        let password = Password {
            user: "AWS".to_owned(),
            secret: Secret::new("token".to_owned()),
            expires_at: Timestamp::from_millis(0),
        };
        load().unwrap().ask_helper("a:1").unwrap();
        assert_eq!(read(), json!({"credHelpers": {"a:1": "bonded"}}));
        let foreign = r#"{"psFormat": "x", "auths": {"docker.io": {"auth": "y"}}}"#;
        std::fs::write(&file, foreign).unwrap();
        load().unwrap().store("a:1", &password).unwrap();
        let auths = json!({"docker.io": {"auth": "y"}, "a:1": {"auth": "QVdTOnRva2Vu"}});
        assert_eq!(read(), json!({"psFormat": "x", "auths": auths}));
        load().unwrap().ask_helper("a:1").unwrap();
        assert!(load().unwrap().forget("a:1").unwrap());
        assert!(!load().unwrap().forget("a:1").unwrap());
        let auths = json!({"docker.io": {"auth": "y"}});
        assert_eq!(
            read(),
            json!({"psFormat": "x", "auths": auths, "credHelpers": {}})
        );
        for broken in ["[]", "{", r#"{"credHelpers": []}"#] {
            std::fs::write(&file, broken).unwrap();
            assert!(
                load()
                    .and_then(|mut config| config.ask_helper("a"))
                    .is_err()
            );
            assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
        }
    }
}
