//! Folders packed: the same folder gives the same bytes, by the same version of triggerfish.
//!
//! Owns order, times and compression of an archive we make. Deliberately absent: what is left out, which is little
//! ([`super::disk::read`]).

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::disk;
use super::error::{PackageError, UNZIPPED_LIMIT, at};
use super::tree::Node;

/// Deflate's fastest level: whoever publishes a version waits for it, nobody for its size.
const LEVEL: i64 = 1;

/// Packs all that is in a folder, but `except`: sorted by path, as of 1980-01-01, modes and links kept.
///
/// # Errors
/// The folder is too large, has names that are not UTF-8 or links that lead out, or something cannot be read.
pub fn pack(folder: &Path, except: &Path) -> Result<Vec<u8>, PackageError> {
    let tree = disk::read(folder, except)?;
    tree.check_links()?;
    if disk::bytes(&tree)? >= UNZIPPED_LIMIT {
        return Err(PackageError::TooLargeUnzipped);
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, node) in tree.iter() {
        let name = text(path)?;
        match node {
            Node::Folder(mode) => zip.add_directory(name, options(*mode)),
            Node::Link(target) => zip.add_symlink(name, text(target)?, options(0o777)),
            Node::File(mode, from) => {
                let content = fs::read(from).map_err(at(from))?;
                zip.start_file(name, options(*mode))
                    .and_then(|()| zip.write_all(&content).map_err(ZipError::from))
            }
        }
        .map_err(|error| PackageError::entry(path, error))?;
    }
    let zip = zip
        .finish()
        .map_err(|error| PackageError::NotAZip(error.to_string()))?;
    Ok(zip.into_inner())
}

fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(mode)
}

fn text(path: &[u8]) -> Result<&str, PackageError> {
    std::str::from_utf8(path).map_err(|_| PackageError::entry(path, "it is not UTF-8; rename it"))
}
