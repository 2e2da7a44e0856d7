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

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Payload;
use crate::name::{FunctionName, Name, RequestId, RouteName, SinkName, SourceName, Version, hex, unhex};
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
        /// `serial` in virtual time until held scheduling exists, `parallel` on the system's clock.
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
        /// The version or alias, if one was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qualifier: Option<Arc<str>>,
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
        /// The version that runs, unless it is `$LATEST`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<Version>,
        /// Number of the attempt, from 1; throttles and system errors count.
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
        /// `ZeroReservedConcurrency`; `failed` where a caller was told instead; `deleted` where its function
        /// was; `stopped` when the run ended first.
        how: String,
        /// Times the function ran for it.
        executions: u32,
        /// Where its record went, or `nowhere`.
        to: String,
        /// Why it never ran, if it could not: `there is no arn:aws:…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
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
    /// A function was made, changed or deleted; it holds for every attempt from here on.
    Config {
        /// The function.
        function: FunctionName,
        /// What was done, for people.
        what: String,
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

/// A body in the journal: `{"text": …}`, or `{"hex": …}` for bytes that are not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(Payload);

impl Body {
    /// The body of some bytes, which are shared.
    pub fn of(bytes: &Payload) -> Self {
        Body(bytes.clone())
    }

    /// A body that is a JSON string.
    pub fn string(text: &str) -> Self {
        Body(serde_json::Value::from(text).to_string().into())
    }

    /// The body as JSON; a body that is not JSON becomes a JSON string of its text.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0)
            .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(&self.0).into_owned()))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Spelling<'a> {
    Text(Cow<'a, str>),
    Hex(Cow<'a, str>),
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spelling = match std::str::from_utf8(&self.0) {
            Ok(text) => Spelling::Text(text.into()),
            Err(_) => Spelling::Hex(hex(&self.0).into()),
        };
        spelling.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Spelling::deserialize(deserializer)? {
            Spelling::Text(text) => Ok(Body(text.into_owned().into())),
            Spelling::Hex(hex) => unhex(hex.as_bytes())
                .map(|bytes| Body(bytes.into()))
                .ok_or_else(|| serde::de::Error::custom("a body's hex is not hexadecimal")),
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
    fn record(&mut self, line: &Line, json: &[u8]);
    /// The fabric rests: whatever is held back should go out.
    fn flush(&mut self) {}
}

/// Takes entries, and numbers, spells and hashes them and hands them to recorders when the fabric rests: nobody
/// who waits for an answer waits for that.
pub struct Journal {
    next: u64,
    hasher: blake3::Hasher,
    ledger: Ledger,
    unspelled: Vec<(Timestamp, Entry)>,
    /// Texts as JSON spells them.
    hidden: Vec<(String, &'static str)>,
    json: Vec<u8>,
    recorders: Vec<Box<dyn Recorder + Send>>,
}

impl Journal {
    /// An empty journal that writes to `recorders`.
    pub fn new(recorders: Vec<Box<dyn Recorder + Send>>) -> Self {
        Journal {
            next: 0,
            hasher: blake3::Hasher::new(),
            ledger: Ledger::default(),
            unspelled: Vec::new(),
            hidden: Vec::new(),
            json: Vec::new(),
            recorders,
        }
    }

    /// Writes `stand_in` for a text that differs by chance, such as the path of a scratch directory or of a checkout: a
    /// handler that prints it changes no trace.
    pub fn hide(&mut self, text: &str, stand_in: &'static str) {
        let spelled = serde_json::Value::from(text).to_string();
        let spelled = &spelled[1..spelled.len() - 1];
        if !spelled.is_empty() {
            self.hidden.push((spelled.to_owned(), stand_in));
        }
    }

    /// Appends an entry.
    pub fn write(&mut self, t: Timestamp, entry: Entry) {
        self.count(&entry);
        self.unspelled.push((t, entry));
    }

    /// Brings every entry to the recorders, and lets them write what they hold back.
    pub fn flush(&mut self) {
        let mut entries = std::mem::take(&mut self.unspelled);
        for (t, entry) in entries.drain(..) {
            self.spell(t, entry);
        }
        // Its room is kept for the next ones.
        self.unspelled = entries;
        self.recorders.iter_mut().for_each(|recorder| recorder.flush());
    }

    fn spell(&mut self, t: Timestamp, entry: Entry) {
        let traced = entry.is_traced();
        let n = self.next;
        let mut line = Line { n, t, entry };
        self.json.clear();
        serde_json::to_writer(&mut self.json, &line).expect("a journal line is always JSON");
        let mut hid = false;
        for (text, stand_in) in &self.hidden {
            hid |= replace(&mut self.json, text.as_bytes(), stand_in.as_bytes());
        }
        // A reader in memory and one of the file see the same entry.
        if hid && let Ok(read) = serde_json::from_slice(&self.json) {
            line = read;
        }
        if traced {
            self.next += 1;
            self.hasher.update(&self.json);
            self.hasher.update(b"\n");
        }
        for recorder in &mut self.recorders {
            recorder.record(&line, &self.json);
        }
    }

    /// The hash of everything traced so far, 64 hexadecimal digits.
    pub fn trace(&mut self) -> String {
        self.flush();
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
                if how == "stopped" && to == "nowhere" {
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

/// Replaces every `from`, which is not empty; costs one search where there is none.
fn replace(line: &mut Vec<u8>, from: &[u8], to: &[u8]) -> bool {
    let found = |line: &[u8]| line.windows(from.len()).position(|window| window == from);
    let Some(mut at) = found(line) else { return false };
    loop {
        line.splice(at..at + from.len(), to.iter().copied());
        at += to.len();
        match found(&line[at..]) {
            Some(next) => at += next,
            None => return true,
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_survive_the_journal_whatever_their_bytes() {
        for bytes in [&b"{\"n\":1.50}"[..], b"no json", b"", b"\xff\x00"] {
            let body = Body(Payload::from_static(bytes));
            let text = serde_json::to_string(&body).unwrap_or_default();
            assert_eq!(serde_json::from_str::<Body>(&text).ok(), Some(body), "{text}");
        }
        for wrong in ["zz", "+1", "a"] {
            assert!(
                serde_json::from_str::<Body>(&format!(r#"{{"hex":"{wrong}"}}"#)).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_hidden_changes_no_trace() {
        let trace = |path: &str| {
            let mut journal = Journal::new(Vec::new());
            journal.hide(path, "${run}");
            let entry = Entry::Log {
                name: Name::new("inv:f/1#1"),
                line: format!("no {path}/a, no {path}/b"),
            };
            journal.write(Timestamp::VIRTUAL_START, entry);
            journal.trace()
        };
        assert_eq!(trace("/tmp/one"), trace("/tmp/another"));
        let mut line = b"aXXbXX".to_vec();
        replace(&mut line, b"XX", b"XXX");
        assert_eq!(line, b"aXXXbXXX");
    }

    struct Keep(std::sync::mpsc::Sender<(Line, Vec<u8>)>);

    impl Recorder for Keep {
        fn record(&mut self, line: &Line, json: &[u8]) {
            let _ = self.0.send((line.clone(), json.to_vec()));
        }
    }

    #[test]
    fn every_recorder_sees_what_stands_in_for_the_hidden() {
        let (send, kept) = std::sync::mpsc::channel();
        let mut journal = Journal::new(vec![Box::new(Keep(send))]);
        journal.hide(r#"/tmp/a "b""#, "${run}");
        let name = Name::new("inv:f/1#1");
        let log = |line: &str| Entry::Log {
            name: name.clone(),
            line: line.to_owned(),
        };
        journal.write(Timestamp::VIRTUAL_START, log(r#"no /tmp/a "b"/x"#));
        journal.flush();
        let (line, json) = kept.try_recv().expect("a line");
        assert_eq!(line.entry, log("no ${run}/x"));
        assert_eq!(serde_json::from_slice::<Line>(&json).ok(), Some(line));
    }

    #[test]
    fn an_entry_is_counted_at_once_and_in_the_trace_when_asked() {
        let mut journal = Journal::new(Vec::new());
        let empty = journal.trace();
        let entry = Entry::Clock {
            from: Timestamp::VIRTUAL_START,
            why: "test".to_owned(),
        };
        journal.write(Timestamp::VIRTUAL_START, entry);
        assert_ne!(journal.trace(), empty);
    }
}
