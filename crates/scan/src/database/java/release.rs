//! The `release` file of a Java runtime: assignments of the shell, as the JDK's own build writes
//! them.

use std::io::BufRead;

use crate::database::node::is_token;
use crate::database::{DatabaseError, Lines};
use crate::{Package, PackageKind};

/// The runtime that a `release` file is of; `None` if it is no runtime's. BellSoft's has advisories
/// of its own in the ecosystem Bitnami; of the others nothing is known under their names.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read or is too large.
pub(crate) fn parse_java_release(input: impl BufRead) -> Result<Option<Package>, DatabaseError> {
    let mut lines = Lines::new(input);
    let (mut version, mut vendor) = (None, String::new());
    while let Some(line) = lines.next()? {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match name.trim() {
            "JAVA_VERSION" => version = Some(value.to_owned()),
            "IMPLEMENTOR" => vendor = value.chars().take(100).collect(),
            _ => {}
        }
    }
    let Some(version) = version.filter(|version| is_token(version)) else {
        return Ok(None);
    };
    let (name, judged_as) = match vendor.as_str() {
        "BellSoft" => ("liberica-jdk", "java"),
        _ => ("openjdk", "openjdk"),
    };
    Ok(Some(Package {
        source_name: judged_as.to_owned(),
        source_version: comparable(&version),
        vendor,
        ..Package::new(PackageKind::Program, name, &version)
    }))
}

/// The version as advisories write it: three numbers. Java 8 calls itself `1.8.0_382`.
fn comparable(version: &str) -> String {
    let version = version.replace("1.8.0_", "8.0.");
    let mut numbers: Vec<&str> = version.split(['.', '_', '+', '-']).take(3).collect();
    while numbers.len() < 3 {
        numbers.push("0");
    }
    numbers.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_names_its_version_and_its_builder() {
        let text = "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.21.1\"\nMODULES=\"java.base\"\n";
        let package = parse_java_release(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (&*package.name, &*package.version),
            ("openjdk", "17.0.21.1")
        );
        let text = "JAVA_VERSION=\"1.8.0_382\"\nIMPLEMENTOR=\"BellSoft\"\n";
        let package = parse_java_release(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (&*package.source_name, &*package.source_version),
            ("java", "8.0.382")
        );
        assert_eq!(comparable("21"), "21.0.0");
        for other in ["", "Red Hat release 9\n", "JAVA_VERSION=\"\"\n"] {
            assert_eq!(parse_java_release(other.as_bytes()).unwrap(), None);
        }
    }
}
