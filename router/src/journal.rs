//! The journal: every input, action and reason of a run, in order, versioned.
//!
//! Owns the entry types, their JSON form and the trace hash. Expectations, reports, the terminal view
//! and `show` are readers of it; nothing keeps a second set of books. Deliberately absent: files. A
//! [`Recorder`] takes the lines; the one that writes them to disk lives in `scenarios`.
//!
//! ```text
//! {"n":0,"t":1767225600000000000,"k":"head","version":1,...}
//! {"n":1,"t":1767225600000000000,"k":"src","source":"uploads","kind":"ObjectCreated:Put",...}
//! ```
//!
//! `t` is fabric time in nanoseconds. Entries of kind `real` carry what only this machine measured; they
//! and the verdict entries `check` and `end` stay outside the trace hash.

use serde::{Deserialize, Serialize};

use crate::name::{FunctionName, Name, RequestId, RouteName, SinkName, SourceName};
use crate::time::Timestamp;

/// The version of the format; readers accept all older ones and keep entries they do not know.
pub const VERSION: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Serial number, from 0; `real` entries repeat the number of the entry before them.
    pub n: u64,
    /// Fabric time.
    pub t: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "lowercase")]
pub enum Entry {
    /// The header.
    Head {
        /// [`VERSION`].
        version: u32,
        /// Name and version of the tool.
        tool: String,
        /// The scenario or project file's name for itself.
        scenario: String,
        /// The run's seed.
        seed: u64,
        /// `virtual` or `system`.
        clock: String,
        /// `serial` until held scheduling exists.
        scheduler: String,
        /// The names of the functions.
        functions: Vec<FunctionName>,
    },
    /// A step of the scenario starts.
    Step {
        /// Causal name, `step:<id>`.
        name: Name,
        /// What it does, for people: `put uploads/cat.jpg`.
        what: String,
    },
    /// A source saw something.
    Src {
        /// The source.
        source: SourceName,
        /// AWS's event type.
        kind: String,
        /// What it happened to.
        subject: String,
        /// The events that follow from it.
        events: Vec<Name>,
        /// The subscriptions that did not take it, and why.
        refused: Vec<(RouteName, String)>,
    },
    /// An event was accepted: from here on it is accounted for.
    Evt {
        /// Causal name.
        name: Name,
        /// Its request id.
        id: RequestId,
        /// Where it comes from: a source's name or `invoke`.
        origin: SourceName,
        /// The route that carries it.
        route: Option<RouteName>,
        /// What it is about.
        subject: String,
        /// The function it goes to.
        to: FunctionName,
        /// `reply`, `queue` or `stream`.
        lane: String,
        /// The event document.
        body: Body,
    },
    /// An attempt starts.
    Inv {
        /// Causal name, `inv:<function>/<event path>#<attempt>`.
        name: Name,
        /// The event.
        event: Name,
        /// The function.
        function: FunctionName,
        /// Executions so far, this one included.
        attempt: u32,
    },
    /// A line that the handler wrote.
    Log {
        /// The attempt.
        name: Name,
        /// The line, without its end.
        line: String,
    },
    /// An attempt ended.
    Res {
        /// The attempt.
        name: Name,
        /// The event.
        event: Name,
        /// The function.
        function: FunctionName,
        /// `ok`, `error`, `timeout`, `crash`, `throttled` or `system`.
        outcome: String,
        /// The environment it ran in, `env:<function>/<n>`; `None` if it never ran.
        environment: Option<Name>,
        /// Whether the environment was made for it.
        cold: bool,
        /// Nanoseconds on the fabric's clock.
        duration: u64,
        /// What the handler answered, or the error document.
        body: Body,
    },
    /// The event waits for another attempt.
    Retry {
        /// The event.
        event: Name,
        /// When the next attempt is due.
        due: Timestamp,
        /// Why: `function error, retry 1 of 2 after 1m`.
        why: String,
    },
    /// The event ended; written exactly once for each `evt`.
    Done {
        /// The event.
        event: Name,
        /// `success`, or AWS's condition: `RetriesExhausted`, `EventAgeExceeded`,
        /// `ZeroReservedConcurrency`; `failed` where a caller was told instead; `stopped` when the run
        /// ended first.
        how: String,
        /// Times the function ran for it.
        executions: u32,
        /// Where its record went, or `nowhere`.
        to: String,
    },
    /// A record reached a sink.
    Sink {
        /// The sink.
        sink: SinkName,
        /// The event it is about.
        event: Name,
        /// The record.
        body: Body,
    },
    /// A fault was injected.
    Fault {
        /// `faults[0]`.
        name: String,
        /// The attempt or event it hit.
        on: Name,
        /// What it did.
        what: String,
    },
    /// An outcome came for an attempt that no longer runs; it changed nothing.
    Late {
        /// Serial number of the delivery.
        delivery: u64,
        /// The attempt's number.
        attempt: u32,
    },
    /// Virtual time moved.
    Clock {
        /// From when.
        from: Timestamp,
        /// What it moved for.
        why: String,
    },
    /// An expectation was judged; outside the trace hash.
    Check {
        /// `E201` and so on, or `ok`.
        code: String,
        /// One sentence.
        what: String,
    },
    /// The run ended; outside the trace hash.
    End {
        /// Where every accepted event ended.
        ledger: Ledger,
        /// The trace hash, 64 hexadecimal digits.
        trace: String,
    },
    /// Measured on this machine only: pid, wall time, memory; outside the trace hash.
    Real {
        /// What it belongs to.
        name: Name,
        /// Free-form figures.
        figures: std::collections::BTreeMap<String, String>,
    },
    /// An entry of a newer version.
    #[serde(other)]
    Unknown,
}

impl Entry {
    /// Whether the entry is part of the trace that the same seed must reproduce.
    pub fn is_traced(&self) -> bool {
        !matches!(
            self,
            Entry::Check { .. } | Entry::End { .. } | Entry::Real { .. } | Entry::Unknown
        )
    }
}

/// A body in the journal: text as it is, anything else as base64 by the reader's leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// UTF-8 text.
    Text(String),
    /// Bytes that are not UTF-8, in hexadecimal.
    Hex(String),
}

impl Body {
    /// The body of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Hex(bytes.iter().map(|b| format!("{b:02x}")).collect()),
        }
    }

    /// The body as JSON; a body that is not JSON becomes a JSON string of its text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Body::Text(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.clone()))
            }
            Body::Hex(hex) => serde_json::Value::String(hex.clone()),
        }
    }
}

/// Where every accepted event ended: `accepted = done + dead + dropped + open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Events accepted.
    pub accepted: u64,
    /// Ended in success.
    pub done: u64,
    /// Ended in failure, with a record in a destination or dead-letter target, or told to the caller.
    pub dead: u64,
    /// Ended in failure with no one to tell, as AWS drops them.
    pub dropped: u64,
    /// Not ended.
    pub open: u64,
}

/// Takes the lines of a journal. `json` is the line without its newline.
pub trait Recorder {
    /// Takes one line.
    fn record(&mut self, line: &Line, json: &str);
    /// The fabric rests: whatever is held back should go out.
    fn flush(&mut self) {}
}

/// Numbers, spells and hashes entries, and hands them to recorders.
pub struct Journal {
    next: u64,
    hasher: blake3::Hasher,
    ledger: Ledger,
    recorders: Vec<Box<dyn Recorder + Send>>,
}

impl Journal {
    /// An empty journal that writes to `recorders`.
    pub fn new(recorders: Vec<Box<dyn Recorder + Send>>) -> Self {
        Journal {
            next: 0,
            hasher: blake3::Hasher::new(),
            ledger: Ledger::default(),
            recorders,
        }
    }

    /// Appends an entry.
    pub fn write(&mut self, t: Timestamp, entry: Entry) {
        self.count(&entry);
        let traced = entry.is_traced();
        let line = Line {
            n: self.next,
            t,
            entry,
        };
        let json = serde_json::to_string(&line).expect("a journal line is always JSON");
        if traced {
            self.next += 1;
            self.hasher.update(json.as_bytes());
            self.hasher.update(b"\n");
        }
        for recorder in &mut self.recorders {
            recorder.record(&line, &json);
        }
    }

    /// Lets recorders write what they hold back.
    pub fn flush(&mut self) {
        self.recorders.iter_mut().for_each(|recorder| recorder.flush());
    }

    /// The hash of everything traced so far, 64 hexadecimal digits.
    pub fn trace(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Where every accepted event is so far.
    pub fn ledger(&self) -> Ledger {
        self.ledger
    }

    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Evt { .. } => {
                self.ledger.accepted += 1;
                self.ledger.open += 1;
            }
            Entry::Done { how, to, .. } => {
                if how == "stopped" {
                    return;
                }
                self.ledger.open -= 1;
                match (how.as_str(), to.as_str()) {
                    ("success", _) => self.ledger.done += 1,
                    (_, "nowhere") => self.ledger.dropped += 1,
                    _ => self.ledger.dead += 1,
                }
            }
            _ => {}
        }
    }
}
