//! Functions: what runs, with which settings, and what happens to events it does not take.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use executor::Logging;
use router::name::FunctionName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::later;
use super::logging::LoggingSpec;
use super::route::checked;
use super::time::Time;
use crate::decode::{E_VALUE, decode, refuse};
use crate::diagnostic::Diagnostic;
use crate::file::Bases;
use crate::load::E_PATH;
use crate::node::{Located, Node, Span, Value};

/// A function, checked.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Located<FunctionName>,
    /// What is started.
    pub program: Program,
    /// The directory with its code, joined to `base`; `base` itself unless given.
    pub code: Located<PathBuf>,
    /// The directory of the file that declares it.
    pub base: PathBuf,
    /// Memory in MB.
    pub memory: u32,
    /// What `/tmp` may hold, in MB.
    pub ephemeral_storage: u32,
    /// How its log is written.
    pub logging: Logging,
    /// Whether its processes stop between invocations.
    pub freeze: bool,
    /// The time an invocation may take.
    pub timeout: Duration,
    /// Environment variables; a value may hold built-ins such as `${source.uploads.directory}`.
    pub environment: BTreeMap<String, Located<String>>,
    /// Reserved concurrency.
    pub concurrency: Option<u32>,
    /// Virtual time an invocation takes.
    pub duration: Duration,
    /// Retries of asynchronous events.
    pub retry: Retry,
    /// How old an asynchronous event may get.
    pub max_event_age: Duration,
    /// A sink or function that gets a record of each success.
    pub on_success: Option<Located<String>>,
    /// A sink or function that gets a record of each event given up.
    pub on_failure: Option<Located<String>>,
    /// A sink or function that gets each event given up, itself.
    pub dead_letter: Option<Located<String>>,
    /// The whole function.
    pub span: Span,
}

/// What is started for a function.
#[derive(Clone, Debug, PartialEq)]
pub enum Program {
    /// A runtime of AWS Lambda and the handler in it.
    Runtime {
        /// Such as `nodejs20.x`.
        runtime: Located<String>,
        /// Such as `app.handler`; `bootstrap` for `provided.*` unless given.
        handler: Located<String>,
    },
    /// Any program that speaks the Runtime API.
    Command {
        /// The program and its arguments; at least one word.
        argv: Located<Vec<String>>,
        /// `_HANDLER`, if given.
        handler: Option<Located<String>>,
    },
}

/// Retries of asynchronous events (spec/lambda §9.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How many more attempts after the first: 0 to 2.
    pub max: u8,
    /// The wait before each of them; the last one repeats.
    pub delay: Vec<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            max: 2,
            delay: vec![Duration::from_secs(60), Duration::from_secs(120)],
        }
    }
}

/// A function as it stands in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Function")]
pub struct FunctionSpec {
    /// A runtime of AWS Lambda, such as `nodejs20.x`; or give `command`.
    pub runtime: Option<Located<String>>,
    /// Any program that speaks the Runtime API; or give `runtime`.
    pub command: Option<Located<CommandSpec>>,
    /// Such as `app.handler`.
    pub handler: Option<Located<String>>,
    /// The directory with the code, relative to this file.
    pub code: Option<Located<String>>,
    /// MB; 128 unless given.
    #[schemars(range(min = 128, max = 10240))]
    pub memory: Option<Located<u32>>,
    /// What `/tmp` may hold, in MB; 512 unless given.
    #[schemars(range(min = 512, max = 10240))]
    pub ephemeral_storage: Option<Located<u32>>,
    /// How its log is written: `{ format: JSON }`; plain text unless given.
    pub logging: Option<LoggingSpec>,
    /// Whether its processes stop between invocations, as on AWS; true unless given.
    pub freeze: Option<bool>,
    /// 1s to 900s; 3s unless given.
    pub timeout: Option<Time>,
    /// Environment variables, 4 KB at most.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub environment: BTreeMap<Located<String>, Located<String>>,
    /// Reserved concurrency.
    pub concurrency: Option<u32>,
    /// Virtual time an invocation takes; 10ms unless given.
    pub duration: Option<Time>,
    /// Retries of asynchronous events, 0 to 2, or `{ max, delay }`.
    pub retry: Option<RetrySpec>,
    /// How old an asynchronous event may get, 60s to 6h; 6h unless given.
    pub max_event_age: Option<Time>,
    /// A sink or function that gets a record of each success.
    pub on_success: Option<Located<String>>,
    /// A sink or function that gets a record of each event given up.
    pub on_failure: Option<Located<String>>,
    /// A sink or function that gets each event given up, itself.
    pub dead_letter: Option<Located<String>>,
}

/// A command: a list of words, or one line split at spaces.
#[derive(Clone, Debug)]
pub struct CommandSpec(Vec<String>);

/// Retries: how many, or `{ max, delay }`.
#[derive(Clone, Debug)]
pub struct RetrySpec(Retry);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RetryMap")]
struct RetryMap {
    /// How many more attempts after the first; 2 unless given.
    #[schemars(range(max = 2))]
    max: Option<Located<u64>>,
    /// The wait before each of them; the last one repeats; [1m, 2m] unless given.
    delay: Option<Vec<Time>>,
}

impl Function {
    /// Reads one entry of `functions`.
    pub fn read(
        name: &Located<String>,
        node: &Node,
        bases: &Bases,
        out: &mut Vec<Diagnostic>,
    ) -> Option<Function> {
        let spec: FunctionSpec = later::read(node, later::FUNCTION, out)?;
        let before = out.len();
        let checked_name = checked(
            name,
            |text| FunctionName::parse(text).map_err(|e| e.to_string()),
            out,
        );
        let (base, code) = code(&spec, name, bases, out);
        let memory = megabytes("memory", spec.memory.as_ref(), 128, out);
        let storage = spec.ephemeral_storage.as_ref();
        let ephemeral_storage = megabytes("ephemeral_storage", storage, 512, out);
        let timeout = within("timeout", spec.timeout, 3, 1, 900, out);
        let max_event_age = within("max_event_age", spec.max_event_age, 21_600, 60, 21_600, out);
        let logging = spec
            .logging
            .as_ref()
            .map(|given| given.read(out))
            .unwrap_or_default();
        check_environment(&spec.environment, out);
        let program = program(&spec, name, node, out);
        if out.len() > before {
            return None;
        }
        Some(Function {
            name: checked_name?,
            program: program?,
            code,
            base,
            memory,
            ephemeral_storage,
            logging,
            freeze: spec.freeze.unwrap_or(true),
            timeout,
            environment: spec
                .environment
                .into_iter()
                .map(|(key, value)| (key.value, value))
                .collect(),
            concurrency: spec.concurrency,
            duration: spec.duration.map_or(Duration::from_millis(10), |time| time.value),
            retry: spec.retry.map(|spec| spec.0).unwrap_or_default(),
            max_event_age,
            on_success: spec.on_success,
            on_failure: spec.on_failure,
            dead_letter: spec.dead_letter,
            span: node.span,
        })
    }
}

/// A size with AWS's highest; its lowest is what it is unless given (spec/lambda §3.3).
fn megabytes(key: &str, given: Option<&Located<u32>>, least: u32, out: &mut Vec<Diagnostic>) -> u32 {
    let Some(given) = given else { return least };
    if !(least..=10_240).contains(&given.value) {
        let what = format!("{key} of {} MB is outside of {least} to 10240", given.value);
        out.push(Diagnostic::new(E_VALUE, what).at(given.span, ""));
    }
    given.value
}

/// The base directory, and that of the code, which must be there.
fn code(
    spec: &FunctionSpec,
    name: &Located<String>,
    bases: &Bases,
    out: &mut Vec<Diagnostic>,
) -> (PathBuf, Located<PathBuf>) {
    let Some(code) = &spec.code else {
        let base = bases.of(name.span.file).to_owned();
        return (
            base.clone(),
            Located {
                span: name.span,
                value: base,
            },
        );
    };
    let base = bases.of(code.span.file).to_owned();
    let full = base.join(&code.value);
    if !full.is_dir() {
        let (what, help) = match full.is_file() {
            true => (
                format!("code {} is a file", code.value),
                "`code` names the directory; the file goes into `handler`".to_owned(),
            ),
            false => (
                format!("code directory {} does not exist", code.value),
                format!("it was looked for at {}", full.display()),
            ),
        };
        out.push(
            Diagnostic::new(E_PATH, what)
                .at(code.span, "not a directory")
                .help(help),
        );
    }
    (
        base,
        Located {
            span: code.span,
            value: full,
        },
    )
}

fn program(
    spec: &FunctionSpec,
    name: &Located<String>,
    node: &Node,
    out: &mut Vec<Diagnostic>,
) -> Option<Program> {
    if let Some(handler) = &spec.handler
        && (handler.value.len() > 128
            || handler.value.chars().any(char::is_whitespace)
            || handler.value.is_empty())
    {
        let what = "a handler has 1 to 128 characters and no spaces";
        out.push(Diagnostic::new(E_VALUE, what).at(handler.span, ""));
    }
    match (&spec.runtime, &spec.command) {
        (Some(runtime), None) => {
            let handler = match &spec.handler {
                Some(handler) => handler.clone(),
                None if runtime.value.starts_with("provided") => Located {
                    span: runtime.span,
                    value: "bootstrap".into(),
                },
                None => {
                    out.push(
                        Diagnostic::new(E_VALUE, format!("function `{}` has no handler", name.value))
                            .at(name.span, "`handler` is missing")
                            .help("add `handler: file.function`"),
                    );
                    return None;
                }
            };
            Some(Program::Runtime {
                runtime: runtime.clone(),
                handler,
            })
        }
        (None, Some(command)) => {
            let argv = Located {
                span: command.span,
                value: command.value.0.clone(),
            };
            Some(Program::Command {
                argv,
                handler: spec.handler.clone(),
            })
        }
        (Some(runtime), Some(command)) => {
            out.push(
                Diagnostic::new(
                    E_VALUE,
                    format!("function `{}` has both `runtime` and `command`", name.value),
                )
                .at(command.span, "the command")
                .also(runtime.span, "the runtime")
                .help("keep one of them"),
            );
            None
        }
        (None, None) => {
            let place = if node.span.file == name.span.file {
                name.span
            } else {
                node.span
            };
            out.push(
                Diagnostic::new(
                    E_VALUE,
                    format!("function `{}` has neither `runtime` nor `command`", name.value),
                )
                .at(place, "what should run?")
                .help("add `runtime: nodejs20.x` and a handler, or `command: [program, argument]`"),
            );
            None
        }
    }
}

/// A time in whole seconds between two bounds.
fn within(
    key: &str,
    time: Option<Time>,
    default: u64,
    min: u64,
    max: u64,
    out: &mut Vec<Diagnostic>,
) -> Duration {
    let Some(Time { span, value }) = time else {
        return Duration::from_secs(default);
    };
    if !(Duration::from_secs(min)..=Duration::from_secs(max)).contains(&value) || value.subsec_nanos() != 0 {
        out.push(
            Diagnostic::new(E_VALUE, format!("`{key}` has to be {min} to {max} whole seconds")).at(span, ""),
        );
    }
    value
}

/// Names that AWS sets itself (spec/lambda §4); a trailing `*` stands for any ending.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_*",
    "AWS_LAMBDA_LOG_*",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

fn check_environment(environment: &BTreeMap<Located<String>, Located<String>>, out: &mut Vec<Diagnostic>) {
    let mut size = 2;
    for (key, value) in environment {
        let name = &key.value;
        let reserved = RESERVED.iter().any(|r| match r.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => r == name,
        });
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if name == "AWS_LAMBDA_EXEC_WRAPPER" {
            out.push(later::not_yet(name).at(key.span, "not supported yet"));
        } else if reserved {
            let what = format!("the environment variable `{name}` is reserved");
            out.push(
                Diagnostic::new(E_VALUE, what)
                    .at(key.span, "set by Lambda itself")
                    .help("use another name"),
            );
        } else if !letters || name.len() < 2 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let what = format!("`{name}` cannot be the name of an environment variable");
            out.push(
                Diagnostic::new(E_VALUE, what)
                    .at(key.span, "")
                    .help("a letter, then letters, digits and `_`, at least two"),
            );
        }
        if let Some(at) = value.value.find('\0') {
            out.push(Diagnostic::new(E_VALUE, format!("a value with a NUL at byte {at}")).at(value.span, ""));
        }
        let json = |text: &str| serde_json::to_string(text).map_or(0, |quoted| quoted.len());
        let entry = json(name) + json(&value.value) + 2;
        if size <= 4096 && size + entry > 4096 {
            let what = "the environment is larger than 4 KB";
            out.push(
                Diagnostic::new(E_VALUE, what)
                    .at(key.span, "too much from here")
                    .help("keep large values in files"),
            );
        }
        size += entry;
    }
}

impl<'de> Deserialize<'de> for CommandSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let words: Vec<String> = match &node.value {
            Value::String(line) if line.contains(['"', '\'']) => {
                let what = "a command in one line cannot have quotes";
                let help = "write it as a list: `command: [program, \"an argument\"]`";
                return Err(refuse(
                    Diagnostic::new(E_VALUE, what).at(node.span, "").help(help),
                ));
            }
            Value::String(line) => line.split_whitespace().map(str::to_owned).collect(),
            Value::List(_) => decode(&node).map_err(refuse)?,
            _ => {
                return Err(refuse(
                    Diagnostic::new(E_VALUE, "expected a list of words or one line").at(node.span, ""),
                ));
            }
        };
        if words.first().is_none_or(String::is_empty) {
            return Err(D::Error::custom("a command needs a program"));
        }
        Ok(CommandSpec(words))
    }
}

impl<'de> Deserialize<'de> for RetrySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let mut retry = Retry::default();
        let max = match &node.value {
            Value::Number(_) => Some(Located {
                span: node.span,
                value: decode::<u64>(&node).map_err(refuse)?,
            }),
            Value::Map(_) => {
                let map: RetryMap = decode(&node).map_err(refuse)?;
                if let Some(delay) = map.delay {
                    retry.delay = delay.into_iter().map(|time| time.value).collect();
                }
                map.max
            }
            _ => {
                let what = "expected a number of retries or `{ max, delay }`";
                return Err(refuse(Diagnostic::new(E_VALUE, what).at(node.span, "")));
            }
        };
        if let Some(max) = max {
            retry.max = match u8::try_from(max.value) {
                Ok(few @ 0..=2) => few,
                _ => {
                    let what = format!("{} retries are more than Lambda's 2", max.value);
                    return Err(refuse(Diagnostic::new(E_VALUE, what).at(max.span, "0, 1 or 2")));
                }
            };
        }
        if retry.max > 0 && retry.delay.is_empty() {
            return Err(refuse(
                Diagnostic::new(E_VALUE, "`delay` is empty")
                    .at(node.span, "")
                    .help("leave it out for [1m, 2m]"),
            ));
        }
        Ok(RetrySpec(retry))
    }
}

impl JsonSchema for CommandSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A list of words, or one line that is split at spaces.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
        })
    }
}

impl JsonSchema for RetrySpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Retry".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let map = generator.subschema_for::<RetryMap>();
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 2 }, map] })
    }
}
