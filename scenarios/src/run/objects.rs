//! The objects of a scenario's buckets as files: fixtures before the run, what is there after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::file::Scenario;

pub(super) fn put_fixtures(
    scenario: &Scenario,
    directories: &BTreeMap<String, PathBuf>,
) -> Result<(), Vec<Diagnostic>> {
    for (path, content) in &scenario.fixtures.objects {
        let Some(root) = directories.get(&path.value.source) else {
            continue;
        };
        let problem = |what: String| vec![Diagnostic::new("E303", what).at(path.span, "this fixture")];
        sources::s3::check_key(&path.value.key).map_err(|e| problem(e.to_string()))?;
        let target = root.join(&path.value.key);
        let body = content.bytes().map_err(|e| problem(e.to_string()))?;
        let made = target
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&target, body));
        made.map_err(|e| problem(e.to_string()))?;
    }
    Ok(())
}

/// Every file below a directory by its key; links are not followed.
pub(super) fn read_objects(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() => {
                    let key = path
                        .strip_prefix(root)
                        .ok()
                        .and_then(Path::to_str)
                        .map(str::to_owned);
                    if let (Some(key), Ok(body)) = (key, std::fs::read(&path)) {
                        found.insert(key, body);
                    }
                }
                _ => {}
            }
        }
    }
    found
}
