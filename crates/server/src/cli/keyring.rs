//! `bonded keyring`: the root keys that everything is sealed by, through the socket of the server.

use std::fmt::Write as _;
use std::path::PathBuf;

use bonded_store::{export_key_ring, key_ring_ids};
use clap::{Args, Subcommand};

use super::print::{self, Form};
use super::{DataDirectory, Failure, ask_server};
use crate::operator::{GetKeyRing, KeyRingKeys, RetireRootKey, RotateKeyRing};

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
    List(ListArgs),

    /// Make another root key the current one and wrap every key by it
    ///
    /// Nodes that share the file need no more than this. Where each node has a copy: --prepare, copy
    /// the file to the others, rotate, and copy it again.
    Rotate {
        /// Only add the next root key to the file, so that every node can get it first
        #[arg(long)]
        prepare: bool,

        #[command(flatten)]
        list: ListArgs,
    },

    /// Take a root key out of the file that wraps nothing any more
    ///
    /// Backups of the database from before the rotation need it: keep it with them.
    Retire {
        /// The id of the root key
        #[arg(value_name = "ID")]
        id: String,

        #[command(flatten)]
        list: ListArgs,
    },

    /// Copy the key ring to another file, for its owner alone
    Export {
        /// The copy, which must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        data: DataDirectory,
    },

    /// Say whether a copy of the key ring opens everything that the server has now
    Check {
        /// The copy
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        data: DataDirectory,
    },
}

#[derive(Args)]
struct ListArgs {
    /// The form of the output
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,

    #[command(flatten)]
    data: DataDirectory,
}

impl KeyringCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::List(ListArgs { output, data }) => {
                show(&ask_server(&data.path()?, &GetKeyRing {})?, output)
            }
            Action::Rotate { prepare, list } => {
                let ring = ask_server(&list.data.path()?, &RotateKeyRing { prepare })?;
                show(&ring, list.output)?;
                if let Form::Table = list.output {
                    print::line(match prepare {
                        true => "copy the file to every node that has one of its own, then rotate",
                        false => {
                            "keep a copy of the new file apart from the data: the old one opens nothing new"
                        }
                    });
                }
                Ok(())
            }
            Action::Retire { id, list } => show(
                &ask_server(&list.data.path()?, &RetireRootKey { id })?,
                list.output,
            ),
            Action::Export { file, data } => {
                let data = data.path()?;
                let file = std::path::absolute(&file).map_err(Failure::failed)?;
                if file.starts_with(&data) {
                    let problem = format!(
                        "'{}' is in the data directory; a copy of the data must not hold its keys",
                        file.display()
                    );
                    return Err(Failure::usage(problem));
                }
                let ring = ask_server(&data, &GetKeyRing {})?;
                export_key_ring(&ring.path, &file).map_err(Failure::failed)?;
                print::line(format!(
                    "the key ring '{}' is copied to '{}'; keep it apart from the data",
                    ring.path.display(),
                    file.display()
                ));
                Ok(())
            }
            Action::Check { file, data } => {
                let held = key_ring_ids(&file).map_err(Failure::failed)?;
                let ring = ask_server(&data.path()?, &GetKeyRing {})?;
                check(&held, &ring).map_err(|missing| {
                    let file = file.display();
                    Failure::failed(format!("'{file}' {missing}"))
                })?;
                print::line(format!("'{}' opens everything", file.display()));
                Ok(())
            }
        }
    }
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

fn show(ring: &KeyRingKeys, form: Form) -> Result<(), Failure> {
    print::line(match form {
        Form::Json => serde_json::to_string_pretty(ring).map_err(Failure::failed)?,
        Form::Table => table(ring),
    });
    Ok(())
}

/// The ring for people.
fn table(ring: &KeyRingKeys) -> String {
    let mut text = format!("key ring: {}\n", ring.path.display());
    let _ = write!(
        text,
        "{:<18} {:<8} {:>12}",
        "root key", "state", "wraps keys"
    );
    for root in &ring.roots {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n{:<18} {:<8} {:>12}",
            root.id, root.state, root.wraps
        );
    }
    text
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
        assert_eq!(table(&ring).lines().count(), 5);
    }
}
