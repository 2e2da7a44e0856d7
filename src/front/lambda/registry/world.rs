//! A world for tests: a registry, a clock that is moved by hand, and everything else made up.
//!
//! A call goes the way of a real one: the model's constraints, the table's row, the operation, and again with what it
//! wants brought. Two promises are kept watch over: an error has changed nothing, and neither has [`Told::Wants`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use router::name::{FunctionName, Seed, SinkName};
use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::served;
use super::{Brought, Changes, EventSource, Ids, Moment, Outside, Place, Registry, Told, Wanted};
use crate::front::code::Package;
use crate::front::lambda::model::{Input, MODEL};

/// The region of the world.
pub const REGION: &str = "us-east-1";
/// The account of the world.
pub const ACCOUNT: &str = "123456789012";
/// A role that is good enough.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/r";
/// Steps of bringing that no operation needs.
const MANY: usize = 5;

/// What a call comes to: status and body; `null` is a body that is not there.
pub type Called = Result<(u16, Value), Refused>;

/// An error: status, code and body.
pub type Refused = (u16, &'static str, Value);

/// A registry and all that is around it.
pub struct World {
    /// What is known.
    pub registry: Registry,
    /// The time.
    pub now: Timestamp,
    /// Where it is.
    pub place: Place,
    /// What lies outside.
    pub outside: Made,
    /// Functions that a call has changed, and nobody has asked after since.
    pub changed: BTreeSet<FunctionName>,
    /// Layers and mappings, likewise.
    pub others: BTreeSet<String>,
    ids: Ids,
}

/// What lies outside, made up.
#[derive(Debug, Default)]
pub struct Made {
    /// Runtimes that cannot be run, and why.
    pub cannot_run: BTreeMap<String, String>,
    /// Names of queues and topics.
    pub sinks: BTreeSet<String>,
    /// Whether runtimes that AWS has retired are taken.
    pub takes_retired: bool,
    /// Event sources that are here or not offered, by their ARNs; no other exists.
    pub sources: BTreeMap<String, EventSource>,
    /// Provisioned environments of versions, `f:1`, and whether they failed.
    pub provisioned: BTreeMap<String, (u32, bool)>,
}

impl Outside for Made {
    fn cannot_run(&self, runtime: &str) -> Option<String> {
        self.cannot_run.get(runtime).cloned()
    }

    fn sink(&self, name: &str) -> Option<SinkName> {
        self.sinks.contains(name).then(|| SinkName::new(name))
    }

    fn is_folder(&self, path: &Path) -> bool {
        !path.ends_with("missing")
    }

    fn takes_retired(&self) -> bool {
        self.takes_retired
    }

    fn event_source(&self, arn: &str) -> EventSource {
        self.sources.get(arn).copied().unwrap_or(EventSource::Missing)
    }

    fn provisioned(&self, function: &FunctionName, version: &str) -> (u32, bool) {
        let known = self.provisioned.get(&format!("{function}:{version}"));
        known.copied().unwrap_or_default()
    }
}

impl Default for World {
    fn default() -> Self {
        World {
            registry: Registry::default(),
            now: Timestamp::parse_iso("2025-11-25T02:38:24.123Z").expect("a time"),
            place: Place {
                region: REGION.to_owned(),
                account: ACCOUNT.to_owned(),
                endpoint: "http://127.0.0.1:4566".to_owned(),
                secret: [7; 32],
            },
            outside: Made::default(),
            changed: BTreeSet::new(),
            others: BTreeSet::new(),
            ids: Ids::new(Seed(1)),
        }
    }
}

impl World {
    /// A world with active functions of these names.
    pub fn with(functions: &[&str]) -> Self {
        let mut world = World::default();
        for function in functions {
            world.done("CreateFunction", new_function(function));
        }
        world.pass(Duration::from_secs(1));
        world
    }

    /// One with the function `f`, its version 1, and the alias `live` that points to it.
    pub fn with_alias() -> Self {
        let mut world = World::with(&["f"]);
        world.done("PublishVersion", json!({ "FunctionName": "f" }));
        let alias = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "1" });
        world.done("CreateAlias", alias);
        world
    }

    /// Lets time pass, and happen what it brings.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.registry.settle(self.now, &mut self.ids);
        let changes = self.registry.take_changed();
        self.note(changes);
    }

    fn note(&mut self, changes: Changes) {
        self.changed.extend(changes.functions.into_keys());
        let others = changes.layers.into_keys().chain(changes.mappings.into_keys());
        self.others.extend(others);
    }

    /// Calls an operation.
    pub fn call(&mut self, operation: &str, input: Value) -> Called {
        let Value::Object(input) = input else {
            panic!("an input is an object: {input}")
        };
        self.run(operation, &input)
            .map_err(|error| (error.status, error.code, parsed(&error.body)))
    }

    /// The body of an answer; a refusal fails the test.
    #[track_caller]
    pub fn done(&mut self, operation: &str, input: Value) -> Value {
        match self.call(operation, input.clone()) {
            Ok((_, body)) => body,
            Err(refused) => panic!("{operation} {input}: {refused:?}"),
        }
    }

    /// A refusal's status, code and text; an answer fails the test.
    #[track_caller]
    pub fn refused(&mut self, operation: &str, input: Value) -> (u16, &'static str, String) {
        match self.call(operation, input.clone()) {
            Err((status, code, body)) => (status, code, message(&body)),
            Ok(answer) => panic!("{operation} {input}: {answer:?}"),
        }
    }

    fn run(&mut self, operation: &str, input: &Input) -> Result<(u16, Value), ApiError> {
        let known = MODEL.operation(operation).expect("an operation of the model");
        MODEL.check(known, input)?;
        let served = served::find(operation).expect("an operation that is served");
        if let Some(member) = input.keys().find(|member| !served.reads(member)) {
            panic!("the table's row of {operation} does not read {member}");
        }
        let mut brought = BTreeMap::new();
        for _ in 0..MANY {
            let mut moment = Moment {
                now: self.now,
                place: &self.place,
                ids: &mut self.ids,
                brought: &brought,
                outside: &self.outside,
            };
            let outcome = (served.run)(&mut self.registry, &mut moment, input);
            let changes = self.registry.take_changed();
            match outcome {
                Ok(Told::Answer { status, body }) => {
                    self.note(changes);
                    return Ok((status, body.unwrap_or_default()));
                }
                Ok(Told::Wants(wanted)) => {
                    assert!(changes.is_empty(), "{operation} wants {wanted:?} after a change");
                    let bring = bring(&wanted, input)?;
                    brought.insert(wanted, bring);
                }
                Err(error) => {
                    let what = (operation, &error);
                    assert!(changes.is_empty(), "{what:?} has changed {changes:?}");
                    return Err(error);
                }
            }
        }
        panic!("{operation} wants ever more: {:?}", brought.keys());
    }
}

/// The least that CreateFunction takes.
pub fn new_function(name: &str) -> Value {
    json!({
        "FunctionName": name, "Role": ROLE, "Runtime": "python3.12", "Handler": "app.handler",
        "Code": { "ZipFile": "eno=" },
    })
}

/// An input with some members more, or others.
pub fn and(mut input: Value, more: Value) -> Value {
    if let (Value::Object(input), Value::Object(more)) = (&mut input, more) {
        input.extend(more);
    }
    input
}

/// The ARN of a function of the world, `f` or `f:1`.
pub fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// The text of an error's body.
pub fn message(body: &Value) -> String {
    let text = body.get("Message").or_else(|| body.get("message"));
    text.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).expect("an error's body is JSON")
}

/// What an operation wants brought: packages that are told apart by what they were made of.
fn bring(wanted: &Wanted, input: &Input) -> Result<Brought, ApiError> {
    let zip = || {
        let code = input.get("Code").and_then(Value::as_object).unwrap_or(input);
        code.get("ZipFile").map(ToString::to_string).unwrap_or_default()
    };
    Ok(match wanted {
        Wanted::Zip => Brought::Package(package(&zip())),
        Wanted::Object { bucket, .. } if bucket == "missing" => {
            return Err(super::invalid(
                "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist",
            ));
        }
        Wanted::Object { bucket, key } => Brought::Package(package(&format!("{bucket}/{key}"))),
        Wanted::Folder(path) => Brought::Package(package(&path.display().to_string())),
        Wanted::Layers { .. } => Brought::Merged,
    })
}

fn package(of: &str) -> Package {
    Package {
        sha256: router::name::hex(&Seed(0).bytes(of)),
        size: of.len() as u64,
    }
}
