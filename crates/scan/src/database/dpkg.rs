//! dpkg's database: `var/lib/dpkg/status`, and `status.d` of images without a package manager.

use std::io::BufRead;

use super::{DatabaseError, FileOwner, Lines, may_be_read, push};
use crate::path::{cleaned, split};
use crate::{Package, PackageKind};

/// The fields of a paragraph that count.
#[derive(Default)]
struct Paragraph {
    package: Option<String>,
    version: Option<String>,
    status: Option<String>,
    source: Option<String>,
    architecture: Option<String>,
    origin: Option<String>,
    maintainer: Option<String>,
    begun: bool,
}

/// The packages of a file in dpkg's format (deb822(5)) whose files are in the image: those of which
/// at least a part is unpacked, and those without a state, as `status.d` has them. A package that
/// was removed, with or without its configuration, is left out.
///
/// # Errors
/// [`DatabaseError`] if the file is too large or has a paragraph that dpkg would not accept.
pub(crate) fn parse_dpkg(input: impl BufRead) -> Result<Vec<Package>, DatabaseError> {
    let mut lines = Lines::new(input);
    let mut packages = Vec::new();
    let mut paragraph = Paragraph::default();
    while let Some(line) = lines.next()? {
        if line.trim().is_empty() {
            finish(std::mem::take(&mut paragraph), &lines, &mut packages)?;
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
            "architecture" => &mut paragraph.architecture,
            "origin" => &mut paragraph.origin,
            "maintainer" => &mut paragraph.maintainer,
            _ => continue,
        };
        if field.replace(value.trim().to_owned()).is_some() {
            return Err(lines.malformed("a field is there twice"));
        }
    }
    finish(paragraph, &lines, &mut packages)?;
    Ok(packages)
}

/// Adds the package of a paragraph, if it has one that is in the image.
fn finish(
    paragraph: Paragraph,
    lines: &Lines<impl BufRead>,
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
    let architecture = match &paragraph.architecture {
        Some(architecture) => lines.token(architecture)?,
        None => String::new(),
    };
    let package = Package {
        source_name,
        source_version,
        architecture,
        vendor: third_party(paragraph.origin.as_deref(), paragraph.maintainer.as_deref()),
        ..Package::new(PackageKind::Deb, &name, &version)
    };
    push(packages, package)
}

/// Who distributes a package that is none of the distribution's own; empty if nothing shows that.
///
/// dpkg does not keep where a package came from. What shows it is `Origin`, which Debian leaves out
/// of what it builds itself, and the maintainer of packages that are known to be built elsewhere.
fn third_party(origin: Option<&str>, maintainer: Option<&str>) -> String {
    let own = ["debian", "ubuntu", "raspbian"];
    let origin = origin.filter(|origin| !own.iter().any(|own| origin.eq_ignore_ascii_case(own)));
    let mail = |maintainer: &str| {
        let (_, mail) = maintainer.rsplit_once('<')?;
        Some(mail.trim_end_matches('>').to_ascii_lowercase())
    };
    let elsewhere = maintainer.filter(|maintainer| {
        mail(maintainer).is_some_and(|mail| THIRD_PARTIES.contains(&mail.as_str()))
    });
    let name = elsewhere.and_then(|of| of.split('<').next());
    let vendor = origin.or(name).unwrap_or_default().trim();
    vendor.chars().take(100).collect()
}

/// The maintainers of packages in repositories that are often added to Debian and Ubuntu, by the
/// address that their packages state.
const THIRD_PARTIES: [&str; 16] = [
    "build@nodesource.com",
    "contact@grafana.com",
    "developers@lists.mariadb.org",
    "info@elastic.co",
    "ivan@nodesource.com",
    "mysql-build@oss.oracle.com",
    "nginx-packaging@f5.com",
    "nginx-packaging@nginx.com",
    "nsadmin@nodesource.com",
    "packaging@gitlab.com",
    "packaging@mongodb.com",
    "support@docker.com",
    "support@gitlab.com",
    "support@influxdb.com",
    "team@grafana.com",
    "zulu-info@azul.com",
];

/// Whose the metadata of language packages and the programs are, by the list of a package's files: `info/NAME.list`,
/// `info/NAME:ARCHITECTURE.list`, `NAME.md5sums` beside either. `None` if none is among them.
///
/// # Errors
/// [`DatabaseError`] if the file is too large.
pub(crate) fn parse_dpkg_files(
    input: impl BufRead,
    path: &str,
) -> Result<Option<FileOwner>, DatabaseError> {
    let (_, file) = split(path);
    let name = file.strip_suffix(".list").or(file.strip_suffix(".md5sums"));
    let name = name.unwrap_or(file);
    let mut owner = FileOwner {
        package: name.split(':').next().unwrap_or(name).to_owned(),
        paths: Vec::new(),
    };
    let sums = file.ends_with(".md5sums");
    let mut lines = Lines::new(input);
    while lines.advance()? {
        let line = lines.line();
        let path = match sums {
            true => line.split_once("  ").map_or("", |(_, path)| path),
            false => &line,
        };
        let path = cleaned(path);
        // A list names directories too, before what is in them.
        if let Some(last) = owner.paths.last()
            && path
                .strip_prefix(last.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        {
            owner.paths.pop();
        }
        if may_be_read(&path) {
            push(&mut owner.paths, path.into_owned())?;
        }
    }
    Ok((!owner.paths.is_empty()).then_some(owner))
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
        parse_dpkg(text.as_bytes())
    }

    #[test]
    fn the_packages_in_the_image_are_listed_with_their_sources() {
        let status = "Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b13\n\
                      Source: bash (5.2.15-2)\nArchitecture: amd64\nDescription: a shell\n with lines\n\n\
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
        assert_eq!(found[0].architecture, "amd64");
    }

    #[test]
    fn what_is_built_elsewhere_is_told_apart() {
        let of = |fields: &str| {
            let text = format!("Package: a\nVersion: 1\n{fields}");
            parse(&text).unwrap()[0].vendor.clone()
        };
        for (fields, want) in [
            ("Maintainer: Docker <support@docker.com>\n", "Docker"),
            ("Maintainer: Somebody <somebody@debian.org>\n", ""),
            ("Maintainer: nobody\n", ""),
            ("Origin: Debian\n", ""),
            (
                "Origin: gitlab.example\nMaintainer: Docker <support@docker.com>\n",
                "gitlab.example",
            ),
        ] {
            assert_eq!(of(fields), want, "{fields}");
        }
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
    fn a_list_of_files_names_the_owner_of_metadata() {
        let python = "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO";
        let list = format!("/.\n/usr\n/usr/lib\n/usr/lib/python3\n/{python}\n/usr/share/doc/six\n");
        let owner = FileOwner {
            package: "python3-six".to_owned(),
            paths: vec![python.to_owned()],
        };
        for file in ["python3-six.list", "python3-six:amd64.list"] {
            let path = format!("var/lib/dpkg/info/{file}");
            let found = parse_dpkg_files(list.as_bytes(), &path).unwrap();
            assert_eq!(found.as_ref(), Some(&owner));
        }
        let sums = format!("d41d8cd98f00b204e9800998ecf8427e  {python}\n");
        let path = "var/lib/dpkg/status.d/python3-six.md5sums";
        let found = parse_dpkg_files(sums.as_bytes(), path).unwrap();
        assert_eq!(found.as_ref(), Some(&owner));
        let path = "var/lib/dpkg/info/bash.list";
        let of = |list: &str| parse_dpkg_files(list.as_bytes(), path).unwrap();
        assert_eq!(of("/etc\n/etc/bash.bashrc\n"), None);
        assert_eq!(of("/.\n/bin\n/bin/bash\n").unwrap().paths, ["bin/bash"]);
    }

    #[test]
    fn the_error_names_the_line() {
        let error = parse("Package: a\nVersion: 1\n\ngarbage\n").unwrap_err();
        assert_eq!(error.to_string(), "line 4: a field has no ':'");
    }
}
