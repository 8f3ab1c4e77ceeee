//! The host's operator, who is no principal of any account: a Unix socket in the data directory.
//!
//! Whoever may open the socket (its owner alone: mode 0600 in a directory of mode 0700) may make
//! accounts. A connection carries one request and one answer, each a line of JSON. The lock beside
//! the socket holds off a second server on the same directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_model::AccountId;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::administrator::AdministratorKey;
use crate::files;

/// How long a line may be, in bytes.
const LINE_LIMIT: u64 = 16 * 1024;

/// How long the server waits for a request.
const REQUEST_TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long the command waits for an answer.
const ANSWER_TIME_LIMIT: Duration = Duration::from_secs(60);

/// What the operator may ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// A new account with its first administrator.
    CreateAccount(AccountId),
}

/// What the operator gets.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The key of the new account's administrator, shown this once.
    Created(AdministratorKey),
    /// Why not.
    Error(String),
}

/// Why the socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// Another server has the directory.
    #[error("another server uses the data directory '{}'; stop it, or choose another directory", .0.display())]
    InUse(PathBuf),
    /// No server has the directory.
    #[error("no server runs on the data directory '{}'; start it with 'bonded serve', or name another with --data", .0.display())]
    NotRunning(PathBuf),
    /// Socket or lock cannot be made.
    #[error("cannot use '{}': {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("cannot talk to the server: {0}")]
    Talk(#[from] io::Error),
}

/// A data directory that no other server uses while this lives.
pub(crate) struct Claim {
    socket: PathBuf,
    _lock: File,
}

impl Claim {
    /// Claims the directory `data`, which exists.
    ///
    /// # Errors
    /// [`OperatorError::InUse`], or the lock cannot be made.
    pub(crate) fn take(data: &Path) -> Result<Self, OperatorError> {
        let path = data.join("operator.lock");
        let failed = |source| OperatorError::File {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = options.mode(files::PRIVATE).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                socket: socket(data),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OperatorError::InUse(data.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Makes the socket, in place of one that a server before left behind.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn listen(&self) -> Result<UnixListener, OperatorError> {
        let failed = |source| OperatorError::File {
            path: self.socket.clone(),
            source,
        };
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket).map_err(failed)?;
        let owner_only = fs::Permissions::from_mode(files::PRIVATE);
        fs::set_permissions(&self.socket, owner_only).map_err(failed)?;
        Ok(listener)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What stays behind is replaced by the next server.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Answers the operator's requests, one after the other and for ever: `create` makes an account,
/// or says why not.
pub(crate) async fn serve<F, A>(listener: UnixListener, create: F)
where
    F: Fn(AccountId) -> A,
    A: Future<Output = Result<AdministratorKey, String>>,
{
    loop {
        let served = match listener.accept().await {
            Ok((stream, _)) => converse(stream, &create).await,
            Err(error) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(error)
            }
        };
        if let Err(error) = served {
            tracing::warn!(%error, "a request of the operator failed");
        }
    }
}

async fn converse<F, A>(mut stream: UnixStream, create: &F) -> io::Result<()>
where
    F: Fn(AccountId) -> A,
    A: Future<Output = Result<AdministratorKey, String>>,
{
    let line = timeout(REQUEST_TIME_LIMIT, line(&mut stream)).await??;
    let answer = match serde_json::from_slice(&line) {
        Ok(Request::CreateAccount(account)) => match create(account).await {
            Ok(key) => Answer::Created(key),
            Err(problem) => Answer::Error(problem),
        },
        Err(error) => Answer::Error(format!("the request is not understood: {error}")),
    };
    let mut text = zeroize::Zeroizing::new(serde_json::to_vec(&answer)?);
    text.push(b'\n');
    stream.write_all(&text).await
}

/// Sends `request` to the server that runs on `data`.
///
/// # Errors
/// [`OperatorError::NotRunning`] or [`OperatorError::Talk`].
pub(crate) async fn call(data: &Path, request: &Request) -> Result<Answer, OperatorError> {
    let mut stream =
        UnixStream::connect(socket(data))
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    OperatorError::NotRunning(data.to_owned())
                }
                _ => error.into(),
            })?;
    let mut text = serde_json::to_vec(request).map_err(io::Error::from)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    let answer = timeout(ANSWER_TIME_LIMIT, line(&mut stream)).await;
    let answer = zeroize::Zeroizing::new(answer.map_err(io::Error::from)??);
    Ok(serde_json::from_slice(&answer).map_err(io::Error::from)?)
}

/// One line, with its end.
async fn line(stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream).take(LINE_LIMIT);
    reader.read_until(b'\n', &mut line).await?;
    match line.last() {
        Some(b'\n') => Ok(line),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn socket(data: &Path) -> PathBuf {
    data.join("operator.sock")
}

#[cfg(test)]
mod tests {
    use bonded_model::Secret;

    use super::*;

    async fn create(account: AccountId) -> Result<AdministratorKey, String> {
        if account.as_str() == "000000000000" {
            return Err("the account exists".to_owned());
        }
        Ok(AdministratorKey {
            access_key_id: format!("AKIA{account}"),
            secret_access_key: Secret::new("secret".to_owned()),
            account,
            region: "us-east-1".parse().unwrap(),
        })
    }

    #[tokio::test]
    async fn the_operator_makes_an_account() {
        let data = tempfile::tempdir().unwrap();
        let claim = Claim::take(data.path()).unwrap();
        let server = tokio::spawn(serve(claim.listen().unwrap(), create));
        let request = |account: &str| Request::CreateAccount(account.parse().unwrap());
        let Answer::Created(key) = call(data.path(), &request("222222222222")).await.unwrap()
        else {
            panic!("refused");
        };
        assert_eq!(key.access_key_id, "AKIA222222222222");
        let Answer::Error(problem) = call(data.path(), &request("000000000000")).await.unwrap()
        else {
            panic!("made");
        };
        assert_eq!(problem, "the account exists");
        let mode = fs::metadata(socket(data.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        server.abort();
    }

    #[tokio::test]
    async fn what_is_not_a_request_is_answered_and_leaves_the_server_alive() {
        let data = tempfile::tempdir().unwrap();
        let claim = Claim::take(data.path()).unwrap();
        let server = tokio::spawn(serve(claim.listen().unwrap(), create));
        for (text, answered) in [
            ("{}\n", true),
            ("{\"create_account\":\"12\"}\n", true),
            ("{\"create_account\":\"222222222222\",\"x\":1}\n", true),
            ("no end", false),
            (&("x".repeat(20_000) + "\n"), false),
        ] {
            let mut stream = UnixStream::connect(socket(data.path())).await.unwrap();
            // The server may hang up before it has read everything.
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            assert_eq!(answer.starts_with("{\"error\":"), answered, "{answer}");
            assert!(!answer.contains("created"), "{answer}");
        }
        assert!(!server.is_finished());
        server.abort();
    }

    #[tokio::test]
    async fn one_server_at_a_time_uses_a_directory() {
        let data = tempfile::tempdir().unwrap();
        let request = Request::CreateAccount("222222222222".parse().unwrap());
        let result = call(data.path(), &request).await;
        assert!(matches!(result, Err(OperatorError::NotRunning(_))));
        let claim = Claim::take(data.path()).unwrap();
        assert!(matches!(
            Claim::take(data.path()),
            Err(OperatorError::InUse(_))
        ));
        let listener = claim.listen().unwrap();
        drop((claim, listener));
        // What a killed server leaves behind.
        drop(std::os::unix::net::UnixListener::bind(socket(data.path())).unwrap());
        let result = call(data.path(), &request).await;
        assert!(matches!(result, Err(OperatorError::NotRunning(_))));
        Claim::take(data.path()).unwrap().listen().unwrap();
    }
}
