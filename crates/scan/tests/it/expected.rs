//! The findings of whole images, against those of independent implementations.

use std::collections::BTreeSet;

use bonded_scan::{MatchOptions, ScanResult, match_image};
use serde_json::Value;

use crate::shared;

/// The members of findings, named as in JSON.
fn found(result: &ScanResult, members: &[&str]) -> BTreeSet<Vec<String>> {
    let findings = serde_json::to_value(&result.findings).unwrap();
    shared::rows(&findings, members, |_| true)
}

#[test]
fn a_debian_image_with_python_packages_has_exactly_the_expected_findings() {
    let Some(data) = shared::data() else { return };
    let image = shared::image(&data, "ml-slim");
    let expected = shared::expected(&data, "ml-slim");
    let os = image.os.as_ref().unwrap();
    assert_eq!(os.id, expected["os"]["ID"]);
    assert_eq!(os.version_id, expected["os"]["VERSION_ID"]);

    let advisories = shared::advisories(&data, &["Debian", "PyPI"]);
    let of = |comprehensive| {
        let options = MatchOptions {
            comprehensive,
            ..MatchOptions::default()
        };
        match_image(&image, &advisories, options)
    };
    let result = of(false);
    assert!(result.is_complete(), "{:?}", result.problems);
    let packages = serde_json::to_value(&result.packages).unwrap();
    let members = ["ecosystem", "name", "version", "path", "layer"];
    let want = shared::rows(
        &expected["inventory"],
        &["eco", "name", "version", "path", "layer"],
        |_| true,
    );
    shared::assert_same(&shared::rows(&packages, &members, |_| true), &want);
    // Which Python packages belong to packages of Debian.
    let owned = shared::rows(&packages, &["name", "path"], |row| !row["owner"].is_null());
    let os_owned = |row: &Value| row["os_owned"] == true;
    assert_eq!(
        owned,
        shared::rows(&expected["inventory"], &["name", "path"], os_owned)
    );

    let ours = [
        "id",
        "advisory",
        "ecosystem",
        "package",
        "version",
        "fixed",
        "path",
        "layer",
    ];
    let theirs = [
        "id", "osv", "eco", "package", "version", "fixed", "path", "layer",
    ];
    let want = shared::rows(&expected["findings"], &theirs, |row| !os_owned(row));
    assert_eq!(want.len(), 366);
    shared::assert_same(&found(&result, &ours), &want);
    let want = shared::rows(&expected["findings"], &theirs, |_| true);
    shared::assert_same(&found(&of(true), &ours), &want);
}

#[test]
fn an_alpine_image_has_exactly_the_expected_findings() {
    let Some(data) = shared::data() else { return };
    let image = shared::image(&data, "alpine");
    let advisories = shared::advisories(&data, &["Alpine"]);
    let result = match_image(&image, &advisories, MatchOptions::default());
    assert!(result.is_complete(), "{:?}", result.problems);
    let members = ["id", "package", "version", "fixed"];
    let want = shared::rows(
        &shared::expected(&data, "alpine")["findings"],
        &members,
        |_| true,
    );
    shared::assert_same(&found(&result, &members), &want);
}

#[test]
fn without_advisories_for_the_system_nothing_is_known() {
    let Some(data) = shared::data() else { return };
    let image = shared::image(&data, "ml-slim");
    let advisories = shared::advisories(&data, &["PyPI"]);
    let result = match_image(&image, &advisories, MatchOptions::default());
    assert!(!result.is_complete());
    let problems: Vec<_> = result.problems.iter().map(|p| p.message.as_str()).collect();
    let want = "there are no advisories for 'Debian:12': nothing is known of its packages";
    assert_eq!(problems, [want]);
}
