//! `bonded serve`: the server from start to end.

mod announce;
mod inside;
mod live;
mod log;
mod updates;
mod work;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bonded_registry::{Clock, Opened, Registry};
use bonded_store::{StoreSettings, Watcher};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) use inside::Inside;
use live::{Followed, Live};
use log::LogLevel;
use updates::UpdateSettings;
pub(crate) use updates::Updates;
use work::Jobs;

use super::config::ConfigArgs;
use super::{Failure, block_on, with_sources};
use crate::config::Config;
use crate::door::FrontDoor;
use crate::egress::Egress;
use crate::files;
use crate::listen::{self, ListenSettings};
use crate::operator::{self, Claim, Host};

/// How many connections may be open at once.
const CONNECTIONS: usize = 8192;

/// How many open files are kept for databases, blobs and logs.
const DESCRIPTORS_KEPT: usize = 512;

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
    #[arg(long, value_name = "FILE", help_heading = None)]
    ready_file: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let arguments = self.config;
        let config = arguments.clone().resolve()?;
        let log = log::start(&config)?;
        block_on(serve(config, arguments, log, self.ready_file))
    }
}

async fn serve(
    config: Config,
    arguments: ConfigArgs,
    log: LogLevel,
    ready_file: Option<PathBuf>,
) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let announced = |config: &Config, opened| announce::opened(config, opened);
    let started = tokio::select! {
        started = Started::new(&config, announced) => started?,
        () = stop.next() => return Err(Failure::failed("stopped before it served")),
    };
    let Started {
        claim,
        tls,
        updates,
        node,
    } = started;
    announce::ready(&node.listener, ready_file.as_deref())?;
    let (live, followed) = Live::new(arguments, &config, tls, updates, log)?;
    let reloading = tokio::spawn(live.reload());
    let served = node.serve(&config, followed, stop.wait()).await;
    reloading.abort();
    if let Some(path) = &ready_file {
        // Whoever waited for it has seen it; a stale one would mislead the next.
        let _ = fs::remove_file(path);
    }
    drop(claim);
    served
}

/// Everything that answers and works, once it may.
struct Node {
    listener: TcpListener,
    registry: Registry,
    operator: JoinHandle<()>,
    updates: Updates,
    /// Ends what renews the advisories.
    stop_updates: watch::Sender<bool>,
}

impl Node {
    /// Serves until `stop`, then ends what is under way and closes the registry.
    async fn serve(
        self,
        config: &Config,
        followed: Followed,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let Self {
            listener,
            registry,
            operator,
            updates,
            stop_updates,
        } = self;
        let connections = connections();
        let settings = ListenSettings {
            plain_http_from: config.plain_http_from.clone(),
            connections,
            connections_per_address: connections / 4,
            trusted_proxies: config.trusted_proxies.clone(),
            grace: GRACE,
        };
        let door = FrontDoor::new(registry.clone(), followed.door);
        let reconciling = tokio::spawn(reconcile(registry.clone()));
        let jobs = Jobs::start(registry.clone(), config.scan_workers);
        let updating = tokio::spawn(updates.run());
        let served = listen::serve(listener, followed.tls, settings, door, stop).await;
        reconciling.abort();
        operator.abort();
        // Nobody listens if it has ended by itself, which the join tells.
        let _ = stop_updates.send(true);
        jobs.stop().await;
        if let Err(error) = updating.await {
            tracing::error!(%error, "what renews the advisories ended by itself");
        }
        registry.close().await;
        served.map_err(|error| Failure::failed(format!("cannot accept connections: {error}")))
    }
}

/// How many connections may be open: what the system lets this process have, less what the store
/// needs.
fn connections() -> usize {
    let descriptors = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            1024
        }
    };
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    descriptors
        .saturating_sub(DESCRIPTORS_KEPT)
        .clamp(64, CONNECTIONS)
}

/// A server that only has to listen.
struct Started {
    claim: Claim,
    tls: Arc<rustls::ServerConfig>,
    updates: watch::Sender<Arc<UpdateSettings>>,
    node: Node,
}

impl Started {
    /// Checks and takes what may be taken, and only then opens the registry: the first time this
    /// makes the administrator, whose key is shown once.
    ///
    /// `announce` is told what opening has done, the key among it.
    async fn new(
        config: &Config,
        announce: impl FnOnce(&Config, Opened) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        files::private_directory(&config.data).map_err(|error| {
            let data = config.data.display();
            let problem = match config.data.is_dir() {
                false if config.data.exists() => "it is no directory".to_owned(),
                _ => error.to_string(),
            };
            Failure::failed(format!(
                "cannot keep the data directory '{data}' for its owner alone: {problem}; name another with --data, \
                 or run this as the user that owns it"
            ))
        })?;
        let claim = Claim::take(&config.data).map_err(Failure::failed)?;
        let clock = Clock::system();
        let tls = live::certificate(config, &clock)?;
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
        work::load_advisories(&registry, config.advisories.as_deref()).await?;
        let (updates, update_settings) = watch::channel(Arc::new(UpdateSettings::of(config)));
        let (stop_updates, stopped) = watch::channel(false);
        let updating = Updates::new(registry.clone(), update_settings, stopped);
        let host = Host {
            updates: updating.clone(),
            registry: registry.clone(),
            region: config.region.clone(),
            data: config.data.clone(),
            watcher: Watcher::nobody(),
        };
        let operator = tokio::spawn(operator::serve(socket, host));
        let node = Node {
            listener,
            registry,
            operator,
            updates: updating,
            stop_updates,
        };
        Ok(Self {
            claim,
            tls,
            updates,
            node,
        })
    }
}

async fn open(config: &Config, clock: Clock) -> Result<Opened, Failure> {
    let authorities = config.egress_authorities.as_deref();
    let egress = Egress::new(config.egress_allow.clone(), authorities);
    let egress =
        egress.map_err(|error| Failure::usage(format!("setting 'egress.authorities': {error}")))?;
    let settings = bonded_registry::Settings {
        store: StoreSettings {
            data: config.data.clone(),
            database: config.database.clone(),
            objects: config.objects.clone(),
            keyring: config.keyring.clone(),
        },
        account: config.account.clone(),
        regions: config.regions.clone(),
        domain: config.domain.clone(),
        create_on_push: config.create_on_push.clone(),
        sparse_manifests: config.sparse_manifests.clone(),
        base_images: config.base_images.clone(),
        attached_sboms: config.attached_sboms.clone(),
        attached_lists: config.attached_lists,
        unrated: config.unrated,
        pull_wait: config.pull_wait,
        uploads: config.uploads,
        fetch: Arc::new(egress),
    };
    Registry::open(settings, clock).await.map_err(|error| {
        Failure::failed(format!(
            "cannot open the registry: {}",
            with_sources(&error)
        ))
    })
}

/// Puts right what time makes necessary, until the task is aborted: every round may end anywhere.
async fn reconcile(registry: Registry) {
    loop {
        if let Err(error) = registry.reconcile().await {
            tracing::error!(error = %with_sources(&error), "a round of reconciling failed");
        }
        tokio::time::sleep(Registry::RECONCILE_INTERVAL).await;
    }
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
