//! A registry in a temporary directory, and callers who really signed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bonded_iam::sigv4::{self, SignedRequest};
use bonded_model::{AccountId, Secret, Timestamp};
use bonded_registry::{
    Caller, Clock, Error, Facts, FirstAdministrator, Reach, Registry, Settings, SignatureScope,
};
use bonded_server::aws::{self, Endpoint};
use bonded_store::{Database, Objects, StoreSettings};
use serde_json::{Value, json};

/// The default account.
pub(crate) const ACCOUNT: &str = "111122223333";

/// The account that has nothing to do with the default one.
pub(crate) const OTHER: &str = "444455556666";

/// What an IAM identity policy that allows everything says.
pub(crate) const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// A registry of its own for one test.
pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    administrator: FirstAdministrator,
    _directory: tempfile::TempDir,
}

/// An access key, with a session token if it is a session's.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) token: Option<Secret>,
}

impl App {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::standing(Timestamp::parse_amz_date("20260102T030405Z").unwrap());
        let settings = Settings {
            store: StoreSettings {
                data: directory.path().join("data"),
                database: Database::Sqlite,
                objects: Objects::Disk,
                keyring: directory.path().join("ring").join("keyring"),
            },
            account: ACCOUNT.parse().unwrap(),
            regions: vec!["us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap()],
            domain: None,
            create_on_push: Vec::new(),
            sparse_manifests: Vec::new(),
            base_images: Vec::new(),
            attached_sboms: bonded_registry::AttachedSboms::default(),
            attached_lists: bonded_registry::AttachedLists::default(),
            unrated: bonded_registry::Unrated::default(),
            pull_wait: std::time::Duration::from_secs(5),
            uploads: bonded_registry::UploadLimits::default(),
            fetch: std::sync::Arc::new(
                bonded_server::egress::Egress::new(Vec::new(), None).unwrap(),
            ),
        };
        let opened = Registry::open(settings, clock.clone()).await.unwrap();
        let administrator = opened.administrator.unwrap();
        Self {
            registry: opened.registry,
            clock,
            administrator,
            _directory: directory,
        }
    }

    /// The administrator of the default account.
    pub(crate) async fn administrator(&self) -> Caller {
        self.caller(&key(&self.administrator)).await.unwrap()
    }

    /// The administrator of a further account, made on the first call.
    pub(crate) async fn other_administrator(&self) -> Caller {
        let account: AccountId = OTHER.parse().unwrap();
        let made = self.registry.create_account(&account).await.unwrap();
        self.caller(&key(&made)).await.unwrap()
    }

    /// A user with `policy`, made by `administrator`.
    pub(crate) async fn user(
        &self,
        administrator: &Caller,
        name: &str,
        policy: Option<&str>,
    ) -> Key {
        self.call(administrator, "CreateUser", json!({ "UserName": name }))
            .await
            .unwrap();
        if let Some(policy) = policy {
            let input = json!({ "UserName": name, "PolicyName": "p", "PolicyDocument": policy });
            self.call(administrator, "PutUserPolicy", input)
                .await
                .unwrap();
        }
        let made = self
            .call(
                administrator,
                "CreateAccessKey",
                json!({ "UserName": name }),
            )
            .await;
        Key::from_answer(&made.unwrap())
    }

    /// A session of the role, assumed by `caller`.
    pub(crate) async fn assume(
        &self,
        caller: &Caller,
        role: &str,
        input: Value,
    ) -> Result<Key, Error> {
        let mut input = input;
        input["RoleArn"] = format!("arn:aws:iam::{}:role/{role}", caller.account()).into();
        input["RoleSessionName"] = "session".into();
        Ok(Key::from_answer(
            &self.call(caller, "AssumeRole", input).await?,
        ))
    }

    /// The caller whose key signed a request just now.
    pub(crate) async fn caller(&self, key: &Key) -> Result<Caller, Error> {
        let date = self.clock.now().to_amz_date();
        let mut headers = vec![("host", "localhost"), ("x-amz-date", date.as_str())];
        if let Some(token) = &key.token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        let empty = bonded_model::Digest::sha256(b"");
        let request = SignedRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256_hex: empty.as_str().trim_start_matches("sha256:"),
        };
        let secret = key.secret.expose().as_bytes();
        let header = sigv4::sign(&request, &key.id, secret, "us-east-1", "ecr").unwrap();
        let authorization = sigv4::parse_authorization(&header).unwrap();
        let scope = SignatureScope {
            service: "ecr",
            skew: Duration::from_secs(300),
        };
        let token = key.token.as_ref();
        self.registry
            .authenticate_signature(&authorization, &request, token, &scope, facts())
            .await
    }

    /// One call of an operation, as the doors make it. The answer is JSON or XML text.
    pub(crate) async fn call(
        &self,
        caller: &Caller,
        name: &str,
        input: Value,
    ) -> Result<String, Error> {
        endpoint(name).serve(&self.registry, caller, input).await
    }
}

impl Key {
    fn from_answer(xml: &str) -> Self {
        let token = xml
            .contains("<SessionToken>")
            .then(|| Secret::new(member(xml, "SessionToken")));
        Self {
            id: member(xml, "AccessKeyId"),
            secret: Secret::new(member(xml, "SecretAccessKey")),
            token,
        }
    }
}

/// The text of the first element `name`.
pub(crate) fn member(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

/// The operation of this name.
pub(crate) fn endpoint(name: &str) -> &'static Endpoint {
    aws::operations()
        .find(|endpoint| endpoint.name == name)
        .unwrap()
}

/// What a request from this machine is like.
pub(crate) fn facts() -> Facts {
    Facts {
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        network: None,
        reach: Reach::default(),
        user_agent: Some("test".to_owned()),
        secure_transport: true,
        region: "us-east-1".parse().unwrap(),
        authority: "localhost:5000".to_owned(),
    }
}

/// The sentence of a denial, without the decision's id.
pub(crate) fn denial(error: Error) -> String {
    match error {
        Error::Denied(denied) => denied.sentence,
        other => panic!("not a denial: {other}"),
    }
}

fn key(administrator: &FirstAdministrator) -> Key {
    Key {
        id: administrator.access_key_id.clone(),
        secret: administrator.secret_access_key.clone(),
        token: None,
    }
}
