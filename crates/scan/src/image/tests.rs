use tar::{Builder, EntryType, Header};

use super::*;
use crate::{LayerLimits, inspect_layer};

/// A layer as its entries: `path` a file, `path/` a directory, `path -> target` a link, `path =
/// target` a hard link; with the content of a file.
type Entries<'e> = &'e [(&'e str, &'e str)];

fn layer(entries: Entries<'_>) -> LayerInventory {
    let mut tar = Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = Header::new_gnu();
        header.set_size(0);
        if let Some((path, target)) = path.split_once(" -> ") {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, path, target).unwrap();
        } else if let Some((path, target)) = path.split_once(" = ") {
            header.set_entry_type(EntryType::Link);
            tar.append_link(&mut header, path, target).unwrap();
        } else {
            let directory = path.ends_with('/');
            header.set_entry_type(if directory {
                EntryType::Directory
            } else {
                EntryType::Regular
            });
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
    }
    let bytes = tar.into_inner().unwrap();
    let inventory = inspect_layer(bytes.as_slice(), &LayerLimits::default()).unwrap();
    assert_eq!(inventory.problems(), []);
    inventory
}

fn image(layers: &[Entries<'_>]) -> ImageInventory {
    let layers: Vec<_> = layers.iter().map(|entries| layer(entries)).collect();
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| (Digest::sha256(b"layer"), layer))
        .collect();
    merge(&layers)
}

/// Its packages as `name version layer`.
fn packages(image: &ImageInventory) -> Vec<String> {
    let packages = image.packages.iter();
    packages
        .map(|found| {
            format!(
                "{} {} {}",
                found.package.name, found.package.version, found.layer
            )
        })
        .collect()
}

fn codes(image: &ImageInventory) -> Vec<ProblemCode> {
    image.problems.iter().map(|problem| problem.code).collect()
}

const OS: (&str, &str) = ("etc/os-release", "ID=debian\nVERSION_ID=12\n");
const BASH: (&str, &str) = (
    "var/lib/dpkg/status",
    "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n",
);
const BASH_AND_CURL: (&str, &str) = (
    "var/lib/dpkg/status",
    "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n\n\
     Package: curl\nStatus: install ok installed\nVersion: 7.88-1\n",
);
const SIX: (&str, &str) = (
    "srv/lib/six-1.dist-info/METADATA",
    "Name: six\nVersion: 1\n",
);

#[test]
fn packages_are_of_the_layer_that_first_brought_their_version() {
    let upgraded = "Package: bash\nStatus: install ok installed\nVersion: 5.2-2\n\n\
                    Package: curl\nStatus: install ok installed\nVersion: 7.88-1\n";
    let image = image(&[
        &[OS, BASH, SIX],
        &[BASH_AND_CURL],
        &[(BASH.0, upgraded), SIX],
    ]);
    assert_eq!(
        packages(&image),
        ["bash 5.2-2 2", "curl 7.88-1 1", "six 1 0"]
    );
    assert_eq!(codes(&image), []);
    assert_eq!(image.packages[0].path, "var/lib/dpkg/status");
}

#[test]
fn what_pnpm_links_to_its_store_is_there_and_the_store_is_not() {
    let stored = |digit: &str| format!("root/store/v3/files/0a/{}", digit.repeat(126));
    let (lodash, text) = (stored("1"), stored("2"));
    let link = format!("srv/node_modules/lodash/package.json = {lodash}");
    let image = image(&[
        &[
            OS,
            BASH,
            (&lodash, r#"{"name":"lodash","version":"4.17.20"}"#),
            (&stored("3"), r#"{"name":"unused","version":"1"}"#),
            (&text, "exports = {}"),
            (&link, ""),
            (&format!("srv/node_modules/lodash/index.js = {text}"), ""),
        ],
        &[(&link.replace("srv", "opt"), "")],
    ]);
    assert_eq!(
        packages(&image),
        ["bash 5.2-1 0", "lodash 4.17.20 1", "lodash 4.17.20 0"]
    );
    assert_eq!(codes(&image), []);
    assert_eq!(
        image.packages[1].path,
        "opt/node_modules/lodash/package.json"
    );
}

#[test]
fn what_an_upper_layer_takes_away_is_gone() {
    let gone: [Entries<'_>; 9] = [
        &[("srv/lib/six-1.dist-info/.wh.METADATA", "")],
        &[("srv/lib/.wh.six-1.dist-info", "")],
        &[(".wh.srv", "")],
        &[("srv/lib/.wh..wh..opq", "")],
        &[("srv/.wh..wh..opq", ""), ("srv/lib/", "")],
        // Something else stands where its directory was.
        &[("srv/lib", "a file")],
        &[("srv -> /elsewhere", "")],
        &[("srv = etc/os-release", "")],
        &[("also -> srv", ""), ("also/.wh.lib", "")],
    ];
    for upper in gone {
        let image = image(&[&[OS, BASH, SIX], upper]);
        assert_eq!(packages(&image), ["bash 5.2-1 0"], "{upper:?}");
        assert_eq!(codes(&image), []);
    }
    let stays: [Entries<'_>; 5] = [
        &[("srv/lib/", "")],
        &[("srv/.wh.li", "")],
        &[("srv/lib/six-1.dist-info/.wh..wh.plnk", "")],
        &[("srv/lib/", ""), ("srv/lib/.wh...", "")],
        &[("also -> srv", ""), ("also/lib/x", "")],
    ];
    for upper in stays {
        let image = image(&[&[OS, BASH, SIX], upper]);
        assert_eq!(packages(&image), ["bash 5.2-1 0", "six 1 0"], "{upper:?}");
    }
}

#[test]
fn a_layer_hides_nothing_of_its_own_and_the_last_of_a_path_wins() {
    let newer = (SIX.0, "Name: six\nVersion: 2\n");
    for upper in [
        &[("srv/lib/.wh..wh..opq", ""), newer][..],
        &[newer, ("srv/lib/.wh..wh..opq", "")],
        &[newer, ("srv/.wh.lib", "")],
        &[SIX, newer],
    ] {
        let image = image(&[&[OS, BASH, SIX], upper]);
        assert_eq!(packages(&image), ["bash 5.2-1 0", "six 2 1"], "{upper:?}");
    }
}

#[test]
fn files_land_where_links_lead() {
    // usrmerge: the base has the link, an upper layer writes through it, another replaces the file.
    let base: Entries<'_> = &[OS, BASH, ("lib -> usr/lib", ""), ("usr/lib/", "")];
    let through = ("lib/python/six-1.egg-info", "Name: six\nVersion: 1\n");
    let direct = ("usr/lib/python/six-1.egg-info", "Name: six\nVersion: 3\n");
    assert_eq!(
        packages(&image(&[base, &[through]])),
        ["bash 5.2-1 0", "six 1 1"]
    );
    let image = image(&[base, &[through], &[direct]]);
    assert_eq!(packages(&image), ["bash 5.2-1 0", "six 3 2"]);
    assert_eq!(image.packages[1].path, "usr/lib/python/six-1.egg-info");
}

#[test]
fn a_database_counts_wherever_links_lead() {
    let status = BASH.1;
    let databases: [Entries<'_>; 6] = [
        &[
            ("var/lib/dpkg -> ../../opt/packages", ""),
            ("opt/packages/status", status),
        ],
        &[
            ("opt/packages/status", status),
            ("var -> /opt/v", ""),
            ("opt/v/lib/dpkg -> /opt/packages", ""),
        ],
        &[
            ("opt/db.txt", status),
            ("var/lib/dpkg/status -> /opt/db.txt", ""),
        ],
        &[
            ("opt/db.txt", status),
            ("var/lib/dpkg/status = opt/db.txt", ""),
        ],
        &[(
            "var/lib/dpkg/status.d/bash",
            "Package: bash\nVersion: 5.2-1\n",
        )],
        &[("var/lib/dpkg/status", ""), BASH],
    ];
    for database in databases {
        let image = image(&[&[OS], database]);
        assert_eq!(packages(&image), ["bash 5.2-1 1"], "{database:?}");
        assert_eq!(codes(&image), [], "{database:?}");
    }
    // Elsewhere it does not count.
    let image = image(&[
        &[OS, BASH],
        &[("opt/rootfs/var/lib/dpkg/status", BASH_AND_CURL.1)],
    ]);
    assert_eq!(packages(&image), ["bash 5.2-1 0"]);
}

/// Layers, and the problems that an image of them has.
type Case<'c> = (&'c [Entries<'c>], &'c [ProblemCode]);

fn check(cases: &[Case<'_>]) {
    for (layers, want) in cases {
        assert_eq!(codes(&image(layers)), *want, "{layers:?}");
    }
}

#[test]
fn a_system_without_its_database_is_not_known() {
    use ProblemCode::{DatabaseEmpty, DatabaseMissing, DatabaseUnreadable};
    let empty = ("var/lib/dpkg/status", "");
    let corrupt = ("var/lib/dpkg/status", "Package: a\nVersion: 1\nStatus: x\n");
    let nowhere = ("var/lib/dpkg/status -> /dev/null", "");
    let unread = ("var/lib/dpkg/status = opt/x", "");
    check(&[
        (&[&[OS]], &[DatabaseMissing]),
        (
            &[&[OS, BASH], &[("var/lib/dpkg/.wh.status", "")]],
            &[DatabaseMissing],
        ),
        (
            &[&[OS, BASH], &[("var/lib/.wh..wh..opq", "")]],
            &[DatabaseMissing],
        ),
        (
            &[&[OS, BASH], &[("var/lib/dpkg", "a file")]],
            &[DatabaseMissing],
        ),
        (
            &[&[OS, BASH], &[("var/lib -> /empty", "")]],
            &[DatabaseMissing],
        ),
        (&[&[OS, BASH], &[empty]], &[DatabaseEmpty]),
        (&[&[OS, BASH], &[corrupt]], &[DatabaseUnreadable]),
        (&[&[OS, corrupt], &[BASH]], &[]),
        (&[&[OS, BASH], &[nowhere]], &[DatabaseMissing]),
        (&[&[OS, BASH], &[unread]], &[DatabaseUnreadable]),
    ]);
}

#[test]
fn packages_of_no_known_system_are_not_known() {
    use ProblemCode::{NothingRecognised, OsChanged, OsUnknown, OsUnreadable, OsUnsupported};
    let alpine = ("etc/os-release", "ID=alpine\nVERSION_ID=3.18.4\n");
    let apk = ("lib/apk/db/installed", "P:musl\nV:1.2.4-r2\n");
    let plan9 = ("etc/os-release", "ID=plan9\n");
    let sid = ("etc/os-release", "ID=debian\n");
    let kali = ("etc/os-release", "ID=kali\nVERSION_ID=1\n");
    let newer = ("etc/os-release", "ID=debian\nVERSION_ID=13\n");
    let removed: Entries<'_> = &[(".wh.etc", ""), (".wh.var", "")];
    check(&[
        (&[&[OS, BASH], &[("etc/.wh.os-release", "")]], &[OsUnknown]),
        (&[&[OS, BASH], removed], &[OsUnknown]),
        (&[&[OS, BASH], removed, &[SIX]], &[OsUnknown]),
        (&[&[BASH]], &[OsUnknown]),
        (&[&[BASH], &[(".wh.var", "")]], &[OsUnknown]),
        (&[&[]], &[NothingRecognised]),
        (&[&[SIX]], &[]),
        (&[&[plan9, BASH]], &[OsUnsupported]),
        (&[&[sid, BASH]], &[OsUnsupported]),
        (&[&[kali, BASH]], &[OsUnsupported]),
        (
            &[&[OS, BASH], &[("etc/os-release = x", "")]],
            &[OsUnreadable, OsUnknown],
        ),
        (&[&[alpine, apk]], &[]),
        (&[&[alpine, apk, BASH]], &[OsUnsupported]),
        (&[&[OS, BASH], &[newer]], &[OsChanged]),
        (&[&[OS, BASH], &[newer, BASH_AND_CURL]], &[]),
    ]);
}

#[test]
fn metadata_that_is_a_link_to_something_unread_is_a_problem() {
    let image_of = |path| {
        image(&[&[
            OS,
            BASH,
            ("opt/blob", "Name: six\nVersion: 1\n"),
            (path, ""),
        ]])
    };
    let hidden = image_of("srv/six-1.dist-info/METADATA = opt/blob");
    assert_eq!(codes(&hidden), [ProblemCode::DatabaseUnreadable]);
    // Of metadata, as installers with a cache make them, also across layers.
    let shared = (
        "srv/six-2.dist-info/METADATA = srv/lib/six-1.dist-info/METADATA",
        "",
    );
    for layers in [
        &[&[OS, BASH, SIX, shared][..]][..],
        &[&[OS, BASH, SIX], &[shared]],
    ] {
        let image = image(layers);
        assert_eq!(codes(&image), []);
        assert_eq!(image.packages.len(), 3, "{:?}", image.packages);
    }
}

#[test]
fn metadata_belongs_to_an_installed_package_that_lists_it() {
    let list = ("var/lib/dpkg/info/bash.list", "/.\n/lib/six-1.egg-info\n");
    let six = ("usr/lib/six-1.egg-info", "Name: six\nVersion: 1\n");
    let link = ("lib -> usr/lib", "");
    let owner = |layers: &[Entries<'_>]| {
        let image = image(layers);
        let six = image
            .packages
            .iter()
            .find(|found| found.package.name == "six");
        six.and_then(|found| found.owner.clone())
    };
    let bash = Some("deb:bash".to_owned());
    assert_eq!(owner(&[&[OS, BASH, link, list, six]]), bash);
    assert_eq!(owner(&[&[OS, BASH], &[list, link], &[six]]), bash);
    let sums = (
        "var/lib/dpkg/info/bash:amd64.md5sums",
        "00  usr/lib/six-1.egg-info\n",
    );
    assert_eq!(owner(&[&[OS, BASH, sums, six]]), bash);
    // No such package; the list was taken away, or replaced.
    let foreign = ("var/lib/dpkg/info/curl.list", list.1);
    assert_eq!(owner(&[&[OS, BASH, link, foreign, six]]), None);
    let removed = ("var/lib/dpkg/info/.wh.bash.list", "");
    assert_eq!(owner(&[&[OS, BASH, link, list, six], &[removed]]), None);
    let replaced = (list.0, "/.\n");
    assert_eq!(owner(&[&[OS, BASH, link, list, six], &[replaced]]), None);
    // Beside a list that was read, checksums are not, but they hide those of lower layers.
    let beside = ("var/lib/dpkg/info/bash.md5sums", sums.1);
    assert_eq!(owner(&[&[OS, BASH, beside, six]]), bash);
    assert_eq!(owner(&[&[OS, BASH, replaced, beside, six]]), None);
    assert_eq!(
        owner(&[&[OS, BASH, beside, six], &[replaced, beside]]),
        None
    );
}

#[test]
fn packages_of_node_are_those_in_node_modules() {
    let lodash = (
        "srv/node_modules/lodash/package.json",
        r#"{"name":"lodash","version":"4.17.20"}"#,
    );
    let newer = (lodash.0, r#"{"name":"lodash","version":"4.17.21"}"#);
    let silent = ("srv/node_modules/a/package.json", r#"{"type":"module"}"#);
    let linked = (
        "opt/node_modules/a/package.json = srv/node_modules/a/package.json",
        "",
    );
    let application = ("srv/package.json", r#"{"name":"app","version":"1.0.0"}"#);
    let base: Entries<'_> = &[OS, BASH, lodash, application, silent];
    let found = image(&[base, &[linked]]);
    assert_eq!(packages(&found), ["bash 5.2-1 0", "lodash 4.17.20 0"]);
    assert_eq!(codes(&found), []);
    assert_eq!(
        packages(&image(&[base, &[newer]])),
        ["bash 5.2-1 0", "lodash 4.17.21 1"]
    );
    let removed = ("srv/node_modules/.wh.lodash", "");
    assert_eq!(packages(&image(&[base, &[removed]])), ["bash 5.2-1 0"]);
}

#[test]
fn a_problem_of_a_layer_is_one_of_the_image() {
    let missing = LayerInventory::of_problem(crate::LayerProblem::Missing);
    let base = layer(&[OS, BASH]);
    let digest = Digest::sha256(b"layer");
    let image = merge(&[(digest.clone(), &base), (digest, &missing)]);
    assert_eq!(codes(&image), [ProblemCode::Layer]);
    assert_eq!(image.problems[0].layer, Some(1));
    assert_eq!(packages(&image), ["bash 5.2-1 0"]);
}

#[test]
fn programs_of_packages_of_the_system_have_an_owner_and_others_none() {
    let bash = "\x7fELF\x02\x01 @(#)Bash version 5.2.15(1)";
    let status = |vendor: &str| {
        format!("Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n{vendor}")
    };
    for (vendor, want) in [
        ("", [Some("deb:bash"), None]),
        ("Maintainer: Docker <support@docker.com>\n", [None, None]),
    ] {
        let image = image(&[&[
            OS,
            ("var/lib/dpkg/status", &status(vendor)),
            ("var/lib/dpkg/info/bash.list", "/.\n/bin\n/bin/bash\n"),
            ("bin/bash", bash),
            ("usr/local/bin/bash", bash),
        ]]);
        let programs = image.packages.iter();
        let programs = programs.filter(|found| found.package.kind == PackageKind::Program);
        let owners: Vec<_> = programs.map(|found| found.owner.as_deref()).collect();
        assert_eq!(owners, want, "{vendor}");
    }
}

#[test]
fn what_a_list_names_counts_once() {
    let list = r#"{"packageRegistryData":[["a",[["npm:1.0.0",{}]]],["b",[["npm:2.0.0",{}]]]]}"#;
    let sbom = r#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:npm/b@2.0.0"},
                  {"purl":"pkg:npm/c@3.0.0"},{"purl":"pkg:npm/a@1.0.0"}]}"#;
    let image = image(&[&[
        (
            "srv/node_modules/a/package.json",
            "{\"name\":\"a\",\"version\":\"1.0.0\"}",
        ),
        ("srv/.pnp.data.json", list),
        ("srv/app.cdx.json", sbom),
    ]]);
    let found: Vec<_> = image
        .packages
        .iter()
        .map(|of| (&*of.package.name, &*of.path))
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], ("a", "srv/node_modules/a/package.json"));
}

#[test]
fn a_package_of_dpkg_has_the_licences_of_its_copyright_file_as_it_is_at_the_end() {
    const FORM: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/";
    let status: String = ["a", "b", "c", "d", "e"]
        .map(|name| format!("Package: {name}\nVersion: 1\n\n"))
        .concat();
    let (old, new) = (
        format!("{FORM}\nLicense: Expat\n"),
        format!("{FORM}\nLicense: GPL-2+\nLicense: mine\n"),
    );
    let image = image(&[
        &[
            ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("var/lib/dpkg/status", &status),
            ("usr/share/doc/a/copyright", &old),
            ("usr/share/doc/b -> a", ""),
            ("usr/share/doc/c/copyright", &old),
            ("usr/share/doc/d/copyright", &old),
            ("srv/doc/e/copyright", &old),
        ],
        &[
            ("usr/share/doc/a/copyright", &new),
            ("usr/share/doc/c/.wh.copyright", ""),
            ("usr/share/doc/d/copyright", "License: in prose\n"),
        ],
    ]);
    assert_eq!(image.problems, []);
    let found = image.packages.iter().map(|found| &found.package);
    let licenses: Vec<String> = found.map(|of| of.licenses.join(", ")).collect();
    let changed = "GPL-2.0-or-later, mine";
    assert_eq!(licenses, [changed, changed, "", "", ""]);
}

#[test]
fn links_do_not_multiply_licences_without_end() {
    let many: String = (0..32).map(|n| format!("License: {n:0>500}\n")).collect();
    let text = format!("Format: copyright-format/1.0/\n{many}");
    let names: Vec<String> = (0..3000).map(|n| format!("p{n}")).collect();
    let status: String = names
        .iter()
        .map(|name| format!("Package: {name}\nVersion: 1\n\n"))
        .collect();
    let links: Vec<String> = names
        .iter()
        .skip(1)
        .map(|name| format!("usr/share/doc/{name} -> p0"))
        .collect();
    let mut entries = vec![
        ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
        ("var/lib/dpkg/status", status.as_str()),
        ("usr/share/doc/p0/copyright", text.as_str()),
    ];
    entries.extend(links.iter().map(|link| (link.as_str(), "")));
    let image = image(&[&entries]);
    assert_eq!(image.packages.len(), names.len());
    let licenses = image.packages.iter().flat_map(|of| &of.package.licenses);
    let length: usize = licenses.map(String::len).sum();
    assert_eq!(length, LICENSES_LIMIT / 16_000 * 16_000);
}
