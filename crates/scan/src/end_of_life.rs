//! Until when distributions give updates for their releases to everybody: what is paid for beyond
//! that (Ubuntu Pro, ELS, LTSS, Extended LTS) is not counted, what volunteers give (Debian LTS) is.

use bonded_model::Timestamp;
use serde::Serialize;

use crate::OsRelease;

/// When a release gets no more updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct EndOfLife {
    /// The last day with updates: `2024-06-30`.
    pub date: String,
    /// Where the distribution says so.
    pub source: String,
    /// Whether that day was over when the image was judged.
    pub passed: bool,
}

/// A distribution: its `ID`, where it says until when, and the releases with their last days. A
/// release is the beginning of a `VERSION_ID`, up to a dot or its end; of openEuler the service pack
/// is part of it, as OSV names it.
type Distribution = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// As published by 2026-11. A release that is not here is not known to have ended.
const DISTRIBUTIONS: [Distribution; 21] = [
    (
        "almalinux",
        "https://wiki.almalinux.org/release-notes/",
        &[
            ("8", "2029-03-01"),
            ("9", "2032-05-31"),
            ("10", "2035-05-31"),
        ],
    ),
    (
        "alpine",
        "https://alpinelinux.org/releases/",
        &[
            ("3.3", "2017-11-01"),
            ("3.4", "2018-05-01"),
            ("3.5", "2018-11-01"),
            ("3.6", "2019-05-01"),
            ("3.7", "2019-11-01"),
            ("3.8", "2020-05-01"),
            ("3.9", "2020-11-01"),
            ("3.10", "2021-05-01"),
            ("3.11", "2021-11-01"),
            ("3.12", "2022-05-01"),
            ("3.13", "2022-11-01"),
            ("3.14", "2023-05-01"),
            ("3.15", "2023-11-01"),
            ("3.16", "2024-05-23"),
            ("3.17", "2024-11-22"),
            ("3.18", "2025-05-09"),
            ("3.19", "2025-11-01"),
            ("3.20", "2026-04-01"),
            ("3.21", "2026-11-01"),
            ("3.22", "2027-05-01"),
            ("3.23", "2027-11-01"),
            ("3.24", "2028-06-01"),
        ],
    ),
    (
        "amzn",
        "https://aws.amazon.com/amazon-linux-2/faqs/",
        &[
            ("2018", "2023-12-31"),
            ("2", "2026-06-30"),
            ("2023", "2029-06-30"),
        ],
    ),
    (
        "azurelinux",
        "https://learn.microsoft.com/azure/azure-linux/release-cadence-lifecycle",
        &[("2", "2025-07-31"), ("3", "2027-08-31")],
    ),
    (
        "centos",
        "https://www.centos.org/cl-vs-cs/",
        &[
            ("5", "2017-03-31"),
            ("6", "2020-11-30"),
            ("7", "2024-06-30"),
            ("8", "2021-12-31"),
            ("9", "2027-05-31"),
            ("10", "2030-01-01"),
        ],
    ),
    (
        "debian",
        "https://wiki.debian.org/LTS",
        &[
            ("6", "2016-02-29"),
            ("7", "2018-05-31"),
            ("8", "2020-06-30"),
            ("9", "2022-06-30"),
            ("10", "2024-06-30"),
            ("11", "2026-08-31"),
            ("12", "2028-06-30"),
            ("13", "2030-06-30"),
        ],
    ),
    (
        "fedora",
        "https://docs.fedoraproject.org/en-US/releases/eol/",
        &[
            ("36", "2023-05-16"),
            ("37", "2023-12-05"),
            ("38", "2024-05-21"),
            ("39", "2024-11-26"),
            ("40", "2025-05-13"),
            ("41", "2025-12-15"),
            ("42", "2026-05-27"),
            ("43", "2026-12-09"),
            ("44", "2027-06-02"),
        ],
    ),
    (
        "mageia",
        "https://www.mageia.org/en/support/",
        &[
            ("7", "2021-06-30"),
            ("8", "2023-11-30"),
            ("9", "2026-09-29"),
            ("10", "2028-03-31"),
        ],
    ),
    (
        "mariner",
        "https://learn.microsoft.com/lifecycle/products/azure-linux",
        &[("1", "2023-07-31"), ("2", "2025-07-31")],
    ),
    (
        "ol",
        "https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf",
        &[
            ("6", "2021-03-31"),
            ("7", "2024-12-31"),
            ("8", "2029-07-31"),
            ("9", "2032-06-30"),
            ("10", "2035-06-30"),
        ],
    ),
    (
        "openEuler",
        "https://www.openeuler.org/en/download/archive/",
        &[
            ("20.03-LTS", "2021-03-31"),
            ("20.03-LTS-SP1", "2022-12-31"),
            ("20.03-LTS-SP2", "2022-04-30"),
            ("20.03-LTS-SP3", "2023-12-31"),
            ("20.03-LTS-SP4", "2025-11-30"),
            ("22.03-LTS", "2024-03-31"),
            ("22.03-LTS-SP1", "2024-12-31"),
            ("22.03-LTS-SP2", "2024-03-31"),
            ("22.03-LTS-SP3", "2025-12-31"),
            ("22.03-LTS-SP4", "2026-06-30"),
            ("23.03", "2023-09-30"),
            ("23.09", "2024-03-31"),
            ("24.03-LTS", "2026-05-31"),
            ("24.03-LTS-SP1", "2026-12-31"),
            ("24.03-LTS-SP2", "2026-03-31"),
            ("24.03-LTS-SP3", "2027-12-31"),
            ("24.03-LTS-SP4", "2027-03-31"),
            ("24.09", "2025-03-31"),
            ("25.03", "2025-09-30"),
            ("25.09", "2026-03-31"),
            ("26.09", "2027-03-31"),
        ],
    ),
    (
        "opensuse-leap",
        "https://en.opensuse.org/Lifetime",
        &[
            ("42.3", "2019-07-01"),
            ("15.0", "2019-12-03"),
            ("15.1", "2021-02-02"),
            ("15.2", "2022-01-04"),
            ("15.3", "2022-12-31"),
            ("15.4", "2023-12-07"),
            ("15.5", "2024-12-31"),
            ("15.6", "2026-04-30"),
            ("16.0", "2027-10-31"),
        ],
    ),
    (
        "photon",
        "https://github.com/vmware/photon/wiki",
        &[
            ("1.0", "2022-02-28"),
            ("2.0", "2022-12-31"),
            ("3.0", "2024-03-01"),
            ("4.0", "2027-10-11"),
        ],
    ),
    (
        "raspbian",
        "https://wiki.debian.org/LTS",
        &[
            ("9", "2022-06-30"),
            ("10", "2024-06-30"),
            ("11", "2026-08-31"),
        ],
    ),
    (
        "rhel",
        "https://access.redhat.com/support/policy/updates/errata",
        &[
            ("5", "2017-03-31"),
            ("6", "2020-11-30"),
            ("7", "2024-06-30"),
            ("8", "2029-05-31"),
            ("9", "2032-05-31"),
            ("10", "2035-05-31"),
        ],
    ),
    (
        "rocky",
        "https://wiki.rockylinux.org/rocky/version/",
        &[
            ("8", "2029-05-31"),
            ("9", "2032-05-31"),
            ("10", "2035-05-31"),
        ],
    ),
    (
        "sl-micro",
        "https://www.suse.com/lifecycle",
        &[
            ("6.0", "2028-06-30"),
            ("6.1", "2028-11-30"),
            ("6.2", "2029-11-30"),
        ],
    ),
    (
        "sle-micro",
        "https://www.suse.com/lifecycle",
        &[
            ("5.0", "2022-03-31"),
            ("5.1", "2025-10-31"),
            ("5.2", "2026-04-30"),
            ("5.3", "2026-10-30"),
            ("5.4", "2027-04-30"),
            ("5.5", "2027-10-31"),
        ],
    ),
    (
        "sled",
        "https://www.suse.com/lifecycle",
        &[("12.5", "2024-10-31"), ("15.6", "2025-12-31")],
    ),
    (
        "sles",
        "https://www.suse.com/lifecycle",
        &[
            ("11.4", "2019-03-31"),
            ("12.3", "2019-06-30"),
            ("12.4", "2020-06-30"),
            ("12.5", "2024-10-31"),
            ("15.1", "2021-01-31"),
            ("15.2", "2021-12-31"),
            ("15.3", "2022-12-31"),
            ("15.4", "2023-12-31"),
            ("15.5", "2024-12-31"),
            ("15.6", "2025-12-31"),
            ("15.7", "2031-07-31"),
            ("16.0", "2027-11-30"),
        ],
    ),
    (
        "ubuntu",
        "https://ubuntu.com/about/release-cycle",
        &[
            ("12.04", "2017-04-28"),
            ("14.04", "2019-04-25"),
            ("16.04", "2021-04-30"),
            ("18.04", "2023-05-31"),
            ("20.04", "2025-05-31"),
            ("20.10", "2021-07-22"),
            ("21.04", "2022-01-20"),
            ("21.10", "2022-07-14"),
            ("22.04", "2027-05-31"),
            ("22.10", "2023-07-20"),
            ("23.04", "2024-01-25"),
            ("23.10", "2024-07-11"),
            ("24.04", "2029-05-31"),
            ("24.10", "2025-07-10"),
            ("25.04", "2026-01-15"),
            ("25.10", "2026-07-01"),
            ("26.04", "2031-04-30"),
        ],
    ),
];

/// CentOS Stream has the numbers of CentOS Linux and days of its own.
const STREAM_8: &str = "2024-05-31";

impl OsRelease {
    /// Until when this release gets updates; `None` if that is not known. `now` decides whether the
    /// day has passed.
    #[must_use]
    pub fn end_of_life(&self, now: Timestamp) -> Option<EndOfLife> {
        let mut known = DISTRIBUTIONS.iter();
        let (_, source, releases) = known.find(|(id, _, _)| *id == self.id)?;
        let of_pack = self.open_euler().filter(|_| self.id == "openEuler");
        let ours = of_pack.as_deref().and_then(|name| name.split(':').nth(1));
        let ours = ours.unwrap_or(&self.version_id);
        let is_this = |release: &str| {
            let rest = ours.strip_prefix(release);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let (release, date) = releases.iter().find(|(release, _)| is_this(release))?;
        let date = match (self.is_centos_stream(), *release) {
            (true, "8") => STREAM_8,
            _ => date,
        };
        let end = Timestamp::parse_rfc3339(&format!("{date}T23:59:59Z"))?;
        Some(EndOfLife {
            date: date.to_owned(),
            source: (*source).to_owned(),
            passed: now > end,
        })
    }
}

impl EndOfLife {
    /// For people, of a system that has a name.
    #[must_use]
    pub fn shown(&self, os: &OsRelease) -> String {
        let verb = if self.passed { "has got" } else { "gets" };
        let until = if self.passed { "since" } else { "after" };
        format!("{} {verb} no updates {until} {}", os.shown(), self.date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(id: &str, version_id: &str, pretty_name: &str) -> Option<(String, bool)> {
        let os = OsRelease {
            id: id.to_owned(),
            version_id: version_id.to_owned(),
            pretty_name: pretty_name.to_owned(),
            ..OsRelease::default()
        };
        let now = Timestamp::parse_rfc3339("2026-11-27T00:00:00Z").unwrap();
        os.end_of_life(now).map(|end| (end.date, end.passed))
    }

    #[test]
    fn every_day_is_a_date_and_every_distribution_is_there_once() {
        assert!(DISTRIBUTIONS.is_sorted_by(|a, b| a.0 < b.0));
        for (id, source, releases) in DISTRIBUTIONS {
            assert!(source.starts_with("https://"), "{id}");
            for (release, _) in releases {
                assert!(end(id, release, "").is_some(), "{id} {release}");
            }
        }
    }

    #[test]
    fn a_release_is_not_the_beginning_of_another() {
        for (id, version, pretty, want) in [
            ("debian", "11", "", Some(("2026-08-31", true))),
            ("debian", "12", "", Some(("2028-06-30", false))),
            ("debian", "1", "", None),
            ("debian", "", "Debian GNU/Linux forky/sid", None),
            ("alpine", "3.10.2", "", Some(("2021-05-01", true))),
            ("alpine", "3.1", "", None),
            ("alpine", "3.22.1", "", Some(("2027-05-01", false))),
            ("amzn", "2", "", Some(("2026-06-30", true))),
            ("amzn", "2023", "", Some(("2029-06-30", false))),
            ("centos", "8", "CentOS Linux 8", Some(("2021-12-31", true))),
            ("centos", "8", "CentOS Stream 8", Some(("2024-05-31", true))),
            ("azurelinux", "3.0", "", Some(("2027-08-31", false))),
            ("plan9", "4", "", None),
        ] {
            let want = want.map(|(date, passed)| (date.to_owned(), passed));
            assert_eq!(end(id, version, pretty), want, "{id} {version}");
        }
    }

    #[test]
    fn a_service_pack_of_open_euler_ends_by_itself() {
        for (version_id, version, want) in [
            ("24.03", "24.03 (LTS)", Some(("2026-05-31", true))),
            ("24.03", "24.03 (LTS-SP3)", Some(("2027-12-31", false))),
            ("22.03", "22.03 (LTS-SP4)", Some(("2026-06-30", true))),
            ("23.09", "23.09", Some(("2024-03-31", true))),
            ("24.03", "24.03", None),
        ] {
            let os = OsRelease {
                id: "openEuler".to_owned(),
                version_id: version_id.to_owned(),
                pretty_name: format!("openEuler {version}"),
                ..OsRelease::default()
            };
            let now = Timestamp::parse_rfc3339("2026-11-27T00:00:00Z").unwrap();
            let end = os.end_of_life(now).map(|end| (end.date, end.passed));
            let want = want.map(|(date, passed)| (date.to_owned(), passed));
            assert_eq!(end, want, "{version}");
        }
    }
}
