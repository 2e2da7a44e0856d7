//! Finds the program that runs a function.
//!
//! Owns the search on our own PATH and the answers. A found file that is itself a script (a version
//! manager's shim) needs variables that handlers do not get, so it is asked once for the real program.
//! Deliberately absent: installing anything, and the handler's own PATH.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::function::Runtime;

/// Why no program was found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InterpreterError {
    /// None of the names is on PATH.
    #[error("`{names}` is not on PATH: install it, or use `command: [..]` with the program's full path")]
    Missing {
        /// The names that were tried.
        names: String,
    },
    /// The program of a `command` or the `bootstrap` does not exist or is not executable.
    #[error("`{program}` is not an executable file: {help}")]
    NotExecutable {
        /// The program.
        program: String,
        /// What to do.
        help: &'static str,
    },
    /// A `command` without words.
    #[error("the command is empty: name a program, such as `command: [./server]`")]
    Empty,
}

/// The program of a `provided` runtime, in its code.
const BOOTSTRAP: &str = "bootstrap";

/// The program that would run a runtime, code not looked at; a shim may be asked once for where it leads.
///
/// # Errors
/// There is none on this machine.
pub fn interpreter(runtime: &Runtime) -> Result<PathBuf, InterpreterError> {
    Interpreters.likely_program(runtime, Path::new("/"), None)
}

/// Programs found so far by this process: scenarios that run side by side ask once between them, because a
/// shim takes longer to answer than most scenarios to run.
static FOUND: Mutex<BTreeMap<String, Option<PathBuf>>> = Mutex::new(BTreeMap::new());

/// Finds programs.
#[derive(Debug, Default)]
pub struct Interpreters;

impl Interpreters {
    /// The program that runs `runtime`, whose code lies in `code`.
    pub fn program(&mut self, runtime: &Runtime, code: &Path) -> Result<PathBuf, InterpreterError> {
        match runtime {
            Runtime::Python(version) => self.first(&[version, "python3"]),
            Runtime::Node(_) => self.first(&["node", "nodejs"]),
            Runtime::Provided(_) => executable(
                code.join(BOOTSTRAP),
                "put the compiled program there and `chmod +x` it",
            ),
            Runtime::Command(words) => {
                let word = words
                    .first()
                    .filter(|w| !w.is_empty())
                    .ok_or(InterpreterError::Empty)?;
                if word.contains('/') {
                    let help = "check the path, which is relative to the function's code, and `chmod +x` it";
                    return executable(code.join(word), help);
                }
                self.first(&[word])
            }
        }
    }

    /// As [`Interpreters::program`], but a program within the code may be missing: an invocation will tell. Where the code
    /// has no `bootstrap`, that of the layers is meant (spec/lambda §4).
    pub fn likely_program(
        &mut self,
        runtime: &Runtime,
        code: &Path,
        opt: Option<&Path>,
    ) -> Result<PathBuf, InterpreterError> {
        match runtime {
            Runtime::Provided(_) => {
                let own = code.join(BOOTSTRAP);
                let layers = opt.map(|opt| opt.join(BOOTSTRAP));
                let layers = layers.filter(|layers| !own.exists() && layers.exists());
                Ok(layers.unwrap_or(own))
            }
            Runtime::Command(words) if words.first().is_some_and(|word| word.contains('/')) => {
                Ok(code.join(&words[0]))
            }
            _ => self.program(runtime, code),
        }
    }

    fn first(&mut self, names: &[&str]) -> Result<PathBuf, InterpreterError> {
        for name in names {
            if let Some(program) = self.find(name) {
                if *name != names[0] {
                    tracing::info!(wanted = names[0], program = %program.display(), "using another version");
                }
                return Ok(program);
            }
        }
        Err(InterpreterError::Missing {
            names: names.join("` or `"),
        })
    }

    fn find(&mut self, name: &str) -> Option<PathBuf> {
        let mut known = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = || search(name, &std::env::var_os("PATH").unwrap_or_default());
        known.entry(name.to_owned()).or_insert_with(ask).clone()
    }
}

fn search(name: &str, path: &OsStr) -> Option<PathBuf> {
    let files = std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name));
    files.filter(|file| is_executable(file)).find_map(|file| {
        if is_script(&file) {
            unwrap(name, file)
        } else {
            Some(file)
        }
    })
}

/// Asks a shim for the program it leads to; a shim without a selected version leads nowhere.
fn unwrap(name: &str, shim: PathBuf) -> Option<PathBuf> {
    let question: &[&str] = if name.starts_with("python") {
        &["-c", "import sys; print(sys.executable)"]
    } else if name.starts_with("node") {
        &["-p", "process.execPath"]
    } else {
        return Some(shim);
    };
    let output = Command::new(shim)
        .args(question)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let answer = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    (output.status.success() && is_executable(&answer)).then_some(answer)
}

fn executable(file: PathBuf, help: &'static str) -> Result<PathBuf, InterpreterError> {
    if is_executable(&file) {
        return Ok(file);
    }
    Err(InterpreterError::NotExecutable {
        program: file.display().to_string(),
        help,
    })
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn is_script(file: &Path) -> bool {
    let mut start = [0u8; 2];
    File::open(file)
        .and_then(|mut f| f.read_exact(&mut start))
        .is_ok()
        && start == *b"#!"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let mut interpreters = Interpreters;
        let words = Runtime::Command(vec!["no-such-program-7".into()]);
        let error = interpreters
            .program(&words, Path::new("/"))
            .map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.contains("`no-such-program-7` is not on PATH")));
        assert_eq!(
            interpreters.program(&Runtime::Command(vec![]), Path::new("/")),
            Err(InterpreterError::Empty)
        );
    }

    #[test]
    fn shims_are_resolved_to_programs() {
        let mut interpreters = Interpreters;
        let python = interpreters.program(&Runtime::Python("python3.12".into()), Path::new("/"));
        assert!(python.is_ok_and(|p| !is_script(&p)));
    }
}
