//! What the server says when it starts.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use bonded_registry::{FirstAdministrator, Opened};
use bonded_store::{Database, Objects};
use tokio::net::TcpListener;

use super::live::authority;
use crate::administrator::AdministratorKey;
use crate::cli::{Failure, print};
use crate::config::Config;
use crate::files;

/// Says what was made and where things are.
pub(super) fn opened(config: &Config, opened: Opened) -> Result<(), Failure> {
    for migration in &opened.migrations {
        tracing::info!(%migration, "migrated");
    }
    if config.tls.is_none() {
        let path = authority(config).join("ca.crt");
        print::line(format!("authority for clients: {}", path.display()));
    }
    match &config.objects {
        Objects::Bucket(bucket) => {
            let endpoint = bucket.endpoint.as_deref().unwrap_or("AWS");
            print::line(format!(
                "objects: the bucket '{}/{}' at {endpoint}",
                bucket.name, bucket.prefix
            ));
        }
        Objects::Disk if matches!(config.database, Database::Postgres(_)) => {
            tracing::warn!(
                "objects are in this node's data directory: no other node can serve this database; \
                 set 's3.bucket' for several nodes"
            );
        }
        Objects::Disk => {}
    }
    let keyring = config.keyring.display();
    if opened.keyring_created {
        print::line(format!("key ring, made just now: {keyring}"));
        print::line("keep a copy of it apart from the data: without it the data is lost for ever");
    } else {
        print::line(format!("key ring: {keyring}"));
    }
    match opened.administrator {
        Some(made) if io::stdout().is_terminal() => print_key(config, made),
        Some(made) => write_key(config, made)?,
        None => {}
    }
    Ok(())
}

/// Shows the administrator's key as commands to paste.
fn print_key(config: &Config, made: FirstAdministrator) {
    let key = AdministratorKey::new(made, config.region.clone());
    print::line(format!(
        "administrator of the account {}, shown only now:",
        key.account
    ));
    print::line(format!("export AWS_ACCESS_KEY_ID={}", key.access_key_id));
    let secret = key.secret_access_key.expose();
    print::line(format!("export AWS_SECRET_ACCESS_KEY={secret}"));
    print::line(format!("export AWS_REGION={}", key.region));
}

/// Puts the administrator's key into a file: what is printed, but not on a terminal, ends up in
/// a journal.
fn write_key(config: &Config, made: FirstAdministrator) -> Result<(), Failure> {
    let key = AdministratorKey::new(made, config.region.clone());
    let path = AdministratorKey::path(&config.data);
    key.write(&path).map_err(|error| {
        let path = path.display();
        Failure::failed(format!(
            "cannot write the administrator's key to '{path}': {error}"
        ))
    })?;
    print::line(format!(
        "administrator of the account {}: the key is in {}",
        key.account,
        path.display()
    ));
    print::line("keep it and remove the file, the server never reads it");
    Ok(())
}

/// Tells whoever started the server that it serves: the port in `file`, the address printed.
pub(super) fn ready(listener: &TcpListener, file: Option<&Path>) -> Result<(), Failure> {
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
