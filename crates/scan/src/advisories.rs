//! Advisories: read from records of the OSV schema, kept in one file that is never changed, looked
//! up by ecosystem and package.
//!
//! The file is made whole by [`AdvisoryImport`] and read in place by [`Advisories`]. The same
//! records give the same bytes, in whatever order and form they come, so its digest names what a
//! scan was made with.

mod compare;
mod file;
mod import;
mod map;
mod ranges;
mod record;
mod severities;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use file::Affected;
pub use file::{Advisories, EcosystemTotal, InvalidAdvisories};
pub use import::{AdvisoryImport, ImportError, ImportReport, InvalidRecord};
pub(crate) use ranges::{End, Range};
