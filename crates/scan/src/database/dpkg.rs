//! dpkg's database: `var/lib/dpkg/status`, and `status.d` of images without a package manager.

use std::io::BufRead;

use super::{DatabaseError, Lines, push};
use crate::{Package, PackageKind};

/// The fields of a paragraph that count.
#[derive(Default)]
struct Paragraph {
    package: Option<String>,
    version: Option<String>,
    status: Option<String>,
    source: Option<String>,
    begun: bool,
}

/// The packages of a file in dpkg's format (deb822(5)) whose files are in the image: those of which
/// at least a part is unpacked, and those without a state, as `status.d` has them. A package that
/// was removed, with or without its configuration, is left out.
///
/// `path` is noted in each package.
///
/// # Errors
/// [`DatabaseError`] if the file is too large or has a paragraph that dpkg would not accept.
pub fn parse_dpkg(input: impl BufRead, path: &str) -> Result<Vec<Package>, DatabaseError> {
    let mut lines = Lines::new(input);
    let mut packages = Vec::new();
    let mut paragraph = Paragraph::default();
    while let Some(line) = lines.next()? {
        if line.trim().is_empty() {
            finish(std::mem::take(&mut paragraph), &lines, path, &mut packages)?;
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if !paragraph.begun {
                return Err(lines.malformed("a paragraph begins with a continued line"));
            }
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| lines.malformed("a field has no ':'"))?;
        paragraph.begun = true;
        let field = match name.to_ascii_lowercase().as_str() {
            "package" => &mut paragraph.package,
            "version" => &mut paragraph.version,
            "status" => &mut paragraph.status,
            "source" => &mut paragraph.source,
            _ => continue,
        };
        if field.replace(value.trim().to_owned()).is_some() {
            return Err(lines.malformed("a field is there twice"));
        }
    }
    finish(paragraph, &lines, path, &mut packages)?;
    Ok(packages)
}

/// Adds the package of a paragraph, if it has one that is in the image.
fn finish(
    paragraph: Paragraph,
    lines: &Lines<impl BufRead>,
    path: &str,
    packages: &mut Vec<Package>,
) -> Result<(), DatabaseError> {
    if !paragraph.begun {
        return Ok(());
    }
    let name = paragraph.package;
    let name = name.ok_or_else(|| lines.malformed("a paragraph has no Package"))?;
    let name = lines.token(&name)?;
    if let Some(status) = &paragraph.status
        && !is_unpacked(status).ok_or_else(|| lines.malformed("a Status is not dpkg's"))?
    {
        return Ok(());
    }
    let version = paragraph.version;
    let version = version.ok_or_else(|| lines.malformed("a package has no Version"))?;
    let version = lines.token(&version)?;
    let (source_name, source_version) = match &paragraph.source {
        None => (name.clone(), version.clone()),
        Some(source) => match source.split_once('(') {
            None => (lines.token(source)?, version.clone()),
            Some((source, rest)) => {
                let inner = rest.trim_end().strip_suffix(')');
                let inner = inner.ok_or_else(|| lines.malformed("a Source has no ')'"))?;
                (lines.token(source)?, lines.token(inner)?)
            }
        },
    };
    let package = Package {
        kind: PackageKind::Deb,
        name,
        version,
        source_name,
        source_version,
        path: path.to_owned(),
    };
    push(packages, package)
}

/// Whether a state leaves files of the package in place; `None` if it is none of dpkg's states.
fn is_unpacked(status: &str) -> Option<bool> {
    let mut words = status.split_ascii_whitespace();
    let state = words.nth(2).filter(|_| words.next().is_none())?;
    match state {
        "not-installed" | "config-files" => Some(false),
        "installed" | "unpacked" | "half-installed" | "half-configured" | "triggers-awaited"
        | "triggers-pending" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Package>, DatabaseError> {
        parse_dpkg(text.as_bytes(), "var/lib/dpkg/status")
    }

    #[test]
    fn the_packages_in_the_image_are_listed_with_their_sources() {
        let status = "Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b13\n\
                      Source: bash (5.2.15-2)\nDescription: a shell\n with lines\n\n\
                      Package: removed\nStatus: deinstall ok config-files\nVersion: 1\n\n\n\
                      package: libc6\nSource: glibc\nStatus: install ok half-configured\n\
                      Version: 2.36-9\n\n\
                      Package: tzdata\nVersion: 2024a-0";
        let found = parse(status).unwrap();
        let rows: Vec<[&str; 4]> = found
            .iter()
            .map(|p| [&*p.name, &*p.version, &*p.source_name, &*p.source_version])
            .collect();
        assert_eq!(
            rows,
            [
                ["bash", "5.2.15-2+b13", "bash", "5.2.15-2"],
                ["libc6", "2.36-9", "glibc", "2.36-9"],
                ["tzdata", "2024a-0", "tzdata", "2024a-0"],
            ]
        );
        assert!(
            found
                .iter()
                .all(|package| package.path == "var/lib/dpkg/status")
        );
    }

    #[test]
    fn an_empty_file_has_no_packages() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("\n\n").unwrap(), []);
    }

    #[test]
    fn what_dpkg_would_not_accept_is_an_error() {
        for text in [
            "Version: 1\n",
            "Package: a\n",
            "Package: a\nVersion:\n",
            "Package: a b\nVersion: 1\n",
            "Package: a\nPackage: b\nVersion: 1\n",
            "Package: a\nVersion: 1\nStatus: installed\n",
            "Package: a\nVersion: 1\nStatus: install ok fine\n",
            "Package: a\nVersion: 1\nSource: b (1\n",
            "Package: a\nVersion: 1\nSource: b ()\n",
            " continued\n",
            "garbage\n",
            "\u{0}\u{1}\u{2}",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_error_names_the_line() {
        let error = parse("Package: a\nVersion: 1\n\ngarbage\n").unwrap_err();
        assert_eq!(error.to_string(), "line 4: a field has no ':'");
    }
}
