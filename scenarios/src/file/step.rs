//! Steps: what a scenario makes happen, one verb each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Deserializer;

use super::content::Content;
use super::later::{self, not_yet};
use super::route::ObjectPath;
use super::time::Time;
use crate::decode::{E_VALUE, decode, refuse};
use crate::diagnostic::Diagnostic;
use crate::expect::model::ExpectSpec;
use crate::node::{Located, Node, Span, Value};

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Unique in the file, `<verb>-<ordinal of the verb>` unless given.
    pub id: String,
    /// What it does.
    pub verb: Verb,
    /// What has to be true after it.
    pub expect: Option<Node>,
    /// The whole step.
    pub span: Span,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Writes objects, in the order of the file.
    Put(Vec<(Located<ObjectPath>, Content)>),
    /// Removes objects, in the order of the file.
    Delete(Vec<Located<ObjectPath>>),
    /// Calls a function directly.
    Invoke(Invoke),
    /// Moves the clock.
    Advance(Duration),
    /// Runs until nothing is left to do.
    Settle,
    /// Steps at the same time.
    Parallel(Vec<Step>),
    /// Steps several times.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        steps: Vec<Step>,
    },
    /// Kills a function's environments.
    Restart {
        /// The function.
        function: Located<String>,
    },
}

/// A direct call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    /// The function.
    pub function: Located<String>,
    /// The event; no bytes unless given.
    pub payload: Option<Node>,
    /// How it is called.
    #[serde(rename = "type", default)]
    pub kind: InvokeType,
    /// `tail` asks for the last 4 KB of the log.
    pub log: Option<LogType>,
    /// What the handler sees as client context.
    pub client_context: Option<Node>,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvokeType {
    /// The caller waits for the response (`RequestResponse`).
    #[default]
    Sync,
    /// The event is queued (`Event`).
    Event,
    /// Nothing runs (`DryRun`).
    DryRun,
}

/// How much of the log comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogType {
    /// Nothing.
    None,
    /// The last 4 KB.
    Tail,
}

/// A step as it stands in a file: exactly one verb.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub struct StepSpec {
    /// Unique in the file.
    pub id: Option<Located<String>>,
    /// What has to be true after the step.
    #[schemars(with = "Option<ExpectSpec>")]
    pub expect: Option<Node>,
    /// Writes objects `bucket/key`.
    #[schemars(with = "Option<BTreeMap<String, Content>>")]
    pub put: Option<BTreeMap<Located<String>, Content>>,
    /// Removes objects `bucket/key`.
    pub delete: Option<OneOrMore>,
    /// Calls a function directly.
    pub invoke: Option<Invoke>,
    /// Moves the clock.
    pub advance: Option<Time>,
    /// Runs until nothing is left to do.
    pub settle: Option<SettleSpec>,
    /// Steps at the same time.
    #[schemars(with = "Option<Vec<StepSpec>>")]
    pub parallel: Option<Vec<Node>>,
    /// Steps several times.
    #[schemars(with = "Option<RepeatSpec>")]
    pub repeat: Option<Node>,
    /// Kills a function's environments.
    #[schemars(with = "Option<RestartSpec>")]
    pub restart: Option<Node>,
}

/// `settle` takes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Settle")]
pub struct SettleSpec {}

/// Steps several times, as it stands in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Repeat")]
pub struct RepeatSpec {
    /// How often, 1 to 10000.
    #[schemars(range(min = 1, max = 10_000))]
    pub times: Located<u32>,
    /// What.
    #[schemars(with = "Vec<StepSpec>")]
    pub steps: Vec<Node>,
}

/// What is restarted, as it stands in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Restart")]
pub struct RestartSpec {
    /// The function.
    pub function: Located<String>,
    /// `kill` is the only way so far.
    #[schemars(with = "Option<HowSpec>")]
    pub how: Option<Located<String>>,
}

/// How something is restarted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "How")]
pub enum HowSpec {
    /// At once.
    Kill,
}

/// One name or a list of them.
#[derive(Debug)]
pub struct OneOrMore(Vec<Located<String>>);

const VERBS: &[&str] = &[
    "put", "delete", "invoke", "advance", "settle", "parallel", "repeat", "restart",
];

/// Reads all steps of a file and gives each its id.
pub fn read_steps(nodes: &[Node], out: &mut Vec<Diagnostic>) -> Vec<Step> {
    let mut reader = Reader {
        ordinals: BTreeMap::new(),
        ids: BTreeMap::new(),
        out,
    };
    reader.steps(nodes)
}

impl Step {
    /// Calls `f` with this step and all steps within it.
    pub fn each<'a>(&'a self, f: &mut impl FnMut(&'a Step)) {
        f(self);
        if let Verb::Parallel(steps) | Verb::Repeat { steps, .. } = &self.verb {
            steps.iter().for_each(|step| step.each(f));
        }
    }
}

/// The ids of all steps, nested ones included.
pub fn ids(steps: &[Step]) -> BTreeSet<&str> {
    let mut ids = BTreeSet::new();
    for step in steps {
        step.each(&mut |step| {
            ids.insert(step.id.as_str());
        });
    }
    ids
}

struct Reader<'o> {
    ordinals: BTreeMap<&'static str, usize>,
    ids: BTreeMap<String, Span>,
    out: &'o mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn steps(&mut self, nodes: &[Node]) -> Vec<Step> {
        nodes.iter().filter_map(|node| self.step(node)).collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let spec: StepSpec = later::read(node, later::STEP, self.out)?;
        let word = self.only_verb(node)?;
        let ordinal = self.ordinals.entry(word).or_default();
        *ordinal += 1;
        let default = format!("{word}-{ordinal}");
        let id = self.id(spec.id.as_ref(), default, node.span)?;
        let expect = spec.expect.clone();
        let verb = self.verb(word, spec, node)?;
        Some(Step {
            id,
            verb,
            expect,
            span: node.span,
        })
    }

    fn only_verb(&mut self, node: &Node) -> Option<&'static str> {
        let Value::Map(entries) = &node.value else {
            return None;
        };
        let find = |key: &str| VERBS.iter().find(|verb| **verb == key).copied();
        let found: Vec<_> = entries
            .iter()
            .filter_map(|(key, _)| Some((find(&key.value)?, key.span)))
            .collect();
        let all = VERBS
            .iter()
            .map(|verb| format!("`{verb}`"))
            .collect::<Vec<_>>()
            .join(", ");
        match &*found {
            [(word, _)] => return Some(word),
            [] => self.out.push(
                Diagnostic::new(E_VALUE, "this step has no verb")
                    .at(node.span, "")
                    .help(format!("add one of {all}")),
            ),
            [(first, span), (second, other), ..] => self.out.push(
                Diagnostic::new(
                    E_VALUE,
                    format!("this step has two verbs, `{first}` and `{second}`"),
                )
                .at(*other, "")
                .also(*span, "")
                .help("make two steps of it"),
            ),
        }
        None
    }

    fn id(&mut self, given: Option<&Located<String>>, default: String, span: Span) -> Option<String> {
        let (id, span) = match given {
            Some(id) => (id.value.clone(), id.span),
            None => (default, span),
        };
        let letters = id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !letters || id.is_empty() || id.len() > 64 {
            let what = format!("bad step id `{id}`: use 1 to 64 letters, digits, `-` and `_`");
            self.out.push(Diagnostic::new(E_VALUE, what).at(span, ""));
            return None;
        }
        if let Some(first) = self.ids.insert(id.clone(), span) {
            self.out.push(
                Diagnostic::new(E_VALUE, format!("two steps have the id `{id}`"))
                    .at(span, "again here")
                    .also(first, "first here"),
            );
            return None;
        }
        Some(id)
    }

    fn verb(&mut self, word: &str, spec: StepSpec, node: &Node) -> Option<Verb> {
        match word {
            "put" => {
                let mut objects = Vec::new();
                for (path, content) in spec.put.unwrap_or_default() {
                    objects.push((self.object(&path)?, content));
                }
                self.some(objects, "put", node.span).map(Verb::Put)
            }
            "delete" => {
                let paths = spec.delete.map(|paths| paths.0).unwrap_or_default();
                let mut objects = Vec::new();
                for path in &paths {
                    objects.push(self.object(path)?);
                }
                self.some(objects, "delete", node.span).map(Verb::Delete)
            }
            "invoke" => self.given(spec.invoke, word, node.span).map(Verb::Invoke),
            "advance" => self
                .given(spec.advance, word, node.span)
                .map(|time| Verb::Advance(time.value)),
            "settle" => Some(Verb::Settle),
            "parallel" => {
                let nodes = self.some(spec.parallel.unwrap_or_default(), word, node.span)?;
                Some(Verb::Parallel(self.steps(&nodes)))
            }
            "repeat" => self.repeat(&self_or(spec.repeat, node)),
            _ => self.restart(&self_or(spec.restart, node)),
        }
    }

    fn repeat(&mut self, node: &Node) -> Option<Verb> {
        let spec: RepeatSpec = later::read(node, &["each"], self.out)?;
        if !(1..=10_000).contains(&spec.times.value) {
            let what = format!("`times` is {}, outside of 1 to 10000", spec.times.value);
            self.out
                .push(Diagnostic::new(E_VALUE, what).at(spec.times.span, ""));
            return None;
        }
        let nodes = self.some(spec.steps, "steps", node.span)?;
        Some(Verb::Repeat {
            times: spec.times.value,
            steps: self.steps(&nodes),
        })
    }

    fn restart(&mut self, node: &Node) -> Option<Verb> {
        if node.as_str() == Some("fabric") {
            self.out
                .push(not_yet("restart: fabric").at(node.span, "not supported yet"));
            return None;
        }
        let spec: RestartSpec = later::read(node, &["fabric"], self.out)?;
        match spec.how {
            Some(how) if how.value == "graceful" => {
                self.out
                    .push(not_yet("how: graceful").at(how.span, "not supported yet"));
                None
            }
            Some(how) if how.value != "kill" => {
                let what = format!("a restart cannot be `{}`", how.value);
                self.out.push(
                    Diagnostic::new(E_VALUE, what)
                        .at(how.span, "")
                        .help("write `how: kill`, or leave it out"),
                );
                None
            }
            _ => Some(Verb::Restart {
                function: spec.function,
            }),
        }
    }

    fn object(&mut self, path: &Located<String>) -> Option<Located<ObjectPath>> {
        ObjectPath::parse(path)
            .map_err(|diagnostic| self.out.push(diagnostic))
            .ok()
    }

    fn given<T>(&mut self, value: Option<T>, word: &str, span: Span) -> Option<T> {
        if value.is_none() {
            self.out
                .push(Diagnostic::new(E_VALUE, format!("`{word}` is empty")).at(span, ""));
        }
        value
    }

    fn some<T>(&mut self, list: Vec<T>, word: &str, span: Span) -> Option<Vec<T>> {
        self.given((!list.is_empty()).then_some(list), word, span)
    }
}

/// The verb's value, or nothing at the step's place.
fn self_or(value: Option<Node>, step: &Node) -> Node {
    value.unwrap_or(Node {
        span: step.span,
        value: Value::Null,
    })
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        match &node.value {
            Value::String(text) => Ok(OneOrMore(vec![Located {
                span: node.span,
                value: text.clone(),
            }])),
            _ => decode(&node).map(OneOrMore).map_err(refuse),
        }
    }
}

impl JsonSchema for OneOrMore {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}
