//! From a loaded file to the parts of a fabric: router settings, functions to run, opened sources.
//!
//! Owns the translation and where things live: a scenario gets fresh directories of its own, a live project
//! its declared ones. Deliberately absent: running.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use executor::{FunctionSpec, Runtime, StartError};
use router::name::{FunctionName, Seed, SinkName, SourceName, Version};
use router::retry::RetryPolicy;
use router::settings::{ACCOUNT_CONCURRENCY, Asynchronous, Destination, Function, Settings, VersionSettings};
use router::time::Timestamp;
use sources::catalog::{self, OpenSource, Opener};
use sources::source::{Bell, Site, Source, SourceError, Subscription};

use crate::decode::decode;
use crate::diagnostic::Diagnostic;
use crate::faults::{Effect, Fault};
use crate::file::fault::Act;
use crate::file::function::{self, Program};
use crate::file::{Scenario, route};
use crate::hands::function_error;
use crate::node::{Located, Node, Value};
use crate::vars::{Builtin, fill};

/// The region of ARNs and events.
pub const REGION: &str = "us-east-1";
/// The account of ARNs and events.
pub const ACCOUNT: &str = "123456789012";

/// The router's settings.
///
/// # Errors
/// A destination that cannot be one, or reserved concurrency beyond the account.
pub fn settings(scenario: &Scenario, slots: Option<u32>) -> Result<Settings, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let functions = scenario.functions.values();
    let functions = functions
        .map(|f| (f.name.value.clone(), router_function(scenario, f, &mut problems)))
        .collect();
    let settings = Settings {
        functions,
        concurrency: ACCOUNT_CONCURRENCY,
        slots,
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
    };
    if let Err(text) = settings.check() {
        let span = scenario
            .functions
            .values()
            .find(|f| f.concurrency.is_some())
            .map(|f| f.span);
        let problem = Diagnostic::new("E105", text).help(format!("the account has {ACCOUNT_CONCURRENCY}"));
        problems.push(match span {
            Some(span) => problem.at(span, ""),
            None => problem,
        });
    }
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(problems)
    }
}

fn router_function(scenario: &Scenario, f: &function::Function, out: &mut Vec<Diagnostic>) -> Function {
    let destination = |name: &Option<Located<String>>| {
        let name = name.as_ref()?.value.as_str();
        Some(match scenario.sinks.contains_key(name) {
            true => Destination::Sink(SinkName::new(name)),
            false => Destination::function(FunctionName::new(name)),
        })
    };
    let dead_letter = f.dead_letter.as_ref().and_then(|name| {
        if scenario.sinks.contains_key(&name.value) {
            return Some(SinkName::new(name.value.as_str()));
        }
        let what = format!("dead_letter of {} names a function", f.name.value);
        let help = "AWS's dead-letter target is a queue or topic: name a sink, or use `on_failure`";
        out.push(
            Diagnostic::new("E105", what)
                .at(name.span, "not a sink")
                .help(help),
        );
        None
    });
    let itself = f.name.value.as_str();
    for name in [&f.on_success, &f.on_failure]
        .into_iter()
        .flatten()
        .filter(|name| name.value == itself)
    {
        let what = "You can't specify the function as a destination for itself.";
        out.push(Diagnostic::new("E105", what).at(name.span, "the function itself"));
    }
    let asynchronous = Asynchronous {
        retry: RetryPolicy {
            retries: f.retry.max.into(),
            delays: f.retry.delay.clone(),
            max_age: f.max_event_age,
        },
        on_success: destination(&f.on_success),
        on_failure: destination(&f.on_failure),
    };
    let latest = VersionSettings {
        dead_letter,
        provisioned: 0,
    };
    Function {
        reserved: f.concurrency,
        ..Function::unversioned(latest, asynchronous)
    }
}

/// Where each source keeps its objects, for those that keep them in a directory.
pub fn directories(sources: &BTreeMap<SourceName, Ready>) -> BTreeMap<String, PathBuf> {
    let place = |ready: &Ready| Some((ready.name.as_str().to_owned(), ready.directory.clone()?));
    sources.values().filter_map(place).collect()
}

/// The values of built-ins: `${now}` is the time at which they are put in, which for a function's variables is the start
/// of the run.
pub fn builtins(
    directories: &BTreeMap<String, PathBuf>,
    now: Timestamp,
) -> impl Fn(&Builtin) -> Option<String> + '_ {
    move |builtin| match builtin {
        Builtin::SourceDirectory(name) => directories.get(name).map(|path| path.display().to_string()),
        Builtin::Now => Some(now.iso_millis()),
        Builtin::StepRequestId(_) => None,
    }
}

/// What the executor has to know; `lookup` has the built-ins of variables.
///
/// # Errors
/// A runtime that does not exist.
pub fn functions(
    scenario: &Scenario,
    lookup: &dyn Fn(&Builtin) -> Option<String>,
) -> Result<Vec<FunctionSpec>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut specs = Vec::new();
    for f in scenario.functions.values() {
        let (runtime, handler) = match &f.program {
            Program::Runtime { runtime, handler } => match Runtime::parse(&runtime.value) {
                Ok(parsed) => (parsed, handler.value.clone()),
                Err(error) => {
                    problems.push(Diagnostic::new("E105", error.to_string()).at(runtime.span, ""));
                    continue;
                }
            },
            Program::Command { argv, handler } => {
                let handler = handler.as_ref().map_or_else(String::new, |h| h.value.clone());
                (Runtime::Command(argv.value.clone()), handler)
            }
        };
        let environment = f
            .environment
            .iter()
            .map(|(k, v)| (k.clone(), fill(&v.value, lookup)))
            .collect();
        specs.push(FunctionSpec {
            name: f.name.value.clone(),
            version: Version::Latest,
            runtime,
            handler,
            code: absolute(&f.code.value),
            opt: None,
            memory: f.memory,
            ephemeral_storage: f.ephemeral_storage,
            logging: f.logging,
            log_group: None,
            traced: false,
            freeze: f.freeze,
            timeout: f.timeout,
            environment,
            duration: f.duration,
        });
    }
    if problems.is_empty() {
        Ok(specs)
    } else {
        Err(problems)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A directory without the links on its way, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// How two directories share files, if they do.
fn shared(one: &Path, other: &Path) -> Option<&'static str> {
    if one == other {
        Some("are the same directory")
    } else if one.starts_with(other) || other.starts_with(one) {
        Some("share files: one directory is inside the other")
    } else {
        None
    }
}

/// An error of the executor at the place of the function's declaration.
pub fn start_error(scenario: &Scenario, error: &StartError) -> Diagnostic {
    let problem = Diagnostic::new("E301", error.to_string());
    let function = error
        .function
        .as_ref()
        .and_then(|name| scenario.functions.get(name.as_str()));
    let Some(f) = function else { return problem };
    let span = match (error.key, &f.program) {
        ("code", _) => f.code.span,
        ("handler", Program::Runtime { handler, .. }) => handler.span,
        ("runtime", Program::Runtime { runtime, .. }) => runtime.span,
        ("command", Program::Command { argv, .. }) => argv.span,
        _ => f.span,
    };
    problem.at(span, "")
}

/// The faults, as hands apply them.
pub fn faults(scenario: &Scenario) -> Vec<Fault> {
    let fault = |f: &crate::file::fault::Fault| Fault {
        name: f.name.clone(),
        function: f
            .on
            .function
            .as_ref()
            .map(|n| FunctionName::new(n.value.as_str())),
        source: f.on.source.as_ref().map(|n| SourceName::new(n.value.as_str())),
        route: f
            .on
            .route
            .as_ref()
            .map(|n| router::name::RouteName::new(n.value.as_str())),
        event: f.on.event.clone(),
        nth: f.on.nth,
        attempts: f.on.attempt.clone(),
        effect: match &f.act {
            Act::Error(e) => Effect::Error(function_error(&e.kind, &e.message)),
            Act::ErrorAfter(e) => Effect::ErrorAfter(function_error(&e.kind, &e.message)),
            Act::Throttle => Effect::Throttle,
            Act::Timeout => Effect::Timeout,
            Act::CrashBefore => Effect::CrashBefore,
            Act::CrashAfter => Effect::CrashAfter,
            Act::Duplicate { after } => Effect::Duplicate(*after),
        },
    };
    scenario.faults.iter().map(fault).collect()
}

/// Where a run keeps its things.
pub struct Places<'a> {
    /// Each source's directory is made afresh below this, wherever its file says that it lives; `None` uses that.
    pub fresh: Option<&'a Path>,
    /// State that survives restarts.
    pub state: Option<&'a Path>,
    /// Scratch files.
    pub scratch: &'a Path,
    /// What ids derive from.
    pub seed: Seed,
}

/// Opens a source.
pub type Open = Box<dyn FnOnce(Bell) -> Result<Box<dyn OpenSource>, SourceError>>;

/// A source that is ready to be opened.
pub struct Ready {
    /// Its name.
    pub name: SourceName,
    /// Its directory, if one acts as the source.
    pub directory: Option<PathBuf>,
    /// The directory that its file names; a scenario has another one made for it.
    declared: Option<PathBuf>,
    /// Opens it with the bell that its watcher rings.
    pub open: Open,
}

/// Checks every source with its routes and says how to open it.
///
/// # Errors
/// Every problem found, at its place.
pub fn sources(
    scenario: &Scenario,
    places: &Places<'_>,
) -> Result<BTreeMap<SourceName, Ready>, Vec<Diagnostic>> {
    let mut ready: BTreeMap<SourceName, Ready> = BTreeMap::new();
    let mut problems = Vec::new();
    for source in scenario.sources.values() {
        let routes: Vec<_> = scenario
            .routes
            .iter()
            .filter(|r| r.from.value == source.name.value.as_str())
            .collect();
        let make = Make {
            source,
            routes,
            places,
        };
        match catalog::with_kind(&source.kind.value, make) {
            Some(Ok(one)) => {
                let place = |one: &Ready| one.declared.as_deref().map(resolved);
                let mine = place(&one);
                let met = ready.values().find_map(|other| {
                    let how = shared(place(other)?.as_path(), mine.as_deref()?)?;
                    Some((other, how))
                });
                if let Some((other, how)) = met {
                    let what = format!("sources {} and {} {how}", other.name, one.name);
                    let help = "two buckets cannot share files: each change would be seen twice";
                    problems.push(Diagnostic::new("E105", what).at(source.name.span, "").help(help));
                }
                ready.insert(one.name.clone(), one);
            }
            Some(Err(found)) => problems.extend(found),
            None => {
                let what = format!("there is no kind of source called `{}`", source.kind.value);
                problems.push(Diagnostic::new("E105", what).at(source.kind.span, ""));
            }
        }
    }
    if problems.is_empty() {
        Ok(ready)
    } else {
        Err(problems)
    }
}

struct Make<'a> {
    source: &'a route::Source,
    routes: Vec<&'a route::Route>,
    places: &'a Places<'a>,
}

impl Opener for Make<'_> {
    type Out = Result<Ready, Vec<Diagnostic>>;

    fn with<S: Source + 'static>(self) -> Self::Out {
        let Make {
            source,
            routes,
            places,
        } = self;
        let mut problems = Vec::new();
        let config = decode::<S::Config>(&source.config)
            .map_err(|problem| problems.push(problem))
            .ok();
        let mut subscriptions = Vec::new();
        for route in &routes {
            match decode::<S::Filter>(&route.filter) {
                Ok(filter) => subscriptions.push(Subscription {
                    route: route.name.value.clone(),
                    to: FunctionName::new(route.to.value.as_str()),
                    filter,
                }),
                Err(problem) => problems.push(problem),
            }
        }
        let Some(config) = config.filter(|_| problems.is_empty()) else {
            return Err(problems);
        };
        S::check(&config, &subscriptions).map_err(|error| vec![located(source, &routes, &error)])?;
        let site = Site {
            name: source.name.value.clone(),
            base: places.fresh.map_or_else(|| source.base.clone(), Path::to_owned),
            state: places.state.map(Path::to_owned),
            scratch: places.scratch.join(source.name.value.as_str()),
            seed: places.seed,
            region: REGION.to_owned(),
            account: ACCOUNT.to_owned(),
            bell: Bell::new().0,
        };
        let declared = S::directory(&config, &source.base).map(|path| absolute(&path));
        let config = match places.fresh {
            Some(_) => decode::<S::Config>(&undirected(&source.config)).map_err(|problem| vec![problem])?,
            None => config,
        };
        let directory = S::directory(&config, &site.base).map(|path| absolute(&path));
        let open = Box::new(move |bell| {
            let opened = S::open(config, subscriptions, Site { bell, ..site })?;
            Ok(Box::new(opened) as Box<dyn OpenSource>)
        });
        Ok(Ready {
            name: source.name.value.clone(),
            directory,
            declared,
            open,
        })
    }
}

/// A source's keys without the one that says where it lives.
fn undirected(config: &Node) -> Node {
    let mut config = config.clone();
    if let Value::Map(entries) = &mut config.value {
        entries.retain(|(key, _)| key.value != "directory");
    }
    config
}

fn located(source: &route::Source, routes: &[&route::Route], error: &SourceError) -> Diagnostic {
    let node = match error.subscription.and_then(|i| routes.get(i)) {
        Some(route) => &route.filter,
        None => &source.config,
    };
    let whole = error
        .subscription
        .and_then(|i| routes.get(i))
        .map_or(source.name.span, |route| route.span);
    let span = error
        .key
        .and_then(|key| node.get(key))
        .map_or(whole, |value| value.span);
    let problem = Diagnostic::new("E105", error.to_string()).at(span, "");
    match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}

/// An error of opening a source, at the source's place.
pub fn open_error(scenario: &Scenario, name: &SourceName, error: &SourceError) -> Diagnostic {
    match scenario.sources.get(name.as_str()) {
        Some(source) => Diagnostic {
            code: "E302",
            ..located(source, &[], error)
        },
        None => Diagnostic::new("E302", error.to_string()),
    }
}
