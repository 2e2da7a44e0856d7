//! What a function is, in Lambda's words, and how it is to be run.
//!
//! Owns the settings of a function and the spelling of runtimes. Deliberately absent: whether the files and
//! interpreters exist; [`Executor::start`](crate::Executor::start) looks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use router::name::{FunctionName, FunctionVersion, Version};

use crate::logging::Logging;

/// One function of the project.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// Its bare name.
    pub name: FunctionName,
    /// Which version this is; each is run by environments of its own.
    pub version: Version,
    /// What runs it.
    pub runtime: Runtime,
    /// The handler string: `app.handler`, `pkg/mod.func`; free text for a command.
    pub handler: String,
    /// The unpacked code: the task root and the working directory.
    pub code: PathBuf,
    /// The unpacked layers, one laid over another: what its processes find as `/opt`. Without it they find the machine's.
    pub opt: Option<PathBuf>,
    /// Memory size in MB.
    pub memory: u32,
    /// What `/tmp` may hold, in MB.
    pub ephemeral_storage: u32,
    /// How its log is written.
    pub logging: Logging,
    /// The log group that it is told, `/aws/lambda/<name>` if none is named.
    pub log_group: Option<String>,
    /// Whether the trace header of an attempt says that it is sampled, where no caller brought one: `TracingConfig`.
    pub traced: bool,
    /// Whether its processes are stopped between invocations, as on AWS.
    pub freeze: bool,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// The customer's variables.
    pub environment: BTreeMap<String, String>,
    /// Virtual time that one invocation takes; 10 ms unless the project says otherwise.
    pub duration: Duration,
}

impl FunctionSpec {
    /// What its environments are told apart by.
    pub fn function_version(&self) -> FunctionVersion {
        FunctionVersion {
            function: self.name.clone(),
            version: self.version,
        }
    }

    /// The log group that it is told.
    pub fn log_group(&self) -> String {
        let named = self.log_group.clone();
        named.unwrap_or_else(|| format!("/aws/lambda/{}", self.name))
    }
}

/// What runs a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Runtime {
    /// `python3.12` and its like, under our bootstrap.
    Python(String),
    /// `nodejs20.x` and its like, under our bootstrap.
    Node(String),
    /// `provided.al2023`: the executable `bootstrap` in the code directory.
    Provided(String),
    /// Any program that speaks the Runtime API, with its arguments.
    Command(Vec<String>),
}

/// The runtime identifiers of AWS that we can run, newest last.
const KNOWN: &[&str] = &[
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "provided",
    "provided.al2",
    "provided.al2023",
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
];

/// How the identifiers of AWS begin that we cannot run.
const OTHERS: &[&str] = &["dotnet", "go1.x", "java", "ruby"];

impl Runtime {
    /// The runtime an identifier names: `python3.12`, `nodejs20.x`, `provided.al2023`.
    pub fn parse(text: &str) -> Result<Self, BadRuntime> {
        if !KNOWN.contains(&text) {
            return Err(match OTHERS.iter().any(|start| text.starts_with(start)) {
                true => BadRuntime::NotOurs(text.chars().take(80).collect()),
                false => BadRuntime::Unknown {
                    text: text.chars().take(80).collect(),
                    nearest: nearest(text),
                },
            });
        }
        let text = text.to_owned();
        Ok(match text.as_bytes()[0] {
            b'n' => Runtime::Node(text),
            b'p' if text.starts_with("python") => Runtime::Python(text),
            _ => Runtime::Provided(text),
        })
    }
}

/// A runtime identifier that we cannot run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadRuntime {
    /// AWS has it, or had it.
    #[error(
        "runtime `{0}` is not supported: `command: [..]` runs its runtime client, or anything that speaks the Runtime API"
    )]
    NotOurs(String),
    /// Nobody has it.
    #[error(
        "unknown runtime `{text}`: did you mean `{nearest}`? (`command: [..]` runs anything that speaks the Runtime API)"
    )]
    Unknown {
        /// What was given.
        text: String,
        /// The nearest name.
        nearest: &'static str,
    },
}

fn nearest(text: &str) -> &'static str {
    let text: String = text.to_lowercase().chars().take(80).collect();
    let best = KNOWN.iter().rev().min_by_key(|known| distance(&text, known));
    best.copied().unwrap_or("python3.13")
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Which clock the fabric keeps, and therefore when an attempt counts as over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// The system clock: an attempt is over when its response arrives.
    Live,
    /// Virtual time: an attempt is over when nothing of it runs any more, and takes the time its function
    /// declares.
    Virtual,
}

/// A fault that needs the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Injury {
    /// The process is killed before it sees the event.
    CrashBefore,
    /// The handler runs to its end, then the process is killed and its answer lost.
    CrashAfter,
    /// The handler runs to its end, but the caller sees a timeout.
    Timeout,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn runtimes_parse_by_their_identifier() {
        assert_eq!(
            Runtime::parse("python3.12").unwrap(),
            Runtime::Python("python3.12".into())
        );
        assert_eq!(
            Runtime::parse("nodejs20.x").unwrap(),
            Runtime::Node("nodejs20.x".into())
        );
        assert_eq!(
            Runtime::parse("provided.al2023").unwrap(),
            Runtime::Provided("provided.al2023".into())
        );
    }

    #[test]
    fn the_other_runtimes_of_aws_are_not_misspelled() {
        let error = Runtime::parse("java21").unwrap_err();
        assert!(error.to_string().contains("`java21` is not supported"));
    }

    #[test]
    fn a_misspelled_runtime_gets_the_nearest_name() {
        let nearest = |text: &str| match Runtime::parse(text) {
            Err(BadRuntime::Unknown { nearest, .. }) => nearest,
            other => panic!("{other:?}"),
        };
        assert_eq!(nearest("pyton3.12"), "python3.12");
        assert_eq!(nearest("node20"), "nodejs20.x");
        assert!(Runtime::parse("").is_err());
        assert!(Runtime::parse(&"ä".repeat(500)).is_err());
    }
}
