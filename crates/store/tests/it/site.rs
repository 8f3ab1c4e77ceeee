//! Where a test runs: its own directory and its own database, on each engine in turn.

use std::fs;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use bonded_model::{Digest, Manifest, MediaType, RepositoryArn, Secret, TagMutability, Timestamp};
use bonded_store::{
    Change, Database, Layer, NewRepository, Repository, RepositoryId, Store, StoreSettings,
};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// When every test happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_349_000_000);

pub(crate) const ACCOUNT: &str = "111122223333";

/// A test's own place. Everything in it goes with it.
pub(crate) struct Site {
    directory: TempDir,
    database: Database,
}

impl Site {
    pub(crate) fn settings(&self) -> StoreSettings {
        StoreSettings {
            data: self.data(),
            database: self.database.clone(),
            keyring: self.path().join("etc/keyring"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The store, with the account [`ACCOUNT`].
    pub(crate) async fn open(&self) -> Store {
        let store = self.reopen().await;
        store
            .create_account(&ACCOUNT.parse().unwrap(), NOW, None, None)
            .await
            .unwrap();
        store
    }

    pub(crate) async fn reopen(&self) -> Store {
        Store::open(&self.settings(), NOW).await.unwrap().store
    }

    /// All object files.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        files(&self.data().join("objects"))
    }

    /// A connection to the test's database behind the store's back; `None` on SQLite.
    pub(crate) async fn postgres(&self) -> Option<tokio_postgres::Client> {
        match &self.database {
            Database::Sqlite => None,
            Database::Postgres(url) => Some(connect(url.expose()).await),
        }
    }

    /// The one number that a statement gives, behind the store's back.
    pub(crate) async fn count(&self, sql: &str) -> usize {
        let count: i64 = match self.postgres().await {
            Some(client) => client.query_one(sql, &[]).await.unwrap().get(0),
            None => rusqlite::Connection::open(self.data().join("bonded.db"))
                .unwrap()
                .query_row(sql, [], |row| row.get(0))
                .unwrap(),
        };
        count as usize
    }

    /// Runs a statement behind the store's back.
    pub(crate) async fn sql(&self, sql: &str) {
        match self.postgres().await {
            Some(client) => client.batch_execute(sql).await.unwrap(),
            None => rusqlite::Connection::open(self.data().join("bonded.db"))
                .unwrap()
                .execute_batch(sql)
                .unwrap(),
        }
    }
}

/// Every file under `directory`.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells the suite where PostgreSQL is; there is no other way in"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// `url` with the database `name` in place of its own.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = base.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}?{query}")
}

/// The URL of the PostgreSQL server to test on, if there is one. On CI there must be.
pub(crate) fn postgres_url() -> Option<String> {
    static SAID: Once = Once::new();
    let url = variable("BONDED_TEST_POSTGRES");
    if url.is_none() {
        let text = "PostgreSQL not tested: BONDED_TEST_POSTGRES is not set\n";
        assert!(variable("BONDED_CI").is_none(), "{text}");
        // Not by a print macro: those are not shown for tests that pass.
        SAID.call_once(|| std::io::stderr().write_all(text.as_bytes()).unwrap());
    }
    url
}

/// Creates a database with `options`, gives its URL to `test`, drops it.
pub(crate) async fn with_postgres<F: Future>(
    server: &str,
    options: &str,
    test: impl FnOnce(String) -> F,
) {
    let name = format!("bonded_test_{}", uuid_text());
    let admin = connect(server).await;
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {options}");
    admin.batch_execute(&create).await.unwrap();
    test(with_database(server, &name)).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.batch_execute(&drop).await.unwrap();
}

fn uuid_text() -> String {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().file_name().unwrap().to_string_lossy();
    let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let letters: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    format!("{letters}{nanos}")
}

/// Runs `test` once on each engine.
pub(crate) fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(Site) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let site = |database| Site {
        directory: tempfile::tempdir().unwrap(),
        database,
    };
    runtime.block_on(test(site(Database::Sqlite)));
    if let Some(server) = postgres_url() {
        runtime.block_on(with_postgres(&server, "LOCALE 'C'", |url| {
            test(site(Database::Postgres(Secret::new(url))))
        }));
    }
    runtime.shutdown_timeout(Duration::from_secs(10));
}

/// The change `id`.
pub(crate) fn change(id: &str) -> Change {
    Change {
        id: id.to_owned(),
        at: NOW,
        account: ACCOUNT.parse().unwrap(),
        record: format!(r#"{{"id":"{id}"}}"#),
    }
}

pub(crate) fn arn(name: &str) -> RepositoryArn {
    format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}")
        .parse()
        .unwrap()
}

pub(crate) fn new_repository(name: &str, tag_mutability: TagMutability) -> NewRepository {
    NewRepository {
        arn: arn(name),
        tag_mutability,
        scan_on_push: false,
        tags: [].into(),
    }
}

/// A mutable repository called `name`.
pub(crate) async fn repository(store: &Store, name: &str) -> Repository {
    let new = new_repository(name, TagMutability::Mutable);
    let change = change(&format!("create-{name}"));
    store.create_repository(&new, &change).await.unwrap()
}

/// Pushes `bytes` to a repository by one request.
pub(crate) async fn push(store: &Store, repository: &RepositoryId, bytes: &[u8]) -> Layer {
    let id = store
        .start_upload(repository, "AIDAX", 10, NOW)
        .await
        .unwrap()
        .unwrap();
    let mut writer = store
        .open_upload(repository, &id, NOW)
        .await
        .unwrap()
        .unwrap();
    writer.write(bytes).unwrap();
    let digest = Digest::sha256(bytes);
    let change = change(&format!("push-{id}"));
    store
        .finish_upload(writer, &digest, NOW, NOW, &change)
        .await
        .unwrap()
        .unwrap()
}

/// The text of an image manifest over `layers`, the first of which is its config.
pub(crate) fn manifest_text(layers: &[Digest], mark: &str) -> String {
    let descriptor = |digest: &Digest| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":1}}"#
        )
    };
    let rest: Vec<String> = layers[1..].iter().map(descriptor).collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}],"annotations":{{"mark":"{mark}"}}}}"#,
        MediaType::OCI_MANIFEST,
        descriptor(&layers[0]),
        rest.join(",")
    )
}

pub(crate) fn parse(text: &str) -> Manifest {
    Manifest::parse(text.as_bytes(), None).unwrap()
}
