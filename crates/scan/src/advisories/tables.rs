//! Tables about vulnerabilities by their CVE: which are exploited (CISA's KEV), how probably they
//! will be (FIRST's EPSS), and how bad they are (NVD's feeds in JSON 2.0, records of CVE JSON 5).
//!
//! A file is taken as a whole or not at all.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::record::or_default;
use super::severities::Rated;
use crate::{Probability, Rating};

/// The most rows of one table.
const ROWS_LIMIT: usize = 5_000_000;

/// The longest id that is a CVE's.
const CVE_LIMIT: usize = 40;

/// What the tables say of one vulnerability.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TableRow {
    /// When it was listed as exploited: `2024-01-31`.
    pub(super) exploited: Option<String>,
    /// EPSS's probability and percentile.
    pub(super) epss: Option<(Probability, Probability)>,
    /// How bad NVD says it is.
    pub(super) nvd: Option<Rated>,
    /// How bad its CVE record says it is.
    pub(super) record: Option<Rated>,
}

/// What the tables say, by CVE.
#[derive(Debug, Default)]
pub(super) struct Tables(pub(super) BTreeMap<String, TableRow>);

/// What a file was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Exploited(u64),
    Epss(u64),
    Ratings(u64),
}

impl Tables {
    /// Takes in a file, if it is one of the tables.
    ///
    /// # Errors
    /// It is one and cannot be read.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<Option<Table>, String> {
        if is_epss(bytes) {
            return self.epss(bytes).map(Some);
        }
        let Ok(file) = serde_json::from_slice::<AnyTable>(bytes) else {
            return Ok(None);
        };
        let is = |value: &Option<Value>, text: &str| value.as_ref().is_some_and(|is| is == text);
        if is(&file.data_type, "CVE_RECORD") {
            return Ok(Some(Table::Ratings(self.cve_record(&file))));
        }
        let Some(rows) = file.vulnerabilities else {
            return Ok(None);
        };
        if rows.len() > ROWS_LIMIT {
            return Err(format!("it has more than {ROWS_LIMIT} rows"));
        }
        if is(&file.format, "NVD_CVE") {
            let rated = rows.into_iter().filter_map(|row| row.cve.and_then(nvd));
            let mut count = 0;
            for (cve, rated) in rated {
                self.row(cve).nvd = Some(rated);
                count += 1;
            }
            return Ok(Some(Table::Ratings(count)));
        }
        if file.catalog_version.is_none() {
            return Ok(None);
        }
        let listed = rows.into_iter().map(|row| (row.cve_id, row.date_added));
        let listed: Vec<(String, String)> = listed.collect();
        if let Some((id, _)) = listed
            .iter()
            .find(|(id, date)| !is_cve(id) || !is_date(date))
        {
            let id: String = id.chars().take(CVE_LIMIT).collect();
            return Err(format!("'{id}' is no CVE, or its 'dateAdded' is no date"));
        }
        let count = listed.len() as u64;
        for (id, date) in listed {
            self.row(id).exploited = Some(date);
        }
        Ok(Some(Table::Exploited(count)))
    }

    fn row(&mut self, cve: String) -> &mut TableRow {
        self.0.entry(cve).or_default()
    }

    fn epss(&mut self, bytes: &[u8]) -> Result<Table, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut rows = Vec::new();
        let numbered = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line.trim()));
        for (number, line) in numbered.filter(|(_, line)| !line.is_empty()) {
            if line.starts_with('#') || line.starts_with("cve,") {
                continue;
            }
            let mut cells = line.split(',');
            let cells = [cells.next(), cells.next(), cells.next(), cells.next()];
            let [Some(cve), Some(score), Some(percentile), None] = cells else {
                return Err(format!("line {number} is not 'cve,epss,percentile'"));
            };
            let number_of = |text: &str| {
                let parsed = text.parse().ok().and_then(Probability::new);
                parsed.ok_or_else(|| format!("line {number} has a number that is not of 0 to 1"))
            };
            let values = (number_of(score)?, number_of(percentile)?);
            if !is_cve(cve) {
                return Err(format!("line {number} does not begin with a CVE"));
            }
            if rows.len() >= ROWS_LIMIT {
                return Err(format!("it has more than {ROWS_LIMIT} rows"));
            }
            rows.push((cve, values));
        }
        let count = rows.len() as u64;
        for (cve, values) in rows {
            self.row(cve.to_owned()).epss = Some(values);
        }
        Ok(Table::Epss(count))
    }

    fn cve_record(&mut self, file: &AnyTable) -> u64 {
        let id = file.cve_metadata.as_ref().map(|metadata| &metadata.cve_id);
        let Some(id) = id.filter(|id| is_cve(id)) else {
            return 0;
        };
        let Some(containers) = &file.containers else {
            return 0;
        };
        // Its own authority first, then who adds to it.
        let cna = containers.cna.iter();
        let mut metrics = cna.chain(&containers.adp).map(|holder| &holder.metrics);
        let rated = metrics.find_map(|metrics| {
            let order = ["cvssV3_1", "cvssV3_0", "cvssV4_0", "cvssV2_0"];
            order.iter().find_map(|version| {
                let mut of = metrics.iter().filter_map(|metric| metric.get(*version));
                of.find_map(|metric| rated(metric.get("vectorString")?.as_str()?, "CVE record"))
            })
        });
        let found = u64::from(rated.is_some());
        if let Some(rated) = rated {
            self.row(id.clone()).record = Some(rated);
        }
        found
    }
}

/// The id and the rating of a row of NVD's: what NVD itself says before what others do.
fn nvd(cve: NvdCve) -> Option<(String, Rated)> {
    let order = [
        "cvssMetricV31",
        "cvssMetricV30",
        "cvssMetricV40",
        "cvssMetricV2",
    ];
    let of = |primary: bool| {
        order.iter().find_map(|version| {
            let metrics = cve.metrics.get(*version)?.as_array()?;
            metrics.iter().find_map(|metric| {
                let is_primary = metric.get("type").is_some_and(|kind| kind == "Primary");
                let vector = metric.get("cvssData")?.get("vectorString")?.as_str()?;
                (is_primary == primary).then(|| rated(vector, "NVD"))?
            })
        })
    };
    let rated = of(true).or_else(|| of(false))?;
    is_cve(&cve.id).then_some((cve.id, rated))
}

fn rated(vector: &str, by: &str) -> Option<Rated> {
    let kind = match vector {
        _ if vector.starts_with("CVSS:4") => "CVSS_V4",
        _ if vector.starts_with("CVSS:3") => "CVSS_V3",
        _ => "CVSS_V2",
    };
    Some(Rated {
        rating: Rating::from_osv(kind, vector).ok()?,
        vector: vector.to_owned(),
        by: by.to_owned(),
    })
}

/// FIRST's CSV: a comment with the version of the model, or the names of the columns.
fn is_epss(bytes: &[u8]) -> bool {
    bytes.starts_with(b"#model_version") || bytes.starts_with(b"cve,epss,percentile")
}

pub(super) fn is_cve(text: &str) -> bool {
    let rest = text.strip_prefix("CVE-").unwrap_or_default();
    let of_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= CVE_LIMIT
        && rest
            .split_once('-')
            .is_some_and(|(year, number)| of_digits(year) && of_digits(number))
}

fn is_date(text: &str) -> bool {
    let digits = |b: u8| if b.is_ascii_digit() { b'0' } else { b };
    text.bytes().map(digits).eq(*b"0000-00-00")
}

/// What tells the files apart, and what of them counts.
#[derive(Deserialize)]
struct AnyTable {
    #[serde(default)]
    format: Option<Value>,
    #[serde(default, rename = "catalogVersion")]
    catalog_version: Option<Value>,
    #[serde(default, rename = "dataType")]
    data_type: Option<Value>,
    #[serde(default)]
    vulnerabilities: Option<Vec<AnyRow>>,
    #[serde(default, rename = "cveMetadata")]
    cve_metadata: Option<CveMetadata>,
    #[serde(default)]
    containers: Option<Containers>,
}

#[derive(Deserialize)]
struct AnyRow {
    #[serde(default, rename = "cveID", deserialize_with = "or_default")]
    cve_id: String,
    #[serde(default, rename = "dateAdded", deserialize_with = "or_default")]
    date_added: String,
    #[serde(default)]
    cve: Option<NvdCve>,
}

#[derive(Deserialize)]
struct NvdCve {
    #[serde(default)]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    metrics: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct CveMetadata {
    #[serde(default, rename = "cveId")]
    cve_id: String,
}

#[derive(Deserialize)]
struct Containers {
    #[serde(default)]
    cna: Option<Holder>,
    #[serde(default, deserialize_with = "or_default")]
    adp: Vec<Holder>,
}

#[derive(Deserialize)]
struct Holder {
    #[serde(default, deserialize_with = "or_default")]
    metrics: Vec<BTreeMap<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    const LOW: &str = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";

    #[test]
    fn each_table_is_known_by_what_it_holds() {
        let nvd = format!(
            r#"{{"format":"NVD_CVE","version":"2.0","vulnerabilities":[
            {{"cve":{{"id":"CVE-2024-1","metrics":{{"cvssMetricV31":[
            {{"type":"Secondary","cvssData":{{"vectorString":"{CRITICAL}"}}}},
            {{"type":"Primary","cvssData":{{"vectorString":"{LOW}"}}}}]}}}}}},
            {{"cve":{{"id":"CVE-2024-2","metrics":{{}}}}}},
            {{"cve":{{"id":"CVE-2024-3","metrics":{{"cvssMetricV40":[
            {{"type":"Secondary","cvssData":{{"vectorString":"no vector"}}}}],
            "cvssMetricV2":[{{"cvssData":{{"vectorString":"AV:N/AC:L/Au:N/C:C/I:C/A:C"}}}}]}}}}}}]}}"#
        );
        let record = format!(
            r#"{{"dataType":"CVE_RECORD","cveMetadata":{{"cveId":"CVE-2024-4","state":"PUBLISHED"}},
            "containers":{{"cna":{{"metrics":[{{"other":{{}}}}]}},
            "adp":[{{"metrics":[{{"cvssV3_1":{{"vectorString":"{CRITICAL}"}}}}]}}]}}}}"#
        );
        let kev = r#"{"catalogVersion":"2025.08.25","vulnerabilities":[
            {"cveID":"CVE-2024-1","dateAdded":"2024-02-03","vendorProject":"x"}]}"#;
        let epss = "#model_version:v2025.03.14,score_date:2026-11-26T12:55:00Z\ncve,epss,percentile\n\
            CVE-2024-1,0.97301,0.99987\nCVE-2024-2,4.2e-4,0\n";
        let mut tables = Tables::default();
        for (text, want) in [
            (nvd.as_str(), Some(Table::Ratings(2))),
            (&record, Some(Table::Ratings(1))),
            (kev, Some(Table::Exploited(1))),
            (epss, Some(Table::Epss(2))),
            (r#"{"id":"X-1"}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(tables.add(text.as_bytes()), Ok(want), "{text}");
        }
        let severity = |rated: &Option<Rated>| rated.as_ref().map(|rated| rated.rating.severity);
        let row = &tables.0["CVE-2024-1"];
        assert_eq!(severity(&row.nvd), Some(Severity::Low));
        assert_eq!(row.exploited.as_deref(), Some("2024-02-03"));
        assert_eq!(row.epss.unwrap().0, Probability::new(0.97301).unwrap());
        assert_eq!(severity(&tables.0["CVE-2024-3"].nvd), Some(Severity::High));
        assert_eq!(
            severity(&tables.0["CVE-2024-4"].record),
            Some(Severity::Critical)
        );
    }

    #[test]
    fn a_table_with_a_row_that_is_none_is_refused_as_a_whole() {
        for text in [
            "cve,epss,percentile\nCVE-2024-1,0.1,0.2\nCVE-2024-2,1.1,0.2",
            "cve,epss,percentile\nCVE-2024-1,NaN,0.2",
            "cve,epss,percentile\nCVE-2024-1,0.1",
            "cve,epss,percentile\nGHSA-1,0.1,0.2",
            r#"{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2024-1","dateAdded":"today"}]}"#,
            r#"{"catalogVersion":"1","vulnerabilities":[{"cveID":"x","dateAdded":"2024-01-01"}]}"#,
        ] {
            let mut tables = Tables::default();
            assert!(tables.add(text.as_bytes()).is_err(), "{text}");
            assert!(tables.0.is_empty());
        }
    }
}
