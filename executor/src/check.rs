//! Whether a function can be run on this machine, before it is.
//!
//! Owns the words of what is missing. A project's functions are looked at closely, because their files are at hand and a
//! mistake is better told at the start; what an API defines only has to be possible, because on AWS the invocation fails
//! and not the creation (spec/lambda §3.2). Deliberately absent: running anything but an interpreter's shim.

use std::fmt;
use std::path::{Path, PathBuf};

use router::name::FunctionName;

use crate::function::{FunctionSpec, Runtime};
use crate::interpreter::Interpreters;
use crate::sandbox::straight;

/// Why the functions cannot be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartError {
    /// The function at fault, if it is one.
    pub function: Option<FunctionName>,
    /// The key of its settings at fault.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(f, "function `{function}`, `{}`: {}", self.key, self.problem),
            None => write!(f, "{}: {}", self.key, self.problem),
        }
    }
}

impl std::error::Error for StartError {}

/// How closely a function is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// Its handler's file and its program have to be there.
    Close,
    /// Only what no invocation could ever mend is refused: no folder, no interpreter.
    Lenient,
}

/// Where the parts of a function lie on this machine.
pub(crate) struct Found {
    pub code: PathBuf,
    pub program: PathBuf,
    pub opt: Option<PathBuf>,
}

/// Finds the parts of a function.
///
/// # Errors
/// One of them is missing.
pub(crate) fn look(spec: &FunctionSpec, how: Look) -> Result<Found, StartError> {
    let code = match how {
        Look::Close => check(spec)?,
        Look::Lenient => code_folder(spec)?,
    };
    let opt = spec.opt.as_deref();
    let opt = opt
        .map(|opt| folder(spec, "opt", opt, "the unpacked layers"))
        .transpose()?;
    let key = match spec.runtime {
        Runtime::Command(_) => "command",
        _ => "runtime",
    };
    let program = match how {
        Look::Close => Interpreters.program(&spec.runtime, &code),
        Look::Lenient => Interpreters.likely_program(&spec.runtime, &code, opt.as_deref()),
    };
    let program = program.map_err(|e| wrong(spec, key, e.to_string()))?;
    Ok(Found { code, program, opt })
}

/// Looks whether a function's code and the file of its handler are there, and where; asks nobody for an interpreter.
///
/// # Errors
/// One of them is missing, in the words of [`Executor::start`](crate::Executor::start).
pub fn check(spec: &FunctionSpec) -> Result<PathBuf, StartError> {
    let code = code_folder(spec)?;
    check_handler(spec, &code).map_err(|problem| wrong(spec, "handler", problem))?;
    Ok(code)
}

fn code_folder(spec: &FunctionSpec) -> Result<PathBuf, StartError> {
    folder(spec, "code", &spec.code, "the handler")
}

fn folder(spec: &FunctionSpec, key: &'static str, path: &Path, holds: &str) -> Result<PathBuf, StartError> {
    let path = std::path::absolute(path).map_err(|e| wrong(spec, key, e.to_string()))?;
    let path = straight(path.clone()).unwrap_or(path);
    if path.is_dir() {
        return Ok(path);
    }
    let text = format!(
        "`{}` is not a directory: name the folder that holds {holds}",
        path.display()
    );
    Err(wrong(spec, key, text))
}

fn wrong(spec: &FunctionSpec, key: &'static str, problem: String) -> StartError {
    let function = Some(spec.name.clone());
    StartError {
        function,
        key,
        problem,
    }
}

/// Looks for the handler's file, where a handler string names one.
fn check_handler(spec: &FunctionSpec, code: &Path) -> Result<(), String> {
    let (module, endings): (String, &[&str]) = match &spec.runtime {
        Runtime::Python(_) if spec.environment.contains_key("PYTHONPATH") => return Ok(()),
        Runtime::Python(_) => match spec.handler.rsplit_once('.') {
            Some((module, _)) => (module.replace('.', "/"), &[".py", "/__init__.py", ".so", ""]),
            None => {
                return Err(format!(
                    "`{}` has no dot: write it as `file.function`",
                    spec.handler
                ));
            }
        },
        Runtime::Node(_) => {
            let (folder, file) = spec.handler.rsplit_once('/').unwrap_or(("", &spec.handler));
            let Some((file, _)) = file.split_once('.') else {
                return Err(format!(
                    "`{}` has no dot: write it as `file.export`",
                    spec.handler
                ));
            };
            (
                Path::new(folder).join(file).display().to_string(),
                &[".js", ".mjs", ".cjs", ""],
            )
        }
        Runtime::Provided(_) | Runtime::Command(_) => return Ok(()),
    };
    let roots = [code.to_owned(), code.join("node_modules")];
    let exists = roots.iter().any(|root| {
        endings
            .iter()
            .any(|ending| root.join(format!("{module}{ending}")).exists())
    });
    if exists {
        return Ok(());
    }
    Err(format!(
        "`{}` names the file `{module}{}`, which is not in `{}`",
        spec.handler,
        endings[0],
        code.display()
    ))
}
