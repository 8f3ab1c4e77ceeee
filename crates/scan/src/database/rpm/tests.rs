use proptest::prelude::*;

use super::*;

/// A header with texts and numbers, as rpm lays it out.
fn header(texts: &[(u32, &str)], numbers: &[(u32, &[u32])], lists: &[(u32, &[&str])]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    let mut entry = |tag: u32, kind: u32, place: usize, count: usize| {
        for number in [tag, kind, place as u32, count as u32] {
            index.extend(number.to_be_bytes());
        }
    };
    for (tag, text) in texts {
        entry(*tag, 6, data.len(), 1);
        data.extend(text.as_bytes());
        data.push(0);
    }
    for (tag, list) in lists {
        entry(*tag, 8, data.len(), list.len());
        for text in *list {
            data.extend(text.as_bytes());
            data.push(0);
        }
    }
    for (tag, numbers) in numbers {
        entry(*tag, 4, data.len(), numbers.len());
        for number in *numbers {
            data.extend(number.to_be_bytes());
        }
    }
    let count = (index.len() / 16) as u32;
    let length = data.len() as u32;
    [
        count.to_be_bytes().to_vec(),
        length.to_be_bytes().to_vec(),
        index,
        data,
    ]
    .concat()
}

const PYTHON: &[(u32, &str)] = &[
    (1000, "python3-six"),
    (1001, "1.15.0"),
    (1002, "9.el9"),
    (1014, "MIT and GPLv2+"),
    (1022, "noarch"),
    (1044, "python-six-1.15.0-9.el9.src.rpm"),
];

#[test]
fn a_header_names_the_package_its_source_and_its_metadata() {
    let files: &[&str] = &["six-1.15.0.egg-info", "six.py"];
    let directories: &[&str] = &["/usr/lib/python3.9/site-packages/"];
    let lists = [(1117, files), (1118, directories)];
    let blob = header(PYTHON, &[(1003, &[1]), (1116, &[0, 0])], &lists);
    let (package, owner) = header::parse(&blob).unwrap().unwrap();
    assert_eq!(package.name, "python3-six");
    assert_eq!(package.version, "1:1.15.0-9.el9");
    assert_eq!(package.source_name, "python-six");
    assert_eq!(package.licenses, ["MIT AND GPL-2.0-or-later"]);
    assert_eq!(package.source_version, "1.15.0-9.el9");
    assert_eq!(package.architecture, "noarch");
    let owner = owner.unwrap();
    assert_eq!(owner.package, "python3-six");
    assert_eq!(
        owner.paths,
        ["usr/lib/python3.9/site-packages/six-1.15.0.egg-info"]
    );
    let key = header(&[(1000, "gpg-pubkey"), (1001, "1"), (1002, "2")], &[], &[]);
    assert!(header::parse(&key).unwrap().is_none());
}

#[test]
fn a_header_that_is_cut_or_has_no_name_is_damaged() {
    let blob = header(PYTHON, &[], &[]);
    for cut in 0..blob.len() {
        assert!(header::parse(&blob[..cut]).is_err(), "{cut}");
    }
    assert!(header::parse(&header(&PYTHON[1..], &[], &[])).is_err());
    assert!(header::parse(&[0xff; 64]).is_err());
    assert!(parse_rpm(&b"something else"[..]).is_err());
    assert!(parse_rpm(&b""[..]).is_err());
}

/// An ndb database with one package.
fn ndb(blob: &[u8]) -> Vec<u8> {
    let mut bytes = b"RpmP\0\0\0\0\x01\0\0\0\x01\0\0\0".to_vec();
    bytes.resize(32, 0);
    bytes.extend(b"Slot\x01\0\0\0\0\x01\0\0\x01\0\0\0");
    while bytes.len() < 4096 {
        bytes.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    bytes.extend(b"BlbS\x01\0\0\0\x01\0\0\0");
    bytes.extend((blob.len() as u32).to_le_bytes());
    bytes.extend(blob);
    bytes
}

#[test]
fn an_ndb_database_is_read() {
    let bytes = ndb(&header(PYTHON, &[], &[]));
    let (packages, _) = parse_rpm(bytes.as_slice()).unwrap();
    assert_eq!(packages.len(), 1);
    for cut in [40, 4096, bytes.len() - 1] {
        assert!(parse_rpm(&bytes[..cut]).is_err(), "{cut}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        form in 0..4_usize,
        rest in proptest::collection::vec(any::<u8>(), 0..4000),
        changes in proptest::collection::vec((0..4300_usize, any::<u8>()), 0..8),
    ) {
        let mut berkeley = vec![0; 12];
        berkeley.extend(0x0006_1561_u32.to_le_bytes());
        berkeley.extend([9, 0, 0, 0, 0, 2, 0, 0, 0, 8]);
        let start = [
            b"SQLite format 3\0\x02\0\x01\x01\0".to_vec(),
            ndb(&header(PYTHON, &[], &[])),
            berkeley,
            Vec::new(),
        ];
        let mut bytes = start[form].clone();
        bytes.extend(&rest);
        for (at, byte) in changes {
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
        }
        let _ = parse_rpm(bytes.as_slice());
        let _ = header::parse(&rest);
    }
}
