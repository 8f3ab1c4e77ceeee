//! The host's operator, who is no principal of any account: a Unix socket in the data directory.
//!
//! Whoever may open the socket (its owner alone: mode 0600 in a directory of mode 0700) may do what
//! [`OPERATIONS`] lists. A connection carries one request and one answer, each a line of JSON:
//! ```text
//! {"operation":"CreateAccount","input":{"account":"222222222222"}}
//! {"output":…}  or  {"error":"why not"}
//! ```
//! Who asks with `"progress":true` gets lines of `{"progress":…}` before the answer.
//! The lock beside the socket holds off a second server on the same directory.

mod account;
mod advisories;
mod backup;
mod claim;
mod collect;
mod events;
mod key_ring;
mod oidc_provider;
mod status;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bonded_model::Region;
use bonded_registry::Registry;
use bonded_store::{Advance, Watcher};
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::cli::Updates;

pub(crate) use account::{
    AccountEntry, AttachPolicy, CloseAccount, CreateAccount, DetachPolicy, ListAccounts,
    ListPolicies,
};
pub(crate) use advisories::{LoadAdvisories, UpdateAdvisories};
pub(crate) use backup::BackUp;
pub(crate) use claim::Claim;
pub(crate) use collect::{Collect, CollectedAmounts};
pub(crate) use events::ListEvents;
pub(crate) use key_ring::{GetKeyRing, KeyRingKeys, RetireRootKey, RootKeyUse, RotateKeyRing};
pub(crate) use oidc_provider::{CheckProvider, ListProviders, ProviderEntry, SetProviderKeys};
pub(crate) use status::{AdvisoriesInUse, GetStatus, HostStatus, UpdatesInForce};

/// How long a request may be, in bytes.
const REQUEST_LIMIT: u64 = 64 * 1024;

/// How long an answer may be, in bytes.
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;

/// How long the server waits for a request.
const REQUEST_TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long the server waits for whoever wants to hear how far it is.
const TELL_TIME_LIMIT: Duration = Duration::from_secs(1);

/// How many lines of progress wait to be sent.
const ADVANCES: usize = 256;

/// How many requests are served at once; more wait.
const AT_ONCE: usize = 16;

/// Something that the operator may ask for. Nothing has a default, so nothing can be forgotten.
pub(crate) trait Operation: Serialize + DeserializeOwned + Send + 'static {
    /// Its name in requests.
    const NAME: &'static str;

    /// How long the command waits for the answer.
    const TIME_LIMIT: Duration;

    /// What the operator gets.
    type Output: Serialize + DeserializeOwned;

    /// Does it; an error says why not.
    fn run(self, host: &Host) -> impl Future<Output = Result<Self::Output, String>> + Send;
}

/// What operations work on.
#[derive(Clone)]
pub(crate) struct Host {
    /// The registry that is served.
    pub(crate) registry: Registry,
    /// Its default region.
    pub(crate) region: Region,
    /// Its data directory.
    pub(crate) data: PathBuf,
    /// What renews the advisories.
    pub(crate) updates: Updates,
    /// Who is told how far the operation is.
    pub(crate) watcher: Watcher,
}

/// Everything that the operator may ask for.
const OPERATIONS: &[Served] = &[
    Served::of::<CreateAccount>(),
    Served::of::<ListAccounts>(),
    Served::of::<CloseAccount>(),
    Served::of::<ListPolicies>(),
    Served::of::<AttachPolicy>(),
    Served::of::<DetachPolicy>(),
    Served::of::<Collect>(),
    Served::of::<GetStatus>(),
    Served::of::<BackUp>(),
    Served::of::<GetKeyRing>(),
    Served::of::<RotateKeyRing>(),
    Served::of::<RetireRootKey>(),
    Served::of::<LoadAdvisories>(),
    Served::of::<UpdateAdvisories>(),
    Served::of::<ListEvents>(),
    Served::of::<ListProviders>(),
    Served::of::<SetProviderKeys>(),
    Served::of::<CheckProvider>(),
];

/// An operation by its name.
struct Served {
    name: &'static str,
    run: for<'a> fn(&'a Host, serde_json::Value) -> BoxFuture<'a, io::Result<Line>>,
}

/// A line that may hold a secret.
type Line = zeroize::Zeroizing<Vec<u8>>;

impl Served {
    const fn of<O: Operation>() -> Self {
        Self {
            name: O::NAME,
            run: |host, input| {
                Box::pin(async move {
                    let answer = match serde_json::from_value::<O>(input) {
                        Ok(operation) => match operation.run(host).await {
                            Ok(output) => Answer::Output(output),
                            Err(problem) => Answer::Error(problem),
                        },
                        Err(error) => Answer::not_understood(&error),
                    };
                    answer.line()
                })
            },
        }
    }
}

/// A request as it is sent.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<I> {
    operation: String,
    input: I,
    /// Whether the answer is to be preceded by how far it is.
    #[serde(default)]
    progress: bool,
}

/// An answer as it is sent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer<O> {
    Output(O),
    Error(String),
    /// How far it is; another answer follows.
    Progress(Advance),
}

impl<O: Serialize> Answer<O> {
    fn not_understood(error: &serde_json::Error) -> Self {
        Self::Error(format!("the request is not understood: {error}"))
    }

    fn line(&self) -> io::Result<Line> {
        let mut line = Line::new(serde_json::to_vec(self)?);
        line.push(b'\n');
        Ok(line)
    }
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
    /// The server is another user's.
    #[error("only the user that runs the server on '{}' may ask it; run this as that user, with 'sudo -u' for instance", .0.display())]
    NotOurs(PathBuf),
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
    /// The server did not do it, and says why.
    #[error("{0}")]
    Refused(String),
}

/// Answers the operator's requests for ever. A request goes on although whoever sent it has gone.
pub(crate) async fn serve(listener: UnixListener, host: Host) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // The semaphore is never closed.
        let permit = Arc::clone(&at_once).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let host = host.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &host).await {
                        tracing::warn!(%error, "a request of the operator failed");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen to the operator, trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, host: &Host) -> io::Result<()> {
    let line = {
        // Nothing follows the request.
        let mut reader = BufReader::new(&mut stream);
        timeout(REQUEST_TIME_LIMIT, line(&mut reader, REQUEST_LIMIT)).await??
    };
    let answer = match serde_json::from_slice::<Request<serde_json::Value>>(&line) {
        Ok(Request {
            operation,
            input,
            progress,
        }) => {
            let served = OPERATIONS.iter().find(|served| served.name == operation);
            match served {
                Some(served) if progress => watched(served, input, host, &mut stream).await?,
                Some(served) => (served.run)(host, input).await?,
                None => {
                    let operation = operation.escape_debug();
                    let problem = format!(
                        "this server has no operation '{operation}'; it may be older than this command"
                    );
                    Answer::<()>::Error(problem).line()?
                }
            }
        }
        Err(error) => Answer::<()>::not_understood(&error).line()?,
    };
    stream.write_all(&answer).await
}

/// Runs an operation and tells meanwhile how far it is; whoever does not listen is not waited for.
async fn watched(
    served: &Served,
    input: serde_json::Value,
    host: &Host,
    stream: &mut UnixStream,
) -> io::Result<Line> {
    let (sender, mut advances) = mpsc::channel(ADVANCES);
    let host = Host {
        watcher: Watcher::new(move |advance| {
            // What does not fit is not told: the next says more.
            let _ = sender.try_send(advance);
        }),
        ..host.clone()
    };
    let mut running = (served.run)(&host, input);
    let mut listens = true;
    let answer = loop {
        tokio::select! {
            biased;
            Some(advance) = advances.recv() => {
                listens = listens && tell(stream, advance).await;
            }
            answer = &mut running => break answer,
        }
    };
    while let (true, Ok(advance)) = (listens, advances.try_recv()) {
        listens = tell(stream, advance).await;
    }
    answer
}

/// Whether it was heard.
async fn tell(stream: &mut UnixStream, advance: Advance) -> bool {
    let Ok(line) = Answer::<()>::Progress(advance).line() else {
        return false;
    };
    let told = timeout(TELL_TIME_LIMIT, stream.write_all(&line)).await;
    matches!(told, Ok(Ok(())))
}

/// Asks the server that runs on `data`.
///
/// # Errors
/// [`OperatorError::NotRunning`], [`OperatorError::Talk`] or [`OperatorError::Refused`].
pub(crate) async fn call<O: Operation>(
    data: &Path,
    operation: &O,
) -> Result<O::Output, OperatorError> {
    ask(data, operation, None).await
}

/// Asks the server that runs on `data`; `told` hears meanwhile how far it is.
///
/// # Errors
/// As [`call`].
pub(crate) async fn call_watched<O: Operation>(
    data: &Path,
    operation: &O,
    told: &(dyn Fn(&Advance) + Sync),
) -> Result<O::Output, OperatorError> {
    ask(data, operation, Some(told)).await
}

async fn ask<O: Operation>(
    data: &Path,
    operation: &O,
    told: Option<&(dyn Fn(&Advance) + Sync)>,
) -> Result<O::Output, OperatorError> {
    let mut stream =
        UnixStream::connect(socket(data))
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    OperatorError::NotRunning(data.to_owned())
                }
                io::ErrorKind::PermissionDenied => OperatorError::NotOurs(data.to_owned()),
                _ => error.into(),
            })?;
    let request = Request {
        operation: O::NAME.to_owned(),
        input: operation,
        progress: told.is_some(),
    };
    let mut text = Line::new(serde_json::to_vec(&request).map_err(io::Error::from)?);
    text.push(b'\n');
    stream.write_all(&text).await?;
    let mut stream = BufReader::new(stream);
    let answered = async {
        loop {
            let answer = line(&mut stream, ANSWER_LIMIT).await?;
            match serde_json::from_slice(&answer).map_err(io::Error::from)? {
                Answer::Output(output) => return Ok(output),
                Answer::Error(problem) => return Err(OperatorError::Refused(problem)),
                Answer::Progress(advance) => {
                    if let Some(told) = told {
                        told(&advance);
                    }
                }
            }
        }
    };
    let answered = timeout(O::TIME_LIMIT, answered).await;
    answered.map_err(io::Error::from)?
}

/// One line, with its end, of at most `limit` bytes.
async fn line(stream: &mut (impl AsyncBufRead + Unpin), limit: u64) -> io::Result<Line> {
    let mut line = Line::default();
    let mut reader = stream.take(limit);
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use bonded_model::AccountId;
    use bonded_registry::{Clock, Settings};
    use bonded_store::{Database, Objects, StoreSettings};

    use super::*;

    fn create(account: &str) -> CreateAccount {
        let account: AccountId = account.parse().unwrap();
        CreateAccount { account }
    }

    async fn host(data: &Path, keys: &Path) -> Host {
        let region: Region = "us-east-1".parse().unwrap();
        let settings = Settings {
            store: StoreSettings {
                data: data.to_owned(),
                database: Database::Sqlite,
                objects: Objects::Disk,
                keyring: keys.join("keyring"),
            },
            account: "111122223333".parse().unwrap(),
            regions: vec![region.clone()],
            domain: None,
            create_on_push: Vec::new(),
            sparse_manifests: Vec::new(),
            base_images: Vec::new(),
            attached_sboms: bonded_registry::AttachedSboms::default(),
            attached_lists: bonded_registry::AttachedLists::default(),
            unrated: bonded_registry::Unrated::default(),
            pull_wait: std::time::Duration::from_secs(5),
            uploads: bonded_registry::UploadLimits::default(),
            fetch: Arc::new(crate::egress::Egress::new(Vec::new(), None).unwrap()),
        };
        let opened = Registry::open(settings, Clock::system()).await.unwrap();
        let registry = opened.registry;
        let data = data.to_owned();
        Host {
            updates: Updates::none(registry.clone()),
            registry,
            region,
            data,
            watcher: Watcher::nobody(),
        }
    }

    #[tokio::test]
    async fn the_operator_makes_an_account() {
        let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = data.path();
        let claim = Claim::take(data).unwrap();
        let host = host(data, keys.path()).await;
        let server = tokio::spawn(serve(claim.listen().unwrap(), host));
        let key = call(data, &create("222222222222")).await.unwrap();
        assert_eq!(key.account.as_str(), "222222222222");
        let again = call(data, &create("222222222222")).await;
        let Err(OperatorError::Refused(problem)) = again else {
            panic!("made twice");
        };
        assert!(problem.contains("exists"), "{problem}");
        let mode = fs::metadata(socket(data)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        server.abort();
    }

    #[tokio::test]
    async fn what_is_not_a_request_is_answered_and_leaves_the_server_alive() {
        let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = data.path();
        let claim = Claim::take(data).unwrap();
        let host = host(data, keys.path()).await;
        let server = tokio::spawn(serve(claim.listen().unwrap(), host));
        let create = |input| format!("{{\"operation\":\"CreateAccount\",\"input\":{input}}}\n");
        for (text, answered) in [
            ("{}\n", true),
            ("{\"operation\":\"Nothing\",\"input\":{}}\n", true),
            (&create("{\"account\":\"12\"}"), true),
            (&create("{\"account\":\"222222222222\",\"x\":1}"), true),
            ("no end", false),
            (&("x".repeat(100_000) + "\n"), false),
        ] {
            let mut stream = UnixStream::connect(socket(data)).await.unwrap();
            // The server may hang up before it has read everything.
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            assert_eq!(answer.starts_with("{\"error\":"), answered, "{answer}");
            assert!(!answer.contains("output"), "{answer}");
        }
        assert!(!server.is_finished());
        server.abort();
    }

    #[tokio::test]
    async fn one_server_at_a_time_uses_a_directory() {
        let data = tempfile::tempdir().unwrap();
        let result = call(data.path(), &create("222222222222")).await;
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
        let result = call(data.path(), &create("222222222222")).await;
        assert!(matches!(result, Err(OperatorError::NotRunning(_))));
        Claim::take(data.path()).unwrap().listen().unwrap();
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names: Vec<_> = OPERATIONS.iter().map(|served| served.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OPERATIONS.len());
    }
}
