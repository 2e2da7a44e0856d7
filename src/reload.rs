//! Code that is changed while `up` runs: the function's environments are replaced, as by UpdateFunctionCode
//! (spec/lambda §3.1, Recycling).
//!
//! Owns the watch on functions' directories and what counts as code. A change is heard when a file is closed, renamed
//! or removed, so the last of a series finds the whole. Deliberately absent: the project file; a change of it
//! wants a new `up`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use executor::{Code, Functions};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What a handler is made of. Anything else in its directory may be data.
const ENDINGS: &[&str] = &["cjs", "js", "mjs", "node", "py", "so"];

/// Watches until it is dropped.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Mutex<Option<RecommendedWatcher>>>);

impl Reload {
    /// Starts to watch the folders of all functions; what lies in `data` is no code, such as a bucket's directory, and a
    /// folder in `packages` never changes.
    ///
    /// # Errors
    /// The system has no watcher to give, or too few watches.
    pub fn start(&self, functions: Functions, data: Vec<PathBuf>, packages: &Path) -> notify::Result<()> {
        let heard = functions.clone();
        let hear = move |event: notify::Result<Event>| {
            let Some(event) = event.ok().filter(is_change) else {
                return;
            };
            let is_hit = |code: &Code| event.paths.iter().any(|path| is_code(path, code, &data));
            for code in heard.code().into_iter().filter(is_hit) {
                heard.tell(&code.function);
            }
        };
        *self.watcher() = Some(notify::recommended_watcher(hear)?);
        // From here on `watch` is heard too, so no folder falls between.
        let folders: BTreeSet<PathBuf> = functions.code().into_iter().map(|code| code.folder).collect();
        for folder in folders.iter().filter(|folder| !folder.starts_with(packages)) {
            self.watch(folder)?;
        }
        tracing::debug!("code is watched");
        Ok(())
    }

    /// Watches one folder more, once watching has started.
    ///
    /// # Errors
    /// The system has too few watches.
    pub fn watch(&self, folder: &Path) -> notify::Result<()> {
        match &mut *self.watcher() {
            Some(watcher) => watcher.watch(folder, RecursiveMode::Recursive),
            None => Ok(()),
        }
    }

    /// Watches a folder no longer, if no function's code lies there any more.
    pub fn unwatch(&self, folder: &Path, functions: &Functions) {
        if functions.code().iter().any(|code| code.folder == folder) {
            return;
        }
        if let Some(watcher) = &mut *self.watcher() {
            // It may never have been watched.
            let _ = watcher.unwatch(folder);
        }
    }

    fn watcher(&self) -> MutexGuard<'_, Option<RecommendedWatcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
