//! Walking a directory tree: every folder is watched first and listed second.
//!
//! The order matters. A file made after the watch announces itself, one made before is in the listing,
//! and one made in between is both, which costs one look more.

use std::path::Path;

use super::key;
use super::watch::Watch;
use crate::source::SourceError;

/// Calls `found` with the key of every file in the bucket.
pub fn walk(root: &Path, watch: &mut Watch, found: impl FnMut(String)) -> Result<(), SourceError> {
    walk_from(root, "", watch, found)
}

/// Calls `found` with the key of every file below the directory `from` (empty for the root).
/// Links are not followed, and names that are not UTF-8 are skipped with a warning.
///
/// # Errors
/// A directory could not be watched. It was listed all the same, and so was the rest.
pub fn walk_from(
    root: &Path,
    from: &str,
    watch: &mut Watch,
    mut found: impl FnMut(String),
) -> Result<(), SourceError> {
    let mut folders = vec![from.to_owned()];
    let mut blind = Ok(());
    while let Some(folder) = folders.pop() {
        let path = if folder.is_empty() {
            root.to_owned()
        } else {
            root.join(&folder)
        };
        match watch.add(&path) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => blind = blind.and(Err(error)),
        }
        let Ok(entries) = std::fs::read_dir(&path) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                tracing::warn!(file = %entry.path().display(), "file name is not UTF-8, so it has no key");
                continue;
            };
            let key = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            if kind.is_dir() && !key::is_ours(&key) {
                folders.push(key);
            } else if kind.is_file() {
                found(key);
            }
        }
    }
    blind
}
