//! A package of Ruby: the specification that RubyGems writes when it installs one,
//! `specifications/NAME-VERSION[-PLATFORM].gemspec`. It is a program; what is asked of it stands in
//! assignments that RubyGems writes the same way each time.

use std::io::BufRead;

use super::node::is_token;
use super::{DatabaseError, Lines};
use crate::license::all_stated;
use crate::{Package, PackageKind};

/// The package that a specification describes.
///
/// # Errors
/// [`DatabaseError`] if it cannot be read, is too large, or assigns no name or no version.
pub(crate) fn parse_gemspec(input: impl BufRead) -> Result<Package, DatabaseError> {
    let mut lines = Lines::new(input);
    let (mut name, mut version, mut licenses) = (None, None, Vec::new());
    while let Some(line) = lines.next()? {
        let line = line.trim();
        if let Some(value) = assigned(line, "name") {
            name = name.or(Some(value));
        } else if let Some(value) = assigned(line, "version") {
            version = version.or(Some(value));
        } else if let Some((_, list)) = line
            .strip_prefix("s.license")
            .and_then(|rest| rest.split_once('='))
            && licenses.is_empty()
        {
            // What stands between quotation marks, one after the other.
            licenses = all_stated(list.split(QUOTES).skip(1).step_by(2));
        }
    }
    let (Some(name), Some(version)) = (name, version) else {
        return Err(lines.malformed("it assigns no name or no version"));
    };
    Ok(Package {
        licenses,
        ..Package::new(PackageKind::Gem, &name, &version)
    })
}

/// What stands around a text: `"text"`, `'text'`, and `%q{text}` of RubyGems before 2.
const QUOTES: [char; 4] = ['"', '\'', '{', '}'];

/// The text in `s.FIELD = "text".freeze`, or in `Gem::Version.new("text")`.
fn assigned(line: &str, field: &str) -> Option<String> {
    let rest = line.strip_prefix("s.")?.strip_prefix(field)?;
    let value = rest.trim_start().strip_prefix('=')?;
    let text = value.split(QUOTES).nth(1)?;
    is_token(text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_assigns_name_and_version() {
        let text = "# -*- encoding: utf-8 -*-\n# stub: rack 2.2.3 ruby lib\n\n\
                    Gem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  \
                    s.version = \"2.2.3\"\n  \
                    s.licenses = [\"MIT\".freeze, \"Ruby\".freeze]\n  s.name_of = \"x\"\nend\n";
        let package = parse_gemspec(text.as_bytes()).unwrap();
        assert_eq!((&*package.name, &*package.version), ("rack", "2.2.3"));
        assert_eq!(package.licenses, ["MIT", "Ruby"]);
        for old in [
            "  s.name = %q{rack}\n  s.version = Gem::Version.new(\"1\")\n  s.licenses = [%q{MIT}]\n",
            "  s.name = 'rack'\n  s.version = '1'.freeze\n  s.license = 'MIT'\n",
        ] {
            let package = parse_gemspec(old.as_bytes()).unwrap();
            assert_eq!((&*package.name, &*package.version), ("rack", "1"));
            assert_eq!(package.licenses, ["MIT"]);
        }
        assert!(parse_gemspec(&b"  s.name = NAME\n  s.version = \"1\"\n"[..]).is_err());
    }
}
