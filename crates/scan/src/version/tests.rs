//! What every order owes: it is an order, it is bounded, and what it cannot order it says.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

/// Each order with a pattern of versions that are likely to differ little. Left out is the corner
/// where the tool itself has no order: PHP's `#`.
const PATTERNS: [(VersionOrder, &str); 13] = [
    (VersionOrder::Apk, "[0-2](\\.?[0-2a_r-]|_rc|_p|~a|-r){0,5}"),
    (
        VersionOrder::Cargo,
        "[01](\\.[0-2]){0,2}(-[ab1](\\.[ab01-]){0,2})?",
    ),
    (VersionOrder::Deb, "([01]:)?[0-2ab~+.-]{1,5}"),
    (VersionOrder::Gem, "[01](\\.[0-2ab]{1,2}){0,4}(-[a1]){0,2}"),
    (
        VersionOrder::Go,
        "v?[01](\\.[0-2]){0,2}(-[ab1](\\.[ab01-]){0,2})?(\\+incompatible)?",
    ),
    (
        VersionOrder::Maven,
        "[01](\\.[0-2]){0,3}(-(a|b|m|rc|x|y|sp|ga|SNAPSHOT|[0-2])(-?[0-2])?){0,2}",
    ),
    (
        VersionOrder::Npm,
        "[01](\\.[0-2]){0,2}-?[ab]?(\\.[ab01-]){0,2}",
    ),
    (
        VersionOrder::Nuget,
        "[01](\\.[0-2]){0,3}(-[aAb1](\\.[aB01-]){0,2})?",
    ),
    (
        VersionOrder::Packagist,
        "v?[01]([.+-]?([0-2]|dev|a|beta|RC|pl|x)){0,4}\\.?",
    ),
    (
        VersionOrder::Pep440,
        "([01]!)?[01](\\.[0-2]){0,2}([ab][01]?)?(\\.post[01]?)?(\\.dev[01]?)?(\\+[a1](\\.[b2])?)?",
    ),
    (
        VersionOrder::Pub,
        "[01](\\.[0-2]){0,2}(-[ab1](\\.[ab01-]){0,2})?(\\+[a1]){0,1}",
    ),
    (VersionOrder::Rpm, "([01]:)?[0-2ab~^._-]{1,5}"),
    (
        VersionOrder::Semver,
        "v?[01](\\.[0-2]){0,4}(-[ab1](\\.[ab01-]){0,2})?",
    ),
];

fn versions() -> impl Strategy<Value = (VersionOrder, Vec<String>)> {
    proptest::sample::select(&PATTERNS[..])
        .prop_flat_map(|(order, pattern)| (Just(order), proptest::collection::vec(pattern, 3)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_order_is_total((order, versions) in versions()) {
        let compare = |a: usize, b: usize| order.compare(&versions[a], &versions[b]);
        if let (Ok(ab), Ok(ba), Ok(bc), Ok(ac)) =
            (compare(0, 1), compare(1, 0), compare(1, 2), compare(0, 2))
        {
            prop_assert_eq!(compare(0, 0), Ok(Ordering::Equal));
            prop_assert_eq!(ab, ba.reverse(), "antisymmetric");
            if order == VersionOrder::Maven {
                // Maven's own order is no more than this; see its file.
                return Ok(());
            }
            if ab == bc {
                prop_assert_eq!(ac, ab, "transitive");
            }
            if ab.is_eq() {
                prop_assert_eq!(ac, bc, "equal versions compare equally");
            }
            if bc.is_eq() {
                prop_assert_eq!(ac, ab, "equal versions compare equally");
            }
        }
    }

    #[test]
    fn no_text_makes_an_order_panic(a in "\\PC{0,40}", b in ".{0,40}", c in "[0-9a-zA-Z.~^:+!_ -]{0,20}") {
        for (order, _) in PATTERNS {
            for (left, right) in [(&a, &b), (&a, &c), (&b, &c), (&c, &c)] {
                if let (Ok(order), Ok(reversed)) =
                    (order.compare(left, right), order.compare(right, left))
                {
                    prop_assert_eq!(order, reversed.reverse());
                }
            }
        }
    }
}

#[test]
fn the_tables_of_names_are_in_the_order_of_the_variants() {
    for (index, ((order, name), (patterned, _))) in ORDERS.iter().zip(PATTERNS).enumerate() {
        assert_eq!(*order as usize, index, "{name}");
        assert_eq!(*order, patterned, "every order has a pattern");
        assert_eq!(name.parse(), Ok(*order));
    }
}

#[test]
fn an_osv_name_stands_for_the_order_of_its_ecosystem() {
    for (text, order) in [
        ("Debian:12", VersionOrder::Deb),
        ("Ubuntu:24.04:LTS", VersionOrder::Deb),
        ("Alpine:v3.18", VersionOrder::Apk),
        ("Rocky Linux:9", VersionOrder::Rpm),
        ("PyPI", VersionOrder::Pep440),
        ("crates.io", VersionOrder::Cargo),
    ] {
        assert_eq!(text.parse(), Ok(order));
    }
    assert!("Debain:12".parse::<VersionOrder>().is_err());
}

#[test]
fn a_version_without_an_order_says_why() {
    let long = "1".repeat(VERSION_LIMIT + 1);
    for (order, version) in [
        (VersionOrder::Apk, "1 2"),
        (VersionOrder::Cargo, "1.0.0.0"),
        (VersionOrder::Cargo, "1.0.0alpha"),
        (VersionOrder::Deb, ""),
        (VersionOrder::Deb, "1:"),
        (VersionOrder::Deb, "x:1"),
        (VersionOrder::Deb, ":1"),
        (VersionOrder::Deb, "1-"),
        (VersionOrder::Deb, "-1"),
        (VersionOrder::Deb, "1\n2"),
        (VersionOrder::Gem, "v1"),
        (VersionOrder::Gem, "1..2"),
        (VersionOrder::Gem, "1-"),
        (VersionOrder::Go, "(devel)"),
        (VersionOrder::Go, "1.2.3.4"),
        (VersionOrder::Go, "go1.21x"),
        (VersionOrder::Maven, ""),
        (VersionOrder::Maven, &long),
        (VersionOrder::Npm, "latest"),
        (VersionOrder::Nuget, "1.2.3.4.5"),
        (VersionOrder::Nuget, "1.0-"),
        (VersionOrder::Packagist, "-1"),
        (VersionOrder::Pep440, "1.0-x"),
        (VersionOrder::Pep440, "2013b!"),
        (VersionOrder::Pep440, "french toast"),
        (VersionOrder::Pep440, "1.0+a+b"),
        (VersionOrder::Rpm, "\u{0}"),
        (VersionOrder::Semver, "1.0.0-a..b"),
    ] {
        let left = order.compare(version, "1");
        let right = order.compare("1", version);
        assert_eq!(left, right, "{order} {version}");
        assert!(left.is_err(), "{order} {version}");
    }
}

#[test]
fn the_error_names_the_version_and_the_order() {
    let error = VersionOrder::Deb.compare("1", "x:1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'x:1' is not a version that deb orders: its epoch, before ':', is not a number"
    );
}

#[test]
fn numbers_of_any_length_are_compared_by_value() {
    let (less, more) = ("9".repeat(300), format!("1{}", "0".repeat(300)));
    for (order, _) in PATTERNS {
        let compared = order.compare(&format!("1.{less}"), &format!("1.{more}"));
        assert_eq!(compared, Ok(Ordering::Less), "{order}");
    }
}
