//! Packages of code: zips of functions and layers, checked, unpacked and kept by what they contain.
//!
//! ```text
//! <root>/<sha256 hex>/package.zip   the bytes, for downloads
//!                     code/         what they unpack to
//!        opt-<hex>/                 layers merged for /opt, by the list of them
//!        .half-<random>/            being made or removed; a crash leaves it, `open` sweeps it
//! ```
//!
//! Everything is made in `.half-*` and renamed, so a package is there whole or not at all, also after `kill -9`. A
//! power cut keeps the zip whole; files that were unpacked seconds before may not be. Deliberately absent: HTTP and
//! JSON, which functions use a package, and keeping handlers from changing it, which a mount does.
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the actions that take code are made after it")
)]

mod disk;
mod error;
#[cfg(test)]
mod evil;
mod pack;
mod tree;
mod unzip;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use error::at;
pub use error::{PackageError, UNZIPPED_LIMIT, ZIPPED_LIMIT};
use tree::Tree;

const HALF: &str = ".half-";
const OPT: &str = "opt-";
const ZIP: &str = "package.zip";
const CODE: &str = "code";

/// A package by its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// The zip's SHA-256 in padded standard base64: `CodeSha256` (spec/lambda §2).
    pub sha256: String,
    /// The zip's bytes: `CodeSize`.
    pub size: u64,
}

impl Package {
    fn of(zip: &[u8]) -> Package {
        Package {
            sha256: BASE64_STANDARD.encode(Sha256::digest(zip)),
            size: zip.len() as u64,
        }
    }

    /// Names its folder. A hash that is none, from a state file somebody edited, names one that is not there.
    fn name(&self) -> String {
        hex(&BASE64_STANDARD
            .decode(&self.sha256)
            .unwrap_or_else(|_| self.sha256.clone().into_bytes()))
    }
}

/// Where packages of code lie, by the SHA-256 of their zip. One process has it at a time; its threads may share it.
#[derive(Debug)]
pub struct CodeStore {
    root: PathBuf,
}

impl CodeStore {
    /// Opens the store, makes its directory (for its owner only), and sweeps what a crash left half made.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn open(root: PathBuf) -> io::Result<CodeStore> {
        fs::create_dir_all(&root)?;
        fs::set_permissions(&root, Permissions::from_mode(0o700))?;
        let store = CodeStore {
            root: root.canonicalize()?,
        };
        for (name, path) in store.list()? {
            if name.starts_with(HALF) {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(store)
    }

    /// Checks an upload, unpacks it and keeps it. The same bytes again are the same package, at the price of a hash.
    /// Blocks for the time of the disk.
    ///
    /// # Errors
    /// The archive is refused (spec/errors §6, §7), or the disk fails; nothing stays then.
    pub fn add(&self, zip: &[u8]) -> Result<Package, PackageError> {
        if zip.len() as u64 >= ZIPPED_LIMIT {
            return Err(PackageError::TooLargeZipped);
        }
        self.keep(zip)
    }

    /// Packs a folder, as the code of a version, and keeps it: nothing is left out but `.triggerfish` folders and this
    /// store. The limit of uploads does not apply, that of unpacked code does.
    ///
    /// # Errors
    /// As [`add`](Self::add); also for names that are not UTF-8, and for what cannot be read or is no file, folder or link.
    pub fn pack(&self, folder: &Path) -> Result<Package, PackageError> {
        let folder = folder.canonicalize().map_err(at(folder))?;
        self.keep(&pack::pack(&folder, &self.root)?)
    }

    /// Says where a package's unpacked code is.
    pub fn folder(&self, package: &Package) -> PathBuf {
        self.place(package).join(CODE)
    }

    /// Says where a package's zip is.
    pub fn zip(&self, package: &Package) -> PathBuf {
        self.place(package).join(ZIP)
    }

    /// Counts the bytes of a package's unpacked files: those of a function and its layers together have
    /// [`UNZIPPED_LIMIT`] too (spec/lambda §8.7), which is for the caller to check.
    ///
    /// # Errors
    /// The package is not there.
    pub fn unzipped(&self, package: &Package) -> Result<u64, PackageError> {
        disk::bytes(&disk::read(&self.folder(package), Path::new(""))?)
    }

    /// Merges layers, in order, into one directory for `/opt` (spec/lambda §8.7); none for no layers. The same list is
    /// the same directory. Files are hard links where the disk allows.
    ///
    /// # Errors
    /// A layer is not there, links of one lead out through another's, there are too many files, or the disk fails.
    pub fn opt(&self, layers: &[Package]) -> Result<Option<PathBuf>, PackageError> {
        if layers.is_empty() {
            return Ok(None);
        }
        let list: Vec<String> = layers.iter().map(Package::name).collect();
        let place = self
            .root
            .join(format!("{OPT}{}", hex(&Sha256::digest(list.join("/")))));
        if !place.is_dir() {
            self.make(&place, |whole| {
                let mut tree = Tree::default();
                for layer in layers {
                    tree.cover(disk::read(&self.folder(layer), Path::new(""))?);
                }
                tree.check_count()?;
                disk::lay_out(&tree, whole, |from: &PathBuf, path, _| {
                    // A file has as many names as its file system allows; copying keeps the mode as well.
                    fs::hard_link(from, path)
                        .or_else(|_| fs::copy(from, path).map(|_| ()))
                        .map_err(at(path))
                })
            })?;
        }
        Ok(Some(place))
    }

    /// Removes every package and every directory for `/opt` that is not named. Call it when what
    /// [`add`](Self::add), [`pack`](Self::pack) and [`opt`](Self::opt) last gave is in the lists.
    ///
    /// # Errors
    /// Something cannot be removed; what comes after it stays until the next time.
    pub fn keep_only(&self, used: &BTreeSet<Package>, opts: &BTreeSet<PathBuf>) -> io::Result<()> {
        let used: BTreeSet<String> = used.iter().map(Package::name).collect();
        for (name, path) in self.list()? {
            let package = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let gone = match name.starts_with(OPT) {
                true => !opts.contains(&path),
                false => package && !used.contains(&name),
            };
            if gone {
                // Renamed first: half a package must not look like one.
                let half = self.half()?;
                fs::rename(&path, half.path().join(name))?;
                half.close()?;
            }
        }
        Ok(())
    }

    fn place(&self, package: &Package) -> PathBuf {
        self.root.join(package.name())
    }

    fn keep(&self, zip: &[u8]) -> Result<Package, PackageError> {
        let package = Package::of(zip);
        let place = self.place(&package);
        if !place.is_dir() {
            self.make(&place, |whole| {
                let (bytes, code) = (whole.join(ZIP), whole.join(CODE));
                fs::create_dir(&code).map_err(at(&code))?;
                unzip::unpack(zip, &code, UNZIPPED_LIMIT)?;
                write_through(&bytes, zip).map_err(at(&bytes))
            })?;
        }
        Ok(package)
    }

    /// Lets a directory be filled, and moves it to its place when it is whole.
    fn make(
        &self,
        place: &Path,
        fill: impl FnOnce(&Path) -> Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        let half = self.half().map_err(at(&self.root))?;
        let whole = half.path().join("whole");
        fs::create_dir(&whole).map_err(at(&whole))?;
        fill(&whole)?;
        match fs::rename(&whole, place) {
            // Another thread was faster with the same content.
            Err(_) if place.is_dir() => Ok(()),
            renamed => renamed
                .and_then(|()| File::open(&self.root)?.sync_all())
                .map_err(at(place)),
        }
    }

    fn half(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(HALF).tempdir_in(&self.root)
    }

    /// Lists what lies in the store; names that are not UTF-8 are not ours.
    fn list(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut list = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                list.push((name, entry.path()));
            }
        }
        Ok(list)
    }
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
