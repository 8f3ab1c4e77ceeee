//! docker's `config.json`, in which podman, skopeo, buildah and crane look too.
//!
//! Everything in it that is not ours stays as it is.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Password;
use crate::cli::Failure;
use crate::files;

/// How large the file may be, in bytes.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// The file's members that we change.
const STORED: &str = "auths";
const ASKED: &str = "credHelpers";

/// The program that is asked about every other host.
const ASKED_OF_ALL: &str = "credsStore";

/// Where docker keeps the password of its own hub.
const HUB: [&str; 3] = ["docker.io", "registry-1.docker.io", "index.docker.io"];

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
        Self::read(directory.join("config.json"))
    }

    /// Reads the file at `path`; one that is not there is empty.
    pub(super) fn read(path: PathBuf) -> Result<Self, Failure> {
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

    /// User and password of `host`, from the program that is asked for them or as they are stored.
    ///
    /// # Errors
    /// The program cannot be run; what is stored is none.
    pub(super) fn password(&self, host: &str) -> Result<Option<(String, Secret)>, Failure> {
        let mut names = vec![
            host.to_owned(),
            format!("https://{host}"),
            format!("https://{host}/v1/"),
        ];
        if HUB.contains(&host) {
            names.push("https://index.docker.io/v1/".to_owned());
        }
        let of = |member: &str, name: &str| self.members.get(member)?.get(name).cloned();
        for name in &names {
            let own = of(ASKED, name);
            let program = own.or_else(|| self.members.get(ASKED_OF_ALL).cloned());
            if let Some(program) = program.as_ref().and_then(Value::as_str)
                && let Some(pair) = ask(program, name)?
            {
                return Ok(Some(pair));
            }
            let stored = of(STORED, name).unwrap_or_default();
            let text = |member: &str| stored[member].as_str().filter(|text| !text.is_empty());
            if text("identitytoken").is_some() {
                return Err(Failure::usage(format!(
                    "docker has an identity token for '{host}', by which we cannot ask: log in with a password"
                )));
            }
            if let Some(pair) = text("auth") {
                let decoded = STANDARD.decode(pair).ok();
                let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
                let (user, password) = pair.ok_or_else(|| {
                    let path = self.path.display();
                    Failure::failed(format!(
                        "'auth' of '{name}' in '{path}' is no user and password"
                    ))
                })?;
                return Ok(Some((user.to_owned(), Secret::new(password.to_owned()))));
            }
        }
        Ok(None)
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

/// Asks `docker-credential-PROGRAM` for user and password; `None` if it has none.
fn ask(program: &str, name: &str) -> Result<Option<(String, Secret)>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let program = format!("docker-credential-{program}");
    let failed = |problem: &dyn std::fmt::Display| {
        Failure::failed(format!("'{program} get' failed: {problem}"))
    };
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    if let Some(mut input) = child.stdin.take() {
        // One that ends without reading says so by its status.
        let _ = input.write_all(name.as_bytes());
    }
    let done = child.wait_with_output().map_err(|error| failed(&error))?;
    if !done.status.success() {
        // So they say that they have none, with a text of their own.
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(&done.stdout).map_err(|error| failed(&error))?;
    Ok(Some((answer.username, Secret::new(answer.secret))))
}

#[cfg(test)]
mod tests {
    use bonded_model::Timestamp;

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
        let stored = r#"{"auths": {"https://b": {"auth": "dTpw"}, "c": {"auth": "dTp"}, "d": {"identitytoken": "t"}}}"#;
        std::fs::write(&file, stored).unwrap();
        let found = load().unwrap().password("b").unwrap();
        let (user, secret) = found.unwrap();
        assert_eq!((user.as_str(), secret.expose()), ("u", "p"));
        assert!(load().unwrap().password("a").unwrap().is_none());
        assert!(load().unwrap().password("c").is_err() && load().unwrap().password("d").is_err());
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
