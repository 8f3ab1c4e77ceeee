//! CycloneDX 1.6 in JSON (ECMA-424): what an image consists of.

use std::collections::HashSet;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Contents, Each, Subject, TOOL, fingerprint, grouped, problem_line, purl};
use crate::license::Statement;
use crate::{INVENTORY_VERSION, OsRelease, ScannedPackage};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom<C, D, P> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u8,
    metadata: Value,
    components: C,
    dependencies: [Dependencies<D>; 1],
    compositions: [Value; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<P>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependencies<D> {
    #[serde(rename = "ref")]
    of: String,
    depends_on: D,
}

/// Writes the bill of materials of an image. Each package is a component with its package URL; its
/// file, its layer and its source package are properties `bonded:…`. What could not be read makes
/// the composition `incomplete` and is listed in `bonded:problem`.
///
/// # Errors
/// Those of `out`.
pub fn write_cyclonedx(
    subject: &Subject,
    contents: &Contents,
    out: &mut dyn Write,
) -> io::Result<()> {
    let os = contents.os.as_ref();
    let components = components(contents);
    let root = subject.digest.to_string();
    let complete = if contents.problems.is_empty() {
        "complete"
    } else {
        "incomplete"
    };
    let references = components.iter().map(|(reference, _)| reference.as_str());
    let listed = components
        .iter()
        .map(|(reference, package)| component(reference, package, contents));
    let problems = contents.problems.iter();
    let bom = Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial_number(subject),
        version: 1,
        metadata: metadata(subject, contents),
        components: Each(os.map(system).into_iter().chain(listed)),
        dependencies: [Dependencies {
            of: root.clone(),
            depends_on: Each(os.map(|_| SYSTEM).into_iter().chain(references)),
        }],
        compositions: [json!({ "aggregate": complete, "assemblies": [root] })],
        properties: problems
            .map(|problem| property("problem", &problem_line(problem)))
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &bom)?;
    out.write_all(b"\n")
}

/// The reference of the operating system.
const SYSTEM: &str = "operating-system";

/// The packages with their references: what makes one unlike every other.
fn components(contents: &Contents) -> Vec<(String, &ScannedPackage)> {
    let mut seen = HashSet::new();
    let packages = contents.packages.iter().map(|package| {
        let url = purl(package, contents.os.as_ref());
        (format!("{url} {}", package.path), package)
    });
    packages
        .filter(|(reference, _)| seen.insert(reference.clone()))
        .collect()
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": format!("bonded:{name}"), "value": value })
}

/// A UUID that belongs to this image as this program sees it (RFC 9562, version 8).
fn serial_number(subject: &Subject) -> String {
    let of = format!("{} {INVENTORY_VERSION} {}", subject.digest, TOOL.1);
    let hash = fingerprint(&of);
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

fn metadata(subject: &Subject, contents: &Contents) -> Value {
    let mut properties: Vec<Value> = Vec::new();
    properties.extend(subject.platform.as_deref().map(|p| property("platform", p)));
    properties.extend(
        contents
            .layers
            .iter()
            .map(|l| property("layer", l.as_str())),
    );
    let (hash_name, hash) = match subject.digest.as_str().split_once(':') {
        Some(("sha512", hash)) => ("SHA-512", hash),
        Some((_, hash)) => ("SHA-256", hash),
        None => ("SHA-256", ""),
    };
    let mut metadata = json!({
        "tools": { "components": [
            { "type": "application", "name": TOOL.0, "version": TOOL.1 },
        ] },
        "component": {
            "type": "container",
            "bom-ref": subject.digest.as_str(),
            "name": subject.shown(),
            "version": subject.digest.as_str(),
            "hashes": [{ "alg": hash_name, "content": hash }],
            "properties": properties,
        },
    });
    if let Some(created) = subject.created {
        metadata["timestamp"] = created.to_string().into();
    }
    metadata
}

fn system(os: &OsRelease) -> Value {
    let mut component = json!({
        "type": "operating-system",
        "bom-ref": SYSTEM,
        "name": if os.id.is_empty() { "unknown" } else { &os.id },
    });
    if !os.version_id.is_empty() {
        component["version"] = os.version_id.as_str().into();
    }
    if !os.pretty_name.is_empty() {
        component["description"] = os.pretty_name.as_str().into();
    }
    component
}

fn component(reference: &str, package: &ScannedPackage, contents: &Contents) -> Value {
    let (group, name) = grouped(package);
    let layer = contents.layers.get(package.layer as usize);
    let mut properties = vec![
        property("kind", package.kind.name()),
        property("path", &package.path),
    ];
    properties.extend(layer.map(|layer| property("layer", layer.as_str())));
    let is_of_source =
        (&package.source_name, &package.source_version) != (&package.name, &package.version);
    if is_of_source {
        properties.push(property("source_name", &package.source_name));
        properties.push(property("source_version", &package.source_version));
    }
    properties.extend(
        package
            .ecosystem
            .as_deref()
            .map(|e| property("ecosystem", e)),
    );
    properties.extend(package.owner.as_deref().map(|o| property("owner", o)));
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": package.version,
        "purl": purl(package, contents.os.as_ref()),
        "evidence": { "occurrences": [{ "location": package.path }] },
        "properties": properties,
    });
    if let Some(group) = group {
        component["group"] = group.into();
    }
    if !package.licenses.is_empty() {
        component["licenses"] = licenses(&package.licenses);
    }
    component
}

/// One expression, or a list of licences without a word on how they belong together.
fn licenses(statements: &[String]) -> Value {
    if let [only] = statements
        && Statement::of(only) == Statement::Expression
    {
        return json!([{ "expression": only, "acknowledgement": "declared" }]);
    }
    let one = |text: &String| {
        let key = match Statement::of(text) {
            Statement::License => "id",
            Statement::Expression | Statement::Name => "name",
        };
        json!({ "license": { key: text, "acknowledgement": "declared" } })
    };
    statements.iter().map(one).collect()
}
