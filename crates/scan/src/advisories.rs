//! Advisories: read from records of the OSV schema, with what tables and `OpenVEX` documents add; kept in one file that is never changed, looked
//! up by ecosystem and package.
//!
//! The file is made whole by [`AdvisoryImport`] and read in place by [`Advisories`]. The same
//! records give the same bytes, in whatever order and form they come, so its digest names what a
//! scan was made with.

mod alpine;
mod check;
mod compare;
mod errata;
mod facts;
mod file;
mod gems;
mod import;
mod map;
mod mirror;
mod oval;
mod packed;
mod ranges;
mod record;
mod report;
mod severities;
mod tables;
#[cfg(test)]
mod tests;
mod updateinfo;
mod vex;
mod write;
mod xml;

pub(crate) use facts::Statement;
pub use file::{Advisories, EcosystemTotal, InvalidAdvisories};
pub(crate) use file::{Affected, OfEcosystem};
pub use import::{AdvisoryImport, FILE_LIMIT, ImportError, InvalidRecord};
pub use mirror::{RecordTimes, modified_list, record_time, record_times};
pub(crate) use ranges::{End, Range};
pub use report::ImportReport;
pub(crate) use vex::{
    Document as VexDocument, NAMESPACE as VEX_NAMESPACE, Product, Said, VexStatus, split,
};
