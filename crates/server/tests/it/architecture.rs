//! The rules of ARCHITECTURE.md that a machine can hold.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Which of our crates each crate may name, in `Cargo.toml` and so anywhere.
const ARROWS: [(&str, &[&str]); 6] = [
    ("bonded-model", &[]),
    ("bonded-iam", &["bonded-model"]),
    ("bonded-scan", &["bonded-model"]),
    ("bonded-store", &["bonded-model"]),
    (
        "bonded-registry",
        &["bonded-model", "bonded-iam", "bonded-scan", "bonded-store"],
    ),
    // `store` for its settings, which `serve` fills in; `scan` for commands that work on files.
    (
        "bonded-server",
        &[
            "bonded-model",
            "bonded-iam",
            "bonded-registry",
            "bonded-scan",
            "bonded-store",
        ],
    ),
];

/// What the pure crates must not be built with.
const IMPURE: [&str; 6] = [
    "tokio",
    "hyper",
    "rusqlite",
    "tokio-postgres",
    "reqwest",
    "tracing",
];

fn packages() -> Vec<Value> {
    let output = Command::new(std::env::var("CARGO").unwrap())
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The packages it is built with, those of its tests left out.
fn dependencies(package: &Value) -> BTreeSet<&str> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let built = dependencies.filter(|dependency| dependency["kind"].is_null());
    built
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect()
}

#[test]
fn crates_depend_in_one_direction_only() {
    let packages = packages();
    assert_eq!(
        packages.len(),
        ARROWS.len(),
        "a crate was added; give it its place in ARROWS"
    );
    for (name, may) in ARROWS {
        let package = packages
            .iter()
            .find(|package| package["name"] == name)
            .unwrap();
        let ours = dependencies(package)
            .into_iter()
            .filter(|dependency| dependency.starts_with("bonded-"));
        for dependency in ours {
            assert!(
                may.contains(&dependency),
                "{name} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn pure_crates_do_no_io() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        if ["bonded-model", "bonded-iam", "bonded-scan"].contains(&name) {
            let impure = dependencies(&package)
                .into_iter()
                .find(|dependency| IMPURE.contains(dependency));
            assert_eq!(impure, None, "{name}");
        }
    }
}

#[test]
fn there_is_one_binary() {
    let packages = packages();
    let targets = packages
        .iter()
        .flat_map(|package| package["targets"].as_array().unwrap());
    let binaries: Vec<&Value> = targets
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| &target["name"])
        .collect();
    assert_eq!(binaries, ["bonded"]);
}
