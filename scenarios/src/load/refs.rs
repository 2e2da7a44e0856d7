//! Names that one part of a file uses for another.

use std::collections::{BTreeMap, BTreeSet};

use super::E_NAME;
use crate::decode::{E_VALUE, nearest};
use crate::diagnostic::Diagnostic;
use crate::file::content::Content;
use crate::file::later::not_yet;
use crate::file::route::ObjectPath;
use crate::file::step::{self, Step, Verb};
use crate::file::{FileSpec, Scenario};
use crate::node::{Located, Node, Span};
use crate::vars::Builtin;

/// Everything that has a name, even if its own declaration has errors: those are reported once.
pub struct Declared {
    /// Functions.
    pub functions: BTreeSet<String>,
    sources: BTreeSet<String>,
    /// Sinks.
    pub sinks: BTreeSet<String>,
    /// Source by bucket; a source without `bucket` has its name as bucket.
    buckets: BTreeMap<String, String>,
    /// Whether the sections that were declared could be read at all.
    whole: bool,
}

impl Declared {
    /// The names in a file; `node` is the same file as a tree.
    pub fn new(spec: &FileSpec, node: &Node) -> Self {
        let names =
            |section: &BTreeMap<Located<String>, Node>| section.keys().map(|key| key.value.clone()).collect();
        let bucket = |name: &String, node: &Node| match node.get("bucket").and_then(Node::as_str) {
            Some(bucket) => bucket.to_owned(),
            None => name.clone(),
        };
        let lost = |key: &str, len: usize| {
            len == 0 && node.get(key).is_some_and(|section| !matches!(&section.value, crate::node::Value::Map(entries) if entries.is_empty()))
        };
        Declared {
            functions: names(&spec.functions),
            sources: names(&spec.sources),
            sinks: names(&spec.sinks),
            buckets: spec
                .sources
                .iter()
                .map(|(name, node)| (bucket(&name.value, node), name.value.clone()))
                .collect(),
            whole: !lost("functions", spec.functions.len())
                && !lost("sources", spec.sources.len())
                && !lost("sinks", spec.sinks.len()),
        }
    }
}

/// Resolves the objects of steps and checks every other name.
pub fn check(
    scenario: &mut Scenario,
    declared: &Declared,
    builtins: &[(Span, Builtin)],
    out: &mut Vec<Diagnostic>,
) {
    if !declared.whole {
        return;
    }
    let mut names = Names { declared, out };
    names.routes(scenario);
    names.destinations(scenario);
    names.faults(scenario);
    let ids: BTreeSet<String> = step::ids(&scenario.steps)
        .into_iter()
        .map(str::to_owned)
        .collect();
    for (path, _) in &mut scenario.fixtures.objects {
        names.object(path);
    }
    names.steps(&mut scenario.steps);
    let in_run = filled_in_run(scenario);
    names.builtins(builtins, &in_run);
    let ids: Vec<String> = ids.into_iter().collect();
    super::expected::check(&mut names, scenario, &ids);
}

/// Calls `f` with the content of every `put`.
pub fn each_put(steps: &mut [Step], f: &mut impl FnMut(&mut Content)) {
    for step in steps {
        match &mut step.verb {
            Verb::Put(objects) => objects.iter_mut().for_each(|(_, content)| f(content)),
            Verb::Parallel(steps) | Verb::Repeat { steps, .. } => each_put(steps, f),
            _ => {}
        }
    }
}

/// Looks names up.
pub struct Names<'a> {
    /// What there is.
    pub declared: &'a Declared,
    /// What is wrong.
    pub out: &'a mut Vec<Diagnostic>,
}

impl Names<'_> {
    /// Notes a name that is not among those that are known.
    pub fn known<'k>(
        &mut self,
        kind: &str,
        name: &Located<String>,
        known: impl Iterator<Item = &'k String> + Clone,
    ) {
        if known.clone().any(|k| *k == name.value) {
            return;
        }
        let help = match nearest(&name.value, known.clone().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let all: Vec<String> = known.map(|k| format!("`{k}`")).collect();
                if all.is_empty() {
                    format!("no {kind} is declared")
                } else {
                    format!("there is {}", all.join(", "))
                }
            }
        };
        self.out.push(
            Diagnostic::new(E_NAME, format!("there is no {kind} called `{}`", name.value))
                .at(name.span, "")
                .help(help),
        );
    }

    fn routes(&mut self, scenario: &Scenario) {
        let declared = self.declared;
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for route in &scenario.routes {
            self.known("source", &route.from, declared.sources.iter());
            self.known("function", &route.to, declared.functions.iter());
            if let Some(first) = seen.insert(route.name.value.as_str(), route.name.span) {
                let what = format!("two routes are called `{}`", route.name.value);
                self.out.push(
                    Diagnostic::new(E_VALUE, what)
                        .at(route.name.span, "again here")
                        .also(first, "first here")
                        .help("give one of them a `name` of its own"),
                );
            }
        }
        let mut buckets: BTreeMap<&str, Span> = BTreeMap::new();
        for source in scenario.sources.values() {
            let bucket = source
                .config
                .get("bucket")
                .and_then(Node::as_str)
                .unwrap_or(source.name.value.as_str());
            if let Some(first) = buckets.insert(bucket, source.name.span) {
                let what = format!("two sources have the bucket `{bucket}`");
                self.out.push(
                    Diagnostic::new(E_VALUE, what)
                        .at(source.name.span, "again here")
                        .also(first, "first here"),
                );
            }
        }
    }

    fn destinations(&mut self, scenario: &Scenario) {
        let declared = self.declared;
        for function in scenario.functions.values() {
            let ends = [&function.on_success, &function.on_failure, &function.dead_letter];
            for end in ends.into_iter().flatten() {
                self.known(
                    "sink or function",
                    end,
                    declared.sinks.iter().chain(&declared.functions),
                );
                if end.value == function.name.value.as_str() && !declared.sinks.contains(&end.value) {
                    let what = format!("function `{}` cannot be its own destination", end.value);
                    self.out.push(Diagnostic::new(E_VALUE, what).at(end.span, ""));
                }
            }
        }
        for (name, sink) in &scenario.sinks {
            if let Some(function) = scenario.functions.get(name) {
                let what = format!("`{name}` is both a sink and a function");
                self.out.push(
                    Diagnostic::new(E_VALUE, what)
                        .at(sink.name.span, "the sink")
                        .also(function.name.span, "the function")
                        .help("rename one: destinations name either"),
                );
            }
        }
    }

    fn faults(&mut self, scenario: &Scenario) {
        let declared = self.declared;
        let routes: Vec<String> = scenario
            .routes
            .iter()
            .map(|route| route.name.value.as_str().to_owned())
            .collect();
        for fault in &scenario.faults {
            if let Some(function) = &fault.on.function {
                self.known("function", function, declared.functions.iter());
            }
            if let Some(source) = &fault.on.source {
                self.known("source", source, declared.sources.iter());
            }
            if let Some(route) = &fault.on.route {
                self.known("route", route, routes.iter());
            }
        }
    }

    fn steps(&mut self, steps: &mut [Step]) {
        let declared = self.declared;
        for step in steps {
            match &mut step.verb {
                Verb::Put(objects) => objects.iter_mut().for_each(|(path, _)| self.object(path)),
                Verb::Delete(objects) => objects.iter_mut().for_each(|path| self.object(path)),
                Verb::Invoke(invoke) => self.known("function", &invoke.function, declared.functions.iter()),
                Verb::Restart { function } => self.known("function", function, declared.functions.iter()),
                Verb::Parallel(steps) | Verb::Repeat { steps, .. } => self.steps(steps),
                Verb::Advance(_) | Verb::Settle => {}
            }
        }
    }

    /// The first part of an object's path becomes the source's name; a bucket goes before a source's name.
    pub fn object(&mut self, path: &mut Located<ObjectPath>) {
        let declared = self.declared;
        let first = &path.value.source;
        if let Some(source) = declared.buckets.get(first) {
            path.value.source = source.clone();
        } else if !declared.sources.contains(first) {
            let name = Located {
                span: path.span,
                value: first.clone(),
            };
            self.known("bucket", &name, declared.buckets.keys());
        }
    }

    fn builtins(&mut self, builtins: &[(Span, Builtin)], in_run: &[Span]) {
        let declared = self.declared;
        for (span, builtin) in builtins {
            let name = match builtin {
                Builtin::Now => "${now}".to_owned(),
                Builtin::SourceDirectory(name) => {
                    let name = Located {
                        span: *span,
                        value: name.clone(),
                    };
                    self.known("source", &name, declared.sources.iter());
                    format!("${{source.{}.directory}}", name.value)
                }
                Builtin::StepRequestId(id) => {
                    let word = format!("${{step.{id}.request_id}}");
                    self.out.push(not_yet(&word).at(*span, "not supported yet"));
                    continue;
                }
            };
            let inside =
                |outer: &Span| outer.file == span.file && outer.start <= span.start && span.end <= outer.end;
            // A function that could not be read has no environment to be in.
            if self.out.is_empty() && !in_run.iter().any(inside) {
                let what = format!("`{name}` is known only in a run, and not here");
                self.out.push(
                    Diagnostic::new(crate::vars::E_VARIABLE, what)
                        .at(*span, "")
                        .help("use it in a function's `environment` or in the `payload` of an `invoke`"),
                );
            }
        }
    }
}

/// Where built-ins are put in: environments, and what calls send.
fn filled_in_run(scenario: &Scenario) -> Vec<Span> {
    let environments = scenario.functions.values().flat_map(|f| f.environment.values());
    let mut spans: Vec<Span> = environments.map(|value| value.span).collect();
    for step in &scenario.steps {
        step.each(&mut |step| {
            if let Verb::Invoke(invoke) = &step.verb {
                let nodes = invoke.payload.iter().chain(&invoke.client_context);
                spans.extend(nodes.map(|node| node.span));
            }
        });
    }
    spans
}
