//! Code that is changed while `up` runs: the function's environments are replaced, as by UpdateFunctionCode
//! (spec/lambda §3.1, Recycling).
//!
//! Owns the watch on functions' directories and what counts as code. A change is heard when a file is closed, renamed
//! or removed, so the last of a series finds the whole. Deliberately absent: the project file; a change of it
//! wants a new `up`.

use std::path::{Path, PathBuf};

use executor::{Code, Functions};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What a handler is made of. Anything else in its directory may be data.
const ENDINGS: &[&str] = &["cjs", "js", "mjs", "node", "py", "so"];

/// Watches until it is dropped.
pub struct Reload(#[expect(dead_code, reason = "held, because it watches")] RecommendedWatcher);

impl Reload {
    /// Starts to watch; what lies in `data` is no code, such as a bucket's directory.
    ///
    /// # Errors
    /// The system has no watcher to give, or too few watches.
    pub fn start(functions: Functions, data: Vec<PathBuf>) -> notify::Result<Reload> {
        let directories: Vec<PathBuf> = functions.code().into_iter().map(|code| code.folder).collect();
        let hear = move |event: notify::Result<Event>| {
            let Some(event) = event.ok().filter(is_change) else {
                return;
            };
            let is_hit = |code: &Code| event.paths.iter().any(|path| is_code(path, code, &data));
            for code in functions.code().into_iter().filter(is_hit) {
                functions.tell(&code.function);
            }
        };
        let mut watcher = notify::recommended_watcher(hear)?;
        for directory in directories {
            watcher.watch(&directory, RecursiveMode::Recursive)?;
        }
        tracing::debug!("code is watched");
        Ok(Reload(watcher))
    }
}

fn is_change(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
    )
}

fn is_code(path: &Path, code: &Code, data: &[PathBuf]) -> bool {
    let Ok(inside) = path.strip_prefix(&code.folder) else {
        return false;
    };
    let hidden = |part: &std::ffi::OsStr| {
        let part = part.to_string_lossy();
        part.starts_with('.') || part == "__pycache__"
    };
    let ending = path.extension().and_then(|ending| ending.to_str());
    (path == code.program || ending.is_some_and(|ending| ENDINGS.contains(&ending)))
        && !inside.iter().any(hidden)
        && !data.iter().any(|directory| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use router::name::{FunctionName, FunctionVersion};

    use super::*;

    #[test]
    fn sources_and_the_program_are_code_and_data_is_not() {
        let data = [PathBuf::from("/p/uploads")];
        let code = Code {
            function: FunctionVersion::latest(FunctionName::new("f")),
            folder: "/p".into(),
            program: "/p/bootstrap".into(),
        };
        let is = |path: &str| is_code(Path::new(path), &code, &data);
        assert!(is("/p/app.py") && is("/p/lib/x.mjs") && is("/p/bootstrap"));
        assert!(!is("/p/out.json") && !is("/p/uploads/x.py") && !is("/q/app.py"));
        assert!(!is("/p/.git/x.py") && !is("/p/__pycache__/x.py") && !is("/p/.triggerfish/x.js"));
    }
}
