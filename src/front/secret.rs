//! What nobody outside can guess: secrets of keys that are given out and of URLs of code, different in every run.
//!
//! Owns the one place of the front where chance comes from the system instead of the seed: a seed is written in the
//! journal, and a secret must not be. Deliberately absent: who gets one.

use std::fmt;
use std::fs::File;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What the secrets of a run are derived from.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn fresh() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Secret(bytes))
    }

    /// A secret access key, 40 characters as AWS's: the same for the same name within a run.
    pub fn key(&self, name: &str) -> String {
        let mut text = self.text(name);
        text.truncate(40);
        text
    }

    /// A session token, 128 characters.
    pub fn token(&self, name: &str) -> String {
        let parts = (0..4).map(|part| self.text(&format!("token/{part}/{name}")).replace('=', ""));
        let mut text: String = parts.collect();
        text.truncate(128);
        text
    }

    /// A key for signatures of our own.
    pub fn bytes(&self, name: &str) -> [u8; 32] {
        Sha256::digest(self.text(name)).into()
    }

    fn text(&self, name: &str) -> String {
        let signer = Hmac::<Sha256>::new_from_slice(&self.0);
        let bytes = signer.map(|signer| signer.chain_update(name).finalize().into_bytes());
        bytes.map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()
    }
}

/// It is one.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_by_name_and_by_run() {
        let (one, two) = (Secret([1; 32]), Secret([2; 32]));
        assert_eq!(one.key("a"), one.key("a"));
        assert_eq!(one.key("a").len(), 40);
        assert!(one.key("a") != one.key("b") && one.key("a") != two.key("a"));
        assert!(one.token("a").len() == 128 && one.token("a") != one.token("b"));
        assert!(Secret::fresh().is_ok_and(|fresh| fresh.0 != [0; 32]));
    }
}
