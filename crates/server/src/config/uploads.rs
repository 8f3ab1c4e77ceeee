//! The table `uploads`: what uploads are held to.

use std::time::Duration;

use bonded_registry::UploadLimits;

use super::ConfigError;
use super::setting::{About, Reading, Setting, required, text};

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 2] = [&UNFINISHED_BYTES.about, &STALL.about];

static UNFINISHED_BYTES: Setting<u64> = Setting {
    about: About::text("uploads.unfinished_bytes", "SIZE")
        .default("256 GiB")
        .doc(
            "How many bytes the unfinished uploads of one principal may have together, such as \
             '20 GiB'",
        ),
    read: |value| required(value, size),
    show: |bytes| text(&format!("{bytes} B")),
};

static STALL: Setting<Duration> = Setting {
    about: About::text("uploads.stall", "TIME")
        .default("60s")
        .doc("How long a client may send nothing in the middle of a body, such as '90s' or '5m'"),
    read: |value| required(value, duration),
    show: |stall| text(&shown_duration(*stall)),
};

/// What the table means.
pub(super) fn uploads(settings: &mut Reading) -> Result<UploadLimits, ConfigError> {
    Ok(UploadLimits {
        unfinished_bytes: settings.get(&UNFINISHED_BYTES)?,
        stall: settings.get(&STALL)?,
    })
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
fn size(text: &str) -> Result<u64, String> {
    measure(text, &SIZES).ok_or_else(|| {
        let text = text.escape_debug();
        format!(
            "'{text}' is not a size: a number above 0 and B, KiB, MiB, GiB or TiB are expected, such as '20 GiB'"
        )
    })
}

/// A time of at least one second.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = measure(text, &TIMES);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let text = text.escape_debug();
        format!(
            "'{text}' is not a time: a number above 0 and s, m or h are expected, such as '90s'"
        )
    })
}

/// As [`duration`] reads it.
pub(super) fn shown_duration(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
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
    use crate::config::RawConfig;

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
    fn what_is_not_set_is_what_the_registry_takes_by_itself() {
        let limits = uploads(&mut Reading::of(RawConfig::default()));
        assert_eq!(limits.ok(), Some(UploadLimits::default()));
    }

    #[test]
    fn what_is_shown_is_what_was_meant() {
        let raw = RawConfig::default()
            .with(&UNFINISHED_BYTES, &3072)
            .with(&STALL, &Duration::from_secs(120));
        let limits = uploads(&mut Reading::of(raw)).ok().unwrap();
        assert_eq!(limits.unfinished_bytes, 3072);
        assert_eq!(limits.stall.as_secs(), 120);
    }
}
