//! Looking at one file: what it is, whether anyone still writes it, and the MD5 of its bytes.
//!
//! Symbolic links are never followed, neither at the end of a path nor on the way to it, so nothing
//! outside of the bucket's directory can become an object.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use md5::{Digest as _, Md5};

use router::name::hex;

use super::index::Stamp;

/// How often reading starts over because the file changed meanwhile.
const READS: usize = 3;

/// What is at a key's place.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing that could be an object: nothing at all, a link, a pipe, a device.
    Nothing,
    /// A directory.
    Directory,
    /// A file.
    File(Stamp),
    /// It cannot be told: a directory on the way may not be read.
    Unknown,
}

/// Whether someone has a file open for writing.
#[derive(Debug, PartialEq, Eq)]
pub enum Writer {
    /// Nobody has.
    Absent,
    /// Someone has.
    Present,
    /// This file system, or our rights on the file, do not tell.
    Unknown,
}

/// A file read to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// The bytes that the stamp and the MD5 describe.
    Whole(Stamp, String),
    /// Someone writes it.
    Written,
    /// It changed with every reading.
    Unstable,
    /// It is gone, or no file any more.
    Gone,
    /// It cannot be read.
    Unreadable(ErrorKind),
}

/// What is at `key` below `root`.
pub fn place(root: &Path, key: &str) -> Place {
    let mut path = root.to_owned();
    if !key.is_empty() {
        let mut segments = key.split('/').peekable();
        while let Some(segment) = segments.next() {
            path.push(segment);
            if segments.peek().is_none() {
                break;
            }
            match std::fs::symlink_metadata(&path) {
                Ok(m) if m.is_dir() => {}
                Ok(_) => return Place::Nothing,
                Err(e) => return absent(e.kind()),
            }
        }
    }
    match std::fs::symlink_metadata(&path) {
        Ok(m) if m.is_dir() => Place::Directory,
        Ok(m) if m.is_file() => Place::File(stamp(&m)),
        Ok(_) => Place::Nothing,
        Err(e) => absent(e.kind()),
    }
}

/// Only an error that says so means that nothing is there.
fn absent(why: ErrorKind) -> Place {
    match why {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => Place::Nothing,
        _ => Place::Unknown,
    }
}

/// What tells whether a file changed.
pub fn stamp(metadata: &Metadata) -> Stamp {
    let mtime = metadata
        .mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.mtime_nsec());
    Stamp {
        size: metadata.size(),
        mtime,
        inode: metadata.ino(),
    }
}

/// Reads a file that nobody writes. Where the system does not tell, `trusted` says whether there is other
/// evidence that it is complete.
pub fn read(path: &Path, trusted: bool) -> Content {
    // Without O_NONBLOCK, opening a pipe that took the file's place would wait for its writer.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Content::Gone,
        Err(e) if e.raw_os_error() == Some(libc::ELOOP) => return Content::Gone,
        Err(e) => return Content::Unreadable(e.kind()),
    };
    match writer(&file) {
        Writer::Present => return Content::Written,
        Writer::Unknown if !trusted => return Content::Written,
        Writer::Unknown | Writer::Absent => {}
    }
    for _ in 0..READS {
        let before = match file.metadata() {
            Ok(m) if m.is_file() => stamp(&m),
            Ok(_) => return Content::Gone,
            Err(e) => return Content::Unreadable(e.kind()),
        };
        let md5 = match digest(&mut file) {
            Ok(md5) => md5,
            Err(e) => return Content::Unreadable(e.kind()),
        };
        match file.metadata() {
            Ok(m) if stamp(&m) == before => return Content::Whole(before, md5),
            Ok(_) => {}
            Err(e) => return Content::Unreadable(e.kind()),
        }
    }
    Content::Unstable
}

/// Whether someone has the file open for writing, as far as the system tells.
pub fn is_written(path: &Path) -> bool {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path);
    file.is_ok_and(|file| writer(&file) == Writer::Present)
}

fn digest(file: &mut File) -> std::io::Result<String> {
    use std::io::Seek as _;
    file.rewind()?;
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&md5.finalize())),
            Ok(n) => md5.update(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The MD5 of `bytes` in hex, as an `eTag` without quotes.
pub fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// Asks whether someone has the file open for writing: the kernel refuses a read lease if so.
///
/// The lease is given back at once. Should a writer come in the microsecond between, it waits that
/// microsecond, and the break is told by SIGURG, which processes ignore unless they ask for it.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "neither std nor nix has F_SETLEASE and F_SETSIG")]
fn writer(file: &File) -> Writer {
    use std::os::fd::AsRawFd as _;
    const F_SETSIG: libc::c_int = 10;
    let fd = file.as_raw_fd();
    // SAFETY: `fd` stays open, and owned by `file`, over both calls; neither touches memory.
    let taken = unsafe {
        if libc::fcntl(fd, F_SETSIG, libc::SIGURG) == -1 {
            return Writer::Unknown;
        }
        libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK)
    };
    if taken == -1 {
        return match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN) => Writer::Present,
            _ => Writer::Unknown,
        };
    }
    // SAFETY: as above.
    unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
    Writer::Absent
}

/// Elsewhere nobody tells.
#[cfg(not(target_os = "linux"))]
fn writer(_: &File) -> Writer {
    Writer::Unknown
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn a_file_is_read_when_its_last_writer_closed_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let one = File::create(&path).unwrap();
        let two = File::options().write(true).open(&path).unwrap();
        assert_eq!(read(&path, true), Content::Written);
        drop(one);
        assert_eq!(read(&path, true), Content::Written);
        drop(two);
        let Content::Whole(stamp, md5) = read(&path, false) else {
            panic!("is complete")
        };
        assert_eq!(
            (stamp.size, md5.as_str()),
            (0, "d41d8cd98f00b204e9800998ecf8427e")
        );
    }

    #[test]
    fn links_pipes_and_missing_files_are_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        std::fs::write(dir.path().join("out/f"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path().join("out"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("out/f"), root.join("f")).unwrap();
        let status = std::process::Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status()
            .unwrap();
        assert!(status.success());
        for key in ["link", "link/f", "f", "pipe", "none", "none/x"] {
            assert_eq!(place(&root, key), Place::Nothing, "{key}");
        }
        assert_eq!(place(&root, &"n".repeat(256)), Place::Nothing);
        assert_eq!(absent(ErrorKind::PermissionDenied), Place::Unknown);
        assert_eq!(place(&root, ""), Place::Directory);
        assert_eq!(read(&root.join("f"), true), Content::Gone);
        assert_eq!(read(&root.join("pipe"), true), Content::Gone);
    }
}
