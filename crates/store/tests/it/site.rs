//! Where a test runs: its own directory, database and part of a bucket, on each engine in turn.

use std::fs;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use bonded_model::{Digest, Manifest, MediaType, RepositoryArn, Secret, TagMutability, Timestamp};
use bonded_store::{
    BucketSettings, Change, Database, Layer, NewRepository, Objects, Repository, RepositoryId,
    Store, StoreSettings,
};
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// When every test happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_349_000_000);

pub(crate) const ACCOUNT: &str = "111122223333";

/// A test's own place. Everything in it goes with it.
pub(crate) struct Site {
    directory: TempDir,
    database: Database,
    objects: Objects,
}

impl Site {
    pub(crate) fn settings(&self) -> StoreSettings {
        StoreSettings {
            data: self.data(),
            database: self.database.clone(),
            objects: self.objects.clone(),
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

    /// The names of all objects that are there, finished or left behind, and on the disk those that
    /// are being written.
    pub(crate) async fn objects(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.objects {
            Objects::Disk => files(&self.data().join("objects"))
                .iter()
                .map(|path| path.strip_prefix(self.data()).unwrap())
                .map(|path| path.to_str().unwrap().to_owned())
                .collect(),
            Objects::Bucket(bucket) => {
                let prefix = format!("{}objects", bucket.prefix).into();
                let found: Vec<_> = client(bucket)
                    .list(Some(&prefix))
                    .try_collect()
                    .await
                    .unwrap();
                let name = |meta: &object_store::ObjectMeta| meta.location.to_string();
                let names = found.iter().map(name);
                names
                    .map(|name| name[bucket.prefix.len()..].to_owned())
                    .collect()
            }
        };
        names.sort_unstable();
        names
    }

    /// What an object holds, behind the store's back.
    pub(crate) async fn object(&self, name: &str) -> Vec<u8> {
        match &self.objects {
            Objects::Disk => fs::read(self.data().join(name)).unwrap(),
            Objects::Bucket(bucket) => {
                let got = client(bucket).get(&key(bucket, name)).await.unwrap();
                got.bytes().await.unwrap().to_vec()
            }
        }
    }

    /// Changes an object behind the store's back; `None` removes it.
    pub(crate) async fn set_object(&self, name: &str, bytes: Option<&[u8]>) {
        match (&self.objects, bytes) {
            (Objects::Disk, Some(bytes)) => fs::write(self.data().join(name), bytes).unwrap(),
            (Objects::Disk, None) => fs::remove_file(self.data().join(name)).unwrap(),
            (Objects::Bucket(bucket), Some(bytes)) => {
                let bytes = bytes.to_vec().into();
                client(bucket).put(&key(bucket, name), bytes).await.unwrap();
            }
            (Objects::Bucket(bucket), None) => {
                client(bucket).delete(&key(bucket, name)).await.unwrap();
            }
        }
    }

    /// Whether bytes go to a bucket.
    pub(crate) fn is_bucket(&self) -> bool {
        matches!(self.objects, Objects::Bucket(_))
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

/// The bucket to test with: `http://KEY:SECRET@HOST:PORT/BUCKET` in `BONDED_TEST_S3`. On CI there must
/// be one.
pub(crate) fn test_bucket() -> Option<BucketSettings> {
    static SAID: Once = Once::new();
    let Some(url) = variable("BONDED_TEST_S3") else {
        let text = "buckets not tested: BONDED_TEST_S3 is not set\n";
        assert!(variable("BONDED_CI").is_none(), "{text}");
        SAID.call_once(|| std::io::stderr().write_all(text.as_bytes()).unwrap());
        return None;
    };
    let (scheme, rest) = url.split_once("://").unwrap();
    let (key, place) = rest.split_once('@').unwrap();
    let ((id, secret), (host, name)) =
        (key.split_once(':').unwrap(), place.split_once('/').unwrap());
    Some(BucketSettings {
        name: name.to_owned(),
        prefix: format!("{}/", uuid_text()),
        region: "us-east-1".to_owned(),
        endpoint: Some(format!("{scheme}://{host}")),
        path_style: true,
        allow_http: true,
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(secret.to_owned()),
        session_token: None,
    })
}

/// A client behind the store's back.
fn client(bucket: &BucketSettings) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_endpoint(bucket.endpoint.clone().unwrap())
        .with_allow_http(true)
        .with_access_key_id(&bucket.access_key_id)
        .with_secret_access_key(bucket.secret_access_key.expose())
        .with_disable_bulk_delete(true)
        .build()
        .unwrap()
}

fn key(bucket: &BucketSettings, name: &str) -> object_store::path::Path {
    format!("{}{name}", bucket.prefix).into()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn site(database: Database, objects: Objects) -> Site {
    Site {
        directory: tempfile::tempdir().unwrap(),
        database,
        objects,
    }
}

/// Runs `test` once on each engine, with objects on the disk: for what is about rows.
pub(crate) fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(Site) -> F) {
    let runtime = runtime();
    runtime.block_on(test(site(Database::Sqlite, Objects::Disk)));
    if let Some(server) = postgres_url() {
        runtime.block_on(with_postgres(&server, "LOCALE 'C'", |url| {
            test(site(Database::Postgres(Secret::new(url)), Objects::Disk))
        }));
    }
    runtime.shutdown_timeout(Duration::from_secs(10));
}

/// Runs `test` on each combination that a deployment of one or several nodes may have: SQLite and
/// the disk, SQLite and a bucket, PostgreSQL and a bucket. For what is about bytes.
pub(crate) fn on_each_store<F: Future<Output = ()>>(test: impl Fn(Site) -> F) {
    let runtime = runtime();
    runtime.block_on(test(site(Database::Sqlite, Objects::Disk)));
    in_buckets(&runtime, test);
    runtime.shutdown_timeout(Duration::from_secs(10));
}

/// Runs `test` on each engine with a bucket.
pub(crate) fn on_each_bucket<F: Future<Output = ()>>(test: impl Fn(Site) -> F) {
    let runtime = runtime();
    in_buckets(&runtime, test);
    runtime.shutdown_timeout(Duration::from_secs(10));
}

fn in_buckets<F: Future<Output = ()>>(runtime: &tokio::runtime::Runtime, test: impl Fn(Site) -> F) {
    let bucket = || test_bucket().map(Objects::Bucket);
    if let Some(bucket) = bucket() {
        runtime.block_on(test(site(Database::Sqlite, bucket)));
    }
    if let (Some(server), Some(bucket)) = (postgres_url(), bucket()) {
        runtime.block_on(with_postgres(&server, "LOCALE 'C'", |url| {
            test(site(Database::Postgres(Secret::new(url)), bucket))
        }));
    }
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
