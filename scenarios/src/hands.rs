//! Hands in both times: they carry the router's decisions out and bring back what came of it.
//!
//! [`LiveHands`] only passes on. [`VirtualHands`] is where a run is made reproducible: one handler runs at a
//! time, its completion lies `duration` later in virtual time, and every source is asked what the handler
//! did to it before anything else happens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use executor::{Audience, Doorbell, Executor, Heard as Ran, Injury, News, Part};
use router::arrivals::{Arrivals, Refused};
use router::event::ThrottleReason;
use router::event::{
    ErrorKind, Event, Failure, FunctionError, Invocation, Lane, Observation, Outcome, Payload, Receipt,
    ReplyId,
};
use router::fabric::{Hands, Heard};
use router::journal::Entry;
use router::name::{Name, SourceName, Version};
use router::router::Input;
use router::time::Timestamp;
use sources::catalog::OpenSource;
use sources::source::Emitter;
use tokio::sync::mpsc::Receiver;

use crate::faults::{Effect, Faults};

/// What a caller is told.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What came of the call.
    pub outcome: Outcome,
    /// The version that was chosen for it, if one was: `X-Amz-Executed-Version`.
    pub version: Option<Version>,
}

type Tell = Box<dyn FnOnce(Answered) + Send>;

/// Callers that wait, shared between the front and the fabric's thread.
#[derive(Clone, Default)]
pub struct Replies(Arc<Mutex<(u64, BTreeMap<ReplyId, Caller>)>>);

struct Caller {
    tell: Tell,
    /// It hears the response while the handler gives it, until an executor has this.
    audience: Option<Audience>,
}

impl Replies {
    /// A new caller: `tell` is called with its answer, once.
    pub fn open(&self, tell: impl FnOnce(Answered) + Send + 'static) -> ReplyId {
        self.insert(Box::new(tell), None)
    }

    /// A new caller that takes a response in streaming mode as it comes; all parts of it lie in the receiver when `tell`
    /// is called with the end. A response that does not stream has no parts.
    pub fn open_stream(&self, tell: impl FnOnce(Answered) + Send + 'static) -> (ReplyId, Receiver<Part>) {
        let (audience, parts) = executor::audience();
        (self.insert(Box::new(tell), Some(audience)), parts)
    }

    fn insert(&self, tell: Tell, audience: Option<Audience>) -> ReplyId {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.0 += 1;
        let id = ReplyId(waiting.0);
        waiting.1.insert(id, Caller { tell, audience });
        id
    }

    /// The caller as an executor's audience, once.
    fn audience(&self, of: ReplyId) -> Option<Audience> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.1.get_mut(&of)?.audience.take()
    }

    fn answer(&self, to: ReplyId, answered: Answered) {
        let caller = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .remove(&to);
        if let Some(caller) = caller {
            (caller.tell)(answered);
        }
    }
}

/// The way into a live fabric for whoever is elsewhere: a source's thread, a caller's connection.
#[derive(Clone, Debug)]
pub struct Entrance {
    arrivals: Arrivals,
    doorbell: Doorbell,
}

impl Entrance {
    /// An entrance that lets in as many as `arrivals` has room for.
    pub fn new(arrivals: Arrivals, doorbell: Doorbell) -> Self {
        Entrance { arrivals, doorbell }
    }

    /// Lets an input in, waiting while the fabric is full; `false` if it lets nothing in any more.
    pub fn send(&self, input: Input) -> bool {
        let sent = self.arrivals.send(input).is_ok();
        self.doorbell.ring();
        sent
    }

    /// Lets an input in if there is room.
    ///
    /// # Errors
    /// The fabric is full or ends; the input comes back.
    pub fn try_send(&self, input: Input) -> Result<(), Refused> {
        self.arrivals.try_send(input)?;
        self.doorbell.ring();
        Ok(())
    }
}

/// Where a source hears which of its observations are over.
pub type Settled = Box<dyn Fn(Vec<Receipt>)>;

/// Hands on the system's clock.
pub struct LiveHands {
    executor: Executor,
    replies: Replies,
    heard: VecDeque<Heard>,
    sources: BTreeMap<SourceName, Settled>,
    /// What is over, and not told yet.
    over: BTreeMap<SourceName, Vec<Receipt>>,
}

impl LiveHands {
    /// Hands over an executor at live pace.
    pub fn new(executor: Executor, replies: Replies) -> Self {
        LiveHands {
            executor,
            replies,
            heard: VecDeque::new(),
            sources: BTreeMap::new(),
            over: BTreeMap::new(),
        }
    }

    /// Has a source told, from its own thread's side, what of it is over.
    pub fn tell(&mut self, source: SourceName, settled: Settled) {
        self.sources.insert(source, settled);
    }

    /// Ends every environment.
    pub fn stop(self) {
        self.executor.stop();
    }
}

impl Hands for LiveHands {
    type News = News;

    fn invoke(&mut self, now: Timestamp, invocation: Invocation) {
        let audience = match invocation.event.lane {
            Lane::Reply(caller) => self.replies.audience(caller),
            _ => None,
        };
        match audience {
            Some(audience) => self.executor.invoke_aloud(now, invocation, audience),
            None => self.executor.invoke(now, invocation, None),
        }
    }

    fn reply(&mut self, to: ReplyId, outcome: Outcome, version: Option<Version>) {
        self.replies.answer(to, Answered { outcome, version });
    }

    fn settle(&mut self, source: SourceName, receipt: Receipt) {
        self.over.entry(source).or_default().push(receipt);
    }

    /// Many at a time: each telling wakes a source's thread, and makes it write.
    fn rest(&mut self) {
        while let Some((source, receipts)) = self.over.pop_first() {
            if let Some(settled) = self.sources.get(&source) {
                settled(receipts);
            }
        }
    }

    fn hear(&mut self, now: Timestamp, news: News) {
        for ran in self.executor.hear(now, news) {
            match ran {
                Ran::Log { name, line, .. } => self.heard.push_back(Heard::Entry(Entry::Log { name, line })),
                Ran::Finished {
                    attempt,
                    outcome,
                    environment,
                    cold,
                    ..
                } => {
                    let ran = environment.map(|environment| router::router::Ran { environment, cold });
                    self.heard.push_back(Heard::Input(
                        now,
                        Input::Finished {
                            attempt,
                            outcome,
                            ran,
                        },
                    ));
                }
                Ran::Measured { name, figures } => {
                    self.heard.push_back(Heard::Entry(Entry::Real { name, figures }));
                }
                Ran::Outdated { function } => self.heard.push_back(Heard::Entry(Entry::Step {
                    name: Name::new(format!("step:code/{function}")),
                    what: format!("the code of {function} changed: its next invocation starts anew"),
                })),
            }
        }
    }

    fn poll_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    fn busy(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.executor.next_deadline()
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.executor.handle_timeout(now);
    }
}

/// A source in virtual time, looked at when something may have touched it.
pub struct Watched {
    /// The source.
    pub source: Box<dyn OpenSource>,
    /// Names what it saw.
    pub emitter: Emitter,
}

/// Hands in virtual time.
pub struct VirtualHands {
    executor: Executor,
    sources: BTreeMap<SourceName, Watched>,
    faults: Faults,
    queue: VecDeque<Invocation>,
    running: Option<(Invocation, Option<Effect>)>,
    heard: VecDeque<Heard>,
    replies: BTreeMap<ReplyId, Answered>,
    next_reply: u64,
    /// Real time that environments needed to start.
    pub boot: std::time::Duration,
    /// The first error of a source; it ends the run.
    pub broken: Option<String>,
}

impl VirtualHands {
    /// Hands over an executor at virtual pace.
    pub fn new(executor: Executor, sources: BTreeMap<SourceName, Watched>, faults: Faults) -> Self {
        VirtualHands {
            executor,
            sources,
            faults,
            queue: VecDeque::new(),
            running: None,
            heard: VecDeque::new(),
            replies: BTreeMap::new(),
            next_reply: 0,
            boot: std::time::Duration::ZERO,
            broken: None,
        }
    }

    /// A new caller.
    pub fn open_reply(&mut self) -> ReplyId {
        self.next_reply += 1;
        ReplyId(self.next_reply)
    }

    /// What a caller was told, once.
    pub fn take_reply(&mut self, id: ReplyId) -> Option<Answered> {
        self.replies.remove(&id)
    }

    /// A source by name.
    pub fn source(&mut self, name: &SourceName) -> Option<&mut Watched> {
        self.sources.get_mut(name)
    }

    /// The executor, for restarts.
    pub fn executor(&mut self) -> &mut Executor {
        &mut self.executor
    }

    /// The faults that never hit anything.
    pub fn unused_faults(&self) -> Vec<usize> {
        self.faults.unused()
    }

    /// Ends every environment.
    pub fn stop(self) {
        self.executor.stop();
    }

    /// Why virtual time may not move, for `--why`.
    pub fn waiting_for(&self) -> Vec<String> {
        let running = self
            .running
            .iter()
            .map(|(i, _)| format!("{} runs (attempt {})", i.name, i.attempt.number));
        let queued = self
            .queue
            .iter()
            .map(|i| format!("{} waits for its turn", i.name));
        running.chain(queued).collect()
    }

    /// Asks every source what happened to it up to now, in the order of their names.
    pub fn look(&mut self, now: Timestamp, cause: &str) {
        let mut seen: Vec<Observation> = Vec::new();
        for watched in self.sources.values_mut() {
            watched.emitter.caused_by(cause);
            if let Err(error) = watched.source.barrier(now, &mut watched.emitter) {
                self.broken.get_or_insert(error.to_string());
            }
            seen.extend(watched.emitter.take());
        }
        for observation in seen {
            self.arrive(now, observation);
        }
    }

    /// Takes an observation in, with the duplicates that a fault makes of its events.
    pub fn arrive(&mut self, now: Timestamp, observation: Observation) {
        let copies: Vec<_> = observation.events.iter().flat_map(|e| self.copies(e)).collect();
        self.heard
            .push_back(Heard::Input(now, Input::Observed(observation)));
        self.push_copies(now, copies);
    }

    /// Takes a direct call in, likewise.
    pub fn call(&mut self, now: Timestamp, event: Event) {
        let copies = self.copies(&event);
        self.heard.push_back(Heard::Input(now, Input::Invoked(event)));
        self.push_copies(now, copies);
    }

    fn copies(&mut self, event: &Event) -> Vec<(Event, crate::faults::Hit, std::time::Duration)> {
        let hits = self.faults.duplicates(event);
        let copy = |(n, (hit, after)): (usize, (crate::faults::Hit, std::time::Duration))| {
            let name = Name::new(format!("{}/copy-{}", event.name, n + 1));
            (
                Event {
                    name,
                    ..event.clone()
                },
                hit,
                after,
            )
        };
        hits.into_iter().enumerate().map(copy).collect()
    }

    fn push_copies(&mut self, now: Timestamp, copies: Vec<(Event, crate::faults::Hit, std::time::Duration)>) {
        for (event, hit, after) in copies {
            let what = "duplicate".to_owned();
            self.heard.push_back(Heard::Entry(Entry::Fault {
                name: hit.name,
                on: event.name.clone(),
                what,
            }));
            self.heard
                .push_back(Heard::Input(now + after, Input::Invoked(event)));
        }
    }

    /// Starts the next handler, if none runs.
    fn go_on(&mut self, now: Timestamp) {
        while self.running.is_none() {
            let Some(invocation) = self.queue.pop_front() else {
                return;
            };
            let hit = self.faults.on_attempt(&invocation);
            if let Some((hit, effect)) = &hit {
                self.heard.push_back(Heard::Entry(Entry::Fault {
                    name: hit.name.clone(),
                    on: invocation.name.clone(),
                    what: effect.word().to_owned(),
                }));
            }
            let effect = hit.map(|(_, effect)| effect);
            if let Some(result) = effect.as_ref().and_then(Effect::instead) {
                self.finish_without_running(now, &invocation, result);
                continue;
            }
            let injury = match &effect {
                Some(Effect::CrashBefore) => Some(Injury::CrashBefore),
                Some(Effect::CrashAfter) => Some(Injury::CrashAfter),
                Some(Effect::Timeout) => Some(Injury::Timeout),
                _ => None,
            };
            self.executor.invoke(now, invocation.clone(), injury);
            self.running = Some((invocation, effect));
        }
    }

    fn finish_without_running(
        &mut self,
        now: Timestamp,
        invocation: &Invocation,
        result: Result<Payload, Failure>,
    ) {
        let throttled = matches!(result, Err(Failure::Throttled(_)));
        let took = if throttled {
            std::time::Duration::ZERO
        } else {
            self.executor.duration(&invocation.function())
        };
        let outcome = Outcome {
            result,
            duration: took,
            log: Payload::new(),
        };
        let input = Input::Finished {
            attempt: invocation.attempt,
            outcome,
            ran: None,
        };
        self.heard.push_back(Heard::Input(now + took, input));
    }
}

impl Hands for VirtualHands {
    type News = News;

    fn invoke(&mut self, now: Timestamp, invocation: Invocation) {
        self.queue.push_back(invocation);
        self.go_on(now);
    }

    fn reply(&mut self, to: ReplyId, outcome: Outcome, version: Option<Version>) {
        self.replies.insert(to, Answered { outcome, version });
    }

    fn settle(&mut self, source: SourceName, receipt: Receipt) {
        let Some(watched) = self.sources.get_mut(&source) else {
            return;
        };
        if let Err(error) = watched.source.settle(&[receipt]) {
            self.broken.get_or_insert(error.to_string());
        }
    }

    fn hear(&mut self, now: Timestamp, news: News) {
        for ran in self.executor.hear(now, news) {
            match ran {
                Ran::Log { name, line, .. } => self.heard.push_back(Heard::Entry(Entry::Log { name, line })),
                Ran::Finished {
                    attempt,
                    name,
                    mut outcome,
                    environment,
                    cold,
                    figures,
                } => {
                    let Some((invocation, effect)) = self.running.take() else {
                        continue;
                    };
                    if let Some(Effect::ErrorAfter(error)) = effect {
                        outcome.result = Err(Failure::Function(error));
                    }
                    let figures = figures.unwrap_or_default();
                    if let Some(ms) = figures.get("init_ms").and_then(|ms| ms.parse::<f64>().ok()) {
                        self.boot += std::time::Duration::from_secs_f64(ms.max(0.0) / 1000.0);
                    }
                    let due = now + outcome.duration;
                    let ran = environment.map(|environment| router::router::Ran { environment, cold });
                    self.heard.push_back(Heard::Input(
                        due,
                        Input::Finished {
                            attempt,
                            outcome,
                            ran,
                        },
                    ));
                    self.heard.push_back(Heard::Entry(Entry::Real { name, figures }));
                    self.look(now, invocation.name.path());
                }
                Ran::Measured { name, figures } => {
                    self.heard.push_back(Heard::Entry(Entry::Real { name, figures }));
                }
                // Only who watches code tells of it.
                Ran::Outdated { .. } => {}
            }
        }
        self.go_on(now);
    }

    fn poll_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    fn busy(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}
}

/// An error document as a handler would post it.
pub(crate) fn function_error(error_type: &str, message: &str) -> FunctionError {
    let payload = serde_json::json!({ "errorType": error_type, "errorMessage": message }).to_string();
    FunctionError {
        kind: ErrorKind::Error,
        payload: payload.into(),
    }
}

/// A throttle by a fault.
pub(crate) fn throttle() -> Failure {
    Failure::Throttled(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
}
