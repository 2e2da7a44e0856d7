//! Events that wait for a subscriber: when a batch of them is due, and what is dropped.
//!
//! Owns the limits. Pure: time is a parameter. A listener that does not listen costs a bounded amount of memory; what
//! does not fit is dropped and counted, and the count is told as `platform.logsDropped` (spec/runtime-api §12).
//! Deliberately absent: sending.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;

/// How many full batches may wait.
const BATCHES: usize = 4;

/// When a batch is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// So many events.
    pub items: usize,
    /// So many bytes.
    pub bytes: usize,
    /// So long after the first.
    pub timeout: Duration,
}

/// Events that wait.
#[derive(Debug)]
pub struct Buffer {
    limits: Limits,
    events: VecDeque<String>,
    bytes: usize,
    /// When the oldest came.
    since: Option<Instant>,
    dropped: (usize, usize),
    why: String,
}

impl Buffer {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Buffer {
            limits,
            events: VecDeque::new(),
            bytes: 0,
            since: None,
            dropped: (0, 0),
            why: String::new(),
        }
    }

    /// Adds an event, or counts it as dropped.
    pub fn put(&mut self, now: Instant, event: String) {
        let full = self.events.len() >= self.limits.items.saturating_mul(BATCHES)
            || self.bytes.saturating_add(event.len()) > self.limits.bytes.saturating_mul(BATCHES);
        self.since.get_or_insert(now);
        if full {
            self.lose(1, event.len(), "the subscriber is too slow");
            return;
        }
        self.bytes += event.len();
        self.events.push_back(event);
    }

    /// Counts events that will not arrive.
    pub fn lose(&mut self, events: usize, bytes: usize, why: &str) {
        self.dropped.0 = self.dropped.0.saturating_add(events);
        self.dropped.1 = self.dropped.1.saturating_add(bytes);
        why.clone_into(&mut self.why);
    }

    /// How long until a batch is due; `None` while there is nothing.
    pub fn due(&self, now: Instant) -> Option<Duration> {
        let since = self.since?;
        if self.events.len() >= self.limits.items || self.bytes >= self.limits.bytes {
            return Some(Duration::ZERO);
        }
        Some(
            self.limits
                .timeout
                .saturating_sub(now.saturating_duration_since(since)),
        )
    }

    /// Takes one batch: a JSON array, and how many events it holds.
    pub fn take(&mut self, now: Instant, time: &str) -> Option<(String, usize)> {
        self.since?;
        let mut batch = String::from("[");
        let mut count = 0;
        let (lost, bytes) = std::mem::take(&mut self.dropped);
        if lost > 0 {
            let record = json!({ "droppedRecords": lost, "droppedBytes": bytes, "reason": self.why });
            let event = json!({ "time": time, "type": "platform.logsDropped", "record": record });
            batch.push_str(&event.to_string());
            count += 1;
        }
        while count < self.limits.items
            && self
                .events
                .front()
                .is_some_and(|next| count == 0 || batch.len() + next.len() < self.limits.bytes)
        {
            let Some(event) = self.events.pop_front() else {
                break;
            };
            self.bytes -= event.len();
            if count > 0 {
                batch.push(',');
            }
            batch.push_str(&event);
            count += 1;
        }
        self.since = (!self.events.is_empty()).then_some(now);
        batch.push(']');
        (count > 0).then_some((batch, count))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    const LIMITS: Limits = Limits {
        items: 3,
        bytes: 20,
        timeout: Duration::from_millis(100),
    };

    #[test]
    fn a_batch_is_due_by_items_by_bytes_or_by_time() {
        let (mut buffer, start) = (Buffer::new(LIMITS), Instant::now());
        assert_eq!(buffer.due(start), None);
        buffer.put(start, "1".into());
        let later = start + Duration::from_millis(40);
        assert_eq!(buffer.due(later), Some(Duration::from_millis(60)));
        buffer.put(later, "2".into());
        assert_eq!(buffer.due(start + Duration::from_secs(9)), Some(Duration::ZERO));
        buffer.put(later, "3".into());
        buffer.put(later, "4".into());
        assert_eq!(buffer.due(later), Some(Duration::ZERO));
        assert_eq!(buffer.take(later, ""), Some(("[1,2,3]".into(), 3)));
        assert_eq!(
            buffer.due(later),
            Some(LIMITS.timeout),
            "the rest has its own time"
        );
        assert_eq!(buffer.take(later, ""), Some(("[4]".into(), 1)));
        assert_eq!(buffer.take(later, ""), None);
        buffer.put(later, "a".repeat(30));
        assert_eq!(buffer.due(later), Some(Duration::ZERO));
        assert_eq!(buffer.take(later, "").unwrap().1, 1, "a large one goes alone");
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_told() {
        let (mut buffer, now) = (Buffer::new(LIMITS), Instant::now());
        for _ in 0..20 {
            buffer.put(now, "12345".into());
        }
        let (first, _) = buffer.take(now, "T").unwrap();
        assert!(
            first.starts_with(r#"[{"record":{"droppedBytes":40,"droppedRecords":8,"reason":"the subscriber is too slow"},"time":"T","type":"platform.logsDropped"}"#),
            "{first}"
        );
        let mut rest = 0;
        while let Some((_, count)) = buffer.take(now, "T") {
            rest += count;
        }
        assert!(rest <= 12, "{rest}");
    }
}
