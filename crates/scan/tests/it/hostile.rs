//! Layers from somebody who means harm: each ends in bounded work and an honest word, none in a
//! panic or in a shorter list that is taken for the whole.

use std::fs::File;
use std::io::Read as _;

use bonded_model::Digest;
use bonded_scan::{
    ImageInventory, LayerInventory, LayerLimits, LayerProblem, ProblemCode, inspect_layer, merge,
};
use tar::{EntryType, Header};

use crate::shared;

const STATUS: &[u8] = b"Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n";
const STATUS_PATH: &str = "var/lib/dpkg/status";
const OS_RELEASE: &[u8] = b"ID=debian\nVERSION_ID=\"12\"\n";

/// A header as only a hostile program writes it: no field is judged.
fn header(kind: EntryType, path: &[u8], target: &[u8], size: &[u8; 12]) -> [u8; 512] {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    let fields = header.as_old_mut();
    fields.name[..path.len()].copy_from_slice(path);
    fields.linkname[..target.len()].copy_from_slice(target);
    fields.size = *size;
    header.set_cksum();
    *header.as_bytes()
}

fn octal(size: usize) -> [u8; 12] {
    let mut field = [0; 12];
    field[..11].copy_from_slice(format!("{size:011o}").as_bytes());
    field
}

fn entry(kind: EntryType, path: &str, target: &str, data: &[u8]) -> Vec<u8> {
    let size = octal(data.len());
    let mut bytes = header(kind, path.as_bytes(), target.as_bytes(), &size).to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(path: &str, data: &[u8]) -> Vec<u8> {
    entry(EntryType::Regular, path, "", data)
}

fn link(kind: EntryType, path: &str, target: &str) -> Vec<u8> {
    entry(kind, path, target, b"")
}

fn inspect(entries: &[Vec<u8>]) -> LayerInventory {
    let layer = [entries.concat(), vec![0; 1024]].concat();
    inspect_layer(layer.as_slice(), &LayerLimits::default()).unwrap()
}

/// What one layer over an os-release is as an image.
fn image(entries: &[Vec<u8>]) -> ImageInventory {
    image_of(OS_RELEASE, entries)
}

fn image_of(system: &[u8], entries: &[Vec<u8>]) -> ImageInventory {
    let base = inspect(&[file("etc/os-release", system)]);
    let layer = inspect(entries);
    merge(&[
        (Digest::sha256(b"base"), &base),
        (Digest::sha256(b"layer"), &layer),
    ])
}

fn names(image: &ImageInventory) -> Vec<&str> {
    let packages = image.packages.iter();
    packages.map(|found| found.package.name.as_str()).collect()
}

#[test]
fn links_cannot_hide_a_database_nor_lead_out_of_the_root() {
    use EntryType::{Link, Symlink};
    let away = || file("srv/a", STATUS);
    for (what, entries) in [
        (
            "a hard link",
            vec![away(), link(Link, STATUS_PATH, "srv/a")],
        ),
        (
            "a hard link to a name that leads out",
            vec![away(), link(Link, STATUS_PATH, "../../srv/a")],
        ),
        (
            "an absolute symlink",
            vec![away(), link(Symlink, STATUS_PATH, "/srv/a")],
        ),
        (
            "a symlink that leads out",
            vec![
                away(),
                link(Symlink, STATUS_PATH, "../../../../../../srv/a"),
            ],
        ),
        (
            "a directory through a link",
            vec![
                link(Symlink, "var", "srv"),
                file("srv/lib/dpkg/status", STATUS),
            ],
        ),
        (
            "an entry under a link",
            vec![link(Symlink, "var", "/srv"), file(STATUS_PATH, STATUS)],
        ),
        (
            "a name that leads out",
            vec![file("../../var/lib/dpkg/status", STATUS)],
        ),
        (
            "a name within",
            vec![file("var/x/../lib/./dpkg//status", STATUS)],
        ),
        (
            "a duplicate",
            vec![file(STATUS_PATH, b""), file(STATUS_PATH, STATUS)],
        ),
        (
            "a file over a link",
            vec![
                link(Symlink, STATUS_PATH, "nowhere"),
                file(STATUS_PATH, STATUS),
            ],
        ),
    ] {
        assert_eq!(names(&image(&entries)), ["bash"], "{what}");
    }
}

#[test]
fn a_database_behind_a_link_that_leads_nowhere_is_not_an_image_without_packages() {
    use EntryType::{Link, Symlink};
    for (what, entries) in [
        ("itself", vec![link(Symlink, STATUS_PATH, "status")]),
        (
            "a cycle",
            vec![link(Symlink, "var/lib", "a"), link(Symlink, "var/a", "lib")],
        ),
        (
            "a cycle through the root",
            vec![link(Symlink, "var", "/var")],
        ),
        (
            "nothing",
            vec![link(Symlink, STATUS_PATH, "/proc/self/root")],
        ),
        (
            "a hard link to itself",
            vec![link(Link, STATUS_PATH, STATUS_PATH)],
        ),
        (
            "a hard link to nothing",
            vec![link(Link, STATUS_PATH, "absent")],
        ),
        (
            "a whiteout",
            vec![file(STATUS_PATH, STATUS), file("var/lib/.wh.dpkg", b"")],
        ),
    ] {
        let image = image(&entries);
        assert!(
            !image.problems.is_empty() || names(&image) == ["bash"],
            "{what}: {:?}",
            image.packages
        );
    }
}

#[test]
fn what_tar_cannot_mean_is_a_problem_and_what_it_can_is_read() {
    let named =
        |size: [u8; 12]| header(EntryType::Regular, STATUS_PATH.as_bytes(), b"", &size).to_vec();
    let binary = |first: u8, last: u8| {
        let mut field = [first; 12];
        field[1..].fill(if first == 0xff { 0xff } else { 0 });
        field[11] = last;
        field
    };
    let problem = |entries: &[Vec<u8>]| inspect(entries).problems().first().cloned();
    for (what, size) in [
        ("less than nothing", binary(0xff, 0xff)),
        ("more than everything", [0xbf; 12]),
        ("no number", *b"0000000zz00\0"),
        ("a minus", *b"-0000000001\0"),
    ] {
        let found = problem(&[named(size), vec![0; 512]]);
        assert!(
            matches!(found, Some(LayerProblem::Malformed(_))),
            "{what}: {found:?}"
        );
    }
    // More than there is.
    let found = problem(&[named(binary(0x80, 0x7f)), vec![]]);
    assert_eq!(found, None, "127 bytes, of the zeros of the end");
    let mut huge = binary(0x80, 0);
    huge[4] = 1;
    let found = problem(&[named(huge), STATUS.to_vec()]);
    assert!(found.is_some());
    // A size in PAX overrides that of the header, and one that cannot be is refused.
    for (size, is_read) in [
        (STATUS.len().to_string(), true),
        ("-1".to_owned(), false),
        ("9".repeat(30), false),
    ] {
        let record = |length: usize| format!("{length} size={size}\n");
        let mut length = record(0).len();
        while record(length).len() != length {
            length = record(length).len();
        }
        let pax = entry(EntryType::XHeader, "pax", "", record(length).as_bytes());
        let mut data = STATUS.to_vec();
        data.resize(512, 0);
        let inventory = inspect(&[pax, named(octal(0)), data]);
        assert_eq!(inventory.package_count(), usize::from(is_read), "{size}");
        assert_eq!(inventory.problems().is_empty(), is_read, "{size}");
    }
    // What follows the end is seen by no runtime, and by some programs.
    let hidden = [
        file("etc/hostname", b"x"),
        vec![0; 1024],
        file(STATUS_PATH, STATUS),
    ];
    assert_eq!(problem(&hidden), Some(LayerProblem::TrailingBytes));
    // Bytes that are no text, everywhere that a text is.
    let mut bytes = header(EntryType::Regular, b"\xff\xfe/\x80", b"\xff", &octal(0)).to_vec();
    bytes.extend(file(
        STATUS_PATH,
        b"Package: \xff\xfe\nStatus: install ok installed\nVersion: \xff\n",
    ));
    bytes.extend(file(
        "usr/lib/python3/dist-packages/a-1.dist-info/METADATA",
        b"Name: \xff\nVersion: \xff\n",
    ));
    bytes.extend(file(
        "usr/lib/node_modules/a/package.json",
        b"{\"name\":\"\xff\",\"version\":\"1\"}",
    ));
    let found = image(&[bytes]);
    let unreadable =
        |problem: &bonded_scan::Problem| problem.code == ProblemCode::DatabaseUnreadable;
    assert!(
        found.problems.iter().all(unreadable),
        "{:?}",
        found.problems
    );
}

#[test]
fn absurd_json_is_a_problem_of_its_file_alone() {
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let nested = [br#"{"name":"a","version":"1","x":"#.as_slice(), &deep, b"}"].concat();
    let many = format!(
        "{{{}\"name\":\"a\",\"version\":\"1\"}}",
        "\"k\":1,".repeat(500_000)
    );
    let number = format!(
        "{{\"name\":\"a\",\"version\":\"1\",\"n\":1e{}}}",
        "9".repeat(100_000)
    );
    let digits = format!("{{\"name\":\"a\",\"version\":{}}}", "9".repeat(1_000_000));
    let long = format!("{{\"name\":\"{}\",\"version\":\"1\"}}", "a".repeat(4 << 20));
    for json in [
        &deep,
        &nested,
        many.as_bytes(),
        number.as_bytes(),
        digits.as_bytes(),
        long.as_bytes(),
    ] {
        for path in [
            "usr/lib/node_modules/a/package.json",
            "app/vendor/composer/installed.json",
            "app/a.deps.json",
            "opt/conda/conda-meta/a.json",
            "app/bom.cdx.json",
            "app/a.spdx.json",
            ".pnp.data.json",
        ] {
            let found = image(&[file(STATUS_PATH, STATUS), file(path, json)]);
            assert!(names(&found).contains(&"bash"), "{path}");
            assert!(
                found.packages.len() <= 2,
                "{path}: {:?}",
                found.packages.len()
            );
        }
    }
}

#[test]
fn a_line_without_end_is_bounded() {
    let line = [STATUS, b"Description: ", &vec![b'a'; 20 << 20]].concat();
    let found = image(&[file(STATUS_PATH, &line)]);
    assert!(names(&found) == ["bash"] || !found.problems.is_empty());
    let folded = [STATUS, b"Depends: a\n", &b" a,\n".repeat(2 << 20)].concat();
    let found = image(&[file(STATUS_PATH, &folded)]);
    assert!(names(&found) == ["bash"] || !found.problems.is_empty());
}

/// Each database of rpm, cut and changed in many places, is whole, or says that it is not.
#[test]
fn a_damaged_rpm_database_never_passes_for_a_shorter_one() {
    let Some(data) = shared::data() else { return };
    for (system, fixture, path) in [
        (
            b"ID=mariner\nVERSION_ID=\"2.0\"\n".as_slice(),
            "rpmdb-cbl-mariner-2.0.sqlite.zst",
            "var/lib/rpm/rpmdb.sqlite",
        ),
        (
            b"ID=opensuse-leap\nVERSION_ID=\"15.3\"\n",
            "rpmdb-sle15-bci.Packages.db.zst",
            "usr/lib/sysimage/rpm/Packages.db",
        ),
        (
            b"ID=almalinux\nVERSION_ID=\"8.4\"\n",
            "rpmdb-libuuid.bdb.Packages.zst",
            "var/lib/rpm/Packages",
        ),
    ] {
        let mut database = Vec::new();
        let archive = File::open(data.join("fixtures").join(fixture)).unwrap();
        let mut archive = zstd::Decoder::new(archive).unwrap();
        archive.read_to_end(&mut database).unwrap();
        let whole = image_of(system, &[file(path, &database)]);
        assert_eq!(whole.problems, [], "{fixture}");
        // Pages, and what is not at the end of one.
        let step = database.len() / 25 + 1;
        for cut in (0..database.len())
            .step_by(step)
            .chain([1, 15, 100, 511, 513, 4097])
        {
            let found = image_of(
                system,
                &[file(path, &database[..cut.min(database.len() - 1)])],
            );
            assert!(
                !found.problems.is_empty() || found.packages == whole.packages,
                "{fixture} cut at {cut}: {} of {} packages",
                found.packages.len(),
                whole.packages.len()
            );
        }
        for at in (0..database.len()).step_by(step).chain(0..40) {
            let mut damaged = database.clone();
            let at = at.min(damaged.len() - 1);
            damaged[at] ^= 0xff;
            let found = image_of(system, &[file(path, &damaged)]);
            assert!(
                found.packages.len() <= 2 * whole.packages.len(),
                "{fixture} changed at {at}"
            );
        }
    }
}
