//! The Telemetry API: what happens in an environment, told to the extensions that subscribed (spec/runtime-api §12).
//!
//! Owns the subscribers of one life of an environment, and what is told to whom. The [actor](crate::actor) says what
//! happens; each subscriber has a bounded [buffer] and a task that [delivers](delivery), so nobody waits for a
//! listener. Without subscribers every call returns at once. Deliberately absent: the old Logs API, spans,
//! TCP destinations.

mod buffer;
mod delivery;
mod subscription;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use router::name::Version;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::extension::Seat;
use delivery::Mailbox;
pub use subscription::{Subscription, Topic};

/// The first part of its path.
pub const PATH: &str = "/2022-07-01/telemetry";
/// How many bytes are kept for those who subscribe later in the init.
const EARLY: usize = 1_048_576;

/// Who is told, in one life of an environment.
#[derive(Debug, Default)]
pub struct Telemetry {
    subscribers: Vec<Subscriber>,
    /// What was told in the init so far: who subscribes gets it too.
    early: Option<Vec<(Topic, String)>>,
    early_bytes: usize,
    /// The request of which the start was told, and not the runtime's end.
    running: Option<String>,
}

#[derive(Debug)]
struct Subscriber {
    seat: Seat,
    topics: Vec<Topic>,
    mailbox: Arc<Mailbox>,
    task: JoinHandle<()>,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Telemetry {
    /// A life begins in which somebody may subscribe.
    pub fn begin() -> Self {
        Telemetry {
            early: Some(Vec::new()),
            ..Telemetry::default()
        }
    }

    /// Whether anything is told, now or later.
    pub fn listens(&self) -> bool {
        self.early.is_some() || !self.subscribers.is_empty()
    }

    /// Whether the init goes on, in which extensions subscribe.
    pub fn is_open(&self) -> bool {
        self.early.is_some()
    }

    /// Takes a subscription; a second one of the same extension replaces its first.
    pub fn subscribe(&mut self, seat: Seat, subscription: Subscription) {
        self.subscribers.retain(|s| s.seat != seat);
        let mailbox = Arc::new(Mailbox::new(subscription.limits));
        for (topic, event) in self.early.iter().flatten() {
            if subscription.topics.contains(topic) {
                mailbox.put(event.clone());
            }
        }
        let task = tokio::spawn(delivery::deliver(mailbox.clone(), subscription.destination));
        self.subscribers.push(Subscriber {
            seat,
            topics: subscription.topics,
            mailbox,
            task,
        });
    }

    /// The init is over: nobody subscribes any more.
    pub fn close(&mut self) {
        self.early = None;
    }

    /// Tells a line that a program wrote.
    pub fn line(&mut self, topic: Topic, time: &str, line: &str) {
        self.event(topic, topic.word(), time, Value::from(line));
    }

    /// Tells something that the platform did: `initStart` and its like.
    pub fn platform(&mut self, kind: &str, time: &str, record: Value) {
        self.event(Topic::Platform, &format!("platform.{kind}"), time, record);
    }

    /// The event was handed out; told once, however often the runtime asks for it.
    pub fn start(&mut self, id: &str, version: Version, time: &str, trace: &str) {
        if self.running.as_deref() == Some(id) {
            return;
        }
        self.running = Some(id.to_owned());
        let tracing = json!({ "type": "X-Amzn-Trace-Id", "value": trace });
        let record = json!({ "requestId": id, "version": version, "tracing": tracing });
        self.platform("start", time, record);
    }

    /// The runtime is done with its event, or will not be; told once.
    pub fn runtime_done(&mut self, time: &str, status: &str, duration: Duration, produced: Option<usize>) {
        let Some(id) = self.running.take() else { return };
        let mut metrics = json!({ "durationMs": millis(duration) });
        if let Some(bytes) = produced {
            metrics["producedBytes"] = json!(bytes);
        }
        let record = json!({ "requestId": id, "status": status, "metrics": metrics });
        self.platform("runtimeDone", time, record);
    }

    /// Has all that one extension was told sent now; done when it is.
    pub fn flush(&self, seat: Seat) -> impl Future<Output = ()> + Send + 'static {
        let subscriber = self.subscribers.iter().find(|s| s.seat == seat);
        let mailbox = subscriber.map(|s| s.mailbox.clone());
        async move {
            if let Some(mailbox) = mailbox {
                mailbox.flush().await;
            }
        }
    }

    fn event(&mut self, topic: Topic, kind: &str, time: &str, record: Value) {
        if !self.listens() {
            return;
        }
        let event = json!({ "time": time, "type": kind, "record": record }).to_string();
        for subscriber in self.subscribers.iter().filter(|s| s.topics.contains(&topic)) {
            subscriber.mailbox.put(event.clone());
        }
        if let Some(early) = &mut self.early
            && self.early_bytes.saturating_add(event.len()) <= EARLY
        {
            self.early_bytes += event.len();
            early.push((topic, event));
        }
    }
}

/// As AWS writes durations.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
