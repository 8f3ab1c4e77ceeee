//! `updateinfo.xml`: what Amazon Linux and Oracle Linux say of their packages.
//!
//! Each update becomes a record of the OSV schema: below the versions in it every package of its
//! names is affected.

use quick_xml::events::BytesStart;

use super::errata::{Errata, Erratum, ecosystem_of};
use super::xml::{self, Elements, attribute};

/// The most updates of a file.
const UPDATES_LIMIT: usize = 1_000_000;

/// The outermost element.
pub(super) const ROOT: &str = "updates";

/// The records that the updates of a file make.
///
/// # Errors
/// It is not well-formed, has a document type or more than is read.
pub(super) fn records(bytes: &[u8]) -> Result<Errata, String> {
    let mut reading = Reading::default();
    xml::walk(bytes, &mut reading)?;
    Ok(reading.errata)
}

#[derive(Default)]
struct Reading {
    errata: Errata,
    updates: usize,
    /// The update that is read, and whether it is about security.
    erratum: Erratum,
    is_security: bool,
}

impl Elements for Reading {
    fn begin(&mut self, _: &[String], element: &BytesStart<'_>) -> Result<(), String> {
        let of = |name| attribute(element, name);
        let erratum = &mut self.erratum;
        match xml::name(element).as_str() {
            "update" => self.is_security = of("type")? == "security",
            "issued" => erratum.issued = of("date")?,
            "updated" => erratum.updated = of("date")?,
            "reference" => erratum.add_cve(&of("id")?),
            "module" => erratum.add_module(&of("name")?, &of("stream")?),
            "package" => {
                let (version, release) = (of("version")?, of("release")?);
                let epoch = of("epoch")?;
                let epoch = if epoch.is_empty() { "0" } else { &epoch };
                let fixed = format!("{epoch}:{version}-{release}");
                erratum.add_package(ecosystem_of(&release), &of("name")?, &fixed)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, path: &[String], name: &str, text: &str) -> Result<(), String> {
        let is_own = path.len() == 2;
        match name {
            "id" if is_own => text.clone_into(&mut self.erratum.id),
            "title" if is_own => text.clone_into(&mut self.erratum.title),
            "severity" if is_own => self.erratum.severity = text.to_lowercase(),
            "update" => {
                let erratum = std::mem::take(&mut self.erratum);
                if self.is_security {
                    erratum.finish(&mut self.errata);
                }
                self.updates += 1;
                if self.updates > UPDATES_LIMIT {
                    return Err(format!("it has more than {UPDATES_LIMIT} updates"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let Errata { records, .. } = records(ALAS.as_bytes()).unwrap();
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
    fn an_update_of_a_module_is_about_its_stream() {
        let of = |title: &str, more: &str| {
            let text = format!(
                "<updates><update type=\"security\"><id>ELSA-2023-1</id><title>{title}</title>\
                 <pkglist><collection>{more}<package name=\"npm\" epoch=\"1\" version=\"9.5\" \
                 release=\"1.module+el8.7.0+1+ab\"/></collection></pkglist></update></updates>"
            );
            records(text.as_bytes()).unwrap()
        };
        let module =
            "<module name=\"nodejs\" stream=\"18\" version=\"8\" context=\"c\" arch=\"x\"/>";
        for (title, more, want) in [
            ("nodejs:18 security update", "", "nodejs:18 security update"),
            (
                "nodejs:18 security update",
                module,
                "nodejs:18 security update",
            ),
            ("security update", module, "nodejs:18: security update"),
        ] {
            let errata = of(title, more);
            assert_eq!(errata.not_understood, [] as [String; 0]);
            let record = &errata.records[0];
            assert_eq!(record["summary"], want);
            assert_eq!(
                record["affected"][0]["package"]["ecosystem"],
                "Oracle Linux:8"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let text = "<updates>\
            <update type=\"security\"><id>FEDORA-1</id><pkglist/></update>\
            <update type=\"security\"><id>ELSA-1</id></update>\
            <update type=\"security\"><id>ELSA-2</id><pkglist><collection>\
            <package name=\"a\" version=\"1\" release=\"2.ol8\"/>\
            <package name=\"b\" version=\"1\" release=\"2.el8\"/></collection></pkglist></update>\
            <update type=\"bugfix\"><id>ELBA-1</id></update></updates>";
        let errata = records(text.as_bytes()).unwrap();
        assert_eq!(errata.records.len(), 1);
        let [fedora, none, unplaced] = &errata.not_understood[..] else {
            panic!("{:?}", errata.not_understood)
        };
        assert!(fedora.starts_with("FEDORA-1: "), "{fedora}");
        assert_eq!(none, "ELSA-1: it names no package");
        assert!(unplaced.starts_with("ELSA-2: 1 packages") && unplaced.ends_with(" a-0:1-2.ol8"));
    }
}
