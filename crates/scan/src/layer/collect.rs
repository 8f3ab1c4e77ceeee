//! Which entries of a layer are kept.

use std::collections::HashSet;
use std::io::{BufRead, Read as _};

use super::archive::{Archive, ArchiveError, Entry, EntryKind};
use super::{Change, Content, LayerInventory, LayerLimits};
use crate::OsRelease;
use crate::database::{self, DatabaseError, DatabaseFile};
use crate::path::{self, PATH_LIMIT};

/// What hides a file of a lower layer: its name with this before it.
const WHITEOUT: &str = ".wh.";

/// What hides all that lower layers have in its directory.
const OPAQUE: &str = ".wh..wh..opq";

/// Endings of names that no directory with packages has. A file with such a name is not kept as one
/// that may have replaced a directory of a lower layer; if ever one has, the packages of that
/// directory are still reported, which errs on the safe side.
const NEVER_DIRECTORIES: [&str; 36] = [
    "a", "c", "cc", "cfg", "conf", "cpp", "css", "csv", "gif", "gz", "h", "hpp", "html", "js",
    "json", "la", "list", "map", "md", "md5sums", "mjs", "mo", "o", "pl", "pm", "png", "py", "pyc",
    "pyi", "rst", "sh", "svg", "ts", "txt", "xml", "yaml",
];

/// How many first bytes of a file may tell what it is.
const SNIFFED: usize = 4096;

/// What the bookkeeping of something kept costs, in bytes, beside its texts.
const OVERHEAD: usize = 64;

/// Which part of what may be kept is for files that may have replaced a directory.
const OTHERS: usize = 4;

/// What the databases of packages are in. A file in place of one is always kept: it hides a database.
const ABOVE_DATABASES: [&str; 15] = [
    "etc",
    "lib",
    "lib/apk",
    "lib/apk/db",
    "usr",
    "usr/lib",
    "usr/lib/apk",
    "usr/lib/apk/db",
    "usr/lib/sysimage",
    "usr/lib/sysimage/rpm",
    "var",
    "var/lib",
    "var/lib/dpkg",
    "var/lib/dpkg/status.d",
    "var/lib/rpm",
];

/// Gathers the inventory of a layer, entry by entry.
pub(super) struct Collector {
    inventory: LayerInventory,
    /// How many bytes may still be kept.
    left: usize,
    /// How many of them for files that may have replaced a directory.
    others: usize,
    /// Where programs are looked at: memory that is taken anew is slower than reading.
    program: Vec<u8>,
    /// The lists of dpkg that were read, by their paths without the ending.
    lists: HashSet<String>,
}

impl Collector {
    pub(super) fn new(limits: &LayerLimits) -> Self {
        Self {
            inventory: LayerInventory::default(),
            left: limits.kept,
            others: limits.kept / OTHERS,
            program: Vec::new(),
            lists: HashSet::new(),
        }
    }

    pub(super) fn count(&mut self, headers: u64, expanded: u64) {
        self.inventory.count(headers, expanded);
    }

    pub(super) fn finish(self) -> LayerInventory {
        self.inventory
    }

    /// Takes what matters of an entry at `path`; its data is the archive's.
    pub(super) fn entry(
        &mut self,
        entry: &Entry,
        path: String,
        archive: &mut Archive<impl BufRead>,
    ) -> Result<(), ArchiveError> {
        if path.len() > PATH_LIMIT || entry.target.len() > PATH_LIMIT {
            return Err(ArchiveError::Malformed("a name is longer than 4096 bytes"));
        }
        if entry.kind == EntryKind::Global || path.is_empty() {
            return Ok(());
        }
        let (directory, name) = path::split(&path);
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return match hidden {
                _ if name == OPAQUE => self.keep(Change::Opaque(directory.to_owned())),
                // Notes of aufs, and names that would hide a directory itself.
                "" | "." | ".." => Ok(()),
                _ if hidden.starts_with(WHITEOUT) => Ok(()),
                hidden => self.keep(Change::Whiteout(path::join(directory, hidden))),
            };
        }
        match entry.kind {
            EntryKind::Directory => self.keep(Change::Directory(path)),
            EntryKind::Symlink => self.keep(Change::Symlink(path, entry.target.clone())),
            EntryKind::HardLink => {
                if DatabaseFile::of_path(&path).is_some() || may_replace_directory(name) {
                    let target = path::clean(&entry.target);
                    return self.keep(Change::HardLink(path, target));
                }
                Ok(())
            }
            EntryKind::Special => self.other(path),
            EntryKind::File => self.file(entry, path, archive),
            EntryKind::Global => Ok(()),
        }
    }

    fn file(
        &mut self,
        entry: &Entry,
        path: String,
        archive: &mut Archive<impl BufRead>,
    ) -> Result<(), ArchiveError> {
        let known = DatabaseFile::of_path(&path);
        let list = (known == Some(DatabaseFile::DpkgFiles)).then(|| path.rsplit_once('.'));
        let list = list
            .flatten()
            .map(|(package, ending)| (package.to_owned(), ending == "list"));
        if let Some((package, false)) = &list
            && self.lists.contains(package)
        {
            // The checksums of a package are of files that its list has named.
            return self.keep(Change::Other(path));
        }
        let mut head = Vec::new();
        if known.is_none() {
            let sniffed = archive.by_ref().take(SNIFFED as u64);
            // Four bytes tell almost all files apart from databases.
            let mut sniffed = sniffed;
            (&mut sniffed).take(4).read_to_end(&mut head)?;
            if DatabaseFile::may_begin_with(&head) {
                sniffed.read_to_end(&mut head)?;
            }
        }
        let Some(file) = known.or_else(|| DatabaseFile::of_content(&head)) else {
            return self.other(path);
        };
        if file != DatabaseFile::Executable {
            // What it takes itself may be as much.
            self.program = Vec::new();
        }
        let content = match entry.sparse {
            true => Content {
                problem: Some("it is stored with holes".to_owned()),
                ..Content::new(file)
            },
            false => read(
                file,
                (&path, entry.size),
                head.chain(archive),
                &mut self.program,
            )?,
        };
        let silent =
            content.packages.is_empty() && content.licenses.is_empty() && content.problem.is_none();
        let is_common = matches!(
            file,
            DatabaseFile::Copyright
                | DatabaseFile::Executable
                | DatabaseFile::JavaRelease
                | DatabaseFile::Sbom
                | DatabaseFile::StoredNode
        );
        if is_common && silent {
            // It says nothing, but it may stand where something that did was.
            return self.other(path);
        }
        let index = u32::try_from(self.inventory.contents.len());
        let index = index.map_err(|_| ArchiveError::TooMany("package databases"))?;
        self.charge(weight(&content))?;
        if let Some((package, true)) = list
            && content.problem.is_none()
        {
            self.lists.insert(package);
        }
        self.inventory.contents.push(content);
        self.keep(Change::File(path, index))
    }

    /// Keeps a file that is not read, if it may have replaced a directory that holds packages. Once
    /// there are many, only those that would hide a database are: of what the others replace, the
    /// packages are still reported, which errs on the safe side.
    fn other(&mut self, path: String) -> Result<(), ArchiveError> {
        let (_, name) = path::split(&path);
        if ABOVE_DATABASES.contains(&path.as_str()) {
            return self.keep(Change::Other(path));
        }
        match self.others.checked_sub(path.len() + OVERHEAD) {
            Some(left) if may_replace_directory(name) => {
                self.others = left;
                self.keep(Change::Other(path))
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, change: Change) -> Result<(), ArchiveError> {
        let texts = match &change {
            Change::Symlink(path, target) | Change::HardLink(path, target) => {
                path.len() + target.len()
            }
            Change::Directory(path)
            | Change::File(path, _)
            | Change::Other(path)
            | Change::Whiteout(path)
            | Change::Opaque(path) => path.len(),
        };
        self.charge(texts)?;
        self.inventory.changes.push(change);
        Ok(())
    }

    fn charge(&mut self, texts: usize) -> Result<(), ArchiveError> {
        let left = self.left.checked_sub(texts + OVERHEAD);
        self.left = left.ok_or(ArchiveError::TooMany("names and packages"))?;
        Ok(())
    }
}

/// Whether a file of this name can have replaced a directory that holds packages.
fn may_replace_directory(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_none_or(|ending| NEVER_DIRECTORIES.binary_search(&ending).is_err())
}

/// What a file says. What is wrong with it is part of the answer, since an upper layer may replace
/// it; only what is wrong with the archive is an error.
fn read(
    file: DatabaseFile,
    (path, size): (&str, u64),
    input: impl BufRead,
    program: &mut Vec<u8>,
) -> Result<Content, ArchiveError> {
    let mut content = Content::new(file);
    let done = match file {
        DatabaseFile::OsRelease => OsRelease::parse(input).map(|os| content.os = Some(os)),
        DatabaseFile::Dpkg => {
            database::parse_dpkg(input).map(|packages| content.packages = packages)
        }
        DatabaseFile::DpkgFiles => {
            database::parse_dpkg_files(input, path).map(|owner| content.owners.extend(owner))
        }
        DatabaseFile::Copyright => {
            let parsed = database::parse_copyright(input).map_err(DatabaseError::Io);
            parsed.map(|licenses| content.licenses = licenses)
        }
        DatabaseFile::Apk => database::parse_apk(input).map(|(packages, owners)| {
            content.packages = packages;
            content.owners = owners;
        }),
        DatabaseFile::Rpm => database::parse_rpm(input).map(|(packages, owners)| {
            content.packages = packages;
            content.owners = owners;
        }),
        DatabaseFile::RpmLog => {
            // A header alone changes nothing.
            let length = std::io::copy(&mut input.take(33), &mut std::io::sink());
            length.map_err(DatabaseError::Io).and_then(|length| match length {
                0..=32 => Ok(()),
                _ => Err(DatabaseError::Damaged(
                    "it holds changes that are not in the database: close it, then build the image",
                )),
            })
        }
        DatabaseFile::Node => {
            database::parse_node(input).map(|package| content.packages.extend(package))
        }
        DatabaseFile::StoredNode => {
            database::parse_stored_node(input).map(|package| content.packages.extend(package))
        }
        DatabaseFile::Gemspec => {
            database::parse_gemspec(input).map(|package| content.packages.push(package))
        }
        DatabaseFile::Composer => {
            database::parse_composer(input).map(|packages| content.packages = packages)
        }
        DatabaseFile::DepsJson => {
            database::parse_deps_json(input).map(|packages| content.packages = packages)
        }
        DatabaseFile::Conda => {
            database::parse_conda(input).map(|package| content.packages.push(package))
        }
        DatabaseFile::Pnp => database::parse_pnp(input).map(|packages| content.packages = packages),
        DatabaseFile::Sbom => {
            database::parse_sbom(input).map(|packages| content.packages = packages)
        }
        DatabaseFile::JavaRelease => {
            database::parse_java_release(input).map(|package| content.packages.extend(package))
        }
        DatabaseFile::YarnCache => database::parse_yarn_cache(input).map(|found| {
            (content.packages, content.within) = found.into_iter().unzip();
        }),
        DatabaseFile::Java => database::parse_java(input, path, size).map(|found| {
            (content.packages, content.within) = found.into_iter().unzip();
        }),
        DatabaseFile::Executable => {
            let packages = database::parse_executable(input, path, program);
            packages.map(|packages| content.packages = packages)
        }
        DatabaseFile::Python => {
            database::parse_python(input, path).map(|package| content.packages.push(package))
        }
        DatabaseFile::PythonEgg => {
            database::parse_python_egg(input, path).map(|package| content.packages.extend(package))
        }
    };
    match done {
        Ok(()) => {}
        Err(DatabaseError::Io(error)) => return Err(ArchiveError::Io(error)),
        Err(error) => content.problem = Some(error.to_string()),
    }
    Ok(content)
}

/// About how many bytes a content takes.
fn weight(content: &Content) -> usize {
    let packages = content.packages.iter().map(|package| {
        let texts = [
            &package.name,
            &package.version,
            &package.source_name,
            &package.source_version,
            &package.architecture,
            &package.vendor,
            &package.module,
        ];
        let texts = texts.into_iter().chain(&package.groups);
        let texts = texts.chain(&package.licenses);
        texts.map(String::len).sum::<usize>() + 2 * OVERHEAD
    });
    let owners = content.owners.iter().map(|owner| {
        let paths = owner.paths.iter().map(|path| path.len() + OVERHEAD / 2);
        paths.sum::<usize>() + owner.package.len() + OVERHEAD
    });
    let within = content
        .within
        .iter()
        .map(|within| within.len() + OVERHEAD / 2);
    let licenses = content.licenses.iter();
    let licenses = licenses.map(|license| license.len() + OVERHEAD / 2);
    let lists = owners.sum::<usize>() + within.sum::<usize>() + licenses.sum::<usize>();
    packages.sum::<usize>() + lists + 2 * OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endings_are_sorted() {
        assert!(NEVER_DIRECTORIES.is_sorted());
        for (name, want) in [
            ("tool", true),
            ("python3.11", true),
            ("six-1.0.dist-info", true),
            ("main.py", false),
            ("a.tar.gz", false),
        ] {
            assert_eq!(may_replace_directory(name), want, "{name}");
        }
    }
}
