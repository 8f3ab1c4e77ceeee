//! What the server takes up without a restart: its certificate, its log level, whom the doors
//! believe and answer, where new advisories come from.
//!
//! SIGHUP has the configuration read again, from the file and the environment the server was
//! started with. One that is wrong changes nothing. The certificate is also read once a day, and
//! our own is made anew when it has grown old.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bonded_registry::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::log::LogLevel;
use super::updates::UpdateSettings;
use crate::cli::Failure;
use crate::cli::config::ConfigArgs;
use crate::cli::print::clean;
use crate::config::{Config, RawConfig};
use crate::door::DoorSettings;
use crate::tls;

/// How often the certificate is read without being asked.
const CERTIFICATE_INTERVAL: Duration = Duration::from_hours(24);

type Tls = Arc<rustls::ServerConfig>;

/// The parts of a running server that can be exchanged.
pub(super) struct Live {
    arguments: ConfigArgs,
    hangup: Signal,
    tls: watch::Sender<Tls>,
    door: watch::Sender<Arc<DoorSettings>>,
    updates: watch::Sender<Arc<UpdateSettings>>,
    log: LogLevel,
    /// The settings as they were read last, to say which others have changed since.
    shown: RawConfig,
}

/// What is in force, whenever one looks.
pub(super) struct Followed {
    /// The certificate.
    pub(super) tls: watch::Receiver<Tls>,
    /// Whom the doors believe and answer.
    pub(super) door: watch::Receiver<Arc<DoorSettings>>,
}

impl Followed {
    /// What is in force for ever.
    pub(super) fn fixed(config: &Config, tls: Tls) -> Self {
        Self {
            tls: watch::channel(tls).1,
            door: watch::channel(Arc::new(door_settings(config))).1,
        }
    }
}

impl Live {
    /// What is in force now, as the listener and the doors follow it.
    pub(super) fn new(
        arguments: ConfigArgs,
        config: &Config,
        tls: Tls,
        updates: watch::Sender<Arc<UpdateSettings>>,
        log: LogLevel,
    ) -> Result<(Self, Followed), Failure> {
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
        let (tls, tls_followed) = watch::channel(tls);
        let (door, door_followed) = watch::channel(Arc::new(door_settings(config)));
        let live = Self {
            arguments,
            hangup,
            tls,
            door,
            updates,
            log,
            shown: config.shown.clone(),
        };
        let followed = Followed {
            tls: tls_followed,
            door: door_followed,
        };
        Ok((live, followed))
    }

    /// Follows the configuration for ever.
    pub(super) async fn reload(mut self) {
        let mut days = interval_at(Instant::now() + CERTIFICATE_INTERVAL, CERTIFICATE_INTERVAL);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                _ = days.tick() => false,
            };
            match self.apply(asked) {
                Ok(()) if asked => tracing::info!("the configuration was read again"),
                Ok(()) => {}
                Err(failure) => {
                    let problem = clean(&failure.message.unwrap_or_default());
                    tracing::error!(%problem, "the configuration stays as it was");
                }
            }
        }
    }

    /// Reads everything before it exchanges anything.
    fn apply(&mut self, asked: bool) -> Result<(), Failure> {
        let config = self.arguments.clone().resolve()?;
        let tls = certificate(&config, &Clock::system())?;
        if asked {
            self.log.set(&config)?;
            self.door.send_replace(Arc::new(door_settings(&config)));
            self.updates.send_if_modified(|now| {
                let new = UpdateSettings::of(&config);
                let differs = **now != new;
                if differs {
                    *now = Arc::new(new);
                }
                differs
            });
            self.say_what_needs_a_restart(config.shown);
        }
        self.tls.send_replace(tls);
        Ok(())
    }

    fn say_what_needs_a_restart(&mut self, new: RawConfig) {
        let changed = new.differing(&self.shown).into_iter();
        let changed: Vec<&str> = changed
            .filter(|about| !about.live)
            .map(|about| about.key)
            .collect();
        if !changed.is_empty() {
            let settings = changed.join(", ");
            tracing::warn!(%settings, "these settings are taken up at the next start");
        }
        self.shown = new;
    }
}

pub(super) fn certificate(
    config: &Config,
    clock: &Clock,
) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let loaded = match &config.tls {
        Some(files) => tls::configured(&files.certificate, &files.key),
        None => tls::own(&authority(config), &names(config), clock.now()),
    };
    loaded.map_err(Failure::failed)
}

/// The names under which this server knows itself.
fn names(config: &Config) -> Vec<String> {
    let mut hosts = config.hosts.clone();
    let address = config.listen.ip().to_canonical();
    if !address.is_unspecified() {
        hosts.push(address.to_string());
    }
    let domain = config.domain.as_deref();
    tls::names(host_name().as_deref(), &hosts, domain, &config.regions)
}

/// The directory of the own authority.
pub(super) fn authority(config: &Config) -> PathBuf {
    config.data.join("tls")
}

/// The host's own name, where the system tells it and it can be in a certificate.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    crate::config::host_name(name.trim())
}

fn door_settings(config: &Config) -> DoorSettings {
    DoorSettings {
        certified: names(config),
        hosts: config.hosts.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        metrics_from: config.metrics_from.clone(),
        networks: config.networks.clone(),
        accounts_from: config.accounts_from.clone(),
    }
}
