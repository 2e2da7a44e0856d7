//! The words of scenario and project files, as types.
//!
//! One vocabulary for both: a project is a file without `steps` and `expect`. A file is read in two steps:
//! these types take what stands in it (`*Spec`, also the source of the JSON Schema) and turn it into strict
//! ones; `load.rs` merges, resolves names and paths. Deliberately absent: the keys of each kind of source
//! and what an expectation may say; they stay [`Node`]s that know their places.

pub mod content;
pub mod fault;
pub mod function;
pub mod later;
pub mod logging;
pub mod route;
pub mod step;
pub mod time;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use router::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::expect::model::ExpectSpec;
use crate::node::{Located, Node};
use content::Content;
use fault::{Fault, FaultSpec};
use function::{Function, FunctionSpec};
use route::{ObjectPath, Route, RouteSpec, Sink, Source, SourceSpec};
use step::{Step, StepSpec};
use time::Time;

/// A scenario, or a project, ready to run: merged, expanded, every name resolved.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file it was read from.
    pub path: PathBuf,
    /// What people call it; by default the file's name without its ending.
    pub name: String,
    /// A longer description.
    pub doc: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// Real time after which the watchdog ends it.
    pub timeout: Duration,
    /// What every id is derived from.
    pub seed: u64,
    /// Where virtual time starts.
    pub clock_start: Timestamp,
    /// What stops feedback loops and hung handlers.
    pub limits: Limits,
    /// What is there before the first step.
    pub fixtures: Fixtures,
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
    /// Sources by name.
    pub sources: BTreeMap<String, Source>,
    /// Routes: the project's that were not replaced, then the scenario's.
    pub routes: Vec<Route>,
    /// Sinks by name.
    pub sinks: BTreeMap<String, Sink>,
    /// Faults in order.
    pub faults: Vec<Fault>,
    /// Steps in order; empty for a project.
    pub steps: Vec<Step>,
    /// What has to be true at the end.
    pub expect: Option<Node>,
}

impl Scenario {
    /// A project with nothing in it, for API clients.
    pub fn empty() -> Self {
        Scenario {
            path: PathBuf::new(),
            name: "empty fabric".to_owned(),
            doc: None,
            tags: Vec::new(),
            timeout: Duration::from_secs(60),
            seed: 0,
            clock_start: Timestamp::VIRTUAL_START,
            limits: Limits::default(),
            fixtures: Fixtures::default(),
            functions: BTreeMap::new(),
            sources: BTreeMap::new(),
            routes: Vec::new(),
            sinks: BTreeMap::new(),
            faults: Vec::new(),
            steps: Vec::new(),
            expect: None,
        }
    }
}

/// What is there before the first step.
#[derive(Clone, Debug, Default)]
pub struct Fixtures {
    /// Objects to put into buckets without an event.
    pub objects: Vec<(Located<ObjectPath>, Content)>,
}

/// What stops feedback loops and hung handlers.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Virtual time after which a run ends.
    pub virtual_time: Duration,
    /// Events after which a run ends.
    pub events: u64,
    /// Real time an environment may take to start.
    pub init: Duration,
    /// Real timeout of an invocation as a multiple of its function's timeout.
    pub patience: u32,
    /// How long `up` keeps an environment that nobody needs.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let virtual_time = Duration::from_secs(24 * 3600);
        Limits {
            virtual_time,
            events: 10_000,
            init: Duration::from_secs(10),
            patience: 10,
            idle: Duration::from_secs(600),
        }
    }
}

/// A file as it stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "triggerfish scenario or project", rename = "File")]
pub struct FileSpec {
    /// Format version: 1.
    #[schemars(required, range(min = 1, max = 1))]
    pub schema: Option<Located<u64>>,
    /// What people call it.
    pub name: Option<Located<String>>,
    /// A longer description.
    pub doc: Option<String>,
    /// Words to select it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Real time after which the watchdog ends the file; 60s unless given.
    pub timeout: Option<Time>,
    /// A file with shared functions, sources, routes, sinks and vars; this one is merged over it.
    pub project: Option<Located<String>>,
    /// `virtual` is the only mode so far.
    #[schemars(with = "Option<ModeSpec>")]
    pub mode: Option<Located<String>>,
    /// What every id is derived from; 0 unless given.
    pub seed: Option<u64>,
    /// Where virtual time starts.
    pub clock: Option<ClockSpec>,
    /// What stops feedback loops and hung handlers.
    pub limits: Option<LimitsSpec>,
    /// Constants for `${name}`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Node>")]
    pub vars: BTreeMap<Located<String>, Node>,
    /// What is there before the first step.
    #[schemars(with = "Option<FixturesSpec>")]
    pub fixtures: Option<Node>,
    /// Functions by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, FunctionSpec>")]
    pub functions: BTreeMap<Located<String>, Node>,
    /// Sources by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SourceSpec>")]
    pub sources: BTreeMap<Located<String>, Node>,
    /// Which source's events go to which function.
    #[serde(default)]
    #[schemars(with = "Vec<RouteSpec>")]
    pub routes: Vec<Node>,
    /// Named ends for destination and dead-letter records.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Option<route::SinkSpec>>")]
    pub sinks: BTreeMap<Located<String>, Node>,
    /// What goes wrong on purpose.
    #[serde(default)]
    #[schemars(with = "Vec<FaultSpec>")]
    pub faults: Vec<Node>,
    /// What happens, one after the other.
    #[schemars(with = "Option<Vec<StepSpec>>")]
    pub steps: Option<Located<Vec<Node>>>,
    /// What has to be true at the end.
    #[schemars(with = "Option<ExpectSpec>")]
    pub expect: Option<Node>,
}

/// How a scenario runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Mode")]
pub enum ModeSpec {
    /// On a virtual clock.
    Virtual,
}

/// The virtual clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Clock")]
pub struct ClockSpec {
    /// RFC 3339; 2026-01-01T00:00:00Z unless given.
    pub start: Option<Located<String>>,
}

/// What stops feedback loops and hung handlers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct LimitsSpec {
    /// Virtual time after which a run ends; 24h unless given.
    #[serde(rename = "virtual")]
    pub virtual_time: Option<Time>,
    /// Events after which a run ends; 10000 unless given.
    pub events: Option<u64>,
    /// Real time an environment may take to start; 10s unless given.
    pub init: Option<Time>,
    /// Real timeout of an invocation as a multiple of its function's timeout; 10 unless given.
    #[schemars(range(min = 1))]
    pub patience: Option<Located<u32>>,
    /// How long `up` keeps an environment that nobody needs; 10m unless given.
    pub idle: Option<Time>,
}

/// What is there before the first step.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fixtures")]
pub struct FixturesSpec {
    /// Objects by `bucket/key`; they are there without an event.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Content>")]
    pub objects: BTreeMap<Located<String>, Content>,
}

/// Where each file that was read lies: a path in a file is relative to the file's directory.
#[derive(Clone, Debug, Default)]
pub struct Bases(pub BTreeMap<u32, PathBuf>);

impl Bases {
    /// The directory of a file.
    pub fn of(&self, file: u32) -> &Path {
        self.0.get(&file).map_or(Path::new("."), PathBuf::as_path)
    }
}
