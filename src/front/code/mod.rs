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

mod disk;
mod error;
#[cfg(test)]
mod evil;
mod pack;
mod store;
mod tree;
mod unzip;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use error::{PackageError, UNZIPPED_LIMIT, ZIPPED_LIMIT};
pub use store::CodeStore;

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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
