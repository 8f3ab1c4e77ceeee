use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;

/// An archive being made.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, path: &str, target: &str, data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        if !target.is_empty() {
            self.0.append_link(&mut header, path, target).unwrap();
        } else if path.contains("..") {
            // As only a hostile program writes it.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            self.0.append(&header, data).unwrap();
        } else {
            self.0.append_data(&mut header, path, data).unwrap();
        }
        self
    }

    fn file(self, path: &str, data: &[u8]) -> Self {
        self.add(EntryType::Regular, path, "", data)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 3).unwrap()
}

fn skippable(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x50, 0x2a, 0x4d, 0x18];
    frame.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    frame.extend(content);
    frame
}

fn inspect(bytes: &[u8]) -> LayerInventory {
    inspect_layer(bytes, &LayerLimits::default()).unwrap()
}

/// The one problem of a layer.
fn problem(bytes: &[u8]) -> LayerProblem {
    let inventory = inspect(bytes);
    assert_eq!(inventory.problems.len(), 1);
    inventory.problems[0].clone()
}

const STATUS: &[u8] = b"Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n";

fn sample() -> Vec<u8> {
    Tar::new()
        .add(EntryType::Directory, "./usr/", "", b"")
        .file("./var/lib/dpkg/status", STATUS)
        .file("usr/bin/bash", &[7; 3000])
        .file("usr/share/doc/bash.txt", b"text")
        .add(EntryType::Symlink, "lib", "usr/lib", b"")
        .add(EntryType::Link, "usr/bin/sh", "./usr/bin/bash", b"")
        .add(EntryType::Link, "a.egg-info", "b.egg-info", b"")
        .file("opt/.wh.tool", b"")
        .file("srv/.wh..wh..opq", b"")
        .file(".wh..wh.plnk", b"")
        .file(".wh...", b"")
        .bytes()
}

#[test]
fn what_matters_is_kept_in_the_order_of_the_archive() {
    let inventory = inspect(&sample());
    let text = |text: &str| text.to_owned();
    assert_eq!(
        inventory.changes,
        [
            Change::Directory(text("usr")),
            Change::File(text("var/lib/dpkg/status"), 0),
            Change::Other(text("usr/bin/bash")),
            Change::Symlink(text("lib"), text("usr/lib")),
            Change::HardLink(text("usr/bin/sh"), text("usr/bin/bash")),
            Change::HardLink(text("a.egg-info"), text("b.egg-info")),
            Change::Whiteout(text("opt/tool")),
            Change::Opaque(text("srv")),
        ]
    );
    assert_eq!(inventory.package_count(), 1);
    assert_eq!(inventory.problems(), []);
    assert_eq!(inventory.entries(), 11);
}

#[test]
fn every_compression_gives_the_same() {
    let plain = sample();
    let want = inspect(&plain);
    // Members and frames end anywhere, within a header too.
    let (head, tail) = plain.split_at(700);
    for bytes in [
        gzip(&plain),
        [gzip(head), gzip(b""), gzip(tail)].concat(),
        zstd(&plain),
        [zstd(head), skippable(b"of another program"), zstd(tail)].concat(),
    ] {
        assert_eq!(inspect(&bytes), want);
    }
    assert_eq!(inspect(b"").changes, []);
    assert_eq!(inspect(&[0; 1024]).problems(), []);
}

#[test]
fn what_follows_the_archive_is_a_problem() {
    let (one, two) = (sample(), Tar::new().file("etc/hidden", b"x").bytes());
    let zeros = vec![0; 9000];
    for bytes in [
        [one.clone(), two.clone()].concat(),
        [gzip(&one), gzip(&two)].concat(),
        [zstd(&one), zstd(&two)].concat(),
        [one.clone(), zeros.clone(), b"x".to_vec()].concat(),
    ] {
        assert_eq!(problem(&bytes), LayerProblem::TrailingBytes);
    }
    assert_eq!(inspect(&[one.clone(), zeros].concat()).problems(), []);
    let garbage = [gzip(&one), b"garbage".to_vec()].concat();
    assert!(matches!(problem(&garbage), LayerProblem::Damaged(_)));
}

#[test]
fn a_layer_that_ends_early_is_never_taken_for_a_whole_one() {
    let plain = sample();
    let whole = inspect(&plain);
    for (form, bytes) in [plain.clone(), gzip(&plain), zstd(&plain)]
        .iter()
        .enumerate()
    {
        for cut in (1..bytes.len()).step_by(37) {
            let inventory = inspect(&bytes[..cut]);
            assert!(
                !inventory.problems.is_empty() || inventory.changes.len() <= whole.changes.len(),
                "{cut}"
            );
            // Whole entries are a whole archive, if nothing is compressed.
            assert!(form == 0 || !inventory.problems.is_empty(), "{cut}");
        }
    }
    // Within the data of a file, or within a header.
    for cut in [512 + 100, 512 + 512 + 20] {
        assert!(
            matches!(problem(&plain[..cut]), LayerProblem::Malformed(_)),
            "{cut}"
        );
    }
}

#[test]
fn names_that_lead_out_stay_inside() {
    let bytes = Tar::new()
        .file("../../../var/lib/dpkg/status", STATUS)
        .file("usr/../etc/os-release", b"ID=debian\n")
        .bytes();
    let inventory = inspect(&bytes);
    let paths: Vec<_> = inventory.changes.iter().collect();
    assert_eq!(paths[0], &Change::File("var/lib/dpkg/status".to_owned(), 0));
    assert_eq!(paths[1], &Change::File("etc/os-release".to_owned(), 1));
    let long = Tar::new().file(&"d/".repeat(2049), b"").bytes();
    assert!(matches!(problem(&long), LayerProblem::Malformed(_)));
}

#[test]
fn a_database_that_cannot_be_read_is_kept_as_such() {
    let bytes = Tar::new()
        .file("var/lib/dpkg/status", b"garbage\n")
        .file("a/METADATA", b"not in a dist-info directory")
        .file("six.dist-info/METADATA", &[0xff; 5000])
        .file("elsewhere/copy", STATUS)
        .bytes();
    let inventory = inspect(&bytes);
    assert_eq!(inventory.problems(), []);
    let problems: Vec<_> = inventory
        .contents
        .iter()
        .map(|c| c.problem.is_some())
        .collect();
    // The last is a database by what is in it, since a link may lead there.
    assert_eq!(problems, [true, true, false]);
    assert_eq!(inventory.package_count(), 1);
}

#[test]
fn many_files_take_little_memory() {
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(0);
    for number in 0..150_000 {
        tar.append_data(&mut header, format!("f/{number}"), &b""[..])
            .unwrap();
    }
    tar.append_data(&mut header, "var/lib/dpkg/status", &b""[..])
        .unwrap();
    tar.append_data(&mut header, "var/lib", &b""[..]).unwrap();
    let bytes = tar.into_inner().unwrap();
    let limits = LayerLimits {
        kept: 1 << 20,
        ..LayerLimits::default()
    };
    let inventory = inspect_layer(bytes.as_slice(), &limits).unwrap();
    assert_eq!(inventory.problems(), []);
    assert!(
        inventory.changes.len() < 10_000,
        "{}",
        inventory.changes.len()
    );
    // What may hide a package database is always kept.
    let last = &inventory.changes[inventory.changes.len() - 2..];
    assert_eq!(last[0], Change::File("var/lib/dpkg/status".to_owned(), 0));
    assert_eq!(last[1], Change::Other("var/lib".to_owned()));
    let few = LayerLimits {
        entries: 1000,
        ..LayerLimits::default()
    };
    let inventory = inspect_layer(bytes.as_slice(), &few).unwrap();
    assert!(matches!(inventory.problems(), [LayerProblem::TooMany(_)]));
}

#[test]
fn more_links_than_are_kept_are_a_problem() {
    let mut tar = Tar::new();
    for number in 0..100 {
        tar = tar.add(EntryType::Symlink, &format!("l{number}"), "target", b"");
    }
    let limits = LayerLimits {
        kept: 2000,
        ..LayerLimits::default()
    };
    let inventory = inspect_layer(tar.bytes().as_slice(), &limits).unwrap();
    assert!(matches!(inventory.problems(), [LayerProblem::TooMany(_)]));
}

#[test]
fn a_bomb_is_stopped() {
    let bytes = gzip(&Tar::new().file("zeros", &vec![0; 8 << 20]).bytes());
    for limits in [
        LayerLimits {
            expanded: 1 << 20,
            ..LayerLimits::default()
        },
        LayerLimits {
            ratio: 10,
            ratio_from: 1 << 20,
            ..LayerLimits::default()
        },
    ] {
        let inventory = inspect_layer(bytes.as_slice(), &limits).unwrap();
        assert!(matches!(inventory.problems(), [LayerProblem::Bomb(_)]));
        assert!(inventory.expanded() < 5 << 20);
    }
    assert_eq!(inspect(&bytes).problems(), []);
    // A name, or a database, without end.
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 33);
    header.set_cksum();
    let endless = header.as_bytes().chain(io::repeat(b'a'));
    let inventory = inspect_layer(endless, &LayerLimits::default()).unwrap();
    assert!(matches!(inventory.problems(), [LayerProblem::Malformed(_)]));
}

#[test]
fn an_archive_of_java_may_be_larger_than_memory_for_it() {
    let mut jar = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let stored = options.compression_method(zip::CompressionMethod::Stored);
    let pom = "META-INF/maven/g/a/pom.properties";
    jar.start_file("g/a/Data", stored).unwrap();
    jar.write_all(&vec![b'P'; 65 << 20]).unwrap();
    jar.start_file(pom, options).unwrap();
    jar.write_all(b"groupId=g\nartifactId=a\nversion=1\n")
        .unwrap();
    let jar = jar.finish().unwrap().into_inner();
    let inventory = inspect(&Tar::new().file("srv/app.jar", &jar).bytes());
    assert_eq!(inventory.problems(), []);
    assert_eq!(inventory.contents[0].problem, None);
    assert_eq!(inventory.contents[0].packages[0].name, "g:a");
}

#[test]
fn a_second_table_of_contents_must_say_the_same() {
    let same = br#"{"version":1,"entries":[{"type":"reg","name":"etc/one"},{"type":"chunk",
        "name":"etc/one","offset":9},{"type":"dir","name":"etc/"}]}"#;
    let other = br#"{"version":1,"entries":[{"type":"reg","name":"etc/two"},{"type":"dir",
        "name":"etc/"}]}"#;
    let tar = || {
        Tar::new()
            .add(EntryType::Directory, "etc/", "", b"")
            .file("etc/one", b"1")
    };
    let layer = zstd(&tar().bytes());
    let chunked = |table: &[u8]| {
        let frame = [layer.clone(), skippable(&zstd(table)), skippable(b"footer")];
        inspect(&frame.concat())
    };
    let estargz = |table: &[u8]| inspect(&tar().file("stargz.index.json", table).bytes());
    for inventory in [chunked(same), estargz(same)] {
        assert_eq!(inventory.problems(), []);
    }
    let broken = &same[..same.len() - 9];
    for inventory in [
        chunked(other),
        estargz(other),
        chunked(broken),
        estargz(broken),
    ] {
        let problems = inventory.problems();
        assert!(
            matches!(problems, [LayerProblem::SecondContents(_)]),
            "{problems:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(at in 0.0..1.0_f64, byte: u8, form in 0..3_u8, cut: bool) {
        let plain = sample();
        let mut bytes = match form {
            0 => plain,
            1 => gzip(&plain),
            _ => zstd(&plain),
        };
        let at = (at * bytes.len() as f64) as usize;
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let limits = LayerLimits { expanded: 1 << 20, ..LayerLimits::default() };
        let inventory = inspect_layer(Cursor::new(bytes), &limits).unwrap();
        let _ = crate::merge(&[(bonded_model::Digest::sha256(b""), &inventory)]);
    }
}
