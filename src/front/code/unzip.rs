//! Archives unpacked: a zip's bytes become a tree, and the tree a folder (spec/lambda §8.1).
//!
//! Owns what an archive may be: stored or deflated entries, files, folders and links, modes as Unix keeps them. Sizes
//! that an archive declares are only believed when they refuse it; what counts is what comes out. Deliberately absent:
//! where things may lie ([`super::tree`]), and what remains of a refusal (the caller's, who gives a fresh folder).

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Cursor, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zip::read::{HasZipMetadata, ZipFileEntry};
use zip::{CompressionMethod, System, ZipArchive};

use super::disk;
use super::error::{PackageError, at};
use super::tree::{NAME_LIMIT, NODE_LIMIT, Node, Tree};

/// Which bits of a mode say what kind of thing it is, and the kinds.
const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// The length of the record at the end of an archive, without the comment that ends it.
const END_RECORD: usize = 22;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Unpacks an archive into an empty folder; what comes out must be smaller than `limit` bytes.
///
/// # Errors
/// Everything but [`PackageError::TooLargeZipped`]. What was made until then stays.
pub fn unpack(zip: &[u8], into: &Path, limit: u64) -> Result<(), PackageError> {
    let mut archive = open(zip)?;
    let mut room = Room {
        left: limit,
        buffer: vec![0; 64 * 1024],
    };
    let tree = plan(&mut archive, &mut room)?;
    disk::lay_out(&tree, into, |index, path, mode| {
        let mut file = create(path, mode).map_err(at(path))?;
        inflate(&mut archive, *index, &mut room, |bytes| {
            file.write_all(bytes).map_err(at(path))
        })
    })
}

/// How many bytes may still come out, less one: the size must be *smaller* than the limit.
struct Room {
    left: u64,
    buffer: Vec<u8>,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), PackageError> {
        match self.left.checked_sub(bytes as u64) {
            Some(left) if left > 0 => self.left = left,
            _ => return Err(PackageError::TooLargeUnzipped),
        }
        Ok(())
    }
}

fn open(zip: &[u8]) -> Result<Archive<'_>, PackageError> {
    if zip.is_empty() {
        return Err(PackageError::Empty);
    }
    let archive =
        ZipArchive::new(Cursor::new(zip)).map_err(|error| PackageError::NotAZip(error.to_string()))?;
    if !ends_with_record(zip, archive.comment()) {
        return Err(PackageError::NotAZip("something follows its end".to_owned()));
    }
    if archive.is_empty() {
        return Err(PackageError::Empty);
    }
    Ok(archive)
}

fn ends_with_record(zip: &[u8], comment: &[u8]) -> bool {
    let record = zip.len().checked_sub(END_RECORD + comment.len());
    record.is_some_and(|record| {
        let (end, length) = (&zip[record..], [zip[record + 20], zip[record + 21]]);
        end.starts_with(b"PK\x05\x06") && usize::from(u16::from_le_bytes(length)) == comment.len()
    })
}

/// Learns what is in an archive before anything of it is written. Of entries of one name the library gives the last.
fn plan(archive: &mut Archive<'_>, room: &mut Room) -> Result<Tree<usize>, PackageError> {
    // Most bombs say how large they are; this saves the work. Whether it is true is seen when it comes out.
    let declared = (0..archive.len()).filter_map(|index| archive.by_index_data(index).ok());
    let declared = declared.fold(0u64, |sum, entry| sum.saturating_add(entry.size()));
    if declared >= room.left {
        return Err(PackageError::TooLargeUnzipped);
    }
    if archive.len() > NODE_LIMIT {
        return Err(PackageError::NotAZip(format!("more than {NODE_LIMIT} entries")));
    }
    let mut tree = Tree::default();
    for index in 0..archive.len() {
        let entry = archive
            .by_index_data(index)
            .map_err(|error| PackageError::NotAZip(error.to_string()))?;
        let name = entry.name_raw().to_vec();
        check(&entry)?;
        let node = match kind(&entry)? {
            FOLDER => Node::folder(mode(&entry).unwrap_or(0o755)),
            LINK => Node::Link(target(archive, index, room)?),
            _ => Node::file(mode(&entry).unwrap_or(0o644), index),
        };
        tree.put(&name, node)?;
    }
    Ok(tree)
}

/// Refuses what cannot be inflated.
fn check(entry: &ZipFileEntry<'_>) -> Result<(), PackageError> {
    let name = entry.name_raw();
    if entry.encrypted() {
        return Err(PackageError::entry(name, "it is encrypted"));
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(()),
        other => Err(PackageError::entry(
            name,
            format!("it is compressed by {other}, only deflate is taken"),
        )),
    }
}

/// Tells a file, a folder and a link apart: by the mode, or by the slash at the end.
fn kind(entry: &ZipFileEntry<'_>) -> Result<u32, PackageError> {
    let name = entry.name_raw();
    let slash = name.ends_with(b"/");
    match (unix(entry).unwrap_or(0) & KIND, slash) {
        (FOLDER, _) | (0 | FILE, true) if entry.size() > 0 => {
            Err(PackageError::entry(name, "it is a folder with a content"))
        }
        (FOLDER, _) | (0 | FILE, true) => Ok(FOLDER),
        (0 | FILE, false) => Ok(FILE),
        (LINK, false) => Ok(LINK),
        _ => Err(PackageError::escapes(name, "is a device, a pipe or a socket")),
    }
}

/// Gives the permissions, if the archive has them: a system without them leaves zero.
fn mode(entry: &ZipFileEntry<'_>) -> Option<u32> {
    unix(entry).filter(|mode| *mode != 0)
}

fn unix(entry: &ZipFileEntry<'_>) -> Option<u32> {
    matches!(entry.system(), System::Unix | System::OsDarwin).then(|| entry.external_attributes() >> 16)
}

/// Reads where a link leads to.
fn target(archive: &mut Archive<'_>, index: usize, room: &mut Room) -> Result<Vec<u8>, PackageError> {
    let mut target = Vec::new();
    inflate(archive, index, room, |bytes| {
        target.extend_from_slice(bytes);
        Ok(())
    })?;
    if target.is_empty() || target.len() > NAME_LIMIT || target.contains(&0) {
        return Err(PackageError::NotAZip(format!(
            "a link leads to no path, or one of more than {NAME_LIMIT} bytes"
        )));
    }
    Ok(target)
}

/// Inflates an entry piece by piece. Reading from memory fails only where the archive is damaged.
fn inflate(
    archive: &mut Archive<'_>,
    index: usize,
    room: &mut Room,
    mut write: impl FnMut(&[u8]) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    let mut entry = archive
        .by_index(index)
        .map_err(|error| PackageError::NotAZip(error.to_string()))?;
    let mut size = 0;
    loop {
        let read = entry
            .read(&mut room.buffer)
            .map_err(|error| PackageError::entry(entry.name_raw(), error))?;
        room.take(read)?;
        size += read as u64;
        if read == 0 {
            break;
        }
        write(&room.buffer[..read])?;
    }
    match size == entry.size() {
        true => Ok(()),
        false => Err(PackageError::entry(
            entry.name_raw(),
            "it is shorter than it says",
        )),
    }
}

fn create(path: &Path, mode: u32) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    // The mask of the process has cut the mode.
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}
