//! Who listens beside the runtime: the registry of an environment's extensions (spec/runtime-api §11).
//!
//! Owns each extension's state and the rules of the Extensions API. Pure. Deliberately absent: processes and
//! sockets ([`crew`](crate::crew)), and what an extension's state means for the attempt
//! ([`environment`](crate::environment)).
//!
//! ```text
//!   external: Started ─register─► Registered ─next─► Ready ◄─next─┐
//!   internal:          register ─►    │                └─event─► Running
//!                                     └ init/error ► Failed ◄ exit/error, or the process ends
//! ```
//!
//! External extensions are the files of the `extensions` folder and take the first seats; they register before
//! the runtime is started. Internal ones are threads of the runtime: they register during its init and hear of
//! no shutdown. After the init nobody registers.

use serde_json::{Value, json};

pub use crate::denial::Denial;

/// How many extensions an environment may have.
pub const LIMIT: usize = 10;

/// The number of an extension in its environment; external ones come first, in the order of their names.
pub type Seat = usize;

/// What an extension wants to hear of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Events {
    /// Every invocation.
    pub invoke: bool,
    /// The end of the environment.
    pub shutdown: bool,
}

/// When an extension gave up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// `init/error`.
    Init,
    /// `exit/error`.
    Exit,
}

/// Who is to be told of the environment's end, which decides how long that may take (spec/lambda §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// No extension is registered.
    Nobody,
    /// Only internal ones.
    Internal,
    /// At least one external one.
    External,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Started,
    Registered,
    Ready,
    Running,
    /// It said that it gives up, and is to exit.
    Failed(Phase),
    Exited,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Extension {
    name: String,
    identifier: String,
    external: bool,
    events: Events,
    stage: Stage,
}

/// Who may register now.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Door {
    /// Those whose files were started.
    #[default]
    External,
    /// Threads of the runtime.
    Internal,
    /// Nobody.
    Closed,
}

/// All extensions of one life of an environment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Extensions {
    members: Vec<Extension>,
    door: Door,
}

impl Extensions {
    /// The extensions whose files were started under these names.
    pub fn started(names: Vec<String>) -> Self {
        let member = |name| Extension {
            name,
            identifier: String::new(),
            external: true,
            events: Events::default(),
            stage: Stage::Started,
        };
        Extensions {
            members: names.into_iter().map(member).collect(),
            door: Door::External,
        }
    }

    /// `register`: takes a seat, known by `identifier` from now on.
    pub fn register(&mut self, name: String, events: Events, identifier: String) -> Result<Seat, Denial> {
        let seat = self.members.iter().position(|m| m.name == name);
        match (self.door, seat) {
            (_, Some(seat)) if self.members[seat].stage != Stage::Started => {
                Err(self.denied(seat, "Registered"))
            }
            (Door::Closed, _) => Err(Denial::Closed),
            (_, Some(seat)) => {
                let member = &mut self.members[seat];
                (member.identifier, member.events) = (identifier, events);
                member.stage = Stage::Registered;
                Ok(seat)
            }
            (Door::External, None) => Err(Denial::Name {
                given: name,
                known: self.members.iter().map(|m| m.name.clone()).collect(),
            }),
            (Door::Internal, None) if self.members.len() >= LIMIT => Err(Denial::TooMany),
            (Door::Internal, None) if events.shutdown => Err(Denial::Event("SHUTDOWN".to_owned())),
            (Door::Internal, None) => {
                self.members.push(Extension {
                    name,
                    identifier,
                    external: false,
                    events,
                    stage: Stage::Registered,
                });
                Ok(self.members.len() - 1)
            }
        }
    }

    /// Whether every external extension has registered.
    pub fn all_registered(&self) -> bool {
        self.members.iter().all(|m| m.stage != Stage::Started)
    }

    /// The runtime is started: what registers now is one of its threads.
    pub fn admit_threads(&mut self) {
        self.door = Door::Internal;
    }

    /// The init is over.
    pub fn close(&mut self) {
        self.door = Door::Closed;
    }

    /// `event/next`.
    pub fn next(&mut self, identifier: &str) -> Result<Seat, Denial> {
        let seat = self.seat(identifier)?;
        match self.members[seat].stage {
            Stage::Registered | Stage::Ready | Stage::Running => {
                self.members[seat].stage = Stage::Ready;
                Ok(seat)
            }
            _ => Err(self.denied(seat, "Ready")),
        }
    }

    /// `init/error` and `exit/error`.
    pub fn fail(&mut self, identifier: &str, phase: Phase) -> Result<Seat, Denial> {
        let seat = self.seat(identifier)?;
        let (fits, to) = match (phase, self.members[seat].stage) {
            (Phase::Init, stage) => (stage == Stage::Registered, "InitError"),
            (Phase::Exit, Stage::Registered | Stage::Ready | Stage::Running) => (true, "ExitError"),
            (Phase::Exit, _) => (false, "ExitError"),
        };
        if !fits {
            return Err(self.denied(seat, to));
        }
        self.members[seat].stage = Stage::Failed(phase);
        Ok(seat)
    }

    /// The process of an external extension has ended; its identifier is known to nobody any more.
    pub fn ended(&mut self, seat: Seat) {
        if let Some(member) = self.members.get_mut(seat) {
            member.stage = Stage::Exited;
            member.identifier.clear();
        }
    }

    /// The runtime's process has ended, and its threads with it.
    pub fn runtime_ended(&mut self) {
        for member in self.members.iter_mut().filter(|m| !m.external) {
            member.stage = Stage::Exited;
            member.identifier.clear();
        }
    }

    /// Whether every extension waits for its next event.
    pub fn all_ready(&self) -> bool {
        self.members
            .iter()
            .all(|m| matches!(m.stage, Stage::Ready | Stage::Exited))
    }

    /// An invocation begins: those that want to hear of it, who run from now on.
    pub fn invoke(&mut self) -> Vec<Seat> {
        let mut seats = Vec::new();
        for (seat, member) in self.members.iter_mut().enumerate() {
            if member.events.invoke && member.stage == Stage::Ready {
                member.stage = Stage::Running;
                seats.push(seat);
            }
        }
        seats
    }

    /// Those that want to hear of the environment's end and still can.
    pub fn mourners(&self) -> Vec<Seat> {
        let mourns = |m: &Extension| {
            let listens = matches!(m.stage, Stage::Registered | Stage::Ready | Stage::Running);
            m.external && m.events.shutdown && listens
        };
        let seats = self.members.iter().enumerate();
        seats.filter(|(_, m)| mourns(m)).map(|(seat, _)| seat).collect()
    }

    /// Who listens.
    pub fn audience(&self) -> Audience {
        let listens = |m: &&Extension| !matches!(m.stage, Stage::Started | Stage::Exited);
        let externals = self.members.iter().filter(listens).map(|m| m.external);
        match externals.max() {
            None => Audience::Nobody,
            Some(false) => Audience::Internal,
            Some(true) => Audience::External,
        }
    }

    /// What is still to be done before an event can be handed out, for a message: `name (what)`.
    pub fn missing(&self) -> Vec<String> {
        let late = |m: &Extension| match m.stage {
            Stage::Started => Some(format!("`{}` did not register", m.name)),
            Stage::Registered | Stage::Running => {
                Some(format!("`{}` did not ask for its next event", m.name))
            }
            _ => None,
        };
        self.members.iter().filter_map(late).collect()
    }

    /// AWS's log line of each extension at the end of the init, when all were ready.
    pub fn lines(&self) -> Vec<String> {
        let ready = |m: &Extension| match m.stage {
            Stage::Running => m.line(Stage::Ready),
            stage => m.line(stage),
        };
        self.members.iter().map(ready).collect()
    }

    /// What telemetry says of each then.
    pub fn records(&self) -> Vec<Value> {
        let record = |m: &Extension| json!({ "name": m.name, "state": "Ready", "events": m.events.words() });
        self.members.iter().map(record).collect()
    }

    /// What is said of one as it is.
    pub fn record(&self, seat: Seat) -> Value {
        let record =
            |m: &Extension| json!({ "name": m.name, "state": m.stage.word(), "events": m.events.words() });
        self.members.get(seat).map(record).unwrap_or_default()
    }

    /// The line of one.
    pub fn line(&self, seat: Seat) -> String {
        self.members
            .get(seat)
            .map(|m| m.line(m.stage))
            .unwrap_or_default()
    }

    /// Whether there are none, as is usual.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whose identifier it is.
    pub fn seat(&self, identifier: &str) -> Result<Seat, Denial> {
        let seat = self
            .members
            .iter()
            .position(|m| !identifier.is_empty() && m.identifier == identifier);
        seat.ok_or(Denial::UnknownIdentifier)
    }

    /// What the extension at a seat is known by.
    pub fn identifier(&self, seat: Seat) -> &str {
        self.members.get(seat).map_or("", |m| &m.identifier)
    }

    /// The name at a seat.
    pub fn name(&self, seat: Seat) -> &str {
        self.members.get(seat).map_or("", |m| &m.name)
    }

    fn denied(&self, seat: Seat, to: &'static str) -> Denial {
        Denial::State {
            from: self.members[seat].stage.word(),
            to,
            name: self.members[seat].name.clone(),
        }
    }
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Stage::Started => "Started",
            Stage::Registered => "Registered",
            Stage::Ready => "Ready",
            Stage::Running => "Running",
            Stage::Failed(Phase::Init) => "InitError",
            Stage::Failed(Phase::Exit) => "ExitError",
            Stage::Exited => "Exited",
        }
    }
}

impl Events {
    /// The words of AWS.
    pub fn words(self) -> Vec<&'static str> {
        let all = [(self.invoke, "INVOKE"), (self.shutdown, "SHUTDOWN")];
        all.iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, word)| *word)
            .collect()
    }
}

impl Extension {
    fn line(&self, stage: Stage) -> String {
        let (name, state, events) = (&self.name, stage.word(), self.events.words().join(","));
        format!("EXTENSION\tName: {name}\tState: {state}\tEvents: [{events}]")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    use std::fmt;

    const INVOKE: Events = Events {
        invoke: true,
        shutdown: false,
    };
    const BOTH: Events = Events {
        invoke: true,
        shutdown: true,
    };

    fn kind<T: fmt::Debug>(result: Result<T, Denial>) -> &'static str {
        result.unwrap_err().write().1
    }

    #[test]
    fn an_external_extension_registers_by_its_file_name_once() {
        let mut all = Extensions::started(vec!["a".into(), "b".into()]);
        assert!(!all.all_registered());
        assert_eq!(
            kind(all.register("c".into(), BOTH, "1".into())),
            "Extension.InvalidExtensionName"
        );
        assert_eq!(all.register("b".into(), BOTH, "1".into()), Ok(1));
        assert_eq!(
            kind(all.register("b".into(), BOTH, "2".into())),
            "Extension.InvalidExtensionState"
        );
        assert_eq!(
            all.missing(),
            ["`a` did not register", "`b` did not ask for its next event"]
        );
        assert_eq!(all.register("a".into(), Events::default(), "2".into()), Ok(0));
        assert!(all.all_registered() && !all.all_ready());
    }

    #[test]
    fn internal_ones_register_during_the_init_and_hear_of_invocations_only() {
        let mut all = Extensions::default();
        all.admit_threads();
        assert_eq!(
            kind(all.register("t".into(), BOTH, "0".into())),
            "Extension.InvalidEventType"
        );
        for n in 0..LIMIT {
            assert_eq!(all.register(format!("t{n}"), INVOKE, n.to_string()), Ok(n));
        }
        assert_eq!(
            kind(all.register("u".into(), INVOKE, "10".into())),
            "Extension.TooManyExtensions"
        );
        all.close();
        assert_eq!(
            kind(all.register("u".into(), INVOKE, "10".into())),
            "Extension.RegistrationClosed"
        );
        assert_eq!(all.audience(), Audience::Internal);
        assert!(all.mourners().is_empty());
        all.runtime_ended();
        assert_eq!(all.audience(), Audience::Nobody);
    }

    #[test]
    fn all_are_ready_when_those_that_heard_of_the_event_ask_again() {
        let mut all = Extensions::started(vec!["a".into(), "b".into()]);
        all.register("a".into(), BOTH, "1".into()).unwrap();
        let shutdown = Events {
            invoke: false,
            shutdown: true,
        };
        all.register("b".into(), shutdown, "2".into()).unwrap();
        assert_eq!(all.next("1"), Ok(0));
        assert!(!all.all_ready());
        all.next("2").unwrap();
        assert!(all.all_ready());
        assert_eq!(all.invoke(), [0]);
        assert!(!all.all_ready());
        all.next("1").unwrap();
        assert!(all.all_ready());
        assert_eq!(all.mourners(), [0, 1]);
        all.ended(1);
        assert_eq!(all.mourners(), [0]);
    }

    #[test]
    fn what_does_not_fit_is_denied_with_a_type() {
        let mut all = Extensions::started(vec!["a".into()]);
        assert_eq!(kind(all.next("")), "Extension.UnknownExtensionIdentifier");
        all.register("a".into(), BOTH, "1".into()).unwrap();
        assert_eq!(kind(all.next("2")), "Extension.UnknownExtensionIdentifier");
        all.next("1").unwrap();
        assert_eq!(
            kind(all.fail("1", Phase::Init)),
            "Extension.InvalidExtensionState"
        );
        all.fail("1", Phase::Exit).unwrap();
        assert_eq!(kind(all.next("1")), "Extension.InvalidExtensionState");
        assert_eq!(
            all.next("1").unwrap_err().to_string(),
            "State transition from ExitError to Ready failed for extension a. Error: State transition is not allowed"
        );
        assert_eq!(
            all.lines(),
            ["EXTENSION\tName: a\tState: ExitError\tEvents: [INVOKE,SHUTDOWN]"]
        );
    }
}
