//! What a package consists of, before any of it is written: folders, files and links by their paths.
//!
//! Owns the rules that keep a package inside its folder; they do not depend on the order of an archive's entries,
//! because nothing is written until the whole is known. Deliberately absent: archives and the disk ([`super::unzip`],
//! [`super::disk`]).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::error::PackageError;

/// The longest path in bytes, and the longest target of a link: macOS's `PATH_MAX`, so that what any system packs
/// fits, and ours (4096) leaves room for where the store lies.
pub const NAME_LIMIT: usize = 1024;

/// The longest part of a path in bytes: `NAME_MAX`.
const PART_LIMIT: usize = 255;

/// How many files, links and folders a package may have. AWS names no number; 250 MiB of small modules are some
/// 50,000, and each costs a system call or three.
pub const NODE_LIMIT: usize = 100_000;

/// How many links the kernel follows in one path before it says `ELOOP`.
const HOP_LIMIT: usize = 40;

/// How many parts of paths are looked at for all links together: evil ones could ask for billions.
const STEP_LIMIT: usize = 1_000_000;

/// One thing of a package; modes are the nine bits of permissions, owner's access already ensured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<T> {
    /// A folder, which its owner may always read, write and enter.
    Folder(u32),
    /// A file, which its owner may always read, and where its content comes from.
    File(u32, T),
    /// A symbolic link and its target.
    Link(Vec<u8>),
}

impl<T> Node<T> {
    /// Makes a folder of any mode: no setuid, setgid or sticky bit, and its owner can fill and remove it.
    pub fn folder(mode: u32) -> Node<T> {
        Node::Folder(mode & 0o777 | 0o700)
    }

    /// Makes a file of any mode: no setuid, setgid or sticky bit, and its owner can read it.
    pub fn file(mode: u32, content: T) -> Node<T> {
        Node::File(mode & 0o777 | 0o400, content)
    }
}

/// The paths of a package, relative and clean. A folder comes before what is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree<T>(BTreeMap<Vec<u8>, Node<T>>);

impl<T> Default for Tree<T> {
    fn default() -> Tree<T> {
        Tree(BTreeMap::new())
    }
}

impl<T> Tree<T> {
    /// Puts an entry in, and the folders it lies in. Of two files of one name the later wins, as with `unzip -o`:
    /// tools that append to an archive replace a file so.
    ///
    /// # Errors
    /// The name leads out, cannot be a path here, is another kind of thing already, or lies behind a link; or there
    /// are too many.
    pub fn put(&mut self, name: &[u8], node: Node<T>) -> Result<(), PackageError> {
        let path = clean(name)?;
        if path.is_empty() {
            return match node {
                Node::Folder(_) => Ok(()),
                _ => Err(PackageError::entry(name, "a file without a name")),
            };
        }
        for end in path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(end, _)| end)
        {
            match self.0.get(&path[..end]) {
                None => _ = self.0.insert(path[..end].to_vec(), Node::folder(0o755)),
                Some(Node::Folder(_)) => (),
                Some(Node::File(..)) => return Err(PackageError::entry(name, "it lies in a file")),
                Some(Node::Link(_)) => return Err(PackageError::escapes(name, "lies behind a link")),
            }
        }
        let folder = matches!(node, Node::Folder(_));
        if let Some(before) = self.0.get(&path)
            && folder != matches!(before, Node::Folder(_))
        {
            return Err(PackageError::entry(name, "it is a folder and no folder at once"));
        }
        self.0.insert(path, node);
        self.check_count()
    }

    /// Refuses more than [`NODE_LIMIT`] things.
    ///
    /// # Errors
    /// There are more.
    pub fn check_count(&self) -> Result<(), PackageError> {
        match self.0.len() > NODE_LIMIT {
            true => Err(PackageError::NotAZip(format!(
                "more than {NODE_LIMIT} files and folders"
            ))),
            false => Ok(()),
        }
    }

    /// Lays another tree over this one: folders are merged, anything else of one name gives way to the upper, with
    /// all that is in it (spec/lambda §8.7).
    pub fn cover(&mut self, upper: Tree<T>) {
        for (path, node) in upper.0 {
            let merges = matches!(
                (&node, self.0.get(&path)),
                (Node::Folder(_), Some(Node::Folder(_)) | None)
            );
            if !merges {
                self.remove(&path);
            }
            self.0.insert(path, node);
        }
    }

    /// Refuses links that lead out of the package: absolute ones, by `..`, or through other links. One that leads
    /// to nothing inside is kept.
    ///
    /// # Errors
    /// A link leads out or round, or following all of them would take too long.
    pub fn check_links(&self) -> Result<(), PackageError> {
        let mut steps = STEP_LIMIT;
        for (path, node) in &self.0 {
            if let Node::Link(target) = node {
                self.follow(path, target, &mut steps)
                    .map_err(|why| PackageError::escapes(path, why))?;
            }
        }
        Ok(())
    }

    /// Gives all paths, a folder before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Node<T>)> {
        self.0.iter().map(|(path, node)| (path.as_slice(), node))
    }

    /// Walks a link as the kernel would, with the package's folder as the end of the world.
    fn follow(&self, link: &[u8], target: &[u8], steps: &mut usize) -> Result<(), &'static str> {
        let mut here = link.to_vec();
        go_up(&mut here);
        let mut open = parts(target)?;
        let mut hops = 1;
        while let Some(part) = open.pop() {
            *steps = steps.checked_sub(1).ok_or("is a link too many to follow")?;
            match part {
                b"" | b"." => (),
                b".." if here.is_empty() => return Err("is a link that leads out of the package"),
                b".." => go_up(&mut here),
                _ => {
                    let depth = here.len();
                    if depth > 0 {
                        here.push(b'/');
                    }
                    here.extend(part);
                    if let Some(Node::Link(next)) = self.0.get(&here) {
                        hops += 1;
                        if hops > HOP_LIMIT {
                            return Err("is a link that leads round, or through too many others");
                        }
                        here.truncate(depth);
                        open.extend(parts(next)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a path out, and what is in it.
    fn remove(&mut self, path: &[u8]) {
        self.0.remove(path);
        // All that begins with `path/`: `0` is the byte after `/`.
        let (mut low, mut high) = (path.to_vec(), path.to_vec());
        low.push(b'/');
        high.push(b'0');
        let inside: Vec<Vec<u8>> = self
            .0
            .range((Bound::Included(low), Bound::Excluded(high)))
            .map(|(path, _)| path.clone())
            .collect();
        inside.iter().for_each(|path| _ = self.0.remove(path));
    }
}

/// Splits a link's target, the first part last.
fn parts(target: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    match target.first() {
        Some(b'/') => Err("is a link to an absolute path, which leads out of the package"),
        _ => Ok(target.split(|byte| *byte == b'/').rev().collect()),
    }
}

fn go_up(path: &mut Vec<u8>) {
    let parent = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.truncate(parent);
}

/// Makes a relative path of parts out of an entry's name; empty for the package's own folder (`./`).
fn clean(name: &[u8]) -> Result<Vec<u8>, PackageError> {
    if name.len() > NAME_LIMIT {
        return Err(PackageError::entry(
            name,
            format!("its name has more than {NAME_LIMIT} bytes"),
        ));
    }
    if name.is_empty() || name.contains(&0) {
        return Err(PackageError::escapes(name, "has an empty name, or NUL in it"));
    }
    if name.contains(&b'\\') {
        // On Windows `..\a` leads out; here it would be a file of a name that nobody looks for.
        return Err(PackageError::escapes(
            name,
            "has a backslash in its name; pack it with slashes",
        ));
    }
    if name[0] == b'/' {
        return Err(PackageError::escapes(name, "has an absolute path"));
    }
    let mut path = Vec::with_capacity(name.len());
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return Err(PackageError::escapes(name, "goes up by `..`")),
            _ if part.len() > PART_LIMIT => {
                let why = format!("a part of its name has more than {PART_LIMIT} bytes");
                return Err(PackageError::entry(name, why));
            }
            _ if path.is_empty() => path.extend(part),
            _ => {
                path.push(b'/');
                path.extend(part);
            }
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tree: &mut Tree<u8>, name: &[u8]) -> Result<(), PackageError> {
        tree.put(name, Node::file(0o644, 1))
    }

    fn links(links: &[(&str, &str)]) -> Result<(), PackageError> {
        let mut tree = Tree::default();
        for (name, target) in links {
            match *target {
                "" => put(&mut tree, name.as_bytes())?,
                _ => tree.put(name.as_bytes(), Node::Link(target.as_bytes().to_vec()))?,
            }
        }
        tree.check_links()
    }

    fn paths(tree: &Tree<u8>) -> Vec<String> {
        tree.iter()
            .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
            .collect()
    }

    #[test]
    fn names_are_cleaned_and_folders_implied() {
        let mut tree = Tree::default();
        put(&mut tree, b"./a//b/c").expect("a path");
        tree.put(b"./", Node::folder(0)).expect("the package itself");
        assert_eq!(paths(&tree), ["a", "a/b", "a/b/c"]);
        assert!(put(&mut tree, b"./.").is_err(), "a file needs a name");
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let names: &[&[u8]] = &[
            b"/etc/passwd",
            b"..",
            b"../a",
            b"a/../../b",
            b"a/..",
            b"..\\a",
            b"C:\\a",
            b"a\\b",
            b"a\0b",
            b"",
        ];
        for name in names {
            let refused = put(&mut Tree::default(), name);
            assert!(
                matches!(refused, Err(PackageError::Escapes { .. })),
                "{name:?}: {refused:?}"
            );
        }
        put(&mut Tree::default(), b"..a/...").expect("dots are letters otherwise");
    }

    #[test]
    fn names_are_as_long_as_they_may_be() {
        let whole =
            ["a".repeat(255), "b".repeat(255), "c".repeat(255), "d".repeat(256)].map(String::into_bytes);
        let name = |last: usize| [&whole[0][..], &whole[1], &whole[2], &whole[3][..last]].join(&b'/');
        assert_eq!(name(255).len(), NAME_LIMIT - 1);
        put(&mut Tree::default(), &name(255)).expect("a path");
        assert!(put(&mut Tree::default(), &name(256)).is_err(), "a part too long");
        put(&mut Tree::default(), &[name(250), b"xyzuv".to_vec()].join(&b'/')).expect("all of 1024 bytes");
        assert!(put(&mut Tree::default(), &[name(250), b"xyzuvw".to_vec()].join(&b'/')).is_err());
    }

    #[test]
    fn nothing_is_two_kinds_of_thing() {
        let mut tree = Tree::default();
        put(&mut tree, b"a").expect("a file");
        assert!(put(&mut tree, b"a/b").is_err() && tree.put(b"a/", Node::folder(0)).is_err());
        put(&mut tree, b"d/e").expect("a file");
        assert!(put(&mut tree, b"d").is_err() && tree.put(b"d", Node::Link(b"a".to_vec())).is_err());
        tree.put(b"d", Node::folder(0o500)).expect("its mode");
        assert_eq!(tree.0[&b"d"[..]], Node::Folder(0o700));
        tree.put(b"a", Node::file(0o4_755, 2)).expect("the later wins");
        assert_eq!(tree.0[&b"a"[..]], Node::File(0o755, 2));
    }

    #[test]
    fn nothing_lies_behind_a_link() {
        let behind = links(&[("l", "sub"), ("l/x", "")]);
        assert!(matches!(behind, Err(PackageError::Escapes { .. })), "{behind:?}");
        assert!(links(&[("l/x", ""), ("l", "sub")]).is_err(), "in any order");
    }

    #[test]
    fn links_that_stay_inside_are_kept() {
        let inside: &[&[(&str, &str)]] = &[
            &[("lib/a.so", ""), ("lib/b.so", "a.so"), ("bin/x", "../lib/b.so")],
            &[("a/b/up", "../.."), ("c", "a/b/up/a")],
            &[("dangling", "no/such/../file")],
            &[("self", "."), ("x", "self/self/y")],
        ];
        for case in inside {
            links(case).expect("inside");
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let outside: &[&[(&str, &str)]] = &[
            &[("l", "/etc")],
            &[("l", "..")],
            &[("a/b/l", "../../../x")],
            &[("l", "no/such/../../..")],
            // Each is harmless alone: `up` is the package, and one step up from there is out.
            &[("a/b/up", "../.."), ("c", "a/b/up/../x")],
            &[("a", "b"), ("b", "a")],
            &[("a", "a/x")],
        ];
        for case in outside {
            let refused = links(case);
            assert!(
                matches!(refused, Err(PackageError::Escapes { .. })),
                "{case:?}: {refused:?}"
            );
        }
    }

    #[test]
    fn chains_end_where_the_kernel_ends_them() {
        let chain = |length: usize| {
            let names: Vec<(String, String)> = (0..length)
                .map(|n| (format!("l{n}"), format!("l{}", n + 1)))
                .collect();
            let mut tree: Tree<u8> = Tree::default();
            for (name, target) in names {
                tree.put(name.as_bytes(), Node::Link(target.into_bytes()))
                    .expect("a link");
            }
            tree.check_links()
        };
        chain(HOP_LIMIT).expect("40 links");
        assert!(chain(HOP_LIMIT + 1).is_err());
    }

    #[test]
    fn evil_links_do_not_take_all_day() {
        let mut tree: Tree<u8> = Tree::default();
        for n in 0..5_000 {
            let target = "./".repeat(500).into_bytes();
            tree.put(format!("l{n}").as_bytes(), Node::Link(target))
                .expect("a link");
        }
        assert!(tree.check_links().is_err());
    }

    #[test]
    fn later_layers_win_whatever_the_kinds() {
        let tree = |files: &[&str]| {
            let mut tree = Tree::default();
            files
                .iter()
                .for_each(|name| put(&mut tree, name.as_bytes()).expect("a file"));
            tree
        };
        let mut lower = tree(&["a/x", "a/y", "a0", "b", "c/deep/z"]);
        lower.cover(tree(&["a/x", "b/n", "c"]));
        assert_eq!(paths(&lower), ["a", "a/x", "a/y", "a0", "b", "b/n", "c"]);
    }

    #[test]
    fn entries_are_counted_with_the_folders_they_imply() {
        let mut tree = Tree::default();
        let refused = (0..NODE_LIMIT).find_map(|n| put(&mut tree, format!("{n}/f").as_bytes()).err());
        assert!(refused.is_some() && tree.0.len() <= NODE_LIMIT + 2);
    }
}
