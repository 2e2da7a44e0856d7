//! Trees and the disk: one is laid out in a fresh folder, and one is read from a folder.
//!
//! Owns the order of writing: folders and files first, links last, so that nothing is ever written through a link,
//! not even where `a` and `A` are one name. Deliberately absent: what may be in a tree ([`super::tree`]).

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::error::{PackageError, at};
use super::tree::{Node, Tree};

/// What triggerfish itself writes beside code, which changes all the time and is no code.
const OWN: &str = ".triggerfish";

/// Makes everything that is in the tree below `into`, which must be there and be empty; `file` makes the file at a
/// path, of a mode.
///
/// # Errors
/// The tree's links lead out, `file` fails, or the disk does. What was made until then stays.
pub fn lay_out<T>(
    tree: &Tree<T>,
    into: &Path,
    mut file: impl FnMut(&T, &Path, u32) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    tree.check_links()?;
    for (path, node) in tree.iter() {
        let path = into.join(OsStr::from_bytes(path));
        match node {
            Node::Folder(mode) => fs::create_dir(&path)
                // The mask of the process would cut a mode that is given to `mkdir`.
                .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(*mode)))
                .map_err(at(&path))?,
            Node::File(mode, content) => file(content, &path, *mode)?,
            Node::Link(_) => (),
        }
    }
    for (path, node) in tree.iter() {
        if let Node::Link(target) = node {
            let path = into.join(OsStr::from_bytes(path));
            symlink(OsStr::from_bytes(target), &path).map_err(at(&path))?;
        }
    }
    Ok(())
}

/// Reads what is in a folder, without following links. Files come as their paths. Left out are only `except`, and
/// folders named `.triggerfish`.
///
/// # Errors
/// Something cannot be read, is neither file nor folder nor link, or has a name no package may have.
pub fn read(folder: &Path, except: &Path) -> Result<Tree<PathBuf>, PackageError> {
    let mut tree = Tree::default();
    let mut open = vec![folder.to_owned()];
    while let Some(inside) = open.pop() {
        for entry in fs::read_dir(&inside).map_err(at(&inside))? {
            let entry = entry.map_err(at(&inside))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(at(&path))?;
            if path == except || (kind.is_dir() && entry.file_name() == OWN) {
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path).as_os_str().as_bytes();
            tree.put(name, node(&path, kind)?)?;
            if kind.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(tree)
}

fn node(path: &Path, kind: fs::FileType) -> Result<Node<PathBuf>, PackageError> {
    if kind.is_symlink() {
        let target = fs::read_link(path).map_err(at(path))?;
        return Ok(Node::Link(target.into_os_string().into_vec()));
    }
    let mode = fs::symlink_metadata(path).map_err(at(path))?.permissions().mode();
    if kind.is_dir() {
        Ok(Node::folder(mode))
    } else if kind.is_file() {
        Ok(Node::file(mode, path.to_owned()))
    } else {
        let error = io::Error::new(
            io::ErrorKind::InvalidInput,
            "is no file, folder or link; move it away",
        );
        Err(at(path)(error))
    }
}

/// Counts the bytes of all files of a tree that was read from a folder.
///
/// # Errors
/// A file is gone.
pub fn bytes(tree: &Tree<PathBuf>) -> Result<u64, PackageError> {
    let mut sum = 0;
    for (_, node) in tree.iter() {
        if let Node::File(_, path) = node {
            sum += fs::symlink_metadata(path).map_err(at(path))?.len();
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_comes_back_as_it_was_laid_out() {
        let home = tempfile::tempdir().expect("a directory");
        let mut tree = Tree::default();
        tree.put(b"bin/bootstrap", Node::file(0o755, PathBuf::new()))
            .expect("a file");
        tree.put(b"private/", Node::folder(0o000)).expect("a folder");
        tree.put(b"private/world", Node::file(0o666, PathBuf::new()))
            .expect("a file");
        tree.put(b"link", Node::Link(b"bin/bootstrap".to_vec()))
            .expect("a link");
        let write = |_: &PathBuf, path: &Path, mode: u32| {
            fs::write(path, b"12")
                .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
                .map_err(at(path))
        };
        lay_out(&tree, home.path(), write).expect("room");
        let again = read(home.path(), Path::new("")).expect("readable");
        let modes = |tree: &Tree<PathBuf>| -> Vec<(Vec<u8>, Node<()>)> {
            let plain = |node: &Node<PathBuf>| match node {
                Node::Folder(mode) => Node::Folder(*mode),
                Node::File(mode, _) => Node::File(*mode, ()),
                Node::Link(target) => Node::Link(target.clone()),
            };
            tree.iter()
                .map(|(path, node)| (path.to_vec(), plain(node)))
                .collect()
        };
        assert_eq!(modes(&tree), modes(&again));
        assert_eq!(bytes(&again).expect("files"), 4);
    }

    #[test]
    fn links_that_lead_out_are_not_made() {
        let home = tempfile::tempdir().expect("a directory");
        let mut tree: Tree<()> = Tree::default();
        tree.put(b"l", Node::Link(b"..".to_vec())).expect("a link");
        assert!(lay_out(&tree, home.path(), |(), _, _| Ok(())).is_err());
        assert!(fs::symlink_metadata(home.path().join("l")).is_err());
    }

    #[test]
    fn what_is_no_code_is_left_out_or_refused() {
        let home = tempfile::tempdir().expect("a directory");
        for folder in [".triggerfish", ".git", "store"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        let tree = read(home.path(), &home.path().join("store")).expect("readable");
        assert_eq!(tree.iter().map(|(path, _)| path).collect::<Vec<_>>(), [b".git"]);
        let _socket = std::os::unix::net::UnixListener::bind(home.path().join("s")).expect("a socket");
        let refused = read(home.path(), Path::new("")).expect_err("a socket");
        assert!(refused.to_string().contains("/s: is no file"), "{refused}");
    }
}
