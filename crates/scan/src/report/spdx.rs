//! SPDX 2.3 in JSON (ISO/IEC 5962): what an image consists of.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use bonded_model::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Contents, Each, Subject, TOOL, fingerprint, problem_line, purl};
use crate::license::Statement;
use crate::{INVENTORY_VERSION, ScannedPackage};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<P, R> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    packages: P,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<Value>,
    relationships: R,
}

/// The reference of the image.
const IMAGE: &str = "SPDXRef-Image";

/// What is not stated.
const NO_ASSERTION: &str = "NOASSERTION";

/// Writes the bill of materials of an image. Each package has its package URL as an external
/// reference; its file, its layer and its source package are in an annotation. What could not be
/// read is said in the comment of the document.
///
/// SPDX demands a time: of an image that says none it is the beginning of 1970.
///
/// # Errors
/// Those of `out`.
pub fn write_spdx(subject: &Subject, contents: &Contents, out: &mut dyn Write) -> io::Result<()> {
    let created = subject.created.unwrap_or(Timestamp::from_millis(0));
    let created = created.to_string();
    let packages = packages(contents);
    let described = std::iter::once(relationship("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE));
    let contained = packages
        .iter()
        .map(|(id, _)| relationship(IMAGE, "CONTAINS", id));
    let listed = packages
        .iter()
        .map(|(id, package)| entry(id, package, contents, &created));
    let of = format!("{} {INVENTORY_VERSION} {}", subject.digest, TOOL.1);
    let problems: Vec<String> = contents.problems.iter().map(problem_line).collect();
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: "SPDXRef-DOCUMENT",
        name: subject.shown().to_owned(),
        document_namespace: format!("urn:bonded:spdx:{}", fingerprint(&of)),
        creation_info: json!({
            "created": created,
            "creators": [format!("Tool: {}-{}", TOOL.0, TOOL.1)],
        }),
        comment: (!problems.is_empty()).then(|| format!("not complete: {}", problems.join("; "))),
        has_extracted_licensing_infos: named_licenses(contents),
        packages: Each(std::iter::once(image(subject, contents, &created)).chain(listed)),
        relationships: Each(described.chain(contained)),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// The packages with their identifiers, which only letters, digits, `.` and `-` may be in.
fn packages(contents: &Contents) -> Vec<(String, &ScannedPackage)> {
    let mut seen = HashSet::new();
    let packages = contents.packages.iter().map(|package| {
        let url = purl(package, contents.os.as_ref());
        let hash = fingerprint(&format!("{url} {}", package.path));
        let name: String = package.name.chars().map(id_character).take(60).collect();
        let id = format!(
            "SPDXRef-{}-{name}-{}",
            package.kind.name(),
            hash.get(..16).unwrap_or_default()
        );
        (id, package)
    });
    packages.filter(|(id, _)| seen.insert(id.clone())).collect()
}

/// The one expression that SPDX has for the licences of a package: all of them hold.
fn declared(statements: &[String]) -> Option<String> {
    let part = |text: &String| match Statement::of(text) {
        Statement::License => text.clone(),
        Statement::Expression if statements.len() == 1 => text.clone(),
        Statement::Expression => format!("({text})"),
        Statement::Name => license_reference(text),
    };
    let parts: Vec<String> = statements.iter().map(part).collect();
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

/// The identifier of a licence that SPDX does not have, by its name.
fn license_reference(name: &str) -> String {
    let hash = fingerprint(name);
    let name: String = name.chars().take(40).map(id_character).collect();
    format!("LicenseRef-{name}-{}", hash.get(..8).unwrap_or_default())
}

/// The licences that SPDX does not have, each once. Of their texts only the names are known.
fn named_licenses(contents: &Contents) -> Vec<Value> {
    let statements = contents.packages.iter().flat_map(|of| &of.licenses);
    let names = statements.filter(|text| Statement::of(text) == Statement::Name);
    let named: BTreeMap<String, &String> =
        names.map(|name| (license_reference(name), name)).collect();
    let entry = |(id, name)| json!({ "licenseId": id, "extractedText": name, "name": name });
    named.into_iter().map(entry).collect()
}

/// A character as it may stand in an identifier.
fn id_character(c: char) -> char {
    match c {
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    }
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

fn annotation(comment: &str, created: &str) -> Value {
    json!({
        "annotationDate": created,
        "annotationType": "OTHER",
        "annotator": format!("Tool: {}-{}", TOOL.0, TOOL.1),
        "comment": comment,
    })
}

fn image(subject: &Subject, contents: &Contents, created: &str) -> Value {
    let mut comments: Vec<String> = Vec::new();
    comments.extend(subject.platform.as_ref().map(|p| format!("platform: {p}")));
    if let Some(os) = &contents.os {
        comments.push(format!("system: {}", os.shown()));
    }
    comments.extend(
        contents
            .layers
            .iter()
            .map(|layer| format!("layer: {layer}")),
    );
    let annotations: Vec<Value> = comments.iter().map(|c| annotation(c, created)).collect();
    let (name, hash) = match subject.digest.as_str().split_once(':') {
        Some(("sha512", hash)) => ("SHA512", hash),
        Some((_, hash)) => ("SHA256", hash),
        None => ("SHA256", ""),
    };
    json!({
        "SPDXID": IMAGE,
        "name": subject.shown(),
        "versionInfo": subject.digest.as_str(),
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": false,
        "checksums": [{ "algorithm": name, "checksumValue": hash }],
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": NO_ASSERTION,
        "copyrightText": NO_ASSERTION,
        "annotations": annotations,
    })
}

fn entry(id: &str, package: &ScannedPackage, contents: &Contents, created: &str) -> Value {
    let layer = contents.layers.get(package.layer as usize);
    let mut comments = vec![format!("path: {}", package.path)];
    comments.extend(layer.map(|layer| format!("layer: {layer}")));
    comments.extend(package.owner.iter().map(|owner| format!("owner: {owner}")));
    let annotations: Vec<Value> = comments.iter().map(|c| annotation(c, created)).collect();
    let mut entry = json!({
        "SPDXID": id,
        "name": package.name,
        "versionInfo": package.version,
        "primaryPackagePurpose": "LIBRARY",
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": false,
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": NO_ASSERTION,
        "copyrightText": NO_ASSERTION,
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl(package, contents.os.as_ref()),
        }],
        "annotations": annotations,
    });
    let is_of_source =
        (&package.source_name, &package.source_version) != (&package.name, &package.version);
    if let Some(declared) = declared(&package.licenses) {
        entry["licenseDeclared"] = declared.into();
    }
    if is_of_source {
        let text = format!(
            "built from the source package {} {}",
            package.source_name, package.source_version
        );
        entry["sourceInfo"] = text.into();
    }
    entry
}
