//! The fuzz targets of `fuzz/`, run over their corpora: what was found once stays found.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

#[path = "../../../../fuzz/targets/mod.rs"]
#[expect(unreachable_pub, reason = "the package 'bonded-fuzz' exports it")]
#[expect(
    clippy::expect_used,
    reason = "a target stops where a promise is broken"
)]
mod targets;

/// Inputs up to this length are also cut and changed at every place.
const MUTATED: usize = 600;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// What is in the corpus of `target`, as a checkout has it: libFuzzer's own files, named by a SHA-1,
/// are not looked at.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = fuzz().join("corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|e| panic!("{directory:?}: {e}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let named = paths.filter(|path| path.file_name().is_some_and(|name| name.len() != 40));
    named
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn no_target_breaks_on_its_corpus() {
    for (target, run) in targets::TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target}: no corpus");
        for (_, data) in corpus {
            run(&data);
        }
    }
}

#[test]
fn no_target_breaks_on_what_is_near_its_corpus() {
    for (target, run) in targets::TARGETS {
        for (_, data) in corpus(target) {
            for at in 0..data.len().min(MUTATED) {
                run(&data[..at]);
                for byte in [0, b'"', b'%', b'/', b':', b'\n', b'9', 0x80, 0xff] {
                    let mut changed = data.clone();
                    changed[at] = byte;
                    run(&changed);
                    changed.remove(at);
                    run(&changed);
                }
            }
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_a_binary() {
    let targets: BTreeSet<String> = targets::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(targets.len(), targets::TARGETS.len(), "a name twice");
    let names = |directory: &str, suffix: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .map(|name| name.trim_end_matches(suffix).to_owned())
            .collect()
    };
    assert_eq!(names("corpus", ""), targets);
    assert_eq!(names("fuzz_targets", ".rs"), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(
            manifest.contains(&format!("[[bin]]\nname = \"{target}\"\n")),
            "{target}: no [[bin]]"
        );
    }
}

#[test]
fn a_promise_that_is_broken_stops_the_target() {
    let shown = std::panic::catch_unwind(|| targets::run("digest", b"sha256:x"));
    assert!(shown.is_ok());
    assert!(std::panic::catch_unwind(|| targets::run("no such target", b"")).is_err());
}
