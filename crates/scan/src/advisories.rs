//! Advisories: read from records of the OSV schema, with what tables and `OpenVEX` documents add; kept in one file that is never changed, looked
//! up by ecosystem and package.
//!
//! The file is made whole by [`AdvisoryImport`] and read in place by [`Advisories`]. The same
//! records give the same bytes, in whatever order and form they come, so its digest names what a
//! scan was made with.

mod alpine;
mod check;
mod compare;
mod facts;
mod file;
mod import;
mod map;
mod ranges;
mod record;
mod severities;
mod tables;
#[cfg(test)]
mod tests;
mod vex;
mod write;

pub(crate) use facts::Statement;
pub(crate) use file::Affected;
pub use file::{Advisories, EcosystemTotal, InvalidAdvisories};
pub use import::{AdvisoryImport, FILE_LIMIT, ImportError, ImportReport, InvalidRecord};
pub(crate) use ranges::{End, Range};
pub(crate) use vex::{VexStatus, split};
