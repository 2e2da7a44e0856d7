//! The hands of one execution environment: carries out what its state machine orders.
//!
//! Owns the process, the pipe, the waiting `next` and the alarm, and turns a conclusion into an outcome with
//! its log. Decides nothing: every turn is `wake → Environment::on → orders`. Deliberately absent: which
//! environment serves ([`pool`](crate::pool)) and what calls mean ([`environment`](crate::environment)).

mod concluding;
mod extensions;
mod lateness;
mod telling;
mod waits;
mod watching;

use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use router::name::Name;
use router::time::Timestamp;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};

use crate::crew::{Crew, CrewNews};
use crate::environment::{Alarm, Environment, Exit, Heard, KILLED, Order, Ticket};
use crate::function::Pace;
use crate::handout::headers;
use crate::logs::Log;
use crate::output::Output;
use crate::pool::Number;
use crate::process::{Launch, Process, Role};
use crate::runtime_api::{Call, Handout, RuntimeApi, Whose};
use crate::runtime_call::Reply;
use crate::sandbox::{Excess, Sandbox};
use crate::site::{Job, Site, What, deny, refuse, tell};
use crate::telemetry::Telemetry;
use crate::terminate;
use crate::unfinished::Unfinished;
use waits::{after, after_the_others, dropped, exited, real_time, unstartable};

/// How long the connections of a dead process may take to be read to their end.
const SETTLE: Duration = Duration::from_millis(200);

/// Runs one environment until the sender of `jobs` is dropped; then kills its processes and removes its files.
pub(crate) async fn run(opening: Opening) {
    let Opening {
        site,
        number,
        mut jobs,
        prepare,
    } = opening;
    let (sender, calls) = mpsc::unbounded_channel();
    let tmp = site
        .scratch
        .join("tmp")
        .join(site.spec.function_version().to_string().replace(':', "."))
        .join(number.to_string());
    let opened = match Sandbox::new(tmp, site.spec.ephemeral_storage, site.spec.memory) {
        Ok(sandbox) => RuntimeApi::listen(sender).await.map(|api| (sandbox, api)),
        Err(error) => Err(error),
    };
    match opened {
        Ok((sandbox, api)) => {
            let mut actor = Actor::new(site, number, sandbox, api);
            if let Some(now) = prepare {
                actor.prepare(now);
            }
            actor.run(jobs, calls).await;
        }
        Err(error) => {
            if prepare.is_some() {
                tell(&site, number, What::Lost);
            }
            while let Some(job) = jobs.recv().await {
                refuse(
                    &site,
                    number,
                    &job,
                    &format!("failed to open an execution environment: {error}"),
                );
            }
        }
    }
}

/// What an environment begins with.
pub(crate) struct Opening {
    pub site: Arc<Site>,
    pub number: Number,
    /// What it is given to do, until the sender is dropped.
    pub jobs: mpsc::UnboundedReceiver<Job>,
    /// It is to be made ready at once, as from this fabric time, and kept so.
    pub prepare: Option<Timestamp>,
}

enum Wake {
    Job(Option<Job>),
    Call(Call),
    Exited(Exit),
    Crew(CrewNews),
    Rang,
    Dropped,
    Readable,
    Look,
}

struct Actor {
    site: Arc<Site>,
    number: Number,
    name: Name,
    sandbox: Sandbox,
    api: RuntimeApi,
    machine: Environment,
    child: Option<Child>,
    crew: Crew,
    telemetry: Telemetry,
    /// That the runtime is ready was told.
    ready_told: bool,
    /// When those that listen began to be told of the end.
    farewell: Option<Instant>,
    /// It is to go on.
    thaws: bool,
    output: Output,
    /// One timer for all limits, set anew for each.
    alarm: Pin<Box<Sleep>>,
    /// What the alarm stands for; without a limit it does not ring.
    limit: Alarm,
    /// When its processes are looked at next, while any of them may run.
    watch: Pin<Box<Sleep>>,
    watching: bool,
    /// The `next` that waits for an event.
    parked: Option<oneshot::Sender<Handout>>,
    /// The call that is being answered.
    asking: Option<oneshot::Sender<Handout>>,
    /// It wants to know the account.
    account: bool,
    replying: Option<oneshot::Sender<Reply>>,
    job: Option<Job>,
    log: Log,
    clock: Clock,
    /// The last attempt, whose figures are told when nobody waits any more.
    unmeasured: Option<Measure>,
    born: Option<Timestamp>,
    /// It is made ready for nobody yet: its lines are its own.
    preparing: bool,
    /// Fabric time of the last dispatch, or of the preparation.
    dispatched: Timestamp,
    spawns: u32,
    /// The most memory, in MB, and when it was read.
    peak: u64,
    measured: Option<Instant>,
    last_pid: i32,
    unfinished: Unfinished,
}

/// Measurements of the attempt that runs.
struct Clock {
    dispatched: Instant,
    spawned: Option<Instant>,
    /// When the function's own time began.
    began: Option<Instant>,
    deadline: Duration,
    init: Option<Duration>,
    cold: bool,
}

/// What was measured of an attempt that has ended.
struct Measure {
    name: Name,
    wall: Duration,
    init: Option<Duration>,
    /// The bytes of a response that was passed on as it came; the outcome has only the first of them.
    streamed: Option<usize>,
}

impl Clock {
    /// From the dispatch to the function's own time: the init, in live pace.
    fn waited(&self, pace: Pace) -> Duration {
        let began = self.began.filter(|_| pace == Pace::Live);
        began.map(|began| began - self.dispatched).unwrap_or_default()
    }

    fn start() -> Self {
        let dispatched = Instant::now();
        Clock {
            dispatched,
            spawned: None,
            began: None,
            deadline: Duration::ZERO,
            init: None,
            cold: false,
        }
    }
}

impl Actor {
    fn new(site: Arc<Site>, number: Number, sandbox: Sandbox, api: RuntimeApi) -> Self {
        Actor {
            name: site.environment(number),
            machine: Environment::new(site.pace == Pace::Virtual),
            site,
            number,
            sandbox,
            api,
            child: None,
            crew: Crew::default(),
            telemetry: Telemetry::default(),
            ready_told: false,
            farewell: None,
            thaws: false,
            output: Output::default(),
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
            limit: Alarm::Off,
            watch: Box::pin(tokio::time::sleep(Duration::ZERO)),
            watching: false,
            parked: None,
            asking: None,
            account: false,
            replying: None,
            job: None,
            log: Log::default(),
            clock: Clock::start(),
            unmeasured: None,
            born: None,
            preparing: false,
            dispatched: Timestamp::default(),
            spawns: 0,
            peak: 0,
            measured: None,
            last_pid: 0,
            unfinished: Unfinished::default(),
        }
    }

    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>, mut calls: mpsc::UnboundedReceiver<Call>) {
        let mut retiring = false;
        while !(retiring && self.machine.is_gone()) {
            let wake = tokio::select! {
                biased;
                job = jobs.recv(), if !retiring => Wake::Job(job),
                Some(call) = calls.recv() => Wake::Call(call),
                exit = exited(&mut self.child) => Wake::Exited(exit),
                () = self.alarm.as_mut(), if self.limit != Alarm::Off => Wake::Rang,
                () = dropped(&mut self.parked) => Wake::Dropped,
                () = self.watch.as_mut(), if self.watching => Wake::Look,
                // Last, because who writes without end is always ready.
                () = self.output.readable() => Wake::Readable,
                news = self.crew.news() => Wake::Crew(news),
            };
            match wake {
                Wake::Job(Some(job)) => self.dispatch(job),
                Wake::Job(None) => {
                    retiring = true;
                    self.hear(Heard::Retire);
                }
                Wake::Call(call) => self.call(call),
                Wake::Exited(exit) if self.crew.is_alive() => self.runtime_ended(exit, &mut calls).await,
                Wake::Exited(exit) => self.exited(exit, &mut calls).await,
                Wake::Crew(news) => self.crew_news(news),
                Wake::Rang => {
                    let limit = std::mem::replace(&mut self.limit, Alarm::Off);
                    self.note_lateness(limit);
                    self.hear(Heard::Rang);
                }
                Wake::Dropped => {
                    self.parked = None;
                    self.hear(Heard::NextDropped);
                }
                Wake::Readable => self.drain(),
                Wake::Look => self.look(),
            }
            while self.machine.is_stopping() && self.child.is_none() && !self.crew.is_alive() {
                self.exited(KILLED, &mut calls).await;
            }
            if self.output.is_undrained() || self.crew.is_undrained() {
                // Whoever writes faster than it is read must not keep the others of this thread waiting.
                tokio::task::yield_now().await;
            }
            if std::mem::take(&mut self.thaws) {
                // The event is written first: a process that wakes to it wakes once.
                after_the_others().await;
                self.sandbox.thaw();
            }
        }
    }

    fn prepare(&mut self, now: Timestamp) {
        self.born = Some(now);
        self.dispatched = now;
        self.preparing = true;
        self.keep_watch();
        self.hear(Heard::Prepare);
    }

    fn dispatch(&mut self, job: Job) {
        let ending = self.site.ending(job.injury);
        let ticket = Ticket {
            id: job.invocation.event.id.clone(),
            ending,
        };
        let orders = self.machine.on(Heard::Dispatch(ticket));
        if orders.contains(&Order::Deny) {
            tracing::error!(environment = %self.name, attempt = ?job.invocation.attempt, "dispatched while busy");
            return deny(&self.site, self.number, &job, "the execution environment is busy");
        }
        self.born.get_or_insert(job.now);
        self.dispatched = job.now;
        self.clock = Clock::start();
        self.job = Some(job);
        self.share_lines();
        self.keep_watch();
        self.perform(orders);
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Next { reply, unfinished } => {
                self.unfinished.asked(unfinished, self.last_pid);
                self.note_init();
                self.tell_runtime_ready();
                // Also for a process that dies before it answers.
                self.measure_again();
                self.note_overfull();
                self.asking = Some(reply);
                if self.sandbox.overran() {
                    self.exceeded(Excess::Memory);
                }
                self.hear(Heard::Next);
            }
            Call::Begins { id, reply } => {
                let listener = match (&mut self.job, self.machine.runs(&id)) {
                    (Some(job), true) => job
                        .audience
                        .take()
                        .map(|audience| (audience, job.invocation.version)),
                    _ => None,
                };
                let _ = reply.send(listener);
            }
            Call::Answer { id, answer, reply } => {
                // Reading it takes as long as all else here: only where somebody sees it in the log's REPORT.
                if self.wants_tail() {
                    self.measure();
                }
                self.tell_answer(&id, &answer);
                self.replying = Some(reply);
                self.hear(Heard::Answer { id, answer });
            }
            Call::InitError { kind, body, reply } => {
                self.measure();
                self.replying = Some(reply);
                self.hear(Heard::InitError { kind, body });
            }
            Call::Extension { call, reply } => self.extension_call(call, reply),
        }
        // A call that nothing answered; cannot happen, and dropping answers it with 500.
        self.asking = None;
        self.replying = None;
    }

    /// All are reaped: their leftovers are killed, and what they had sent is heard before their end is.
    async fn exited(&mut self, exit: Exit, calls: &mut mpsc::UnboundedReceiver<Call>) {
        self.sandbox.kill();
        self.child = None;
        self.parked = None;
        self.measured = None;
        self.settle(Whose::Anybodys, calls).await;
        self.output = Output::default();
        self.take_crew_lines();
        self.note_unheard();
        (self.crew, self.telemetry, self.farewell) = (Crew::default(), Telemetry::default(), None);
        self.sandbox.ended(&self.api.address).await;
        tracing::debug!(environment = %self.name, ?exit, "process ended");
        self.hear(Heard::Exited(exit));
    }

    /// Hears what processes that have ended had sent, and reads what they had written.
    async fn settle(&mut self, whose: Whose, calls: &mut mpsc::UnboundedReceiver<Call>) {
        let connections = self.api.connections();
        connections
            .settled(whose, SETTLE, || {
                while let Ok(call) = calls.try_recv() {
                    self.call(call);
                }
            })
            .await;
        self.parked = None;
        self.drain();
    }

    fn hear(&mut self, heard: Heard) {
        let orders = self.machine.on(heard);
        self.perform(orders);
    }

    fn perform(&mut self, orders: Vec<Order>) {
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            match order {
                Order::Launch => {
                    let heard = self.launch();
                    orders.extend(self.machine.on(heard));
                }
                Order::Spawn => {
                    if let Some(heard) = self.spawn() {
                        orders.extend(self.machine.on(heard));
                    }
                }
                Order::Alarm(alarm) => self.set_alarm(alarm),
                Order::Hand => self.hand(),
                Order::Park => {
                    // What waits already stays, if it was an extension that asked.
                    if let Some(asking) = self.asking.take()
                        && let Some(old) = self.parked.replace(asking)
                    {
                        let reply = Reply::WrongState {
                            from: "Ready",
                            to: "Ready",
                        };
                        let _ = old.send(Handout::Refused(reply));
                    }
                }
                Order::Freeze if self.site.spec.freeze => self.sandbox.freeze(),
                Order::Freeze => {}
                Order::Thaw => self.thaws = self.sandbox.is_frozen(),
                Order::Accept => self.reply(Reply::Accepted),
                Order::WrongId => self.reply(Reply::WrongId),
                Order::WrongState { from, to } => self.reply(Reply::WrongState { from, to }),
                Order::Kill => {
                    self.measure();
                    self.sandbox.kill();
                }
                Order::Seat(seat) => self.seat(seat),
                Order::Wait(seat) => {
                    if let Some(asking) = self.asking.take() {
                        self.crew.wait(seat, self.machine.extensions().name(seat), asking);
                    }
                }
                Order::Refuse(denial) => self.reply(Reply::Denied(denial)),
                Order::Invoke(seats) => self.tell_of_invocation(&seats),
                Order::Terminate => {
                    self.sandbox.thaw();
                    terminate::terminate(self.child.as_ref());
                }
                Order::KillRuntime => terminate::kill(self.child.as_ref()),
                Order::Shutdown(seats, reason) => self.tell_of_end(&seats, reason),
                Order::Conclude(conclusion) => self.conclude(conclusion),
                Order::Ready => {
                    if self.preparing {
                        self.drain();
                        self.preparing = false;
                    }
                    if let Some(measure) = self.unmeasured.take() {
                        let mut figures = self.figures(&measure);
                        figures.extend(self.unfinished.take_told(&measure.name));
                        tell(&self.site, self.number, What::Measured(measure.name, figures));
                    }
                    tell(&self.site, self.number, What::Ready);
                }
                Order::Lost => {
                    self.log.flush();
                    self.share_lines();
                    self.preparing = false;
                    tell(&self.site, self.number, What::Lost);
                }
                Order::Deny => {}
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        if let Some(sender) = self.replying.take() {
            let _ = sender.send(reply);
        } else if let Some(sender) = self.asking.take() {
            let _ = sender.send(Handout::Refused(reply));
        }
    }

    fn set_alarm(&mut self, alarm: Alarm) {
        self.limit = alarm;
        let limit = match alarm {
            Alarm::Off => return,
            Alarm::Init => self.init_limit(),
            Alarm::Task => {
                self.clock.began = Some(Instant::now());
                self.clock.deadline = real_time().saturating_add(self.site.spec.timeout);
                self.site.patient_timeout()
            }
            Alarm::Farewell(budget) => {
                let began = *self.farewell.get_or_insert_with(Instant::now);
                budget.saturating_sub(began.elapsed())
            }
        };
        self.alarm.as_mut().reset(after(limit));
    }

    /// How long an init may take that is not part of an invocation (spec/lambda §3.1).
    fn init_limit(&self) -> Duration {
        match self.machine.is_provisioned() {
            true => self.site.provisioned_init_timeout.max(self.site.spec.timeout),
            false => self.site.init_timeout,
        }
    }

    fn spawn(&mut self) -> Option<Heard> {
        let site = self.site.clone();
        match self.start(&site.program, Role::Runtime) {
            Ok(process) => {
                tracing::debug!(environment = %self.name, pid = process.pid.as_raw(), "process started");
                self.last_pid = process.pid.as_raw();
                self.unfinished = Unfinished::default();
                self.sandbox.entered(process.group);
                self.sandbox.measure(process.pid);
                self.child = Some(process.child);
                self.output = Output::of(process.output);
                None
            }
            Err(error) => {
                use std::io::ErrorKind::{NotFound, PermissionDenied};
                let entrypoint = matches!(error.kind(), NotFound | PermissionDenied)
                    || !site.spec.code.is_dir()
                    || error.raw_os_error() == Some(libc::ENOEXEC);
                let why = unstartable(&site.program, &site.spec.code, &error);
                if self.preparing {
                    self.log.insert(format!("[triggerfish] {why}"));
                }
                Some(Heard::Unstartable { entrypoint, why })
            }
        }
    }

    fn start(&self, program: &Path, role: Role) -> std::io::Result<Process> {
        let site = &self.site;
        let runtime_dir = site.scratch.join("runtime");
        let now = (self.job.is_some() || self.preparing).then_some(self.dispatched);
        let launch = Launch {
            spec: &site.spec,
            environment: &self.name,
            role,
            group: self.sandbox.group(),
            program,
            interpreter: &site.program,
            opt: site.opt.as_ref(),
            runtime_dir: &runtime_dir,
            sandbox: &self.sandbox,
            api: &self.api.address,
            region: &site.region,
            initialization: self.initialization(),
            seed: site.seed,
            born: self.born.unwrap_or_default(),
            clock: now.filter(|_| site.pace == Pace::Virtual),
            endpoint: site.endpoint.as_deref(),
            credentials: &site.credentials,
        };
        launch.spawn()
    }

    fn hand(&mut self) {
        self.announce();
        self.tell_start();
        let Some(sender) = self.asking.take().or_else(|| self.parked.take()) else {
            return;
        };
        self.unfinished.forget();
        let Some(job) = &self.job else { return };
        let payload = &job.invocation.event.payload;
        let body = if payload.is_empty() {
            Bytes::from_static(b"{}")
        } else {
            payload.clone()
        };
        let headers = headers(&self.site, job, self.clock.deadline);
        // If the connection is gone the runtime asks again, or the time runs out.
        let _ = sender.send(Handout::Event { headers, body });
    }

    fn drain(&mut self) {
        self.output.drain(&mut self.log);
        self.tell_lines();
        self.share_lines();
    }

    /// In live pace lines are told as they come; in virtual pace with the end, so that their order between
    /// environments does not depend on the machine.
    fn share_lines(&mut self) {
        if self.site.pace == Pace::Virtual {
            return;
        }
        let name = match &self.job {
            Some(job) => job.invocation.name.clone(),
            None if self.preparing => self.name.clone(),
            None => return,
        };
        let lines = self.log.take_lines();
        if !lines.is_empty() {
            tell(&self.site, self.number, What::Lines(name, lines));
        }
    }
}
