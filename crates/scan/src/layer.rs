//! One pass over one layer.
//!
//! Memory does not grow with the layer: files stream by, and kept are only what the databases of
//! packages say and the names that matter when layers are laid over each other, within
//! [`LayerLimits::kept`].

mod archive;
mod archive_files;
mod collect;
mod contents;
mod expand;
mod frames;
mod inventory;
mod limits;
mod problem;

use std::io::{self, BufReader, Read};

use archive::{Archive, ArchiveError};
use collect::Collector;
use contents::Names;
use expand::{Expanded, Stop, drain, stop_of};
use frames::Skipped;

pub use archive_files::{ArchiveFiles, InvalidArchive, expand_archive};
pub(crate) use inventory::{Change, Content};
pub use inventory::{INVENTORY_VERSION, InvalidInventory, LayerInventory};
pub use limits::LayerLimits;
pub use problem::LayerProblem;

/// Finds what a layer brings and takes away, in one pass from the front to the back of its stored
/// bytes: a tar archive, plain or in any number of gzip members or zstd frames, which its first
/// bytes tell.
///
/// Whatever is wrong with the layer is part of the answer ([`LayerInventory::problems`]) and says
/// as much as could be found until then. Time is linear in the bytes, expanded; memory is bounded by
/// `limits` and the window of zstd (128 MiB at most; 8 MiB in what common tools write).
///
/// # Errors
/// Only what `reader` itself fails with: nothing is known about the layer then.
pub fn inspect_layer(reader: impl Read, limits: &LayerLimits) -> io::Result<LayerInventory> {
    let mut collector = Collector::new(limits);
    let problem = match inspect(reader, limits, &mut collector) {
        Ok(()) => None,
        Err(Stop::Source(error)) => return Err(error),
        Err(Stop::Problem(problem)) => Some(problem),
    };
    let mut inventory = collector.finish();
    inventory.problems.extend(problem);
    Ok(inventory)
}

fn inspect(reader: impl Read, limits: &LayerLimits, collector: &mut Collector) -> Result<(), Stop> {
    let expanded = Expanded::new(reader, *limits)?;
    let mut archive = Archive::new(BufReader::with_capacity(128 * 1024, expanded));
    let mut names = Names::default();
    let mut table = None;
    let read = loop {
        let entry = match archive.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => break Ok(()),
            Err(error) => break Err(stop(error)),
        };
        if archive.headers() > limits.entries {
            break Err(Stop::Problem(LayerProblem::TooMany("files".to_owned())));
        }
        let path = crate::path::clean(&entry.name);
        if path == contents::ESTARGZ {
            table = Some(contents::estargz(&mut archive, limits.entries));
            continue;
        }
        if entry.kind != archive::EntryKind::Global {
            names.add(&path);
        }
        match collector.entry(&entry, path, &mut archive) {
            Ok(()) => {}
            Err(error) => break Err(stop(error)),
        }
    };
    let headers = archive.headers();
    let mut rest = archive.into_inner();
    let read = read.and_then(|()| end(&mut rest));
    let expanded = rest.into_inner();
    collector.count(headers, expanded.expanded());
    read?;
    let tables = tables(table, &expanded.into_skipped(), limits);
    for table in tables {
        let same = table.map(|mut table| table.is_same(&mut names));
        let problem = match same {
            Ok(true) => continue,
            Ok(false) => "they name different files".to_owned(),
            Err(error) => error,
        };
        return Err(Stop::Problem(LayerProblem::SecondContents(problem)));
    }
    Ok(())
}

/// Reads what is left to the end, which must be zeros.
fn end(rest: &mut BufReader<Expanded<'_>>) -> Result<(), Stop> {
    match drain(rest).map_err(stop_of)? {
        true => Err(Stop::Problem(LayerProblem::TrailingBytes)),
        false => Ok(()),
    }
}

/// Every table of contents that is in the layer.
fn tables(
    estargz: Option<Result<Names, String>>,
    skipped: &Skipped,
    limits: &LayerLimits,
) -> Vec<Result<Names, String>> {
    let mut tables: Vec<_> = estargz.into_iter().collect();
    let chunked = skipped.frames.iter();
    tables.extend(chunked.filter_map(|frame| contents::zstd_chunked(frame, limits.entries)));
    if skipped.truncated {
        tables.push(Err("the frames that zstd skips are too large".to_owned()));
    }
    tables
}

fn stop(error: ArchiveError) -> Stop {
    match error {
        ArchiveError::Io(error) => stop_of(error),
        ArchiveError::Malformed(reason) => {
            Stop::Problem(LayerProblem::Malformed(reason.to_owned()))
        }
        ArchiveError::TooMany(what) => Stop::Problem(LayerProblem::TooMany(what.to_owned())),
    }
}

#[cfg(test)]
mod tests;
