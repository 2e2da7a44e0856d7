//! A path becomes a scenario that is ready to run, or everything that is wrong with it.
//!
//! Owns reading, merging the project under the scenario, expanding variables and resolving every name
//! (`load/refs.rs`). Deliberately absent: starting anything.

mod expected;
mod merge;
mod refs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use router::time::Timestamp;

use crate::decode::{E_KEY, E_VALUE};
use crate::diagnostic::{Diagnostic, Files};
use crate::expect::model::entry;
use crate::file::fault::Fault;
use crate::file::function::Function;
use crate::file::later::{self, not_yet};
use crate::file::route::{ObjectPath, Route, Sink, Source};
use crate::file::{Bases, FileSpec, Fixtures, FixturesSpec, Limits, LimitsSpec, Scenario, step};
use crate::node::{Located, Node, Span, Value};
use crate::vars::{Builtin, E_VARIABLE, Expander};
use crate::yaml;

/// The code for a path that does not exist or cannot be read.
pub const E_PATH: &str = "E110";
/// The code for a name of something that is not declared.
pub const E_NAME: &str = "E105";

/// How many errors of a file are told at once.
const MOST: usize = 100;

/// Reads a scenario and the project under it.
pub fn load(path: &Path, files: &mut Files) -> Result<Scenario, Vec<Diagnostic>> {
    Loader {
        files,
        bases: Bases::default(),
        out: Vec::new(),
    }
    .load(path, Kind::Scenario)
}

/// Reads a project on its own, for `up`: a file without `steps` and `expect`.
pub fn load_project(path: &Path, files: &mut Files) -> Result<Scenario, Vec<Diagnostic>> {
    Loader {
        files,
        bases: Bases::default(),
        out: Vec::new(),
    }
    .load(path, Kind::Project)
}

/// Reads whichever it is, for `lint`: what has `steps` or `expect` is a scenario.
pub fn load_either(path: &Path, files: &mut Files) -> Result<Scenario, Vec<Diagnostic>> {
    Loader {
        files,
        bases: Bases::default(),
        out: Vec::new(),
    }
    .load(path, Kind::Either)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scenario,
    Project,
    Either,
}

struct Loader<'f> {
    files: &'f mut Files,
    bases: Bases,
    out: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn load(mut self, path: &Path, kind: Kind) -> Result<Scenario, Vec<Diagnostic>> {
        let scenario = self.assemble(path, kind);
        self.out
            .sort_by_key(|d| d.at.as_ref().map(|(span, _)| (span.file, span.start)));
        if self.out.len() > MOST {
            let more = self.out.len() - MOST;
            self.out.truncate(MOST);
            if let Some(last) = self.out.last_mut() {
                last.notes
                    .push(format!("and at least {more} more errors; these first"));
            }
        }
        match scenario {
            Some(scenario) if self.out.is_empty() => Ok(scenario),
            _ => Err(self.out),
        }
    }

    fn assemble(&mut self, path: &Path, kind: Kind) -> Option<Scenario> {
        let mut node = match self.read(path) {
            Ok(node) => node,
            Err(diagnostic) => {
                self.out.push(diagnostic);
                return None;
            }
        };
        let kind = match kind {
            Kind::Either if node.get("steps").or(node.get("expect")).is_none() => Kind::Project,
            other => other,
        };
        if kind == Kind::Project {
            self.refuse_scenario_keys(&node, "run it with `triggerfish test`");
        }
        match self.project(&node, path, kind) {
            Some(project) => node = merge::over(project, node),
            // Without its project nothing of the file can be understood.
            None if node.get("project").is_some() => return None,
            None => {}
        }
        let vars = self.variables(&node);
        let mut expander = Expander {
            vars: &vars,
            files: self.files,
            builtins: Vec::new(),
            out: &mut self.out,
        };
        if let Value::Map(entries) = &mut node.value {
            for (key, value) in entries.iter_mut() {
                if !matches!(key.value.as_str(), "vars" | "doc" | "project" | "schema") {
                    expander.node(value);
                }
            }
        }
        let builtins = expander.builtins;
        let spec: FileSpec = later::read_some(&node, later::FILE, &mut self.out)?;
        let declared = refs::Declared::new(&spec, &node);
        let mut scenario = self.scenario(path, spec, &node);
        refs::check(&mut scenario, &declared, &builtins, &mut self.out);
        Some(scenario)
    }

    /// Reads and parses one file and remembers its directory.
    fn read(&mut self, path: &Path) -> Result<Node, Diagnostic> {
        let shown = path.display().to_string();
        let cannot = |what: String| Diagnostic::new(E_PATH, what);
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => cannot(format!("file {shown} does not exist")),
            _ => cannot(format!(
                "failed to read {shown}: {}",
                error.to_string().to_lowercase()
            )),
        })?;
        let (text, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(at))
            }
        };
        let file = self.files.add(shown, text);
        let base = path
            .parent()
            .filter(|base| !base.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        self.bases.0.insert(file, base.to_owned());
        if let Some(at) = broken.and_then(|at| u32::try_from(at).ok()) {
            let span = Span {
                file,
                start: at,
                end: at,
            };
            let what = format!("file {} is not UTF-8", self.files.path(file));
            let problem = Diagnostic::new(E_PATH, what).at(span, "other bytes from here");
            return Err(problem.help("save it as UTF-8"));
        }
        let node = yaml::parse(file, self.files.text(file))?;
        match node.value {
            Value::Map(_) => Ok(node),
            _ => Err(Diagnostic::new(E_VALUE, "a file is a map of keys")
                .at(node.span, "")
                .help("start with `schema: 1`")),
        }
    }

    /// The project's tree, without what only describes the project itself.
    fn project(&mut self, node: &Node, path: &Path, kind: Kind) -> Option<Node> {
        let key = node.get("project")?;
        let name = key.as_str()?;
        if kind == Kind::Project {
            let what = "a project cannot have a project";
            self.out.push(Diagnostic::new(E_VALUE, what).at(key.span, ""));
            return None;
        }
        let project_path = path.parent().unwrap_or(Path::new("")).join(name);
        let mut project = match self.read(&project_path) {
            Ok(project) => project,
            Err(diagnostic) if diagnostic.at.is_none() => {
                self.out.push(diagnostic.at(key.span, "the project"));
                return None;
            }
            Err(diagnostic) => {
                self.out.push(diagnostic);
                return None;
            }
        };
        self.refuse_scenario_keys(&project, "a project has no steps of its own");
        if let Some(nested) = project.get("project") {
            let what = "a project cannot have a project";
            self.out.push(Diagnostic::new(E_VALUE, what).at(nested.span, ""));
        }
        // Merged away otherwise: each file says which version it is written in.
        if let Some(schema) = project.get("schema") {
            check_schema(schema, &mut self.out);
        }
        if let Value::Map(entries) = &mut project.value {
            let own = ["schema", "name", "doc", "tags", "project", "steps", "expect"];
            entries.retain(|(key, _)| !own.contains(&key.value.as_str()));
        }
        Some(project)
    }

    /// The constants; each may use those above it.
    fn variables(&mut self, node: &Node) -> BTreeMap<String, Node> {
        let mut vars = BTreeMap::new();
        let Some(Value::Map(entries)) = node.get("vars").map(|vars| &vars.value) else {
            return vars;
        };
        for (name, value) in entries {
            let mut value = value.clone();
            let mut expander = Expander {
                vars: &vars,
                files: self.files,
                builtins: Vec::new(),
                out: &mut self.out,
            };
            expander.node(&mut value);
            for (span, _) in std::mem::take(&mut expander.builtins) {
                let what = "a constant cannot hold what is known only in a run";
                self.out.push(Diagnostic::new(E_VARIABLE, what).at(span, ""));
            }
            if Builtin::parse(&name.value).is_some() {
                let what = format!("`{}` is built in and cannot be a constant", name.value);
                self.out.push(
                    Diagnostic::new(E_VARIABLE, what)
                        .at(name.span, "")
                        .help("use another name"),
                );
            }
            vars.insert(name.value.clone(), value);
        }
        vars
    }

    fn refuse_scenario_keys(&mut self, node: &Node, help: &str) {
        let Value::Map(entries) = &node.value else { return };
        for (key, _) in entries
            .iter()
            .filter(|(key, _)| matches!(key.value.as_str(), "steps" | "expect"))
        {
            let what = format!("a project has no `{}`: this is a scenario", key.value);
            self.out
                .push(Diagnostic::new(E_KEY, what).at(key.span, "").help(help));
        }
    }

    /// Every section as strict types; what cannot be read is noted and left out.
    fn scenario(&mut self, path: &Path, spec: FileSpec, node: &Node) -> Scenario {
        let (bases, out) = (&self.bases, &mut self.out);
        match node.get("schema") {
            Some(schema) => check_schema(schema, out),
            None => out.push(
                Diagnostic::new(E_VALUE, "the key `schema` is missing")
                    .at(first_key(node), "")
                    .help("start with `schema: 1`"),
            ),
        }
        if let Some(mode) = &spec.mode {
            check_mode(mode, out);
        }
        if let Some(timeout) = spec.timeout.filter(|timeout| timeout.value.is_zero()) {
            out.push(Diagnostic::new(E_VALUE, "a timeout of nothing ends every run").at(timeout.span, ""));
        }
        let functions = spec
            .functions
            .iter()
            .filter_map(|(name, node)| Some((name.value.clone(), Function::read(name, node, bases, out)?)));
        let functions = functions.collect();
        let sources = spec
            .sources
            .iter()
            .filter_map(|(name, node)| Some((name.value.clone(), Source::read(name, node, bases, out)?)));
        let sources = sources.collect();
        let routes = spec
            .routes
            .iter()
            .filter_map(|node| Route::read(node, out))
            .collect();
        let sinks = spec
            .sinks
            .iter()
            .filter_map(|(name, node)| Some((name.value.clone(), Sink::read(name, node, out)?)))
            .collect();
        let faults = spec
            .faults
            .iter()
            .enumerate()
            .filter_map(|(at, node)| Fault::read(at, node, out))
            .collect();
        let steps = step::read_steps(
            &spec
                .steps
                .as_ref()
                .map(|steps| steps.value.clone())
                .unwrap_or_default(),
            out,
        );
        if let Some((key, _)) = entry(node, "expect").filter(|(_, value)| value.value == Value::Null) {
            let problem = Diagnostic::new(E_VALUE, "`expect` is empty").at(key.span, "expects nothing");
            out.push(problem.help("write `expect: {}` if nothing may happen, or remove it"));
        }
        let mut fixtures = Fixtures::default();
        let objects: Option<FixturesSpec> = spec
            .fixtures
            .as_ref()
            .and_then(|node| later::read(node, later::FIXTURES, out));
        for (path, content) in objects.unwrap_or_default().objects {
            match ObjectPath::parse(&path) {
                Ok(path) => fixtures.objects.push((path, content)),
                Err(diagnostic) => out.push(diagnostic),
            }
        }
        let mut scenario = Scenario {
            name: spec.name.map_or_else(|| file_stem(path), |name| name.value),
            path: path.to_owned(),
            doc: spec.doc,
            tags: spec.tags,
            timeout: spec
                .timeout
                .map_or(std::time::Duration::from_secs(60), |time| time.value),
            seed: spec.seed.unwrap_or_default(),
            clock_start: clock_start(spec.clock.and_then(|clock| clock.start), out),
            limits: limits(spec.limits, node.get("limits"), out),
            fixtures,
            functions,
            sources,
            routes,
            sinks,
            faults,
            steps,
            expect: spec.expect,
        };
        for (_, content) in &mut scenario.fixtures.objects {
            content.resolve(bases, out);
        }
        refs::each_put(&mut scenario.steps, &mut |content| content.resolve(bases, out));
        scenario
    }
}

fn check_schema(schema: &Node, out: &mut Vec<Diagnostic>) {
    if schema.value == Value::Null {
        let problem = Diagnostic::new(E_VALUE, "`schema` is empty").at(schema.span, "");
        out.push(problem.help("write `schema: 1`"));
    }
    if let Value::Number(number) = &schema.value
        && number.is_u64()
        && number.as_u64() != Some(1)
    {
        let what = format!("schema {number} is not known, only 1");
        out.push(
            Diagnostic::new(E_VALUE, what)
                .at(schema.span, "")
                .help("a newer version of triggerfish may read it"),
        );
    }
}

fn check_mode(mode: &Located<String>, out: &mut Vec<Diagnostic>) {
    match mode.value.as_str() {
        "virtual" => {}
        "real" => out.push(
            not_yet("mode: real")
                .at(mode.span, "not supported yet")
                .help("leave it out: scenarios run on a virtual clock"),
        ),
        other => {
            let what = format!("there is no mode `{other}`");
            out.push(
                Diagnostic::new(E_VALUE, what)
                    .at(mode.span, "")
                    .help("write `mode: virtual`, or leave it out"),
            );
        }
    }
}

fn clock_start(start: Option<Located<String>>, out: &mut Vec<Diagnostic>) -> Timestamp {
    let Some(start) = start else {
        return Timestamp::VIRTUAL_START;
    };
    Timestamp::parse_iso(&start.value).unwrap_or_else(|| {
        let what = format!("`{}` is not an instant from 1970 on", start.value);
        out.push(
            Diagnostic::new(E_VALUE, what)
                .at(start.span, "")
                .help("write it as `2026-01-01T00:00:00Z`"),
        );
        Timestamp::VIRTUAL_START
    })
}

fn limits(spec: Option<LimitsSpec>, whole: Option<&Node>, out: &mut Vec<Diagnostic>) -> Limits {
    let default = Limits::default();
    let Some(spec) = spec else { return default };
    if let Some(patience) = spec.patience.filter(|patience| patience.value == 0) {
        out.push(Diagnostic::new(E_VALUE, "`patience` is at least 1").at(patience.span, ""));
    }
    if spec.events == Some(0) {
        let at = whole.and_then(|node| entry(node, "events"));
        let problem = Diagnostic::new(E_VALUE, "`events` is at least 1");
        out.push(problem.at(at.map(|(_, value)| value.span).unwrap_or_default(), ""));
    }
    for (key, time) in [("virtual", spec.virtual_time), ("init", spec.init)] {
        if let Some(time) = time.filter(|time| time.value.is_zero()) {
            let what = format!("a limit `{key}` of nothing ends every run");
            out.push(Diagnostic::new(E_VALUE, what).at(time.span, ""));
        }
    }
    Limits {
        virtual_time: spec.virtual_time.map_or(default.virtual_time, |time| time.value),
        events: spec.events.unwrap_or(default.events),
        init: spec.init.map_or(default.init, |time| time.value),
        patience: spec
            .patience
            .map_or(default.patience, |patience| patience.value.max(1)),
        idle: spec.idle.map_or(default.idle, |time| time.value),
    }
}

fn first_key(node: &Node) -> Span {
    match &node.value {
        Value::Map(entries) => entries.first().map_or(node.span, |(key, _)| key.span),
        _ => node.span,
    }
}

fn file_stem(path: &Path) -> String {
    let stem = PathBuf::from(path.file_stem().unwrap_or_default());
    stem.display().to_string()
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "load/mistakes_tests.rs"]
mod mistakes_tests;
