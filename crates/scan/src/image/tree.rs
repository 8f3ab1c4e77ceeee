//! The files of an image that matter, as they lie when its layers have been laid over each other.
//!
//! A path is written as a runtime writes it: through the links that are there at that moment
//! (`lib/x` lands in `usr/lib` where `lib` is a link), and onto what is there, without following it.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::path::{PATH_LIMIT, clean};

/// The most links that one path leads through: containerd's limit.
const LINK_LIMIT: usize = 255;

/// The most steps that all paths of an image may take together. Real images need some millions; a
/// hostile one could make every path go through every link.
const WORK_LIMIT: u64 = 200_000_000;

const ROOT: usize = 0;

/// What stands at a path. `C` is what is known of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What<C> {
    /// A directory, or nothing: directories are only kept for what is in them.
    Directory,
    Symlink(String),
    /// A file; `None` if its content was not read.
    File(Option<C>),
}

#[derive(Debug)]
struct Node<C> {
    children: BTreeMap<String, usize>,
    what: What<C>,
    /// The layer that wrote it.
    layer: u32,
}

/// Files by their paths.
#[derive(Debug)]
pub(super) struct Tree<C> {
    nodes: Vec<Node<C>>,
    work: Cell<u64>,
}

/// A path without links: its parts, and what is at each.
struct Place<'t> {
    at: Vec<(&'t str, Option<usize>)>,
}

impl Place<'_> {
    fn node(&self) -> Option<usize> {
        self.at.last().map_or(Some(ROOT), |(_, node)| *node)
    }

    fn len(&self) -> usize {
        self.at.iter().map(|(part, _)| part.len() + 1).sum()
    }

    fn path(&self) -> String {
        let parts: Vec<&str> = self.at.iter().map(|(part, _)| *part).collect();
        parts.join("/")
    }
}

/// What is at a place.
pub(super) struct Found<'t, C> {
    /// Its path, without links.
    pub(super) path: String,
    pub(super) what: &'t What<C>,
    /// The layer that wrote it.
    pub(super) layer: u32,
}

/// The paths take more steps than are taken.
#[derive(Debug)]
pub(super) struct TooMuch;

impl<C: Clone> Tree<C> {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node {
                children: BTreeMap::new(),
                what: What::Directory,
                layer: 0,
            }],
            work: Cell::new(0),
        }
    }

    fn step(&self, steps: usize) -> Result<(), TooMuch> {
        self.work.set(self.work.get() + steps as u64);
        match self.work.get() > WORK_LIMIT {
            true => Err(TooMuch),
            false => Ok(()),
        }
    }

    /// Follows the links on the way to `path`, and the one at its end if `last`. `None` if it leads
    /// round in circles or becomes longer than paths can be.
    fn place<'t>(&'t self, path: &'t str, last: bool) -> Result<Option<Place<'t>>, TooMuch> {
        let mut pending: Vec<&str> = path.rsplit('/').collect();
        let mut at: Vec<(&str, Option<usize>)> = Vec::with_capacity(pending.len());
        let mut links = 0;
        while let Some(part) = pending.pop() {
            self.step(1)?;
            match part {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                _ => {}
            }
            let above = at.last().map_or(Some(ROOT), |(_, node)| *node);
            let node = above.and_then(|node| self.nodes[node].children.get(part).copied());
            let what = node.map(|node| &self.nodes[node].what);
            if let Some(What::Symlink(target)) = what
                && (last || !pending.is_empty())
            {
                links += 1;
                if links > LINK_LIMIT {
                    return Ok(None);
                }
                if target.starts_with('/') {
                    at.clear();
                }
                pending.extend(target.rsplit('/'));
                self.step(target.len())?;
            } else {
                at.push((part, node));
            }
        }
        let place = Place { at };
        Ok((place.len() <= PATH_LIMIT).then_some(place))
    }

    /// Puts something at a path, in place of what is there.
    pub(super) fn write(&mut self, path: &str, what: What<C>, layer: u32) -> Result<(), TooMuch> {
        let Some(place) = self.place(path, false)? else {
            return Ok(());
        };
        let parts: Vec<String> = place
            .at
            .iter()
            .map(|(part, _)| (*part).to_owned())
            .collect();
        let mut node = ROOT;
        for part in &parts {
            node = match self.nodes[node].children.get(part) {
                Some(child) => *child,
                None => {
                    self.nodes.push(Node {
                        children: BTreeMap::new(),
                        what: What::Directory,
                        layer,
                    });
                    let child = self.nodes.len() - 1;
                    self.nodes[node].children.insert(part.clone(), child);
                    child
                }
            };
        }
        if node != ROOT {
            let node = &mut self.nodes[node];
            node.what = what;
            node.layer = layer;
            node.children.clear();
        }
        Ok(())
    }

    /// Makes a directory: what is in one that is there stays.
    pub(super) fn make_directory(&mut self, path: &str, layer: u32) -> Result<(), TooMuch> {
        let place = self.place(path, false)?;
        if let Some(node) = place.and_then(|place| place.node())
            && !matches!(self.nodes[node].what, What::Directory)
        {
            self.nodes[node].what = What::Directory;
            self.nodes[node].layer = layer;
        }
        Ok(())
    }

    /// Takes what is at a path away, if nothing need stand there: a file whose content does not
    /// matter replaces it.
    pub(super) fn replace(&mut self, path: &str) -> Result<(), TooMuch> {
        let place = self.place(path, false)?;
        if let Some(node) = place.and_then(|place| place.node())
            && node != ROOT
        {
            self.nodes[node].what = What::Directory;
            self.nodes[node].children.clear();
        }
        Ok(())
    }

    /// A second name of what is at `target`; of something whose content was not read if nothing is
    /// known there.
    pub(super) fn link(&mut self, path: &str, target: &str, layer: u32) -> Result<(), TooMuch> {
        let place = self.place(target, false)?;
        let node = place.and_then(|place| place.node());
        let what = node.map(|node| self.nodes[node].what.clone());
        let what = match what {
            Some(What::Directory) | None => What::File(None),
            Some(what) => what,
        };
        self.write(path, what, layer)
    }

    /// Takes away what layers below `layer` have written at a path, or, of a directory that stays,
    /// in it.
    pub(super) fn hide(&mut self, path: &str, layer: u32, stays: bool) -> Result<(), TooMuch> {
        let place = self.place(path, stays)?;
        let Some(top) = place.and_then(|place| place.node()) else {
            return Ok(());
        };
        // Each node after the one that it is in, so that backwards the leaves come first.
        let mut below = vec![(top, None)];
        let mut next = 0;
        while let Some(&(node, _)) = below.get(next) {
            self.step(1)?;
            let children = self.nodes[node].children.iter();
            below.extend(children.map(|(name, child)| (*child, Some((node, name.clone())))));
            next += 1;
        }
        for (node, parent) in below.into_iter().rev() {
            let kept = (node == top && stays) || self.nodes[node].layer >= layer;
            if !kept {
                self.nodes[node].what = What::Directory;
            }
            let empty = matches!(self.nodes[node].what, What::Directory)
                && self.nodes[node].children.is_empty();
            if let Some((parent, name)) = parent
                && empty
            {
                self.nodes[parent].children.remove(&name);
            }
        }
        Ok(())
    }

    /// What is at a path, through all links. A directory that nothing is in is not found.
    pub(super) fn find(&self, path: &str) -> Result<Option<Found<'_, C>>, TooMuch> {
        let place = self.place(path, true)?;
        Ok(place.and_then(|place| {
            let node = &self.nodes[place.node()?];
            Some(Found {
                path: place.path(),
                what: &node.what,
                layer: node.layer,
            })
        }))
    }

    /// The path that a path leads to, through all links but one at its end.
    pub(super) fn canonical(&self, path: &str) -> Result<String, TooMuch> {
        let place = self.place(path, false)?;
        Ok(place.map_or_else(|| clean(path), |place| place.path()))
    }

    /// The names in a directory, through all links.
    pub(super) fn names_in(&self, path: &str) -> Result<Vec<String>, TooMuch> {
        let place = self.place(path, true)?;
        let node = place.and_then(|place| place.node());
        let children = node.map(|node| self.nodes[node].children.keys().cloned().collect());
        Ok(children.unwrap_or_default())
    }

    /// Every file, with its path and the layer that wrote it.
    pub(super) fn files(&self) -> Vec<(String, u32, Option<&C>)> {
        let mut files = Vec::new();
        let mut pending = vec![(ROOT, String::new())];
        while let Some((node, path)) = pending.pop() {
            let node = &self.nodes[node];
            for (name, child) in &node.children {
                pending.push((*child, crate::path::join(&path, name)));
            }
            if let What::File(content) = &node.what {
                files.push((path, node.layer, content.as_ref()));
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(tree: &Tree<u8>) -> Vec<String> {
        let mut paths: Vec<_> = tree.files().into_iter().map(|file| file.0).collect();
        paths.sort();
        paths
    }

    fn file(content: u8) -> What<u8> {
        What::File(Some(content))
    }

    #[test]
    fn files_are_written_and_read_through_links() {
        let mut tree = Tree::new();
        let link = |target: &str| What::Symlink(target.to_owned());
        tree.write("lib", link("usr/lib"), 0).unwrap();
        tree.write("usr/lib/db", link("/var/../opt/db"), 0).unwrap();
        tree.write("lib/db/status", file(1), 1).unwrap();
        assert_eq!(paths(&tree), ["opt/db/status"]);
        let found = tree.find("usr/lib/db/status").unwrap().unwrap();
        assert_eq!((found.path.as_str(), found.layer), ("opt/db/status", 1));
        assert_eq!(tree.canonical("lib/db/x").unwrap(), "opt/db/x");
        // What is written onto a link replaces it.
        tree.write("usr/lib/db", file(2), 2).unwrap();
        assert_eq!(paths(&tree), ["opt/db/status", "usr/lib/db"]);
        // A directory replaces a link, but not a directory.
        tree.make_directory("lib", 3).unwrap();
        tree.make_directory("opt/db", 3).unwrap();
        assert!(tree.find("lib/db").unwrap().is_none());
        assert_eq!(paths(&tree), ["opt/db/status", "usr/lib/db"]);
        // Any other file replaces a directory.
        tree.replace("opt").unwrap();
        assert_eq!(paths(&tree), ["usr/lib/db"]);
    }

    #[test]
    fn links_that_lead_round_lead_nowhere() {
        let mut tree = Tree::new();
        tree.write("a", What::Symlink("b".to_owned()), 0).unwrap();
        tree.write("b", What::Symlink("a/x".to_owned()), 0).unwrap();
        assert!(tree.find("a").unwrap().is_none());
        tree.write("a/file", file(1), 0).unwrap();
        assert_eq!(paths(&tree), [""; 0]);
    }

    #[test]
    fn only_lower_layers_are_hidden() {
        let mut tree = Tree::new();
        tree.write("opt/a/one", file(1), 0).unwrap();
        tree.write("opt/a/two", file(2), 1).unwrap();
        tree.write("opt/b", file(3), 0).unwrap();
        tree.hide("opt/a", 1, true).unwrap();
        assert_eq!(paths(&tree), ["opt/a/two", "opt/b"]);
        tree.hide("opt/a", 2, false).unwrap();
        tree.hide("opt/absent", 2, false).unwrap();
        assert_eq!(paths(&tree), ["opt/b"]);
        tree.write("opt/c", file(4), 2).unwrap();
        tree.hide("", 2, true).unwrap();
        assert_eq!(paths(&tree), ["opt/c"]);
    }

    #[test]
    fn hard_links_share_what_is_known() {
        let mut tree = Tree::new();
        tree.write("a", file(1), 0).unwrap();
        tree.link("b", "a", 1).unwrap();
        tree.link("c", "unknown", 1).unwrap();
        tree.replace("a").unwrap();
        assert_eq!(tree.find("b").unwrap().unwrap().what, &file(1));
        assert_eq!(tree.find("c").unwrap().unwrap().what, &What::File(None));
    }

    #[test]
    fn deep_trees_and_endless_links_are_bounded() {
        let mut tree = Tree::new();
        let deep = "a/".repeat(2000) + "x";
        tree.write(&deep, file(1), 0).unwrap();
        assert_eq!(tree.files().len(), 1);
        tree.hide("a", 1, false).unwrap();
        assert!(tree.files().is_empty());
        let target = "./".repeat(2000) + "l";
        tree.write("l", What::Symlink(target), 0).unwrap();
        let mut writes = 0;
        while tree.write("l/x", file(1), 0).is_ok() {
            writes += 1;
        }
        assert!(writes > 100, "{writes}");
    }
}
