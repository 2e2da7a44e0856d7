//! Archives unpacked: a zip's bytes become a tree, and the tree a folder (spec/lambda §8.1).
//!
//! Owns what an archive may be: stored or deflated entries, files, folders and links, modes as Unix keeps them. Sizes
//! that an archive declares are only believed when they refuse it; what counts is what comes out. Deliberately absent:
//! where things may lie ([`super::tree`]), and what remains of a refusal (the caller's, who gives a fresh folder).

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Cursor, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zip::read::ZipFileEntry;
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
/// Every one of [`PackageError`]. What was made until then stays.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::super::evil::{self, Entry, deflated, file, link};
    use super::*;

    const LIMIT: u64 = 1000;

    fn try_unpack(zip: &[u8], limit: u64) -> Result<tempfile::TempDir, PackageError> {
        let home = tempfile::tempdir().expect("a directory");
        unpack(zip, home.path(), limit).map(|()| home)
    }

    fn entries(entries: &[Entry]) -> Result<tempfile::TempDir, PackageError> {
        try_unpack(&evil::zip(entries), LIMIT)
    }

    fn why(entry: Entry) -> String {
        entries(&[entry]).expect_err("a refusal").to_string()
    }

    fn mode(home: &tempfile::TempDir, name: &str) -> u32 {
        let metadata = fs::symlink_metadata(home.path().join(name)).expect("an entry");
        metadata.permissions().mode() & 0o7777
    }

    /// A file of zeros, deflated: a hundred times smaller.
    fn zeros(size: usize) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("zeros", SimpleFileOptions::default())
            .expect("an entry");
        zip.write_all(&vec![0; size]).expect("room");
        zip.finish().expect("an end").into_inner()
    }

    #[test]
    fn files_folders_links_and_modes_come_out() {
        let home = entries(&[
            Entry {
                mode: 0o104_755,
                ..file("bootstrap", b"#!")
            },
            Entry {
                mode: 0o041_777,
                ..file("bin/", b"")
            },
            Entry {
                mode: 0o100_070,
                ..file("bin/private", b"")
            },
            Entry {
                mode: 0o040_500,
                ..file("folder", b"")
            },
            Entry {
                mode: 0o755,
                ..file("plain", b"x")
            },
            Entry {
                system: 0,
                mode: 0,
                ..file("dos/", b"")
            },
            Entry {
                system: 0,
                mode: 0o100_777,
                ..file("dos/x", b"")
            },
            file("implied/x", b"1"),
            deflated("implied/abc"),
            link("implied/l", "../bootstrap"),
        ])
        .expect("a package");
        let modes = [
            ("bootstrap", 0o755),
            ("bin", 0o777),
            ("bin/private", 0o470),
            ("folder", 0o700),
            ("plain", 0o755),
            ("dos", 0o755),
            ("dos/x", 0o644),
            ("implied", 0o755),
            ("implied/x", 0o644),
        ];
        for (name, expected) in modes {
            assert_eq!(mode(&home, name), expected, "{name}");
        }
        assert_eq!(fs::read(home.path().join("implied/l")).expect("a link"), b"#!");
        assert_eq!(fs::read(home.path().join("implied/abc")).expect("a file"), b"abc");
    }

    #[test]
    fn of_two_files_of_one_name_the_last_wins() {
        let home = entries(&[
            file("a", b"1"),
            file("./b", b"3"),
            file("a", b"2"),
            file("b", b"4"),
        ])
        .expect("a package");
        assert_eq!(fs::read(home.path().join("a")).expect("a file"), b"2");
        assert_eq!(fs::read(home.path().join("b")).expect("a file"), b"4");
    }

    #[test]
    fn what_leads_out_is_refused() {
        for name in ["/abs", "../up", "a/../../up", "..\\up", "nul\0"] {
            assert!(
                matches!(entries(&[file(name, b"")]), Err(PackageError::Escapes { .. })),
                "{name}"
            );
        }
        let evil = [
            vec![link("l", "/etc/passwd")],
            vec![link("l", "../x")],
            vec![link("d/up", ".."), link("out", "d/up/..")],
            vec![link("l", "."), file("l/x", b"")],
            vec![file("l/x", b""), link("l", ".")],
        ];
        for case in evil {
            assert!(
                entries(&case).is_err(),
                "{:?}",
                String::from_utf8_lossy(&case[0].name)
            );
        }
        for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
            assert!(
                why(Entry {
                    mode: kind | 0o644,
                    ..file("dev", b"")
                })
                .contains("device"),
                "{kind:o}"
            );
        }
        assert!(
            why(Entry {
                mode: 0o120_777,
                ..file("l/", b"x")
            })
            .contains("device")
        );
    }

    #[test]
    fn links_have_targets_a_system_can_have() {
        assert!(why(link("l", "")).contains("no path"));
        assert!(why(link("l", "a\0b")).contains("no path"));
        let target = "a/".repeat(NAME_LIMIT / 2);
        let long = |target: &str| try_unpack(&evil::zip(&[link("l", target)]), 10_000);
        long(&target).expect("1024 bytes");
        assert!(long(&format!("{target}a")).is_err());
    }

    #[test]
    fn what_cannot_be_inflated_is_refused() {
        assert!(
            why(Entry {
                flags: 1,
                ..file("a", b"secret")
            })
            .contains("encrypted")
        );
        for method in [1, 9, 12, 14, 93, 99, 1234] {
            assert!(
                why(Entry {
                    method,
                    ..file("a", b"x")
                })
                .contains("only deflate"),
                "{method}"
            );
        }
        assert!(
            why(Entry {
                method: 8,
                ..file("a", b"\xff\xff")
            })
            .contains("a: ")
        );
        assert!(
            why(Entry {
                crc: 1,
                ..file("a", b"x")
            })
            .contains("checksum")
        );
        assert!(
            why(Entry {
                size: 2,
                ..file("a", b"x")
            })
            .contains("shorter")
        );
        assert!(
            why(Entry {
                size: 0,
                ..file("a", b"x")
            })
            .contains("larger")
        );
        assert!(why(file("a/", b"x")).contains("folder with a content"));
    }

    #[test]
    fn sizes_are_smaller_than_the_limit() {
        let whole = |sizes: &[usize]| {
            let files = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| file(&n.to_string(), &vec![7; *size]));
            entries(&files.collect::<Vec<_>>())
        };
        whole(&[999]).expect("below");
        whole(&[500, 499, 0]).expect("below, together");
        assert!(matches!(whole(&[1000]), Err(PackageError::TooLargeUnzipped)));
        assert!(matches!(whole(&[500, 500]), Err(PackageError::TooLargeUnzipped)));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let bomb = zeros(1_000_000);
        assert!(bomb.len() < 10_000);
        try_unpack(&bomb, 1_000_001).expect("just room");
        assert!(matches!(
            try_unpack(&bomb, 1_000_000),
            Err(PackageError::TooLargeUnzipped)
        ));
        // The same, with a lie: the directory and the entry say 10 bytes.
        let small: Vec<u8> = {
            let size = 1_000_000u32.to_le_bytes();
            let mut bytes = bomb;
            while let Some(at) = bytes.windows(4).position(|four| four == size) {
                bytes[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
            }
            bytes
        };
        let home = tempfile::tempdir().expect("a directory");
        assert!(unpack(&small, home.path(), LIMIT).is_err());
        let written = fs::metadata(home.path().join("zeros")).map_or(0, |file| file.len());
        assert!(written < LIMIT, "{written}");
    }

    #[test]
    fn entries_that_share_their_bytes_count_each() {
        // Two directory entries, one content: the second's offset is the first's.
        let mut zip = evil::zip(&[file("a", &[1; 600]), file("b", &[1; 600])]);
        let second = zip
            .windows(4)
            .rposition(|four| four == b"PK\x01\x02")
            .expect("an entry")
            + 42;
        zip[second..second + 4].copy_from_slice(&[0; 4]);
        assert!(matches!(
            try_unpack(&zip, 1000),
            Err(PackageError::TooLargeUnzipped)
        ));
        try_unpack(&zip, 1201).expect("room for both");
    }

    #[test]
    fn an_archive_ends_where_it_ends() {
        let good = evil::zip(&[file("a", b"x")]);
        for end in 0..good.len() {
            assert!(try_unpack(&good[..end], LIMIT).is_err(), "{end}");
        }
        for tail in [&b"x"[..], &[0; 100], &good[..10]] {
            assert!(try_unpack(&[&good, tail].concat(), LIMIT).is_err(), "{tail:?}");
        }
        let comment = [&good[..good.len() - 2], b"\x02\0hi"].concat();
        try_unpack(&comment, LIMIT).expect("a comment is no garbage");
    }

    #[test]
    fn nothing_is_no_package() {
        for nothing in [Vec::new(), evil::zip(&[])] {
            assert!(matches!(try_unpack(&nothing, LIMIT), Err(PackageError::Empty)));
        }
        assert!(matches!(
            try_unpack(b"no zip at all", LIMIT),
            Err(PackageError::NotAZip(_))
        ));
    }
}
