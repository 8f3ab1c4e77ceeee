//! `updateinfo.xml`: what Amazon Linux and Oracle Linux say of their packages, which OSV has not.
//!
//! Each update becomes a record of the OSV schema: below the versions in it every package of its
//! names is affected. A document type is refused, so no entity expands.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Value, json};

/// The most updates of a file.
const UPDATES_LIMIT: usize = 1_000_000;

/// The most packages of one update.
const PACKAGES_LIMIT: usize = 100_000;

/// The longest text of an element, in bytes.
const TEXT_LIMIT: usize = 64 * 1024;

/// An update, as far as it counts.
#[derive(Default)]
struct Update {
    is_security: bool,
    id: String,
    title: String,
    severity: String,
    issued: String,
    updated: String,
    cves: Vec<String>,
    /// Epoch, version and release by ecosystem and name.
    packages: BTreeMap<(String, String), Vec<String>>,
}

/// The records that the updates of a file make; `None` if it is no such file.
///
/// # Errors
/// It is one, and is not well-formed, has a document type or more than is read.
pub(super) fn records(bytes: &[u8]) -> Result<Option<Vec<Value>>, String> {
    if !is_xml(bytes) {
        return Ok(None);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut records, mut update) = (Vec::new(), Update::default());
    let (mut path, mut text) = (Vec::<String>::new(), String::new());
    loop {
        let event = reader.read_event().map_err(|error| {
            let error = bonded_model::shown(&error.to_string());
            format!(
                "it is not well-formed at byte {}: {error}",
                reader.error_position()
            )
        })?;
        match event {
            Event::Eof => break,
            Event::DocType(_) => return Err("it has a document type, which is not read".to_owned()),
            Event::Start(element) => {
                begin(&mut update, &element)?;
                path.push(name(&element));
                if path.first().is_some_and(|root| root != "updates") || path.len() > 32 {
                    return Err("it is XML, and no 'updateinfo.xml'".to_owned());
                }
                text.clear();
            }
            Event::Empty(element) => begin(&mut update, &element)?,
            Event::Text(part) if text.len() <= TEXT_LIMIT => {
                text.push_str(&part);
            }
            Event::End(_) => {
                let inside = path.len() == 3;
                match path.pop().as_deref() {
                    Some("id") if inside => update.id = text.trim().to_owned(),
                    Some("title") if inside => update.title = text.trim().to_owned(),
                    Some("severity") if inside => update.severity = text.trim().to_lowercase(),
                    Some("update") => {
                        records.extend(std::mem::take(&mut update).record());
                        if records.len() > UPDATES_LIMIT {
                            return Err(format!("it has more than {UPDATES_LIMIT} updates"));
                        }
                    }
                    _ => {}
                }
                text.clear();
            }
            _ => {}
        }
    }
    if !path.is_empty() {
        return Err("it ends in the middle".to_owned());
    }
    Ok(Some(records))
}

fn is_xml(bytes: &[u8]) -> bool {
    let bytes = bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(bytes)
        .trim_ascii_start();
    bytes.starts_with(b"<?xml") || bytes.starts_with(b"<updates") || bytes.starts_with(b"<!DOCTYPE")
}

fn name(element: &BytesStart<'_>) -> String {
    element.local_name().as_ref().to_owned()
}

/// An attribute, without entities; empty if there is none.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<String, String> {
    let found = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    let text = found.map(|found| found.value.clone().into_owned());
    Ok(text.unwrap_or_default())
}

/// Takes in what the attributes of an element say.
fn begin(update: &mut Update, element: &BytesStart<'_>) -> Result<(), String> {
    match element.local_name().as_ref() {
        "update" => update.is_security = attribute(element, "type")? == "security",
        "issued" => update.issued = attribute(element, "date")?,
        "updated" => update.updated = attribute(element, "date")?,
        "reference" => {
            let id = attribute(element, "id")?;
            if super::tables::is_cve(&id)
                && !update.cves.contains(&id)
                && update.cves.len() < 10_000
            {
                update.cves.push(id);
            }
        }
        "package" => {
            let of = |name| attribute(element, name);
            let (name, version, release) = (of("name")?, of("version")?, of("release")?);
            let epoch = of("epoch")?;
            let epoch = if epoch.is_empty() { "0" } else { &epoch };
            if update.packages.len() >= PACKAGES_LIMIT {
                return Err(format!("an update has more than {PACKAGES_LIMIT} packages"));
            }
            if let Some(ecosystem) = ecosystem(&release) {
                let fixed = format!("{epoch}:{version}-{release}");
                let all = update.packages.entry((ecosystem, name)).or_default();
                if !all.contains(&fixed) && all.len() < 100 {
                    all.push(fixed);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The system that a release is for, by what it ends in: `1.amzn2023.0.2`, `4.el8_10`, `3.0.1.el9`.
fn ecosystem(release: &str) -> Option<String> {
    let number = |after: &str| {
        let rest = &release[release.rfind(after)? + after.len()..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    // Amazon Linux 1 is numbered by its year.
    if let Some(number) = number(".amzn") {
        let number = if number == "1" {
            "2018".to_owned()
        } else {
            number
        };
        return Some(format!("Amazon Linux:{number}"));
    }
    number(".el").map(|number| format!("Oracle Linux:{number}"))
}

impl Update {
    fn record(self) -> Option<Value> {
        let known = self.id.starts_with("ALAS") || self.id.starts_with("ELSA");
        if !self.is_security || !known || self.packages.is_empty() {
            return None;
        }
        let affected: Vec<Value> = self
            .packages
            .into_iter()
            .map(|((ecosystem, name), fixed)| {
                let ranges: Vec<Value> = fixed
                    .iter()
                    .map(|fixed| json!({"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}))
                    .collect();
                // Of several versions in one update only the highest surely repairs it: below any
                // of them a package is affected.
                json!({"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges})
            })
            .collect();
        let url = match self.id.starts_with("ELSA") {
            true => format!("https://linux.oracle.com/errata/{}.html", self.id),
            false => format!("https://alas.aws.amazon.com/{}.html", self.id),
        };
        Some(json!({
            "id": self.id,
            "modified": time(if self.updated.is_empty() { &self.issued } else { &self.updated }),
            "published": time(&self.issued),
            "upstream": self.cves,
            "summary": self.title,
            "references": [{"type": "ADVISORY", "url": url}],
            "database_specific": {"severity": self.severity},
            "affected": affected,
        }))
    }
}

/// `2023-02-17 22:34` or `2023-02-17T22:34:00Z` as RFC 3339.
fn time(text: &str) -> String {
    let text = text.trim().replace(' ', "T");
    match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALAS: &str = r#"<?xml version="1.0" ?>
<updates><update author="a" from="b" status="final" type="security" version="1.4">
<id>ALAS2023-2023-001</id><title>Amazon Linux 2023 - &lt;curl&gt;</title>
<issued date="2023-02-17 22:34"/><updated date="2023-02-18 10:00"/><severity>important</severity>
<references><reference href="https://cve" id="CVE-2022-1" type="cve"/><reference id="CVE-2022-2"/>
<reference id="RHBZ#1"/></references><pkglist><collection short="x"><name>x</name>
<package arch="x86_64" epoch="1" name="curl" release="1.amzn2023.0.2" version="7.87.0"><filename>f</filename></package>
<package arch="aarch64" epoch="1" name="curl" release="1.amzn2023.0.2" version="7.87.0"/>
</collection></pkglist></update>
<update type="bugfix"><id>ALAS2023-2023-002</id><pkglist><collection>
<package name="x" version="1" release="1.amzn2023"/></collection></pkglist></update>
<update type="security"><id>ELSA-2024-1</id><severity>Moderate</severity><pkglist><collection>
<package name="y" version="2" release="3.0.1.el9_4"/></collection></pkglist></update></updates>"#;

    #[test]
    fn security_updates_become_records() {
        let records = records(ALAS.as_bytes()).unwrap().unwrap();
        assert_eq!(records.len(), 2);
        let first = &records[0];
        assert_eq!(first["id"], "ALAS2023-2023-001");
        assert_eq!(first["modified"], "2023-02-18T10:00:00Z");
        assert_eq!(first["upstream"], json!(["CVE-2022-1", "CVE-2022-2"]));
        let affected = &first["affected"];
        assert_eq!(
            affected[0]["package"],
            json!({"ecosystem": "Amazon Linux:2023", "name": "curl"})
        );
        let fixed = json!({"introduced": "0"});
        assert_eq!(affected[0]["ranges"][0]["events"][0], fixed);
        let fixed = json!({"fixed": "1:7.87.0-1.amzn2023.0.2"});
        assert_eq!(affected[0]["ranges"].as_array().unwrap().len(), 1);
        assert_eq!(affected[0]["ranges"][0]["events"][1], fixed);
        assert_eq!(
            records[1]["affected"][0]["package"]["ecosystem"],
            "Oracle Linux:9"
        );
        assert_eq!(records[1]["database_specific"]["severity"], "moderate");
    }

    #[test]
    fn releases_name_their_system() {
        for (release, want) in [
            ("1.amzn2023.0.2", Some("Amazon Linux:2023")),
            ("19.amzn2", Some("Amazon Linux:2")),
            ("5.30.amzn1", Some("Amazon Linux:2018")),
            ("4.el8_10", Some("Oracle Linux:8")),
            ("3.module+el8.9.0+1+a", None),
            ("1", None),
        ] {
            assert_eq!(ecosystem(release).as_deref(), want, "{release}");
        }
    }

    #[test]
    fn what_is_no_such_file_or_hostile_is_refused() {
        assert_eq!(records(b"{}"), Ok(None));
        for text in [
            "<!DOCTYPE x [<!ENTITY a \"b\">]><updates/>",
            "<?xml version=\"1.0\"?><!DOCTYPE updates SYSTEM \"file:///etc/passwd\"><updates/>",
            "<?xml version=\"1.0\"?><other><a/></other>",
            "<updates><update></updates>",
            "<updates><update type=\"security\">",
            "<updates><update type=security></update></updates>",
        ] {
            assert!(records(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("<updates>{}", "<a>".repeat(1000));
        assert!(records(deep.as_bytes()).is_err());
    }
}
