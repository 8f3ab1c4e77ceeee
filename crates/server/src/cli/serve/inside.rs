//! A server inside a command, which says nothing and takes no signals.

use std::net::SocketAddr;

use bonded_registry::{FirstAdministrator, Opened, Registry};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Started;
use super::live::Followed;
use crate::cli::Failure;
use crate::config::Config;

/// A server that serves.
pub(in crate::cli) struct Inside {
    /// Where it listens.
    pub(in crate::cli) address: SocketAddr,
    /// What it serves.
    pub(in crate::cli) registry: Registry,
    /// The administrator, if the data directory was new.
    pub(in crate::cli) administrator: Option<FirstAdministrator>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Failure>>,
}

impl Inside {
    /// Starts a server with these settings.
    ///
    /// # Errors
    /// As `bonded serve`.
    pub(in crate::cli) async fn start(config: Config) -> Result<Self, Failure> {
        let mut administrator = None;
        let keep = |_: &Config, opened: Opened| {
            administrator = opened.administrator;
            Ok(())
        };
        let Started {
            claim, tls, node, ..
        } = Started::new(&config, keep).await?;
        let address = node.listener.local_addr().map_err(Failure::failed)?;
        let registry = node.registry.clone();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let followed = Followed::fixed(&config, tls);
            let stopped = async { drop(stopped.await) };
            let served = node.serve(&config, followed, stopped).await;
            drop(claim);
            served
        });
        Ok(Self {
            address,
            registry,
            administrator,
            stop,
            serving,
        })
    }

    /// Ends it, with what is under way.
    ///
    /// # Errors
    /// It has ended by itself.
    pub(in crate::cli) async fn stop(self) -> Result<(), Failure> {
        drop(self.stop);
        self.serving.await.map_err(Failure::failed)?
    }
}
