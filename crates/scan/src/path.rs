//! Paths inside an image: relative to its root, without `.`, `..` or a leading `/`.

use std::borrow::Cow;

/// The longest path that a file system takes, in bytes (Linux: `PATH_MAX`).
pub(crate) const PATH_LIMIT: usize = 4096;

/// The path that a runtime makes of a name in an archive: `..` at the root stays there. The root
/// itself is the empty path.
pub(crate) fn clean(name: &str) -> String {
    cleaned(name).into_owned()
}

/// As [`clean`], of names that are nearly all so.
pub(crate) fn cleaned(name: &str) -> Cow<'_, str> {
    let relative = name.strip_prefix("./").unwrap_or(name);
    let relative = relative.strip_prefix('/').unwrap_or(relative);
    let relative = relative.strip_suffix('/').unwrap_or(relative);
    if is_clean(relative) {
        return relative.into();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/").into()
}

/// Whether nothing is to be done, as of nearly all names; not so of hidden files, which may be `..`.
fn is_clean(relative: &str) -> bool {
    let mut previous = b'/';
    for byte in relative.bytes() {
        if previous == b'/' && matches!(byte, b'/' | b'.') {
            return false;
        }
        previous = byte;
    }
    previous != b'/'
}

/// The directory and the last part of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    match memchr::memrchr(b'/', path.as_bytes()) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => ("", path),
    }
}

/// A part below a directory.
pub(crate) fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_root() {
        for (name, want) in [
            ("./usr/lib/", "usr/lib"),
            ("/etc//passwd", "etc/passwd"),
            ("a/./b/../c", "a/c"),
            ("../../etc/shadow", "etc/shadow"),
            ("a/../../b", "b"),
            ("./", ""),
            ("", ""),
            ("/", ""),
            (".", ""),
            ("..", ""),
            ("a//", "a"),
            (".//a", "a"),
            ("/./a/..", ""),
            ("/a/.hidden/b.c/", "a/.hidden/b.c"),
        ] {
            assert_eq!(clean(name), want, "{name}");
        }
    }
}
