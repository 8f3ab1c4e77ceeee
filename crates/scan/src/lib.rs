//! What is inside an image and what is wrong with it: the pure half of the scanner.
//!
//! ```text
//! a layer ── inspect_layer ──▶ LayerInventory ── merge ──▶ ImageInventory ──┐
//!                                                                match_image ──▶ ScanResult
//! records ── AdvisoryImport ──▶ a file ── Advisories, read in place ─────────┘
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `layer`, `database`, `path` | from the bytes of a layer to the packages in it |
//! | `image`, `os_release`, `distribution`, `base_image` | layers laid over each other: the system and its packages |
//! | `package`, `package_url`, `license`, `rpm_line` | a package, and what it is called elsewhere |
//! | `advisories`, `epss`, `end_of_life` | what is said of versions, kept in one file |
//! | `version`, `ecosystem`, `table` | which of two versions is newer, by the tools of each ecosystem |
//! | `matching`, `package_version`, `severity` | what of it is about an image, and how bad it is |
//! | `attached` | what documents attached to an image add |
//! | `result`, `problem`, `difference`, `report` | what was found, why it may not be all, and its forms |
//!
//! Nothing here opens a file, reads a clock or waits: bytes come in through readers that the caller
//! hands over, answers go out as values. Two rules hold everywhere:
//!
//! * **Unknown is said.** A version that has no order, a database that cannot be read, a score
//!   that cannot be computed is an error of its own, never a silent "not affected".
//! * **Input is hostile.** Every reader is bounded in size, every number is compared as text or
//!   with checked arithmetic, and no input makes a parser panic.

mod advisories;
mod attached;
mod base_image;
mod counted;
mod database;
mod difference;
mod distribution;
mod ecosystem;
mod end_of_life;
mod epss;
mod image;
mod layer;
mod license;
mod matching;
mod os_release;
mod package;
mod package_url;
mod package_version;
mod path;
mod problem;
mod report;
mod result;
mod rpm_line;
mod severity;
mod table;
mod version;

pub use advisories::{
    Advisories, AdvisoryImport, EcosystemTotal, FILE_LIMIT as ADVISORY_FILE_LIMIT, ImportError,
    ImportReport, InvalidAdvisories, InvalidRecord, RecordTimes, modified_list, record_time,
    record_times,
};
pub use attached::{Attached, Attachment};
pub use base_image::BaseImage;
pub use database::DatabaseError;
pub use difference::{Difference, PackageChange};
pub use distribution::looked_up as looked_up_ecosystem;
pub use ecosystem::{Ecosystem, UnknownEcosystem};
pub use end_of_life::EndOfLife;
pub use epss::{Epss, Probability};
pub use image::{ImageInventory, ImagePackage, merge};
pub use layer::{
    ArchiveFiles, INVENTORY_VERSION, InvalidArchive, InvalidInventory, LayerInventory, LayerLimits,
    LayerProblem, expand_archive, inspect_layer,
};
pub use matching::{KERNEL_HEADERS, MatchOptions, match_attached, match_image};
pub use os_release::OsRelease;
pub use package::{Evidence, Package, PackageKind};
pub use package_version::{ChangedPackages, PackageVersion, PackageVersions};
pub use problem::{Problem, ProblemCode};
pub use report::{
    Contents, ImageFindings, Subject, findings_json, findings_list_json, purl, read_findings_json,
    write_csv, write_cyclonedx, write_html, write_openvex, write_sarif, write_spdx,
};
pub use result::{
    AdvisoriesUsed, Finding, FindingCounts, ScanResult, ScannedPackage, SubscriptionFix,
    Undetermined,
};
pub use severity::{InvalidCvss, Rating, Score, Severity, UNRATED, UnreadableSeverity};
pub use table::{Check, Outcome, TableTotals, check_table};
pub use version::{UnknownVersionOrder, UnparsableVersion, VERSION_LIMIT, VersionOrder, compare};
