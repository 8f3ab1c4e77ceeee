//! The table `uploads`: what uploads are held to.

use std::time::Duration;

use bonded_registry::UploadLimits;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// The table `uploads`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawUploads {
    /// How many bytes the unfinished uploads of one principal may have together, such as '20 GiB'
    /// [default: 256 GiB]
    #[arg(long = "uploads-unfinished-bytes", id = "uploads.unfinished_bytes")]
    #[arg(value_name = "SIZE", env = "BONDED_UPLOADS_UNFINISHED_BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unfinished_bytes: Option<String>,

    /// How long a client may send nothing in the middle of a body, such as '90s' or '5m'
    /// [default: 60s]
    #[arg(long = "uploads-stall", id = "uploads.stall", value_name = "TIME")]
    #[arg(env = "BONDED_UPLOADS_STALL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stall: Option<String>,
}

impl RawUploads {
    /// These settings, and for what is not set here those of `base`.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            unfinished_bytes: self.unfinished_bytes.or(base.unfinished_bytes),
            stall: self.stall.or(base.stall),
        }
    }
}

/// What the table means.
pub(super) fn uploads(raw: &RawUploads) -> Result<UploadLimits, ConfigError> {
    let default = UploadLimits::default();
    let limits = UploadLimits {
        unfinished_bytes: match &raw.unfinished_bytes {
            Some(text) => size("uploads.unfinished_bytes", text)?,
            None => default.unfinished_bytes,
        },
        stall: match &raw.stall {
            Some(text) => duration("uploads.stall", text)?,
            None => default.stall,
        },
    };
    Ok(limits)
}

/// The same as it is written.
pub(super) fn shown(limits: &UploadLimits) -> RawUploads {
    RawUploads {
        unfinished_bytes: Some(format!("{} B", limits.unfinished_bytes)),
        stall: Some(format!("{}s", limits.stall.as_secs())),
    }
}

const SIZES: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const TIMES: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

/// A number of bytes, at least one.
fn size(key: &'static str, text: &str) -> Result<u64, ConfigError> {
    measure(text, &SIZES).ok_or_else(|| {
        let text = text.escape_debug();
        let problem = format!(
            "'{text}' is not a size: a number above 0 and B, KiB, MiB, GiB or TiB are expected, such as '20 GiB'"
        );
        invalid(key, problem)
    })
}

/// A time of at least one second.
fn duration(key: &'static str, text: &str) -> Result<Duration, ConfigError> {
    let seconds = measure(text, &TIMES);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let text = text.escape_debug();
        let problem = format!(
            "'{text}' is not a time: a number above 0 and s, m or h are expected, such as '90s'"
        );
        invalid(key, problem)
    })
}

/// A whole number above 0 in one of `units`, as a number of the smallest.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    let measured = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    (measured > 0).then_some(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_a_number_and_a_unit() {
        for (text, size, time) in [
            ("20 GiB", Some(20 << 30), None),
            ("1B", Some(1), None),
            (" 3MiB ", Some(3 << 20), None),
            ("90s", None, Some(90)),
            ("5 m", None, Some(300)),
            ("2h", None, Some(7200)),
            ("", None, None),
            ("5", None, None),
            ("GiB", None, None),
            ("0 B", None, None),
            ("-1 B", None, None),
            ("1.5 GiB", None, None),
            ("1 GB", None, None),
            ("16777216 TiB", None, None),
        ] {
            assert_eq!(measure(text, &SIZES), size, "{text}");
            assert_eq!(measure(text, &TIMES), time, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_what_was_meant() {
        let raw = RawUploads {
            unfinished_bytes: Some("3 KiB".to_owned()),
            stall: Some("2m".to_owned()),
        };
        let limits = uploads(&raw).ok().unwrap();
        assert_eq!(uploads(&shown(&limits)).ok(), Some(limits));
        assert_eq!(limits.unfinished_bytes, 3072);
        assert_eq!(limits.stall.as_secs(), 120);
    }
}
