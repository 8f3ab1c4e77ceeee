//! The operating system of an image, and whether its package databases are what it needs.

use super::tree::{Found, TooMuch, Tree, What};
use super::{ContentOf, ImageInventory};
use crate::database::DatabaseFile;
use crate::path::join;
use crate::{OsRelease, Package, PackageKind, Problem, ProblemCode};

const DPKG: &str = "var/lib/dpkg/status";

/// The database of images without dpkg itself: a file for each package.
const DPKG_PARTS: &str = "var/lib/dpkg/status.d";

const DPKG_LISTS: &str = "var/lib/dpkg/info";

/// Where each package of dpkg has a directory with what it says of its licences.
const DPKG_DOCUMENTS: &str = "usr/share/doc";

/// apk-tools 3 has moved its database.
const APK: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// Where rpm's database may be; the later ones are of systems whose `var` is not part of them.
const RPM: [&str; 3] = ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];

/// The forms of rpm's database, the one that counts first.
const RPM_FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

const RPM_LOG: &str = "rpmdb.sqlite-wal";

/// What is known of the system while layers are laid over each other.
#[derive(Default)]
pub(super) struct System {
    /// The system as the layers so far have it.
    os: Option<OsRelease>,
    /// A layer has said which system it is.
    had_os: bool,
    /// A layer has had a package database.
    had_database: bool,
    /// A layer says that the system is another one than the packages of the layers below are of.
    changed: Option<u32>,
    /// The databases that are there at the end.
    found: Vec<PackageKind>,
    unreadable: bool,
}

impl System {
    /// Looks at what is there after a layer.
    pub(super) fn observe<'l>(
        &mut self,
        tree: &Tree<ContentOf<'l>>,
        layer: u32,
    ) -> Result<(), TooMuch> {
        let databases = self.databases(tree)?;
        self.had_database |= !databases.is_empty();
        let mut newest = None;
        for (path, _) in &databases {
            newest = newest.max(tree.find(path)?.map(|found| found.layer));
        }
        let Some(os) = os(tree)?.0 else {
            return Ok(());
        };
        self.had_os = true;
        let same = |old: &OsRelease| (&old.id, &old.version_id) == (&os.id, &os.version_id);
        if self.os.as_ref().is_some_and(|old| !same(old)) {
            // An upgrade changes the packages too.
            self.changed = newest.filter(|newest| *newest < layer).map(|_| layer);
        }
        self.os = Some(os);
        Ok(())
    }

    /// The system of the whole image.
    pub(super) fn finish(
        &mut self,
        tree: &Tree<ContentOf<'_>>,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<OsRelease>, TooMuch> {
        let (os, unreadable) = os(tree)?;
        if let Some((path, reason)) = unreadable {
            self.unreadable = true;
            problems.push(Problem::at(ProblemCode::OsUnreadable, reason, &path));
        }
        for path in [DPKG, APK[0], APK[1]] {
            self.judge_file(tree.find(path)?, path, problems);
        }
        for name in tree.names_in(DPKG_PARTS)? {
            let path = join(DPKG_PARTS, &name);
            self.judge_file(tree.find(&path)?, &path, problems);
        }
        for directory in RPM {
            for name in RPM_FILES.into_iter().chain([RPM_LOG]) {
                let path = join(directory, name);
                self.judge_file(tree.find(&path)?, &path, problems);
            }
        }
        let databases = self.databases(tree)?;
        let kinds = databases.iter().map(|(_, content)| kind_of(content.file));
        self.found = kinds.flatten().collect();
        Ok(os)
    }

    /// Says so if a database cannot be read.
    fn judge_file(
        &mut self,
        found: Option<Found<'_, ContentOf<'_>>>,
        path: &str,
        problems: &mut Vec<Problem>,
    ) {
        let reason = match found.map(|found| (found.what, found.layer)) {
            None | Some((What::Directory, _)) => return,
            Some((What::File(Some(content)), layer)) => match &content.problem {
                Some(reason) => (reason.clone(), layer),
                None if kind_of(content.file).is_some() => return,
                None if is_beside(content.file) => return,
                None => ("it is another file than its name says".to_owned(), layer),
            },
            Some((_, layer)) => ("it is a link to a file that was not read".to_owned(), layer),
        };
        self.unreadable = true;
        problems.push(Problem {
            layer: Some(reason.1),
            ..Problem::at(ProblemCode::DatabaseUnreadable, reason.0, path)
        });
    }

    /// The package databases where the system has them, with their paths; each once, whatever links
    /// lead to it.
    pub(super) fn databases<'l>(
        &self,
        tree: &Tree<ContentOf<'l>>,
    ) -> Result<Vec<(String, ContentOf<'l>)>, TooMuch> {
        let mut paths = vec![DPKG.to_owned()];
        let parts = tree.names_in(DPKG_PARTS)?.into_iter();
        paths.extend(parts.map(|name| join(DPKG_PARTS, &name)));
        paths.extend(APK.map(str::to_owned));
        let mut databases: Vec<(String, ContentOf<'l>)> = Vec::new();
        let mut add = |path: &str| -> Result<bool, TooMuch> {
            if let Some(found) = tree.find(path)?
                && let What::File(Some(content)) = found.what
                && kind_of(content.file).is_some()
            {
                if !databases.iter().any(|(path, _)| *path == found.path) {
                    databases.push((found.path, *content));
                }
                return Ok(true);
            }
            Ok(false)
        };
        for path in paths {
            add(&path)?;
        }
        for directory in RPM {
            for name in RPM_FILES {
                if add(&join(directory, name))? {
                    break;
                }
            }
        }
        Ok(databases)
    }

    /// dpkg's lists of the files of packages.
    pub(super) fn file_lists<'l>(
        &self,
        tree: &Tree<ContentOf<'l>>,
    ) -> Result<Vec<ContentOf<'l>>, TooMuch> {
        let mut lists = Vec::new();
        for directory in [DPKG_LISTS, DPKG_PARTS] {
            for name in tree.names_in(directory)? {
                if let Some(found) = tree.find(&join(directory, &name))?
                    && let What::File(Some(content)) = found.what
                    && content.file == DatabaseFile::DpkgFiles
                {
                    lists.push(*content);
                }
            }
        }
        Ok(lists)
    }

    /// What a package of dpkg says of its licences in a file of its own; nothing if it has none that
    /// programs read.
    pub(super) fn licenses<'l>(
        &self,
        tree: &Tree<ContentOf<'l>>,
        package: &Package,
    ) -> Result<&'l [String], TooMuch> {
        if package.kind != PackageKind::Deb {
            return Ok(&[]);
        }
        let path = format!("{DPKG_DOCUMENTS}/{}/copyright", package.name);
        Ok(match tree.find(&path)?.map(|found| found.what) {
            Some(What::File(Some(content))) => &content.licenses,
            _ => &[],
        })
    }

    /// Says what makes the inventory less than whole.
    pub(super) fn judge(&self, image: &mut ImageInventory) {
        let of_system = |kind: PackageKind| {
            let packages = image.packages.iter();
            packages.filter(|found| found.package.kind == kind).count()
        };
        let mut problems = Vec::new();
        let mut say = |code, message: String| problems.push(Problem::new(code, message));
        if let Some(os) = &image.os {
            let name = os.shown();
            match os.package_kind() {
                None => say(
                    ProblemCode::OsUnsupported,
                    format!("nothing is known of the packages of '{name}'"),
                ),
                Some(kind) if !self.found.contains(&kind) && !self.unreadable => say(
                    ProblemCode::DatabaseMissing,
                    format!(
                        "'{name}' keeps its packages in a database of {}, and none is there{}",
                        kind.manager(),
                        if self.had_database {
                            ": a layer removes it"
                        } else {
                            ""
                        },
                    ),
                ),
                Some(kind) if !self.unreadable && of_system(kind) == 0 => say(
                    ProblemCode::DatabaseEmpty,
                    format!("the database of {} has no packages", kind.manager()),
                ),
                Some(_) => {}
            }
            let unmatched =
                |kind: &PackageKind| of_system(*kind) > 0 && os.ecosystem(*kind).is_none();
            for kind in PackageKind::SYSTEM.into_iter().filter(unmatched) {
                if os.package_kind().is_some() {
                    say(
                        ProblemCode::OsUnsupported,
                        format!(
                            "there are no advisories for packages of {} on '{name}'",
                            kind.manager()
                        ),
                    );
                }
            }
            if self.changed.is_some() {
                say(
                    ProblemCode::OsChanged,
                    format!("a layer names the system '{name}', but its packages are of another"),
                );
            }
        } else {
            let packages = PackageKind::SYSTEM.map(of_system).iter().sum::<usize>();
            if packages > 0 || self.had_os || self.had_database {
                let removed = match (self.had_os, self.had_database && self.found.is_empty()) {
                    (true, _) => ": a layer removes what said it",
                    (_, true) => ": a layer removes its package database",
                    _ => "",
                };
                say(
                    ProblemCode::OsUnknown,
                    format!("the image does not say which system its packages are of{removed}"),
                );
            } else if image.packages.is_empty() {
                say(
                    ProblemCode::NothingRecognised,
                    "no system and no packages are recognised".to_owned(),
                );
            }
        }
        if let Some(problem) = problems
            .iter_mut()
            .find(|p| p.code == ProblemCode::OsChanged)
        {
            problem.layer = self.changed;
        }
        image.problems.append(&mut problems);
    }
}

/// A file that cannot be read, and why.
type Unreadable = (String, String);

/// The system that the files name, or the file that cannot be read for it.
fn os(tree: &Tree<ContentOf<'_>>) -> Result<(Option<OsRelease>, Option<Unreadable>), TooMuch> {
    for path in OsRelease::PATHS {
        let Some(found) = tree.find(path)? else {
            continue;
        };
        return Ok(match found.what {
            What::Directory => continue,
            What::File(Some(content)) if content.os.is_some() => (content.os.clone(), None),
            What::File(Some(content)) => {
                let reason = content.problem.clone();
                let reason = reason.unwrap_or("it is another file than its name says".to_owned());
                (None, Some((found.path, reason)))
            }
            What::File(None) | What::Symlink(_) => {
                let reason = "it is a link to a file that was not read".to_owned();
                (None, Some((found.path, reason)))
            }
        });
    }
    Ok((None, None))
}

/// The packages that a database is of.
pub(super) fn kind_of(file: DatabaseFile) -> Option<PackageKind> {
    match file {
        DatabaseFile::Dpkg => Some(PackageKind::Deb),
        DatabaseFile::Apk => Some(PackageKind::Apk),
        DatabaseFile::Rpm => Some(PackageKind::Rpm),
        DatabaseFile::DpkgFiles
        | DatabaseFile::Copyright
        | DatabaseFile::RpmLog
        | DatabaseFile::Python
        | DatabaseFile::PythonEgg
        | DatabaseFile::Node
        | DatabaseFile::StoredNode
        | DatabaseFile::Java
        | DatabaseFile::Executable
        | DatabaseFile::Gemspec
        | DatabaseFile::Composer
        | DatabaseFile::DepsJson
        | DatabaseFile::Conda
        | DatabaseFile::Pnp
        | DatabaseFile::YarnCache
        | DatabaseFile::Sbom
        | DatabaseFile::JavaRelease
        | DatabaseFile::OsRelease => None,
    }
}

/// Whether a file is one that lies beside a database.
fn is_beside(file: DatabaseFile) -> bool {
    matches!(file, DatabaseFile::DpkgFiles | DatabaseFile::RpmLog)
}
