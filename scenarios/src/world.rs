//! A project on the system's clock, put together: what `up` and `invoke` both need before anything happens.
//!
//! Owns the order of assembling and nothing that runs on its own: who uses it opens the sources, says what is recorded
//! and turns the fabric. Deliberately absent: scenarios, whose world is the stage of a run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use executor::{Credentials, Executor, Functions, News, Options, Pace, Reactor};
use router::arrivals::Arrivals;
use router::fabric::{Fabric, Inbox};
use router::journal::{Journal, Recorder};
use router::name::{FunctionName, Seed, SourceName};
use router::router::Router;
use router::settings::{Function, Settings};

use crate::assemble::{self, Places, Ready};
use crate::clock::{SystemClock, system_now};
use crate::diagnostic::Diagnostic;
use crate::file::Scenario;
use crate::hands::{LiveHands, Replies};
use crate::stop::Stop;

/// How a project is put together.
pub struct Plan<'a> {
    /// State of sources that survives restarts.
    pub state: Option<&'a Path>,
    /// Scratch files.
    pub scratch: &'a Path,
    /// What ids derive from.
    pub seed: Seed,
    /// Handlers at the same time.
    pub slots: Option<u32>,
    /// Where handlers find the Lambda API.
    pub endpoint: Option<String>,
    /// The AWS credentials of handlers.
    pub credentials: Credentials,
    /// Only this function is made ready.
    pub only: Option<&'a FunctionName>,
}

/// A project whose functions are ready to run.
pub struct LiveWorld {
    /// Its functions.
    pub functions: Vec<FunctionName>,
    /// Its sources, to be opened.
    pub sources: BTreeMap<SourceName, Ready>,
    executor: Executor,
    news: Receiver<News>,
    settings: Settings,
    seed: Seed,
    reactor: Arc<Reactor>,
}

/// How a world is connected to everything else.
pub struct Connections {
    /// Callers that wait.
    pub replies: Replies,
    /// What sources saw, and calls.
    pub arrivals: Arrivals,
    /// Readers of the journal.
    pub recorders: Vec<Box<dyn Recorder + Send>>,
    /// Ends it.
    pub stop: Stop,
}

impl LiveWorld {
    /// Puts a project together.
    ///
    /// # Errors
    /// Every mistake in the file, or the first thing that it names and that is not there.
    pub fn new(project: &Scenario, plan: Plan<'_>, reactor: &Arc<Reactor>) -> Result<Self, Vec<Diagnostic>> {
        let settings = assemble::settings(project, plan.slots)?;
        let places = Places {
            fresh: None,
            state: plan.state,
            scratch: plan.scratch,
            seed: plan.seed,
        };
        let sources = assemble::sources(project, &places)?;
        let directories = assemble::directories(&sources);
        let mut specs = assemble::functions(project, &assemble::builtins(&directories, system_now()))?;
        specs.retain(|spec| plan.only.is_none_or(|only| *only == spec.name));
        let functions = specs.iter().map(|spec| spec.name.clone()).collect();
        let (send, news) = unbounded();
        let options = Options {
            endpoint: plan.endpoint,
            credentials: plan.credentials,
            init_timeout: project.limits.init,
            idle: project.limits.idle,
            ..Options::new(Pace::Live, plan.scratch.join("environments"), plan.seed)
        };
        let executor = Executor::start(specs, options, send, reactor)
            .map_err(|error| vec![assemble::start_error(project, &error)])?;
        Ok(LiveWorld {
            functions,
            sources,
            executor,
            news,
            settings,
            seed: plan.seed,
            reactor: Arc::clone(reactor),
        })
    }

    /// What the executor can run, to be changed while it does.
    pub fn executable(&self) -> Functions {
        self.executor.functions().clone()
    }

    /// What the router is told of each function.
    pub fn function_settings(&self) -> BTreeMap<FunctionName, Function> {
        self.settings.functions.clone()
    }

    /// The fabric, at rest.
    pub fn fabric(self, to: Connections) -> Fabric<SystemClock, LiveHands> {
        Fabric::new(
            SystemClock::new(self.reactor, to.stop),
            Router::new(self.settings, self.seed),
            LiveHands::new(self.executor, to.replies),
            Journal::new(to.recorders),
            Inbox {
                arrivals: to.arrivals,
                news: self.news,
            },
        )
    }
}
