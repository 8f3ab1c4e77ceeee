//! Files that are compressed in forms that are not read.

/// How they begin, and what unpacks them.
const PACKED: [(&[u8], &str); 3] = [
    (b"BZh", "bunzip2"),
    (b"\xfd7zXZ\0", "unxz"),
    (b"\x28\xb5\x2f\xfd", "unzstd"),
];

/// Why a file is not read, if it is one.
pub(super) fn packed(bytes: &[u8]) -> Option<String> {
    let mut forms = PACKED.iter();
    let (_, program) = forms.find(|(magic, _)| bytes.starts_with(magic))?;
    Some(format!(
        "it is compressed in a form that is not read: use '{program}' first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_a_file_is_said() {
        for (bytes, want) in [
            (&b"BZh91AY&SY"[..], Some("bunzip2")),
            (b"\xfd7zXZ\0\0", Some("unxz")),
            (b"\x28\xb5\x2f\xfd\x24", Some("unzstd")),
            (b"BZ", None),
            (b"{}", None),
        ] {
            let reason = packed(bytes);
            assert_eq!(reason.is_some(), want.is_some());
            assert!(reason.is_none_or(|reason| reason.contains(want.unwrap())));
        }
    }
}
