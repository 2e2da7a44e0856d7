//! Keys: how they are written in events, which texts can be keys here, which names never become objects.
//!
//! Deliberately absent: Unicode normalisation. NFC and NFD spellings of a file name are different keys.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::source::SourceError;

/// The longest key, in UTF-8 bytes (spec/sources/s3 §3).
pub const MAX_KEY: usize = 1024;
/// The longest file name that Linux file systems take.
const MAX_NAME: usize = 255;
/// Names of our own temporary files; never objects, whatever the configuration says.
pub const OWN_TEMPORARY: &str = ".triggerfish-";
/// The directory of our own state and journals: never part of a bucket, even of one that holds it.
const OWN_DIRECTORY: &str = ".triggerfish";

/// Names of temporary files that editors, browsers and file systems leave (spec/sources/s3 §7 rule 5).
pub const DEFAULT_IGNORE: [&str; 12] = [
    ".*.swp",
    ".*.swx",
    "*~",
    "4913",
    ".#*",
    "#*#",
    "*.tmp",
    "*.part",
    "*.crdownload",
    ".DS_Store",
    ".nfs*",
    ".goutputstream-*",
];

/// A key as events carry it: form-encoded UTF-8 bytes with `/` left as it is (spec/sources/s3 §3).
pub fn encode(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 8);
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'*' | b'/' => {
                text.push(char::from(byte));
            }
            b' ' => text.push('+'),
            _ => {
                text.push('%');
                text.push(HEX[usize::from(byte >> 4)]);
                text.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    text
}

const HEX: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
];

/// Checks that a file below a directory can stand for `key`.
pub fn check(key: &str) -> Result<(), SourceError> {
    let refuse = |why: &str| Err(SourceError::new(format!("key `{}` {why}", shorten(key))).at("key"));
    if key.is_empty() {
        return Err(SourceError::new("the key is empty").at("key"));
    }
    if key.len() > MAX_KEY {
        return refuse("is longer than 1024 bytes");
    }
    if key.contains('\0') {
        return refuse("holds a NUL character");
    }
    if key.starts_with('/') {
        return refuse("begins with `/`, which a directory cannot hold");
    }
    if key.ends_with('/') {
        return refuse("ends with `/`: a directory is no object here");
    }
    for segment in key.split('/') {
        match segment {
            "" => return refuse("holds `//`, which a directory cannot hold"),
            "." | ".." => return refuse("holds a `.` or `..` segment, which would leave its place"),
            long if long.len() > MAX_NAME => return refuse("holds a name longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

fn shorten(key: &str) -> String {
    let mut text: String = key.chars().take(60).collect();
    if text.len() < key.len() {
        text.push('…');
    }
    text
}

/// Whether `key` is our own state or journal, which changes with every event.
pub fn is_ours(key: &str) -> bool {
    key.split('/').any(|segment| segment == OWN_DIRECTORY)
}

/// The names that never become objects.
#[derive(Clone, Debug)]
pub struct Ignore(GlobSet);

impl Ignore {
    /// The default list, or the list that replaces it.
    pub fn new(globs: Option<&[String]>) -> Result<Self, SourceError> {
        let mut set = GlobSetBuilder::new();
        let mut add = |glob: &str| {
            let bad = |e: globset::Error| {
                SourceError::new(format!("`{glob}` is not a pattern of names: {}", e.kind()))
                    .at("ignore")
                    .help("write shell patterns, such as `*.tmp`")
            };
            set.add(Glob::new(glob).map_err(bad)?);
            Ok(())
        };
        match globs {
            Some(globs) => globs.iter().try_for_each(|glob| add(glob))?,
            None => DEFAULT_IGNORE.iter().try_for_each(|glob| add(glob))?,
        }
        let built = set
            .build()
            .map_err(|e| SourceError::new(e.to_string()).at("ignore"))?;
        Ok(Ignore(built))
    }

    /// Whether `key` never becomes an object: its name matches, or the whole key does.
    pub fn hides(&self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or(key);
        name.starts_with(OWN_TEMPORARY) || is_ours(key) || self.0.is_match(name) || self.0.is_match(key)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn keys_are_form_encoded_with_slashes_left_alone() {
        for (plain, encoded) in [
            ("testupload/dir1/testfile.txt", "testupload/dir1/testfile.txt"),
            ("a@b", "a%40b"),
            ("images/red flower.jpg", "images/red+flower.jpg"),
            ("a+b", "a%2Bb"),
            ("100%", "100%25"),
            ("a:b=c(d)", "a%3Ab%3Dc%28d%29"),
            ("café", "caf%C3%A9"),
            ("cafe\u{301}", "cafe%CC%81"),
            ("-_.*~", "-_.*%7E"),
            ("日本/🐟", "%E6%97%A5%E6%9C%AC/%F0%9F%90%9F"),
            ("new\nline", "new%0Aline"),
        ] {
            assert_eq!(encode(plain), encoded);
        }
    }

    #[test]
    fn keys_that_would_leave_the_bucket_are_refused() {
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&"x".repeat(256)).is_err());
        assert!(check(&format!("{}x", "é/".repeat(341) + "aa")).is_err());
        for good in ["a", "a/b", "..a", "a..", "…", &"x".repeat(255)] {
            assert!(check(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn temporary_names_are_ignored_and_the_list_can_be_replaced() {
        let ignore = Ignore::new(None).unwrap();
        for name in [
            ".x.swp",
            "a/.x.swx",
            "x~",
            "4913",
            ".#x",
            "#x#",
            "a/x.tmp",
            "x.part",
            ".nfs01",
            ".DS_Store",
        ] {
            assert!(ignore.hides(name), "{name}");
        }
        for name in ["x.swp", "x.jpg", "14913", "tmp", "x.tmp/y"] {
            assert!(!ignore.hides(name), "{name}");
        }
        assert!(ignore.hides(".triggerfish/runs/up-1/journal.jsonl") && !ignore.hides("a.triggerfish/x"));
        let own = Ignore::new(Some(&["*.bak".into()])).unwrap();
        assert!(own.hides("a/b.bak") && !own.hides("x.tmp") && own.hides(".triggerfish-1"));
        assert!(Ignore::new(Some(&["[".into()])).is_err());
    }
}
