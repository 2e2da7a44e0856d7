//! Why a package of code is refused, and what Lambda says to it (spec/errors §6, §7).
//!
//! Owns the texts. Deliberately absent: codes and statuses of HTTP, which are the front's.

use std::fmt;
use std::io;
use std::path::Path;

/// A direct upload must be smaller than this many bytes, 50 MiB; an object of S3 need not (spec/lambda §8.1).
pub const ZIPPED_LIMIT: u64 = 52_428_800;

/// What an upload unpacks to must be smaller than this many bytes, 250 MiB (spec/lambda §8.1).
pub const UNZIPPED_LIMIT: u64 = 262_144_000;

/// What Lambda says to an archive that it cannot use, whatever is wrong with it (spec/errors §6).
const CANNOT_UNZIP: &str = "Could not unzip uploaded file. Please check your file, then try to upload again.";

/// What Lambda says to no bytes, or to an archive without entries; not in the spec, remembered from AWS.
const EMPTY: &str = "Uploaded file must be a non-empty zip";

/// A refusal of a package, or the failure to keep it. Nothing of the package is left behind.
#[derive(Debug)]
pub enum PackageError {
    /// The archive unpacks to [`UNZIPPED_LIMIT`] bytes or more.
    TooLargeUnzipped,
    /// There are no bytes, or no entries.
    Empty,
    /// The archive is damaged, or made in a way that Lambda does not take; says which.
    NotAZip(String),
    /// An entry would be made, or would lead, outside of the package.
    Escapes {
        /// The entry's name, made printable.
        entry: String,
        /// What is wrong with it, as the end of a sentence that begins with the name.
        why: &'static str,
    },
    /// The disk is full, a file cannot be read, and the like; says where.
    Io(io::Error),
}

impl PackageError {
    /// Says what AWS says: one text for everything that does not unzip. `Display` tells more.
    pub fn message(&self) -> String {
        match self {
            PackageError::TooLargeUnzipped => {
                format!("Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")
            }
            PackageError::Empty => EMPTY.to_owned(),
            PackageError::NotAZip(_) | PackageError::Escapes { .. } => CANNOT_UNZIP.to_owned(),
            PackageError::Io(error) => error.to_string(),
        }
    }

    /// Makes the refusal of an entry.
    pub(super) fn escapes(entry: &[u8], why: &'static str) -> PackageError {
        PackageError::Escapes {
            entry: printable(entry),
            why,
        }
    }

    /// Makes the refusal of an archive because of one entry.
    pub(super) fn entry(entry: &[u8], why: impl fmt::Display) -> PackageError {
        PackageError::NotAZip(format!("{}: {why}", printable(entry)))
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackageError::NotAZip(why) => write!(f, "the archive cannot be unpacked: {why}"),
            PackageError::Escapes { entry, why } => write!(f, "the archive's entry `{entry}` {why}"),
            PackageError::TooLargeUnzipped => {
                write!(f, "{}; leave out what the function does not need", self.message())
            }
            PackageError::Empty | PackageError::Io(_) => f.write_str(&self.message()),
        }
    }
}

impl std::error::Error for PackageError {}

/// Names the path that an operation failed at, which the system's error does not.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> PackageError {
    let path = path.to_owned();
    move |error| {
        PackageError::Io(io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        ))
    }
}

/// Shortens, because names of evil archives are long, and takes control characters out.
fn printable(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.chars().take(120).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_says_few_words_and_we_say_more() {
        let escapes = PackageError::escapes(b"../a\n", "leads out");
        assert_eq!(escapes.message(), CANNOT_UNZIP);
        assert_eq!(escapes.to_string(), "the archive's entry `../a\\n` leads out");
        assert_eq!(
            PackageError::TooLargeUnzipped.message(),
            "Unzipped size must be smaller than 262144000 bytes"
        );
    }

    #[test]
    fn an_error_of_the_system_says_where() {
        let error = at(Path::new("/a"))(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(error.message(), "/a: entity not found");
        assert!(matches!(error, PackageError::Io(error) if error.kind() == io::ErrorKind::NotFound));
    }
}
