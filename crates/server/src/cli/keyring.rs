//! `bonded keyring`: the root keys that everything is sealed by, through the socket of the server.

use std::path::{Path, PathBuf};

use bonded_store::{export_key_ring, key_ring_ids};
use clap::{Args, Subcommand};

use serde_json::json;

use super::print::Output;
use super::progress::ProgressArgs;
use super::{Failure, OfHost, ask_server, ask_server_for_long};
use crate::operator::{GetKeyRing, KeyRingKeys, RetireRootKey, RootKeyUse, RotateKeyRing};

/// List, rotate, copy and check the root keys of the server on this machine
///
/// The key ring is a file of root keys. They wrap the keys that everything is sealed by: whoever
/// loses the ring loses the data. A rotation touches no image and interrupts nothing.
#[derive(Args)]
pub(super) struct KeyringCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the root keys and how many keys each of them wraps
    List(OfHost),

    /// Make another root key the current one and wrap every key by it
    ///
    /// Nodes that share the file need no more than this. Where each node has a copy: --prepare, copy
    /// the file to the others, rotate, and copy it again.
    Rotate {
        /// Only add the next root key to the file, so that every node can get it first
        #[arg(long)]
        prepare: bool,

        #[command(flatten)]
        progress: ProgressArgs,

        #[command(flatten)]
        host: OfHost,
    },

    /// Take a root key out of the file that wraps nothing any more
    ///
    /// Backups of the database from before the rotation need it: keep it with them.
    Retire {
        /// The id of the root key
        #[arg(value_name = "ID")]
        id: String,

        #[command(flatten)]
        host: OfHost,
    },

    /// Copy the key ring to another file, for its owner alone
    Export {
        /// The copy, which must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        host: OfHost,
    },

    /// Say whether a copy of the key ring opens everything that the server has now
    Check {
        /// The copy
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        host: OfHost,
    },
}

impl KeyringCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::List(OfHost { output, data }) => {
                let ring = ask_server(&data.path()?, &GetKeyRing {})?;
                show(&ring, output, "", |_| true)
            }
            Action::Rotate {
                prepare,
                progress,
                host,
            } => {
                let OfHost { output, data } = host;
                let progress = progress.begin(output.is_quiet());
                let rotation = RotateKeyRing { prepare };
                let ring = ask_server_for_long(&data.path()?, &rotation, &progress)?;
                let (made, next) = match prepare {
                    true => (
                        "next",
                        "copy the file to every node that has one of its own, then rotate",
                    ),
                    false => (
                        "current",
                        "keep a copy of the new file apart from the data: the old one opens nothing new",
                    ),
                };
                show(&ring, output, next, |root| root.state == made)
            }
            Action::Retire { id, host } => {
                let OfHost { output, data } = host;
                let ring = ask_server(&data.path()?, &RetireRootKey { id })?;
                show(&ring, output, "", |_| false)
            }
            Action::Export { file, host } => export(&file, host),
            Action::Check { file, host } => check_copy(&file, host),
        }
    }
}

fn export(file: &Path, OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let data = data.path()?;
    let file = std::path::absolute(file).map_err(Failure::failed)?;
    if file.starts_with(&data) {
        let problem = format!(
            "'{}' is in the data directory; a copy of the data must not hold its keys",
            file.display()
        );
        return Err(Failure::usage(problem));
    }
    let ring = ask_server(&data, &GetKeyRing {})?;
    export_key_ring(&ring.path, &file).map_err(Failure::failed)?;
    let sentence = format!(
        "the key ring '{}' is copied to '{}'; keep it apart from the data",
        ring.path.display(),
        file.display()
    );
    output.done(&json!({ "path": ring.path, "copy": file }), sentence)
}

fn check_copy(file: &Path, OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let held = key_ring_ids(file).map_err(Failure::failed)?;
    let ring = ask_server(&data.path()?, &GetKeyRing {})?;
    check(&held, &ring).map_err(|missing| {
        let file = file.display();
        Failure::failed(format!("'{file}' {missing}"))
    })?;
    let sentence = format!("'{}' opens everything", file.display());
    output.done(&json!({ "copy": file, "roots": held }), sentence)
}

/// Whether a copy that holds the root keys `held` has all that are in use.
fn check(held: &[String], ring: &KeyRingKeys) -> Result<(), String> {
    let needed = ring
        .roots
        .iter()
        .filter(|root| root.wraps > 0 || root.state == "current");
    for root in needed {
        if !held.contains(&root.id) {
            return Err(format!(
                "does not hold the root key '{}', which is in use; make another copy with 'bonded keyring export'",
                root.id
            ));
        }
    }
    Ok(())
}

/// Prints the ring, for people with what is `next` to be done; of its ids those of `made`.
fn show(
    ring: &KeyRingKeys,
    output: Output,
    next: &str,
    made: impl Fn(&RootKeyUse) -> bool,
) -> Result<(), Failure> {
    let told = |ring: &KeyRingKeys| {
        let next = Some(next.to_owned()).filter(|next| !next.is_empty());
        table(ring).into_iter().chain(next).collect()
    };
    output.print(ring, told, |ring| {
        let roots = ring.roots.iter().filter(|root| made(root));
        roots.map(|root| root.id.clone()).collect()
    })
}

/// The ring for people.
fn table(ring: &KeyRingKeys) -> Vec<String> {
    let mut lines = vec![
        format!("key ring: {}", ring.path.display()),
        format!("{:<18} {:<8} {:>12}", "root key", "state", "wraps keys"),
    ];
    lines.extend(ring.roots.iter().map(|root| {
        let RootKeyUse { id, state, wraps } = root;
        format!("{id:<18} {state:<8} {wraps:>12}")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_must_hold_every_root_key_in_use() {
        let ring: KeyRingKeys = serde_json::from_value(serde_json::json!({
            "path": "/etc/bonded/keyring",
            "roots": [
                {"id": "a", "state": "current", "wraps": 0},
                {"id": "b", "state": "old", "wraps": 2},
                {"id": "c", "state": "old", "wraps": 0},
            ],
        }))
        .unwrap();
        for (held, missing) in [
            (&["a", "b"][..], None),
            (&["b", "x", "a"], None),
            (&["a", "c"], Some("'b'")),
            (&["b", "c"], Some("'a'")),
            (&[], Some("'a'")),
        ] {
            let held: Vec<String> = held.iter().map(ToString::to_string).collect();
            match (check(&held, &ring), missing) {
                (Ok(()), None) => {}
                (Err(said), Some(missing)) => assert!(said.contains(missing), "{said}"),
                (found, _) => panic!("{held:?}: {found:?}"),
            }
        }
        assert_eq!(table(&ring).len(), 5);
    }
}
