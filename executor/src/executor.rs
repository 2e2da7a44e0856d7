//! The executor as the fabric's thread sees it: invocations in, what was heard of them out.
//!
//! Owns the functions' settings, the pool and the senders to the actors. Nothing here blocks but
//! [`Executor::stop`]. Deliberately absent: retries, throttling and time; `now` comes in.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use router::event::{AttemptId, Invocation, Outcome};
use router::name::{FunctionVersion, Name, Seed};
use router::time::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::actor::{self, Opening};
use crate::audience::Audience;
use crate::check::{Look, StartError};
use crate::credentials::Credentials;
use crate::function::{FunctionSpec, Injury, Pace};
use crate::functions::Functions;
use crate::pool::{Choice, Lost, Number, Pool};
use crate::process;
use crate::reactor::Reactor;
use crate::site::{self, Job, News, Site, Voice, What};
use crate::starts::Starts;

/// How long an invocation waits for an environment that has answered and is about to be free (live pace).
const GRACE: Duration = Duration::from_millis(100);
/// How long processes may take to die when the executor stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How an executor runs its functions.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which clock the fabric keeps.
    pub pace: Pace,
    /// A directory of this executor's own; what it makes there is removed when it stops.
    pub scratch: PathBuf,
    /// The region handlers believe to run in.
    pub region: String,
    /// The account, 12 digits.
    pub account: String,
    /// What decides trace ids and log stream names.
    pub seed: Seed,
    /// How long a first init may take; 10 s on AWS.
    pub init_timeout: Duration,
    /// How long the init of a provisioned environment may take, or as long as an invocation if that is longer; 130 s on
    /// AWS.
    pub provisioned_init_timeout: Duration,
    /// How many provisioned environments are made ready at the same time, at least 1; twice the cores, because an init
    /// computes and waits.
    pub starting: usize,
    /// In virtual pace, a handler is given its timeout times this in real time.
    pub patience: u32,
    /// `AWS_ENDPOINT_URL` for handlers.
    pub endpoint: Option<String>,
    /// The AWS credentials of handlers.
    pub credentials: Credentials,
    /// How long an unused environment is kept in live pace.
    pub idle: Duration,
}

impl Options {
    /// The usual settings for a run in `scratch`.
    pub fn new(pace: Pace, scratch: PathBuf, seed: Seed) -> Self {
        Options {
            pace,
            scratch,
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            seed,
            init_timeout: Duration::from_secs(10),
            provisioned_init_timeout: Duration::from_secs(130),
            starting: std::thread::available_parallelism().map_or(2, |cores| cores.get() * 2),
            patience: 10,
            endpoint: None,
            credentials: Credentials::default(),
            idle: Duration::from_secs(600),
        }
    }
}

/// What the fabric's thread learns.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The handler wrote a line.
    Log {
        /// The causal name of the attempt, or of the environment that is made ready for nobody yet.
        name: Name,
        /// The line, without its end.
        line: String,
    },
    /// An attempt ended.
    Finished {
        /// The attempt.
        attempt: AttemptId,
        /// Its causal name.
        name: Name,
        /// How it ended.
        outcome: Outcome,
        /// The environment that ran it, `env:<function>/<n>` or `env:<function>:<version>/<n>`; `None` if its function
        /// was removed meanwhile.
        environment: Option<Name>,
        /// Whether it was the environment's first start.
        cold: bool,
        /// What only this machine measured; in live pace it comes as [`Heard::Measured`].
        figures: Option<BTreeMap<String, String>>,
    },
    /// What only this machine measured of an attempt: `wall_ms`, `init_ms`, `pid`, `max_rss_mb`, `unfinished`,
    /// `streamed_bytes` where the outcome has only the first bytes of them.
    Measured {
        /// Its causal name.
        name: Name,
        /// The figures.
        figures: BTreeMap<String, String>,
    },
    /// A function's code was changed; its environments end.
    Outdated {
        /// The function's version.
        function: FunctionVersion,
    },
}

type Jobs = mpsc::UnboundedSender<Job>;

/// Runs functions as local processes.
#[derive(Debug)]
pub struct Executor {
    pace: Pace,
    idle: Duration,
    scratch: PathBuf,
    functions: Functions,
    /// What the environments of each function that may be used are of.
    current: BTreeMap<FunctionVersion, Arc<Site>>,
    pool: Pool,
    starts: Starts,
    actors: BTreeMap<(FunctionVersion, Number), Jobs>,
    waiting: VecDeque<(Timestamp, Job)>,
    host: Option<mpsc::UnboundedSender<Opening>>,
    actors_end: Option<JoinHandle<()>>,
    reactor: Arc<Reactor>,
}

impl Executor {
    /// Checks the functions; no process is started yet. `news` must not be bounded, or handlers wait for the
    /// fabric; the reactor's doorbell is rung after each. A process dies with the thread that drove the reactor
    /// when it was started.
    pub fn start(
        functions: Vec<FunctionSpec>,
        options: Options,
        news: crossbeam_channel::Sender<News>,
        reactor: &Arc<Reactor>,
    ) -> Result<Executor, StartError> {
        let scratch = std::path::absolute(&options.scratch).map_err(|e| StartError {
            function: None,
            key: "scratch directory",
            problem: e.to_string(),
        })?;
        process::write_bootstraps(&scratch.join("runtime")).map_err(|e| StartError {
            function: None,
            key: "scratch directory",
            problem: format!(
                "{}: {e}; free some space, or set TMPDIR to another place",
                scratch.display()
            ),
        })?;
        let (pace, idle, starting) = (options.pace, options.idle, options.starting);
        let voice = Voice {
            news,
            doorbell: reactor.doorbell(),
        };
        let common = Options {
            scratch: scratch.clone(),
            ..options
        };
        let known = Functions::none(common, voice);
        for spec in functions {
            known.add(spec, Look::Close)?;
        }
        let (host, openings) = mpsc::unbounded_channel();
        let actors_end = Some(reactor.spawn(serve(openings)));
        Ok(Executor {
            pace,
            idle,
            scratch,
            functions: known,
            current: BTreeMap::new(),
            pool: Pool::default(),
            starts: Starts::new(starting),
            actors: BTreeMap::new(),
            waiting: VecDeque::new(),
            host: Some(host),
            actors_end,
            reactor: Arc::clone(reactor),
        })
    }

    /// Hands an invocation to an environment; never blocks. Its end is heard later, whatever happens.
    pub fn invoke(&mut self, now: Timestamp, invocation: Invocation, injury: Option<Injury>) {
        self.run(Job {
            invocation,
            injury,
            audience: None,
            now,
        });
    }

    /// As [`Executor::invoke`], for a caller that hears a response in streaming mode while the handler runs.
    pub fn invoke_aloud(&mut self, now: Timestamp, invocation: Invocation, audience: Audience) {
        self.run(Job {
            invocation,
            injury: None,
            audience: Some(audience),
            now,
        });
    }

    fn run(&mut self, job: Job) {
        let (now, function) = (job.now, job.invocation.function());
        self.follow(now, &function);
        if self.pace == Pace::Live {
            if let Some(number) = self.pool.take_free(&function, now, now) {
                return self.send(&function, number, job);
            }
            let queued = self
                .waiting
                .iter()
                .filter(|(_, j)| j.invocation.function() == function)
                .count();
            if queued < self.pool.finishing(&function) {
                self.waiting.push_back((now + GRACE, job));
                return;
            }
        }
        self.place(now, job);
    }

    /// Takes news from the channel.
    pub fn hear(&mut self, now: Timestamp, news: News) -> Vec<Heard> {
        let told = *news.0;
        let (function, number) = (&told.function, told.number);
        match told.what {
            What::Lines(name, lines) => log(&name, lines).collect(),
            What::Measured(name, figures) => vec![Heard::Measured { name, figures }],
            What::Ready => {
                self.ready(now, function, number);
                Vec::new()
            }
            What::Lost => {
                self.lost(now, function, number);
                Vec::new()
            }
            What::Defined => {
                self.follow(now, function);
                self.starts.forget(function);
                self.provide(now, function);
                Vec::new()
            }
            What::Outdated => {
                self.reset(function);
                self.provide(now, function);
                vec![Heard::Outdated {
                    function: function.clone(),
                }]
            }
            What::Finished(done) => {
                let began = self.pool.dispatched(function, number).unwrap_or(now);
                match self.pace {
                    Pace::Live => self.pool.finished(function, number, now),
                    // Nothing of it runs any more, so it is free as soon as its virtual time has passed.
                    Pace::Virtual => {
                        self.pool
                            .finished(function, number, began + done.outcome.duration);
                        self.ready(now, function, number);
                    }
                }
                let mut heard: Vec<Heard> = log(&done.name, done.lines).collect();
                heard.push(Heard::Finished {
                    attempt: done.attempt,
                    name: done.name,
                    outcome: done.outcome,
                    environment: (number > 0).then(|| function.environment(number)),
                    cold: done.cold,
                    figures: done.figures,
                });
                heard
            }
        }
    }

    /// When [`Executor::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let expiry = match self.pace {
            Pace::Live => self.pool.next_expiry(self.idle),
            Pace::Virtual => None,
        };
        self.waiting
            .front()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(expiry)
            .chain(self.starts.next_deadline())
            .min()
    }

    /// Starts environments for invocations that waited long enough, and stops those that nobody needs.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while self.waiting.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, job)) = self.waiting.pop_front() {
                self.place(now, job);
            }
        }
        if self.pace == Pace::Live {
            for gone in self.pool.expire(now, self.idle) {
                self.actors.remove(&gone);
            }
        }
        self.provide_further(now);
    }

    /// The functions, to be changed from wherever.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Stops the function's idle environments, and the busy ones when they end: the next invocation is cold.
    pub fn reset(&mut self, function: &FunctionVersion) {
        for number in self.pool.retire(function) {
            self.actors.remove(&(function.clone(), number));
        }
    }

    /// The virtual time that one invocation of a function takes; zero for a function that does not exist.
    pub fn duration(&self, function: &FunctionVersion) -> Duration {
        let site = self.functions.get(function);
        site.map_or(Duration::ZERO, |site| site.spec.duration)
    }

    /// Kills every process, waits for them and removes what was made in the scratch directory.
    pub fn stop(self) {
        drop(self);
    }

    /// Keeps environments of the function only if they run what it is now.
    fn follow(&mut self, now: Timestamp, function: &FunctionVersion) {
        let site = self.functions.get(function);
        let same = match (&site, self.current.get(function)) {
            (Some(site), Some(before)) => Arc::ptr_eq(site, before),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        self.reset(function);
        match site {
            Some(site) => self.current.insert(function.clone(), site),
            None => self.current.remove(function),
        };
        self.functions.note(function, |one| one.failed = false);
        self.starts.forget(function);
        self.provide(now, function);
    }

    /// Starts the provisioned environments that are missing, as many as may start now, and stops those that are too many.
    fn provide(&mut self, now: Timestamp, function: &FunctionVersion) {
        let wanted = self.functions.provisioned(function);
        let (kept, _) = self.pool.provisioned(function);
        for number in self.pool.release(function, kept.saturating_sub(wanted.requested)) {
            self.actors.remove(&(function.clone(), number));
        }
        let site = self.current.get(function).filter(|_| !wanted.failed).cloned();
        let missing = match site {
            Some(_) => wanted.requested.saturating_sub(kept),
            None => 0,
        };
        let started = self.starts.allow(function, now, missing, self.pool.preparing());
        if let Some(site) = site {
            for _ in 0..started {
                let number = self.pool.prepare(function, now);
                self.open(Arc::clone(&site), number, Some(now));
            }
        }
        self.note_available(function);
    }

    /// Starts what waited for room, or for the end of a pause.
    fn provide_further(&mut self, now: Timestamp) {
        for function in self.starts.due(now) {
            self.provide(now, &function);
        }
    }

    /// A provisioned environment is gone: another takes its place, unless it was never ready. Breaks soon after another
    /// are replaced later.
    fn lost(&mut self, now: Timestamp, function: &FunctionVersion, number: Number) {
        let lost = self.pool.lose(function, number);
        if matches!(lost, Lost::Preparing | Lost::Free) {
            self.actors.remove(&(function.clone(), number));
        }
        match lost {
            Lost::Preparing => {
                tracing::warn!(%function, number, "a provisioned environment could not be made ready");
                self.functions.note(function, |one| one.failed = true);
            }
            Lost::Free | Lost::Running => self.starts.broke(function, now),
            Lost::Unknown => {}
        }
        self.provide(now, function);
        self.provide_further(now);
    }

    fn note_available(&self, function: &FunctionVersion) {
        let (_, available) = self.pool.provisioned(function);
        self.functions.note(function, |one| one.available = available);
    }

    fn open(&mut self, site: Arc<Site>, number: Number, prepare: Option<Timestamp>) {
        let (sender, jobs) = mpsc::unbounded_channel();
        let key = (site.spec.function_version(), number);
        if let Some(host) = &self.host {
            let _ = host.send(Opening {
                site,
                number,
                jobs,
                prepare,
            });
        }
        self.actors.insert(key, sender);
    }

    fn ready(&mut self, now: Timestamp, function: &FunctionVersion, number: Number) {
        if self.pool.ready(function, number) {
            self.actors.remove(&(function.clone(), number));
            return;
        }
        self.note_available(function);
        self.provide_further(now);
        let first = self
            .waiting
            .iter()
            .position(|(_, job)| job.invocation.function() == *function);
        if let Some((_, job)) = first.and_then(|at| self.waiting.remove(at)) {
            self.place(now, job);
        }
    }

    /// Gives a job to the environment that the pool picks.
    fn place(&mut self, now: Timestamp, job: Job) {
        let function = job.invocation.function();
        self.follow(now, &function);
        let Some(site) = self.current.get(&function).cloned() else {
            tracing::info!(%function, "it was removed before its invocation began");
            return self.functions.miss(&job);
        };
        let until = match self.pace {
            Pace::Live => now,
            Pace::Virtual => now + site.spec.duration.min(site.spec.timeout),
        };
        match self.pool.choose(&function, now, until) {
            Choice::Reuse(number) => self.send(&function, number, job),
            Choice::Fresh(number) => {
                self.open(site, number, None);
                self.send(&function, number, job);
            }
        }
    }

    fn send(&mut self, function: &FunctionVersion, number: Number, job: Job) {
        let key = (function.clone(), number);
        let refused = match self.actors.get(&key) {
            Some(jobs) => jobs.send(job).err().map(|e| e.0),
            None => Some(job),
        };
        let Some(job) = refused else { return };
        self.actors.remove(&key);
        match self.current.get(function) {
            Some(site) => site::refuse(site, number, &job, "the execution environment is gone"),
            None => self.functions.miss(&job),
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.actors.clear();
        self.host = None;
        if let Some(end) = self.actors_end.take() {
            let _ = self.reactor.run(end);
        }
        for made in ["runtime", "tmp"] {
            let _ = std::fs::remove_dir_all(self.scratch.join(made));
        }
    }
}

fn log(name: &Name, lines: Vec<String>) -> impl Iterator<Item = Heard> + use<'_> {
    lines.into_iter().map(move |line| Heard::Log {
        name: name.clone(),
        line,
    })
}

/// Every environment is a task; this one ends after the last of them.
async fn serve(mut openings: mpsc::UnboundedReceiver<Opening>) {
    let mut actors = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            opening = openings.recv() => match opening {
                Some(opening) => { actors.spawn(actor::run(opening)); }
                None => break,
            },
            Some(ended) = actors.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "an execution environment's task failed");
                }
            }
        }
    }
    let all = async { while actors.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_LIMIT, all).await.is_err() {
        tracing::warn!("some processes did not end within {STOP_LIMIT:?} of being killed");
    }
}
