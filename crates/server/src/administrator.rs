//! The key of an account's first administrator, as JSON.

use std::io;
use std::path::{Path, PathBuf};

use bonded_model::{AccountId, Region, Secret};
use bonded_registry::FirstAdministrator;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files;

/// How large the file may be, in bytes.
const LIMIT: u64 = 16 * 1024;

/// An access key with what a client needs beside it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AdministratorKey {
    /// The access key id.
    pub(crate) access_key_id: String,
    /// The secret access key.
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(crate) secret_access_key: Secret,
    /// Whose it is.
    pub(crate) account: AccountId,
    /// The server's default region.
    pub(crate) region: Region,
}

impl AdministratorKey {
    /// The key of `administrator` for a server whose default region is `region`.
    pub(crate) fn new(administrator: FirstAdministrator, region: Region) -> Self {
        let FirstAdministrator {
            account,
            access_key_id,
            secret_access_key,
        } = administrator;
        Self {
            access_key_id,
            secret_access_key,
            account,
            region,
        }
    }

    /// The place of the file in the data directory.
    pub(crate) fn path(data: &Path) -> PathBuf {
        data.join("administrator.json")
    }

    /// Writes the file, for its owner alone.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = zeroize::Zeroizing::new(serde_json::to_vec_pretty(self)?);
        text.push(b'\n');
        files::write(path, &text, files::PRIVATE)
    }

    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read or is not such a file.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = files::read(path, LIMIT)?.map(zeroize::Zeroizing::new);
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }
}

fn expose<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn hide<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_written_for_its_owner_alone_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = AdministratorKey::path(directory.path());
        assert!(AdministratorKey::read(&path).unwrap().is_none());
        let key = AdministratorKey {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: Secret::new("secret".to_owned()),
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        key.write(&path).unwrap();
        let text: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let want = serde_json::json!({
            "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret",
            "Account": "111122223333", "Region": "us-east-1",
        });
        assert_eq!(text, want);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = AdministratorKey::read(&path).unwrap().unwrap();
        assert!(read.secret_access_key == key.secret_access_key);
    }
}
