//! `triggerfish init`: a project that works, to change into one's own.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cli::Init;
use crate::output::say;

const FILES: &[(&str, &str)] = &[
    (
        "triggerfish.yaml",
        include_str!("../../scenarios/template/triggerfish.yaml"),
    ),
    (
        "describe/app.py",
        include_str!("../../scenarios/template/describe/app.py"),
    ),
    (
        "scenarios/put.yaml",
        include_str!("../../scenarios/template/scenarios/put.yaml"),
    ),
    (".gitignore", ".triggerfish/\n__pycache__/\n"),
];

/// Runs the command.
pub fn run(args: &Init) -> Result<u8> {
    let root = &args.directory;
    if std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; choose a new directory", root.display());
    }
    for (name, text) in FILES {
        write(&root.join(name), text)?;
    }
    std::fs::create_dir_all(root.join("uploads"))?;
    say!(
        "made {0}. Next:\n  cd {0} && triggerfish up          # then: cp photo.jpg uploads/\n  triggerfish test scenarios",
        root.display()
    );
    Ok(super::OK)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("failed to make {}", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
