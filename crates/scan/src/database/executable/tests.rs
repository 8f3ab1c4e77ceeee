use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;

use super::*;

/// An ELF file with one section, and its bytes mapped at an address.
fn elf(section: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 0x40 + 0x38];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let names = format!("\0.shstrtab\0{section}\0");
    let place = bytes.len().next_multiple_of(16);
    bytes.resize(place, 0);
    bytes.extend(content);
    let names_place = bytes.len();
    bytes.extend(names.as_bytes());
    let table = bytes.len();
    let mut put = |at: usize, value: usize, length: usize| {
        bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    };
    put(0x20, 0x40, 8);
    put(0x36, 0x38, 2);
    put(0x38, 1, 2);
    put(0x40 + 0x10, ADDRESS, 8);
    put(0x40 + 0x20, table, 8);
    put(0x28, table, 8);
    put(0x3a, 0x40, 2);
    put(0x3c, 2, 2);
    for (name, place, length) in [(1, names_place, names.len()), (11, place, content.len())] {
        let mut row = vec![0; 0x40];
        row[..4].copy_from_slice(&(name as u32).to_le_bytes());
        row[0x18..0x20].copy_from_slice(&place.to_le_bytes());
        row[0x20..0x28].copy_from_slice(&length.to_le_bytes());
        bytes.extend(row);
    }
    bytes
}

const ADDRESS: usize = 0x40_0000;

const MODULES: &str = "path\texample.com/cmd\nmod\texample.com/cmd\t(devel)\t\n\
                       dep\tgithub.com/docker/docker\tv20.10.0+incompatible\th1:x\n\
                       dep\tgolang.org/x/net\tv0.1.0\n=>\tgolang.org/x/net\tv0.17.0\th1:y\n\
                       dep\tlocal\tv1.0.0\n=>\t../local\t\t\nbuild\t-ldflags=x\n";

fn guarded(text: &str) -> Vec<u8> {
    [&[1; 16][..], text.as_bytes(), &[2; 16]].concat()
}

fn inline(text: &[u8]) -> Vec<u8> {
    let mut length = text.len();
    let mut bytes = Vec::new();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(text);
    bytes
}

fn go(version: &str) -> Vec<u8> {
    let mut bytes = b"\xff Go buildinf:\x08\x02".to_vec();
    bytes.resize(32, 0);
    bytes.extend(inline(version.as_bytes()));
    bytes.extend(inline(&guarded(MODULES)));
    bytes
}

/// The packages of a program as `name version comparable`.
fn packages(bytes: &[u8]) -> Vec<String> {
    shown(&parse_executable(bytes, "bin/program", &mut Vec::new()).unwrap())
}

/// What is looked at at once, for programs that are larger than that.
const SMALL: usize = 1 << 20;

fn shown(packages: &[Package]) -> Vec<String> {
    let packages = packages.iter();
    packages
        .map(|p| format!("{} {} {}", p.name, p.version, p.source_version))
        .collect()
}

#[test]
fn a_go_program_names_its_modules_and_its_go() {
    let want = [
        "github.com/docker/docker v20.10.0+incompatible 20.10.0",
        "golang.org/x/net v0.17.0 0.17.0",
        "stdlib 1.21.5 1.21.5",
    ];
    assert_eq!(
        packages(&elf(".go.buildinfo", &go("go1.21.5 X:boringcrypto"))),
        want
    );
    for (version, want) in [
        ("go1.21rc2", "1.21.0-rc.2"),
        ("go1.22", "1.22.0"),
        ("devel x", ""),
    ] {
        let found = packages(&elf(".go.buildinfo", &go(version)));
        let stdlib = found.iter().find(|found| found.starts_with("stdlib"));
        let comparable = stdlib.and_then(|found| found.rsplit(' ').next());
        assert_eq!(comparable.unwrap_or_default(), want, "{version}");
    }
    // Beyond what is looked at at once.
    let mut large = vec![0; SMALL + 4096];
    large.extend(elf("x", b""));
    large.resize(large.len().next_multiple_of(16), 0);
    large.extend(go("go1.21.5"));
    assert_eq!(
        shown(&parse(large.as_slice(), "x", &mut Vec::new(), SMALL).unwrap()),
        want
    );
}

#[test]
fn a_version_that_a_build_sets_is_that_of_the_program() {
    let modules = |version: &str, flags: &str| {
        let text =
            format!("path\ta.io/x/cmd/x\nmod\ta.io/x\t{version}\t\nbuild\t-ldflags={flags}\n");
        let mut bytes = b"\xff Go buildinf:\x08\x02".to_vec();
        bytes.resize(32, 0);
        bytes.extend(inline(b"go1.22.1"));
        bytes.extend(inline(&guarded(&text)));
        packages(&elf(".go.buildinfo", &bytes))
    };
    let stdlib = "stdlib 1.22.1 1.22.1".to_owned();
    for (flags, want) in [
        ("\"-s -X main.version=1.18.1 -w\"", "a.io/x v1.18.1 1.18.1"),
        (
            "-X=a.io/x/internal/build.Version='v2.0.0-rc.1'",
            "a.io/x v2.0.0-rc.1 2.0.0-rc.1",
        ),
    ] {
        assert_eq!(
            modules("(devel)", flags),
            [want.to_owned(), stdlib.clone()],
            "{flags}"
        );
    }
    for flags in [
        "\"-X main.version=dev\"",
        "\"-X other.io/y.version=1.0.0\"",
        "-X",
        "-X main.commit=1.0.0",
    ] {
        assert_eq!(modules("(devel)", flags), [&*stdlib], "{flags}");
    }
    let known = modules("v1.0.0", "-X main.version=2.0.0");
    assert_eq!(known, ["a.io/x v1.0.0 1.0.0".to_owned(), stdlib]);
}

#[test]
fn a_list_of_crates_is_found_wherever_a_large_program_has_it() {
    let json = br#"{"packages":[{"name":"time","version":"0.1.43","source":"crates.io"}]}"#;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(json).unwrap();
    let list = encoder.finish().unwrap();
    for before in [1000, SMALL - 20, SMALL + 5000] {
        let mut large = elf("x", b"");
        large.resize(before, 0x78);
        large.extend(&list);
        large.resize(SMALL + 10_000, 0x9c);
        let found = parse(large.as_slice(), "x", &mut Vec::new(), SMALL).unwrap();
        assert_eq!(shown(&found), ["time 0.1.43 0.1.43"], "{before}");
    }
}

#[test]
fn what_an_old_large_program_does_not_let_read_is_said() {
    let mut large = elf(
        ".go.buildinfo",
        b"\xff Go buildinf:\x08\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    );
    large.resize(SMALL + 1, 0);
    assert!(matches!(
        parse(large.as_slice(), "x", &mut Vec::new(), SMALL),
        Err(DatabaseError::Damaged(_))
    ));
}

#[test]
fn information_of_old_programs_is_found_through_its_pointers() {
    // The header, two texts by pointer and length, and what they lead to; all mapped as the file is.
    let place = (0x40 + 0x38_usize).next_multiple_of(16);
    let at = |offset: usize| (ADDRESS + place + offset).to_le_bytes();
    let modules = guarded(MODULES);
    let mut bytes = b"\xff Go buildinf:\x08\x00".to_vec();
    bytes.extend(at(32));
    bytes.extend(at(48));
    bytes.extend(at(64));
    bytes.extend(6_usize.to_le_bytes());
    bytes.extend(at(80));
    bytes.extend(modules.len().to_le_bytes());
    bytes.extend(b"go1.16\0\0\0\0\0\0\0\0\0\0");
    bytes.extend(modules);
    let found = packages(&elf(".go.buildinfo", &bytes));
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[2], "stdlib 1.16 1.16.0");
}

#[test]
fn a_rust_program_names_the_crates_that_run_in_it() {
    let json = br#"{"packages":[{"name":"time","version":"0.1.43","source":"crates.io"},
        {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
        {"name":"app","version":"0.1.0","source":"local","root":true}]}"#;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(json).unwrap();
    let section = encoder.finish().unwrap();
    let want = ["app 0.1.0 0.1.0", "time 0.1.43 0.1.43"];
    assert_eq!(packages(&elf(".dep-v0", &section)), want);
    // What is not ELF is searched, but not at any number of places.
    assert_eq!(packages(&[b"MZ\0\0", &section[..]].concat()), want);
    let hostile = [b"MZ", &b"x\x9c".repeat(1 << 17)[..], &section].concat();
    assert_eq!(packages(&hostile), [""; 0]);
    assert_eq!(packages(&elf(".dep-v1", &section)), [""; 0]);
    let bomb = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b' '; 16 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(packages(&elf(".dep-v0", &bomb)), [""; 0]);
}

#[test]
fn programs_of_every_class_and_order_of_bytes_are_read() {
    let json = br#"{"packages":[{"name":"time","version":"0.1.43"}]}"#;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(json).unwrap();
    let section = encoder.finish().unwrap();
    for (class, order) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let word = if class == 2 { 8 } else { 4 };
        let number = |value: usize, length: usize| {
            let bytes = value.to_le_bytes()[..length].to_vec();
            if order == 1 {
                bytes
            } else {
                bytes.into_iter().rev().collect()
            }
        };
        let names = b"\0.shstrtab\0.dep-v0\0";
        let begin = if class == 2 { 0x40 } else { 0x34 };
        let mut bytes = [b"\x7fELF", &[class, order][..]].concat();
        // Type, processor, version and entry; then the tables, flags, and the sizes of what there is.
        bytes.resize(24 + word, 0);
        bytes.extend(number(0, word));
        bytes.extend(number(begin + section.len() + names.len(), word));
        bytes.extend(number(0, 4));
        for half in [begin, 0, 0, 16 + 6 * word, 3, 1] {
            bytes.extend(number(half, 2));
        }
        assert_eq!(bytes.len(), begin);
        bytes.extend(&section);
        bytes.extend(names);
        for (name, place, length) in [
            (0, 0, 0),
            (1, begin + section.len(), names.len()),
            (11, begin, section.len()),
        ] {
            bytes.extend(number(name, 4));
            bytes.extend(number(3, 4));
            for value in [0, 0, place, length] {
                bytes.extend(number(value, word));
            }
            bytes.extend(vec![0; 8 + 2 * word]);
        }
        assert_eq!(packages(&bytes), ["time 0.1.43 0.1.43"], "{class} {order}");
    }
}

#[test]
fn a_program_that_is_cut_says_nothing_or_less() {
    let whole = elf(".go.buildinfo", &go("go1.21.5"));
    for cut in 0..whole.len() {
        assert!(packages(&whole[..cut]).len() <= 3, "{cut}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        changes in proptest::collection::vec((0..700_usize, any::<u8>()), 0..6),
        real: bool,
    ) {
        if real {
            bytes = elf(".dep-v0", &go("go1.21.5"));
        }
        for (at, byte) in changes {
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
        }
        let _ = parse_executable(bytes.as_slice(), "bin/program", &mut Vec::new());
    }
}
