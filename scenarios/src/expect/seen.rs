//! What a journal shows, grouped as expectations speak of it.

use std::collections::BTreeMap;
use std::time::Duration;

use router::journal::{Entry, Line};
use router::time::Timestamp;
use serde_json::Value as Json;

/// A journal, grouped.
pub struct Seen<'a> {
    /// Events that reached a function's queue or were calls, in order of arrival.
    pub events: Vec<SeenEvent<'a>>,
    /// Observations that some route did not take: source, kind, subject, route, why.
    pub refused: Vec<(&'a str, &'a str, &'a str, &'a str, &'a str)>,
    /// Observations of sources that no route leaves: source, kind, subject.
    pub unrouted: Vec<(&'a str, &'a str, &'a str)>,
    sinks: BTreeMap<&'a str, Vec<Json>>,
    logs: Vec<(&'a str, &'a str)>,
}

/// One event and its attempts.
pub struct SeenEvent<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its function.
    pub function: &'a str,
    /// The document.
    pub body: Json,
    /// Its attempts, in order.
    pub attempts: Vec<SeenAttempt<'a>>,
    /// How it ended, if it did.
    pub how: Option<&'a str>,
    /// Lines written in its attempts.
    pub logs: Vec<&'a str>,
}

/// One attempt.
pub struct SeenAttempt<'a> {
    /// When it started, since the start of the run.
    pub at: Duration,
    /// Its outcome; `None` while it runs.
    pub outcome: Option<&'a str>,
    /// What came back.
    pub body: Json,
    /// Where it ran.
    pub environment: Option<&'a str>,
    /// In a fresh environment.
    pub cold: bool,
    name: &'a str,
}

impl<'a> Seen<'a> {
    /// Groups a journal.
    pub fn of(lines: &'a [Line], start: Timestamp) -> Self {
        let mut seen = Seen {
            events: Vec::new(),
            refused: Vec::new(),
            unrouted: Vec::new(),
            sinks: BTreeMap::new(),
            logs: Vec::new(),
        };
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        let mut by_attempt: BTreeMap<&str, usize> = BTreeMap::new();
        for line in lines {
            match &line.entry {
                Entry::Src {
                    source,
                    kind,
                    subject,
                    refused,
                    events,
                } => {
                    if events.is_empty() && refused.is_empty() {
                        seen.unrouted.push((source.as_str(), kind, subject));
                    }
                    for (route, why) in refused {
                        seen.refused
                            .push((source.as_str(), kind, subject, route.as_str(), why));
                    }
                }
                Entry::Evt { name, to, body, .. } => {
                    by_name.insert(name.as_str(), seen.events.len());
                    seen.events.push(SeenEvent {
                        name: name.as_str(),
                        function: to.as_str(),
                        body: body.json(),
                        attempts: Vec::new(),
                        how: None,
                        logs: Vec::new(),
                    });
                }
                Entry::Inv { name, event, .. } => {
                    if let Some(&i) = by_name.get(event.as_str()) {
                        by_attempt.insert(name.as_str(), i);
                        seen.events[i]
                            .attempts
                            .push(SeenAttempt::new(name.as_str(), line.t.since(start)));
                    }
                }
                Entry::Res {
                    name,
                    event,
                    outcome,
                    environment,
                    cold,
                    body,
                    ..
                } => {
                    let Some(&i) = by_name.get(event.as_str()) else {
                        continue;
                    };
                    let attempts = &mut seen.events[i].attempts;
                    if !attempts.iter().any(|a| a.name == name.as_str()) {
                        attempts.push(SeenAttempt::new(name.as_str(), line.t.since(start)));
                    }
                    if let Some(attempt) = attempts.iter_mut().find(|a| a.name == name.as_str()) {
                        attempt.outcome = Some(outcome);
                        attempt.body = body.json();
                        attempt.environment = environment.as_ref().map(|e| e.as_str());
                        attempt.cold = *cold;
                    }
                }
                Entry::Log { name, line } => {
                    if let Some(&i) = by_attempt.get(name.as_str()) {
                        seen.events[i].logs.push(line);
                        seen.logs.push((seen.events[i].function, line));
                    }
                }
                Entry::Done { event, how, .. } => {
                    if let Some(&i) = by_name.get(event.as_str()) {
                        seen.events[i].how = Some(how);
                    }
                }
                Entry::Sink { sink, body, .. } => {
                    seen.sinks.entry(sink.as_str()).or_default().push(body.json())
                }
                _ => {}
            }
        }
        seen
    }

    /// The records of a sink.
    pub fn sink(&self, name: &str) -> Vec<&Json> {
        self.sinks.get(name).into_iter().flatten().collect()
    }

    /// Every sink that has records.
    pub fn sinks(&self) -> impl Iterator<Item = (&str, &Vec<Json>)> {
        self.sinks.iter().map(|(name, records)| (*name, records))
    }

    /// What a function wrote.
    pub fn logs_of(&self, function: &str) -> Vec<&'a str> {
        self.logs
            .iter()
            .filter(|(f, _)| *f == function)
            .map(|(_, line)| *line)
            .collect()
    }
}

impl<'a> SeenAttempt<'a> {
    fn new(name: &'a str, at: Duration) -> Self {
        SeenAttempt {
            at,
            outcome: None,
            body: Json::Null,
            environment: None,
            cold: false,
            name,
        }
    }
}

impl SeenEvent<'_> {
    /// The word for how it ended: the last attempt's outcome, or `expired`.
    pub fn outcome(&self) -> &str {
        match self.how {
            Some("EventAgeExceeded") => "expired",
            _ => self.attempts.last().and_then(|a| a.outcome).unwrap_or("running"),
        }
    }
}
