//! Which files are meant: scenarios below directories, in the order of their paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Every scenario file at or below `paths`. A directory's files count if they are YAML and have a `schema`
/// and `steps` or `expect` at the top; hidden directories, `node_modules` and `target` are not entered.
pub fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    files(paths, &looks_like_a_scenario)
}

/// Every project file below the directories of `paths`: YAML with a `schema` and parts of a fabric, but no steps.
pub fn projects(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let directories: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    files(&directories, &looks_like_a_project)
}

type Looks<'a> = &'a dyn Fn(&str) -> bool;

fn files(paths: &[PathBuf], wanted: Looks<'_>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_file() {
            found.push(path.clone());
        } else if path.is_dir() {
            walk(path, wanted, &mut found)?;
        } else {
            bail!("{} does not exist", path.display());
        }
    }
    // Of several ways to name a file the shortest is shown.
    found.sort_by_key(|path| (place(path), path.components().count()));
    let mut places = BTreeSet::new();
    found.retain(|path| places.insert(place(path)));
    Ok(found)
}

/// Where a file is, however it was named: it runs once. A link to a file is a file of its own, as what it names lies
/// relative to it.
pub fn place(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty());
    match (
        std::fs::canonicalize(directory.unwrap_or(Path::new("."))),
        path.file_name(),
    ) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

fn walk(directory: &Path, wanted: Looks<'_>, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("failed to read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        let hidden = name
            .to_str()
            .is_none_or(|n| n.starts_with('.') || n == "node_modules" || n == "target");
        if hidden {
            continue;
        }
        if kind.is_dir() {
            walk(&path, wanted, found)?;
        } else if is_yaml(&path) && std::fs::read_to_string(&path).is_ok_and(|text| wanted(&text)) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml"))
}

fn looks_like_a_scenario(text: &str) -> bool {
    has(text, &["schema:"]) && has(text, &["steps:", "expect:"])
}

fn looks_like_a_project(text: &str) -> bool {
    let parts = ["functions:", "sources:", "routes:", "sinks:", "vars:"];
    has(text, &["schema:"]) && has(text, &parts) && !looks_like_a_scenario(text)
}

/// Whether one of these keys stands at the top.
fn has(text: &str, keys: &[&str]) -> bool {
    text.lines()
        .any(|line| keys.iter().any(|key| line.starts_with(key)))
}

/// The path as people want to see it: relative to where they stand, if it is below.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn a_file_that_is_named_in_several_ways_runs_once() {
        let root = tempfile::tempdir().unwrap();
        let here = root.path();
        std::fs::create_dir(here.join("a")).unwrap();
        std::os::unix::fs::symlink(here.join("a"), here.join("link")).unwrap();
        for name in ["a/b.yaml", "a_b.yaml"] {
            std::fs::write(here.join(name), "schema: 1\nsteps: []\n").unwrap();
        }
        let named = [
            "a/b.yaml",
            "a/../a/b.yaml",
            "a/./b.yaml",
            "link/b.yaml",
            "a_b.yaml",
            "a",
            ".",
        ];
        let paths: Vec<PathBuf> = named.iter().map(|name| here.join(name)).collect();
        let found = scenarios(&paths).unwrap();
        assert_eq!(found, [here.join("a/b.yaml"), here.join("a_b.yaml")]);
    }
}
