//! `bonded serve`: the server from start to end.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bonded_model::{AccountId, Region};
use bonded_registry::{Clock, Opened, Registry};
use bonded_store::StoreSettings;
use clap::Args;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

use super::config::ConfigArgs;
use super::{Failure, block_on, print};
use crate::administrator::AdministratorKey;
use crate::config::{Config, LogFormat};
use crate::door::{DoorSettings, FrontDoor};
use crate::listen::{self, ListenSettings};
use crate::operator::{self, Claim};
use crate::{files, tls};

/// How many connections may be open at once.
const CONNECTIONS: usize = 8192;

/// How long requests in flight may go on after the first signal to stop.
const GRACE: Duration = Duration::from_secs(30);

/// Run the server
///
/// Without any setting it serves on loopback, keeps its data in the directory 'bonded-data', makes
/// a certificate authority of its own and an account with an administrator.
#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,

    /// A file to write the port to once requests are served
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.resolve()?;
        start_log(&config)?;
        block_on(serve(config, self.ready_file))
    }
}

fn start_log(config: &Config) -> Result<(), Failure> {
    let filter: EnvFilter = config.log_level.parse().map_err(Failure::usage)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

async fn serve(config: Config, ready_file: Option<PathBuf>) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let started = tokio::select! {
        started = Started::new(&config) => started?,
        () = stop.next() => return Err(Failure::failed("stopped before it served")),
    };
    let Started {
        claim,
        tls,
        listener,
        registry,
        operator,
    } = started;
    ready(&listener, ready_file.as_deref())?;
    let settings = ListenSettings {
        plain_http_from: config.plain_http_from.clone(),
        connections: CONNECTIONS,
        grace: GRACE,
    };
    let door = FrontDoor::new(registry.clone(), door_settings(config));
    let served = listen::serve(listener, tls, settings, door, stop.wait()).await;
    operator.abort();
    registry.close().await;
    if let Some(path) = &ready_file {
        // Whoever waited for it has seen it; a stale one would mislead the next.
        let _ = fs::remove_file(path);
    }
    drop(claim);
    served.map_err(|error| Failure::failed(format!("cannot accept connections: {error}")))
}

/// A server that only has to listen.
struct Started {
    claim: Claim,
    tls: Arc<rustls::ServerConfig>,
    listener: TcpListener,
    registry: Registry,
    operator: JoinHandle<()>,
}

impl Started {
    /// Checks and takes what may be taken, and only then opens the registry: the first time this
    /// makes the administrator, whose key is shown once.
    async fn new(config: &Config) -> Result<Self, Failure> {
        files::private_directory(&config.data).map_err(|error| {
            let data = config.data.display();
            Failure::failed(format!("cannot keep '{data}' for its owner alone: {error}"))
        })?;
        let claim = Claim::take(&config.data).map_err(Failure::failed)?;
        let clock = Clock::system();
        let tls = certificate(config, &clock)?;
        let listener = TcpListener::bind(config.listen).await.map_err(|error| {
            let address = config.listen;
            Failure::failed(format!(
                "cannot listen on '{address}': {error}; choose another with --listen"
            ))
        })?;
        let socket = claim.listen().map_err(Failure::failed)?;
        let opened = open(config, clock).await?;
        let registry = opened.registry.clone();
        announce(config, opened)?;
        let operator = tokio::spawn(operate(socket, registry.clone(), config.region.clone()));
        Ok(Self {
            claim,
            tls,
            listener,
            registry,
            operator,
        })
    }
}

async fn open(config: &Config, clock: Clock) -> Result<Opened, Failure> {
    let settings = bonded_registry::Settings {
        store: StoreSettings {
            data: config.data.clone(),
            database: config.database.clone(),
            keyring: config.keyring.clone(),
        },
        account: config.account.clone(),
        regions: config.regions.clone(),
        domain: config.domain.clone(),
    };
    Registry::open(settings, clock).await.map_err(|error| {
        Failure::failed(format!(
            "cannot open the registry: {}",
            with_sources(&error)
        ))
    })
}

/// The error with what caused it: on the host nothing is hidden.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text += ": ";
            text += &cause_text;
        }
        source = cause.source();
    }
    text
}

fn certificate(config: &Config, clock: &Clock) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let loaded = match &config.tls {
        Some(files) => tls::configured(&files.certificate, &files.key),
        None => {
            let mut hosts = config.hosts.clone();
            let address = config.listen.ip().to_canonical();
            if !address.is_unspecified() {
                hosts.push(address.to_string());
            }
            let domain = config.domain.as_deref();
            let names = tls::names(host_name().as_deref(), &hosts, domain, &config.regions);
            tls::own(&authority(config), &names, clock.now())
        }
    };
    loaded.map_err(Failure::failed)
}

/// The directory of the own authority.
fn authority(config: &Config) -> PathBuf {
    config.data.join("tls")
}

/// The host's own name, where the system tells it and it can be in a certificate.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    crate::config::host_name(name.trim())
}

fn door_settings(config: Config) -> DoorSettings {
    DoorSettings {
        hosts: config.hosts,
        trusted_proxies: config.trusted_proxies,
    }
}

/// Says what was made and where things are. The administrator's key goes to a terminal, or to a
/// file if there is none: what is printed elsewhere ends up in a journal.
fn announce(config: &Config, opened: Opened) -> Result<(), Failure> {
    for migration in &opened.migrations {
        tracing::info!(%migration, "migrated");
    }
    if config.tls.is_none() {
        let path = authority(config).join("ca.crt");
        print::line(format!("authority for clients: {}", path.display()));
    }
    let keyring = config.keyring.display();
    if opened.keyring_created {
        print::line(format!(
            "key ring, made just now: {keyring}\n\
             keep a copy of it apart from the data: without it the data is lost for ever"
        ));
    } else {
        print::line(format!("key ring: {keyring}"));
    }
    let Some(administrator) = opened.administrator else {
        return Ok(());
    };
    let key = AdministratorKey::new(administrator, config.region.clone());
    let account = &key.account;
    if io::stdout().is_terminal() {
        print::line(format!(
            "administrator of the account {account}, shown only now:\n\
             export AWS_ACCESS_KEY_ID={}\n\
             export AWS_SECRET_ACCESS_KEY={}\n\
             export AWS_REGION={}",
            key.access_key_id,
            key.secret_access_key.expose(),
            key.region
        ));
        return Ok(());
    }
    let path = AdministratorKey::path(&config.data);
    key.write(&path).map_err(|error| {
        let path = path.display();
        Failure::failed(format!(
            "cannot write the administrator's key to '{path}': {error}"
        ))
    })?;
    print::line(format!(
        "administrator of the account {account}: the key is in {}\n\
         keep it and remove the file, the server never reads it",
        path.display()
    ));
    Ok(())
}

/// Answers the operator of the host.
async fn operate(socket: UnixListener, registry: Registry, region: Region) {
    let create = |account: AccountId| {
        let (registry, region) = (registry.clone(), region.clone());
        async move {
            let made = registry.create_account(&account).await;
            made.map(|administrator| AdministratorKey::new(administrator, region))
                .map_err(|error| with_sources(&error))
        }
    };
    operator::serve(socket, create).await;
}

/// Tells whoever started the server that it serves.
fn ready(listener: &TcpListener, file: Option<&Path>) -> Result<(), Failure> {
    let address = listener.local_addr().map_err(Failure::failed)?;
    if let Some(path) = file {
        let text = format!("{}\n", address.port());
        files::write(path, text.as_bytes(), files::PUBLIC).map_err(|error| {
            Failure::failed(format!("cannot write '{}': {error}", path.display()))
        })?;
    }
    print::line(format!("listening on https://{address}"));
    Ok(())
}

/// The signals that end the server.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|e| Failure::failed(format!("cannot wait for signals: {e}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Ready at the first signal; the second ends the process at once.
    async fn wait(mut self) {
        self.next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("stopped at once");
            std::process::exit(super::Status::Failed as i32);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
