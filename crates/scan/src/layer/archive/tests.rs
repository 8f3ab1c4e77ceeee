use proptest::prelude::*;

use super::*;

/// A header block of POSIX with a right checksum.
fn header(name: &str, kind: u8, size: u64, target: &str) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[157..157 + target.len()].copy_from_slice(target.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    with_checksum(block)
}

fn with_checksum(mut block: Vec<u8>) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A header with data, padded.
fn entry(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, kind, data.len() as u64, "");
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

/// The name, target, kind and data of an entry.
type Read = (String, String, EntryKind, Vec<u8>);

/// The entries of an archive.
fn read(bytes: &[u8]) -> Result<Vec<Read>, ArchiveError> {
    let mut archive = Archive::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = archive.next()? {
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut archive, &mut data)?;
        entries.push((entry.name, entry.target, entry.kind, data));
    }
    Ok(entries)
}

fn names(bytes: &[u8]) -> Vec<String> {
    let entries = read(bytes).unwrap();
    entries.into_iter().map(|entry| entry.0).collect()
}

#[test]
fn entries_have_their_names_and_data() {
    let mut bytes = entry("a", b'0', b"first");
    bytes.extend(header("d/", b'5', 0, ""));
    bytes.extend(header("l", b'2', 0, "a"));
    bytes.extend(header("h", b'1', 0, "a"));
    bytes.extend(entry("b", 0, &[7; 600]));
    bytes.extend(header("old/", 0, 0, ""));
    bytes.extend([0; 2 * BLOCK]);
    let text = |text: &str| text.to_owned();
    assert_eq!(
        read(&bytes).unwrap(),
        [
            (text("a"), text(""), EntryKind::File, b"first".to_vec()),
            (text("d/"), text(""), EntryKind::Directory, vec![]),
            (text("l"), text("a"), EntryKind::Symlink, vec![]),
            (text("h"), text("a"), EntryKind::HardLink, vec![]),
            (text("b"), text(""), EntryKind::File, vec![7; 600]),
            (text("old/"), text(""), EntryKind::Directory, vec![]),
        ]
    );
}

#[test]
fn what_makes_no_file_has_no_data_whatever_its_size_says() {
    for kind in [b'1', b'2', b'3', b'4', b'5', b'6'] {
        let mut bytes = header("x", kind, 512, "y");
        bytes.extend(entry("after", b'0', b""));
        assert_eq!(names(&bytes), ["x", "after"], "{}", kind as char);
    }
}

#[test]
fn extensions_override_the_header() {
    let long = "n".repeat(300);
    let mut gnu = entry("././@LongLink", b'L', format!("{long}\0").as_bytes());
    gnu.extend(header("short", b'0', 0, ""));
    assert_eq!(names(&gnu), [long.as_str()]);

    let pax = record("path", "from/pax") + &record("size", "3");
    let mut bytes = entry("x", b'x', pax.as_bytes());
    // The header says 0 bytes, which would make the data a header.
    let mut file = header("short", b'0', 0, "");
    file.extend(b"abc");
    file.resize(2 * BLOCK, 0);
    bytes.extend(file);
    bytes.extend(header("next", b'0', 0, ""));
    let found = read(&bytes).unwrap();
    assert_eq!(found[0].0, "from/pax");
    assert_eq!(found[0].3, b"abc");
    // It is of one entry only.
    assert_eq!(found[1].0, "next");

    let mut both = entry("x", b'x', record("path", "pax").as_bytes());
    both.extend(entry("L", b'L', b"gnu\0"));
    both.extend(header("short", b'0', 0, ""));
    assert_eq!(names(&both), ["gnu"]);

    let mut target = entry("x", b'x', record("linkpath", "far/away").as_bytes());
    target.extend(header("l", b'2', 0, "near"));
    assert_eq!(read(&target).unwrap()[0].1, "far/away");

    let sparse = record("GNU.sparse.major", "1") + &record("GNU.sparse.name", "real");
    let mut bytes = entry("x", b'x', sparse.as_bytes());
    bytes.extend(entry("GNUSparseFile.0/real", b'0', b"map"));
    let mut archive = Archive::new(bytes.as_slice());
    let entry = archive.next().unwrap().unwrap();
    assert_eq!((entry.name.as_str(), entry.sparse), ("real", true));
}

#[test]
fn a_prefix_is_part_of_the_name() {
    let mut block = header("name", b'0', 0, "");
    block[345..348].copy_from_slice(b"dir");
    assert_eq!(names(&with_checksum(block.clone())), ["dir/name"]);
    block[257..265].copy_from_slice(b"ustar  \0");
    assert_eq!(names(&with_checksum(block)), ["name"]);
}

#[test]
fn an_archive_ends_at_two_blocks_of_zeros_or_at_its_last_byte() {
    let file = entry("a", b'0', b"x");
    assert_eq!(names(&file), ["a"]);
    assert_eq!(names(&[file.clone(), vec![0; BLOCK]].concat()), ["a"]);
    let mut archive = Archive::new(&b""[..]);
    assert_eq!(archive.next().unwrap(), None);
    // The last padding may be left out.
    assert_eq!(names(&file[..BLOCK + 1]), ["a"]);
}

#[test]
fn what_go_refuses_is_refused() {
    let file = entry("a", b'0', b"xy");
    let lone = [vec![0; BLOCK], file.clone()].concat();
    let mut checksum = file.clone();
    checksum[0] = b'b';
    let mut number = header("a", b'0', 0, "");
    number[124..136].copy_from_slice(b"9999999999\0\0");
    let mut negative = header("a", b'0', 0, "");
    negative[124..136].fill(0xff);
    let long = header("L", b'L', EXTENSION_LIMIT + 1, "");
    for bytes in [
        &lone,
        &checksum,
        &with_checksum(number),
        &with_checksum(negative),
        &long,
        &entry("x", b'x', b"12 path=abcd"),
        &entry("x", b'x', b"9999999999 path=abcd\n"),
        &entry("x", b'x', record("size", "-1").as_bytes()),
        &entry("x", b'x', record("path", "a\0b").as_bytes()),
        &header("q", b'Q', 0, ""),
        &file[..BLOCK + 1][..BLOCK].to_vec(),
        &file[..100].to_vec(),
    ] {
        assert!(matches!(read(bytes), Err(ArchiveError::Malformed(_))));
    }
}

#[test]
fn a_size_may_be_binary_and_beyond_all_disks() {
    let mut block = header("a", b'0', 0, "");
    block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
    let error = read(&with_checksum(block)).unwrap_err();
    assert!(matches!(
        error,
        ArchiveError::Malformed("it ends within a file")
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        seed in proptest::collection::vec(any::<u8>(), 0..2000),
        kind: u8,
        at in 0usize..BLOCK,
        byte: u8,
    ) {
        let mut block = header("name", kind, seed.len() as u64, "target");
        block[at] = byte;
        let mut bytes = with_checksum(block);
        bytes.extend(&seed);
        let _ = read(&bytes);
        let _ = read(&seed);
    }
}
