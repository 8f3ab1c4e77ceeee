//! Why the result of a scan may not be all.

use serde::{Deserialize, Serialize};

/// What keeps a scan from being complete. An image with one has not been scanned: that no finding
/// is there proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem it is, for programs.
    pub code: ProblemCode,
    /// What it is, for people.
    pub message: String,
    /// The layer that has it, counted from the lowest, 0; `None` if it is of the image.
    pub layer: Option<u32>,
    /// The file that has it.
    pub path: Option<String>,
}

impl Problem {
    /// One of the whole image.
    #[must_use]
    pub fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            layer: None,
            path: None,
        }
    }

    pub(crate) fn at(code: ProblemCode, message: impl Into<String>, path: &str) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..Self::new(code, message)
        }
    }
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// A layer could not be inspected as a whole: [`LayerProblem`](crate::LayerProblem).
    Layer,
    /// There is no scan of the image.
    NotScanned,
    /// The image has more than is followed.
    TooLarge,
    /// Neither a system nor a package was recognised.
    NothingRecognised,
    /// The file that names the system cannot be read.
    OsUnreadable,
    /// There are packages of a system, and nothing says of which.
    OsUnknown,
    /// It is known which system it is, but not how its packages are matched.
    OsUnsupported,
    /// A layer names another system than the packages are of.
    OsChanged,
    /// The package database that the system has is not there.
    DatabaseMissing,
    /// It is there, and empty.
    DatabaseEmpty,
    /// A package database or the metadata of a package cannot be read.
    DatabaseUnreadable,
    /// A document that is attached to the image cannot be read.
    DocumentUnreadable,
    /// There are no advisories for an ecosystem that packages of the image are of.
    NoAdvisories,
    /// Whether an advisory is about a package cannot be decided, as a version has no order or
    /// nothing tells of which line of packages it is.
    Undetermined,
}
