//! What the scans that count for an image come to together.

use bonded_model::Digest;

use super::{JudgedScan, ScanCounts, ScanState, UnknownScan};

/// The scans that count together: any that is unknown makes all so.
#[derive(Default)]
pub(super) struct Scans {
    complete: Vec<ScanCounts>,
    /// Of which images those are.
    scanned: Vec<Digest>,
    pending: Vec<Digest>,
    /// Why they are unknown for another reason than that a scan is awaited.
    unknown: Option<UnknownScan>,
}

impl Scans {
    pub(super) fn add(&mut self, digest: &Digest, scan: ScanState) {
        match scan {
            ScanState::Complete(counts) => {
                self.complete.push(counts);
                self.scanned.push(digest.clone());
            }
            ScanState::NotApplicable => {}
            ScanState::Pending => self.pending.push(digest.clone()),
            ScanState::NotScanned => self.unknown(UnknownScan::NotScanned),
            ScanState::Unsupported => self.unknown(UnknownScan::Unsupported),
            ScanState::Failed => self.unknown(UnknownScan::Failed),
        }
    }

    pub(super) fn unknown(&mut self, why: UnknownScan) {
        self.unknown.get_or_insert(why);
    }

    pub(super) fn judged(self) -> (JudgedScan, Vec<Digest>) {
        let Self {
            complete,
            scanned,
            pending,
            unknown,
        } = self;
        let judged = if let Some(why) = unknown {
            JudgedScan::Unknown(why)
        } else if !pending.is_empty() {
            JudgedScan::Unknown(UnknownScan::Pending(pending))
        } else if complete.is_empty() {
            JudgedScan::NotApplicable
        } else {
            JudgedScan::Complete(complete)
        };
        (judged, scanned)
    }
}
