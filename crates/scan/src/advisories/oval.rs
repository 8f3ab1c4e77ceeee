//! Oracle's OVAL definitions (`com.oracle.elsa-2024.xml`): what Oracle Linux repairs, as conditions
//! on the packages of a system.
//!
//! Of a definition count its advisory, and of its criteria which packages are affected below which
//! version; the tests, objects and states that they refer to say the same once more. Whoever reads
//! only the comments (Trivy, Vuls) goes by the same sentences.

use quick_xml::events::BytesStart;

use super::errata::{Errata, Erratum, ecosystem_of};
use super::xml::{self, Elements, attribute};

/// The most definitions of a file.
const DEFINITIONS_LIMIT: usize = 1_000_000;

/// The outermost element.
pub(super) const ROOT: &str = "oval_definitions";

/// The records that the definitions of a file make.
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
    definitions: usize,
    definition: Definition,
}

/// A definition, as far as it is read.
#[derive(Default)]
struct Definition {
    erratum: Erratum,
    /// Packages with the versions below which they are affected, and the system that they are for.
    packages: Vec<(String, String, Option<String>)>,
    /// For each `criteria` that is open, how many packages there were before it, and the system
    /// that it asks for.
    open: Vec<(usize, Option<String>)>,
    /// A criterion that is not understood.
    not_understood: Option<String>,
}

impl Elements for Reading {
    fn begin(&mut self, path: &[String], element: &BytesStart<'_>) -> Result<(), String> {
        let of = |name| attribute(element, name);
        let definition = &mut self.definition;
        match xml::name(element).as_str() {
            "definition" => *definition = Definition::default(),
            _ if !path.iter().any(|name| name == "definition") => {}
            "reference" if of("source")?.eq_ignore_ascii_case("elsa") => {
                definition.erratum.id = of("ref_id")?;
            }
            "reference" => definition.erratum.add_cve(&of("ref_id")?),
            "issued" => definition.erratum.issued = of("date")?,
            "updated" => definition.erratum.updated = of("date")?,
            "criteria" => {
                definition.open.push((definition.packages.len(), None));
                definition.negated(&of("negate")?);
            }
            "criterion" => {
                definition.negated(&of("negate")?);
                definition.criterion(&of("comment")?)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, path: &[String], name: &str, text: &str) -> Result<(), String> {
        let definition = &mut self.definition;
        match name {
            "title" if definition.erratum.title.is_empty() => {
                text.clone_into(&mut definition.erratum.title);
            }
            "severity" => definition.erratum.severity = text.to_lowercase(),
            "cve" => definition.erratum.add_cve(text),
            "criteria" => definition.close(),
            "definition" if path.last().is_some_and(|name| name == "definitions") => {
                self.definitions += 1;
                if self.definitions > DEFINITIONS_LIMIT {
                    return Err(format!("it has more than {DEFINITIONS_LIMIT} definitions"));
                }
                std::mem::take(definition).finish(&mut self.errata)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Definition {
    /// What a criterion says, by its comment.
    fn criterion(&mut self, comment: &str) -> Result<(), String> {
        let comment = comment.trim();
        if let Some((name, below)) = comment.split_once(" is earlier than ") {
            let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
            if !is_word(name) || !is_word(below) {
                self.unknown(comment);
            } else if below != "0" {
                if self.packages.len() >= super::errata::PACKAGES_LIMIT {
                    return Err("a definition has too many packages".to_owned());
                }
                self.packages
                    .push((name.to_owned(), below.to_owned(), None));
            }
            return Ok(());
        }
        let between = |start, end| Some(comment.strip_prefix(start)?.strip_suffix(end)?.trim());
        if let Some(number) = between("Oracle Linux ", " is installed") {
            match (
                number.bytes().all(|byte| byte.is_ascii_digit()),
                self.open.last_mut(),
            ) {
                (true, Some((_, system))) if !number.is_empty() => {
                    *system = Some(format!("Oracle Linux:{number}"));
                }
                _ => self.unknown(comment),
            }
        } else if let Some(module) = between("Module ", " is enabled") {
            match module.split_once(':') {
                Some((name, stream)) => self.erratum.add_module(name, stream),
                None => self.unknown(comment),
            }
        } else {
            // Whose key has signed it, the processor, the build: the version tells that.
            let known = ["Oracle Linux arch is ", " is signed with ", "-based"];
            if !known.iter().any(|known| comment.contains(known)) {
                self.unknown(comment);
            }
        }
        Ok(())
    }

    fn negated(&mut self, negate: &str) {
        if negate == "true" {
            self.unknown("a criterion that is negated");
        }
    }

    fn unknown(&mut self, criterion: &str) {
        let shown = || bonded_model::shown(criterion);
        self.not_understood.get_or_insert_with(shown);
    }

    /// A `criteria` ends: what it asks for holds for all packages inside it.
    fn close(&mut self) {
        if let Some((first, Some(asked))) = self.open.pop() {
            for (_, _, system) in self.packages.iter_mut().skip(first) {
                system.get_or_insert_with(|| asked.clone());
            }
        }
    }

    fn finish(mut self, to: &mut Errata) -> Result<(), String> {
        if self.erratum.id.is_empty() {
            let id = self.erratum.title.split(':').next().unwrap_or_default();
            self.erratum.id = id.trim().to_owned();
        }
        if let Some(criterion) = &self.not_understood {
            let id = &self.erratum.id;
            let reason = "a criterion is not understood and not regarded";
            to.not_understood
                .push(format!("{id}: {reason}: '{criterion}'"));
        }
        for (name, below, system) in self.packages {
            let of_release = below.rsplit_once('-').and_then(|(_, of)| ecosystem_of(of));
            // A definition without its system is one whose packages tell it.
            self.erratum
                .add_package(system.or(of_release), &name, &below)?;
        }
        self.erratum.finish(to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Written after the structure of Oracle's own files.
    const OVAL: &str = r#"<?xml version="1.0"?>
<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5">
<generator><oval:product_name xmlns:oval="x">Oracle Errata System</oval:product_name></generator>
<definitions>
<definition id="oval:com.oracle.elsa:def:20235360" version="501" class="patch">
<metadata>
<title>
ELSA-2023-5360:  nodejs:16 security, bug fix, and enhancement update (IMPORTANT)
</title>
<affected family="unix"><platform>Oracle Linux 8</platform></affected>
<reference source="elsa" ref_id="ELSA-2023-5360" ref_url="https://linux.oracle.com/errata/ELSA-2023-5360.html"/>
<reference source="CVE" ref_id="CVE-2023-32002" ref_url="https://linux.oracle.com/cve/CVE-2023-32002.html"/>
<description>[1:16.20.2-2] - CVE-2023-99999 is named in a text only</description>
<advisory><severity>IMPORTANT</severity><rights>Copyright 2023 Oracle, Inc.</rights><issued date="2023-09-28"/>
<cve cvss3="9.8/CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" href="h" public="20230809">CVE-2023-32002</cve>
<cve href="h">CVE-2023-32006</cve></advisory>
</metadata>
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20235360001" comment="Oracle Linux 8 is installed"/>
<criterion test_ref="oval:com.oracle.elsa:tst:20235360002" comment="Module nodejs:16 is enabled"/>
<criteria operator="OR"><criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20235360003" comment="Oracle Linux arch is aarch64"/>
<criteria operator="OR"><criteria operator="AND">
<criterion test_ref="t" comment="nodejs is earlier than 1:16.20.2-2.module+el8.8.0+21132+1fc0f0c8"/>
<criterion test_ref="t" comment="nodejs is signed with the Oracle Linux 8 key"/>
</criteria><criteria operator="AND">
<criterion test_ref="t" comment="nodejs-packaging is earlier than 0:26-1"/>
<criterion test_ref="t" comment="nodejs-packaging is signed with the Oracle Linux 8 key"/>
</criteria></criteria></criteria></criteria></criteria>
</definition>
<definition id="oval:com.oracle.elsa:def:2" class="patch">
<metadata><title>ELSA-2026-1: glibc update (MODERATE)</title></metadata>
<criteria operator="AND">
<criterion test_ref="t" comment="glibc is earlier than 2:2.39-121.0.1.ksplice1.el10_2"/>
<criterion test_ref="t" comment="glibc is ksplice-based"/>
</criteria></definition>
<definition><metadata><title>ELSA-2026-2: x</title></metadata><criteria>
<criteria negate="true"><criterion comment="x is earlier than 0:1-2.el9"/></criteria>
<criterion comment="the moon is full"/></criteria></definition>
<definition><metadata><title>ELSA-2026-3: y</title></metadata><criteria>
<criterion comment="y is earlier than 0:1-2"/><criterion comment="a b is earlier than 0:1-2"/></criteria></definition>
</definitions>
<tests><rpminfo_test id="t" comment="z is earlier than 0:1-2.el8"><object object_ref="o"/></rpminfo_test></tests>
</oval_definitions>"#;

    #[test]
    fn definitions_become_records() {
        let errata = records(OVAL.as_bytes()).unwrap();
        let [node, glibc, negated] = &errata.records[..] else {
            panic!("{:?}", errata.records)
        };
        assert_eq!(node["id"], "ELSA-2023-5360");
        assert_eq!(
            node["upstream"],
            json!(["CVE-2023-32002", "CVE-2023-32006"])
        );
        assert_eq!(node["published"], "2023-09-28T00:00:00Z");
        assert_eq!(node["database_specific"]["severity"], "important");
        let affected: Vec<_> = node["affected"].as_array().unwrap().iter().collect();
        let of = |index: usize| &affected[index]["package"];
        assert_eq!(
            of(0),
            &json!({"ecosystem": "Oracle Linux:8", "name": "nodejs"})
        );
        // Its release does not tell the system; the criteria do.
        assert_eq!(
            of(1),
            &json!({"ecosystem": "Oracle Linux:8", "name": "nodejs-packaging"})
        );
        let fixed = &affected[0]["ranges"][0]["events"][1]["fixed"];
        assert_eq!(fixed, "1:16.20.2-2.module+el8.8.0+21132+1fc0f0c8");
        assert_eq!(
            glibc["affected"][0]["package"],
            json!({"ecosystem": "Oracle Linux:10", "name": "glibc"})
        );
        assert_eq!(negated["id"], "ELSA-2026-2");
        let [first, second, third] = &errata.not_understood[..] else {
            panic!("{:?}", errata.not_understood)
        };
        assert!(
            first.starts_with("ELSA-2026-2: ") && first.contains("negated"),
            "{first}"
        );
        assert!(
            second.starts_with("ELSA-2026-3: ") && second.contains("a b is"),
            "{second}"
        );
        assert!(third.starts_with("ELSA-2026-3: 1 packages"), "{third}");
    }

    #[test]
    fn hostile_definitions_are_refused() {
        let deep = format!("<{ROOT}>{}", "<criteria>".repeat(100));
        let expanding = format!("<!DOCTYPE {ROOT} [<!ENTITY a \"b\">]><{ROOT}>&a;</{ROOT}>");
        for text in [deep.as_str(), &expanding, "<oval_definitions><definition>"] {
            assert!(records(text.as_bytes()).is_err(), "{text}");
        }
    }
}
