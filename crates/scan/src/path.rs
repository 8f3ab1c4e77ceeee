//! Paths inside an image: relative to its root, without `.`, `..` or a leading `/`.

/// The longest path that a file system takes, in bytes (Linux: `PATH_MAX`).
pub(crate) const PATH_LIMIT: usize = 4096;

/// The path that a runtime makes of a name in an archive: `..` at the root stays there. The root
/// itself is the empty path.
pub(crate) fn clean(name: &str) -> String {
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
    parts.join("/")
}

/// The directory and the last part of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
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
        ] {
            assert_eq!(clean(name), want, "{name}");
        }
    }
}
