//! Go's order: golang.org/x/mod/semver for modules, and the names of toolchains.
//!
//! Pseudo-versions (`v0.0.0-20210101000000-abcdefabcdef`) are pre-releases of semver, and
//! `+incompatible` is build metadata, so both need no rule. The toolchain, from which the standard
//! library gets its version, calls itself `go1.21rc2` or `go1.21.3 X:aliastypeparams`; advisories
//! write `1.21.0-rc.2`.

use super::Reason;
use super::semver::{self, Version};

/// A version of a module, with or without its `v`, or of a toolchain. `(devel)`, which a main
/// module without a version has, is none.
pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    if text == "(devel)" {
        return Err("it was built from a working tree and says no version");
    }
    match text.strip_prefix("go") {
        Some(toolchain) => parse_toolchain(toolchain),
        None => semver::parse_strict(text),
    }
}

/// `1.21`, `1.21.3`, `1.21rc2`, `1.21beta1`; experiments after a space, and a vendor's name after
/// a hyphen, do not count.
fn parse_toolchain(text: &str) -> Result<Version<'_>, Reason> {
    let version = text.split([' ', '-']).next().unwrap_or(text);
    semver::parse_toolchain(version)
}
