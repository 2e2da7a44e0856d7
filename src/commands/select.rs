//! Which files are meant: scenarios below directories, in the order of their paths.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Every scenario file at or below `paths`. A directory's files count if they are YAML and have a `schema`
/// and `steps` or `expect` at the top; hidden directories, `node_modules` and `target` are not entered.
pub fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_file() {
            found.push(path.clone());
        } else if path.is_dir() {
            walk(path, &mut found)?;
        } else {
            bail!("{} does not exist", path.display());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
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
            walk(&path, found)?;
        } else if is_yaml(&path)
            && std::fs::read_to_string(&path).is_ok_and(|text| looks_like_a_scenario(&text))
        {
            found.push(path);
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml"))
}

fn looks_like_a_scenario(text: &str) -> bool {
    let top = |key: &str| text.lines().any(|line| line.starts_with(key));
    top("schema:") && (top("steps:") || top("expect:"))
}

/// The path as people want to see it: relative to where they stand, if it is below.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
